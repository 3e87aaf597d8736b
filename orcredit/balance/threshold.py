"""Thresholds below which the level is low, and their breaches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from orcredit.document import Document
from orcredit.durations import duration_text, parse_duration
from orcredit.errors import UsageError
from orcredit.money import EXACT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orcredit.balance.budget import Budget
    from orcredit.balance.forecast import Pace

ACCOUNT_CREDIT = "account_credit"
"""The name of the account's credit where a budget has its scope; the credit is not a budget, so it is no scope."""

THRESHOLD_FORMS = (
    "Accepted: a percentage of a limit (10%), dollars still spendable (5 or '$5'), "
    "or a time until the money runs out (3d, 12h, 90m or 60s)."
)

QUOTING = "A shell replaces the $5 of $50, and the $1 of $1.50: quote it ('$50'), or write 50."
"""The hint where a shell has probably replaced `$5` by nothing."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value below which the level is low.

    Attributes:
        value: percent of a budget's limit (0 to 100), USD still spendable, or how long the money still lasts.
        is_percent: whether a `Decimal` value is a percentage; else it is USD.
        is_of_credit: whether USD are compared with the account's credit alone, and not with what can be spent: the
            default, since a limit of a few cents is a choice, and a credit of a few cents an oversight.
    """

    value: Decimal | timedelta
    is_percent: bool = False
    is_of_credit: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10%`, `$5`, `5`, `3d` or `12h`; a number alone is dollars.

        Raises:
            UsageError: anything else, and 0 of anything, which is never crossed; with the accepted forms as its hint,
                or with how to quote where a shell has probably replaced `$5`.
        """
        text = text.strip()
        if not text.strip("0") or re.fullmatch(r"\.[0-9]+", text):  # "$50" or "$1.50", in a shell without single quotes
            raise UsageError(f"{text[:40]!r} is not a threshold.", hint=QUOTING)
        if text.endswith(("s", "m", "h", "d")):
            try:
                threshold = cls(parse_duration(text))
            except UsageError:
                raise UsageError(f"{text[:40]!r} is not a threshold.", hint=THRESHOLD_FORMS) from None
        else:
            match = re.fullmatch(r"(\$)?([0-9]{1,12}(?:\.[0-9]{0,8})?|\.[0-9]{1,8})(%)?", text)
            if match is None or (match[1] and match[3]) or (match[3] and Decimal(match[2]) > 100):
                raise UsageError(f"{text[:40]!r} is not a threshold.", hint=THRESHOLD_FORMS)
            threshold = cls(Decimal(match[2]), is_percent=bool(match[3]))
        if not threshold.value:
            # Less than nothing is left only where the level is exhausted already.
            raise UsageError(f"{text[:40]!r} is not a threshold: less is never left.", hint=THRESHOLD_FORMS)
        return threshold

    def __str__(self) -> str:
        """Return the shortest form that `parse` accepts: `10%`, `$5`, `3d`."""
        if isinstance(self.value, timedelta):
            return duration_text(self.value)
        amount = f"{self.value.normalize(EXACT):f}"
        return f"{amount}%" if self.is_percent else f"${amount}"

    def breach(
        self,
        budgets: Iterable[Budget],
        spendable: Decimal | None,
        credit: Decimal | None,
        pace: Pace | None,
        now: datetime,
    ) -> Breach | None:
        """Find what breaches this threshold.

        Args:
            budgets: compared with a percentage, unrounded; the first one below it counts.
            spendable: USD; compared with dollars. None is never below.
            credit: USD left of the account's credit; compared with dollars where the threshold is of the credit. None
                (not known) is never below.
            pace: its run-out is compared with a duration. A run-out of None (the money lasts until the reset, or
                nothing is known) is never below.
            now: aware UTC.
        """
        if isinstance(self.value, timedelta):
            is_short = pace is not None and pace.runs_out_at is not None and pace.runs_out_at - now < self.value
            return Breach(threshold=str(self), scope=pace.scope) if pace is not None and is_short else None
        if self.is_percent:
            below = (budget for budget in budgets if self.is_breached_by(budget))
            return next((Breach(threshold=str(self), scope=budget.scope) for budget in below), None)
        amount, scope = (credit, ACCOUNT_CREDIT) if self.is_of_credit else (spendable, None)
        return Breach(threshold=str(self), scope=scope) if amount is not None and amount < self.value else None

    def is_breached_by(self, budget: Budget) -> bool:
        """Whether it is a percentage and the budget has less left than that."""
        if not self.is_percent or isinstance(self.value, timedelta):
            return False
        return EXACT.multiply(budget.remaining, Decimal(100)) < EXACT.multiply(self.value, budget.limit)


class Breach(Document):
    """Why the level is low: the threshold, as text, and the scope of the budget below it.

    `scope` is the forecast's for a duration. For dollars it is null when they are compared with `spendable`, as given
    ones are, and "account_credit" for the default.
    """

    threshold: str
    scope: str | None


_DEFAULT_PERCENTAGE = Threshold(Decimal(10), is_percent=True)
_DEFAULT_CREDIT = Threshold(Decimal(1), is_of_credit=True)

DEFAULT_THRESHOLDS = (_DEFAULT_PERCENTAGE, _DEFAULT_CREDIT)
"""Low below 10 % of any limit, as in the dashboard that orcredit replaces, or with less than $1 of the credit left."""


def in_force(given: Sequence[Threshold] | None) -> tuple[Threshold, ...]:
    """Complete the given thresholds: a percentage replaces the default one, dollars or a duration that of the credit.

    Args:
        given: None or none for the defaults.
    """
    chosen = tuple(given or ())
    percentages = [threshold for threshold in chosen if threshold.is_percent]
    others = [threshold for threshold in chosen if not threshold.is_percent]
    return (
        *(() if percentages else (_DEFAULT_PERCENTAGE,)),
        *chosen,
        *(() if others else (_DEFAULT_CREDIT,)),
    )
