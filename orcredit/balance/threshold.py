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
    from collections.abc import Iterable

    from orcredit.balance.budget import Budget
    from orcredit.balance.forecast import Pace

THRESHOLD_FORMS = (
    "Accepted: a percentage of a limit (10%), dollars still spendable ($5 or 5), "
    "or a time until the money runs out (3d, 12h, 90m or 60s)."
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value below which the level is low.

    Attributes:
        value: percent of a budget's limit (0 to 100), USD still spendable, or how long the money still lasts.
        is_percent: whether a `Decimal` value is a percentage; else it is USD.
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
        """Return the shortest form that `parse` accepts: `10%`, `$5`, `3d`."""
        if isinstance(self.value, timedelta):
            return duration_text(self.value)
        amount = f"{self.value.normalize(EXACT):f}"
        return f"{amount}%" if self.is_percent else f"${amount}"

    def breach(
        self, budgets: Iterable[Budget], spendable: Decimal | None, pace: Pace | None, now: datetime
    ) -> Breach | None:
        """Find what breaches this threshold.

        Args:
            budgets: compared with a percentage, unrounded; the first one below it counts.
            spendable: USD; compared with dollars. None is never below.
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
        return Breach(threshold=str(self), scope=None) if spendable is not None and spendable < self.value else None

    def is_breached_by(self, budget: Budget) -> bool:
        """Whether it is a percentage and the budget has less left than that."""
        if not self.is_percent or isinstance(self.value, timedelta):
            return False
        return EXACT.multiply(budget.remaining, Decimal(100)) < EXACT.multiply(self.value, budget.limit)


class Breach(Document):
    """Why the level is low: the threshold, as text, and the scope of the budget below it.

    `scope` is the forecast's for a duration, and null for dollars, which are compared with `spendable`.
    """

    threshold: str
    scope: str | None


DEFAULT_THRESHOLDS = (Threshold(Decimal(10), is_percent=True),)
"""Low below 10 % of any limit, as in the dashboard that orcredit replaces."""
