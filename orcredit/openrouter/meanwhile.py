"""Other work while an answer is awaited: on the event loop's thread, in small steps, so that the answer is not delayed.

A command that must load modules to show an answer loads them while the network is waited for, not before or after.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_SENT = "http11.receive_response_headers.started"
_ANSWERED = "http11.receive_response_headers.complete"
"""The HTTP client's events after the request and before the answer's body (httpx2, request extension "trace")."""


class Meanwhile:
    """For the length of one exchange: take steps from when the request has been sent; a context manager.

    Args:
        steps: each `next` is one step; it may be shared by several exchanges. One is taken in every turn of the event
            loop until the answer's head is there; its receiving takes a few turns, each of which a step makes longer.
    """

    def __init__(self, steps: Iterator[object]) -> None:
        self._steps = steps
        self._next: asyncio.Handle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def extensions(self) -> dict[str, Any]:
        """What the request must carry."""
        return {"trace": self._trace}

    async def _trace(self, event: str, details: dict[str, Any]) -> None:
        if event == _SENT:
            request = details.get("request")
            if self._next is None and getattr(request, "method", b"") != b"CONNECT":  # which a proxy answers first
                self._schedule()
        elif event == _ANSWERED:
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
        except Exception:  # noqa: BLE001, S110 - the end, or a failure that the code which needs the work will meet too
            pass
        else:
            self._schedule()
