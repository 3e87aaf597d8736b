"""What is stored of a balance, and how it continues or follows the runs stored before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.schema import LAST_SECOND, RUNS, to_grains

if TYPE_CHECKING:
    from orcredit.balance import Balance

LATEST = 3600
"""Seconds by which an answer may be older than the one recorded before it: OpenRouter repeats answers for a minute, and
several processes may record at once."""


def seen_in(balance: Balance) -> tuple[int, dict[str, int | None]] | None:
    """Give when a balance was seen and its numbers, in grains, by the columns of a run; None when it tells nothing."""
    at = int(balance.fetched_at.timestamp())
    if balance.stale or balance.usage is None or not 0 <= at <= LAST_SECOND:
        return None
    return at, {
        "usage": to_grains(balance.usage),
        "byok_usage": to_grains(balance.byok.usage if balance.byok else None),
        "limit": to_grains(balance.total_limit),
        "remaining": to_grains(balance.remaining),
        "spendable": to_grains(balance.spendable),
        "account_usage": to_grains(balance.account.total_usage if balance.account else None),
    }


def correct_times(runs: list[dict[str, Any]], at: int) -> None:
    """Correct the newest run's times where a later answer shows that they were ahead, as by a wrong Date header.

    Where the run before it ended later, too, it is the later answer's clock that is behind: then nothing is changed.

    Args:
        runs: the newest last; at least two, if there are as many.
        at: of the later answer.
    """
    if not runs or runs[-1]["ended_at"] - at <= LATEST:
        return
    if runs[-1]["started_at"] <= at:
        runs[-1]["ended_at"] = at
    elif len(runs) == 1 or runs[-2]["ended_at"] <= at:
        runs[-1]["started_at"] = runs[-1]["ended_at"] = at


def newest(key: str, count: int) -> sa.Select[Any]:
    """Select a key's last runs, the newest first."""
    return sa.select(RUNS).where(RUNS.c.key == key).order_by(RUNS.c.number.desc()).limit(count)
