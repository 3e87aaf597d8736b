"""What many keys spent on each day, in one query that takes as long for a day of many polls as for one of few."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.queries import LONGEST_STEP
from orcredit.history.schema import DAY, KEYS, RUNS, to_usd
from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal


def edges(now: int, days: int) -> list[int]:
    """Return when the last UTC days begin and end, the present one last; in seconds since 1970."""
    today = now // DAY
    return [day * DAY for day in range(today - days + 1, today + 2)]


def spend_by_day(
    connection: sa.Connection, keys: Iterable[str], instants: Sequence[int], horizon: int
) -> tuple[dict[str, list[Decimal | None]], set[str], dict[str, int]]:
    """Return what each key spent between each two instants: the differences of its all-time usage there.

    Usage between two polls is interpolated, as in `History.spend`. It is None where there was no poll between the two,
    but something was spent meanwhile, or may have been.

    Args:
        connection: of a database that has the table of keys.
        keys: their fingerprints.
        instants: in seconds since 1970, rising.
        horizon: runs that end later were recorded by a clock that was ahead.

    Returns:
        By key, without those that were not seen; the keys of which differences are not the spend: their usage fell
        since the first instant, or a clock was ahead; and by key since when there was no poll at the first instant,
        where that is so long that what was reported of it may count.
    """
    rows: dict[str, list[sa.Row[Any]]] = {}
    others: set[str] = set()
    unseen: dict[str, int] = {}
    for row in connection.execute(_at_each(instants), {"keys": list(keys)}):
        rows.setdefault(row.key, []).append(row)
        if (row.baseline_at or 0) >= instants[0] or (row.next_end or 0) > horizon:
            others.add(row.key)
        if row.at == instants[0] and (row.next_start or 0) - (row.last_end or row.next_start or 0) > LONGEST_STEP:
            unseen[row.key] = row.last_end
    spent = {
        key: [_spent(before, after) for before, after in pairwise(of_key)]
        for key, of_key in rows.items()
        if key not in others
    }
    return spent, others, unseen


def _at_each(instants: Sequence[int]) -> sa.Select[Any]:
    """Select, for every key and instant, the last run that ended by then and the one after it."""
    at = sa.union_all(*(sa.select(sa.literal(instant, sa.BigInteger).label("at")) for instant in instants)).subquery()
    number = (
        sa.select(RUNS.c.number)
        .where(RUNS.c.key == KEYS.c.fingerprint, RUNS.c.ended_at <= at.c.at)
        .order_by(RUNS.c.ended_at.desc(), RUNS.c.number.desc())
        .limit(1)
        .correlate(KEYS, at)
        .scalar_subquery()
    )
    places = (
        sa.select(KEYS.c.fingerprint.label("key"), KEYS.c.baseline_at, at.c.at, sa.func.coalesce(number, 0).label("n"))
        .select_from(KEYS.join(at, sa.true()))  # every key with every instant
        .where(KEYS.c.fingerprint.in_(sa.bindparam("keys", expanding=True)))
        .subquery()
    )
    last, following = RUNS.alias("last"), RUNS.alias("following")
    joined = places.outerjoin(last, (last.c.key == places.c.key) & (last.c.number == places.c.n)).outerjoin(
        following, (following.c.key == places.c.key) & (following.c.number == places.c.n + 1)
    )
    return (
        sa.select(
            places.c.key,
            places.c.baseline_at,
            places.c.at,
            places.c.n.label("number"),
            last.c.ended_at.label("last_end"),
            last.c.usage.label("last_usage"),
            following.c.started_at.label("next_start"),
            following.c.ended_at.label("next_end"),
            following.c.usage.label("next_usage"),
        )
        .select_from(joined)
        .order_by(places.c.key, places.c.at)
    )


def _spent(before: sa.Row[Any], after: sa.Row[Any]) -> Decimal | None:
    """Return what was spent between two instants."""
    is_unseen = before.number == after.number and (after.next_start is None or after.next_start >= after.at)
    if is_unseen:
        is_idle = before.number > 0 and before.next_usage == before.last_usage
        return ZERO if is_idle else None
    return to_usd(_usage(after) - _usage(before))


def _usage(row: sa.Row[Any]) -> int:
    """Return the usage at an instant, in grains; before the first poll that of the first poll."""
    if row.last_usage is None:
        return int(row.next_usage)
    if row.next_usage is None:
        return int(row.last_usage)
    begun_at = min(row.last_end, row.next_start)
    done_at = max(row.next_start, begun_at + 1)
    amount, span = row.next_usage - row.last_usage, done_at - begun_at
    elapsed = min(max(row.at - begun_at, 0), span)
    return int(row.last_usage + (amount // span) * elapsed + ((amount % span) * elapsed) // span)
