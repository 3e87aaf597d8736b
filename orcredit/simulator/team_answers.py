"""The `data` of the responses to `/workspaces`, `/keys` and `/credits` of a team."""

from __future__ import annotations

import functools
from decimal import Decimal
from typing import TYPE_CHECKING

from orcredit.simulator.accounts import Usage
from orcredit.simulator.answers import USERS, RefusedError, Rows, iso, key_page_offset, uuid
from orcredit.simulator.keys import hash_of, key_of, mask
from orcredit.simulator.spending import demo_usage
from orcredit.simulator.teams import HOSTILE, Team, TeamKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

PAGE = 100
"""Keys or workspaces a page."""


def workspace_id(index: int) -> str:
    """Return the id of a workspace by its index; the first one is that of ordinary accounts."""
    return uuid(f"workspace {index + 1}")


@functools.lru_cache(maxsize=20_000)
def _identity(name: str, number: int) -> tuple[str, str]:
    key = key_of(f"{number} of {name}")
    return hash_of(key), mask(key)


def hash_in(name: str, number: int) -> str:
    """Return the hash of a team's key by its number."""
    return _identity(name, number)[0]


def _usage(key: TeamKey, all_: Usage) -> Usage:
    total, month, week, day = (round(amount * key.share, 8) for amount in all_)
    return Usage(total + key.past, month, week, day)


def _row(name: str, number: int, key: TeamKey, all_: Usage, now: datetime) -> dict[str, object]:
    usage = _usage(key, all_)
    api_key_hash, label = _identity(name, number)
    row: dict[str, object] = {
        "name": key.name,
        "label": label,
        "hash": api_key_hash,
        "disabled": key.disabled,
        "limit": key.limit,
        "limit_remaining": None if key.limit is None else key.limit - usage.within(key.reset),
        "limit_reset": None if key.limit is None else key.reset,
        "include_byok_in_limit": False,
        "usage": usage.total,
        "usage_daily": usage.day,
        "usage_weekly": usage.week,
        "usage_monthly": usage.month,
        "byok_usage": 0,
        "byok_usage_daily": 0,
        "byok_usage_weekly": 0,
        "byok_usage_monthly": 0,
        "created_at": iso(now - key.age),
        "updated_at": None,
        "last_used_at": None if key.unused_for is None else iso(now - key.unused_for),
        "expires_at": None if key.expires_in is None else iso(now + key.expires_in),
        "creator_user_id": USERS[number % 2],
        "external_user": None,
        "workspace_id": workspace_id(key.workspace),
    }
    if key.name in HOSTILE:
        row |= {"galaxy": {"arm": "Orion", "ids": [1, None]}, "budgets_v9": [[]], "label": f"{label}\x1b[2J"}
    return row


def team_keys_page(name: str, team: Team, now: datetime, query: Mapping[str, str]) -> Rows:
    """Return a page of a workspace's keys; RefusedError for an invalid query or the page that fails."""
    offset = key_page_offset(query)
    ids = [workspace_id(index) for index in range(len(team.workspaces))]
    wanted = query.get("workspace_id", ids[0])
    if wanted not in ids:
        raise RefusedError(404, "Workspace not found")
    index = ids.index(wanted)
    if team.fails_at == (index, offset):
        raise RefusedError(503)
    chosen = [
        (number, key)
        for number, key in enumerate(team.keys)
        if key.workspace == index
        and (not key.disabled or query.get("include_disabled") == "true")
        and (not key.is_expired or query.get("include_expired") == "true")
    ]
    all_ = demo_usage(now)
    return [_row(name, number, key, all_, now) for number, key in chosen[offset:][:PAGE]]


def team_key_rows(name: str, team: Team, now: datetime) -> Rows:
    """Return the rows of all keys of all workspaces."""
    all_ = demo_usage(now)
    return [_row(name, number, key, all_, now) for number, key in enumerate(team.keys)]


def workspaces_page(names: tuple[str, ...], now: datetime, query: Mapping[str, str]) -> dict[str, object]:
    """Return the response to `/workspaces`; RefusedError for an invalid query."""
    offset, limit = key_page_offset(query), query.get("limit", "50")
    if not (limit.isascii() and limit.isdigit() and 0 < int(limit) <= PAGE):
        raise RefusedError(400, "limit must be from 1 to 100")
    rows = [
        {
            "id": workspace_id(index),
            "name": name,
            "slug": "default" if index == 0 else f"workspace-{index + 1}",
            "description": None,
            "created_at": iso(now.replace(month=1, day=1)),
            "created_by": USERS[0],
            "updated_at": None,
            "default_guardrail_id": uuid(f"guardrail of workspace {index + 1}"),
            "default_image_model": None,
            "default_provider_sort": None,
            "default_text_model": None,
            "io_logging_api_key_ids": None,
            "io_logging_sampling_rate": 1,
            "is_data_discount_logging_enabled": False,
            "is_observability_broadcast_enabled": False,
            "is_observability_io_logging_enabled": False,
            "include_byok_in_budgets": False,
        }
        for index, name in enumerate(names)
    ]
    return {"data": rows[offset:][: int(limit)], "total_count": len(rows)}


def team_credits(team: Team, now: datetime) -> dict[str, object]:
    """Return the `data` of `/credits`."""
    all_ = demo_usage(now)
    used = sum((_usage(key, all_).total for key in team.keys), Decimal(0))
    return {"total_credits": team.purchased * (used // team.purchased + 2), "total_usage": used}
