"""Queries about amounts over time: the points of the runs, reduced where there are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.queries import greatest, least
from orcredit.history.schema import RUNS
from orcredit.history.seen import MOST_GRAINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.history.queries import Condition, Integer


def points(connection: sa.Connection, known: Condition, start: int, end: int, most: int) -> Sequence[sa.Row[Any]]:
    """Return the points from `start` to `end`, in order, of at most `most` different seconds."""
    numbers = _numbers_within(connection, known, start, end)
    if numbers is None:
        return []
    all_runs = _runs_within(known, start, end)
    runs = all_runs.where(RUNS.c.number.between(*numbers)).subquery()
    longer = sa.func.sum(sa.case((runs.c.ended_at > runs.c.started_at, 1), else_=0))
    facts = sa.select(sa.func.count(), longer, sa.func.min(runs.c.started_at), sa.func.max(runs.c.ended_at))
    count, ends, first, last = connection.execute(facts.select_from(runs)).one()
    if not count:
        return []
    starting, ending = _points_at(runs, runs.c.started_at), _points_at(runs, runs.c.ended_at)
    if count + ends <= most:
        chosen = [starting, ending]
    else:
        chosen = [starting.where(runs.c.started_at == first), ending.where(runs.c.ended_at == last)]
        buckets = (most - 2) // 2
        if buckets:
            width = -(-(last - first + 1) // buckets)
            chosen += _extremes(runs, all_runs, first, width)
    points = sa.union(*chosen).subquery()
    return connection.execute(sa.select(points).order_by(points.c.at, points.c.number)).all()


def points_at(connection: sa.Connection, known: Condition, seconds: Sequence[int]) -> Sequence[sa.Row[Any]]:
    """Return the points at some seconds, in order; none where no run starts or ends."""
    if not seconds:
        return []
    is_near = (RUNS.c.ended_at >= min(seconds)) & (RUNS.c.started_at <= max(seconds))
    runs = sa.select(RUNS).where(known, is_near).subquery()
    starting, ending = _points_at(runs, runs.c.started_at), _points_at(runs, runs.c.ended_at)
    points = sa.union(
        starting.where(runs.c.started_at.in_(seconds)), ending.where(runs.c.ended_at.in_(seconds))
    ).subquery()
    return connection.execute(sa.select(points).order_by(points.c.at, points.c.number)).all()


def _points_at(runs: sa.FromClause, at: Integer) -> sa.Select[Any]:
    return sa.select(runs.c.number, at.label("at"), runs.c.spendable, runs.c.remaining)


def _numbers_within(connection: sa.Connection, known: Condition, start: int, end: int) -> tuple[int, int] | None:
    """Return the lowest and highest number of the runs from `start` to `end`; None when there are none."""
    number = RUNS.c.number + 0  # as in `_runs_around` of queries.py
    ended = sa.select(sa.func.min(number), sa.func.max(number)).where(known, RUNS.c.ended_at.between(start, end))
    later = sa.select(RUNS.c.number, RUNS.c.started_at).where(known, RUNS.c.ended_at > end)
    next_one = connection.execute(later.order_by(RUNS.c.ended_at, RUNS.c.number).limit(1)).one_or_none()
    numbers = [number for number in connection.execute(ended).one() if number is not None]
    if next_one is not None and next_one.started_at <= end:
        numbers.append(next_one.number)
    return (min(numbers), max(numbers)) if numbers else None


def _runs_within(known: Condition, start: int, end: int) -> sa.Select[Any]:
    """Select the runs from `start` to `end`, cut off there; a condition on their numbers makes it faster."""
    return sa.select(
        RUNS.c.number,
        greatest(RUNS.c.started_at, sa.literal(start)).label("started_at"),
        least(RUNS.c.ended_at, sa.literal(end)).label("ended_at"),
        RUNS.c.spendable,
        RUNS.c.remaining,
    ).where(known, RUNS.c.ended_at >= start, RUNS.c.started_at <= end)


def _extremes(runs: sa.Subquery, all_runs: sa.Select[Any], first: int, width: int) -> list[sa.Select[Any]]:
    """Select the highest and the lowest point of each bucket of `width` seconds from `first` on.

    The amounts are found first, and then the runs that have them, among the few hundred of the bucket: sorting all runs
    takes several times as long.
    """

    def bucket_of(at: Integer) -> Integer:
        return (at - first) // width

    def value_of(run: sa.FromClause) -> sa.ColumnElement[int]:
        return sa.func.coalesce(run.c.spendable, MOST_GRAINS)

    started_in, ended_in = bucket_of(runs.c.started_at), bucket_of(runs.c.ended_at)
    parts = sa.union_all(
        sa.select(runs.c.number, started_in.label("bucket"), value_of(runs).label("value")),
        sa.select(runs.c.number, ended_in, value_of(runs)).where(ended_in != started_in),
    ).subquery()
    buckets = (
        sa.select(
            parts.c.bucket,
            sa.func.max(parts.c.value).label("highest"),
            sa.func.min(parts.c.value).label("lowest"),
            sa.func.min(parts.c.number).label("first_number"),
            sa.func.max(parts.c.number).label("last_number"),
        )
        .group_by(parts.c.bucket)
        .subquery()
    )
    run = all_runs.subquery()  # limited to the bucket's numbers below
    of_bucket = (
        run.c.number.between(buckets.c.first_number, buckets.c.last_number),
        sa.or_(bucket_of(run.c.started_at) == buckets.c.bucket, bucket_of(run.c.ended_at) == buckets.c.bucket),
    )
    highest = sa.select(sa.func.min(run.c.number)).where(*of_bucket, value_of(run) == buckets.c.highest)
    lowest = sa.select(sa.func.max(run.c.number)).where(*of_bucket, value_of(run) == buckets.c.lowest)
    chosen = sa.select(
        buckets.c.bucket, highest.scalar_subquery().label("highest"), lowest.scalar_subquery().label("lowest")
    ).cte("chosen")
    begun = sa.case((started_in == chosen.c.bucket, runs.c.started_at), else_=runs.c.ended_at)
    done = sa.case((ended_in == chosen.c.bucket, runs.c.ended_at), else_=runs.c.started_at)
    return [  # outer joins make SQLite search runs by bucket instead of buckets by run
        _points_at(runs, begun).select_from(chosen).outerjoin(runs, runs.c.number == chosen.c.highest),
        _points_at(runs, done).select_from(chosen).outerjoin(runs, runs.c.number == chosen.c.lowest),
    ]
