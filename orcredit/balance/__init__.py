"""How much can still be spent, what limits it and until when: pure functions of OpenRouter's answers and the time."""

from __future__ import annotations

from orcredit.balance.balance import (
    ATTENTION,
    IN_FLIGHT_BELOW,
    NOT_URGENT,
    Account,
    Balance,
    Byok,
    FreeRequests,
    Key,
    Level,
    assess,
)
from orcredit.balance.budget import KEY_LIMIT, Budget, next_reset
from orcredit.balance.forecast import Pace
from orcredit.balance.threshold import (
    ACCOUNT_CREDIT,
    DEFAULT_THRESHOLDS,
    THRESHOLD_FORMS,
    Breach,
    Threshold,
    in_force,
)

__all__ = [
    "ACCOUNT_CREDIT",
    "ATTENTION",
    "DEFAULT_THRESHOLDS",
    "IN_FLIGHT_BELOW",
    "KEY_LIMIT",
    "NOT_URGENT",
    "THRESHOLD_FORMS",
    "Account",
    "Balance",
    "Breach",
    "Budget",
    "Byok",
    "FreeRequests",
    "Key",
    "Level",
    "Pace",
    "Threshold",
    "assess",
    "in_force",
    "next_reset",
]
