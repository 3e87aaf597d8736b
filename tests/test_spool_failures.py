"""The spool where files are taken, locked or broken meanwhile, and where the history cannot be written."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from orcredit.config.credentials import fingerprint
from orcredit.history import History, spool
from tests.balances import balance
from tests.spooling import (
    HOUR,
    KEY,
    MINUTE,
    NOON,
    add,
    file,
    left,
    new_history,
    new_home,
    on_posix,
    spent,
    taken_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from orcredit.history.seen import Batch


pytest_plugins = ["tests.history_fixtures"]

__all__ = ["new_history", "new_home"]


@on_posix
def test_a_file_that_is_taken_just_when_it_was_opened_gets_no_more_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    add([1])
    taken = file().with_name("history.spool.1-1.taken")
    open_file = os.open

    def open_and_lose(path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = open_file(path, flags, mode)
        if path == str(file()) and not taken.exists():
            file().rename(taken)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    add([2])

    assert [json.loads(path.read_text())[3] for path in (taken, file())] == [10**8, 2 * 10**8]


@on_posix
def test_a_file_that_is_being_written_is_read_the_next_time(history: History) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    add([1, 2])
    with file().open("rb") as writing:
        fcntl.flock(writing, fcntl.LOCK_SH)
        spool.take_in(history)
        assert history.known_keys() == []
        assert len(left()) == 1
    spool.take_in(history)
    assert spent(history) == 1
    assert left() == []


def test_what_was_taken_and_not_stored_is_taken_in_by_the_next(
    history: History, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add([1, 2])

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        spool.take_in(history)
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(home))
    assert len(left()) == 1
    add([3], start=NOON + 2 * MINUTE)

    spool.take_in(history)

    assert taken_in(history) == [(0, 99), (1, 98), (2, 97)]
    assert left() == []


def test_a_transaction_that_fails_keeps_the_samples(history: History) -> None:
    add([1, 2])

    class Broken(History):
        def take_in(self, read: Callable[[], Iterable[Batch]]) -> None:
            list(read())
            raise OSError("made up")

    spool.take_in(Broken("sqlite://"))
    assert len(left()) == 1
    spool.take_in(history)
    assert spent(history) == 1


@on_posix
@pytest.mark.parametrize("problem", ["read-only", "damaged", "newer", "no folder", "unreachable"])
def test_a_database_that_cannot_be_written_leaves_the_spool(problem: str, tmp_path: Path) -> None:
    add([1, 2])
    content = file().read_bytes()
    path = tmp_path / "some.db"
    url = {
        "read-only": f"sqlite:///file:{path}?mode=ro&uri=true",
        "no folder": f"sqlite:////{tmp_path}/none/some.db",
        "unreachable": "postgresql://ann@127.0.0.1:1/team",
    }.get(problem, f"sqlite:///{path}")
    if problem in {"read-only", "newer"}:
        History(f"sqlite:///{path}").record(KEY, balance(NOON - HOUR, 0))
    if problem == "newer":
        connection = sqlite3.connect(path)
        connection.execute("UPDATE orcredit_schema SET version = 99")
        connection.commit()
        connection.close()
    if problem == "damaged":
        path.write_text("not a database, though long enough to be taken for one" * 100)

    spool.take_in(History(url))

    assert file().read_bytes() == content
    assert left() == ["history.spool"]


@on_posix
def test_takers_and_writers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    url, writers, lines = f"sqlite:///{tmp_path}/some.db", 3, 60
    keys = [fingerprint(f"sk-or-v1-{number}") for number in range(writers)]
    History(url).record("0" * 12, balance(NOON, 1))
    done = threading.Event()

    def write(key: str) -> None:
        add(range(lines), key=key)

    def take() -> None:
        while not done.is_set():
            spool.take_in(History(url))

    writing = [threading.Thread(target=write, args=(key,)) for key in keys]
    taking = [threading.Thread(target=take) for _ in range(2)]
    for thread in (*taking, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    for thread in taking:
        thread.join()
    spool.take_in(History(url))

    assert [spent(History(url), key) for key in keys] == [lines - 1] * writers
    assert left() == []
