"""A spool in a new user's home directory, and a history that takes it in."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit.config.credentials import fingerprint
from orcredit.history import History, spool
from tests.balances import balance

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY, OTHER_KEY = fingerprint("sk-or-v1-made-up"), fingerprint("sk-or-v1-another")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3600, 86400))

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and modes")


@pytest.fixture(autouse=True, name="home")
def new_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a new user's home directory the home directory."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOCALAPPDATA", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return home


@pytest.fixture(name="history")
def new_history(tmp_path: Path) -> History:
    return History(f"sqlite:///{tmp_path}/some.db")


def folder() -> Path:
    return Path(spool.directory() or "")


def file() -> Path:
    return folder() / "history.spool"


def left() -> list[str]:
    """Return the names of the spool's files."""
    return sorted(path.name for path in folder().glob("history.spool*"))


def add(usages: Iterable[int], *, key: str = KEY, start: datetime = NOON) -> None:
    """Keep a balance a minute."""
    for minute, usage in enumerate(usages):
        spool.add(key, balance(start + minute * MINUTE, usage))


def spent(history: History, key: str = KEY) -> float:
    intervals = history.spend(key, NOON - DAY, NOON + 4 * DAY, HOUR)
    return float(sum(interval.spend for interval in intervals))


def taken_in(history: History) -> list[tuple[int, float]]:
    """Return the samples of the history: minutes after noon, and what was left."""
    samples = history.samples(KEY, None, NOON + DAY, 100)
    return [((sample.at - NOON) // MINUTE, float(sample.remaining or 0)) for sample in samples]
