"""The budgets of a key: what each limits, what is left of it, and when it resets."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import Field

from orcredit.balance.forecast import Pace  # noqa: TC001 - pydantic reads the field's type
from orcredit.document import Document, Instant, Percent, Usd
from orcredit.errors import NonsenseError
from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.openrouter import BudgetInfo, KeyInfo

KEY_LIMIT = "key_limit"
"""The scope of the key's own limit, OpenRouter's word."""

_ONE_DECIMAL = Decimal("0.1")


class Budget(Document):
    """One budget enforced on the key. Amounts in USD; `remaining` is not clamped.

    `is_limiting`: whether `spendable` comes from this one; two budgets may share a scope. `runs_out_at` is null when
    the budget lasts until its reset, or nothing is known. `is_upper_bound`: others spend from it too, by an amount that
    is not known, so it runs out then at the latest.
    """

    scope: str
    limit: Usd
    spent: Usd
    remaining: Usd
    percent_remaining: Percent
    reset_period: str | None
    resets_at: Instant | None
    include_byok: bool | None
    is_limiting: bool = False
    runs_out_at: Instant | None = None
    is_upper_bound: bool = False
    pace: Pace | None = Field(default=None, exclude=True)
    """The forecast of this budget alone; not part of the JSON document, which has that of what runs out first."""

    @property
    def is_spent(self) -> bool:
        """Whether OpenRouter refuses requests because of this budget."""
        return self.remaining <= ZERO


def next_reset(period: str | None, now: datetime) -> datetime | None:
    """When a limit of this period resets next: 00:00 UTC of the next day, Monday or 1st.

    Args:
        period: OpenRouter's word, or None.
        now: aware UTC.

    Returns:
        Aware UTC; None for a lifetime limit, for an unknown period, and past the end of the calendar.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with suppress(OverflowError):
        match period:
            case "daily":
                return midnight + timedelta(days=1)
            case "weekly":
                return midnight + timedelta(days=7 - midnight.weekday())
            case "monthly":
                return (midnight.replace(day=28) + timedelta(days=4)).replace(day=1)
    return None


def budgets_of(key: KeyInfo, now: datetime) -> tuple[Budget, ...]:
    """List every budget in enforcement order, the key's own limit added last where OpenRouter lists none."""
    budgets = [budget for info in key.budgets or () if (budget := _budget(info, key, now))]
    listed = key_limit_of(budgets)
    if listed is not None:
        budgets[budgets.index(listed)] = _reconciled(key, listed, now)
    elif key.limit is not None:
        remaining = key.limit_remaining if key.limit_remaining is not None else _derived_remaining(key, key.limit)
        budgets.append(_reported_limit(key, key.limit, remaining, now))
    elif not key.reports("limit") and not key.is_management:
        # A missing field is not "no limit". Management keys run no models, so their limit does not matter.
        raise NonsenseError(
            "OpenRouter's answer makes no sense: it does not say whether the key has a limit (data.limit)."
        )
    return tuple(budgets)


def key_limit_of(budgets: Iterable[Budget]) -> Budget | None:
    """Find the key's own limit; if several are listed, the one with the least left."""
    return min(
        (budget for budget in budgets if budget.scope == KEY_LIMIT), key=lambda budget: budget.remaining, default=None
    )


def _reconciled(key: KeyInfo, listed: Budget, now: datetime) -> Budget:
    """Choose between the listed `key_limit` budget and the one that `limit` and `limit_remaining` describe.

    If they disagree, the one with less left is used as a whole; a tie goes to the listed one, which has its reset time.
    """
    limit, remaining = key.limit, key.limit_remaining
    if limit is None or remaining is None or remaining >= listed.remaining:
        # Derived, so that it agrees with `used`; the reported spend may differ.
        return listed.model_copy(update={"spent": listed.limit - listed.remaining})
    reported = _reported_limit(key, limit, remaining, now)
    is_same_period = not key.reports("limit_reset") or reported.reset_period == listed.reset_period
    resets = {"reset_period": listed.reset_period, "resets_at": listed.resets_at}
    return reported.model_copy(update=resets) if is_same_period else reported


def _reported_limit(key: KeyInfo, limit: Decimal, remaining: Decimal, now: datetime) -> Budget:
    return Budget(
        scope=KEY_LIMIT,
        limit=limit,
        spent=limit - remaining,
        remaining=remaining,
        percent_remaining=percent_of(remaining, limit),
        reset_period=key.limit_reset,
        resets_at=next_reset(key.limit_reset, now),
        include_byok=key.include_byok_in_limit,
    )


def _budget(info: BudgetInfo, key: KeyInfo, now: datetime) -> Budget | None:
    """Complete a budget: any two of limit, spent and remaining give the third.

    Raises:
        NonsenseError: only one of them is there.
    """
    limit, spent, remaining = info.limit_usd, info.spend_usd, info.remaining_usd
    if limit is None and remaining is None:
        return None  # counts spend without limiting it
    if remaining is None and limit is not None and spent is not None:
        remaining = limit - spent
    elif limit is None and remaining is not None and spent is not None:
        limit = remaining + spent
    if limit is None or remaining is None:
        raise NonsenseError("OpenRouter's answer makes no sense: it does not say what is left of a budget.")
    is_reset_in_key = info.scope == KEY_LIMIT and not info.reports("reset_interval")
    period, resets_at = key.limit_reset if is_reset_in_key else info.reset_interval, info.resets_at
    return Budget(
        scope=info.scope,
        limit=limit,
        spent=limit - remaining if spent is None else spent,
        remaining=remaining,
        percent_remaining=percent_of(remaining, limit),
        reset_period=period,
        # A reset in the past comes from an answer that OpenRouter cached in the previous period.
        resets_at=resets_at if resets_at is not None and resets_at > now else next_reset(period, now),
        include_byok=info.include_byok,
    )


def _derived_remaining(key: KeyInfo, limit: Decimal) -> Decimal:
    """Compute what older deployments do not report: the limit minus the usage of the limit's own period.

    Raises:
        NonsenseError: that usage is not reported either.
    """
    in_period = {
        None: (key.usage, key.byok_usage),
        "daily": (key.usage_daily, key.byok_usage_daily),
        "weekly": (key.usage_weekly, key.byok_usage_weekly),
        "monthly": (key.usage_monthly, key.byok_usage_monthly),
    }
    usage, byok_usage = in_period.get(key.limit_reset, (None, None))
    counted = [usage, byok_usage] if key.include_byok_in_limit else [usage]
    if None in counted:
        raise NonsenseError(
            "OpenRouter's answer makes no sense: the key has a limit, but nothing says what is left of it."
        )
    return limit - sum((amount for amount in counted if amount is not None), ZERO)


def percent_of(remaining: Decimal, limit: Decimal) -> Decimal:
    """Return what is left of a limit in percent, with one decimal; 0.0 for a limit of 0."""
    # The + turns -0.0, a tiny negative remainder rounded, into 0.0.
    return +(remaining / limit * 100).quantize(_ONE_DECIMAL) if limit > ZERO else Decimal("0.0")
