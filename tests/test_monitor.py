"""A poller's schedule, its snapshots and its events, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, KeyRefusedError, Level, UnreachableError, simulator
from orcredit.cli.following import show_lines
from orcredit.errors import ConfigurationError, OrcreditError
from orcredit.monitor import BalancePoller, EventKind, Snapshot, delay
from orcredit.words import event_text
from tests.simulated import NOW, assess_account, assess_wire, budget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orcredit.balance import Balance
    from orcredit.monitor import Hub, Poller

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

    def poller(self, interval: timedelta = MINUTE) -> BalancePoller:
        return BalancePoller(self.ask, interval, clock=self.clock, sleep=self.sleep)


@asynccontextmanager
async def running(poller: Poller | Hub[Balance]) -> AsyncIterator[None]:
    """Run a poller or a hub; one that ends by itself, or publishes nothing more, fails the test."""
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(poller.run())
        yield
        polling.cancel()


async def follow(poller: Poller, count: int) -> list[Snapshot]:
    seen: list[Snapshot] = []
    async with running(poller):
        async for snapshot in poller.snapshots():
            seen.append(snapshot)
            if len(seen) == count:
                break
    return seen


def play(*answers: Balance | Exception, interval: timedelta = MINUTE) -> list[Snapshot]:
    return asyncio.run(follow(World(*answers).poller(interval), len(answers)))


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
    refused = KeyRefusedError("OpenRouter does not accept this key: 401.")
    first, second = play(refused, refused)
    assert second.polled_at - first.polled_at == 2 * MINUTE


async def refresh_each(poller: Poller, world: World, count: int, apart: timedelta) -> list[Snapshot]:
    """Run the poller, ask for refreshes this far apart, and give what they showed; scheduled polls never come."""
    asleep = asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    poller._sleep = sleep  # noqa: SLF001
    shown: list[Snapshot] = []
    async with running(poller):
        await asleep.wait()
        for _ in range(count):
            asleep.clear()
            world.now += apart
            asked = world.asked
            shown.append(await poller.refresh())
            if world.asked > asked:
                await asleep.wait()
    return shown


def test_refreshes_by_hand_during_an_outage_do_not_make_the_delay_longer() -> None:
    day = timedelta(days=1)
    world = World(OK, *[DOWN] * 40)
    shown = asyncio.run(refresh_each(world.poller(day), world, 40, timedelta(seconds=3)))
    assert [snapshot.failures for snapshot in shown] == list(range(1, 41))
    assert {snapshot.next_poll_at - snapshot.polled_at for snapshot in shown} == {day}

    world = World(DOWN, *[DOWN] * 3)  # a scheduled poll failed before: one doubling, and it stays one
    shown = asyncio.run(refresh_each(world.poller(), world, 3, timedelta(seconds=3)))
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
    shown = asyncio.run(refresh_each(world.poller(), world, 20, timedelta(seconds=3)))

    assert [snapshot.sequence for snapshot in shown] == [1] * 19 + [2]  # after the minute it asks at once
    assert world.asked == 2


def test_a_bug_in_a_poll_is_a_failed_poll_said_once_with_its_place_and_without_its_text() -> None:
    def bug() -> Exception:
        return OSError(22, "sk-or-v1-secret")

    seen = play(OK, bug(), bug(), DOWN, OK)

    assert kinds(seen) == [
        [],
        [EventKind.INTERNAL_ERROR],
        [],
        [EventKind.UNREACHABLE],
        [EventKind.BACK],
    ]
    assert event_text(seen[1].events[0]).startswith("internal error: OSError at test_monitor.py:")
    assert "secret" not in f"{seen[1]} {seen[1].error!r}"
    assert seen[1].balance is not None
    assert (seen[1].balance.stale, seen[1].failures, seen[2].failures) == (True, 1, 2)
    assert seen[2].next_poll_at - seen[2].polled_at == 4 * MINUTE
    assert seen[4].balance is not None
    assert not seen[4].balance.stale


def test_a_bug_in_the_first_poll_does_not_end_it_either() -> None:
    first, second = play(RuntimeError("can't start new thread"), OK)
    assert (first.balance, second.error) == (None, None)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OSError(24, "Too many open files"), "too many files are open"),
        (MemoryError(), "there is too little memory"),
        (RuntimeError("can't start new thread"), "no thread could be started"),
    ],
)
def test_a_shortage_of_the_system_is_not_a_bug(error: Exception, problem: str) -> None:
    seen = play(OK, error, OK)
    assert kinds(seen) == [[], [EventKind.UNREACHABLE], [EventKind.BACK]]
    assert event_text(seen[1].events[0]) == f"The system is short of resources: {problem}"


def test_without_threads_lines_are_written_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        poller = World(OK, OK).poller()
        async with running(poller):
            await show_lines(poller, count=2, as_json=True)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    asyncio.run(story())
    assert len(capfd.readouterr().out.splitlines()) == 2


def test_at_the_end_of_the_calendar_it_polls_on() -> None:
    world = World(OK, DOWN)
    world.now = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=90)
    first, second = asyncio.run(follow(world.poller(), 2))
    assert first.next_poll_at - first.polled_at == MINUTE
    assert second.next_poll_at == datetime.max.replace(tzinfo=UTC)


def test_a_clock_set_back_delays_nothing() -> None:
    world = World(OK, OK)

    async def story() -> None:
        poller = world.poller()
        async with running(poller):
            await anext(poller.snapshots())
            world.now -= timedelta(days=1)
            await anext(poller.snapshots(after=1))

    asyncio.run(story())
    assert world.naps[0] == 60  # by the sleep, although the clock says that a day is missing


def test_refresh_polls_now_and_gives_the_next_snapshot() -> None:
    async def story() -> tuple[Snapshot, Snapshot, int]:
        world = World(OK, OK)
        asleep = asyncio.Event()

        async def sleep(_: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        poller = BalancePoller(world.ask, MINUTE, clock=world.clock, sleep=sleep)
        async with running(poller):
            await asleep.wait()
            world.now += timedelta(seconds=3)
            refreshed = await poller.refresh()
            again = await poller.refresh()  # within two seconds of the last poll
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

        poller = BalancePoller(ask, MINUTE, clock=lambda: NOW)
        async with running(poller):
            waiters = [asyncio.ensure_future(poller.refresh()) for _ in range(5)]
            await asyncio.sleep(0)
            waiters[0].cancel()  # cancels no poll
            answer.set_result(OK)
            return [snapshot.sequence for snapshot in await asyncio.gather(*waiters[1:])], asked

    sequences, asked = asyncio.run(story())
    assert sequences == [1] * 4
    assert asked == 1


def test_a_slow_subscriber_misses_snapshots_and_delays_no_other() -> None:
    async def story() -> list[int]:
        poller = World(*[OK] * 6).poller()
        slow: list[int] = []
        async with running(poller):
            subscriber = poller.snapshots()
            slow.append((await anext(subscriber)).sequence)
            async for snapshot in poller.snapshots():  # a quick subscriber
                if snapshot.sequence == 6:
                    break
            slow.append((await anext(subscriber)).sequence)
        return slow

    assert asyncio.run(story()) == [1, 6]


# Events


def kinds(snapshots: list[Snapshot]) -> list[list[EventKind]]:
    return [[event.kind for event in snapshot.new_events] for snapshot in snapshots]


def test_failures_and_recovery_are_events_once_each() -> None:
    refused = KeyRefusedError("OpenRouter does not accept this key: 401.")
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
    assert [(event_text(change), change.is_worse) for change in changes] == [
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
    assert (event.kind, event_text(event)) == (EventKind.RESET, "the key limit was reset: $100.00 left")


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
    assert [[event_text(event) for event in snapshot.new_events] for snapshot in seen] == [
        [],
        [],
        ["the daily API key budget was reset: $10.00 left", "the member budget was reset: $20.00 left"],
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


def test_a_broken_environment_ends_it_at_once() -> None:
    world = World(ConfigurationError("A certificate file cannot be read."))
    with pytest.raises(ConfigurationError):
        asyncio.run(world.poller().run())


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

        poller = BalancePoller(client.balance, MINUTE, clock=lambda: datetime.now(UTC), sleep=sleep)
        seen = []
        async with running(poller):
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
                snapshot = await anext(poller.snapshots(after=number))
                number = snapshot.sequence
                assert snapshot.balance is not None
                seen.append((type(snapshot.error).__name__ if snapshot.error else None, snapshot.balance.level))
        return seen

    with simulator.Server(responder=upstream.respond) as server:
        seen = asyncio.run(story(server.base_url))

    assert seen == [
        (None, Level.OK),
        ("NonsenseError", Level.OK),
        ("KeyRefusedError", Level.OK),
        (None, Level.LOW),
        (None, Level.EXHAUSTED),
    ]
