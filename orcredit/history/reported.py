"""What OpenRouter said afterwards that a key spent, by hours or days: storing it and reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from orcredit.history.schema import REPORTED, REPORTED_SINCE, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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


def rows_between(connection: sa.Connection, key: str, start: int, end: int) -> list[Row]:
    """Return what was reported of the time from `start` to `end`, oldest first; zeros are cut off there.

    Args:
        connection: of a database of version 5 or later.
        key: its fingerprint.
        start: in seconds since 1970.
        end: likewise.
    """
    rows = (
        sa.select(REPORTED.c.started_at, REPORTED.c.ended_at, REPORTED.c.spend)
        .where(REPORTED.c.key == key, REPORTED.c.ended_at > start, REPORTED.c.started_at < end)
        .order_by(REPORTED.c.started_at)
    )
    found = (Row(*row) for row in connection.execute(rows))
    return [row if row.spend else Row(max(row.start, start), min(row.end, end), 0) for row in found]


def whole_time(connection: sa.Connection, key: str) -> tuple[int, int] | None:
    """Return from when to when it was reported what was spent, in seconds since 1970; None where that is nothing.

    It begins with the first amount: before it, the key may not have existed.
    """
    if version_of(connection) < REPORTED_SINCE:
        return None
    first = sa.select(sa.func.min(REPORTED.c.started_at)).where(REPORTED.c.key == key, REPORTED.c.spend > 0)
    last = sa.select(sa.func.max(REPORTED.c.ended_at)).where(REPORTED.c.key == key)
    start, end = connection.execute(sa.select(first.scalar_subquery(), last.scalar_subquery())).one()
    return None if start is None else (int(start), int(end))


def keys_reported(connection: sa.Connection, keys: Sequence[str], start: int) -> set[str]:
    """Return those of the keys of which something was reported, zeros included, since a time, in seconds since 1970."""
    if version_of(connection) < REPORTED_SINCE:
        return set()
    wanted = sa.select(REPORTED.c.key).distinct().where(REPORTED.c.key.in_(sa.bindparam("keys", expanding=True)))
    return set(connection.execute(wanted.where(REPORTED.c.ended_at > start), {"keys": list(keys)}).scalars())
