"""Damaged files, and files that are none: noticed before anything is written to them."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit.history import History
from tests.balances import balance
from tests.histories import DAY, HOUR, KEY, MINUTE, NOON, assert_every_method_fails, assert_fails, by_hour, spends

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["tests.history_fixtures"]


def damage_nothing_but_text(file: Path) -> None:
    file.write_bytes(b"dear diary, " * 1000)


def damage_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)


def damage_the_end(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 - 1000)


def damage_the_values(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE orcredit_runs SET usage = 'x', ended_at = 'y', started_at = 'z'")


def damage_the_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM orcredit_schema")


def damage_the_columns(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE orcredit_runs RENAME COLUMN ended_at TO something")


@pytest.mark.parametrize(
    "damage",
    [
        damage_nothing_but_text,
        damage_the_middle,
        damage_the_end,
        damage_the_values,
        damage_the_version,
        damage_the_columns,
    ],
)
def test_a_damaged_file_is_an_error_and_never_changed(filled: Path, damage: Callable[[Path], None]) -> None:
    damage(filled)
    content = filled.read_bytes()

    assert_every_method_fails(History(f"sqlite:///{filled}"), str(filled))

    assert filled.read_bytes() == content


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a process that was killed leaves it: the last samples are in its write-ahead log."""
    folder = tmp_path_factory.mktemp("left-behind")
    with History(f"sqlite:///{folder}/original.db") as history:
        history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(1440)])
        with closing(sqlite3.connect(folder / "original.db")) as reader:  # as long as one is open, the log is kept
            reader.execute("SELECT count(*) FROM orcredit_runs").fetchone()
            history.record(KEY, balance(NOON + DAY, 2000))
            (folder / "copy").mkdir()
            for suffix in ("", "-wal"):
                shutil.copy(folder / f"original.db{suffix}", folder / "copy" / f"some.db{suffix}")
    assert (folder / "copy" / "some.db-wal").stat().st_size > 0
    return folder / "copy"


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_in_a_file_is_noticed_before_a_byte_of_it_changes(
    left_behind: Path, tmp_path: Path, seed: int
) -> None:
    file = tmp_path / "some.db"
    for suffix in ("", "-wal"):
        shutil.copy(left_behind / f"some.db{suffix}", f"{file}{suffix}")
    chance = random.Random(seed)  # noqa: S311 - not a secret
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        newer = pages_in_log(Path(f"{file}-wal"))
    page = chance.choice([number for number in range(1, pages + 1) if number not in newer])
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * 4096)
        damaged.write(chance.randbytes(4096))
    before = {suffix: Path(f"{file}{suffix}").read_bytes() for suffix in ("", "-wal")}

    assert_fails(lambda: History(f"sqlite:///{file}").record(KEY, balance(NOON + 2 * DAY, 3000)), f"{file} is ")
    assert_fails(lambda: by_hour(History(f"sqlite:///{file}")), f"{file} is ")

    assert {suffix: Path(f"{file}{suffix}").read_bytes() for suffix in ("", "-wal")} == before


def test_a_single_byte_by_which_table_and_index_differ_is_noticed_before_anything_is_written(
    left_behind: Path, tmp_path: Path
) -> None:
    content = (left_behind / "some.db").read_bytes()
    file = tmp_path / "some.db"

    def says_ok(check: str) -> bool:
        with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.DatabaseError):
            return bool(connection.execute(f"PRAGMA {check}").fetchone() == ("ok",))
        return False

    chance = random.Random(0)  # noqa: S311 - not a secret
    damaged = content
    for _ in range(99):
        at = chance.randrange(8192, len(content))
        damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        file.write_bytes(damaged)
        if says_ok("quick_check") and not says_ok("integrity_check"):
            break
    else:
        pytest.fail("no such byte was found")

    assert_fails(lambda: History(f"sqlite:///{file}").record(KEY, balance(NOON + 2 * DAY, 3000)), "is damaged")

    assert file.read_bytes() == damaged


def pages_in_log(log: Path) -> set[int]:
    """The pages that a write-ahead log holds newer versions of (sqlite.org/fileformat.html): they are read there."""
    content = log.read_bytes()
    return {int.from_bytes(content[at : at + 4], "big") for at in range(32, len(content), 24 + 4096)}


def test_what_a_killed_process_left_in_the_log_is_there(left_behind: Path, tmp_path: Path) -> None:
    for suffix in ("", "-wal"):
        shutil.copy(left_behind / f"some.db{suffix}", tmp_path / f"some.db{suffix}")
    with History(f"sqlite:///{tmp_path}/some.db") as history:
        history.record(KEY, balance(NOON + DAY + MINUTE, 2001))

        assert sum(spends(history.spend(KEY, NOON, NOON + 2 * DAY, HOUR))) == 2001


def make_directory(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs what POSIX has")
@pytest.mark.parametrize("make", [make_directory, make_pipe, make_device, make_loop])
def test_what_is_not_a_regular_file_is_an_error_at_once(file: Path, make: Callable[[Path], None]) -> None:
    make(file)

    assert_every_method_fails(History(f"sqlite:///{file}"), "cannot be opened: ")
    for uri in (f"file:{file}", f"file://{file}", f"file://localhost{file}", f"file:{file}".replace("some", "s%6Fme")):
        assert_every_method_fails(History(f"sqlite:///{uri}?uri=true&mode=ro"), "cannot be opened: ")


def test_a_history_works_again_once_a_damaged_file_was_moved_away(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    damage_nothing_but_text(filled)
    assert_every_method_fails(history)
    shutil.move(filled, filled.with_suffix(".damaged"))

    history.record(KEY, balance(NOON, 1))

    assert len(by_hour(history)) == 1
