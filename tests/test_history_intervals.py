"""Spend by hour or any other interval: gaps, clocks that were wrong, and the sum over all inputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orcredit.errors import UsageError
from orcredit.history import MOST_INTERVALS, History, Interval, as_csv
from tests.balances import balance
from tests.databases import new_key, rows, stored
from tests.histories import DAY, HOUR, KEY, MINUTE, NOON, OTHER_KEY, by_hour, samples, spends

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.history_fixtures"]


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
    history.record(KEY, balance(NOON + HOUR + MINUTE, 1))
    history.record(KEY, balance(NOON + 4 * HOUR + MINUTE, 1))
    history.record(KEY, balance(NOON + 4 * HOUR + 2 * MINUTE, 2))

    intervals = by_hour(history)

    assert spends(intervals) == [0, 0, 0, 0, 1]
    assert [interval.spendable for interval in intervals] == [99, 99, None, None, 98]  # not watched for three hours
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
        "reported": False,
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
    unknown = Interval(
        start=NOON, end=NOON + HOUR, spend=Decimal(0), spendable=None, remaining=None, estimated=True, reported=True
    )

    assert as_csv([known, unknown]) == (
        "from,to,spend,spendable,remaining,estimated,partial,reported\n"
        "2026-03-01T12:00:00.000Z,2026-03-01T13:00:00.000Z,0.00000001,100,-0.5,false,true,false\n"
        "2026-03-01T12:00:00.000Z,2026-03-01T13:00:00.000Z,0,,,true,false,true\n"
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
