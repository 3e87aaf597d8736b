"""What many keys spent on each day, in one query: the same as `History.spend` says of one key."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit.history import History
from tests.balances import balance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytest_plugins = ["tests.history_fixtures"]

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 15, 9, 30, tzinfo=UTC)
DAYS = 14


def spent(history: History, key: str) -> dict[datetime, Decimal]:
    since = NOW.replace(hour=0, minute=0) - (DAYS - 1) * DAY
    return {one.start: one.spend for one in history.spend(key, since, NOW, DAY)}


def polls(chance: random.Random, *, falls: bool) -> Iterator[tuple[datetime, Decimal]]:
    """Make up polls of a month: some often, some after days, spending or not."""
    at, usage = NOW - 30 * DAY, Decimal(100)
    while at < NOW:
        yield at, usage
        at += timedelta(seconds=chance.choice([60, 600, 7200, 40_000, 200_000]))
        usage += Decimal(chance.choice(["0", "0", "0.01", "0.12345678", "7"]))
        if falls and chance.random() < 0.1:
            usage -= 3


@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_each_day_is_what_was_spent_on_it(in_memory: History, seed: int, falls: bool) -> None:
    chance = random.Random(seed)  # noqa: S311 - made-up polls
    keys = [f"{seed}-{falls:d}-{number}" for number in range(5)]
    for key in keys:
        in_memory.record_all(key, [balance(at, usage) for at, usage in polls(chance, falls=falls)])
    since, found = in_memory.daily([*keys, "unknown"], NOW, DAYS)
    assert since == datetime(2026, 3, 2, tzinfo=UTC)
    assert found.keys() == set(keys)
    for key in keys:
        one_by_one = spent(in_memory, key)
        for place, usd in enumerate(found[key]):
            assert usd is None or usd == one_by_one.get(since + place * DAY, 0)


def days(history: History, key: str, *seen: tuple[timedelta, int]) -> Sequence[Decimal | None]:
    """Record usage at times after the first of the last five days; return what was spent on each of them."""
    beginning = NOW.replace(hour=0, minute=0) - 4 * DAY
    history.record_all(key, [balance(beginning + after, usage) for after, usage in seen])
    return history.daily([key], NOW, 5)[1][key]


HOUR = timedelta(hours=1)


def test_days_without_polls_are_not_known_unless_nothing_was_spent(in_memory: History) -> None:
    first = (timedelta(hours=30), 10), (timedelta(hours=31), 12), (timedelta(hours=32), 12)
    assert days(in_memory, "idle", *first) == [None, 2, None, None, None]
    assert days(in_memory, "idle", (4 * DAY + HOUR, 12)) == [None, 2, 0, 0, 0]


def test_what_was_spent_in_days_without_polls_is_not_known_of_each(in_memory: History) -> None:
    found = days(in_memory, "gap", (HOUR, 10), (2 * HOUR, 11), (4 * DAY + HOUR, 107), (4 * DAY + 2 * HOUR, 108))
    assert found[1:4] == [None, None, None]
    assert found[0] is not None
    assert 1 < found[0] < 30
    assert found[4] is not None
    assert 1 < found[4] < 5


def test_what_is_seen_at_midnight_was_spent_before_it(in_memory: History) -> None:
    assert days(in_memory, "midnight", (HOUR, 10), (DAY, 12), (DAY + HOUR, 12), (DAY + 2 * HOUR, 13)) == [
        2,
        1,
        None,
        None,
        None,
    ]


def test_a_thousand_keys_are_asked_about_at_once(tmp_path: Path) -> None:
    with History(f"sqlite:///{tmp_path / 'history.db'}") as history:
        assert history.daily(["key"], NOW, DAYS)[1] == {}  # there is no file
        history.record_each((f"key-{number}", balance(NOW - HOUR, number), "team") for number in range(1000))
        history.record_each((f"key-{number}", balance(NOW, number + 1), None) for number in range(1000))
        _, found = history.daily([f"key-{number}" for number in range(1000)], NOW, DAYS)
        assert found == {f"key-{number}": [None] * 13 + [Decimal(1)] for number in range(1000)}
        assert {key.profile for key in history.known_keys()} == {"team"}
