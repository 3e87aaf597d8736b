"""The files of the prompt line's cache: invalid ones."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit import cache
from tests.test_cache import KEY, URL, balance, home, refuse, store, the_file

__all__ = ["home"]  # the fixture that every test here uses


# Invalid files


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 2, "writtenAt": 1, "line": {}}',
        b'{"format": 2, "writtenAt": 1, "line": null}',
        b'"' + b"x" * cache.LARGEST + b'"',
    ],
)
def test_an_invalid_or_huge_file_counts_as_absent_and_is_replaced(content: bytes) -> None:
    store()
    the_file().write_bytes(content)
    assert cache.load(URL, KEY) is None
    assert store().spendable == "$158.61"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"format": 3},
        {"writtenAt": "yesterday"},
        {"writtenAt": True},
        {"writtenAt": float("nan")},
        {"line": {"level": "splendid"}},
        {"line": {"level": ["ok"]}},
        {"line": {"spendable": 5}},
        {"line": {"label": {}}},
        {"line": {"fetchedAt": None}},
        {"line": {"runsOutAt": float("inf")}},
        {"line": {"runsOutAt": 1e12}},
        {"line": {"percentage": float("nan")}},
        {"line": {"percentage": float("inf")}},
        {"line": {"percentage": "31"}},
        {"line": {"isUpperBound": None}},
        {"line": {"freeRequests": -1}},
        {"line": {"freeRequests": 1.5}},
        {"line": {"freeRequests": 10**400}},
        {"creditUntil": "soon"},
        {"creditUntil": float("nan")},
    ],
)
def test_a_file_with_an_invalid_value_counts_as_absent(change: dict[str, Any]) -> None:
    store()
    whole = json.loads(the_file().read_text())
    if "line" in change:
        change = {"line": whole["line"] | change["line"]}
    the_file().write_text(json.dumps(whole | change))
    assert cache.load(URL, KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"kind": "splendid"},
        {"kind": ["refused"]},
        {"status": "401"},
        {"status": True},
        {"status": -1},
        {"status": 10**6},
        {"at": None},
        {"at": float("nan")},
        {"at": 1e12},
    ],
)
def test_an_invalid_failure_counts_as_absent_and_is_replaced(change: dict[str, Any]) -> None:
    assert refuse() is not None
    the_file(".failure").write_text(json.dumps(json.loads(the_file(".failure").read_text()) | change))
    assert cache.load_failure(URL, KEY, None) is None
    for content in (b"", b"[]", b"null", b"\xff", b"[" * 100_000):
        the_file(".failure").write_bytes(content)
        assert cache.load_failure(URL, KEY, None) is None
    assert refuse() is not None


@given(st.integers(0, 3000), st.binary(max_size=8))
def test_a_damaged_file_never_raises(place: int, damage: bytes) -> None:
    store()
    content = the_file().read_bytes()
    the_file().write_bytes(content[:place] + damage + content[place + len(damage) :])
    cache.load(URL, KEY)
    the_file().unlink()


def test_a_directory_in_place_of_the_file_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="orcredit")
    the_file().mkdir(parents=True)
    cache.store(URL, KEY, balance())
    assert cache.load(URL, KEY) is None
    assert "could not be stored" in caplog.text
    assert list(the_file().parent.iterdir()) == [the_file()]
