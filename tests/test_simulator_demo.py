"""The simulator's demo account: what it spends, and when."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.simulator import DEMO_INSTANT, demo_usage, key_for, management_key_for
from tests.responding import data, instants

SECOND = timedelta(seconds=1)


def test_the_demo_shows_the_sample_at_its_instant() -> None:
    sent = data("/key", key_for("demo"))
    expected: dict[str, object] = {
        "label": "demo (simulated)",
        "limit": 500,
        "limit_remaining": Decimal("158.61"),
        "limit_reset": "monthly",
        "usage": Decimal("341.49"),
        "usage_daily": Decimal("90.77"),
        "usage_weekly": Decimal("341.39"),
        "usage_monthly": Decimal("341.39"),
        "byok_usage": 0,
        "is_free_tier": False,
        "expires_at": None,
    }
    assert {name: sent[name] for name in expected} == expected
    (budget,) = sent["budgets"]
    assert (budget["scope"], budget["remaining_usd"]) == ("key_limit", Decimal("158.61"))
    assert budget["resets_at"] == "2026-03-01T00:00:00.000Z"
    assert sent["free_model_daily_requests"]["used"] > 0


def test_the_demo_spends_something_every_few_seconds() -> None:
    totals = [demo_usage(DEMO_INSTANT + n * 5 * SECOND).total for n in range(120)]
    assert all(Decimal("0.0001") < after - before < Decimal("0.05") for before, after in pairwise(totals))


def test_the_demo_spends_more_on_weekdays_and_less_at_night() -> None:
    march = datetime(2026, 3, 1, tzinfo=UTC)
    days = [march + timedelta(days=day, hours=23, minutes=59, seconds=59) for day in range(31)]
    spent = {day: demo_usage(day).day for day in days}
    weekdays = [amount for day, amount in spent.items() if day.weekday() < 5]
    weekends = [amount for day, amount in spent.items() if day.weekday() > 4]
    assert 2 < min(weekends) <= max(weekends) < 9 < min(weekdays) <= max(weekdays) < 32
    assert sum(weekdays) / len(weekdays) == pytest.approx(Decimal(18), abs=2)
    night = demo_usage(march + timedelta(days=1, hours=6)).day
    assert demo_usage(march + timedelta(days=1, hours=18)).day - night > 5 * night


def test_the_demo_is_never_low_and_no_two_months_are_alike() -> None:
    ends = [datetime(2026 + number // 12, number % 12 + 1, 1, tzinfo=UTC) - SECOND for number in range(2, 62)]
    left = [500 - demo_usage(end).month for end in ends]
    assert 50 < min(left) <= max(left) < 80
    assert len(set(left)) > 50


@given(instants, st.timedeltas(timedelta(0), timedelta(days=40)) | st.timedeltas(timedelta(0), SECOND))
def test_usage_never_goes_down(now: datetime, later: timedelta) -> None:
    assert demo_usage(now).total <= demo_usage(now + later).total


@given(instants)
def test_the_demos_amounts_are_consistent_at_every_time(now: datetime) -> None:
    sent, usage = data("/key", key_for("demo"), now), demo_usage(now)
    assert (sent["usage"], sent["usage_daily"]) == (usage.total, usage.day)
    assert 0 <= usage.day <= min(usage.week, usage.month) <= max(usage.week, usage.month) <= usage.total
    assert 0 <= sent["limit_remaining"] == 500 - sent["usage_monthly"]
    assert all(amount == round(amount, 8) for amount in usage)


@pytest.mark.parametrize(
    ("border", "restarted"),
    [
        (datetime(2026, 2, 11, tzinfo=UTC), {"day"}),
        (datetime(2026, 2, 16, tzinfo=UTC), {"day", "week"}),
        (datetime(2026, 3, 1, tzinfo=UTC), {"day", "month"}),
        (datetime(2026, 6, 1, tzinfo=UTC), {"day", "week", "month"}),
    ],
)
def test_days_weeks_and_months_start_at_midnight_utc(border: datetime, restarted: set[str]) -> None:
    before, at = demo_usage(border - SECOND / 1000), demo_usage(border)
    assert at.total - before.total < Decimal("0.001")
    for span in ("day", "week", "month"):
        amount, earlier = getattr(at, span), getattr(before, span)
        assert amount == 0 if span in restarted else amount >= earlier
    assert before.month > 0


def test_before_february_the_demo_had_spent_ten_cents() -> None:
    assert demo_usage(DEMO_INSTANT - timedelta(days=30)).total == 0
    assert demo_usage(datetime(2026, 2, 1, tzinfo=UTC)).total == Decimal("0.10")
    assert demo_usage(datetime(2026, 2, 9, tzinfo=UTC)).total == Decimal("0.10")


def test_the_demos_limit_is_reset_every_month() -> None:
    end = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
    assert 50 < data("/key", key_for("demo"), end)["limit_remaining"] < 80
    assert data("/key", key_for("demo"), end + timedelta(minutes=1))["limit_remaining"] == 500


def test_activity_has_the_demos_spend_of_each_completed_day() -> None:
    now, spent = DEMO_INSTANT + timedelta(days=1), defaultdict[str, Decimal](Decimal)
    for row in data("/activity", management_key_for("demo"), now):
        spent[row["date"]] += row["usage"]
    assert max(spent) == "2026-02-12"
    for day, amount in spent.items():
        last = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1) - SECOND / 1000
        assert amount == pytest.approx(demo_usage(last).day, abs=Decimal("0.001"))
    assert len({row["date"] for row in data("/activity", management_key_for("management"))}) == 30
