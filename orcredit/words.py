"""Texts for people, shared by terminal, page and alerts: scope names, events, notices, and reasons of a level."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from orcredit.balance import ACCOUNT_CREDIT, IN_FLIGHT_BELOW, KEY_LIMIT, Budget, Level, Threshold, next_reset
from orcredit.durations import format_duration
from orcredit.money import CENT, EXACT, ZERO, format_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from orcredit.balance import Account, Balance, Breach, Pace
    from orcredit.balance.cause import Cause
    from orcredit.history import CostlyDay, Counted, Recent
    from orcredit.monitor import Event, Rate, Runaway, RunawayEnded, RunawayStarted

EXPIRY_NOTICE = timedelta(days=7)
"""How long before a key's expiry renderings warn of it."""

_DAYS_ALONE = 10
_WORTH_SAYING = 2
"""How many times the pace a rate must be for words about it: a pace is a mean, with idle hours in it."""

_FORESEEABLE = timedelta(days=1)
_MINUTES_AN_HOUR = Decimal(60)

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
    name = in_words(scope)
    return _SCOPES.get(scope, name if len(name) <= _LONGEST_SCOPE else f"{name[: _LONGEST_SCOPE - 3]}...")


def by_name(name: str | None) -> list[tuple[int, str]]:
    """Return what sorts the names of profiles: the unnamed one first, and numbers by their value."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name or "")
    return [(int(part), "") if part[0].isdigit() else (-1, part.casefold()) for part in parts]


def budget_name(budget: Budget, balance: Balance) -> str:
    """Return the name of a budget of a balance; with its period where another one has the same scope."""
    name = scope_name(budget.scope)
    is_alone = sum(other.scope == budget.scope for other in balance.budgets) == 1
    return name if is_alone else f"{in_words(budget.reset_period or 'lifetime')} {name}"


def in_words(word: str) -> str:
    """Return a word of OpenRouter's, such as a reset period, for people: underscores as spaces."""
    return word.replace("_", " ")


def limited_by(balance: Balance) -> str | None:
    """Return the name of what limits the key; None where nothing is known to."""
    if balance.limiting is not None:
        return budget_name(balance.limiting, balance)
    return scope_name(balance.limited_by) if balance.limited_by is not None else None


def pace_of(balance: Balance) -> str | None:
    """Return the name of what the balance's pace is of; None without a pace, and where that is what limits the key."""
    pace = balance.pace
    if pace is None:
        return None
    budget = next((budget for budget in balance.budgets if budget.pace == pace), None)
    if budget is None:
        return scope_name(pace.scope) if pace.scope != balance.limited_by else None
    return None if budget.is_limiting else budget_name(budget, balance)


def spender(balance: Balance, pace: Pace) -> str:
    """Return who spends at a balance's pace, and of what, where it is not simply the key of what limits it."""
    name = pace_of(balance)
    of = f" of the {name}" if name is not None else ""
    if pace.is_upper_bound:
        return f" by this key{of}"
    return of or (" by the account" if pace.scope == ACCOUNT_CREDIT else "")


def unless_topped_up(pace: Pace) -> str:
    """Return what the run-out of the account's credit depends on, without a full stop."""
    at = "others may spend from it, too" if pace.is_upper_bound else "at the account's pace"
    return f"unless topped up; {at}"


def event_text(event: Event, *, public: bool = False) -> str:
    """Describe an event, without a full stop.

    Args:
        event: of any kind.
        public: for HTTP responses: without the path, host or user of the history's database.
    """
    from orcredit import monitor  # noqa: PLC0415 - `status` has no events

    match event:
        case monitor.LevelChanged():
            text = f"the level is {event.after} now, it was {event.before}"
        case monitor.BudgetReset():
            text = f"the {_named(event.scope, event.period)} was reset: {format_usd(event.remaining)} left"
        case monitor.CreditAdded():
            text = f"{format_usd(event.amount)} of credit was added: {format_usd(event.remaining)} left"
        case monitor.RunawayStarted() | monitor.RunawayEnded():
            text = _runaway_event_text(event)
        case monitor.Unreachable() | monitor.Refused() | monitor.InternalError():
            text = event.reason
        case monitor.Recovered():
            text = "OpenRouter answers again"
        case monitor.HistoryUnavailable():
            text = f"going on without the history: {event.public_reason if public else event.reason}"
        case monitor.HistoryRecovered():
            text = "the history works again"
        case _:
            raise TypeError(type(event).__name__)
    return text


def _runaway_event_text(event: RunawayStarted | RunawayEnded) -> str:
    from orcredit import monitor  # noqa: PLC0415 - as above

    name = _named(event.scope, event.period)
    if isinstance(event, monitor.RunawayEnded):
        return f"no longer spending that fast: {format_usd(event.per_minute)} a minute of the {name}"
    end = "" if event.lasts is None else f": the {name} is gone in {format_duration(event.lasts)}"
    return f"spending {_fast(event.per_minute, event.times_pace)}{end}{_cause_text(event.cause)}"


def unwatched_text(duration: timedelta) -> str:
    """Describe a time without polls of a key, as an event, without a full stop: `not watched for 1 d 7 h`."""
    return f"not watched for {format_duration(duration)}"


def costly_day_text(costly: CostlyDay) -> str:
    """Describe a day of much spend, as an event: `spending tripled: $90.77 on 12 Feb, usually $3.90 a day`."""
    day = f"{costly.day.day} {_MONTHS[costly.day.month - 1]}"
    return f"spending tripled: {format_usd(costly.spend)} on {day}, usually {format_usd(costly.usual)} a day"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rate_text(rate: Rate, now: datetime, *, period: str | None = None) -> str:
    """Describe the rate right now: `now $43.00 a minute: the key limit is gone in 1 min 22 s`.

    Where the end is more than a day away, of which a rate of minutes says nothing, it is left out, and the rate is by
    the hour: `now $11.75 an hour`.

    Args:
        rate: of a snapshot.
        now: the time by the clock of `Balance.fetched_at`, from which it is counted until the money is gone.
        period: of the budget, where several have its scope.
    """
    if not rate.per_minute:
        return "now nothing is spent"
    if rate.runs_out_at is None or rate.scope is None or rate.runs_out_at - now > _FORESEEABLE:
        per_hour = EXACT.multiply(rate.per_minute, _MINUTES_AN_HOUR)
        return f"now {_fast(per_hour, rate.times_pace, 'an hour')}"
    left = format_duration(rate.runs_out_at - now)
    return f"now {_fast(rate.per_minute, rate.times_pace)}: the {_named(rate.scope, period)} is gone in {left}"


def runaway_text(runaway: Runaway, now: datetime) -> str:
    """Describe a runaway that lasts, as of now.

    Args:
        runaway: of a snapshot.
        now: the time by the clock of `Balance.fetched_at`, from which it is counted until the money is gone.
    """
    name = _named(runaway.scope, runaway.period)
    spending = f"spending {_fast(runaway.per_minute, runaway.times_pace)}"
    cause = _cause_text(runaway.cause)
    if runaway.runs_out_at is None:
        return f"{spending} of the {name}{cause}"
    if runaway.runs_out_at <= now:
        return f"{spending}: the {name} is gone{cause}"
    return f"{spending}: the {name} is gone in {format_duration(runaway.runs_out_at - now)}{cause}"


def _cause_text(cause: Cause | None) -> str:
    """Name what spends most: `; mostly batch-night with openai/gpt-5-mini ($4.10 of $5.00)`; above all, below half."""
    if cause is None:
        return ""
    how = "mostly" if cause.usd * 2 > cause.of else "above all"
    who = " with ".join(name for name in (cause.key, cause.model) if name)
    return f"; {how} {who} ({format_usd(cause.usd)} of {format_usd(cause.of)})"


def _named(scope: str, period: str | None) -> str:
    """Return the name of a scope, with its period where several budgets have it."""
    name = scope_name(scope)
    return f"{in_words(period)} {name}" if period is not None else name


def _fast(amount: Decimal, times_pace: Decimal | None, per: str = "a minute") -> str:
    """Return how fast money is spent, and how many times the pace that is, if it is more than the pace."""
    text = f"{format_usd(amount)} {per}"
    if times_pace is None or times_pace < _WORTH_SAYING:
        return text
    return f"{text}, {times_pace:,.0f} × the usual pace"  # noqa: RUF001 - the sign, not a letter


class Tone(Enum):
    """The importance of a notice or a verdict."""

    GOOD = "good"
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
    """Yield an expiry, why the level is low or exhausted, and what is not known or may surprise.

    Args:
        balance: durations count from its `fetched_at`.
        instant: formats a time for the rendering.
    """
    now, expires_at = balance.fetched_at, balance.key.expires_at
    if expires_at is not None and expires_at <= now:
        yield Notice(f"The key expired on {instant(expires_at)}: requests are refused.", Tone.ALARM)
    elif expires_at is not None and (expires_first(balance, expires_at) or expires_at - now <= EXPIRY_NOTICE):
        first = ", before the money runs out" if expires_first(balance, expires_at) else ""
        wait = format_duration(expires_at - now)
        yield Notice(f"The key expires in {wait}, on {instant(expires_at)}{first}.", Tone.WARNING)
    if balance.level is Level.EXHAUSTED:
        yield Notice(why_exhausted(balance, instant), Tone.ALARM)
    if balance.low_because is not None:
        yield Notice(why_low(balance.low_because), Tone.ALARM)
    if balance.account is not None and balance.account.disputed_by is not None:
        yield Notice(
            f"The management key {balance.account.disputed_by} reports other purchases: "
            "it may belong to another account.",
            Tone.WARNING,
        )
    if balance.may_be_refused_early:
        yield Notice(IN_FLIGHT, Tone.PLAIN)
    if is_free_only(balance):
        free = free_requests_left(balance, instant)
        if free is not None:
            is_used_up = balance.free_requests is not None and balance.free_requests.remaining == 0
            yield Notice(f"{free[0].upper()}{free[1:]}.", Tone.WARNING if is_used_up else Tone.PLAIN)
    elif balance.account is None and not balance.budgets and balance.account_error is None:
        yield Notice(credit_not_known(balance.profile), Tone.PLAIN)


IN_FLIGHT = (
    f"With less than {format_usd(IN_FLIGHT_BELOW).removesuffix('.00')} of credit, OpenRouter may refuse large "
    "requests, or many at once, before it is used up."
)
"""OpenRouter's limit on running requests, which no call reports (its documentation, October 2026)."""


def credit_not_known(profile: str | None) -> str:
    """Say that the account's credit is not known, and how to make it known: by a variable for the unnamed profile."""
    url = "https://openrouter.ai/settings/management-keys"
    how, end = "set OPENROUTER_MANAGEMENT_KEY to a", ""
    if profile is not None:
        how, end = f"give profile {profile} a management", ", such as with management_key_file in config.toml"
    return f"The account's credit is not known: {how} key from {url} to see it{end}."


def headline(balance: Balance) -> str:
    """Return the amount, or what stands in its place where nothing that is known limits the key."""
    if balance.spendable is not None:
        return format_usd(balance.spendable)
    return "free models only" if is_free_only(balance) else "no limit on this key"


def is_free_only(balance: Balance) -> bool:
    """Whether the key can run free models only: no credit was ever bought, and nothing was spent, of a grant say."""
    return balance.spendable is None and balance.key.is_free_tier is True and not balance.usage


def free_requests_left(balance: Balance, instant: Callable[[datetime], str]) -> str | None:
    """Return how many requests to free models are left today, and until when; None where it is not reported."""
    free = balance.free_requests
    if free is None or free.remaining is None:
        return None
    of = f" of {free.limit:,}" if free.limit is not None else ""
    left = f"{max(free.remaining, 0):,}{of}" if free.remaining > 0 else f"none{of}"
    midnight = next_reset("daily", balance.fetched_at)
    return f"{left} free requests left today" + (f", until {instant(midnight)}" if midnight is not None else "")


def run_out_in(pace: Pace, now: datetime) -> str | None:
    """Return when it runs out: `in 5 d 3 h`, or `in 24 s at the latest`; None when it lasts or is not known."""
    if pace.runs_out_at is None:
        return None
    return forecast_in(pace.runs_out_at, now) + (" at the latest" if pace.is_upper_bound else "")


def forecast_in(at: datetime, now: datetime) -> str:
    """Return when a forecast comes true: `in 5 d 3 h`, and "about now" where, by old numbers, it should have."""
    return f"in {format_duration(at - now)}" if at > now else "about now"


def run_out_range(pace: Pace, now: datetime) -> str | None:
    """Return between when and when it runs out; None where that is not known, or as good as one time."""
    earliest, latest = pace.runs_out_earliest, pace.runs_out_latest
    if earliest is None or latest is None or latest - earliest < timedelta(hours=1):
        return None
    first = format_duration(earliest - now) if earliest > now else "now"
    return f"between {first} and {format_duration(latest - now)} from now"


def resets_in(resets_at: datetime, now: datetime) -> str:
    """Return when a reset comes: `in 16 d 7 h`; "due now" for one in the past, of old numbers."""
    return f"in {format_duration(resets_at - now)}" if resets_at > now else "due now"


def until(limit: Budget | Account, now: datetime) -> str:
    """Return until when a budget, or the account's credit, lasts, in a few words."""
    resets = _resets(limit, now) if isinstance(limit, Budget) else None
    if limit.remaining <= ZERO:
        return "used up" if resets is None else f"spent, {resets}"
    if limit.runs_out_at is not None:
        left, at_most = limit.runs_out_at - now, "at most " if limit.is_upper_bound else ""
        return f"lasts {at_most}{shortly(left)}" if left > timedelta(0) else "runs out about now"
    return "not known" if resets is None else resets


def _resets(budget: Budget, now: datetime) -> str:
    if budget.resets_at is not None:
        return f"resets in {shortly(budget.resets_at - now)}" if budget.resets_at > now else "reset due now"
    return "never resets" if budget.reset_period is None else f"resets {in_words(budget.reset_period)}"


def shortly(duration: timedelta) -> str:
    """Format a duration for a column: whole days from ten days on."""
    return f"{duration.days:,} d" if duration.days >= _DAYS_ALONE else format_duration(duration)


def expires_first(balance: Balance, expires_at: datetime) -> bool:
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
    until = balance.refused_until
    return f"Requests are refused until {'that limit is raised' if until is None else instant(until)}."


def why_low(breach: Breach) -> str:
    """Return which threshold makes the level low."""
    threshold = Threshold.parse(breach.threshold)
    if isinstance(threshold.value, timedelta):
        return f"Low: it runs out in less than {format_duration(threshold.value)}."
    amount = breach.threshold if threshold.is_percent else format_usd(threshold.value)
    where = f" of the {scope_name(breach.scope)}" if breach.scope is not None else ""
    return f"Low: less than {amount}{where} is left."


def spent_text(recent: Recent, span: str, instant: Callable[[datetime], str]) -> str | None:
    """Return what was spent in a span, and since when that was watched: `$0.42`, `$0.00 since 15:02`.

    Where the beginning of the span had no polls, and something was spent meanwhile, the amount is in part an
    estimate: `~$0.42 (watched since 15:02)`; and where it is in an hour that was reported: `~$0.42`.

    Args:
        recent: of the key.
        span: `last_hour`, `last_day` or `last_week`.
        instant: formats a time for the rendering.

    Returns:
        None where nothing was seen in that time.
    """
    amount: Decimal | None = getattr(recent, span)
    since: datetime | None = getattr(recent, f"{span}_since")
    if amount is None:
        return None
    mark = "~" if getattr(recent, f"{span}_estimated") else ""
    if since is None:
        return f"{mark}{format_usd(amount)}"
    return f"{mark}{format_usd(amount)} {f'(watched since {instant(since)})' if mark else f'since {instant(since)}'}"


_PERIODS = (("today", "today"), ("this_week", "this week"), ("this_month", "this month"))


def unseen(recent: Recent) -> Iterator[str]:
    """Yield where OpenRouter counts more by the calendar than the history saw; nothing twice, and no full stop."""
    missed = ZERO
    for name, when in _PERIODS:
        period: Counted | None = getattr(recent, name)
        if period is not None and period.counted - period.seen >= missed + CENT:
            missed = period.counted - period.seen
            yield f"OpenRouter counts {format_usd(period.counted)} {when}, of which {format_usd(period.seen)} was seen"
