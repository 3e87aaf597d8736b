"""A snapshot as one line of text: what `watch` writes to pipes and logs, and leaves on the terminal at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.balance import ACCOUNT_CREDIT, Level
from orcredit.durations import format_duration
from orcredit.money import ZERO
from orcredit.monitor import EventKind
from orcredit.render.times import format_instant
from orcredit.words import (
    EXPIRY_NOTICE,
    budget_name,
    event_text,
    free_requests_left,
    headline,
    is_free_only,
    pace_of,
    resets_in,
    run_out_in,
    runaway_text,
    scope_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orcredit.balance import Balance
    from orcredit.monitor import Snapshot

FAILURES = frozenset({EventKind.UNREACHABLE, EventKind.REFUSED, EventKind.INTERNAL_ERROR})
"""The events of a poll that failed; `Snapshot.error` says the same."""

_SAID_ELSEWHERE = FAILURES | {EventKind.HISTORY, EventKind.RUNAWAY}
"""Failures are in the line's STALE part, the history's are said on standard error, a runaway has a separate line."""


def plain_line(snapshot: Snapshot, after: int | None = None) -> str:
    """Write a snapshot with a balance as one line, for pipes and logs: no colour, no control characters.

    Args:
        snapshot: what to write.
        after: the number of the snapshot that was written before it, whose events are left out; None to write only
            those that are new in this one.
    """
    balance = snapshot.balance
    if balance is None:
        return ""
    now = max(snapshot.polled_at - (snapshot.answered_at or snapshot.polled_at), timedelta(0)) + balance.fetched_at
    events = snapshot.new_events if after is None else snapshot.events_after(after)
    parts = [format_instant(snapshot.polled_at, seconds=True)]
    if balance.stale:
        stale = f"STALE for {format_duration(now - balance.fetched_at)}: {(balance.stale_reason or '').rstrip('.')}"
        is_new = any(event.kind in FAILURES for event in events)
        parts.append(stale if snapshot.error is None or not is_new else f"{stale}. {snapshot.error.hint.rstrip('.')}")
    if snapshot.runaway is not None:
        parts.append(f"RUNAWAY: {runaway_text(snapshot.runaway, now)}")
    parts.extend(_amount(balance))
    expires_at = balance.key.expires_at
    if expires_at is not None and expires_at - now <= EXPIRY_NOTICE:
        left = expires_at - now
        parts.append(f"key expires in {format_duration(left)}" if left > timedelta(0) else "key has expired")
    parts.extend(_until(snapshot, balance, now))
    parts.extend(event_text(event) for event in events if event.kind not in _SAID_ELSEWHERE)
    return "  ".join(parts)


def _amount(balance: Balance) -> Iterator[str]:
    """Yield how much can be spent, and what limits it."""
    level = "" if balance.level is Level.UNLIMITED else f" {balance.level}"
    yield f"{headline(balance)}{level}"
    if balance.limiting is not None:
        yield f"{percent_left(balance)} of the {budget_name(balance.limiting, balance)} left"
    elif balance.limited_by is not None:
        yield f"limited by the {scope_name(balance.limited_by)}"
    elif is_free_only(balance):
        free = free_requests_left(balance, format_instant)
        if free is not None:
            yield free
    else:
        yield "the account's credit is not known"


def percent_left(balance: Balance) -> str | None:
    """Write what is left of the limiting budget; `<0.1%` for a remainder that rounds to 0.0; None without one."""
    limiting = balance.limiting
    if limiting is None:
        return None
    is_a_trace = limiting.remaining > ZERO and limiting.percent_remaining == ZERO
    return "<0.1%" if is_a_trace else f"{limiting.percent_remaining:,}%"


def is_by_pace_too_late(snapshot: Snapshot, balance: Balance) -> bool:
    """Whether a runaway empties something before anything runs out by the pace of days, which then only misleads."""
    runaway, pace = snapshot.runaway, balance.pace
    if runaway is None or runaway.runs_out_at is None:
        return False
    return pace is None or pace.runs_out_at is None or pace.runs_out_at > runaway.runs_out_at


def _until(snapshot: Snapshot, balance: Balance, now: datetime) -> Iterator[str]:
    """Yield when it runs out, and when what limits it is reset."""
    limiting = balance.limiting
    pace = None if is_by_pace_too_late(snapshot, balance) else balance.pace
    if balance.level is Level.EXHAUSTED:
        until = balance.refused_until
        yield f"requests are refused until {format_instant(until)}" if until is not None else "requests are refused"
        return
    if pace is not None and (wait := run_out_in(pace, now)) is not None:
        name = pace_of(balance)
        of = "" if name is None else f"the {name} "
        yield f"{of}runs out {wait}{' unless topped up' if pace.scope == ACCOUNT_CREDIT else ''}"
    if limiting is not None and limiting.resets_at is not None:
        yield f"resets {resets_in(limiting.resets_at, now)}"
