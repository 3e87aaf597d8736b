"""Several processes and threads may use one history at once, and a kill loses at most the last sample."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from orcredit.history import History
from tests.balances import balance
from tests.databases import rows
from tests.histories import DAY, HOUR, KEY, MINUTE, NOON, by_hour, spends
from tests.history_writer import KEY as WRITERS_KEY
from tests.history_writer import START as WRITERS_START
from tests.history_writer import run_together, sample

pytest_plugins = ["tests.history_fixtures"]

ROOT = Path(__file__).parent.parent


@pytest.mark.process
def test_two_writers_at_once_never_count_a_dollar_twice(url: str) -> None:
    # Both create the tables in the same moment, too.
    assert run_together(url, "race", 80, processes=2) == ["", ""]
    usages = [row.usage for row in rows(url)]
    assert all(one < next_one for one, next_one in pairwise(usages))
    intervals = History(url).spend(WRITERS_KEY, WRITERS_START, WRITERS_START + DAY, MINUTE)
    assert sum(spends(intervals)) == Decimal("0.8")


@pytest.mark.process
def test_a_kill_at_any_moment_loses_at_most_the_last_sample(file: Path) -> None:
    command = [sys.executable, "-m", "tests.history_writer", f"sqlite:///{file}", "kill", "30"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        for _ in range(30):
            confirmed = int(killer.stdout.readline())
            with closing(sqlite3.connect(file)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                (usage,) = connection.execute("SELECT max(usage) FROM orcredit_runs").fetchone()
            assert usage // 1_000_000 in {confirmed, confirmed + 1}
            killer.stdin.write("next\n")
            killer.stdin.flush()
    assert killer.returncode == 0

    at, usage = sample(usage // 1_000_000)
    intervals = History(f"sqlite:///{file}").spend(WRITERS_KEY, WRITERS_START, at + HOUR, MINUTE)
    assert sum(spends(intervals)) == usage


def test_a_history_may_be_used_from_one_thread_after_another(url: str) -> None:
    for history in (History(url), History.in_memory()):
        for minute in range(3):
            seen = balance(NOON + minute * MINUTE, minute)
            thread = threading.Thread(target=history.record, args=(KEY, seen))
            thread.start()
            thread.join()
        assert spends(by_hour(history)) == [2]
        history.close()


def test_a_history_in_memory_ends_with_its_last_reference() -> None:
    history = History.in_memory()
    with history._engine.connect() as connection:  # noqa: SLF001
        own_connection = connection.connection.driver_connection
    assert isinstance(own_connection, sqlite3.Connection)
    own_connection.execute("SELECT 1").close()

    del history

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        own_connection.execute("SELECT 1")


def use_from_threads_at_once(history: History, times: int) -> None:
    history.record(KEY, balance(NOON, 0))
    barrier = threading.Barrier(4, timeout=60)

    def write() -> None:
        barrier.wait()
        for minute in range(1, times + 1):
            history.record(KEY, balance(NOON + minute * MINUTE, minute))

    def read() -> None:
        barrier.wait()
        for _ in range(times):
            (interval,) = by_hour(history)
            recent = history.recent(KEY, NOON + HOUR)
            assert recent.last_day is not None
            assert interval.spend <= recent.last_day

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(write), *(threads.submit(read) for _ in range(3))]:
            done.result(timeout=60)
    assert spends(by_hour(history)) == [times]


def test_several_threads_may_use_a_history_at_once(history: History) -> None:
    use_from_threads_at_once(history, 10)


def test_several_threads_may_use_a_history_in_memory_at_once() -> None:
    history = History.in_memory()
    use_from_threads_at_once(history, 20)
    history.close()
