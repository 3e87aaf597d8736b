"""The history recorder: keeps every balance and every event in the history, and knows what was spent lately.

What was spent lately is known only after recording, and so is no part of a snapshot: renderings ask `Recorder.recent`
when they draw, and what reads the history itself waits for `Recorder.caught_up`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from orcredit.background import in_background
from orcredit.errors import HistoryError, OrcreditError, unexpected
from orcredit.history import KeptEvent
from orcredit.monitor import EventKind, HistoryRecovered, HistoryUnavailable
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orcredit.balance import Balance
    from orcredit.history import Recent
    from orcredit.monitor import Event, Snapshot

_R = TypeVar("_R")

SLOW_AFTER = 5.0
"""Seconds after which a history that has not answered is reported; it needs a hundredth of a second, and gives up
waiting for a lock earlier."""

_SLOW = "it takes long to answer"

_MOST_WAITING = 100
"""Events of a profile that wait for a history that cannot be written."""

_SAME_CLOCK = timedelta(minutes=1)
"""By which this machine's clock may differ from OpenRouter's before the times of events are corrected."""


class Recorder:
    """A sink that records balances and events; at any time there is one call at most.

    Events are recorded after the balance, in a transaction of their own: what is wrong with them does not affect it.
    Those that could not be recorded wait for the next poll.

    Args:
        record: keeps a balance of a profile, and gives what that profile spent lately, if that is wanted; blocks, and
            is called on a separate thread.
        keep_events: keeps events of a profile; likewise.
        report: publishes an event with the snapshots of a profile; `Hub.report`.
    """

    def __init__(
        self,
        record: Callable[[str | None, Balance], Recent | None],
        keep_events: Callable[[str | None, Sequence[KeptEvent]], None],
        report: Callable[[str | None, Event], None],
    ) -> None:
        self._record = record
        self._keep_events = keep_events
        self._report = report
        self._waiting: defaultdict[str | None, deque[KeptEvent]] = defaultdict(lambda: deque(maxlen=_MOST_WAITING))
        self._taken: dict[str | None, int] = {}
        """The number of the last snapshot whose events were taken in, by profile."""
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
        """Record the balance of a poll that succeeded, and what happened since the last snapshot."""
        new = snapshot.events_after(self._taken.get(snapshot.profile, 0))
        self._taken[snapshot.profile] = snapshot.sequence
        self._waiting[snapshot.profile].extend(
            kept_event(event, snapshot) for event in new if event.kind is not EventKind.HISTORY
        )
        is_new = self._recorded.get(snapshot.profile) != snapshot.polls
        if is_new and snapshot.balance is not None and snapshot.error is None:
            await self._keep(snapshot, snapshot.balance)
        if not self._is_unavailable:
            await self._keep_waiting(snapshot)
        if is_new:
            self._recorded[snapshot.profile] = snapshot.polls
            self._handled.set()
            self._handled = asyncio.Event()

    async def _keep(self, snapshot: Snapshot, balance: Balance) -> None:
        try:
            recent = await self._done(snapshot, in_background(self._record, snapshot.profile, balance))
        except HistoryError as error:
            self._unavailable(snapshot, str(error), error.public)
        except OrcreditError as error:
            self._unavailable(snapshot, str(error), str(error))
        except Exception as bug:  # noqa: BLE001 - polls need no history
            reason = str(unexpected(bug)).rstrip(".")
            self._unavailable(snapshot, reason, reason)
        else:
            if recent is not None:
                self._recent[snapshot.profile] = recent
            if self._is_unavailable:
                self._report(snapshot.profile, HistoryRecovered(at=snapshot.polled_at))
            self._is_unavailable = False

    async def _keep_waiting(self, snapshot: Snapshot) -> None:
        waiting = self._waiting[snapshot.profile]
        if not waiting:
            return
        try:
            await self._done(snapshot, in_background(self._keep_events, snapshot.profile, tuple(waiting)))
        except HistoryError as error:
            logging.getLogger("orcredit").debug("the events could not be recorded: %s", error.public)
            return
        except Exception as bug:  # noqa: BLE001 - likewise; tried again, they would fail again
            logging.getLogger("orcredit").debug("the events could not be recorded: %s", unexpected(bug))
        waiting.clear()

    async def _done(self, snapshot: Snapshot, recording: asyncio.Future[_R]) -> _R:
        """Wait for what a thread does, and report when it takes long."""
        await asyncio.wait({recording}, timeout=SLOW_AFTER)
        if not recording.done():
            self._unavailable(snapshot, _SLOW, _SLOW)
            await asyncio.wait({recording})
        return recording.result()

    def _unavailable(self, snapshot: Snapshot, reason: str, public_reason: str) -> None:
        """Report it once, and forget what was spent lately, which would go out of date."""
        self._recent.clear()
        if not self._is_unavailable:
            event = HistoryUnavailable(
                at=snapshot.polled_at, reason=reason.rstrip("."), public_reason=public_reason.rstrip(".")
            )
            self._report(snapshot.profile, event)
        self._is_unavailable = True


def kept_event(event: Event, snapshot: Snapshot | None = None) -> KeptEvent:
    """Make of an event what the history keeps, without what only this machine's user may see.

    Args:
        event: of any kind.
        snapshot: that has it. The event's time is then by OpenRouter's clock, as all times in the history are, where
            this machine's differs from it by more than a minute.
    """
    ahead = timedelta(0)
    if snapshot is not None and snapshot.balance is not None and snapshot.answered_at is not None:
        ahead = snapshot.balance.fetched_at - snapshot.answered_at
    return KeptEvent(
        at=event.at + ahead if abs(ahead) > _SAME_CLOCK else event.at,
        kind=event.kind.value,
        text=event_text(event, public=True),
        is_worse=event.is_worse,
        scope=getattr(event, "scope", None),
        period=getattr(event, "period", None),
    )
