"""The options that `config.toml` may set, and how their values are checked.

A value is checked when the file is read, so that a mistake is reported with its line, whichever command is run.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orcredit.durations import duration_text, parse_duration, parse_since
from orcredit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_PORT = 65535
_LONGEST_TEXT = 4096


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT:
        raise UsageError("a text in quotes is expected", hint="")
    return value.strip()


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError("true or false is expected", hint="")
    return value


def _number_or_text(value: object) -> str:
    """Accept `10` for `"10"`, as on the command line."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return f"{value:.10g}"
    return _text(value)


def _duration(shortest: float, longest: float) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _number_or_text(value)
        duration = parse_duration(text)
        if not timedelta(seconds=shortest) <= duration <= timedelta(seconds=longest):
            problem = f"{text[:40]!r} is too {'short' if duration.total_seconds() < shortest else 'long'}"
            most = duration_text(timedelta(seconds=longest))
            least = duration_text(timedelta(seconds=shortest)) if shortest >= 1 else "more than 0"
            raise UsageError(problem, hint=f"Accepted: {least}{' or more' if shortest >= 1 else ''}, at most {most}.")
        return text

    return check


def _since(value: object) -> str:
    text = _text(value)
    parse_since(text, datetime.now(UTC))
    return text


def _thresholds(value: object) -> list[str]:
    from orcredit.balance import Threshold  # noqa: PLC0415 - only for files that set them

    texts = [_number_or_text(each) for each in (value if isinstance(value, list) else [value])]
    texts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    for text in texts:
        Threshold.parse(text)
    if not texts:
        raise UsageError("a threshold is expected", hint='Example: ["10%", "5"]')
    return texts


def _base_url(value: object) -> str:
    from orcredit.config.credentials import checked_address  # noqa: PLC0415 - as above

    text = _text(value)
    checked_address(text, "base_url")
    return text


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST_PORT:
        raise UsageError(f"a whole number from 0 to {LONGEST_PORT} is expected", hint="")
    return value


def _texts(value: object) -> list[str]:
    return [_text(each) for each in (value if isinstance(value, list) else [value])]


def _when(value: object) -> str:
    if value not in {"always", "never"}:
        raise UsageError('"always" or "never" is expected', hint="")
    return str(value)


_DAY = 86400.0
_TEN_YEARS = 3650 * _DAY

OPTIONS: dict[str, Callable[[object], Any]] = {
    "base_url": _base_url,
    "warn_below": _thresholds,
    "timeout": _duration(1e-6, _DAY),
    "verbose": _switch,
    "interval": _duration(1, _TEN_YEARS),
    "database_url": _text,
    "no_history": _switch,
    "no_bell": _switch,
    "host": _text,
    "port": _port,
    "open": _switch,
    "token_file": _text,
    "allow_host": _texts,
    "since": _since,
    "every": _duration(1, _TEN_YEARS),
    "max_age": _duration(1, _TEN_YEARS),
    "format": _text,
    "color": _when,
    "exit_zero": _switch,
}
"""Every option by its name in the file, with the function that checks and returns its value; it raises UsageError."""

OF_SERVER = frozenset({"host", "port", "open", "token_file", "allow_host"})
"""Options of a server, which may show several profiles: they are no options of one."""

NOT_IN_THE_FILE = {
    "json": "it changes what scripts read",
    "csv": "it changes what scripts read",
    "quiet": "a command that prints nothing looks broken",
    "demo": "it would pass made-up amounts for yours",
    "count": "it is for one call",
}
"""Options that the file may not set, and why."""
