"""What every simulated account looks like, in every rendering of the terminal: `tests/golden/`, to be read.

`ORCREDIT_WRITE_GOLDEN=1 python -m pytest -n 0 tests/test_golden.py` writes the files anew. Then read what changed: no
number may contradict another, and nothing that is not known may look well.
"""

from __future__ import annotations

import io
import json
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from rich.console import Console

from orcredit import cache, simulator
from orcredit.balance import Balance, assess
from orcredit.balance.forecast import calendar_usage
from orcredit.money import format_usd
from orcredit.openrouter import Credits, KeyInfo
from orcredit.openrouter.spending import spending_call, spent_by_day
from orcredit.render.line import Line
from orcredit.render.status import StatusTable
from tests.simulated import NOW, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

GOLDEN = Path(__file__).with_name("golden")
URL = "http://127.0.0.1/v1"

NOWS = {
    "after-reset": datetime(2026, 3, 1, 0, 4, tzinfo=UTC),
    "refused-later": NOW.replace(second=12),
}
"""Where another instant shows more."""

ACCOUNTS = [name for name in simulator.ACCOUNTS if name != "older-broken"]  # which has no balance


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """In UTC, and with a new cache."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def balance_of(name: str) -> Balance:
    """Assess an account with its own answer to `/credits`, where it gets one, else with its management key's."""
    now = NOWS.get(name, NOW)
    key = KeyInfo.model_validate(ask("/key", simulator.key_for(name), now))
    credits_ = None
    is_told = simulator.ACCOUNTS[name].tells_credits
    if simulator.ACCOUNTS[name].purchased is not None:
        asked_with = simulator.key_for(name) if is_told else simulator.management_key_for(name)
        credits_ = Credits.model_validate(ask("/credits", asked_with, now))
    spent = account_spent(name, now) if credits_ is not None and not is_told else None
    return assess(key, credits_, now, source="key" if is_told else "management_key", account_spent=spent)


def account_spent(name: str, now: datetime) -> tuple[Decimal, Decimal, Decimal]:
    """Ask the analytics what an account spent in the current day, week and month."""
    call = spending_call(SecretStr(simulator.management_key_for(name)), now)
    headers = {"authorization": f"Bearer {call.secret.get_secret_value()}"}
    request = simulator.Request(call.method, f"/api/v1{call.path}", headers, call.body or b"")
    days = spent_by_day(call.model().model_validate(json.loads(simulator.respond(request, now).body)["data"]))
    assert days is not None
    return calendar_usage(days, now)


def table(balance: Balance, width: int, *, has_colour: bool = False) -> str:
    """Render `orcredit status`."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        color_system="standard" if has_colour else None,
        force_terminal=has_colour,
        legacy_windows=False,
    )
    console.print(StatusTable(balance))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def line(balance: Balance) -> str:
    """Render `orcredit line`, ten seconds after the answer."""
    cache.store(URL, "key", balance)
    cached = cache.load(URL, "key")
    assert cached is not None
    return Line(cached, cached.written_at + 10, 60).text()


def renderings(name: str) -> str:
    """Render an account in every way."""
    balance = balance_of(name)
    parts = {
        "about": simulator.ACCOUNTS[name].about + "\n",
        "line": line(balance) + "\n",
        "status, 80 columns": table(balance, 80),
        "status, 40 columns": table(balance, 40),
    }
    return "\n".join(f"--- {title}\n{text}" for title, text in parts.items())


@pytest.mark.parametrize("name", ACCOUNTS)
def test_every_rendering_of_an_account_is_as_it_was_read(name: str) -> None:
    path, shown = GOLDEN / f"{name}.txt", renderings(name)
    if os.environ.get("ORCREDIT_WRITE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_every_file_is_of_an_account() -> None:
    assert {path.stem for path in GOLDEN.glob("*")} == set(ACCOUNTS)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_only_a_bar_above_half_is_green(name: str) -> None:
    balance = balance_of(name)
    greens = re.findall(r"\x1b\[(?:1;)?32m([^\x1b]*)", table(balance, 80, has_colour=True))

    assert all(set(text) <= set("━╸ ") or re.fullmatch(r"\d+\.\d% left", text) for text in greens)
    if greens:
        assert balance.percent_left is not None
        assert balance.percent_left > 50
        assert not balance.level.is_warning


@pytest.mark.parametrize("name", ACCOUNTS)
def test_the_renderings_agree(name: str) -> None:
    """The amount, what limits it, its percentage and the run-out are the same everywhere."""
    balance = balance_of(name)
    prompt, wide = line(balance), table(balance, 120)

    if balance.spendable is not None and balance.level.value != "exhausted":
        assert format_usd(balance.spendable) in prompt
        assert re.match(
            rf"Can spend +{re.escape(format_usd(balance.spendable))} · {balance.level}", wide, re.IGNORECASE
        )
    if balance.percent_left is not None and balance.level.value != "exhausted":
        assert f"{balance.percent_left}% left" in wide
    if balance.pace is not None and balance.pace.runs_out_at is not None and balance.level.value != "exhausted":
        assert "Runs out" in wide
