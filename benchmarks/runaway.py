"""False alarms of the runaway event in ordinary months, and how soon it notices a real runaway.

Simulates a key that is polled every minute through a month, spending in one of five patterns, like those of
`benchmarks/forecast.py`: an hour's spend comes in minutes of exponentially distributed amounts, in the last three
patterns within 20 minutes. As OpenRouter does, each answer is up to a minute old, so that some are older than the one
before. The money is a monthly limit of 28 average days, a daily limit of two average days, or credit that is topped up
by six average days when less than one is left. None of it is a runaway. The random numbers are the same in every run.

- alarms: `RunawayStarted` events.
- ten times the pace: how often the rate of five minutes alone would have said so, after five minutes below half of it.

Then a runaway begins at a random time of the month: how many seconds until the event, and how much is gone by then. One
whose money would last for more than six hours is none, by definition, and one whose money is gone within three minutes
cannot be noticed by polls that are a minute apart: both are left out.

Aim: no false alarm of the steady and the office-hours key in any month; a runaway of $0.70 a second within 3 minutes.
"""

from __future__ import annotations

import random
import statistics
import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING

from orcredit.balance import KEY_LIMIT, next_reset
from orcredit.balance.forecast import calendar_windows, forecast
from orcredit.monitor import RunawayStarted
from orcredit.monitor.runaway import CREDIT, EMPTY_WITHIN, Count, Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from orcredit.monitor.runaway import CountId

MONTHS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
"""How many months of each pattern are simulated."""

RUNAWAYS = 8
"""How many of each kind."""

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SESSION = 20
"""Minutes."""

SHORTEST = 3 * MINUTE
"""How long the money must last so that polls can notice a runaway."""

BEFORE, AFTER = 120, 240
"""Minutes that are simulated around the beginning of a runaway."""


def steady(_: datetime, chance: random.Random) -> float:
    """A 24th of a day's spend, with a standard deviation of 30 %."""
    return max(chance.gauss(1, 0.3), 0.05) / 24


def office_hours(hour: datetime, chance: random.Random) -> float:
    """Monday to Friday from 9 to 18 o'clock."""
    return steady(hour, chance) * 24 / 9 * 7 / 5 if hour.weekday() < 5 and 9 <= hour.hour < 18 else 0.0


def office_sessions(hour: datetime, chance: random.Random) -> float:
    """The same, but each hour's spend comes within 20 minutes, as by one person with an agent."""
    return office_hours(hour, chance)


def bursts(_: datetime, chance: random.Random) -> float:
    """About three random hours a day, with exponentially distributed amounts."""
    return chance.expovariate(3) if chance.random() < 1 / 8 else 0.0


def batch_twice_a_day(hour: datetime, chance: random.Random) -> float:
    """At 6 and at 18 o'clock half a day's spend each."""
    return max(chance.gauss(1, 0.1), 0.5) / 2 if hour.hour in {6, 18} else 0.0


PATTERNS = (steady, office_hours, office_sessions, bursts, batch_twice_a_day)
IN_SESSIONS = (office_sessions, bursts, batch_twice_a_day)


@dataclass
class Month:
    """A month's spend by the minute, with a week before it.

    Attributes:
        first: when it begins.
        per_day: average spend; USD.
        minutes: spend until the beginning of each minute from a week before `first` on; USD.
        chance: random numbers.
    """

    first: datetime
    per_day: float
    minutes: list[float]
    chance: random.Random
    top_ups: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    def of(cls, pattern: Callable[[datetime, random.Random], float], number: int, per_day: float) -> Month:
        """Simulate."""
        first = datetime(2026, 1 + number % 12, 1, tzinfo=UTC)
        chance = random.Random(f"{pattern.__name__} {number}")  # noqa: S311 - not a secret
        spent: list[float] = []
        for hour in range((7 + 31) * 24):
            amount = pattern(first - 7 * DAY + timedelta(hours=hour), chance) * per_day
            shares = [0.0] * 60
            start = chance.randrange(60 - SESSION) if pattern in IN_SESSIONS else 0
            for minute in range(start, start + SESSION if pattern in IN_SESSIONS else 60):
                shares[minute] = chance.expovariate(1)
            spent += [amount * share / sum(shares) for share in shares]
        return cls(first, per_day, list(accumulate(spent, initial=0.0)), chance)

    def spent(self, moment: datetime) -> float:
        """Return what was spent by a moment, in USD since the beginning."""
        minutes = (moment - self.first + 7 * DAY) / MINUTE
        whole = int(minutes)
        return self.minutes[whole] + (self.minutes[whole + 1] - self.minutes[whole]) * (minutes - whole)


MONEY: dict[str, tuple[str | None, float]] = {
    "monthly limit": ("monthly", 28),
    "daily limit": ("daily", 2),
    "credit": (None, 7),
}
"""The reset period, and how many average days the money is."""


@dataclass
class Account:
    """A key with one kind of money, which spends faster from a moment on."""

    month: Month
    period: str | None
    days: float
    runaway_at: datetime | None = None
    per_second: float = 0.0

    def usage(self, moment: datetime) -> float:
        """Return the all-time usage in USD."""
        extra = max((moment - self.runaway_at).total_seconds(), 0.0) * self.per_second if self.runaway_at else 0.0
        return self.month.spent(moment) + extra

    def count(self, moment: datetime) -> tuple[CountId, Count]:
        """Return what an answer says that is as old as this moment."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        starts = (midnight, midnight - midnight.weekday() * DAY, midnight.replace(day=1))
        usage = self.usage(moment)
        today, week, month = (usage - self.usage(max(start, self.month.first - 7 * DAY)) for start in starts)
        amount = self.month.per_day * self.days
        if self.period is None:  # topped up at the end of each of the days before the last
            spent, left = usage, amount - usage % (amount - self.month.per_day)
        else:
            spent = today if self.period == "daily" else month
            left = amount - spent
        resets_at = next_reset(self.period, moment)
        windows = calendar_windows(moment, today=_usd(today), week=_usd(week), month=_usd(month))
        pace = forecast(KEY_LIMIT, windows, spent=_usd(spent), remaining=_usd(left), resets_at=resets_at, now=moment)
        per_day = pace.per_day if pace is not None else None
        name: CountId = CREDIT if self.period is None else (KEY_LIMIT, self.period, 0)
        return name, Count(_usd(spent), _usd(left), resets_at, per_day)


def _usd(amount: float) -> Decimal:
    return Decimal(str(round(amount, 8)))


@dataclass
class Found:
    """What was found while polling."""

    alarms: list[datetime] = field(default_factory=list)
    simple: int = 0


def poll(account: Account, start: datetime, end: datetime) -> Found:
    """Poll every minute, and judge; the first alarm of a real runaway ends it."""
    found, meter, chance = Found(), Meter(), account.month.chance
    seen: list[tuple[datetime, float]] = []
    calm_since: datetime | None = start
    for number in range((end - start) // MINUTE):
        now = start + number * MINUTE
        name, count = account.count(now - timedelta(seconds=chance.uniform(0, 60)))
        _, events = meter.judge({name: count}, number * 60.0, now, now)
        found.alarms += [event.at for event in events if isinstance(event, RunawayStarted)]
        if account.runaway_at is not None and found.alarms and found.alarms[-1] >= account.runaway_at:
            break
        seen.append(
            (now, max(float(count.spent), seen[-1][1]) if seen and account.period != "daily" else float(count.spent))
        )
        five = seen[max(bisect_right(seen, now - 5 * MINUTE, key=lambda one: one[0]) - 1, 0)]
        per_day = (seen[-1][1] - five[1]) / max((now - five[0]) / DAY, 1e-9)
        enough = 10 * float(count.pace_per_day or 0)
        if per_day >= enough > 0:
            found.simple += calm_since is not None and now - calm_since >= 5 * MINUTE
            calm_since = None
        elif per_day * 2 < enough and calm_since is None:
            calm_since = now
    return found


def false_alarms() -> None:
    """Print how many alarms an ordinary month has."""
    print(f"{'false alarms a month':48}{'alarms':>8}{'ten times the pace':>20}")
    for pattern in PATTERNS:
        for per_day in (10.0, 100.0):
            for title, (period, days) in MONEY.items():
                alarms = simple = 0
                for number in range(MONTHS):
                    month = Month.of(pattern, number, per_day)
                    found = poll(Account(month, period, days), month.first, month.first + 28 * DAY)
                    alarms, simple = alarms + len(found.alarms), simple + found.simple
                label = f"{pattern.__name__.replace('_', ' ')}, ${per_day:g} a day, {title}"
                print(f"{label:48}{alarms / MONTHS:8.1f}{simple / MONTHS:20.0f}", flush=True)


def delays() -> None:
    """Print how soon a runaway is noticed."""
    print(f"\n{'seconds until a runaway is noticed':48}{'median':>8}{'longest':>9}{'USD gone':>10}{'missed':>8}")
    for pattern in PATTERNS:
        for per_second in (0.70, 0.05):
            for title, (period, days) in MONEY.items():
                took: list[float] = []
                missed = 0
                for number in range(RUNAWAYS):
                    month = Month.of(pattern, number, 10.0)
                    start = month.first + timedelta(minutes=month.chance.uniform(BEFORE, 27 * 1440))
                    account = Account(month, period, days, start, per_second)
                    left = account.count(start)[1].remaining or Decimal(0)
                    resets_at = next_reset(period, start)
                    lasts = timedelta(seconds=float(left) / per_second)
                    if not SHORTEST < lasts < EMPTY_WITHIN / 1.1 or (
                        resets_at is not None and start + 1.1 * lasts >= resets_at
                    ):
                        continue
                    begin = start.replace(second=0, microsecond=0) - BEFORE * MINUTE
                    alarms = [
                        at for at in poll(account, begin, begin + (BEFORE + AFTER) * MINUTE).alarms if at >= start
                    ]
                    if alarms:
                        took.append((alarms[0] - start).total_seconds())
                    else:
                        missed += 1
                label = f"{pattern.__name__.replace('_', ' ')}, ${per_second:.2f} a second, {title}"
                if took:
                    longest = max(took)
                    figures = f"{statistics.median(took):8.0f}{longest:9.0f}{longest * per_second:10.2f}"
                else:
                    figures = f"{'-':>8}{'-':>9}{'-':>10}"
                print(f"{label:48}{figures}{missed:8}", flush=True)


if __name__ == "__main__":
    false_alarms()
    delays()
