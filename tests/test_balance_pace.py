"""`assess`: at which pace the money goes, of which budget that is said, and when it runs out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit.balance import Balance, assess
from orcredit.openrouter import Credits, KeyInfo
from tests.simulated import NOW, assess_account, assess_wire, budget, known_pace

if TYPE_CHECKING:
    from orcredit.balance.forecast import Pace

CREDIT = {"total_credits": 100, "total_usage": 60}


def test_the_demos_sample_runs_out_at_the_weeks_pace_as_nothing_was_spent_before() -> None:
    pace = known_pace(assess_account("demo"))

    assert (pace.basis, pace.scope, pace.lasts_until_reset) == ("week", "key_limit", False)
    assert pace.per_day == pytest.approx(Decimal("92.41"), abs=Decimal("0.01"))
    assert pace.runs_out_at is not None
    assert pace.runs_out_at.date() == date(2026, 2, 14)


def test_the_keys_own_budgets_are_forecast_by_the_keys_usage_and_all_others_by_their_own_spend() -> None:
    used = {"usage": 80, "usage_daily": 2, "usage_weekly": 15, "usage_monthly": 46, "limit": None}

    for scope in ("key_limit", "api_key", "workspace_default_key"):
        pace = known_pace(assess_wire(used | {"budgets": [budget(scope, 100, 5)]}))
        assert (pace.basis, pace.scope) == ("month", scope)
    for scope in ("workspace", "member", "workspace_default_member", "galaxy"):
        pace = known_pace(assess_wire(used | {"budgets": [budget(scope, 100, 5)]}))
        assert (pace.basis, pace.scope) == ("period", scope)
        assert pace.per_day == pytest.approx(Decimal(95) / Decimal("11.6943"), abs=Decimal("0.001"))


def test_a_lifetime_budget_that_others_share_runs_out_at_the_keys_pace_at_the_latest() -> None:
    data = {"limit": None, "usage_monthly": 46, "budgets": [budget("workspace", 100, 5, reset_interval=None)]}
    pace = known_pace(assess_wire(data))
    assert (pace.scope, pace.basis, pace.is_upper_bound) == ("workspace", "month", True)
    assert pace.runs_out_at is not None
    assert assess_wire(data | {"usage_monthly": 0}).pace is None

    data["budgets"] = [budget("workspace", 100, 0, reset_interval=None)]
    assert known_pace(assess_wire(data)).runs_out_at == NOW


def test_bring_your_own_key_spend_paces_the_budgets_that_count_it() -> None:
    def pace(*, counts: bool, **more: object) -> Pace | None:
        data = {"limit": 100, "limit_remaining": 50, "usage_monthly": 20, "include_byok_in_limit": counts}
        return assess_wire(data | more).pace

    without, with_byok = pace(counts=False, byok_usage_monthly=20), pace(counts=True, byok_usage_monthly=20)

    assert without is not None
    assert with_byok is not None
    assert without.per_day is not None
    assert with_byok.per_day == pytest.approx(2 * without.per_day)
    assert pace(counts=True) is None  # the BYOK usage is unknown, so the sum is


def test_the_pace_is_that_of_the_first_budget_to_run_out_else_of_the_limiting_one() -> None:
    used = {"usage_monthly": 46, "limit": 1000, "limit_remaining": 30, "limit_reset": None}

    soonest = assess_wire(used | {"budgets": [budget("workspace", 2000, 40)]})
    assert (soonest.limited_by, known_pace(soonest).scope) == ("key_limit", "workspace")

    lasting = assess_wire(used | {"limit_reset": "daily", "budgets": [budget("workspace", 41, 40)]})
    assert (lasting.limited_by, known_pace(lasting).scope) == ("key_limit", "key_limit")
    assert known_pace(lasting).lasts_until_reset is True


def test_of_two_budgets_with_one_scope_the_pace_is_the_limiting_ones() -> None:
    budgets = [budget("member", 500, 480), budget("member", 20, 19, reset_interval="daily")]
    pace = known_pace(assess_wire({"limit": None, "budgets": budgets}))

    assert pace.projected_at_reset == pytest.approx(Decimal("1.44"), abs=Decimal("0.01"))  # the daily one's


def test_the_accounts_credit_runs_out_too_at_the_keys_pace_at_the_latest() -> None:
    used = {"usage_daily": 2, "usage_weekly": 15, "usage_monthly": 46}
    credit = {"total_credits": 100, "total_usage": 99}
    limited = {"limit": 900, "limit_remaining": 854, "limit_reset": "monthly"}

    for balance in (assess_wire(used | {"limit": None}, credit), assess_wire(used | limited, credit)):
        pace = known_pace(balance)
        assert (balance.limited_by, pace.scope, pace.is_upper_bound) == ("account_credit", "account_credit", True)
        assert pace.runs_out_at is not None
        assert timedelta(hours=5) < pace.runs_out_at - NOW < timedelta(hours=7)
        assert (pace.runs_out_earliest, pace.runs_out_latest, pace.lasts_until_reset) == (None, None, None)


def test_of_a_key_limit_and_a_credit_the_pace_is_of_what_runs_out_first() -> None:
    """$0.13 of credit is gone in 24 s at $462 a day, hours before the limit."""
    used = {"usage_daily": 462, "usage_weekly": 462, "usage_monthly": 462, "limit": 600, "limit_remaining": 138}
    now = datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC)  # a Monday: day, week and month began at once
    key = KeyInfo.model_validate(used | {"limit_reset": "monthly"})

    balance = assess(key, Credits(total_credits=Decimal(500), total_usage=Decimal("499.87")), now)

    pace = known_pace(balance)
    assert (pace.scope, pace.runs_out_at) == ("account_credit", now + timedelta(seconds=24))
    assert balance.budgets[0].runs_out_at is not None
    assert balance.budgets[0].runs_out_at > now + timedelta(hours=7)
    assert assess(key, None, now).pace == balance.budgets[0].pace


def test_a_pace_of_zero_says_nothing_about_a_credit_that_others_spend_from() -> None:
    balance = assess_wire({"limit": None, "usage_daily": 0, "usage_weekly": 0, "usage_monthly": 0}, CREDIT)

    assert (balance.spendable, balance.pace) == (Decimal(40), None)


def test_bring_your_own_key_spend_does_not_use_up_the_credit() -> None:
    used = {"limit": None, "include_byok_in_limit": True, "byok_usage_monthly": 500, "usage_monthly": 11.7}

    assert known_pace(assess_wire(used, CREDIT)).per_day == pytest.approx(Decimal(1), abs=Decimal("0.01"))


def test_what_runs_out_within_a_day_and_before_its_reset_needs_attention() -> None:
    def balance(remaining: float, reset: str | None) -> Balance:
        used = {"usage_monthly": 11.7, "usage_weekly": 3.7, "usage_daily": 0.7}
        return assess_wire(used | {"limit": 5, "limit_remaining": remaining, "limit_reset": reset})

    assert balance(0.9, None).needs_attention
    assert not balance(1.2, None).needs_attention
    assert not balance(0.9, "daily").needs_attention  # it lasts until the reset
    assert not balance(0, None).needs_attention  # it is exhausted


def test_every_budget_says_whether_it_limits_and_when_it_runs_out() -> None:
    budgets = [budget("member", 100, 60), budget("member", 60, 10)]
    data = json.loads(assess_wire({"limit": None, "budgets": budgets}).model_dump_json())

    assert [each["isLimiting"] for each in data["budgets"]] == [False, True]
    assert [each["runsOutAt"] for each in data["budgets"]] == [None, "2026-02-15T00:47:44.000Z"]
    assert "pace" not in data["budgets"][0]


def test_what_lasts_until_the_reset_and_what_an_even_pace_would_have_left() -> None:
    now = datetime(2026, 2, 8, tzinfo=UTC)
    key = KeyInfo.model_validate({"limit": 100, "limit_remaining": 42, "limit_reset": "monthly", "usage_monthly": 58})
    pace = known_pace(assess(key, None, now))

    assert (pace.affordable_per_day, pace.even_percent_remaining) == (Decimal(2), Decimal(75))
    assert pace.per_day is not None
    assert pace.projected_at_reset == pytest.approx(58 + 21 * pace.per_day)


def test_an_exhausted_balance_has_run_out_now() -> None:
    pace = known_pace(assess_account("two-spent"))
    assert (pace.scope, pace.runs_out_at, pace.lasts_until_reset) == ("workspace", NOW, False)
