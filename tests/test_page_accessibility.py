"""The page of `orcredit serve` in Chromium: accessibility, layout, themes, motion and the keyboard."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from tests.serving import SNAPSHOT, TOKEN, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.browsing import Visit, Visits
    from tests.serving import Serving, Upstream

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page-accessibility")]  # one worker, hence one browser

Served: TypeAlias = "Callable[..., Serving]"

ACCOUNTS = [
    "normal", "low", "exhausted", "unlimited", "many-budgets", "negative-credit", "byok", "free-tier", "tiny",
    "expiring", "control-characters", "future", "error-401",
]  # fmt: skip


@pytest.mark.parametrize("account", ACCOUNTS)
def test_every_account_is_accessible(account: str, look: Visits, served: Served) -> None:
    is_managed = account in {"many-budgets", "negative-credit"} and simulator.ACCOUNTS[account].purchased is not None
    environ = {"OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for(account)} if is_managed else {}
    server = served(account, **environ)
    seen = look(server)
    if server.ask(SNAPSHOT).json["balance"] is None:
        seen.page.goto(seen.url)
        expect(seen.of("problem")).to_be_visible()
    else:
        seen.open().drawn()
        for table in seen.page.locator("summary").all():
            table.click()
    seen.is_accessible(ACCOUNTS.index(account))


def test_stale_numbers_are_accessible(look: Visits, live: Served, upstream: Upstream) -> None:
    seen = look(live()).open().drawn()
    upstream.account = "html"
    expect(seen.of("stale")).to_be_visible()
    seen.is_accessible()


def test_the_login_is_accessible(look: Visits, served: Served) -> None:
    seen = look(served("normal", ORCREDIT_TOKEN=TOKEN))
    seen.expects("the server responded with a status of 401")
    seen.page.goto(seen.url)
    seen.page.get_by_label("Token").fill("wrong")
    seen.page.get_by_role("button", name="Log in").click()
    expect(seen.of("login-error")).to_be_visible()
    seen.is_accessible()


def test_the_notice_of_an_unreachable_server_is_accessible(visit: Visits, live: Served) -> None:
    server = live("--interval=1h")
    seen = visit(server)
    seen.expects("net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET", "net::ERR_INCOMPLETE_CHUNKED_ENCODING")
    seen.open().drawn()
    server.stop(signal.SIGKILL)
    expect(seen.of("unreachable")).to_be_visible()
    seen.is_accessible()


def test_cards_stand_side_by_side_where_there_is_room(look: Visits, served: Served) -> None:
    seen = look(served("normal")).open().drawn()
    summary, donut = seen.page.locator(".summary"), seen.page.locator(".donut-card")

    def left_and_top(card: str) -> tuple[float, float]:
        box = {"summary": summary, "donut": donut}[card].bounding_box()
        assert box is not None
        return box["x"], box["y"]

    assert left_and_top("summary")[1] == left_and_top("donut")[1]
    assert left_and_top("summary")[0] < left_and_top("donut")[0]
    seen.page.set_viewport_size({"width": 360, "height": 740})
    assert left_and_top("summary")[0] == left_and_top("donut")[0]
    assert left_and_top("summary")[1] < left_and_top("donut")[1]


# Dark and light


def brightness(seen: Visit) -> int:
    """Give the brightness of the page's background: 0 to 255."""
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in ground[4:-1].split(",")) // 3


def test_dark_and_light_follow_the_system_unless_chosen(visit: Visits, served: Served) -> None:
    seen = visit(served("normal")).open()
    html = seen.page.locator("html")
    assert brightness(seen) > 200
    seen.page.emulate_media(color_scheme="dark")
    expect(html).to_have_attribute("data-theme", "dark")
    assert brightness(seen) < 60
    expect(seen.page.get_by_role("radio", name="System colours")).to_be_checked()

    seen.page.get_by_role("radio", name="Light").check()
    expect(html).to_have_attribute("data-theme", "light")
    assert brightness(seen) > 200
    seen.page.reload()
    expect(seen.page.get_by_role("radio", name="Light")).to_be_checked()
    assert brightness(seen) > 200

    seen.page.emulate_media(color_scheme="light")
    seen.page.get_by_role("radio", name="Dark").check()
    another = seen.context.new_page()
    another.goto(seen.url)
    expect(another.locator("html")).to_have_attribute("data-theme", "dark")
    expect(another.get_by_role("radio", name="Dark")).to_be_checked()
    another.close()

    seen.page.get_by_role("radio", name="System colours").check()
    expect(html).to_have_attribute("data-theme", "light")
    seen.page.reload()
    expect(seen.page.get_by_role("radio", name="System colours")).to_be_checked()
    seen.page.emulate_media(color_scheme="dark")
    expect(html).to_have_attribute("data-theme", "dark")


# Motion


@pytest.mark.parametrize(("wish", "spins", "takes"), [("no-preference", "spin", "0.4s"), ("reduce", "none", "0s")])
def test_nothing_moves_where_reduced_motion_is_asked_for(
    wish: str, spins: str, takes: str, visit: Visits, live: Served, upstream: Upstream
) -> None:
    server = live("--interval=1h")
    wait_until(lambda: server.ask("/readyz").json["age"] >= 2, "its age does not grow")
    answer, as_usual = threading.Event(), upstream.respond

    def late(request: simulator.Request, now: datetime) -> simulator.Response:
        answer.wait(30)
        return as_usual(request, now)

    seen = visit(server, reduced_motion=wish).open()
    expect(seen.of("bar").locator("div")).to_have_css("transition-duration", takes)
    upstream.respond = late
    try:
        seen.of("refresh").click()
        expect(seen.of("refresh")).to_have_attribute("aria-busy", "true")
        expect(seen.of("refresh").locator("svg")).to_have_css("animation-name", spins)
    finally:
        answer.set()
    expect(seen.of("refresh")).to_have_attribute("aria-busy", "false")


# Keyboard

FOCUSED = """() => {
    const it = document.activeElement;
    if (it === document.body) return null;
    window.reached ??= new Set();
    window.reached.add(it);
    const lined = it.closest("label") ?? it;
    const style = getComputedStyle(lined);
    const box = lined.getBoundingClientRect();
    return {
        name: it.dataset.testid ?? it.getAttribute("value") ?? it.localName,
        isSeen: style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2,
        isOnScreen: box.top < innerHeight && box.bottom > 0 && box.width > 0,
    };
}"""
NOT_REACHED = """() => [...document.querySelectorAll("a, button, input, select, summary, [tabindex]")]
    .filter(it => it.offsetParent !== null && !window.reached.has(it))
    .filter(it => it.type !== "radio" || it.checked)  // the arrows reach the others
    .map(it => it.outerHTML)"""


def test_the_keyboard_reaches_everything_in_order(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--demo")).open().drawn()
    for table in seen.page.locator("details").all():
        table.evaluate("it => { it.open = true; }")  # no click: the keyboard would begin there
    expect(seen.of("history-spend-table")).to_be_visible()
    stops = []
    for _ in range(40):
        seen.page.keyboard.press("Tab")
        stop = seen.page.evaluate(FOCUSED)
        if stop is None:
            break
        stops.append(stop)
    assert [stop["name"] for stop in stops if not stop["isSeen"]] == []
    assert [stop["name"] for stop in stops if not stop["isOnScreen"]] == []
    assert seen.page.evaluate(NOT_REACHED) == []
    assert [stop["name"] for stop in stops] == [
        "system", "refresh", "legend-used", "legend-remaining", "range-24h", "range-7d", "range-30d", "range-all",
        "summary", "history-chart-table", "summary", "history-spend-table", "csv",
    ]  # fmt: skip


def test_the_keyboard_operates_everything(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--demo")).open().drawn()
    press = seen.page.keyboard.press

    seen.page.get_by_role("radio", name="System colours").focus()
    press("ArrowRight")
    press("ArrowRight")
    expect(seen.page.get_by_role("radio", name="Dark")).to_be_checked()
    expect(seen.page.locator("html")).to_have_attribute("data-theme", "dark")

    for key in ("Enter", "Space"):
        with seen.page.expect_request("**/api/openrouter/refresh"):
            seen.of("refresh").press(key)
        expect(seen.of("refresh")).to_have_attribute("aria-busy", "false")
        expect(seen.of("refresh")).to_be_focused()

    seen.of("legend-used").focus()
    expect(seen.of("tooltip")).to_contain_text("Used: $")
    for key, is_on in (("Space", "false"), ("Enter", "true")):
        press(key)
        expect(seen.of("legend-used")).to_have_attribute("aria-pressed", is_on)

    seen.of("range-24h").press("Space")
    expect(seen.of("range-24h")).to_have_attribute("aria-pressed", "true")
    table = seen.of("history-spend-table")
    seen.of("history-spend").locator("summary").press("Enter")
    expect(table).to_be_visible()
    seen.of("history-spend").locator("summary").press("Space")
    expect(table).to_have_count(0)
    with seen.page.expect_download() as download:
        seen.of("csv").press("Enter")
    assert download.value.suggested_filename == "orcredit-history.csv"
