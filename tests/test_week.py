"""What is learned of a week, and what it says of the hours to come: arithmetic, mostly for all inputs."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcredit.balance.learning import DAYS, LEAST_DAYS, learn
from orcredit.balance.week import HOURS, Week, outlook
from tests.weeks import flat_week

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
"""A Wednesday."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)

FLAT = flat_week(NOW.replace(minute=0))
OFFICE = replace(
    FLAT, shares=tuple(7 / 45 if day < 5 and 9 <= hour < 18 else 0.0 for day in range(7) for hour in range(24))
)


def hours_of(spend: dict[str, float] | None = None, *, days: int = DAYS, now: datetime = NOW) -> list[float | None]:
    """A dollar a day in office hours, a Monday to Friday, up to now; `spend` replaces that of whole days, by date."""
    until = now.replace(minute=0)
    hours: list[float | None] = []
    for index in range(days * 24):
        hour = until - days * DAY + index * HOUR
        is_open = hour.weekday() < 5 and 9 <= hour.hour < 18
        factor = (spend or {}).get(f"{hour:%m-%d}", 1.0)
        hours.append(1 / 9 * factor if is_open else 0.0)
    return hours


def learned(hours: Sequence[Decimal | float | None], now: datetime = NOW) -> Week:
    week = learn(hours, now)
    assert week is not None
    return week


def usd(amount: float) -> Decimal:
    return Decimal(str(amount))


# Learning


def test_office_hours_are_learned_with_their_idle_nights_and_weekends() -> None:
    week = learned(hours_of())
    assert week.days == 57  # of which the first and the last are partly watched
    assert sum(week.shares) == pytest.approx(7)
    assert week.level * 7 == pytest.approx(5)
    assert week.shares[9] == pytest.approx(7 / 45)
    assert sum(week.shares[120:]) == pytest.approx(0)
    assert sum(week.shares[:9]) == pytest.approx(0)
    assert week.until == NOW.replace(minute=0)


@pytest.mark.parametrize("days", [0, 1, LEAST_DAYS - 1])
def test_nothing_is_learned_of_too_few_days(days: int) -> None:
    assert learn(hours_of(days=days), NOW.replace(hour=0)) is None


def test_fourteen_days_are_enough_of_56() -> None:
    until = NOW.replace(hour=0)
    hours = hours_of(now=until)
    hours[: (DAYS - LEAST_DAYS) * 24] = [None] * (DAYS - LEAST_DAYS) * 24
    assert learned(hours, until).days == LEAST_DAYS
    hours[-1 - 12 : -1] = [None] * 12  # a day that was mostly not watched
    hours[-1] = None
    assert learn(hours, until) is None


def each(usd: float) -> list[float | None]:
    return [usd for _ in range(DAYS * 24)]


def test_nothing_is_learned_where_nothing_was_spent() -> None:
    assert learn(each(0.0), NOW) is None
    assert learn(each(1e-278), NOW) is None  # less than the smallest amount that is counted
    once = each(0.0)
    once[-1] = 5.0  # in the first hours of a day of which nothing else is known
    assert learn(once, NOW.replace(hour=1)) is None


def test_hours_that_were_not_watched_are_unknown_and_not_zero() -> None:
    hours = hours_of()
    for day in range(0, DAYS * 24, 72):
        hours[day : day + 24] = [None] * len(hours[day : day + 24])
    week = learned(hours)
    assert week.level * 7 == pytest.approx(5, rel=0.01)
    assert sum(week.shares[120:]) == pytest.approx(0)


def test_a_runaway_night_changes_neither_the_level_nor_the_shares_much() -> None:
    hours = [usd(1 / 24 * (1 + 0.1 * math.sin(index))) for index in range(DAYS * 24)]
    usual = learn(hours, NOW)
    for index in range(-200, -192):
        hours[index] *= 20
    week = learn(hours, NOW)
    assert usual is not None
    assert week is not None
    assert week.level == pytest.approx(usual.level, rel=0.02)
    assert max(abs(one - other) for one, other in zip(week.shares, usual.shares, strict=True)) < 0.01


def test_three_wild_days_in_a_row_are_a_new_level() -> None:
    until = NOW.replace(hour=0)
    hours = [usd(1 / 24 * (1 + 0.1 * math.sin(index))) for index in range(DAYS * 24)]
    before = learn(hours, until)
    for index in range(-72, 0):
        hours[index] *= 5
    week = learn(hours, until)
    assert before is not None
    assert week is not None
    assert before.level == pytest.approx(1, rel=0.05)
    assert week.level > 4


def test_after_a_wild_day_the_earliest_run_out_is_at_its_pace() -> None:
    until = NOW.replace(hour=0)
    hours = [usd(1 / 24 * (1 + 0.1 * math.sin(index))) for index in range(DAYS * 24)]
    said = []
    for factor in (1, 30):
        week = learn([*hours[:-24], *(hour * factor for hour in hours[-24:])], until)
        assert week is not None
        said.append(outlook(week, remaining=Decimal(30), spent=Decimal(0), resets_at=None, now=until))
    usual, wild = said
    assert usual.runs_out_earliest is not None
    assert usual.runs_out_earliest - until > 25 * DAY
    assert wild.runs_out_at is not None
    assert wild.runs_out_at - until == pytest.approx(30 * DAY, rel=0.05)
    assert wild.runs_out_earliest is not None
    assert wild.runs_out_earliest - until < 1.2 * DAY


def test_a_steady_growth_is_found_and_chance_is_not_taken_for_one() -> None:
    grown = [1.05 ** (index / HOURS) / 24 * (1 + 0.2 * math.sin(index * 7)) for index in range(DAYS * 24)]
    week = learned(list(grown))
    assert math.exp(week.growth * 7) == pytest.approx(1.05, abs=0.005)
    assert week.level == pytest.approx(1.05**8, rel=0.01)
    assert learned(hours_of()).growth == 0


def test_a_key_that_is_used_one_day_in_ten_has_a_week() -> None:
    hours: list[float | None] = [10.0 if index % 240 == 12 else 0.0 for index in range(DAYS * 24)]
    week = learned(hours)
    assert 0.5 < week.level < 1.5


amounts = st.one_of(st.none(), st.floats(0, 1e6), st.just(0.0), st.decimals(0, 1000, places=8))


@settings(max_examples=30, deadline=None)
@given(pattern=st.lists(amounts, min_size=1, max_size=60), length=st.integers(0, 60 * 24), now=st.datetimes())
def test_whatever_is_learned_is_a_week(pattern: list[float | Decimal | None], length: int, now: datetime) -> None:
    if now.year < 2:
        return
    now = now.replace(tzinfo=UTC)
    week = learn([pattern[index % len(pattern)] for index in range(length)], now)
    if week is None:
        return
    numbers = (*week.shares, week.level, week.growth, week.noise, week.doubt, week.drift, week.growth_doubt)
    assert all(math.isfinite(number) for number in numbers)
    assert sum(week.shares) == pytest.approx(7)
    assert min(week.shares) >= 0
    assert week.level > 0
    outlook(week, remaining=Decimal(5), spent=Decimal(1), resets_at=None, now=now)


# The outlook

weeks = st.builds(
    Week,
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=30)
    .filter(lambda shares: max(shares) > 0.01)
    .map(lambda shares: (shares * HOURS)[:HOURS])
    .map(lambda shares: tuple(share * 7 / sum(shares) for share in shares)),
    level=st.floats(1e-6, 1e6),
    growth=st.floats(-0.0143, 0.0143),
    wild=st.floats(1, 100),
    noise=st.floats(0, 10),
    doubt=st.floats(0, 1),
    drift=st.floats(0, 1),
    growth_doubt=st.floats(0, 1e-4),
    days=st.just(56),
    until=st.datetimes(datetime(2026, 2, 25), datetime(2026, 3, 4, 10), timezones=st.just(UTC)),  # noqa: DTZ001
)
money = st.decimals(0, 1000, places=4)
resets = st.one_of(st.none(), st.datetimes(datetime(2026, 3, 4), datetime(2026, 6, 1), timezones=st.just(UTC)))  # noqa: DTZ001


@settings(max_examples=60, deadline=None)
@given(week=weeks, left=st.lists(money, min_size=2, max_size=5), resets_at=resets)
def test_spending_more_never_makes_a_run_out_later(week: Week, left: list[Decimal], resets_at: datetime | None) -> None:
    said = [
        outlook(week, remaining=remaining, spent=1000 - remaining, resets_at=resets_at, now=NOW)
        for remaining in sorted(left)
    ]
    for less, more in pairwise(said):
        assert (less.runs_out_at or NEVER) <= (more.runs_out_at or NEVER)
        assert (less.runs_out_earliest or NEVER) <= (more.runs_out_earliest or NEVER)
        if less.runs_out_earliest is not None and more.runs_out_earliest is not None:
            assert (less.runs_out_latest or NEVER) <= (more.runs_out_latest or NEVER)


@settings(max_examples=60, deadline=None)
@given(week=weeks, remaining=money, resets_at=resets)
def test_what_is_said_is_in_order(week: Week, remaining: Decimal, resets_at: datetime | None) -> None:
    said = outlook(week, remaining=remaining, spent=Decimal(3), resets_at=resets_at, now=NOW)
    assert said.per_day >= 0
    if said.runs_out_at is not None:
        assert said.runs_out_earliest is not None
        assert NOW <= said.runs_out_earliest <= said.runs_out_at <= (said.runs_out_latest or NEVER)
        assert remaining <= 0 or resets_at is None or said.runs_out_at < resets_at
    if resets_at is None:
        assert said.projected_at_reset is said.projected_at_reset_low is said.projected_at_reset_high is None
        return
    low, at, high = said.projected_at_reset_low, said.projected_at_reset, said.projected_at_reset_high
    assert low is not None
    assert at is not None
    assert high is not None
    assert 3 <= low <= at <= high


@settings(max_examples=60, deadline=None)
@given(week=weeks, remaining=st.decimals("0.01", 1000, places=4), later=st.integers(1, 14 * 86400))
def test_a_run_out_before_the_reset_and_a_projection_beyond_what_is_there_are_the_same(
    week: Week, remaining: Decimal, later: int
) -> None:
    resets_at = NOW + timedelta(seconds=later)
    said = outlook(week, remaining=remaining, spent=Decimal(0), resets_at=resets_at, now=NOW)
    assert said.projected_at_reset is not None
    beyond = said.projected_at_reset - remaining
    if abs(beyond) > remaining * Decimal("1e-6") + Decimal("1e-7"):
        assert (said.runs_out_at is not None) is (beyond > 0)


@pytest.mark.parametrize("later", [4, 9, 12, 20, 45])
def test_the_latest_run_out_and_the_low_projection_are_the_same(later: int) -> None:
    resets_at = NOW + later * DAY
    for remaining in (Decimal(later * step) / 100 for step in range(60, 110)):
        said = outlook(FLAT, remaining=remaining, spent=Decimal(0), resets_at=resets_at, now=NOW)
        assert said.projected_at_reset_low is not None
        is_in_time = said.runs_out_latest is not None and said.runs_out_latest < resets_at
        assert is_in_time is (said.projected_at_reset_low > remaining)


def test_money_runs_out_in_office_hours_only() -> None:
    # 7.5 hours are left today, at 7/45 of a dollar each.
    at = {
        amount: outlook(OFFICE, remaining=usd(amount), spent=Decimal(0), resets_at=None, now=NOW).runs_out_at
        for amount in (0.7, 1.5, 3.5, 4.0)
    }
    expected = {
        0.7: NOW + timedelta(hours=4.5),
        1.5: NOW.replace(day=5, minute=0) + timedelta(hours=1.5 * 45 / 7 - 7.5 - 1),
        3.5: NOW.replace(day=6, minute=0) + timedelta(hours=3.5 * 45 / 7 - 7.5 - 9 - 1),
        4.0: NOW.replace(day=9, hour=9, minute=0) + timedelta(hours=4 * 45 / 7 - 7.5 - 9 - 9),
    }
    for amount, when in expected.items():
        assert at[amount] == pytest.approx(when, abs=timedelta(seconds=1))


def test_a_lasting_budget_says_what_it_will_have_spent_at_its_reset() -> None:
    said = outlook(FLAT, remaining=Decimal(20), spent=Decimal(4), resets_at=NOW + 10 * DAY, now=NOW)
    assert said.projected_at_reset == pytest.approx(Decimal(14))
    assert said.per_day == pytest.approx(Decimal(1))
    assert said.runs_out_at is said.runs_out_earliest is said.runs_out_latest is None


def test_the_mean_of_the_days_until_the_reset_knows_the_weekend() -> None:
    until_monday = NOW.replace(day=9, hour=10)
    said = outlook(OFFICE, remaining=Decimal(50), spent=Decimal(0), resets_at=until_monday, now=NOW)
    hours = 7.5 + 9 + 9 + 1.5
    assert said.per_day == pytest.approx(usd(hours * 7 / 45 / ((until_monday - NOW) / DAY)), rel=Decimal("1e-6"))


def test_with_nothing_left_it_runs_out_now() -> None:
    for remaining in (Decimal(0), Decimal(-3)):
        said = outlook(FLAT, remaining=remaining, spent=Decimal(4), resets_at=NOW + DAY, now=NOW)
        assert said.runs_out_at == said.runs_out_earliest == said.runs_out_latest == NOW


def test_an_older_week_is_less_sure() -> None:
    older = replace(FLAT, until=FLAT.until - 8 * DAY, drift=0.01)
    newer = replace(FLAT, drift=0.01)
    spans = []
    for week in (newer, older):
        said = outlook(week, remaining=Decimal(5), spent=Decimal(0), resets_at=None, now=NOW)
        assert said.runs_out_earliest is not None
        assert said.runs_out_latest is not None
        spans.append(said.runs_out_latest - said.runs_out_earliest)
    assert spans[1] > spans[0]


@pytest.mark.parametrize("week", [FLAT, OFFICE, replace(OFFICE, growth=0.01)])
def test_nothing_jumps_at_midnight(week: Week) -> None:
    midnight = NOW.replace(day=6, hour=0, minute=0)
    before, after = (
        outlook(week, remaining=Decimal(9), spent=Decimal(0), resets_at=None, now=now).runs_out_at
        for now in (midnight - timedelta(seconds=1), midnight + timedelta(seconds=1))
    )
    assert before is not None
    assert after is not None
    assert abs(after - before) <= timedelta(seconds=4)


def test_the_end_of_the_calendar_is_no_run_out() -> None:
    now = datetime(9999, 12, 30, tzinfo=UTC)
    said = outlook(replace(FLAT, until=now), remaining=Decimal(5), spent=Decimal(0), resets_at=None, now=now)
    assert said.runs_out_at is None
