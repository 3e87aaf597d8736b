"""Other work while an answer is awaited: on the event loop's thread, in small steps, so that the answer is not delayed.

A command that must load modules to show an answer loads them while the network is waited for, not before or after.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_SENT = "http11.receive_response_headers.started"
"""The HTTP client's event between the request and its answer (httpx2, request extension "trace")."""


class Meanwhile:
    """For the length of one exchange: take steps from when the request has been sent; a context manager.

    Args:
        steps: each `next` is one step; it may be shared by several exchanges. None is taken while something else is
            ready to run, so a step delays an answer by its own length at most.
    """

    def __init__(self, steps: Iterator[object]) -> None:
        self._steps = steps
        self._next: asyncio.Handle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            self._next.cancel()

    @property
    def extensions(self) -> dict[str, Any]:
        """What the request must carry."""
        return {"trace": self._trace}

    async def _trace(self, event: str, _: object) -> None:
        if event == _SENT:
            self._schedule()

    def _schedule(self) -> None:
        self._next = asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        try:
            next(self._steps)
        except Exception:  # noqa: BLE001, S110 - the end, or a failure that whoever needs the work will meet again
            pass
        else:
            self._schedule()
