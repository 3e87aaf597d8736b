"""No response and no line of the log of `orcredit serve` holds a secret, and none can be forged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.serving import (
    ACCOUNT,
    ACTIVITY,
    BALANCE,
    BEARER,
    CSV,
    HISTORY,
    KEY_DAYS,
    KEYS,
    SESSION,
    SNAPSHOT,
    TOKEN,
    serving,
    wait_until,
)
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

KEY = simulator.key_for("normal")


def test_no_key_and_no_token_is_shown_by_anything(tmp_path: Path) -> None:
    key, management = simulator.key_for("echo-key"), simulator.management_key_for("normal")
    environ = {"ORCREDIT_TOKEN": TOKEN, "OPENROUTER_MANAGEMENT_KEY": management}
    shown: list[str] = []
    with simulator.Server() as upstream:
        home, url = tmp_path, upstream.base_url
        with serving("-v", home=home, upstream=url, account="echo-key", environ=environ) as server:
            wait_until(lambda: server.ask(BALANCE, Authorization=BEARER).status != 503)
            cookie = server.log_in().headers["Set-Cookie"].partition(";")[0]
            for path in ("/", BALANCE, SNAPSHOT, HISTORY, CSV, ACCOUNT, KEYS, KEY_DAYS, ACTIVITY, SESSION, "/readyz",
                         "/openapi.json", "/nothing"):  # fmt: skip
                shown += [server.ask(path, Authorization=BEARER).everything, server.ask(path, Cookie=cookie).everything]
                shown += [server.ask(path).everything, server.ask(path, Authorization=f"Bearer x{TOKEN}").everything]
            for secret in (key, KEY):
                for path in (f"/{secret}", f"/assets/{secret}", f"{HISTORY}?since={secret}",
                             f"{HISTORY}?every={secret}", f"{ACTIVITY}?by={secret}", f"{ACTIVITY}?since={secret}",
                             f"{ACTIVITY}?top={secret}", f"{KEYS}?profile={secret}",
                             f"{HISTORY}?points={secret}", f"{CSV}?since={secret}",
                             f"{BALANCE}?key={secret}", f"{BALANCE}/{secret}"):  # fmt: skip
                    shown.append(server.ask(path, Authorization=BEARER).everything)
                shown.append(server.ask(BALANCE, Host=secret).everything)
                shown.append(server.ask(BALANCE, secret.replace("-", ""), Authorization=BEARER).everything)
                shown.append(server.log_in(secret).everything)
                shown.append(server.raw(f"{secret}\r\n\r\n".encode()).everything)
            shown.append(server.post(SESSION, f'{{"token": "{TOKEN}", "x": 1}}'.encode()).everything)
            with server.stream(Authorization=BEARER) as stream:
                shown.append(stream.next().text)
            server.wait_for("answered")
            assert server.stop() == 0
        shown += [server.said, server.errors]
    for text in shown:
        assert not shows_key(text, key)
        assert not shows_key(text, KEY)
        assert not shows_key(text, management)
        assert TOKEN not in text


def test_a_key_in_a_path_is_not_logged(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path) as server:
        for path in (f"/x/{KEY}/y", f"/%2F{KEY}", f"/key={KEY}", f"//{KEY}"):
            assert server.ask(path).status == 404
        server.wait_for("answered GET", 4)
        assert server.stop() == 0
    assert not shows_key(server.errors, KEY)


def test_a_log_line_cannot_be_forged(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path) as server:
        assert server.ask("/a%0d%0a2026-01-01T00:00:00Z%20forged%1b[31m").status == 404
        for bad in (b"/a\x1b[31m", b"/a\r2026", b"/a\tb", "/\u202e".encode()):
            server.raw(b"GET " + bad + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.wait_for("(another path)")
        assert server.stop() == 0
    assert not any(line.startswith("2026-01-01") for line in server.lines)
    assert server.errors.replace("\n", "").isprintable()
