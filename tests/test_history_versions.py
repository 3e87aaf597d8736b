"""Databases of earlier versions: what they answer, and how they are migrated.

`tests/data/history-v1.db` was recorded by the code of version 1, over four months of the year 2026, with five keys:
office hours with a monthly limit, its resets and a gap of nine days; a daily limit that was raised, with BYOK usage; an
idle key; a key whose usage was corrected by a cent; and one whose clock was 30 years ahead at the end. The last runs
are in `history-v1.db-wal`, as a killed process leaves them. `history-v1.json` is what version 1 answered.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from orcredit.config.credentials import fingerprint
from orcredit.errors import HistoryError
from orcredit.history import Counted, History, KeptEvent, Periods, Reported
from orcredit.history.schema import SCHEMA_VERSION
from tests import databases
from tests.balances import balance
from tests.history_writer import run_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

KEY = fingerprint("sk-or-v1-made-up")
DATA = Path(__file__).parent / "data"
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
UNTIL = START + timedelta(days=95)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANSWERS: dict[str, Any] = json.loads((DATA / "history-v1.json").read_text(encoding="utf-8"))


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A file of version 1 with a write-ahead log."""
    for suffix in ("", "-wal"):
        shutil.copy(DATA / f"history-v1.db{suffix}", tmp_path / f"some.db{suffix}")
    return tmp_path / "some.db"


def as_json(models: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [model.model_dump(mode="json", exclude=NEWER_FIELDS) for model in models]


NEWER_FIELDS = {
    *("last_hour_since", "last_day_since", "last_week_since"),
    *("last_hour_estimated", "last_day_estimated", "last_week_estimated"),
    *("today", "this_week", "this_month", "partial", "reported"),
}
"""Fields that version 1 did not have in its answers."""


def answers(history: History) -> dict[str, Any]:
    """All queries of all keys, in the form of `history-v1.json`."""
    return {
        key: {
            "spend": as_json(history.spend(key, START - DAY, UNTIL, DAY)),
            "spend of a day by the hour": as_json(history.spend(key, START + 2 * DAY, START + 4 * DAY, HOUR)),
            "samples": as_json(history.samples(key, None, UNTIL, 40)),
            "recent": {str(days): as_json([history.recent(key, START + days * DAY)])[0] for days in (3, 11, 60, 90)},
        }
        for key in ANSWERS
    }


def by_sql(file: Path, statement: str) -> list[tuple[object, ...]]:
    """Ask a file without the code under test."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def version_of(file: Path) -> object:
    [(version,)] = by_sql(file, "SELECT version FROM orcredit_schema")
    return version


def test_a_file_of_version_1_answers_as_before_and_reading_does_not_migrate_it(version_1: Path) -> None:
    before = by_sql(version_1, "SELECT * FROM orcredit_runs"), by_sql(version_1, "SELECT * FROM sqlite_master")

    assert answers(History(f"sqlite:///{version_1}")) == ANSWERS
    assert {key.fingerprint for key in History(f"sqlite:///{version_1}").known_keys()} == set(ANSWERS)

    after = by_sql(version_1, "SELECT * FROM orcredit_runs"), by_sql(version_1, "SELECT * FROM sqlite_master")
    assert after == before
    assert version_of(version_1) == 1


def test_a_read_only_file_of_version_1_can_be_read(version_1: Path) -> None:
    History(f"sqlite:///{version_1}").known_keys()  # takes the write-ahead log into the file
    history = History(f"sqlite:///file:{version_1}?mode=ro&uri=true")

    assert answers(history) == ANSWERS
    assert len(history.known_keys()) == len(ANSWERS)
    with pytest.raises(HistoryError, match="read-only"):
        history.record(KEY, balance(UNTIL, 1))
    assert version_of(version_1) == 1


def test_the_first_write_migrates_a_file_of_version_1_with_nothing_lost(version_1: Path) -> None:
    runs = by_sql(version_1, "SELECT * FROM orcredit_runs")
    history = History(f"sqlite:///{version_1}")
    keys = history.known_keys()

    history.record(KEY, balance(UNTIL, 1), label="new")

    assert version_of(version_1) == SCHEMA_VERSION
    assert answers(history) == answers(History(f"sqlite:///{version_1}")) == ANSWERS
    assert by_sql(version_1, "SELECT * FROM orcredit_runs WHERE key != '77fba402c542'") == runs
    assert [key for key in history.known_keys() if key.fingerprint != KEY] == keys


def test_the_keys_of_version_1_are_found_in_its_runs(version_1: Path) -> None:
    for key in History(f"sqlite:///{version_1}").known_keys():
        recent = History(f"sqlite:///{version_1}").recent(key.fingerprint, UNTIL)
        assert (key.label, key.profile, key.first_seen) == (None, None, recent.since)
        # This key's clock was put back by two hours before it was years ahead.
        is_put_back = key.fingerprint == fingerprint("sk-or-v1-ahead")
        assert recent.until == key.last_seen - (2 * HOUR if is_put_back else timedelta(0))


def test_a_migrated_key_goes_on(version_1: Path) -> None:
    history = History(f"sqlite:///{version_1}")
    key = next(each.fingerprint for each in history.known_keys() if each.last_seen < UNTIL)
    before = history.recent(key, UNTIL)

    history.record(key, balance(UNTIL, 1000), label="work", profile="office")

    [known] = [each for each in history.known_keys() if each.fingerprint == key]
    assert (known.label, known.profile, known.first_seen, known.last_seen) == ("work", "office", before.since, UNTIL)


def postgresql_of_version_1(url: str, version_1: Path) -> None:
    """Make the tables as version 1 made them on PostgreSQL, with the same runs."""
    names = 'key, number, started_at, ended_at, usage, byok_usage, "limit", remaining, spendable, account_usage'
    optional = ", ".join(f"{name.strip()} BIGINT" for name in names.split(",")[5:])
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orcredit_schema (version INTEGER NOT NULL)")
        cursor.execute("INSERT INTO orcredit_schema VALUES (1)")
        cursor.execute(
            "CREATE TABLE orcredit_runs (key VARCHAR(12) NOT NULL, number BIGINT NOT NULL, started_at BIGINT NOT NULL,"
            f" ended_at BIGINT NOT NULL, usage BIGINT NOT NULL, {optional}, PRIMARY KEY (key, number))".encode()
        )
        cursor.execute("CREATE INDEX orcredit_runs_by_end ON orcredit_runs (key, ended_at)")
        marks = ", ".join(["%s"] * 10)
        runs = by_sql(version_1, f"SELECT {names} FROM orcredit_runs")  # noqa: S608 - our words
        cursor.executemany(f"INSERT INTO orcredit_runs VALUES ({marks})".encode(), runs)  # noqa: S608 - our words


@pytest.mark.process
def test_a_postgresql_database_of_version_1_is_migrated_by_the_first_write(postgresql: str, version_1: Path) -> None:
    url = databases.empty_database(postgresql)
    postgresql_of_version_1(url, version_1)
    read_only = History(f"{url}&options=-c default_transaction_read_only=on")
    keys = read_only.known_keys()
    assert answers(read_only) == ANSWERS
    assert keys == History(f"sqlite:///{version_1}").known_keys()
    with pytest.raises(HistoryError, match="read-only"):
        read_only.record(KEY, balance(UNTIL, 1))

    History(url).record(KEY, balance(UNTIL, 1))

    assert answers(read_only) == ANSWERS
    assert [key for key in read_only.known_keys() if key.fingerprint != KEY] == keys
    assert [row.version for row in databases.rows(url, "orcredit_schema", "version")] == [SCHEMA_VERSION]


def test_a_migrated_database_has_the_tables_of_a_new_one(url: str, version_1: Path, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        new, migrated = f"sqlite:///{tmp_path}/new.db", f"sqlite:///{version_1}"
        History(new).record(KEY, balance(UNTIL, 1))
        tables = tables_of(new)
    else:
        History(url).record(KEY, balance(UNTIL, 1))
        tables, migrated = tables_of(url), databases.empty_database(url.partition("host=")[2])
        postgresql_of_version_1(migrated, version_1)

    History(migrated).record(KEY, balance(UNTIL, 1))

    assert tables_of(migrated) == tables
    assert set(tables) == {f"orcredit_{name}" for name in ("events", "keys", "reported", "runs", "schema")}


def tables_of(url: str) -> dict[str, object]:
    inspector = sa.inspect(databases.connect(url))
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            [index["column_names"] for index in inspector.get_indexes(name)],
        )
        for name in inspector.get_table_names()
    }


def test_a_full_disk_leaves_version_1_as_it_was_and_the_next_write_migrates_it(version_1: Path) -> None:
    history = History(f"sqlite:///{version_1}")
    assert len(history.known_keys()) == len(ANSWERS)
    pages = version_1.stat().st_size // 4096

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine = history._engine  # noqa: SLF001 - a setting of the connection, which SQLite has no URL for
    sa.event.listen(engine, "connect", fill)
    with pytest.raises(HistoryError, match="disk is full"):
        history.record(KEY, balance(UNTIL, 1))
    assert answers(history) == ANSWERS
    assert version_of(version_1) == 1
    sa.event.remove(engine, "connect", fill)

    history.record(KEY, balance(UNTIL, 1))

    assert version_of(version_1) == SCHEMA_VERSION
    assert answers(history) == ANSWERS


KILL = """
import os, shutil, signal, sys
import sqlalchemy as sa
from tests.test_history_versions import KEY, UNTIL, History, balance

original, copy = sys.argv[1:]
for statements in range(1, 100):
    for suffix in ("", "-wal"):
        shutil.copy(f"{original}{suffix}", f"{copy}-{statements}{suffix}")
    child = os.fork()
    if child == 0:
        history, done = History(f"sqlite:///{copy}-{statements}"), []
        history.known_keys()

        def count(connection, cursor, statement, *_):
            done.append(statement)
            if len(done) == statements:
                os.kill(os.getpid(), signal.SIGKILL)

        sa.event.listen(history._engine, "after_cursor_execute", count)
        history.record(KEY, balance(UNTIL, 1))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(statements)
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_kill_at_any_statement_of_a_migration_leaves_one_version_or_the_other(
    version_1: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILL, str(version_1), str(tmp_path / "copy")]
    done = subprocess.run(command, cwd=DATA.parent.parent, capture_output=True, text=True, check=True)

    kills = int(done.stdout) - 1
    assert kills > 8
    for number in range(1, kills + 1):
        file = tmp_path / f"copy-{number}"
        assert by_sql(file, "PRAGMA integrity_check") == [("ok",)]
        assert version_of(file) == 1  # nothing was committed
        assert answers(History(f"sqlite:///{file}")) == ANSWERS
        History(f"sqlite:///{file}").record(KEY, balance(UNTIL, 1))
        assert version_of(file) == SCHEMA_VERSION
    assert version_of(tmp_path / f"copy-{kills + 1}") == SCHEMA_VERSION


@pytest.mark.process
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_two_processes_that_migrate_at_once_do_it_once(
    backend: str, version_1: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{version_1}"
    if backend == "postgresql":
        url = databases.empty_database(request.getfixturevalue("postgresql"))
        postgresql_of_version_1(url, version_1)
    assert run_together(url, "race", 20, processes=3) == ["", "", ""]

    assert answers(History(url)) == ANSWERS
    assert len(History(url).known_keys()) == len(ANSWERS) + 1
    assert [row.version for row in databases.rows(url, "orcredit_schema", "version")] == [SCHEMA_VERSION]


@pytest.fixture
def version_2(tmp_path: Path) -> str:
    """A database as version 2 made it: without what OpenRouter counts by the calendar."""
    url = f"sqlite:///{tmp_path}/version-2.db"
    History(url).record(KEY, counting(START, 10, day=4), label="work", profile="office")
    with closing(sqlite3.connect(tmp_path / "version-2.db")) as connection, connection:
        for column in ("day_from", "week_from", "month_from", "calendar_at"):
            connection.execute(f"ALTER TABLE orcredit_keys DROP COLUMN {column}")
        connection.execute("DROP TABLE orcredit_events")
        connection.execute("DROP TABLE orcredit_reported")
        connection.execute("UPDATE orcredit_schema SET version = 2")
    return url


def counting(at: datetime, usage: int, *, day: int) -> Balance:
    """A balance whose usage of the day, the week and the month is the same."""
    amounts = dict.fromkeys(("usage_daily", "usage_weekly", "usage_monthly"), Decimal(day))
    return balance(at, usage).model_copy(update=amounts)


def test_a_file_of_version_2_can_be_read_and_the_first_write_migrates_it(version_2: str) -> None:
    history = History(version_2)
    keys = history.known_keys()
    before = history.recent(KEY, START)

    assert [(key.label, key.profile) for key in keys] == [("work", "office")]
    assert (before.since, before.today) == (START, None)
    assert version_of(Path(version_2.removeprefix("sqlite:///"))) == 2

    history.record(KEY, counting(START + HOUR, 11, day=5))

    assert version_of(Path(version_2.removeprefix("sqlite:///"))) == SCHEMA_VERSION
    assert history.recent(KEY, START + HOUR).today == Counted(counted=Decimal(5), seen=Decimal(1))
    assert [(key.label, key.profile) for key in history.known_keys()] == [("work", "office")]


def test_a_database_of_version_3_has_no_events_until_the_first_write_migrates_it(url: str) -> None:
    event = KeptEvent(at=START, kind="level", text="the level is low now, it was ok", is_worse=True)
    history = History(url)
    history.record(KEY, balance(START, 10))
    with databases.connect(url).begin() as connection:
        connection.execute(sa.text("DROP TABLE orcredit_events"))
        connection.execute(sa.text("DROP TABLE orcredit_reported"))
        connection.execute(sa.text("UPDATE orcredit_schema SET version = 3"))

    def asked() -> tuple[object, ...]:
        periods = Periods({}, None)
        times = START - DAY, START + DAY
        return history.timeline(KEY, *times, 9, narrowest=HOUR, is_watched=True, periods=periods)

    before = asked()
    assert history.events(KEY, START - DAY, START + DAY) == []
    assert [row.version for row in databases.rows(url, "orcredit_schema", "version")] == [3]

    history.add_events(KEY, [event])

    assert [row.version for row in databases.rows(url, "orcredit_schema", "version")] == [SCHEMA_VERSION]
    assert history.events(KEY, START - DAY, START + DAY) == [event]
    assert asked() == before


def test_a_database_of_version_4_can_be_read_and_filling_it_migrates_it(url: str) -> None:
    history = History(url)
    history.record_all(KEY, [balance(START, 10), balance(START + HOUR, 12)])
    with databases.connect(url).begin() as connection:
        connection.execute(sa.text("DROP TABLE orcredit_reported"))
        connection.execute(sa.text("UPDATE orcredit_schema SET version = 4"))

    assert sum(one.spend for one in history.spend(KEY, START - DAY, START + DAY, HOUR)) == 2
    assert history.recent(KEY, START + HOUR).since == START
    assert history.hourly(KEY, START + HOUR, 2) == [None, Decimal(2)]
    assert [row.version for row in databases.rows(url, "orcredit_schema", "version")] == [4]

    history.fill(KEY, START - HOUR, START, [Reported(START - HOUR, START, Decimal(3))])

    assert [row.version for row in databases.rows(url, "orcredit_schema", "version")] == [SCHEMA_VERSION]
    assert history.hourly(KEY, START + HOUR, 2) == [Decimal(3), Decimal(2)]


@pytest.mark.parametrize("version", ["0", "-1", "NULL", "'x'", "1.5"])
def test_a_version_that_cannot_be_is_an_error_and_not_migrated(version_1: Path, version: str) -> None:
    with closing(sqlite3.connect(version_1)) as connection, connection:
        connection.execute("DROP TABLE orcredit_schema")
        connection.execute("CREATE TABLE orcredit_schema (version)")
        connection.execute(f"INSERT INTO orcredit_schema VALUES ({version})")  # noqa: S608 - our words

    history = History(f"sqlite:///{version_1}")
    for attempt in (history.known_keys, lambda: history.record(KEY, balance(UNTIL, 1))):
        with pytest.raises(HistoryError, match="does not hold what orcredit stores"):
            attempt()

    assert by_sql(version_1, "SELECT count(*) FROM sqlite_master WHERE name = 'orcredit_keys'") == [(0,)]
