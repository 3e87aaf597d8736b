"""What the demo account spent in the days before, for a history to begin with.

Every number is what the simulator answers at that instant, read and assessed like any other answer; so the history ends
where the live document begins.
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

    Seen = tuple[Decimal, Decimal]

DAYS = 30

_SECRET = simulator.key_for("demo")
KEY = fingerprint(_SECRET)
"""How a history knows the demo's key."""

_STEP, _HOUR = timedelta(minutes=5), timedelta(hours=1)


def fill(history: History, until: datetime) -> None:
    """Record what the demo's key was seen to spend in the 30 days before an instant: as if asked every five minutes.

    Of the 30 days before `simulator.DEMO_INSTANT` all but the last four are nearly idle. The sample document, which the
    demo shows at that instant, forces it: its week and its month have the same usage, so nothing was spent from the 1st
    to the 8th, and all that was ever spent before that is ten cents.

    Args:
        history: will know the key as `KEY`.
        until: aware; what is seen from then on is for others to record.

    Raises:
        HistoryError: the database cannot be used.
    """
    history.record_all(KEY, (_balance(at) for at in _looks(until.astimezone(UTC))))


def _looks(until: datetime) -> Iterator[datetime]:
    """Give the instants that tell something: where the same is seen before and after, a look changes no run."""
    previous, before = None, None
    for at, seen in _seen(until):
        if seen == before:
            previous = at
            continue
        if previous is not None:
            yield previous
        yield at
        previous, before = None, seen
    if previous is not None:
        yield previous


def _seen(until: datetime) -> Iterator[tuple[datetime, Seen]]:
    """Give what is seen every five minutes; of an hour in which nothing is spent, only at its beginning and its end."""
    hour = (until - DAYS * timedelta(days=1)).replace(minute=0, second=0, microsecond=0) + _HOUR
    seen = _spent(hour)
    while hour < until:
        next_seen = _spent(hour + _HOUR)
        steps = range(1, _HOUR // _STEP) if next_seen != seen else [_HOUR // _STEP - 1]
        yield hour, seen
        for at in (hour + step * _STEP for step in steps):
            if at < until:
                yield at, _spent(at)
        hour, seen = hour + _HOUR, next_seen


def _spent(at: datetime) -> Seen:
    """Give the all-time usage, which never falls, and the month's, which begins anew on the hour."""
    usage = simulator.demo_usage(at)
    return usage.total, usage.month


def _balance(at: datetime) -> Balance:
    """Ask and assess, as the client would have done then."""
    request = simulator.Request("GET", f"{simulator.API_PREFIX}/key", {"authorization": f"Bearer {_SECRET}"})
    answer = simulator.respond(request, at)
    key = read_data(KeyInfo, answer.body, media_type="application/json", secrets=[SecretStr(_SECRET)])
    return assess(key, None, at)
