"""What the simulator answers for an account, and the balances that `assess` makes of such answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orcredit import simulator
from orcredit.balance import Balance, Threshold, assess, in_force
from orcredit.openrouter import Credits, KeyInfo

if TYPE_CHECKING:
    from orcredit.balance.forecast import Pace

NOW = datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
"""The instant of the original dashboard's sample."""


def ask(path: str, key: str, now: datetime = NOW) -> dict[str, Any]:
    request = simulator.Request("GET", f"{simulator.API_PREFIX}{path}", {"authorization": f"Bearer {key}"})
    data: dict[str, Any] = json.loads(simulator.respond(request, now).body)["data"]
    return data


def assess_account(name: str, *warn_below: str, with_credit: bool = False) -> Balance:
    key = KeyInfo.model_validate(ask("/key", simulator.key_for(name)))
    credits_ = None
    if with_credit:
        credits_ = Credits.model_validate(ask("/credits", simulator.management_key_for(name)))
    return assess(key, credits_, NOW, in_force([Threshold.parse(text) for text in warn_below]))


def assess_wire(data: dict[str, Any], credits_: dict[str, Any] | None = None) -> Balance:
    return assess(KeyInfo.model_validate(data), Credits.model_validate(credits_) if credits_ else None, NOW)


def budget(scope: str, limit: float, remaining: float, **more: object) -> dict[str, Any]:
    spent = {"spend_usd": limit - remaining, "reset_interval": "monthly", "resets_at": None, "include_byok": False}
    return {"scope": scope, "limit_usd": limit, "remaining_usd": remaining} | spent | more


def known_pace(balance: Balance) -> Pace:
    assert balance.pace is not None
    return balance.pace
