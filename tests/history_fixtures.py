"""Fixtures of the history's tests, as a pytest plugin: test modules name it in `pytest_plugins`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orcredit.history import History
from tests import databases
from tests.balances import balance
from tests.histories import KEY, MINUTE, NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The directory of a running server's socket."""
    programs = databases.postgresql_programs()
    if programs is None:
        reason = "PostgreSQL's initdb and pg_ctl are not installed"
        if "CI" in os.environ:
            pytest.fail(f"{reason}, and in CI they must be")
        pytest.skip(reason)
    with databases.postgresql(programs) as folder:
        yield folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a SQLite file may be created."""
    return tmp_path / "some.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.process)])
def url(request: pytest.FixtureRequest, file: Path) -> str:
    """A database that does not exist yet or is empty."""
    if request.param == "postgresql":
        return databases.empty_database(request.getfixturevalue("postgresql"))
    return f"sqlite:///{file}"


@pytest.fixture
def history(url: str) -> History:
    """A history in that database."""
    return History(url)


@pytest.fixture(scope="module")
def in_memory() -> Iterator[History]:
    """One history for all examples, each with another key: making one takes longer than an example."""
    with History.in_memory() as history:
        yield history


@pytest.fixture
def filled(file: Path) -> Path:
    """A file with a day of samples in it."""
    history = History(f"sqlite:///{file}")
    history.record_all(KEY, [balance(NOON + minute * MINUTE, minute) for minute in range(0, 1440, 10)])
    return file
