"""How many requests may be under way at once: to one host, and in all. Those that wait are served in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MOST_PER_HOST = 10
"""Requests at once to one host."""

MOST = 100
"""Requests at once to all hosts."""


@dataclass(slots=True)
class _Host:
    """The requests to one host: those under way, and those that wait with how many they are."""

    under_way: int = 0
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)


class Turns:
    """Turns of an event loop.

    Args:
        per_host: requests at once to one host.
        in_all: to all of them.
    """

    def __init__(self, per_host: int = MOST_PER_HOST, in_all: int = MOST) -> None:
        self._per_host = per_host
        self._left = in_all
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def take(
        self,
        host: str,
        requests: int = 1,
        *,
        patience: float | None = None,
        problem: Callable[[], Exception | None] = lambda: None,
    ) -> AsyncIterator[None]:
        """Wait for a turn, and keep it until the end of the block.

        Args:
            host: any name of it.
            requests: how many may be under way at once within the block; at most as many as to one host.
            patience: seconds of waiting after which, and again and again, it is asked for a problem; None for never.
            problem: gives what is then raised; None to wait on.
        """
        of_host = self._hosts.setdefault(host, _Host())
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        of_host.waiting.append((requests, granted))
        self._grant()
        try:
            while not granted.done():
                await asyncio.wait({granted}, timeout=patience)
                if not granted.done() and (found := problem()) is not None:
                    raise found
            yield
        finally:
            if granted.done():
                of_host.under_way -= requests
                self._left += requests
            else:
                of_host.waiting.remove((requests, granted))
            self._grant()

    def _grant(self) -> None:
        """Let those go that may. One that must wait for others of its host delays no other host's."""
        for of_host in self._hosts.values():
            while of_host.waiting:
                requests, granted = of_host.waiting[0]
                if of_host.under_way + requests > self._per_host or requests > self._left:
                    break
                of_host.waiting.popleft()
                of_host.under_way += requests
                self._left -= requests
                granted.set_result(None)
