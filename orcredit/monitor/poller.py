"""One poller: asks on a schedule, backs off after failures, publishes a snapshot after each poll.

No failure ends it: a failed poll is published as well, with the last answer marked stale. A bug in a poll counts as a
failure too. Clock and sleep are arguments, so that tests need not wait.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Generic

from orcredit.errors import ConfigurationError, OrcreditError, UnreachableError, unexpected
from orcredit.monitor.causes import Causes
from orcredit.monitor.events import Event, EventKind, Recovered, RunawayStarted, balance_changes, failure
from orcredit.monitor.rate import OUTDATED
from orcredit.monitor.runaway import Meter
from orcredit.monitor.snapshot import EVENTS_KEPT, Snapshot, T
from orcredit.monitor.spread import spread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from orcredit.balance import Balance, Level
    from orcredit.balance.cause import Cause
    from orcredit.monitor.rate import Rate
    from orcredit.monitor.runaway import Runaway

LONGEST_BACKOFF = timedelta(minutes=5)
"""The longest delay after failures (unless the interval itself is longer)."""

REFRESH_PAUSE = timedelta(seconds=2)
"""A request to refresh is answered by a poll this young: OpenRouter's own values are up to a minute old anyway."""

URGENT_INTERVAL = timedelta(seconds=10)
"""The interval while a runaway lasts, unless it is shorter anyway; OpenRouter's own values change no faster."""


class Poller(Generic[T]):
    """Polls on a schedule and keeps the latest snapshot for any number of subscribers.

    Run it with a `Hub`, which also notices when the machine was asleep.

    Args:
        ask: gives an answer, or raises an `OrcreditError`.
        interval: from the end of one poll to the start of the next, while polls succeed.
        profile: the name of the profile that is asked for; None for the unnamed one.
        hurries: whether it polls every ten seconds while a runaway lasts.
        phase: gives the part of the interval, from 0 to 1, at which it polls after its first poll: one of many pollers
            has its own. None for a whole interval after each poll.
        is_one_of_many: whether it goes on after a first poll that failed with a `ConfigurationError`.
        clock: the time of day; aware UTC.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        interval: timedelta,
        *,
        profile: str | None = None,
        hurries: bool = False,
        phase: Callable[[], float] | None = None,
        is_one_of_many: bool = False,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ask = ask
        self._interval = interval
        self._urgent_interval = min(interval, URGENT_INTERVAL) if hurries else interval
        self._phase = phase
        self._is_one_of_many = is_one_of_many
        self.profile = profile
        self.clock = clock
        self.numbers = itertools.count(1)
        """Of its snapshots; pollers of a hub have the same."""
        self._sleep = sleep
        self._latest: Snapshot[T] | None = None
        self._reported: list[Event] = []
        """Events that came before the first snapshot."""
        self._published = asyncio.Event()
        self._listeners: list[Callable[[Snapshot[T]], None]] = []
        self._is_refresh_wanted = False
        self._wake_up = asyncio.Event()
        self._is_polling = False
        self._doublings = 0
        """Of the delay: scheduled polls that failed since the last answer. Requested refreshes do not count."""

    @property
    def latest(self) -> Snapshot[T] | None:
        """The newest snapshot; None before the first poll has ended."""
        return self._latest

    async def run(self) -> None:
        """Poll until cancelled; the only place where polling happens.

        Raises:
            ConfigurationError: the first poll failed for a reason that waiting does not cure.
        """
        is_scheduled = True
        while True:
            self._is_polling = True
            try:
                snapshot = await self._poll(is_scheduled=is_scheduled)
            finally:
                self._is_polling = False
            self._is_refresh_wanted = False
            self._wake_up.clear()
            self._publish(snapshot)
            await self._wait_until_due(snapshot)
            is_scheduled = not self._is_refresh_wanted

    async def refresh(self) -> Snapshot[T]:
        """Poll now, and wait for the snapshot.

        A poll under way, or one that ended less than two seconds ago, is used instead; so is the latest snapshot while
        OpenRouter asks to wait (`Snapshot.wait_until`). Cancelling the wait cancels no poll.
        """
        latest = self._latest
        if latest is not None:
            now = self.clock()
            is_asked_to_wait = latest.wait_until is not None and now < latest.wait_until
            if is_asked_to_wait or timedelta(0) <= now - latest.polled_at < REFRESH_PAUSE:
                return latest
        if not self._is_polling:
            self._is_refresh_wanted = True
            self._wake_up.set()
        polls = latest.polls if latest is not None else 0
        while self._latest is None or self._latest.polls <= polls:
            await self._published.wait()
        return self._latest

    async def snapshots(self, after: int = 0) -> AsyncIterator[Snapshot[T]]:
        """Iterate over the snapshots newer than a sequence number, always the latest one; does not end.

        A slow subscriber misses some; it delays neither polls nor other subscribers.
        """
        while True:
            while self._latest is None or self._latest.sequence <= after:
                await self._published.wait()
            snapshot = self._latest
            after = snapshot.sequence
            yield snapshot

    def listen(self, listener: Callable[[Snapshot[T]], None]) -> None:
        """Have every snapshot passed to a function as soon as it is published."""
        self._listeners.append(listener)

    def report(self, event: Event) -> None:
        """Publish an event that is not of a poll: at once, as a further snapshot of the last poll."""
        if self._latest is None:
            self._reported.append(event)
        else:
            self._publish(self._next(self._latest, [event]))

    def wake_if_due(self) -> None:
        """Poll now if the clock says so: after the machine was asleep, the poller's sleep still has time to go."""
        if self._latest is not None and self.clock() >= self._latest.next_poll_at:
            self.wake()

    def wake(self) -> None:
        """Poll now, as if the next poll were due, unless one is under way."""
        if self._latest is not None and not self._is_polling:
            self._wake_up.set()

    def changes(self, before: T, after: T, at: datetime) -> Iterable[Event]:  # noqa: ARG002 - for subclasses
        """Compare two answers; a subclass gives the events between them."""
        return ()

    def measure(self, value: T, at: datetime) -> tuple[Rate | None, Runaway | None, Iterable[Event]]:  # noqa: ARG002
        """Measure how fast money is spent; a subclass gives the rate, the runaway and the events of an answer."""
        return None, None, ()

    async def explained(self, snapshot: Snapshot[T], events: list[Event]) -> tuple[Snapshot[T], list[Event]]:
        """Add to the snapshot of a poll, and to its events, what another question tells, within seconds.

        A subclass asks it. They have no numbers yet: others may be published meanwhile.
        """
        return snapshot, events

    def mark_stale(self, value: T, error: OrcreditError) -> T:  # noqa: ARG002 - for subclasses
        """Mark an answer that could not be renewed, where its type can say so."""
        return value

    def _publish(self, snapshot: Snapshot[T]) -> None:
        self._latest = snapshot
        self._published.set()
        self._published = asyncio.Event()
        for listener in self._listeners:
            listener(snapshot)

    async def _poll(self, *, is_scheduled: bool) -> Snapshot[T]:
        before = self._latest
        error: OrcreditError
        try:
            snapshot, events = self._answered(before, await self._ask())
        except OrcreditError as refused:
            if before is None and isinstance(refused, ConfigurationError) and not self._is_one_of_many:
                raise
            error = refused
        except Exception as bug:  # noqa: BLE001 - no single poll may end the poller
            error = unexpected(bug)
        else:
            self._doublings = 0
            snapshot, events = await self.explained(snapshot, events)
            return self._after_poll(before, snapshot, events)
        self._doublings += is_scheduled
        return self._failed(before, error)

    def _answered(self, before: Snapshot[T] | None, value: T) -> tuple[Snapshot[T], list[Event]]:
        """Make the snapshot of a poll that succeeded, without a number, and its events."""
        now = self.clock()
        events: list[Event] = []
        if before is not None and before.error is not None:
            events.append(Recovered(at=now))
        if before is not None and before.value is not None:
            events.extend(self.changes(before.value, value, now))
        rate, runaway, measured = self.measure(value, now)
        events.extend(measured)
        snapshot = Snapshot(
            profile=self.profile,
            sequence=0,
            polls=1,
            value=value,
            error=None,
            failures=0,
            answered_at=now,
            polled_at=now,
            next_poll_at=_later(now, self._spread(now, self._interval if runaway is None else self._urgent_interval)),
            wait_until=None,
            events=(),
            rate=rate,
            runaway=runaway,
        )
        return snapshot, events

    def _failed(self, before: Snapshot[T] | None, error: OrcreditError) -> Snapshot[T]:
        """Make the snapshot of a poll that failed."""
        now = self.clock()
        event = failure(error, now)
        is_known = before is not None and before.error is not None and _is_same(event, failure(before.error, now))
        value = before.value if before is not None else None
        asked_to_wait = timedelta(0)
        if isinstance(error, UnreachableError) and error.retry_after is not None:
            asked_to_wait = timedelta(seconds=error.retry_after)
        snapshot = Snapshot(
            profile=self.profile,
            sequence=0,
            polls=1,
            value=None if value is None else self.mark_stale(value, error),
            error=error,
            failures=1 + (before.failures if before is not None else 0),
            answered_at=before.answered_at if before is not None else None,
            polled_at=now,
            next_poll_at=_later(now, max(self._spread(now, delay(self._interval, self._doublings)), asked_to_wait)),
            wait_until=_later(now, asked_to_wait) if asked_to_wait else None,
            events=(),
            rate=_recent_rate(before, now),
            runaway=before.runaway if before is not None else None,
        )
        return self._after_poll(before, snapshot, [] if is_known else [event])

    def _spread(self, now: datetime, wait: timedelta) -> timedelta:
        return wait if self._phase is None else spread(now, wait, self._phase())

    def _after_poll(self, before: Snapshot[T] | None, snapshot: Snapshot[T], events: list[Event]) -> Snapshot[T]:
        """Number the snapshot of a poll, and add the events before it."""
        events, self._reported = [*self._reported, *events], []
        # An event may have been reported, and published, while the poll was under way.
        latest = self._latest if self._latest is not None else before
        if latest is None:
            return self._next(snapshot, events)
        return self._next(replace(snapshot, polls=latest.polls + 1, events=latest.events), events)

    def _next(self, snapshot: Snapshot[T], events: list[Event]) -> Snapshot[T]:
        """Give a snapshot the next number, and add events to it."""
        sequence = next(self.numbers)
        numbered = tuple(replace(event, sequence=sequence) for event in events)
        return replace(snapshot, sequence=sequence, events=(*snapshot.events, *numbered)[-EVENTS_KEPT:])

    async def _wait_until_due(self, snapshot: Snapshot[T]) -> None:
        """Sleep until the next poll is due; a refresh, or the clock (`wake_if_due`), ends the sleep early."""
        left = (snapshot.next_poll_at - snapshot.polled_at).total_seconds()
        sleeping = asyncio.ensure_future(self._sleep(left))
        waking = asyncio.ensure_future(self._wake_up.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()


class BalancePoller(Poller["Balance"]):
    """A poller of balances: `ask` is `AsyncClient.balance`.

    Args:
        ask: as in `Poller`, like all others but the last.
        interval: likewise.
        profile: likewise.
        hurries: likewise.
        phase: likewise.
        is_one_of_many: likewise.
        clock: likewise.
        sleep: likewise.
        timer: monotonic seconds, which measure the time between answers where the clock is set back.
        explain: gives what spends the money of a runaway of a scope, where that can be had.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Balance]],
        interval: timedelta,
        *,
        profile: str | None = None,
        hurries: bool = False,
        phase: Callable[[], float] | None = None,
        is_one_of_many: bool = False,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timer: Callable[[], float] = time.monotonic,
        explain: Callable[[str], Awaitable[Cause | None]] | None = None,
    ) -> None:
        super().__init__(
            ask,
            interval,
            profile=profile,
            hurries=hurries,
            phase=phase,
            is_one_of_many=is_one_of_many,
            clock=clock,
            sleep=sleep,
        )
        self._meter = Meter()
        self._timer = timer
        self._causes = None if explain is None else Causes(explain, timer)
        self._level_with_credit: Level | None = None
        """The level when the account's credit was known last: OpenRouter does not tell it at every poll."""
        self._measured: tuple[datetime, float] | None = None
        self._elapsed = 0.0

    def measure(self, value: Balance, at: datetime) -> tuple[Rate | None, Runaway | None, Iterable[Event]]:
        """Give the rate right now, a runaway that lasts, and bought credit."""
        tick = self._timer()
        if self._measured is not None:
            by_clock, by_timer = (at - self._measured[0]).total_seconds(), tick - self._measured[1]
            self._elapsed += max(by_clock, by_timer, 0.0)
        self._measured = at, tick
        return self._meter.see(value, self._elapsed, at)

    async def explained(
        self, snapshot: Snapshot[Balance], events: list[Event]
    ) -> tuple[Snapshot[Balance], list[Event]]:
        """Name what a runaway spends its money on, also in the event that tells of it."""
        cause = None if self._causes is None else await self._causes.of(snapshot.runaway)
        if cause is None or snapshot.runaway is None:
            return snapshot, events
        named = [replace(event, cause=cause) if isinstance(event, RunawayStarted) else event for event in events]
        return replace(snapshot, runaway=snapshot.runaway.model_copy(update={"cause": cause})), named

    def changes(self, before: Balance, after: Balance, at: datetime) -> Iterable[Event]:
        """Give the budgets that were reset, and a changed level."""
        last_level = None
        if before.account is not None:
            self._level_with_credit = before.level
        elif after.account is not None:
            last_level = self._level_with_credit
        return balance_changes(before, after, at, last_level)

    def mark_stale(self, value: Balance, error: OrcreditError) -> Balance:
        """Mark a balance as in the document's `stale` and `staleReason`."""
        return value.model_copy(update={"stale": True, "stale_reason": str(error)})


def delay(interval: timedelta, doublings: int) -> timedelta:
    """Give the delay before the next poll: the interval, doubled with every failure up to five minutes.

    Args:
        interval: the delay while polls succeed; also the longest one, if it is more than five minutes.
        doublings: how many scheduled polls in a row have failed.
    """
    # In floats, which hold any doubling of any interval; a timedelta does not.
    longest = max(interval, LONGEST_BACKOFF).total_seconds()
    return timedelta(seconds=min(longest, interval.total_seconds() * 2.0 ** min(doublings, 64)))


def _recent_rate(before: Snapshot[T] | None, now: datetime) -> Rate | None:
    """Return the rate as of the newest answer, while it is recent."""
    if before is None or before.answered_at is None or now - before.answered_at >= timedelta(seconds=OUTDATED):
        return None
    return before.rate


def _later(now: datetime, wait: timedelta) -> datetime:
    """Add a wait to a time, up to the end of the calendar."""
    try:
        return now + wait
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _is_same(event: Event, before: Event) -> bool:
    """Whether a failure is of the same kind as the one before it; two bugs are the same only at the same place."""
    return event.kind is before.kind and (event == before or event.kind is not EventKind.INTERNAL_ERROR)
