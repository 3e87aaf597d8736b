"""The `Balance` document: how much a key can still spend, what limits it, and its level.

Pure arithmetic on OpenRouter's answers. The table, the JSON, the exit code and every other rendering are made from the
`Balance` that `assess` builds; nothing downstream computes amounts.
"""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from orcredit.balance.budget import KEY_LIMIT, Budget, budgets_of, key_limit_of
from orcredit.balance.forecast import (
    Pace,
    calendar_windows,
    first_to_run_out,
    forecast,
    period_start,
    period_windows,
)
from orcredit.balance.threshold import ACCOUNT_CREDIT, DEFAULT_THRESHOLDS, Breach, Threshold
from orcredit.document import Document, Instant, Percent, Usd
from orcredit.errors import ExitCode
from orcredit.money import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orcredit.balance.week import Week
    from orcredit.openrouter import Credits, KeyInfo

ATTENTION = timedelta(days=1)
"""An amount that runs out sooner, and before its reset, needs attention."""

NOT_URGENT = (True, math.inf, math.inf)
"""The `urgency` of what has no balance."""

IN_FLIGHT_BELOW = Decimal(10)
"""USD. Accounts with less credit may have requests refused before it is used up: OpenRouter lets running requests
reserve an undisclosed fraction of a low balance only (its documentation, October 2026). The amount is orcredit's."""

CreditSource = Literal["key", "management_key"]
"""Which key OpenRouter told the credit: the one that is asked about, or a separate management key."""

KEY_SCOPES = frozenset({KEY_LIMIT, "api_key", "workspace_default_key"})
"""Budgets that only this key spends from; others are shared, and their spend includes that of other keys."""


class Level(StrEnum):
    """The state of a balance; `exit_code` is the command line's for it."""

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"
    UNLIMITED = "unlimited"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that shows a balance of this level."""
        return {Level.LOW: ExitCode.LOW, Level.EXHAUSTED: ExitCode.EXHAUSTED}.get(self, ExitCode.OK)

    @property
    def is_warning(self) -> bool:
        """Whether the level is low or exhausted."""
        return self in {Level.LOW, Level.EXHAUSTED}


class Account(Document):
    """What the account bought and spent, in USD, from `GET /credits`; it excludes grants.

    `source` is the key that OpenRouter told it: "key" or "management_key". `runs_out_at` is null when nothing is spent,
    or nothing is known. `is_upper_bound`: others spend from it too, so it runs out then at the latest.
    """

    total_credits: Usd
    total_usage: Usd
    remaining: Usd
    source: CreditSource
    runs_out_at: Instant | None = None
    is_upper_bound: bool = False
    pace: Pace | None = Field(default=None, exclude=True)
    """When the credit runs out; not part of the JSON document, which has the forecast of what runs out first."""
    key_label: str | None = Field(default=None, exclude=True)
    """The masked label of the management key that was told this: it may belong to another account."""
    disputed_by: str | None = Field(default=None, exclude=True)
    """The masked label of a management key that was told of other purchases than the key itself."""


class Byok(Document):
    """Spend on bring-your-own-key models, in USD; `included_in_limit`: whether it counts against the key's limit."""

    usage: Usd | None
    usage_daily: Usd | None
    usage_weekly: Usd | None
    usage_monthly: Usd | None
    included_in_limit: bool | None


class FreeRequests(Document):
    """Requests to free models today (UTC), for the whole account."""

    used: int | None
    limit: int | None
    remaining: int | None


class Key(Document):
    """The key's metadata; never the key itself."""

    label: str | None
    expires_at: Instant | None
    is_management_key: bool | None
    is_free_tier: bool | None


class Balance(Document):
    """The document: what `status --json` prints. Amounts in USD, times in UTC; null means "none" or "not known".

    The first ten fields are the contract of the dashboard that orcredit replaces. `refused_until` is when requests are
    accepted again, as far as resets tell; null when they are accepted, or no reset will help.
    """

    total_limit: Usd | None
    remaining: Usd | None
    reset_period: str | None
    usage: Usd | None
    usage_daily: Usd | None
    usage_weekly: Usd | None
    usage_monthly: Usd | None
    percent_remaining: Percent | None
    warning_low_budget: bool
    fetched_at: Instant
    used: Usd | None
    resets_at: Instant | None
    spendable: Usd | None
    limited_by: str | None
    level: Level
    budgets: tuple[Budget, ...]
    refused_until: Instant | None = None
    thresholds: tuple[str, ...] = ()
    account: Account | None
    account_error: str | None
    byok: Byok | None
    free_requests: FreeRequests | None
    key: Key
    pace: Pace | None = None
    low_because: Breach | None = None
    profile: str | None = None
    stale: bool = False
    stale_reason: str | None = None

    @property
    def limiting(self) -> Budget | None:
        """The budget that `limited_by` names, as budgets may share a scope; None for the account's credit."""
        return next((budget for budget in self.budgets if budget.is_limiting), None)

    @property
    def percent_left(self) -> Decimal | None:
        """What is left of the limiting budget in percent; None where the credit limits, which is no budget."""
        return self.limiting.percent_remaining if self.limiting is not None else None

    @property
    def needs_attention(self) -> bool:
        """Whether what can be spent runs out within a day and before its reset, although the level is ok."""
        at = self.pace.runs_out_at if self.pace is not None else None
        return not self.level.is_warning and at is not None and at - self.fetched_at < ATTENTION

    @property
    def urgency(self) -> tuple[bool, float, float]:
        """What sorts balances of one level: first what needs attention, then the least percent left, then run-out."""
        at = self.pace.runs_out_at if self.pace is not None else None
        percent = self.percent_left
        return (
            not self.needs_attention,
            math.inf if percent is None else float(percent),
            math.inf if at is None else at.timestamp(),
        )

    @property
    def may_be_refused_early(self) -> bool:
        """Whether there is so little credit that large requests, or many at once, may be refused before it is spent."""
        account = self.account
        return account is not None and ZERO < account.remaining < IN_FLIGHT_BELOW

    def pace_of(self, budget: Budget | None) -> Pace | None:
        """Return the forecast of a budget, or of the account's credit (None)."""
        if budget is not None:
            return budget.pace
        return self.account.pace if self.account is not None else None

    def is_low(self, budget: Budget) -> bool:
        """Whether this budget breaches the threshold that made the level low."""
        because = self.low_because
        return (
            because is not None
            and because.scope == budget.scope
            and Threshold.parse(because.threshold).is_breached_by(budget)
        )


def assess(
    key: KeyInfo,
    credits_: Credits | None,
    now: datetime,
    thresholds: Sequence[Threshold] = DEFAULT_THRESHOLDS,
    *,
    account_error: str | None = None,
    account_key_label: str | None = None,
    source: CreditSource = "management_key",
    disputed_by: str | None = None,
    profile: str | None = None,
    week: Week | None = None,
    account_spent: tuple[Decimal, Decimal, Decimal] | None = None,
) -> Balance:
    """Build the document from OpenRouter's answers.

    Args:
        key: the answer to `GET /key`.
        credits_: the answer to `GET /credits`; None if not asked, refused or failed.
        now: when OpenRouter answered; aware UTC.
        thresholds: the level is low when any one is breached; `in_force` completes the given ones.
        account_error: why `credits_` is None although it was asked for.
        account_key_label: the masked label of the management key that `credits_` came from.
        source: which key `credits_` came from.
        disputed_by: the masked label of a management key that OpenRouter told of other purchases.
        profile: the profile's name; None for the unnamed one.
        week: what the history knows of the key's week: for the forecasts of budgets that only this key spends from.
        account_spent: USD that the whole account spent in the current UTC day, week and month, for the credit's pace;
            None where it is not known: then the key's pace stands in, and the credit lasts so long at most.

    Raises:
        NonsenseError: the key has a limit, but the answer does not say what is left of it.
    """
    with localcontext(EXACT):
        budgets = tuple(_with_pace(budget, key, now, week) for budget in budgets_of(key, now))
        account = _account(key, credits_, now, source, account_spent)
        if account is not None:
            account = account.model_copy(update={"key_label": account_key_label, "disputed_by": disputed_by})
        if credits_ is not None and account is None and (source == "management_key" or key.is_management):
            account_error = (
                "OpenRouter reports no purchased credit for this account; grants are not reported, "
                "so what is left is not known"
            )
        spendable, limited_by = _least(budgets, account)
        if limited_by not in {None, ACCOUNT_CREDIT}:
            limiting = _limiting(budgets)
            budgets = tuple(
                budget.model_copy(update={"is_limiting": True}) if budget is limiting else budget for budget in budgets
            )
        own = key_limit_of(budgets)
        pace = _pace(budgets, account, limited_by)
        credit = account.remaining if account is not None else None
        breaches = (threshold.breach(budgets, spendable, credit, pace, now) for threshold in thresholds)
        breach = next(filter(None, breaches), None)
        level = _level(budgets, account, is_low=breach is not None)
        return Balance(
            total_limit=own.limit if own else None,
            remaining=own.remaining if own else None,
            reset_period=own.reset_period if own else key.limit_reset,
            usage=key.usage,
            usage_daily=key.usage_daily,
            usage_weekly=key.usage_weekly,
            usage_monthly=key.usage_monthly,
            percent_remaining=own.percent_remaining if own else None,
            warning_low_budget=level.is_warning,
            fetched_at=now,
            used=own.spent if own else None,
            resets_at=own.resets_at if own else None,
            spendable=spendable,
            limited_by=limited_by,
            level=level,
            budgets=budgets,
            refused_until=_refused_until(budgets, account),
            thresholds=tuple(str(threshold) for threshold in thresholds),
            account=account,
            account_error=account_error,
            byok=_byok(key),
            free_requests=_free_requests(key),
            key=Key(
                label=key.label,
                expires_at=key.expires_at,
                is_management_key=key.is_management,
                is_free_tier=key.is_free_tier,
            ),
            pace=pace,
            low_because=breach if level is Level.LOW else None,
            profile=profile,
        )


def _account(
    key: KeyInfo,
    credits_: Credits | None,
    now: datetime,
    source: CreditSource,
    spent: tuple[Decimal, Decimal, Decimal] | None,
) -> Account | None:
    """Return the account's credit; None where it is not known."""
    is_ordinary = source == "key" and not key.is_management
    if credits_ is None or not credits_.is_conclusive(is_ordinary=is_ordinary):
        return None
    remaining = credits_.total_credits - credits_.total_usage
    today, week, month = of_key = key.usage_daily, key.usage_weekly, key.usage_monthly
    if spent is not None:
        # The key's is a part of it, and may be newer: analytics come from a cache.
        today, week, month = (max(of_all, own or ZERO) for of_all, own in zip(spent, of_key, strict=True))
    windows = calendar_windows(now, today=today, week=week, month=month)
    pace = forecast(
        ACCOUNT_CREDIT,
        windows,
        spent=credits_.total_usage,
        remaining=remaining,
        resets_at=None,
        now=now,
        is_upper_bound=spent is None,
    )
    return Account(
        total_credits=credits_.total_credits,
        total_usage=credits_.total_usage,
        remaining=remaining,
        source=source,
        runs_out_at=pace.runs_out_at if pace is not None else None,
        is_upper_bound=pace is not None and pace.is_upper_bound,
        pace=pace,
    )


def _limiting(budgets: Sequence[Budget]) -> Budget | None:
    """Choose the limiting budget: the first that is spent, else the first with the least left."""
    spent = next((budget for budget in budgets if budget.is_spent), None)
    return spent or min(budgets, key=lambda budget: budget.remaining, default=None)


def _least(budgets: Sequence[Budget], account: Account | None) -> tuple[Decimal | None, str | None]:
    """Return `spendable` and `limited_by`."""
    limiting = _limiting(budgets)
    least = min((budget.remaining for budget in budgets), default=None)
    if account is not None and (least is None or account.remaining < least):
        return max(account.remaining, ZERO), ACCOUNT_CREDIT
    if least is None or limiting is None:
        return None, None
    return max(least, ZERO), limiting.scope


def _pace(budgets: Sequence[Budget], account: Account | None, limited_by: str | None) -> Pace | None:
    """Choose the forecast of what runs out first, the credit included; when nothing does, of what limits."""
    of_credit = account.pace if account is not None else None
    first = first_to_run_out([*(budget.pace for budget in budgets), of_credit])
    if first is not None:
        return first
    limiting = next((budget for budget in budgets if budget.is_limiting), None)
    return of_credit if limited_by == ACCOUNT_CREDIT else limiting.pace if limiting is not None else None


def _with_pace(budget: Budget, key: KeyInfo, now: datetime, week: Week | None) -> Budget:
    pace = _budget_pace(key, budget, now, week)
    if pace is None:
        return budget
    known = {"pace": pace, "runs_out_at": pace.runs_out_at, "is_upper_bound": pace.is_upper_bound}
    return budget.model_copy(update=known)


def _budget_pace(key: KeyInfo, budget: Budget, now: datetime, week: Week | None) -> Pace | None:
    """Forecast a budget: by the key's week or usage where only the key spends from it, else by what was spent of it.

    Of a shared budget without a known period OpenRouter does not say how fast it is spent: the key's part is known.
    """
    is_shared = budget.scope not in KEY_SCOPES
    windows = (
        period_windows(now, spent=budget.spent, period=budget.reset_period, resets_at=budget.resets_at)
        if is_shared
        else ()
    )
    is_upper_bound = is_shared and not windows
    if not windows:
        windows = calendar_windows(
            now,
            today=_usage(key.usage_daily, key.byok_usage_daily, budget),
            week=_usage(key.usage_weekly, key.byok_usage_weekly, budget),
            month=_usage(key.usage_monthly, key.byok_usage_monthly, budget),
        )
    return forecast(
        budget.scope,
        windows,
        spent=budget.spent,
        remaining=budget.remaining,
        resets_at=budget.resets_at,
        now=now,
        began_at=period_start(budget.reset_period, budget.resets_at),
        is_upper_bound=is_upper_bound,
        week=None if is_shared or _has_byok(key, budget) else week,
    )


def _has_byok(key: KeyInfo, budget: Budget) -> bool:
    """Whether a budget may be spent by usage that the history does not count: that of the user's own keys."""
    return bool(budget.include_byok) and key.byok_usage != ZERO


def _usage(usage: Decimal | None, byok_usage: Decimal | None, budget: Budget) -> Decimal | None:
    """Return the usage that counts against a budget; None if any part of it is unknown."""
    if not budget.include_byok:
        return usage
    return None if usage is None or byok_usage is None else usage + byok_usage


def _level(budgets: Sequence[Budget], account: Account | None, *, is_low: bool) -> Level:
    if any(budget.is_spent for budget in budgets) or (account is not None and account.remaining <= ZERO):
        return Level.EXHAUSTED
    if is_low:
        return Level.LOW
    return Level.OK if budgets or account is not None else Level.UNLIMITED


def _refused_until(budgets: Sequence[Budget], account: Account | None) -> datetime | None:
    """Return when every spent budget will have been reset; None where nothing is spent, or no reset will help.

    None will where a limit is zero, or the account's credit is used up.
    """
    resets = [budget.resets_at if budget.limit > ZERO else None for budget in budgets if budget.is_spent]
    known = [at for at in resets if at is not None]
    if len(known) < len(resets) or (account is not None and account.remaining <= ZERO):
        return None
    return max(known, default=None)


def _byok(key: KeyInfo) -> Byok | None:
    amounts = (key.byok_usage, key.byok_usage_daily, key.byok_usage_weekly, key.byok_usage_monthly)
    if all(amount is None for amount in amounts):
        return None
    usage, daily, weekly, monthly = amounts
    return Byok(
        usage=usage,
        usage_daily=daily,
        usage_weekly=weekly,
        usage_monthly=monthly,
        included_in_limit=key.include_byok_in_limit,
    )


def _free_requests(key: KeyInfo) -> FreeRequests | None:
    free = key.free_model_daily_requests
    return FreeRequests(used=free.used, limit=free.limit, remaining=free.remaining) if free is not None else None
