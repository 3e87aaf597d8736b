"""Durations as people type them: `60`, `90s`, `5m`, `12h`, `3d`."""

from __future__ import annotations

import re
from datetime import timedelta

from orcredit.errors import UsageError

DURATION_FORMS = "Accepted: seconds (60 or 90s), minutes (5m), hours (12h) or days (3d)."

LONGEST_DURATION = timedelta(days=36500)
"""A century: whoever asks for more means something else, and calendars end."""

_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Args:
        text: a number, whole or decimal, and its unit: `s`, `m` (minutes, never months), `h` or `d`; seconds without.

    Raises:
        UsageError: anything else, with the accepted forms as its hint.
    """
    match = re.fullmatch(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)([smhd]?)", text.strip())
    if match is None:
        raise UsageError(f"{text[:40]!r} is not a duration.", hint=DURATION_FORMS)
    try:
        duration = timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        duration = timedelta.max
    if duration > LONGEST_DURATION:
        raise UsageError(f"{text[:40]!r} is longer than a century.", hint=DURATION_FORMS)
    return duration
