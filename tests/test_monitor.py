"""The monitor's schedule, its snapshots and its events, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, KeyRefusedError, Level, UnreachableError, simulator
from orcredit.cli.following import show_lines
from orcredit.errors import ConfigurationError, OrcreditError
from orcredit.history import Recent
from orcredit.monitor import EventKind, Monitor, Snapshot, delay
from tests.test_balance import NOW, assess_account, assess_wire, budget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from orcredit.balance import Balance

MINUTE = timedelta(minutes=1)


class World:
    """A clock, a sleep that moves it, and the answers that OpenRouter will give."""

    def __init__(self, *answers: Balance | Exception) -> None:
        self.now = NOW
        self.naps: list[float] = []
        self.answers = deque(answers)
        self.asked = 0

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def ask(self) -> Balance:
        self.asked += 1
        if not self.answers:
            await asyncio.Event().wait()  # the story is over
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer.model_copy(update={"fetched_at": self.now})

    def monitor(self, interval: timedelta = MINUTE, remember: Callable[[Balance], Recent] | None = None) -> Monitor:
        return Monitor(self.ask, interval, remember=remember, clock=self.clock, sleep=self.sleep)


@asynccontextmanager
async def running(monitor: Monitor) -> AsyncIterator[None]:
    """Run a monitor; one that ends by itself, or has nothing to show any more, fails the test."""
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(monitor.run())
        yield
        polling.cancel()


async def follow(monitor: Monitor, count: int) -> list[Snapshot]:
    seen: list[Snapshot] = []
    async with running(monitor):
        async for snapshot in monitor.snapshots():
            seen.append(snapshot)
            if len(seen) == count:
                break
    return seen


def play(*answers: Balance | Exception, interval: timedelta = MINUTE) -> list[Snapshot]:
    return asyncio.run(follow(World(*answers).monitor(interval), len(answers)))


OK = assess_account("normal")
DOWN = UnreachableError("OpenRouter answered 503: it is not working right now.")


def test_it_polls_once_per_interval_and_numbers_what_it_publishes() -> None:
    seen = play(OK, OK, OK)

    assert [snapshot.sequence for snapshot in seen] == [1, 2, 3]
    assert [snapshot.polled_at for snapshot in seen] == [NOW, NOW + MINUTE, NOW + 2 * MINUTE]
    assert [snapshot.next_poll_at - snapshot.polled_at for snapshot in seen] == [MINUTE] * 3


def test_a_failed_poll_publishes_the_last_balance_marked_stale_with_its_old_time() -> None:
    first, second, third = play(OK, DOWN, OK)

    assert first.balance is not None
    assert second.balance is not None
    assert third.balance is not None
    assert (second.balance.stale, second.balance.stale_reason) == (True, str(DOWN))
    assert second.balance.fetched_at == first.balance.fetched_at
    assert second.error is DOWN
    assert (third.balance.stale, third.error, third.failures) == (False, None, 0)


def test_before_any_answer_there_is_no_balance() -> None:
    (only,) = play(DOWN)
    assert (only.balance, only.error, only.failures) == (None, DOWN, 1)


@pytest.mark.parametrize(
    ("interval", "doublings", "seconds"),
    [
        (60, 0, 60),
        (60, 1, 120),
        (60, 2, 240),
        (60, 3, 300),
        (60, 10_000, 300),
        (1, 3, 8),
        (600, 1, 600),
        (600, 5, 600),
        (86400, 30, 86400),
        (3650 * 86400, 10_000, 3650 * 86400),
    ],
)
def test_the_delay_doubles_up_to_five_minutes_or_the_interval(interval: int, doublings: int, seconds: int) -> None:
    assert delay(timedelta(seconds=interval), doublings) == timedelta(seconds=seconds)


def test_the_schedule_follows_the_failures_and_recovers() -> None:
    seen = play(OK, DOWN, DOWN, DOWN, DOWN, OK, OK)
    waits = [(after.polled_at - before.polled_at).total_seconds() for before, after in pairwise(seen)]
    assert waits == [60, 120, 240, 300, 300, 60]


def test_a_refused_key_is_on_the_same_schedule() -> None:
    refused = KeyRefusedError("OpenRouter does not accept this key (401).")
    first, second = play(refused, refused)
    assert second.polled_at - first.polled_at == 2 * MINUTE


async def refresh_each(monitor: Monitor, world: World, count: int, apart: timedelta) -> list[Snapshot]:
    """Run the monitor, ask for refreshes at this distance, and give what they showed; scheduled polls never come."""
    asleep = asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    monitor._sleep = sleep  # noqa: SLF001
    shown: list[Snapshot] = []
    async with running(monitor):
        await asleep.wait()
        for _ in range(count):
            asleep.clear()
            world.now += apart
            asked = world.asked
            shown.append(await monitor.refresh())
            if world.asked > asked:
                await asleep.wait()
    return shown


def test_refreshes_by_hand_during_an_outage_do_not_make_the_delay_longer() -> None:
    day = timedelta(days=1)
    world = World(OK, *[DOWN] * 40)
    shown = asyncio.run(refresh_each(world.monitor(day), world, 40, timedelta(seconds=3)))
    assert [snapshot.failures for snapshot in shown] == list(range(1, 41))
    assert {snapshot.next_poll_at - snapshot.polled_at for snapshot in shown} == {day}

    world = World(DOWN, *[DOWN] * 3)  # a scheduled poll failed before: one doubling, and it stays one
    shown = asyncio.run(refresh_each(world.monitor(), world, 3, timedelta(seconds=3)))
    assert {snapshot.next_poll_at - snapshot.polled_at for snapshot in shown} == {2 * MINUTE}


def test_a_wait_that_openrouter_asks_for_holds_for_the_next_poll() -> None:
    busy = UnreachableError("OpenRouter answered 429: too many requests.", retry_after=3600)
    hour = timedelta(hours=1)
    first, second, third = play(OK, busy, OK, interval=timedelta(seconds=1))

    assert first.wait_until is None
    assert second.wait_until == second.next_poll_at == second.polled_at + hour
    assert third.polled_at >= second.polled_at + hour
    assert third.wait_until is None


def test_a_short_wait_that_openrouter_asks_for_does_not_shorten_the_delay() -> None:
    (only,) = play(UnreachableError("OpenRouter answered 503.", retry_after=1))
    assert only.next_poll_at - only.polled_at == 2 * MINUTE


def test_refreshes_by_hand_wait_too_as_long_as_openrouter_asks_for() -> None:
    busy = UnreachableError("OpenRouter answered 429: too many requests.", retry_after=60)
    world = World(busy, OK)
    shown = asyncio.run(refresh_each(world.monitor(), world, 20, timedelta(seconds=3)))

    assert [snapshot.sequence for snapshot in shown] == [1] * 19 + [2]  # after the minute it asks at once
    assert world.asked == 2


def test_a_bug_in_a_poll_is_a_failed_poll_said_once_with_its_place_and_without_its_text() -> None:
    def bug() -> Exception:
        return OSError(24, "sk-or-v1-secret")

    seen = play(OK, bug(), bug(), DOWN, OK)

    assert kinds(seen) == [
        [],
        [EventKind.INTERNAL_ERROR],
        [],
        [EventKind.UNREACHABLE],
        [EventKind.BACK],
    ]
    assert seen[1].events[0].text.startswith("internal error: OSError at test_monitor.py:")
    assert "secret" not in f"{seen[1]} {seen[1].error!r}"
    assert seen[1].balance is not None
    assert (seen[1].balance.stale, seen[1].failures, seen[2].failures) == (True, 1, 2)
    assert seen[2].next_poll_at - seen[2].polled_at == 4 * MINUTE
    assert seen[4].balance is not None
    assert not seen[4].balance.stale


def test_a_bug_in_the_first_poll_does_not_end_it_either() -> None:
    first, second = play(RuntimeError("can't start new thread"), OK)
    assert (first.balance, second.error) == (None, None)


def test_a_bug_in_the_history_is_said_once_and_polling_goes_on() -> None:
    def broken(_: Balance) -> Recent:
        raise KeyError("sk-or-v1-secret")

    seen = asyncio.run(follow(World(OK, OK).monitor(remember=broken), 2))
    assert kinds(seen) == [[EventKind.HISTORY], []]
    assert seen[0].events[0].text.startswith("going on without the history: internal error: KeyError at test_monitor")


def test_without_threads_there_is_no_history_and_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    seen = asyncio.run(follow(World(OK, OK).monitor(remember=lambda _: Recent()), 2))

    assert kinds(seen) == [[EventKind.HISTORY], []]
    assert all(snapshot.error is None for snapshot in seen)


def test_without_threads_lines_are_written_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        monitor = World(OK, OK).monitor()
        async with running(monitor):
            await show_lines(monitor, count=2, as_json=True)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    asyncio.run(story())
    assert len(capfd.readouterr().out.splitlines()) == 2


def test_at_the_end_of_the_calendar_it_polls_on() -> None:
    world = World(OK, DOWN)
    world.now = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=90)
    first, second = asyncio.run(follow(world.monitor(), 2))
    assert first.next_poll_at - first.polled_at == MINUTE
    assert second.next_poll_at == datetime.max.replace(tzinfo=UTC)


def test_after_a_laptops_sleep_the_poll_that_was_due_comes_at_once() -> None:
    world = World(OK, OK)

    async def story() -> list[Snapshot]:
        monitor = world.monitor(timedelta(hours=1))
        async with running(monitor):
            first = await anext(monitor.snapshots())
            world.now += timedelta(hours=8)
            return [first, await anext(monitor.snapshots(after=1))]

    first, second = asyncio.run(story())
    assert second.polled_at - first.polled_at < timedelta(hours=8, seconds=20)


def test_a_clock_set_back_delays_nothing() -> None:
    world = World(OK, OK)

    async def story() -> None:
        monitor = world.monitor()
        async with running(monitor):
            await anext(monitor.snapshots())
            world.now -= timedelta(days=1)
            await anext(monitor.snapshots(after=1))

    asyncio.run(story())
    assert sum(world.naps) <= 60 + 5  # the five are the first nap after the second poll


def test_refresh_polls_now_and_gives_the_next_snapshot() -> None:
    async def story() -> tuple[Snapshot, Snapshot, int]:
        world = World(OK, OK)
        asleep = asyncio.Event()

        async def sleep(_: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        monitor = Monitor(world.ask, MINUTE, clock=world.clock, sleep=sleep)
        async with running(monitor):
            await asleep.wait()
            world.now += timedelta(seconds=3)
            refreshed = await monitor.refresh()
            again = await monitor.refresh()  # within two seconds of the last poll
            return refreshed, again, world.asked

    refreshed, again, asked = asyncio.run(story())
    assert refreshed.sequence == 2
    assert again is refreshed
    assert asked == 2


def test_refreshes_that_come_while_a_poll_is_under_way_share_its_answer() -> None:
    async def story() -> tuple[list[int], int]:
        answer: asyncio.Future[Balance] = asyncio.get_running_loop().create_future()
        asked = 0

        async def ask() -> Balance:
            nonlocal asked
            asked += 1
            return await asyncio.shield(answer)

        monitor = Monitor(ask, MINUTE, clock=lambda: NOW)
        async with running(monitor):
            waiters = [asyncio.ensure_future(monitor.refresh()) for _ in range(5)]
            await asyncio.sleep(0)
            waiters[0].cancel()  # cancels no poll
            answer.set_result(OK)
            return [snapshot.sequence for snapshot in await asyncio.gather(*waiters[1:])], asked

    sequences, asked = asyncio.run(story())
    assert sequences == [1] * 4
    assert asked == 1


def test_a_slow_subscriber_misses_snapshots_and_delays_nobody() -> None:
    async def story() -> list[int]:
        monitor = World(*[OK] * 6).monitor()
        slow: list[int] = []
        async with running(monitor):
            subscriber = monitor.snapshots()
            slow.append((await anext(subscriber)).sequence)
            async for snapshot in monitor.snapshots():  # somebody quick
                if snapshot.sequence == 6:
                    break
            slow.append((await anext(subscriber)).sequence)
        return slow

    assert asyncio.run(story()) == [1, 6]


# Events


def kinds(snapshots: list[Snapshot]) -> list[list[EventKind]]:
    return [[event.kind for event in snapshot.new_events] for snapshot in snapshots]


def test_trouble_and_recovery_are_events_once_each() -> None:
    refused = KeyRefusedError("OpenRouter does not accept this key (401).")
    assert kinds(play(OK, DOWN, DOWN, refused, refused, OK, OK)) == [
        [],
        [EventKind.UNREACHABLE],
        [],
        [EventKind.REFUSED],
        [],
        [EventKind.BACK],
        [],
    ]


def test_a_level_that_changes_is_an_event_and_says_whether_it_is_worse() -> None:
    low, exhausted = assess_account("low"), assess_account("exhausted")
    seen = play(OK, low, exhausted, DOWN, exhausted, OK)

    changes = [event for snapshot in seen for event in snapshot.new_events if event.kind is EventKind.LEVEL]
    assert [(change.text, change.is_worse) for change in changes] == [
        ("the level is low now, it was ok", True),
        ("the level is exhausted now, it was low", True),
        ("the level is ok now, it was exhausted", False),
    ]


def test_a_reset_is_an_event() -> None:
    before = assess_wire({"limit": 100, "limit_remaining": 50, "limit_reset": "daily"})
    after = assess_wire({"limit": 100, "limit_remaining": 100, "limit_reset": "daily"})
    seen = play(before, before, after, interval=timedelta(hours=12))

    assert seen[1].new_events == ()  # after midnight, but OpenRouter still repeats its old answer
    (event,) = seen[2].new_events
    assert (event.kind, event.text) == (EventKind.RESET, "the key limit was reset: $100.00 left")


def test_two_budgets_of_one_scope_are_not_taken_for_each_other() -> None:
    def spent(daily: float, monthly: float) -> Balance:
        budgets = [
            budget("api_key", 10, 10 - daily, reset_interval="daily"),
            budget("api_key", 100, 100 - monthly, reset_interval="monthly"),
            budget("member", 20, 20 - daily, reset_interval="daily"),
            budget("member", 30, 30 - monthly / 10, reset_interval="daily"),
        ]
        return assess_wire({"limit": None, "budgets": budgets})

    seen = play(spent(2, 50), spent(3, 51), spent(0, 51), interval=timedelta(hours=12))
    assert [[event.text for event in snapshot.new_events] for snapshot in seen] == [
        [],
        [],
        ["the daily api key was reset: $10.00 left", "the member was reset: $20.00 left"],
    ]


def test_budgets_that_come_and_go_are_no_reset() -> None:
    two = [budget("member", 20, 5, reset_interval="daily"), budget("member", 30, 25, reset_interval="daily")]
    both, one = ({"limit": None, "budgets": budgets} for budgets in (two, two[1:]))
    assert kinds(play(assess_wire(both), assess_wire(one), assess_wire(both))) == [[], [], []]


def test_a_raised_limit_is_no_reset() -> None:
    before = assess_wire({"limit": 100, "limit_remaining": 50, "limit_reset": "daily"})
    after = assess_wire({"limit": 500, "limit_remaining": 450, "limit_reset": "daily"})
    assert play(before, after)[1].new_events == ()


def test_only_the_last_events_are_kept() -> None:
    answers: list[Balance | OrcreditError] = [OK, DOWN] * 30
    seen = play(*answers)
    assert len(seen[-1].events) == 20


# Memory


def test_what_is_remembered_is_published_beside_the_balance() -> None:
    recorded: list[Decimal | None] = []

    def remember(balance: Balance) -> Recent:
        recorded.append(balance.spendable)
        assert threading.current_thread() is not threading.main_thread()
        return Recent(last_hour=Decimal(2))

    seen = asyncio.run(follow(World(OK, DOWN).monitor(remember=remember), 2))

    assert recorded == [Decimal("51.25")]  # a failed poll has nothing to record
    assert [snapshot.recent.last_hour for snapshot in seen if snapshot.recent] == [2, 2]


def test_a_history_in_trouble_is_said_once_and_polling_goes_on() -> None:
    def broken(_: Balance) -> Recent:
        raise ConfigurationError("The history is damaged.")

    seen = asyncio.run(follow(World(OK, OK, OK).monitor(remember=broken), 3))

    assert kinds(seen) == [[EventKind.HISTORY], [], []]
    assert seen[0].events[0].text == "going on without the history: The history is damaged"
    assert seen[2].balance is not None


def test_a_history_in_trouble_is_not_waited_for_and_its_recovery_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.monitor.RECORDING_LIMIT", 600.0)  # whoever waited for it would wait for ever
    first_call = threading.Event()
    release = threading.Event()

    def locked_then_well(_: Balance) -> Recent:
        if not first_call.is_set():
            first_call.set()
            raise ConfigurationError("The history is locked.")
        release.wait(60)
        return Recent(last_hour=Decimal(1))

    world = World(*[OK] * 1000)

    async def sleep(seconds: float) -> None:
        world.now += timedelta(seconds=seconds)
        await asyncio.sleep(0.001)  # real time, for the thread of the history

    async def story() -> list[Snapshot]:
        monitor = Monitor(world.ask, MINUTE, remember=locked_then_well, clock=world.clock, sleep=sleep)
        seen: list[Snapshot] = []
        async with running(monitor), asyncio.timeout(60):
            async for snapshot in monitor.snapshots():
                seen.append(snapshot)
                if len(seen) == 3:
                    release.set()
                if snapshot.recent is not None:
                    break
        return seen

    seen = asyncio.run(story())
    assert [event.text for event in seen[-1].events] == [
        "going on without the history: The history is locked",
        "the history works again",
    ]
    assert all(snapshot.recent is None for snapshot in seen[:-1])  # old sums would grow older unnoticed


def test_a_broken_environment_ends_it_at_once() -> None:
    world = World(ConfigurationError("A certificate file cannot be read."))
    with pytest.raises(ConfigurationError):
        asyncio.run(world.monitor().run())


def test_a_history_that_hangs_stalls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.monitor.RECORDING_LIMIT", 0.1)
    calls: list[Balance] = []
    release = threading.Event()

    def hanging(balance: Balance) -> Recent:
        calls.append(balance)
        release.wait(60)
        return Recent()

    seen = asyncio.run(follow(World(OK, OK, OK).monitor(remember=hanging), 3))
    release.set()

    assert kinds(seen) == [[], [EventKind.HISTORY], []]  # it was given its time; in the second poll it was too much
    assert len(calls) == 1  # one call at a time: the others are not piled up behind it


# Over real HTTP


class Upstream:
    """OpenRouter as the test wants it to be at the moment."""

    def __init__(self) -> None:
        self.account = "normal"
        self.status: int | None = None

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        if self.status is not None:
            return simulator.Response(self.status, {}, b'{"error": {"code": 0, "message": ""}}')
        headers = dict(request.headers) | {"authorization": f"Bearer {simulator.key_for(self.account)}"}
        return simulator.respond(simulator.Request(request.method, request.path, headers), now)


def test_the_upstream_dies_refuses_and_comes_back() -> None:
    upstream = Upstream()

    async def story(url: str) -> list[tuple[str | None, Level]]:
        client = AsyncClient("sk-or-v1-made-up", base_url=url, timeout=20)
        woken = asyncio.Event()

        async def sleep(_: float) -> None:
            await woken.wait()
            woken.clear()

        monitor = Monitor(client.balance, MINUTE, clock=lambda: datetime.now(UTC), sleep=sleep)
        told = []
        async with running(monitor):
            number = 0
            for status, account in (
                (None, "normal"),
                (404, "normal"),
                (401, "normal"),
                (None, "low"),
                (None, "exhausted"),
            ):
                upstream.status, upstream.account = status, account
                if number:
                    woken.set()
                    # A minute has to pass in twelve naps of five seconds.
                snapshot = await next_after(monitor, number, woken)
                number = snapshot.sequence
                assert snapshot.balance is not None
                told.append((type(snapshot.error).__name__ if snapshot.error else None, snapshot.balance.level))
        return told

    async def next_after(monitor: Monitor, number: int, woken: asyncio.Event) -> Snapshot:
        pending = asyncio.ensure_future(anext(monitor.snapshots(after=number)))
        while not pending.done():
            woken.set()
            await asyncio.sleep(0.01)
        return await pending

    with simulator.Server(responder=upstream.respond) as server:
        told = asyncio.run(story(server.base_url))

    assert told == [
        (None, Level.OK),
        ("NonsenseError", Level.OK),
        ("KeyRefusedError", Level.OK),
        (None, Level.LOW),
        (None, Level.EXHAUSTED),
    ]
