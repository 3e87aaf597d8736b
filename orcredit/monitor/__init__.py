"""Polling: when to ask, what is known after each answer, and what happened since the one before.

`Poller` asks on a schedule, `Hub` runs any number of them, `Snapshot` is what is known after a poll, `Event` is what
happened between two of them, as data (`orcredit.words` puts it into words). `Rate` is how fast money is spent right
now, `Runaway` a rate that empties a budget or the credit within hours.
"""

from __future__ import annotations

from orcredit.monitor.events import (
    BudgetReset,
    CreditAdded,
    Event,
    EventKind,
    HistoryRecovered,
    HistoryUnavailable,
    InternalError,
    LevelChanged,
    Recovered,
    Refused,
    RunawayEnded,
    RunawayStarted,
    Unreachable,
)
from orcredit.monitor.hub import Hub, Sink
from orcredit.monitor.poller import BalancePoller, Poller, delay
from orcredit.monitor.rate import Rate, RateWindow, rate_of_usage
from orcredit.monitor.runaway import Runaway
from orcredit.monitor.snapshot import EVENTS_KEPT, Snapshot

__all__ = [
    "EVENTS_KEPT",
    "BalancePoller",
    "BudgetReset",
    "CreditAdded",
    "Event",
    "EventKind",
    "HistoryRecovered",
    "HistoryUnavailable",
    "Hub",
    "InternalError",
    "LevelChanged",
    "Poller",
    "Rate",
    "RateWindow",
    "Recovered",
    "Refused",
    "Runaway",
    "RunawayEnded",
    "RunawayStarted",
    "Sink",
    "Snapshot",
    "Unreachable",
    "delay",
    "rate_of_usage",
]
