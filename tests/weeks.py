"""A learned week for tests, without learning one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.balance.week import HOURS, Week

if TYPE_CHECKING:
    from datetime import datetime


def flat_week(
    until: datetime,
    *,
    level: float = 1.0,
    growth: float = 0.0,
    noise: float = 0.01,
    drift: float = 0.0001,
    growth_doubt: float = 0.0,
    days: int = 56,
) -> Week:
    """Make what is known of a key that spends `level` USD a day (UTC), as much in each hour."""
    return Week(
        shares=(1 / 24,) * HOURS,
        level=level,
        growth=growth,
        wild=1.0,
        noise=noise,
        doubt=0.001,
        drift=drift,
        growth_doubt=growth_doubt,
        days=days,
        until=until,
    )
