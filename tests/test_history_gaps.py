"""Times without polls of a key, and the points at the edges of that."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orcredit.errors import UsageError
from orcredit.history import History, Periods
from orcredit.history.history import MOST_GAPS
from tests.balances import balance
from tests.databases import new_key, stored
from tests.histories import DAY, HOUR, KEY, MINUTE, NOON, samples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.history import Timeline

pytest_plugins = ["tests.history_fixtures"]

NOTHING_KNOWN = Periods({}, None)
SECOND = timedelta(seconds=1)


def poll(history: History, minutes: Iterable[float], *, idle: bool = False, key: str = KEY) -> None:
    """Record a poll at each of these minutes since noon; the usage rises with each, unless the key is idle."""
    seen = [balance(NOON + minute * MINUTE, 1 if idle else Decimal(n)) for n, minute in enumerate(minutes, 1)]
    history.record_all(key, seen)


def timeline(
    history: History,
    *,
    since: datetime = NOON,
    until: datetime,
    most: int = 500,
    narrowest: timedelta | None = None,
    is_watched: bool = True,
) -> Timeline:
    return history.timeline(
        KEY,
        since,
        until,
        most,
        narrowest=(until - since) / 400 if narrowest is None else narrowest,
        is_watched=is_watched,
        periods=NOTHING_KNOWN,
    )


def in_short(found: Timeline) -> str:
    """Format gaps as minutes since noon."""
    return " ".join(f"{(gap.start - NOON) / MINUTE:g}-{(gap.end - NOON) / MINUTE:g}" for gap in found.gaps)


def test_a_hole_of_fifty_hours_is_a_gap_with_a_point_at_each_edge(history: History) -> None:
    poll(history, [*range(60), *range(3060, 3100)])

    found = timeline(history, until=NOON + 3099 * MINUTE, most=4)

    assert in_short(found) == "59-3060"
    assert [(sample.at - NOON) / MINUTE for sample in found.samples] == [0, 59, 3060, 3099]
    assert [sample.spendable for sample in found.samples] == [99, 40, 39, 0]


@pytest.mark.parametrize(
    ("every", "gaps"),
    [(1, "300-345"), (10, "300-345"), (15, "300-345"), (30, ""), (60, "")],
)
def test_a_lunch_is_a_gap_unless_polls_are_that_far_apart(history: History, every: int, gaps: str) -> None:
    poll(history, [*range(0, 301, every), *range(345, 646, every)])

    assert in_short(timeline(history, until=NOON + 645 * MINUTE)) == gaps


@pytest.mark.parametrize("every", [1, 5, 10, 15, 20, 60])
def test_regular_polls_leave_no_gaps_nor_does_one_that_fails(history: History, every: int) -> None:
    minutes = list(range(0, 24 * 60, every))
    del minutes[len(minutes) // 2]
    poll(history, minutes)

    assert in_short(timeline(history, until=NOON + minutes[-1] * MINUTE)) == ""


def test_two_hourly_polls_that_fail_are_a_gap(history: History) -> None:
    poll(history, [0, 60, 120, 180, 240, 420, 480, 540])

    assert in_short(timeline(history, until=NOON + 9 * HOUR)) == "240-420"


def test_every_night_of_a_laptop_is_a_gap_though_all_are_alike(history: History) -> None:
    for day in range(4):
        poll(history, range(day * 1440, day * 1440 + 600), idle=True)

    found = timeline(history, until=NOON + 3 * DAY + 599 * MINUTE)

    assert in_short(found) == "599-1440 2039-2880 3479-4320"
    assert len(found.samples) == 8


def test_no_run_lasts_across_a_night_but_across_what_an_hourly_poll_may_miss(history: History) -> None:
    poll(history, [0, 60, 210, 360.5], idle=True)

    found = timeline(history, until=NOON + 361 * MINUTE)

    assert [(sample.at - NOON) / MINUTE for sample in found.samples] == [0, 210, 360.5]
    assert in_short(found) == "210-360.5"
    assert [interval.spendable for interval in history.spend(KEY, NOON + 4 * HOUR, NOON + 6 * HOUR, HOUR)] == [
        None,
        None,
    ]


def test_a_gap_is_cut_off_at_since_and_until(history: History) -> None:
    poll(history, [0, 1, 2, 600, 601, 602])

    assert in_short(timeline(history, since=NOON + 5 * HOUR, until=NOON + 11 * HOUR)) == "300-600"
    assert in_short(timeline(history, since=NOON + 5 * HOUR, until=NOON + 6 * HOUR, is_watched=False)) == "300-360"
    assert timeline(history, since=NOON + 5 * HOUR, until=NOON + 6 * HOUR).samples == []


def test_the_time_since_the_last_sample_is_a_gap_unless_the_key_is_watched(history: History) -> None:
    poll(history, range(10))

    for minutes, gaps in [(10, ""), (24, ""), (25, "9-25"), (600, "9-600"), (99_999, "9-99999")]:
        until = NOON + minutes * MINUTE
        assert in_short(timeline(history, until=until, narrowest=MINUTE, is_watched=False)) == gaps
        assert in_short(timeline(history, until=until, narrowest=MINUTE)) == ""


def test_the_time_since_the_last_of_hourly_samples_is_no_gap_at_once(history: History) -> None:
    poll(history, range(0, 301, 60))

    assert in_short(timeline(history, until=NOON + 440 * MINUTE, is_watched=False)) == ""
    assert in_short(timeline(history, until=NOON + 451 * MINUTE, is_watched=False)) == "300-451"


def test_the_time_before_the_first_sample_is_no_gap(history: History) -> None:
    poll(history, range(10))

    assert in_short(timeline(history, since=NOON - 9 * DAY, until=NOON + 10 * MINUTE)) == ""


def test_a_gap_that_is_narrower_than_two_pixels_is_left_out(history: History) -> None:
    poll(history, [*range(10), *range(100, 110), *range(400, 410)])

    for narrowest, gaps in [(90, "9-100 109-400"), (91, "109-400"), (290, "109-400"), (291, "")]:
        assert in_short(timeline(history, until=NOON + 409 * MINUTE, narrowest=narrowest * MINUTE)) == gaps


def test_the_longest_gaps_are_kept(history: History) -> None:
    minute, minutes, lengths = 0, [], [200 + place % 7 for place in range(MOST_GAPS + 20)]
    for length in lengths:
        minutes += [minute, minute + 1]
        minute += 1 + length
    poll(history, [*minutes, minute])

    found = timeline(history, until=NOON + minute * MINUTE, narrowest=MINUTE)

    assert len(found.gaps) == MOST_GAPS
    assert sum(gap.end - gap.start == 200 * MINUTE for gap in found.gaps) == lengths.count(200) - 20
    assert list(found.gaps) == sorted(found.gaps)


def test_a_key_never_seen_has_an_empty_timeline_and_nonsense_is_wrong_usage(history: History) -> None:
    assert timeline(history, until=NOON + DAY) == ((), (), ())
    with pytest.raises(UsageError, match="samples"):
        timeline(history, until=NOON + DAY, most=1)
    with pytest.raises(UsageError, match="no time"):
        timeline(history, until=NOON)


def test_what_was_not_watched_for_an_hour_is_listed_once_it_ended(history: History) -> None:
    poll(history, [*range(10), *range(40, 50), *range(109, 120), *range(400, 410)])

    found = history.unwatched(KEY, NOON, NOON + 9 * DAY, HOUR)

    assert [((gap.start - NOON) / MINUTE, (gap.end - NOON) / MINUTE) for gap in found] == [(49, 109), (119, 400)]
    assert history.unwatched("another key", NOON, NOON + DAY, HOUR) == []


@example(steps=[(0, 0, 0), (9001, 1, 0)], most=2, start=0, narrowest=0, is_watched=False)
@example(
    steps=[(0, 0, 0), (20_000, 1, 0), (-10_000, 1, 0), (20_000, 1, 0)], most=2, start=0, narrowest=0, is_watched=False
)
@example(
    steps=[(0, 0, 0), (1000, 1, 0), (1000, 1, 0), (1000, 1, 0), (9001, 1, 0)],
    most=9,
    start=1500,
    narrowest=30_000,
    is_watched=True,
)
@example(  # a run that lasts longer than the one after it
    steps=[(0, 0, 0), *[(9000, 0, 0)] * 3, (3000, 0, 0), (-3000, 1, 0), (12_000, 1, 0)],
    most=9,
    start=0,
    narrowest=9500,
    is_watched=True,
)
@example(  # the same, where the times around a hole are looked at
    steps=[(0, 0, 0), *[(9000, 0, 0)] * 3, (3000, 0, 0), (-3000, 1, 0), (12_000, 1, 0)],
    most=9,
    start=0,
    narrowest=100,
    is_watched=True,
)
@given(
    samples,
    st.integers(min_value=2, max_value=40),
    st.integers(min_value=-1000, max_value=2_000_000),
    st.integers(min_value=0, max_value=40_000),
    st.booleans(),
)
def test_gaps_and_points_never_contradict(
    in_memory: History, steps: list[tuple[int, int, int]], most: int, start: int, narrowest: int, is_watched: bool
) -> None:
    key, at, grains, seen = new_key(), NOON, 0, []
    for seconds, more, left in steps:
        at, grains = at + timedelta(seconds=seconds), max(0, grains + more)
        seen.append(balance(at, Decimal(grains).scaleb(-8), left=None if left == 2 else left))
    in_memory.record_all(key, seen)
    since, until = NOON + start * SECOND, NOON + timedelta(seconds=400_000 * 31)

    found = in_memory.timeline(
        key, since, until, most, narrowest=narrowest * SECOND, is_watched=is_watched, periods=NOTHING_KNOWN
    )

    points = [sample.at for sample in found.samples]
    assert points == sorted(set(points))
    assert all(gap.start < gap.end for gap in found.gaps)
    assert all(one.end <= other.start for one, other in pairwise(found.gaps))
    assert all(gap.end - gap.start > narrowest * SECOND for gap in found.gaps)
    runs = stored(in_memory, key)
    for gap in found.gaps:
        assert not [point for point in points if gap.start < point < gap.end]
        assert gap.start in points or gap.start == since
        assert gap.end in points or gap.end == until
        start_at, end_at = gap.start.timestamp(), gap.end.timestamp()
        assert not [run for run in runs if run.started_at < end_at and run.ended_at > start_at]
    by_time = {sample.at: sample for sample in in_memory.samples(key, since, until, 5000)}
    assert all(by_time[sample.at] == sample for sample in found.samples)
    holes = [(one, other) for one, other in pairwise(sorted(by_time)) if not covered(runs, one, other)]
    long = {hole for hole in holes if hole[1] - hole[0] > max(9000, narrowest) * SECOND}
    assert long <= {(gap.start, gap.end) for gap in found.gaps}


def covered(runs: Iterable[object], one: datetime, other: datetime) -> bool:
    """Whether a run lasts from one time to the other."""
    return any(run.started_at <= one.timestamp() and run.ended_at >= other.timestamp() for run in runs)  # type: ignore[attr-defined]
