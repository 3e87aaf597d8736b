"""The history recorder: keeps every balance in the history, and knows what was spent lately.

What was spent lately is known only after recording, and so is no part of a snapshot: renderings ask `Recorder.recent`
when they draw, and what reads the history itself waits for `Recorder.caught_up`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit.background import in_background
from orcredit.errors import HistoryError, OrcreditError, unexpected
from orcredit.monitor import HistoryRecovered, HistoryUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from orcredit.balance import Balance
    from orcredit.history import Recent
    from orcredit.monitor import Event, Snapshot

SLOW_AFTER = 5.0
"""Seconds after which a history that has not answered is reported; it needs a hundredth of a second, and gives up
waiting for a lock earlier."""

_SLOW = "it takes long to answer"


class Recorder:
    """A sink that records balances; at any time there is one call at most.

    Args:
        record: keeps a balance of a profile, and gives what that profile spent lately; blocks, and is called on
            a separate thread.
        report: publishes an event with the snapshots of a profile; `Hub.report`.
    """

    def __init__(
        self, record: Callable[[str | None, Balance], Recent], report: Callable[[str | None, Event], None]
    ) -> None:
        self._record = record
        self._report = report
        self._recent: dict[str | None, Recent] = {}
        self._recorded: dict[str | None, int] = {}
        """The number of the last poll that was taken in, by profile."""
        self._handled = asyncio.Event()
        """Set, and replaced, whenever one was."""
        self._is_unavailable = False

    def recent(self, profile: str | None = None) -> Recent | None:
        """Give what a profile spent lately, as of its last answer; None while nothing can be recorded."""
        return self._recent.get(profile)

    async def caught_up(self, snapshot: Snapshot, seconds: float) -> None:
        """Wait until a snapshot's balance is recorded, but no longer than that, and not while nothing can be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._recorded.get(snapshot.profile, 0) < snapshot.polls and not self._is_unavailable:
                    await self._handled.wait()

    async def handle(self, snapshot: Snapshot) -> None:
        """Record the balance of a poll that succeeded."""
        if self._recorded.get(snapshot.profile) == snapshot.polls:
            return  # only an event is new
        if snapshot.balance is not None and snapshot.error is None:
            await self._keep(snapshot, snapshot.balance)
        self._recorded[snapshot.profile] = snapshot.polls
        self._handled.set()
        self._handled = asyncio.Event()

    async def _keep(self, snapshot: Snapshot, balance: Balance) -> None:
        recording = in_background(self._record, snapshot.profile, balance)
        await asyncio.wait({recording}, timeout=SLOW_AFTER)
        if not recording.done():
            self._unavailable(snapshot, _SLOW, _SLOW)
            await asyncio.wait({recording})
        try:
            recent = recording.result()
        except HistoryError as error:
            self._unavailable(snapshot, str(error), error.public)
        except OrcreditError as error:
            self._unavailable(snapshot, str(error), str(error))
        except Exception as bug:  # noqa: BLE001 - polls need no history
            reason = str(unexpected(bug)).rstrip(".")
            self._unavailable(snapshot, reason, reason)
        else:
            self._recent[snapshot.profile] = recent
            if self._is_unavailable:
                self._report(snapshot.profile, HistoryRecovered(at=snapshot.polled_at))
            self._is_unavailable = False

    def _unavailable(self, snapshot: Snapshot, reason: str, public_reason: str) -> None:
        """Report it once, and forget what was spent lately, which would go out of date."""
        self._recent.clear()
        if not self._is_unavailable:
            event = HistoryUnavailable(
                at=snapshot.polled_at, reason=reason.rstrip("."), public_reason=public_reason.rstrip(".")
            )
            self._report(snapshot.profile, event)
        self._is_unavailable = True
