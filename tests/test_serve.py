"""`orcredit serve` as a command: how it starts, its options and its token, and the browser that it opens."""

from __future__ import annotations

import re
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.serving import BALANCE, HISTORY, TIMESTAMP, TOKEN, Upstream, ends_in_time, serving, wait_until
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Orcredit

KEY = simulator.key_for("normal")

pytest_plugins = ["tests.server_fixtures"]
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")]

# Starting


def test_standard_output_is_one_line_with_the_address(tmp_path: Path, upstream: Upstream) -> None:
    with serving(home=tmp_path, upstream=upstream) as server:
        assert re.fullmatch(r"Listening on http://127\.0\.0\.1:[1-9]\d*\n", server.said)
        assert server.port != 4000
        server.wait_for_answer()
        assert server.ask(BALANCE).json["remaining"] == 51.25
        assert server.stop() == 0
        assert server.errors == ""


def test_a_port_can_be_chosen(tmp_path: Path, upstream: Upstream, port: str) -> None:
    with serving("--port", port, home=tmp_path, upstream=upstream) as server:
        assert server.port == int(port)


def test_a_port_can_be_taken_again_at_once(tmp_path: Path, port: str) -> None:
    with serving("--demo", "--no-history", "--port", port, home=tmp_path) as server, server.stream() as stream:
        stream.next()
        assert server.stop() == 0  # it ends the connection itself, which leaves the port in TIME_WAIT
    with serving("--demo", "--no-history", "--port", port, home=tmp_path) as again:
        assert again.ask("/healthz").status == 200


def test_the_host_may_be_a_name_or_an_ipv6_address(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "--host", "localhost", home=tmp_path) as server:
        assert server.url == f"http://localhost:{server.port}"
    if not socket.has_ipv6 or not can_bind("::1"):
        pytest.skip("no IPv6 here")
    with serving("--demo", "--no-history", "--host", "::1", home=tmp_path) as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert server.ask("/readyz").status in {200, 503}


def can_bind(address: str) -> bool:
    try:
        socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError:
        return False
    return True


def test_a_port_in_use_is_one_clear_line_and_a_hint(orcredit: Orcredit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = orcredit("serve", "--port", str(port), account="normal")
    assert (done.code, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        f"orcredit: Port {port} is in use on 127.0.0.1.",
        "Choose another with --port; --port 0 takes a free one.",
    ]


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid", "", "a" * 300, "127.0.0.1:80"])
def test_a_bad_host_is_one_clear_line_and_a_hint(orcredit: Orcredit, host: str) -> None:
    done = orcredit("serve", "--port", "0", "--host", host, account="normal", environ={"ORCREDIT_TOKEN": TOKEN})
    assert (done.code, done.stdout) == (78, "")
    first, second = done.stderr.splitlines()
    assert "is not an address of this machine" in first
    assert "127.0.0.1" in second


def test_a_missing_key_is_one_clear_line_and_a_hint(orcredit: Orcredit) -> None:
    done = orcredit("serve", "--port", "0")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (78, "", 2)
    assert "OPENROUTER_API_KEY" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"],
        ["--port", "-1"],
        ["--interval", "0"],
        ["--warn-below", "much"],
        ["--demo", "--base-url", "http://127.0.0.1:1"],
        ["--demo", "--database-url", "sqlite:////tmp/never"],
        ["--no-history", "--database-url", "sqlite:////tmp/never"],
        ["--allow-host", "http://nas.lan"],
        ["surplus"],
    ],
)
def test_wrong_usage(orcredit: Orcredit, arguments: list[str]) -> None:
    done = orcredit("serve", *arguments, account="normal")
    assert (done.code, done.stdout) == (2, "")
    assert 1 <= len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", KEY],
        ["--interval", KEY],
        ["--host", KEY],
        ["--timeout", KEY],
        ["--token-file", KEY],
        ["--allow-host", f"http://{KEY}"],
        [KEY],
    ],
)
def test_a_key_typed_in_a_wrong_place_is_not_repeated(orcredit: Orcredit, arguments: list[str]) -> None:
    done = orcredit("serve", "--port", "0", *arguments, account="normal")
    assert done.code in {2, 78}
    assert not shows_key(done.stdout + done.stderr, KEY)


def test_a_refused_key_does_not_stop_the_start(tmp_path: Path, upstream: Upstream) -> None:
    upstream.account = "error-401"
    with serving(home=tmp_path, upstream=upstream) as server:
        server.wait_for("OpenRouter does not accept the key in OPENROUTER_API_KEY")
        assert server.ask(BALANCE).problem == (502, "refused")
        assert server.stop() == 0
    assert re.fullmatch(rf"{TIMESTAMP} [^\n]*401\n", server.errors)


def test_an_unreachable_openrouter_does_not_stop_the_start(tmp_path: Path, upstream: Upstream) -> None:
    upstream.kill()
    with serving(home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        assert server.ask(BALANCE).problem == (502, "unreachable")
        wait_until(lambda: len(server.lines) == 1)
    assert re.fullmatch(rf"{TIMESTAMP} [^\n]+\n", server.errors)


def test_the_demo_needs_no_key_and_no_network_and_leaves_no_file(tmp_path: Path) -> None:
    with serving("--demo", home=tmp_path, account=None) as server:
        server.wait_for_answer()
        fetched_at = datetime.fromisoformat(server.ask(BALANCE).json["fetchedAt"])
        assert abs(datetime.now(UTC) - fetched_at) < timedelta(minutes=5)
        assert server.ask(HISTORY).status == 200
        assert server.stop() == 0
    assert list(tmp_path.iterdir()) == []


def test_warn_below_and_interval_are_applied(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--warn-below", "99%", "--interval", "1", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        assert server.ask(BALANCE).json["warningLowBudget"] is True
        wait_until(lambda: upstream.polls >= 3)


def test_the_base_url_may_be_an_option(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--base-url", upstream.base_url, home=tmp_path) as server:
        server.wait_for_answer()
        assert server.ask(BALANCE).json["remaining"] == 51.25


# The token


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_a_host_that_others_can_reach_requires_a_token(orcredit: Orcredit, host: str) -> None:
    if not can_bind(host):
        pytest.skip("no such address here")
    for blank in ("", "  \t"):
        done = orcredit("serve", "--port", "0", "--host", host, account="normal", environ={"ORCREDIT_TOKEN": blank})
        assert (done.code, done.stdout, len(done.stderr.splitlines())) == (78, "", 2)
        assert "ORCREDIT_TOKEN" in done.stderr


def test_with_a_token_it_listens_on_all_addresses_and_warns_of_clear_text(tmp_path: Path, upstream: Upstream) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    with serving("--host", "0.0.0.0", home=tmp_path, upstream=upstream, environ=environ) as server:  # noqa: S104
        assert server.url == f"http://0.0.0.0:{server.port}"
        assert server.ask(BALANCE, Host="localhost").problem == (401, "unauthorized")
        assert server.ask(BALANCE, Host="localhost", Authorization=f"Bearer {TOKEN}").status in {200, 503}
        server.wait_for("in clear")
    assert TOKEN not in server.errors


def test_a_short_token_gives_a_warning(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", home=tmp_path, environ={"ORCREDIT_TOKEN": "x" * 15}) as server:
        server.wait_for("fewer than 16 characters")
    with serving("--demo", "--no-history", home=tmp_path, environ={"ORCREDIT_TOKEN": "x" * 16}) as server:
        server.wait_for_answer()
        assert server.stop() == 0
    assert server.errors == ""


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_token_file(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN}\n", encoding="utf-8")
    file.chmod(mode)
    environ = {"ORCREDIT_TOKEN": "another-token-that-is-not-asked-for"}
    with serving("--demo", "--no-history", "--token-file", str(file), home=tmp_path, environ=environ) as server:
        assert server.ask("/readyz", Authorization=f"Bearer {TOKEN}").status in {200, 503}
        assert server.ask("/readyz", Authorization=f"Bearer {environ['ORCREDIT_TOKEN']}").status == 401
        assert server.stop() == 0
    assert ("chmod 600" in server.errors) == (mode == 0o644)
    assert TOKEN not in server.errors


SECRET = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    "content",
    [b" \n\t ", f"{SECRET} {SECRET}".encode(), b"\xff\xfe\x00" + SECRET.encode()],
    ids=["blank", "blanks", "binary"],
)  # fmt: skip
def test_a_token_file_without_a_token(orcredit: Orcredit, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    done = orcredit("serve", "--demo", "--port", "0", "--token-file", str(file))
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (78, "", 2)
    assert "--token-file" in done.stderr
    assert "horse" not in done.stderr


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_token_file_that_cannot_be_read(orcredit: Orcredit, tmp_path: Path, name: str) -> None:
    done = orcredit("serve", "--demo", "--port", "0", "--token-file", f"{tmp_path}/{name}")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (78, "", 2)
    assert "--token-file cannot be read" in done.stderr


@pytest.mark.parametrize("token", ["one\ntwo-that-is-long-enough", "t\u00e9st" * 5])
def test_a_token_that_cannot_be_sent_in_a_header_is_refused(orcredit: Orcredit, token: str) -> None:
    done = orcredit("serve", "--demo", "--port", "0", environ={"ORCREDIT_TOKEN": token})
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (78, "", 2)
    assert "ORCREDIT_TOKEN is not a valid token" in done.stderr
    assert token not in done.stderr


# The browser


def browser(tmp_path: Path, *lines: str) -> str:
    script = tmp_path / "browser"
    script.write_text("\n".join(["#!/bin/sh", f"echo \"$1\" > '{tmp_path}/opening'", *lines, ""]), encoding="utf-8")
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize(
    ("arguments", "address"),
    [([], "127.0.0.1"), (["--host", "0.0.0.0"], "127.0.0.1"), (["--host", "localhost"], "localhost")],  # noqa: S104
)
def test_open_opens_the_page_once_it_is_served(tmp_path: Path, arguments: list[str], address: str) -> None:
    script = browser(tmp_path, f"mv '{tmp_path}/opening' '{tmp_path}/opened'")
    environ = {"BROWSER": script, "ORCREDIT_TOKEN": TOKEN}
    with serving("--demo", "--no-history", "--open", *arguments, home=tmp_path, environ=environ) as server:
        wait_until((tmp_path / "opened").exists)
        assert (tmp_path / "opened").read_text(encoding="utf-8") == f"http://{address}:{server.port}/\n"
        assert server.ask("/", Host=f"{address}:{server.port}").status == 200


def test_a_browser_that_stays_open_does_not_delay_the_end(tmp_path: Path) -> None:
    script = browser(tmp_path, "exec sleep 60 >&- 2>&-")
    with serving("--demo", "--no-history", "--open", home=tmp_path, environ={"BROWSER": script}) as server:
        wait_until((tmp_path / "opening").exists)
        ends_in_time(server)


@pytest.mark.parametrize("environ", [{}, {"BROWSER": "/bin/false"}, {"BROWSER": "/no/such/program"}])
def test_without_a_browser_it_logs_that_and_serves(tmp_path: Path, environ: dict[str, str]) -> None:
    with serving(
        "--demo", "--no-history", "--open", home=tmp_path, environ=environ | {"PATH": str(tmp_path)}
    ) as server:
        server.wait_for("no browser")
        assert server.ask("/healthz").status == 200
        assert server.stop() == 0
    assert re.fullmatch(rf"{TIMESTAMP} no browser [^\n]+\n", server.errors)
