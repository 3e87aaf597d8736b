"""What was left over time, in so many samples as a chart can show."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orcredit.errors import UsageError
from orcredit.history import MOST_SAMPLES, History, Sample
from tests.balances import balance
from tests.databases import new_key, stored
from tests.histories import DAY, KEY, MINUTE, NOON, OTHER_KEY, samples

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.history_fixtures"]


def in_short(
    history: History, *, since: datetime | None = None, until: datetime = NOON + 99 * DAY, most: int = 99
) -> str:
    """Format samples as minutes since noon and what could be spent."""
    return " ".join(
        f"{(sample.at - NOON) / MINUTE:g}:{sample.spendable}" for sample in history.samples(KEY, since, until, most)
    )


def test_a_run_is_drawn_flat_and_between_runs_nothing_is_known(history: History) -> None:
    for minute, usage in [(0, 1), (1, 1), (9, 1), (10, 2), (60, 3), (70, 3)]:
        history.record(KEY, balance(NOON + minute * MINUTE, usage))

    assert in_short(history) == "0:99 9:99 10:98 60:97 70:97"


def test_runs_are_cut_off_at_since_and_until(history: History) -> None:
    for minute, usage in [(0, 1), (10, 1), (11, 2), (20, 2), (21, 3), (30, 3)]:
        history.record(KEY, balance(NOON + minute * MINUTE, usage))

    def between(since: float, until: float) -> str:
        return in_short(history, since=NOON + since * MINUTE, until=NOON + until * MINUTE)

    assert between(5, 25) == "5:99 10:99 11:98 20:98 21:97 25:97"
    assert between(12, 13) == "12:98 13:98"
    assert between(10.5, 11) == "11:98"
    assert between(10, 10.5) == "10:99"
    assert [between(10.2, 10.8), between(-9, -1), between(31, 99)] == ["", "", ""]
    assert between(12.001, 12.002) == ""  # no whole second
    assert in_short(history, since=NOON - 9999 * DAY, until=NOON + 9999 * DAY) == in_short(history)


def test_samples_have_what_is_left_of_the_keys_own_limit_and_none_without_a_limit(history: History) -> None:
    overdrawn = balance(NOON, 105, limit=100, left=0)
    history.record(KEY, overdrawn.model_copy(update={"remaining": Decimal(-5)}))
    history.record(KEY, balance(NOON + MINUTE, 105, limit=None))

    assert history.samples(KEY, None, NOON + DAY, 2) == [
        Sample(at=NOON, spendable=Decimal(0), remaining=Decimal(-5)),
        Sample(at=NOON + MINUTE, spendable=None, remaining=None),
    ]


def test_a_sample_in_json_has_the_documented_names() -> None:
    sample = Sample(at=NOON, spendable=Decimal("0.1"), remaining=None)

    assert json.loads(sample.model_dump_json()) == {
        "at": "2026-03-01T12:00:00.000Z",
        "spendable": 0.1,
        "remaining": None,
    }


def test_of_too_many_samples_the_low_before_a_reset_and_the_jump_after_it_are_kept(history: History) -> None:
    # A minute each; the reset is in the middle of a stretch, and so is a low that is no end of anything.
    left = [*range(1000, 700, -1), 3, *range(698, 498, -1), *range(900, 400, -1)]
    history.record_all(
        KEY, [balance(NOON + minute * MINUTE, minute, left=amount) for minute, amount in enumerate(left)]
    )

    kept = in_short(history, most=20).split()

    assert len(kept) <= 20
    assert kept[0] == "0:1000"
    assert "300:3" in kept
    assert kept[kept.index("500:499") + 1] == "501:900"
    assert kept[-1] == "1000:401"


def test_of_too_many_samples_idle_time_stays_flat_and_jumps_steep(history: History) -> None:
    spending = [balance(NOON + minute * MINUTE, minute) for minute in range(100)]
    idle = [balance(NOON + minute * MINUTE, 100, left=7) for minute in range(100, 400)]
    again = [balance(NOON + minute * MINUTE, minute, left=900 - minute) for minute in range(400, 500)]
    history.record_all(KEY, [*spending, *idle, *again])

    kept = in_short(history, most=12).split()

    assert kept[kept.index("100:7") :][:3] == ["100:7", "399:7", "400:500"]


def test_of_too_many_samples_time_without_a_limit_is_kept(history: History) -> None:
    limited = [balance(NOON + minute * MINUTE, minute, limit=1000) for minute in range(300)]
    unlimited = [balance(NOON + minute * MINUTE, 103, limit=None) for minute in range(103, 190)]
    history.record_all(KEY, [*limited[:103], *unlimited, *limited[190:]])

    kept = in_short(history, most=20).split()

    assert kept[kept.index("103:None") + 1] == "189:None"


@pytest.mark.parametrize("most", [2, 3, 4, 5])
def test_very_few_samples_include_the_first_and_the_last(history: History, most: int) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(50)])

    kept = in_short(history, most=most).split()

    assert [kept[0], kept[-1]] == ["0:100", "49:51"]
    assert len(kept) <= most


def test_of_one_second_only_the_last_numbers_are_given(history: History) -> None:
    for milliseconds, usage in [(0, 1), (300, 2), (600, 3), (1000, 3)]:
        history.record(KEY, balance(NOON + timedelta(milliseconds=milliseconds), usage))

    assert [sample.spendable for sample in history.samples(KEY, None, NOON + DAY, 9)] == [97, 97]


def test_samples_of_a_key_never_seen_are_none(history: History, file: Path) -> None:
    assert in_short(history) == ""
    assert not file.exists()
    history.record(OTHER_KEY, balance(NOON, 1))
    assert in_short(history) == ""


@pytest.mark.parametrize("most", [-1, 0, 1, MOST_SAMPLES + 1])
def test_an_impossible_number_of_samples_is_wrong_usage(history: History, most: int) -> None:
    with pytest.raises(UsageError, match="samples"):
        history.samples(KEY, None, NOON, most)


def test_samples_without_time_between_since_and_until_are_wrong_usage(history: History) -> None:
    with pytest.raises(UsageError, match="no time"):
        history.samples(KEY, NOON, NOON, 2)


@example([(0, 0, 0), (-1, 0, 1), (0, 1, 0)], 2, None, 0)
@example([(0, 0, 0), (60, 1, 1), (0, 1, 2), (60, 0, 2)], 4, None, 0)
@given(
    samples,
    st.integers(min_value=2, max_value=40),
    st.none() | st.integers(min_value=-1000, max_value=2_000_000),
    st.integers(min_value=0, max_value=999_999),
)
def test_every_sample_was_seen_and_the_last_is_the_newest(
    in_memory: History, steps: list[tuple[int, int, int]], most: int, start: int | None, fraction: int
) -> None:
    key = new_key()
    at, grains, seen = NOON + timedelta(microseconds=fraction), 0, []
    for seconds, more, left in steps:
        at, grains = at + timedelta(seconds=seconds), max(0, grains + more)
        seen.append(balance(at, Decimal(grains).scaleb(-8), left=None if left == 2 else left))
    in_memory.record_all(key, seen)
    known = stored(in_memory, key)
    since = None if start is None else NOON + timedelta(seconds=start)
    until = NOON + timedelta(seconds=400_000 * 31)

    given_samples = in_memory.samples(key, since, until, most)

    lasting = [run for run in known if since is None or run.ended_at >= since.timestamp()]
    assert bool(given_samples) == bool(lasting)
    assert len(given_samples) <= most
    assert all(one.at < next_one.at for one, next_one in pairwise(given_samples))
    for one in given_samples:
        second, amount = one.at.timestamp(), None if one.spendable is None else one.spendable.scaleb(8)
        assert any(run.started_at <= second <= run.ended_at and run.spendable == amount for run in known)
    if lasting:
        first = min(max(run.started_at, 0 if since is None else since.timestamp()) for run in lasting)
        newest = max(lasting, key=lambda run: (run.ended_at, run.number))
        assert given_samples[0].at.timestamp() == first
        assert given_samples[-1].at.timestamp() == newest.ended_at
        amount = given_samples[-1].spendable
        assert (None if amount is None else amount.scaleb(8)) == newest.spendable
