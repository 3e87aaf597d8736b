"""What OpenRouter reported afterwards, beside what was seen: each dollar once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcredit.errors import HistoryError
from orcredit.history import Counted, History, Reported
from tests import databases
from tests.balances import balance
from tests.databases import new_key
from tests.histories import DAY, HOUR, KEY, MINUTE, NOON, OTHER_KEY, by_hour, spends

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

pytest_plugins = ["tests.history_fixtures"]

MIDNIGHT = NOON - 12 * HOUR


def hours(start: datetime, *amounts: int | str) -> list[Reported]:
    return [
        Reported(start + place * HOUR, start + (place + 1) * HOUR, Decimal(amount))
        for place, amount in enumerate(amounts)
    ]


def fill(history: History, start: datetime, *amounts: int | str, key: str = KEY) -> None:
    history.fill(key, start, start + len(amounts) * HOUR, hours(start, *amounts))


def reported_rows(url: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in databases.rows(url, "orcredit_reported", "key, started_at")]


def test_what_was_reported_is_the_past_of_a_key_that_was_never_seen(history: History) -> None:
    fill(history, NOON, 1, 0, "2.5", 0)

    assert spends(by_hour(history)) == [1, 0, Decimal("2.5"), 0]
    assert all(one.reported and not one.estimated for one in by_hour(history))
    assert [one.spendable for one in by_hour(history)] == [None] * 4
    assert history.hourly(KEY, NOON + 5 * HOUR, 6) == [None, 1, 0, Decimal("2.5"), 0, None]
    assert history.known_keys() == []
    assert history.spend(OTHER_KEY, NOON, NOON + DAY, HOUR) == []
    recent = history.recent(KEY, NOON + 4 * HOUR)
    assert (recent.since, recent.until) == (NOON, None)
    assert (recent.last_hour, recent.last_day, recent.last_week) == (Decimal(0), Decimal("3.5"), Decimal("3.5"))
    assert (recent.last_hour_since, recent.last_day_since) == (None, NOON)


def test_filling_twice_gives_the_same_and_a_longer_time_adds_what_is_missing(history: History, url: str) -> None:
    fill(history, NOON, 1, 2)
    once = reported_rows(url)
    fill(history, NOON, 1, 2)
    assert reported_rows(url) == once

    fill(history, NOON - 2 * HOUR, 4, 0, 1, 2)
    assert spends(by_hour(history, since=NOON - 2 * HOUR)) == [4, 0, 1, 2]


def test_what_is_reported_later_replaces_what_was_reported_before(history: History) -> None:
    fill(history, NOON, 1, 0, 0, 0, 0, 2)
    fill(history, NOON + 2 * HOUR, 3, 0)
    assert spends(by_hour(history)) == [1, 0, 3, 0, 0, 2]
    # The hour that was still running.
    history.fill(KEY, NOON + 6 * HOUR, NOON + 6 * HOUR + 20 * MINUTE, hours(NOON + 6 * HOUR, 1)[:0])
    fill(history, NOON + 6 * HOUR, 5)
    assert spends(by_hour(history)) == [1, 0, 3, 0, 0, 2, 5]


def test_a_report_without_an_amount_replaces_none_and_fills_the_rest(history: History, url: str) -> None:
    fill(history, NOON, 1, 0, 2)
    once = reported_rows(url)
    fill(history, NOON, 0, 0, 0)
    assert reported_rows(url) == once
    fill(history, NOON + 2 * HOUR, 0, 0)
    assert spends(by_hour(history)) == [1, 0, 2, 0]
    half = NOON + 150 * MINUTE
    history.fill(KEY, half, half + HOUR, [])  # an amount that reaches into the time stays whole
    assert spends(by_hour(history)) == [1, 0, 2, 0]


def test_the_time_before_the_first_amount_is_not_known(history: History) -> None:
    """The key may not have existed: its week must not be learned of nothing."""
    fill(history, NOON, 0, 0, 1)
    assert spends(by_hour(history)) == [1]
    assert history.hourly(KEY, NOON + 3 * HOUR, 3) == [None, None, 1]
    fill(history, NOON - HOUR, 1, 0)
    assert spends(by_hour(history, since=NOON - HOUR)) == [1, 0, 0, 1]


def test_where_the_history_watched_what_was_seen_counts(history: History) -> None:
    polls = [balance(NOON + minute * MINUTE, 10 + minute // 30) for minute in range(121)]
    history.record_all(KEY, polls)
    seen = by_hour(history)
    fill(history, NOON - HOUR, 7, 100, 100)

    assert by_hour(history) == seen
    assert spends(by_hour(history, since=NOON - HOUR)) == [7, *spends(seen)]
    assert [one.reported for one in by_hour(history, since=NOON - HOUR)] == [True, *(False for _ in seen)]


def test_of_an_hour_that_was_watched_in_part_what_was_seen_is_subtracted(history: History) -> None:
    """The key was first seen at 12:30, and last at 13:30."""
    first = NOON + 30 * MINUTE
    history.record_all(KEY, [balance(first + minute * MINUTE, Decimal(minute) / 10) for minute in range(61)])
    fill(history, NOON, 5, 5)

    assert spends(by_hour(history)) == [5, 5]
    half = history.spend(KEY, NOON, NOON + 2 * HOUR, 30 * MINUTE)
    assert spends(half) == [2, 3, 3, 2]
    assert [one.reported for one in half] == [True, False, False, True]
    assert not any(one.partial for one in half)
    fill(history, NOON, 1, 1)  # OpenRouter knows of less than was seen
    assert spends(history.spend(KEY, NOON, NOON + 2 * HOUR, 30 * MINUTE)) == [0, 3, 3, 0]


def test_the_hour_that_was_still_running_counts_what_was_seen_in_it_until_then(history: History) -> None:
    history.record_all(KEY, [balance(NOON + minute * MINUTE, Decimal(minute) / 10) for minute in range(10, 60)])
    history.fill(KEY, NOON, NOON + 20 * MINUTE, [Reported(NOON, NOON + 20 * MINUTE, Decimal(3))])
    [interval] = by_hour(history)
    assert interval.spend == 2 + Decimal("4.9")


def test_a_night_without_polls_is_divided_as_it_was_reported(history: History) -> None:
    """Its sum stays what the two polls say."""
    polls = [balance(NOON, 10), balance(NOON + 6 * HOUR, 16)]
    history.record_all(KEY, polls)
    assert spends(by_hour(history))[:6] == [1] * 6

    fill(history, NOON, 0, 4, 0, 0, 2, 0)
    assert spends(by_hour(history))[:6] == [0, 4, 0, 0, 2, 0]
    assert all(one.reported and not one.estimated for one in by_hour(history)[:6])
    assert history.hourly(KEY, NOON + 6 * HOUR, 6) == [0, 4, 0, 0, 2, 0]

    fill(history, NOON, 0, 8, 0, 0, 4, 0)  # twice as much as was spent
    assert spends(by_hour(history))[:6] == [0, 4, 0, 0, 2, 0]
    fill(history, NOON, 0, 1, 0, 0, 0, 0)  # less
    assert spends(by_hour(history))[:6] == [0, 6, 0, 0, 0, 0]


def test_what_was_not_reported_of_a_night_is_in_the_part_that_nothing_is_known_of(history: History) -> None:
    history.record_all(KEY, [balance(NOON, 10), balance(NOON + 6 * HOUR, 16)])
    fill(history, NOON, 0, 2, 0, 0)
    found = by_hour(history)[:6]
    assert spends(found) == [0, 2, 0, 0, 2, 2]
    assert [one.estimated for one in found] == [False] * 4 + [True] * 2
    assert [one.reported for one in found] == [True] * 4 + [False] * 2


def test_a_night_in_which_nothing_was_spent_stays_so(history: History) -> None:
    history.record_all(KEY, [balance(NOON, 10), balance(NOON + 6 * HOUR, 10)])
    fill(history, NOON - HOUR, 1, 0, 2, 0, 0, 0, 0)
    found = by_hour(history, since=NOON - HOUR)
    assert spends(found) == [1, 0, 0, 0, 0, 0, 0, 0]
    assert [one.reported for one in found] == [True] + [False] * 7


def test_a_gap_of_days_that_was_reported_is_learned_of(history: History) -> None:
    history.record_all(KEY, [balance(NOON, 10), balance(NOON + 2 * DAY, 58)])
    assert history.hourly(KEY, NOON + 2 * DAY, 48) == [None] * 48
    fill(history, NOON, *([1] * 48))
    assert history.hourly(KEY, NOON + 2 * DAY, 48) == [1] * 48


def test_whole_days_are_counted_by_the_day_and_say_nothing_of_their_hours(history: History) -> None:
    days = [
        Reported(MIDNIGHT, MIDNIGHT + DAY, Decimal(24)),
        Reported(MIDNIGHT + 2 * DAY, MIDNIGHT + 3 * DAY, Decimal(6)),
    ]
    history.fill(KEY, MIDNIGHT, MIDNIGHT + 3 * DAY, days)

    found = history.spend(KEY, MIDNIGHT, MIDNIGHT + 3 * DAY, DAY)
    assert spends(found) == [24, 0, 6]
    assert not any(one.estimated or one.partial for one in found)
    assert all(one.estimated for one in by_hour(history, since=MIDNIGHT))
    hourly = history.hourly(KEY, MIDNIGHT + 3 * DAY, 72)
    assert hourly == [None] * 24 + [Decimal(0)] * 24 + [None] * 24


def test_a_day_that_was_watched_in_part_counts_once(history: History) -> None:
    """Seen since noon; OpenRouter tells days only."""
    history.record_all(KEY, [balance(NOON + minute * MINUTE, Decimal(minute) / 60) for minute in range(721)])
    history.fill(KEY, MIDNIGHT, MIDNIGHT + DAY, [Reported(MIDNIGHT, MIDNIGHT + DAY, Decimal(36))])
    assert spends(history.spend(KEY, MIDNIGHT, MIDNIGHT + DAY, DAY)) == [36]
    assert spends(history.spend(KEY, MIDNIGHT, MIDNIGHT + DAY, 12 * HOUR)) == [24, 12]


def test_times_of_which_nothing_is_known_are_marked(history: History) -> None:
    """Reported until 14:00, seen since 15:30."""
    fill(history, NOON, 1, 1)
    history.record_all(KEY, [balance(NOON + 210 * MINUTE + minute * MINUTE, minute) for minute in range(31)])
    found = history.spend(KEY, NOON, NOON + 4 * HOUR, HOUR)
    assert spends(found) == [1, 1, 0, 30]
    assert [one.partial for one in found] == [False, False, True, True]
    recent = history.recent(KEY, NOON + 4 * HOUR)
    assert (recent.since, recent.until) == (NOON, NOON + 4 * HOUR)
    assert (recent.last_hour, recent.last_hour_since) == (Decimal(30), NOON + 210 * MINUTE)
    assert (recent.last_day, recent.last_day_since, recent.last_day_estimated) == (
        Decimal(32),
        NOON + 210 * MINUTE,
        True,
    )


def test_recent_spend_and_the_calendar_count_what_was_reported(history: History) -> None:
    """A key that is first seen right after its past was filled."""
    history.fill(KEY, MIDNIGHT - 14 * DAY, MIDNIGHT, hours(MIDNIGHT - 14 * DAY, *([1] * 24 * 14)))
    history.fill(KEY, MIDNIGHT, NOON, hours(MIDNIGHT, *([2] * 12)))
    seen = balance(NOON, 5000).model_copy(
        update={"usage_daily": Decimal(24), "usage_weekly": Decimal(24 * 7), "usage_monthly": Decimal(24)}
    )
    history.record(KEY, seen)

    recent = history.recent(KEY, NOON)
    assert (recent.last_hour, recent.last_day, recent.last_week) == (Decimal(2), Decimal(36), Decimal(24 + 156))
    assert (recent.last_hour_since, recent.last_day_since, recent.last_week_since) == (None, None, None)
    assert not recent.last_week_estimated
    assert recent.since == MIDNIGHT - 14 * DAY
    assert recent.today == Counted(counted=Decimal(24), seen=Decimal(24))


def test_an_hour_that_a_span_begins_in_the_middle_of_is_an_estimate(history: History) -> None:
    now = NOON + 90 * MINUTE
    history.fill(KEY, NOON, now, [*hours(NOON, 1), Reported(NOON + HOUR, now, Decimal(1))])
    recent = history.recent(KEY, now)
    assert (recent.last_hour, recent.last_hour_since, recent.last_hour_estimated) == (Decimal("1.5"), None, True)
    assert (recent.last_day, recent.last_day_estimated) == (Decimal(2), False)


def test_what_was_left_is_not_known_where_spend_was_reported(history: History) -> None:
    history.record_all(KEY, [balance(NOON, 10), balance(NOON + HOUR, 11)])
    samples = history.samples(KEY, None, NOON + DAY, 10)
    fill(history, NOON - DAY, *([1] * 24))
    assert history.samples(KEY, None, NOON + DAY, 10) == samples


def test_a_key_goes_on_being_recorded_where_its_past_was_filled(history: History) -> None:
    """The time after the last poll is filled, and then the key is seen again."""
    history.record(KEY, balance(NOON, 10))
    fill(history, NOON, 1, 2, 3)
    assert spends(by_hour(history)) == [1, 2, 3]
    history.record(KEY, balance(NOON + 4 * HOUR, 18))
    assert spends(by_hour(history))[:4] == [1, 2, 3, 2]


def test_days_of_many_keys_have_what_was_reported_of_them(history: History) -> None:
    other, until = OTHER_KEY, NOON + 2 * DAY
    for key in (KEY, other):
        history.record_all(key, [balance(NOON + DAY, 10), balance(NOON + DAY + HOUR, 11)])
    fill(history, NOON, *([2] * 24))
    _, days = history.daily([KEY, other, "0" * 12], until, 4)
    assert days == {KEY: [None, 24, 25, None], other: [None, None, 1, None]}


def test_days_of_a_time_without_polls_are_those_of_spend_where_only_its_beginning_was_reported(
    history: History,
) -> None:
    history.record_all(KEY, [balance(MIDNIGHT, 10), balance(MIDNIGHT + 4 * DAY, 110)])
    history.fill(KEY, MIDNIGHT, MIDNIGHT + DAY, hours(MIDNIGHT, *([4] * 24)))

    until = MIDNIGHT + 4 * DAY + HOUR
    days = history.daily([KEY], until, 3)[1][KEY]
    assert days[:2] == spends(history.spend(KEY, MIDNIGHT + 2 * DAY, MIDNIGHT + 4 * DAY, DAY))
    assert sum(day or 0 for day in days) < 4


def test_days_that_were_neither_seen_nor_reported_are_not_known(history: History) -> None:
    history.fill(KEY, MIDNIGHT, MIDNIGHT + DAY, hours(MIDNIGHT, 1, 2))
    key_seen = MIDNIGHT + 3 * DAY + HOUR
    history.record_all(KEY, [balance(key_seen, 10), balance(key_seen + MINUTE, 11)])

    assert history.daily([KEY], key_seen + HOUR, 6)[1][KEY] == [None, None, 3, None, None, 1]


def test_days_without_polls_are_those_of_spend_also_where_only_zeros_were_reported_of_them(history: History) -> None:
    history.fill(KEY, MIDNIGHT - DAY, MIDNIGHT + DAY, hours(MIDNIGHT - DAY, 1))
    history.record_all(KEY, [balance(MIDNIGHT - HOUR, 10), balance(MIDNIGHT + DAY + HOUR, 17)])

    assert history.daily([KEY], MIDNIGHT + DAY + 2 * HOUR, 2)[1][KEY] == [0, 7]


def test_negative_amounts_count_as_nothing(history: History) -> None:
    history.fill(KEY, NOON, NOON + 2 * HOUR, [*hours(NOON, 1), Reported(NOON + HOUR, NOON + 2 * HOUR, Decimal(-1))])
    assert spends(by_hour(history)) == [1, 0]


def test_a_database_that_cannot_be_written_is_known_before(file: Path) -> None:
    History(f"sqlite:///{file}").record(KEY, balance(NOON, 1))
    read_only = History(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(HistoryError, match="read-only"):
        read_only.check_writable()
    with pytest.raises(HistoryError, match="read-only"):
        fill(read_only, NOON, 1)


def test_recent_spend_is_the_same_long_after_a_past_was_filled(history: History) -> None:
    """Nothing that was reported is in the span then, but a night before it may be, which ends within it."""
    fill(history, NOON - DAY, *([1] * 24))
    history.record_all(KEY, [balance(NOON, 10), balance(NOON + 10 * DAY, 20), balance(NOON + 10 * DAY + MINUTE, 21)])
    before = history.recent(KEY, NOON + 10 * DAY + MINUTE)
    assert (before.last_hour, before.last_hour_estimated) == (Decimal("1.04097223"), True)
    assert before.since == NOON - DAY
    fill(history, NOON, 10)  # the hour after the last poll: the rest of these days had nothing
    assert history.recent(KEY, NOON + 10 * DAY + MINUTE).last_hour == 1


gaps = st.integers(min_value=60, max_value=30_000)
amounts = st.integers(min_value=0, max_value=10**12)


@settings(max_examples=40)
@given(st.lists(st.tuples(gaps, amounts), max_size=12), st.lists(amounts, max_size=60), st.integers(600, 90_000))
def test_between_two_polls_the_sum_is_what_they_say_whatever_was_reported(
    in_memory: History, polls: list[tuple[int, int]], reported: list[int], every: int
) -> None:
    """And before the first and after the last poll it is what was reported, less what was seen in the same hour."""
    key, grain = new_key(), Decimal(1).scaleb(-8)
    at, grains, first, last = NOON + 10 * HOUR, 0, None, None
    for gap, increase in polls:
        at, grains = at + timedelta(seconds=gap), grains + increase
        in_memory.record(key, balance(at, grains * grain, limit=None))
        first, last = (first or (at, grains)), (at, grains)
    told = hours(NOON, *(str(amount * grain) for amount in reported))
    if told:
        in_memory.fill(key, NOON, told[-1].end, told)
    found = in_memory.spend(key, NOON - DAY, NOON + 30 * DAY, timedelta(seconds=every))
    total = sum((one.spend for one in found), Decimal(0))
    within = sum((one.spend for one in told), Decimal(0))
    if first is None or last is None:
        assert total == within
        return
    seen = (last[1] - first[1]) * grain
    outside = [one.spend for one in told if one.end <= first[0] or one.start >= last[0]]
    edges = [one.spend for one in told if one.start < first[0] < one.end or one.start < last[0] < one.end]
    assert seen + sum(outside) <= total <= seen + sum(outside) + sum(edges)
    fine = in_memory.spend(key, NOON - DAY, NOON + 30 * DAY, timedelta(seconds=every // 7 + 1))
    assert sum((one.spend for one in fine), Decimal(0)) == total
