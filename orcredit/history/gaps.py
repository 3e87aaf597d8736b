"""Times without polls of a key: those between its runs that are too long for the usual distance of its polls.

No run lasts across two and a half hours without polls (`record.py`), and a longer time between two runs is always a
gap. A shorter one is when it is longer than a quarter of an hour, and more than two and a half times as long as the
times between the runs around it: polls every ten minutes, or every hour, leave no gaps, nor does one of them that
fails; and a lunch is one where the polls are a minute apart.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.queries import greatest
from orcredit.history.schema import RUNS, UNWATCHED_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orcredit.history.queries import Condition

LEAST = 900
"""Seconds."""

_AROUND = 2
"""Times between runs that are looked at on either side, of which two must be alike."""


def gaps(
    connection: sa.Connection, known: Condition, start: int, end: int, *, narrowest: int, is_watched: bool
) -> list[tuple[int, int]]:
    """Return the gaps from `start` to `end`, oldest first, cut off there; no run is within one of them.

    The time before the first run is no gap: nothing is drawn there.

    Args:
        connection: of a database of any version.
        known: the key's runs.
        start: in seconds since 1970.
        end: likewise.
        narrowest: seconds; what is not longer than that is left out.
        is_watched: whether the key is watched at `end`, so that the time since the last run is no gap.
    """
    if narrowest < UNWATCHED_AFTER:
        holes = connection.execute(_holes(connection, known, start, end)).all()
        wanted = [(row.begun_at, row.done_at) for row in holes if _is_gap(row.done_at - row.begun_at, row[2:])]
    else:
        wanted = list(_wide_holes(connection, known, start, end, narrowest))
    cut = ((max(begun_at, start), min(done_at, end)) for begun_at, done_at in wanted)
    found = [(begun_at, done_at) for begun_at, done_at in cut if done_at - begun_at > narrowest]
    if not is_watched:
        last = _last_seen(connection, known, end)
        if last is not None and end - max(last[0], start) > narrowest and _is_gap(end - last[0], last[1]):
            found.append((max(last[0], start), end))
    return found


def _is_gap(length: int, around: Sequence[int | None]) -> bool:
    if length > UNWATCHED_AFTER:
        return True
    alike = sum(other is not None and 5 * other >= 2 * length for other in around)
    return length > LEAST and alike < _AROUND


def _holes(connection: sa.Connection, known: Condition, start: int, end: int) -> sa.Select[Any]:
    """Select begin and end of the holes between runs that may be gaps, with the lengths of those around each.

    A hole is from the last end of all runs that started before to the next start: runs are in the order of recording,
    which is not that of their times where a clock was put back.
    """
    by_start = (RUNS.c.started_at, RUNS.c.ended_at, RUNS.c.number)
    ended_before = sa.func.max(RUNS.c.ended_at).over(order_by=by_start, rows=(None, -1))
    holes = (
        sa.select(
            ended_before.label("begun_at"),
            RUNS.c.started_at.label("done_at"),
            greatest(RUNS.c.started_at - ended_before, sa.literal(0)).label("length"),
            RUNS.c.number,
        )
        .where(known, RUNS.c.ended_at >= _before(connection, known, start), RUNS.c.started_at <= end)
        .subquery()
    )
    order = (holes.c.done_at, holes.c.number)
    distances = range(1, _AROUND + 1)
    around = [sa.func.lag(holes.c.length, n).over(order_by=order).label(f"before_{n}") for n in distances]
    around += [sa.func.lead(holes.c.length, n).over(order_by=order).label(f"after_{n}") for n in distances]
    each = sa.select(holes.c.begun_at, holes.c.done_at, *around).subquery()
    is_long = (each.c.done_at - each.c.begun_at > LEAST) & (each.c.done_at > start)
    return sa.select(each).where(is_long).order_by(each.c.done_at)


def _wide_holes(
    connection: sa.Connection, known: Condition, start: int, end: int, narrowest: int
) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the holes that are longer than `narrowest`, whatever is around them.

    The runs that start in the same part of half that length have no such hole between them, so that the first start and
    the last end of each part are enough. Over five years of polls that takes a tenth of the time of `_holes`.
    """
    part = RUNS.c.started_at // (narrowest // 2)
    parts = (
        sa.select(sa.func.min(RUNS.c.started_at).label("first"), sa.func.max(RUNS.c.ended_at).label("last"))
        .where(known, RUNS.c.ended_at >= _before(connection, known, start), RUNS.c.started_at <= end)
        .group_by(part)
        .order_by(part)
    )
    last: int | None = None
    for row in connection.execute(parts):
        if last is not None and row.first - last > narrowest:
            yield last, row.first
        last = row.last if last is None else max(last, row.last)


def _before(connection: sa.Connection, known: Condition, start: int) -> int:
    """Return when a run ended before which none is needed: two holes before the one that crosses `start`."""
    ended = sa.select(RUNS.c.ended_at).where(known, RUNS.c.ended_at < start)
    newest = connection.execute(ended.order_by(RUNS.c.ended_at.desc()).limit(_AROUND + 1)).scalars().all()
    return min(newest, default=0)


def _last_seen(connection: sa.Connection, known: Condition, end: int) -> tuple[int, list[int]] | None:
    """Return when the key was last seen before `end`, and the times between its last runs; None when never."""
    last = sa.select(RUNS.c.ended_at).where(known, RUNS.c.started_at <= end)
    ended_at = connection.execute(last.order_by(RUNS.c.ended_at.desc()).limit(1)).scalar_one_or_none()
    if ended_at is None:
        return None
    runs = sa.select(RUNS.c.started_at, RUNS.c.ended_at).where(known, RUNS.c.started_at <= end)
    newest = connection.execute(runs.order_by(RUNS.c.number.desc()).limit(_AROUND + 1)).all()
    return ended_at, [later.started_at - run.ended_at for later, run in pairwise(newest)]
