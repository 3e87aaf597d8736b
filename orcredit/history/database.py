"""The history's database: which URLs are accepted, how it is opened, and its errors in words.

SQLite and PostgreSQL. Errors never quote an argument of the URL or a driver's message: both may hold a password.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool, QueuePool

from orcredit.errors import ConfigurationError, HistoryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

PATIENCE = 2.0
"""Seconds to wait for another process to finish writing, which takes milliseconds."""

_URL_HINT = "Examples: sqlite:////var/lib/orcredit.db, postgresql://user@host/name"
_FILE_HINT = "Check the file and its directory, or choose another place with ORCREDIT_DATABASE_URL."
_SERVER_HINT = "Check ORCREDIT_DATABASE_URL and the server."

_LONGEST_NAME = 300
"""Characters of a database's name in an error, which is one line."""

_LONGEST_TIMEOUT = 3600.0
"""Seconds; longer ones are mistakes, and SQLite counts milliseconds in 32 bits."""

_SQLITE_HINT = (
    "SQLite takes timeout (seconds); of file: URIs, with uri=true, also mode, cache, immutable, nolock, psow, vfs."
)
_SQLITE_ARGUMENTS = frozenset({"uri", "timeout"})
_SQLITE_URI_ARGUMENTS = frozenset({"mode", "cache", "immutable", "nolock", "psow", "vfs"})
"""Those of sqlite.org/uri.html. Python's other arguments (isolation levels, types) would change what is stored."""

_TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})
"""What SQLAlchemy reads as true."""

_POSTGRESQL_HINT = "PostgreSQL takes the arguments of libpq, such as sslmode=require, connect_timeout=5 or options."
_INTEGERS = frozenset({
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
})  # fmt: skip
_WORDS = {
    "uri": _TRUE | {"false", "no", "off", "n", "f", "0"},
    "mode": {"ro", "rw", "rwc", "memory"},
    "cache": {"shared", "private"},
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "gssencmode": {"disable", "prefer", "require"},
    "channel_binding": {"disable", "prefer", "require"},
    "load_balance_hosts": {"disable", "random"},
    "target_session_attrs": {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"},
}
"""Arguments that take one of a few words (sqlite.org/uri.html; PostgreSQL's "Parameter Key Words")."""


def default_url() -> sa.URL:
    """Return the URL of `history.db` in the user's data directory.

    Raises:
        HistoryError: the user has no home directory.
    """
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed where a URL is given

    try:
        folder = user_data_path("orcredit", appauthor=False)
    except (RuntimeError, OSError):  # a user id that the system does not know, as in a container
        raise HistoryError("There is no home directory to keep the history in.") from None
    return sa.URL.create("sqlite", database=str(folder / "history.db"))


def parse(text: str) -> sa.URL:
    """Parse a URL; errors never show any part of it, as it may hold a password in an unexpected place.

    Raises:
        UsageError: it is not a URL, or no database can be opened with it.
        ConfigurationError: its driver is not installed.
    """
    try:
        url = make_url(text)
        if url.drivername in {"postgres", "postgresql"}:
            url = url.set(drivername="postgresql+psycopg")
        backend = url.get_backend_name()
        is_async = backend in _CHECKS and url.get_dialect().is_async
    except (exc.ArgumentError, ValueError):
        raise UsageError("The database URL is not a URL.", hint=_URL_HINT) from None
    except ImportError:
        raise _driver_missing() from None
    if backend not in _CHECKS:
        raise UsageError("The database URL names neither SQLite nor PostgreSQL.", hint=_URL_HINT)
    if is_async:
        raise UsageError("The database URL names an asynchronous driver; orcredit needs another.", hint=_URL_HINT)
    if any("\0" in text for text in _texts(url)):
        raise UsageError("The database URL holds a null character.", hint=_URL_HINT)
    _CHECKS[backend](url)
    return url


def _texts(url: sa.URL) -> Iterator[str]:
    yield from (text for text in (url.username, url.password, url.host, url.database) if isinstance(text, str))
    for name, values in url.normalized_query.items():
        yield name
        yield from values


def _check_sqlite(url: sa.URL) -> None:
    if url.username or url.password or url.host or url.port:
        raise UsageError(
            "The database URL names a host or a user, but SQLite is a file.",
            hint="Three slashes begin a relative path and four an absolute one: sqlite:////var/lib/orcredit.db",
        )
    query = url.normalized_query
    takes_uri = query.get("uri", ("false",))[0].lower() in _TRUE
    if not query.keys() <= (_SQLITE_ARGUMENTS | _SQLITE_URI_ARGUMENTS if takes_uri else _SQLITE_ARGUMENTS):
        raise UsageError("The database URL has an argument that SQLite does not take.", hint=_SQLITE_HINT)
    if takes_uri != is_uri(url):
        raise UsageError("In a database URL, file: and uri=true belong together.", hint=_SQLITE_HINT)
    _check_values(query, _SQLITE_HINT)
    if "timeout" in query:
        with suppress(ValueError):
            if 0 <= float(query["timeout"][0]) <= _LONGEST_TIMEOUT:
                return
        raise UsageError("The timeout in the database URL is not 0 to 3600 seconds.", hint=_SQLITE_HINT)


def _check_postgresql(url: sa.URL) -> None:
    if "@" in f"{url.host}{url.database}":
        raise UsageError(
            "The database URL has an '@' in the wrong place.",
            hint="In a user name or password, write @ as %40, : as %3A, / as %2F and % as %25.",
        )
    query = url.normalized_query
    _check_values(query, _POSTGRESQL_HINT, repeatable={"host", "port"})
    hosts = [url.host or "", *(host for value in query.get("host", ()) for host in value.split(","))]
    ports = [url.port, *(port for value in query.get("port", ()) for port in value.split(",") if port)]
    try:
        for host in hosts:
            if not host.startswith(("/", "@")):
                host.encode("idna")
        is_port = all(port is None or 0 < int(port) < 1 << 16 for port in ports)
    except ValueError:
        is_port = False
    if not is_port:
        raise UsageError("The host or the port in the database URL is not valid.", hint=_URL_HINT)
    if url.get_driver_name() == "psycopg":
        try:
            from psycopg import Error  # noqa: PLC0415 - only for those who use PostgreSQL
            from psycopg.conninfo import make_conninfo  # noqa: PLC0415
        except ImportError:
            raise _driver_missing() from None
        try:
            make_conninfo(**url.get_dialect()().create_connect_args(url)[1])
        except (exc.ArgumentError, Error, TypeError, ValueError):
            raise UsageError(
                "The database URL has an argument that PostgreSQL does not take.", hint=_POSTGRESQL_HINT
            ) from None


def _check_values(query: Mapping[str, Sequence[str]], hint: str, repeatable: Container[str] = ()) -> None:
    for name, values in query.items():
        is_once = len(values) == 1 or name in repeatable
        is_word = name not in _WORDS or values[0] in _WORDS[name]
        if is_once and is_word and (name not in _INTEGERS or values[0].removeprefix("-").isdecimal()):
            continue
        raise UsageError("An argument in the database URL has a value that is not valid.", hint=hint)


_CHECKS = {"sqlite": _check_sqlite, "postgresql": _check_postgresql}


def holds_password(url: sa.URL) -> bool:
    """Whether there is a password anywhere in the URL."""
    return url.password is not None or any("password" in name.lower() for name in url.query)


def shown(url: sa.URL) -> str:
    """Return a database's name for messages, in one line: without password and without options that might hold one."""
    if url.get_backend_name() == "sqlite":
        name = url.database or "memory"
    else:
        name = url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)
    name = "".join(char if char.isprintable() else "?" for char in name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME // 2]}...{name[-_LONGEST_NAME // 2 :]}"


def file_of(url: sa.URL) -> Path | None:
    """Return the file of a SQLite database, named by its path or as file:path or file:///path; None for all others."""
    if url.get_backend_name() != "sqlite" or _is_in_memory(url):
        return None
    name = url.database or ""
    if is_uri(url):
        name = unquote(name.removeprefix("file:").partition("#")[0])
        if name.startswith("//"):  # an authority, which is empty or localhost
            name = f"/{name[2:].partition('/')[2]}"
    return Path(name)


def is_uri(url: sa.URL) -> bool:
    """Whether a SQLite database is named by a file: URI, whose `mode` says whether it is created."""
    return (url.database or "").startswith("file:")


def _is_in_memory(url: sa.URL) -> bool:
    name = url.database or ":memory:"
    return url.get_backend_name() == "sqlite" and (
        name == ":memory:" or name.startswith("file::memory:") or url.query.get("mode") == "memory"
    )


def is_there(file: Path, url: sa.URL) -> bool:
    """Whether a database's file exists.

    Raises:
        HistoryError: it is not a regular file. Opening a pipe would wait for its other end, and a device such as
            /dev/zero would be read as an empty database.
        OSError: the operating system does not say.
    """
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise _error(url, f"cannot be opened: it is {kind}", _FILE_HINT)
    return True


def make_private(file: Path, url: sa.URL, *, is_ours: bool) -> None:
    """Make a file readable by its owner only, before anything is written to it.

    Args:
        file: need not exist.
        url: the same; a file: URI may say that the file is not to be created.
        is_ours: whether it is the default file; one that the user chose is created private, but never changed.
    """
    if is_ours:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, mode in ((file.parent, 0o700), (file, 0o600)):
            if path.exists() and path.stat().st_mode & 0o077:
                path.chmod(mode)
    if is_uri(url) and url.query.get("mode") in {"ro", "rw"}:
        return
    # Opened only when new: closing a file releases the locks that SQLite may hold on it elsewhere in this process.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def is_frozen(file: Path, url: sa.URL) -> bool:
    """Whether a SQLite file can only be read as one that does not change (sqlite.org/uri.html, `immutable`).

    A file in WAL mode needs two others, which SQLite cannot create on a read-only file system or in a folder that this
    user may not write. Without a log beside it, all that was stored is in the file.

    Raises:
        HistoryError: there is such a log, with something in it.
    """
    try:
        _peek(f"{file.absolute().as_uri()}?mode=ro")
    except sqlite3.Error as error:
        if _kind_of(error) not in {"CANTOPEN", "READONLY"} or "vfs" in url.query:
            return False  # the error will be explained where it is read
    else:
        return False
    with suppress(sqlite3.Error):
        _peek(f"{file.absolute().as_uri()}?{_FROZEN}")
        real = file.resolve()
        for ending in ("-wal", "-journal"):
            log = real.with_name(real.name + ending)
            if log.exists() and log.stat().st_size:
                problem = f"cannot be read: its folder cannot be written, and a log beside it ({ending}) is newer"
                raise _error(url, problem, "Copy both files to a folder that can be written, and read the copy.")
        return True
    return False


def _peek(uri: str) -> None:
    """Begin to read a SQLite database."""
    with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()


_FROZEN = "immutable=1&mode=ro"


@contextmanager
def unchanged(file: Path, url: sa.URL) -> Iterator[None]:
    """Check that a file that is read as frozen did not change: what was read would be a mixture.

    Raises:
        HistoryError: it did.
    """

    def state() -> tuple[int, ...]:
        found = file.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    before = state()
    try:
        yield
    finally:
        if state() != before:
            raise _error(url, "was changed by another program while it was read", "Try again.") from None


def frozen_url(file: Path) -> sa.URL:
    """Return the URL of a file that does not change."""
    query = {"uri": "true", "immutable": "1", "mode": "ro"}
    return sa.URL.create("sqlite", database=file.absolute().as_uri(), query=query)


def check_pages(file: Path, url: sa.URL, *, thoroughly: bool, is_frozen: bool = False) -> None:
    """Check every page of a SQLite file, without changing the file.

    SQLite notices damage only in the pages that it reads, and writes to others. Closing a connection that may write
    copies the write-ahead log of a killed process into the file; closing a read-only one does not.
    Five years of one-minute samples (36 MB) take about 0.1 seconds, and 0.25 thoroughly.

    Args:
        file: of the database.
        url: the same, for errors.
        thoroughly: whether to compare tables and indexes, too, which finds most changes of a single byte.
        is_frozen: what the function of that name said.

    Raises:
        HistoryError: a page is damaged, it is not a database, or it cannot be read now, as it is locked.
    """
    uri = f"{file.absolute().as_uri()}?{_FROZEN if is_frozen else 'mode=ro'}"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as connection:
            check = "integrity_check" if thoroughly else "quick_check"
            is_whole = connection.execute(f"PRAGMA {check}(1)").fetchone() == ("ok",)
    except sqlite3.Error as error:
        problem, hint = _problem(error)
        raise _error(url, problem, hint) from None
    if not is_whole:
        problem, hint = _SQLITE_PROBLEMS["CORRUPT"]
        raise _error(url, problem, hint)


WRITING = {"orcredit_writes": True}
"""Execution options of a connection that writes."""

_LOCK_NUMBER = 6_727_465_331
"""Of the advisory lock that writers take on PostgreSQL; an arbitrary number."""


def engine(url: sa.URL) -> sa.Engine:
    """Create an engine that opens a connection for each call; a database in memory has a single one.

    Raises:
        ConfigurationError: its driver is not installed.
    """
    backend = url.get_backend_name()
    patience: dict[str, Any] = {}
    pool: dict[str, Any] = {"poolclass": NullPool}
    if _is_in_memory(url):  # it ends with its connection, so there is only one, for which threads wait
        pool = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": None}
    if backend == "sqlite":
        patience = {"timeout": PATIENCE, "check_same_thread": False}
    elif url.drivername == "postgresql+psycopg":
        patience = {"connect_timeout": 3, "tcp_user_timeout": 5000}
    try:
        made = sa.create_engine(
            url,
            connect_args={name: value for name, value in patience.items() if name not in url.query},
            hide_parameters=True,
            **pool,
        )
    except ImportError:
        raise _driver_missing() from None
    if backend == "sqlite":
        sa.event.listen(made, "connect", _take_over_transactions)
    sa.event.listen(made, "begin", _BEGIN[backend])
    return made


def _driver_missing() -> ConfigurationError:
    return ConfigurationError(
        "The driver of the database in the URL is not installed.",
        hint="For PostgreSQL: pip install 'orcredit[postgres]'",
    )


def _take_over_transactions(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # else Python's module begins transactions, at the wrong moments


def _begin_sqlite(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("orcredit_writes"):
        connection.exec_driver_sql("BEGIN")
        return
    # Readers and the writer do not wait for each other. A kill loses nothing, a power failure at most the last samples.
    with suppress(exc.OperationalError):  # another process is switching a new file to WAL
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # no other process writes until the end of the transaction


def _begin_postgresql(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE:g}s'")
    connection.exec_driver_sql("SET LOCAL statement_timeout = '10s'")
    if connection.get_execution_options().get("orcredit_writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if (connection.dialect.server_version_info or (0,)) >= (11,):
            # Compiling a query takes most of a second, longer than any of these queries.
            connection.exec_driver_sql("SET LOCAL jit = off")


_BEGIN = {"sqlite": _begin_sqlite, "postgresql": _begin_postgresql}


# Error messages

_SQLITE_PROBLEMS = {
    "BUSY": ("is locked by another program", "Close the program that holds it; then it works again without a restart."),
    "LOCKED": (
        "is locked by another program",
        "Close the program that holds it; then it works again without a restart.",
    ),
    "READONLY": ("is read-only", _FILE_HINT),
    "PERM": ("is read-only", _FILE_HINT),
    "CANTOPEN": ("cannot be opened", _FILE_HINT),
    "FULL": ("cannot be written: the disk is full", "Free some space; then it works again without a restart."),
    "TOOBIG": ("cannot be written: the disk is full", "Free some space; then it works again without a restart."),
    "IOERR": ("cannot be read or written: the disk fails or is full", _FILE_HINT),
    "CORRUPT": ("is damaged", "Move the file away, and a new one is created; orcredit does not change or delete it."),
    "NOTADB": (
        "is not a database",
        "Move the file away, and a new one is created; orcredit does not change or delete it.",
    ),
}
"""By the second word of SQLite's error name."""

_SQLSTATES = {
    "25006": ("is read-only", _SERVER_HINT),
    "28": ("refuses this user or password", _SERVER_HINT),
    "3D": ("does not exist", _SERVER_HINT),
    "42501": ("does not let this user read and write it", _SERVER_HINT),
    "53100": (
        "cannot be written: the server's disk is full",
        "Free some space; then it works again without a restart.",
    ),
    "53": ("accepts no more connections", "Try again later."),
    "55P03": (
        "is locked by another program",
        "Close the program that holds it; then it works again without a restart.",
    ),
    "57": ("does not answer in time or is shutting down", _SERVER_HINT),
}
"""By the beginning of the standard's error code, as PostgreSQL sends it; the longer beginnings first."""


@contextmanager
def explained(url: sa.URL) -> Iterator[None]:
    """Convert any error of a database to a `HistoryError`, without the driver's message, which may quote the URL."""
    try:
        yield
    except exc.DBAPIError as error:
        problem, hint = _problem(error.orig)
        raise _error(url, problem, hint) from None
    except OSError as error:
        raise _error(url, f"cannot be opened: {error.strerror}", _FILE_HINT) from None
    except (exc.SQLAlchemyError, TypeError, ValueError, ArithmeticError):
        raise _error(url, "does not hold what orcredit stores", _FILE_HINT) from None


def _error(url: sa.URL, problem: str, hint: str) -> HistoryError:
    return HistoryError(f"The history in {shown(url)} {problem}.", hint=hint, public=f"The history {problem}.")


def _kind_of(error: BaseException | None) -> str:
    """Return the second word of SQLite's name of an error; of Python's own errors nothing."""
    name: str = getattr(error, "sqlite_errorname", "")
    return name.split("_")[1] if name else ""


def _problem(error: BaseException | None) -> tuple[str, str]:
    name = getattr(error, "sqlite_errorname", None)
    if name is not None:
        unknown = (f"cannot be used ({name})", _FILE_HINT)
        return _SQLITE_PROBLEMS.get(_kind_of(error), unknown)
    state = getattr(error, "sqlstate", None)
    if state is None:
        return "cannot be reached, or refuses this user or password", _SERVER_HINT
    known = (problem for beginning, problem in _SQLSTATES.items() if state.startswith(beginning))
    return next(known, (f"cannot be used (SQLSTATE {state})", _SERVER_HINT))
