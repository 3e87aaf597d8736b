"""What is stored of a balance: its numbers and its time. Without SQLAlchemy, so that `status` can write the spool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from orcredit.money import EXACT

if TYPE_CHECKING:
    from decimal import Decimal

    from orcredit.balance import Balance

LAST_SECOND = 3_000_000_000
"""The latest time that is stored, in the year 2065. Up to here the square of a span of seconds fits 64 bits."""

MOST_GRAINS = 2**63 - 1

NUMBERS = ("usage", "byok_usage", "limit", "remaining", "spendable", "account_usage")
"""The columns of a run that hold amounts."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is stored of a balance.

    Attributes:
        at: seconds since 1970.
        numbers: in grains, by the columns of a run; `usage` is not None.
        calendar: what OpenRouter counts in the present UTC day, week (from Monday) and month, in grains.
    """

    at: int
    numbers: dict[str, int | None]
    calendar: tuple[int | None, int | None, int | None] = (None, None, None)

    @property
    def usage(self) -> int:
        """The key's all-time usage, in grains."""
        return self.numbers["usage"] or 0


class Batch(NamedTuple):
    """Samples of one key, oldest first, with its label as it was reported with the newest."""

    key: str
    label: str | None
    seen: list[Seen]


def seen_in(balance: Balance) -> Seen | None:
    """Return what is stored of a balance; None when it could not be renewed or has no usage or no possible time."""
    at = int(balance.fetched_at.timestamp())
    if balance.stale or balance.usage is None or not 0 <= at <= LAST_SECOND:
        return None
    amounts = (
        balance.usage,
        balance.byok.usage if balance.byok else None,
        balance.total_limit,
        balance.remaining,
        balance.spendable,
        balance.account.total_usage if balance.account else None,
    )
    return Seen(
        at,
        dict(zip(NUMBERS, map(to_grains, amounts), strict=True)),
        (to_grains(balance.usage_daily), to_grains(balance.usage_weekly), to_grains(balance.usage_monthly)),
    )


def to_grains(amount: Decimal | None) -> int | None:
    """Convert USD to 1e-8 USD; amounts that do not fit 64 bits ($92 billion) become the largest that does."""
    if amount is None:
        return None
    # Not `money.dollars`, which refuses what is derived of two amounts that are just plausible.
    grains = int(EXACT.scaleb(amount, 8).to_integral_value(context=EXACT))
    return max(-MOST_GRAINS, min(grains, MOST_GRAINS))
