"""What the prompt line shows of a balance, computed when the cache is written: reading it needs no arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.money import format_usd

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from orcredit.balance import Balance


def line_fields(balance: Balance) -> dict[str, Any]:
    """Return the fields by their names in the cache's file: amounts as text, times in seconds since 1970."""

    def instant(at: datetime | None) -> float | None:
        return None if at is None else at.timestamp()

    spendable, percentage, limiting = balance.spendable, balance.percent_left, balance.limiting
    rounds_to_zero = percentage == 0 and limiting is not None and limiting.remaining > 0
    free = balance.free_requests.remaining if balance.free_requests is not None else None
    return {
        "level": balance.level.value,
        "spendable": None if spendable is None else format_usd(spendable),
        "percent": None if percentage is None else "<0.1%" if rounds_to_zero else f"{percentage:f}%",
        "percentage": None if percentage is None else float(percentage),
        "limitedBy": balance.limited_by,
        "label": balance.key.label,
        "fetchedAt": instant(balance.fetched_at),
        "resetsAt": instant(limiting.resets_at) if limiting is not None else None,
        "refusedUntil": instant(balance.refused_until),
        "expiresAt": instant(balance.key.expires_at),
        "runsOutAt": instant(balance.pace.runs_out_at) if balance.pace is not None else None,
        "runsOutOf": _other_that_runs_out(balance),
        "isUpperBound": balance.pace is not None and balance.pace.is_upper_bound,
        "needsAttention": balance.needs_attention,
        "isFreeTier": bool(balance.key.is_free_tier) and spendable is None and not balance.usage,
        "freeRequests": None if free is None else max(free, 0),
    }


def _other_that_runs_out(balance: Balance) -> str | None:
    """Return the scope of what runs out first, with its period where several have it; None if it is what limits."""
    pace = balance.pace
    if pace is None:
        return None
    of_scope = [budget for budget in balance.budgets if budget.scope == pace.scope]
    if len(of_scope) <= 1:
        return pace.scope if pace.scope != balance.limited_by else None
    paced = [budget for budget in of_scope if budget.runs_out_at == pace.runs_out_at]
    if not paced or any(budget.is_limiting for budget in paced):
        return None
    return f"{paced[0].reset_period or 'lifetime'} {pace.scope}"
