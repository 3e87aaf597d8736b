"""The page of `orcredit serve` in Chromium over time: new snapshots, restarts, hidden tabs, stale numbers, sessions."""

from __future__ import annotations

import re
import signal
import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest
from playwright.sync_api import expect

from tests.serving import EVENTS, REFRESH, SESSION, SNAPSHOT, TOKEN, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orcredit import simulator
    from tests.browsing import Visit, Visits
    from tests.serving import Serving, Upstream

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page-live")]  # one worker, hence one browser

Live: TypeAlias = "Callable[..., Serving]"

CUT_CONNECTION = ("net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET", "net::ERR_INCOMPLETE_CHUNKED_ENCODING")
NEVER_RELOADED = "window.neverReloaded === true"


def mark(seen: Visit) -> None:
    """Set a mark in the page that a reload would remove."""
    seen.page.evaluate("window.neverReloaded = true")


def wait_for_polls(upstream: Upstream, more: int = 1) -> None:
    """Wait until OpenRouter was asked again."""
    before = upstream.polls
    wait_until(lambda: upstream.polls >= before + more, "OpenRouter is not asked")


# New snapshots


def test_new_snapshots_arrive_on_the_stream(visit: Visits, live: Live, upstream: Upstream) -> None:
    seen = visit(live())
    with seen.page.expect_request(lambda request: request.url.endswith(EVENTS)):
        seen.open()
    mark(seen)
    expect(seen.of("announcement")).to_have_attribute("aria-live", "polite")
    seen.has({"announcement": "$51.25 can be spent.", "warning": None})

    upstream.account = "low"
    seen.has(
        {
            "amount": "$8.00",
            "level": "low",
            "percent": "8.0%",
            "donut-percent": "8.0%",
            "warning": re.compile("^Low: "),
            "announcement": "$8.00 can be spent. The level is low now, it was ok.",
        }
    )
    expect(seen.page).to_have_title("$8.00 · 8.0% · low · orcredit")
    upstream.account = "exhausted"
    seen.has({"amount": "$0.00", "level": "exhausted"})
    upstream.account = "unlimited"
    seen.has({"amount": "no limit on this key", "donut": None, "warning": None, "bar": None})
    upstream.account = "many-budgets"
    seen.has({"amount": "$7.50", "donut-percent": "75.0%"})
    assert seen.page.evaluate(NEVER_RELOADED)
    assert seen.asked(EVENTS) == 1
    assert seen.asked(SNAPSHOT) == 1  # the page does not poll beside the stream


def test_what_did_not_change_is_not_announced(visit: Visits, live: Live, upstream: Upstream) -> None:
    seen = visit(live()).open()
    seen.has({"announcement": "$51.25 can be spent."})
    seen.of("announcement").evaluate(
        """it => {
            window.said = [];
            const watch = new MutationObserver(() => window.said.push(it.textContent));
            watch.observe(it, {childList: true, characterData: true, subtree: true});
        }"""
    )
    shown = seen.of("updated").locator("time").inner_text()
    wait_for_polls(upstream, 3)
    expect(seen.of("updated").locator("time")).not_to_have_text(
        shown
    )  # there were new snapshots, but nothing to announce
    assert seen.page.evaluate("window.said") == []
    upstream.account = "low"
    seen.has({"amount": "$8.00"})
    seen.becomes("() => window.said.length > 0")


def test_the_age_grows_without_new_snapshots(visit: Visits, live: Live) -> None:
    seen = visit(live("--interval=1h"))
    seen.page.clock.install()
    seen.open()
    first = seen.of("updated").locator("time").inner_text()
    seen.page.clock.fast_forward(40_000)
    seen.has({"updated": re.compile(r"CES?T · (4[05]|5[05]) s ago$")})
    expect(seen.of("updated").locator("time")).to_have_text(first)


def test_a_quiet_stream_is_checked(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = visit(served("normal"))
    seen.page.clock.install()
    seen.open().drawn()
    asked = seen.asked(SNAPSHOT)
    with seen.page.expect_request(lambda request: request.url.endswith(SNAPSHOT)):
        seen.page.clock.fast_forward(95_000)
    assert seen.asked(SNAPSHOT) == asked + 1


# Refresh


def test_refresh_asks_openrouter_now(visit: Visits, live: Live, upstream: Upstream) -> None:
    server = live("--interval=1h")
    wait_until(
        lambda: server.ask("/readyz").json["age"] >= 2, "its age does not grow"
    )  # a refresh does not ask again for younger numbers
    answer, as_usual = threading.Event(), upstream.respond

    def late(request: simulator.Request, now: datetime) -> simulator.Response:
        answer.wait(30)
        return as_usual(request, now)

    seen = visit(server).open()
    refresh = seen.of("refresh")
    expect(refresh).to_have_accessible_name("Refresh")
    expect(refresh).to_have_attribute("aria-busy", "false")
    upstream.account, upstream.respond = "low", late
    try:
        refresh.click()
        expect(refresh).to_have_accessible_name("Refreshing…")
        expect(refresh).to_have_attribute("aria-busy", "true")
        expect(refresh).to_have_attribute("aria-disabled", "true")
        refresh.click(force=True)  # again, without effect
    finally:
        answer.set()
    seen.has({"amount": "$8.00", "updated": re.compile("(just now|5 s ago)$")})
    expect(seen.of("announcement")).to_contain_text("$8.00 can be spent.")
    expect(refresh).to_have_accessible_name("Refresh")
    expect(refresh).to_have_attribute("aria-busy", "false")
    expect(refresh).to_be_focused()
    assert seen.asked(REFRESH, "POST") == 1

    # A refresh that changes nothing is announced, and one that fails.
    refresh.click()
    seen.has({"announcement": "Refreshed.", "amount": "$8.00"})
    upstream.account, upstream.respond = "error-401", as_usual
    wait_until(lambda: server.ask("/readyz").json["age"] >= 2, "its age does not grow")
    refresh.click()
    seen.has({"stale": re.compile("OpenRouter does not accept the key in OPENROUTER_API_KEY"), "amount": "$8.00"})
    expect(seen.of("announcement")).to_contain_text("OpenRouter does not accept the key in OPENROUTER_API_KEY")


# Without the stream


def test_where_the_stream_fails_it_polls(visit: Visits, live: Live, upstream: Upstream) -> None:
    seen = visit(live())
    seen.expects("net::ERR_FAILED")
    seen.page.clock.install()
    seen.context.route(f"**{EVENTS}", lambda route: route.abort())
    with seen.page.expect_request(lambda request: request.url.endswith(EVENTS)):
        seen.open()
    upstream.account = "low"
    wait_for_polls(upstream, 2)
    seen.page.clock.fast_forward(61_000)
    seen.has({"amount": "$8.00", "unreachable": None, "problem": None})
    upstream.account = "exhausted"
    wait_for_polls(upstream, 2)
    seen.page.clock.fast_forward(61_000)
    seen.has({"amount": "$0.00", "unreachable": None, "problem": None})

    seen.context.unroute(f"**{EVENTS}")
    with seen.page.expect_request(lambda request: request.url.endswith(EVENTS)):
        seen.page.clock.fast_forward(61_000)
    upstream.account = "normal"  # without a further poll of the page
    seen.has({"amount": "$51.25"})


def test_a_hidden_tab_has_no_stream_but_polls(visit: Visits, live: Live, upstream: Upstream) -> None:
    seen = visit(live())
    seen.page.clock.install()
    with seen.page.expect_request(lambda request: request.url.endswith(EVENTS)):
        seen.open()
    upstream.account = "many-budgets"
    seen.has({"amount": "$7.50"})  # the stream is open

    with seen.page.expect_event("requestfailed", lambda request: request.url.endswith(EVENTS)):
        seen.hide()
    upstream.account = "low"
    wait_for_polls(upstream, 2)
    expect(seen.page).to_have_title("$7.50 · 75.0% · orcredit")
    asked = seen.asked(SNAPSHOT)
    seen.page.clock.fast_forward(61_000)
    expect(seen.page).to_have_title("$8.00 · 8.0% · low · orcredit")
    assert (seen.asked(EVENTS), seen.asked(SNAPSHOT)) == (1, asked + 1)

    upstream.account = "exhausted"
    wait_for_polls(upstream, 2)
    with seen.page.expect_request(lambda request: request.url.endswith(EVENTS)):
        seen.hide(is_hidden=False)
    seen.has({"amount": "$0.00"})


# Errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_reconnects_after_a_restart(number: signal.Signals, visit: Visits, live: Live, upstream: Upstream) -> None:
    server = live("--no-history")
    seen = visit(server)
    seen.expects(*CUT_CONNECTION, "status of 404", "status of 503")
    seen.open()
    mark(seen)
    upstream.account = "byok"
    seen.has({"amount": "$45.00"})  # the stream is open
    server.stop(number)
    expect(seen.of("unreachable")).to_have_text(
        re.compile(
            r"^orcredit cannot be reached: .+\. Start it again with orcredit serve; this page keeps trying\. "
            r"The numbers are from \d\d:\d\d:\d\d, \d+ (second|minute)s? ago\.$"
        )
    )
    seen.has({"amount": "$45.00", "announcement": "This page cannot reach orcredit."})
    expect(seen.page).to_have_title("$45.00 · 45.0% (stale) · orcredit")

    upstream.account = "low"
    live("--no-history", "--port", str(server.port))
    seen.has({"unreachable": None, "amount": "$8.00"})
    expect(seen.page).to_have_title("$8.00 · 8.0% · low · orcredit")
    upstream.account = "exhausted"
    seen.has({"amount": "$0.00"})
    assert seen.page.evaluate(NEVER_RELOADED)


def test_stale_numbers_are_shown_with_their_age(visit: Visits, live: Live, upstream: Upstream) -> None:
    seen = visit(live())
    seen.page.clock.install()
    seen.open()
    upstream.account = "html"
    expect(seen.of("stale")).to_contain_text(
        re.compile(
            r"^OpenRouter has not answered for \d+ seconds?: .*HTML.*\. The numbers are from \d\d:\d\d:\d\d\. "
            r"(Next try in .+|Asking again now)\.$"
        )
    )
    seen.has({"amount": "$51.25", "unreachable": None, "problem": None})
    expect(seen.page).to_have_title("$51.25 · 51.2% (stale) · orcredit")
    expect(seen.of("announcement")).to_contain_text("OpenRouter does not answer: ")
    seen.page.clock.fast_forward(75_000)
    expect(seen.of("stale")).to_contain_text("has not answered for 1 minute: ")

    upstream.account = "normal"
    seen.has({"stale": None, "announcement": "The numbers are current again."})
    expect(seen.page).to_have_title("$51.25 · 51.2% · orcredit")


# Login


def log_in(seen: Visit, token: str = TOKEN) -> None:
    seen.page.get_by_label("Token").fill(token)
    seen.page.get_by_role("button", name="Log in").click()


@pytest.fixture
def guarded(visit: Visits, live: Live) -> tuple[Visit, Serving]:
    """A visit to a server with a token."""
    server = live(ORCREDIT_TOKEN=TOKEN)
    seen = visit(server)
    seen.expects("the server responded with a status of 401")
    return seen, server


def test_a_token_opens_the_page_and_logging_out_closes_it(guarded: tuple[Visit, Serving]) -> None:
    seen, _ = guarded
    seen.page.goto(seen.url)
    expect(seen.page).to_have_title("Log in · orcredit")
    seen.has({"amount": None, "refresh": None, "logout": None, "history": None, "key": "orcredit"})
    assert seen.asked(EVENTS) == 0
    field = seen.page.get_by_label("Token")
    expect(field).to_have_attribute("type", "password")

    log_in(seen, "wrong")
    seen.has({"login-error": "That is not the token.", "amount": None})
    expect(seen.page.get_by_role("alert")).to_have_text("That is not the token.")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert seen.context.cookies() == []

    field.fill(TOKEN)
    field.press("Enter")
    seen.has({"amount": "$51.25", "login": None})
    (cookie,) = seen.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"]
    seen.page.reload()
    seen.has({"amount": "$51.25", "login": None})

    seen.page.get_by_role("button", name="Log out").click()
    expect(seen.of("login")).to_be_visible()
    seen.has({"amount": None, "logout": None})
    expect(seen.page).to_have_title("Log in · orcredit")
    assert seen.context.cookies() == []
    seen.page.reload()
    expect(seen.of("login")).to_be_visible()


def test_too_many_attempts_have_to_wait(guarded: tuple[Visit, Serving]) -> None:
    seen, server = guarded
    seen.expects("the server responded with a status of 429")
    seen.page.goto(seen.url)
    for _ in range(5):
        assert server.log_in("wrong").status == 401
    log_in(seen, "wrong")
    seen.has({"login-error": re.compile(r"^Too many attempts\. Try again in \d+ seconds?\.$")})


def test_a_session_that_ends_elsewhere_asks_for_the_token_again(
    guarded: tuple[Visit, Serving], upstream: Upstream
) -> None:
    seen, _ = guarded
    seen.page.goto(seen.url)
    log_in(seen)
    seen.has({"amount": "$51.25"})
    mark(seen)
    assert seen.context.request.delete(f"{seen.url.rstrip('/')}{SESSION}").status == 204
    wait_for_polls(upstream)
    expect(seen.of("login")).to_be_visible()
    seen.has({"amount": None, "announcement": "A login is needed."})

    upstream.account = "low"
    log_in(seen)
    seen.has({"amount": "$8.00", "login": None})
    upstream.account = "exhausted"
    seen.has({"amount": "$0.00"})  # the stream is open again
    assert seen.page.evaluate(NEVER_RELOADED)


def test_another_token_after_a_restart_asks_for_it(
    guarded: tuple[Visit, Serving], live: Live, upstream: Upstream
) -> None:
    seen, server = guarded
    seen.expects(*CUT_CONNECTION, "status of 503")
    seen.page.goto(seen.url)
    log_in(seen)
    seen.has({"amount": "$51.25"})
    upstream.account = "low"
    seen.has({"amount": "$8.00"})  # the stream is open
    server.stop(signal.SIGKILL)
    expect(seen.of("unreachable")).to_be_visible()
    another = f"another-{TOKEN}"
    live("--port", str(server.port), waits=False, ORCREDIT_TOKEN=another)
    expect(seen.of("login")).to_be_visible()
    log_in(seen)
    seen.has({"login-error": "That is not the token."})
    log_in(seen, another)
    seen.has({"amount": "$8.00", "login": None})
