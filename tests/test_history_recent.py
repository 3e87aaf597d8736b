"""Recent spend: how much, since when it was watched, and what OpenRouter counts beyond it."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from orcredit.cli import monitoring
from orcredit.config.credentials import fingerprint
from orcredit.history import Counted, History, Recent, spool
from orcredit.render.history import HistoryTable
from orcredit.render.recent import recent_rows
from orcredit.render.times import near_instant
from orcredit.words import spent_text, unseen
from tests.balances import balance

if TYPE_CHECKING:
    from pathlib import Path

    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

KEY = fingerprint("sk-or-v1-made-up")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""A Wednesday."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def counting(at: datetime, usage: int, day: int, week: int, month: int) -> Balance:
    names = ("usage_daily", "usage_weekly", "usage_monthly")
    return balance(at, usage).model_copy(update=dict(zip(names, map(Decimal, (day, week, month)), strict=True)))


def counted(amount: int, seen: int) -> Counted:
    return Counted(counted=Decimal(amount), seen=Decimal(seen))


def since_of(recent: Recent) -> tuple[datetime | None, ...]:
    return recent.last_hour_since, recent.last_day_since, recent.last_week_since


def is_estimated(recent: Recent) -> tuple[bool, ...]:
    return recent.last_hour_estimated, recent.last_day_estimated, recent.last_week_estimated


# How much


def test_recent_spend_is_that_of_the_last_hour_day_and_week(history: History) -> None:
    now = NOON + 30 * DAY
    for hours_ago, usage in [(500, 0), (499, 1), (100, 1), (99, 3), (20, 3), (19, 7), (0.5, 7), (0.25, 15), (0, 15)]:
        history.record(KEY, balance(now - hours_ago * HOUR, usage))

    recent = history.recent(KEY, now)

    assert [recent.last_hour, recent.last_day, recent.last_week] == [8, 12, 14]
    assert (recent.since, recent.until) == (now - 500 * HOUR, now)
    assert recent.account_per_day is None


def test_of_a_gap_only_the_part_in_the_last_hour_counts_as_recent(history: History) -> None:
    history.record(KEY, balance(NOON - 4 * HOUR, 0))
    history.record(KEY, balance(NOON, 144))

    recent = history.recent(KEY, NOON)

    assert [recent.last_hour, recent.last_day] == [36, 144]


def test_spend_of_a_time_without_polls_is_unknown_and_not_zero(history: History) -> None:
    history.record(KEY, balance(NOON - 3 * HOUR, 0))
    history.record(KEY, balance(NOON - 2 * HOUR, 1))

    recent = history.recent(KEY, NOON)

    assert recent.last_hour is None
    assert recent.last_day == 1


def test_the_accounts_pace_is_that_of_its_usage_in_the_last_week(history: History) -> None:
    for hours_ago, account_usage in [(300, 0), (299, 1000), (160, 1000), (40, 1010), (0, 1021)]:
        history.record(KEY, balance(NOON - hours_ago * HOUR, 1, account_usage=account_usage))

    assert history.recent(KEY, NOON).account_per_day == 3  # 21 USD in 168 hours


@pytest.mark.parametrize("seen", [[(0.9, 1), (0, 2)], [(9, 5000), (0, 2)], [(0, 5)], []])
def test_the_accounts_pace_needs_an_hour_and_one_account(history: History, seen: list[tuple[float, int]]) -> None:
    history.record(KEY, balance(NOON - DAY, 1))
    for hours_ago, account_usage in seen:
        history.record(KEY, balance(NOON - hours_ago * HOUR, 1, account_usage=account_usage))

    assert history.recent(KEY, NOON).account_per_day is None


# Since when


def test_a_new_key_was_watched_since_it_was_first_seen(history: History) -> None:
    history.record_all(KEY, [balance(NOON - minute * MINUTE, 50 - minute) for minute in range(20, -1, -1)])
    recent = history.recent(KEY, NOON)

    assert since_of(recent) == (NOON - 20 * MINUTE,) * 3
    assert is_estimated(recent) == (False,) * 3
    assert recent.last_hour == 20


def test_a_span_that_was_watched_from_its_beginning_has_no_such_time(history: History) -> None:
    history.record_all(KEY, [balance(NOON - minute * MINUTE, 99 - minute) for minute in range(90, -1, -1)])
    recent = history.recent(KEY, NOON)

    assert since_of(recent) == (None, NOON - 90 * MINUTE, NOON - 90 * MINUTE)


def test_a_gap_before_a_span_makes_it_an_estimate_since_its_end(history: History) -> None:
    history.record_all(KEY, [balance(NOON - 3 * HOUR, 10), balance(NOON - HOUR / 2, 20), balance(NOON, 21)])
    recent = history.recent(KEY, NOON)

    assert since_of(recent) == (NOON - HOUR / 2, NOON - 3 * HOUR, NOON - 3 * HOUR)
    assert is_estimated(recent) == (True, False, False)
    assert recent.last_hour == 3  # half an hour of the ten dollars in two and a half hours, and one
    assert recent.last_day == 11


def test_a_gap_without_spend_is_certain(history: History) -> None:
    history.record_all(KEY, [balance(NOON - 9 * DAY, 10), balance(NOON - HOUR / 2, 10), balance(NOON, 11)])
    assert since_of(history.recent(KEY, NOON)) == (None,) * 3


def test_what_was_not_seen_at_all_is_not_known(history: History) -> None:
    history.record(KEY, balance(NOON - 3 * HOUR, 10))
    recent = history.recent(KEY, NOON)

    assert (recent.last_hour, recent.last_hour_since) == (None, None)
    assert recent.last_day == 0


def test_intervals_at_the_ends_of_what_was_watched_are_partial(history: History) -> None:
    history.record_all(KEY, [balance(NOON + step * 30 * MINUTE, 10 + step) for step in (1, 2, 3, 4, 5)])

    by_hour = history.spend(KEY, NOON, NOON + 9 * HOUR, HOUR)
    running = history.spend(KEY, NOON, NOON + 2 * HOUR + 31 * MINUTE, HOUR)

    assert [interval.partial for interval in by_hour] == [True, False, True]
    assert [interval.partial for interval in running] == [True, False, False]


# By the calendar


def test_openrouters_counts_are_kept_and_grow_with_the_usage(history: History) -> None:
    history.record(KEY, counting(NOON - HOUR, 100, 4, 20, 30))
    history.record(KEY, balance(NOON, 101))  # which says nothing of the calendar
    recent = history.recent(KEY, NOON)

    assert (recent.today, recent.this_week, recent.this_month) == (counted(5, 1), counted(21, 1), counted(31, 1))


def test_a_period_in_which_openrouter_said_nothing_is_not_known(history: History) -> None:
    history.record(KEY, counting(NOON - DAY, 100, 4, 20, 30))

    recent = history.recent(KEY, NOON)
    assert (recent.today, recent.this_week) == (None, counted(20, 0))
    recent = history.recent(KEY, NOON + 7 * DAY)
    assert (recent.this_week, recent.this_month) == (None, counted(30, 0))
    assert history.recent(KEY, NOON + 40 * DAY).this_month is None


def test_a_new_day_begins_at_midnight_also_for_an_idle_key(history: History) -> None:
    history.record(KEY, counting(NOON, 100, 4, 20, 30))
    history.record(KEY, counting(NOON + DAY, 100, 0, 20, 30))
    history.record(KEY, counting(NOON + 2 * DAY, 100, 0, 20, 30))
    history.record(KEY, counting(NOON + 2 * DAY + HOUR, 103, 3, 23, 33))

    recent = history.recent(KEY, NOON + 2 * DAY + HOUR)
    assert (recent.today, recent.this_week, recent.this_month) == (counted(3, 3), counted(23, 3), counted(33, 3))


def test_what_was_seen_of_a_period_begins_with_the_period(history: History) -> None:
    history.record_all(
        KEY, [counting(NOON - 13 * HOUR, 100, 9, 20, 30), counting(NOON - 12 * HOUR + 2 * MINUTE, 105, 1, 25, 35)]
    )
    assert history.recent(KEY, NOON - 11 * HOUR).today == counted(1, 0)


# In words


def clock(at: datetime) -> str:
    return f"{at:%H:%M}"


NEW = Recent(
    last_hour=Decimal(0),
    last_day=Decimal(0),
    last_week=Decimal(0),
    last_hour_since=NOON,
    last_day_since=NOON,
    last_week_since=NOON,
    today=counted(90, 0),
    this_week=counted(341, 0),
    this_month=counted(341, 0),
    since=NOON,
    until=NOON,
)
GAP = Recent(
    last_hour=Decimal(3), last_day=Decimal(5), last_week=Decimal(7), last_hour_since=NOON, last_hour_estimated=True
)


def test_spans_say_since_when_they_were_watched() -> None:
    assert spent_text(NEW, "last_hour", clock) == "$0.00 since 12:00"
    assert spent_text(GAP, "last_hour", clock) == "~$3.00 (watched since 12:00)"
    assert spent_text(GAP, "last_day", clock) == "$5.00"
    assert spent_text(Recent(), "last_day", clock) is None


def lately(recent: Recent) -> list[str]:
    return [f"{label}: {text.plain}" for label, text in recent_rows(recent, dot=" | ")]


def test_lately_says_each_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patching:
        patching.setenv("TZ", "UTC")
        time.tzset()
        assert lately(NEW) == ["Lately: $0.00 since 12:00, not watched before"]
        watched = GAP.model_copy(update={"until": NOON + HOUR})
        assert lately(watched) == [
            "Lately: ~$3.00 in the last hour, watched since 12:00 | $5.00 in 24 h | $7.00 in 7 d"
        ]
        assert lately(Recent()) == []
    time.tzset()


def test_what_openrouter_counts_beyond_is_said_once() -> None:
    assert list(unseen(NEW)) == [
        "OpenRouter counts $90.00 today, of which $0.00 was seen",
        "OpenRouter counts $341.00 this week, of which $0.00 was seen",
    ]
    assert list(unseen(Recent(today=counted(5, 5), this_week=counted(9, 5)))) == [
        "OpenRouter counts $9.00 this week, of which $5.00 was seen"
    ]
    assert list(unseen(Recent())) == []


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (HOUR, "11:00"),
        (DAY, "Tue 12:00"),
        (6 * DAY, "Thu 12:00"),
        (7 * DAY, "2026-02-25 12:00"),
        (-DAY, "2026-03-05 12:00"),
    ],
)
def test_a_time_near_now_is_short(ago: timedelta, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patching:
        patching.setenv("TZ", "UTC")
        time.tzset()
        assert near_instant(NOON - ago, NOON) == text
    time.tzset()


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "≥$0.00"), ("cp1252", ">=$0.00"), ("ascii", ">=$0.00")])
def test_the_table_marks_what_was_watched_in_part(history: History, encoding: str, mark: str) -> None:
    history.record_all(KEY, [balance(NOON + 30 * MINUTE, 10), balance(NOON + 2 * HOUR, 12)])
    history.record(KEY, counting(NOON + 2 * HOUR + MINUTE, 12, 5, 20, 20))
    until = NOON + 2 * HOUR + 30 * MINUTE
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding)
    console = Console(file=stream, width=80, color_system=None)

    console.print(HistoryTable(history.spend(KEY, NOON, until, HOUR), history.recent(KEY, until)))
    stream.flush()
    shown = written.getvalue().decode(encoding)

    assert mark in shown
    assert "watched for a part of that time only" in shown
    assert "OpenRouter counts $20.00 this week, of which $2.00 was seen" in shown


# The spool, while polls are recorded


def test_the_spool_is_taken_in_before_the_first_balance_and_then_every_few_minutes(
    in_memory: History, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    key = fingerprint("sk-or-v1-recorded")
    recording = monitoring._recording(in_memory, lambda _: key, takes_in=True, tells_recent=True)  # noqa: SLF001 - what the recorder calls

    def record(profile: str | None, balance: Balance) -> Recent:
        return recording({profile: balance})[profile]

    spool.add(key, balance(NOON, 10))

    assert record(None, balance(NOON + MINUTE, 12)).last_hour == 2
    spool.add(key, balance(NOON + 2 * MINUTE, 15))
    assert record(None, balance(NOON + 3 * MINUTE, 18)).last_hour == 8
    assert len(in_memory.samples(key, None, NOON + HOUR, 10)) == 3
    spool.add(key, balance(NOON + 4 * MINUTE, 19))
    monkeypatch.setattr(monitoring, "_TAKE_IN_SECONDS", 0)
    assert record(None, balance(NOON + 5 * MINUTE, 20)).last_hour == 10
    assert len(in_memory.samples(key, None, NOON + HOUR, 10)) == 5
