"""The `data` of the responses to `/key`, `/credits` and `/keys`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias, cast

from orcredit.simulator.accounts import Account, Budget, Usage
from orcredit.simulator.faults import MESSAGES
from orcredit.simulator.keys import hash_of, key_of, mask
from orcredit.simulator.spending import MILESTONES, usage_of, window

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefusedError(Exception):
    """A request that OpenRouter answers with an error."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or MESSAGES[status]


Rows: TypeAlias = list[dict[str, object]]


def iso(moment: datetime) -> str:
    """Format a time as OpenRouter does."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uuid(text: str) -> str:
    """Derive a UUID from a text."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


WORKSPACES = (uuid("workspace 1"), uuid("workspace 2"))
"""Ordinary accounts have the first one."""
USERS = ("user_simulated1", "user_simulated2")


def _amounts(account: Account, now: datetime) -> dict[str, object]:
    """Return the fields common to `/key` and the rows of `/keys`."""
    usage, byok = usage_of(account, now), account.byok
    remaining = None
    if account.limit is not None:
        counted_byok = byok.within(account.reset) if account.include_byok else Decimal(0)
        remaining = account.limit - usage.within(account.reset) - counted_byok
    return {
        "limit": account.limit,
        "limit_remaining": remaining,
        "limit_reset": None if account.limit is None else account.reset,
        "include_byok_in_limit": account.include_byok,
        "usage": usage.total,
        "usage_daily": usage.day,
        "usage_weekly": usage.week,
        "usage_monthly": usage.month,
        "byok_usage": byok.total,
        "byok_usage_daily": byok.day,
        "byok_usage_weekly": byok.week,
        "byok_usage_monthly": byok.month,
        "expires_at": None if account.expires_in is None else iso(now + account.expires_in),
        "creator_user_id": USERS[0],
        "workspace_id": WORKSPACES[0],
    }


def _budget(budget: Budget, now: datetime) -> dict[str, object]:
    ends_at = window(budget.reset, now)
    guarded = budget.scope not in {"workspace", "key_limit"}
    return {
        "scope": budget.scope,
        "limit_usd": budget.limit,
        "spend_usd": budget.spent,
        "remaining_usd": budget.limit - budget.spent,
        "reset_interval": budget.reset,
        "resets_at": iso(ends_at[1]) if ends_at else None,
        "include_byok": budget.include_byok,
        "budget_id": uuid("budget") if budget.scope == "workspace" else None,
        "guardrail_id": uuid(f"guardrail {budget.scope}") if guarded else None,
    }


def key_data(key: str, account: Account, now: datetime) -> dict[str, object]:
    """Return the `data` of `/key`."""
    amounts = _amounts(account, now)
    budgets = account.budgets
    if account.limit is not None:
        spent = account.limit - cast("Decimal", amounts["limit_remaining"])
        budgets = (*budgets, Budget("key_limit", account.limit, spent, account.reset, account.include_byok))
    blocking = next((budget for budget in budgets if budget.spent >= budget.limit), None)
    effective = blocking or min(budgets, key=lambda budget: budget.limit - budget.spent, default=None)
    used, allowed = account.free_requests
    if account.live:
        used = int(used * ((now - datetime.combine(now.date(), time(), UTC)) / timedelta(days=1)))
    data: dict[str, object] = {
        "label": account.label or mask(key),
        **amounts,
        "is_free_tier": account.free_tier,
        "is_management_key": account.management,
        "is_provisioning_key": account.management,
        "budgets": [_budget(budget, now) for budget in budgets],
        "effective_budget": _budget(effective, now) if effective else None,
        "free_model_daily_requests": {"used": used, "limit": allowed, "remaining": allowed - used},
        "organization_id": None,
        "allowed_data_regions": ["global"],
        "rate_limit": {"requests": -1, "interval": "10s", "note": "Deprecated, safe to ignore."},
        **account.extra,
    }
    return {name: value for name, value in data.items() if name not in account.omit}


def credits_data(account: Account, now: datetime) -> dict[str, object]:
    """Return the account's amounts, the `data` of `/credits` for a management key."""
    if account.cached_credits:
        now = now.replace(second=0, microsecond=0)
    used = usage_of(account, now).total + account.elsewhere
    bought = account.purchased or Decimal(0)
    if account.live:
        bought *= used // bought + 2
    return {"total_credits": bought, "total_usage": used}


def key_rows(name: str, account: Account, now: datetime) -> Rows:
    """Return the rows of all keys of the account except management keys."""
    each = round(account.elsewhere / max(account.other_keys, 1), 8)
    other = Account("", usage=Usage(each, each / 4, each / 20, each / 100))
    keys = [] if account.management else [(name, key_of(name), account)]
    numbered = (f"team-{number:03}" for number in range(1, account.other_keys + 1))
    keys += [(label, key_of(f"{label} of {name}"), other) for label in numbered]
    return [
        {
            **_amounts(owner, now),
            "name": key_name,
            "label": owner.label or mask(key),
            "hash": hash_of(key),
            "disabled": False,
            "created_at": iso(MILESTONES[0][0]),
            "updated_at": None,
            "last_used_at": iso(now) if usage_of(owner, now).total else None,
            "external_user": None,
        }
        for key_name, key, owner in keys
    ]


def key_page_offset(query: Mapping[str, str]) -> int:
    """Read the offset of a page; RefusedError for an invalid one."""
    offset = query.get("offset", "0")
    if not (offset.isascii() and offset.isdigit()) or len(offset) > 9:
        raise RefusedError(400, "offset must be a whole number, 0 or more")
    return int(offset)


def keys_page(name: str, account: Account, now: datetime, query: Mapping[str, str]) -> Rows:
    """Return a page of `/keys`; RefusedError for an invalid query."""
    offset = key_page_offset(query)
    if query.get("workspace_id", WORKSPACES[0]) != WORKSPACES[0]:
        raise RefusedError(404, "Workspace not found")
    return key_rows(name, account, now)[offset:][:100]
