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
from orcredit.errors import HistoryError, OrcreditError, UnreachableError, unexpected
from orcredit.history import KeptEvent
from orcredit.monitor import EventKind, HistoryRecovered, HistoryUnavailable
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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

    Events are recorded after the balances, in a transaction of their own: what is wrong with them does not affect
    those. Those that could not be recorded wait for the next poll. That the history cannot be used is said once, with
    the snapshots of one profile; that one profile cannot be recorded, while others can, once with its own.

    Args:
        record: keeps balances of profiles, in one transaction, and gives what each of them spent lately, if that is
            wanted; blocks, and is called on a separate thread.
        keep_events: keeps events of profiles; likewise.
        report: publishes an event with the snapshots of a profile; `Hub.report`.
    """

    def __init__(
        self,
        record: Callable[[Mapping[str | None, Balance]], Mapping[str | None, Recent]],
        keep_events: Callable[[Mapping[str | None, Sequence[KeptEvent]]], None],
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
        self._reported_with: str | None = None
        """The profile with whose snapshots that was said."""
        self._failing: set[str | None] = set()
        """The profiles that cannot be recorded for a bug, which need not concern others."""

    def recent(self, profile: str | None = None) -> Recent | None:
        """Give what a profile spent lately, as of its last answer; None while nothing can be recorded."""
        return self._recent.get(profile)

    async def caught_up(self, snapshot: Snapshot, seconds: float) -> None:
        """Wait until a snapshot's balance is recorded, but no longer than that, and not while nothing can be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._recorded.get(snapshot.profile, 0) < snapshot.polls and not self._is_unavailable:
                    await self._handled.wait()

    async def handle(self, snapshots: Sequence[Snapshot]) -> None:
        """Record the balances of polls that succeeded, and what happened since the last snapshots."""
        for snapshot in snapshots:
            new = snapshot.events_after(self._taken.get(snapshot.profile, 0))
            self._taken[snapshot.profile] = snapshot.sequence
            kept = [kept_event(event, snapshot) for event in new if event.kind is not EventKind.HISTORY]
            if kept:
                self._waiting[snapshot.profile].extend(kept)
        polled = [one for one in snapshots if self._recorded.get(one.profile) != one.polls]
        if answered := [one for one in polled if one.balance is not None and one.error is None]:
            await self._keep(answered)
        if not self._is_unavailable:
            await self._keep_waiting(snapshots[0])
        if polled:
            self._recorded.update((snapshot.profile, snapshot.polls) for snapshot in polled)
            self._handled.set()
            self._handled = asyncio.Event()

    async def _keep(self, answered: Sequence[Snapshot]) -> None:
        """Record the balances of snapshots, which have one."""
        first = answered[0]
        balances = {one.profile: one.balance for one in answered if one.balance is not None}
        try:
            recent = await self._done(first, in_background(self._record, balances))
        except HistoryError as error:
            self._unavailable(first, str(error), error.public)
        except OrcreditError as error:
            self._unavailable(first, str(error), str(error))
        except Exception as bug:  # noqa: BLE001 - polls need no history
            problem = unexpected(bug)
            if isinstance(problem, UnreachableError):  # the system is short of something
                self._unavailable(first, str(problem), str(problem))
            elif len(answered) > 1:  # one of them; the others need not suffer from it
                for each in answered:
                    await self._keep([each])
            else:
                self._fails(first, str(problem))
        else:
            self._recent.update(recent)
            if self._is_unavailable:
                self._report(self._reported_with, HistoryRecovered(at=first.polled_at))
            self._is_unavailable = False
            for profile in self._failing.intersection(balances):
                self._report(profile, HistoryRecovered(at=first.polled_at))
            self._failing.difference_update(balances)

    async def _keep_waiting(self, snapshot: Snapshot) -> None:
        waiting = {profile: tuple(events) for profile, events in self._waiting.items() if profile not in self._failing}
        if not waiting:
            return
        try:
            await self._done(snapshot, in_background(self._keep_events, waiting))
        except HistoryError as error:
            logging.getLogger("orcredit").debug("the events could not be recorded: %s", error.public)
            return
        except Exception as bug:  # noqa: BLE001 - likewise; tried again, they would fail again
            logging.getLogger("orcredit").debug("the events could not be recorded: %s", unexpected(bug))
        for profile in waiting:
            del self._waiting[profile]

    async def _done(self, snapshot: Snapshot, recording: asyncio.Future[_R]) -> _R:
        """Wait for what a thread does, and report when it takes long."""
        await asyncio.wait({recording}, timeout=SLOW_AFTER)
        if not recording.done():
            self._unavailable(snapshot, _SLOW, _SLOW)
            await asyncio.wait({recording})
        return recording.result()

    def _fails(self, snapshot: Snapshot, reason: str) -> None:
        """Report once that a profile cannot be recorded, and forget what it spent lately."""
        self._recent.pop(snapshot.profile, None)
        if snapshot.profile not in self._failing and not self._is_unavailable:
            self._failing.add(snapshot.profile)
            reason = reason.rstrip(".")
            self._report(
                snapshot.profile, HistoryUnavailable(at=snapshot.polled_at, reason=reason, public_reason=reason)
            )

    def _unavailable(self, snapshot: Snapshot, reason: str, public_reason: str) -> None:
        """Report it once, and forget what was spent lately, which would go out of date."""
        self._recent.clear()
        if not self._is_unavailable:
            event = HistoryUnavailable(
                at=snapshot.polled_at, reason=reason.rstrip("."), public_reason=public_reason.rstrip(".")
            )
            self._report(snapshot.profile, event)
            self._reported_with = snapshot.profile
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
