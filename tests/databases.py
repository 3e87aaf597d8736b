"""Databases for the tests of the history: SQLite files, and a PostgreSQL server that the tests start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orcredit.history import History

_NAME = "history"


def postgresql_programs() -> Path | None:
    """Return the directory of PostgreSQL's programs, of the newest version; None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(programs: Path) -> Iterator[str]:
    """Run a server that only listens on a socket in a new directory; yields that directory."""
    # PostgreSQL refuses to run as root, and only root can enter pytest's directories.
    user = 65534 if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="orcredit-pg-"))
    if user is not None:
        os.chown(folder, user, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    data = str(folder / "data")
    try:
        run("initdb", "--auth=trust", "--username=tester", "--no-sync", "--encoding=UTF8", data)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log"), "-o", options)
        try:
            with psycopg.connect(host=str(folder), user="tester", dbname="postgres", autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_NAME)))
            yield str(folder)
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
    finally:
        shutil.rmtree(folder)


def empty_database(folder: str) -> str:
    """Empty the database on the server, which takes a tenth of the time of creating another; returns its URL."""
    with psycopg.connect(host=folder, user="tester", dbname=_NAME, autocommit=True) as connection:
        tables = "orcredit_runs, orcredit_keys, orcredit_events, orcredit_reported, orcredit_schema"
        connection.execute(f"DROP TABLE IF EXISTS {tables}")
    return f"postgresql://tester@/{_NAME}?host={folder}"


_examples = count(1)


def new_key() -> str:
    """Return a fingerprint that no other example has."""
    return f"{next(_examples):012}"


def connect(url: str) -> sa.Engine:
    """Return an engine that is independent of the code under test."""
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.pool.NullPool)


def rows(url: str, table: str = "orcredit_runs", order: str = "key, number") -> list[sa.Row[tuple[object, ...]]]:
    """Read a table without the code under test."""
    with connect(url).connect() as connection:
        return list(connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY {order}")))  # noqa: S608 - our words


def stored(history: History, key: str) -> list[sa.Row[tuple[int, ...]]]:
    """Read a key's runs of a history in memory, which only its own connection reaches."""
    query = sa.text("SELECT * FROM orcredit_runs WHERE key = :key ORDER BY number").bindparams(key=key)
    with history._engine.connect() as connection:  # noqa: SLF001
        return list(connection.execute(query))
