"""The response to `/activity`: spend by day, model and endpoint."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from orcredit.simulator.answers import USERS, WORKSPACES, RefusedError, Rows, key_rows, uuid
from orcredit.simulator.spending import spent_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orcredit.simulator.accounts import Account

_MODELS = (
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", "Anthropic", Decimal("0.55")),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "OpenAI", Decimal("0.20")),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "Azure", Decimal("0.10")),
    ("google/gemini-2.5-flash", "google/gemini-2.5-flash", "Google", Decimal("0.15")),
)
"""Model, permanent slug, provider, share of the account's spend."""


def _spent_on(account: Account, day: date) -> Decimal:
    """Return what all keys of the account spent on a UTC day, in USD."""
    if account.live:
        start = datetime.combine(day, time(), UTC)
        return spent_until(start + timedelta(days=1)) - spent_until(start)
    # Three quarters of the all-time spend over 30 days; the amount is a fixed function of the day.
    return (account.usage.total + account.elsewhere) / 40 * (60 + day.toordinal() * 37 % 81) / 100


def _days(query: Mapping[str, str], now: datetime) -> list[date]:
    """Return the requested completed UTC days, the newest first."""
    days = [now.date() - timedelta(days=back) for back in range(1, 31)]
    if "date" not in query:
        return days
    wanted = [day for day in days if day.isoformat() == query["date"]]
    if not wanted:
        raise RefusedError(400, "date must be YYYY-MM-DD and one of the last 30 completed UTC days")
    return wanted


def activity_rows(name: str, account: Account, now: datetime, query: Mapping[str, str]) -> Rows:
    """Return a row per day, model and endpoint, and per workspace if grouped by it; RefusedError for a bad query."""
    grouped = query.get("group_by")
    if grouped not in {None, "workspace"}:
        raise RefusedError(400, "group_by must be workspace")
    # At most two keys spend, each with its own workspace and user.
    hashes = [str(row["hash"]) for row in key_rows(name, account, now)[:2]]
    shares = (Decimal("0.6"), Decimal("0.4")) if len(hashes) > 1 else (Decimal(1),)
    slices = [
        (workspace, share)
        for api_key_hash, workspace, user, share in zip(hashes, WORKSPACES, USERS, shares, strict=False)
        if query.get("api_key_hash", api_key_hash) == api_key_hash
        and query.get("workspace_id", workspace) == workspace
        and query.get("user_id", user) == user
    ]
    if not grouped:
        slices = [("", share)] if (share := sum((share for _, share in slices), Decimal(0))) else []
    rows: Rows = []
    for day in _days(query, now):
        spent = _spent_on(account, day)
        for model, permaslug, provider, weight in _MODELS if spent else ():
            for workspace, share in slices:
                usage = round(spent * weight * share, 8)
                byok = round(account.byok.total / 40 * weight * share, 8)
                tokens = int(usage * 150_000)
                rows.append(
                    {
                        "date": day.isoformat(),
                        "model": model,
                        "model_permaslug": permaslug,
                        "endpoint_id": uuid(model + provider),
                        "provider_name": provider,
                        "usage": usage,
                        "byok_usage_inference": byok,
                        "requests": 1 + tokens // 8_000,
                        "prompt_tokens": tokens,
                        "cached_tokens": tokens // 3,
                        "completion_tokens": tokens // 12,
                        "reasoning_tokens": tokens // 30,
                        **({"workspace_id": workspace} if grouped else {}),
                    }
                )
    return rows
