"""The page in a real Chromium: the browser, visits to the page, and what is checked on every visit.

A plugin of the tests that name it in `pytest_plugins`. Its browser is started once per worker, and ended when other
tests follow: Playwright's synchronous API occupies the event loop of its thread while it runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import expect, sync_playwright

from orcredit import simulator
from tests.page_layout import EVERY_LOOK, FAULTS, SHIFTS, Look
from tests.serving import BALANCE, TOKEN, Upstream, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import (
        Browser,
        BrowserContext,
        CDPSession,
        ConsoleMessage,
        Locator,
        Page,
        Request,
        ViewportSize,
    )

    from tests.serving import Serving

pytest_plugins = ["tests.server_fixtures"]

Visits: TypeAlias = "Callable[..., Visit]"
"""What the fixtures `visit` and `look` are: from a server and a browser's options, a visit to its page."""

_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-site-isolation-trials",  # one process for the frames of a page that has none
)
_PATIENCE = 15_000
"""Milliseconds to wait for anything that must appear soon."""

PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}

NUMBERS = re.compile(r"\$[\d,.]+|no limit on this key|free models only")
"""The page's amount, once it is known."""

MOST_LOADS = 60
"""How often all tests together may load the page: one load shows many states, as the server behind it changes."""

MOST_SHIFT = 0.02
"""How much of the window may move by itself, as browsers measure it (Cumulative Layout Shift)."""

_running = ExitStack()
_browsers: list[Browser] = []
_windows: list[Page] = []
_counters: list[Path] = []
"""The file that all workers of a run share; it has a line for each load of the page: the test."""


def chromium() -> str | None:
    """Where the browser is; None if there is none."""
    return shutil.which(os.environ.get("CHROMIUM") or "/usr/bin/chromium")


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Give this worker's browser, which runs until other tests follow."""
    if not _counters:
        folder = tmp_path_factory.getbasetemp()
        _counters.append((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "page-loads")
    if not _browsers:
        path = chromium()
        if path is None:
            missing = "needs Chromium: at /usr/bin/chromium, or where the variable CHROMIUM says"
            if os.environ.get("CI") == "true":
                pytest.fail(missing)
            pytest.skip(missing)
        playwright = _running.enter_context(sync_playwright())
        _browsers.append(playwright.chromium.launch(executable_path=path, args=_SWITCHES))
        _running.callback(_browsers.clear)
        _running.callback(_windows.clear)
        _running.callback(_browsers[0].close)
        expect.set_options(timeout=_PATIENCE)
    return _browsers[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the browser before tests of something else, which want an event loop of their own."""
    if nextitem is None or "browser" not in getattr(nextitem, "fixturenames", ()):
        _running.close()


class Visit:
    """A visit to the page, without cookies or storage of earlier ones.

    To reuse an open window takes a quarter of the time; at the end everything that a page can store is cleared.
    """

    def __init__(self, browser: Browser, url: str, *, window: Page | None = None, **options: Any) -> None:  # noqa: ANN401 - Playwright's own
        usual = {"viewport": DESKTOP, "timezone_id": "Europe/Berlin", "locale": "en-US", "color_scheme": "light"}
        self.url = url
        self.is_shared = window is not None
        self.context: BrowserContext = browser.new_context(**(usual | options)) if window is None else window.context
        self.context.set_default_timeout(_PATIENCE)
        if window is None:
            self.context.add_init_script(SHIFTS)
        self.requests: list[Request] = []
        self.secrets = [
            TOKEN,
            *(simulator.key_for(name) for name in (*simulator.ACCOUNTS, *simulator.TEAMS, *simulator.FAULTS)),
        ]
        self.secrets += [
            simulator.management_key_for(name) for name, one in simulator.ACCOUNTS.items() if one.purchased is not None
        ]
        self._messages: list[str] = []
        self._expected: list[str] = []
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "request": self._note,
            "console": self._note_message,
            "weberror": lambda error: self._messages.append(f"an error: {error.error}"),
            "dialog": lambda dialog: self._messages.append(f"a dialog: {dialog.message}"),
        }
        for event, listener in self._listeners.items():
            self.context.on(event, listener)
        self.page: Page = self.context.new_page() if window is None else window
        self._cdp: CDPSession | None = None

    def stop_listening(self) -> None:
        """Note nothing more that happens in the window: it is another visit's."""
        for event, listener in self._listeners.items():
            self.context.remove_listener(event, listener)

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        if request.is_navigation_request() and urlsplit(request.url).path == "/":
            with _counters[0].open("a", encoding="utf-8") as counter:
                counter.write(f"{os.environ.get('PYTEST_CURRENT_TEST')}\n")

    def _note_message(self, message: ConsoleMessage) -> None:
        if not message.text.startswith("[DOM] "):  # hints, which the browser shows only on demand
            self._messages.append(f"{message.type}: {message.text} {message.location['url']}")

    def open(self) -> Visit:
        """Go to the page, and wait for the amount."""
        self.page.goto(self.url)
        expect(self.of("amount")).to_have_text(NUMBERS)
        return self

    def drawn(self) -> Visit:
        """Wait for the chart and what stands below it, which are loaded after the numbers."""
        expect(self.of("history").get_by_text("Loading…")).to_have_count(0)
        expect(self.of("events").get_by_text("Loading…")).to_have_count(0)
        expect(self.of("events")).to_be_visible()
        return self

    def of(self, name: str) -> Locator:
        """Give the element with that hook."""
        return self.page.get_by_test_id(name)

    def has(self, texts: Mapping[str, str | re.Pattern[str] | None]) -> None:
        """Expect elements with these texts, or None for an element that must not be there."""
        for name, text in texts.items():
            if text is None:
                expect(self.of(name), name).to_have_count(0)
            else:
                expect(self.of(name), name).to_have_text(text)

    def asked(self, path: str, method: str = "GET") -> int:
        """Count the requests to an address."""
        return sum(urlsplit(one.url).path == path and one.method == method for one in self.requests)

    def hide(self, *, is_hidden: bool = True) -> None:
        """Hide the tab, or show it again: without a screen no tab is ever hidden, so the page's events simulate it."""
        self.page.evaluate(
            """isHidden => {
                const state = isHidden ? "hidden" : "visible";
                Object.defineProperty(document, "hidden", {configurable: true, get: () => isHidden});
                Object.defineProperty(document, "visibilityState", {configurable: true, get: () => state});
                document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
            }""",
            is_hidden,
        )

    def expects(self, *messages: str) -> None:
        """Allow these messages of the browser, which reports every error response, also one that the page expects."""
        self._expected += messages

    def violations(self) -> list[str]:
        """Give what violates axe's accessibility rules."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)  # a script element would not be allowed
        tags = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
        passed, failed = self.page.evaluate(
            """async tags => {
                // To describe all that is right would take ten times as long.
                const found = await axe.run(document, {runOnly: tags, resultTypes: ["violations"]});
                const failed = found.violations.flatMap(({id, nodes}) =>
                    nodes.map(node => `${id}: ${node.target}: ${node.failureSummary}`));
                return [found.passes.length, failed];
            }""",
            tags,
        )
        assert passed > 10, "axe checked nothing"
        return [str(one) for one in failed]

    def colour(self, name: str) -> str:
        """Give one of the style sheet's colours, as a style or a canvas has it: `rgb(1, 2, 3)`."""
        return str(
            self.page.evaluate(
                """name => {
                    const probe = document.createElement("i");
                    probe.style.color = `var(--${name})`;
                    document.body.append(probe);
                    const colour = getComputedStyle(probe).color;
                    probe.remove();
                    return colour;
                }""",
                name,
            )
        )

    def becomes(self, script: str, argument: object = None) -> None:
        """Wait until a function gives true.

        Playwright's own `wait_for_function` evaluates in the page again and again, which the page's policy forbids.
        """
        deadline = time.monotonic() + _PATIENCE / 1000
        while not self.page.evaluate(script, argument):
            assert time.monotonic() < deadline, script
            self.page.wait_for_timeout(50)

    def turn(self, look: Look) -> None:
        """Look at the page so."""
        if self._cdp is None:
            self._cdp = self.context.new_cdp_session(self.page)
        # Playwright has no method for the user's font size and for zoom. What this session overrides would survive the
        # next navigation.
        self._cdp.send("Emulation.clearDeviceMetricsOverride")
        self._cdp.send("Page.setFontSizes", {"fontSizes": {"standard": look.font, "fixed": look.font * 13 // 16}})
        self.page.emulate_media(
            color_scheme=look.theme,
            forced_colors="active" if look.is_forced else "none",
            media="print" if look.is_printed else "screen",
        )
        size = {"width": look.width, "height": PHONE["height"] if look.width < 640 else DESKTOP["height"] // look.zoom}
        self.page.set_viewport_size({"width": size["width"], "height": size["height"]})
        if look.zoom != 1:
            scale = {"deviceScaleFactor": look.zoom, "mobile": False}
            self._cdp.send("Emulation.setDeviceMetricsOverride", size | scale)

    def fits(self) -> None:
        """Expect the page to be no wider than its window."""
        self.becomes("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    def faults(self, *looks: Look) -> list[str]:
        """Give what is wrong with the layout: text on top of text, cut off or broken; a page wider than its window."""
        faults = []
        for look in looks:
            self.turn(look)
            deadline = time.monotonic() + 1.5  # the charts follow the window's size a little later
            while (found := self.page.evaluate(FAULTS)) and time.monotonic() < deadline:
                self.page.wait_for_timeout(50)
            faults += [f"{look}: {fault}" for fault in found]
        return faults

    def is_laid_out(self, *looks: Look) -> None:
        """Expect a layout without faults."""
        faults = self.faults(*looks)
        assert not faults, "\n".join(faults)

    def faults_and_violations(self, part: int = 0) -> list[str]:
        """Give what is wrong with the layout in every look, and what violates a rule of axe.

        Axe is slow, so it checks two looks: light or dark on a desktop, by `part`, and the other on a phone.
        """
        found = self.faults(*EVERY_LOOK)
        for look in (Look(1280), Look(360, "dark")) if part % 2 == 0 else (Look(1280, "dark"), Look(360)):
            self.turn(look)
            expect(self.page.locator("html")).to_have_attribute("data-theme", look.theme)
            found += [f"{look}: {one}" for one in self.violations()]
        self.turn(Look())
        return found

    def is_accessible(self, part: int = 0) -> None:
        """Expect a layout without faults in every look, and no violation of axe's rules."""
        found = self.faults_and_violations(part)
        assert not found, "\n".join(found)

    def is_still(self) -> None:
        """Expect that hardly anything moved by itself since the page was opened."""
        moved = [(float(share), str(what)) for share, what in self.page.evaluate("window.layoutShifts")]
        assert sum(share for share, _ in moved) <= MOST_SHIFT, moved

    def close(self) -> None:
        """Check what must hold on every visit, and end it."""
        is_left_as_it_was = False
        try:
            for page in self.context.pages:
                self._check_secrets(page)
            if self.is_shared:
                self._reset()
                is_left_as_it_was = True
        finally:
            if not is_left_as_it_was:
                self.context.close()
                if self.is_shared:
                    _windows.clear()
        loads = _counters[0].read_text(encoding="utf-8").splitlines() if _counters[0].exists() else []
        assert len(loads) <= MOST_LOADS, "the tests load the page too often: show more states in one load"
        unexpected = [one for one in self._messages if not any(text in one for text in self._expected)]
        assert unexpected == []
        hosts = {urlsplit(one.url).netloc for one in self.requests if urlsplit(one.url).scheme != "data"}
        assert hosts <= {urlsplit(self.url).netloc}

    def _reset(self) -> None:
        """Restore the window's first state."""
        if self.page.url != "about:blank":
            self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.stop_listening()
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")
        self.turn(Look())
        self.context.clear_cookies()

    def _check_secrets(self, page: Page) -> None:
        """Check that no key and no token is in the page, its address or its storage."""
        if page.url == "about:blank":
            return
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, name])")
        everything = f"{page.content()}\n{page.title()}\n{page.url}\n{kept}"
        assert [secret for secret in self.secrets if secret in everything] == []


def wait_for_first_poll(server: Serving) -> Serving:
    """Wait until the server's first poll has ended, with or without an answer of OpenRouter."""
    wait_until(lambda: server.ask(BALANCE, Authorization=f"Bearer {TOKEN}").json.get("code") != "starting")
    return server


@pytest.fixture(scope="session")
def served(server: simulator.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Serving]]:
    """Give the server that shows an account; it is shared, so tests must not change it."""
    running: dict[str, Serving] = {}
    with ExitStack() as stack:

        def give(account: str, *arguments: str, **environ: str) -> Serving:
            place = json.dumps([account, arguments, environ])
            if place not in running:
                home = tmp_path_factory.mktemp("home")
                block = serving(
                    *arguments,
                    "--interval=1h",
                    home=home,
                    upstream=None if "--demo" in arguments else server.base_url,
                    account=account,
                    environ=environ,
                    is_measured=False,
                )
                running[place] = wait_for_first_poll(stack.enter_context(block))
            return running[place]

        yield give


@pytest.fixture
def live(upstream: Upstream, tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start servers that show what `upstream` says, by default a new answer each second."""
    with ExitStack() as stack:

        def start(
            *arguments: str, waits: bool = True, constants: Mapping[str, float] | None = None, **environ: str
        ) -> Serving:
            interval = () if any(one.startswith("--interval") for one in arguments) else ("--interval=1",)
            block = serving(
                *interval,
                *arguments,
                home=tmp_path,
                upstream=upstream,
                environ=environ,
                constants=constants,
                is_measured=False,
            )
            server = stack.enter_context(block)
            return wait_for_first_poll(server) if waits else server

        yield start


@pytest.fixture
def visit(browser: Browser, live: object) -> Iterator[Callable[..., Visit]]:
    """Begin visits to a server; each is checked at the end of the test."""
    assert live  # so that visits end before the test's servers, whose end the browser would report
    visits: list[Visit] = []

    def begin(server: Serving, **options: Any) -> Visit:  # noqa: ANN401 - Playwright's own
        visits.append(Visit(browser, f"{server.url}/", **options))
        return visits[-1]

    yield begin
    with ExitStack() as ending:
        for one in visits:
            ending.callback(one.close)


@pytest.fixture
def look(browser: Browser, live: object) -> Iterator[Callable[..., Visit]]:
    """Begin a visit in the worker's shared window, for tests that install nothing in it; it is checked at the end."""
    assert live  # as for `visit`
    with ExitStack() as ending:

        def begin(server: Serving) -> Visit:
            if not _windows:
                opening = Visit(browser, f"{server.url}/")
                opening.stop_listening()
                _windows.append(opening.page)
            seen = Visit(browser, f"{server.url}/", window=_windows[0])
            ending.callback(seen.close)
            return seen

        yield begin
