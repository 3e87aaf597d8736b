"""Timestamps in logs."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

EARLIEST_YEAR = 2020
"""OpenRouter is younger; an earlier time in a log is another thing's."""

_FRACTION_DIGITS = 6
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - easier to check than a list
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)(?![\w:]))?"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_ISO = (
    rf"(?<!\d)(?P<year>20\d\d)[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T _]{_CLOCK}(?:[.,](?P<fraction>\d{{1,9}}))?{_ZONE}"
)
_ENGLISH = rf"(?<!\d)(?P<day>\d\d)[ /-](?P<name>{'|'.join(_MONTHS)})[ /-](?P<year>20\d\d)[ :]{_CLOCK}{_ZONE}"
_FORMS = tuple(re.compile(form) for form in (_ISO, _ENGLISH))
_FIELD = re.compile(r"""["'](?:time|timestamp|@timestamp|ts|datetime|asctime|date)["'] ?: ?["']""")
_START = 160
"""Characters at the start of a line in which its own timestamp stands."""

_OTHER_TIME = re.compile(r"(?:reset|expires?|until|retry)\w*\W{1,6}$", re.IGNORECASE)
"""Before a time that is not that of the line."""


def time_of(line: str) -> datetime | None:
    """Return when a line was logged: from its start, or from a field of its JSON.

    Args:
        line: of a log; a time without a zone is taken as this machine's local time, in which most tools log.

    Returns:
        Aware UTC; None without a timestamp.
    """
    if (found := _first(line[:_START])) is not None:
        return found
    field = _FIELD.search(line)
    return _first(line[field.end() : field.end() + _START]) if field is not None else None


def parse(text: str) -> datetime | None:
    """Return the first time in a text, aware UTC."""
    return _first(text)


def parse_epoch(digits: str) -> datetime | None:
    """Return the time of a number of seconds or milliseconds since 1970."""
    number = int(digits[:16])
    with suppress(OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(number / 1000 if number > 10**11 else number, UTC)
    return None


def _first(text: str) -> datetime | None:
    for form in _FORMS:
        for match in form.finditer(text):
            if not _OTHER_TIME.search(text[: match.start()]) and (instant := _instant(match)) is not None:
                return instant
    return None


def _instant(match: re.Match[str]) -> datetime | None:
    parts = match.groupdict()
    month = _MONTHS.index(parts["name"]) + 1 if "name" in parts else int(parts["month"])
    fraction = (parts.get("fraction") or "").ljust(_FRACTION_DIGITS, "0")[:_FRACTION_DIGITS]
    with suppress(ValueError, OverflowError, OSError):  # a 31st of February, the end of the calendar
        local = datetime(  # noqa: DTZ001 - the zone follows
            int(parts["year"]),
            month,
            int(parts["day"]),
            int(parts["hour"]),
            int(parts["minute"]),
            int(parts["second"]),
            int(fraction),
        )
        if local.year < EARLIEST_YEAR:
            return None
        zone = _zone(parts["zone"])
        return (local.replace(tzinfo=zone) if zone is not None else local).astimezone(UTC)
    return None


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
