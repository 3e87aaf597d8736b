"""The status table for every kind of account."""

from __future__ import annotations

import asyncio
import io
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from orcredit import simulator
from orcredit.balance import Balance, Threshold, assess
from orcredit.durations import format_duration
from orcredit.openrouter import KeyInfo
from orcredit.render.plain import plain_line
from orcredit.render.status import StatusTable
from orcredit.render.times import format_instant
from tests.simulated import NOW, ask, assess_account, assess_wire, budget
from tests.test_monitor import World, follow

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def show(balance: Balance, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False, color_system=None)
    console.print(StatusTable(balance))
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def show_account(name: str, *, with_credit: bool = False) -> str:
    return show(assess_account(name, with_credit=with_credit))


def test_a_normal_account() -> None:
    shown = show_account("demo")

    assert "Can spend $158.61 · ok · limited by the key limit" in shown
    assert "$341.39 of $500.00 used · $158.61 left" in shown
    assert "31.7% left" in shown
    assert "monthly, in 16 d 7 h · Sun 2026-03-01 01:00 CET" in shown
    assert "Used (UTC) today this week this month all-time $90.77 $341.39 $341.39 $341.49" in shown
    assert "36 of 1,000 requests used today (UTC) · 964 left" in shown
    assert "As of Thu 2026-02-12 17:39:47 CET" in shown
    assert "BYOK" not in shown
    assert "Account credit not known: OpenRouter did not tell it to this key" in shown


def test_amounts_below_a_cent_keep_their_digits() -> None:
    assert "Can spend $0.0018 · ok" in show_account("tiny")


def test_exhausted_shows_until_when() -> None:
    assert "EXHAUSTED" in show_account("exhausted")
    assert "Requests are refused until Sun 2026-03-01 01:00 CET." in show_account("exhausted")


def test_a_spent_lifetime_limit_has_no_until() -> None:
    key = KeyInfo.model_validate({"limit": 5, "limit_remaining": 0, "limit_reset": None})
    assert "refused until that limit is raised" in show(assess(key, None, NOW))


def test_a_negative_credit_refuses_even_free_models() -> None:
    assert "even free models are refused" in show_account("negative-credit", with_credit=True)


def test_a_key_without_a_limit_has_a_notice_about_the_credit() -> None:
    free = show_account("free-tier")
    assert "Can spend free models only 38 of 50 free requests left today, until Fri 2026-02-13 01:00 CET." in free
    unlimited = show_account("unlimited")
    assert (
        "Can spend no limit on this key The account's credit is not known: set OPENROUTER_MANAGEMENT_KEY" in unlimited
    )


def test_granted_credit_is_not_known() -> None:
    assert "credit not known: OpenRouter reports no purchased credit" in show_account("grant-only", with_credit=True)


def test_byok_spend_has_a_row_and_whether_it_counts() -> None:
    assert "BYOK (UTC) $1.50 $10.00 $25.00 $60.00 Bring-your-own-key spend counts against" in show_account("byok")
    assert "does not count against the key limit" in show_account("byok-excluded")


def test_an_expiry_is_emphasized_from_seven_days_before() -> None:
    def expiring(after: timedelta) -> str:
        key = KeyInfo.model_validate({"limit": None, "expires_at": (NOW + after).isoformat()})
        return show(assess(key, None, NOW))

    assert "The key expires" not in expiring(timedelta(days=7, seconds=1))
    assert "The key expires in 7 d, on" in expiring(timedelta(days=7))
    assert "The key expires in 3 d 5 h, on" in show_account("expiring")
    assert "The key expired on" in expiring(timedelta(0))


def test_every_budget_has_a_row_when_there_are_several() -> None:
    shown = show_account("many-budgets")

    for words in (
        "member default $88.70",
        "member budget $27.25",
        "API key budget $7.50",
        "workspace budget",
        "key limit",
    ):
        assert words in shown
    assert "limited by the API key budget" in shown
    assert "workspace budget -$0.40 $25.00 -1.6% spent, resets in 16 d" in show_account("workspace-spent")


def test_two_budgets_of_one_scope_are_told_apart_by_their_periods() -> None:
    shown = show_account("two-of-one-scope")
    assert "limited by the daily member budget Budget $1.35 of $5.00 used" in shown
    assert "monthly member budget $40.00 $60.00 66.7% resets in 16 d daily member budget $3.65 $5.00 73.0%" in shown


def test_a_run_out_of_another_budget_of_the_limiting_ones_scope_says_which() -> None:
    """The daily one has $4 left and lasts until midnight; the monthly one runs out in two days."""
    daily = budget("member", 5, 4, reset_interval="daily")
    balance = assess_wire({"limit": None, "budgets": [daily, budget("member", 60, 10)]})
    assert balance.limited_by == "member"
    assert "a day of the monthly member budget (by its period so far) Runs out in 2 d" in show(balance)
    (snapshot,) = asyncio.run(follow(World(balance).poller(), 1))
    line = plain_line(snapshot)
    assert "80.0% of the daily member budget left  the monthly member budget runs out in 2 d" in line
    assert "resets in 7 h" in line


def test_the_breached_threshold_is_shown_in_red() -> None:
    def budget(scope: str, limit: int, remaining: int, reset: str = "monthly") -> dict[str, object]:
        return {"scope": scope, "limit_usd": limit, "remaining_usd": remaining, "reset_interval": reset}

    def low(*budgets: dict[str, object], warn_below: str = "10%") -> Balance:
        key = KeyInfo.model_validate({"limit": 100, "limit_remaining": 50, "budgets": budgets, "usage_monthly": 50})
        return assess(key, None, NOW, [Threshold.parse(warn_below)])

    assert "Low: less than 10% of the workspace budget is left." in show(low(budget("workspace", 2000, 120)))
    assert "Low: less than $60.50 is left." in show(low(warn_below="60.5"))
    assert "Low: it runs out in less than 100 d." in show(low(warn_below="100d"))

    console = Console(file=io.StringIO(), width=100, color_system="standard", force_terminal=True)
    console.print(StatusTable(low(budget("api_key", 40, 39, "daily"), budget("api_key", 2000, 120))))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.findall(r"\x1b\[(\d+)m *([\d.]+)%", shown) == [("32", "97.5"), ("31", "6.0")]  # the bar, the breach
    assert shown.count("\x1b[1mdaily API key budget") == 1


def test_a_narrow_terminal_shows_every_budget() -> None:
    shown = show(assess_account("many-budgets"), width=40)
    for amount in ("$88.70", "$27.25", "$7.50", "$587.10", "$80.00"):
        assert amount in shown


@pytest.mark.parametrize("width", [100, 40])
def test_of_thousands_of_budgets_some_are_shown_and_with_them_the_one_that_limits(width: int) -> None:
    budgets = [{"scope": f"scope-{number}", "limit_usd": 9000 - number, "spend_usd": 0} for number in range(5000)]
    balance = assess(KeyInfo.model_validate({"limit": None, "budgets": budgets}), None, NOW)
    shown = show(balance, width)
    assert shown.count("scope-") == 51
    assert shown.count("scope-4999") == 2  # in the first line, too
    assert re.search(r"and 4,950 more; orcredit\s+status --json\s+lists them all", shown)


def test_a_remainder_that_rounds_to_zero_is_not_shown_as_zero() -> None:
    key = KeyInfo.model_validate({"limit": 1000, "limit_remaining": 0.05, "limit_reset": "daily"})
    assert "<0.1% left" in show(assess(key, None, NOW))


def test_an_unknown_period_and_scope_are_shown() -> None:
    budget = {
        "scope": "galaxy_far_far_away_and_long_ago",
        "limit_usd": 5,
        "remaining_usd": 4,
        "reset_interval": "lunar",
    }
    shown = show(assess(KeyInfo.model_validate({"limit": None, "budgets": [budget]}), None, NOW))
    assert "Budget $1.00 of $5.00 used" in shown
    assert "lunar (when is not known)" in shown
    assert "limited by the galaxy far far away a..." in shown


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=16, hours=7, minutes=20), "16 d 7 h"),
        (timedelta(days=2, minutes=20), "2 d"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(minutes=12, seconds=59), "12 min"),
        (timedelta(minutes=2, seconds=59), "2 min"),
        (timedelta(minutes=1, seconds=22), "1 min 22 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=-1), "0 s"),
    ],
)
def test_durations_are_formatted_for_people(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize("name", ["demo", "daily", "many-budgets", "expiring", "exhausted"])
def test_the_table_can_be_shown_at_the_end_of_the_calendar(name: str) -> None:
    now = datetime.max.replace(tzinfo=UTC)
    shown = show(assess(KeyInfo.model_validate(ask("/key", simulator.key_for(name))), None, now))
    assert "As of Fri 9999-12-31 23:59:59" in shown


def test_the_end_of_the_calendar_can_be_formatted() -> None:
    assert format_instant(datetime.max.replace(tzinfo=UTC)).startswith("Fri 9999-12-31 23:59")
