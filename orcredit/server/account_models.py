"""The JSON documents of the account behind the keys. Amounts in USD, times in UTC."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orcredit.balance.account import AccountBalance, AccountKey  # noqa: TC001 - pydantic reads the annotations
from orcredit.balance.activity import Source  # noqa: TC001 - as above
from orcredit.document import Document, Instant, Usd

DaysSource = Literal["history", "analytics", "both"]
"""Who knew the spend of days: the local history, OpenRouter's analytics, or each of some keys."""


class KeyCounts(Document):
    """How many keys the account has. The levels are those of keys that can be used; all but the total add up to it."""

    exhausted: int
    low: int
    ok: int
    unlimited: int
    disabled: int
    expired: int = Field(description="Those that are not disabled as well.")
    total: int


class AccountSpend(Document):
    """What the whole account spent in the last 30 days, in USD, and in the 30 before."""

    since: Instant
    until: Instant
    usd: Usd
    requests: int | None
    per_request: Usd | None
    before: Usd | None = Field(description="Null where it is not known.")


class AccountDocument(Document):
    """The account behind the keys: its credit, how its keys are, and what was spent in the last 30 days.

    What it says of the keys is as of the newest answer of the account's poller, what was spent of the newest hour at
    most, or of completed days where the deployment has no analytics.
    """

    profile: str | None = Field(description="The profile whose management key was asked with.")
    fetched_at: Instant = Field(description="When OpenRouter told the keys.")
    age: float | None = Field(description="Seconds since then, at the moment of sending.")
    next_poll_in: float | None = Field(
        description="Seconds until the keys are asked for next, at the moment of sending; 0 while they are."
    )
    stale: bool = Field(description="Whether the newest poll failed, so that all of this may have changed.")
    stale_reason: str | None
    credit: AccountBalance
    counts: KeyCounts
    next: AccountKey | None = Field(
        description="The key that runs out first, of those that can be used and have something left."
    )
    spent: AccountSpend | None = Field(description="Null before the first answer, and where it is not known.")
    spent_error: str | None = Field(description="Why `spent` is null, or could not be renewed.")
    source: Source | None = Field(
        description='Of `spent`: OpenRouter\'s "analytics", or "activity": completed days (UTC) only.'
    )
    through: Instant | None = Field(description="Where the numbers of `spent` end.")
    notes: tuple[str, ...] = Field(description="What a reader of `spent` must know: OpenRouter's warnings among them.")
    complete: bool = Field(description="Whether all pages of the keys came.")
    incomplete_reason: str | None


class KeyDays(Document):
    """What each key spent on each of the last 14 UTC days, in USD, today included, the oldest first.

    A day that is not known is null; a key of which nothing is known is left out. Today's is what OpenRouter counts. The
    other days are the local history's, found by the key's hash, and those of analytics, which tell keys by name: only
    where one key alone has it. Where both know a day, the larger amount counts.
    """

    since: Instant = Field(description="When the first day begins.")
    until: Instant = Field(description="Now, within the last day.")
    source: DaysSource | None = Field(description="Who knew the days before today; null where that is not known.")
    complete: bool = Field(description="Whether what could be asked for was had, and OpenRouter left nothing out.")
    incomplete_reason: str | None
    keys: dict[str, tuple[Usd | None, ...]] = Field(description="By the key's hash.")
