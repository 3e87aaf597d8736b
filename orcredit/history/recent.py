"""What was spent recently, since when that was watched, and what OpenRouter counts beyond it."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.combined import covered
from orcredit.history.models import Counted
from orcredit.history.queries import (
    SEEN_GAP,
    is_later,
    newest_usage,
    spend_of_spans,
    usage_at,
)
from orcredit.history.record import CALENDAR
from orcredit.history.schema import DAY, HOUR, KEYS, WEEK, to_instant, to_usd

if TYPE_CHECKING:
    from datetime import datetime

    from orcredit.history.combined import Combined
    from orcredit.history.queries import Condition

_SPANS = {"last_hour": HOUR, "last_day": DAY, "last_week": WEEK}
_PERIODS = ("today", "this_week", "this_month")
"""In the order of `CALENDAR`."""


def first_needed(now: datetime, seen: tuple[int, int] | None) -> int:
    """Return the second since 1970 from which on the functions below need to know what was combined."""
    week, month = int(now.timestamp()) - WEEK, int(_starts(now)[-1].timestamp())
    # By the calendar only what is from before the key was first seen.
    return min(week, month) if seen is not None and seen[0] > week else week


def recent_spend(
    connection: sa.Connection, known: Condition, now: int, seen: tuple[int, int] | None, combined: Combined | None
) -> dict[str, Any]:
    """Return the fields of `Recent` about the last hour, day and week.

    Args:
        connection: of a database of any version.
        known: the key's runs.
        now: in seconds since 1970.
        seen: when the key was first and last seen; None when never.
        combined: of the time since `first_needed`; None where nothing was reported.
    """
    fields: dict[str, Any] = {}
    times = covered(seen, combined)
    longest_step = None if combined is None else combined.longest_step
    sums = connection.execute(spend_of_spans(known, now, list(_SPANS.values()), longest_step=longest_step)).one()
    for (name, span), amount, gap_end in zip(_SPANS.items(), sums[::2], sums[1::2], strict=True):
        start = now - span
        if not times or times[-1][1] < start:
            continue
        pieces = [piece for piece in (combined.pieces if combined else ()) if piece.begun_at <= now]
        pieces = [piece for piece in pieces if piece.done_at > start]
        shared = [piece for piece in pieces if piece.begun_at < start and piece.done_at - piece.begun_at > SEEN_GAP]
        begun = [gap_end, *(piece.done_at for piece in shared if piece.amount and not piece.is_reported)]
        is_estimated = any(each is not None for each in begun) or any(piece.amount for piece in shared)
        if is_later(times[-1][0], start):
            begun.append(times[-1][0])
            is_estimated |= len(times) > 1 and times[-2][1] > start
        fields[name] = to_usd((amount or 0) + sum(piece.between(start, now + 1) for piece in pieces))
        since = max((each for each in begun if each is not None), default=None)
        fields[f"{name}_since"] = None if since is None else to_instant(since)
        fields[f"{name}_estimated"] = is_estimated
    return fields


def counted_by_calendar(
    connection: sa.Connection, key: str, known: Condition, now: datetime, combined: Combined | None
) -> dict[str, Any]:
    """Return the fields of `Recent` about the present UTC day, week and month, where OpenRouter said what it counts.

    What was reported of the time before the key was first seen counts as seen.

    Args:
        connection: of a database of the present version.
        key: its fingerprint.
        known: its runs.
        now: aware.
        combined: as for `recent_spend`.
    """
    row = connection.execute(sa.select(KEYS).where(KEYS.c.fingerprint == key)).one_or_none()
    if row is None or row.calendar_at is None:
        return {}
    newest = newest_usage(connection, known)
    fields: dict[str, Any] = {}
    for name, column, start in zip(_PERIODS, CALENDAR, _starts(now), strict=True):
        second = int(start.timestamp())
        if row.calendar_at >= second:
            counted = max(newest - getattr(row, column), 0)
            seen = max(newest - usage_at(connection, known, second), 0) + _before_first(combined, second)
            fields[name] = Counted(counted=to_usd(counted), seen=to_usd(min(seen, counted)))
    return fields


def _starts(now: datetime) -> tuple[datetime, datetime, datetime]:
    """Return the beginnings of the UTC day, week and month."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, midnight - timedelta(days=midnight.weekday()), midnight.replace(day=1)


def _before_first(combined: Combined | None, start: int) -> int:
    """Return what was reported since a time until the key was first seen, in grains."""
    pieces = combined.before_first if combined is not None else ()
    return sum(piece.between(start, piece.done_at) for piece in pieces if piece.done_at > start)
