"""A forecast that knows the week: what a key's own past says of the hours to come.

`orcredit.balance.learning` makes a `Week` of up to 56 days of hourly spend; `outlook` runs it forward hour by hour. The
unit of both is the **usual day**: each hour of the week has a share of one, the shares of a week add up to seven, and
`level` is what a usual day costs. So money is a number of usual days, and time follows from the shares.

**How sure it is.** Money lasts for a number of usual days whose relative error has four parts: chance, which evens out
with the days (`noise`); the level, as known today (`doubt`); a level that wanders (`drift`); and a growth that is known
roughly (`growth_doubt`). The earliest and the latest run-out are 1.3 standard errors from the forecast. The latest
also allows for an idle weekend that the past does not show, where the money lasts for more than eight days, and the
earliest for a wild day that goes on (`wild`). By `benchmarks/forecast.py` the two hold about 80 % of what really
happens.

Within one answer, spending more never makes any of the three run-outs later: each is the first time at which an
amount that does not decrease reaches what is left. Nothing jumps at midnight: hours have shares, days have none.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from orcredit.balance.forecast import HORIZON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

HOURS = 168
"""Of a week, from Monday 0:00 UTC."""

LONGEST_GROWTH = 28
"""Days from now for which a growth continues; then the level stays."""

_STANDARD_ERRORS = 1.3
_LARGEST_ERROR = 3.0
"""Of the logarithm: a factor of 20, which says nothing any more."""
_LONGEST_DRIFT = 60.0
"""Days; a level that wanders for longer would make every later day worthless."""
_IDLE_DAYS, _IDLE_FROM, _IDLE_TO = 1.9, 8.0, 14.0
"""The idle weekend that the latest run-out allows for, nearly in full where the money lasts for two weeks."""

_MOST_WEEKS = 1000.0
"""More than the ten years of `HORIZON`."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_PRECISION = Decimal("1e-8")
_LARGEST = 1e15
"""USD, `orcredit.money.LARGEST`."""


@dataclass(frozen=True, slots=True)
class Week:
    """What is known of a key's week.

    Attributes:
        shares: of a usual day, for each hour of the week from Monday 0:00 UTC; they add up to seven.
        level: USD that a usual day costs, as of `until`.
        growth: of the level, a day, as a logarithm.
        wild: how many times the level the last day cost, where that is far more than usual; else 1.
        noise: relative variance of what one usual day costs.
        doubt: relative variance of the level.
        drift: relative variance by which the level wanders, a day.
        growth_doubt: variance of `growth`.
        days: how many days were watched.
        until: the end of the last hour that is known; aware UTC.
    """

    shares: tuple[float, ...]
    level: float
    growth: float
    wild: float
    noise: float
    doubt: float
    drift: float
    growth_doubt: float
    days: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a week says of one budget. Amounts in USD, times in UTC.

    Attributes:
        per_day: the mean of the days until the run-out or the reset, whichever comes first, but of at least one day.
        runs_out_at: None when the money lasts until the reset, or for ten years.
        runs_out_earliest: None when it probably lasts.
        runs_out_latest: at most the reset; None without one when it may last for ten years.
        projected_at_reset: what would be spent by the reset without a limit; None without a reset.
        projected_at_reset_low: likewise, at the latest run-out's pace.
        projected_at_reset_high: likewise, at the earliest run-out's.
    """

    per_day: Decimal
    runs_out_at: datetime | None
    runs_out_earliest: datetime | None
    runs_out_latest: datetime | None
    projected_at_reset: Decimal | None
    projected_at_reset_low: Decimal | None
    projected_at_reset_high: Decimal | None


def outlook(week: Week, *, remaining: Decimal, spent: Decimal, resets_at: datetime | None, now: datetime) -> Outlook:
    """Run the week forward, hour by hour.

    Args:
        week: of the key that alone spends from this budget.
        remaining: USD, not clamped; with nothing left it runs out now.
        spent: USD, in the budget's period so far.
        resets_at: aware UTC; None for a budget that never resets.
        now: aware UTC.
    """
    ahead = _Ahead(week, now)
    amount = min(max(float(remaining), 0.0), _LARGEST)
    until_reset = math.inf if resets_at is None else max((resets_at - now) / _DAY, 0.0)
    early, middle, late = (ahead.lasts(amount, side) for side in (1, 0, -1))
    earliest, at, latest = (now if amount <= 0 else _instant(now, days, until_reset) for days in (early, middle, late))
    if earliest is not None and latest is None and until_reset <= HORIZON / _DAY:
        latest = resets_at
    end = middle if 0 < middle < until_reset else until_reset
    span = min(max(end, 1.0), HORIZON / _DAY)
    low, projected, high = (
        None if resets_at is None else (spent + _usd(ahead.spend(until_reset, side))).quantize(_PRECISION)
        for side in (-1, 0, 1)
    )
    return Outlook(
        per_day=_usd(ahead.spend(span, 0) / span),
        runs_out_at=at,
        runs_out_earliest=earliest,
        runs_out_latest=latest,
        projected_at_reset=projected,
        projected_at_reset_low=low,
        projected_at_reset_high=high,
    )


def _instant(now: datetime, days: float, until_reset: float) -> datetime | None:
    """Return the time after so many days, in whole seconds; None when it is beyond the reset or ten years."""
    if days >= until_reset or days >= HORIZON / _DAY:
        return None
    with suppress(OverflowError):  # at the end of the calendar
        return now + timedelta(seconds=int(days * 86400))
    return None


class _Ahead:
    """The time from now on, in usual days."""

    def __init__(self, week: Week, now: datetime) -> None:
        self._week = week
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._age = max((hour - week.until) / _DAY, 0.0)
        self._level = week.level * math.exp(week.growth * min(self._age, LONGEST_GROWTH))
        self._begun = (now - hour) / _HOUR
        """The part of the present hour that is over."""
        first = now.weekday() * 24 + now.hour
        shares = (week.shares[first:] + week.shares[:first]) * (LONGEST_GROWTH // 7)
        if week.growth:
            hourly = math.exp(week.growth / 24)
            factors = accumulate(shares[1:], lambda grown, _: grown * hourly, initial=1.0)
            shares = tuple(share * factor for share, factor in zip(shares, factors, strict=True))
        self._reached = list(accumulate(shares, initial=-shares[0] * self._begun))
        """How many usual days there are from now until each full hour; the first is the one before now."""
        self._turn = self._reached[-1] - self._reached[-1 - HOURS]
        """How many there are in each later week."""

    def lasts(self, amount: float, side: int) -> float:
        """Return for how many days an amount lasts.

        Args:
            amount: USD.
            side: -1 at the slow end of what is likely, 0 as forecast, 1 at the fast end.
        """
        if amount <= 0:
            return 0.0
        usual = amount / self._level
        if side:
            amounts = _amounts(self._week, self._age, side)
            usual = _interpolated(amounts, _GRID, usual) if usual <= amounts[-1] else math.inf
        return self._time_of(_later(usual) if side < 0 else usual)

    def spend(self, days: float, side: int) -> float:
        """Return what is spent in the next days, in USD; `side` is that of `lasts`."""
        usual = self._usual_until(days)
        if side < 0:
            usual = _earlier(usual)
        if side:
            usual = _interpolated(_GRID, _amounts(self._week, self._age, side), min(usual, _GRID[-1]))
        return self._level * usual

    def _time_of(self, usual: float) -> float:
        """Return in how many days so many usual days are over."""
        reached, weeks = self._reached, 0
        if usual > reached[-1]:
            if usual - reached[-1] > self._turn * _MOST_WEEKS:
                return math.inf
            weeks = math.ceil((usual - reached[-1]) / self._turn)
            usual -= weeks * self._turn
        place = max(bisect_left(reached, usual), 1)
        before, after = reached[place - 1], reached[place]
        hours = place - 1 + ((usual - before) / (after - before) if after > before else 0.0)
        return weeks * 7 + max(hours - self._begun, 0.0) / 24

    def _usual_until(self, days: float) -> float:
        """Return how many usual days there are in the next days."""
        hours, last = days * 24 + self._begun, len(self._reached) - 1
        weeks = max(math.ceil((hours - last) / HOURS), 0)
        hours -= weeks * HOURS
        place = min(int(hours), last - 1)
        before, after = self._reached[place], self._reached[place + 1]
        return before + (after - before) * (hours - place) + weeks * self._turn


def _grid() -> tuple[float, ...]:
    """Return numbers of usual days from 0 to a few thousand, each 5 % more than the one before."""
    grid = [0.0, 1 / 24]
    while grid[-1] < HORIZON / _DAY:
        grid.append(grid[-1] * 1.05)
    return tuple(grid)


_GRID = _grid()


@lru_cache(maxsize=4)
def _amounts(week: Week, age: float, side: int) -> tuple[float, ...]:
    """Return what is spent, in levels, after each number of usual days in the grid; never decreasing.

    Args:
        week: as it was known
        age: so many days ago.
        side: 1 at the fast end of what is likely, -1 at the slow end.
    """
    fixed = week.doubt + week.drift * age
    amounts = [0.0]
    for usual in _GRID[1:]:
        variance = (
            fixed
            + week.noise / usual
            + week.drift * min(usual, _LONGEST_DRIFT) / 3
            + week.growth_doubt * (min(usual, LONGEST_GROWTH) / 2) ** 2
        )
        error = min(_STANDARD_ERRORS * math.sqrt(variance), _LARGEST_ERROR)
        amounts.append(max(amounts[-1], usual * math.exp(side * error) * (week.wild if side > 0 else 1)))
    return tuple(amounts)


def _later(usual: float) -> float:
    """Add the idle weekend that the latest run-out allows for."""
    return usual + _IDLE_DAYS * min(max((usual - _IDLE_FROM) / (_IDLE_TO - _IDLE_FROM), 0.0), 1.0)


def _earlier(usual: float) -> float:
    """Return the inverse of `_later`."""
    rise = 1 + _IDLE_DAYS / (_IDLE_TO - _IDLE_FROM)
    return max(usual - _IDLE_DAYS, min(usual, _IDLE_FROM + (usual - _IDLE_FROM) / rise))


def _interpolated(places: Sequence[float], values: Sequence[float], place: float) -> float:
    """Return the value at a place between two of the given places, which do not decrease."""
    after = max(bisect_left(places, place), 1)
    width = places[after] - places[after - 1]
    part = (place - places[after - 1]) / width if width > 0 else 0.0
    return values[after - 1] + (values[after] - values[after - 1]) * part


def _usd(amount: float) -> Decimal:
    return Decimal(min(amount, _LARGEST)).quantize(_PRECISION)
