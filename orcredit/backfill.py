"""What a key spent in the past, as OpenRouter reports it afterwards: asked for in parts, the newest first.

By the hour, where the deployment tells hours, else by the day; where it has no analytics, the completed days of
`/activity`. The parts are whole UTC days, so that they replace what was stored of these days before, where they hold
an amount: an answer without any may be that of an account which does not hold the key.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from orcredit.balance.activity import COMPLETED_DAYS, LONGEST_SPAN, Source
from orcredit.document import Document, Instant, Usd
from orcredit.errors import NonsenseError, UnreachableError
from orcredit.history import Reported
from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from decimal import Decimal

    from orcredit.account import Account

Width: TypeAlias = Literal["hour", "day"]

MOST_DAYS = 31
"""Of one question: 744 rows by the hour, of 10,000 that OpenRouter answers with."""

ACCOUNT_HINT = "Use a management key (OPENROUTER_MANAGEMENT_KEY) of the account that the key belongs to."

_DAY = timedelta(days=1)
_WIDTHS: dict[Width, timedelta] = {"hour": timedelta(hours=1), "day": _DAY}


class Part(NamedTuple):
    """What was spent from a time to another; both aware UTC.

    Attributes:
        since: a UTC midnight.
        until: a UTC midnight, or the time of the question.
        spent: what is not zero, oldest first.
        by: how long its intervals are.
        source: which of OpenRouter's calls told it.
        notes: what is to be known about the amounts.
    """

    since: datetime
    until: datetime
    spent: Sequence[Reported]
    by: Width
    source: Source
    notes: tuple[str, ...] = ()


class Filled(Document):
    """What was filled into a history: what `orcredit history --backfill --json` prints.

    Attributes:
        profile: whose key; None for the unnamed profile.
        since: from when on, a UTC midnight; None where no amount is told, so that nothing was filled in.
        until: to when.
        usd: what OpenRouter reports that the key spent in it.
        by: how it is divided: "hour", "day", or both.
        source: which of OpenRouter's calls told it, or that there is nothing; None where none answered.
        complete: whether all of the time that was asked for could be had.
        incomplete_reason: why not.
        notes: what is to be known about the amounts.
    """

    profile: str | None
    since: Instant | None
    until: Instant | None
    usd: Usd
    by: tuple[Width, ...]
    source: Source | None
    complete: bool
    incomplete_reason: str | None
    notes: tuple[str, ...]


def beginning(span: timedelta, now: datetime) -> datetime:
    """Return the UTC midnight from which on a span is asked for: its own, but within OpenRouter's 365 days."""
    midnight = (now - span).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if now - midnight <= LONGEST_SPAN else midnight + _DAY


async def parts(ask: Callable[[], Account], key: str, span: timedelta) -> AsyncGenerator[Part, None]:
    """Ask what a key spent, in parts that follow each other without a hole, the newest first.

    Args:
        ask: begins a question, with its own deadline.
        key: whose spend; only its hash is sent.
        span: how far back.

    Raises:
        OrcreditError: a part could not be had; after those that could. A part of which rows are left out (truncated)
            is asked for in smaller ones, by days at last, and is an error where that does not help. So is a part with a
            warning: OpenRouter warns where it could not resolve what the rows were to be of, and then answers all the
            same (openrouter.ai/docs, "Query analytics data"), so that they may be other keys'.
    """
    now = ask().when(None).astimezone(UTC).replace(microsecond=0)
    since, end = beginning(span, now), now
    key_hash = hashlib.sha256(key.encode()).hexdigest()
    by: Width = "hour"
    most = MOST_DAYS
    while end > since:
        start = max(since, _midnight(end - timedelta(seconds=1)) - (most - 1) * _DAY)
        account = ask()
        try:
            data = await account.api.analytics(start, end, granularity=by, key_hash=key_hash)
        except NonsenseError as error:
            if error.status == 404 and end == now:
                yield await _completed_days(account, key_hash, since, _midnight(now))
                return
            if error.status != 400 or by == "day":
                raise
            by = "day"  # this deployment, or this part of its past, has no hours
            continue
        except UnreachableError as error:
            if error.status != 408 or most == 1:
                raise
            most = most // 4 or 1
            continue
        _check_resolved(data.warnings)
        if data.metadata.truncated:
            if most > 1 and end - start > _DAY:
                most //= 2
            elif by == "hour":
                by, most = "day", MOST_DAYS
            else:
                raise NonsenseError(
                    "OpenRouter left rows out (truncated), though a single day was asked for.",
                    hint="What was told of later days is filled in; try again later.",
                )
            continue
        rows = ((row.start, row.credits_usage or ZERO) for row in data.data)
        yield Part(start, end, _reported(rows, start, end, by), by, "analytics")
        end = start


def _check_resolved(warnings: Sequence[str] | None) -> None:
    if warnings:
        raise NonsenseError(
            "OpenRouter warns that it could not resolve the key: what it tells may be what other keys spent.",
            hint=ACCOUNT_HINT,
        )


async def _completed_days(account: Account, key_hash: str, since: datetime, midnight: datetime) -> Part:
    """Ask for what older deployments have."""
    since = max(since, midnight - COMPLETED_DAYS * _DAY)
    items = (await account.api.activity({"api_key_hash": key_hash})).data
    spent = _reported(((item.date, item.usage or ZERO) for item in items), since, midnight, "day")
    note = f"OpenRouter here has no analytics: the last {COMPLETED_DAYS} completed days (UTC) are all that it tells."
    return Part(min(since, midnight), midnight, spent, "day", "activity", (note,))


def _reported(
    rows: Iterable[tuple[datetime | None, Decimal]], start: datetime, end: datetime, by: Width
) -> tuple[Reported, ...]:
    """Add rows up by their hour or day; those outside of the time that was asked for are left out."""
    found: dict[datetime, Decimal] = {}
    for at, spend in rows:
        if at is None:
            raise NonsenseError(f"OpenRouter's answer makes no sense: a row without its {by}.")
        begun = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        begun = _midnight(begun) if by == "day" else begun
        if start <= begun < end:
            found[begun] = found.get(begun, ZERO) + spend
    width = _WIDTHS[by]
    return tuple(Reported(at, min(at + width, end), spend) for at, spend in sorted(found.items()) if spend)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
