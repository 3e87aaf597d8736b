"""The forecast of one budget: which windows count, which pace is chosen, and when the money runs out."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.balance.forecast import (
    HORIZON,
    Pace,
    Window,
    calendar_windows,
    first_to_run_out,
    forecast,
    period_windows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.balance.forecast import Basis

THURSDAY = datetime(2026, 2, 12, 12, tzinfo=UTC)  # 0.5 days of today, 3.5 of the week, 11.5 of the month
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def usd(amount: float | str) -> Decimal:
    return Decimal(str(amount))


def of_key(
    today: float | None,
    week: float | None,
    month: float | None,
    remaining: float = 100,
    *,
    now: datetime = THURSDAY,
    resets_at: datetime | None = None,
    spent: float = 0,
) -> Pace | None:
    """Forecast a key with these usages so far."""
    amounts = [None if amount is None else usd(amount) for amount in (today, week, month)]
    windows = calendar_windows(now, today=amounts[0], week=amounts[1], month=amounts[2])
    return forecast("key_limit", windows, spent=usd(spent), remaining=usd(remaining), resets_at=resets_at, now=now)


def known(pace: Pace | None) -> Pace:
    assert pace is not None
    return pace


def per_day(pace: Pace | None) -> tuple[float, Basis | None]:
    chosen = known(pace)
    assert chosen.per_day is not None
    return float(chosen.per_day), chosen.basis


# Windows


def test_the_windows_of_a_key_begin_at_midnight_on_monday_and_on_the_first_in_utc() -> None:
    windows = calendar_windows(THURSDAY, today=usd(1), week=usd(2), month=usd(3))

    assert windows == (
        Window("today", usd(1), DAY / 2),
        Window("week", usd(2), 3.5 * DAY),
        Window("month", usd(3), 11.5 * DAY),
    )


def test_usage_that_is_not_reported_gives_no_window() -> None:
    assert [window.basis for window in calendar_windows(THURSDAY, today=None, week=usd(2), month=None)] == ["week"]


@pytest.mark.parametrize(
    ("period", "resets_at", "elapsed"),
    [
        ("daily", "2026-02-13T00:00:00Z", DAY / 2),
        ("weekly", "2026-02-16T00:00:00Z", 3.5 * DAY),
        ("monthly", "2026-03-01T00:00:00Z", 11.5 * DAY),
        ("monthly", "2026-02-20T00:00:00Z", 23.5 * DAY),
        ("monthly", "2026-03-31T00:00:00Z", -15.5 * DAY),
    ],
)
def test_a_shared_budgets_window_began_one_period_before_its_reset(
    period: str, resets_at: str, elapsed: timedelta
) -> None:
    windows = period_windows(THURSDAY, spent=usd(5), period=period, resets_at=datetime.fromisoformat(resets_at))
    assert windows == (Window("period", usd(5), elapsed),)


@pytest.mark.parametrize(("period", "resets_at"), [(None, None), ("monthly", None), ("lunar", MARCH), (None, MARCH)])
def test_a_lifetime_and_an_unknown_period_give_no_window(period: str | None, resets_at: datetime | None) -> None:
    assert period_windows(THURSDAY, spent=usd(5), period=period, resets_at=resets_at) == ()


# The pace


def test_a_window_counts_from_its_first_minute_over_an_hour_at_least() -> None:
    monday = datetime(2026, 6, 1, tzinfo=UTC)  # day, week and month begin at once

    assert of_key(1, 1, 1, now=monday + timedelta(seconds=59)) is None
    for minutes in (1, 30, 60):
        assert per_day(of_key(1, 1, 1, now=monday + timedelta(minutes=minutes))) == (24, "today")
    assert per_day(of_key(1, 1, 1, now=monday + timedelta(minutes=120))) == (12, "today")


def test_no_window_gives_no_pace_and_zero_spend_a_pace_of_zero() -> None:
    assert of_key(None, None, None) is None
    assert per_day(of_key(0, 0, 0)) == (0, "today")
    assert per_day(of_key(None, None, -3)) == (0, "month")


def test_a_window_with_the_same_usage_as_the_next_shorter_is_dropped() -> None:
    assert per_day(of_key(None, 35, 35)) == (10, "week")  # the month only adds idle days before
    assert per_day(of_key(5, 5, 5)) == (10, "today")
    assert per_day(of_key(0, 0, 23)) == (2, "month")


def test_a_month_that_only_adds_the_weekend_before_this_week_is_not_dropped() -> None:
    friday = datetime(2026, 8, 7, 18, tzinfo=UTC)  # August 2026 begins on a Saturday; 6.75 days of it
    assert per_day(of_key(None, 27, 27, now=friday)) == (4, "month")

    friday_in_may = datetime(2026, 5, 8, 18, tzinfo=UTC)  # May begins on a Friday
    assert per_day(of_key(None, 19, 19, now=friday_in_may)) == (4, "week")


def test_the_month_sets_the_pace() -> None:
    assert per_day(of_key(2, 14, 46)) == (4, "month")
    assert per_day(of_key(None, None, 46)) == (4, "month")
    assert per_day(of_key(2, None, 46)) == (4, "month")


def test_a_month_much_faster_than_current_spending_is_bounded_by_the_faster_of_today_and_the_week() -> None:
    # 23 a day by the month; the week, its other 3.5 days filled in: 12.5; today, its other half filled in: 12
    pace, basis = per_day(of_key(0.5, 7, 264.5))

    assert basis == "week"
    assert pace == pytest.approx(12.5 * 7 / 6)


def test_a_month_much_slower_than_current_spending_is_bounded_by_the_slower_of_today_and_the_week() -> None:
    # 2 a day by the month; the week filled in: 4; today filled in: 6
    pace, basis = per_day(of_key(5, 21, 23))

    assert basis == "week"
    assert pace == pytest.approx(4 * 5 / 7)


def test_weekdays_up_to_seven_fifths_of_the_months_pace_do_not_change_it() -> None:
    assert per_day(of_key(0.7, 4.9, 11.5)) == (1, "month")


@pytest.mark.parametrize(("month", "pace", "basis"), [(21, 6, "week"), (13.5, 5.4, "month"), (3, 36 / 7, "week")])
def test_in_the_first_days_of_a_month_its_pace_is_clamped_to_the_longer_weeks(
    month: float, pace: float, basis: Basis
) -> None:
    friday = datetime(2026, 4, 3, 12, tzinfo=UTC)  # 2.5 days of April, 4.5 of the week: 6 a day
    found = per_day(of_key(1, 27, month, now=friday))
    assert found[0] == pytest.approx(pace)
    assert found[1] == basis


def test_a_budgets_own_period_is_its_only_window() -> None:
    windows = period_windows(THURSDAY, spent=usd(23), period="monthly", resets_at=MARCH)
    pace = forecast("member", windows, spent=usd(23), remaining=usd(8), resets_at=MARCH, now=THURSDAY)

    assert per_day(pace) == (2, "period")
    assert known(pace).scope == "member"
    assert known(pace).runs_out_at == THURSDAY + 4 * DAY


# When it runs out


def test_the_money_runs_out_after_remaining_divided_by_pace() -> None:
    assert known(of_key(2, 14, 46, 20)).runs_out_at == THURSDAY + 5 * DAY
    assert known(of_key(2, 14, 46, 0.01)).runs_out_at == THURSDAY + timedelta(seconds=216)


def test_the_earliest_and_the_latest_come_from_the_fastest_and_the_slowest_window() -> None:
    pace = known(of_key(4, 14, 34.5, 24))  # 8, 4 and 3 a day

    assert (pace.runs_out_earliest, pace.runs_out_latest) == (THURSDAY + 3 * DAY, THURSDAY + 8 * DAY)


def test_a_budget_that_lasts_until_its_reset_has_no_run_out() -> None:
    lasting = known(of_key(2, 14, 46, 66, resets_at=MARCH, spent=46))  # 16.5 days at 4 a day: to the second

    assert (lasting.runs_out_at, lasting.runs_out_earliest, lasting.runs_out_latest) == (None, None, None)
    assert lasting.lasts_until_reset is True
    assert lasting.projected_at_reset == 112

    short = known(of_key(2, 14, 46, 65.99, resets_at=MARCH, spent=46))
    assert short.runs_out_at is not None
    assert short.runs_out_at < MARCH
    assert short.lasts_until_reset is False


def test_the_latest_run_out_is_at_most_the_reset() -> None:
    pace = known(of_key(4, 14, 34.5, 60, resets_at=MARCH))  # 20 days at the slowest pace, and the reset is in 16.5

    assert pace.runs_out_earliest == THURSDAY + 7.5 * DAY
    assert pace.runs_out_latest == MARCH


def test_without_a_reset_its_fields_are_null() -> None:
    pace = known(of_key(2, 14, 46, 20))
    assert (pace.projected_at_reset, pace.lasts_until_reset) == (None, None)


def test_a_pace_of_zero_lasts_until_the_reset() -> None:
    pace = known(of_key(0, 0, 0, 20, resets_at=MARCH, spent=3))

    assert pace.runs_out_at is None
    assert pace.lasts_until_reset is True
    assert pace.projected_at_reset == 3


@pytest.mark.parametrize("remaining", [0, -0.25])
def test_an_exhausted_budget_has_run_out_now_whatever_its_pace(remaining: float) -> None:
    for pace in (of_key(2, 14, 46, remaining, resets_at=MARCH), of_key(None, None, None, remaining, resets_at=MARCH)):
        found = known(pace)
        assert found.runs_out_at == found.runs_out_earliest == found.runs_out_latest == THURSDAY
        assert found.lasts_until_reset is False
    assert known(of_key(None, None, None, remaining)).per_day is None


def test_a_run_out_beyond_ten_years_is_none() -> None:
    assert known(of_key(None, None, 11.5, 3649)).runs_out_at == THURSDAY + 3649 * DAY
    assert known(of_key(None, None, 11.5, 3650)).runs_out_at is None


def test_the_first_budget_to_run_out_is_chosen_on_a_tie_the_first_in_order() -> None:
    late, soon, never = of_key(2, 14, 46, 20), of_key(2, 14, 46, 10), of_key(0, 0, 0)
    same = known(soon).model_copy(update={"scope": "workspace"})

    assert first_to_run_out([None, never, late, soon, same]) is soon
    assert first_to_run_out([None, never]) is None


# Properties of every answer.

amounts = st.one_of(
    st.none(),
    st.floats(min_value=-10, max_value=1e6).map(lambda amount: usd(round(amount, 8))),
    st.sampled_from([usd(0), usd("1e-8"), usd(100), usd("1e15")]),
)
nows = st.datetimes(datetime(2000, 1, 1), datetime(2999, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see timezones
resets = st.one_of(st.none(), st.timedeltas(timedelta(microseconds=1), timedelta(days=40)), st.just(99999 * DAY))


def play(
    usages: Sequence[Decimal | None], remaining: Decimal, now: datetime, reset: timedelta | None, more: Decimal
) -> Pace | None:
    """Forecast after spending `more` just now."""
    today, week, month = (None if usage is None else usage + more for usage in usages)
    return forecast(
        "key_limit",
        calendar_windows(now, today=today, week=week, month=month),
        spent=more,
        remaining=remaining - more,
        resets_at=None if reset is None else now + reset,
        now=now,
    )


@given(st.tuples(amounts, amounts, amounts), amounts, nows, resets)
def test_a_run_out_is_between_now_and_the_reset_and_the_earliest_comes_first(
    usages: tuple[Decimal | None, ...], remaining: Decimal | None, now: datetime, reset: timedelta | None
) -> None:
    pace = play(usages, remaining or usd(0), now, reset, usd(0))
    if pace is None:
        return
    run_outs = [at for at in (pace.runs_out_earliest, pace.runs_out_at, pace.runs_out_latest) if at is not None]

    assert run_outs == sorted(run_outs)
    assert all(now <= at <= now + HORIZON for at in run_outs)
    if reset is None:
        assert (pace.projected_at_reset, pace.lasts_until_reset) == (None, None)
    else:
        assert all(at <= now + reset for at in run_outs)
        assert pace.lasts_until_reset is not None
        assert not (pace.lasts_until_reset and pace.runs_out_at)
    if pace.runs_out_at is not None:
        assert pace.runs_out_earliest is not None
    if pace.per_day is not None:
        assert pace.per_day >= 0


@given(st.tuples(amounts, amounts, amounts), amounts, nows, resets)
def test_a_pace_round_trips_through_standard_json(
    usages: tuple[Decimal | None, ...], remaining: Decimal | None, now: datetime, reset: timedelta | None
) -> None:
    now = now.replace(microsecond=0)
    pace = play(usages, remaining or usd(0), now, reset and timedelta(seconds=math.ceil(reset.total_seconds())), usd(0))
    if pace is None:
        return
    text = pace.model_dump_json()

    assert list(json.loads(text)) == [
        "perDay",
        "basis",
        "scope",
        "runsOutAt",
        "runsOutEarliest",
        "runsOutLatest",
        "isUpperBound",
        "projectedAtReset",
        "projectedAtResetLow",
        "projectedAtResetHigh",
        "lastsUntilReset",
        "affordablePerDay",
        "evenPercentRemaining",
    ]
    assert "NaN" not in text
    assert "Infinity" not in text
    assert Pace.model_validate_json(text).model_dump_json() == text


@given(
    st.tuples(amounts, amounts, amounts),
    amounts,
    nows,
    resets,
    st.one_of(st.floats(min_value=0, max_value=1000).map(lambda more: usd(round(more, 8))), st.just(usd("1e-8"))),
)
def test_spending_more_never_makes_the_run_out_later(
    usages: tuple[Decimal | None, ...], remaining: Decimal | None, now: datetime, reset: timedelta | None, more: Decimal
) -> None:
    before = play(usages, remaining or usd(0), now, reset, usd(0))
    after = play(usages, remaining or usd(0), now, reset, more)
    never = datetime.max.replace(tzinfo=UTC)

    def run_outs(pace: Pace | None) -> list[datetime]:
        if pace is None:
            return [never, never]
        return [pace.runs_out_at or never, pace.runs_out_earliest or never]

    assert all(later <= earlier for later, earlier in zip(run_outs(after), run_outs(before), strict=True))
    if before and after and before.per_day is not None and after.per_day is not None:
        assert after.per_day >= before.per_day
