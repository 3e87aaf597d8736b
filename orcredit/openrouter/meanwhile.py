"""Work while waiting for a response: on the event loop's thread, in steps so small that the response is not delayed.

Commands import the modules that render a balance during the wait instead of before or after it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_SENT = "http11.receive_response_headers.started"
_ANSWERED = "http11.receive_response_headers.complete"
"""The HTTP client's events after the request and before the response's body (httpx2, request extension "trace")."""


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
