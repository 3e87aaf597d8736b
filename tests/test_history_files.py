"""The files of SQLite histories: private from the first byte, and damaged ones never written to."""

from __future__ import annotations

import random
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit.errors import HistoryError
from orcredit.history import History
from tests.balances import balance

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789ab"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_damaged_file_that_is_locked_while_it_is_checked_is_not_written_to_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.db"
    with History(f"sqlite:///{file}") as history:
        history.record_all(KEY, (balance(NOON + timedelta(minutes=minute), minute) for minute in range(2000)))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # readers and writers exclude each other
    content = bytearray(file.read_bytes())
    content[6 * 4096 : 7 * 4096] = random.Random(1).randbytes(4096)  # noqa: S311 - any bytes will do
    file.write_bytes(content)
    with History(f"sqlite:///{file}") as history:
        monkeypatch.setattr("orcredit.history.database.PATIENCE", 0.1)  # of the check, not of what follows it
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        releasing = threading.Timer(0.5, other.close)
        releasing.start()
        with pytest.raises(HistoryError, match=r"locked|damaged"):  # the latter where the lock ended before the check
            history.record(KEY, balance(NOON + timedelta(days=9), 5000))
        releasing.join()
        with pytest.raises(HistoryError, match="damaged"):
            history.record(KEY, balance(NOON + timedelta(days=9), 5000))
    assert file.read_bytes() == bytes(content)


def test_a_healthy_file_that_was_locked_while_it_was_checked_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orcredit.history.database.PATIENCE", 0.1)
    file = tmp_path / "some.db"
    with History(f"sqlite:///{file}") as history:
        history.record(KEY, balance(NOON, 1))
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    with History(f"sqlite:///{file}") as history:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(HistoryError, match="locked"):
                history.record(KEY, balance(NOON + timedelta(hours=1), 2))
        history.record(KEY, balance(NOON + timedelta(hours=1), 2))
        assert history.recent(KEY, NOON + timedelta(hours=1)).last_day == 1


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
@pytest.mark.parametrize("url", ["sqlite:///{}", "sqlite:///file:{}?uri=true", "sqlite:///file:{}?mode=rwc&uri=true"])
def test_a_new_file_is_private_however_it_is_named(url: str, tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    with History(url.format(file)) as history:
        history.record(KEY, balance(NOON, 1))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_uri_that_forbids_it_creates_no_file(mode: str, tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    with History(f"sqlite:///file:{file}?mode={mode}&uri=true") as history, pytest.raises(HistoryError):
        history.record(KEY, balance(NOON, 1))
    assert not file.exists()


def test_several_threads_may_be_the_first_to_ask(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    with History(f"sqlite:///{file}") as history:
        history.record(KEY, balance(NOON, 1))
    failures: list[BaseException] = []
    with History(f"sqlite:///{file}") as history:

        def ask() -> None:
            try:
                history.recent(KEY, NOON)
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
