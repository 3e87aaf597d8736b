"""`Threshold`: parsing, formatting and breaches."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.balance import Balance, Level, Threshold, assess
from orcredit.errors import UsageError
from orcredit.openrouter import KeyInfo
from tests.simulated import NOW, assess_account, assess_wire, budget


@pytest.mark.parametrize(("warn_below", "level"), [("10d", Level.OK), ("10.1d", Level.LOW), ("243h", Level.LOW)])
def test_a_duration_is_breached_when_the_money_runs_out_strictly_within_it(warn_below: str, level: Level) -> None:
    noon = datetime(2026, 2, 12, 12, tzinfo=UTC)  # 11.5 days of the month
    key = KeyInfo.model_validate({"limit": 100, "limit_remaining": 40, "usage_monthly": 46})

    assert assess(key, None, noon, [Threshold.parse(warn_below)]).level is level


def test_a_duration_is_not_breached_by_money_that_lasts_until_the_reset_or_an_unknown_run_out() -> None:
    data = {"limit": 100, "limit_remaining": 99, "usage_monthly": 46, "limit_reset": "daily"}
    thresholds = [Threshold.parse("3000d")]

    assert assess(KeyInfo.model_validate(data), None, NOW, thresholds).level is Level.OK
    assert assess(KeyInfo.model_validate(data | {"usage_monthly": None}), None, NOW, thresholds).level is Level.OK


def test_a_number_alone_is_dollars_and_a_unit_makes_it_time() -> None:
    assert Threshold.parse("5") == Threshold.parse("$5") == Threshold(Decimal(5))
    assert Threshold.parse("90m") == Threshold(timedelta(minutes=90))
    assert Threshold.parse(" 3d ") == Threshold(timedelta(days=3))


@pytest.mark.parametrize(
    ("warn_below", "level"),
    [
        (["51.25%"], Level.OK),  # strictly below, and 51.25 % are left
        (["51.26%"], Level.LOW),
        (["$51.25"], Level.OK),
        (["51.26"], Level.LOW),
        (["1%", "$60"], Level.LOW),
    ],
)
def test_a_threshold_is_breached_strictly_below_it_and_any_one_counts(warn_below: list[str], level: Level) -> None:
    assert assess_account("normal", *warn_below).level is level


def test_percentages_are_compared_unrounded() -> None:
    balance = assess_wire({"limit": 100, "limit_remaining": 9.99})

    assert balance.percent_remaining == Decimal("10.0")
    assert balance.level is Level.LOW
    assert balance.warning_low_budget


def test_a_percentage_applies_to_every_budget() -> None:
    data = {"limit": 100, "limit_remaining": 80, "budgets": [budget("workspace", 2000, 100)]}

    assert assess_wire(data).level is Level.LOW  # 5 % of the workspace's budget, though the key has less in dollars


def low_because(balance: Balance) -> object:
    return json.loads(balance.model_dump_json())["lowBecause"]


def test_low_because_names_the_breached_threshold_and_the_scope() -> None:
    data = {"limit": 100, "limit_remaining": 50, "budgets": [budget("workspace", 2000, 120)]}
    balance = assess_wire(data)  # the workspace at 6 %, while the key limit at 50 % is what limits

    assert (balance.level, balance.limited_by) == (Level.LOW, "key_limit")
    assert low_because(balance) == {"threshold": "10%", "scope": "workspace"}
    assert low_because(assess_account("normal", "1%", "$60.50")) == {"threshold": "$60.5", "scope": None}
    assert low_because(assess_account("many-budgets", "100d")) == {"threshold": "100d", "scope": "member"}


def test_low_because_is_null_unless_the_level_is_low() -> None:
    assert low_because(assess_account("normal")) is None
    assert low_because(assess_account("exhausted")) is None


def test_of_two_budgets_with_one_scope_is_low_names_the_breaching_one() -> None:
    daily, monthly = budget("api_key", 10, 9, reset_interval="daily"), budget("api_key", 1000, 50)
    balance = assess_wire({"limit": None, "budgets": [daily, monthly]})

    assert low_because(balance) == {"threshold": "10%", "scope": "api_key"}
    assert [balance.is_low(budget) for budget in balance.budgets] == [False, True]
    assert balance.limiting is balance.budgets[0]


@pytest.mark.parametrize(
    "text", ["10%", "0.5%", "$1", "$5.5", "$1000", "3d", "12h", "90m", "61s", "0.25s", "1.000001s"]
)
def test_a_threshold_is_formatted_as_it_is_parsed(text: str) -> None:
    assert str(Threshold.parse(text)) == text


@pytest.mark.parametrize("text", ["", "0", "00", "000", ".5", ".50"])
def test_what_a_shell_leaves_of_dollars_is_refused_with_how_to_quote_them(text: str) -> None:
    with pytest.raises(UsageError, match="is not a threshold") as caught:
        Threshold.parse(text)
    assert "quote it ('$50'), or write 50" in caught.value.hint


@pytest.mark.parametrize("text", ["$0", "0.0", "0%", "0.00%", "0d", "0s", "$.0"])
def test_nothing_is_no_threshold(text: str) -> None:
    with pytest.raises(UsageError, match="less is never left") as caught:
        Threshold.parse(text)
    assert "10%" in caught.value.hint


@given(st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,6})?[smhd%]?", fullmatch=True))
def test_a_formatted_threshold_parses_to_the_same_one(text: str) -> None:
    with suppress(UsageError):
        threshold = Threshold.parse(text)
        assert Threshold.parse(str(threshold)) == threshold


@pytest.mark.parametrize(
    "text",
    [
        "-3",
        "110%",
        "ten",
        "%",
        "$",
        "$5%",
        "1e3",
        "5 $",
        "nan",
        "٣",
        "100.1%",
        "$1,000",
        "$3d",
        "3d%",
        "3w",
        "-3d",
        "d",
    ],
)
def test_invalid_thresholds_are_refused_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Threshold.parse(text)
    assert "10%" in caught.value.hint
    assert "$5" in caught.value.hint
    assert "3d" in caught.value.hint
