"""Days on which much more was spent than usual."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from orcredit.history.models import CostlyDay
from orcredit.history.schema import RUNS, to_instant
from orcredit.money import CENT, EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from orcredit.history.models import Interval
    from orcredit.history.queries import Condition

BEFORE = 7
"""Watched days whose mean is the usual."""

_FEWEST = 3
_TIMES = 3
_LEAST = Decimal(1)
"""USD that must be spent on a day that counts."""


def costly_days(days: Sequence[Interval]) -> Iterator[CostlyDay]:
    """Yield the days with at least three times the mean of up to seven watched days before, and at least $1.

    A day of which a part is estimated or was not watched is no such day, nor does it count as a day before. Where
    nothing was spent before, nothing is three times as much.

    Args:
        days: UTC days, oldest first, without a day missing.

    Yields:
        Each with its end as `at`.
    """
    usual: deque[Decimal] = deque(maxlen=BEFORE)
    for day in days:
        if day.estimated:
            continue
        mean = EXACT.divide(sum(usual, ZERO), Decimal(len(usual))) if len(usual) >= _FEWEST else ZERO
        if mean >= CENT and day.spend >= max(_TIMES * mean, _LEAST):
            yield CostlyDay(day=day.start.date(), at=day.end, spend=day.spend, usual=mean)
        if not day.partial:
            usual.append(day.spend)


def passed_at(connection: sa.Connection, known: Condition, day: CostlyDay, until: datetime) -> CostlyDay:
    """Return a day with the time when its spend was first seen to be three times the usual, else with its end."""
    end = int(day.at.timestamp())
    start = end - int(timedelta(days=1).total_seconds())
    before = sa.select(RUNS.c.usage).where(known, RUNS.c.ended_at <= start)
    usage = connection.execute(before.order_by(RUNS.c.ended_at.desc(), RUNS.c.number.desc()).limit(1)).scalar()
    at = None
    if usage is not None:
        enough = usage + int(max(_TIMES * day.usual, _LEAST).scaleb(8))
        passed = sa.select(sa.func.min(RUNS.c.started_at)).where(
            known, RUNS.c.ended_at >= start, RUNS.c.started_at.between(start, end), RUNS.c.usage >= enough
        )
        at = connection.execute(passed).scalar()
    return day._replace(at=min(day.at, until) if at is None else to_instant(at))
