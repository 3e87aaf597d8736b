"""The history's document beyond points and spend: gaps, resets, events, and the present period."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from orcredit.history import History, KeptEvent
from orcredit.monitor import BalancePoller
from orcredit.server.history_reader import HistoryQuery, HistoryReader
from orcredit.server.readings import Readings
from tests.balances import balance
from tests.serving import HISTORY, serving
from tests.simulated import NOW, assess_wire, budget
from tests.test_monitor import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orcredit.balance import Balance

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
KEY = "key"
WEEK = HistoryQuery(7 * DAY)
KEY_LIMIT = {"limit": 100, "limit_remaining": 60, "limit_reset": "daily", "usage": 400}
DAILY = assess_wire(KEY_LIMIT)


def document(
    history: History, query: HistoryQuery, *answers: Balance | Exception, later: timedelta = timedelta(0)
) -> dict[str, Any]:
    """Read the document after a poll for each answer, and some time later."""
    now, waiting = NOW, deque(answers)

    async def ask() -> Balance:
        answer = waiting.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer.model_copy(update={"fetched_at": NOW})

    async def sleep(_: float) -> None:
        if not waiting:
            await asyncio.Event().wait()

    async def recorded() -> None:
        pass

    async def read() -> bytes:
        nonlocal now
        poller = BalancePoller(ask, MINUTE, clock=lambda: now, sleep=sleep)
        reader = HistoryReader(history, lambda: KEY, poller, recorded, Readings())
        if answers:
            async with running(poller):
                async for snapshot in poller.snapshots():
                    if snapshot.polls == len(answers):
                        break
        now += later
        return await reader.document(query)

    found: dict[str, Any] = json.loads(asyncio.run(read()))
    return found


@pytest.fixture
def history() -> Iterator[History]:
    """Two days that were watched, a gap of 31 hours, and 20 hours until now; a reset of a daily limit in each night."""
    with History.in_memory() as history:
        seen = []
        for minutes in [*range(-2880 - 3060, -3060, 5), *range(-1200, 1, 5)]:
            at = NOW + minutes * MINUTE
            spent = Decimal((at - at.replace(hour=0, minute=0, second=0)) // MINUTE) / 100
            usage = Decimal((at - NOW + 9 * DAY) // MINUTE) / 100
            seen.append(balance(at, usage, limit=100, left=100 - spent))
        history.record_all(KEY, seen)
        yield history


def test_the_document_has_gaps_resets_and_events(history: History) -> None:
    low = KeptEvent(at=NOW - HOUR, kind="level", text="the level is low now, it was ok", is_worse=True)
    history.add_events(KEY, [low])

    found = document(history, WEEK, DAILY)

    [gap] = found["gaps"]
    assert [datetime.fromisoformat(gap[edge]) for edge in ("from", "to")] == [NOW - 3065 * MINUTE, NOW - 1200 * MINUTE]
    points = {datetime.fromisoformat(point["at"]) for point in found["points"]}
    assert {NOW - 3065 * MINUTE, NOW - 1200 * MINUTE} <= points
    assert not [at for at in points if NOW - 3065 * MINUTE < at < NOW - 1200 * MINUTE]
    assert {(reset["scope"], reset["period"]) for reset in found["resets"]} == {("key_limit", "daily")}
    resets = [datetime.fromisoformat(reset["at"]) for reset in found["resets"]]
    assert resets == sorted(resets)
    assert all(at.astimezone(UTC).time() == MIDNIGHT.time() for at in resets)
    assert [(event["kind"], event["text"], event["isWorse"]) for event in found["events"]] == [
        ("unwatched", "not watched for 1 d 7 h", False),
        ("level", "the level is low now, it was ok", True),
    ]
    assert datetime.fromisoformat(found["events"][0]["at"]) == NOW - 1200 * MINUTE


def test_events_are_of_the_last_ninety_days_whatever_is_asked_for(history: History) -> None:
    event = KeptEvent(at=NOW - 89 * DAY, kind="level", text="the level is low now, it was ok", is_worse=True)
    history.add_events(KEY, [event])

    found = document(history, HistoryQuery(HOUR), DAILY)

    assert [event["kind"] for event in found["events"]] == ["level", "unwatched"]
    assert found["gaps"] == []


def test_at_most_two_hundred_events_are_given_the_newest(history: History) -> None:
    events = [
        KeptEvent(at=NOW - n * 10 * MINUTE, kind="credit", text=f"{n} was added", is_worse=False)
        for n in range(250, 0, -1)
    ]
    history.add_events(KEY, events)

    found = document(history, WEEK, DAILY)["events"]

    assert len(found) == 200
    assert found[-1]["text"] == "1 was added"
    assert [event["at"] for event in found] == sorted(event["at"] for event in found)


def test_a_day_of_much_spend_is_an_event() -> None:
    with History.in_memory() as history:
        usage, seen = Decimal(0), []
        for minutes in range(0, 5 * 1440, 4):
            usage += Decimal(10 if minutes >= 4 * 1440 else 1) / 100
            seen.append(balance(MIDNIGHT + minutes * MINUTE - 5 * DAY, usage, limit=None))
        history.record_all(KEY, seen)

        events = document(history, WEEK, DAILY)["events"]

    [pace] = [event for event in events if event["kind"] == "pace"]
    yesterday = MIDNIGHT - DAY
    assert pace["text"] == "spending tripled: $35.90 on 11 Feb, usually $3.62 a day"
    assert pace["isWorse"]
    assert yesterday + 7 * HOUR < datetime.fromisoformat(pace["at"]) < yesterday + 8 * HOUR


def test_the_time_until_now_is_a_gap_before_the_first_poll_when_polls_fail_and_after_a_sleep() -> None:
    with History.in_memory() as history:
        history.record_all(KEY, [balance(NOW - (120 - minute) * MINUTE, minute) for minute in range(61)])

        assert len(document(history, WEEK)["gaps"]) == 1
        assert len(document(history, WEEK, DAILY, ValueError("no answer"))["gaps"]) == 1
        history.record(KEY, balance(NOW, 61))
        assert len(document(history, WEEK, DAILY, later=MINUTE)["gaps"]) == 1
        assert len(document(history, HistoryQuery(DAY), DAILY, later=40 * MINUTE)["gaps"]) == 2


@pytest.mark.parametrize(
    ("answer", "since"),
    [
        pytest.param(DAILY, MIDNIGHT, id="of the key's limit"),
        pytest.param(
            assess_wire({**KEY_LIMIT, "budgets": [budget("workspace", 1000, 50, reset_interval="weekly")]}),
            MIDNIGHT - MIDNIGHT.weekday() * DAY,
            id="of the budget that limits",
        ),
        pytest.param(
            assess_wire({**KEY_LIMIT, "budgets": [budget("workspace", 1000, 50, reset_interval=None)]}),
            MIDNIGHT,
            id="of the key's limit, where what limits is for a lifetime",
        ),
        pytest.param(assess_wire({"limit": None, "usage": 400}), MIDNIGHT.replace(day=1), id="the calendar month"),
        pytest.param(None, MIDNIGHT.replace(day=1), id="the calendar month, before an answer"),
    ],
)
def test_since_period_begins_with_the_present_period(history: History, answer: Balance | None, since: datetime) -> None:
    answers = () if answer is None else (answer,)

    found = document(history, HistoryQuery(None, is_period=True), *answers)

    assert datetime.fromisoformat(found["since"]) == since
    assert found["points"]
    assert all(datetime.fromisoformat(point["at"]) >= since for point in found["points"])


def test_since_period_is_the_next_period_once_the_old_one_ended(history: History) -> None:
    found = document(history, HistoryQuery(None, is_period=True), DAILY, later=DAY)

    assert datetime.fromisoformat(found["since"]) == MIDNIGHT + DAY
    assert found["points"] == []


def test_since_period_with_nothing_recorded_begins_with_it_nevertheless() -> None:
    with History.in_memory() as history:
        found = document(history, HistoryQuery(None, is_period=True), DAILY)

    assert datetime.fromisoformat(found["since"]) == MIDNIGHT
    assert (found["points"], found["gaps"], found["resets"], found["events"]) == ([], [], [], [])


@pytest.mark.process
def test_the_demo_has_a_gap_a_reset_and_events(tmp_path: Path) -> None:
    with serving("--demo", home=tmp_path) as server:
        server.wait_for_answer()
        found = server.ask(f"{HISTORY}?since=all").json
        period = server.ask(f"{HISTORY}?since=period").json

    assert found["gaps"]
    assert "unwatched" in {event["kind"] for event in found["events"]}
    assert datetime.fromisoformat(period["since"]).day == 1
    seen = {(point["at"], point["spendable"]) for point in found["points"]}
    for gap in found["gaps"]:
        assert {gap["from"], gap["to"]} <= {at for at, _ in seen}
    first, until = (datetime.fromisoformat(at) for at in (found["points"][0]["at"], found["until"]))
    months = (until.year - first.year) * 12 + until.month - first.month  # two in the first days of March
    resets = [event["at"][:10] for event in found["events"] if event["kind"] == "reset"]
    assert resets == [reset["at"][:10] for reset in found["resets"]]
    assert len(resets) == months
