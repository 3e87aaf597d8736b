"""What a history answers: intervals of spend, samples over time and recent sums; and intervals as CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from orcredit.document import Instant, Usd  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime
    from decimal import Decimal


class Interval(BaseModel):
    """Spend in one interval of time, in USD. In JSON `start` and `end` are `from` and `to`.

    Attributes:
        start: aware UTC, a multiple of the interval's length.
        end: aware UTC, the next interval's start.
        spend: the increase of the key's all-time usage.
        spendable: what could still be spent when the key was last seen in this interval; None when it had no limit, or
            when nothing was seen.
        remaining: what was left of the key's own limit then, negative once overdrawn; None without one, or when nothing
            was seen.
        estimated: whether part of `spend` is a share of what was spent in a time without polls, evenly spread.
        partial: whether a beginning or an end of the interval was not watched, so that `spend` is the least that it can
            have been: the key was first seen, or last seen, in the middle of it.
        reported: whether part of the interval was not watched, but OpenRouter reported afterwards what was spent in it
            (`orcredit history --backfill`).
    """

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    start: Instant = Field(serialization_alias="from")
    end: Instant = Field(serialization_alias="to")
    spend: Usd
    spendable: Usd | None
    remaining: Usd | None
    estimated: bool
    partial: bool = False
    reported: bool = False


class Counted(BaseModel):
    """What OpenRouter counts in a calendar period, and how much of that this history saw; in USD.

    Attributes:
        counted: by OpenRouter, when the key was last seen.
        seen: the increase of the usage in that period, as far as it was watched.
    """

    model_config = ConfigDict(frozen=True)

    counted: Usd
    seen: Usd


class Recent(BaseModel):
    """What was spent recently, in USD; None where nothing was seen in that time.

    What was not watched is not zero: `last_hour_since` and its like say since when a span was watched, and `today` and
    its like what OpenRouter counts beyond what was seen. What OpenRouter reported afterwards (`orcredit history
    --backfill`) counts as seen.

    Attributes:
        last_hour: spent by the key in the last 60 minutes, as far as it was watched.
        last_day: in the last 24 hours.
        last_week: in the last 7 days.
        last_hour_since: since when these 60 minutes were watched, aware UTC; None when all of them were, or nothing was
            seen in them.
        last_day_since: likewise.
        last_week_since: likewise.
        last_hour_estimated: whether a part of it is a share of what was spent in a time without polls, evenly spread,
            or of an hour that was reported, that began before.
        last_day_estimated: likewise.
        last_week_estimated: likewise.
        today: what OpenRouter counts in the present UTC day; None when it was not seen in it.
        this_week: in the present UTC week, from Monday.
        this_month: in the present UTC month.
        account_per_day: USD per day by which the account's usage rose over the last 7 days, or over as much of them
            as is known, at least an hour.
        since: when this key was first seen, or since when it was reported what it spent; aware UTC.
        until: when it was last seen; aware UTC.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, serialize_by_alias=True, validate_by_name=True)

    last_hour: Usd | None = None
    last_day: Usd | None = None
    last_week: Usd | None = None
    last_hour_since: Instant | None = None
    last_day_since: Instant | None = None
    last_week_since: Instant | None = None
    last_hour_estimated: bool = False
    last_day_estimated: bool = False
    last_week_estimated: bool = False
    today: Counted | None = None
    this_week: Counted | None = None
    this_month: Counted | None = None
    account_per_day: Usd | None = None
    since: Instant | None = None
    until: Instant | None = None


class Reported(NamedTuple):
    """What OpenRouter reported that a key spent in a time, in USD; both ends are aware UTC."""

    start: datetime
    end: datetime
    spend: Decimal


class KnownKey(BaseModel):
    """A key that was recorded.

    Attributes:
        fingerprint: the first 12 hexadecimal digits of its SHA-256.
        label: as OpenRouter last gave it, masked by OpenRouter where the key has no name; None when never given.
        profile: the name of the profile that it was last recorded with; None when always without one.
        first_seen: aware UTC.
        last_seen: aware UTC; up to an hour before its newest poll.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, serialize_by_alias=True, validate_by_name=True)

    fingerprint: str
    label: str | None
    profile: str | None
    first_seen: Instant
    last_seen: Instant


class Sample(BaseModel):
    """What was known of a key at one moment, in USD. In JSON: `at`, `spendable`, `remaining`.

    Attributes:
        at: aware UTC, a whole second.
        spendable: what could be spent; None when the key had no limit.
        remaining: what was left of the key's own limit, negative once overdrawn; None without one.
    """

    model_config = ConfigDict(frozen=True)

    at: Instant
    spendable: Usd | None
    remaining: Usd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """Something that happened to a key.

    Attributes:
        at: when it was noticed; aware UTC.
        kind: what it was, as a word that does not change.
        text: the same in words, without a full stop.
        is_worse: whether it is bad news.
        scope: of the budget that it is about; None where it is about none.
        period: that budget's reset period, where several budgets have this scope.
    """

    at: datetime
    kind: str
    text: str
    is_worse: bool
    scope: str | None = None
    period: str | None = None


class Unwatched(NamedTuple):
    """A time without polls of a key; both ends are aware UTC."""

    start: datetime
    end: datetime


class PeriodStart(NamedTuple):
    """The beginning of a budget's new period; aware UTC. `period` is None where it is not known."""

    at: datetime
    scope: str
    period: str | None


class Periods(NamedTuple):
    """What the latest balance says of the budgets' periods.

    Attributes:
        by_scope: the reset period of each scope that one budget has alone; None for a lifetime.
        limiting: the scope of the budget that limits the key; None where none does.
    """

    by_scope: dict[str, str | None]
    limiting: str | None


class Timeline(NamedTuple):
    """What was left over time, and where that is not known; each oldest first."""

    samples: Sequence[Sample]
    gaps: Sequence[Unwatched]
    resets: Sequence[PeriodStart]


class CostlyDay(NamedTuple):
    """A UTC day on which much more was spent than usual.

    Attributes:
        day: which.
        at: when what was spent passed three times the usual; aware UTC.
        spend: of the day, in USD.
        usual: the mean of the watched days before it, in USD.
    """

    day: date
    at: datetime
    spend: Decimal
    usual: Decimal


def as_csv(intervals: Iterable[Interval]) -> str:
    r"""Write intervals as comma-separated values, with a header and times in UTC; lines end with `\n`."""
    lines = StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    rows.writerow(("from", "to", "spend", "spendable", "remaining", "estimated", "partial", "reported"))
    for interval in intervals:
        times = interval.model_dump(mode="json", include={"start", "end"})
        left = ("" if amount is None else f"{amount:f}" for amount in (interval.spendable, interval.remaining))
        marks = ("true" if mark else "false" for mark in (interval.estimated, interval.partial, interval.reported))
        rows.writerow((times["from"], times["to"], f"{interval.spend:f}", *left, *marks))
    return lines.getvalue()
