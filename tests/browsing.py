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
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import expect, sync_playwright

from orcredit import simulator
from tests.serving import BALANCE, TOKEN, Upstream, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, ViewportSize

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

_running = ExitStack()
_browsers: list[Browser] = []
_windows: list[Page] = []


def chromium() -> str | None:
    """Where the browser is; None if there is none."""
    return shutil.which(os.environ.get("CHROMIUM") or "/usr/bin/chromium")


@pytest.fixture
def browser() -> Browser:
    """Give this worker's browser, which runs until other tests follow."""
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
        self.requests: list[Request] = []
        self.secrets = [TOKEN, *(simulator.key_for(name) for name in (*simulator.ACCOUNTS, *simulator.FAULTS))]
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

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def _note_message(self, message: ConsoleMessage) -> None:
        if not message.text.startswith("[DOM] "):  # hints, which the browser shows only on demand
            self._messages.append(f"{message.type}: {message.text} {message.location['url']}")

    def open(self) -> Visit:
        """Go to the page, and wait for the amount."""
        self.page.goto(self.url)
        expect(self.of("amount")).to_have_text(NUMBERS)
        return self

    def drawn(self) -> Visit:
        """Wait for the charts, which are drawn after the numbers."""
        expect(self.of("history").get_by_role("group", name="How far back")).to_be_visible()
        expect(self.of("history").get_by_text("Loading…")).to_have_count(0)
        for picture in self.page.locator("canvas").all():
            # A canvas has this size before anything is drawn on it.
            expect(picture).not_to_have_js_property("width", 300)
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

    def fits(self) -> None:
        """Expect the page to be no wider than its window, once the charts have taken its size."""
        self.becomes(
            "() => document.documentElement.scrollWidth <= Math.min(innerWidth, document.documentElement.clientWidth)"
        )

    def is_accessible(self, part: int = 0) -> None:
        """Expect the page to fit a desktop's and a phone's window, in light and dark, and to violate no rule of axe.

        Axe is slow, so it checks two of the four combinations: light or dark on a desktop, by `part`, and the other
        on a phone.
        """
        themes: list[Literal["light", "dark"]] = ["light", "dark"] if part % 2 == 0 else ["dark", "light"]
        for size, theme in zip((DESKTOP, PHONE), themes, strict=True):
            self.page.set_viewport_size(size)
            self.page.emulate_media(color_scheme=theme)
            expect(self.page.locator("html")).to_have_attribute("data-theme", theme)
            self.fits()
            assert self.violations() == []

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
        unexpected = [one for one in self._messages if not any(text in one for text in self._expected)]
        assert unexpected == []
        hosts = {urlsplit(one.url).netloc for one in self.requests if urlsplit(one.url).scheme != "data"}
        assert hosts <= {urlsplit(self.url).netloc}

    def _reset(self) -> None:
        """Restore the window's first state."""
        if self.page.url != "about:blank":
            self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        for event, listener in self._listeners.items():
            self.context.remove_listener(event, listener)
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")
        self.page.set_viewport_size(DESKTOP)
        self.page.emulate_media(color_scheme="light")
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

        def start(*arguments: str, waits: bool = True, **environ: str) -> Serving:
            interval = () if any(one.startswith("--interval") for one in arguments) else ("--interval=1",)
            block = serving(*interval, *arguments, home=tmp_path, upstream=upstream, environ=environ, is_measured=False)
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
                _windows.append(Visit(browser, f"{server.url}/").page)
            seen = Visit(browser, f"{server.url}/", window=_windows[0])
            ending.callback(seen.close)
            return seen

        yield begin
