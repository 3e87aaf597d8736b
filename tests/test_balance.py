"""`assess`: from OpenRouter's answers to the `Balance` document, for every kind of account."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orcredit import simulator
from orcredit.balance import Balance, Breach, Level, Threshold, assess, in_force
from orcredit.errors import ExitCode, NonsenseError
from orcredit.openrouter import Credits, KeyInfo
from orcredit.openrouter.response import read_data

if TYPE_CHECKING:
    from orcredit.balance.forecast import Pace

NOW = datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
CREDIT = {"total_credits": 100, "total_usage": 60}


def ask(path: str, key: str, now: datetime = NOW) -> dict[str, Any]:
    request = simulator.Request("GET", f"{simulator.API_PREFIX}{path}", {"authorization": f"Bearer {key}"})
    data: dict[str, Any] = json.loads(simulator.respond(request, now).body)["data"]
    return data


def assess_account(name: str, *warn_below: str, with_credit: bool = False) -> Balance:
    key = KeyInfo.model_validate(ask("/key", simulator.key_for(name)))
    credits_ = None
    if with_credit:
        credits_ = Credits.model_validate(ask("/credits", simulator.management_key_for(name)))
    return assess(key, credits_, NOW, in_force([Threshold.parse(text) for text in warn_below]))


def assess_wire(data: dict[str, Any], credits_: dict[str, Any] | None = None) -> Balance:
    return assess(KeyInfo.model_validate(data), Credits.model_validate(credits_) if credits_ else None, NOW)


def budget(scope: str, limit: float, remaining: float, **more: object) -> dict[str, Any]:
    spent = {"spend_usd": limit - remaining, "reset_interval": "monthly", "resets_at": None, "include_byok": False}
    return {"scope": scope, "limit_usd": limit, "remaining_usd": remaining} | spent | more


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
    }
    assert document["account"] == {
        "totalCredits": 80.0,
        "totalUsage": 79.87,
        "remaining": 0.13,
        "source": "management_key",
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


def known_pace(balance: Balance) -> Pace:
    assert balance.pace is not None
    return balance.pace


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


def test_what_runs_out_within_a_day_and_before_its_reset_needs_attention() -> None:
    def balance(remaining: float, reset: str | None) -> Balance:
        used = {"usage_monthly": 11.7, "usage_weekly": 3.7, "usage_daily": 0.7}
        return assess_wire(used | {"limit": 5, "limit_remaining": remaining, "limit_reset": reset})

    assert balance(0.9, None).needs_attention
    assert not balance(1.2, None).needs_attention
    assert not balance(0.9, "daily").needs_attention  # it lasts until the reset
    assert not balance(0, None).needs_attention  # it is exhausted


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


def test_the_thresholds_in_force_are_in_the_document() -> None:
    assert assess_account("normal").thresholds == ("10%", "$1")
    assert assess_account("normal", "5%").thresholds == ("5%", "$1")
    assert assess_account("normal", "3d").thresholds == ("10%", "3d")
    assert assess_account("normal", "5", "20%").thresholds == ("$5", "20%")


def test_an_exhausted_balance_has_run_out_now() -> None:
    pace = known_pace(assess_account("two-spent"))
    assert (pace.scope, pace.runs_out_at, pace.lasts_until_reset) == ("workspace", NOW, False)


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


# Properties of every answer.

usd = st.one_of(
    st.none(),
    st.floats(min_value=-1e4, max_value=1e6, allow_nan=False).map(lambda amount: round(amount, 7)),
    st.sampled_from([0, 0.0, 1e-8, 100, 29.9999982]),
)
words = st.one_of(st.none(), st.sampled_from(["daily", "weekly", "monthly"]), st.text(max_size=8))
instants = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)).map(lambda instant: instant.isoformat()))
wire_budgets = st.fixed_dictionaries(
    {"scope": st.sampled_from(["workspace", "member", "api_key", "key_limit", "galaxy"])},
    optional={
        "limit_usd": usd,
        "spend_usd": usd,
        "remaining_usd": usd,
        "reset_interval": words,
        "resets_at": instants,
        "include_byok": st.one_of(st.none(), st.booleans()),
    },
)
wire_keys = st.fixed_dictionaries(
    {},
    optional={
        "label": st.one_of(st.none(), st.text(max_size=20)),
        "limit": usd,
        "limit_remaining": usd,
        "limit_reset": words,
        "usage": usd,
        "usage_daily": usd,
        "usage_weekly": usd,
        "usage_monthly": usd,
        "byok_usage": usd,
        "byok_usage_monthly": usd,
        "include_byok_in_limit": st.booleans(),
        "is_management_key": st.booleans(),
        "is_free_tier": st.booleans(),
        "expires_at": instants,
        "budgets": st.one_of(st.none(), st.lists(wire_budgets, max_size=5)),
    },
)
wire_credits = st.one_of(
    st.none(),
    st.fixed_dictionaries({"total_credits": usd.filter(bool), "total_usage": usd.filter(lambda x: x is not None)}),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), usd, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def try_assess(data: dict[str, Any], credits_: dict[str, Any] | None) -> Balance | None:
    try:
        return assess_wire(data, credits_)
    except NonsenseError:
        return None


@given(wire_keys, wire_credits)
def test_spendable_is_never_negative_and_never_above_any_remainder(
    data: dict[str, Any], credits_: dict[str, Any] | None
) -> None:
    balance = try_assess(data, credits_)
    if balance is None:
        return
    remainders = [budget.remaining for budget in balance.budgets]
    if balance.account is not None:
        remainders.append(balance.account.remaining)

    assert (balance.spendable is None) == (not remainders) == (balance.limited_by is None)
    if balance.spendable is not None:
        assert balance.spendable >= 0
        assert all(balance.spendable <= max(remainder, Decimal(0)) for remainder in remainders)
    own = [
        budget for budget in balance.budgets if budget.scope == "key_limit" and budget.remaining == balance.remaining
    ]
    assert (balance.total_limit is None) == (not own)
    assert balance.total_limit in {None, *(budget.limit for budget in own)}
    assert (balance.low_because is None) == (balance.level is not Level.LOW)
    assert balance.warning_low_budget == (balance.level in {Level.LOW, Level.EXHAUSTED})
    assert (balance.level is Level.EXHAUSTED) == any(remainder <= 0 for remainder in remainders)
    assert Balance.model_validate_json(balance.model_dump_json()).model_dump_json() == balance.model_dump_json()
    if any(budget.is_spent for budget in balance.budgets):
        assert balance.pace is not None
        assert balance.pace.runs_out_at == NOW


@given(wire_keys, wire_credits, st.floats(min_value=0, max_value=1000))
def test_the_level_never_improves_when_money_goes_down(
    data: dict[str, Any], credits_: dict[str, Any] | None, less: float
) -> None:
    before = try_assess(data, credits_)
    if before is None:
        return
    poorer = data | {
        "limit_remaining": None if data.get("limit_remaining") is None else data["limit_remaining"] - less,
        "budgets": [
            entry
            | ({} if entry.get("remaining_usd") is None else {"remaining_usd": entry["remaining_usd"] - less})
            | ({} if entry.get("spend_usd") is None else {"spend_usd": entry["spend_usd"] + less})
            for entry in data.get("budgets") or []
        ],
    }
    poorer_credits = credits_ and credits_ | {"total_usage": credits_["total_usage"] + less}
    severity = [Level.UNLIMITED, Level.OK, Level.LOW, Level.EXHAUSTED]

    after = try_assess(poorer, poorer_credits)

    assert after is not None
    assert severity.index(after.level) >= severity.index(before.level)


@given(st.one_of(wire_keys, st.dictionaries(st.sampled_from([*KeyInfo.model_fields, "future"]), json_values)))
def test_every_answer_gives_a_balance_or_a_nonsense_error(data: dict[str, Any]) -> None:
    body = json.dumps({"data": data}).encode()
    try:
        key = read_data(KeyInfo, body, media_type="application/json", secrets=[SecretStr("sk-or-v1-made-up")])
        assess(key, None, NOW).model_dump_json()
    except NonsenseError:
        pass


ENDS = st.one_of(
    st.timedeltas(timedelta(0), timedelta(days=40)).map(lambda left: datetime.max.replace(tzinfo=UTC) - left),
    st.timedeltas(timedelta(0), timedelta(days=40)).map(lambda passed: datetime(1970, 1, 1, tzinfo=UTC) + passed),
)


@given(wire_keys, ENDS)
def test_every_time_gives_a_balance_or_a_nonsense_error(data: dict[str, Any], now: datetime) -> None:
    with suppress(NonsenseError):
        balance = assess(KeyInfo.model_validate(data), None, now, [Threshold.parse("3650d")])
        assert Balance.model_validate_json(balance.model_dump_json()).level is balance.level


@pytest.mark.parametrize("account", ["daily", "weekly", "demo", "many-budgets", "lifetime"])
def test_in_the_last_hours_of_the_calendar_there_is_no_reset_and_no_run_out(account: str) -> None:
    now = datetime.max.replace(tzinfo=UTC) - timedelta(hours=2)
    balance = assess(KeyInfo.model_validate(ask("/key", simulator.key_for(account))), None, now)
    assert {budget.resets_at for budget in balance.budgets} == {None}
    assert balance.pace is None or balance.pace.runs_out_at is None or balance.pace.runs_out_at > now


@given(st.binary(max_size=200))
def test_every_body_that_is_not_an_answer_is_a_nonsense_error(body: bytes) -> None:
    with pytest.raises(NonsenseError):
        read_data(Credits, body, media_type="", secrets=[SecretStr("sk-or-v1-made-up")])
