"""The log and the history of `orcredit serve`, and how it goes on when one of them or OpenRouter fails."""

from __future__ import annotations

import re
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from tests.serving import BALANCE, CSV, HISTORY, TIMESTAMP, Upstream, ends_in_time, serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Orcredit

pytest_plugins = ["tests.server_fixtures"]
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")]


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
        wait_until(lambda: server.ask(HISTORY).json["recent"]["until"])  # it waits half a second for what is recorded
        wait_until(lambda: any((tmp_path / ".cache").rglob("*.json")))
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
