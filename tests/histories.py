"""What the history's tests share: a key, times, ways to ask for spend, and what every error has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from orcredit.config.credentials import fingerprint
from orcredit.errors import ExitCode, HistoryError
from tests.balances import balance

if TYPE_CHECKING:
    from collections.abc import Callable
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


def assert_every_method_fails(history: History, *words: str, at_once: bool = False) -> None:
    """Call all methods; `at_once` on threads, where each would wait for a lock."""
    attempts: list[Callable[[], object]] = [
        lambda: history.record(KEY, balance(NOON + DAY, 2)),
        lambda: by_hour(history),
        lambda: history.recent(KEY, NOON),
        lambda: history.samples(KEY, None, NOON + DAY, 10),
    ]
    with ThreadPoolExecutor(len(attempts) if at_once else 1) as threads:
        for done in [threads.submit(assert_fails, attempt, *words) for attempt in attempts]:
            done.result(timeout=60)


def assert_fails(attempt: Callable[[], object], *words: str) -> None:
    with pytest.raises(HistoryError) as caught:
        attempt()
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


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
