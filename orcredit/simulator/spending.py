"""What a simulated account has spent at a given time: fixed amounts, or continuous spending."""

from __future__ import annotations

import functools
import hashlib
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from orcredit.simulator.accounts import Account, Usage

DEMO_INSTANT = datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
"""The time of the original dashboard's sample in the demo account: a Thursday; its week began on 2026-02-09."""


def window(interval: str | None, now: datetime) -> tuple[datetime, datetime] | None:
    """Return start and end of the current UTC window; None for a lifetime limit and for unknown intervals."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "daily":
        return midnight, midnight + timedelta(days=1)
    if interval == "weekly":
        monday = midnight - timedelta(days=midnight.weekday())
        return monday, monday + timedelta(days=7)
    if interval == "monthly":
        first = midnight.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    return None


MILESTONES = (
    # All-time spend of the demo account up to the sample. In the sample, its week and its month have the same spend,
    # so nothing was spent from the 1st to the 8th, and 0.10 before that.
    (datetime(2026, 1, 27, 9, tzinfo=UTC), Decimal(0)),
    (datetime(2026, 1, 27, 11, 30, tzinfo=UTC), Decimal("0.10")),
    (datetime(2026, 2, 9, tzinfo=UTC), Decimal("0.10")),
    (datetime(2026, 2, 10, tzinfo=UTC), Decimal("79.36")),
    (datetime(2026, 2, 11, tzinfo=UTC), Decimal("166.24")),
    (datetime(2026, 2, 12, tzinfo=UTC), Decimal("250.72")),
    (DEMO_INSTANT, Decimal("341.49")),
)
_FIRST_MONTH = 2026 * 12 + 1
"""February 2026, counted from the year 0."""
_SPENT_BEFORE = Decimal("0.10")

_WEEKDAY, _WEEKEND_DAY = 22.0, 6.0
"""USD; before chance, and before the month is fitted into `_MONTHS_SPEND`."""
_CHANCE = 0.45
"""A day's spend is up to this share above or below the usual."""
_MONTHS_SPEND = (425, 449)
"""USD; of the limit of 500. Months of 22 or more weekdays would otherwise be exhausted for days; and the level is ok at
every time, so that the commands of the documentation exit with 0."""

_OFFICE_HOURS = (
    0.25, 0.2, 0.2, 0.2, 0.25, 0.3, 0.6, 1.2, 2.0, 2.7, 2.9, 2.4, 1.5, 2.4, 2.8, 2.6, 2.1, 1.3, 0.8, 0.7, 0.8, 0.6,
    0.4, 0.3,
)  # fmt: skip
_WEEKEND_HOURS = (
    0.5, 0.3, 0.25, 0.25, 0.25, 0.25, 0.3, 0.4, 0.7, 1.1, 1.5, 1.4, 1.0, 0.9, 1.2, 1.5, 1.6, 1.4, 1.2, 1.6, 2.0, 1.9,
    1.3, 0.8,
)  # fmt: skip
"""How much is spent in each UTC hour, beside the others of its day; never nothing, so that the live view moves."""

_RIPPLES = ((131, 0.6), (2335, 0.5))
"""Irregular spending within hours: how often a day it rises and falls (every 11 minutes, every 37 seconds), and by
which share."""


def _chance(text: str) -> float:
    """Return a number from 0 to 1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / (2**32 - 1)


@functools.cache
def _days_before(year: int, month: int) -> tuple[float, ...]:
    """Return the weight of all days before each day of a month; the last element is that of the whole month."""
    first = datetime(year, month, 1, tzinfo=UTC)
    length = ((first + timedelta(days=32)).replace(day=1) - first).days
    days = [first + timedelta(days=day) for day in range(length)]
    weights = (
        (_WEEKDAY if day.weekday() < 5 else _WEEKEND_DAY) * (1 + _CHANCE * (2 * _chance(f"{day:%Y-%m-%d}") - 1))
        for day in days
    )
    return tuple(accumulate(weights, initial=0.0))


@functools.cache
def _hours_before(hours: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of a day's spend before each hour; the last element is 1."""
    return tuple(before / sum(hours) for before in accumulate(hours, initial=0.0))


def _weight(moment: datetime) -> float:
    """Return the weight of the spending from the beginning of the month until a moment in it: increasing."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    # Whole milliseconds, so that two times differ by more than the rounding errors below.
    day = (moment - midnight) // timedelta(milliseconds=1) / 86_400_000
    # The derivative of each step is positive, so their composition is increasing; each is 0 at 0 and 1 at 1.
    for times, swing in _RIPPLES:
        day += swing / (math.tau * times) * math.sin(math.tau * times * day)
    hour, part = divmod(min(max(day, 0.0), 1.0) * 24, 1)
    shares = _hours_before(_OFFICE_HOURS if moment.weekday() < 5 else _WEEKEND_HOURS)
    before, after = shares[int(hour)], shares[min(int(hour) + 1, 24)]
    days = _days_before(moment.year, moment.month)
    return days[moment.day - 1] + (days[moment.day] - days[moment.day - 1]) * (before + (after - before) * part)


_weight_of_mark = functools.lru_cache(maxsize=64)(_weight)
"""Of the milestones and the beginnings of months, which are asked for again and again."""


@functools.cache
def _spent_in(year: int, month: int) -> Decimal:
    """Return what the demo account spends in a whole month from February 2026 on, in USD."""
    least, most = _MONTHS_SPEND
    return least + round((most - least) * Decimal(_chance(f"{year}-{month}")), 2)


@functools.cache
def _spent_before(year: int, month: int) -> Decimal:
    """Return what the demo account had spent before a month from February 2026 on, in USD."""
    months = ((number // 12, number % 12 + 1) for number in range(_FIRST_MONTH, year * 12 + month - 1))
    return sum((_spent_in(*each) for each in months), _SPENT_BEFORE)


def spent_until(moment: datetime) -> Decimal:
    """Return the all-time spend of the demo account, in USD to 8 decimals; never decreasing."""
    later = next((index for index, (when, _) in enumerate(MILESTONES) if moment < when), len(MILESTONES))
    if later == 0:
        return Decimal(0)
    if later < len(MILESTONES):
        (start, spent), (end, target) = MILESTONES[later - 1 : later + 1]
        end_weight = _weight_of_mark(end)
    else:
        month = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        before = _spent_before(month.year, month.month)
        start, spent = max((month, before), MILESTONES[-1])
        target = before + _spent_in(month.year, month.month)
        end_weight = _days_before(month.year, month.month)[-1]
    if spent == target:
        return spent
    began = _weight_of_mark(start)
    share = (_weight(moment) - began) / (end_weight - began)
    return round(spent + (target - spent) * Decimal(share), 8)


_spent_by_start = functools.lru_cache(maxsize=256)(spent_until)
"""Of the beginnings of days, weeks and months, which are asked for again and again."""


def demo_usage(now: datetime) -> Usage:
    """Return what the demo account had spent at any time, also before DEMO_INSTANT: USD to 8 decimals."""
    now = now.astimezone(UTC)
    total = spent_until(now)
    starts = (current[0] for span in ("monthly", "weekly", "daily") if (current := window(span, now)))
    month, week, day = (total - _spent_by_start(start) for start in starts)
    return Usage(total, month, week, day)


RUNAWAY_PER_SECOND = Decimal("0.70")
"""USD, for half an hour; see `runaway_usage`."""

_RUNAWAY_SECONDS = 1800
_USUAL_PER_DAY = Decimal(10)
_USUAL_SINCE = datetime(2025, 12, 1, tzinfo=UTC)


def runaway_usage(runs_away_at: datetime, now: datetime) -> Usage:
    """Return what a key has spent that spends $10 a day, day and night, and $0.70 a second in one half of an hour.

    Args:
        runs_away_at: when that begins; aware.
        now: aware.
    """

    def spent_by(moment: datetime) -> Decimal:
        days = Decimal(str(max((moment - _USUAL_SINCE) / timedelta(days=1), 0.0)))
        seconds = Decimal(str((moment - runs_away_at).total_seconds()))
        return _USUAL_PER_DAY * days + RUNAWAY_PER_SECOND * max(min(seconds, Decimal(_RUNAWAY_SECONDS)), Decimal(0))

    now = now.astimezone(UTC)
    total = round(spent_by(now), 8)
    starts = (current[0] for span in ("monthly", "weekly", "daily") if (current := window(span, now)))
    month, week, day = (total - round(spent_by(start), 8) for start in starts)
    return Usage(total, month, week, day)


def usage_of(account: Account, now: datetime) -> Usage:
    """Return what an account's key has spent at a given time."""
    if account.runs_away_at is not None:
        return runaway_usage(account.runs_away_at, now)
    return demo_usage(now) if account.live else account.usage
