"""The page and `status` say the same: `web/tests/agreement.json` holds documents and what `status` says of each.

`ORCREDIT_WRITE_GOLDEN=1 python -m pytest -n 0 tests/test_agreement.py` writes it anew; `web/tests/agreement.test.tsx`
compares the page's words with it. Both run in one time zone.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from orcredit.balance import Balance, Level, Threshold, assess, in_force
from orcredit.balance.cause import Cause
from orcredit.monitor import Rate, Runaway
from orcredit.openrouter import Credits, KeyInfo
from orcredit.render.status import Rows
from orcredit.render.times import format_instant
from orcredit.verdict import verdict
from orcredit.words import notices, rate_text, runaway_text
from tests.simulated import NOW, budget
from tests.test_golden import ACCOUNTS, balance_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parent.parent / "web" / "tests" / "agreement.json"
ZONE = "Europe/Berlin"
"""Also in `web/vite.config.ts`."""

GENERATED = 60
LATER = (0, 30, 9 * 3600, 2 * 86400, 40 * 86400)
"""Seconds after the answer at which verdicts are compared: they name days and count down."""


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", ZONE)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def status_rows(balance: Balance) -> dict[str, list[str]]:
    """Return the lines of each row of `orcredit status`, unwrapped, by its label; those of the limits as one row."""
    console = Console(width=500, color_system=None, markup=False, highlight=False, emoji=False, legacy_windows=False)
    rows: dict[str, list[str]] = {}
    label = ""
    for name, value in Rows(balance, console, console.options):
        label = name or label
        with console.capture() as shown:
            console.print(value)
        rows.setdefault(label, []).extend(line.rstrip() for line in shown.get().splitlines())
    return rows


def said(balance: Balance, rate: Rate | None, runaway: Runaway | None) -> dict[str, Any]:
    """Return what the terminal says of a balance."""
    now, rows = balance.fetched_at, status_rows(balance)
    notes = [notice.text for notice in notices(balance, format_instant)]
    assert rows["Can spend"][1:] == notes
    gauge = rows.get("Key limit") or rows.get("Budget")
    tables = [re.split(r" {2,}", line) for line in rows.get("Limits", [])[1:]]
    of_credit = rows.get("Account", [""])[0]
    return {
        "amount": rows["Can spend"][0],
        "notices": [[notice.text, notice.tone.value] for notice in notices(balance, format_instant)],
        "gauge": gauge and [gauge[0], gauge[1].strip(" ━╌╸")],
        "resets": rows.get("Resets", [None])[0],
        "limits": tables,
        "pace": rows.get("Pace", [None])[0],
        "runsOut": rows.get("Runs out"),
        "lasts": rows.get("Lasts"),
        "toLast": rows.get("To last", [None])[0],
        "creditNotKnown": of_credit if of_credit.startswith("credit not known: ") else None,
        "needsAttention": balance.needs_attention,
        "verdicts": [[seconds, *verdict_words(balance, runaway, seconds)] for seconds in LATER],
        "rate": rate and rate_text(rate, now),
        "runaway": runaway and runaway_text(runaway, now),
    }


def verdict_words(balance: Balance, runaway: Runaway | None, seconds: int) -> tuple[str, str]:
    """Return text and tone of the verdict so many seconds after OpenRouter answered."""
    summed_up = verdict(balance, balance.fetched_at + timedelta(seconds=seconds), runaway)
    return summed_up.text, summed_up.tone.value


def case(name: str, balance: Balance, rate: Rate | None = None, runaway: Runaway | None = None) -> str:
    """Write a case as JSON, in a few lines, so that a change of one is read as such."""
    parts = {
        "name": json.dumps(name),
        "balance": balance.model_dump_json(),
        "rate": "null" if rate is None else rate.model_dump_json(),
        "runaway": "null" if runaway is None else runaway.model_dump_json(),
        "said": json.dumps(said(balance, rate, runaway), ensure_ascii=False),
    }
    return "{\n" + ",\n".join(f'"{key}": {text}' for key, text in parts.items()) + "\n}"


def twice(amount: float) -> Decimal:
    return Decimal(str(amount)) * 2


def generated(seed: int) -> Balance:
    """Make up an answer: any scopes, twice the same, overdrawn, unknown, expiring, with any threshold."""
    dice = random.Random(seed)  # noqa: S311 - to be the same again

    def amount(largest: float) -> float:
        return round(
            dice.choice([dice.random(), dice.random(), dice.random() ** 6, 0.125]) * largest, dice.choice([2, 3, 6])
        )

    def reset() -> dict[str, Any]:
        period = dice.choice(["daily", "weekly", "monthly", None, "every_full_moon"])
        at = NOW + timedelta(minutes=dice.choice([30, 500, 5000, 50000, 900_000]))
        return {"reset_interval": period, "resets_at": at.isoformat() if period and dice.random() < 0.3 else None}

    scopes = [
        "workspace",
        "member",
        "api_key",
        "galaxy_of_very_many_words_indeed",
        "workspace_default_key",
        "key_limit",
    ]
    limits = [
        dice.choice([0.002, 1, 25, 25, 500, 500, 2_000_000]) * (dice.random() > 0.03)
        for _ in range(dice.choice([0, 1, 1, 2, 2, 3, 4]))
    ]
    budgets = []
    for limit in limits:
        left = amount(limit) if dice.random() < 0.92 else -amount(limit or 5)
        budgets.append(budget(dice.choice(scopes), limit, left, include_byok=dice.random() < 0.2, **reset()))
    day = amount(20)
    week = day + amount(60)
    month = week + amount(200)
    key: dict[str, Any] = {
        "label": "sk-or-v1-aaa...bbb", "limit": None, "limit_remaining": None, "limit_reset": None, "budgets": budgets,
        "usage": month + amount(5000), "usage_monthly": month, "usage_weekly": week, "usage_daily": day,
        "byok_usage": 0, "byok_usage_daily": 0, "byok_usage_weekly": 0, "byok_usage_monthly": 0,
        "is_free_tier": dice.random() < 0.2, "is_management_key": False,
    }  # fmt: skip
    if dice.random() < 0.2:
        key |= {"usage_daily": None, "usage_weekly": None, "usage_monthly": None}
    if dice.random() < 0.3:
        expires_in = timedelta(minutes=dice.choice([-60, 45, 700, 2000, 9000, 100_000, 600_000]))
        key["expires_at"] = (NOW + expires_in).isoformat()
    if dice.random() < 0.5:
        remaining = dice.choice([0, 1])
        used = dice.choice([0, 12])
        key |= {"free_model_daily_requests": {"used": used, "limit": 1000, "remaining": remaining * (1000 - used)}}
    if key["is_free_tier"] and dice.random() < 0.5:
        key |= {"usage": 0, "usage_monthly": 0, "usage_weekly": 0, "usage_daily": 0, "budgets": []}
    credits_ = None
    if dice.random() < 0.5:
        bought = dice.choice([10, 5000])
        spent = bought - dice.choice([amount(bought), amount(bought), amount(bought), amount(0.2), 0, -2.5])
        credits_ = Credits.model_validate({"total_credits": bought, "total_usage": spent})
    given = dice.sample(["10%", "50%", "99.5%", "$5", "0.005", "3d", "90m", "30d", "1.5s"], dice.choice([0, 0, 1, 2]))
    return assess(
        KeyInfo.model_validate(key),
        credits_,
        NOW.replace(microsecond=dice.choice([0, 123_000])),
        in_force([Threshold.parse(text) for text in given]),
        account_error="OpenRouter refused the management key." if credits_ is None and dice.random() < 0.3 else None,
        source=dice.choice(["key", "management_key"]),
        profile="work" if seed % 5 == 0 else None,
        account_spent=(twice(day), twice(week), twice(month)) if seed % 3 == 0 else None,
    )


def rates(index: int, balance: Balance) -> tuple[Rate | None, Runaway | None]:
    """Make up how fast money is spent: idle, calm, as fast as a runaway, by now gone."""
    at: datetime | None
    per_minute, times, at = [
        (Decimal("0.195833"), Decimal("2.5"), None),
        (Decimal(0), None, None),
        (Decimal("43.00001"), Decimal("900.5"), balance.fetched_at + timedelta(seconds=82)),
        (Decimal("0.00000417"), Decimal("1.4"), balance.fetched_at + timedelta(days=2)),
        (Decimal("1234.5"), None, balance.fetched_at - timedelta(seconds=3)),
    ][index % 5]
    scope = balance.limited_by or "account_credit"
    rate = Rate(
        last_1m=None, last_5m=None, last_15m=None, per_minute=per_minute, times_pace=times, runs_out_at=at, scope=scope
    )
    if index % 5 in {0, 1, 3}:
        return rate, None
    runaway = Runaway(
        scope=scope,
        period="every_full_moon" if index % 2 else None,
        since=balance.fetched_at,
        per_minute=per_minute,
        per_day=per_minute * 1440,
        times_pace=times,
        runs_out_at=at if index % 3 else None,
        cause=(None, *CAUSES)[index // 2 % 4],
    )
    return rate, runaway


CAUSES = (
    Cause(key="batch-night", model="anthropic/claude-sonnet-5", usd=Decimal("4.1"), of=Decimal(5)),
    Cause(key=None, model="openai/gpt-5-mini", usd=Decimal("0.0042"), of=Decimal("0.0084")),
    Cause(key="[red]a & b[/red]", model=None, usd=Decimal("1234.5"), of=Decimal("1234.5")),
)


def cases() -> Iterator[str]:
    """Yield every simulated account, and what may come beside them."""
    for name in ACCOUNTS:
        yield case(name, balance_of(name))
    for seed in range(GENERATED):
        balance = generated(seed)
        yield case(f"generated {seed}", balance, *(rates(seed, balance) if seed % 2 else (None, None)))


def test_what_status_says_of_each_document_is_what_the_page_is_compared_with() -> None:
    written = "[\n" + ",\n".join(cases()) + "\n]\n"
    if os.environ.get("ORCREDIT_WRITE_GOLDEN"):
        FILE.write_text(written, encoding="utf-8")
    assert written == FILE.read_text(encoding="utf-8")


def test_the_generated_documents_are_of_every_kind() -> None:
    made = [generated(seed) for seed in range(GENERATED)]

    assert {balance.level for balance in made} == set(Level)
    assert {type(Threshold.parse(one.low_because.threshold).value) for one in made if one.low_because} == {
        Decimal,
        timedelta,
    }
    assert any(len({limit.scope for limit in one.budgets}) < len(one.budgets) for one in made)
    assert any(one.spendable == 0 and limit.remaining < 0 for one in made for limit in one.budgets)
    assert any(one.pace is not None and one.pace.is_upper_bound for one in made)
    of_credit = [one for one in made if one.pace is not None and one.pace.scope == "account_credit"]
    at_its_pace = [one for one in of_credit if one.level is not Level.EXHAUSTED and one.pace and one.pace.per_day]
    said_of = {(one.limited_by == "account_credit", one.pace and one.pace.is_upper_bound) for one in at_its_pace}
    assert said_of == {(True, False), (False, False), (True, True), (False, True)}
    assert any(one.key.expires_at is not None and one.key.expires_at < one.fetched_at for one in made)
    assert {one.account.source for one in made if one.account is not None} == {"key", "management_key"}
