"""The tables of a history, and how amounts and times are stored in them.

A row of `orcredit_runs` is a run: a stretch of time in which every poll saw the same numbers. An idle key therefore
costs one row, however long it is watched. Money is stored as integers of 1e-8 USD (grains) and time as whole seconds
since 1970, so that sums in the database are exact.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from orcredit.config.credentials import FINGERPRINT_DIGITS
from orcredit.money import EXACT, dollars

SCHEMA_VERSION = 1
"""Of the tables below. A database of a higher version was written by a newer orcredit: it is not read or written."""

LAST_SECOND = 3_000_000_000
"""The latest time that is stored, in the year 2065. Up to here the square of a span of seconds fits 64 bits."""

MOST_GRAINS = 2**63 - 1

TABLES = sa.MetaData()
VERSIONS = sa.Table("orcredit_schema", TABLES, sa.Column("version", sa.Integer, nullable=False))
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


def to_grains(amount: Decimal | None) -> int | None:
    """Convert USD to 1e-8 USD; amounts that do not fit 64 bits ($92 billion) become the largest that does."""
    if amount is None:
        return None
    grains = int(dollars(amount).scaleb(8, EXACT))
    return max(-MOST_GRAINS, min(grains, MOST_GRAINS))


def to_usd(grains: int | Decimal) -> Decimal:
    """Convert 1e-8 USD to USD."""
    return dollars(Decimal(grains).scaleb(-8, EXACT))


def to_instant(second: int) -> datetime:
    """Convert seconds since 1970 to an aware UTC time."""
    return datetime.fromtimestamp(second, UTC)
