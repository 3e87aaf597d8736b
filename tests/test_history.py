"""The history records what was seen: runs of equal numbers, one key beside another, and many balances at once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance
from tests.databases import new_key, rows, stored
from tests.histories import HOUR, KEY, MINUTE, NOON, OTHER_KEY, by_hour, samples, spends

if TYPE_CHECKING:
    from pathlib import Path

    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]


def test_equal_numbers_are_one_row_however_often_they_are_seen(history: History, url: str) -> None:
    for minute in range(30):
        history.record(KEY, balance(NOON + minute * MINUTE, "1.5"))

    (row,) = rows(url)
    assert (row.started_at, row.ended_at) == (NOON.timestamp(), (NOON + 29 * MINUTE).timestamp())
    assert row.usage == 150_000_000


@pytest.mark.parametrize(
    "change", [{"limit": 200}, {"left": 7}, {"byok_usage": 3}, {"account_usage": 4}, {"limit": None}]
)
def test_any_number_that_changes_begins_a_new_row(history: History, url: str, change: dict[str, int | None]) -> None:
    history.record(KEY, balance(NOON, 1))
    history.record(KEY, balance(NOON + MINUTE, 1, **change))  # type: ignore[arg-type]
    history.record(KEY, balance(NOON + 2 * MINUTE, 1))

    assert [row.number for row in rows(url)] == [1, 2, 3]


def test_a_lower_usage_within_five_minutes_is_an_older_answer_and_is_dropped(history: History, url: str) -> None:
    for minute, usage in enumerate(["1", "2", "1.99999999", "2", "2.5"]):
        history.record(KEY, balance(NOON + minute * MINUTE, usage))

    assert [row.usage for row in rows(url)] == [100_000_000, 200_000_000, 250_000_000]
    assert rows(url)[1].ended_at == (NOON + 3 * MINUTE).timestamp()
    assert spends(by_hour(history)) == [Decimal("1.5")]


def test_an_older_answer_with_the_same_numbers_does_not_move_the_end_back(history: History) -> None:
    for minute in (0, 9, 5):
        history.record(KEY, balance(NOON + minute * MINUTE, 1))

    assert history.recent(KEY, NOON + HOUR).until == NOON + 9 * MINUTE


def test_every_digit_is_kept_up_to_the_largest_amounts(history: History) -> None:
    history.record(KEY, balance(NOON, "0.00000001", limit=10**15))
    history.record(KEY, balance(NOON + MINUTE, "90000000000.00000002", limit=None))

    (interval,) = by_hour(history)
    assert interval.spend == Decimal("90000000000.00000001")


@pytest.mark.parametrize("seen", [balance(NOON, None), balance(NOON, 1, stale=True)])
def test_a_balance_without_usage_or_a_stale_one_is_not_stored(history: History, seen: Balance) -> None:
    history.record(KEY, seen)

    assert by_hour(history) == []


def test_keys_do_not_see_each_other(history: History) -> None:
    for minute in range(2):
        history.record(KEY, balance(NOON + minute * MINUTE, 1 + minute))
        history.record(OTHER_KEY, balance(NOON + minute * MINUTE, 10 + 5 * minute))

    assert spends(by_hour(history)) == [1]
    assert history.recent(OTHER_KEY, NOON + HOUR / 2).last_hour == 5


def test_a_key_is_stored_as_twelve_digits_of_its_hash() -> None:
    assert fingerprint("sk-or-v1-made-up") == "77fba402c542"


@example([(60, 5, 0), (60, 0, 0), (60, -1, 0), (60, 0, 1)], 2)
@settings(max_examples=50)
@given(samples, st.integers(min_value=0, max_value=30))
def test_many_recorded_at_once_are_as_if_recorded_one_by_one(
    in_memory: History, steps: list[tuple[int, int, int]], cut: int
) -> None:
    at, grains, seen = NOON, 0, []
    for seconds, more, left in steps:
        at, grains = at + timedelta(seconds=seconds), max(0, grains + more)
        seen.append(balance(at, Decimal(grains).scaleb(-8), left=left))
    one_by_one, at_once = new_key(), new_key()
    for each in seen:
        in_memory.record(one_by_one, each)

    in_memory.record_all(at_once, seen[:cut])
    in_memory.record_all(at_once, iter(seen[cut:]))

    assert [run[1:] for run in stored(in_memory, at_once)] == [run[1:] for run in stored(in_memory, one_by_one)]


def test_many_recorded_at_once_are_runs(history: History, url: str) -> None:
    history.record(KEY, balance(NOON, 1))

    history.record_all(KEY, [balance(NOON + minute * MINUTE, 1 + minute // 2) for minute in range(5)])

    assert [(row.number, row.usage // 10**8, row.ended_at - row.started_at) for row in rows(url)] == [
        (1, 1, 60),
        (2, 2, 60),
        (3, 3, 0),
    ]


def test_nothing_recorded_at_once_leaves_no_file_behind(file: Path) -> None:
    History(f"sqlite:///{file}").record_all(KEY, [balance(NOON, None), balance(NOON, 1, stale=True)])

    assert not file.exists()
