"""Runs, intervals, samples and sums of a history, in real files and on a real server; and its errors."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orcredit.config.credentials import fingerprint
from orcredit.errors import ConfigurationError, ExitCode, HistoryError, UsageError
from orcredit.history import MOST_INTERVALS, MOST_SAMPLES, History, Interval, Sample, as_csv
from tests import databases
from tests.balances import balance
from tests.databases import new_key, rows, stored
from tests.history_writer import KEY as WRITERS_KEY
from tests.history_writer import START as WRITERS_START
from tests.history_writer import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

KEY = fingerprint("sk-or-v1-made-up")
OTHER_KEY = fingerprint("sk-or-v1-another")
ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def spends(intervals: list[Interval]) -> list[Decimal]:
    return [interval.spend for interval in intervals]


def by_hour(history: History, *, since: datetime = NOON, hours: int = 24) -> list[Interval]:
    return history.spend(KEY, since, since + hours * HOUR, HOUR)


# Runs


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


# Intervals


def test_a_key_that_was_never_seen_has_no_history(history: History) -> None:
    assert by_hour(history) == []
    assert history.recent(KEY, NOON).last_week is None
    history.record(OTHER_KEY, balance(NOON, 1))
    assert by_hour(history) == []
    assert history.recent(KEY, NOON).since is None


def test_reading_does_not_create_a_file(file: Path) -> None:
    assert by_hour(History(f"sqlite:///{file}")) == []
    assert not file.exists()


def test_the_first_sample_is_where_counting_begins(history: History) -> None:
    history.record(KEY, balance(NOON, 40))

    assert spends(by_hour(history, since=NOON - DAY, hours=48)) == [0]


def test_intervals_are_multiples_of_their_length_and_cover_the_time_that_was_watched(history: History) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(0, 200, 10)])

    intervals = history.spend(KEY, NOON - DAY + 7 * MINUTE, NOON + DAY, HOUR)

    assert [interval.start for interval in intervals] == [NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR]
    assert all(one.end == next_one.start for one, next_one in pairwise(intervals))
    assert spends(intervals) == [60, 60, 60, 10]
    assert [interval.start for interval in history.spend(KEY, NOON, NOON + DAY, 2 * DAY)] == [
        datetime(2026, 2, 28, tzinfo=UTC)
    ]


def test_since_may_be_long_before_the_key_was_first_seen(history: History) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(90)])
    first = history.recent(KEY, NOON + 2 * HOUR).since

    intervals = history.spend(KEY, NOON + 2 * HOUR - MOST_INTERVALS * HOUR, NOON + 2 * HOUR, HOUR)

    assert first == NOON
    assert [interval.start for interval in intervals] == [NOON, NOON + HOUR]
    assert intervals == history.spend(KEY, first, NOON + 2 * HOUR, HOUR)


def test_spend_is_what_was_seen_between_since_and_until(history: History) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(0, 600, 10)])

    intervals = history.spend(KEY, NOON + 2 * HOUR, NOON + 4 * HOUR, HOUR)

    assert spends(intervals) == [60, 60]
    assert [interval.start for interval in intervals] == [NOON + 2 * HOUR, NOON + 3 * HOUR]


def test_idle_hours_between_are_zero_and_certain(history: History) -> None:
    history.record(KEY, balance(NOON, 1))
    history.record(KEY, balance(NOON + 3 * HOUR + MINUTE, 1))
    history.record(KEY, balance(NOON + 3 * HOUR + 2 * MINUTE, 2))

    intervals = by_hour(history)

    assert spends(intervals) == [0, 0, 0, 1]
    assert [interval.spendable for interval in intervals] == [99, 99, 99, 98]
    assert not any(interval.estimated for interval in intervals)


def test_spend_across_a_gap_is_spread_evenly_and_called_an_estimate(history: History) -> None:
    history.record(KEY, balance(NOON, 0))
    history.record(KEY, balance(NOON + HOUR / 2, 1))
    history.record(KEY, balance(NOON + 3 * HOUR, 11))
    history.record(KEY, balance(NOON + 3 * HOUR + 30 * MINUTE, 12))

    intervals = by_hour(history)

    assert spends(intervals) == [3, 4, 4, 1]
    assert [interval.estimated for interval in intervals] == [True, True, True, False]


def test_what_could_be_spent_and_what_remained_of_the_limit_are_two_things(history: History) -> None:
    history.record(KEY, balance(NOON, 20, left=-20).model_copy(update={"spendable": Decimal(0)}))
    history.record(KEY, balance(NOON + HOUR, 21, left=79).model_copy(update={"spendable": Decimal("2.5")}))
    history.record(KEY, balance(NOON + 2 * HOUR, 22, limit=None).model_copy(update={"spendable": Decimal(2)}))

    assert [(interval.spendable, interval.remaining) for interval in by_hour(history)] == [
        (0, -20),
        (Decimal("2.5"), 79),
        (2, None),
    ]


def test_what_was_left_is_not_known_in_a_time_without_polls(history: History) -> None:
    history.record(KEY, balance(NOON, 0))
    history.record(KEY, balance(NOON + 3 * HOUR, 11))

    assert [interval.spendable for interval in by_hour(history)] == [100, None, None, 89]
    assert [interval.remaining for interval in by_hour(history)] == [100, None, None, 89]


def test_a_minute_between_polls_across_two_intervals_is_no_gap(history: History) -> None:
    history.record(KEY, balance(NOON + 59 * MINUTE + 30 * MINUTE / 60, 0))
    history.record(KEY, balance(NOON + 60 * MINUTE + 30 * MINUTE / 60, 2))

    by_minute = history.spend(KEY, NOON, NOON + 2 * HOUR, MINUTE)

    assert spends(by_hour(history)) == spends(by_minute) == [1, 1]
    assert not any(interval.estimated for interval in by_hour(history))
    assert all(interval.estimated for interval in by_minute)


def test_an_uneven_gap_loses_no_grain(history: History) -> None:
    history.record(KEY, balance(NOON, 0))
    history.record(KEY, balance(NOON + 7 * HOUR, "0.00000010"))

    assert sum(spends(by_hour(history))) == Decimal("0.00000010")
    assert sum(spends(history.spend(KEY, NOON, NOON + DAY, 17 * MINUTE))) == Decimal("0.00000010")


def test_a_reset_or_a_raised_limit_is_no_spend(history: History) -> None:
    history.record(KEY, balance(NOON, 90, left=10))
    history.record(KEY, balance(NOON + 30 * MINUTE, 95, left=5))
    history.record(KEY, balance(NOON + 61 * MINUTE, 95, left=100))  # a new day began
    history.record(KEY, balance(NOON + 90 * MINUTE, 95, limit=500, left=500))
    history.record(KEY, balance(NOON + 100 * MINUTE, 96, limit=None, left=None))

    intervals = by_hour(history)

    assert spends(intervals) == [5, 1]
    assert [interval.spendable for interval in intervals] == [5, None]


def test_a_clock_that_was_put_back_loses_no_spend(history: History) -> None:
    for minute, usage in [(0, 1), (10, 2), (5, 3), (6, 5), (11, 6)]:
        history.record(KEY, balance(NOON + minute * MINUTE, usage))

    assert spends(by_hour(history)) == [5]


def test_a_clock_that_was_put_back_before_the_first_sample_loses_no_spend(history: History) -> None:
    history.record(KEY, balance(NOON, 1))
    history.record(KEY, balance(NOON - 2 * HOUR, 3))

    intervals = by_hour(history, since=NOON - DAY, hours=48)

    assert sum(spends(intervals)) == 2
    assert intervals[0].start == NOON - 2 * HOUR


def test_a_clock_that_was_put_back_after_the_last_but_one_sample_loses_no_spend(history: History) -> None:
    for hours, usage in [(0, 1), (5, 2), (1, 3), (1, 4)]:
        history.record(KEY, balance(NOON + hours * HOUR, usage))

    assert sum(spends(by_hour(history))) == 3


def test_an_impossible_time_is_not_stored(history: History) -> None:
    history.record(KEY, balance(datetime(1969, 12, 31, tzinfo=UTC), 1))
    history.record(KEY, balance(datetime(9999, 1, 1, tzinfo=UTC), 1))

    assert history.recent(KEY, NOON).since is None


def test_a_clock_that_once_was_years_ahead_does_not_spoil_what_follows(history: History) -> None:
    history.record(KEY, balance(NOON, 1))
    history.record(KEY, balance(NOON + 9999 * DAY, 2))
    history.record_all(KEY, [balance(NOON + minute * MINUTE, 2 + minute) for minute in range(1, 30)])

    (interval,) = by_hour(history, hours=1)

    assert 29 <= interval.spend <= 30
    assert interval.spendable == 69


@pytest.mark.parametrize("ahead", [20 * HOUR, 9 * 365 * DAY])
@pytest.mark.parametrize("usages", [(1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 3)])
def test_the_time_of_one_answer_from_the_future_is_corrected_by_the_next(
    in_memory: History, ahead: timedelta, usages: tuple[int, int, int]
) -> None:
    key, last = new_key(), NOON + 2 * MINUTE
    for usage, at in zip(usages, (NOON, NOON + ahead, NOON + MINUTE), strict=True):
        in_memory.record(key, balance(at, usage))
    in_memory.record(key, balance(last, usages[-1]))

    (interval,) = in_memory.spend(key, NOON, NOON + DAY, HOUR)
    assert interval.spend == usages[-1] - 1
    assert interval.spendable == 100 - usages[-1]
    assert not interval.estimated
    assert in_memory.recent(key, last).until == last
    assert in_memory.recent(key, last).last_hour == usages[-1] - 1
    samples = in_memory.samples(key, None, NOON + 9999 * DAY, 99)
    assert samples[-1].at == last
    assert samples[-1].spendable == 100 - usages[-1]
    assert all(sample.at in {NOON, NOON + MINUTE, last} for sample in samples)


def test_many_answers_from_years_ahead_hide_nothing_that_follows(history: History) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute, account_usage=minute) for minute in range(60)])
    ahead = NOON + 9 * 365 * DAY
    history.record_all(KEY, [balance(ahead + minute * MINUTE, 60 + minute // 2) for minute in range(10)])
    assert history.recent(KEY, NOON + HOUR).until == NOON + 59 * MINUTE

    after = NOON + HOUR
    history.record_all(KEY, [balance(after + minute * MINUTE, 64 + minute // 40) for minute in range(41)])

    now = after + 40 * MINUTE
    assert spends(by_hour(history)) == [64, 1]
    recent = history.recent(KEY, now)
    assert (recent.since, recent.until) == (NOON, now)
    assert recent.last_day == 65
    samples = history.samples(KEY, None, ahead - DAY, 999)
    assert [one.at for one in samples[-3:]] == [after, now - MINUTE, now]
    assert [one.spendable for one in samples[-3:]] == [36, 36, 35]


def test_a_clock_that_was_put_back_by_years_takes_nothing_away(history: History, url: str) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute // 100) for minute in range(300)])
    before = rows(url)

    history.record_all(KEY, [balance(NOON - 700 * DAY + minute * MINUTE, 2) for minute in range(5)])

    assert rows(url)[: len(before)] == before
    assert history.recent(KEY, NOON + DAY).since == NOON
    history.record(KEY, balance(NOON + DAY, 3))
    assert sum(spends(history.spend(KEY, NOON - 701 * DAY, NOON + 2 * DAY, DAY))) == 3


def test_two_polls_in_one_second_at_an_edge_are_counted(history: History) -> None:
    history.record(KEY, balance(NOON, 1))
    history.record(KEY, balance(NOON + timedelta(milliseconds=500), 3))

    assert spends(by_hour(history, hours=1)) == [2]
    assert history.recent(KEY, NOON).last_hour == 2


@pytest.mark.parametrize(
    ("since", "every"),
    [(DAY, timedelta(0)), (DAY, timedelta(milliseconds=1500)), (timedelta(0), HOUR), (-DAY, HOUR)],
)
def test_an_impossible_length_is_wrong_usage(history: History, since: timedelta, every: timedelta) -> None:
    with pytest.raises(UsageError):
        history.spend(KEY, NOON - since, NOON, every)


def test_too_many_intervals_are_refused_before_they_fill_the_memory(history: History) -> None:
    second = timedelta(seconds=1)
    assert history.spend(KEY, NOON - MOST_INTERVALS * second, NOON, second) == []
    with pytest.raises(UsageError, match="100,001 intervals"):
        history.spend(KEY, NOON - (MOST_INTERVALS + 1) * second, NOON, second)


def test_an_interval_in_json_has_the_documented_names() -> None:
    interval = Interval(
        start=NOON, end=NOON + HOUR, spend=Decimal("0.1"), spendable=Decimal("2.5"), remaining=None, estimated=True
    )

    assert json.loads(interval.model_dump_json()) == {
        "from": "2026-03-01T12:00:00.000Z",
        "to": "2026-03-01T13:00:00.000Z",
        "spend": 0.1,
        "spendable": 2.5,
        "remaining": None,
        "estimated": True,
    }


def test_intervals_as_csv_have_every_digit_and_no_exponent() -> None:
    known = Interval(
        start=NOON,
        end=NOON + HOUR,
        spend=Decimal("1E-8"),
        spendable=Decimal("1E+2"),
        remaining=Decimal("-0.5"),
        estimated=False,
    )
    unknown = Interval(start=NOON, end=NOON + HOUR, spend=Decimal(0), spendable=None, remaining=None, estimated=True)

    assert as_csv([known, unknown]) == (
        "from,to,spend,spendable,remaining,estimated\n"
        "2026-03-01T12:00:00.000Z,2026-03-01T13:00:00.000Z,0.00000001,100,-0.5,false\n"
        "2026-03-01T12:00:00.000Z,2026-03-01T13:00:00.000Z,0,,,true\n"
    )


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


@example([(0, 0, 0), (-1, 0, 1), (0, 1, 0)], 7, 0)
@given(samples, st.integers(min_value=7, max_value=200_000), st.integers(min_value=0, max_value=86_399))
def test_the_intervals_add_up_to_the_increases_of_usage_exactly(
    in_memory: History, steps: list[tuple[int, int, int]], every: int, offset: int
) -> None:
    key = new_key()
    at, grains = NOON + timedelta(seconds=offset), 0
    moments, seen = [at], []
    for seconds, more, left in steps:
        at, grains = at + timedelta(seconds=seconds), max(0, grains + more)
        moments.append(at)
        seen.append(balance(at, Decimal(grains).scaleb(-8), left=left))
    in_memory.record_all(key, seen)
    since, until = min(moments), max(moments) + timedelta(seconds=1)
    every = max(every, int((until - since).total_seconds()) // 1_000)
    increases = [next_one.usage - one.usage for one, next_one in pairwise(stored(in_memory, key))]

    intervals = in_memory.spend(key, since, until, timedelta(seconds=every))

    assert sum(spends(intervals)) == Decimal(sum(each for each in increases if each > 0)).scaleb(-8)
    assert all(interval.spend >= 0 for interval in intervals)
    assert all(interval.end - interval.start == timedelta(seconds=every) for interval in intervals)
    assert all(one.end == next_one.start for one, next_one in pairwise(intervals))
    assert all(int(interval.start.timestamp()) % every == 0 for interval in intervals)


# What was left, over time


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


# Recent spend


def test_recent_spend_is_that_of_the_last_hour_day_and_week(history: History) -> None:
    now = NOON + 30 * DAY
    for hours_ago, usage in [(500, 0), (499, 1), (100, 1), (99, 3), (20, 3), (19, 7), (0.5, 7), (0.25, 15), (0, 15)]:
        history.record(KEY, balance(now - hours_ago * HOUR, usage))

    recent = history.recent(KEY, now)

    assert [recent.last_hour, recent.last_day, recent.last_week] == [8, 12, 14]
    assert (recent.since, recent.until) == (now - 500 * HOUR, now)
    assert recent.account_per_day is None


def test_of_a_gap_only_the_part_in_the_last_hour_counts_as_recent(history: History) -> None:
    history.record(KEY, balance(NOON - 4 * HOUR, 0))
    history.record(KEY, balance(NOON, 144))

    recent = history.recent(KEY, NOON)

    assert [recent.last_hour, recent.last_day] == [36, 144]


def test_spend_of_a_time_without_polls_is_unknown_and_not_zero(history: History) -> None:
    history.record(KEY, balance(NOON - 3 * HOUR, 0))
    history.record(KEY, balance(NOON - 2 * HOUR, 1))

    recent = history.recent(KEY, NOON)

    assert recent.last_hour is None
    assert recent.last_day == 1


def test_the_accounts_pace_is_that_of_its_usage_in_the_last_week(history: History) -> None:
    for hours_ago, account_usage in [(300, 0), (299, 1000), (160, 1000), (40, 1010), (0, 1021)]:
        history.record(KEY, balance(NOON - hours_ago * HOUR, 1, account_usage=account_usage))

    assert history.recent(KEY, NOON).account_per_day == 3  # 21 USD in 168 hours


@pytest.mark.parametrize("seen", [[(0.9, 1), (0, 2)], [(9, 5000), (0, 2)], [(0, 5)], []])
def test_the_accounts_pace_needs_an_hour_and_one_account(history: History, seen: list[tuple[float, int]]) -> None:
    history.record(KEY, balance(NOON - DAY, 1))
    for hours_ago, account_usage in seen:
        history.record(KEY, balance(NOON - hours_ago * HOUR, 1, account_usage=account_usage))

    assert history.recent(KEY, NOON).account_per_day is None


# Many at once


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


def test_many_recorded_at_once_are_kept_all_or_none(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    last = NOON + 1430 * MINUTE
    pages = filled.stat().st_size // 4096

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine = history._engine  # noqa: SLF001 - a setting of the connection, which SQLite has no URL for
    sa.event.listen(engine, "connect", fill)
    too_many = [balance(last + minute * MINUTE, 1430 + minute // 2) for minute in range(10_000)]
    assert_fails(lambda: history.record_all(KEY, too_many), "disk is full")

    assert history.recent(KEY, last).until == last


def test_nothing_recorded_at_once_leaves_no_file_behind(file: Path) -> None:
    History(f"sqlite:///{file}").record_all(KEY, [balance(NOON, None), balance(NOON, 1, stale=True)])

    assert not file.exists()


# Several processes


@pytest.mark.process
def test_two_writers_at_once_never_count_a_dollar_twice(url: str) -> None:
    command = [sys.executable, "-m", "tests.history_writer", url, "race", "80"]
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:  # both create the tables in the same moment, too
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    errors = [writer.communicate(timeout=120)[1] for writer in writers]

    assert errors == ["", ""]
    usages = [row.usage for row in rows(url)]
    assert all(one < next_one for one, next_one in pairwise(usages))
    intervals = History(url).spend(WRITERS_KEY, WRITERS_START, WRITERS_START + DAY, MINUTE)
    assert sum(spends(intervals)) == Decimal("0.8")


@pytest.mark.process
def test_a_kill_at_any_moment_loses_at_most_the_last_sample(file: Path) -> None:
    command = [sys.executable, "-m", "tests.history_writer", f"sqlite:///{file}", "kill", "30"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        for _ in range(30):
            confirmed = int(killer.stdout.readline())
            with closing(sqlite3.connect(file)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                (usage,) = connection.execute("SELECT max(usage) FROM orcredit_runs").fetchone()
            assert usage // 1_000_000 in {confirmed, confirmed + 1}
            killer.stdin.write("next\n")
            killer.stdin.flush()
    assert killer.returncode == 0

    at, usage = sample(usage // 1_000_000)
    intervals = History(f"sqlite:///{file}").spend(WRITERS_KEY, WRITERS_START, at + HOUR, MINUTE)
    assert sum(spends(intervals)) == usage


def test_a_history_may_be_used_from_one_thread_after_another(url: str) -> None:
    for history in (History(url), History.in_memory()):
        for minute in range(3):
            seen = balance(NOON + minute * MINUTE, minute)
            thread = threading.Thread(target=history.record, args=(KEY, seen))
            thread.start()
            thread.join()
        assert spends(by_hour(history)) == [2]
        history.close()


def test_a_history_in_memory_ends_with_its_last_reference() -> None:
    history = History.in_memory()
    with history._engine.connect() as connection:  # noqa: SLF001
        own_connection = connection.connection.driver_connection
    assert isinstance(own_connection, sqlite3.Connection)
    own_connection.execute("SELECT 1").close()

    del history

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        own_connection.execute("SELECT 1")


def use_from_threads_at_once(history: History, times: int) -> None:
    history.record(KEY, balance(NOON, 0))
    barrier = threading.Barrier(4, timeout=60)

    def write() -> None:
        barrier.wait()
        for minute in range(1, times + 1):
            history.record(KEY, balance(NOON + minute * MINUTE, minute))

    def read() -> None:
        barrier.wait()
        for _ in range(times):
            (interval,) = by_hour(history)
            recent = history.recent(KEY, NOON + HOUR)
            assert recent.last_day is not None
            assert interval.spend <= recent.last_day

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(write), *(threads.submit(read) for _ in range(3))]:
            done.result(timeout=60)
    assert spends(by_hour(history)) == [times]


def test_several_threads_may_use_a_history_at_once(history: History) -> None:
    use_from_threads_at_once(history, 10)


def test_several_threads_may_use_a_history_in_memory_at_once() -> None:
    history = History.in_memory()
    use_from_threads_at_once(history, 20)
    history.close()


# Errors: every method raises HistoryError


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


@pytest.fixture
def filled(file: Path) -> Path:
    """A file with a day of samples in it."""
    history = History(f"sqlite:///{file}")
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(0, 1440, 10)])
    return file


def test_a_locked_database_is_an_error_within_seconds_and_works_again_later(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    with closing(sqlite3.connect(filled, isolation_level=None)) as other_program:
        other_program.execute("BEGIN EXCLUSIVE")
        assert_fails(lambda: history.record(KEY, balance(NOON + DAY, 5000)), str(filled), "locked")
        assert len(by_hour(history)) == 24  # reading goes on
        other_program.execute("ROLLBACK")

    history.record(KEY, balance(NOON + DAY, 5000))
    assert history.recent(KEY, NOON + DAY).until == NOON + DAY


def test_a_locked_postgresql_is_an_error_within_seconds_and_works_again_later(postgresql: str) -> None:
    url = databases.empty_database(postgresql)
    history = History(url)
    history.record(KEY, balance(NOON, 1))
    with psycopg.connect(url) as other_program:
        other_program.execute("LOCK TABLE orcredit_runs IN ACCESS EXCLUSIVE MODE")
        assert_every_method_fails(history, "locked", at_once=True)

    history.record(KEY, balance(NOON + MINUTE, 2))
    assert spends(by_hour(history)) == [1]


def test_a_read_only_database_can_be_read(filled: Path) -> None:
    history = History(f"sqlite:///file:{filled}?mode=ro&uri=true")

    assert_fails(lambda: history.record(KEY, balance(NOON + DAY, 5000)), "read-only")
    assert len(by_hour(history)) == 24


def test_a_read_only_postgresql_can_be_read(postgresql: str) -> None:
    url = databases.empty_database(postgresql)
    History(url).record(KEY, balance(NOON, 1))
    history = History(f"{url}&options=-c default_transaction_read_only=on")

    assert_fails(lambda: history.record(KEY, balance(NOON + DAY, 5000)), "read-only")
    assert len(by_hour(history)) == 1


def test_a_full_database_is_an_error_and_loses_nothing(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    pages = filled.stat().st_size // 4096

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def record_on() -> None:
        for minute in range(10_000):
            history.record(KEY, balance(NOON + DAY + minute * MINUTE, 2000 + minute))

    engine = history._engine  # noqa: SLF001 - a setting of the connection, which SQLite has no URL for
    sa.event.listen(engine, "connect", fill)
    assert_fails(record_on, "disk is full")
    sa.event.remove(engine, "connect", fill)

    assert len(by_hour(history)) == 24
    history.record(KEY, balance(NOON + 2 * DAY, 10_000))
    assert history.recent(KEY, NOON + 2 * DAY).until == NOON + 2 * DAY


FILL_UP = """
import resource, sys
from datetime import timedelta
from orcredit.errors import HistoryError
from tests.test_history import DAY, KEY, MINUTE, NOON, History, balance

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
history = History(sys.argv[1])
try:
    for minute in range(10_000):
        history.record(KEY, balance(NOON + DAY + minute * MINUTE, 2000 + minute))
except HistoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # for what coverage writes
"""


@pytest.mark.process
def test_a_full_disk_is_an_error_and_loses_nothing(filled: Path) -> None:
    size = str(filled.stat().st_size)
    command = [sys.executable, "-c", FILL_UP, f"sqlite:///{filled}", size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "cannot be written" in done.stdout or "full" in done.stdout
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(by_hour(History(f"sqlite:///{filled}"))) == 24


def test_a_directory_that_cannot_be_created_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no-directory").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no-directory"))
    history = History()

    assert_fails(lambda: history.record(KEY, balance(NOON, 1)), "cannot be opened")
    assert by_hour(history) == []


def damage_nothing_but_text(file: Path) -> None:
    file.write_bytes(b"dear diary, " * 1000)


def damage_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)


def damage_the_end(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 - 1000)


def damage_the_values(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE orcredit_runs SET usage = 'x', ended_at = 'y', started_at = 'z'")


def damage_the_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM orcredit_schema")


def damage_the_columns(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE orcredit_runs RENAME COLUMN ended_at TO something")


@pytest.mark.parametrize(
    "damage",
    [
        damage_nothing_but_text,
        damage_the_middle,
        damage_the_end,
        damage_the_values,
        damage_the_version,
        damage_the_columns,
    ],
)
def test_a_damaged_file_is_an_error_and_never_changed(filled: Path, damage: Callable[[Path], None]) -> None:
    damage(filled)
    content = filled.read_bytes()

    assert_every_method_fails(History(f"sqlite:///{filled}"), str(filled))

    assert filled.read_bytes() == content


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a process that was killed leaves it: the last samples are in its write-ahead log."""
    folder = tmp_path_factory.mktemp("left-behind")
    with History(f"sqlite:///{folder}/original.db") as history:
        history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(1440)])
        with closing(sqlite3.connect(folder / "original.db")) as reader:  # as long as one is open, the log is kept
            reader.execute("SELECT count(*) FROM orcredit_runs").fetchone()
            history.record(KEY, balance(NOON + DAY, 2000))
            (folder / "copy").mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(folder / f"original.db{suffix}", folder / "copy" / f"some.db{suffix}")
    assert (folder / "copy" / "some.db-wal").stat().st_size > 0
    return folder / "copy"


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_in_a_file_is_noticed_before_a_byte_of_it_changes(
    left_behind: Path, tmp_path: Path, seed: int
) -> None:
    file = tmp_path / "some.db"
    for suffix in ("", "-wal"):
        shutil.copy(left_behind / f"some.db{suffix}", f"{file}{suffix}")
    chance = random.Random(seed)  # noqa: S311 - not a secret
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        newer = pages_in_log(Path(f"{file}-wal"))
    page = chance.choice([number for number in range(1, pages + 1) if number not in newer])
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * 4096)
        damaged.write(chance.randbytes(4096))
    before = {suffix: Path(f"{file}{suffix}").read_bytes() for suffix in ("", "-wal")}

    assert_fails(lambda: History(f"sqlite:///{file}").record(KEY, balance(NOON + 2 * DAY, 3000)), f"{file} is ")
    assert_fails(lambda: by_hour(History(f"sqlite:///{file}")), f"{file} is ")

    assert {suffix: Path(f"{file}{suffix}").read_bytes() for suffix in ("", "-wal")} == before


def test_a_single_byte_by_which_table_and_index_differ_is_noticed_before_anything_is_written(
    left_behind: Path, tmp_path: Path
) -> None:
    content = (left_behind / "some.db").read_bytes()
    file = tmp_path / "some.db"

    def says_ok(check: str) -> bool:
        with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.DatabaseError):
            return bool(connection.execute(f"PRAGMA {check}").fetchone() == ("ok",))
        return False

    chance = random.Random(0)  # noqa: S311 - not a secret
    damaged = content
    for _ in range(99):
        at = chance.randrange(8192, len(content))
        damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        file.write_bytes(damaged)
        if says_ok("quick_check") and not says_ok("integrity_check"):
            break
    else:
        pytest.fail("no such byte was found")

    assert_fails(lambda: History(f"sqlite:///{file}").record(KEY, balance(NOON + 2 * DAY, 3000)), "is damaged")

    assert file.read_bytes() == damaged


def pages_in_log(log: Path) -> set[int]:
    """The pages that a write-ahead log holds newer versions of (sqlite.org/fileformat.html): they are read there."""
    content = log.read_bytes()
    return {int.from_bytes(content[at : at + 4], "big") for at in range(32, len(content), 24 + 4096)}


def test_what_a_killed_process_left_in_the_log_is_there(left_behind: Path, tmp_path: Path) -> None:
    for suffix in ("", "-wal"):
        shutil.copy(left_behind / f"some.db{suffix}", tmp_path / f"some.db{suffix}")
    with History(f"sqlite:///{tmp_path}/some.db") as history:
        history.record(KEY, balance(NOON + DAY + MINUTE, 2001))

        assert sum(spends(history.spend(KEY, NOON, NOON + 2 * DAY, HOUR))) == 2001


def make_directory(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs what POSIX has")
@pytest.mark.parametrize("make", [make_directory, make_pipe, make_device, make_loop])
def test_what_is_not_a_regular_file_is_an_error_at_once(file: Path, make: Callable[[Path], None]) -> None:
    make(file)

    assert_every_method_fails(History(f"sqlite:///{file}"), "cannot be opened: ")
    for uri in (f"file:{file}", f"file://{file}", f"file://localhost{file}", f"file:{file}".replace("some", "s%6Fme")):
        assert_every_method_fails(History(f"sqlite:///{uri}?uri=true&mode=ro"), "cannot be opened: ")


def test_a_database_of_a_newer_version_is_left_alone(history: History, url: str) -> None:
    history.record(KEY, balance(NOON, 1))
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE orcredit_schema SET version = 99"))
    before = rows(url)

    assert_every_method_fails(history, "newer orcredit")

    assert rows(url) == before


def test_a_server_that_does_not_run_is_an_error() -> None:
    history = History("postgresql://tester@127.0.0.1:1/nowhere")

    assert_every_method_fails(history, "postgresql://tester@127.0.0.1:1/nowhere", "cannot be reached")


def test_a_database_that_does_not_exist_is_an_error(postgresql: str) -> None:
    assert_every_method_fails(History(f"postgresql://tester@/nowhere?host={postgresql}"))


def test_a_history_works_again_once_a_damaged_file_was_moved_away(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    damage_nothing_but_text(filled)
    assert_every_method_fails(history)
    shutil.move(filled, filled.with_suffix(".damaged"))

    history.record(KEY, balance(NOON, 1))

    assert len(by_hour(history)) == 1


# File modes and secrets


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_default_file_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    before = os.umask(umask)
    try:
        History().record(KEY, balance(NOON, 1))
    finally:
        os.umask(before)

    folder = tmp_path / "share" / "orcredit"
    assert [path.name for path in folder.iterdir()] == ["history.db"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "history.db").stat().st_mode) == 0o600


def test_a_default_file_that_others_can_read_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    History().record(KEY, balance(NOON, 1))
    (tmp_path / "orcredit").chmod(0o755)
    (tmp_path / "orcredit" / "history.db").chmod(0o644)

    History().record(KEY, balance(NOON + MINUTE, 2))

    assert stat.S_IMODE((tmp_path / "orcredit").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "orcredit" / "history.db").stat().st_mode) == 0o600


def test_a_file_of_the_users_choice_is_made_private_and_its_directory_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    History(f"sqlite:///{tmp_path}/mine.db").record(KEY, balance(NOON, 1))

    assert stat.S_IMODE((tmp_path / "mine.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_no_key_is_stored(filled: Path) -> None:
    assert b"sk-or" not in filled.read_bytes()


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/team",
        f"postgresql+psycopg://ann@127.0.0.1:1/team?password={SECRET}",
        f"postgres://ann:{SECRET}@127.0.0.1:1/team?sslpassword={SECRET}",
    ],
)
def test_a_password_is_taken_from_the_variable_only_and_never_shown(url: str) -> None:
    history = History.load(environ={"ORCREDIT_DATABASE_URL": f" {url} "})

    with pytest.raises(HistoryError) as caught:
        by_hour(history)
    assert SECRET not in f"{history!r} {history} {caught.value} {caught.value.hint}"
    assert caught.value.__suppress_context__
    assert "127.0.0.1:1/team" in str(history)
    with pytest.raises(UsageError, match="holds a password") as refused:
        History.load(url)
    assert SECRET not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        SECRET,
        f"{SECRET}://somewhere",
        f"postgresql://ann:x@{SECRET}@host/team",
        f"postgresql://ann:x@y/{SECRET}@host/team",
        f"postgresql://ann:{SECRET}",
        f"postgresql://ann:{SECRET}@host:0/team",
        f"postgresql://ann:{SECRET}@host:99999/team",
        f"postgresql://ann:{SECRET}@a..b/team",
        f"postgresql://ann:{SECRET}@{'h' * 1000}/team",
        f"postgresql://{SECRET}%00@host/team",
        f"postgresql://host/team?{SECRET}=x",
        f"postgresql://host/team?plugin={SECRET}",
        f"postgresql://host/team?conninfo={SECRET}",
        f"postgresql://host/team?autocommit={SECRET}",
        f"postgresql://host/team?row_factory={SECRET}",
        f"postgresql://host/team?sslmode={SECRET}",
        f"postgresql://host/team?port={SECRET}",
        f"postgresql://host/team?connect_timeout={SECRET}",
        "postgresql://host/team?connect_timeout=1&connect_timeout=2",
        "postgresql+psycopg_async://host/team",
        "mysql://host/team",
        "sqlite+aiosqlite://",
        f"sqlite:///x.db?timeout={SECRET}",
        "sqlite:///x.db?timeout=nan",
        "sqlite:///x.db?timeout=-1",
        "sqlite:///x.db?timeout=1e9",
        "sqlite:///x.db?timeout=1&timeout=2",
        f"sqlite:///x.db?{SECRET}=1",
        "sqlite:///x.db?isolation_level=EXCLUSIVE",
        "sqlite:///x.db?check_same_thread=true",
        "sqlite:///x.db?mode=ro",
        "sqlite:///x.db?cache=shared",
        "sqlite:///x.db?uri=true&mode=ro",
        "sqlite:///file:x.db",
        "sqlite:///file:x.db?uri=perhaps",
        f"sqlite:///file:x.db?uri=true&mode={SECRET}",
        f"sqlite:///file:x.db?uri=true&{SECRET}=1",
        "sqlite://?uri=true&mode=ro",
        f"sqlite://{SECRET}@host/x.db",
        f"sqlite://{SECRET}/x.db",
        "sqlite:///x\0.db",
        "sqlite:///x%00.db?timeout=%00",
    ],
)
def test_a_database_url_that_can_never_work_is_wrong_usage_and_not_quoted(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        History.load(environ={"ORCREDIT_DATABASE_URL": url})
    assert caught.value.exit_code == ExitCode.USAGE
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", ["postgresql+psycopg2://host/team", "sqlite+pysqlcipher:///x.db"])
def test_a_driver_that_is_not_installed_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not installed"):
        History.load(environ={"ORCREDIT_DATABASE_URL": url})


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///some.db?timeout=0.5",
        "sqlite:///some.db?uri=false",
        "sqlite:///a%20b c;d#e.db",
        "sqlite:///\N{SNOWMAN}.db",
        "sqlite:///file:some.db?uri=true",
        "sqlite:///file:some.db?uri=1&mode=rwc&cache=private&timeout=1",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:shared?uri=true&mode=memory&cache=shared",
        "sqlite:///:memory:",
        "sqlite://",
    ],
)
def test_an_unusual_database_url_works(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with History(url) as history:
        history.record(KEY, balance(NOON, 1))
        history.record(KEY, balance(NOON + MINUTE, 2))

        assert spends(by_hour(history)) == [1]


@pytest.mark.parametrize("name", ["n" * 1000, "n/" * 5000, "line\nbreak\x1b[31m/x"])
def test_an_impossible_file_name_is_an_error_in_one_short_line(name: str, tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path}/{name}")

    with pytest.raises(HistoryError) as caught:
        history.record(KEY, balance(NOON, 1))

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_missing_driver_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match="not installed"):
        History("postgresql://ann@host/team")


def test_the_option_wins_over_the_variable_and_blanks_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    environ = {"ORCREDIT_DATABASE_URL": "sqlite:////variable.db"}

    assert str(History.load("sqlite:////option.db", environ)) == "/option.db"
    assert str(History.load(" ", environ)) == "/variable.db"
    assert str(History.load(None, {"ORCREDIT_DATABASE_URL": " "})) == f"{tmp_path}/orcredit/history.db"
    assert str(History.in_memory()) == "memory"
