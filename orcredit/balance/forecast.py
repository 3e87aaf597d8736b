"""How fast money is spent, and when it runs out at that pace: arithmetic on one answer's usage and the time.

OpenRouter reports what was spent today, this week and this month so far (UTC), or in a budget's own period so far. Each
such **window** is an amount and the time elapsed. The forecast needs no history, so all programs that ask at the same
moment get the same one, unless one of them knows more: `orcredit.balance.week` replaces the rule below where the week
of the key is known and only this key spends from the budget.

A window counts from its first minute; until an hour of it has passed, its usage counts over one hour. A window with the
same usage as the next shorter one is dropped, as it only adds idle time before the spending began. The exception is a
month that adds just the weekend before this week: that is a pause, not a late start.

**Which pace.** The obvious choice, the shortest window with a whole day in it, soon forgets an idle weekend or a
runaway night, and is the most accurate rule after one. But on every Friday it takes the week for one without a weekend,
and it extrapolates three days of chance to a month: in `benchmarks/forecast.py` its error is nearly twice that of month
to date for office hours, and a third larger for steady and for bursty spending. The rule here has a slightly smaller
error than month to date on every pattern. One answer does not allow much more: it does not show whether a change of
pace will last. So:

- The longest window, mostly the month, sets the pace, as it holds the most evidence.
- Current spending may show that the month's pace is over. The paces of today and of this week, with the rest of the day
  and of the week filled in at the month's, bound it: at most 7/6 of the faster, at least 5/7 of the slower of the two.
  With idle weekends, weekdays run at up to 7/5 of the month's pace without any change in habits.
- In the first days of a month the week is the longest window. Its weekend is usually still to come, and may be idle
  (5/7 of its pace) or not (all of it); the next shorter window's pace is clamped between the middle of the two, 6/7,
  and all.

Every step takes the larger or the smaller of two paces. So spending more never makes the run-out later, and the
forecast does not jump when a window begins to count; rules that test whether two windows agree have neither property.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

from orcredit.document import Document, Instant, Percent, Usd
from orcredit.money import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orcredit.balance.week import Week

Basis = Literal["today", "week", "month", "period", "history"]
"""Which window: today, this week from Monday or this month so far, all UTC; or a budget's own period so far. "history"
is what the local history knows of the week."""

SHORTEST_WINDOW = timedelta(minutes=1)
"""Windows with less time elapsed do not count."""

SHORTEST_SPAN = timedelta(hours=1)
"""What was spent in less time counts over this: the first minutes of a day say little about the rest of it."""

HORIZON = timedelta(days=3650)
"""Ten years; a run-out beyond it is not a forecast."""

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_WEEKEND = timedelta(days=2)
_IDLE_WEEKEND = Decimal(5) / 7
_PERHAPS_IDLE_WEEKEND = Decimal(6) / 7
_PRECISION = Decimal("1e-8")
_TENTH = Decimal("0.1")
_MICROSECOND = timedelta(microseconds=1)


class Pace(Document):
    """The forecast for one budget or for the account's credit. Amounts in USD, times in UTC.

    `per_day` is the pace, `basis` the window that it comes from or is bounded by; both null where no window counts.
    With the basis "history" the pace is the mean of the days until the run-out or the reset, and the earliest and the
    latest run-out hold about 80 % of what really happens.
    `scope` names the budget, or the credit. `runs_out_at` is null when the money lasts until the reset, or for ten
    years. The earliest and the latest run-out come from the fastest and the slowest window, the latest at most the
    reset; both are null when the money lasts even at the fastest pace. `is_upper_bound`: others spend from it too, by
    an amount that is not known, so it runs out then at the latest, and no earliest is known. `projected_at_reset` is
    what would be spent by the reset without a limit, with its low and high from the slowest and the fastest window, and
    `lasts_until_reset` whether the money lasts that long; all null without a reset. `affordable_per_day` is the pace
    that lasts exactly until the reset. `even_percent_remaining` is what an even pace would have left of the limit now,
    in percent; null where the start of the period is not known.
    """

    per_day: Usd | None
    basis: Basis | None
    scope: str
    runs_out_at: Instant | None
    runs_out_earliest: Instant | None
    runs_out_latest: Instant | None
    is_upper_bound: bool = False
    projected_at_reset: Usd | None
    projected_at_reset_low: Usd | None = None
    projected_at_reset_high: Usd | None = None
    lasts_until_reset: bool | None
    affordable_per_day: Usd | None = None
    even_percent_remaining: Percent | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What was spent in a period of time up to now.

    Attributes:
        basis: which period.
        usage: USD; negative amounts count as 0.
        elapsed: the length of the period so far.
    """

    basis: Basis
    usage: Decimal
    elapsed: timedelta

    @property
    def per_day(self) -> Decimal:
        """USD a day."""
        return max(self.usage, ZERO) / _days(self.span)

    @property
    def span(self) -> timedelta:
        """The time over which the usage counts: at least an hour."""
        return max(self.elapsed, SHORTEST_SPAN)


def calendar_windows(
    now: datetime, *, today: Decimal | None, week: Decimal | None, month: Decimal | None
) -> tuple[Window, ...]:
    """Make the windows of a key: what it spent in the current UTC day, week from Monday, and month.

    Args:
        now: aware UTC.
        today: USD; None where OpenRouter does not report it.
        week: likewise, since Monday.
        month: likewise, since the 1st.
    """
    usages: tuple[tuple[Basis, Decimal | None], ...] = (("today", today), ("week", week), ("month", month))
    starts = _calendar_starts(now)
    return tuple(
        Window(basis, usage, now - start)
        for (basis, usage), start in zip(usages, starts, strict=True)
        if usage is not None
    )


def calendar_usage(spent: Iterable[tuple[datetime, Decimal]], now: datetime) -> tuple[Decimal, Decimal, Decimal]:
    """Add up what was spent in the current UTC day, week from Monday, and month: what `calendar_windows` takes.

    Args:
        spent: when, such as the beginning of a UTC day, and USD; aware, since the 1st and since Monday at least.
        now: aware UTC.
    """
    amounts = tuple(spent)
    with localcontext(EXACT):
        today, week, month = (sum((usd for at, usd in amounts if at >= start), ZERO) for start in _calendar_starts(now))
    return today, week, month


def _calendar_starts(now: datetime) -> tuple[datetime, datetime, datetime]:
    """Return when the current UTC day, week and month began."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, midnight - timedelta(days=midnight.weekday()), midnight.replace(day=1)


def period_windows(
    now: datetime, *, spent: Decimal, period: str | None, resets_at: datetime | None
) -> tuple[Window, ...]:
    """Make the window of a budget with a spend separate from the key's: what it spent in its current period.

    Args:
        now: aware UTC.
        spent: USD in this period.
        period: "daily", "weekly" or "monthly"; for others, and for a lifetime, the start is not known: no window.
        resets_at: when the period ends; aware UTC.
    """
    began_at = period_start(period, resets_at)
    return () if began_at is None else (Window("period", spent, now - began_at),)


def period_start(period: str | None, resets_at: datetime | None) -> datetime | None:
    """When the period that ends with a reset began; None for a lifetime and for unknown periods.

    Args:
        period: OpenRouter's word.
        resets_at: aware UTC.
    """
    if resets_at is None:
        return None
    with suppress(OverflowError):  # at the beginning of the calendar
        match period:
            case "daily":
                return resets_at - _DAY
            case "weekly":
                return resets_at - _WEEK
            case "monthly":
                last_month = resets_at.replace(day=1) - _DAY  # its last day: budgets need not end on a 1st
                return last_month.replace(day=min(resets_at.day, last_month.day))
    return None


def forecast(
    scope: str,
    windows: Iterable[Window],
    *,
    spent: Decimal,
    remaining: Decimal,
    resets_at: datetime | None,
    now: datetime,
    began_at: datetime | None = None,
    is_upper_bound: bool = False,
    week: Week | None = None,
) -> Pace | None:
    """Forecast the pace at which a budget or the credit is spent, and when it runs out.

    One with nothing left runs out now, whatever its pace. One with an unknown reset is treated as if it never reset.

    Args:
        scope: the name of the budget, or of the credit.
        windows: in any order.
        spent: USD, in the period so far.
        remaining: USD, not clamped.
        resets_at: aware UTC; None for what never resets.
        now: aware UTC.
        began_at: when the period began, aware UTC; None where that is not known.
        is_upper_bound: whether others spend from it too, who are not in `windows`. A pace of zero then says nothing.
        week: what is known of the week of the key that alone spends from it, in place of the windows.

    Returns:
        None when nothing is known: no window counts, and there is money left.
    """
    with localcontext(EXACT):
        if week is not None and not is_upper_bound:
            return _of_week(
                week, scope=scope, spent=spent, remaining=remaining, resets_at=resets_at, now=now, began_at=began_at
            )
        counted = _counted(windows)
        per_day, basis = _typical(counted) if counted else (None, None)
        if remaining > ZERO and (per_day is None or (is_upper_bound and per_day == ZERO)):
            return None
        earliest, at, latest = _run_outs(counted, per_day, remaining, now, resets_at)
        projected = low = high = lasts = affordable = None
        if resets_at is not None:
            left = resets_at - now
            lasts = remaining > ZERO and (per_day is None or _lasts(remaining, per_day, left))
            affordable = _affordable(remaining, left)
            if per_day is not None:
                paces = (min(one.per_day for one in counted), per_day, max(one.per_day for one in counted))
                low, projected, high = (_projected(spent, pace, left) for pace in sorted(paces))
        is_range_known = not is_upper_bound or remaining <= ZERO
        return Pace(
            per_day=_rounded(per_day),
            basis=basis,
            scope=scope,
            runs_out_at=at,
            runs_out_earliest=earliest if is_range_known else None,
            runs_out_latest=latest if is_range_known else None,
            is_upper_bound=is_upper_bound,
            projected_at_reset=_rounded(projected),
            projected_at_reset_low=_rounded(low),
            projected_at_reset_high=_rounded(high),
            lasts_until_reset=lasts,
            affordable_per_day=_rounded(affordable),
            even_percent_remaining=_even_percent(now, began_at, resets_at),
        )


def _of_week(
    week: Week,
    *,
    scope: str,
    spent: Decimal,
    remaining: Decimal,
    resets_at: datetime | None,
    now: datetime,
    began_at: datetime | None,
) -> Pace:
    from orcredit.balance.week import outlook  # noqa: PLC0415 - which few commands need

    said = outlook(week, remaining=remaining, spent=spent, resets_at=resets_at, now=now)
    return Pace(
        per_day=said.per_day,
        basis="history",
        scope=scope,
        runs_out_at=said.runs_out_at,
        runs_out_earliest=said.runs_out_earliest,
        runs_out_latest=said.runs_out_latest,
        projected_at_reset=said.projected_at_reset,
        projected_at_reset_low=said.projected_at_reset_low,
        projected_at_reset_high=said.projected_at_reset_high,
        lasts_until_reset=None if resets_at is None else said.runs_out_at is None,
        affordable_per_day=None if resets_at is None else _rounded(_affordable(remaining, resets_at - now)),
        even_percent_remaining=_even_percent(now, began_at, resets_at),
    )


def _affordable(remaining: Decimal, left: timedelta) -> Decimal | None:
    return max(remaining, ZERO) / _days(left) if left > timedelta(0) else None


def _projected(spent: Decimal, per_day: Decimal, left: timedelta) -> Decimal:
    return spent + per_day * _days(left)


def _rounded(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(_PRECISION)


def _even_percent(now: datetime, began_at: datetime | None, resets_at: datetime | None) -> Decimal | None:
    """Return how much of a period is still to come, in percent."""
    if began_at is None or resets_at is None or not began_at <= now <= resets_at:
        return None
    return (_days(resets_at - now) / _days(resets_at - began_at) * 100).quantize(_TENTH)


def first_to_run_out(paces: Iterable[Pace | None]) -> Pace | None:
    """Choose the pace that runs out first, on a tie the first in order; None when none runs out."""
    chosen = first = None
    for pace in paces:
        if pace is not None and pace.runs_out_at is not None and (first is None or pace.runs_out_at < first):
            chosen, first = pace, pace.runs_out_at
    return chosen


def _counted(windows: Iterable[Window]) -> list[Window]:
    """Choose the windows that count, the shortest first."""
    long_enough = sorted((one for one in windows if one.elapsed >= SHORTEST_WINDOW), key=lambda one: one.elapsed)
    return long_enough[:1] + [
        longer
        for shorter, longer in pairwise(long_enough)
        if longer.usage > shorter.usage or _adds_only_a_weekend(shorter, longer)
    ]


def _adds_only_a_weekend(shorter: Window, longer: Window) -> bool:
    """Whether a month began on the Saturday or Sunday before this week; then its idle days are no late start."""
    return (
        shorter.basis == "week"
        and longer.basis == "month"
        and timedelta(0) < longer.elapsed - shorter.elapsed <= _WEEKEND
    )


def _typical(counted: Sequence[Window]) -> tuple[Decimal, Basis]:
    """Choose the pace (USD a day) and the window it comes from; see the module's docstring."""
    longest = counted[-1]
    by_basis = {window.basis: window for window in counted}
    week, today = by_basis.get("week"), by_basis.get("today")
    if longest is week:
        shorter = counted[-2:][0]
        slowest, fastest = (week.per_day * _PERHAPS_IDLE_WEEKEND, week.basis), (week.per_day, week.basis)
        return max(slowest, min((shorter.per_day, shorter.basis), fastest))
    if week is None or longest.basis != "month":
        return longest.per_day, longest.basis
    recent = [(_filled(week, _WEEK, longest.per_day), week.basis)]
    recent.append((_filled(today, _DAY, longest.per_day), today.basis) if today else (longest.per_day, longest.basis))
    (slow, slow_basis), (fast, fast_basis) = min(recent), max(recent)
    slowest, fastest = (slow * _IDLE_WEEKEND, slow_basis), (fast / _PERHAPS_IDLE_WEEKEND, fast_basis)
    return max(slowest, min((longest.per_day, longest.basis), fastest))


def _filled(window: Window, whole: timedelta, per_day: Decimal) -> Decimal:
    """Return the pace of a whole day or week whose known part is completed at `per_day` (USD a day)."""
    return (max(window.usage, ZERO) + per_day * _days(whole - window.span)) / _days(whole)


_RunOut: TypeAlias = datetime | None


def _run_outs(
    counted: Sequence[Window], per_day: Decimal | None, remaining: Decimal, now: datetime, resets_at: datetime | None
) -> tuple[_RunOut, _RunOut, _RunOut]:
    """Return when the money runs out: at the earliest, by the forecast, and at the latest."""
    if remaining <= ZERO or per_day is None:
        return now, now, now
    paces = [window.per_day for window in counted]
    earliest, at, latest = (_run_out(remaining, pace, now, resets_at) for pace in (max(paces), per_day, min(paces)))
    if earliest is not None and latest is None and resets_at is not None and resets_at - now <= HORIZON:
        latest = resets_at
    return earliest, at, latest


def _run_out(remaining: Decimal, per_day: Decimal, now: datetime, resets_at: datetime | None) -> _RunOut:
    """Return when the money runs out, in whole seconds from now.

    None when it lasts until the reset, for ten years, or until the end of the calendar.
    """
    if _lasts(remaining, per_day, HORIZON) or (resets_at is not None and _lasts(remaining, per_day, resets_at - now)):
        return None
    with suppress(OverflowError):
        return now + timedelta(seconds=int(remaining / per_day * 86400))
    return None


def _lasts(remaining: Decimal, per_day: Decimal, duration: timedelta) -> bool:
    return per_day * _days(duration) <= remaining


def _days(duration: timedelta) -> Decimal:
    return Decimal(duration // _MICROSECOND) / (_DAY // _MICROSECOND)
