"""The one loop of the program: poll, record, publish.

`watch` and the web server both stand on a `Monitor`: however many look at it, OpenRouter is asked once per interval.
It never dies of OpenRouter: a failed poll is published too, with the last balance marked stale, and the next one comes
later the longer the trouble lasts. A bug in a poll is such a failure too. It is given its clock and its sleep, so that
tests need not wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from orcredit.background import in_background
from orcredit.balance import Level
from orcredit.errors import ConfigurationError, KeyRefusedError, OrcreditError, UnreachableError, place_of
from orcredit.money import format_usd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from orcredit.balance import Balance, Budget
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
    INTERNAL_ERROR = "internal_error"
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
        wait_until: OpenRouter asked not to be asked before (Retry-After); aware UTC. None if it did not.
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
    wait_until: datetime | None
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
        self._doublings = 0
        """Of the delay: scheduled polls that failed since the last answer. One asked for by hand is no reason."""

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
        is_scheduled = True
        while True:
            self._is_polling = True
            try:
                snapshot = await self._poll(is_scheduled=is_scheduled)
            finally:
                self._is_polling = False
            self._refresh_wanted.clear()
            self._latest = snapshot
            self._published.set()
            self._published = asyncio.Event()
            is_scheduled = await self._wait_until_due(snapshot)

    async def refresh(self) -> Snapshot:
        """Have it poll now, and wait for what that shows.

        A poll under way, or one that ended less than two seconds ago, is answer enough; so is the latest snapshot while
        OpenRouter asks to wait (`Snapshot.wait_until`). Cancelling the wait cancels no poll.
        """
        latest = self._latest
        if latest is not None:
            now = self.clock()
            is_told_to_wait = latest.wait_until is not None and now < latest.wait_until
            if is_told_to_wait or timedelta(0) <= now - latest.polled_at < REFRESH_PAUSE:
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

    async def _poll(self, *, is_scheduled: bool) -> Snapshot:
        before = self._latest
        error: OrcreditError
        try:
            balance = await self._ask()
            troubles = await self._memory.keep(balance) if self._memory is not None else []
            snapshot = self._answered(before, balance, troubles)
        except OrcreditError as failure:
            if before is None and isinstance(failure, ConfigurationError):
                raise  # nothing that waiting would cure
            error = failure
        except Exception as bug:  # noqa: BLE001 - no single poll may end the monitor
            error = OrcreditError(f"internal error: {place_of(bug)}.")
        else:
            self._doublings = 0
            return snapshot
        self._doublings += is_scheduled
        return self._failed(before, error)

    def _answered(self, before: Snapshot | None, balance: Balance, troubles: list[str]) -> Snapshot:
        """Make the snapshot of a poll that succeeded."""
        now = self.clock()
        sequence, old_events = _following(before)
        events = [Event(sequence, now, *happened) for happened in _happened(before, balance, troubles)]
        return Snapshot(
            sequence=sequence,
            balance=balance,
            error=None,
            failures=0,
            answered_at=now,
            polled_at=now,
            next_poll_at=_later(now, self._interval),
            wait_until=None,
            recent=self._memory.recent if self._memory is not None else None,
            events=(*old_events, *events)[-EVENTS_KEPT:],
        )

    def _failed(self, before: Snapshot | None, error: OrcreditError) -> Snapshot:
        """Make the snapshot of a poll that failed."""
        now = self.clock()
        sequence, events = _following(before)
        kind = _failure_kind(error)
        if before is None or before.error is None or _is_news(kind, error, before.error):
            events = (*events, Event(sequence, now, kind, str(error).rstrip(".")))
        balance = before.balance if before is not None else None
        wait = delay(self._interval, self._doublings)
        asked_to_wait = timedelta(0)
        if isinstance(error, UnreachableError) and error.retry_after is not None:
            asked_to_wait = timedelta(seconds=error.retry_after)
        return Snapshot(
            sequence=sequence,
            balance=balance and balance.model_copy(update={"stale": True, "stale_reason": str(error)}),
            error=error,
            failures=1 + (before.failures if before is not None else 0),
            answered_at=before.answered_at if before is not None else None,
            polled_at=now,
            next_poll_at=_later(now, max(wait, asked_to_wait)),
            wait_until=_later(now, asked_to_wait) if asked_to_wait else None,
            recent=before.recent if before is not None else None,
            events=events[-EVENTS_KEPT:],
        )

    async def _wait_until_due(self, snapshot: Snapshot) -> bool:
        """Wait for the delay to pass, by the sleep or by the clock, whichever says so first; or for a refresh.

        Returns:
            Whether the next poll is a scheduled one, not one that was asked for.
        """
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
            return not wanted.done()
        finally:
            wanted.cancel()


def delay(interval: timedelta, doublings: int) -> timedelta:
    """How long to wait for the next poll: the interval, doubled with every failure up to five minutes.

    Args:
        interval: the delay while all is well; also the longest one, if it is more than five minutes.
        doublings: how many scheduled polls in a row have failed.
    """
    # In floats, which hold any doubling of any interval; a timedelta does not.
    longest = max(interval, LONGEST_BACKOFF).total_seconds()
    return timedelta(seconds=min(longest, interval.total_seconds() * 2.0 ** min(doublings, 64)))


def _later(now: datetime, wait: timedelta) -> datetime:
    """Add a wait to a time, up to the end of the calendar."""
    try:
        return now + wait
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _following(before: Snapshot | None) -> tuple[int, tuple[Event, ...]]:
    """Give the next snapshot's number and the events so far."""
    return (1, ()) if before is None else (before.sequence + 1, before.events)


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
        except Exception as bug:  # noqa: BLE001 - polls need no history
            return self._trouble(f"going on without the history: internal error: {place_of(bug)}")
        news = ["the history works again"] if self._is_in_trouble else []
        self._is_in_trouble = False
        return news

    def _trouble(self, text: str) -> list[str]:
        news = [] if self._is_in_trouble else [text]
        self._is_in_trouble = True
        self.recent = None  # it would grow old without anybody noticing
        return news


def _failure_kind(error: OrcreditError) -> EventKind:
    if isinstance(error, KeyRefusedError):
        return EventKind.REFUSED
    # The root of the errors is raised for bugs only.
    return EventKind.INTERNAL_ERROR if type(error) is OrcreditError else EventKind.UNREACHABLE


def _is_news(kind: EventKind, error: OrcreditError, before: OrcreditError) -> bool:
    """Whether a failure is of another kind than the one before it, or a bug at another place."""
    return kind is not _failure_kind(before) or (kind is EventKind.INTERNAL_ERROR and str(error) != str(before))


def _happened(
    before: Snapshot | None, balance: Balance, troubles: list[str]
) -> Iterator[tuple[EventKind, str] | tuple[EventKind, str, bool]]:
    """Compare an answer with the snapshot before it: what happened, in words, and whether the level got worse."""
    if before is not None and before.error is not None:
        yield EventKind.BACK, "OpenRouter answers again"
    old = before.balance if before is not None else None
    if old is not None:
        for text in _resets(old, balance):
            yield EventKind.RESET, text
        if balance.level is not old.level:
            is_worse = _SEVERITY[balance.level] > _SEVERITY[old.level]
            yield EventKind.LEVEL, f"the level is {balance.level} now, it was {old.level}", is_worse
    for text in troubles:
        yield EventKind.HISTORY, text


def _resets(old: Balance, new: Balance) -> Iterator[str]:
    """Tell of the budgets that began a new period: what was spent in a period only ever falls by that.

    By the clock alone it would be told too early, since OpenRouter repeats an old answer for up to a minute.
    """
    before, after = _by_identity(old), _by_identity(new)
    scopes = [scope for scope, _ in after]
    for (scope, period), budgets in after.items():
        was = before.get((scope, period), [])
        if period is None or len(was) != len(budgets):
            continue  # one came or went: which is which is not known
        name = f"{period} {scope}" if scopes.count(scope) > 1 else scope
        for budget_before, budget in zip(was, budgets, strict=True):
            if budget.spent < budget_before.spent:
                yield f"the {name.replace('_', ' ')} was reset: {format_usd(budget.remaining)} left"


def _by_identity(balance: Balance) -> dict[tuple[str, str | None], list[Budget]]:
    """Group the budgets by what identifies them; those with the same scope and period are told apart by position."""
    budgets: dict[tuple[str, str | None], list[Budget]] = {}
    for budget in balance.budgets:
        budgets.setdefault((budget.scope, budget.reset_period), []).append(budget)
    return budgets
