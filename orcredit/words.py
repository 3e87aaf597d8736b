"""Texts for people, shared by terminal, page and alerts: scope names, events, notices, and reasons of a level."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from orcredit.balance import ACCOUNT_CREDIT, KEY_LIMIT, Level, Threshold
from orcredit.durations import format_duration
from orcredit.money import ZERO, format_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from orcredit.balance import Balance, Breach
    from orcredit.monitor import Event

EXPIRY_NOTICE = timedelta(days=7)
"""How long before a key's expiry renderings warn of it."""

_LONGEST_SCOPE = 24
_SCOPES = {
    KEY_LIMIT: "key limit",
    ACCOUNT_CREDIT: "account's credit",
    "workspace": "workspace budget",
    "api_key": "API key budget",
    "member": "member budget",
    "workspace_default_key": "key default",
    "workspace_default_member": "member default",
}


def scope_name(scope: str) -> str:
    """Return the name of a scope for people; unknown scopes keep OpenRouter's word, truncated."""
    name = scope.replace("_", " ")
    return _SCOPES.get(scope, name if len(name) <= _LONGEST_SCOPE else f"{name[: _LONGEST_SCOPE - 3]}...")


def event_text(event: Event, *, public: bool = False) -> str:
    """Describe an event, without a full stop.

    Args:
        event: of any kind.
        public: for HTTP responses: without the path, host or user of the history's database.
    """
    from orcredit import monitor  # noqa: PLC0415 - `status` has no events

    match event:
        case monitor.LevelChanged():
            return f"the level is {event.after} now, it was {event.before}"
        case monitor.BudgetReset():
            name = scope_name(event.scope)
            name = f"{event.period} {name}" if event.period is not None else name
            return f"the {name} was reset: {format_usd(event.remaining)} left"
        case monitor.Unreachable() | monitor.Refused() | monitor.InternalError():
            return event.reason
        case monitor.Recovered():
            return "OpenRouter answers again"
        case monitor.HistoryUnavailable():
            return f"going on without the history: {event.public_reason if public else event.reason}"
        case monitor.HistoryRecovered():
            return "the history works again"
    raise TypeError(type(event).__name__)


class Tone(Enum):
    """The importance of a notice."""

    PLAIN = "plain"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence to show with the amount.

    Attributes:
        text: with a full stop.
        tone: its importance.
    """

    text: str
    tone: Tone


def notices(balance: Balance, instant: Callable[[datetime], str]) -> Iterator[Notice]:
    """Yield an expiry, why the level is low or exhausted, and an unknown credit.

    Args:
        balance: durations count from its `fetched_at`.
        instant: formats a time for the rendering.
    """
    now, expires_at = balance.fetched_at, balance.key.expires_at
    if expires_at is not None and expires_at <= now:
        yield Notice("The key has expired: requests are refused.", Tone.ALARM)
    elif expires_at is not None and _expires_first(balance, expires_at):
        wait = format_duration(expires_at - now)
        yield Notice(f"The key expires in {wait}, before the money runs out.", Tone.WARNING)
    if balance.level is Level.EXHAUSTED:
        yield Notice(why_exhausted(balance, instant), Tone.ALARM)
    if balance.low_because is not None:
        yield Notice(why_low(balance.low_because), Tone.ALARM)
    if balance.account is None and not balance.budgets and balance.account_error is None:
        if balance.key.is_free_tier:
            yield Notice("No credit was bought; free models have a separate limit.", Tone.PLAIN)
        else:
            yield Notice("The account's credit is not known: that needs a management key.", Tone.PLAIN)


def _expires_first(balance: Balance, expires_at: datetime) -> bool:
    """Whether the key expires before the money is forecast to run out."""
    pace = balance.pace
    return pace is not None and pace.runs_out_at is not None and expires_at < pace.runs_out_at


def why_exhausted(balance: Balance, instant: Callable[[datetime], str]) -> str:
    """Return why the level is exhausted, and until when."""
    account = balance.account
    if account is not None and account.remaining < ZERO:
        return "The account's credit is negative: even free models are refused until credit is bought."
    if account is not None and account.remaining == ZERO:
        return "The account's credit is used up: requests are refused until credit is bought."
    spent = [budget for budget in balance.budgets if budget.remaining <= ZERO]
    resets = [budget.resets_at for budget in spent if budget.resets_at is not None]
    until = f"until {instant(max(resets))}" if len(resets) == len(spent) else "until that limit is raised"
    return f"Requests are refused {until}."


def why_low(breach: Breach) -> str:
    """Return which threshold makes the level low."""
    threshold = Threshold.parse(breach.threshold)
    if isinstance(threshold.value, timedelta):
        return f"Low: it runs out in less than {format_duration(threshold.value)}."
    amount = breach.threshold if threshold.is_percent else format_usd(threshold.value)
    where = f" of the {scope_name(breach.scope)}" if breach.scope is not None else ""
    return f"Low: less than {amount}{where} is left."
