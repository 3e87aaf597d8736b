"""The models of OpenRouter's responses: typed and immutable.

Field names are OpenRouter's own (OpenAPI description of August 2026, SDK 1.3.84). Fields that orcredit does not
use are not modelled, and unknown ones are ignored: OpenRouter adds fields and values without notice. A modelled field
of the wrong type invalidates the whole response, so that no balance is computed from a part of it.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
)

from orcredit.money import dollars

LONGEST_TEXT = 200
"""Characters kept of a text; OpenRouter's labels and scopes are shorter."""

LARGEST_COUNT = 10**15
"""Upper bound; larger values are mistakes or attacks."""

SHORTEST_SECRET = 16
"""Characters. Shorter "keys" are not redacted: they may occur in a response by chance (real keys have 73)."""

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, reverse the line or cannot be encoded."""


def _printable(text: str, info: ValidationInfo) -> str:
    kept = text
    if not text.isprintable():  # a page of keys has hundreds of texts, hardly one of which is not
        kept = "".join(char for char in text if unicodedata.category(char) not in _UNPRINTABLE)
    for secret in info.context["secrets"] if info.context else ():
        if len(kept) >= len(secret) >= SHORTEST_SECRET:
            # Unwrapped within the expression: tools that print the variables of a traceback would show a variable.
            kept = re.sub(re.escape(secret.get_secret_value()), "[key]", kept, flags=re.IGNORECASE)
    return kept[:LONGEST_TEXT].strip()  # truncated last: a truncated key would not be found


def _count(value: object) -> object:
    """Accept 36.0 as 36: JSON has only one type of number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    # Before it becomes an int: 1e999999999 would take a billion digits, and minutes in which nothing else happens.
    if not -LARGEST_COUNT <= value <= LARGEST_COUNT:
        raise ValueError("not a plausible number")
    return int(value) if value == int(value) else value


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value if isinstance(value, str) else "")
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError("not an ISO 8601 timestamp") from None


Usd = Annotated[Decimal, BeforeValidator(dollars)]
"""Dollars, from a JSON number."""

Text = Annotated[StrictStr, AfterValidator(_printable)]
"""Text that is safe to print and to store: without control characters and surrogates, of bounded length, and with the
keys in the validation context's `secrets` redacted. Every string of a response has this type."""

Count = Annotated[StrictInt, BeforeValidator(_count)]
"""A whole number."""

Instant = Annotated[datetime | None, BeforeValidator(_instant)]
"""An aware UTC datetime, from ISO 8601; a timestamp without a zone is UTC."""


class Answer(BaseModel):
    """The base of all models of responses."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        defer_build=True,  # built on first use: most runs read no Credits
    )

    def reports(self, field: str) -> bool:
        """Whether the response had this field: null means "none", a missing field "not known"."""
        return field in self.model_fields_set


class BudgetInfo(Answer):
    """One budget enforced on a key. Amounts in USD; `remaining_usd` may be negative."""

    scope: Text
    limit_usd: Usd | None = None
    spend_usd: Usd | None = None
    remaining_usd: Usd | None = None
    reset_interval: Text | None = None
    resets_at: Instant = None
    include_byok: StrictBool | None = None


class FreeModelRequests(Answer):
    """Requests to `:free` models in the current UTC day, counted for the whole account."""

    used: Count | None = None
    limit: Count | None = None
    remaining: Count | None = None


class KeyInfo(Answer):
    """`data` of `GET /key`. Amounts in USD.

    `usage` is all-time and never resets; `limit` and `limit_remaining` are the key's own limit only.
    """

    label: Text | None = None
    limit: Usd | None = None
    limit_remaining: Usd | None = None
    limit_reset: Text | None = None
    usage: Usd | None = None
    usage_daily: Usd | None = None
    usage_weekly: Usd | None = None
    usage_monthly: Usd | None = None
    byok_usage: Usd | None = None
    byok_usage_daily: Usd | None = None
    byok_usage_weekly: Usd | None = None
    byok_usage_monthly: Usd | None = None
    include_byok_in_limit: StrictBool | None = None
    is_free_tier: StrictBool | None = None
    is_management_key: StrictBool | None = None
    is_provisioning_key: StrictBool | None = None
    expires_at: Instant = None
    budgets: tuple[BudgetInfo, ...] | None = None
    free_model_daily_requests: FreeModelRequests | None = None

    @property
    def is_management(self) -> bool | None:
        """Whether this is a management key, by the flag's current or former name; None where neither is reported."""
        return self.is_management_key if self.is_management_key is not None else self.is_provisioning_key


class Credits(Answer):
    """`data` of `GET /credits`: what the account bought and spent, all-time. Amounts in USD."""

    total_credits: Usd
    total_usage: Usd

    @property
    def has_purchases(self) -> bool:
        """Whether anything was bought: an account that spends grants only has bought nothing."""
        return self.total_credits > 0

    def is_conclusive(self, *, is_ordinary: bool) -> bool:
        """Whether it says what is left: grants are not reported.

        Args:
            is_ordinary: whether an ordinary key got it: then more used than bought is taken for a grant, not for debt.
        """
        return self.has_purchases and not (is_ordinary and self.total_usage > self.total_credits)


def mask(key: str) -> str:
    """Mask a key as OpenRouter's labels do (`sk-or-v1-au7...890`); short keys are masked completely."""
    head, tail = 12, 3
    return f"{key[:head]}...{key[-tail:]}" if len(key) >= 4 * (head + tail) else "sk-or-..."
