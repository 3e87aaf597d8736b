"""The rate right now: tracks of counts, and what a poller's snapshots say of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit import AsyncClient, UnreachableError, simulator
from orcredit.cli import following, monitoring
from orcredit.cli.following import show_lines
from orcredit.cli.watch import watch
from orcredit.errors import ExitCode
from orcredit.monitor import BalancePoller, EventKind, rate_of_usage
from orcredit.monitor.rate import Track, run_out, times
from orcredit.server.encoder import Encoder
from orcredit.words import event_text, rate_text, runaway_text
from tests.balances import balance
from tests.simulated import NOW
from tests.test_monitor import World, follow

if TYPE_CHECKING:
    from orcredit.balance import Balance
    from orcredit.errors import OrcreditError
    from orcredit.monitor import Snapshot

MIDNIGHT = datetime(2026, 2, 13, tzinfo=UTC)

pytestmark = pytest.mark.xdist_group("rate")  # the runaway that they share takes two seconds to make


def track(*seen: tuple[float, float], resets_at: datetime | None = None) -> Track:
    made = Track()
    for at, amount in seen:
        made.see(at, Decimal(str(amount)), resets_at=resets_at)
    return made


def spent(of: Track, seconds: float) -> tuple[float, float] | None:
    """What a window saw: USD and seconds."""
    window = of.window(seconds)
    return None if window is None else (float(window.spent), window.seconds)


def test_a_rate_needs_two_answers_and_a_minute() -> None:
    assert spent(track((0, 5)), 60) is None
    assert spent(track((0, 5), (59, 6)), 300) is None
    assert spent(track((0, 5), (60, 6)), 300) == (1, 60)


def test_a_window_begins_where_an_answer_was_seen() -> None:
    every_minute = track(*[(60.5 * number, number) for number in range(31)])
    assert spent(every_minute, 60) == (1, 60.5)
    assert spent(every_minute, 300) == (5, 302.5)
    assert spent(every_minute, 900) == (15, 907.5)

    every_five = track((0, 0), (301, 2), (602, 5))
    assert spent(every_five, 60) is None  # five minutes are not the last one
    assert spent(every_five, 300) == (3, 301)

    after_failures = track((0, 0), (600, 2), (660, 3))
    assert spent(after_failures, 300) == (1, 60)  # when the two dollars were spent is not known


def test_idle_time_is_seen_whole_however_few_sightings_are_kept() -> None:
    assert spent(track(*[(number * 10, 5) for number in range(60)], (600, 6)), 300) == (1, 300)


def test_an_older_answer_and_the_one_after_it_are_no_spend() -> None:
    flickering = track((0, 5), (60, 5), (70, 3), (80, 5), (90, 3), (130, 5))
    assert spent(flickering, 60) == (0, 60)


def test_a_correction_begins_a_new_track_after_five_minutes() -> None:
    corrected = track((0, 100), (60, 40), (299, 40), (300, 40), (360, 41))
    assert spent(corrected, 300) == (1, 60)


def test_a_reset_begins_again_at_once_and_amounts_of_the_day_before_are_older_answers() -> None:
    of = track((0, 60), (60, 61), (120, 62), resets_at=MIDNIGHT)
    next_day = MIDNIGHT + timedelta(days=1)
    for at, amount in ((130, "62"), (140, "0.5"), (150, "61"), (160, "62"), (200, "1.5")):
        of.see(at, Decimal(amount), resets_at=next_day)
    assert spent(of, 300) == (1, 60)
    of.see(261, Decimal(70), resets_at=next_day)  # two minutes after it is no older answer any more
    assert spent(of, 60) == (68.5, 61)


def test_another_limit_begins_a_new_track() -> None:
    of = Track()
    assert of.see(0, Decimal(50), basis=100) == 0
    assert of.see(60, Decimal(450), basis=500) == 0  # of the new limit, before what is left of it was renewed
    assert of.see(61, Decimal(50), basis=500) == 0
    assert spent(of, 300) is None


@given(
    st.lists(st.tuples(st.floats(1, 200), st.floats(0, 60), st.floats(0, 5)), min_size=2, max_size=60),
)
def test_a_rate_is_never_negative_and_never_more_than_was_spent(steps: list[tuple[float, float, float]]) -> None:
    """Answers up to a minute old, at any times: a window has no more than was spent in it and the minute before."""
    true, now, of = [(-100.0, Decimal(0))], 0.0, Track()

    def amount(moment: float) -> Decimal:
        return max((value for at, value in true if at <= moment), default=Decimal(0))

    for wait, age, more in steps:
        now += wait
        true.append((now, true[-1][1] + Decimal(str(round(more, 4)))))
        of.see(now, amount(now - age))
        for seconds in (60, 300, 900):
            window = of.window(seconds)
            if window is not None:
                assert 60 <= window.seconds <= seconds * 1.5
                assert 0 <= window.spent <= amount(now) - amount(now - window.seconds - 120 - 200)
                assert window.per_day >= 0


def test_memory_is_bounded() -> None:
    of = track(*[(number, number) for number in range(7200)])
    assert len(of._seen) < 300  # noqa: SLF001
    window = of.window(900)
    assert window is not None
    assert window.spent == pytest.approx(900, abs=5)


def test_how_often_and_until_when() -> None:
    assert times(Decimal(1), Decimal(10)) == 144
    assert times(Decimal(1), Decimal(0)) is times(Decimal(1), None) is None

    minute = timedelta(minutes=1)
    assert run_out(Decimal(10), Decimal(5), NOW, None) == NOW + 2 * minute
    assert run_out(Decimal(10), Decimal(5), NOW, NOW + minute) is None  # it is reset before
    assert run_out(Decimal(-1), Decimal(5), NOW, None) == NOW
    assert run_out(Decimal(10), Decimal(0), NOW, None) is None
    assert run_out(Decimal(10) ** 15, Decimal("1e-8"), NOW, None) is None
    assert run_out(Decimal(10**5), Decimal(1), datetime.max.replace(tzinfo=UTC), None) is None


def test_the_rate_of_recorded_samples() -> None:
    samples = [(NOW + timedelta(minutes=number), Decimal(number)) for number in range(20)]
    now = samples[-1][0] + timedelta(seconds=299)
    rate = rate_of_usage(samples, now, Decimal(159))
    assert rate is not None
    assert (float(rate.per_minute), float(rate.times_pace or 0), rate.scope) == (1, 10, None)
    assert rate_text(rate, NOW) == "now $60.00 an hour, 10 × the usual pace"  # noqa: RUF001
    assert rate_of_usage(samples[-1:], now, None) is rate_of_usage([], now, None) is None
    assert rate_of_usage(samples, now + timedelta(seconds=1), None) is None  # not watched at the moment


# What a poller says


class Key(World):
    """A key whose usage the test sets, and polls that succeed or fail as it says."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await super().sleep(seconds)

    def timer(self) -> float:
        return self.passed

    def poller(self, interval: timedelta = timedelta(minutes=1)) -> BalancePoller:
        return BalancePoller(self.ask, interval, clock=self.clock, sleep=self.sleep, timer=self.timer)


def used(amount: float) -> Balance:
    return balance(NOW, Decimal(str(amount)))


def play(*answers: Balance | OrcreditError) -> list[Snapshot]:
    key = Key()
    key.answers.extend(answers)
    return asyncio.run(follow(key.poller(), len(answers)))


def test_every_snapshot_has_the_rate_as_of_its_answer() -> None:
    first, second, third = play(used(1), used(2), used(4))
    assert first.rate is None
    assert second.rate is not None
    assert third.rate is not None
    assert json.loads(second.rate.model_dump_json()) == {
        "last1m": {"spent": 1.0, "seconds": 60.0, "perDay": 1440.0},
        "last5m": {"spent": 1.0, "seconds": 60.0, "perDay": 1440.0},
        "last15m": {"spent": 1.0, "seconds": 60.0, "perDay": 1440.0},
        "perMinute": 1.0,
        "timesPace": None,
        "runsOutAt": None,
        "scope": None,
    }
    assert third.rate.per_minute == 2  # the last minute's, which is faster than that of both
    assert third.runaway is None  # nothing limits this key


def test_failed_polls_keep_the_rate_for_five_minutes_and_do_not_count_as_idle() -> None:
    down = UnreachableError("OpenRouter answered 503: it is not working right now.")
    seen = play(used(1), used(2), down, down, down, used(3))
    assert [snapshot.rate is not None for snapshot in seen] == [False, True, True, True, False, True]
    assert seen[2].rate == seen[1].rate
    assert seen[5].rate is not None
    assert (seen[5].rate.last_1m, seen[5].rate.last_5m) == (None, None)  # when it was spent is not known
    assert seen[5].rate.last_15m is not None
    assert (float(seen[5].rate.last_15m.spent), seen[5].rate.last_15m.seconds) == (2, 780)


async def with_the_clock_moved(by: timedelta, after: float) -> Snapshot:
    """Poll three times a minute apart; between the last two the clock jumps, and a dollar is spent."""
    key = Key()
    key.answers.extend([used(1), used(2)])
    poller = key.poller()
    polling = asyncio.ensure_future(poller.run())
    await anext(poller.snapshots(after=1))
    key.now += by
    key.answers.append(used(after))
    snapshot = await anext(poller.snapshots(after=2))
    polling.cancel()
    return snapshot


@pytest.mark.parametrize("by", [timedelta(days=-1), timedelta(seconds=-50)])
def test_a_clock_that_is_set_back_makes_no_rate_higher(by: timedelta) -> None:
    snapshot = asyncio.run(with_the_clock_moved(by, 3))
    assert snapshot.rate is not None
    assert snapshot.rate.per_minute == 1


def test_what_others_spent_during_a_laptops_sleep_is_no_rate() -> None:
    assert asyncio.run(with_the_clock_moved(timedelta(hours=8), 500)).rate is None


# A runaway, over HTTP


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 2, 12, 16, 20, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


async def watched(until: datetime, *, hurries: bool, interval: float = 60) -> list[Snapshot]:
    """Poll the simulator's runaway account."""
    clock = Clock()
    with simulator.Server(clock=clock) as server:
        client = AsyncClient(simulator.key_for("runaway"), base_url=server.base_url, timeout=20)
        client._answers.now = clock  # noqa: SLF001
        poller = BalancePoller(
            client.balance, timedelta(seconds=interval), hurries=hurries, clock=clock, sleep=clock.sleep
        )
        seen: list[Snapshot] = []
        poller.listen(seen.append)
        polling = asyncio.ensure_future(poller.run())
        async with asyncio.timeout(60):
            async for snapshot in poller.snapshots():
                if snapshot.polled_at >= until:
                    break
        polling.cancel()
    return seen


@pytest.fixture(scope="module")
def runaway() -> list[Snapshot]:
    return asyncio.run(watched(datetime(2026, 2, 12, 17, 20, tzinfo=UTC), hurries=True))


def test_a_runaway_is_noticed_within_two_minutes_and_ends_when_it_was_calm_for_five(runaway: list[Snapshot]) -> None:
    events = [event for snapshot in runaway for event in snapshot.new_events]
    assert [(f"{event.at:%H:%M:%S}", event.kind, event.is_worse) for event in events] == [
        ("16:31:30", EventKind.RUNAWAY, True),
        ("17:10:00", EventKind.RUNAWAY, False),
    ]
    texts = [event_text(event) for event in events]
    assert texts[0] == "spending $42.01 a minute, 6,049 × the usual pace: the key limit is gone in 43 min"  # noqa: RUF001
    assert texts[1] == "no longer spending that fast: $0.0069 a minute of the key limit"


def test_the_pace_that_it_is_compared_with_is_the_one_before_it(runaway: list[Snapshot]) -> None:
    factors = {snapshot.runaway.times_pace or 0 for snapshot in runaway if snapshot.runaway is not None}
    assert max(factors) == 6049
    during = next(snapshot for snapshot in runaway if snapshot.polled_at.minute == 50)
    assert during.balance is not None
    assert during.balance.pace is not None
    assert during.balance.pace.per_day is not None
    assert during.balance.pace.per_day > 12  # includes it


def test_polls_come_every_ten_seconds_while_it_lasts(runaway: list[Snapshot]) -> None:
    for before, after in pairwise(runaway):
        seconds = 60 if before.runaway is None else 10
        assert (after.polled_at - before.polled_at).total_seconds() == seconds
        assert (before.next_poll_at - before.polled_at).total_seconds() == seconds


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 120), (600, 600)])
def test_failures_wait_as_long_as_ever(runaway: list[Snapshot], retry_after: int | None, seconds: int) -> None:
    key = Key()
    key.answers.extend([snapshot.value for snapshot in runaway[8:14] if snapshot.value is not None])
    key.answers.append(UnreachableError("OpenRouter answered 429: too many requests.", retry_after=retry_after))
    poller = BalancePoller(key.ask, timedelta(minutes=1), hurries=True, clock=key.clock, sleep=key.sleep)
    *_, before, failed = asyncio.run(follow(poller, 7))
    assert before.runaway is not None
    assert before.next_poll_at - before.polled_at == timedelta(seconds=10)
    assert failed.runaway == before.runaway
    assert failed.next_poll_at - failed.polled_at == timedelta(seconds=seconds)


def test_without_hurry_or_with_a_shorter_interval_they_do_not() -> None:
    until = datetime(2026, 2, 12, 16, 34, tzinfo=UTC)
    slow = asyncio.run(watched(until, hurries=False))
    assert slow[-1].runaway is not None
    assert {after.polled_at - before.polled_at for before, after in pairwise(slow)} == {timedelta(minutes=1)}
    quick = asyncio.run(watched(until, hurries=True, interval=5))
    assert quick[-1].runaway is not None
    assert {after.polled_at - before.polled_at for before, after in pairwise(quick)} == {timedelta(seconds=5)}


def test_the_envelope_has_rate_and_runaway(runaway: list[Snapshot]) -> None:
    snapshot = next(one for one in runaway if one.runaway is not None)
    poller = BalancePoller(AsyncClient.demo().balance, timedelta(hours=1), clock=lambda: snapshot.polled_at)
    envelope = json.loads(Encoder(poller).envelope(snapshot))
    assert envelope["runaway"] == {
        "scope": "key_limit",
        "period": None,
        "since": "2026-02-12T16:29:30.000Z",
        "perMinute": 42.00694445,
        "perDay": 60490.000008,
        "timesPace": 6049.0,
        "runsOutAt": "2026-02-12T17:14:49.000Z",
        "cause": None,
    }
    assert envelope["rate"]["scope"] == "key_limit"
    assert envelope["rate"]["perMinute"] == envelope["runaway"]["perMinute"]
    assert envelope["rate"]["runsOutAt"] == envelope["runaway"]["runsOutAt"]
    assert envelope["balance"]["level"] == "ok"
    assert [(event["kind"], event["isWorse"]) for event in envelope["events"]] == [("runaway", True)]


def test_its_words_count_down(runaway: list[Snapshot]) -> None:
    snapshot = next(one for one in runaway if one.runaway is not None)
    assert snapshot.runaway is not None
    assert snapshot.rate is not None
    assert snapshot.balance is not None
    now = snapshot.balance.fetched_at
    assert runaway_text(snapshot.runaway, now).endswith(": the key limit is gone in 43 min")
    assert rate_text(snapshot.rate, now).endswith(": the key limit is gone in 43 min")
    later = now + timedelta(minutes=43)
    assert runaway_text(snapshot.runaway, later).endswith(": the key limit is gone in 19 s")
    assert runaway_text(snapshot.runaway, later + timedelta(minutes=1)).endswith(": the key limit is gone")


@pytest.mark.parametrize(("as_json", "lines"), [(False, 1), (True, 0)])
def test_in_a_pipe_a_runaway_is_a_line(
    capfd: pytest.CaptureFixture[str], runaway: list[Snapshot], *, as_json: bool, lines: int
) -> None:
    async def story() -> None:
        world = World(*[snapshot.value for snapshot in runaway[8:14] if snapshot.value is not None])
        poller = BalancePoller(world.ask, timedelta(minutes=1), clock=world.clock, sleep=world.sleep)
        polling = asyncio.ensure_future(poller.run())
        await show_lines(poller, count=6, as_json=as_json)
        polling.cancel()

    asyncio.run(story())
    written = capfd.readouterr().out.splitlines()
    assert sum("  spending $" in line for line in written) == lines
    assert all(line.startswith("{") for line in written) == as_json


@pytest.mark.parametrize(
    ("options", "hurries"), [({}, True), ({"count": 3}, False), ({"json": True}, False)], ids=["", "count", "json"]
)
def test_watch_hurries_unless_polls_or_documents_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, int | bool], *, hurries: bool
) -> None:
    asked: list[monitoring.Monitored] = []

    def follow(monitored: monitoring.Monitored, showing: object, *, is_full_screen: bool) -> ExitCode:  # noqa: ARG001
        asked.append(monitored)
        showing.close()  # type: ignore[attr-defined]
        return ExitCode.OK

    monkeypatch.setattr(following, "follow", follow)
    watch(demo=True, **options)  # type: ignore[arg-type]
    assert asked[0].poller._urgent_interval.total_seconds() == (10 if hurries else 60)  # noqa: SLF001
