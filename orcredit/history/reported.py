"""What OpenRouter said afterwards that a key spent, by hours or days: storing it and reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from orcredit.history.schema import REPORTED, REPORTED_SINCE, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


class Row(NamedTuple):
    """What was spent from a second since 1970 to another, in grains."""

    start: int
    end: int
    spend: int


def store(connection: sa.Connection, key: str, start: int, end: int, spent: Sequence[Row]) -> None:
    """Replace what was reported of a key from `start` to `end`, where the new report has an amount.

    One without any says less: it may be the answer about a key that the account does not hold. Amounts that were
    reported before stay, and nothing was spent in the rest of that time.

    Args:
        connection: of a database of the present version, in a transaction that no other writer shares.
        key: its fingerprint.
        start: in seconds since 1970.
        end: likewise, after it.
        spent: from `start` to `end`, without an overlap. In the rest of that time nothing was spent.
    """
    within = (REPORTED.c.key == key) & (REPORTED.c.ended_at > start) & (REPORTED.c.started_at < end)
    before = [
        Row(row.started_at, row.ended_at, row.spend) for row in connection.execute(sa.select(REPORTED).where(within))
    ]
    connection.execute(sa.delete(REPORTED).where(within))
    if not any(row.spend > 0 for row in spent):
        spent = before
    rows = [*_rests(before, start, end), *_without_holes(spent, start, end)]
    connection.execute(
        sa.insert(REPORTED),
        [{"key": key, "started_at": row.start, "ended_at": row.end, "spend": row.spend} for row in rows],
    )


def _rests(rows: Sequence[Row], start: int, end: int) -> Iterator[Row]:
    """Yield what lies outside of the time of those in which nothing was spent; of an amount the part is not known."""
    for row in rows:
        if row.spend == 0:
            if row.start < start:
                yield Row(row.start, start, 0)
            if row.end > end:
                yield Row(end, row.end, 0)


def _without_holes(spent: Sequence[Row], start: int, end: int) -> Iterator[Row]:
    at = start
    for row in sorted(row for row in spent if row.spend > 0):
        if row.start > at:
            yield Row(at, row.start, 0)
        yield row
        at = row.end
    if at < end:
        yield Row(at, end, 0)


_WITHIN = (
    sa.select(REPORTED.c.started_at, REPORTED.c.ended_at, REPORTED.c.spend)
    .where(
        REPORTED.c.key == sa.bindparam("of_key"),
        REPORTED.c.ended_at > sa.bindparam("beginning"),
        REPORTED.c.started_at < sa.bindparam("end"),
        REPORTED.c.started_at >= sa.bindparam("first"),
    )
    .order_by(REPORTED.c.started_at)
)
_OF_KEY = REPORTED.c.key == sa.bindparam("of_key")
_EDGES = sa.select(
    sa.select(REPORTED.c.started_at)
    .where(_OF_KEY, REPORTED.c.spend > 0)
    .order_by(REPORTED.c.started_at)
    .limit(1)
    .scalar_subquery(),
    sa.select(REPORTED.c.ended_at).where(_OF_KEY).order_by(REPORTED.c.started_at.desc()).limit(1).scalar_subquery(),
)
"""Of rows without overlaps: the first amount begins it, and the last row ends it."""
_LAST_BEGUN = (
    sa.select(REPORTED.c.started_at)
    .where(_OF_KEY, REPORTED.c.started_at <= sa.bindparam("beginning"))
    .order_by(REPORTED.c.started_at.desc())
    .limit(1)
)


def rows_between(connection: sa.Connection, key: str, start: int, end: int) -> list[Row]:
    """Return what was reported of the time from `start` to `end`, oldest first; zeros are cut off there.

    Args:
        connection: of a database of version 5 or later.
        key: its fingerprint.
        start: in seconds since 1970.
        end: likewise.
    """
    time = {"of_key": key, "beginning": start, "end": end}
    # Rows do not overlap: so none that began before this one reaches into the time, and older ones need not be read.
    first = connection.execute(_LAST_BEGUN, time).scalar()
    found = map(Row._make, connection.execute(_WITHIN, time | {"first": start if first is None else first}))
    return [row if row.spend else Row(max(row.start, start), min(row.end, end), 0) for row in found]


def whole_time(connection: sa.Connection, key: str, *, is_there: bool | None = None) -> tuple[int, int] | None:
    """Return from when to when it was reported what was spent, in seconds since 1970; None where that is nothing.

    It begins with the first amount: before it, the key may not have existed.

    Args:
        connection: of a database of any version.
        key: its fingerprint.
        is_there: whether its tables hold what was reported; None where that is not known.
    """
    if is_there is None:
        is_there = version_of(connection) >= REPORTED_SINCE
    if not is_there:
        return None
    start, end = connection.execute(_EDGES, {"of_key": key}).one()
    return None if start is None else (int(start), int(end))


def keys_reported(connection: sa.Connection, keys: Collection[str], start: int) -> set[str]:
    """Return those of the keys of which something was reported, zeros included, since a time, in seconds since 1970."""
    if not keys or version_of(connection) < REPORTED_SINCE:
        return set()
    of_keys = REPORTED.c.key.in_(sa.bindparam("keys", expanding=True))
    wanted = sa.select(REPORTED.c.key).distinct().where(of_keys)
    # The primary key finds what began since then without reading the years before.
    found = set(connection.execute(wanted.where(REPORTED.c.started_at >= start), {"keys": list(keys)}).scalars())
    others = [key for key in keys if key not in found]
    return found | set(connection.execute(wanted.where(REPORTED.c.ended_at > start), {"keys": others}).scalars())
