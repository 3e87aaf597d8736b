"""Times for people: local time, with its zone where it stands alone."""

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


def near_instant(instant: datetime, now: datetime) -> str:
    """Format a time of the last days as local time, in few characters: `15:02`, `Mon 15:02`, `2026-11-03 15:02`.

    Args:
        instant: aware.
        now: aware; what is of the same day needs no date, what is of the six days before only the weekday.
    """
    local, today = instant.astimezone(), now.astimezone().date()
    days = (today - local.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if 0 < days < 7 else f"{local:%Y-%m-%d %H:%M}"
