"""The history of the demo account: what it spent in the 30 days before, but for a gap without polls.

Every sample is the simulator's, at its time, so the history is consistent with the live document.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orcredit import simulator
from orcredit.balance import assess
from orcredit.config.credentials import fingerprint
from orcredit.history.seen import NUMBERS, Seen, to_grains
from orcredit.openrouter import KeyInfo
from orcredit.simulator.answers import key_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orcredit.balance import Balance, Threshold
    from orcredit.history import History

DAYS = 30

KEY = fingerprint(simulator.key_for("demo"))
"""The fingerprint of the demo's key."""

_ACCOUNT = simulator.ACCOUNTS["demo"]
_LIMIT = to_grains(_ACCOUNT.limit) or 0
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_STEP = 5 * _MINUTE
_BY_THE_MINUTE = timedelta(hours=2)

_GAP_EVERY = timedelta(days=21)
_FIRST_GAP = datetime(2026, 1, 6, 15, tzinfo=UTC)
_GAP = timedelta(hours=42)
"""From a Tuesday's afternoon to Thursday morning, every third week: there is always one in 30 days."""
_GAP_AGO = timedelta(days=3)
"""A gap is one only later: the last days are always complete."""


def fill(history: History, until: datetime) -> None:
    """Record the demo's samples of the 30 days before a time: every five minutes, and every minute of the last hours.

    Args:
        history: the key's fingerprint in it is `KEY`.
        until: aware; exclusive.

    Raises:
        HistoryError: the database cannot be used.
    """
    history.record_seen(KEY, list(_samples(until - DAYS * _DAY, until)), label=_ACCOUNT.label)


def times(until: datetime) -> list[datetime]:
    """Return the times of the samples that `fill` records, oldest first; aware UTC."""
    return [at for at in _times(until.astimezone(UTC)) if at >= until - DAYS * _DAY]


def balance(at: datetime, thresholds: Sequence[Threshold]) -> Balance:
    """Return the balance that a client would have had at a time.

    Args:
        at: aware UTC.
        thresholds: as `assess` takes them.
    """
    key = KeyInfo.model_validate(key_data(simulator.key_for("demo"), _ACCOUNT, at))
    return assess(key, None, at, thresholds)


def _samples(since: datetime, until: datetime) -> Iterator[Seen]:
    return (_seen(at) for at in _times(until.astimezone(UTC)) if at >= since)


def _times(until: datetime) -> Iterator[datetime]:
    """Yield the times of all samples before a time, which is in UTC."""
    at = (until - DAYS * _DAY).replace(minute=0, second=0, microsecond=0) + _HOUR
    while at < until:
        has_gap_ended = at - (at - _FIRST_GAP) % _GAP_EVERY + _GAP < until - _GAP_AGO
        if not has_gap_ended or (at - _FIRST_GAP) % _GAP_EVERY >= _GAP:
            yield at
        at += _STEP if until - at > _BY_THE_MINUTE else _MINUTE


def _seen(at: datetime) -> Seen:
    """Return what a history stores of the balance that a client would have had at that time."""
    usage = simulator.demo_usage(at)
    total, month, week, day = (int(amount.scaleb(8)) for amount in usage)  # whole: `to_grains` takes four times as long
    amounts = total, 0, _LIMIT, _LIMIT - month, _LIMIT - month, None
    return Seen(int(at.timestamp()), dict(zip(NUMBERS, amounts, strict=True)), (day, week, month))
