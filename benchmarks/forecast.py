"""The error of the forecast, compared with two naive rules and with orcredit's first rule.

Simulates a key in continuous use through each month of 2026, several times: hourly spending in one of five patterns,
and a limit of 28 average days that starts on the 1st and does not reset (a reset would hide the largest errors). Every
third hour, until the limit is used up or the month is over, each rule forecasts the run-out. The error is the distance
to the actual run-out, in days; the forecast "never" has an infinite error. The input of a rule is what OpenRouter
reports: the spend of today, this week and this month so far. The random numbers are the same in every run.

- month to date: this month's pace continues.
- last hour: the last hour's pace continues, as measured by hourly polls of the all-time usage.
- first rule: the shortest window with 24 hours in it, else the longest.

Aim: a median below month to date on every pattern, and below last hour on all but the runaway night.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from orcredit.balance.forecast import SHORTEST_WINDOW, calendar_windows, forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orcredit.balance.forecast import Window

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 6
"""How often each month is simulated."""

LIMIT = 28.0
"""USD; every pattern spends one a day on average, apart from its special weekend or night."""

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]


@dataclass(frozen=True, slots=True)
class Moment:
    """The input of a forecast. Amounts in USD, time in UTC."""

    now: datetime
    windows: tuple[Window, ...]
    last_hour: float
    spent: float


def around_the_clock(chance: random.Random) -> float:
    """Return an hour's spend at a dollar a day, with a standard deviation of 30 %."""
    return max(chance.gauss(1, 0.3), 0.05) / 24


def steady(_: datetime, __: datetime, chance: random.Random) -> float:
    """Day and night."""
    return around_the_clock(chance)


def office_hours(hour: datetime, _: datetime, chance: random.Random) -> float:
    """Monday to Friday from 9 to 18 o'clock."""
    is_open = hour.weekday() < 5 and 9 <= hour.hour < 18
    return around_the_clock(chance) * 24 / 9 * 7 / 5 if is_open else 0.0


def bursts(_: datetime, __: datetime, chance: random.Random) -> float:
    """About three random hours a day, with exponentially distributed amounts."""
    return chance.expovariate(3) if chance.random() < 1 / 8 else 0.0


def free_weekend(hour: datetime, first: datetime, chance: random.Random) -> float:
    """Steady, except for an idle second weekend."""
    saturday = first + DAY * ((5 - first.weekday()) % 7 + 7)
    return 0.0 if saturday <= hour < saturday + 2 * DAY else around_the_clock(chance)


def runaway_night(hour: datetime, first: datetime, chance: random.Random) -> float:
    """Steady, except for twenty times the pace in the night after the 3rd, from 22 to 6 o'clock.

    Early in the month, as no rule can predict it.
    """
    start = first + 2 * DAY + 22 * HOUR
    return around_the_clock(chance) * (20 if start <= hour < start + 8 * HOUR else 1)


PATTERNS = (steady, office_hours, bursts, free_weekend, runaway_night)


def simulate(
    pattern: Callable[[datetime, datetime, random.Random], float], first: datetime, time: int
) -> Iterator[tuple[Moment, datetime]]:
    """Simulate a month; yield the input of each forecast with the actual run-out."""
    chance = random.Random(f"{pattern.__name__} {first:%Y-%m} {time}")  # noqa: S311 - not a secret
    start = first - 7 * DAY
    hours = [pattern(start + index * HOUR, first, chance) for index in range(100 * 24)]
    total = list(itertools.accumulate(hours, initial=0.0))

    def spent(since: datetime, until: datetime) -> float:
        return total[(until - start) // HOUR] - total[(since - start) // HOUR]

    run_out = next(first + index * HOUR for index in itertools.count() if spent(first, first + index * HOUR) >= LIMIT)
    month_end = (first + 31 * DAY).replace(day=1)
    now = first + (1 + time % 3) * HOUR
    while now < min(run_out, month_end):
        midnight = now.replace(hour=0)
        amounts = (spent(since, now) for since in (midnight, midnight - midnight.weekday() * DAY, first))
        today, week, month = (Decimal(str(round(amount, 8))) for amount in amounts)
        windows = calendar_windows(now, today=today, week=week, month=month)
        yield Moment(now, windows, spent(now - HOUR, now), spent(first, now)), run_out
        now += 3 * HOUR


def days_left(moment: Moment, per_day: float) -> float:
    """Return how long the money lasts at a pace, in days."""
    return (LIMIT - moment.spent) / per_day if per_day > 0 else math.inf


def ours(moment: Moment) -> float:
    """The forecast of orcredit."""
    spent, remaining = Decimal(str(moment.spent)), Decimal(str(LIMIT - moment.spent))
    pace = forecast("key_limit", moment.windows, spent=spent, remaining=remaining, resets_at=None, now=moment.now)
    return math.inf if pace is None or pace.runs_out_at is None else (pace.runs_out_at - moment.now) / DAY


def month_to_date(moment: Moment) -> float:
    """This month's pace."""
    return days_left(moment, float(moment.windows[-1].per_day))


def last_hour(moment: Moment) -> float:
    """The last hour's pace."""
    return days_left(moment, moment.last_hour * 24)


def first_rule(moment: Moment) -> float:
    """The pace of the shortest window with 24 hours in it, else of the longest."""
    counted = sorted((one for one in moment.windows if one.elapsed >= SHORTEST_WINDOW), key=lambda one: one.elapsed)
    kept = counted[:1] + [longer for shorter, longer in itertools.pairwise(counted) if longer.usage > shorter.usage]
    chosen = next((window for window in kept if window.elapsed >= DAY), kept[-1])
    return days_left(moment, float(chosen.per_day))


RULES = (ours, month_to_date, last_hour, first_rule)


def row(title: str, figures: list[float]) -> str:
    """Format a row of a table; figures in days."""
    return f"{title:14}" + "".join(f"{'never' if math.isinf(figure) else f'{figure:.3f}':>15}" for figure in figures)


def main() -> None:
    """Simulate and print."""
    headings = "".join(f"{rule.__name__.replace('_', ' '):>15}" for rule in RULES)
    medians = {}
    for pattern in PATTERNS:
        errors: dict[int, list[list[float]]] = defaultdict(lambda: [[] for _ in RULES])
        for first in MONTHS:
            for time in range(TIMES):
                for moment, run_out in simulate(pattern, first, time):
                    truth = (run_out - moment.now) / DAY
                    for rule, found in zip(RULES, errors[moment.now.day], strict=True):
                        found.append(abs(rule(moment) - truth))
        title = pattern.__name__.replace("_", " ")
        print(f"{title}: days off the true run-out, median of {len(MONTHS) * TIMES} months\n{'day':14}{headings}")
        for day, by_rule in sorted(errors.items()):
            print(row(f"{day:3}", [statistics.median(each) for each in by_rule]))
        medians[title] = [
            statistics.median(error for by_rule in errors.values() for error in by_rule[index])
            for index in range(len(RULES))
        ]
        print()
    print(f"{'median':14}{headings}")
    for title, figures in medians.items():
        print(row(title, figures))
    print()
    below_month = [title for title, figures in medians.items() if figures[0] < figures[1]]
    below_hour = [title for title, figures in medians.items() if figures[0] < figures[2]]
    print(f"below month to date: {', '.join(below_month)} (aim: every one)")
    print(f"below last hour: {', '.join(below_hour)} (aim: all but runaway night)")


if __name__ == "__main__":
    main()
