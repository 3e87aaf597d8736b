"""What is known of a key's week, in a small file in the user's state directory.

`watch`, `serve` and `history` learn it of the history and store it; every command that forecasts reads it, and none
needs to open a database for that. There is one file per base URL and key, named as those of `orcredit.cache`; no key is
stored in it. A file that is invalid, of another format, another user's, from the future or out of date counts as
absent. Failures are logged at debug level, and nothing is raised.
"""

from __future__ import annotations

import json
import math
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orcredit.config.credentials import fingerprint
from orcredit.history.spool import directory
from orcredit.private_files import is_own_folder, make_private, read_private, replace

if TYPE_CHECKING:
    from orcredit.balance.week import Week
    from orcredit.history.history import History

FORMAT = 1
"""Version of the file's format, to be raised with every change; files of other versions count as absent."""

LARGEST = 1 << 14
"""Bytes; 168 shares and a few numbers have 4 KB."""

OUT_OF_DATE = timedelta(days=8)
"""Since the last hour that is known."""

_AHEAD = timedelta(hours=1)
"""By which the clock may have been set back since."""

_HOURS = 168
_NUMBERS = ("level", "growth", "wild", "noise", "doubt", "drift", "growth_doubt")
_LARGEST_NUMBER = 1e15
_LARGEST_GROWTH = 0.1
"""A day, as a logarithm: a factor of two a week. None that is learned is as large."""


def path_of(base_url: str, key: str) -> str | None:
    """Return the path of the file for a base URL and a key; None for a user without a home directory."""
    folder = directory()
    if folder is None:
        return None
    return os.path.join(folder, f"{fingerprint(base_url)}-{fingerprint(key)}.week")  # noqa: PTH118


def load(base_url: str, key: str, now: datetime | None = None) -> Week | None:
    """Return what is known of a key's week; None if nothing is, or it is out of date.

    Args:
        base_url: as `orcredit.config.credentials` returns it.
        key: only its hash is used.
        now: by this machine's clock, aware UTC; None for the present time.
    """
    path = path_of(base_url, key)
    if path is None or not is_own_folder(os.path.dirname(path)):  # noqa: PTH120
        return None
    try:
        week = _week(json.loads(read_private(path, LARGEST)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        _log("what is known of the week could not be read: %s", error)
        return None
    now = datetime.fromtimestamp(time.time(), UTC) if now is None else now
    return week if week is not None and -_AHEAD <= now - week.until <= OUT_OF_DATE else None


def store(base_url: str, key: str, week: Week) -> None:
    """Store what is known of a key's week.

    Args:
        base_url: as for `load`.
        key: as for `load`.
        week: of that key.
    """
    path = path_of(base_url, key)
    if path is None:
        return
    try:
        numbers = {name: getattr(week, name) for name in _NUMBERS}
        whole = {"format": FORMAT, "until": week.until.timestamp(), "days": week.days, **numbers, "shares": week.shares}
        make_private(os.path.dirname(path))  # noqa: PTH120
        replace(path, json.dumps(whole, allow_nan=False).encode() + b"\n")
    except (OSError, ValueError) as error:
        _log("what is known of the week could not be stored: %s", error)


def refresh(history: History, base_url: str, key: str, now: datetime | None = None) -> None:
    """Learn a key's week of a history, and store it; blocks for about a tenth of a second.

    Where nothing can be learned, what is stored stays until it is out of date: another history may know the key.

    Args:
        history: that the key is recorded in.
        base_url: as for `load`.
        key: as for `load`.
        now: as for `load`.
    """
    from orcredit.balance.learning import DAYS, learn  # noqa: PLC0415 - not needed to read
    from orcredit.errors import HistoryError  # noqa: PLC0415 - likewise

    now = datetime.fromtimestamp(time.time(), UTC) if now is None else now
    try:
        week = learn(history.hourly(fingerprint(key), now, DAYS * 24), now)
    except HistoryError as error:
        _log("the week could not be learned: %s", error)
        return
    if week is not None:
        store(base_url, key, week)


def _week(whole: dict[str, object]) -> Week | None:
    """Return the week in a file's content; None if it is of another format or invalid. Raises what invalid types do."""
    if whole["format"] != FORMAT:
        return None
    shares = whole["shares"]
    numbers = {name: _number(whole[name]) for name in _NUMBERS}
    days, until = whole["days"], _number(whole["until"])
    if not isinstance(shares, list) or len(shares) != _HOURS or not isinstance(days, int):
        return None
    valid_shares = tuple(_number(share) for share in shares)
    is_valid = (
        min(valid_shares) >= 0
        and math.isclose(sum(valid_shares), 7, rel_tol=1e-3)
        and all(numbers[name] >= 0 for name in _NUMBERS if name != "growth")
        and numbers["level"] > 0
        and numbers["wild"] >= 1
        and abs(numbers["growth"]) <= _LARGEST_GROWTH
    )
    if not is_valid:
        return None
    from orcredit.balance.week import Week  # noqa: PLC0415 - not needed where there is no file

    return Week(shares=valid_shares, days=days, until=datetime.fromtimestamp(until, UTC), **numbers)


def _number(value: object) -> float:
    """Return a number of JSON; raises ValueError for anything else, and for what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_NUMBER:
        raise ValueError("not a number")
    return float(value)


def _log(text: str, error: Exception) -> None:
    from logging import getLogger  # noqa: PLC0415 - rarely needed

    getLogger("orcredit").debug(text, getattr(error, "strerror", None) or type(error).__name__)
