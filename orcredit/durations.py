"""Parse durations (`60`, `90s`, `5m`, `12h`, `3d`; m is minutes) and dates, and format durations (`16 d 7 h`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from orcredit.errors import UsageError

DURATION_FORMS = "Accepted: seconds (60 or 90s), minutes (5m), hours (12h) or days (3d); at most 3650d."

LONGEST_DURATION = timedelta(days=3650)
"""Upper bound; larger values are mistakes and may overflow `datetime`."""

SINCE_FORMS = (
    "Accepted: durations (90s, 5m, 12h, 3d), today, week, month, and dates (2026-11-01, 2026-11-01T12:00, UTC unless "
    "they end with an offset such as +01:00)."
)

_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)

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


def parse_since(text: str, now: datetime, *, source: str | None = None) -> datetime:
    """Parse the beginning of a time until now.

    Args:
        text: how long ago, as `parse_duration` reads it; `today`, `week` (since Monday) or `month` (since the 1st), in
            UTC; or a date, perhaps with a time of day, in UTC unless it has an offset.
        now: aware.
        source: the option that holds it, for the message.

    Returns:
        Aware.

    Raises:
        UsageError: anything else, in the future, or longer ago than `LONGEST_DURATION`.
    """
    word = text.strip().lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        "today": midnight,
        "week": midnight - timedelta(days=midnight.weekday()),
        "month": midnight.replace(day=1),
    }
    if word in starts:
        return starts[word]
    date, shown = word.upper(), f"{f'{source}: ' if source else ''}{text[:40]!r}"
    if not _DATE.fullmatch(date):
        try:
            return now - parse_duration(text)
        except UsageError:
            raise UsageError(f"{shown} is neither a duration nor a date.", hint=SINCE_FORMS) from None
    try:
        beginning = datetime.fromisoformat(date)
        beginning = beginning if beginning.tzinfo is not None else beginning.replace(tzinfo=UTC)
        elapsed = now - beginning
    except (ValueError, OverflowError):
        raise UsageError(f"{shown} is not a date of the calendar.", hint=SINCE_FORMS) from None
    if elapsed <= timedelta(0):
        raise UsageError(f"{shown} is in the future.", hint=f"Now it is {now.astimezone(UTC):%Y-%m-%dT%H:%MZ}.")
    if elapsed > LONGEST_DURATION:
        raise UsageError(f"{shown} is too long ago.", hint=f"At most {LONGEST_DURATION.days} days.")
    return beginning


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
