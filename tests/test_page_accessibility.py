"""The page of `orcredit serve` in Chromium: layout and accessibility of its main states; themes, motion, keyboard."""

from __future__ import annotations

import json
import re
import signal
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from tests.page_layout import PAPER, THEMES, WIDTHS, Look
from tests.serving import MANAGEMENT_KEY, TOKEN, wait_until
from tests.simulated import budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsing import Visit, Visits
    from tests.serving import Serving, Upstream

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page-accessibility")]  # one worker, hence one browser

Served: TypeAlias = "Callable[..., Serving]"

CUT_CONNECTION = ("net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET", "net::ERR_INCOMPLETE_CHUNKED_ENCODING")

# Main states, in every look


NEEDS_ATTENTION: dict[str, Any] = {
    "limit": 100, "limit_remaining": 10.5, "limit_reset": None, "budgets": [], "effective_budget": None,
    "usage": 5000, "usage_monthly": 5000, "usage_weekly": 900, "usage_daily": 150,
}  # fmt: skip
"""What OpenRouter says of a key whose money is gone within a day, and that is not low yet."""


def say(upstream: Upstream, changes: dict[str, Any]) -> None:
    """Change what OpenRouter says of the key from now on."""

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        headers = dict(request.headers) | {"authorization": f"Bearer {simulator.key_for('lifetime')}"}
        answer = simulator.respond(simulator.Request(request.method, request.path, headers), now)
        if not request.path.endswith("/key"):
            return answer
        document = json.loads(answer.body)
        document["data"] |= changes
        return simulator.Response(answer.status, answer.headers, json.dumps(document).encode())

    upstream.respond = respond


@pytest.mark.timeout(180)
def test_the_main_states_are_accessible(look: Visits, live: Served, upstream: Upstream) -> None:
    as_usual = upstream.respond
    server = live()
    seen = look(server)
    seen.expects(*CUT_CONNECTION)
    seen.open().drawn()
    faults: list[str] = []

    def check(state: str) -> None:
        faults.extend(f"{state}: {fault}" for fault in seen.faults_and_violations(len(faults)))

    check("ok")
    say(upstream, NEEDS_ATTENTION)
    seen.has({"amount": "$10.50", "level": "ok", "verdict": re.compile("^▲Runs out ")})
    expect(seen.page.locator(".spendable")).to_have_attribute("data-attention", "true")
    expect(seen.of("runs-out")).to_have_attribute("data-tone", "attention")
    check("attention")
    upstream.respond = as_usual
    for account, level in (("low", "low"), ("exhausted", "exhausted"), ("unlimited", "no known limit")):
        upstream.account = account
        seen.has({"level": level})
        check(account)
    upstream.account = "free-tier"
    seen.has({"amount": "free models only"})
    check("free models only")
    upstream.account = "html"
    expect(seen.of("stale")).to_contain_text("OpenRouter has not answered for ")
    check("stale")
    server.stop(signal.SIGKILL)
    expect(seen.of("unreachable")).to_be_visible()
    check("gone")
    assert not faults, "\n".join(faults)


def test_limits_by_the_credit_are_accessible(look: Visits, live: Served, upstream: Upstream) -> None:
    upstream.account = "credit-below-limit"
    seen = look(live(OPENROUTER_MANAGEMENT_KEY=MANAGEMENT_KEY)).open().drawn()
    seen.has({"limited-by": "limited by the account's credit"})
    seen.is_accessible()


def test_a_period_of_one_long_word_stays_in_its_card(look: Visits, live: Served, upstream: Upstream) -> None:
    period = {"reset_interval": "w" * 200, "resets_at": "2099-01-01T00:00:00Z"}
    say(upstream, {"budgets": [budget("member", 50, 31, **period)], "effective_budget": None})
    seen = look(live()).open().drawn()
    expect(seen.of("budget-member")).to_contain_text("w" * 200)
    seen.is_laid_out(Look(1280), Look(800), Look(320))


RUNS_AWAY_FROM = datetime(2026, 2, 12, 16, 30, tzinfo=UTC)
A_SECOND = {f"orcredit.monitor.{name}": 1.0 for name in ("rate.MINUTE", "rate._SPACING", "runaway._PACE_SPACING")}
"""A rate is known after a minute; here after a second."""


def test_a_runaway_is_shown_and_accessible(look: Visits, live: Served, upstream: Upstream) -> None:
    began = datetime.now(UTC)

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        headers = dict(request.headers) | {"authorization": f"Bearer {simulator.key_for('runaway')}"}
        then = RUNS_AWAY_FROM + (now - began) * 3
        if request.path.endswith("/analytics/query") and b'"granularity"' not in request.body:
            rows = [{"model": name, "credits_usage": usd} for name, usd in (("openai/gpt-5-mini", 4.1), ("other", 0.9))]
            body = json.dumps({"data": {"data": rows, "metadata": {"truncated": False}}}).encode()
            return simulator.Response(200, {"Content-Type": "application/json"}, body)
        return simulator.respond(simulator.Request(request.method, request.path, headers), then)

    upstream.respond = respond
    seen = look(live(constants=A_SECOND, OPENROUTER_MANAGEMENT_KEY=MANAGEMENT_KEY)).open().drawn()
    expect(seen.of("verdict")).to_have_attribute("data-tone", "bad")
    seen.has({"runs-out": re.compile(r"^in \d+ (min|h)"), "right-now": re.compile(r"^now \$")})
    expect(seen.of("event").first).to_contain_text(re.compile(r"Spending \$[\d.,]+ a minute"))
    expect(seen.of("event").first).to_contain_text("; mostly openai/gpt-5-mini ($4.10 of $5.00)")
    seen.is_accessible(1)


def test_the_login_is_accessible(look: Visits, served: Served) -> None:
    seen = look(served("normal", ORCREDIT_TOKEN=TOKEN))
    seen.expects("the server responded with a status of 401")
    seen.page.goto(seen.url)
    seen.page.get_by_label("Token").fill("wrong")
    seen.page.get_by_role("button", name="Log in").click()
    expect(seen.of("login-error")).to_be_visible()
    seen.is_accessible()


def test_a_page_without_a_history_is_accessible_and_says_why(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--no-history"))
    seen.expects("the server responded with a status of 404")
    seen.open().drawn()
    seen.has({"history-note": "orcredit was started with --no-history, so nothing is recorded."})
    seen.is_still()
    seen.is_accessible(1)


def test_on_a_wall_there_are_the_strip_and_the_chart_alone(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--demo"))
    seen.url += "?wall"
    seen.open()
    expect(seen.of("history-chart")).to_be_visible()
    seen.has({"events": None, "donut": None, "refresh": None, "live": re.compile("^Updated ")})
    seen.is_still()
    seen.page.set_viewport_size({"width": 1920, "height": 1080})
    seen.becomes("() => document.documentElement.scrollHeight <= innerHeight")
    size = seen.of("amount").evaluate("it => parseFloat(getComputedStyle(it).fontSize)")
    assert size >= 70
    seen.is_laid_out(*(Look(width, theme) for width in WIDTHS for theme in THEMES))
    assert seen.violations() == []


def test_a_wall_whose_style_sheet_does_not_come_shows_its_numbers(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--demo"))
    seen.url += "?wall"
    seen.expects("the server responded with a status of 404")
    seen.expects("Unable to preload CSS")
    seen.context.route("**/wall.*.css", lambda route: route.fulfill(status=404))
    seen.open()
    expect(seen.of("history-chart")).to_be_visible()
    seen.has({"amount": re.compile(r"^\$")})
    seen.context.unroute("**/wall.*.css")


def test_what_is_printed_is_what_is_shown(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--demo")).open().drawn()
    seen.is_laid_out(Look(PAPER, is_printed=True), Look(PAPER, "dark", is_printed=True))
    seen.page.emulate_media(media="print", color_scheme="dark")
    printed = seen.page.pdf(format="A4", margin={"top": "1cm", "bottom": "1cm", "left": "1cm", "right": "1cm"})
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page>") in {1, 2, 3}


# Dark and light


def brightness(seen: Visit) -> int:
    """Give the brightness of the page's background: 0 to 255."""
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in ground[4:-1].split(",")) // 3


def test_dark_and_light_follow_the_system_unless_chosen(visit: Visits, served: Served) -> None:
    seen = visit(served("normal")).open()
    html, switch = seen.page.locator("html"), seen.of("theme-switch")
    assert brightness(seen) > 200
    seen.page.emulate_media(color_scheme="dark")
    expect(html).to_have_attribute("data-theme", "dark")
    assert brightness(seen) < 60
    expect(switch).to_have_accessible_name("Colours: the system’s")  # noqa: RUF001 - as it is written

    switch.click()
    expect(html).to_have_attribute("data-theme", "light")
    expect(switch).to_have_accessible_name("Colours: light")
    assert brightness(seen) > 200
    seen.page.emulate_media(color_scheme="light")
    switch.click()
    expect(html).to_have_attribute("data-theme", "dark")
    seen.page.reload()
    expect(html).to_have_attribute("data-theme", "dark")
    expect(switch).to_have_accessible_name("Colours: dark")
    assert brightness(seen) < 60

    switch.click()
    expect(html).to_have_attribute("data-theme", "light")
    seen.page.emulate_media(color_scheme="dark")
    expect(html).to_have_attribute("data-theme", "dark")
    assert seen.page.evaluate("localStorage.length") == 0


# Motion


def test_nothing_moves_where_reduced_motion_is_asked_for(look: Visits, live: Served, upstream: Upstream) -> None:
    server = live("--interval=1h")
    wait_until(lambda: server.ask("/readyz").json["age"] >= 2, "its age does not grow")
    answer, as_usual = threading.Event(), upstream.respond

    def late(request: simulator.Request, now: datetime) -> simulator.Response:
        answer.wait(30)
        return as_usual(request, now)

    seen = look(server).open()
    upstream.respond = late
    refresh, filled = seen.of("refresh"), seen.of("bar").locator("div")
    try:
        refresh.click()
        expect(refresh).to_have_attribute("aria-busy", "true")
        seen.page.emulate_media(reduced_motion="no-preference")
        expect(refresh.locator("svg")).not_to_have_css("animation-name", "none")
        expect(filled).not_to_have_css("transition-duration", "0s")
        seen.page.emulate_media(reduced_motion="reduce")
        expect(refresh.locator("svg")).to_have_css("animation-name", "none")
        expect(filled).to_have_css("transition-duration", "0s")
    finally:
        answer.set()
        seen.page.emulate_media(reduced_motion="null")
    expect(refresh).to_have_attribute("aria-busy", "false")


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


def test_the_keyboard_reaches_and_operates_everything(look: Visits, served: Served) -> None:
    seen = look(served("normal", "--demo")).open().drawn()
    table = seen.of("history-table")
    table.evaluate("it => { it.open = true; }")  # no click: the keyboard would begin there
    expect(table.get_by_role("table").first).to_be_visible()
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
    names = [stop["name"] for stop in stops]
    known = ["refresh", "theme-switch", "range-24h", "range-7d", "range-30d", "range-period", "range-all", "csv"]
    assert [name for name in names if name in known] == known
    assert {"summary", "legend-used", "legend-remaining"} <= set(names)

    press = seen.page.keyboard.press
    for key, choice in (("Enter", "light"), ("Space", "dark"), ("Enter", "system")):
        seen.of("theme-switch").press(key)
        expect(seen.of("theme-switch")).to_have_attribute("data-choice", choice)
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
    expect(seen.of("history-chart")).to_contain_text("Spent an hour")
    walk(seen)
    seen.of("history-table").locator("summary").press("Space")
    expect(table.get_by_role("table")).to_have_count(0)
    with seen.page.expect_download() as download:
        seen.of("csv").press("Enter")
    assert download.value.suggested_filename == "orcredit-history.csv"


def walk(seen: Visit) -> None:
    """Walk along the chart by the arrow keys; a tooltip and the slider's value say the same of each point."""
    slider, tooltip = seen.of("history").get_by_role("slider"), seen.of("point-tooltip")
    seen.page.keyboard.press("Tab")
    slider.focus()
    said = []
    for key in ("End", "ArrowLeft", "ArrowLeft", "PageDown", "Home", "ArrowRight"):
        seen.page.keyboard.press(key)
        expect(tooltip).to_be_visible()
        value = slider.get_attribute("aria-valuetext")
        assert value is not None
        assert [part for part in tooltip.inner_text().split("\n") if part not in value] == []
        said.append(slider.get_attribute("aria-valuenow"))
    last = slider.get_attribute("aria-valuemax")
    assert last is not None
    assert said == [last, str(int(last) - 1), str(int(last) - 2), str(max(int(last) - 12, 0)), "0", "1"]
    seen.page.keyboard.press("Escape")
    expect(tooltip).to_have_count(0)
