"""`orcredit serve` as a command: its start, its log, its behaviour when something fails, and its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.broken_server import BrokenServer
from tests.serving import BALANCE, CSV, EVENTS, HISTORY, REFRESH, SESSION, TOKEN, Serving, Upstream, serving, wait_until
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Orcredit

KEY = simulator.key_for("normal")
SIGNALS = [signal.SIGINT, signal.SIGTERM]
TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as openrouter:
        yield openrouter


def ends_in_time(server: Serving, number: signal.Signals = signal.SIGTERM) -> None:
    """Stop it; a bug here would delay it for ever (`benchmarks/serve.py` measures how long it takes)."""
    assert server.stop(number) == 0


# Starting


def test_standard_output_is_one_line_with_the_address(tmp_path: Path, upstream: Upstream) -> None:
    with serving(home=tmp_path, upstream=upstream) as server:
        assert re.fullmatch(r"Listening on http://127\.0\.0\.1:[1-9]\d*\n", server.said)
        assert server.port != 4000
        server.wait_for_answer()
        assert server.ask(BALANCE).json["remaining"] == 51.25
        assert server.stop() == 0
        assert server.errors == ""


def test_a_port_can_be_chosen(tmp_path: Path, upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with serving("--port", str(port), home=tmp_path, upstream=upstream) as server:
        assert server.port == port


def test_a_port_can_be_taken_again_at_once(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", home=tmp_path) as server, server.stream() as stream:
        stream.next()
        assert server.stop() == 0  # it ends the connection itself, which leaves the port in TIME_WAIT
    with serving("--demo", "--no-history", "--port", str(server.port), home=tmp_path) as again:
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


# The log


def test_requests_are_logged_with_v_only(tmp_path: Path, upstream: Upstream) -> None:
    with serving(home=tmp_path, upstream=upstream) as quiet:
        quiet.wait_for_answer()
        assert quiet.ask("/nothing").status == 404
        assert quiet.stop() == 0
    assert quiet.errors == ""
    with serving("-v", home=tmp_path, upstream=upstream) as loud:
        loud.wait_for_answer()
        assert loud.ask("/nothing?of=this").status == 404
        loud.wait_for("another path")
        assert loud.stop() == 0
    assert re.search(
        rf"^{TIMESTAMP} answered GET \(another path\): 404 after \d+\.\d{{3}} s$", loud.errors, re.MULTILINE
    )
    assert re.search(rf"^{TIMESTAMP} GET /api/v1/key: 200 after ", loud.errors, re.MULTILINE)
    assert all(re.match(TIMESTAMP, line) for line in loud.lines)


def test_each_event_is_one_line(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        upstream.account = "low"
        server.wait_for("the level is low now, it was ok")
        upstream.account = "error-401"
        server.wait_for("OpenRouter does not accept the key in OPENROUTER_API_KEY")
        upstream.account = "low"
        server.wait_for("OpenRouter answers again")
        upstream.account = "exhausted"
        server.wait_for("the level is exhausted now, it was low")
        assert server.stop() == 0
    assert len(server.lines) == 4
    assert all(re.fullmatch(rf"{TIMESTAMP} [^\n]+[^.\n]\n", line) for line in server.lines)


def test_it_logs_and_survives_an_unreachable_openrouter(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        upstream.kill()
        wait_until(lambda: server.ask(BALANCE).json["stale"])
        stale = server.ask(BALANCE).json
        upstream.revive()
        wait_until(lambda: not server.ask(BALANCE).json["stale"])
        server.wait_for("OpenRouter answers again")
        assert server.stop() == 0
    assert (stale["remaining"], bool(stale["staleReason"])) == (51.25, True)
    assert len(server.lines) == 2


# The history


def test_it_records_in_the_history_of_the_other_commands(
    tmp_path: Path, orcredit: Orcredit, upstream: Upstream
) -> None:
    with serving(home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        recent = server.ask(HISTORY).json["recent"]
        assert recent["since"] == recent["until"] is not None
    assert (tmp_path / ".local/share/orcredit/history.db").exists()
    environ = {"OPENROUTER_BASE_URL": upstream.base_url}
    assert orcredit("line", account="normal", environ=environ).stdout.startswith("$51.25")


def test_no_history_makes_no_file(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--no-history", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        assert server.ask(HISTORY).problem == (404, "no_history")
    assert not (tmp_path / ".local/share/orcredit").exists()


@pytest.mark.parametrize("kind", ["broken", "directory", "elsewhere"])
def test_an_unusable_history_is_logged_once_and_not_needed(tmp_path: Path, upstream: Upstream, kind: str) -> None:
    path = tmp_path / "history"
    if kind == "broken":
        path.write_bytes(b"this is no database" * 1000)
    elif kind == "directory":
        path.mkdir()
    else:
        path = tmp_path / "file" / "history"
        path.parent.write_bytes(b"")
    environ = {"ORCREDIT_DATABASE_URL": f"sqlite:///{path}"}
    with serving("--interval", "1", home=tmp_path, upstream=upstream, environ=environ) as server:
        wait_until(lambda: upstream.polls >= 3)
        assert server.ask(BALANCE).status == 200
        if kind != "elsewhere":  # a file that does not exist yet is an empty history
            for route in (HISTORY, CSV):
                answer = server.ask(route)
                assert answer.problem == (503, "history_unavailable")
                assert str(tmp_path) not in answer.everything
                assert answer.json["error"].startswith("The history ")
        assert server.stop() == 0
    assert str(path) in server.errors
    assert [line.count("history") > 0 for line in server.lines] == [True]
    if kind == "broken":
        assert path.read_bytes() == b"this is no database" * 1000


def test_a_locked_history_delays_no_request_and_is_logged(tmp_path: Path, upstream: Upstream) -> None:
    path = tmp_path / "history.db"
    url = f"sqlite:///{path}"
    with serving("--interval", "1", "--database-url", url, home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        assert server.ask(HISTORY).status == 200
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        before = server.ask(BALANCE).json["fetchedAt"]
        server.wait_for("history")
        wait_until(lambda: server.ask(BALANCE).json["fetchedAt"] > before)
        connection.close()
        server.wait_for("the history works again")
        wait_until(lambda: server.ask(HISTORY).status == 200)
        assert server.stop() == 0
    assert len(server.lines) == 2


def test_a_history_that_is_locked_at_the_end_does_not_delay_it(tmp_path: Path, upstream: Upstream) -> None:
    path = tmp_path / "history.db"
    url = f"sqlite:///{path}"
    with serving("--interval", "1", "--database-url", url, home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        assert server.ask(HISTORY).status == 200
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        server.wait_for("history")
        ends_in_time(server)
        connection.close()


# The end


@pytest.mark.parametrize("number", SIGNALS)
def test_ctrl_c_and_sigterm_end_it_with_exit_code_0(tmp_path: Path, number: signal.Signals, upstream: Upstream) -> None:
    with serving(home=tmp_path, upstream=upstream) as server:
        ends_in_time(server, number)
    assert server.errors == ""


def test_open_streams_and_idle_connections_do_not_delay_the_end(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--demo", "--no-history", home=tmp_path, upstream=upstream) as server, ExitStack() as stack:
        streams = [stack.enter_context(server.stream()) for _ in range(20)]
        for stream in streams:
            stream.next()
        for piece in (b"", b"GET / HT", b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"):
            for _ in range(5):
                stack.enter_context(server.wire()).send(piece)
        kept = stack.enter_context(server.wire())
        kept.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.answer().status == 200
        ends_in_time(server)
        assert [stream.rest() for stream in streams] == [[]] * 20
        assert kept.is_ended()
    assert server.errors == ""


@pytest.mark.parametrize("number", SIGNALS)
def test_an_upstream_that_hangs_does_not_delay_the_end(tmp_path: Path, number: signal.Signals) -> None:
    with (
        BrokenServer("hang") as hanging,
        serving("--timeout", "60", home=tmp_path, upstream=hanging.base_url) as server,
        server.wire() as refreshing,
    ):
        refreshing.send(server.request("POST", REFRESH, {}, None))
        wait_until(lambda: hanging.connections > 0)
        assert server.ask(BALANCE).problem == (503, "starting")
        ends_in_time(server, number)
    assert server.errors == ""


def fill(server: Serving) -> None:
    """Make it log more than a pipe holds."""
    with server.wire() as wire:
        for _ in range(40):
            wire.send(f"GET /{'x' * 100} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 50)
            for _ in range(50):
                assert wire.answer().status == 404


@pytest.mark.parametrize("number", SIGNALS)
def test_a_full_standard_error_does_not_delay_the_end(tmp_path: Path, number: signal.Signals) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path, reads_errors=False) as server:
        fill(server)
        assert server.ask(BALANCE).status == 200
        ends_in_time(server, number)


def test_a_closed_standard_error_does_not_delay_the_end(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path, reads_errors=False) as server:
        assert server.process.stderr is not None
        server.process.stderr.close()
        assert server.ask(BALANCE).status in {200, 503}
        assert server.ask(BALANCE).status in {200, 503}
        ends_in_time(server)


def test_a_system_without_threads_does_not_delay_the_end() -> None:
    program = (
        "import threading; from datetime import UTC, datetime; from orcredit.cli.journal import Journal\n"
        "def start(_): raise RuntimeError\n"
        "with Journal(lambda: datetime.now(UTC), shows_requests=False) as journal:\n"
        "    journal.write('before')\n"
        "    threading.Thread.start = start\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_signal_right_after_the_address_ends_it(tmp_path: Path) -> None:
    with serving("--demo", home=tmp_path) as server:
        ends_in_time(server)
    assert server.errors == ""


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


# Many clients


def test_openrouter_is_polled_once_per_interval(tmp_path: Path, upstream: Upstream) -> None:
    with serving(home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()

        def look() -> None:
            for _ in range(10):
                assert server.ask(BALANCE).status == 200
                assert server.ask("/readyz").status == 200

        lookers = [threading.Thread(target=look) for _ in range(10)]
        for looker in lookers:
            looker.start()
        for looker in lookers:
            looker.join()
        assert upstream.polls == 1


def open_idle(server: Serving, count: int, stack: ExitStack, beginning: bytes = b"") -> None:
    for _ in range(count):
        wire = stack.enter_context(server.wire())
        with suppress(ConnectionError):
            wire.send(beginning)


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_more_idle_connections_than_open_files_stop_neither_polls_nor_requests(
    tmp_path: Path, upstream: Upstream, beginning: bytes
) -> None:
    constants = {"orcredit.server.listener.CLEARING_SECONDS": 0.2} if beginning else None
    with serving("--interval", "1", home=tmp_path, upstream=upstream, files=128, constants=constants) as server:
        server.wait_for_answer()
        assert server.ask(HISTORY).status == 200
        with ExitStack() as stack:
            open_idle(server, 400, stack, beginning)
            before = upstream.polls
            wait_until(lambda: upstream.polls >= before + 3)
            assert server.ask(BALANCE).status == 200  # while they are open
            assert server.ask(HISTORY).json["points"]
            assert server.ask(BALANCE).json["stale"] is False
        assert server.ask(BALANCE).status == 200
        assert server.ask("/readyz").status == 200
        assert server.stop() == 0
    assert server.errors == ""


def test_the_most_event_streams_leave_room_for_other_requests(tmp_path: Path, upstream: Upstream) -> None:
    constants = {"orcredit.server.listener.CLEARING_SECONDS": 0.2}
    with serving("--interval", "1", home=tmp_path, upstream=upstream, files=64, constants=constants) as server:
        server.wait_for_answer()
        with ExitStack() as stack:
            streams = [stack.enter_context(server.stream()) for _ in range(16)]  # half of 64 less the reserve of 32
            assert server.ask(EVENTS, "HEAD").status == 503
            assert server.ask(EVENTS).problem == (503, "too_many_streams")
            open_idle(server, 100, stack)
            assert server.ask(BALANCE).status == 200
            assert all(stream.next().data["balance"]["remaining"] == 51.25 for stream in streams)
        wait_until(lambda: server.ask(EVENTS, "HEAD").status == 200)
        assert server.stop() == 0
    assert server.errors == ""


def test_a_burst_of_requests_beyond_the_limit_is_answered_completely(tmp_path: Path) -> None:
    """New connections wait; no open one is closed for them."""
    with serving("--demo", "--no-history", home=tmp_path, files=48) as server, ExitStack() as stack:
        server.wait_for_answer()
        wires = [stack.enter_context(server.wire()) for _ in range(100)]
        for wire in wires:
            wire.send(server.request("GET", BALANCE, {}, None))
        assert {wire.answer().status for wire in wires} == {200}


def test_with_few_open_files_it_starts_and_answers(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1", home=tmp_path, upstream=upstream, files=33) as server:
        server.wait_for_answer()
        assert server.ask(HISTORY).status == 200
        wait_until(lambda: upstream.polls >= 3)
        assert server.stop() == 0
    assert server.errors == ""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal")
def test_what_requests_and_polls_need_is_loaded_before_it_listens(tmp_path: Path, upstream: Upstream) -> None:
    """A server out of descriptors could load nothing more."""
    names = tmp_path / "names"
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, signal, sys\n"
        f"draft = pathlib.Path({str(names)!r} + '.draft')\n"
        "def write(*_):\n"
        "    draft.write_text(' '.join(sorted(sys.modules)))\n"
        f"    draft.rename({str(names)!r})\n"
        "signal.signal(signal.SIGUSR1, write)\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environ = {"PYTHONPATH": path, "ORCREDIT_TOKEN": TOKEN}
    with serving("--interval", "1", home=tmp_path, upstream=upstream, environ=environ, is_measured=False) as server:

        def loaded() -> set[str]:
            server.process.send_signal(signal.SIGUSR1)
            wait_until(names.exists)
            found = set(names.read_text(encoding="utf-8").split())
            names.unlink()
            return found

        wait_until(lambda: upstream.polls >= 3)
        before = loaded()
        bearer = f"Bearer {TOKEN}"
        cookie = server.log_in().headers["Set-Cookie"].partition(";")[0]
        for asked in ("/", BALANCE, HISTORY, f"{HISTORY}?since=all&every=1h", f"{HISTORY}?points=0", CSV, SESSION,
                      "/healthz", "/readyz", "/openapi.json", "/assets/x.js", "/nothing"):  # fmt: skip
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                server.ask(asked, method, Authorization=bearer)
                server.ask(asked, method, Cookie=cookie)
        for host in ("n\u00e4s.lan", "xn--ns-via.lan", "[::1]", "[fe80::1%25lo]", "192.0.2.1"):
            server.ask(BALANCE, Host=host)
        server.log_in("wrong")
        server.post(SESSION, b"{", Content_Type="application/json")
        server.post(SESSION, b"x" * 5000)
        server.raw(b"garbage\r\n\r\n")
        assert server.post(REFRESH, Authorization=bearer).status == 200
        with server.stream(Authorization=bearer) as stream:
            stream.next()
            upstream.account = "low"
            server.wait_for("the level is low")
            upstream.kill()
            server.wait_for("OpenRouter", 1)
            assert server.ask(SESSION, "DELETE", Cookie=cookie).status == 204
        assert loaded() - before == set()
