"""What was seen of a key, kept in a database: its spend per interval, and what was left of it.

A row is a run: a stretch of time in which every poll saw the same numbers. An idle key therefore costs one row, however
long it is watched, and nothing that was seen is lost. Spend is the increase of the all-time `usage`, which never
resets: limits that are raised, periods that begin anew and polls that were missed do not distort it.

SQLite by default, PostgreSQL by URL; both hold the same tables. Money is stored as integers of 1e-8 USD and time as
whole seconds since 1970, so that sums in the database are exact. Every method raises `HistoryError` when the database
cannot be used, within seconds; whoever only keeps the history can then go on without.
"""

from __future__ import annotations

import csv
import math
import os
import time
import weakref
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from orcredit.config.credentials import FINGERPRINT_DIGITS
from orcredit.document import Instant, Usd  # noqa: TC001 - pydantic reads the annotations
from orcredit.errors import HistoryError, UsageError
from orcredit.history import database
from orcredit.money import EXACT, ZERO, dollars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orcredit.balance import Balance

    Integer = sa.ColumnElement[int]
    Condition = sa.ColumnElement[bool]

SCHEMA_VERSION = 1
"""Of the tables below; a database that says a higher one was written by a newer orcredit and is left alone."""

MOST_INTERVALS = 100_000
"""Ten years by the hour; more would be asked for by mistake, and fill the memory."""

MOST_SAMPLES = 5000
"""More than any screen has columns."""

_LAST_SECOND = 3_000_000_000
"""In the year 2065. Up to here the square of a span of seconds fits 64 bits, which `_spent_by` relies on."""

_MOST_GRAINS = 2**63 - 1
_HOUR, _DAY, _WEEK = 3600, 86400, 604800
_LATEST = _HOUR
"""Seconds by which an answer may be older than the one recorded before it: OpenRouter repeats answers for a minute, and
several processes may record at once."""
_SEEN_GAP = 300
_USUAL_GAP = 120
"""Seconds. Spend that crosses an edge is an estimate when nobody looked for long: for more than a tenth of an interval,
or five minutes; but polls a minute apart are no gap unless the intervals are hardly longer themselves."""

_tables = sa.MetaData()
_schema = sa.Table("orcredit_schema", _tables, sa.Column("version", sa.Integer, nullable=False))
_runs = sa.Table(
    "orcredit_runs",
    _tables,
    sa.Column("key", sa.String(FINGERPRINT_DIGITS), primary_key=True),
    # Counts a key's runs from 1. Being the primary key it is also the last line of defence against two writers: the
    # same step from one run to the next cannot be stored twice, whatever the database thinks of locks.
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


class Interval(BaseModel):
    """Spend in one interval of time, in USD. In JSON: `from`, `to`, `spend`, `spendable`, `remaining`, `estimated`.

    Attributes:
        start: aware UTC, a multiple of the interval's length.
        end: aware UTC, the next interval's start.
        spend: the increase of the key's all-time usage.
        spendable: what could still be spent when the key was last seen in this interval; None when nothing limited it,
            or when nothing was seen.
        remaining: what was left of the key's own limit then, negative once overdrawn; None without one, or when nothing
            was seen.
        estimated: whether part of `spend` is a share of what was spent while nobody looked, evenly spread.
    """

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    start: Instant = Field(serialization_alias="from")
    end: Instant = Field(serialization_alias="to")
    spend: Usd
    spendable: Usd | None
    remaining: Usd | None
    estimated: bool


class Recent(BaseModel):
    """What was spent lately, in USD; None where nothing was seen in that time.

    Attributes:
        last_hour: spent by the key in the last 60 minutes, as far as it was watched.
        last_day: in the last 24 hours.
        last_week: in the last 7 days.
        account_per_day: USD per day by which the account's usage rose over the last 7 days, or over as much of them
            (an hour at least) as it was known.
        since: when this key was seen first; aware UTC.
        until: when it was seen last; aware UTC.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, serialize_by_alias=True, validate_by_name=True)

    last_hour: Usd | None = None
    last_day: Usd | None = None
    last_week: Usd | None = None
    account_per_day: Usd | None = None
    since: Instant | None = None
    until: Instant | None = None


class Sample(BaseModel):
    """What was known of a key at one moment, in USD. In JSON: `at`, `spendable`, `remaining`.

    Attributes:
        at: aware UTC, a whole second.
        spendable: what could be spent; None when nothing limited it.
        remaining: what was left of the key's own limit, negative once overdrawn; None without one.
    """

    model_config = ConfigDict(frozen=True)

    at: Instant
    spendable: Usd | None
    remaining: Usd | None


def as_csv(intervals: Iterable[Interval]) -> str:
    r"""Write intervals as comma-separated values, with a header and times in UTC; lines end with `\n`."""
    lines = StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    rows.writerow(("from", "to", "spend", "spendable", "remaining", "estimated"))
    for interval in intervals:
        times = interval.model_dump(mode="json", include={"start", "end"})
        left = ("" if amount is None else f"{amount:f}" for amount in (interval.spendable, interval.remaining))
        estimated = "true" if interval.estimated else "false"
        rows.writerow((times["from"], times["to"], f"{interval.spend:f}", *left, estimated))
    return lines.getvalue()


class History:
    """Samples of keys in a database.

    A connection is opened for each call and closed after it: calls are a minute apart, and a connection held between
    them would be one that can go stale, or keep a file that was moved away. So there is nothing to reconnect, and
    threads may share it. (A history in memory is its one connection, which threads have in turn.) Used as a context
    manager, it is closed at the end.

    Before its first use every page of an SQLite file is checked: a damaged file is not written to.

    Args:
        url: a database as SQLAlchemy writes it; None is `history.db` in the user's data directory.

    Raises:
        UsageError: not such a URL.
        ConfigurationError: its driver is not installed.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = database.default_url() if url is None else database.parse(url)
        self._file = database.file_of(self._url)
        self._is_default = url is None
        self._engine = database.engine(self._url)
        weakref.finalize(self, self._engine.dispose)  # else a history in memory would leave its connection open
        self._is_whole = False
        self._is_known = False

    @classmethod
    def load(cls, database_url: str | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """Open the history that the user chose.

        Args:
            database_url: the option, which everybody on the machine can read: it may not hold a password. Else
                `ORCREDIT_DATABASE_URL`, which may; else the default file.
            environ: in place of `os.environ`.

        Raises:
            UsageError: not a URL, or a password in the option.
            ConfigurationError: its driver is not installed.
        """
        environ = os.environ if environ is None else environ
        option = (database_url or "").strip()
        if option:
            if database.holds_password(database.parse(option)):
                raise UsageError(
                    "--database-url holds a password, which other users of this machine can see.",
                    hint="Put the URL into ORCREDIT_DATABASE_URL instead.",
                )
            return cls(option)
        return cls(environ.get("ORCREDIT_DATABASE_URL", "").strip() or None)

    @classmethod
    def in_memory(cls) -> Self:
        """Make a history that ends with the process."""
        return cls("sqlite://")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        """Name the database for a person, without a password."""
        return database.shown(self._url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open: only a history in memory, which ends with it, keeps a connection."""
        self._engine.dispose()

    def record(self, key: str, balance: Balance) -> None:
        """Keep what a balance says, at the time when OpenRouter said it.

        The same numbers as the key's newest move that run's end; a lower usage is an older answer from a cache and is
        dropped; so is a balance that could not be renewed or that tells no usage. Samples are in the order in which
        they are recorded: where one is earlier by more than an hour than the newest run says, that run's time was ahead
        and is corrected, unless it is this one that is behind (`_correct_times`).

        Args:
            key: as `orcredit.config.credentials.fingerprint` gives it.
            balance: what was seen.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        self.record_all(key, [balance])

    def record_all(self, key: str, balances: Iterable[Balance]) -> None:
        """Keep what many balances say, as if each had been recorded by itself, but in one transaction.

        Args:
            key: as `orcredit.config.credentials.fingerprint` gives it.
            balances: what was seen, oldest first.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        seen = [known for balance in balances if (known := _seen_in(balance)) is not None]
        if not seen:
            return
        with self._writing() as connection:
            stored = [row._asdict() for row in reversed(connection.execute(_newest(key, 2)).all())]
            runs = [dict(run) for run in stored]
            for at, numbers in seen:
                if runs and numbers["usage"] < runs[-1]["usage"]:
                    continue
                _correct_times(runs, at)
                is_same = runs and numbers.items() <= runs[-1].items()
                if is_same and runs[-1]["ended_at"] - at <= _LATEST:
                    runs[-1]["ended_at"] = max(runs[-1]["ended_at"], at)
                else:
                    number = runs[-1]["number"] + 1 if runs else 1
                    runs.append({"key": key, "number": number, "started_at": at, "ended_at": at} | numbers)
            for before, run in zip(stored, runs, strict=False):
                if run != before:
                    this = (_runs.c.key == key) & (_runs.c.number == run["number"])
                    times = {name: run[name] for name in ("started_at", "ended_at")}
                    connection.execute(sa.update(_runs).where(this).values(times))
            if added := runs[len(stored) :]:
                connection.execute(sa.insert(_runs), added)

    def spend(self, key: str, since: datetime, until: datetime, every: timedelta) -> list[Interval]:
        """Tell what was spent in each interval, oldest first.

        The intervals begin at UTC multiples of `every` and cover `since` to `until`, but neither the time before the
        key was first seen nor that after it was last seen: nothing is known about those.

        Args:
            key: as `orcredit.config.credentials.fingerprint` gives it.
            since: aware.
            until: aware.
            every: whole seconds.

        Raises:
            UsageError: no time between `since` and `until`, or too many intervals.
            HistoryError: the database cannot be used.
        """
        width = every // timedelta(seconds=1)
        if width < 1 or every.microseconds or since >= until:
            raise UsageError(
                "Both the intervals and the time to look back are whole seconds, at least one.",
                hint="See 'orcredit history --help'.",
            )
        # A moment that is an edge belongs to the interval after it; spend that was seen by then, to the one before.
        wanted = range(int(since.timestamp()) // width, (math.ceil(until.timestamp()) - 1) // width + 1)
        if len(wanted) > MOST_INTERVALS:
            raise UsageError(
                f"That would be {len(wanted):,} intervals; at most {MOST_INTERVALS:,} are given.",
                hint="Look back less far, or take longer intervals.",
            )
        with self._reading() as connection:
            known = _known(key, until)
            seen = None if connection is None else _seen(connection, known)
            if connection is None or seen is None:
                return []
            spent = {row.bucket: row for row in connection.execute(_spend_by_bucket(known, wanted, width))}
            runs = connection.execute(_last_runs_by_bucket(known, wanted, width)).all()
            first = max(wanted.start, min([seen[0] // width, *spent]))
            last = min(wanted.stop - 1, max([seen[1] // width, *spent]))
            return list(_intervals(range(first, last + 1), width, spent, runs))

    def samples(self, key: str, since: datetime | None, until: datetime, most: int) -> list[Sample]:
        """Tell what could be spent over time, oldest first: at most `most` moments, all of which were seen.

        Each run gives its start and its end, so that it is drawn flat; one that reaches beyond `since` or `until` is
        cut off there. Of the time between two runs nothing is known. No two samples are of the same second, of which
        only the last numbers are given.

        Where these are too many, the first and the last sample are kept, and of each of so many equal stretches of
        time the highest and the lowest `spendable` (nothing limiting is the highest): those are the ends of a fall, the
        low before a reset and the jump after it, wherever they lie in their stretch; first and last would miss both,
        and means were never seen. Of equal ones it is the first highest and the last lowest, which keeps idle time
        flat and jumps steep.

        Args:
            key: as `orcredit.config.credentials.fingerprint` gives it.
            since: aware; None for everything that was seen.
            until: aware.
            most: 2 to `MOST_SAMPLES`.

        Raises:
            UsageError: no time between `since` and `until`, or not such a number.
            HistoryError: the database cannot be used.
        """
        if not 2 <= most <= MOST_SAMPLES:
            raise UsageError(f"{most} samples cannot be given.", hint=f"Ask for 2 to {MOST_SAMPLES:,}.")
        if since is not None and since >= until:
            raise UsageError("There is no time between since and until.", hint="Since comes before until.")
        start = 0 if since is None else max(0, math.ceil(since.timestamp()))
        end = min(math.floor(until.timestamp()), _LAST_SECOND)
        with self._reading() as connection:
            if connection is None or start > end:
                return []
            # Of each second the last numbers, since a later entry replaces an earlier one.
            by_second = {point.at: point for point in _points(connection, _known(key, until), start, end, most)}
        return [
            Sample(
                at=_instant(at),
                spendable=None if point.spendable is None else _usd(point.spendable),
                remaining=None if point.remaining is None else _usd(point.remaining),
            )
            for at, point in by_second.items()
        ]

    def recent(self, key: str, now: datetime) -> Recent:
        """Tell what was spent lately.

        Args:
            key: as `orcredit.config.credentials.fingerprint` gives it.
            now: aware.

        Raises:
            HistoryError: the database cannot be used.
        """
        second = int(now.timestamp())
        spans = (_HOUR, _DAY, _WEEK)
        with self._reading() as connection:
            known = _known(key, now)
            seen = None if connection is None else _seen(connection, known)
            if connection is None or seen is None:
                return Recent()
            sums = connection.execute(_spend_of_spans(known, second, spans)).one()
            hour, day, week = (
                _usd(amount or 0) if seen[1] >= second - span else None
                for amount, span in zip(sums, spans, strict=True)
            )
            return Recent(
                last_hour=hour,
                last_day=day,
                last_week=week,
                account_per_day=_account_pace(connection, known, second - _WEEK),
                since=_instant(seen[0]),
                until=_instant(seen[1]),
            )

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that no other writer shares, on tables that exist."""
        with database.explained(self._url):
            if self._file is not None:
                database.make_private(self._file, self._url, is_ours=self._is_default)
            if not self._is_known:
                # Looked at before the first write, and not in it: preparing a SQLite file for writing changes it.
                if self._file is not None and database.is_there(self._file, self._url):
                    database.check_pages(self._file, self._url, thoroughly=True)
                    self._is_whole = True
                with self._reading():
                    self._is_known = True
            with self._engine.connect().execution_options(**database.WRITING) as connection, connection.begin():
                if not self._has_tables(connection):
                    _tables.create_all(connection)
                    connection.execute(sa.insert(_schema).values(version=SCHEMA_VERSION))
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        """Open a transaction in which everything is of one moment; None where nothing was stored yet."""
        with database.explained(self._url):
            if self._file is not None:
                if not database.is_there(self._file, self._url):
                    yield None  # asking leaves no file behind
                    return
                if not self._is_whole:
                    database.check_pages(self._file, self._url, thoroughly=False)
                    self._is_whole = True
            with self._engine.connect() as connection, connection.begin():
                yield connection if self._has_tables(connection) else None

    def _has_tables(self, connection: sa.Connection) -> bool:
        if not sa.inspect(connection).has_table(_schema.name):
            return False
        version = connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar_one()
        if version > SCHEMA_VERSION:
            raise HistoryError(
                f"The history in {self} was written by a newer orcredit; this one leaves it alone.",
                hint="Update orcredit, or choose another database with ORCREDIT_DATABASE_URL.",
                public="The history was written by a newer orcredit.",
            )
        return True


def _seen_in(balance: Balance) -> tuple[int, dict[str, int | None]] | None:
    """Give when a balance was seen and its numbers, in grains, by the columns of a run; None when it tells nothing."""
    at = int(balance.fetched_at.timestamp())
    if balance.stale or balance.usage is None or not 0 <= at <= _LAST_SECOND:
        return None
    return at, {
        "usage": _grains(balance.usage),
        "byok_usage": _grains(balance.byok.usage if balance.byok else None),
        "limit": _grains(balance.total_limit),
        "remaining": _grains(balance.remaining),
        "spendable": _grains(balance.spendable),
        "account_usage": _grains(balance.account.total_usage if balance.account else None),
    }


def _correct_times(runs: list[dict[str, Any]], at: int) -> None:
    """Correct the newest run's times where a later answer shows that they were ahead, as by a wrong Date header.

    Where the run before it ended later, too, it is the later answer's clock that is behind: then nothing is changed.

    Args:
        runs: the newest last; at least two, if there are as many.
        at: of the later answer.
    """
    if not runs or runs[-1]["ended_at"] - at <= _LATEST:
        return
    if runs[-1]["started_at"] <= at:
        runs[-1]["ended_at"] = at
    elif len(runs) == 1 or runs[-2]["ended_at"] <= at:
        runs[-1]["started_at"] = runs[-1]["ended_at"] = at


def _grains(amount: Decimal | None) -> int | None:
    """Turn USD into 1e-8 USD; what 64 bits cannot hold ($92 billion) becomes the most that they can."""
    if amount is None:
        return None
    grains = int(dollars(amount).scaleb(8, EXACT))
    return max(-_MOST_GRAINS, min(grains, _MOST_GRAINS))


def _usd(grains: int | Decimal) -> Decimal:
    return dollars(Decimal(grains).scaleb(-8, EXACT))


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


# What is asked of the database


def _newest(key: str, count: int) -> sa.Select[Any]:
    return sa.select(_runs).where(_runs.c.key == key).order_by(_runs.c.number.desc()).limit(count)


def _known(key: str, now: datetime) -> Condition:
    """Choose a key's runs, but for those that end more than a day from now: a clock was ahead when they were recorded.

    Their usage is not lost, as it is all-time: the next run's increase includes it. A day is what OpenRouter's clock
    and this machine's may differ by.
    """
    horizon = max(int(now.timestamp()), int(time.time())) + _DAY
    # Plus nothing, else SQLite may look runs up by a bound that nearly all of them keep.
    return sa.and_(_runs.c.key == key, _runs.c.ended_at + 0 <= horizon)


def _seen(connection: sa.Connection, known: Condition) -> tuple[int, int] | None:
    """When a key was seen first and last; None when never."""
    runs = sa.select(_runs.c.started_at, _runs.c.ended_at).where(known).limit(1)
    first = connection.execute(runs.order_by(_runs.c.number)).one_or_none()
    last = connection.execute(runs.order_by(_runs.c.number.desc())).one_or_none()
    return None if first is None or last is None else (first.started_at, last.ended_at)


def _runs_around(known: Condition, start: int, end: int) -> Condition:
    """Choose the runs that say what happened from `start` to `end`: those that ended then, and one more on either side.

    Runs are in the order in which they were stored, which is not that of their times where a clock was put back.
    """
    number = _runs.c.number + 0  # else SQLite looks for the least and the most along the primary key, through years
    ended = sa.select(sa.func.min(number), sa.func.max(number)).where(
        known, _runs.c.ended_at >= start, _runs.c.ended_at < end
    )
    first, last = (ended.with_only_columns(column).scalar_subquery() for column in ended.selected_columns)
    last_before = (
        sa.select(_runs.c.number)
        .where(known, _runs.c.ended_at < start)
        .order_by(_runs.c.ended_at.desc(), _runs.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return known & _runs.c.number.between(
        sa.func.coalesce(first - 1, last_before, 0), sa.func.coalesce(last, last_before, 0) + 1
    )


def _steps(known: Condition, start: int, end: int) -> sa.Subquery:
    """Choose the increases of usage that lie between `start` and `end`, wholly or in part.

    Each has an `amount`, the end of the run before it (`begun_at`) and the start of the run after it (`done_at`). The
    two are at least a second apart, also where two polls fell into one second or a clock was put back.
    """
    run_before = sa.func.lag(_runs.c.ended_at).over(order_by=_runs.c.number)
    begun_at = _least(run_before, _runs.c.started_at)
    steps = (
        sa.select(
            begun_at.label("begun_at"),
            _greatest(_runs.c.started_at, begun_at + 1).label("done_at"),
            (_runs.c.usage - sa.func.lag(_runs.c.usage).over(order_by=_runs.c.number)).label("amount"),
        )
        .where(_runs_around(known, start, end))
        .subquery()
    )
    return sa.select(steps).where(steps.c.amount > 0, steps.c.begun_at < end, steps.c.done_at > start).subquery()


def _spent_by(step: sa.FromClause, instant: Integer) -> Integer:
    """Give the part of a step's amount that was spent by an instant within it, were it spent evenly.

    Rounded down, so that the parts between neighbouring instants add up to the amount exactly. Divided in two, since
    an amount times a span would not fit 64 bits.
    """
    span = step.c.done_at - step.c.begun_at
    elapsed = instant - step.c.begun_at
    return (step.c.amount // span) * elapsed + ((step.c.amount % span) * elapsed) // span


def _spent_between(step: sa.FromClause, start: Integer, end: Integer) -> Integer:
    """Give the part of a step's amount that was spent between two instants, of which neither need lie within it."""
    return _spent_by(step, _least(step.c.done_at, end)) - _spent_by(step, _greatest(step.c.begun_at, start))


def _spend_by_bucket(known: Condition, buckets: range, width: int) -> sa.Select[Any]:
    """Sum up what was spent in each bucket, and whether that is partly an estimate; idle buckets are left out.

    A step that began and ended in the same bucket was spent in it for certain. The others are dealt out to the buckets
    that they cross, one row for each.
    """
    start, end = buckets.start * width, buckets.stop * width
    steps = _steps(known, start, end)
    shares = sa.select(
        steps,
        (_greatest(steps.c.begun_at, sa.literal(start)) // width).label("bucket"),
        ((_least(steps.c.done_at, sa.literal(end)) - 1) // width).label("last_bucket"),
    ).cte("shares", recursive=True)
    following = [column + 1 if column.name == "bucket" else column for column in shares.c]
    shares = shares.union_all(sa.select(*following).where(shares.c.bucket < shares.c.last_bucket))
    is_dealt_out = shares.c.begun_at // width < (shares.c.done_at - 1) // width
    longest_look_away = max(min(_SEEN_GAP, width // 10), min(_USUAL_GAP, width // 4))
    is_estimate = is_dealt_out & (shares.c.done_at - shares.c.begun_at > longest_look_away)
    share = _spent_between(shares, shares.c.bucket * width, (shares.c.bucket + 1) * width)
    return sa.select(
        shares.c.bucket,
        sa.func.sum(share).label("spend"),
        sa.func.max(sa.case((is_estimate, 1), else_=0)).label("is_estimated"),
    ).group_by(shares.c.bucket)


def _spend_of_spans(known: Condition, now: int, spans: Sequence[int]) -> sa.Select[Any]:
    """Sum up what was spent in the last so many seconds, a column for each."""
    end = now + 1  # a step within this very second counts, too
    steps = _steps(known, now - max(spans), end)
    shares = (
        sa.case((steps.c.done_at > start, _spent_between(steps, sa.literal(start), sa.literal(end))), else_=0)
        for start in (now - span for span in spans)
    )
    return sa.select(*(sa.func.sum(share) for share in shares))


def _last_runs_by_bucket(known: Condition, buckets: range, width: int) -> sa.Select[Any]:
    """Choose the last run that began in each bucket, and the last one before them all; oldest first."""
    start, end = buckets.start * width, buckets.stop * width
    bucket = _greatest(_runs.c.started_at // width, sa.literal(buckets.start - 1))
    runs = (
        sa.select(
            bucket.label("bucket"),
            _runs.c.ended_at,
            _runs.c.spendable,
            _runs.c.remaining,
            sa.func.row_number().over(partition_by=bucket, order_by=_runs.c.number.desc()).label("place"),
        )
        .where(_runs_around(known, start, end))
        .subquery()
    )
    return sa.select(runs).where(runs.c.place == 1).order_by(runs.c.bucket)


def _intervals(
    buckets: range, width: int, spent: Mapping[int, sa.Row[Any]], runs: Sequence[sa.Row[Any]]
) -> Iterator[Interval]:
    """Line up the buckets: the idle ones spend nothing, and a run goes on until the next begins."""
    coming = deque(runs)
    run = None
    for bucket in buckets:
        while coming and coming[0].bucket <= bucket:
            run = coming.popleft()
        shown = run if run is not None and run.ended_at >= bucket * width else None
        spend = spent.get(bucket)
        yield Interval(
            start=_instant(bucket * width),
            end=_instant((bucket + 1) * width),
            spend=ZERO if spend is None else _usd(spend.spend),
            spendable=None if shown is None or shown.spendable is None else _usd(shown.spendable),
            remaining=None if shown is None or shown.remaining is None else _usd(shown.remaining),
            estimated=spend is not None and bool(spend.is_estimated),
        )


def _points(connection: sa.Connection, known: Condition, start: int, end: int, most: int) -> Sequence[sa.Row[Any]]:
    """Choose points from `start` to `end`, in order; not more than `most` seconds have any."""
    numbers = _numbers_within(connection, known, start, end)
    if numbers is None:
        return []
    all_runs = _runs_within(known, start, end)
    runs = all_runs.where(_runs.c.number.between(*numbers)).subquery()
    longer = sa.func.sum(sa.case((runs.c.ended_at > runs.c.started_at, 1), else_=0))
    facts = sa.select(sa.func.count(), longer, sa.func.min(runs.c.started_at), sa.func.max(runs.c.ended_at))
    count, ends, first, last = connection.execute(facts.select_from(runs)).one()
    if not count:
        return []
    starting, ending = _points_at(runs, runs.c.started_at), _points_at(runs, runs.c.ended_at)
    if count + ends <= most:
        chosen = [starting, ending]
    else:
        chosen = [starting.where(runs.c.started_at == first), ending.where(runs.c.ended_at == last)]
        buckets = (most - 2) // 2
        if buckets:
            width = -(-(last - first + 1) // buckets)
            chosen += _extremes(runs, all_runs, first, width)
    points = sa.union(*chosen).subquery()
    return connection.execute(sa.select(points).order_by(points.c.at, points.c.number)).all()


def _points_at(runs: sa.FromClause, at: Integer) -> sa.Select[Any]:
    return sa.select(runs.c.number, at.label("at"), runs.c.spendable, runs.c.remaining)


def _numbers_within(connection: sa.Connection, known: Condition, start: int, end: int) -> tuple[int, int] | None:
    """Give the least and the greatest number of the runs from `start` to `end`; None when there are none."""
    number = _runs.c.number + 0  # as in `_runs_around`
    ended = sa.select(sa.func.min(number), sa.func.max(number)).where(known, _runs.c.ended_at.between(start, end))
    later = sa.select(_runs.c.number, _runs.c.started_at).where(known, _runs.c.ended_at > end)
    next_one = connection.execute(later.order_by(_runs.c.ended_at, _runs.c.number).limit(1)).one_or_none()
    numbers = [number for number in connection.execute(ended).one() if number is not None]
    if next_one is not None and next_one.started_at <= end:
        numbers.append(next_one.number)
    return (min(numbers), max(numbers)) if numbers else None


def _runs_within(known: Condition, start: int, end: int) -> sa.Select[Any]:
    """Choose the runs from `start` to `end`, cut off there; whoever knows their numbers should say so, too."""
    return sa.select(
        _runs.c.number,
        _greatest(_runs.c.started_at, sa.literal(start)).label("started_at"),
        _least(_runs.c.ended_at, sa.literal(end)).label("ended_at"),
        _runs.c.spendable,
        _runs.c.remaining,
    ).where(known, _runs.c.ended_at >= start, _runs.c.started_at <= end)


def _extremes(runs: sa.Subquery, all_runs: sa.Select[Any], first: int, width: int) -> list[sa.Select[Any]]:
    """Choose the highest and the lowest point of each bucket of so many seconds from `first` on.

    Found by amount first and looked up afterwards, among the bucket's few hundred runs: to sort all of them would take
    several times as long.
    """

    def bucket_of(at: Integer) -> Integer:
        return (at - first) // width

    def value_of(run: sa.FromClause) -> sa.ColumnElement[int]:
        return sa.func.coalesce(run.c.spendable, _MOST_GRAINS)

    started_in, ended_in = bucket_of(runs.c.started_at), bucket_of(runs.c.ended_at)
    parts = sa.union_all(
        sa.select(runs.c.number, started_in.label("bucket"), value_of(runs).label("value")),
        sa.select(runs.c.number, ended_in, value_of(runs)).where(ended_in != started_in),
    ).subquery()
    buckets = (
        sa.select(
            parts.c.bucket,
            sa.func.max(parts.c.value).label("highest"),
            sa.func.min(parts.c.value).label("lowest"),
            sa.func.min(parts.c.number).label("first_number"),
            sa.func.max(parts.c.number).label("last_number"),
        )
        .group_by(parts.c.bucket)
        .subquery()
    )
    run = all_runs.subquery()  # of which the bucket's own numbers are wanted
    of_bucket = (
        run.c.number.between(buckets.c.first_number, buckets.c.last_number),
        sa.or_(bucket_of(run.c.started_at) == buckets.c.bucket, bucket_of(run.c.ended_at) == buckets.c.bucket),
    )
    highest = sa.select(sa.func.min(run.c.number)).where(*of_bucket, value_of(run) == buckets.c.highest)
    lowest = sa.select(sa.func.max(run.c.number)).where(*of_bucket, value_of(run) == buckets.c.lowest)
    chosen = sa.select(
        buckets.c.bucket, highest.scalar_subquery().label("highest"), lowest.scalar_subquery().label("lowest")
    ).cte("chosen")
    begun = sa.case((started_in == chosen.c.bucket, runs.c.started_at), else_=runs.c.ended_at)
    done = sa.case((ended_in == chosen.c.bucket, runs.c.ended_at), else_=runs.c.started_at)
    return [  # outer joins, so that SQLite looks up runs by buckets and not the other way round, run by run
        _points_at(runs, begun).select_from(chosen).outerjoin(runs, runs.c.number == chosen.c.highest),
        _points_at(runs, done).select_from(chosen).outerjoin(runs, runs.c.number == chosen.c.lowest),
    ]


def _account_pace(connection: sa.Connection, known_runs: Condition, since: int) -> Decimal | None:
    """Tell by how many USD a day the account's usage rose; None when it is known for less than an hour."""
    known = sa.select(_runs).where(known_runs, _runs.c.ended_at >= since, _runs.c.account_usage.is_not(None))
    first = connection.execute(known.order_by(_runs.c.ended_at, _runs.c.number).limit(1)).one_or_none()
    last = connection.execute(known.order_by(_runs.c.ended_at.desc(), _runs.c.number.desc()).limit(1)).one_or_none()
    if first is None or last is None:
        return None
    elapsed = last.ended_at - max(first.started_at, since)
    risen = last.account_usage - first.account_usage
    if elapsed < _HOUR or risen < 0:  # the management key of another account may have taken over
        return None
    return _usd(EXACT.divide(Decimal(risen * _DAY), Decimal(elapsed)))


def _least(one: Integer, other: Integer) -> Integer:
    """Give the smaller one: databases disagree on what the function is called."""
    return sa.case((one < other, one), else_=other)


def _greatest(one: Integer, other: Integer) -> Integer:
    return sa.case((one > other, one), else_=other)
