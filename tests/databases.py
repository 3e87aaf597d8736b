"""Databases for the tests of the history: files of SQLite, and a PostgreSQL server that the tests start themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "history"


def postgresql_programs() -> Path | None:
    """Where PostgreSQL's own programs are: the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(programs: Path) -> Iterator[str]:
    """Run a server that only listens on a socket in a directory of its own; gives that directory."""
    # It refuses to run as root; pytest's directories are closed to everybody else.
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
    """Empty the one database on the server, which takes a tenth of the time of creating another; gives its URL."""
    with psycopg.connect(host=folder, user="tester", dbname=_NAME, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS orcredit_runs, orcredit_schema")
    return f"postgresql://tester@/{_NAME}?host={folder}"
