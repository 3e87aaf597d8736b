"""Polling: when to ask, what is known after each answer, and what happened since the one before.

`Poller` asks on a schedule, `Hub` runs any number of them, `Snapshot` is what is known after a poll, `Event` is what
happened between two of them, as data (`orcredit.words` puts it into words).
"""

from __future__ import annotations

from orcredit.monitor.events import (
    BudgetReset,
    Event,
    EventKind,
    HistoryRecovered,
    HistoryUnavailable,
    InternalError,
    LevelChanged,
    Recovered,
    Refused,
    Unreachable,
)
from orcredit.monitor.hub import Hub, Sink
from orcredit.monitor.poller import BalancePoller, Poller, delay
from orcredit.monitor.snapshot import EVENTS_KEPT, Snapshot

__all__ = [
    "EVENTS_KEPT",
    "BalancePoller",
    "BudgetReset",
    "Event",
    "EventKind",
    "HistoryRecovered",
    "HistoryUnavailable",
    "Hub",
    "InternalError",
    "LevelChanged",
    "Poller",
    "Recovered",
    "Refused",
    "Sink",
    "Snapshot",
    "Unreachable",
    "delay",
]
