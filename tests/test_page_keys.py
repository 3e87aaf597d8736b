"""The page of several profiles in Chromium: the table of keys, the way to a key's page and back."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, TypeAlias

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from tests.serving import DAYS, EVENTS, PROFILES, REFRESH, SNAPSHOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from tests.browsing import Visit, Visits
    from tests.serving import Serving, Upstream

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page-keys")]  # one worker, hence one browser

Fleet: TypeAlias = "Callable[..., Serving]"

AN_HOUR = ("--interval=1h",)


@pytest.fixture
def fleet(live: Callable[..., Serving], upstream: Upstream, tmp_path: Path) -> Fleet:
    """Start a server of profiles, each with the key of a simulated account; `shown` replaces accounts while it runs."""

    def start(accounts: Mapping[str, str], *arguments: str, shown: Mapping[str, str] | None = None) -> Serving:
        replaced = shown if shown is not None else {}

        def respond(request: simulator.Request, now: datetime) -> simulator.Response:
            keys = {
                f"Bearer {simulator.key_for(one)}": f"Bearer {simulator.key_for(other)}"
                for one, other in replaced.items()
            }
            sent = request.headers.get("authorization", "")
            headers = dict(request.headers) | {"authorization": keys.get(sent, sent)}
            return simulator.respond(simulator.Request(request.method, request.path, headers), now)

        upstream.respond = respond
        file = tmp_path / ".config" / "orcredit" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = []
        for name, account in accounts.items():
            key = tmp_path / f"{account}.key"
            key.write_text(simulator.key_for(account), encoding="utf-8")
            key.chmod(0o600)
            text.append(f'[profiles."{name}"]\nbase_url = "{upstream.base_url}"\nkey_file = "{key}"\n')
        file.write_text("\n".join(text), encoding="utf-8")
        file.chmod(0o600)
        server = live(*arguments)
        wait_until(lambda: all(one["envelope"] is not None for one in server.ask(PROFILES).json["profiles"]))
        return server

    return start


def open_table(seen: Visit, rows: int, address: str = "") -> Visit:
    """Go to the table, and wait until it has so many rows, all of which are known."""
    seen.page.goto(seen.url + address)
    expect(seen.of("key-row")).to_have_count(rows)
    expect(seen.page.locator("[data-status=asking]")).to_have_count(0)
    return seen


def names(seen: Visit) -> list[str]:
    """Give the names in the table, in its order."""
    return seen.of("key-row").locator("th a").all_inner_texts()


def has_names(seen: Visit, *expected: str) -> None:
    """Expect these rows."""
    expect(seen.of("key-row").locator("th a")).to_have_text(list(expected))


def cells(seen: Visit, name: str) -> str:
    """Give a row's text."""
    return seen.of("key-row").filter(has=seen.page.get_by_role("link", name=name, exact=True)).inner_text()


ACCOUNTS = {
    "shop": "exhausted",
    "night-batch": "low",
    "home": "normal",
    "docs": "unlimited",
    "old": "error-401",
    "lab": "error-500",
}


def test_the_table_shows_every_profile_the_worst_first(visit: Visits, fleet: Fleet) -> None:
    seen = open_table(visit(fleet(ACCOUNTS, *AN_HOUR)), 7)
    # The key in the environment has no name.
    has_names(seen, "old", "shop", "lab", "night-batch", "from the environment", "home", "docs")
    expect(seen.page).to_have_title("1 exhausted · 2 failed · 1 low · 2 ok · 1 no limit · orcredit")
    for chip, words in {"exhausted": "1 exhausted", "failed": "2 failed", "low": "1 low", "ok": "2 ok"}.items():
        expect(seen.of(f"chip-{chip}")).to_have_text(words)
    night = cells(seen, "night-batch")
    for text in ("low", "sk-or-v1-", "$8.00", "8.0%", "$11.90", "runs out in ", "resets ", "just now"):
        assert text in night, (text, night)
    assert "does not accept the key" in cells(seen, "old")
    assert "OpenRouter answered 500" in cells(seen, "lab")
    assert "no limit" in cells(seen, "docs")
    expect(seen.of("key-row").first).to_have_class("old")
    # The stream brought the same again; the days are asked for when the table is there.
    assert [seen.asked(path) for path in (SNAPSHOT, PROFILES, EVENTS, DAYS)] == [1, 1, 1, 1]
    expect(seen.page.get_by_role("img", name="1 of 14 days known").first).to_be_visible()
    seen.is_still()
    seen.is_accessible()

    seen.of("chip-low").click()
    has_names(seen, "night-batch")
    seen.of("chip-low").click()
    seen.of("search").fill("ENVIRON")
    has_names(seen, "from the environment")
    seen.of("search").fill("")
    by_name = seen.page.get_by_role("columnheader", name="Key")
    by_name.get_by_role("button").press("Enter")
    has_names(seen, *sorted(names(seen)))
    expect(by_name).to_have_attribute("aria-sort", "ascending")

    # To a key's page, again after a reload, and back to the row that was left.
    seen.page.get_by_role("link", name="night-batch").press("Enter")
    seen.has({"amount": "$8.00", "key": re.compile("^night-batch sk-or-v1-"), "announcement": "$8.00 can be spent."})
    expect(seen.page.get_by_role("heading", level=1)).to_be_focused()
    expect(seen.page).to_have_title("$8.00 · 8.0% · low · orcredit")
    seen.drawn()
    seen.page.reload()
    seen.has({"amount": "$8.00", "keys": None})
    seen.drawn()
    assert [one.url.partition("profile=")[2] for one in seen.requests if "/history?" in one.url] == ["night-batch"] * 2
    seen.is_still()
    seen.is_accessible(1)
    with seen.page.expect_request(lambda request: REFRESH in request.url) as refreshed:
        seen.of("refresh").click()
    assert refreshed.value.url.endswith("?profile=night-batch")
    seen.of("all-keys").click()
    expect(seen.of("key-row")).to_have_count(7)
    seen.page.get_by_role("link", name="from the environment").click()
    seen.has({"amount": "$51.25", "key": re.compile("^from the environment sk-or-v1-")})
    assert seen.page.url.endswith("#/key/")
    seen.page.go_back()
    expect(seen.page.get_by_role("link", name="from the environment")).to_be_focused()


def test_the_table_changes_with_each_poll_and_tells_when_the_worst_changes(visit: Visits, fleet: Fleet) -> None:
    shown: dict[str, str] = {}
    server = fleet({"work": "many-budgets", "home": "daily"}, shown=shown)
    seen = open_table(visit(server), 3)
    told = seen.page.get_by_role("status").first
    expect(told).to_have_text("3 ok.")
    seen.page.evaluate("window.neverReloaded = true")
    seen.is_still()
    shown["daily"] = "low"
    expect(seen.of("chip-low")).to_have_text("1 low")
    assert names(seen)[0] == "home"
    expect(told).to_have_text("1 low, 2 ok.")
    shown["many-budgets"] = "low"
    expect(seen.of("chip-low")).to_have_text("2 low")
    expect(told).to_have_text("1 low, 2 ok.")  # the worst is the same
    shown["daily"] = "error-401"
    expect(seen.of("chip-failed")).to_have_text("1 failed")
    assert "does not accept the key" in cells(seen, "home")
    assert "$8.00" in cells(seen, "home")  # what was known, in grey
    shown.clear()
    expect(seen.of("chip-ok")).to_have_text("3 ok")
    assert seen.asked(EVENTS) == 1
    assert seen.page.evaluate("window.neverReloaded === true")


@pytest.mark.parametrize("page", ["key", "account"])
def test_a_profile_that_there_is_not_is_said_to_be_none(visit: Visits, fleet: Fleet, page: str) -> None:
    seen = visit(fleet({"home": "normal"}, *AN_HOUR))
    seen.expects("404")  # an account is asked about before the profiles are listed
    seen.page.goto(f"{seen.url}#/{page}/%3Cb%3Enowhere")
    expect(seen.of("problem").get_by_role("heading")).to_have_text("There is no profile <b>nowhere.")
    seen.has({"amount": None, "keys": None, "refresh": None, "account": None})
    assert seen.violations() == []
    seen.fits()
    seen.page.get_by_role("link", name="All keys").last.click()
    expect(seen.of("key-row")).to_have_count(2)


def test_two_hundred_profiles_are_shown_a_hundred_at_a_time(visit: Visits, fleet: Fleet) -> None:
    accounts = {f"key-{number}": "low" if number == 150 else "normal" for number in range(1, 205)}
    seen = visit(fleet(accounts, *AN_HOUR), viewport={"width": 360, "height": 740}, color_scheme="dark")
    open_table(seen, 100)
    seen.becomes("() => !document.querySelector('.chips').textContent.includes('asked')")
    assert names(seen)[:3] == ["key-150", "from the environment", "key-1"]
    expect(seen.of("profile")).to_have_count(0)
    # Two lines: the amount beside the name, below them the bar and the end.
    tops = {
        part: seen.of("key-row").first.locator(f".{part}").bounding_box()
        for part in ("name", "spendable", "left", "end")
    }
    assert all(box is not None for box in tops.values())
    seen.of("more").click()
    expect(seen.of("key-row")).to_have_count(200)
    seen.of("more").click()
    expect(seen.of("key-row")).to_have_count(205)
    expect(seen.of("more")).to_have_count(0)
    seen.fits()
    # As far down as the reader was.
    seen.page.get_by_role("link", name="key-200", exact=True).click()
    seen.has({"amount": "$51.25"})
    assert seen.page.evaluate("scrollY") == 0
    seen.page.go_back()
    expect(seen.page.get_by_role("link", name="key-200", exact=True)).to_be_in_viewport()
    expect(seen.page.get_by_role("link", name="key-200", exact=True)).to_be_focused()
    # What is far from the window is not laid out.
    assert seen.page.evaluate("getComputedStyle(document.querySelector('tbody')).contentVisibility") == "auto"


def test_a_server_that_is_gone_greys_the_table_and_a_wall_shows_one_key(visit: Visits, fleet: Fleet) -> None:
    server = fleet({"shop": "exhausted", "home": "normal"}, *AN_HOUR)
    seen = open_table(visit(server), 3, "?wall")
    seen.page.goto(f"{seen.url}?wall#/key/shop")
    seen.has({"amount": "$0.00", "refresh": None, "keys": None})
    seen.page.goto(f"{seen.url}?wall#/")
    expect(seen.of("key-row")).to_have_count(3)
    seen.has({"key": None})
    for hook in ("refresh", "search"):
        expect(seen.of(hook)).to_be_hidden()
    size = "one => parseFloat(getComputedStyle(one).fontSize)"
    name = seen.of("key-row").first.locator(".name")
    assert name.locator("a").evaluate(size) > name.locator(".soft").evaluate(size)
    seen.expects("net::ERR_", "Failed to load resource")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    expect(seen.of("unreachable")).to_contain_text("orcredit serve")
    expect(seen.page.locator("main")).to_have_class("old")
    expect(seen.page).to_have_title(re.compile(r"\(stale\)"))
    wait_until(lambda: seen.asked(PROFILES) > 1)
