"""The budgets of a key: what is derived, the key's own limit where it is reported twice, and resets."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from orcredit.balance import Level, next_reset
from orcredit.errors import NonsenseError
from tests.simulated import NOW, assess_account, assess_wire, budget


def test_trap_7_a_null_limit_is_no_limit_and_a_missing_one_an_error() -> None:
    assert assess_wire({"limit": None}).level is Level.UNLIMITED
    with pytest.raises(NonsenseError, match=r"whether the key has a limit"):
        assess_wire({"usage": 5})


@pytest.mark.parametrize(
    ("account", "remaining"), [("older", "12.4"), ("older-lifetime", "12.4"), ("older-byok", "8.1")]
)
def test_trap_7_remaining_is_derived_from_the_periods_usage_for_older_deployments(account: str, remaining: str) -> None:
    balance = assess_account(account)

    assert balance.remaining == Decimal(remaining)
    assert balance.spendable == Decimal(remaining)
    assert balance.free_requests is None


@pytest.mark.parametrize(
    "data",
    [
        {"limit": 20, "limit_reset": "monthly", "usage": 5},
        {"limit": 20, "limit_reset": "fortnightly", "usage": 5, "usage_monthly": 5},
        {"limit": 20},
        {"limit": 20, "usage": 5, "include_byok_in_limit": True},
        {"limit": None, "budgets": [{"scope": "workspace", "limit_usd": 5}]},
    ],
)
def test_trap_7_a_limit_without_a_derivable_remainder_is_an_error_not_unlimited(data: dict[str, Any]) -> None:
    with pytest.raises(NonsenseError, match=r"what is left|says what is left"):
        assess_wire(data)


def test_a_key_limit_that_openrouter_lists_itself_is_not_added_twice() -> None:
    assert [budget.scope for budget in assess_account("normal").budgets] == ["key_limit"]


def test_a_reported_reset_is_used_unless_it_is_in_the_past() -> None:
    ahead = assess_wire({"limit": None, "budgets": [budget("workspace", 5, 3, resets_at="2026-02-20T00:00:00Z")]})
    assert ahead.budgets[0].resets_at == datetime(2026, 2, 20, tzinfo=UTC)

    past = assess_wire({"limit": None, "budgets": [budget("workspace", 5, 3, resets_at="2026-02-01T00:00:00Z")]})
    assert past.budgets[0].resets_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "now", "reset"),
    [
        ("daily", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ("daily", "2026-02-12T00:00:00Z", "2026-02-13T00:00:00Z"),
        ("weekly", "2026-02-15T23:00:00Z", "2026-02-16T00:00:00Z"),
        ("weekly", "2026-02-16T00:00:00Z", "2026-02-23T00:00:00Z"),
        ("monthly", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("monthly", "2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z"),
        ("monthly", "2026-02-01T00:30:00+01:00", "2026-02-01T00:00:00Z"),
    ],
)
def test_limits_reset_at_midnight_utc_on_mondays_and_on_the_first(period: str, now: str, reset: str) -> None:
    assert next_reset(period, datetime.fromisoformat(now)) == datetime.fromisoformat(reset)


@pytest.mark.parametrize("period", [None, "fortnightly", ""])
def test_a_lifetime_limit_and_an_unknown_period_have_no_reset(period: str | None) -> None:
    assert next_reset(period, NOW) is None


# The key's own limit, reported in two places


def own_limit(data: dict[str, Any]) -> tuple[object, ...]:
    """Check that the document is consistent about the key's own limit, and return it."""
    balance = assess_wire(data)
    (own,) = [budget for budget in balance.budgets if budget.scope == "key_limit"]
    assert (balance.total_limit, balance.remaining, balance.used) == (own.limit, own.remaining, own.spent)
    assert (balance.percent_remaining, balance.reset_period) == (own.percent_remaining, own.reset_period)
    assert balance.resets_at == own.resets_at
    assert own.spent == own.limit - own.remaining
    assert balance.spendable == max(own.remaining, Decimal(0))
    return own.limit, own.remaining, own.reset_period


def test_of_two_reported_key_limits_the_one_with_less_left_is_used_everywhere() -> None:
    reported = {"limit": 100, "limit_remaining": 90, "limit_reset": "monthly"}

    less = budget("key_limit", 50, 5, reset_interval="daily")
    assert own_limit(reported | {"budgets": [less]}) == (50, 5, "daily")
    more = budget("key_limit", 5000, 4000, reset_interval="daily")
    assert own_limit(reported | {"budgets": [more]}) == (100, 90, "monthly")
    equal = budget("key_limit", 95, 90, reset_interval="weekly", resets_at="2026-02-14T00:00:00Z")
    assert own_limit(reported | {"budgets": [equal]}) == (95, 90, "weekly")


def test_an_incomplete_key_limit_is_not_mixed_with_the_listed_one() -> None:
    listed = {"budgets": [budget("key_limit", 50, 20)]}
    assert own_limit({"limit": 100, "limit_remaining": None} | listed) == (50, 20, "monthly")
    assert own_limit({"limit": None, "limit_remaining": 3} | listed) == (50, 20, "monthly")


def test_the_key_limits_spent_is_derived_from_its_remainder() -> None:
    assert own_limit({"limit": None, "budgets": [budget("key_limit", 50, 20, spend_usd=11)]}) == (50, 20, "monthly")


def test_a_listed_reset_is_kept_where_only_the_amounts_disagree() -> None:
    listed = budget("key_limit", 50, 20, resets_at="2026-02-14T00:00:00Z")
    reported = {"limit": 50, "limit_remaining": 10, "limit_reset": "monthly", "budgets": [listed]}
    assert own_limit(reported) == (50, 10, "monthly")
    assert assess_wire(reported).resets_at == datetime(2026, 2, 14, tzinfo=UTC)


def test_a_listed_key_limit_without_a_reset_has_the_reported_one() -> None:
    listed = {"scope": "key_limit", "limit_usd": 50, "remaining_usd": 20}
    assert own_limit({"limit": 50, "limit_reset": "daily", "budgets": [listed]}) == (50, 20, "daily")
    assert own_limit({"limit": 50, "limit_reset": "daily", "budgets": [listed | {"reset_interval": None}]})[2] is None
