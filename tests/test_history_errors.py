"""A history that cannot be used: locked, full, damaged, of a newer version; its file's mode, its URLs and secrets."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from orcredit.config.credentials import fingerprint
from orcredit.errors import ConfigurationError, ExitCode, HistoryError, UsageError
from orcredit.history import History, Interval
from tests import databases
from tests.balances import balance
from tests.databases import rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal


pytest_plugins = ["tests.history_fixtures"]

KEY = fingerprint("sk-or-v1-made-up")
ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def spends(intervals: list[Interval]) -> list[Decimal]:
    return [interval.spend for interval in intervals]


def by_hour(history: History) -> list[Interval]:
    return history.spend(KEY, NOON, NOON + DAY, HOUR)


def assert_every_method_fails(history: History, *words: str, at_once: bool = False) -> None:
    """Call all methods; `at_once` on threads, where each would wait for a lock."""
    attempts: list[Callable[[], object]] = [
        lambda: history.record(KEY, balance(NOON + DAY, 2)),
        lambda: by_hour(history),
        lambda: history.recent(KEY, NOON),
        lambda: history.samples(KEY, None, NOON + DAY, 10),
    ]
    with ThreadPoolExecutor(len(attempts) if at_once else 1) as threads:
        for done in [threads.submit(assert_fails, attempt, *words) for attempt in attempts]:
            done.result(timeout=60)


def assert_fails(attempt: Callable[[], object], *words: str) -> None:
    with pytest.raises(HistoryError) as caught:
        attempt()
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.fixture
def filled(file: Path) -> Path:
    """A file with a day of samples in it."""
    history = History(f"sqlite:///{file}")
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(0, 1440, 10)])
    return file


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
from tests.test_history_errors import DAY, KEY, MINUTE, NOON, History, balance

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


def test_a_history_works_again_once_a_damaged_file_was_moved_away(filled: Path) -> None:
    history = History(f"sqlite:///{filled}")
    damage_nothing_but_text(filled)
    assert_every_method_fails(history)
    shutil.move(filled, filled.with_suffix(".damaged"))

    history.record(KEY, balance(NOON, 1))

    assert len(by_hour(history)) == 1


# File modes and secrets


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_default_file_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    before = os.umask(umask)
    try:
        History().record(KEY, balance(NOON, 1))
    finally:
        os.umask(before)

    folder = tmp_path / "share" / "orcredit"
    assert [path.name for path in folder.iterdir()] == ["history.db"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "history.db").stat().st_mode) == 0o600


def test_a_default_file_that_others_can_read_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    History().record(KEY, balance(NOON, 1))
    (tmp_path / "orcredit").chmod(0o755)
    (tmp_path / "orcredit" / "history.db").chmod(0o644)

    History().record(KEY, balance(NOON + MINUTE, 2))

    assert stat.S_IMODE((tmp_path / "orcredit").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "orcredit" / "history.db").stat().st_mode) == 0o600


def test_a_file_of_the_users_choice_is_made_private_and_its_directory_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    History(f"sqlite:///{tmp_path}/mine.db").record(KEY, balance(NOON, 1))

    assert stat.S_IMODE((tmp_path / "mine.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_no_key_is_stored(filled: Path) -> None:
    assert b"sk-or" not in filled.read_bytes()


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/team",
        f"postgresql+psycopg://ann@127.0.0.1:1/team?password={SECRET}",
        f"postgres://ann:{SECRET}@127.0.0.1:1/team?sslpassword={SECRET}",
    ],
)
def test_a_password_is_taken_from_the_variable_only_and_never_shown(url: str) -> None:
    history = History.load(environ={"ORCREDIT_DATABASE_URL": f" {url} "})

    with pytest.raises(HistoryError) as caught:
        by_hour(history)
    assert SECRET not in f"{history!r} {history} {caught.value} {caught.value.hint}"
    assert caught.value.__suppress_context__
    assert "127.0.0.1:1/team" in str(history)
    with pytest.raises(UsageError, match="holds a password") as refused:
        History.load(url)
    assert SECRET not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        SECRET,
        f"{SECRET}://somewhere",
        f"postgresql://ann:x@{SECRET}@host/team",
        f"postgresql://ann:x@y/{SECRET}@host/team",
        f"postgresql://ann:{SECRET}",
        f"postgresql://ann:{SECRET}@host:0/team",
        f"postgresql://ann:{SECRET}@host:99999/team",
        f"postgresql://ann:{SECRET}@a..b/team",
        f"postgresql://ann:{SECRET}@{'h' * 1000}/team",
        f"postgresql://{SECRET}%00@host/team",
        f"postgresql://host/team?{SECRET}=x",
        f"postgresql://host/team?plugin={SECRET}",
        f"postgresql://host/team?conninfo={SECRET}",
        f"postgresql://host/team?autocommit={SECRET}",
        f"postgresql://host/team?row_factory={SECRET}",
        f"postgresql://host/team?sslmode={SECRET}",
        f"postgresql://host/team?port={SECRET}",
        f"postgresql://host/team?connect_timeout={SECRET}",
        "postgresql://host/team?connect_timeout=1&connect_timeout=2",
        "postgresql+psycopg_async://host/team",
        "mysql://host/team",
        "sqlite+aiosqlite://",
        f"sqlite:///x.db?timeout={SECRET}",
        "sqlite:///x.db?timeout=nan",
        "sqlite:///x.db?timeout=-1",
        "sqlite:///x.db?timeout=1e9",
        "sqlite:///x.db?timeout=1&timeout=2",
        f"sqlite:///x.db?{SECRET}=1",
        "sqlite:///x.db?isolation_level=EXCLUSIVE",
        "sqlite:///x.db?check_same_thread=true",
        "sqlite:///x.db?mode=ro",
        "sqlite:///x.db?cache=shared",
        "sqlite:///x.db?uri=true&mode=ro",
        "sqlite:///file:x.db",
        "sqlite:///file:x.db?uri=perhaps",
        f"sqlite:///file:x.db?uri=true&mode={SECRET}",
        f"sqlite:///file:x.db?uri=true&{SECRET}=1",
        "sqlite://?uri=true&mode=ro",
        f"sqlite://{SECRET}@host/x.db",
        f"sqlite://{SECRET}/x.db",
        "sqlite:///x\0.db",
        "sqlite:///x%00.db?timeout=%00",
    ],
)
def test_a_database_url_that_can_never_work_is_wrong_usage_and_not_quoted(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        History.load(environ={"ORCREDIT_DATABASE_URL": url})
    assert caught.value.exit_code == ExitCode.USAGE
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", ["postgresql+psycopg2://host/team", "sqlite+pysqlcipher:///x.db"])
def test_a_driver_that_is_not_installed_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not installed"):
        History.load(environ={"ORCREDIT_DATABASE_URL": url})


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///some.db?timeout=0.5",
        "sqlite:///some.db?uri=false",
        "sqlite:///a%20b c;d#e.db",
        "sqlite:///\N{SNOWMAN}.db",
        "sqlite:///file:some.db?uri=true",
        "sqlite:///file:some.db?uri=1&mode=rwc&cache=private&timeout=1",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:shared?uri=true&mode=memory&cache=shared",
        "sqlite:///:memory:",
        "sqlite://",
    ],
)
def test_an_unusual_database_url_works(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with History(url) as history:
        history.record(KEY, balance(NOON, 1))
        history.record(KEY, balance(NOON + MINUTE, 2))

        assert spends(by_hour(history)) == [1]


@pytest.mark.parametrize("name", ["n" * 1000, "n/" * 5000, "line\nbreak\x1b[31m/x"])
def test_an_impossible_file_name_is_an_error_in_one_short_line(name: str, tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path}/{name}")

    with pytest.raises(HistoryError) as caught:
        history.record(KEY, balance(NOON, 1))

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_missing_driver_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match="not installed"):
        History("postgresql://ann@host/team")


def test_the_option_wins_over_the_variable_and_blanks_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    environ = {"ORCREDIT_DATABASE_URL": "sqlite:////variable.db"}

    assert str(History.load("sqlite:////option.db", environ)) == "/option.db"
    assert str(History.load(" ", environ)) == "/variable.db"
    assert str(History.load(None, {"ORCREDIT_DATABASE_URL": " "})) == f"{tmp_path}/orcredit/history.db"
    assert str(History.in_memory()) == "memory"
