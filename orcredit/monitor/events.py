"""What can happen between two snapshots, as data; `orcredit.words.event_text` puts it into words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from orcredit.balance import Level
from orcredit.errors import KeyRefusedError, OrcreditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from decimal import Decimal

    from orcredit.balance import Balance, Budget
    from orcredit.balance.cause import Cause

_SEVERITY = {Level.UNLIMITED: 0, Level.OK: 0, Level.LOW: 1, Level.EXHAUSTED: 2}


class EventKind(StrEnum):
    """The stable name of each kind of event, for JSON."""

    LEVEL = "level"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    INTERNAL_ERROR = "internal_error"
    BACK = "back"
    HISTORY = "history"
    CREDIT = "credit"
    RUNAWAY = "runaway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have.

    Attributes:
        kind: the stable name of its kind.
        at: when it was seen; aware UTC.
        sequence: the number of the first snapshot that has it; the poller sets it when it publishes the event.
    """

    kind: ClassVar[EventKind]
    at: datetime
    sequence: int = 0

    @property
    def is_worse(self) -> bool:
        """Whether it is bad news, the level or a runaway; what the bell rings for."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChanged(Event):
    """The level of the balance is another one."""

    kind: ClassVar[EventKind] = EventKind.LEVEL
    before: Level
    after: Level

    @property
    def is_worse(self) -> bool:
        """Whether the level got worse."""
        return _SEVERITY[self.after] > _SEVERITY[self.before]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReset(Event):
    """A budget began a new period.

    Attributes:
        scope: the budget's.
        period: its reset period, where several budgets have this scope; else None.
        remaining: what is left of it now; USD.
    """

    kind: ClassVar[EventKind] = EventKind.RESET
    scope: str
    period: str | None
    remaining: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAdded(Event):
    """Credit was bought.

    Attributes:
        amount: how much; USD.
        remaining: what is left of the account's credit now; USD, negative once overdrawn.
    """

    kind: ClassVar[EventKind] = EventKind.CREDIT
    amount: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunawayStarted(Event):
    """A budget, or the account's credit, is spent so fast that it is gone within hours.

    Attributes:
        scope: the budget's, or "account_credit".
        period: its reset period, where several budgets have this scope; else None.
        per_minute: how fast; USD a minute.
        times_pace: how many times the pace before it that is; None where there was none.
        lasts: how long the money lasts at that rate; None where that is not known.
        cause: what spends most of it; None where that is not known.
    """

    kind: ClassVar[EventKind] = EventKind.RUNAWAY
    scope: str
    period: str | None
    per_minute: Decimal
    times_pace: Decimal | None
    lasts: timedelta | None
    cause: Cause | None = None

    @property
    def is_worse(self) -> bool:
        """Say yes."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunawayEnded(Event):
    """No budget runs away any more, nor does the credit.

    Attributes:
        scope: of the last one that did.
        period: its reset period, where several budgets have this scope; else None.
        per_minute: how fast it is spent now; USD a minute.
    """

    kind: ClassVar[EventKind] = EventKind.RUNAWAY
    scope: str
    period: str | None
    per_minute: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable(Event):
    """A poll failed: no answer, or one that makes no sense. `reason`: the error's sentence."""

    kind: ClassVar[EventKind] = EventKind.UNREACHABLE
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Event):
    """OpenRouter refused the key. `reason`: the error's sentence."""

    kind: ClassVar[EventKind] = EventKind.REFUSED
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalError(Event):
    """A bug in orcredit made a poll or a sink fail. `reason`: where it was raised."""

    kind: ClassVar[EventKind] = EventKind.INTERNAL_ERROR
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Event):
    """OpenRouter answers again."""

    kind: ClassVar[EventKind] = EventKind.BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryUnavailable(Event):
    """Nothing can be recorded at the moment.

    Attributes:
        reason: the error's sentence; may name the database's path, host or user.
        public_reason: the same without them, for those who ask over HTTP.
    """

    kind: ClassVar[EventKind] = EventKind.HISTORY
    reason: str
    public_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecovered(Event):
    """Recording works again."""

    kind: ClassVar[EventKind] = EventKind.HISTORY


def failure(error: OrcreditError, at: datetime) -> Event:
    """Make the event of a failed poll."""
    reason = str(error).rstrip(".")
    if isinstance(error, KeyRefusedError):
        return Refused(at=at, reason=reason)
    # The root of the errors is raised for bugs only.
    return InternalError(at=at, reason=reason) if type(error) is OrcreditError else Unreachable(at=at, reason=reason)


def balance_changes(before: Balance, after: Balance, at: datetime, last_level: Level | None = None) -> Iterator[Event]:
    """Compare a balance with the one before it: budgets that were reset, and a changed level.

    Args:
        before: the older balance.
        after: the newer one.
        at: when it was seen.
        last_level: the level when the account's credit was known last; None if it is known in `before`, or never was.
    """
    yield from _resets(before, after, at)
    known = before.level if last_level is None else last_level
    if after.level in {before.level, known}:
        return
    is_credit_other = (before.account is None) is not (after.account is None)
    # That the credit is not known, or is known for the first time, is no change of the level, unless it is bad news.
    if not is_credit_other or last_level is not None or _SEVERITY[after.level] > _SEVERITY[before.level]:
        yield LevelChanged(at=at, before=known, after=after.level)


def _resets(before: Balance, after: Balance, at: datetime) -> Iterator[BudgetReset]:
    """Find the budgets that began a new period: what was spent in a period only ever falls by that.

    The clock alone would be too early, since OpenRouter repeats an old answer for up to a minute.
    """
    old, new = _by_identity(before), _by_identity(after)
    periods = Counter(scope for scope, _ in new)
    for (scope, period), budgets in new.items():
        previous = old.get((scope, period), [])
        if period is None or len(previous) != len(budgets):
            continue  # one was added or removed: they can no longer be matched by position
        for budget_before, budget in zip(previous, budgets, strict=True):
            if budget.spent < budget_before.spent:
                named_by_period = period if periods[scope] > 1 else None
                yield BudgetReset(at=at, scope=scope, period=named_by_period, remaining=budget.remaining)


def _by_identity(balance: Balance) -> dict[tuple[str, str | None], list[Budget]]:
    """Group the budgets by what identifies them; those with the same scope and period are matched by position."""
    budgets: dict[tuple[str, str | None], list[Budget]] = {}
    for budget in balance.budgets:
        budgets.setdefault((budget.scope, budget.reset_period), []).append(budget)
    return budgets
