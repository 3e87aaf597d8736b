"""Take the picture of the page's table of keys, `docs/page-keys.png`; needs Chromium.

Simulated accounts are served as profiles of a configuration file. All clocks start at a fixed time, so that the
picture changes only with the page.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from math import sin
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, sync_playwright

from orcredit import simulator
from orcredit.balance import assess
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from orcredit.openrouter import KeyInfo
from orcredit.simulator.answers import key_data

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--hide-scrollbars"]
PICTURED_AT = datetime.fromisoformat("2026-11-24T15:10:00+00:00")
PROFILES = {
    "prod-agent": "demo",
    "research": "normal",
    "batch-night": "low",
    "ci-preview": "exhausted",
    "docs-bot": "weekly",
    "intern": "lifetime",
    "nightly-report": "daily",
    "evaluation": "many-budgets",
    "old-laptop": "error-401",
}
"""Names of profiles, and which simulated account the key of each is of."""
SERVE = """
import sys, time
from datetime import datetime, timedelta

from orcredit import answer_clock

began, instant = time.monotonic(), datetime.fromisoformat(sys.argv[1])
answer_clock.utc_now = lambda: instant + timedelta(seconds=time.monotonic() - began)

from orcredit.cli import main

sys.exit(main(sys.argv[2:]))
"""


def main() -> None:
    """Serve simulated accounts as profiles, and take the picture."""
    began = monotonic()
    with (
        simulator.Server(clock=lambda: PICTURED_AT + timedelta(seconds=monotonic() - began)) as openrouter,
        tempfile.TemporaryDirectory() as home,
        sync_playwright() as playwright,
    ):
        configure(Path(home), openrouter.base_url)
        record(Path(home))
        with serving(home) as url:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            take(browser, url)
            browser.close()


def configure(home: Path, base_url: str) -> None:
    """Write the configuration file, and the keys that it names."""
    folder = home / ".config" / "orcredit"
    folder.mkdir(parents=True)
    keys = {name: simulator.key_for(account) for name, account in PROFILES.items()}
    keys["team"] = simulator.management_key_for("team")
    text = f'base_url = "{base_url}"\n'
    for name, key in keys.items():
        path = home / f"{name}.key"
        path.write_text(key, encoding="utf-8")
        path.chmod(0o600)
        text += f'[profiles.{name}]\nkey_file = "{path}"\n'
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)


def record(home: Path) -> None:
    """Record two weeks of polls, every two hours, in which each key spent more on weekdays."""
    folder = home / ".local" / "share" / "orcredit"
    folder.mkdir(parents=True, mode=0o700)
    history = History(f"sqlite:///{folder / 'history.db'}")
    for number, (name, account) in enumerate(PROFILES.items()):
        if account not in simulator.ACCOUNTS:
            continue
        key = simulator.key_for(account)
        info = KeyInfo.model_validate(key_data(key, simulator.ACCOUNTS[account], PICTURED_AT))
        now = assess(info, None, PICTURED_AT)
        left, at = now.usage or Decimal(0), PICTURED_AT
        seen = []
        while at > PICTURED_AT - timedelta(days=14):
            seen.append(now.model_copy(update={"fetched_at": at, "usage": left}))
            busy = (0.3 if at.weekday() > 4 else 1.0) * (1.2 + sin(at.timetuple().tm_yday * (number + 2)))
            left = max(left - (now.usage_daily or Decimal(1)) * Decimal(f"{busy:.3f}") / 12, Decimal(0))
            at -= timedelta(hours=2)
        for balance in reversed(seen):
            history.record(fingerprint(key), balance, profile=name)


@contextmanager
def serving(home: str) -> Iterator[str]:
    """Serve the profiles; gives the address."""
    serve = subprocess.Popen(
        [sys.executable, "-c", SERVE, PICTURED_AT.isoformat(), "serve", "--port", "0"],
        env={"HOME": home, "PATH": os.environ["PATH"], "TZ": "UTC"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert serve.stdout is not None  # noqa: S101 - it is a pipe
    try:
        yield serve.stdout.readline().split()[-1]
    finally:
        serve.terminate()
        serve.wait()


def take(browser: Browser, url: str) -> None:
    """Take a screenshot of the page when all rows and the lines of two weeks are drawn."""
    page = browser.new_page(
        viewport={"width": 1280, "height": 680}, color_scheme="light", timezone_id="UTC", reduced_motion="reduce"
    )
    page.goto(url)
    page.locator(f"[data-testid=key-row] >> nth={len(PROFILES)}").wait_for()
    page.locator("[data-testid=key-row] .spark").first.wait_for()
    page.wait_for_timeout(500)  # what has come is drawn
    page.screenshot(path=FOLDER / "page-keys.png", full_page=True)
    page.close()


if __name__ == "__main__":
    main()
