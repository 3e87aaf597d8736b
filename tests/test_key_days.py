"""What keys spent by day: names that several keys have, days that are not known, analytics that are late or fail."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import KeyList
from orcredit.balance.account import AccountKey, assess_credit, assess_row
from orcredit.balance.activity import SpentByKey
from orcredit.errors import HistoryError, UnreachableError
from orcredit.history import History
from orcredit.openrouter.account_wire import KeyRow
from orcredit.server import key_days
from orcredit.server.key_days import DAYS, KeyDaysReader, told_days
from orcredit.server.readings import Readings
from tests.balances import balance

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SINCE = datetime(2026, 2, 19, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = [Decimal(0)] * DAYS


def hash_of(number: int) -> str:
    """Give the hash of a key, whose first digits differ: the history knows no others."""
    return f"{number:012x}{'0' * 52}"


def row(name: str, day: int, usd: str | int) -> tuple[str, datetime, Decimal]:
    """What a key spent on a day, counted from 0."""
    return name, SINCE + day * DAY, Decimal(usd)


def key(name: str, number: int = 0, today: Decimal | None = Decimal("0.25")) -> AccountKey:
    wire = {"hash": hash_of(number), "name": name, "limit": None, "usage_daily": today}
    return assess_row(KeyRow.model_validate(wire), None, NOON)


def listed(*keys: AccountKey, at: datetime = NOON) -> KeyList:
    return KeyList(
        fetched_at=at,
        profile=None,
        thresholds=(),
        account=assess_credit(None, None, at),
        workspaces=(),
        keys=keys,
        complete=True,
        incomplete_reason=None,
    )


def test_days_without_a_row_are_days_without_spend() -> None:
    assert told_days([row("a", 3, 2)], ["a", "b"], SINCE, is_complete=True) == {
        "a": [*NOTHING[:3], Decimal(2), *NOTHING[4:]],
        "b": NOTHING,
    }


def test_where_rows_are_missing_such_days_are_not_known() -> None:
    found = told_days([row("a", 3, 2)], ["a", "b"], SINCE, is_complete=False)
    assert found == {"a": [*[None] * 3, Decimal(2), *[None] * 10]}


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([row("a", 3, 2)], ["a", "a"]),  # two keys of the list have the name
        ([row("a", 3, 2), row("a", 3, 1)], ["a"]),  # the second is of a key that was deleted
        ([row("", 3, 2)], [""]),
        ([row("gone", 3, 2)], []),
    ],
)
def test_a_name_that_is_not_one_keys_alone_tells_nothing(rows: Any, names: list[str]) -> None:  # noqa: ANN401
    assert told_days(rows, names, SINCE, is_complete=True) == {}


def test_days_before_and_after_are_left_out() -> None:
    assert told_days([row("a", -1, 2), row("a", DAYS, 2)], ["a"], SINCE, is_complete=True) == {"a": NOTHING}


class Asked:
    """What analytics are asked, and what they answer."""

    def __init__(self) -> None:
        self.spans: list[tuple[datetime, datetime]] = []
        self.rows: Sequence[tuple[str, datetime, Decimal]] = [row("a", 0, 1), row("a", 12, 3), row("a", 13, 9)]
        self.failure: UnreachableError | None = None
        self.gate: asyncio.Event | None = None
        self.is_truncated = False
        self.readings = Readings()
        self.now = NOON
        self.seconds = 0.0

    async def __call__(self, since: datetime, until: datetime) -> SpentByKey:
        self.spans.append((since, until))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return SpentByKey([one for one in self.rows if since <= one[1] < until], self.is_truncated, ())

    def reader(self, history: History | None = None) -> KeyDaysReader:
        return KeyDaysReader(self, history, self.readings, clock=lambda: self.now, timer=lambda: self.seconds)


async def read(reader: KeyDaysReader, keys: KeyList) -> Any:  # noqa: ANN401 - a JSON document
    return json.loads(await reader.document(keys))


def test_today_is_what_openrouter_counts_for_the_key() -> None:
    ask, keys = Asked(), listed(key("a"), key("b", 1, None))

    async def run() -> None:
        found = await read(ask.reader(), keys)
        assert found["since"] == "2026-02-19T00:00:00.000Z"
        assert (found["until"], found["source"], found["complete"]) == ("2026-03-04T12:00:00.000Z", "analytics", True)
        assert found["keys"] == {
            hash_of(0): [1, *[0] * 11, 3, 0.25],
            hash_of(1): [0] * 14,
        }

    asyncio.run(run())
    assert ask.spans == [(SINCE, NOON)]


def test_keys_of_yesterday_say_nothing_of_today() -> None:
    ask, keys = Asked(), listed(key("a"), at=NOON - DAY)
    assert asyncio.run(read(ask.reader(), keys))["keys"][hash_of(0)][-1] == 9


def test_the_larger_amount_of_a_day_counts() -> None:
    ask, history = Asked(), History.in_memory()
    keys = listed(key("a"), key("b", 1))
    for hours, usage in ((60, 0), (40, 5), (12, 6)):  # on the 2nd, the 2nd and the 4th
        history.record(hash_of(0)[:12], balance(NOON - timedelta(hours=hours), usage))
    found = asyncio.run(read(ask.reader(history), keys))
    assert found["source"] == "both"
    of_key = found["keys"][hash_of(0)]
    assert of_key[0] == 1  # of analytics, which knew 12 days more
    assert of_key[11] > 4  # of the history; analytics told nothing
    assert of_key[12] == 3  # of analytics, again: the history has less than a dollar
    assert found["keys"][hash_of(1)] == [*[0] * 13, 0.25]


def test_many_keys_are_asked_for_in_parts() -> None:
    ask, keys = Asked(), listed(*(key(f"{number}", number) for number in range(5000)))
    asyncio.run(read(ask.reader(), keys))
    assert len(ask.spans) == 7  # two days of 5,000 keys are 10,000 rows, as many as an answer has
    assert ask.spans[0] == (SINCE, SINCE + 2 * DAY)
    assert ask.spans[-1] == (SINCE + 12 * DAY, NOON)


def test_rows_that_openrouter_left_out_are_said() -> None:
    ask, keys = Asked(), listed(key("a"), key("b", 1, None))
    ask.is_truncated = True
    found = asyncio.run(read(ask.reader(), keys))
    assert (found["complete"], "truncated" in found["incompleteReason"]) == (False, True)
    assert found["keys"] == {hash_of(0): [1, *[None] * 11, 3, 0.25]}


def test_analytics_are_asked_once_an_hour_and_when_a_day_begins() -> None:
    ask = Asked()

    async def run() -> None:
        reader = ask.reader()
        for seconds, expected in ((0.0, 1), (3599.0, 1), (3600.0, 2)):
            ask.seconds = seconds
            await read(reader, listed(key("a")))
            assert len(ask.spans) == expected
        ask.now = NOON + DAY
        await read(reader, listed(key("a")))
        assert ask.spans[-1] == (SINCE + DAY, NOON + DAY)

    asyncio.run(run())


def test_a_failure_is_not_asked_about_at_every_request() -> None:
    ask = Asked()
    ask.failure = UnreachableError("OpenRouter answered 429: too many requests.", retry_after=900)

    async def run() -> None:
        reader = ask.reader()
        found = await read(reader, listed(key("a")))
        assert (found["complete"], found["incompleteReason"]) == (False, str(ask.failure))
        assert found["keys"] == {hash_of(0): [*[None] * 13, 0.25]}
        ask.failure, ask.seconds = None, 899.0
        assert not (await read(reader, listed(key("a"))))["complete"]
        ask.seconds = 900.0
        assert (await read(reader, listed(key("a"))))["complete"]

    asyncio.run(run())


def test_analytics_that_are_late_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_days, "_PATIENCE", 0.01)
    ask = Asked()

    async def run() -> None:
        ask.gate, keys, reader = asyncio.Event(), listed(key("a")), ask.reader()
        found = await read(reader, keys)
        assert (found["complete"], found["incompleteReason"]) == (
            False,
            "OpenRouter's analytics have not answered yet.",
        )
        ask.gate.set()
        await asyncio.sleep(0)
        monkeypatch.setattr(key_days, "_PATIENCE", 30.0)
        assert (await read(reader, keys))["complete"]
        assert len(ask.spans) == 1

    asyncio.run(run())


def test_an_answer_is_made_once_for_the_same_keys() -> None:
    ask = Asked()

    async def run() -> None:
        keys, reader = listed(key("a")), ask.reader()
        first, second = await asyncio.gather(reader.document(keys), reader.document(keys))
        assert first is second
        assert await reader.document(keys) is first
        ask.seconds = 60.0
        assert await reader.document(keys) is not first

    asyncio.run(run())


def test_a_history_that_cannot_be_read_is_said_without_its_place() -> None:
    ask = Asked()

    class Broken(History):
        def known_keys(self) -> Any:  # noqa: ANN401 - it raises
            raise HistoryError("/home/ada/secret.db is locked", public="The history is locked.")

    found = asyncio.run(read(ask.reader(Broken("sqlite://")), listed(key("a"))))
    assert (found["complete"], found["incompleteReason"]) == (False, "The history is locked.")
    assert found["keys"][hash_of(0)][0] == 1


def test_a_history_that_hangs_is_read_once() -> None:
    ask, go = Asked(), threading.Event()
    ask.readings = Readings(timeout=0.05)
    begun: list[None] = []

    class Hanging(History):
        def known_keys(self) -> Any:  # noqa: ANN401 - nothing is known
            begun.append(None)
            go.wait(20)
            return []

    async def run() -> None:
        reader = ask.reader(Hanging("sqlite://"))
        for _ in range(4):
            found = await read(reader, listed(key("a")))
            assert (found["complete"], found["incompleteReason"]) == (False, "The history takes long to answer.")
            ask.seconds += 60
            ask.now += timedelta(minutes=1)

    try:
        asyncio.run(run())
    finally:
        go.set()
    assert len(begun) == 1
