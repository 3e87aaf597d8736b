"""`assess`: from OpenRouter's answers to the `Balance` document, for every kind of account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from orcredit.balance import Breach, Level, Threshold, assess, in_force
from orcredit.errors import ExitCode
from orcredit.openrouter import Credits, KeyInfo
from tests.simulated import NOW, assess_account, assess_wire, budget


def test_the_original_dashboards_sample_gives_its_ten_fields() -> None:
    document = json.loads(assess_account("demo").model_dump_json())

    assert list(document)[:10] == [
        "totalLimit",
        "remaining",
        "resetPeriod",
        "usage",
        "usageDaily",
        "usageWeekly",
        "usageMonthly",
        "percentRemaining",
        "warningLowBudget",
        "fetchedAt",
    ]
    assert {name: document[name] for name in list(document)[:10]} == {
        "totalLimit": 500.0,
        "remaining": 158.61,
        "resetPeriod": "monthly",
        "usage": 341.49,
        "usageDaily": 90.77,
        "usageWeekly": 341.39,
        "usageMonthly": 341.39,
        "percentRemaining": 31.7,
        "warningLowBudget": False,
        "fetchedAt": "2026-02-12T16:39:47.000Z",
    }


def test_the_document_has_exactly_the_contracts_fields_in_order() -> None:
    document = json.loads(assess_account("credit-below-limit", with_credit=True).model_dump_json())

    assert list(document)[10:] == [
        "used",
        "resetsAt",
        "spendable",
        "limitedBy",
        "level",
        "budgets",
        "refusedUntil",
        "thresholds",
        "account",
        "accountError",
        "byok",
        "freeRequests",
        "key",
        "pace",
        "lowBecause",
        "profile",
        "stale",
        "staleReason",
    ]
    assert list(document["pace"]) == [
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
    assert document["stale"] is False
    assert set(document["budgets"][0]) == {
        "scope",
        "limit",
        "spent",
        "remaining",
        "percentRemaining",
        "resetPeriod",
        "resetsAt",
        "includeByok",
        "isLimiting",
        "runsOutAt",
        "isUpperBound",
    }
    assert document["account"] == {
        "totalCredits": 80.0,
        "totalUsage": 79.87,
        "remaining": 0.13,
        "source": "management_key",
        "runsOutAt": document["pace"]["runsOutAt"],
        "isUpperBound": True,
    }
    assert set(document["byok"]) == {"usage", "usageDaily", "usageWeekly", "usageMonthly", "includedInLimit"}
    assert set(document["freeRequests"]) == {"used", "limit", "remaining"}
    assert set(document["key"]) == {"label", "expiresAt", "isManagementKey", "isFreeTier"}


def test_trap_1_all_time_usage_does_not_count_against_the_limit() -> None:
    balance = assess_account("all-time-usage")

    assert (balance.usage, balance.used, balance.remaining) == (Decimal(4000), Decimal(30), Decimal(20))
    assert balance.percent_remaining == 40


def test_trap_2_the_accounts_credit_wins_when_it_is_lower_than_the_limit() -> None:
    assert assess_account("credit-below-limit").spendable == Decimal("16.63")

    balance = assess_account("credit-below-limit", with_credit=True)

    assert (balance.spendable, balance.limited_by) == (Decimal("0.13"), "account_credit")
    assert balance.level is Level.LOW  # less than $1 of the credit: percentages do not apply to it
    assert balance.low_because == Breach(threshold="$1", scope="account_credit")
    assert balance.percent_left is None
    assert balance.percent_remaining == Decimal("33.3")


def test_trap_3_the_workspace_may_be_limiting() -> None:
    balance = assess_account("workspace-first")

    assert (balance.spendable, balance.limited_by, balance.remaining) == (Decimal("1.2"), "workspace", Decimal(80))
    assert balance.level is Level.LOW


def test_trap_3_a_spent_budget_is_limiting_and_keeps_its_negative_remainder() -> None:
    balance = assess_account("workspace-spent")

    assert (balance.spendable, balance.limited_by, balance.level) == (Decimal(0), "workspace", Level.EXHAUSTED)
    assert balance.budgets[0].remaining == Decimal("-0.4")


def test_the_first_spent_budget_in_enforcement_order_is_limiting_even_if_a_later_one_has_less() -> None:
    balance = assess_wire(
        {"limit": 10, "limit_remaining": -5, "budgets": [budget("member", 5, 0), budget("workspace", 5, -9)]}
    )

    assert [budget.scope for budget in balance.budgets] == ["member", "workspace", "key_limit"]
    assert balance.limited_by == "member"


def test_ties_go_to_the_earlier_budget_and_credit_equal_to_a_budget_does_not_win() -> None:
    data = {"limit": 10, "limit_remaining": 3, "budgets": [budget("member", 5, 3)]}

    assert assess_wire(data).limited_by == "member"
    assert assess_wire(data, {"total_credits": 10, "total_usage": 7}).limited_by == "member"
    assert assess_wire(data, {"total_credits": 10, "total_usage": 7.01}).limited_by == "account_credit"


def test_trap_5_without_purchases_the_credit_is_unknown_rather_than_zero() -> None:
    balance = assess_account("grant-only", with_credit=True)

    assert (balance.account, balance.spendable, balance.level) == (None, None, Level.UNLIMITED)
    assert "grants are not reported" in (balance.account_error or "")


def test_trap_6_a_negative_account_exhausts_a_key_without_a_limit() -> None:
    balance = assess_account("negative-credit", with_credit=True)

    assert (balance.spendable, balance.limited_by, balance.level) == (Decimal(0), "account_credit", Level.EXHAUSTED)
    assert balance.account is not None
    assert balance.account.remaining == Decimal("-2.5")


def test_trap_9_unknown_periods_and_scopes_are_passed_through_without_a_reset() -> None:
    balance = assess_account("future")

    assert (balance.reset_period, balance.resets_at) == ("fortnightly", None)
    assert [budget.scope for budget in balance.budgets] == ["galaxy", "key_limit"]
    assert balance.budgets[0].reset_period == "lunar"


def test_trap_10_a_management_keys_balance_is_the_accounts_credit() -> None:
    balance = assess_account("management", with_credit=True)
    assert (balance.spendable, balance.limited_by, balance.level) == (Decimal(25), "account_credit", Level.OK)

    limited = assess_account("management-limited", with_credit=True)
    assert (limited.spendable, limited.limited_by) == (Decimal(6), "key_limit")


def test_the_old_management_flag_is_read_and_a_missing_one_is_none() -> None:
    assert assess_wire({"limit": None, "is_provisioning_key": True}).key.is_management_key is True
    assert assess_wire({"limit": None}).key.is_management_key is None


def test_a_limit_of_zero_is_exhausted_at_zero_percent() -> None:
    balance = assess_account("zero-limit")

    assert (balance.level, balance.percent_remaining, balance.spendable) == (Level.EXHAUSTED, Decimal(0), Decimal(0))
    assert '"percentRemaining":0.0' in balance.model_dump_json()


def test_the_free_tier_changes_neither_level_nor_spendable() -> None:
    balance = assess_account("free-tier")

    assert (balance.level, balance.spendable, balance.limited_by) == (Level.UNLIMITED, None, None)
    assert balance.free_requests is not None
    assert balance.free_requests.remaining == 38


def test_an_ordinary_keys_credit_of_more_used_than_bought_is_not_known() -> None:
    """It spends grants, which are not reported; a management key's is a debt."""
    key = KeyInfo.model_validate({"limit": None})
    overdrawn = Credits(total_credits=Decimal(10), total_usage=Decimal(12))

    unknown = assess(key, overdrawn, NOW, source="key")
    assert (unknown.account, unknown.account_error, unknown.level) == (None, None, Level.UNLIMITED)
    known = assess(key, overdrawn, NOW, source="management_key")
    assert (known.spendable, known.level) == (Decimal(0), Level.EXHAUSTED)


def test_two_zeros_for_an_ordinary_key_are_not_known_and_no_error() -> None:
    nothing = Credits(total_credits=Decimal(0), total_usage=Decimal(0))
    balance = assess(KeyInfo.model_validate({"limit": None}), nothing, NOW, source="key")
    assert (balance.account, balance.account_error, balance.level) == (None, None, Level.UNLIMITED)


@pytest.mark.parametrize(("left", "level"), [("1", Level.OK), ("0.99999999", Level.LOW), ("0", Level.EXHAUSTED)])
def test_the_credit_is_low_below_a_dollar_unless_dollars_or_a_time_are_given(left: str, level: Level) -> None:
    key = KeyInfo.model_validate({"limit": 2, "limit_remaining": 1.5, "limit_reset": "monthly"})
    credits_ = Credits(total_credits=Decimal(10), total_usage=10 - Decimal(left))

    assert assess(key, credits_, NOW).level is level
    if level is Level.LOW:
        assert assess(key, credits_, NOW, in_force([Threshold.parse("5%")])).level is Level.LOW
        for given in ("0.5", "1h"):
            assert assess(key, credits_, NOW, in_force([Threshold.parse(given)])).level is Level.OK


def test_a_limit_of_less_than_a_dollar_is_not_low() -> None:
    assert assess_wire({"limit": 0.5, "limit_remaining": 0.4}).level is Level.OK


def test_little_credit_may_be_refused_early() -> None:
    def early(total_usage: float) -> bool:
        credit = {"total_credits": 100, "total_usage": total_usage}
        return assess_wire({"limit": None}, credit).may_be_refused_early

    assert [early(used) for used in (90, 90.01, 99.99, 100, 101)] == [False, True, True, False, False]
    assert not assess_wire({"limit": 5, "limit_remaining": 5}).may_be_refused_early


def test_refused_until_is_the_last_reset_of_what_is_spent() -> None:
    def until(*budgets: dict[str, Any], credit: dict[str, Any] | None = None) -> datetime | None:
        return assess_wire({"limit": None, "budgets": list(budgets)}, credit).refused_until

    day, week = (budget("member", 10, 0, reset_interval=period) for period in ("daily", "weekly"))
    never = budget("member", 10, 0, reset_interval=None)

    assert until(budget("member", 10, 1)) is None
    assert until(day, week, budget("workspace", 10, 1)) == datetime(2026, 2, 16, tzinfo=UTC)
    assert until(day, never) is None
    assert until(day, budget("key_limit", 0, 0)) is None  # a limit of zero is reset to zero
    assert until(day, credit={"total_credits": 5, "total_usage": 5}) is None


def test_the_thresholds_in_force_are_in_the_document() -> None:
    assert assess_account("normal").thresholds == ("10%", "$1")
    assert assess_account("normal", "5%").thresholds == ("5%", "$1")
    assert assess_account("normal", "3d").thresholds == ("10%", "3d")
    assert assess_account("normal", "5", "20%").thresholds == ("$5", "20%")


def test_of_two_budgets_with_one_scope_the_first_spent_is_limiting() -> None:
    one, other = budget("member", 10, 0), budget("member", 10, -5, reset_interval="daily")
    balance = assess_wire({"limit": None, "budgets": [budget("member", 100, 50), one, other]})
    assert balance.limiting is balance.budgets[1]


@pytest.mark.parametrize(
    ("level", "code"),
    [
        (Level.OK, ExitCode.OK),
        (Level.UNLIMITED, ExitCode.OK),
        (Level.LOW, ExitCode.LOW),
        (Level.EXHAUSTED, ExitCode.EXHAUSTED),
    ],
)
def test_the_levels_exit_codes(level: Level, code: ExitCode) -> None:
    assert level.exit_code is code
