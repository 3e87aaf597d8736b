"""Who spent how much of an account's money, and when: the ground of `/activity` and `/analytics/query`."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from orcredit.simulator.accounts import ACCOUNTS
from orcredit.simulator.answers import USERS, key_rows, uuid
from orcredit.simulator.spending import runaway_usage, spent_until
from orcredit.simulator.team_answers import hash_in, workspace_id
from orcredit.simulator.teams import TEAMS

if TYPE_CHECKING:
    from orcredit.simulator.accounts import Account

_DAY = timedelta(days=1)

USER_NAMES = ("Ada Example", "Bo Example")
APPS = ("Claude Code", "Cursor", "")
"""Titles; empty: a request that named no app."""

MODELS = (
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", "Anthropic", Decimal("0.55")),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "OpenAI", Decimal("0.20")),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "Azure", Decimal("0.10")),
    ("google/gemini-2.5-flash", "google/gemini-2.5-flash", "Google", Decimal("0.15")),
)
"""Model, permanent slug, provider, share of the account's spend."""


class Part(NamedTuple):
    """A key's part of an account's spending."""

    key_hash: str
    key_name: str
    workspace_id: str
    workspace: str
    user_id: str
    user: str
    app: str
    share: Decimal
    offset: int
    """By which the shares of the models are rotated, so that keys differ."""


@functools.cache
def parts(name: str) -> tuple[Part, ...]:
    """Return the parts of an account or a team."""
    if name in TEAMS:
        team = TEAMS[name]
        return tuple(
            Part(
                hash_in(name, number),
                key.name,
                workspace_id(key.workspace),
                team.workspaces[key.workspace],
                USERS[number % 2],
                USER_NAMES[number % 2],
                APPS[number % 3],
                key.share,
                number,
            )
            for number, key in enumerate(team.keys)
            if key.share
        )
    # At most two keys of an account spend.
    rows = key_rows(name, ACCOUNTS[name], datetime(2026, 1, 1, tzinfo=UTC))[:2]
    shares = (Decimal("0.6"), Decimal("0.4")) if len(rows) > 1 else (Decimal(1),)
    return tuple(
        Part(
            str(row["hash"]),
            str(row["name"]),
            str(row["workspace_id"]),
            "Default",
            USERS[number],
            USER_NAMES[number],
            APPS[number],
            share,
            0,
        )
        for number, (row, share) in enumerate(zip(rows, shares, strict=False))
    )


def _spent_on(account: Account, day: date) -> Decimal:
    # Three quarters of the all-time spend over 30 days; the amount is a fixed function of the day.
    return (account.usage.total + account.elsewhere) / 40 * (60 + day.toordinal() * 37 % 81) / 100


def spent_between(name: str, start: datetime, end: datetime) -> Decimal:
    """Return what an account or a team spent between two times, in USD; aware UTC."""
    if name in TEAMS or ACCOUNTS[name].live:
        return spent_until(end) - spent_until(start)
    if (runs_away_at := ACCOUNTS[name].runs_away_at) is not None:
        return runaway_usage(runs_away_at, end).total - runaway_usage(runs_away_at, start).total
    spent, day = Decimal(0), start.date()
    while (midnight := datetime.combine(day, time(), UTC)) < end:
        part = (min(end, midnight + _DAY) - max(start, midnight)) / _DAY
        spent += _spent_on(ACCOUNTS[name], day) * Decimal(part)
        day += _DAY
    return spent


def byok_per_day(name: str) -> Decimal:
    """Return what was spent a day on bring-your-own-key models, in USD."""
    return Decimal(0) if name in TEAMS else ACCOUNTS[name].byok.total / 40


TOKENS_PER_DOLLAR = {
    "anthropic/claude-sonnet-4.5": 130_000,
    "openai/gpt-5-mini": 620_000,
    "google/gemini-2.5-flash": 840_000,
}
"""Prompt tokens; the completion's cost is in them."""


def counts(prompt_tokens: Decimal) -> dict[str, int]:
    """Return requests and tokens, under the names of `/activity`."""
    tokens = int(prompt_tokens)
    return {
        "requests": 1 + tokens // 8_000,
        "prompt_tokens": tokens,
        "cached_tokens": tokens // 3,
        "completion_tokens": tokens // 12,
        "reasoning_tokens": tokens // 30,
    }


def weights(part: Part) -> list[tuple[str, str, str, Decimal]]:
    """Return a key's models: slug, permanent slug, provider, share of the key's spend."""
    shares = [model[3] for model in MODELS]
    return [(*model[:3], shares[(index + part.offset) % len(shares)]) for index, model in enumerate(MODELS)]


def endpoint_id(model: str, provider: str) -> str:
    """Return the id of a provider's endpoint of a model."""
    return uuid(model + provider)
