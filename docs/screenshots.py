"""Take the README's screenshots of the page, `docs/page*.png`, with the demo account; needs Chromium.

The demo's clock is the real one; here it starts at `PICTURED_AT`, so that the pictures change only with the page.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PICTURED_AT = "2026-11-24T15:10:00+00:00"
"""A Tuesday afternoon, with a reset and a gap in the 30 days before, and the forecast until the next reset after it."""
SERVE = """
import sys, time
from datetime import datetime, timedelta
from functools import partial

from orcredit.cli import main
from orcredit.client import AsyncClient

began, instant = time.monotonic(), datetime.fromisoformat(sys.argv[1])
AsyncClient.demo = partial(AsyncClient.demo, clock=lambda: instant + timedelta(seconds=time.monotonic() - began))
sys.exit(main(sys.argv[2:]))
"""
KEY = ("[data-testid=history-chart] .chart-line", "[data-testid=donut] .donut-part", "[data-testid=event]")
ACCOUNT = (".stack path", "[data-testid=account-models] tbody tr", "[data-testid=key-row]")
"""What comes after the numbers of a key and of an account."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--hide-scrollbars"]


def main() -> None:
    """Take one of the key at level ok in light colours, one at level low in dark ones, and one of the account."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        take(browser, "page.png", "light")
        take(browser, "page-low.png", "dark", "--warn-below", "40%")
        take(browser, "page-account.png", "light", address="#/account", drawn=ACCOUNT)
        browser.close()


def take(
    browser: Browser,
    name: str,
    scheme: Literal["light", "dark"],
    *options: str,
    address: str = "",
    drawn: tuple[str, ...] = KEY,
) -> None:
    """Serve the demo with these options, and take a screenshot of its page at that address when all of it is drawn."""
    with tempfile.TemporaryDirectory() as home:
        serve = subprocess.Popen(
            [sys.executable, "-c", SERVE, PICTURED_AT, "serve", "--demo", "--port", "0", *options],
            env=os.environ | {"HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert serve.stdout is not None  # noqa: S101 - it is a pipe
        try:
            page = browser.new_page(
                viewport={"width": 1280, "height": 900},
                color_scheme=scheme,
                timezone_id="UTC",
                reduced_motion="reduce",
            )
            page.goto(f"{serve.stdout.readline().split()[-1]}/{address}")
            for part in drawn:
                page.locator(part).first.wait_for()
            page.wait_for_timeout(500)  # what has come is drawn
            page.screenshot(path=FOLDER / name, full_page=True)
            page.close()
        finally:
            serve.terminate()
            serve.wait()


if __name__ == "__main__":
    main()
