"""What is known of the week: learned of the history at the first answer, and then every hour."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit.background import NoThreadError, in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orcredit.monitor import Snapshot

EVERY = 3600.0
"""Seconds: what is learned of is hours."""


class WeekKeeper:
    """A sink that has the week learned, on a separate thread.

    Args:
        learn: learns and stores the week of a profile; blocks, and raises nothing.
        clock: seconds that only ever rise.
    """

    def __init__(self, learn: Callable[[str | None], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._learn = learn
        self._clock = clock
        self._learned_at: dict[str | None, float] = {}

    async def handle(self, snapshots: Sequence[Snapshot]) -> None:
        """Learn after polls that succeeded, when the last time was an hour ago."""
        for snapshot in snapshots:
            await self._handle(snapshot)

    async def _handle(self, snapshot: Snapshot) -> None:
        now = self._clock()
        last = self._learned_at.get(snapshot.profile)
        if snapshot.error is not None or snapshot.balance is None or (last is not None and now - last < EVERY):
            return
        self._learned_at[snapshot.profile] = now
        with suppress(NoThreadError):  # in an hour again
            await in_background(self._learn, snapshot.profile)
