"""The demo's history is consistent with its live document."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from orcredit import demo, simulator
from orcredit.client import AsyncClient
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
pytestmark = pytest.mark.xdist_group("demo")  # so that only one worker makes the thirty days

NOW = simulator.DEMO_INSTANT


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    with History.in_memory() as history:
        demo.fill(history, NOW)
        yield history


def test_key_is_the_fingerprint_of_the_demos_key() -> None:
    assert fingerprint(simulator.key_for("demo")) == demo.KEY


def test_it_covers_the_thirty_days_before(history: History) -> None:
    recent = history.recent(demo.KEY, NOW)

    assert recent.since is not None
    assert recent.until is not None
    assert NOW - 30 * DAY <= recent.since < NOW - 30 * DAY + HOUR
    assert NOW - STEP <= recent.until < NOW


def test_its_spend_is_that_of_the_sample_document(history: History) -> None:
    days = history.spend(demo.KEY, NOW - 30 * DAY, NOW, DAY)
    by_day = {f"{day.start:%m-%d}": day.spend for day in days if day.spend}

    assert by_day.pop("02-12") == simulator.demo_usage(NOW.replace(minute=35, second=0)).day
    assert by_day == {
        "01-27": Decimal("0.1"),
        "02-09": Decimal("79.26"),
        "02-10": Decimal("86.88"),
        "02-11": Decimal("84.48"),
    }
    assert not any(interval.estimated for interval in history.spend(demo.KEY, NOW - 30 * DAY, NOW, HOUR))


def test_every_sample_has_the_remainder_of_its_time(history: History) -> None:
    samples = history.samples(demo.KEY, None, NOW, 5000)

    assert len(samples) > 1000
    for sample in samples:
        assert sample.spendable == sample.remaining == 500 - simulator.demo_usage(sample.at).month
    # The month's reset, to the minute, though nothing was spent for days around it.
    (reset,) = [(one, other) for one, other in pairwise(samples) if (other.spendable or 0) > (one.spendable or 0)]
    assert [f"{sample.at:%m-%d %H:%M} {sample.spendable}" for sample in reset] == [
        "01-31 23:55 499.9",
        "02-01 00:00 500",
    ]


def test_the_live_document_continues_it() -> None:
    history = History.in_memory()
    live = asyncio.run(AsyncClient.demo().balance())

    demo.fill(history, live.fetched_at)
    before = history.samples(demo.KEY, None, live.fetched_at, 5000)
    history.record(demo.KEY, live)
    after = history.samples(demo.KEY, None, live.fetched_at, 5000)
    history.close()

    assert after[:-1] == before
    assert (after[-1].spendable, after[-1].remaining) == (live.spendable, live.remaining)
    assert 0 < (before[-1].spendable or 0) - (live.spendable or 0) < 2


def test_it_equals_a_history_polled_every_five_minutes(history: History) -> None:
    first = (NOW - 30 * DAY).replace(minute=0, second=0) + HOUR
    steps = range(int((NOW - first) / STEP) + 1)
    polled = History.in_memory()
    usages = {at: simulator.demo_usage(at) for at in (first + step * STEP for step in steps)}
    polled.record_all(
        demo.KEY, (balance(at, usage.total, limit=500, left=500 - usage.month) for at, usage in usages.items())
    )

    assert polled.samples(demo.KEY, None, NOW, 5000) == history.samples(demo.KEY, None, NOW, 5000)
    polled.close()
