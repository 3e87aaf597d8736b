"""The one loop of the program: poll, record, publish.

`watch` and the web server both stand on a `Monitor`: however many look at it, OpenRouter is asked once per interval.
It never dies of OpenRouter: a failed poll is published too, with the last balance marked stale, and the next one comes
later the longer the trouble lasts. It is given its clock and its sleep, so that tests need not wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from orcredit.background import in_background
from orcredit.balance import Level
from orcredit.errors import ConfigurationError, KeyRefusedError, OrcreditError
from orcredit.money import ZERO, format_usd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from orcredit.balance import Balance
    from orcredit.history import Recent

LONGEST_BACKOFF = timedelta(minutes=5)
"""However long the trouble lasts, the delay grows no further (unless the interval itself is longer)."""

REFRESH_PAUSE = timedelta(seconds=2)
"""A poll this young answers a request to refresh: OpenRouter's own values are up to a minute old anyway."""

RECORDING_LIMIT = 0.5
"""Seconds that a poll waits for the history, which needs a hundredth of that; one that takes longer is left to it."""

EVENTS_KEPT = 20

_SLICE = 5.0
"""Seconds between looks at the clock: after a laptop's sleep the clock says that a poll is due, the sleep does not."""

_SEVERITY = {Level.UNLIMITED: 0, Level.OK: 0, Level.LOW: 1, Level.EXHAUSTED: 2}


class EventKind(StrEnum):
    """What happened."""

    LEVEL = "level"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    BACK = "back"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a line.

    Attributes:
        sequence: the number of the poll that showed it.
        at: when it was seen; aware UTC.
        kind: what it was.
        text: the same in words, without a full stop.
        is_worse: whether the level got worse; what the bell rings for.
    """

    sequence: int
    at: datetime
    kind: EventKind
    text: str
    is_worse: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known after a poll, successful or not.

    Attributes:
        sequence: counts the polls, from 1.
        balance: the newest balance, marked stale if this poll failed; None before any answer.
        error: why this poll failed; None if it did not.
        failures: how many polls in a row have failed.
        answered_at: when the balance came, by this machine's clock, which its `fetched_at` is not where that clock is
            wrong; None before any answer.
        polled_at: when this poll ended; aware UTC.
        next_poll_at: when the next one is due; aware UTC.
        recent: what was spent lately, from the history; None without one.
        events: the last things that happened, oldest first.
    """

    sequence: int
    balance: Balance | None
    error: OrcreditError | None
    failures: int
    answered_at: datetime | None
    polled_at: datetime
    next_poll_at: datetime
    recent: Recent | None
    events: tuple[Event, ...]

    @property
    def new_events(self) -> tuple[Event, ...]:
        """What this very poll showed."""
        return tuple(event for event in self.events if event.sequence == self.sequence)


class Monitor:
    """Polls on a schedule and keeps the latest snapshot for any number of subscribers.

    Args:
        ask: gives a balance, or raises an `OrcreditError`; `AsyncClient.balance`.
        interval: from the end of one poll to the start of the next, while all is well.
        remember: records a balance and gives what was spent lately; blocks, and is called on a thread of its own.
        clock: the time of day; aware UTC.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Balance]],
        interval: timedelta,
        *,
        remember: Callable[[Balance], Recent] | None = None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ask = ask
        self._interval = interval
        self._memory = _Memory(remember) if remember is not None else None
        self.clock = clock
        self._sleep = sleep
        self._latest: Snapshot | None = None
        self._published = asyncio.Event()
        self._refresh_wanted = asyncio.Event()
        self._is_polling = False

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot; None before the first poll has ended."""
        return self._latest

    async def settle(self, seconds: float) -> None:
        """Let the history finish what it has begun, but wait no longer than that."""
        if self._memory is not None:
            await self._memory.settle(seconds)

    async def run(self) -> None:
        """Poll for ever; the only place where polling happens. Ends by being cancelled.

        Raises:
            ConfigurationError: the first poll shows that something must be set right first.
        """
        while True:
            self._is_polling = True
            try:
                snapshot = await self._poll()
            finally:
                self._is_polling = False
            self._refresh_wanted.clear()
            self._latest = snapshot
            self._published.set()
            self._published = asyncio.Event()
            await self._wait_until_due(snapshot)

    async def refresh(self) -> Snapshot:
        """Have it poll now, and wait for what that shows.

        A poll under way, or one that ended less than two seconds ago, is answer enough. Cancelling the wait cancels no
        poll.
        """
        latest = self._latest
        if latest is not None and timedelta(0) <= self.clock() - latest.polled_at < REFRESH_PAUSE:
            return latest
        if not self._is_polling:
            self._refresh_wanted.set()
        return await self._after(latest.sequence if latest is not None else 0)

    async def snapshots(self, after: int = 0) -> AsyncIterator[Snapshot]:
        """Iterate over the snapshots newer than a sequence number, always the latest one; never ends by itself.

        A subscriber that is slow misses some; it delays neither a poll nor anybody else.
        """
        while True:
            snapshot = await self._after(after)
            after = snapshot.sequence
            yield snapshot

    async def _after(self, sequence: int) -> Snapshot:
        while self._latest is None or self._latest.sequence <= sequence:
            await self._published.wait()
        return self._latest

    async def _poll(self) -> Snapshot:
        before = self._latest
        balance: Balance | None = None
        error: OrcreditError | None = None
        troubles: list[str] = []
        recent = before.recent if before is not None else None
        try:
            balance = await self._ask()
        except OrcreditError as failure:
            if before is None and isinstance(failure, ConfigurationError):
                raise  # nothing that waiting would cure
            error = failure
            if before is not None and before.balance is not None:
                balance = before.balance.model_copy(update={"stale": True, "stale_reason": str(failure)})
        else:
            if self._memory is not None:
                troubles = await self._memory.keep(balance)
                recent = self._memory.recent
        failures = 0 if error is None else 1 + (before.failures if before is not None else 0)
        now = self.clock()
        sequence = 1 + (before.sequence if before is not None else 0)
        events = [
            Event(sequence, now, kind, text, is_worse=is_worse)
            for kind, text, is_worse in _happened(before, balance, error, troubles)
        ]
        return Snapshot(
            sequence=sequence,
            balance=balance,
            error=error,
            failures=failures,
            answered_at=now if error is None else before.answered_at if before is not None else None,
            polled_at=now,
            next_poll_at=now + delay(self._interval, failures),
            recent=recent,
            events=((before.events if before is not None else ()) + tuple(events))[-EVENTS_KEPT:],
        )

    async def _wait_until_due(self, snapshot: Snapshot) -> None:
        """Wait for the delay to pass, by the sleep or by the clock, whichever says so first; or for a refresh."""
        left = (snapshot.next_poll_at - snapshot.polled_at).total_seconds()
        wanted = asyncio.ensure_future(self._refresh_wanted.wait())
        try:
            while left > 0 and self.clock() < snapshot.next_poll_at and not wanted.done():
                nap = min(left, _SLICE)
                left -= nap
                napping = asyncio.ensure_future(self._sleep(nap))
                try:
                    await asyncio.wait({napping, wanted}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    napping.cancel()
        finally:
            wanted.cancel()


def delay(interval: timedelta, failures: int) -> timedelta:
    """How long to wait for the next poll: the interval, doubled with every failure in a row up to five minutes.

    Args:
        interval: the delay while all is well.
        failures: how many polls in a row have failed.
    """
    longest = max(interval, LONGEST_BACKOFF)
    doublings = min(failures, 32)  # beyond, the power outgrows what a timedelta can hold
    return interval if not failures else min(longest, timedelta(seconds=interval.total_seconds() * 2**doublings))


class _Memory:
    """The history behind a monitor: one call at a time on a thread of its own, and polls do not wait for it long.

    Once it has been in trouble they do not wait at all: what became of a call is looked at in the next poll.
    """

    def __init__(self, remember: Callable[[Balance], Recent]) -> None:
        self._remember = remember
        self._running: asyncio.Future[Recent] | None = None
        self._is_in_trouble = False
        self.recent: Recent | None = None

    async def keep(self, balance: Balance) -> list[str]:
        """Record a balance.

        Returns:
            What is wrong with the history, when that is news; and that it works again.
        """
        news = self._look()
        if self._running is not None:
            return news + self._trouble("the history takes long to answer; going on without it")
        self._running = in_background(self._remember, balance)
        if not self._is_in_trouble:
            await self.settle(RECORDING_LIMIT)
        return news + self._look()

    async def settle(self, seconds: float) -> None:
        """Wait for a call that is under way, but not longer than that."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=seconds)

    def _look(self) -> list[str]:
        """See what became of the call."""
        if self._running is None or not self._running.done():
            return []
        done, self._running = self._running, None
        try:
            self.recent = done.result()
        except OrcreditError as error:
            return self._trouble(f"going on without the history: {str(error).rstrip('.')}")
        news = ["the history works again"] if self._is_in_trouble else []
        self._is_in_trouble = False
        return news

    def _trouble(self, text: str) -> list[str]:
        news = [] if self._is_in_trouble else [text]
        self._is_in_trouble = True
        self.recent = None  # it would grow old without anybody noticing
        return news


def _happened(
    before: Snapshot | None, balance: Balance | None, error: OrcreditError | None, troubles: list[str]
) -> list[tuple[EventKind, str, bool]]:
    """Compare a poll with the one before it: what happened, in words, and whether the level got worse."""
    happened: list[tuple[EventKind, str, bool]] = []
    was_failing = before is not None and before.error is not None
    if error is not None:
        is_refusal = isinstance(error, KeyRefusedError)
        was_refused = before is not None and isinstance(before.error, KeyRefusedError)
        if not was_failing or is_refusal != was_refused:
            happened.append((EventKind.REFUSED if is_refusal else EventKind.UNREACHABLE, str(error).rstrip("."), False))
    elif was_failing:
        happened.append((EventKind.BACK, "OpenRouter answers again", False))
    old = before.balance if before is not None else None
    if error is None and balance is not None and old is not None:
        happened.extend((EventKind.RESET, text, False) for text in _resets(old, balance))
        if balance.level is not old.level:
            is_worse = _SEVERITY[balance.level] > _SEVERITY[old.level]
            happened.append((EventKind.LEVEL, f"the level is {balance.level} now, it was {old.level}", is_worse))
    happened.extend((EventKind.HISTORY, text, False) for text in troubles)
    return happened


def _resets(old: Balance, new: Balance) -> Iterator[str]:
    """Tell of the layers that began a new period: what was spent in a period only ever falls by that.

    By the clock alone it would be told too early, since OpenRouter repeats an old answer for up to a minute.
    """
    spent = {layer.scope: layer.spent for layer in old.budgets if layer.reset_period is not None}
    for layer in new.budgets:
        if layer.spent < spent.get(layer.scope, ZERO):
            words = layer.scope.replace("_", " ")
            yield f"the {words} was reset: {format_usd(layer.remaining)} left"
