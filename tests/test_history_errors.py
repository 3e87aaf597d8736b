"""A history that cannot be read or written is an error within seconds, and nothing that it holds is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from orcredit.history import History
from tests import databases
from tests.balances import balance
from tests.databases import rows
from tests.histories import DAY, KEY, MINUTE, NOON, assert_every_method_fails, assert_fails, by_hour, spends

pytest_plugins = ["tests.history_fixtures"]

ROOT = Path(__file__).parent.parent


def test_a_locked_database_is_an_error_within_seconds_and_works_again_later(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    with closing(sqlite3.connect(filled, isolation_level=None)) as other_program:
        other_program.execute("BEGIN EXCLUSIVE")
        assert_fails(lambda: history.record(KEY, balance(NOON + DAY, 5000)), str(filled), "locked")
        assert len(by_hour(history)) == 24  # reading goes on
        other_program.execute("ROLLBACK")

    history.record(KEY, balance(NOON + DAY, 5000))
    assert history.recent(KEY, NOON + DAY).until == NOON + DAY


def test_a_locked_postgresql_is_an_error_within_seconds_and_works_again_later(postgresql: str) -> None:
    url = databases.empty_database(postgresql)
    history = History(url)
    history.record(KEY, balance(NOON, 1))
    with psycopg.connect(url) as other_program:
        other_program.execute("LOCK TABLE orcredit_runs IN ACCESS EXCLUSIVE MODE")
        assert_every_method_fails(history, "locked", at_once=True)

    history.record(KEY, balance(NOON + MINUTE, 2))
    assert spends(by_hour(history)) == [1]


def test_a_read_only_database_can_be_read(filled: Path) -> None:
    history = History(f"sqlite:///file:{filled}?mode=ro&uri=true")

    assert_fails(lambda: history.record(KEY, balance(NOON + DAY, 5000)), "read-only")
    assert len(by_hour(history)) == 24


def test_a_read_only_postgresql_can_be_read(postgresql: str) -> None:
    url = databases.empty_database(postgresql)
    History(url).record(KEY, balance(NOON, 1))
    history = History(f"{url}&options=-c default_transaction_read_only=on")

    assert_fails(lambda: history.record(KEY, balance(NOON + DAY, 5000)), "read-only")
    assert len(by_hour(history)) == 1


def test_many_recorded_at_once_are_kept_all_or_none(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    last = NOON + 1430 * MINUTE
    pages = filled.stat().st_size // 4096

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine = history._engine  # noqa: SLF001 - a setting of the connection, which SQLite has no URL for
    sa.event.listen(engine, "connect", fill)
    too_many = [balance(last + minute * MINUTE, 1430 + minute // 2) for minute in range(10_000)]
    assert_fails(lambda: history.record_all(KEY, too_many), "disk is full")

    assert history.recent(KEY, last).until == last


def test_a_full_database_is_an_error_and_loses_nothing(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    pages = filled.stat().st_size // 4096

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def record_on() -> None:
        for minute in range(10_000):
            history.record(KEY, balance(NOON + DAY + minute * MINUTE, 2000 + minute))

    engine = history._engine  # noqa: SLF001 - a setting of the connection, which SQLite has no URL for
    sa.event.listen(engine, "connect", fill)
    assert_fails(record_on, "disk is full")
    sa.event.remove(engine, "connect", fill)

    assert len(by_hour(history)) == 24
    history.record(KEY, balance(NOON + 2 * DAY, 10_000))
    assert history.recent(KEY, NOON + 2 * DAY).until == NOON + 2 * DAY


FILL_UP = """
import resource, sys
from datetime import timedelta
from orcredit.errors import HistoryError
from orcredit.history import History
from tests.balances import balance
from tests.histories import DAY, KEY, MINUTE, NOON

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
history = History(sys.argv[1])
try:
    for minute in range(10_000):
        history.record(KEY, balance(NOON + DAY + minute * MINUTE, 2000 + minute))
except HistoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # for what coverage writes
"""


@pytest.mark.process
def test_a_full_disk_is_an_error_and_loses_nothing(filled: Path) -> None:
    size = str(filled.stat().st_size)
    command = [sys.executable, "-c", FILL_UP, f"sqlite:///{filled}", size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "cannot be written" in done.stdout or "full" in done.stdout
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(by_hour(History(f"sqlite:///{filled}"))) == 24


def test_a_directory_that_cannot_be_created_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no-directory").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no-directory"))
    history = History()

    assert_fails(lambda: history.record(KEY, balance(NOON, 1)), "cannot be opened")
    assert by_hour(history) == []


def test_a_database_of_a_newer_version_is_left_alone(history: History, url: str) -> None:
    history.record(KEY, balance(NOON, 1))
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE orcredit_schema SET version = 99"))
    before = rows(url)

    assert_every_method_fails(history, "newer orcredit")

    assert rows(url) == before


def test_a_server_that_does_not_run_is_an_error() -> None:
    history = History("postgresql://tester@127.0.0.1:1/nowhere")

    assert_every_method_fails(history, "postgresql://tester@127.0.0.1:1/nowhere", "cannot be reached")


def test_a_database_that_does_not_exist_is_an_error(postgresql: str) -> None:
    assert_every_method_fails(History(f"postgresql://tester@/nowhere?host={postgresql}"))
