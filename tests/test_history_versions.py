"""Databases of earlier versions: what they answer, and how they are migrated.

`tests/data/history-v1.db` was recorded by the code of version 1, over four months of the year 2026, with five keys:
office hours with a monthly limit, its resets and a gap of nine days; a daily limit that was raised, with BYOK usage; an
idle key; a key whose usage was corrected by a cent; and one whose clock was 30 years ahead at the end. The last runs are
in `history-v1.db-wal`, as a killed process leaves them. `history-v1.json` is what version 1 answered.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orcredit.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

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
    return [model.model_dump(mode="json") for model in models]


def answers(history: History) -> dict[str, Any]:
    """All queries of all keys, in the form of `history-v1.json`."""
    return {
        key: {
            "spend": as_json(history.spend(key, START - DAY, UNTIL, DAY)),
            "spend of a day by the hour": as_json(history.spend(key, START + 2 * DAY, START + 4 * DAY, HOUR)),
            "samples": as_json(history.samples(key, None, UNTIL, 40)),
            "recent": {
                str(days): history.recent(key, START + days * DAY).model_dump(mode="json") for days in (3, 11, 60, 90)
            },
        }
        for key in ANSWERS
    }


def test_a_file_of_version_1_answers_as_before(version_1: Path) -> None:
    content = version_1.read_bytes()

    assert answers(History(f"sqlite:///{version_1}")) == ANSWERS

    assert version_1.read_bytes() == content
