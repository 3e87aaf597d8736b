"""The one answer: how much a key can still spend, what limits it, and how worrying that is.

Everything here is pure arithmetic on what OpenRouter said. The table, the JSON, the exit code and every later
rendering are made from the `Balance` that `assess` builds; nothing downstream computes a dollar again.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from pydantic import Field

from orcredit.document import Document, Instant, Percent, Usd
from orcredit.durations import duration_text, parse_duration
from orcredit.errors import ExitCode, NonsenseError, UsageError
from orcredit.forecast import Pace, calendar_windows, first_to_run_out, forecast, period_windows
from orcredit.money import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orcredit.openrouter import Budget, Credits, KeyInfo

KEY_LIMIT = "key_limit"
"""The scope of the key's own limit, OpenRouter's word."""

ACCOUNT_CREDIT = "account_credit"
"""What `limitedBy` says when the account's purchased credit is the least; not a layer, so not a scope."""

_KEY_SCOPES = frozenset({KEY_LIMIT, "api_key", "workspace_default_key"})
"""Layers that nobody but this key spends from; all others have a spend of their own, by everyone they cover."""

_ONE_DECIMAL = Decimal("0.1")


class Level(StrEnum):
    """How worrying the balance is."""

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"
    UNLIMITED = "unlimited"

    @property
    def exit_code(self) -> ExitCode:
        """What a command that shows a balance of this level exits with."""
        return {Level.LOW: ExitCode.LOW, Level.EXHAUSTED: ExitCode.EXHAUSTED}.get(self, ExitCode.OK)

    @property
    def is_warning(self) -> bool:
        """Whether somebody should do something: low or exhausted."""
        return self in {Level.LOW, Level.EXHAUSTED}


class Layer(Document):
    """One budget enforced on the key. Amounts in USD; `remaining` is not clamped."""

    scope: str
    limit: Usd
    spent: Usd
    remaining: Usd
    percent_remaining: Percent
    reset_period: str | None
    resets_at: Instant | None
    include_byok: bool | None

    @property
    def is_spent(self) -> bool:
        """Whether OpenRouter refuses requests because of this layer."""
        return self.remaining <= ZERO


THRESHOLD_FORMS = (
    "Accepted: a percentage of a limit (10%), dollars still spendable ($5 or 5), "
    "or a time until the money runs out (3d, 12h, 90m or 60s)."
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line under which the level is low.

    Attributes:
        value: percent of a layer's limit (0 to 100), USD still spendable, or how long the money still lasts.
        is_percent: which of the first two.
    """

    value: Decimal | timedelta
    is_percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10%`, `$5`, `5`, `3d` or `12h`; a number alone is dollars.

        Raises:
            UsageError: anything else, with the accepted forms as its hint.
        """
        text = text.strip()
        if text.endswith(("s", "m", "h", "d")):
            try:
                return cls(parse_duration(text))
            except UsageError:
                raise UsageError(f"{text[:40]!r} is not a threshold.", hint=THRESHOLD_FORMS) from None
        match = re.fullmatch(r"(\$)?([0-9]{1,12}(?:\.[0-9]{0,8})?|\.[0-9]{1,8})(%)?", text)
        if match is None or (match[1] and match[3]) or (match[3] and Decimal(match[2]) > 100):
            raise UsageError(f"{text[:40]!r} is not a threshold.", hint=THRESHOLD_FORMS)
        return cls(Decimal(match[2]), is_percent=bool(match[3]))

    def __str__(self) -> str:
        """Write it in its shortest form, which `parse` reads: `10%`, `$5`, `3d`."""
        if isinstance(self.value, timedelta):
            return duration_text(self.value)
        amount = f"{self.value.normalize(EXACT):f}"
        return f"{amount}%" if self.is_percent else f"${amount}"

    def breach(
        self, layers: Iterable[Layer], spendable: Decimal | None, pace: Pace | None, now: datetime
    ) -> Breach | None:
        """Tell what breaches it, if anything does: a percentage by any layer, unrounded; dollars by `spendable`; time
        by the run-out, which is None when the money lasts until the reset or nothing is known.
        """
        if isinstance(self.value, timedelta):
            is_short = pace is not None and pace.runs_out_at is not None and pace.runs_out_at - now < self.value
            return Breach(threshold=str(self), scope=pace.scope) if pace is not None and is_short else None
        if self.is_percent:
            below = (layer for layer in layers if self.is_above(layer))
            return next((Breach(threshold=str(self), scope=layer.scope) for layer in below), None)
        return Breach(threshold=str(self), scope=None) if spendable is not None and spendable < self.value else None

    def is_above(self, layer: Layer) -> bool:
        """Whether it is a percentage and the layer has less left than that."""
        if not self.is_percent or isinstance(self.value, timedelta):
            return False
        return EXACT.multiply(layer.remaining, Decimal(100)) < EXACT.multiply(self.value, layer.limit)


class Breach(Document):
    """Why the level is low: the threshold, as text, and the scope of the layer that is below it.

    For a time the scope is the forecast's; null for what can be spent at all.
    """

    threshold: str
    scope: str | None


class Account(Document):
    """What the account behind a management key bought and spent, in USD; grants are reported nowhere."""

    total_credits: Usd
    total_usage: Usd
    remaining: Usd
    key_label: str | None = Field(default=None, exclude=True)
    """The masked label of the management key that told it: it may belong to another account."""


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
    """What may be told about the key; never the key itself."""

    label: str | None
    expires_at: Instant | None
    is_management_key: bool | None
    is_free_tier: bool | None


class Balance(Document):
    """The document: what `status --json` prints. Amounts in USD, times in UTC; null means "none" or "not known".

    The first ten fields are the contract of the dashboard that orcredit replaces.
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
    budgets: tuple[Layer, ...]
    account: Account | None
    account_error: str | None
    byok: Byok | None
    free_requests: FreeRequests | None
    key: Key
    pace: Pace | None = None
    low_because: Breach | None = None
    stale: bool = False
    stale_reason: str | None = None

    @property
    def limiting(self) -> Layer | None:
        """The layer that `limited_by` names: layers may share a scope. None for the account's credit."""
        return _binding(self.budgets) if self.limited_by != ACCOUNT_CREDIT else None

    def is_low(self, layer: Layer) -> bool:
        """Whether this layer breaches the threshold that made the level low."""
        because = self.low_because
        return (
            because is not None and because.scope == layer.scope and Threshold.parse(because.threshold).is_above(layer)
        )


DEFAULT_THRESHOLDS = (Threshold(Decimal(10), is_percent=True),)
"""The original dashboard's: low under 10 % of a limit."""


def next_reset(period: str | None, now: datetime) -> datetime | None:
    """When a limit of this period resets next: 00:00 UTC of the next day, Monday or 1st.

    Args:
        period: OpenRouter's word, or None.
        now: aware UTC.

    Returns:
        Aware UTC; None for a lifetime limit, for a word not known, and where the calendar ends before.
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


def assess(
    key: KeyInfo,
    credits_: Credits | None,
    now: datetime,
    thresholds: Sequence[Threshold] = DEFAULT_THRESHOLDS,
    *,
    account_error: str | None = None,
    account_key_label: str | None = None,
) -> Balance:
    """Build the whole document from OpenRouter's answers.

    Args:
        key: the answer to `GET /key`.
        credits_: the answer to `GET /credits` by a management key, if it was asked and did answer.
        now: when OpenRouter answered; aware UTC.
        thresholds: the level is low when any one is crossed.
        account_error: why `credits_` is missing although it was asked for.
        account_key_label: the masked label of the key that `credits_` came from.

    Raises:
        NonsenseError: the key has a limit, but the answer does not say what is left of it.
    """
    with localcontext(EXACT):
        layers = _layers(key, now)
        own = _key_limit(layers)
        account = _account(credits_, account_key_label)
        if credits_ is not None and account is None:
            account_error = (
                "OpenRouter reports no purchased credit for this account; grants are not reported, "
                "so what is left is not known"
            )
        spendable, limited_by = _least(layers, account)
        pace = _pace(key, layers, _binding(layers) if limited_by != ACCOUNT_CREDIT else None, now)
        breaches = (threshold.breach(layers, spendable, pace, now) for threshold in thresholds)
        breach = next(filter(None, breaches), None)
        level = _level(layers, account, is_low=breach is not None)
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
            budgets=layers,
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
        )


def _layers(key: KeyInfo, now: datetime) -> tuple[Layer, ...]:
    """List every budget in enforcement order, the key's own limit added last where OpenRouter lists none."""
    layers = [layer for budget in key.budgets or () if (layer := _layer(budget, key, now))]
    listed = _key_limit(layers)
    if listed is not None:
        layers[layers.index(listed)] = _reconciled(key, listed, now)
    elif key.limit is not None:
        remaining = key.limit_remaining if key.limit_remaining is not None else _derived_remaining(key, key.limit)
        layers.append(_reported_limit(key, key.limit, remaining, now))
    elif not key.reports("limit") and not key.is_management:
        # Absence is not "no limit"; a management key runs no models, so nothing is lost by not knowing its limit.
        raise NonsenseError(
            "OpenRouter's answer makes no sense: it does not say whether the key has a limit (data.limit)."
        )
    return tuple(layers)


def _key_limit(layers: Iterable[Layer]) -> Layer | None:
    """Find the key's own limit; of several the one with the least left."""
    return min((layer for layer in layers if layer.scope == KEY_LIMIT), key=lambda layer: layer.remaining, default=None)


def _reconciled(key: KeyInfo, listed: Layer, now: datetime) -> Layer:
    """Choose between the key's own limit as it is listed and as `limit` and `limit_remaining` report it.

    Where they disagree, the one with less left is used whole; of equals the listed one, which knows its reset.
    """
    limit, remaining = key.limit, key.limit_remaining
    if limit is None or remaining is None or remaining >= listed.remaining:
        # What was spent of it is what is not left, as `used` says; it may be reported otherwise.
        return listed.model_copy(update={"spent": listed.limit - listed.remaining})
    reported = _reported_limit(key, limit, remaining, now)
    is_same_period = not key.reports("limit_reset") or reported.reset_period == listed.reset_period
    resets = {"reset_period": listed.reset_period, "resets_at": listed.resets_at}
    return reported.model_copy(update=resets) if is_same_period else reported


def _reported_limit(key: KeyInfo, limit: Decimal, remaining: Decimal, now: datetime) -> Layer:
    return Layer(
        scope=KEY_LIMIT,
        limit=limit,
        spent=limit - remaining,
        remaining=remaining,
        percent_remaining=_percent(remaining, limit),
        reset_period=key.limit_reset,
        resets_at=next_reset(key.limit_reset, now),
        include_byok=key.include_byok_in_limit,
    )


def _layer(budget: Budget, key: KeyInfo, now: datetime) -> Layer | None:
    """Complete a budget: any two of limit, spent and remaining give the third; one alone is no answer."""
    limit, spent, remaining = budget.limit_usd, budget.spend_usd, budget.remaining_usd
    if limit is None and remaining is None:
        return None  # counts, but limits nothing
    if remaining is None and limit is not None and spent is not None:
        remaining = limit - spent
    elif limit is None and remaining is not None and spent is not None:
        limit = remaining + spent
    if limit is None or remaining is None:
        raise NonsenseError("OpenRouter's answer makes no sense: it does not say what is left of a budget.")
    is_reset_in_key = budget.scope == KEY_LIMIT and not budget.reports("reset_interval")
    period, said = key.limit_reset if is_reset_in_key else budget.reset_interval, budget.resets_at
    return Layer(
        scope=budget.scope,
        limit=limit,
        spent=limit - remaining if spent is None else spent,
        remaining=remaining,
        percent_remaining=_percent(remaining, limit),
        reset_period=period,
        # An instant gone by is the cached answer of the period before.
        resets_at=said if said is not None and said > now else next_reset(period, now),
        include_byok=budget.include_byok,
    )


def _derived_remaining(key: KeyInfo, limit: Decimal) -> Decimal:
    """Work out what older deployments do not say: the limit less the usage of the limit's own period."""
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


def _percent(remaining: Decimal, limit: Decimal) -> Decimal:
    # The + turns -0.0, a hair below nothing, into 0.0.
    return +(remaining / limit * 100).quantize(_ONE_DECIMAL) if limit > ZERO else Decimal("0.0")


def _account(credits_: Credits | None, key_label: str | None) -> Account | None:
    """The account's credit, where it is known: nothing purchased means grants, and those are reported nowhere."""
    if credits_ is None or credits_.total_credits <= ZERO:
        return None
    return Account(
        total_credits=credits_.total_credits,
        total_usage=credits_.total_usage,
        remaining=credits_.total_credits - credits_.total_usage,
        key_label=key_label,
    )


def _binding(layers: Sequence[Layer]) -> Layer | None:
    """Choose the layer that limits: the first that is spent, else the first of those with the least left."""
    spent = next((layer for layer in layers if layer.is_spent), None)
    return spent or min(layers, key=lambda layer: layer.remaining, default=None)


def _least(layers: Sequence[Layer], account: Account | None) -> tuple[Decimal | None, str | None]:
    """What can still be spent and what limits it."""
    binding = _binding(layers)
    least = min((layer.remaining for layer in layers), default=None)
    if account is not None and (least is None or account.remaining < least):
        return max(account.remaining, ZERO), ACCOUNT_CREDIT
    if least is None or binding is None:
        return None, None
    return max(least, ZERO), binding.scope


def _pace(key: KeyInfo, layers: Sequence[Layer], limiting: Layer | None, now: datetime) -> Pace | None:
    """Forecast the layer that runs out first, else the one that limits; the account's credit has no pace."""
    paces = [_layer_pace(key, layer, now) for layer in layers]
    return first_to_run_out(paces) or (paces[layers.index(limiting)] if limiting is not None else None)


def _layer_pace(key: KeyInfo, layer: Layer, now: datetime) -> Pace | None:
    if layer.scope in _KEY_SCOPES:
        windows = calendar_windows(
            now,
            today=_usage(key.usage_daily, key.byok_usage_daily, layer),
            week=_usage(key.usage_weekly, key.byok_usage_weekly, layer),
            month=_usage(key.usage_monthly, key.byok_usage_monthly, layer),
        )
    else:
        windows = period_windows(now, spent=layer.spent, period=layer.reset_period, resets_at=layer.resets_at)
    return forecast(
        layer.scope, windows, spent=layer.spent, remaining=layer.remaining, resets_at=layer.resets_at, now=now
    )


def _usage(usage: Decimal | None, byok_usage: Decimal | None, layer: Layer) -> Decimal | None:
    """Give what counts against a layer; half of it known is not known."""
    if not layer.include_byok:
        return usage
    return None if usage is None or byok_usage is None else usage + byok_usage


def _level(layers: Sequence[Layer], account: Account | None, *, is_low: bool) -> Level:
    if any(layer.is_spent for layer in layers) or (account is not None and account.remaining <= ZERO):
        return Level.EXHAUSTED
    if is_low:
        return Level.LOW
    return Level.OK if layers or account is not None else Level.UNLIMITED


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
    said = key.free_model_daily_requests
    return FreeRequests(used=said.used, limit=said.limit, remaining=said.remaining) if said is not None else None
