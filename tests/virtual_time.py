"""A clock and a sleep for tests: time passes only when the test says so, and every wake-up is counted."""

from __future__ import annotations

import asyncio
import heapq
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from tests.simulated import NOW

if TYPE_CHECKING:
    from datetime import datetime

_ROUNDS = 20
"""Of the event loop, until all that a wake-up causes has happened."""


class VirtualTime:
    """What a poller or a hub is given as clock and sleep; `now` may be set, as a machine's clock may."""

    def __init__(self) -> None:
        self.now = NOW
        self.wake_ups = 0
        self._passed = 0.0
        self._numbers = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._numbers), waking))
        await waking
        self.wake_ups += 1

    async def settle(self) -> None:
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due by then."""
        await self.settle()
        end = self._passed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            at = self._sleepers[0][0]
            self._move(at)
            while self._sleepers and self._sleepers[0][0] == at:
                waking = heapq.heappop(self._sleepers)[2]
                if not waking.done():
                    waking.set_result(None)
            await self.settle()
        self._move(end)

    def _move(self, to: float) -> None:
        self.now += timedelta(seconds=to - self._passed)
        self._passed = to
