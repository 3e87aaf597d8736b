"""Runs, intervals, samples and sums of a history, in real files and on a real server."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orcredit.config.credentials import fingerprint
from orcredit.errors import UsageError
from orcredit.history import MOST_INTERVALS, MOST_SAMPLES, History, Interval, Sample, as_csv
from tests.balances import balance
from tests.databases import new_key, rows, stored
from tests.history_writer import KEY as WRITERS_KEY
from tests.history_writer import START as WRITERS_START
from tests.history_writer import run_together, sample

if TYPE_CHECKING:
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
        "partial": False,
    }


def test_intervals_as_csv_have_every_digit_and_no_exponent() -> None:
    known = Interval(
        start=NOON,
        end=NOON + HOUR,
        spend=Decimal("1E-8"),
        spendable=Decimal("1E+2"),
        remaining=Decimal("-0.5"),
        estimated=False,
        partial=True,
    )
    unknown = Interval(start=NOON, end=NOON + HOUR, spend=Decimal(0), spendable=None, remaining=None, estimated=True)

    assert as_csv([known, unknown]) == (
        "from,to,spend,spendable,remaining,estimated,partial\n"
        "2026-03-01T12:00:00.000Z,2026-03-01T13:00:00.000Z,0.00000001,100,-0.5,false,true\n"
        "2026-03-01T12:00:00.000Z,2026-03-01T13:00:00.000Z,0,,,true,false\n"
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


def test_nothing_recorded_at_once_leaves_no_file_behind(file: Path) -> None:
    History(f"sqlite:///{file}").record_all(KEY, [balance(NOON, None), balance(NOON, 1, stale=True)])

    assert not file.exists()


# Several processes


@pytest.mark.process
def test_two_writers_at_once_never_count_a_dollar_twice(url: str) -> None:
    # Both create the tables in the same moment, too.
    assert run_together(url, "race", 80, processes=2) == ["", ""]
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
