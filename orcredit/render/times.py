"""Times for people: local time with its zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def format_instant(instant: datetime, *, seconds: bool = False) -> str:
    """Format a time as local time, with the weekday and the zone: `Sun 2026-03-01 01:00 CET`.

    Args:
        instant: aware.
        seconds: whether to include seconds.
    """
    try:
        local = instant.astimezone()
    except (OverflowError, OSError, ValueError):  # past the end of the calendar in local time
        local = instant
    clock = "%H:%M:%S" if seconds else "%H:%M"
    return f"{local:%a} {local.year:04}-{local:%m-%d {clock} %Z}"
