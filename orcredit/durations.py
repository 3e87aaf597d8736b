"""Parse durations (`60`, `90s`, `5m`, `12h`, `3d`; m is minutes), and format them (`16 d 7 h`)."""

from __future__ import annotations

import re
from datetime import timedelta

from orcredit.errors import UsageError

DURATION_FORMS = "Accepted: seconds (60 or 90s), minutes (5m), hours (12h) or days (3d); at most 3650d."

LONGEST_DURATION = timedelta(days=3650)
"""Upper bound; larger values are mistakes and may overflow `datetime`."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS = {"": 1, "s": 1, "m": _MINUTE, "h": _HOUR, "d": _DAY}


def parse_duration(text: str, *, source: str | None = None) -> timedelta:
    """Parse a duration.

    Args:
        text: a number, whole or decimal, and its unit: `s` (the default), `m` (minutes, not months), `h` or `d`.
        source: the option that holds it, for the message.

    Raises:
        UsageError: anything else, or longer than `LONGEST_DURATION`; the hint shows the accepted forms.
    """
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhd]?)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if match is None or seconds > LONGEST_DURATION.total_seconds():
        name = f"{source}: " if source else ""
        raise UsageError(f"{name}{text[:40]!r} is not a duration.", hint=DURATION_FORMS)
    return timedelta(seconds=seconds)


def duration_text(duration: timedelta) -> str:
    """Format a duration exactly, as `parse_duration` accepts it, in the largest unit that keeps it whole: `90m`."""
    microseconds = duration // timedelta(microseconds=1)
    for unit in ("d", "h", "m", "s"):
        whole, rest = divmod(microseconds, _UNITS[unit] * 1_000_000)
        if not rest:
            return f"{whole}{unit}"
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06}".rstrip("0") + "s"


def format_duration(duration: timedelta) -> str:
    """Format a duration for people: `16 d 7 h`, `3 h 5 min`, `12 min`; below two minutes with seconds: `1 min 22 s`.

    A negative one is `0 s`.
    """
    seconds = max(int(duration.total_seconds()), 0)
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        return f"{days:,} d {hours} h" if hours else f"{days:,} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes > 1 or seconds == _MINUTE:
        return f"{minutes} min"
    return f"1 min {seconds - _MINUTE} s" if minutes else f"{seconds} s"
