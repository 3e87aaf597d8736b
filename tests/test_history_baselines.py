"""Usage that falls: older answers are dropped, corrections begin a new baseline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orcredit.config.credentials import fingerprint
from tests import history_writer
from tests.balances import balance
from tests.databases import new_key, rows, stored

if TYPE_CHECKING:
    from orcredit.history import History

    Climb = list[tuple[int, int, list[tuple[int, int]]]]

pytest_plugins = ["tests.history_fixtures"]

KEY = fingerprint("sk-or-v1-corrected")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def spent(history: History, key: str = KEY, days: int = 60) -> Decimal:
    return sum((each.spend for each in history.spend(key, NOON - 30 * DAY, NOON + days * DAY, DAY)), Decimal(0))


def usages(history: History, key: str) -> list[Decimal]:
    return [Decimal(run.usage).scaleb(-8) for run in stored(history, key)]


def test_a_correction_of_a_cent_silences_the_history_for_five_minutes_only(history: History) -> None:
    history.record_all(KEY, [balance(NOON - HOUR + minute * MINUTE, 10) for minute in range(60)])
    history.record_all(KEY, [balance(NOON + minute * MINUTE, "9.99") for minute in range(30)])

    assert history.recent(KEY, NOON + 30 * MINUTE).until == NOON + 29 * MINUTE
    assert spent(history) == 0

    history.record(KEY, balance(NOON + 30 * MINUTE, "10.04"))
    assert spent(history) == Decimal("0.05")


@pytest.mark.parametrize(("seconds", "is_kept"), [(-7200, False), (-1, False), (1, False), (300, False), (301, True)])
def test_a_lower_usage_is_dropped_up_to_five_minutes_after_the_higher_one_was_seen(
    in_memory: History, seconds: int, is_kept: bool
) -> None:
    key = new_key()
    in_memory.record_all(key, [balance(NOON - DAY, 1), balance(NOON - 9 * MINUTE, 2), balance(NOON, 2)])

    in_memory.record(key, balance(NOON + seconds * SECOND, "1.5"))

    assert usages(in_memory, key) == [1, 2, *([Decimal("1.5")] if is_kept else [])]


def test_while_old_and_new_answers_alternate_the_old_ones_are_dropped(in_memory: History) -> None:
    key = new_key()
    in_memory.record_all(key, [balance(NOON + minute * MINUTE, 10 - minute % 2) for minute in range(60)])
    assert usages(in_memory, key) == [10]

    in_memory.record_all(key, [balance(NOON + minute * MINUTE, 9) for minute in range(60, 70)])

    assert usages(in_memory, key) == [10, 9]
    assert spent(in_memory, key) == 0


@pytest.mark.parametrize("usage", ["9.99", "9.995", "10", "10.01"])
@pytest.mark.parametrize("age", [20 * MINUTE, 3 * HOUR, 3 * DAY])
def test_what_was_seen_before_a_correction_and_is_recorded_after_it_is_no_spend(
    in_memory: History, usage: str, age: timedelta
) -> None:
    key = new_key()
    in_memory.record_all(key, [balance(NOON - 4 * DAY, "9.9"), balance(NOON - 10 * MINUTE, 10), balance(NOON, "9.99")])
    in_memory.record_all(key, [balance(NOON + MINUTE, "9.99"), balance(NOON + 2 * MINUTE, "9.991")])

    in_memory.record(key, balance(NOON + 2 * MINUTE - age, usage))
    in_memory.record(key, balance(NOON + 9 * MINUTE, "9.992"))

    assert spent(in_memory, key) == Decimal("0.1") + Decimal("0.002")


def test_a_correction_after_a_clock_was_years_ahead_is_seen_at_once(in_memory: History) -> None:
    key = new_key()
    in_memory.record_all(key, [balance(NOON, 10), balance(NOON + 9999 * DAY, 10), balance(NOON + MINUTE, "9.99")])
    in_memory.record_all(key, [balance(NOON + 2 * MINUTE, "9.99"), balance(NOON + 3 * MINUTE, "10.04")])

    assert spent(in_memory, key) == Decimal("0.05")
    assert in_memory.recent(key, NOON + HOUR).until == NOON + 3 * MINUTE


def test_a_baseline_that_was_years_ahead_does_not_silence_what_follows(in_memory: History) -> None:
    key = new_key()
    in_memory.record_all(key, [balance(NOON, 10), balance(NOON + 9999 * DAY, 9), balance(NOON + MINUTE, "9.5")])

    assert usages(in_memory, key) == [10, 9, Decimal("9.5")]
    assert in_memory.recent(key, NOON + HOUR).until == NOON + MINUTE


def test_samples_and_sums_go_on_across_a_correction(history: History) -> None:
    seen = [(0, "10"), (10, "11"), (20, "10.5"), (30, "10.75"), (40, "10.25"), (50, "12.25")]
    history.record_all(KEY, [balance(NOON + minute * MINUTE, usage) for minute, usage in seen])

    shown = [(one.at, one.spendable) for one in history.samples(KEY, None, NOON + DAY, 99)]
    recent = history.recent(KEY, NOON + HOUR)

    assert shown == [(NOON + minute * MINUTE, 100 - Decimal(usage)) for minute, usage in seen]
    assert recent.last_hour == recent.last_day == Decimal("3.25")
    assert (recent.since, recent.until) == (NOON, NOON + 50 * MINUTE)
    by_ten_minutes = [each.spend for each in history.spend(KEY, NOON, NOON + HOUR, 10 * MINUTE)]
    assert by_ten_minutes == [1, 0, Decimal("0.25"), 0, 2, 0]


climbs = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=10**10),  # grains more
        st.integers(min_value=1, max_value=100_000),  # seconds later
        st.lists(  # older answers that come afterwards: by how many grains less, and how many seconds later or earlier
            st.tuples(st.integers(min_value=1, max_value=10**9), st.integers(min_value=-100_000, max_value=300)),
            max_size=2,
        ),
    ),
    min_size=1,
    max_size=6,
)
corrections = st.tuples(
    st.integers(min_value=1, max_value=10**9),  # grains less
    st.integers(min_value=301, max_value=100_000),  # seconds later
    climbs,
)


@example([(10**9, 60, [(1, 60), (1, 300)])], [(10**6, 301, [(10**6, 60, [(1, -1)])])], 0)
@given(climbs, st.lists(corrections, max_size=4), st.integers(min_value=0, max_value=3))
def test_spend_is_the_sum_of_the_increases_since_each_baseline(
    in_memory: History,
    first: Climb,
    later: list[tuple[int, int, Climb]],
    cut: int,
) -> None:
    key, at, grains, total = new_key(), NOON, 10**11, 0
    seen = [(at, grains)]
    for less, wait, climb in [(0, 0, first), *later]:
        if wait:
            at, grains = at + wait * SECOND, grains - less
            seen.append((at, grains))
        for more, seconds, outdated in climb:
            at, grains, total = at + seconds * SECOND, grains + more, total + more
            seen.append((at, grains))
            seen += [(at + moved * SECOND, grains - fewer) for fewer, moved in outdated]
    balances = [balance(moment, Decimal(usage).scaleb(-8)) for moment, usage in seen]
    in_memory.record_all(key, balances[:cut])
    in_memory.record_all(key, balances[cut:])

    assert spent(in_memory, key) == Decimal(total).scaleb(-8)
    now = at + SECOND
    recent = in_memory.recent(key, now)
    assert recent.until == at
    assert in_memory.samples(key, None, now, 5000)[-1].at == at


@pytest.mark.process
def test_two_writers_across_corrections_count_no_fall_and_no_climb_twice(url: str) -> None:
    assert history_writer.run_together(url, "corrected", 60, processes=2) == ["", ""]

    usages = [row.usage for row in rows(url)]
    falls = sum(next_one < one for one, next_one in pairwise(usages))
    assert falls == len(history_writer.CORRECTIONS)
    assert sum(max(0, next_one - one) for one, next_one in pairwise(usages)) <= 60 * 10**6
    assert usages[-1] == history_writer.corrected(60)[1] * 10**8
