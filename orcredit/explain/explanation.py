"""The JSON of `orcredit explain --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from orcredit.document import Document, Instant
from orcredit.explain.wording import remedy

if TYPE_CHECKING:
    from orcredit.explain.finding import Finding


class Explanation(Document):
    """An error of OpenRouter, explained.

    Attributes:
        status: the HTTP status; null where the text does not say and several are possible.
        limit_source: OpenRouter's word for the limit, also where the text only implies it; null for no limit.
        reason: OpenRouter's word for why.
        scope: whose limit it is, in the words of the balance's budgets; "account_credit" for the credit.
        retryable: whether the same request can be accepted soon, unchanged. A spent budget comes back at `resets_at`.
        retry_after_seconds: from the error on.
        resets_at: when the limit resets; null where the text does not tell.
        remedy: what to change, a sentence.
    """

    status: int | None
    limit_source: str | None
    reason: str | None
    scope: str | None
    retryable: bool
    retry_after_seconds: int | float | None
    resets_at: Instant | None
    remedy: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """Explain an error."""
        seconds = finding.retry_after
        return cls(
            status=finding.status,
            limit_source=finding.limit_source,
            reason=finding.reason,
            scope=finding.scope,
            retryable=finding.is_retryable,
            retry_after_seconds=int(seconds) if seconds is not None and seconds == int(seconds) else seconds,
            resets_at=finding.resets_at,
            remedy=remedy(finding),
        )
