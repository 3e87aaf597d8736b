"""The tables of a history, their versions, and how amounts and times are stored in them.

A row of `orcredit_runs` is a run: a stretch of time in which every poll saw the same numbers. An idle key therefore
costs one row, however long it is watched. Money is stored as integers of 1e-8 USD (grains) and time as whole seconds
since 1970, so that sums in the database are exact.

A database of an earlier version is migrated by numbered steps, in the transaction of the first write. Reading changes
nothing: queries of runs work on every version. Alembic would do the same with a second version table, two more
dependencies and a slower start.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from orcredit.config.credentials import FINGERPRINT_DIGITS
from orcredit.money import EXACT, dollars

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION = 5
"""Of the tables below. A database of a higher version was written by a newer orcredit: it is not read or written."""

EVENTS_SINCE = 4
"""The version that added the table of events."""

REPORTED_SINCE = 5
"""The version that added the table of what was reported."""

HOUR, DAY, WEEK = 3600, 86400, 604800
"""Seconds."""

UNWATCHED_AFTER = 9000
"""Seconds without a poll after which a key counts as not watched, however far apart its polls usually are: two and a
half hours, as long as an hourly poll takes to fail twice. No run lasts across it (`record.py`, `gaps.py`)."""

TABLES = sa.MetaData()
VERSIONS = sa.Table("orcredit_schema", TABLES, sa.Column("version", sa.Integer, nullable=False))
KEYS = sa.Table(
    "orcredit_keys",
    TABLES,
    sa.Column("fingerprint", sa.String(FINGERPRINT_DIGITS), primary_key=True),
    sa.Column("label", sa.Text),
    sa.Column("profile", sa.Text),
    sa.Column("first_seen_at", sa.BigInteger, nullable=False),
    # Updated when it is an hour behind, so that most polls write no more than their run.
    sa.Column("last_seen_at", sa.BigInteger, nullable=False),
    # When the usage fell for the last time (`record.py`); null when it never did.
    sa.Column("baseline_at", sa.BigInteger),
    # The all-time usage at the beginning of a UTC day, week and month: those of `calendar_at`, when OpenRouter last
    # said what it counts in them. Null where it never did.
    sa.Column("day_from", sa.BigInteger),
    sa.Column("week_from", sa.BigInteger),
    sa.Column("month_from", sa.BigInteger),
    sa.Column("calendar_at", sa.BigInteger),
)
RUNS = sa.Table(
    "orcredit_runs",
    TABLES,
    sa.Column("key", sa.String(FINGERPRINT_DIGITS), primary_key=True),
    # Counts a key's runs from 1. As part of the primary key it keeps two writers from storing the same increase twice,
    # even if a lock failed.
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger, nullable=False),
    sa.Column("usage", sa.BigInteger, nullable=False),
    sa.Column("byok_usage", sa.BigInteger),
    sa.Column("limit", sa.BigInteger),
    sa.Column("remaining", sa.BigInteger),
    sa.Column("spendable", sa.BigInteger),
    sa.Column("account_usage", sa.BigInteger),
    sa.Index("orcredit_runs_by_end", "key", "ended_at"),
    sqlite_with_rowid=False,
)
EVENTS = sa.Table(
    "orcredit_events",
    TABLES,
    sa.Column("key", sa.String(FINGERPRINT_DIGITS), primary_key=True),
    # Counts a key's events from 1, in the order of recording.
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    # In milliseconds since 1970, as in the server's event stream, which tells of the same events.
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("is_worse", sa.Boolean, nullable=False),
    # The budget that it is about, and its reset period; null where it is about none, or the period is not needed.
    sa.Column("scope", sa.Text),
    sa.Column("period", sa.Text),
)
REPORTED = sa.Table(
    "orcredit_reported",
    TABLES,
    # What OpenRouter said afterwards that a key spent in a time: an hour or a UTC day, or longer where nothing was
    # spent. The times of a key do not overlap. What was seen in them is in the runs, too, and counts once
    # (`combined.py`).
    sa.Column("key", sa.String(FINGERPRINT_DIGITS), primary_key=True),
    sa.Column("started_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("ended_at", sa.BigInteger, nullable=False),
    sa.Column("spend", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


def version_of(connection: sa.Connection) -> int:
    """Return the version of a database's tables; 0 when there are none.

    Raises:
        ValueError: the tables say no version.
    """
    if not sa.inspect(connection).has_table(VERSIONS.name):
        return 0
    version = connection.execute(sa.select(sa.func.max(VERSIONS.c.version))).scalar_one()
    if not isinstance(version, int) or version < 1:
        raise ValueError("not a version of the history")
    return version


def migrate(connection: sa.Connection, version: int) -> None:
    """Create the tables, or bring those of an earlier version up to date, within the caller's transaction.

    Args:
        connection: in a transaction that no other writer shares.
        version: as `version_of` returns it, within the same transaction.
    """
    if version == 0:
        TABLES.create_all(connection)
        connection.execute(sa.insert(VERSIONS).values(version=SCHEMA_VERSION))
    elif version < SCHEMA_VERSION:
        for number in range(version + 1, SCHEMA_VERSION + 1):
            _STEPS[number](connection)
        connection.execute(sa.update(VERSIONS).values(version=SCHEMA_VERSION))


_KEYS_IN_RUNS = (
    "SELECT key AS fingerprint, min(started_at) AS first_seen_at, max(ended_at) AS last_seen_at"
    " FROM orcredit_runs WHERE ended_at <= :horizon GROUP BY key"
)


def keys_in_runs(beginning: str = "") -> sa.TextClause:
    """Select fingerprint, first and last time of the keys of a database of version 1, which has no table of them.

    Runs that end more than a day from now are left out, as in all queries.
    """
    return sa.text(beginning + _KEYS_IN_RUNS).bindparams(horizon=int(time.time()) + DAY)


def _add_keys(connection: sa.Connection) -> None:
    """Migrate from version 1 to 2: add the table of keys, filled from the runs."""
    connection.execute(
        sa.text(
            "CREATE TABLE orcredit_keys (fingerprint VARCHAR(12) NOT NULL, label TEXT, profile TEXT,"
            " first_seen_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL, baseline_at BIGINT,"
            " PRIMARY KEY (fingerprint))"
        )
    )
    connection.execute(keys_in_runs("INSERT INTO orcredit_keys (fingerprint, first_seen_at, last_seen_at) "))


def _add_calendar(connection: sa.Connection) -> None:
    """Migrate from version 2 to 3: add what OpenRouter counts of each key by the calendar."""
    for name in ("day_from", "week_from", "month_from", "calendar_at"):
        connection.execute(sa.text(f"ALTER TABLE orcredit_keys ADD COLUMN {name} BIGINT"))


def _add_events(connection: sa.Connection) -> None:
    """Migrate from version 3 to 4: add the table of events, which is empty."""
    connection.execute(
        sa.text(
            "CREATE TABLE orcredit_events (key VARCHAR(12) NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL,"
            " kind TEXT NOT NULL, text TEXT NOT NULL, is_worse BOOLEAN NOT NULL, scope TEXT, period TEXT,"
            " PRIMARY KEY (key, number))"
        )
    )


def _add_reported(connection: sa.Connection) -> None:
    """Migrate from version 4 to 5: add the table of what was reported, which is empty."""
    connection.execute(
        sa.text(
            "CREATE TABLE orcredit_reported (key VARCHAR(12) NOT NULL, started_at BIGINT NOT NULL,"
            " ended_at BIGINT NOT NULL, spend BIGINT NOT NULL, PRIMARY KEY (key, started_at))"
        )
    )


_STEPS: dict[int, Callable[[sa.Connection], None]] = {
    2: _add_keys,
    3: _add_calendar,
    4: _add_events,
    5: _add_reported,
}
"""By the version that they lead to. Their SQL is spelled out: the tables above may change in later versions."""


def to_usd(grains: int | Decimal) -> Decimal:
    """Convert 1e-8 USD to USD."""
    return dollars(Decimal(grains).scaleb(-8, EXACT))


def to_instant(second: int) -> datetime:
    """Convert seconds since 1970 to an aware UTC time."""
    return datetime.fromtimestamp(second, UTC)
