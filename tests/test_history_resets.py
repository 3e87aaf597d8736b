"""The beginnings of new periods: as they were seen, and as the amounts show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit.history import History, KeptEvent, Periods
from orcredit.history.resets import MOST
from tests.balances import balance
from tests.histories import DAY, HOUR, KEY, MINUTE

if TYPE_CHECKING:
    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
"""Of a Monday."""

SECOND = timedelta(seconds=1)
DAILY, WEEKLY = Periods({"key_limit": "daily"}, "key_limit"), Periods({"key_limit": "weekly"}, "key_limit")
UNKNOWN = Periods({}, None)


def seen(at: datetime, usage: int, left: int, *, limit: int | None = 100, spendable: int | None = None) -> Balance:
    return balance(at, usage, limit=limit, left=left).model_copy(
        update={"spendable": Decimal(left if spendable is None else spendable)}
    )


def resets(
    history: History, periods: Periods, *, since: datetime = MIDNIGHT - 9 * DAY, until: datetime = MIDNIGHT + 99 * DAY
) -> list[str]:
    """Format resets: time, scope and period."""
    found = history.timeline(KEY, since, until, 9, narrowest=HOUR, is_watched=True, periods=periods).resets
    return [f"{reset.at:%d %H:%M:%S} {reset.scope} {reset.period}" for reset in found]


def noticed(at: datetime, scope: str = "key_limit", period: str | None = None) -> KeptEvent:
    return KeptEvent(at=at, kind="reset", text="it was reset", is_worse=False, scope=scope, period=period)


@pytest.mark.parametrize(
    ("before", "after", "periods", "expected"),
    [
        (-30 * SECOND, 30 * SECOND, DAILY, "02 00:00:00 key_limit daily"),
        # An answer may be repeated for a minute after the reset.
        (30 * SECOND, 90 * SECOND, DAILY, "02 00:00:00 key_limit daily"),
        (-30 * SECOND, 30 * SECOND, UNKNOWN, "02 00:00:00 key_limit None"),
        (-30 * SECOND, 30 * SECOND, WEEKLY, "02 00:00:00 key_limit weekly"),
        (-9 * HOUR, 9 * HOUR, DAILY, "02 00:00:00 key_limit daily"),
        (-9 * HOUR, 50 * HOUR, DAILY, "04 00:00:00 key_limit daily"),
        (-9 * HOUR, 50 * HOUR, WEEKLY, "02 00:00:00 key_limit weekly"),
        (-40 * HOUR, 50 * HOUR, Periods({"key_limit": "monthly"}, None), "01 00:00:00 key_limit monthly"),
        # Its period was another one then.
        (15 * HOUR, 25 * HOUR, WEEKLY, "03 00:00:00 key_limit None"),
        (15 * HOUR, 16 * HOUR, DAILY, "02 16:00:00 key_limit None"),
    ],
)
def test_a_rise_of_what_is_left_is_placed_at_the_beginning_of_its_period(
    history: History, before: timedelta, after: timedelta, periods: Periods, expected: str
) -> None:
    history.record_all(KEY, [seen(MIDNIGHT + before, 90, 10), seen(MIDNIGHT + after, 91, 99)])

    assert resets(history, periods) == [expected]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(seen(MIDNIGHT - MINUTE, 90, 10), seen(MIDNIGHT + MINUTE, 90, 60, limit=150), id="a raised limit"),
        pytest.param(seen(MIDNIGHT - MINUTE, 90, 10), seen(MIDNIGHT + 9 * MINUTE, 89, 11), id="a correction"),
        pytest.param(seen(MIDNIGHT - MINUTE, 90, 10), seen(MIDNIGHT + MINUTE, 91, 9), id="spend"),
        pytest.param(seen(MIDNIGHT - MINUTE, 90, 10), seen(MIDNIGHT + MINUTE, 91, 10, spendable=99), id="credit"),
        pytest.param(balance(MIDNIGHT - MINUTE, 9, limit=None), seen(MIDNIGHT + MINUTE, 9, 100), id="a new limit"),
    ],
)
def test_what_is_no_reset(history: History, before: Balance, after: Balance) -> None:
    history.record_all(KEY, [before, after])

    assert resets(history, DAILY) == resets(history, UNKNOWN) == []


def test_a_rise_of_what_can_be_spent_alone_is_a_reset_of_the_budget_that_limits_and_has_a_period_there(
    history: History,
) -> None:
    history.record_all(
        KEY,
        [
            seen(MIDNIGHT - MINUTE, 90, 10, spendable=2),
            seen(MIDNIGHT + MINUTE, 91, 9, spendable=8),
            seen(MIDNIGHT + HOUR, 91, 9, spendable=9),  # not at midnight
        ],
    )

    assert resets(history, Periods({"workspace": "daily"}, "workspace")) == ["02 00:00:00 workspace daily"]
    assert resets(history, Periods({"workspace": "monthly"}, "workspace")) == []
    assert resets(history, Periods({"workspace": None}, "workspace")) == []
    assert resets(history, DAILY) == []


def test_a_reset_that_was_seen_and_shows_in_the_amounts_is_one(history: History) -> None:
    history.record_all(KEY, [seen(MIDNIGHT - MINUTE, 90, 10), seen(MIDNIGHT + MINUTE, 91, 99)])
    history.add_events(KEY, [noticed(MIDNIGHT + 62 * SECOND)])

    assert resets(history, DAILY) == ["02 00:00:00 key_limit daily"]
    assert resets(history, UNKNOWN) == ["02 00:01:02 key_limit None"]

    history.add_events(KEY, [noticed(MIDNIGHT + 62 * SECOND, "workspace", "weekly")])

    assert resets(history, DAILY) == ["02 00:00:00 key_limit daily", "02 00:00:00 workspace weekly"]


def test_a_reset_that_was_seen_is_not_placed_before_the_key_was_seen_last(history: History) -> None:
    history.record_all(KEY, [seen(MIDNIGHT - MINUTE, 90, 10), seen(MIDNIGHT + 9 * HOUR, 91, 9)])
    history.add_events(KEY, [noticed(MIDNIGHT + 10 * HOUR, "workspace", "daily"), noticed(MIDNIGHT - DAY, "member")])

    assert resets(history, DAILY) == ["01 00:00:00 member None", "02 10:00:00 workspace daily"]


def test_resets_are_those_of_the_time_that_is_asked_for(history: History) -> None:
    for day in range(4):
        midnight = MIDNIGHT + day * DAY
        history.record_all(KEY, [seen(midnight - MINUTE, day, 10), seen(midnight + MINUTE, day, 99)])

    asked = resets(history, DAILY, since=MIDNIGHT + DAY, until=MIDNIGHT + 2 * DAY + HOUR)

    assert asked == ["03 00:00:00 key_limit daily", "04 00:00:00 key_limit daily"]
    assert len(resets(history, DAILY)) == 4
    assert resets(history, DAILY, since=MIDNIGHT + SECOND, until=MIDNIGHT + HOUR) == []


def test_of_too_many_resets_the_newest_are_kept(in_memory: History) -> None:
    days = MOST + 10
    in_memory.record_all(
        KEY,
        [seen(MIDNIGHT + day * DAY + ago * MINUTE, day, 50 + ago) for day in range(days) for ago in (-1, 1)],
    )

    found = in_memory.timeline(
        KEY, MIDNIGHT - DAY, MIDNIGHT + days * DAY, 9, narrowest=HOUR, is_watched=True, periods=DAILY
    ).resets

    assert len(found) == MOST
    assert found[-1].at == MIDNIGHT + (days - 1) * DAY
