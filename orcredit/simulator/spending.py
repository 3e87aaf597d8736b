"""What a simulated account has spent at a given time: fixed amounts, or continuous spending."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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


_DAILY_AVERAGE = 90.0
_MONTHLY_LIMIT = Decimal(500)
_FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MILESTONES = (
    # All-time spend of the demo account. In the sample, its week and its month have the same spend, so
    # nothing was spent from the 1st to the 8th, and 0.10 before that.
    (datetime(2026, 1, 27, 9, tzinfo=UTC), Decimal(0)),
    (datetime(2026, 1, 27, 11, 30, tzinfo=UTC), Decimal("0.10")),
    (datetime(2026, 2, 9, tzinfo=UTC), Decimal("0.10")),
    (datetime(2026, 2, 10, tzinfo=UTC), Decimal("79.36")),
    (datetime(2026, 2, 11, tzinfo=UTC), Decimal("166.24")),
    (datetime(2026, 2, 12, tzinfo=UTC), Decimal("250.72")),
    (DEMO_INSTANT, Decimal("341.49")),
)


def _pulse(moment: datetime) -> float:
    """Return the USD spent since DEMO_INSTANT if spending never stops: irregular, slower at night, increasing."""
    # Whole milliseconds, so that two times differ by more than the rounding errors below.
    days = (moment - DEMO_INSTANT) // timedelta(milliseconds=1) / 86_400_000
    # The derivative of each step is positive, so their composition is increasing.
    for period, swing in ((2.6, 0.25), (11 / 1440, 0.6), (37 / 86_400, 0.5)):
        days += swing * period / math.tau * math.sin(math.tau * days / period)
    # Slowest at 04:40 UTC.
    return _DAILY_AVERAGE * (days + 0.75 / math.tau * math.sin(math.tau * days))


def spent_until(moment: datetime) -> Decimal:
    """Return the all-time spend of the demo account, in USD to 8 decimals; never decreasing."""
    later = next((index for index, (when, _) in enumerate(MILESTONES) if moment < when), len(MILESTONES))
    if later == 0:
        return Decimal(0)
    start, spent = MILESTONES[later - 1]
    if later < len(MILESTONES):
        end, target = MILESTONES[later]
        share = (_pulse(moment) - _pulse(start)) / (_pulse(end) - _pulse(start))
        return round(spent + (target - spent) * Decimal(share), 8)
    # At this pace the limit is used up every month, then spending stops: all full months are equal.
    months = (moment.year - _FEBRUARY.year) * 12 + moment.month - _FEBRUARY.month
    before = Decimal("0.10") + months * _MONTHLY_LIMIT
    if months:
        start, spent = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0), before
    return min(before + _MONTHLY_LIMIT, round(spent + Decimal(_pulse(moment) - _pulse(start)), 8))


def demo_usage(now: datetime) -> Usage:
    """Return what the demo account had spent at any time, also before DEMO_INSTANT: USD to 8 decimals."""
    now = now.astimezone(UTC)
    total = spent_until(now)
    starts = (current[0] for span in ("monthly", "weekly", "daily") if (current := window(span, now)))
    month, week, day = (total - spent_until(start) for start in starts)
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
