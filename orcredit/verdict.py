"""The one sentence that sums a key up, for the page's header and for alerts; the page words it alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.balance import ATTENTION, Level
from orcredit.durations import format_duration
from orcredit.money import ZERO, format_usd
from orcredit.words import (
    EXPIRY_NOTICE,
    Tone,
    expires_first,
    forecast_in,
    headline,
    is_free_only,
    pace_of,
    shortly,
    why_low,
)

if TYPE_CHECKING:
    from datetime import datetime

    from orcredit.balance import Balance, Breach, Pace
    from orcredit.monitor import Runaway


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sentence that sums a key up.

    Attributes:
        text: without a full stop.
        tone: its importance.
    """

    text: str
    tone: Tone


def verdict(balance: Balance, now: datetime, runaway: Runaway | None = None) -> Verdict:
    """Sum a key up in one sentence: `Runs out 15 days before the reset`, `Lasts until 1 March`, `Refused until 01:00`.

    Args:
        balance: of the key.
        now: the time by the clock of `Balance.fetched_at`.
        runaway: of the snapshot.

    Returns:
        What matters most of: an expired key, refused requests, a runaway, a low level, the key's expiry, the run-out.
        Dates are in local time.
    """
    return _alarm(balance, now, runaway) or _expiry_verdict(balance, now) or _forecast_verdict(balance, now)


def _alarm(balance: Balance, now: datetime, runaway: Runaway | None) -> Verdict | None:
    text = None
    if balance.key.expires_at is not None and balance.key.expires_at <= now:
        text = "Key expired"
    elif balance.level is Level.EXHAUSTED:
        text = f"Refused until {_refused_until(balance, now)}"
    elif runaway is not None:
        text = _runaway_verdict(runaway, now)
    elif balance.low_because is not None:
        text = _low_verdict(balance, balance.low_because, now)
    return None if text is None else Verdict(text, Tone.ALARM)


def _low_verdict(balance: Balance, breach: Breach, now: datetime) -> str:
    """Say when it runs out, where that is known: why the level is low is said in a notice."""
    if balance.pace is None or balance.pace.runs_out_at is None:
        return why_low(breach).removesuffix(".")
    text = _run_out_verdict(balance, balance.pace, balance.pace.runs_out_at, now).text
    return f"Low: {text if text.startswith('API') else text[0].lower() + text[1:]}"


def _expiry_verdict(balance: Balance, now: datetime) -> Verdict | None:
    """Return that the key expires, where that comes before the money runs out; None if it does not."""
    expires_at = balance.key.expires_at
    if expires_at is None:
        return None
    is_near = expires_at - now <= EXPIRY_NOTICE
    runs_out = balance.pace is not None and balance.pace.runs_out_at is not None
    if not (expires_first(balance, expires_at) or (is_near and not runs_out)):
        return None
    day = _close_day(expires_at, now) or _weekday(expires_at, now)
    return Verdict(f"Key expires {day}", Tone.WARNING if is_near else Tone.PLAIN)


def _forecast_verdict(balance: Balance, now: datetime) -> Verdict:
    pace = balance.pace
    if pace is not None and pace.runs_out_at is not None:
        return _run_out_verdict(balance, pace, pace.runs_out_at, now)
    if balance.spendable is None:
        if is_free_only(balance) and balance.free_requests is not None and balance.free_requests.remaining == 0:
            return Verdict("No free requests left today", Tone.WARNING)
        text = headline(balance)
        return Verdict(f"{text[0].upper()}{text[1:]}", Tone.PLAIN)
    if pace is None:
        return Verdict("When it runs out is not known", Tone.PLAIN)
    return Verdict(f"Lasts {_lasts_until(balance, pace, now)}", Tone.GOOD)


def _runaway_verdict(runaway: Runaway, now: datetime) -> str:
    if runaway.runs_out_at is None:
        return f"Spending {format_usd(runaway.per_minute)} a minute"
    left = runaway.runs_out_at - now
    return f"Gone in {format_duration(left)} at this rate" if left > timedelta(0) else "Gone by now at this rate"


def _run_out_verdict(balance: Balance, pace: Pace, runs_out_at: datetime, now: datetime) -> Verdict:
    name = pace_of(balance)
    subject = "Runs out" if name is None else f"{name[0].upper()}{name[1:]} runs out"
    is_soon = runs_out_at - now < ATTENTION
    resets_at = _paced_reset(balance, pace)
    tone = Tone.WARNING if is_soon or resets_at is not None else Tone.PLAIN
    wait = forecast_in(runs_out_at, now)
    if pace.is_upper_bound:
        return Verdict(f"{subject} {wait if is_soon else _weekday(runs_out_at, now)} at the latest", tone)
    if resets_at is None:
        return Verdict(f"{subject} {wait if is_soon else f'in {shortly(runs_out_at - now)}'}", tone)
    before = f"{_long(resets_at - runs_out_at)} before {'the' if name is None else 'its'} reset"
    return Verdict(f"{subject} {wait}, {before}" if is_soon else f"{subject} {before}", tone)


def _long(duration: timedelta) -> str:
    """Format a long time in whole days, rounded, since it comes from a forecast; less than two days exactly."""
    days = timedelta(days=1)
    return format_duration(duration) if duration < 2 * days else f"{(duration + days / 2) // days:,} days"


def _paced_reset(balance: Balance, pace: Pace) -> datetime | None:
    """Return when the budget that the forecast is of is reset."""
    return next((budget.resets_at for budget in balance.budgets if budget.pace == pace), None)


def _refused_until(balance: Balance, now: datetime) -> str:
    if balance.account is not None and balance.account.remaining <= ZERO:
        return "credit is bought"
    return "the limit is raised" if balance.refused_until is None else _near(balance.refused_until, now)


def _lasts_until(balance: Balance, pace: Pace, now: datetime) -> str:
    resets_at = _paced_reset(balance, pace)
    if resets_at is None or not pace.lasts_until_reset:
        return "ten years or more"
    close = _close_day(resets_at, now)
    return f"until {_near(resets_at, now)}" if close is None else f"until the reset {close}"


def _near(at: datetime, now: datetime) -> str:
    """Format a time: within a day `01:00`, else `1 March`, with the year where it is not this one."""
    local = _local(at)
    return f"{local:%H:%M}" if abs(at - now) < ATTENTION else f"{local.day} {local:%B}{_year(local, now)}"


def _close_day(at: datetime, now: datetime) -> str | None:
    """Format a time of today or tomorrow: `tomorrow, 01:00`; None for any other day."""
    local, today = _local(at), _local(now).date()
    name = {0: "today", 1: "tomorrow"}.get((local.date() - today).days)
    return None if name is None else f"{name}, {local:%H:%M}"


def _weekday(at: datetime, now: datetime) -> str:
    """Format a day: `Sat 14 Feb`, with the year where it is not this one."""
    local = _local(at)
    return f"{local:%a} {local.day} {local:%b}{_year(local, now)}"


def _year(local: datetime, now: datetime) -> str:
    return "" if local.year == _local(now).year else f" {local.year}"


def _local(at: datetime) -> datetime:
    try:
        return at.astimezone()
    except (OverflowError, OSError, ValueError):  # past the end of the calendar in local time
        return at
