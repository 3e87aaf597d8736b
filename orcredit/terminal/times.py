"""Instants and durations in words: local time with its zone, and `16 d 7 h`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def format_instant(instant: datetime, *, seconds: bool = False) -> str:
    """Write an instant in local time, with the weekday and the zone: `Sun 2026-03-01 01:00 CET`.

    Args:
        instant: aware.
        seconds: whether to show them.
    """
    try:
        local = instant.astimezone()
    except (OverflowError, OSError, ValueError):  # "never", written as the last day of the year 9999
        local = instant
    clock = "%H:%M:%S" if seconds else "%H:%M"
    return f"{local:%a} {local.year:04}-{local:%m-%d {clock} %Z}"


def format_duration(duration: timedelta) -> str:
    """Write how long something takes in its two largest units: `16 d 7 h`, `3 h 5 min`, `12 min`, `under 1 min`."""
    seconds = int(duration.total_seconds())
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        return f"{days:,} d {hours} h" if hours else f"{days:,} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else "under 1 min"
