"""What a management key sees of an account: every key with its own limit, and the credit. Pure.

A key's level and run-out are those of a `Balance` of the key's limit: `assess` decides, as everywhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.balance.balance import Account, Level, assess
from orcredit.balance.forecast import Pace, calendar_usage
from orcredit.balance.threshold import DEFAULT_THRESHOLDS, Breach
from orcredit.document import Document, Instant, Percent, Usd
from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from orcredit.balance.threshold import Threshold
    from orcredit.openrouter.account_wire import KeyRow
    from orcredit.openrouter.account_wire import Workspace as WireWorkspace
    from orcredit.openrouter.spending import Days
    from orcredit.openrouter.wire import Credits


class Workspace(Document):
    """A workspace of the account."""

    id: str
    name: str
    slug: str | None


class AccountKey(Document):
    """One key of the account, as its list shows it: its own limit only. Amounts in USD, times in UTC.

    `remaining` is not clamped. `level`, `low_because` and `runs_out_at` are of the key's own limit, not of the
    account's credit or of another budget, which the list does not tell. `per_day` is the pace. `hash` is the SHA-256 of
    the key. `is_last_use_known`: whether the deployment reports the last use; where it does, a null `last_used_at`
    means that nothing was used since the end of 2025.
    """

    hash: str
    name: str
    label: str | None
    workspace: str | None
    workspace_id: str | None
    level: Level
    low_because: Breach | None
    total_limit: Usd | None
    remaining: Usd | None
    used: Usd | None
    percent_remaining: Percent | None
    reset_period: str | None
    resets_at: Instant | None
    usage: Usd | None
    usage_daily: Usd | None
    usage_weekly: Usd | None
    usage_monthly: Usd | None
    include_byok: bool | None
    per_day: Usd | None
    runs_out_at: Instant | None
    disabled: bool
    expired: bool
    expires_at: Instant | None
    created_at: Instant | None
    updated_at: Instant | None
    last_used_at: Instant | None
    is_last_use_known: bool

    @property
    def is_usable(self) -> bool:
        """Whether it is neither disabled nor expired."""
        return not (self.disabled or self.expired)


class KeysPage(Document):
    """One page of one workspace's keys, as it arrives from OpenRouter."""

    fetched_at: Instant
    workspace: Workspace | None
    keys: tuple[AccountKey, ...]


class AccountBalance(Document):
    """The account's credit: what is left, its level, and how long it lasts. Amounts in USD, times in UTC.

    `credit` is null where OpenRouter reports no purchases (grants are not reported) or could not be asked, which
    `credit_error` says. Its pace is that of all the account's spending, null where the deployment has no analytics.
    """

    fetched_at: Instant
    level: Level
    low_because: Breach | None
    thresholds: tuple[str, ...]
    credit: Account | None
    credit_error: str | None
    pace: Pace | None
    profile: str | None = None


class KeyList(Document):
    """Every key of the account, with its credit: what `orcredit keys --json` prints.

    `complete` is false where a page could not be had or a row made no sense, which `incomplete_reason` says; `keys` has
    the others.
    `workspaces` is empty on a deployment that has none.
    """

    fetched_at: Instant
    profile: str | None
    thresholds: tuple[str, ...]
    account: AccountBalance
    workspaces: tuple[Workspace, ...]
    keys: tuple[AccountKey, ...]
    complete: bool
    incomplete_reason: str | None


def workspace_of(workspace: WireWorkspace | None) -> Workspace | None:
    """Make the document's workspace of the wire's."""
    return None if workspace is None else Workspace(id=workspace.id, name=workspace.name, slug=workspace.slug)


def assess_row(
    row: KeyRow, workspace: WireWorkspace | None, now: datetime, thresholds: Sequence[Threshold] = DEFAULT_THRESHOLDS
) -> AccountKey:
    """Assess the own limit of a key of the account.

    Args:
        row: of the list of keys.
        workspace: whose key it is; None on a deployment without workspaces.
        now: when OpenRouter answered; aware UTC.
        thresholds: as of `assess`.

    Raises:
        NonsenseError: the key has a limit, but the row does not say what is left of it.
    """
    balance = assess(row, None, now, thresholds)
    own = next(iter(balance.budgets), None)
    pace = own.pace if own is not None else None
    return AccountKey(
        hash=row.hash,
        name=row.name or "",
        label=row.label,
        workspace=workspace.name if workspace is not None else None,
        workspace_id=row.workspace_id or (workspace.id if workspace is not None else None),
        level=balance.level,
        low_because=balance.low_because,
        total_limit=balance.total_limit,
        remaining=balance.remaining,
        used=balance.used,
        percent_remaining=balance.percent_remaining,
        reset_period=balance.reset_period,
        resets_at=balance.resets_at,
        usage=balance.usage,
        usage_daily=balance.usage_daily,
        usage_weekly=balance.usage_weekly,
        usage_monthly=balance.usage_monthly,
        include_byok=row.include_byok_in_limit,
        per_day=pace.per_day if pace is not None else None,
        runs_out_at=pace.runs_out_at if pace is not None else None,
        disabled=bool(row.disabled),
        expired=row.expires_at is not None and row.expires_at <= now,
        expires_at=row.expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_used_at=row.last_used_at,
        is_last_use_known=row.reports("last_used_at"),
    )


def assess_credit(
    credits_: Credits | None,
    spent: tuple[Decimal, Decimal, Decimal] | None,
    now: datetime,
    thresholds: Sequence[Threshold] = DEFAULT_THRESHOLDS,
    *,
    error: str | None = None,
    profile: str | None = None,
) -> AccountBalance:
    """Assess the account's credit.

    Args:
        credits_: None where OpenRouter could not be asked.
        spent: USD by the whole account in the current UTC day, week and month; None where it is not known.
        now: when OpenRouter answered; aware UTC.
        thresholds: as of `assess`.
        error: why `credits_` is None.
        profile: its name.
    """
    from orcredit.openrouter import KeyInfo  # noqa: PLC0415 - pydantic

    # A management key, which has neither a limit nor usage, so that all that counts is the credit.
    key = KeyInfo.model_validate({"is_management_key": True, "limit": None})
    balance = assess(key, credits_, now, thresholds, account_error=error, account_spent=spent)
    return AccountBalance(
        fetched_at=now,
        level=balance.level,
        low_because=balance.low_because,
        thresholds=balance.thresholds,
        credit=balance.account,
        credit_error=balance.account_error,
        pace=balance.pace,
        profile=profile,
    )


_LATELY = timedelta(hours=1)
"""For so long what an account spent of late is known, as its all-time usage tells the rest."""

_LATELY_FAILED = timedelta(minutes=5)
"""For so long it is not asked for again where it could not be had."""


class Lately:
    """What an account spent in the current UTC week and month, for a program that asks for its credit often.

    Analytics are asked once an hour, and when a UTC day begins; meanwhile what its all-time usage rose by is added.
    """

    def __init__(self) -> None:
        self._days: Days | None = None
        self._usage = ZERO
        self._asked_at: datetime | None = None

    def is_due(self, usage: Decimal, now: datetime) -> bool:
        """Whether analytics are to be asked again.

        Args:
            usage: the account's all-time usage, in USD.
            now: aware UTC.
        """
        if self._asked_at is None:
            return True
        longest = _LATELY if self._is_known(usage, now) else _LATELY_FAILED
        return not timedelta(0) <= now - self._asked_at < longest

    def remember(self, days: Days | None, usage: Decimal, now: datetime) -> None:
        """Keep what analytics said; None where they could not be had."""
        self._days, self._usage, self._asked_at = days, usage, now

    def spent(self, usage: Decimal, now: datetime) -> tuple[Decimal, Decimal, Decimal] | None:
        """Give USD of the UTC day, the week and the month; None where that is not known."""
        if self._days is None or not self._is_known(usage, now):
            return None
        return calendar_usage([*self._days, (now, usage - self._usage)], now)

    def _is_known(self, usage: Decimal, now: datetime) -> bool:
        is_today = self._asked_at is not None and self._asked_at.date() == now.date()
        return self._days is not None and is_today and usage >= self._usage


WORST_FIRST = (Level.EXHAUSTED, Level.LOW, Level.OK, Level.UNLIMITED)


def badness(key: AccountKey) -> tuple[int, int, float, float, str]:
    """Return what sorts the keys that need attention first: by level, run-out and what is left."""
    runs_out = key.runs_out_at.timestamp() if key.runs_out_at is not None else float("inf")
    left = float(key.percent_remaining) if key.percent_remaining is not None else float("inf")
    return int(not key.is_usable), WORST_FIRST.index(key.level), runs_out, left, key.name.casefold()


def worst_level(keys: Iterable[AccountKey], account: AccountBalance) -> Level:
    """Return the worst level of the keys that can be used, and of the account's credit."""
    levels = {key.level for key in keys if key.is_usable} | {account.level}
    return next(level for level in WORST_FIRST if level in levels)


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    """Add amounts up; what is not known counts as nothing."""
    return sum((amount for amount in amounts if amount is not None), ZERO)
