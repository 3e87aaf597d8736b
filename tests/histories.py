"""What the history's tests share: a key, times, and ways to ask for spend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from orcredit.config.credentials import fingerprint

if TYPE_CHECKING:
    from decimal import Decimal

    from orcredit.history import History, Interval

KEY = fingerprint("sk-or-v1-made-up")
OTHER_KEY = fingerprint("sk-or-v1-another")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def spends(intervals: list[Interval]) -> list[Decimal]:
    return [interval.spend for interval in intervals]


def by_hour(history: History, *, since: datetime = NOON, hours: int = 24) -> list[Interval]:
    return history.spend(KEY, since, since + hours * HOUR, HOUR)


samples = st.lists(
    st.tuples(
        # Seconds since the sample before; clocks are put back, too.
        st.integers(min_value=-10, max_value=400_000) | st.integers(min_value=-400_000, max_value=0),
        st.integers(min_value=-(10**6), max_value=10**15),  # grains more than then
        st.integers(min_value=0, max_value=2),  # what is left, which makes runs of equal usage differ
    ),
    min_size=1,
    max_size=30,
)
"""What one key's samples may be, each by its difference from the one before."""
