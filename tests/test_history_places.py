"""Where a history may be: private files, addresses with and without passwords, drivers, and which setting wins."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from orcredit.errors import ConfigurationError, ExitCode, HistoryError, UsageError
from orcredit.history import History
from tests.balances import balance
from tests.histories import DAY, KEY, MINUTE, NOON, by_hour, spends

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.history_fixtures"]


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


@pytest.fixture
def frozen(filled: Path) -> Path:
    """A file that SQLite cannot create another beside; by a broken link in its place, as root may write anywhere."""
    filled.with_name(filled.name + "-shm").symlink_to("no-folder/file")
    return filled


def test_a_file_is_read_where_nothing_can_be_created_beside_it(frozen: Path) -> None:
    history = History(f"sqlite:///{frozen}")
    seen = by_hour(history)
    assert spends(seen)
    assert by_hour(history) == seen
    frozen.with_name(frozen.name + "-wal").touch()  # as an orderly end may leave it
    assert by_hour(History(f"sqlite:///file:{frozen}?mode=ro&uri=true")) == seen

    with pytest.raises(HistoryError):
        history.record(KEY, balance(NOON + DAY, 50))
    frozen.with_name(frozen.name + "-shm").unlink()
    assert by_hour(history) == seen
    history.record(KEY, balance(NOON + DAY, 50))
    assert by_hour(history, since=NOON + DAY) != seen


def test_what_only_the_log_holds_is_not_passed_over(frozen: Path) -> None:
    frozen.with_name(frozen.name + "-wal").write_bytes(b"frames")
    with pytest.raises(HistoryError, match=r"its folder cannot be written, and a log beside it \(-wal\) is newer"):
        by_hour(History(f"sqlite:///{frozen}"))


def test_a_file_that_changes_while_it_is_read_so_is_an_error(frozen: Path) -> None:
    history = History(f"sqlite:///{frozen}")
    with pytest.raises(HistoryError, match="changed by another"), history._reading():  # noqa: SLF001 - between two reads
        os.utime(frozen, ns=(1, 1))
    assert by_hour(history)


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
