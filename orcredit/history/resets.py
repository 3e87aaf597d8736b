"""When budgets began new periods: as `watch` and `serve` saw it, and derived where there was no poll at midnight."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.balance import KEY_LIMIT, next_reset
from orcredit.balance.forecast import period_start
from orcredit.history.events import RESET
from orcredit.history.models import PeriodStart
from orcredit.history.queries import least
from orcredit.history.schema import DAY, EVENTS, RUNS, to_instant

if TYPE_CHECKING:
    from datetime import datetime

    from orcredit.history.models import Periods
    from orcredit.history.queries import Condition

MOST = 400

_NOISE = 10_000
"""Grains ($0.0001) by which two numbers of the same answer may be rounded apart."""

_REPEATED = timedelta(minutes=2)
"""After a reset in which OpenRouter may repeat an answer from before it."""

_LATER = timedelta(minutes=5)
"""By which an event may be noticed after the run that shows it: clocks differ."""


def resets(
    connection: sa.Connection,
    known: Condition,
    start: int,
    end: int,
    *,
    periods: Periods,
    events_of: str | None,
) -> list[PeriodStart]:
    """Return the beginnings of new periods from `start` to `end`, oldest first: the newest `MOST`.

    One is where what is left of the key's own limit rises between two runs, while the limit stays and the usage does
    not fall; and where that is so of `spendable` alone, if the budget that limits the key has a period that begins
    there (it may be credit that was bought, else). It is placed at the beginning of its period in the time between the
    two runs, where its period is known, else at the last UTC midnight in it, else at the later run's start.

    Args:
        connection: of a database of any version.
        known: the key's runs.
        start: in seconds since 1970.
        end: likewise.
        periods: of its budgets, as far as they are known.
        events_of: the key's fingerprint; None where the database has no table of events.
    """
    found: list[PeriodStart] = []
    stored = connection.execute(_stored(events_of, known, start, end)).all() if events_of is not None else []
    for row in stored:
        at = to_instant(row.at // 1000)
        period = row.period or periods.by_scope.get(row.scope)
        begun_at = _beginning(period, at)
        is_between = begun_at is not None and (row.seen_at is None or begun_at >= to_instant(row.seen_at) - _REPEATED)
        found.append(PeriodStart(begun_at if begun_at is not None and is_between else at, row.scope, period))
    for jump in connection.execute(_jumps(known, start, end)):
        reset = _derived(jump, periods)
        first, last = to_instant(jump.seen_at) - _REPEATED, to_instant(jump.started_at) + _LATER
        if reset is not None and not any(
            row.scope == reset.scope and first <= to_instant(row.at // 1000) <= last for row in stored
        ):
            found.append(reset)
    within = {reset for reset in found if start <= reset.at.timestamp() <= end}
    return sorted(within, key=lambda reset: (reset.at, reset.scope))[-MOST:]


def _stored(key: str, known: Condition, start: int, end: int) -> sa.Select[Any]:
    """Select the newest stored resets, and when the key was seen last before each."""
    seen_at = (
        sa.select(sa.func.max(RUNS.c.ended_at))
        .where(known, RUNS.c.ended_at < EVENTS.c.at // 1000 - 5)  # the run that shows the reset may be a little older
        .correlate(EVENTS)
        .scalar_subquery()
    )
    events = sa.select(EVENTS.c.at, EVENTS.c.scope, EVENTS.c.period, seen_at.label("seen_at"))
    is_wanted = (EVENTS.c.key == key) & (EVENTS.c.kind == RESET) & EVENTS.c.scope.is_not(None)
    # A reset before `end` may be noticed after it.
    is_within = EVENTS.c.at.between(start * 1000, (end + DAY) * 1000)
    return events.where(is_wanted, is_within).order_by(EVENTS.c.number.desc()).limit(MOST)


def _jumps(known: Condition, start: int, end: int) -> sa.Select[Any]:
    """Select where an amount rises from one run to the next, while the limit stays and the usage does not fall."""
    before = RUNS.alias()  # joined, not `lag`: over five years that takes a third of the time
    pairs = (
        sa.select(
            least(before.c.ended_at, RUNS.c.started_at).label("seen_at"),
            RUNS.c.started_at,
            RUNS.c.number,
            (RUNS.c.usage - before.c.usage).label("spent"),
            (RUNS.c.remaining - before.c.remaining).label("more_remaining"),
            (RUNS.c.spendable - before.c.spendable).label("more_spendable"),
            (sa.func.coalesce(RUNS.c.limit, -1) - sa.func.coalesce(before.c.limit, -1)).label("more_limit"),
        )
        .select_from(RUNS.join(before, (before.c.key == RUNS.c.key) & (before.c.number == RUNS.c.number - 1)))
        .where(known, RUNS.c.ended_at >= start, RUNS.c.started_at.between(start, end))
        .subquery()
    )
    # The + 0 keeps SQLite from going through all runs by their numbers.
    has_risen = sa.or_(pairs.c.more_remaining > _NOISE, pairs.c.more_spendable > _NOISE)
    is_same = (pairs.c.more_limit == 0) & (pairs.c.spent >= 0)
    return sa.select(pairs).where(is_same, has_risen).order_by((pairs.c.number + 0).desc()).limit(2 * MOST)


def _derived(jump: sa.Row[Any], periods: Periods) -> PeriodStart | None:
    """Return the reset that a jump shows; None where it may be something else."""
    first, last = to_instant(jump.seen_at) - _REPEATED, to_instant(jump.started_at)
    is_of_key = jump.more_remaining is not None and jump.more_remaining > _NOISE
    scope = KEY_LIMIT if is_of_key else periods.limiting
    if scope is None or (scope == KEY_LIMIT and not is_of_key):
        return None
    period = periods.by_scope.get(scope)
    begun_at = _beginning(period, last)
    if begun_at is not None and begun_at >= first:
        return PeriodStart(begun_at, scope, period)
    if not is_of_key:
        return None
    midnight = last.replace(hour=0, minute=0, second=0)
    return PeriodStart(midnight if midnight >= first else last, scope, None)


def _beginning(period: str | None, at: datetime) -> datetime | None:
    """Return when the UTC period began that a time is in; None for a lifetime and for unknown periods."""
    return period_start(period, next_reset(period, at.astimezone(UTC)))
