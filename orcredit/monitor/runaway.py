"""Runaways: spending so much faster than usual that it empties a budget, or the account's credit, within hours. Pure.

Each budget and the credit is judged by its own count (`orcredit.monitor.rate`). It runs away when its rate of the last
five minutes, seen in at least two increases (of those that are faster than five times its pace),

- is ten times its pace or more,
- has spent at least a dollar, and
- would empty it before its reset and within six hours.

A rate that is at most twice one of earlier hours of the last seven days, as seen, is no runaway until it has spent a
whole day's pace within three hours: otherwise each session of an ordinary working day, and each nightly batch, would be
one (`benchmarks/runaway.py` counts them). What is missed thereby is at most a day's usual spend.

It has ended when the rate was below half of ten times the pace for five minutes, or the credit was not known for as
long.

**Which pace.** The pace of an answer includes the runaway itself: on the first day of a month a runaway of five minutes
is soon the whole pace. So the pace is that of the newest answer that is 15 minutes old, or of the oldest one there is,
and stays the same while a runaway lasts. Answers with no pace, or with a pace of zero as on the 1st of a month, do not
count. Where no answer had one, it is what was spent in the last 24 hours as seen, if that is more than an hour. Where
nothing was spent in those either, there is nothing to compare with: the other conditions decide.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, TypeAlias

from orcredit.balance import ACCOUNT_CREDIT
from orcredit.balance.cause import Cause  # noqa: TC001 - pydantic reads the annotations
from orcredit.document import Document, Instant, Usd
from orcredit.money import EXACT, ZERO
from orcredit.monitor.events import CreditAdded, Event, RunawayEnded, RunawayStarted
from orcredit.monitor.rate import (
    FIFTEEN_MINUTES,
    MINUTES_A_DAY,
    PRECISION,
    Factor,
    Track,
    per_minute_of,
    rate_of,
    run_out,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from orcredit.balance import Balance
    from orcredit.monitor.rate import Rate, Window

TIMES_PACE = 10
LEAST_SPENT = Decimal(1)
LEAST_INCREASES = 2
EMPTY_WITHIN = timedelta(hours=6)
CALM_SECONDS = 300.0
TIMES_KNOWN = 2

_HOUR, _DAY = 3600.0, 86400.0
_PACE_SPACING = 60.0
_LATELY_SPACING = 300.0
_LATELY = 3 * _HOUR
_HOURS_KEPT = 7 * 24

CountId: TypeAlias = tuple[str | None, str | None, int]
"""A budget's scope, reset period and place among those with the same; see `KEY_USAGE` and `CREDIT`."""

KEY_USAGE: CountId = (None, None, 0)
CREDIT: CountId = (ACCOUNT_CREDIT, None, -1)


class Runaway(Document):
    """A budget, or the account's credit, that is spent so fast that it is gone within hours. USD and UTC.

    `scope` is the budget's, or "account_credit"; `period` its reset period, where several budgets have this scope.
    `since` is when it began, as far as it was seen. `per_minute` and `per_day` are the rate right now, and `times_pace`
    how many times the pace from before the runaway that is, null where there was none. `runs_out_at` is when it is
    empty at that rate; null where it now lasts until its reset. `cause` is what spends most of it, null where that is
    not known: only a management key is told.
    """

    scope: str
    period: str | None
    since: Instant
    per_minute: Usd
    per_day: Usd
    times_pace: Factor | None
    runs_out_at: Instant | None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What one answer says of something that is spent.

    Attributes:
        spent: USD; only grows until the reset.
        remaining: USD; None for the usage of the key, which nothing empties.
        resets_at: aware UTC; None for what never resets.
        pace_per_day: USD a day, as this answer says.
        basis: what makes `spent` comparable between answers.
        period: the reset period, where several budgets have this scope.
    """

    spent: Decimal
    remaining: Decimal | None = None
    resets_at: datetime | None = None
    pace_per_day: Decimal | None = None
    basis: object = None
    period: str | None = None


def counts_of(balance: Balance) -> dict[CountId, Count]:
    """List what is counted: the usage of the key, every budget, and the credit."""
    counts: dict[CountId, Count] = {}
    if balance.usage is not None:
        counts[KEY_USAGE] = Count(balance.usage)
    alike = Counter((budget.scope, budget.reset_period) for budget in balance.budgets)
    of_scope = Counter(budget.scope for budget in balance.budgets)
    listed: Counter[tuple[str, str | None]] = Counter()
    for budget in balance.budgets:
        name = (budget.scope, budget.reset_period)
        counts[*name, listed[name]] = Count(
            spent=budget.spent,
            remaining=budget.remaining,
            resets_at=budget.resets_at,
            pace_per_day=budget.pace.per_day if budget.pace is not None else None,
            basis=(budget.limit, budget.include_byok, alike[name]),
            period=budget.reset_period if of_scope[budget.scope] > 1 else None,
        )
        listed[name] += 1
    account = balance.account
    if account is not None:
        counts[CREDIT] = Count(
            spent=account.total_usage,
            remaining=account.remaining,
            pace_per_day=account.pace.per_day if account.pace is not None else None,
            basis=(account.source, account.key_label),
        )
    return counts


def limiting_of(balance: Balance) -> CountId | None:
    """Return what limits: a budget or the credit; None when nothing does."""
    if balance.limited_by == ACCOUNT_CREDIT and balance.account is not None and balance.limiting is None:
        return CREDIT
    listed: Counter[tuple[str, str | None]] = Counter()
    for budget in balance.budgets:
        name = (budget.scope, budget.reset_period)
        if budget.is_limiting:
            return (*name, listed[name])
        listed[name] += 1
    return None


@dataclass(slots=True)
class _Running:
    """A runaway that lasts.

    Attributes:
        pace_per_day: the pace before it; None where there was none.
        enough: USD a day that make a runaway; half of that is calm.
        calm_since: seconds; None while it is not calm.
        shown: as of the last answer that told a rate.
    """

    pace_per_day: Decimal | None
    enough: Decimal
    shown: Runaway
    calm_since: float | None = None


@dataclass(slots=True)
class _Watched:
    """What is known of a count, over time."""

    track: Track = field(default_factory=Track)
    paces: deque[tuple[float, Decimal]] = field(default_factory=deque)
    """Of the answers of the last 15 minutes, and the newest before them; positive ones only."""
    hours: deque[tuple[float, Decimal]] = field(default_factory=lambda: deque(maxlen=25))
    """How much was seen to be spent by an hour; about one an hour."""
    lately: deque[tuple[float, Decimal]] = field(default_factory=deque)
    """The same of the last three hours, every five minutes."""
    rates: dict[int, Decimal] = field(default_factory=dict)
    """By the number of the hour: the highest rate that was judged in it, in USD a day."""
    spent: Decimal = ZERO
    """USD, since it was first seen."""
    running: _Running | None = None
    seen_at: float = 0.0
    """Seconds: when an answer told it last."""

    def see(self, at: float, count: Count) -> None:
        """Take in an answer."""
        self.seen_at = at
        self.spent += self.track.see(at, count.spent, resets_at=count.resets_at, basis=count.basis)
        if not self.hours or at - self.hours[-1][0] >= _HOUR:
            self.hours.append((at, self.spent))
        if not self.lately or at - self.lately[-1][0] >= _LATELY_SPACING:
            self.lately.append((at, self.spent))
            while self.lately[0][0] < at - _LATELY:
                self.lately.popleft()
        if count.pace_per_day and (not self.paces or at - self.paces[-1][0] >= _PACE_SPACING):
            self.paces.append((at, count.pace_per_day))
            while len(self.paces) > 1 and self.paces[1][0] <= at - FIFTEEN_MINUTES:
                self.paces.popleft()

    def note(self, at: float, per_day: Decimal) -> None:
        """Remember a rate, so that it is known later."""
        hour = int(at // _HOUR)
        if per_day > self.rates.get(hour, ZERO):
            self.rates[hour] = per_day
        while len(self.rates) > _HOURS_KEPT:
            del self.rates[min(self.rates)]

    def is_known(self, at: float, per_day: Decimal, pace_per_day: Decimal | None) -> bool:
        """Whether such a rate was seen in earlier hours of the last week, and has not yet spent a day's pace."""
        if pace_per_day is None or self.spent - self.lately[0][1] >= pace_per_day:
            return False
        hour = int(at // _HOUR)
        before = (rate for one, rate in self.rates.items() if hour - _HOURS_KEPT <= one < hour - 1)
        return per_day <= max(before, default=ZERO) * TIMES_KNOWN

    def pace_before(self, at: float) -> Decimal | None:
        """Return the pace before the last 15 minutes, in USD a day; None where none is known, or it is zero."""
        if self.running is not None:
            return self.running.pace_per_day
        if self.paces:
            return self.paces[0][1]
        since, spent = next(((seen, spent) for seen, spent in self.hours if at - seen <= _DAY), (at, ZERO))
        lately = self.track.window(FIFTEEN_MINUTES)
        elapsed = at - (lately.seconds if lately is not None else 0.0) - since
        if elapsed < _HOUR:
            return None
        earlier = self.spent - spent - (lately.spent if lately is not None else ZERO)
        return EXACT.divide(earlier * int(_DAY), Decimal(str(elapsed))) if earlier > ZERO else None


class Meter:
    """Takes in the answers of one key, and knows the rate right now, runaways and bought credit."""

    def __init__(self) -> None:
        self._watched: dict[CountId, _Watched] = {}
        self._bought = Track()

    def see(self, balance: Balance, at: float, seen_at: datetime) -> tuple[Rate | None, Runaway | None, list[Event]]:
        """Take in an answer.

        Args:
            balance: what OpenRouter answered; not one that could not be renewed.
            at: seconds that never go back.
            seen_at: when it came, for the events; aware UTC.

        Returns:
            The rate right now, the most urgent runaway that lasts, and what happened.
        """
        counts, now = counts_of(balance), balance.fetched_at
        with localcontext(EXACT):
            added = list(self._credit_added(balance, at, seen_at))
            runaway, changed = self.judge(counts, at, now, seen_at)
            return self.rate(counts, limiting_of(balance), at, now), runaway, [*added, *changed]

    def judge(
        self, counts: Mapping[CountId, Count], at: float, now: datetime, seen_at: datetime
    ) -> tuple[Runaway | None, list[Event]]:
        """Take in what an answer counts; return the most urgent runaway that lasts, and whether one began or ended.

        One event is enough where the key limit, other budgets and the credit run away at once: the most urgent one's.

        Args:
            counts: as `counts_of` returns them.
            at: seconds that never go back.
            now: when OpenRouter answered; aware UTC.
            seen_at: when it came; aware UTC.
        """
        ended = [runaway for name in self._gone(counts) if (runaway := self._forget(name)) is not None]
        self._drop_unknown(counts, at)
        begun: list[Runaway] = []
        for name, count in counts.items():
            watched = self._watched.setdefault(name, _Watched())
            watched.see(at, count)
            if watched.running is not None:
                calm = self._go_on(watched, count, at, now)
                ended.extend([calm] if calm is not None else [])
            elif count.remaining is not None and count.remaining > ZERO and watched.track.may_run_away:
                runaway = self._begin(watched, name, count, at, now)
                begun.extend([runaway] if runaway is not None else [])
        urgent = self._most_urgent()
        events: list[Event] = []
        if urgent is not None and any(runaway is urgent for runaway in begun):
            lasts = None if urgent.runs_out_at is None else urgent.runs_out_at - now
            events.append(
                RunawayStarted(
                    at=seen_at,
                    scope=urgent.scope,
                    period=urgent.period,
                    per_minute=urgent.per_minute,
                    times_pace=urgent.times_pace,
                    lasts=lasts,
                )
            )
        if urgent is None and ended:
            last = ended[0]
            events.append(RunawayEnded(at=seen_at, scope=last.scope, period=last.period, per_minute=last.per_minute))
        return urgent, events

    def rate(self, counts: Mapping[CountId, Count], limiting: CountId | None, at: float, now: datetime) -> Rate | None:
        """Return the rate of what runs out first at its rate; else of what limits, else of the usage of the key.

        Args:
            counts: that `judge` has taken in.
            limiting: what limits.
            at: seconds, as there.
            now: when OpenRouter answered; aware UTC.
        """
        first: tuple[datetime, CountId] | None = None
        for name, count in counts.items():
            track = self._watched[name].track
            per_minute = per_minute_of(track) if count.remaining is not None and track.has_risen else None
            if count.remaining is None or per_minute is None:
                continue
            gone_at = run_out(count.remaining, per_minute, now, count.resets_at)
            if gone_at is not None and (first is None or gone_at < first[0]):
                first = gone_at, name
        wanted: list[tuple[CountId, datetime | None]] = [(first[1], first[0])] if first is not None else []
        wanted += [(name, None) for name in (limiting, KEY_USAGE) if name is not None and name in counts]
        for name, runs_out_at in wanted:
            watched = self._watched[name]
            pace = watched.pace_before(at)
            found = rate_of(watched.track, pace_per_day=pace, scope=name[0], runs_out_at=runs_out_at)
            if found is not None:
                return found
        return None

    def _credit_added(self, balance: Balance, at: float, seen_at: datetime) -> Iterator[CreditAdded]:
        account = balance.account
        if account is None:
            return
        added = self._bought.see(at, account.total_credits, basis=(account.source, account.key_label))
        if added > ZERO:
            yield CreditAdded(at=seen_at, amount=added, remaining=account.remaining)

    def _gone(self, counts: Mapping[CountId, Count]) -> list[CountId]:
        """List the budgets that are no longer there. Credit that is not known at the moment is not gone."""
        return [name for name in self._watched if name not in counts and name not in {CREDIT, KEY_USAGE}]

    def _drop_unknown(self, counts: Mapping[CountId, Count], at: float) -> None:
        """End the runaway of what was not known for five minutes, such as an ordinary key's credit once it is used up.

        Without an event: whether it is spent more slowly is not known either.
        """
        for name, watched in self._watched.items():
            if name not in counts and at - watched.seen_at >= CALM_SECONDS:
                watched.running = None

    def _forget(self, name: CountId) -> Runaway | None:
        """Forget a budget; return its runaway, if it had one."""
        running = self._watched.pop(name).running
        return running.shown if running is not None else None

    def _begin(self, watched: _Watched, name: CountId, count: Count, at: float, now: datetime) -> Runaway | None:
        """Return the runaway that an answer shows; None when there is none."""
        pace = watched.pace_before(at)
        # What is usually spent every minute is not an increase that makes a runaway: one large request is none.
        window = watched.track.judged((pace or ZERO) * TIMES_PACE / 2)
        if window is None:
            return None
        watched.note(at, window.per_day)
        if not _is_runaway(window, pace, count, now) or watched.is_known(at, window.per_day, pace):
            return None
        enough = window.per_day if pace is None else pace * TIMES_PACE
        since = now - timedelta(seconds=window.seconds - window.idle)
        empty = Runaway(
            scope=name[0] or "",
            period=count.period,
            since=since,
            per_minute=ZERO,
            per_day=ZERO,
            times_pace=None,
            runs_out_at=None,
        )
        shown = _renewed(empty, _rate_now(watched.track, window), pace, count, now)
        watched.running = _Running(pace, enough, shown)
        return shown

    def _go_on(self, watched: _Watched, count: Count, at: float, now: datetime) -> Runaway | None:
        """Renew a runaway that lasts; return it when it has ended. Where no rate is known, it goes on as it was."""
        running, window = watched.running, watched.track.judged()
        if running is None:
            return None
        if window is None:  # after a reset, for example; what is left is known, and when that is gone
            running.shown = _renewed(running.shown, running.shown.per_minute, running.pace_per_day, count, now)
            return None
        per_minute = _rate_now(watched.track, window)
        watched.note(at, window.per_day)
        running.shown = _renewed(running.shown, per_minute, running.pace_per_day, count, now)
        if window.per_day * 2 >= running.enough:
            running.calm_since = None
        elif running.calm_since is None:
            running.calm_since = at
        elif at - running.calm_since >= CALM_SECONDS:
            watched.running = None
            return running.shown
        return None

    def _most_urgent(self) -> Runaway | None:
        lasting = [watched.running.shown for watched in self._watched.values() if watched.running is not None]
        return min(lasting, key=lambda one: (one.runs_out_at is None, one.runs_out_at), default=None)


def _is_runaway(window: Window, pace_per_day: Decimal | None, count: Count, now: datetime) -> bool:
    per_day = window.per_day
    if window.spent < LEAST_SPENT or window.increases < LEAST_INCREASES:
        return False
    if pace_per_day is not None and per_day < pace_per_day * TIMES_PACE:
        return False
    gone_at = run_out(count.remaining or ZERO, per_day / MINUTES_A_DAY, now, count.resets_at)
    return gone_at is not None and gone_at - now <= EMPTY_WITHIN


def _rate_now(track: Track, window: Window) -> Decimal:
    """Return the rate right now in USD a minute, at least that of the window that was judged."""
    return max(window.per_day / MINUTES_A_DAY, per_minute_of(track) or ZERO)


def _renewed(
    runaway: Runaway, per_minute: Decimal, pace_per_day: Decimal | None, count: Count, now: datetime
) -> Runaway:
    """Return a runaway as of an answer, at a rate in USD a minute."""
    return runaway.model_copy(
        update={
            "per_minute": per_minute.quantize(PRECISION),
            "per_day": (per_minute * MINUTES_A_DAY).quantize(PRECISION),
            "times_pace": times(per_minute, pace_per_day),
            "runs_out_at": run_out(count.remaining or ZERO, per_minute, now, count.resets_at),
        }
    )
