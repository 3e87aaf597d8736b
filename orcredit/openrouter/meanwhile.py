"""While waiting for a response: work, and a notice when it takes long. Both on the event loop's thread.

The work is done in steps so small that the response is not delayed: commands import the modules that render a balance
during the wait instead of before or after it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SENT = "http11.receive_response_headers.started"
_ANSWERED = "http11.receive_response_headers.complete"
"""The HTTP client's events after the request and before the response's body (httpx2, request extension "trace")."""


PATIENCE = 0.3
"""Seconds without an answer after which a user is told what is waited for."""


class Patience:
    """Calls back once waiting takes long; a context manager around everything that is waited for.

    Args:
        tell: called after `PATIENCE` seconds with the number of the current attempt, again with every later one, and
            at the end with None; not at all when the end comes sooner.
    """

    def __init__(self, tell: Callable[[int | None], object]) -> None:
        self._tell = tell
        self._attempt = 1
        self._is_told = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._tell_now)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_told:
            self._tell(None)

    def attempted(self, number: int) -> None:
        """Note an attempt of a request, by its number from 1. Of several requests, the most tried one is told."""
        if number > self._attempt:
            self._attempt = number
            if self._is_told:
                self._tell(number)

    def _tell_now(self) -> None:
        self._is_told = True
        self._tell(self._attempt)


class Meanwhile:
    """Take steps from the moment a request has been sent until its response; a context manager for one exchange.

    Args:
        steps: each `next` is one step; exchanges may share the iterator. One step is taken per iteration of the event
            loop until the response's headers have arrived; receiving those takes a few iterations.

    Attributes:
        is_sent: whether the request has been sent.
        is_answered: whether the response's headers have arrived.
    """

    def __init__(self, steps: Iterator[object]) -> None:
        self.is_sent = False
        self.is_answered = False
        self._steps = steps
        self._next: asyncio.Handle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def extensions(self) -> dict[str, Any]:
        """The extensions of the request."""
        return {"trace": self._trace}

    async def _trace(self, event: str, details: dict[str, Any]) -> None:
        if event == _SENT:
            request = details.get("request")
            if self._next is None and getattr(request, "method", b"") != b"CONNECT":  # to a proxy
                self.is_sent = True
                self._schedule()
        elif event == _ANSWERED:
            self.is_answered = self.is_sent
            self._stop()

    def _schedule(self) -> None:
        self._next = asyncio.get_running_loop().call_soon(self._step)

    def _stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _step(self) -> None:
        self._next = None
        try:
            next(self._steps)
        except Exception:  # noqa: BLE001, S110 - StopIteration, or a failed import, which will be repeated where it is needed
            pass
        else:
            self._schedule()
