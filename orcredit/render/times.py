"""Instants in words: local time with its zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


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
