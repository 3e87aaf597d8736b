"""The page of `orcredit serve` in Firefox, where Debian's firefox-esr is: its main state."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.page_layout import FAULTS
from tests.serving import PATIENCE, serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

FIREFOX = shutil.which("firefox-esr")

pytestmark = [
    pytest.mark.process,
    pytest.mark.xdist_group("page-firefox"),
    pytest.mark.skipif(FIREFOX is None, reason="needs firefox-esr, which Debian has"),
]

PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A Firefox without a screen, driven by its own protocol, Marionette: JSON over a socket."""

    def __init__(self, folder: Path) -> None:
        """Start it, with an empty profile in a folder."""
        assert FIREFOX is not None
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
        self._process = subprocess.Popen(
            [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(folder)],
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_HEADLESS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = folder / "MarionetteActivePort"
        wait_until(lambda: port.exists() and port.read_text(encoding="utf-8") != "", "Firefox does not start")
        self._socket = socket.create_connection(("127.0.0.1", int(port.read_text(encoding="utf-8"))), timeout=PATIENCE)
        self._file = self._socket.makefile("rb")
        self._count = 0
        self._read()  # it greets
        self.ask("WebDriver:NewSession", capabilities={"alwaysMatch": {"pageLoadStrategy": "normal"}})

    def _read(self) -> Any:  # noqa: ANN401 - JSON
        length = b""
        while (digit := self._file.read(1)) not in {b":", b""}:
            length += digit
        return json.loads(self._file.read(int(length)))

    def ask(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Send a command, and give its result."""
        self._count += 1
        message = json.dumps([0, self._count, command, arguments]).encode()
        self._socket.sendall(b"%d:%b" % (len(message), message))
        _, number, error, result = self._read()
        assert number == self._count
        assert error is None, error
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def evaluate(self, script: str) -> Any:  # noqa: ANN401 - JSON
        """Call a function in the page, which may be asynchronous."""
        return self.ask("WebDriver:ExecuteScript", script=f"return ({script})();", args=[])

    def resize(self, width: int) -> None:
        """Make the page's window that wide, in CSS pixels."""
        frame = self.evaluate("() => outerWidth - innerWidth")
        self.ask("WebDriver:SetWindowRect", width=width + frame, height=900)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()
        self._process.terminate()
        self._process.wait()


def test_firefox_shows_the_demo(tmp_path: Path) -> None:
    home, profile = tmp_path / "home", tmp_path / "profile"
    home.mkdir()
    profile.mkdir()
    with serving("--demo", "--interval=1h", home=home, account=None, is_measured=False) as server:
        server.wait_for_answer()
        with Firefox(profile) as browser:
            browser.ask("WebDriver:Navigate", url=f"{server.url}/")
            text = "() => document.querySelector('[data-testid=amount]')?.textContent ?? ''"
            wait_until(lambda: browser.evaluate(text).startswith("$"), "no amount")
            drawn = "() => document.querySelectorAll('[data-testid=history-chart] path.chart-line').length"
            wait_until(lambda: browser.evaluate(drawn) > 0, "no chart")
            ring = "() => document.querySelectorAll('[data-testid=donut] .donut-part').length"
            wait_until(lambda: browser.evaluate(ring) == 2, "no ring")
            for width in (1280, 600):
                browser.resize(width)
                wait_until(lambda: browser.evaluate(FAULTS) == [], str(browser.evaluate(FAULTS)))
