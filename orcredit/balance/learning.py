"""Learning what a key's week is like from its hourly spend.

1. **Shares.** Weekdays and weekends each have a profile of 24 hours; the two differ in their total, and each day of the
   week a little from the others of its kind. Every difference is kept only as far as it exceeds chance: the more the
   days differ among themselves, the more it is shrunk.
2. **Wild days.** Of a day that is 2.5 standard deviations above the usual only so much counts, so that a runaway
   night is neither part of the shares nor of the level. While it is the last day, the earliest run-out is the one at
   its pace (`Week.wild`). Three such days in a row are no exception but the new level.
3. **Level.** Each day, divided by its share, is an observation of the level, which may wander: a Kalman filter whose
   innovations are limited to 2.5 standard deviations. How much it wanders is chosen by likelihood, which must be e²
   times that of a constant level.
4. **Growth**, if the days show it beyond doubt: the likelihood of a steady growth or decline of up to 10 % a week must
   be e³ times that of none.

Hours that were not watched are left out everywhere, never taken for zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.balance.week import HOURS, Week

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

DAYS = 56
"""How many days are looked at."""

LEAST_DAYS = 14
"""How many of them must have been watched."""

_LEAST_HOURS = 12
"""A day of which fewer hours were watched is left out; but for the present day, which is not over."""

_WILD = 2.5
"""Standard deviations."""
_NEW_LEVEL = 3
"""So many wild days in a row are a new level."""
_LEAST_SHARE = 0.02
"""Of a usual day; what was spent in less says nothing about the level."""
_LARGE_SHARE = 0.3
"""Of a usual day; less is not taken for a day."""

_DRIFTS = (0.0, 0.0005, 0.002, 0.01, 0.04, 0.15)
"""Variances by which the level may wander a day, in terms of the variance of a usual day."""
_DRIFT_EVIDENCE = 2.0
"""By which the logarithm of the likelihood must be larger than that of a constant level."""
_GROWTH_STEP = 0.02 / 7
"""A day, as a logarithm; growth is looked for in steps of 2 % a week."""
_GROWTH_STEPS = 5
_GROWTH_EVIDENCE = 3.0
"""As `_DRIFT_EVIDENCE`, against all levels without a growth."""
_GROWTH_DAYS = 21
"""Days needed to tell a growth from chance."""

_KINDS = ((0, 1, 2, 3, 4), (5, 6))
"""Weekdays and weekend days, from Monday as 0."""

_LEAST_USD = 1e-9
"""Of an hour, and of a usual day; less than the smallest amount that is counted is nothing."""

_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class _Day:
    """A watched UTC day, or what was watched of it.

    Attributes:
        number: counts days, the unwatched ones too.
        weekday: from Monday as 0.
        hours: the hours of the day that were watched.
        spend: USD in each of these, without the wild part.
        whole: USD in all of them, with it.
    """

    number: int
    weekday: int
    hours: list[int]
    spend: list[float]
    whole: float

    @property
    def is_weekend(self) -> bool:
        return self.weekday in _KINDS[1]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a day says of the level: USD, in a time that has this share of a usual day."""

    number: int
    share: float
    spend: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """What a filter found. In USD, USD² and USD² a day.

    `cost` is the negative logarithm of its likelihood, `wild` the mean cost of the wild days at the end, 0 without any.
    """

    cost: float
    level: float
    wild: float
    variance: float
    noise: float
    drift: float


def learn(hours: Sequence[Decimal | float | None], now: datetime) -> Week | None:
    """Learn a key's week.

    Args:
        hours: USD spent in each hour, oldest first, the last one ending at the beginning of the present hour; None
            where it was not watched. Of more than 56 days the last are taken.
        now: aware UTC.

    Returns:
        None when fewer than 14 days were watched, or nothing was spent.
    """
    until = now.replace(minute=0, second=0, microsecond=0)
    hours = hours[-DAYS * 24 :]
    while hours and hours[-1] is None:
        hours, until = hours[:-1], until - _HOUR
    days = _days(hours, until)
    if sum(len(day.hours) >= _LEAST_HOURS for day in days) < LEAST_DAYS or not any(day.whole for day in days):
        return None
    shares = _shares(days)
    for _ in range(2):  # the shares tell which days are wild, and these distort the shares
        usual = _usual(_seen(days, shares))
        if usual is None:
            return None
        _limit(days, shares, *usual)
        shares = _shares(days)
    seen = _seen(days, shares)
    usual = _usual(seen)
    if usual is None:
        return None
    fit, growth, growth_doubt = _level(seen, *usual)
    if fit.level < _LEAST_USD:
        return None
    return Week(
        shares=tuple(shares),
        level=fit.level,
        growth=growth,
        wild=max(fit.wild / fit.level, 1.0),
        noise=fit.noise / fit.level**2,
        doubt=fit.variance / fit.level**2,
        drift=fit.drift / fit.level**2,
        growth_doubt=growth_doubt,
        days=len(days),
        until=until,
    )


def _days(hours: Sequence[Decimal | float | None], until: datetime) -> list[_Day]:
    """Divide hours into days, without those that were mostly not watched."""
    start = until - len(hours) * _HOUR
    days = []
    for number, begin in enumerate(range(-start.hour, len(hours), 24)):
        known = [
            (index - begin, float(usd) if usd > _LEAST_USD else 0.0)
            for index in range(max(begin, 0), min(begin + 24, len(hours)))
            if (usd := hours[index]) is not None
        ]
        if len(known) >= _LEAST_HOURS or (known and begin + 24 > len(hours)):
            spend = [amount for _, amount in known]
            weekday = (start.weekday() + number) % 7
            days.append(_Day(number, weekday, [hour for hour, _ in known], spend, sum(spend)))
    return days


def _shares(days: Sequence[_Day]) -> list[float]:
    """Return each hour's share of a usual day, for a week from Monday; they add up to seven."""
    profiles = [_profile([day for day in days if day.is_weekend is weekend]) for weekend in (False, True)]
    known = [profile for profile in profiles if profile is not None]
    kinds = [profile or known[0] for profile in profiles]
    if None not in profiles:
        kinds = _apart(days, kinds)
    shares: list[float] = []
    for weekdays, profile in zip(_KINDS, kinds, strict=True):
        own = [_ratios([day for day in days if day.weekday == weekday], profile) for weekday in weekdays]
        for factor in _shrunk([_mean(ratios) for ratios in own], 1.0, strictness=1.5):
            shares += [share * factor for share in profile]
    total = sum(shares)
    return [share * 7 / total for share in shares] if total > 0 else [1 / 24] * HOURS


def _profile(days: Sequence[_Day]) -> list[float] | None:
    """Return the mean spend in each hour of the day, in USD; None without a watched hour."""
    sums, squares, counts = [0.0] * 24, [0.0] * 24, [0] * 24
    for day in days:
        for hour, spend in zip(day.hours, day.spend, strict=True):
            sums[hour] += spend
            squares[hour] += spend * spend
            counts[hour] += 1
    if not any(counts):
        return None
    found = [
        (total / count, max(square / count - (total / count) ** 2, 0.0) / max(count - 1, 1)) if count else None
        for total, square, count in zip(sums, squares, counts, strict=True)
    ]
    known = [mean for one in found if one is not None for mean in one[:1]]
    return _shrunk(found, sum(known) / len(known))


def _apart(days: Sequence[_Day], profiles: Sequence[list[float]]) -> list[list[float]]:
    """Scale the profiles of weekdays and weekends so that their totals differ by no more than is certain."""
    totals = [sum(profile) for profile in profiles]
    found = []
    for weekend, (profile, total) in enumerate(zip(profiles, totals, strict=True)):
        ratios = _ratios([day for day in days if day.is_weekend == weekend], profile)
        mean = _mean(ratios) if total else (0.0, 0.0)
        found.append((1.0, 0.0) if mean is None else mean)
    (weekday, weekday_error), (weekend_, weekend_error) = (
        (mean * total, error * total**2) for (mean, error), total in zip(found, totals, strict=True)
    )
    common = (5 * weekday + 2 * weekend_) / 7
    difference = (weekday - weekend_) ** 2
    kept = max(0.0, 1 - (weekday_error + weekend_error) / difference) if difference > 0 else 0.0
    wanted = [common + kept * (each - common) for each in (weekday, weekend_)]
    return [
        [share * want / total for share in profile] if total else [want / 24] * 24
        for profile, total, want in zip(profiles, totals, wanted, strict=True)
    ]


def _ratios(days: Iterable[_Day], profile: Sequence[float]) -> list[float]:
    """Return what was spent on each day, divided by what its profile says; without days of which little was watched."""
    least = _LARGE_SHARE * sum(profile)
    expected = ((day, sum(profile[hour] for hour in day.hours)) for day in days)
    return [sum(day.spend) / usual for day, usual in expected if usual > least]


def _mean(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the mean and its variance; None of fewer than three values."""
    if len(values) < 3:
        return None
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)


def _shrunk(found: Sequence[tuple[float, float] | None], to: float, strictness: float = 1.0) -> list[float]:
    """Shrink means towards a common value, as far as their differences may be chance (James and Stein).

    Args:
        found: each mean with its variance; None becomes the common value.
        to: the common value.
        strictness: 1 for the difference that chance explains, more for less trust.
    """
    between = sum((one[0] - to) ** 2 for one in found if one is not None)
    chance = sum(one[1] for one in found if one is not None) * strictness
    kept = max(0.0, 1 - chance / between) if between > 0 else 0.0
    return [to if one is None else to + kept * (one[0] - to) for one in found]


def _seen(days: Iterable[_Day], shares: Sequence[float]) -> list[_Seen]:
    return [_Seen(day.number, sum(shares[day.weekday * 24 + hour] for hour in day.hours), day.whole) for day in days]


def _usual(seen: Iterable[_Seen]) -> tuple[float, float] | None:
    """Return the median cost of a usual day, and a standard deviation that a tenth of wild days do not affect.

    None where nothing was spent on any day of which enough was watched.
    """
    costs = sorted(one.spend / one.share for one in seen if one.share > _LARGE_SHARE)
    if not costs:
        return None
    count = len(costs)
    middle = _median(costs)
    wide = (costs[min(count - 1, count * 9 // 10)] - costs[count // 10]) / 2.563
    deviation = max(1.4826 * _median(sorted(abs(cost - middle) for cost in costs)), wide)
    if deviation <= 0 or costs[count * 8 // 10] <= 0:  # all alike, or hardly ever used
        mean = sum(costs) / count
        deviation = math.sqrt(sum((cost - mean) ** 2 for cost in costs) / count)
        return (mean, max(deviation, 0.02 * mean)) if mean > 0 else None
    return middle, max(deviation, 0.02 * middle)


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _limit(days: Iterable[_Day], shares: Sequence[float], usual: float, deviation: float) -> None:
    """Leave out the wild part of each day's hours."""
    for day in days:
        share = sum(shares[day.weekday * 24 + hour] for hour in day.hours)
        most = share * usual + _WILD * deviation * math.sqrt(share)
        spent = sum(day.spend)
        if spent > most:
            day.spend = [spend * most / spent for spend in day.spend]


def _level(seen: Sequence[_Seen], usual: float, deviation: float) -> tuple[_Fit, float, float]:
    """Return the level, the growth a day, and the growth's variance."""
    fits = [_follow(seen, usual, deviation, drift=drift) for drift in _DRIFTS]
    level = min(fits[1:], key=lambda fit: fit.cost)
    if fits[0].cost - level.cost <= _DRIFT_EVIDENCE:
        level = fits[0]
    if len(seen) < _GROWTH_DAYS:
        return level, 0.0, 0.0
    steps = range(-_GROWTH_STEPS, _GROWTH_STEPS + 1)
    costs = {step: _follow(seen, usual, deviation, growth=step * _GROWTH_STEP).cost for step in steps}
    best = min(steps, key=lambda step: costs[step])
    if best == 0 or level.cost - costs[best] <= _GROWTH_EVIDENCE:
        return level, 0.0, 0.0
    growth, curvature = float(best), 1.0
    if abs(best) < _GROWTH_STEPS:  # the vertex of the parabola through three costs
        before, at, after = costs[best - 1], costs[best], costs[best + 1]
        curvature = before - 2 * at + after
        growth += min(max((before - after) / 2 / curvature, -0.5), 0.5) if curvature > 0 else 0.0
    growth *= _GROWTH_STEP
    return _follow(seen, usual, deviation, growth=growth), growth, _GROWTH_STEP**2 / max(curvature, 0.1)


def _follow(seen: Sequence[_Seen], usual: float, deviation: float, *, drift: float = 0.0, growth: float = 0.0) -> _Fit:
    """Follow the level through all days to the last one.

    Args:
        seen: in order, at least one.
        usual: USD, where it begins.
        deviation: of a usual day, USD.
        drift: by which variance the level wanders a day, in terms of the square of `deviation`.
        growth: of the level, a day, as a logarithm.
    """
    noise = deviation**2
    last, end = seen[0].number, seen[-1].number
    level, variance = usual * math.exp(growth * (end - last) / 2), 4 * noise
    cost, squares, count = 0.0, 0.0, 0
    wild: list[float] = []
    for one in seen:
        variance += drift * noise * (one.number - last)
        last = one.number
        if one.share < _LEAST_SHARE:
            continue
        scale = math.exp(growth * (end - last))  # all days in terms of the last one's level
        chance = noise * scale**2 / one.share
        total = variance + chance
        error = math.sqrt(total)
        surprise = (one.spend * scale / one.share - level) / error
        limited = min(max(surprise, -_WILD), _WILD)
        if one.share > _LARGE_SHARE:
            wild = [*wild, one.spend * scale / one.share] if surprise > _WILD else []
        if len(wild) >= _NEW_LEVEL:
            variance += (surprise * error) ** 2
            total = variance + chance
            limited, error = surprise * error / math.sqrt(total), math.sqrt(total)
        size = abs(surprise)
        if count > 4:  # the first ones tell how it begins
            cost += math.log(error) - math.log(scale)
            cost += min(size**2 / 2 if size < _WILD else _WILD * size - _WILD**2 / 2, 20.0)  # Huber's
        squares += min(size, 1.4 * _WILD) ** 2
        count += 1
        level = max(level + variance / total * limited * error, 0.0)
        variance *= 1 - variance / total
    # What the limited surprises turned out to be, against what they were taken for.
    factor = max(squares / max(count, 1), 0.25)
    lately = sum(wild) / len(wild) if wild else 0.0
    return _Fit(cost, level, lately, variance * factor, noise * factor, drift * noise * factor)
