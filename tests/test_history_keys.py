"""The table of keys: whose runs are stored, by which name, and since when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from orcredit.config.credentials import fingerprint
from orcredit.history import History, KnownKey
from tests.balances import balance
from tests.databases import new_key, rows

if TYPE_CHECKING:
    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

KEY = fingerprint("sk-or-v1-made-up")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def labelled(at: datetime, label: str | None, usage: int = 1) -> Balance:
    seen = balance(at, usage)
    return seen.model_copy(update={"key": seen.key.model_copy(update={"label": label})})


def known(history: History, key: str = KEY) -> KnownKey:
    [found] = [each for each in history.known_keys() if each.fingerprint == key]
    return found


def test_a_key_is_stored_with_its_label_and_profile_and_when_it_was_seen(history: History, url: str) -> None:
    history.record(KEY, labelled(NOON, "laptop"), profile="work")
    history.record(KEY, labelled(NOON + HOUR, "laptop", 2), profile="work")

    assert history.known_keys() == [
        KnownKey(fingerprint=KEY, label="laptop", profile="work", first_seen=NOON, last_seen=NOON + HOUR)
    ]
    assert len(rows(url, "orcredit_keys", "fingerprint")) == 1


def test_there_are_no_keys_before_the_first_record(url: str) -> None:
    assert History(url).known_keys() == []


def test_the_keys_last_seen_come_first(history: History) -> None:
    for key, at in (("a" * 12, NOON), ("b" * 12, NOON + DAY), ("c" * 12, NOON - DAY)):
        history.record(key, balance(at, 1))

    assert [key.fingerprint[0] for key in history.known_keys()] == ["b", "a", "c"]


def test_the_given_label_wins_and_a_missing_one_keeps_the_stored(in_memory: History) -> None:
    key = new_key()
    labels = []
    for minute, (own, given) in enumerate([(None, None), ("own", None), ("own", "given"), (None, None), ("new", None)]):
        in_memory.record(key, labelled(NOON + minute * MINUTE, own), label=given)
        labels.append(known(in_memory, key).label)

    assert labels == [None, "own", "given", "given", "new"]


def test_a_profile_is_kept_until_another_is_given(in_memory: History) -> None:
    key = new_key()
    profiles = []
    for minute, profile in enumerate([None, "work", None, "home"]):
        in_memory.record(key, balance(NOON + minute * MINUTE, 1), profile=profile)
        profiles.append(known(in_memory, key).profile)

    assert profiles == [None, "work", "work", "home"]


def test_of_many_balances_the_last_label_is_stored(in_memory: History) -> None:
    key = new_key()
    in_memory.record_all(key, [labelled(NOON, "old"), labelled(NOON + MINUTE, "new"), labelled(NOON + HOUR, None)])

    assert known(in_memory, key).label == "new"


@pytest.mark.parametrize(
    ("label", "stored"),
    [("a\0b\ud800c\n", "abc"), ("x" * 999, "x" * 200), ("\N{SNOWMAN}'; --", "\N{SNOWMAN}'; --"), ("\0", None)],
)
def test_any_text_can_be_a_label(history: History, label: str, stored: str | None) -> None:
    history.record(KEY, balance(NOON, 1), label=label, profile=label)

    assert (known(history).label, known(history).profile) == (stored, stored)
    assert history.recent(KEY, NOON).since == NOON


def test_when_a_key_was_last_seen_is_known_to_the_hour(in_memory: History) -> None:
    key = new_key()
    for minute in range(300):
        in_memory.record(key, balance(NOON + minute * MINUTE, 1))
        behind = NOON + minute * MINUTE - known(in_memory, key).last_seen
        assert timedelta(0) <= behind < HOUR
    assert known(in_memory, key).first_seen == NOON


def test_a_poll_writes_its_run_only_and_the_key_once_an_hour(in_memory: History) -> None:
    key, written = new_key(), []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement.split()[1 if statement.startswith("UPDATE") else 2])

    in_memory.record(key, balance(NOON, 1))
    sa.event.listen(in_memory._engine, "after_cursor_execute", note)  # noqa: SLF001
    for minute in range(1, 121):
        in_memory.record(key, balance(NOON + minute * MINUTE, 1 + minute // 7))
    sa.event.remove(in_memory._engine, "after_cursor_execute", note)  # noqa: SLF001

    assert (written.count("orcredit_runs"), written.count("orcredit_keys")) == (120, 2)


def test_times_that_were_ahead_are_corrected_for_the_key_as_well(in_memory: History) -> None:
    key = new_key()
    in_memory.record(key, balance(NOON + 9999 * DAY, 1))
    in_memory.record(key, balance(NOON, 2))

    assert (known(in_memory, key).first_seen, known(in_memory, key).last_seen) == (NOON, NOON)


def test_what_tells_nothing_does_not_make_a_key(in_memory: History) -> None:
    key = new_key()
    in_memory.record_all(key, [balance(NOON, None), balance(NOON, 1, stale=True)])

    assert key not in {each.fingerprint for each in in_memory.known_keys()}


def test_a_known_key_in_json_has_camel_case_names(in_memory: History) -> None:
    key = new_key()
    in_memory.record(key, labelled(NOON, "mine"))

    assert json.loads(known(in_memory, key).model_dump_json()) == {
        "fingerprint": key,
        "label": "mine",
        "profile": None,
        "firstSeen": "2026-03-01T12:00:00.000Z",
        "lastSeen": "2026-03-01T12:00:00.000Z",
    }
