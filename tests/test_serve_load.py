"""`orcredit serve` under load: many clients, idle connections and event streams, and few open files."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.serving import BALANCE, CSV, EVENTS, HISTORY, REFRESH, SESSION, TOKEN, Serving, Upstream, serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")]


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
    constants = {"orcredit.server.listener.CLEARING_SECONDS": 0.7} if beginning else None
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
    constants = {"orcredit.server.listener.CLEARING_SECONDS": 0.7}
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
    # A client that is slow to send its requests is not what this is about.
    constants = {"orcredit.server.listener.CLEARING_SECONDS": 20.0}
    with (
        serving("--demo", "--no-history", home=tmp_path, files=48, constants=constants) as server,
        ExitStack() as stack,
    ):
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
