"""The response to `/activity`: spend by day, model and endpoint."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from orcredit.simulator.answers import RefusedError, Rows
from orcredit.simulator.parts import TOKENS_PER_DOLLAR, byok_per_day, counts, endpoint_id, parts, spent_between, weights

if TYPE_CHECKING:
    from collections.abc import Mapping


def _days(query: Mapping[str, str], now: datetime) -> list[date]:
    """Return the requested completed UTC days, the newest first."""
    days = [now.date() - timedelta(days=back) for back in range(1, 31)]
    if "date" not in query:
        return days
    wanted = [day for day in days if day.isoformat() == query["date"]]
    if not wanted:
        raise RefusedError(400, "date must be YYYY-MM-DD and one of the last 30 completed UTC days")
    return wanted


def activity_rows(name: str, now: datetime, query: Mapping[str, str]) -> Rows:
    """Return a row per day, model and endpoint, and per workspace if grouped by it; RefusedError for a bad query."""
    grouped = query.get("group_by")
    if grouped not in {None, "workspace"}:
        raise RefusedError(400, "group_by must be workspace")
    shares: defaultdict[tuple[str, str, str, str], Decimal] = defaultdict(Decimal)
    for part in parts(name):
        if (
            query.get("api_key_hash", part.key_hash) == part.key_hash
            and query.get("workspace_id", part.workspace_id) == part.workspace_id
            and query.get("user_id", part.user_id) == part.user_id
        ):
            for model, permaslug, provider, weight in weights(part):
                shares[part.workspace_id if grouped else "", model, permaslug, provider] += part.share * weight
    rows: Rows = []
    byok = byok_per_day(name)
    for day in _days(query, now):
        start = datetime.combine(day, time(), UTC)
        spent = spent_between(name, start, start + timedelta(days=1))
        for (workspace, model, permaslug, provider), share in shares.items() if spent else ():
            usage = round(spent * share, 8)
            rows.append(
                {
                    "date": day.isoformat(),
                    "model": model,
                    "model_permaslug": permaslug,
                    "endpoint_id": endpoint_id(model, provider),
                    "provider_name": provider,
                    "usage": usage,
                    "byok_usage_inference": round(byok * share, 8),
                    **counts(usage * TOKENS_PER_DOLLAR[model]),
                    **({"workspace_id": workspace} if grouped else {}),
                }
            )
    return rows
