"""Events in a history: each is kept once, for 90 days, in a bounded number; and days of much spend."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit.errors import HistoryError
from orcredit.history import History, KeptEvent
from orcredit.history.events import MOST_KEPT
from orcredit.words import costly_day_text, unwatched_text
from tests.balances import balance
from tests.databases import rows
from tests.histories import DAY, HOUR, KEY, MINUTE, NOON, OTHER_KEY
from tests.history_writer import run_together

if TYPE_CHECKING:
    from pathlib import Path

    from orcredit.history import CostlyDay

pytest_plugins = ["tests.history_fixtures"]

LOW = KeptEvent(at=NOON, kind="level", text="the level is low now, it was ok", is_worse=True)
OK = replace(LOW, text="the level is ok now, it was low", is_worse=False)
DOWN = KeptEvent(at=NOON, kind="unreachable", text="OpenRouter cannot be reached", is_worse=False)
BACK = KeptEvent(at=NOON, kind="back", text="OpenRouter answers again", is_worse=False)
RESET = KeptEvent(at=NOON, kind="reset", text="it was reset", is_worse=False, scope="key_limit")
FAST = KeptEvent(at=NOON, kind="runaway", text="spending $1.00 a minute", is_worse=True, scope="key_limit")
BOUGHT = KeptEvent(at=NOON, kind="credit", text="$5.00 of credit was added: $9.00 left", is_worse=False)


def after(minutes: float, event: KeptEvent, text: str | None = None) -> KeptEvent:
    return replace(event, at=NOON + minutes * MINUTE, text=text or event.text)


def kept(history: History, *, since: datetime = NOON - 99 * DAY, key: str = KEY) -> list[KeptEvent]:
    return history.events(key, since, NOON + 999 * DAY)


def test_events_are_kept_as_they_are_and_oldest_first(history: History) -> None:
    milliseconds = replace(LOW, at=NOON + timedelta(milliseconds=1234), period="monthly", scope="workspace")
    history.add_events(KEY, [milliseconds, DOWN])
    history.add_events(OTHER_KEY, [LOW])
    history.add_events(KEY, [])

    assert kept(history) == [DOWN, milliseconds]
    assert kept(history, since=NOON + MINUTE) == []
    assert kept(history, key=OTHER_KEY) == [LOW]
    assert kept(history, key="unknown") == []


@pytest.mark.parametrize(
    ("event", "again", "is_one"),
    [
        (DOWN, after(4, DOWN), True),
        (DOWN, after(-4, DOWN), True),
        (DOWN, after(6, DOWN), False),
        (DOWN, after(1, DOWN, "another reason"), False),
        (DOWN, after(1, BACK), False),
        (LOW, after(59, LOW), True),
        (LOW, after(121, LOW), False),
        (LOW, after(1, OK), False),
        (RESET, after(59, RESET, "with another amount"), True),
        (RESET, after(1, replace(RESET, scope="workspace")), False),
        (RESET, after(1, replace(RESET, period="daily")), False),
        (FAST, after(1, FAST, "spending $2.00 a minute"), True),
        (FAST, after(1, replace(FAST, is_worse=False)), False),
        (FAST, after(1, replace(FAST, scope="workspace")), False),
        (BOUGHT, after(1, BOUGHT, "$5.00 of credit was added: $8.99 left"), True),
        (BOUGHT, after(1, BOUGHT, "$6.00 of credit was added: $8.99 left"), False),
    ],
)
def test_what_two_processes_see_is_one_event(
    history: History, event: KeptEvent, again: KeptEvent, is_one: bool
) -> None:
    history.add_events(KEY, [event])
    history.add_events(KEY, [again])

    assert len(kept(history)) == (1 if is_one else 2)


def test_a_level_that_changes_to_and_fro_is_kept_each_time(history: History) -> None:
    story = [after(0, LOW), after(1, OK), after(2, LOW)]
    for _ in range(2):
        history.add_events(KEY, story)

    assert kept(history) == story


def test_events_are_kept_for_ninety_days(history: History) -> None:
    history.add_events(KEY, [LOW])
    history.add_events(OTHER_KEY, [DOWN])
    history.add_events(KEY, [after(90 * 1440, DOWN)])
    assert len(kept(history)) == 2

    history.add_events(KEY, [after(90 * 1440 + 6, DOWN)])

    assert kept(history) == [after(90 * 1440, DOWN), after(90 * 1440 + 6, DOWN)]
    assert kept(history, key=OTHER_KEY) == []


def test_a_machine_whose_clock_is_years_ahead_in_an_outage_deletes_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.record(KEY, balance(NOON, 1))
    history.add_events(KEY, [LOW])

    ahead = NOON + 400 * DAY
    monkeypatch.setattr("orcredit.history.events.time.time", ahead.timestamp)
    history.add_events(KEY, [replace(DOWN, at=ahead)])

    assert kept(history) == [LOW, replace(DOWN, at=ahead)]


def test_a_clock_that_is_years_ahead_deletes_nothing(history: History) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    history.add_events(KEY, [replace(LOW, at=now)])
    history.add_events(KEY, [replace(DOWN, at=now + 9999 * DAY)])

    assert history.events(KEY, now - DAY, now) == [replace(LOW, at=now)]


def test_a_flapping_network_fills_no_disk_and_displaces_no_other_event(history: History) -> None:
    history.add_events(KEY, [LOW, RESET])
    flaps = [after(10 * n, event) for n in range(MOST_KEPT) for event in (DOWN, BACK)]
    history.add_events(KEY, flaps)

    events = kept(history)
    assert [event for event in events if event.kind in {"level", "reset"}] == [LOW, RESET]
    assert events[2:] == flaps[-MOST_KEPT:]


def test_a_text_that_a_database_refuses_is_kept_without_that(history: History) -> None:
    history.add_events(KEY, [replace(LOW, text=f"low\0\ud800\n{'x' * 9999}")])

    [event] = kept(history)
    assert event.text == f"low{'x' * 497}"


def test_reading_events_creates_no_file_and_a_history_without_events_has_none(file: Path) -> None:
    history = History(f"sqlite:///{file}")
    assert kept(history) == []
    assert history.costly_days(KEY, NOON, NOON + DAY) == []
    assert not file.exists()
    history.record(KEY, balance(NOON, 1))
    assert kept(history) == []


def test_events_that_cannot_be_written_leave_the_balance(file: Path) -> None:
    history = History(f"sqlite:///{file}")
    history.record(KEY, balance(NOON, 1))
    with pytest.raises(HistoryError, match="does not hold"):
        history.add_events(KEY, [replace(LOW, at="never")])  # type: ignore[arg-type]

    assert len(history.samples(KEY, None, NOON + DAY, 9)) == 1
    assert kept(history) == []


@pytest.mark.process
def test_processes_that_see_the_same_at_once_keep_it_once(url: str) -> None:
    assert run_together(url, "events", 20, processes=3) == ["", "", ""]

    events = rows(url, "orcredit_events", "number")
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert len({(event.kind, event.text) for event in events}) == len(events) == 20


# Days of much spend


def spend(history: History, *days: float, at: timedelta = 12 * HOUR) -> list[CostlyDay]:
    """Record days that spend so much, half an hour after another time of theirs; give the costly ones."""
    midnight = NOON.replace(hour=0)
    usage, seen = Decimal(0), []
    for day, amount in enumerate(days):
        seen.append(balance(midnight + day * DAY, usage, limit=None))
        seen += [balance(midnight + day * DAY + minutes * MINUTE, usage, limit=None) for minutes in range(4, 720, 4)]
        for part in range(1, 11):
            now = midnight + day * DAY + at + 3 * part * MINUTE
            seen.append(balance(now, usage + Decimal(str(amount)) * part / 10, limit=None))
        usage += Decimal(str(amount))
        seen += [balance(midnight + day * DAY + minutes * MINUTE, usage, limit=None) for minutes in range(752, 1440, 4)]
    history.record_all(KEY, seen)
    return history.costly_days(KEY, midnight, midnight + len(days) * DAY)


def test_a_day_of_three_times_the_usual_is_said_when_it_passed_that(history: History) -> None:
    [costly] = spend(history, 4, 4, 3, 5, 40)

    assert costly.at == NOON + 4 * DAY + 9 * MINUTE  # $12 of $40 is passed at the third of ten parts
    assert (costly.spend, costly.usual) == (Decimal(40), Decimal(4))
    assert costly_day_text(costly) == "spending tripled: $40.00 on 5 Mar, usually $4.00 a day"


@pytest.mark.parametrize(
    "days",
    [
        pytest.param((4, 4, 40), id="too few days before"),
        pytest.param((4, 4, 4, 11.9), id="less than three times as much"),
        pytest.param((0.1, 0.1, 0.1, 0.9), id="less than a dollar"),
        pytest.param((0, 0, 0, 9), id="nothing before"),
    ],
)
def test_what_is_no_costly_day(history: History, days: tuple[float, ...]) -> None:
    assert spend(history, *days) == []


def test_the_usual_is_of_the_last_seven_days(history: History) -> None:
    [costly] = spend(history, 100, 100, 1, 1, 1, 1, 1, 1, 1, 3)

    assert (costly.spend, costly.usual) == (Decimal(3), Decimal(1))


def test_an_estimated_day_is_neither_costly_nor_usual(history: History) -> None:
    midnight = NOON.replace(hour=0)
    assert spend(history, 4, 4, 4) == []
    # Spent in a night without polls, so that both days are estimates; then a watched day.
    history.record(KEY, balance(midnight + 3 * DAY + 20 * HOUR, 200, limit=None))
    history.record(KEY, balance(midnight + 4 * DAY + 20 * HOUR, 600, limit=None))

    assert history.costly_days(KEY, midnight, midnight + 5 * DAY) == []


def test_the_words_of_what_was_not_watched() -> None:
    assert unwatched_text(31 * HOUR) == "not watched for 1 d 7 h"
