"""When a budget or the credit runs away, and when it no longer does: each condition alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit.balance import ACCOUNT_CREDIT, KEY_LIMIT, Balance
from orcredit.monitor import CreditAdded, RunawayEnded, RunawayStarted
from orcredit.monitor.runaway import CREDIT, Count, Meter, counts_of, limiting_of
from orcredit.words import event_text
from tests.balances import balance
from tests.simulated import NOW, assess_account, assess_wire, budget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.monitor import Event
    from orcredit.monitor.runaway import CountId

DAILY: CountId = (KEY_LIMIT, "daily", 0)
HOUR = timedelta(hours=1)


class Polls:
    """A meter that is polled every minute."""

    def __init__(self, **count: object) -> None:
        self.meter = Meter()
        self.count = replace(Count(Decimal(0), Decimal(100), NOW + 12 * HOUR, Decimal(10)), **count)  # type: ignore[arg-type]
        self.at = 0.0
        self.events: list[Event] = []

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.at)

    def spend(
        self, *amounts: float, name: CountId = DAILY, left: int | None = None, pace: int | None = None
    ) -> list[Event]:
        """Poll after each of these amounts (USD) was spent, with so much left at first; give the events."""
        if left is not None:
            self.count = replace(self.count, remaining=Decimal(left))
        if pace is not None:
            self.count = replace(self.count, pace_per_day=Decimal(pace))
        events: list[Event] = []
        for amount in amounts:
            spent = Decimal(str(amount))
            remaining = (self.count.remaining or Decimal(0)) - spent
            self.count = replace(self.count, spent=self.count.spent + spent, remaining=remaining)
            self.at += 60
            events += self.meter.judge({name: self.count}, self.at, self.now, self.now)[1]
        return events

    @property
    def lasts(self) -> bool:
        """Whether a runaway lasts, without another poll."""
        return any(watched.running is not None for watched in self.meter._watched.values())  # noqa: SLF001


def is_started(events: Iterable[Event]) -> bool:
    return any(isinstance(event, RunawayStarted) for event in events)


def test_two_increases_at_ten_times_the_pace_of_a_dollar_that_empty_it_in_hours_are_a_runaway() -> None:
    (event,) = Polls().spend(0, 1, 1)
    assert isinstance(event, RunawayStarted)
    assert event.is_worse
    assert (event.scope, event.period, float(event.per_minute), float(event.times_pace or 0)) == (
        KEY_LIMIT,
        None,
        1,
        144,
    )
    assert event.lasts == timedelta(minutes=98)
    assert event_text(event) == "spending $1.00 a minute, 144 × the usual pace: the key limit is gone in 1 h 38 min"  # noqa: RUF001


def test_one_increase_is_none_however_large() -> None:
    assert not is_started(Polls().spend(0, 50, 0, 0, 0, 0, 0))


def test_what_is_usually_spent_is_no_increase() -> None:
    assert not is_started(Polls().spend(0, 0.007, 0.007, 50, 0.007, 0.007))


def test_less_than_a_dollar_is_none() -> None:
    assert not is_started(Polls(remaining=Decimal(5)).spend(0, *[0.19] * 20))
    assert is_started(Polls(remaining=Decimal(15)).spend(0, *[0.21] * 20))


def test_less_than_ten_times_the_pace_is_none() -> None:
    assert not is_started(Polls(pace_per_day=Decimal(288)).spend(0, *[1.9] * 20))
    assert is_started(Polls(pace_per_day=Decimal(288)).spend(0, *[2.1] * 20))


def test_money_for_more_than_six_hours_is_none() -> None:
    assert not is_started(Polls(remaining=Decimal(400)).spend(0, *[1] * 20))
    assert is_started(Polls(remaining=Decimal(360)).spend(0, *[1] * 20))


def test_money_until_the_reset_is_none() -> None:
    assert not is_started(Polls(resets_at=NOW + HOUR).spend(0, *[1] * 20))
    assert is_started(Polls(resets_at=None).spend(0, *[1] * 20))


def test_money_that_is_gone_is_none() -> None:
    assert not is_started(Polls(remaining=Decimal(1)).spend(0, 1, 1, 1, 1))


def test_where_no_pace_is_known_or_it_is_zero_the_last_hours_as_seen_are() -> None:
    for pace in (None, Decimal(0)):
        slower, polls = (Polls(pace_per_day=pace, remaining=Decimal(10_000)) for _ in range(2))
        slower.spend(*[0.1] * 120)  # $144 a day
        polls.spend(*[0.1] * 120)
        assert not is_started(slower.spend(*[0.9] * 20, left=100))
        (event,) = polls.spend(*[1.2] * 20, left=100)
        assert isinstance(event, RunawayStarted)
        assert float(event.times_pace or 0) == pytest.approx(12, abs=0.5)


def test_where_nothing_was_spent_before_the_other_conditions_decide() -> None:
    (event,) = Polls(pace_per_day=Decimal(0)).spend(0, 1, 1)
    assert isinstance(event, RunawayStarted)
    assert event_text(event) == "spending $1.00 a minute: the key limit is gone in 1 h 38 min"


def test_the_pace_is_the_one_before_it_although_answers_soon_include_it() -> None:
    polls = Polls(remaining=Decimal(10_000), pace_per_day=Decimal(10))
    polls.spend(*[0.007] * 20)
    polls.spend(*[1] * 10, pace=1000)
    assert is_started(polls.spend(1, left=100))


def test_a_pace_of_zero_on_the_first_of_a_month_does_not_replace_the_last_one() -> None:
    polls = Polls(remaining=Decimal(10_000), pace_per_day=Decimal(2000))
    polls.spend(0)
    polls.spend(*[0] * 40, pace=0)
    assert not is_started(polls.spend(*[5] * 10, left=100))


def test_it_ends_when_it_was_below_half_of_ten_times_the_pace_for_five_minutes() -> None:
    polls = Polls(pace_per_day=Decimal(144), remaining=Decimal(1000))
    assert is_started(polls.spend(0, *[3] * 6))
    assert polls.spend(*[0.51] * 40) == []
    assert polls.spend(*[0.49] * 5) == []
    assert polls.spend(0.51, 0.6, 0.6, 0.6) == []  # above in between
    (event,) = polls.spend(*[0.3] * 20)
    assert isinstance(event, RunawayEnded)
    assert not event.is_worse
    assert event_text(event) == "no longer spending that fast: $0.30 a minute of the key limit"
    assert is_started(polls.spend(*[9] * 6))  # again


def test_while_no_rate_is_known_it_lasts() -> None:
    polls = Polls()
    assert is_started(polls.spend(0, 1, 1))
    polls.at += 8 * 3600
    assert polls.spend(0) == []
    assert polls.lasts


def test_a_budget_that_is_no_longer_there_runs_away_no_more_but_credit_that_is_not_known_does() -> None:
    polls = Polls()
    polls.spend(0, 1, 1)
    (event,) = polls.meter.judge({}, 240, polls.now, polls.now)[1]
    assert isinstance(event, RunawayEnded)

    of_credit = Polls(resets_at=None)
    (started,) = of_credit.spend(0, 1, 1, name=CREDIT)
    assert event_text(started).endswith("the account's credit is gone in 1 h 38 min")
    assert of_credit.meter.judge({}, 240, polls.now, polls.now)[1] == []


def test_a_rate_of_earlier_hours_is_known_until_it_has_spent_a_days_pace() -> None:
    polls = Polls(resets_at=None, remaining=Decimal(10**6))
    for _ in range(2):  # a batch, not a runaway because of the money that is left
        assert not is_started(polls.spend(*[0.5] * 10, *[0] * 170))
    assert not is_started(polls.spend(*[0.5] * 10, left=100))
    assert is_started(polls.spend(*[0.5] * 11, left=100))

    other = Polls(resets_at=None, remaining=Decimal(10**6))
    other.spend(*[0.5] * 10, *[0] * 170)
    assert is_started(other.spend(*[1.1] * 6, left=100))  # twice as fast


def test_where_several_run_away_at_once_the_most_urgent_one_is_told_and_all_must_end() -> None:
    meter, spent = Meter(), Decimal(0)
    told: list[list[Event]] = []
    for minute in range(30):
        spent += 1 if 0 < minute < 4 else 0
        now = NOW + timedelta(minutes=minute)
        counts: dict[CountId, Count] = {
            ("workspace", "monthly", 0): Count(spent, 200 - spent, NOW + 300 * HOUR, Decimal(10)),
            DAILY: Count(spent, 50 - spent, NOW + 12 * HOUR, Decimal(10), period="daily"),
            CREDIT: Count(spent, 80 - spent, None, Decimal(10)),
        }
        runaway, events = meter.judge(counts, minute * 60.0, now, now)
        told += [events] if events else []
        if minute == 2:
            assert runaway is not None
            assert (runaway.scope, runaway.period) == (KEY_LIMIT, "daily")
            assert runaway.since == NOW
    assert [[type(event) for event in events] for events in told] == [[RunawayStarted], [RunawayEnded]]
    assert event_text(told[0][0]).endswith("the daily key limit is gone in 48 min")


def test_the_runaway_of_credit_that_is_no_longer_known_ends_after_five_minutes() -> None:
    """As OpenRouter tells an ordinary key nothing of a credit that is overdrawn."""
    polls = Polls(resets_at=None)
    assert is_started(polls.spend(0, 30, 30, name=CREDIT))
    usage: dict[CountId, Count] = {(None, None, 0): Count(Decimal(60))}
    lasting = []
    for _ in range(6):
        polls.at += 60
        runaway, events = polls.meter.judge(usage, polls.at, polls.now, polls.now)
        assert not events
        lasting.append(runaway is not None)
    assert lasting == [True, True, True, True, False, False]


def test_after_a_reset_a_runaway_lasts_for_what_is_left_then() -> None:
    polls = Polls()
    polls.spend(0, 40, 40)
    polls.count = replace(
        polls.count, spent=Decimal(0), remaining=Decimal(100), resets_at=(polls.count.resets_at or NOW) + 24 * HOUR
    )
    polls.at += 10
    runaway, _ = polls.meter.judge({DAILY: polls.count}, polls.at, polls.now, polls.now)
    assert runaway is not None
    assert (float(runaway.per_minute), runaway.runs_out_at) == (40, polls.now + timedelta(seconds=150))


# What an answer counts


def test_every_budget_the_credit_and_the_usage_are_counted() -> None:
    budgets = [
        budget("member", 20, 5, reset_interval="daily"),
        budget("member", 30, 25, reset_interval="daily"),
        budget("member", 300, 50, reset_interval="monthly"),
        budget("workspace", 1000, 900),
    ]
    answer = assess_wire({"limit": None, "usage": 70, "budgets": budgets}, {"total_credits": 100, "total_usage": 99})
    counts = counts_of(answer)
    assert {name: (float(count.spent), count.period) for name, count in counts.items()} == {
        (None, None, 0): (70, None),
        ("member", "daily", 0): (15, "daily"),
        ("member", "daily", 1): (5, "daily"),
        ("member", "monthly", 0): (250, "monthly"),
        ("workspace", "monthly", 0): (100, None),
        CREDIT: (99, None),
    }
    assert limiting_of(answer) == CREDIT
    assert limiting_of(assess_account("workspace-first")) == ("workspace", "monthly", 0)
    assert limiting_of(assess_account("unlimited")) is None


def credit(bought: float, used: float, source: str = "management_key") -> Balance:
    answer = balance(NOW, 1, account_usage=1)
    assert answer.account is not None
    amounts = {"total_credits": Decimal(str(bought)), "total_usage": Decimal(str(used)), "source": source}
    amounts["remaining"] = Decimal(str(bought)) - Decimal(str(used))
    return answer.model_copy(update={"account": answer.account.model_copy(update=amounts)})


def test_bought_credit_is_an_event_once() -> None:
    meter = Meter()
    answers = [
        credit(100, 90), credit(150, 90), credit(100, 90), credit(150, 90), balance(NOW, 1), credit(160, 90),
        credit(900, 0, "key"),
    ]  # fmt: skip
    told = [meter.see(answer, 60.0 * at, NOW)[2] for at, answer in enumerate(answers)]
    assert [[event_text(event) for event in events] for events in told] == [
        [],
        ["$50.00 of credit was added: $60.00 left"],
        [],  # an older answer
        [],
        [],  # not known
        ["$10.00 of credit was added: $70.00 left"],
        [],  # another key tells it
    ]
    assert isinstance(told[1][0], CreditAdded)
    assert not told[1][0].is_worse


def test_the_rate_is_of_what_runs_out_first_and_else_of_what_limits() -> None:
    meter = Meter()
    answers = [
        assess_wire(
            {"limit": 100, "limit_remaining": 50 - number, "usage": 50 + number, "usage_monthly": 50 + number},
            {"total_credits": 500, "total_usage": 480 + 2 * number},
        )
        for number in range(3)
    ]
    rates = [meter.see(answer, 60.0 * at, NOW)[0] for at, answer in enumerate(answers)]
    assert rates[0] is None
    assert rates[2] is not None
    assert (rates[2].scope, float(rates[2].per_minute)) == (ACCOUNT_CREDIT, 2)  # others spend it, too
    assert rates[2].runs_out_at == NOW + timedelta(minutes=8)

    idle = [meter.see(answers[2], 60.0 * at, NOW)[0] for at in range(3, 30)][-1]
    assert idle is not None
    assert (idle.scope, float(idle.per_minute), idle.runs_out_at) == (ACCOUNT_CREDIT, 0, None)
