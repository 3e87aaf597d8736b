"""`orcredit serve` ends at once with exit code 0, whatever hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.broken_server import BrokenServer
from tests.serving import BALANCE, REFRESH, Serving, Upstream, ends_in_time, serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")]

SIGNALS = [signal.SIGINT, signal.SIGTERM]


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
        server.wait_for_answer()
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
