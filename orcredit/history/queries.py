"""Queries about spend: which runs matter to a span of time, their increases of usage, and sums of those."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.models import Interval
from orcredit.history.schema import DAY, HOUR, RUNS, to_instant, to_usd
from orcredit.money import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    Integer = sa.ColumnElement[int]
    Condition = sa.ColumnElement[bool]

SEEN_GAP = 300
_USUAL_GAP = 120
"""Seconds. Spend that crosses an edge is an estimate when the time between two polls was long: more than a tenth of an
interval, or five minutes; but polls a minute apart are no gap unless the intervals are hardly longer themselves."""

LONGEST_STEP = HOUR - 1
"""Seconds between two polls up to which what was reported of that time does not matter: it comes by the hour."""


_BEGINNING, _END = (sa.bindparam(name, type_=sa.BigInteger) for name in ("beginning", "end"))

_STATEMENTS_KEPT = 8
"""Making a statement takes longer than executing it: those of many keys are made once, with the key as a parameter."""


def parameters(key: str, start: int, end: int) -> dict[str, int | str]:
    """Return what the statements that are about a time need, for runs of `known_runs` of any key: this key's."""
    return {"of_key": key, "beginning": start, "end": end}


def known_runs(key: str, now: datetime) -> Condition:
    """Select a key's runs, without those that end more than a day from now: a clock was ahead when they were recorded.

    Their spend is not lost, as usage is all-time: the next run's increase includes it. OpenRouter's clock and this
    machine's may differ by up to a day. Executed with the parameter `of_key`, a statement is about that key instead.
    """
    # The + 0 keeps SQLite from using the index for a condition that nearly all runs meet.
    return sa.and_(RUNS.c.key == sa.bindparam("of_key", key), RUNS.c.ended_at + 0 <= horizon(now))


def horizon(now: datetime) -> int:
    """Return the second after which no run can have ended, but by a clock that was ahead."""
    return max(int(now.timestamp()), int(time.time())) + DAY


def first_and_last(connection: sa.Connection, known: Condition, key: str | None = None) -> tuple[int, int] | None:
    """Return when a key was first and last seen, in seconds since 1970; None when never.

    Args:
        connection: of a database of any version.
        known: the runs of a key.
        key: another one's fingerprint, whose are meant.
    """
    of_key = {} if key is None else {"of_key": key}
    first, last = (connection.execute(edge, of_key).one_or_none() for edge in _edges(known))
    return None if first is None or last is None else (first.started_at, last.ended_at)


@lru_cache(_STATEMENTS_KEPT)
def _edges(known: Condition) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Select the first and the last of runs."""
    runs = sa.select(RUNS.c.started_at, RUNS.c.ended_at).where(known).limit(1)
    return runs.order_by(RUNS.c.number), runs.order_by(RUNS.c.number.desc())


def _runs_around(known: Condition, start: int | Integer, end: int | Integer) -> Condition:
    """Select the runs needed for the time from `start` to `end`: those that ended in it, and one before and after.

    Runs are in the order of recording, which is not the order of their times where a clock was put back.
    """
    number = RUNS.c.number + 0  # else SQLite searches the primary key, through years of runs
    ended = sa.select(sa.func.min(number), sa.func.max(number)).where(
        known, RUNS.c.ended_at >= start, RUNS.c.ended_at < end
    )
    first, last = (ended.with_only_columns(column).scalar_subquery() for column in ended.selected_columns)
    last_before = (
        sa.select(RUNS.c.number)
        .where(known, RUNS.c.ended_at < start)
        .order_by(RUNS.c.ended_at.desc(), RUNS.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return known & RUNS.c.number.between(
        sa.func.coalesce(first - 1, last_before, 0), sa.func.coalesce(last, last_before, 0) + 1
    )


def _steps(known: Condition, start: int | Integer, end: int | Integer) -> sa.Subquery:
    """Select the increases of usage between `start` and `end`, including those only partly within.

    Each has an `amount`, the end of the run before it (`begun_at`) and the start of the run after it (`done_at`). The
    two are at least a second apart, also where two polls were in the same second or a clock was put back. A fall of the
    usage is no increase: the next one counts from the lower usage, the new baseline.
    """
    run_before = sa.func.lag(RUNS.c.ended_at).over(order_by=RUNS.c.number)
    begun_at = least(run_before, RUNS.c.started_at)
    steps = (
        sa.select(
            begun_at.label("begun_at"),
            greatest(RUNS.c.started_at, begun_at + 1).label("done_at"),
            (RUNS.c.usage - sa.func.lag(RUNS.c.usage).over(order_by=RUNS.c.number)).label("amount"),
        )
        .where(_runs_around(known, start, end))
        .subquery()
    )
    return sa.select(steps).where(steps.c.amount > 0, steps.c.begun_at < end, steps.c.done_at > start).subquery()


def _spent_by(step: sa.FromClause, instant: Integer) -> Integer:
    """Return the part of a step's amount that was spent by an instant within it, if it was spent evenly.

    Rounded down, so that the parts between neighbouring instants add up to the amount exactly. Computed in two terms,
    since an amount times a span would not fit 64 bits.
    """
    span = step.c.done_at - step.c.begun_at
    elapsed = instant - step.c.begun_at
    return (step.c.amount // span) * elapsed + ((step.c.amount % span) * elapsed) // span


def _spent_between(step: sa.FromClause, start: Integer, end: Integer) -> Integer:
    """Return the part of a step's amount that was spent between two instants, which may be outside of it."""
    return _spent_by(step, least(step.c.done_at, end)) - _spent_by(step, greatest(step.c.begun_at, start))


def _up_to(steps: sa.Subquery, longest_step: int | None) -> sa.Subquery:
    """Select the steps that took no more seconds than that; None for all."""
    if longest_step is None:
        return steps
    return sa.select(steps).where(steps.c.done_at - steps.c.begun_at <= longest_step).subquery()


@lru_cache(_STATEMENTS_KEPT)
def long_steps(known: Condition) -> sa.Select[Any]:
    """Select the steps of a time that took longer than `LONGEST_STEP`, as `_steps` gives them; with `parameters`."""
    steps = _steps(known, _BEGINNING, _END)
    return sa.select(steps).where(steps.c.done_at - steps.c.begun_at > LONGEST_STEP)


@lru_cache(_STATEMENTS_KEPT)
def last_end(known: Condition) -> sa.Select[Any]:
    """Select when the last run ended that ended by the end of a time; with `parameters`.

    A time without polls that crosses it begins then.
    """
    return sa.select(sa.func.max(RUNS.c.ended_at)).where(known, RUNS.c.ended_at <= _END)


@lru_cache(_STATEMENTS_KEPT)
def spend_of_span(known: Condition) -> sa.Select[Any]:
    """Sum what was spent in a time in steps of up to `LONGEST_STEP`; with `parameters`."""
    steps = _up_to(_steps(known, _BEGINNING, _END), LONGEST_STEP)
    return sa.select(sa.func.sum(_spent_between(steps, _BEGINNING, _END)))


def longest_usual_gap(width: int) -> int:
    """Return for how many seconds without polls what was spent in them is divided and no estimate; see `SEEN_GAP`."""
    return max(min(SEEN_GAP, width // 10), min(_USUAL_GAP, width // 4))


@lru_cache(_STATEMENTS_KEPT)
def spend_by_bucket(
    known: Condition, width: int, longest_gap: int | None = None, *, longest_step: int | None = None
) -> sa.Select[Any]:
    """Sum what was spent in each bucket of a time, and whether that is partly an estimate; idle buckets are left out.

    It is executed with `parameters`, of a time of whole buckets.

    It is one where the time without polls was longer than `longest_gap` seconds; None for what is said at `SEEN_GAP`.
    Steps that took more seconds than `longest_step` are left out; None for none.

    A step that began and ended in the same bucket was certainly spent in it. The others are divided among the buckets
    that they cross, one row for each.
    """
    steps = _up_to(_steps(known, _BEGINNING, _END), longest_step)
    shares = sa.select(
        steps,
        (greatest(steps.c.begun_at, _BEGINNING) // width).label("bucket"),
        ((least(steps.c.done_at, _END) - 1) // width).label("last_bucket"),
    ).cte("shares", recursive=True)
    following = [column + 1 if column.name == "bucket" else column for column in shares.c]
    shares = shares.union_all(sa.select(*following).where(shares.c.bucket < shares.c.last_bucket))
    is_divided = shares.c.begun_at // width < (shares.c.done_at - 1) // width
    if longest_gap is None:
        longest_gap = longest_usual_gap(width)
    is_estimate = is_divided & (shares.c.done_at - shares.c.begun_at > longest_gap)
    share = _spent_between(shares, shares.c.bucket * width, (shares.c.bucket + 1) * width)
    return sa.select(
        shares.c.bucket,
        sa.func.sum(share).label("spend"),
        sa.func.max(sa.case((is_estimate, 1), else_=0)).label("is_estimated"),
    ).group_by(shares.c.bucket)


def watched_buckets(seen: tuple[int, int], buckets: range, width: int) -> range:
    """Return those of the buckets in all of which a key was watched, but for the usual time between two polls.

    Args:
        seen: since when and until when it was, in seconds since 1970.
        buckets: in order.
        width: of a bucket, in seconds.
    """
    first = max(buckets.start, -(-(seen[0] - SEEN_GAP) // width))
    return range(first, max(first, min(buckets.stop, (seen[1] + SEEN_GAP) // width)))


def spend_of_spans(
    known: Condition, now: int, spans: Sequence[int], *, longest_step: int | None = None
) -> sa.Select[Any]:
    """Sum what was spent in the last seconds of each span: two columns for each.

    The second is the end of a time without polls that began before the span, of which the sum has a share; null where
    there is none. `longest_step` is that of `spend_by_bucket`.
    """
    end = now + 1  # include a step within the present second
    steps = _up_to(_steps(known, now - max(spans), end), longest_step)
    columns: list[sa.ColumnElement[Any]] = []
    for start in (now - span for span in spans):
        share = sa.case((steps.c.done_at > start, _spent_between(steps, sa.literal(start), sa.literal(end))), else_=0)
        is_gap = (steps.c.done_at > start) & (steps.c.done_at - steps.c.begun_at > SEEN_GAP)
        gap_end = sa.case(((steps.c.begun_at < start) & is_gap, steps.c.done_at))
        columns += [sa.func.sum(share), sa.func.max(gap_end)]
    return sa.select(*columns)


def is_later(seen_at: int, at: int) -> bool:
    """Whether a key was seen later than at a time, by more than polls are apart."""
    return seen_at - at > SEEN_GAP


def newest_usage(connection: sa.Connection, known: Condition) -> int:
    """Return the usage of the newest run, in grains; there must be one."""
    runs = sa.select(RUNS.c.usage).where(known).order_by(RUNS.c.number.desc()).limit(1)
    return int(connection.execute(runs).scalar_one())


def usage_at(connection: sa.Connection, known: Condition, start: int) -> int:
    """Return the usage that was first seen at a time or after it, or shortly before; the newest where nothing was."""
    runs = sa.select(RUNS.c.usage).where(known, RUNS.c.ended_at >= start - SEEN_GAP)
    first = connection.execute(runs.order_by(RUNS.c.ended_at, RUNS.c.number).limit(1)).scalar_one_or_none()
    return newest_usage(connection, known) if first is None else int(first)


def usages(known: Condition, start: int) -> sa.Select[Any]:
    """Select start, end and usage of the runs that were seen since an instant, in the order of recording."""
    return (
        sa.select(RUNS.c.started_at, RUNS.c.ended_at, RUNS.c.usage)
        .where(known, RUNS.c.ended_at >= start)
        .order_by(RUNS.c.number)
    )


def last_runs_by_bucket(known: Condition, buckets: range, width: int) -> sa.Select[Any]:
    """Select the last run that began in each bucket, and the last one before all of them; oldest first."""
    start, end = buckets.start * width, buckets.stop * width
    bucket = greatest(RUNS.c.started_at // width, sa.literal(buckets.start - 1))
    runs = (
        sa.select(
            bucket.label("bucket"),
            RUNS.c.ended_at,
            RUNS.c.spendable,
            RUNS.c.remaining,
            sa.func.row_number().over(partition_by=bucket, order_by=RUNS.c.number.desc()).label("place"),
        )
        .where(_runs_around(known, start, end))
        .subquery()
    )
    return sa.select(runs).where(runs.c.place == 1).order_by(runs.c.bucket)


@dataclass(slots=True)
class Spent:
    """What was spent in a bucket, in grains."""

    spend: int = 0
    is_estimated: bool = False
    is_reported: bool = False


NOTHING = Spent()


def intervals(
    buckets: range,
    width: int,
    spent: Mapping[int, Spent],
    runs: Sequence[sa.Row[Any]],
    covered: Sequence[tuple[int, int]],
) -> Iterator[Interval]:
    """Combine sums and runs to one interval per bucket; idle buckets have no sum.

    Args:
        buckets: which intervals.
        width: of each, in seconds.
        spent: the sums, by bucket.
        runs: the last run of each bucket.
        covered: the times of which is known what was spent, in order: from when the key was first seen until it was
            last seen, or until the end of what the intervals are to cover; and what was reported.
    """
    coming, spans = deque(runs), deque(covered)
    run = None
    for bucket in buckets:
        while coming and coming[0].bucket <= bucket:
            run = coming.popleft()
        shown = run if run is not None and run.ended_at >= bucket * width else None
        spend = spent.get(bucket, NOTHING)
        start, end = bucket * width, (bucket + 1) * width
        while len(spans) > 1 and is_later(end, spans[0][1]):
            spans.popleft()
        yield Interval(
            start=to_instant(start),
            end=to_instant(end),
            spend=to_usd(spend.spend),
            spendable=None if shown is None or shown.spendable is None else to_usd(shown.spendable),
            remaining=None if shown is None or shown.remaining is None else to_usd(shown.remaining),
            estimated=spend.is_estimated,
            partial=is_later(spans[0][0], start) or is_later(end, spans[0][1]),
            reported=spend.is_reported,
        )


def account_pace(connection: sa.Connection, known_runs: Condition, since: int) -> Decimal | None:
    """Return by how many USD a day the account's usage rose; None when it is known for less than an hour."""
    known = sa.select(RUNS).where(known_runs, RUNS.c.ended_at >= since, RUNS.c.account_usage.is_not(None))
    first = connection.execute(known.order_by(RUNS.c.ended_at, RUNS.c.number).limit(1)).one_or_none()
    last = connection.execute(known.order_by(RUNS.c.ended_at.desc(), RUNS.c.number.desc()).limit(1)).one_or_none()
    if first is None or last is None:
        return None
    earlier = sa.select(RUNS.c.account_usage).where(known_runs, RUNS.c.ended_at < since)
    before = connection.execute(earlier.order_by(RUNS.c.ended_at.desc(), RUNS.c.number.desc()).limit(1)).scalar()
    # The same amount on both sides of a time without polls: nothing was spent in it.
    known_since = since if before == first.account_usage else max(first.started_at, since)
    elapsed = last.ended_at - known_since
    risen = last.account_usage - first.account_usage
    if elapsed < HOUR or risen < 0:  # a lower usage may be that of another account's management key
        return None
    return to_usd(EXACT.divide(Decimal(risen * DAY), Decimal(elapsed)))


def least(one: Integer, other: Integer) -> Integer:
    """Return the smaller value; SQLite and PostgreSQL have different functions for it."""
    return sa.case((one < other, one), else_=other)


def greatest(one: Integer, other: Integer) -> Integer:
    """Return the larger value."""
    return sa.case((one > other, one), else_=other)
