"""Balances for tests, made without a request."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from orcredit.balance import Account, Balance, Byok, Key, Level

if TYPE_CHECKING:
    from datetime import datetime

_DERIVED = Decimal(-1)


def balance(
    at: datetime,
    usage: Decimal | str | int | None,
    *,
    limit: Decimal | int | None = 100,
    left: Decimal | int | None = _DERIVED,
    byok_usage: Decimal | int | None = None,
    account_usage: Decimal | int | None = None,
    stale: bool = False,
) -> Balance:
    """Make the balance of a key with a lifetime limit; `left` (default: limit - usage) can still be spent."""
    usage = None if usage is None else Decimal(usage)
    if left == _DERIVED:
        left = None if limit is None or usage is None else max(Decimal(0), limit - usage)
    account = None
    if account_usage is not None:
        account = Account(
            total_credits=Decimal(10_000),
            total_usage=Decimal(account_usage),
            remaining=Decimal(10_000) - account_usage,
            source="management_key",
        )
    byok = None
    if byok_usage is not None:
        byok = Byok(
            usage=Decimal(byok_usage), usage_daily=None, usage_weekly=None, usage_monthly=None, included_in_limit=None
        )
    return Balance(
        total_limit=None if limit is None else Decimal(limit),
        remaining=None if left is None else Decimal(left),
        reset_period=None,
        usage=usage,
        usage_daily=None,
        usage_weekly=None,
        usage_monthly=None,
        percent_remaining=None,
        warning_low_budget=False,
        fetched_at=at,
        used=None,
        resets_at=None,
        spendable=None if left is None else Decimal(left),
        limited_by=None,
        level=Level.OK,
        budgets=(),
        account=account,
        account_error=None,
        byok=byok,
        free_requests=None,
        key=Key(label=None, expires_at=None, is_management_key=None, is_free_tier=None),
        stale=stale,
        stale_reason="made stale by a test" if stale else None,
    )
