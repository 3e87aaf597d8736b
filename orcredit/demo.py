"""The history of the demo account: what it spent in the 30 days before.

Every sample is the simulator's answer at that time, read and assessed like any other, so the history is consistent with
the live document.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from orcredit import simulator
from orcredit.balance import assess
from orcredit.config.credentials import fingerprint
from orcredit.openrouter import KeyInfo, read_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from orcredit.balance import Balance
    from orcredit.history import History

    UsagePair = tuple[Decimal, Decimal]

DAYS = 30

_SECRET = simulator.key_for("demo")
KEY = fingerprint(_SECRET)
"""The fingerprint of the demo's key."""

_STEP, _HOUR = timedelta(minutes=5), timedelta(hours=1)


def fill(history: History, until: datetime) -> None:
    """Record the demo's samples of the 30 days before a time, as if polled every five minutes.

    Of the 30 days before `simulator.DEMO_INSTANT` all but the last four are nearly idle. That follows from the sample
    document, which the demo shows at that instant: its week and its month have the same usage, so nothing was spent
    from the 1st to the 8th, and only ten cents before.

    Args:
        history: the key's fingerprint in it is `KEY`.
        until: aware; exclusive.

    Raises:
        HistoryError: the database cannot be used.
    """
    history.record_all(KEY, (_balance(at) for at in _sample_times(until.astimezone(UTC))))


def _sample_times(until: datetime) -> Iterator[datetime]:
    """Yield the first and last time of each run of equal usage; samples in between would not change the history."""
    previous, before = None, None
    for at, usage in _usages(until):
        if usage == before:
            previous = at
            continue
        if previous is not None:
            yield previous
        yield at
        previous, before = None, usage
    if previous is not None:
        yield previous


def _usages(until: datetime) -> Iterator[tuple[datetime, UsagePair]]:
    """Yield the usage every five minutes; in an hour without spending, only at its beginning and its end."""
    hour = (until - DAYS * timedelta(days=1)).replace(minute=0, second=0, microsecond=0) + _HOUR
    usage = _usage(hour)
    while hour < until:
        next_usage = _usage(hour + _HOUR)
        steps = range(1, _HOUR // _STEP) if next_usage != usage else [_HOUR // _STEP - 1]
        yield hour, usage
        for at in (hour + step * _STEP for step in steps):
            if at < until:
                yield at, _usage(at)
        hour, usage = hour + _HOUR, next_usage


def _usage(at: datetime) -> UsagePair:
    """Return the all-time usage, which never decreases, and the month's, which resets on a full hour."""
    usage = simulator.demo_usage(at)
    return usage.total, usage.month


def _balance(at: datetime) -> Balance:
    """Return the balance that a client would have had at that time."""
    request = simulator.Request("GET", f"{simulator.API_PREFIX}/key", {"authorization": f"Bearer {_SECRET}"})
    answer = simulator.respond(request, at)
    key = read_data(KeyInfo, answer.body, media_type="application/json", secrets=[SecretStr(_SECRET)])
    return assess(key, None, at)
