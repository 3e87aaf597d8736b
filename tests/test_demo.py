"""The demo's history is consistent with its live document, and looks like that of a key in use."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcredit import Client, demo, simulator
from orcredit.client import AsyncClient
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from orcredit.history.seen import seen_in
from tests.in_process import run_here

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
pytestmark = pytest.mark.xdist_group("demo")  # so that only one worker makes the thirty days

NOW = datetime(2026, 11, 25, 16, 39, 47, tzinfo=UTC)
"""A Wednesday."""


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    with History.in_memory() as history:
        demo.fill(history, NOW)
        yield history


def test_key_is_the_fingerprint_of_the_demos_key() -> None:
    assert fingerprint(simulator.key_for("demo")) == demo.KEY


def test_it_covers_the_thirty_days_before(history: History) -> None:
    recent = history.recent(demo.KEY, NOW)
    [known] = history.known_keys()

    assert recent.since is not None
    assert recent.until is not None
    assert NOW - 30 * DAY <= recent.since < NOW - 30 * DAY + HOUR
    assert NOW - MINUTE <= recent.until < NOW
    assert known.label == "demo (simulated)"


def test_every_sample_is_what_a_client_would_have_seen(history: History) -> None:
    for ago in (3 * MINUTE, DAY, 25 * DAY):
        at = (NOW - ago).replace(second=0)
        [seen] = demo._samples(at, at + MINUTE)  # noqa: SLF001 - what is recorded
        assert seen == seen_in(Client.demo(clock=lambda at=at: at).balance())  # type: ignore[misc]
    samples = history.samples(demo.KEY, None, NOW, 5000)
    assert len(samples) > 3000
    for sample in samples:
        assert sample.spendable == sample.remaining == 500 - simulator.demo_usage(sample.at).month


def test_its_days_have_weekends_hours_a_reset_and_a_gap(history: History) -> None:
    days = {day.start: day for day in history.spend(demo.KEY, NOW - 29 * DAY, NOW, DAY)}
    weekend = [day.spend for start, day in days.items() if start.weekday() > 4]
    weekdays = [day.spend for start, day in days.items() if start.weekday() < 5 and start.date() != NOW.date()]
    hours = history.spend(demo.KEY, NOW - 3 * DAY, NOW, HOUR)
    samples = history.samples(demo.KEY, None, NOW, 5000)
    resets = [other.at for one, other in pairwise(samples) if (other.spendable or 0) > (one.spendable or 0)]

    assert 2 < min(weekend) <= max(weekend) < min(weekdays) <= max(weekdays) < 30
    assert max(hour.spend for hour in hours) > 10 * min(hour.spend for hour in hours) > 0
    assert resets == [datetime(2026, 11, 1, tzinfo=UTC)]
    gaps = [(one.at, other.at) for one, other in pairwise(samples) if other.at - one.at > HOUR]
    assert [f"{start:%a %d %H:%M} {end:%a %d %H:%M}" for start, end in gaps] == [
        "Tue 27 14:55 Thu 29 09:00",
        "Tue 17 14:55 Thu 19 09:00",
    ]
    assert sum(day.estimated for day in days.values()) == 6
    assert sum(day.spend for day in days.values()) > 400


@given(st.datetimes(datetime(2026, 3, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
@settings(max_examples=20)
def test_there_is_always_a_gap_but_not_in_the_last_days(now: datetime) -> None:
    times = list(demo._times(now))  # noqa: SLF001 - the queries would take longer
    gaps = [other for one, other in pairwise(times) if other - one > HOUR]

    assert 1 <= len(gaps) <= 2
    assert max(gaps) <= now - 3 * DAY + HOUR
    assert now - times[-1] <= MINUTE


def test_two_processes_agree() -> None:
    one, other = (list(demo._samples(NOW - DAY, until)) for until in (NOW, NOW + 2 * HOUR))  # noqa: SLF001

    by_time = {seen.at: seen for seen in other}
    assert all(by_time[seen.at] == seen for seen in one if seen.at in by_time)
    assert len(one) > 280


def test_the_live_document_continues_it() -> None:
    history = History.in_memory()
    live = asyncio.run(AsyncClient.demo(clock=lambda: NOW).balance())

    demo.fill(history, live.fetched_at)
    before = history.samples(demo.KEY, None, live.fetched_at, 5000)
    history.record(demo.KEY, live)
    after = history.samples(demo.KEY, None, live.fetched_at, 5000)
    recent = history.recent(demo.KEY, live.fetched_at)
    history.close()

    assert after[:-1] == before[: len(after) - 1]
    assert (after[-1].spendable, after[-1].remaining) == (live.spendable, live.remaining)
    assert 0 < (before[-1].spendable or 0) - (live.spendable or 0) < Decimal("0.1")
    assert recent.this_month is not None
    assert recent.this_month.counted == live.usage_monthly == recent.this_month.seen


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("history", "simulated account"),
        ("history --json", '"spend"'),
        ("line", " · "),
        ("line --for waybar", "demo (simulated)"),
        ("status", "demo (simulated)"),
    ],
)
def test_every_command_has_the_demo_and_it_writes_nothing(
    command: str, word: str, bare_environ: dict[str, str]
) -> None:
    done = run_here(*command.split(), "--demo", environ=bare_environ | {"COLUMNS": "80"})

    assert (done.code, done.stderr) == (0, "")
    assert word in done.stdout
    assert list(Path(bare_environ["HOME"]).rglob("*")) == []
