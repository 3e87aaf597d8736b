"""`assess`: what holds of every answer, also of those that OpenRouter has not given yet."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orcredit import simulator
from orcredit.balance import Balance, Level, Threshold, assess
from orcredit.errors import NonsenseError
from orcredit.openrouter import Credits, KeyInfo
from orcredit.openrouter.response import read_data
from tests.simulated import NOW, ask, assess_wire

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
