"""A history's database: which one it is, and how it is opened for each call."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from orcredit.config import load
from orcredit.errors import HistoryError, UsageError
from orcredit.history import database
from orcredit.history.schema import SCHEMA_VERSION, migrate, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import sqlalchemy as sa


class Opened:
    """A database that is opened for each call; the base of `History`, whose docstring says why.

    Args:
        url: a database as SQLAlchemy writes it; None is `history.db` in the user's data directory.

    Raises:
        UsageError: not such a URL.
        ConfigurationError: its driver is not installed.
    """

    def __init__(self, url: str | None = None) -> None:
        self._homeless: HistoryError | None = None
        try:
            self._url = database.default_url() if url is None else database.parse(url)
        except HistoryError as error:  # raised on use, as for any other database that cannot be used
            self._homeless, self._url = error, database.parse("sqlite://")
        self._file = database.file_of(self._url)
        self._is_default = url is None
        self._engine = database.engine(self._url)
        weakref.finalize(self, self._engine.dispose)  # else a history in memory would leave its connection open
        self._is_whole = False
        self._is_known = False
        self._frozen: sa.Engine | None = None

    @classmethod
    def load(cls, database_url: str | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """Open the history that the user chose.

        Args:
            database_url: the option's value, which other users of the machine can read: it may not hold a password.
                If missing, `ORCREDIT_DATABASE_URL`, which may hold one; then the default file.
            environ: in place of `os.environ`.

        Raises:
            UsageError: not a URL, or a password in the option.
            ConfigurationError: its driver is not installed.
        """
        option = (database_url or "").strip()
        if option:
            if database.holds_password(database.parse(option)):
                raise UsageError(
                    "--database-url holds a password, which other users of this machine can see.",
                    hint="Put the URL into ORCREDIT_DATABASE_URL instead.",
                )
            return cls(option)
        return cls(load.database_url(environ))

    @classmethod
    def in_memory(cls) -> Self:
        """Create a history in memory, which ends with the process."""
        return cls("sqlite://")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        """Return the database's name for messages, without a password."""
        return database.shown(self._url)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for all others."""
        return self._file

    def version(self) -> int:
        """Return the version of the tables, at most `SCHEMA_VERSION`; 0 when there are none. Nothing is changed.

        Raises:
            HistoryError: the database cannot be used, or was written by a newer orcredit.
        """
        with self._reading() as connection:
            return 0 if connection is None else self._version(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection of a history in memory, which deletes it; others have none open."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that no other writer shares, on tables of the present version."""
        with database.explained(self._url):
            if self._file is not None:
                database.make_private(self._file, self._url, is_ours=self._is_default)
            if not self._is_known:
                # Before the first write, not within it: preparing a SQLite file for writing changes it.
                if self._file is not None and database.is_there(self._file, self._url):
                    database.check_pages(self._file, self._url, thoroughly=True)
                    self._is_whole = True
                with self._reading():
                    self._is_known = True
            with self._engine.connect().execution_options(**database.WRITING) as connection, connection.begin():
                migrate(connection, self._version(connection))
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        """Open a transaction that sees one state of the database; None where nothing was stored yet.

        The tables may be of an earlier version: reading does not migrate them.
        """
        if self._homeless is not None:
            raise self._homeless.with_traceback(None)  # otherwise each raise would lengthen it
        with database.explained(self._url):
            if self._file is not None:
                if not database.is_there(self._file, self._url):
                    yield None  # reading does not create a file
                    return
                if (not self._is_whole or self._frozen) and database.is_frozen(self._file, self._url):
                    self._frozen = self._frozen or database.engine(database.frozen_url(self._file))
                    with database.unchanged(self._file, self._url), self._opened(self._frozen) as connection:
                        yield connection
                    return
                self._frozen = None
            with self._opened(self._engine) as connection:
                yield connection

    @contextmanager
    def _opened(self, engine: sa.Engine) -> Iterator[sa.Connection | None]:
        """Check a file's pages, once, and begin to read."""
        if self._file is not None and not self._is_whole:
            is_frozen = engine is self._frozen
            database.check_pages(self._file, self._url, thoroughly=False, is_frozen=is_frozen)
            self._is_whole = True
        with engine.connect() as connection, connection.begin():
            yield connection if self._version(connection) else None

    def _version(self, connection: sa.Connection) -> int:
        """Return the version of the tables, 0 when there are none.

        Raises:
            HistoryError: they were written by a newer orcredit.
        """
        version = version_of(connection)
        if version > SCHEMA_VERSION:
            raise HistoryError(
                f"The history in {self} was written by a newer orcredit; this version does not touch it.",
                hint="Update orcredit, or choose another database with ORCREDIT_DATABASE_URL.",
                public="The history was written by a newer orcredit.",
            )
        return version
