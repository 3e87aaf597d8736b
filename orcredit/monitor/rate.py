"""The rate right now: what was spent in the last 1, 5 and 15 minutes, as the polls of this process saw it. Pure.

A pace (`orcredit.balance.Pace`) is of days; a rate is of minutes. It is measured on **counts**, amounts that only grow:
the all-time usage of the key, what was spent of each budget, the account's usage. Each count has a `Track` of what was
seen of it. A rate is never invented and never negative:

- A lower count is an older answer, which OpenRouter repeats for up to a minute, and is dropped, until five minutes
  after the higher one was last seen; then it is a correction, and the track begins again from it. After a budget's
  reset it begins again at once, and amounts of the period before are dropped for two minutes.
- A budget whose limit changed, and credit that another key told, begin again.
- Times are seconds that never go back: the longer of what the time of day and what a monotonic clock say has passed. So
  a clock that is set back makes no rate higher, and after a laptop's sleep what others spent meanwhile is not taken for
  the spend of a minute. A clock that is set forward makes the rate lower until it is forgotten.
- A window begins at a poll that is as old as the window, or half as old again; else at the oldest younger one, if that
  is at least a minute old. Otherwise, as in the first minute, the rate is not known.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PlainSerializer

from orcredit.document import Document, Instant, Usd
from orcredit.money import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MINUTE, FIVE_MINUTES, FIFTEEN_MINUTES = 60.0, 300.0, 900.0
"""Seconds: the windows. A minute is also the shortest time that makes a rate."""

OUTDATED = 300.0
"""Seconds after a count was seen in which a lower one is an older answer; as in `orcredit.history.record`."""

_REPEATED = 120.0
"""Seconds after a reset in which amounts of the period before are older answers: twice as long as OpenRouter repeats
them."""

_SPACING = 5.0
"""Seconds between two sightings that are kept, so that 15 minutes of polls are at most a few hundred of them."""

_LONGEST_SHARE = 1.5
_DAY = 86400
MINUTES_A_DAY = 1440
PRECISION = Decimal("1e-8")
_TENTH = Decimal("0.1")
_LONGEST = timedelta(days=3650)

Factor = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
"""How many times as much: one decimal."""


class RateWindow(Document):
    """What was seen to be spent up to the last answer: `spent` USD within `seconds`; `per_day` is that in USD a day."""

    spent: Usd
    seconds: float
    per_day: Usd


class Rate(Document):
    """How fast money is spent right now, as the polls of this process saw it. Amounts in USD, times in UTC.

    `scope` is what the numbers are of: the budget, or "account_credit", that runs out first at its rate; else what
    limits; null for the usage of the key. What others spend from a budget or the credit is included. `last1m`, `last5m`
    and `last15m` are null where too little was seen. `per_minute` is the faster of the last minute's and the last five
    minutes' rate, as OpenRouter repeats answers for up to a minute; else that of 15 minutes. `times_pace` compares it
    with the pace before these minutes; null where that is not known or zero. `runs_out_at` is null where it lasts until
    the reset, or for ten years.
    """

    last_1m: RateWindow | None = Field(serialization_alias="last1m", validation_alias="last1m")
    last_5m: RateWindow | None = Field(serialization_alias="last5m", validation_alias="last5m")
    last_15m: RateWindow | None = Field(serialization_alias="last15m", validation_alias="last15m")
    per_minute: Usd
    times_pace: Factor | None
    runs_out_at: Instant | None
    scope: str | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A count as it was seen: `at` in seconds, `amount` in USD."""

    at: float
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """The increase of a count in a window.

    Attributes:
        spent: USD.
        seconds: between its first and its last sighting; at least a minute.
        increases: in how many steps it was seen; only those fast enough, where that was asked for.
        idle: seconds in its beginning without such a step.
    """

    spent: Decimal
    seconds: float
    increases: int
    idle: float

    @property
    def per_day(self) -> Decimal:
        """USD a day."""
        return EXACT.divide(EXACT.multiply(self.spent, Decimal(_DAY)), Decimal(str(self.seconds)))

    @property
    def document(self) -> RateWindow:
        """The same for people and programs."""
        return RateWindow(spent=self.spent, seconds=round(self.seconds, 3), per_day=self.per_day.quantize(PRECISION))


class Track:
    """What was seen of a count in the last 15 minutes."""

    def __init__(self) -> None:
        self._seen: list[Sighting] = []
        self._basis: object = None
        self._resets_at: datetime | None = None
        self._moved_at: float | None = None
        """When `resets_at` changed: OpenRouter may repeat an amount of the period before for a while."""
        self._began_again: tuple[float, Decimal] | None = None
        """When the track began again after a reset, and the least that was seen shortly before it."""

    def see(self, at: float, amount: Decimal, *, resets_at: datetime | None = None, basis: object = None) -> Decimal:
        """Take in what was seen.

        Args:
            at: seconds; never less than before.
            amount: USD.
            resets_at: when the count begins again from zero.
            basis: what makes amounts comparable; with another one the track begins again.

        Returns:
            The increase in USD; 0 for an older answer, and where the track begins.
        """
        if self._seen and basis != self._basis:
            self._seen.clear()
            self._moved_at = self._began_again = None
        elif self._seen and resets_at != self._resets_at:
            self._moved_at = at
        self._basis, self._resets_at = basis, resets_at
        if not self._seen:
            self._seen.append(Sighting(at, amount))
            return ZERO
        last = self._seen[-1]
        if amount < last.amount:
            is_reset = self._moved_at is not None and at - self._moved_at < OUTDATED
            if is_reset:
                before = min(one.amount for one in self._seen if one is last or at - one.at <= _REPEATED)
                self._began_again = at, before
                self._moved_at = None
            if is_reset or at - last.at >= OUTDATED:
                self._seen[:] = [Sighting(at, amount)]
            return ZERO
        if self._is_of_before(at, amount):
            return ZERO
        self._keep(Sighting(at, amount))
        return amount - last.amount

    @property
    def has_risen(self) -> bool:
        """Whether anything was spent in the time that is remembered."""
        return bool(self._seen) and self._seen[-1].amount > self._seen[0].amount

    @property
    def may_run_away(self) -> bool:
        """Whether two increases may have been seen; a quick check, as an answer may have thousands of budgets."""
        return len(self._seen) > 2 and self.has_risen

    def window(self, seconds: float) -> Window | None:
        """Measure the last seconds; None where too little was seen."""
        return self._measure(*self._begin(seconds))

    def judged(self, least_per_day: Decimal = ZERO) -> Window | None:
        """Measure the last five minutes; where polls are rarer, the time between the last three, up to 15 minutes.

        Args:
            least_per_day: USD a day; slower increases are not counted.
        """
        first, index = self._begin(FIVE_MINUTES)
        is_one_step = index == len(self._seen) - 1 and index >= 2 and first is self._seen[index - 1]
        if is_one_step and self._seen[-1].at - self._seen[index - 2].at <= FIFTEEN_MINUTES:
            return self._measure(self._seen[index - 2], index - 1, least_per_day)
        return self._measure(first, index, least_per_day)

    def _is_of_before(self, at: float, amount: Decimal) -> bool:
        """Whether this is an amount of the period before the reset, which OpenRouter repeats."""
        if self._began_again is None:
            return False
        began_at, before = self._began_again
        if at - began_at >= _REPEATED:
            self._began_again = None
            return False
        return amount >= before

    def _keep(self, new: Sighting) -> None:
        seen = self._seen
        is_idle = len(seen) > 1 and seen[-2].amount == seen[-1].amount == new.amount
        if is_idle or (len(seen) > 1 and new.at - seen[-2].at < _SPACING):
            seen[-1] = new
        else:
            seen.append(new)
        forgotten = 0
        while len(seen) - forgotten > 2 and seen[forgotten + 1].at <= new.at - FIFTEEN_MINUTES:
            forgotten += 1
        del seen[:forgotten]

    def _begin(self, seconds: float) -> tuple[Sighting | None, int]:
        """Choose where a window begins, and the number of the sighting that follows."""
        seen = self._seen
        if len(seen) < 2:
            return None, 0
        start = seen[-1].at - seconds
        following = bisect_right(seen, start, key=lambda one: one.at)
        if following == 0:
            return seen[0], 1
        before = seen[following - 1]
        if before.amount == seen[following].amount:
            return Sighting(start, before.amount), following  # it was the same all the time in between
        if seen[-1].at - before.at <= seconds * _LONGEST_SHARE:
            return before, following
        return seen[following], following + 1

    def _measure(self, first: Sighting | None, following: int, least_per_day: Decimal = ZERO) -> Window | None:
        if first is None or self._seen[-1].at - first.at < MINUTE:
            return None
        increases, idle, before = 0, 0.0, first
        for one in self._seen[following:]:
            is_increase = one.amount > before.amount
            if is_increase and float(one.amount - before.amount) * _DAY >= float(least_per_day) * (one.at - before.at):
                idle = idle if increases else before.at - first.at
                increases += 1
            before = one
        return Window(before.amount - first.amount, before.at - first.at, increases, idle)


def per_minute_of(track: Track) -> Decimal | None:
    """Return the rate right now in USD a minute, as `Rate.per_minute`; None where it is not known."""
    short = [window.per_day for window in (track.window(MINUTE), track.window(FIVE_MINUTES)) if window is not None]
    if short:
        return EXACT.divide(max(short), Decimal(MINUTES_A_DAY))
    long = track.window(FIFTEEN_MINUTES)
    return None if long is None else EXACT.divide(long.per_day, Decimal(MINUTES_A_DAY))


def times(per_minute: Decimal, pace_per_day: Decimal | None) -> Decimal | None:
    """Return how many times a pace (USD a day) a rate is, with one decimal; None where the pace is unknown or zero."""
    if not pace_per_day:
        return None
    with localcontext(EXACT):
        return (per_minute * MINUTES_A_DAY / pace_per_day).quantize(_TENTH)


def run_out(remaining: Decimal, per_minute: Decimal, now: datetime, resets_at: datetime | None) -> datetime | None:
    """Return when the money is gone at a rate, in whole seconds from now.

    Args:
        remaining: USD; with nothing left it is gone now.
        per_minute: USD.
        now: aware UTC.
        resets_at: aware UTC; None for what never resets.

    Returns:
        None when it lasts until the reset, for ten years, or until the end of the calendar.
    """
    if remaining <= ZERO:
        return now
    with localcontext(EXACT):
        if per_minute <= ZERO or remaining >= per_minute * (_LONGEST // timedelta(minutes=1)):
            return None
        lasts = timedelta(seconds=int(remaining / per_minute * 60))
    try:
        at = now + lasts
    except OverflowError:
        return None
    return at if resets_at is None or at < resets_at else None


def rate_of(
    track: Track,
    *,
    pace_per_day: Decimal | None = None,
    scope: str | None = None,
    runs_out_at: datetime | None = None,
) -> Rate | None:
    """Put what a track saw into a document; None where it saw too little.

    Args:
        track: of a count.
        pace_per_day: USD a day, from before these minutes; None where it is not known.
        scope: what is counted; None for the usage of the key.
        runs_out_at: as `run_out` returns it.
    """
    per_minute = per_minute_of(track)
    if per_minute is None:
        return None
    windows = [track.window(seconds) for seconds in (MINUTE, FIVE_MINUTES, FIFTEEN_MINUTES)]
    last_1m, last_5m, last_15m = (None if window is None else window.document for window in windows)
    return Rate(
        last_1m=last_1m,
        last_5m=last_5m,
        last_15m=last_15m,
        per_minute=per_minute.quantize(PRECISION),
        times_pace=times(per_minute, pace_per_day),
        runs_out_at=runs_out_at,
        scope=scope,
    )


def rate_of_usage(seen: Sequence[tuple[datetime, Decimal]], now: datetime, before: Decimal | None) -> Rate | None:
    """Return the rate of a key's usage from samples that were kept, such as the history's.

    Args:
        seen: times (aware) and all-time usages in USD, in the order in which they were seen.
        now: aware.
        before: what was spent in the 24 hours before `now`, which is compared with the rate; USD, None if not known.

    Returns:
        None where the key was not seen in the last five minutes, or too little.
    """
    if not seen or (now - seen[-1][0]).total_seconds() >= FIVE_MINUTES:
        return None
    track, latest = Track(), 0.0
    for at, usage in seen:
        latest = max(at.timestamp(), latest)
        track.see(latest, usage)
    lately = track.window(FIFTEEN_MINUTES)
    pace = None if before is None or lately is None else max(before - lately.spent, ZERO)
    return rate_of(track, pace_per_day=pace)
