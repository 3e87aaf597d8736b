"""The error of the forecast, with and without a history, compared with two naive rules and with orcredit's first rule.

Simulates a key in continuous use through each month of 2026, several times: hourly spending in one of ten patterns, and
a limit of 28 average days that starts on the 1st and does not reset (a reset would hide the largest errors). Every
third hour, until the limit is used up or the month is over, each rule forecasts the run-out. The error is the distance
to the actual run-out, in days; the forecast "never" has an infinite error. The input of a rule is what OpenRouter
reports: the spend of today, this week and this month so far. The random numbers are the same in every run.

- week: what 56 days of earlier hours say of the week (`orcredit.balance.week`), as `watch` would have seen them;
  learned once a day, at the first of its forecasts.
- windows: orcredit's forecast from one answer.
- month to date: this month's pace continues.
- last hour: the last hour's pace continues, as measured by hourly polls of the all-time usage.
- first rule: the shortest window with 24 hours in it, else the longest.

Aims: the median of windows is below month to date on the first five patterns, and below last hour on all of these but
the runaway night. The median of week, as a part of that of month to date, is at most what `AIMS` says, and the time
from the earliest to the latest run-out holds 75 to 90 % of the actual ones, on every pattern.

The constants of the week rule were chosen on the even simulations of each month; the odd ones are reported. Both are
printed.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from orcredit.balance.forecast import SHORTEST_SPAN, calendar_windows, forecast
from orcredit.balance.learning import DAYS, learn
from orcredit.balance.week import outlook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orcredit.balance.forecast import Window
    from orcredit.balance.week import Outlook, Week

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 6
"""How often each month is simulated."""

LIMIT = 28.0
"""USD; every pattern spends one a day on average, apart from what is special about the month."""

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
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Month:
    """A simulated month: its first moment, and the first day of a holiday, a random one around it."""

    first: datetime
    holiday: datetime


def around_the_clock(chance: random.Random) -> float:
    """Return an hour's spend at a dollar a day, with a standard deviation of 30 %."""
    return max(chance.gauss(1, 0.3), 0.05) / 24


def steady(_: datetime, __: Month, chance: random.Random) -> float:
    """Day and night."""
    return around_the_clock(chance)


def office_hours(hour: datetime, _: Month, chance: random.Random) -> float:
    """Monday to Friday from 9 to 18 o'clock."""
    is_open = hour.weekday() < 5 and 9 <= hour.hour < 18
    return around_the_clock(chance) * 24 / 9 * 7 / 5 if is_open else 0.0


def bursts(_: datetime, __: Month, chance: random.Random) -> float:
    """About three random hours a day, with exponentially distributed amounts."""
    return chance.expovariate(3) if chance.random() < 1 / 8 else 0.0


def free_weekend(hour: datetime, month: Month, chance: random.Random) -> float:
    """Steady, except for an idle second weekend."""
    saturday = month.first + DAY * ((5 - month.first.weekday()) % 7 + 7)
    return 0.0 if saturday <= hour < saturday + 2 * DAY else around_the_clock(chance)


def runaway_night(hour: datetime, month: Month, chance: random.Random) -> float:
    """Steady, except for twenty times the pace in the night after the 3rd, from 22 to 6 o'clock.

    Early in the month, as no rule can predict it.
    """
    start = month.first + 2 * DAY + 22 * HOUR
    return around_the_clock(chance) * (20 if start <= hour < start + 8 * HOUR else 1)


def growth(hour: datetime, month: Month, chance: random.Random) -> float:
    """Day and night, 5 % more each week; a dollar a day in the middle of the month."""
    return around_the_clock(chance) * math.pow(1.05, ((hour - month.first) / (7 * DAY) - 2))


def month_end(hour: datetime, _: Month, chance: random.Random) -> float:
    """Day and night, four times as much on the last three days of each month."""
    is_last = (hour + 3 * DAY).month != hour.month
    return around_the_clock(chance) * (4 if is_last else 1) * 30 / 39


def holiday(hour: datetime, month: Month, chance: random.Random) -> float:
    """Office hours, except for two weeks that begin between three weeks before the month and its 15th."""
    return 0.0 if month.holiday <= hour < month.holiday + 14 * DAY else office_hours(hour, month, chance)


def batches(hour: datetime, _: Month, chance: random.Random) -> float:
    """At 6 and 18 o'clock."""
    return around_the_clock(chance) * 12 if hour.hour in {6, 18} else 0.0


def missing_days(hour: datetime, month: Month, chance: random.Random) -> float:
    """Office hours, of which a third of the days was not watched."""
    return office_hours(hour, month, chance)


PATTERNS = (
    steady,
    office_hours,
    bursts,
    free_weekend,
    runaway_night,
    growth,
    month_end,
    holiday,
    batches,
    missing_days,
)

AIMS = {steady: 0.9, office_hours: 0.2, bursts: 0.8, free_weekend: 0.5, runaway_night: 0.2}
"""The largest median error of the week rule, as a part of that of month to date; 1.0 of the others."""


def simulate(
    pattern: Callable[[datetime, Month, random.Random], float], first: datetime, time: int
) -> Iterator[tuple[Moment, datetime]]:
    """Simulate a month; yield the input of each forecast with the actual run-out."""
    chance = random.Random(f"{pattern.__name__} {first:%Y-%m} {time}")  # noqa: S311 - not a secret
    month = Month(first, first + chance.randrange(-21, 15) * DAY)
    start = first - DAYS * DAY
    hours = [pattern(start + index * HOUR, month, chance) for index in range((DAYS + 93) * 24)]
    total = list(itertools.accumulate(hours, initial=0.0))
    watched: list[float | None] = list(hours)
    if pattern is missing_days:
        for day in range(0, len(hours), 24):
            if chance.random() < 1 / 3:
                watched[day : day + 24] = [None] * 24

    def spent(since: datetime, until: datetime) -> float:
        return total[(until - start) // HOUR] - total[(since - start) // HOUR]

    run_out = next(first + index * HOUR for index in itertools.count() if spent(first, first + index * HOUR) >= LIMIT)
    month_end = (first + 31 * DAY).replace(day=1)
    now = first + (1 + time % 3) * HOUR
    week: Week | None = None
    day = 0
    while now < min(run_out, month_end):
        if now.day != day:
            day, passed = now.day, (now - start) // HOUR
            week = learn(watched[passed - DAYS * 24 : passed], now)
        if week is None:
            raise ValueError("too few days were watched")
        midnight = now.replace(hour=0)
        amounts = (spent(since, now) for since in (midnight, midnight - midnight.weekday() * DAY, first))
        today, this_week, this_month = (Decimal(str(round(amount, 8))) for amount in amounts)
        windows = calendar_windows(now, today=today, week=this_week, month=this_month)
        done, left = (Decimal(str(amount)) for amount in (spent(first, now), LIMIT - spent(first, now)))
        ahead = outlook(week, remaining=left, spent=done, resets_at=None, now=now)
        yield Moment(now, windows, spent(now - HOUR, now), spent(first, now), ahead), run_out
        now += 3 * HOUR


def days_left(moment: Moment, per_day: float) -> float:
    """Return how long the money lasts at a pace, in days."""
    return (LIMIT - moment.spent) / per_day if per_day > 0 else math.inf


def week(moment: Moment) -> float:
    """The forecast of orcredit that knows the week."""
    at = moment.outlook.runs_out_at
    return math.inf if at is None else (at - moment.now) / DAY


def windows(moment: Moment) -> float:
    """The forecast of orcredit from one answer."""
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
    counted = sorted((one for one in moment.windows if one.elapsed >= SHORTEST_SPAN), key=lambda one: one.elapsed)
    kept = counted[:1] + [longer for shorter, longer in itertools.pairwise(counted) if longer.usage > shorter.usage]
    chosen = next((window for window in kept if window.elapsed >= DAY), kept[-1])
    return days_left(moment, float(chosen.per_day))


RULES = (week, windows, month_to_date, last_hour, first_rule)


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What the rules said at one moment.

    Attributes:
        day: of the month.
        is_reported: whether it is not one of those by which the constants were chosen.
        errors: days off the true run-out, of each rule.
        is_held: whether the week's earliest and latest run-out hold the true one.
    """

    day: int
    is_reported: bool
    errors: tuple[float, ...]
    is_held: bool


def forecasts(number: int, first: datetime, time: int) -> list[Forecasts]:
    """Simulate a month of the pattern with a number, and ask all rules."""
    found = []
    for moment, run_out in simulate(PATTERNS[number], first, time):
        truth = (run_out - moment.now) / DAY
        earliest, latest = moment.outlook.runs_out_earliest, moment.outlook.runs_out_latest
        is_held = (earliest is not None and earliest <= run_out) and (latest is None or run_out <= latest)
        errors = tuple(abs(rule(moment) - truth) for rule in RULES)
        found.append(Forecasts(moment.now.day, time % 2 == 1, errors, is_held))
    return found


def medians(found: list[Forecasts]) -> list[float]:
    """Return the median error of each rule."""
    return [statistics.median(each) for each in zip(*(one.errors for one in found), strict=True)]


def row(title: str, figures: list[float]) -> str:
    """Format a row of a table; figures in days."""
    return f"{title:14}" + "".join(f"{'never' if math.isinf(figure) else f'{figure:.3f}':>15}" for figure in figures)


def judged(found: list[Forecasts], aim: float) -> str:
    """Format how the week rule compares with month to date, and how often its interval holds the true run-out."""
    by_rule = dict(zip(RULES, medians(found), strict=True))
    ratio, held = by_rule[week] / by_rule[month_to_date], statistics.mean(one.is_held for one in found)
    is_met = ratio <= aim and 0.75 <= held <= 0.9
    return f"{ratio:10.2f}{held:8.1%}  {'ok' if is_met else 'MISSED':8}"


def main() -> None:
    """Simulate and print."""
    headings = "".join(f"{rule.__name__.replace('_', ' '):>15}" for rule in RULES)
    by_pattern: dict[str, list[Forecasts]] = {}
    with ProcessPoolExecutor() as workers:
        for number, pattern in enumerate(PATTERNS):
            months = [(number, first, time) for first in MONTHS for time in range(TIMES)]
            found = [one for each in workers.map(forecasts, *zip(*months, strict=True), chunksize=6) for one in each]
            title = pattern.__name__.replace("_", " ")
            by_pattern[title] = found
            print(f"{title}: days off the true run-out, median of {len(months)} months\n{'day':14}{headings}")
            by_day = defaultdict(list)
            for one in found:
                by_day[one.day].append(one)
            for day, on_day in sorted(by_day.items()):
                print(row(f"{day:3}", medians(on_day)))
            print()
    print(f"{'median':14}{headings}")
    figures = {title: medians(found) for title, found in by_pattern.items()}
    for title, each in figures.items():
        print(row(title, each))
    print()
    first_five = [(title, dict(zip(RULES, each, strict=True))) for title, each in list(figures.items())[:5]]
    below_month = [title for title, each in first_five if each[windows] < each[month_to_date]]
    below_hour = [title for title, each in first_five if each[windows] < each[last_hour]]
    print(f"windows below month to date: {', '.join(below_month)} (aim: the first five)")
    print(f"windows below last hour: {', '.join(below_hour)} (aim: these but the runaway night)\n")
    print("week: median error as a part of that of month to date, and how often the interval holds the true run-out")
    print(f"{'':14}{'aim':>6}{'tuned on':>18}{'':10}{'reported':>18}")
    for pattern, (title, found) in zip(PATTERNS, by_pattern.items(), strict=True):
        aim = AIMS.get(pattern, 1.0)
        halves = ([one for one in found if one.is_reported is part] for part in (False, True))
        print(f"{title:14}{aim:6.1f}" + "".join(judged(half, aim) if half else f"{'-':>28}" for half in halves))


if __name__ == "__main__":
    main()
