"""What an error message says: facts without words."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from orcredit.balance import next_reset

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


class Kind(Enum):
    """What refused a request; OpenRouter's `limit_source` where it has a word, else ours."""

    CREDITS = "openrouter_credits"
    REQUEST_TOO_LARGE = "weight_exceeds_budget"
    IN_FLIGHT = "openrouter_in_flight_budget"
    KEY_LIMIT = "openrouter_key_limit"
    WORKSPACE_BUDGET = "openrouter_workspace_budget"
    GUARDRAIL_BUDGET = "openrouter_guardrail_budget"
    FREE_DAILY = "openrouter_free_tier_daily"
    FREE_MINUTE = "free-models-per-min"
    SHARED_POOL = "upstream_provider_shared_pool"
    PROVIDER = "provider"
    NO_KEY = "no_key"
    KEY_REFUSED = "key_refused"
    MODERATION = "moderation"
    TERMS = "terms"
    MANAGEMENT_ONLY = "management_only"
    OTHER = "other"

    @property
    def is_transient(self) -> bool:
        """Whether the same request is accepted again within minutes."""
        return self in {Kind.IN_FLIGHT, Kind.FREE_MINUTE, Kind.SHARED_POOL}


@dataclass(frozen=True, slots=True)
class Finding:
    """An error of OpenRouter in a text.

    Attributes:
        kind: what refused the request.
        status: the HTTP status: 401, 402, 403 or 429; None where the text does not say and several are possible.
        limit_source: OpenRouter's word for the limit, also where the text only implies it; None where there is none.
        reason: OpenRouter's word for why, where the text has it.
        scope: whose limit it is, in the words of `orcredit.balance.Budget.scope`.
        period: "daily", "weekly", "monthly", or "total" for a limit that never resets.
        retry_after: seconds.
        reset: when the limit resets, as the text says it; aware UTC.
        at: when it was refused, by the timestamps around it; aware UTC.
        requested: tokens that were requested.
        affordable: tokens that would have been accepted.
        limit: USD.
        spent: USD.
        never_bought: whether the account has never bought credit.
        is_own_statement: whether the text has a status or an envelope, and not only a sentence about an error that
            the lines before it reported.
    """

    kind: Kind
    status: int | None = None
    limit_source: str | None = None
    reason: str | None = None
    scope: str | None = None
    period: str | None = None
    retry_after: float | None = None
    reset: datetime | None = None
    at: datetime | None = None
    requested: int | None = None
    affordable: int | None = None
    limit: Decimal | None = None
    spent: Decimal | None = None
    never_bought: bool = False
    is_own_statement: bool = True

    @property
    def resets_at(self) -> datetime | None:
        """When the limit resets: as the text says, else the end of the period in which it was refused."""
        if self.reset is not None or self.at is None:
            return self.reset
        return next_reset(self.period, self.at)

    @property
    def refused_until(self) -> datetime | None:
        """The end of Retry-After, where the text says when it began."""
        if self.at is None or self.retry_after is None:
            return None
        return self.at + timedelta(seconds=self.retry_after)

    @property
    def is_retryable(self) -> bool:
        """Whether the same request can be accepted soon, with nothing changed but the time."""
        if self.kind in {Kind.PROVIDER, Kind.OTHER}:
            return self.status == 429 or self.retry_after is not None
        return self.kind.is_transient

    def completed_by(self, other: Finding) -> Finding:
        """Return this finding with what it lacks taken from another one of the same error."""
        missing = {
            field.name: getattr(other, field.name)
            for field in fields(self)
            if getattr(self, field.name) in {None, False} and getattr(other, field.name) is not None
        }
        return replace(self, **missing)
