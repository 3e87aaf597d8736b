"""What was spent recently, since when that was watched, and what OpenRouter counts beyond it."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.models import Counted
from orcredit.history.queries import is_later, newest_usage, spend_of_spans, usage_at
from orcredit.history.record import CALENDAR
from orcredit.history.schema import DAY, HOUR, KEYS, WEEK, to_instant, to_usd

if TYPE_CHECKING:
    from datetime import datetime

    from orcredit.history.queries import Condition

_SPANS = {"last_hour": HOUR, "last_day": DAY, "last_week": WEEK}
_PERIODS = ("today", "this_week", "this_month")
"""In the order of `CALENDAR`."""


def recent_spend(connection: sa.Connection, known: Condition, now: int, seen: tuple[int, int]) -> dict[str, Any]:
    """Return the fields of `Recent` about the last hour, day and week.

    Args:
        connection: of a database of any version.
        known: the key's runs.
        now: in seconds since 1970.
        seen: when the key was first and last seen.
    """
    fields: dict[str, Any] = {}
    sums = iter(connection.execute(spend_of_spans(known, now, list(_SPANS.values()))).one())
    for (name, span), amount, gap_end in zip(_SPANS.items(), sums, sums, strict=False):
        if seen[1] < now - span:
            continue
        begun_at = gap_end or (seen[0] if is_later(seen[0], now - span) else None)
        fields[name] = to_usd(amount or 0)
        fields[f"{name}_since"] = None if begun_at is None else to_instant(begun_at)
        fields[f"{name}_estimated"] = gap_end is not None
    return fields


def counted_by_calendar(connection: sa.Connection, key: str, known: Condition, now: datetime) -> dict[str, Any]:
    """Return the fields of `Recent` about the present UTC day, week and month, where OpenRouter said what it counts.

    Args:
        connection: of a database of the present version.
        key: its fingerprint.
        known: its runs.
        now: aware.
    """
    row = connection.execute(sa.select(KEYS).where(KEYS.c.fingerprint == key)).one_or_none()
    if row is None or row.calendar_at is None:
        return {}
    newest = newest_usage(connection, known)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = (midnight, midnight - timedelta(days=midnight.weekday()), midnight.replace(day=1))
    fields: dict[str, Any] = {}
    for name, column, start in zip(_PERIODS, CALENDAR, starts, strict=True):
        second = int(start.timestamp())
        if row.calendar_at >= second:
            counted = max(newest - getattr(row, column), 0)
            seen = max(newest - usage_at(connection, known, second), 0)
            fields[name] = Counted(counted=to_usd(counted), seen=to_usd(min(seen, counted)))
    return fields
