"""Durations as they are written on the command line: `60`, `90s`, `5m`, `12h`, `3d`; m is minutes."""

from __future__ import annotations

import re
from datetime import timedelta

from orcredit.errors import UsageError

DURATION_FORMS = "Accepted: 60 or 60s (seconds), 5m (minutes), 12h (hours), 3d (days); at most 3650d."

LONGEST = timedelta(days=3650)
"""Whoever means more than ten years meant something else, and the calendar ends before some of it."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> timedelta:
    """Read `60`, `90s`, `5m`, `12h` or `3d`; a bare number is seconds.

    Raises:
        UsageError: anything else, or longer than `LONGEST`; the hint shows the accepted forms.
    """
    match = re.fullmatch(r"([0-9]{1,12})([smhd]?)", text.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if match is None or seconds > LONGEST.total_seconds():
        raise UsageError(f"{text[:40]!r} is not a duration.", hint=DURATION_FORMS)
    return timedelta(seconds=seconds)
