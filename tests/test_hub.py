"""Many pollers in one process: wake-ups, the merged stream, the clock watcher, sinks that are slow or broken."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from orcredit.errors import ConfigurationError
from orcredit.monitor import BalancePoller, EventKind, Hub, Poller, Recovered
from orcredit.monitor.spread import phase
from tests.simulated import assess_account
from tests.test_monitor import MINUTE, running
from tests.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from orcredit.balance import Balance
    from orcredit.monitor import Event, Snapshot

OK = assess_account("normal")


def poller(time: VirtualTime, profile: str | None = None, interval: timedelta = MINUTE) -> BalancePoller:
    async def ask() -> Balance:
        return OK

    return BalancePoller(ask, interval, profile=profile, clock=time.clock, sleep=time.sleep)


def hub(time: VirtualTime, *pollers: Poller) -> Hub[Balance]:
    return Hub(pollers, clock=time.clock, sleep=time.sleep)


def test_a_thousand_pollers_wake_up_once_per_poll_and_the_clock_is_watched_once_for_all() -> None:
    async def story() -> None:
        time = VirtualTime()
        pollers = [poller(time, f"profile {number}") for number in range(1000)]
        async with running(hub(time, *pollers)):
            await time.advance(600)
            assert {one.latest.polls if one.latest else 0 for one in pollers} == {11}
            assert time.wake_ups == 1000 * 10 + 600 / 5

    asyncio.run(story())


def test_polls_of_many_take_turns_once_an_interval_also_after_they_were_late_together() -> None:
    times: dict[str, list[datetime]] = {}

    def taking_turns(time: VirtualTime, number: int) -> BalancePoller:
        async def ask() -> Balance:
            times.setdefault(f"p{number}", []).append(time.now)
            return OK

        return BalancePoller(
            ask, MINUTE, profile=f"p{number}", phase=lambda: phase(number), clock=time.clock, sleep=time.sleep
        )

    async def story() -> None:
        time = VirtualTime()
        async with running(hub(time, *(taking_turns(time, number) for number in range(20)))):
            await time.advance(600)
            time.now += timedelta(hours=8)  # a laptop's sleep
            await time.advance(600)

    asyncio.run(story())
    every = sorted(at for polls in times.values() for at in polls)
    woken = next(at for at in every if at > every[0] + timedelta(hours=8))
    together = {at for at in every if at == every[0] or woken <= at <= woken + timedelta(seconds=5)}
    assert sum(at in together for at in every) == 40  # the first polls are at once, and those that were due meanwhile
    for polls in times.values():
        waits = [after - before for before, after in pairwise(polls)]
        assert all(MINUTE / 2 <= wait < MINUTE * 1.5 for wait in waits if wait < timedelta(hours=1))
        assert waits.count(MINUTE) >= len(waits) - 5
    alone = [at for at in every if at not in together]
    assert min(after - before for before, after in pairwise(alone)) > timedelta(seconds=1)


def test_after_a_laptops_sleep_the_polls_that_are_due_come_within_five_seconds() -> None:
    async def story() -> None:
        time = VirtualTime()
        due, later = poller(time, "due", timedelta(hours=1)), poller(time, "later", timedelta(days=1))
        async with running(hub(time, due, later)):
            await time.advance(60)
            time.now += timedelta(hours=8)
            await time.advance(5)
            assert [one.latest.polls if one.latest else 0 for one in (due, later)] == [2, 1]
            await time.advance(3599)
            assert due.latest is not None
            assert due.latest.polls == 2
            await time.advance(5)
            assert due.latest.polls == 3

    asyncio.run(story())


def test_the_merged_stream_has_the_latest_snapshot_of_every_profile() -> None:
    async def story() -> None:
        time = VirtualTime()
        both = hub(time, poller(time, "a"), poller(time, "b", 3 * MINUTE))
        slow = both.snapshots()
        async with running(both):
            first = [await anext(slow), await anext(slow)]
            assert [(one.profile, one.sequence) for one in first] == [("a", 1), ("b", 2)]
            await time.advance(185)
            second = [await anext(slow), await anext(slow)]
            assert sorted((one.profile, one.polls) for one in second) == [("a", 4), ("b", 2)]
            assert [one.sequence for one in second] == [5, 6]  # whichever was first
            after = both.snapshots(5)
            assert await anext(after) == second[1]
            late = both.snapshots()
            assert {(await anext(late)).profile, (await anext(late)).profile} == {"a", "b"}
            await both.drain(0)
            assert [one async for one in late] == []
            assert [one async for one in both.snapshots()] != []  # what is known, and then the end

    asyncio.run(story())


def test_a_first_poll_that_waiting_does_not_cure_ends_it() -> None:
    async def ask() -> Balance:
        raise ConfigurationError("A certificate file cannot be read.")

    time = VirtualTime()
    broken = BalancePoller(ask, MINUTE, profile="broken", clock=time.clock, sleep=time.sleep)
    with pytest.raises(ConfigurationError):
        asyncio.run(hub(time, poller(time), broken).run())


def test_one_of_many_goes_on_after_such_a_poll() -> None:
    async def ask() -> Balance:
        raise ConfigurationError("The keychain is locked.")

    async def story() -> None:
        time = VirtualTime()
        locked = BalancePoller(ask, MINUTE, profile="locked", is_one_of_many=True, clock=time.clock, sleep=time.sleep)
        async with running(hub(time, poller(time), locked)):
            await time.advance(600)
            assert locked.latest is not None
            assert locked.latest.polls > 2
            assert [event.kind for event in locked.latest.events] == [EventKind.UNREACHABLE]

    asyncio.run(story())


def test_a_reported_event_is_published_at_once_and_is_no_poll() -> None:
    async def story() -> None:
        time = VirtualTime()
        one = poller(time)
        of_one = hub(time, one)
        of_one.report(None, Recovered(at=time.now))  # before the first poll: it waits for that
        async with running(of_one):
            await time.advance(1)
            of_one.report(None, Recovered(at=time.now))
            snapshot = one.latest
            assert snapshot is not None
            assert (snapshot.polls, snapshot.sequence) == (1, 2)
            assert [event.sequence for event in snapshot.events] == [1, 2]
            assert len(snapshot.new_events) == 1
            assert [event.sequence for event in snapshot.events_after(0)] == [1, 2]
            await time.advance(60)
            assert one.latest is not None
            assert (one.latest.polls, one.latest.sequence, one.latest.new_events) == (2, 3, ())

    asyncio.run(story())


def test_a_refresh_is_not_answered_by_an_event() -> None:
    async def story() -> None:
        time = VirtualTime()
        one = poller(time)
        async with running(hub(time, one)):
            await time.advance(3)
            refreshing = asyncio.ensure_future(one.refresh())
            await asyncio.sleep(0)
            one.report(Recovered(at=time.now))
            assert (await refreshing).polls == 2

    asyncio.run(story())


class Explained(BalancePoller):
    """Asks a second question after each answer, which takes two seconds."""

    async def explained(
        self, snapshot: Snapshot[Balance], events: list[Event]
    ) -> tuple[Snapshot[Balance], list[Event]]:
        await self._sleep(2)
        return await super().explained(snapshot, events)


def test_what_is_published_while_a_poll_asks_a_second_question_has_lower_numbers_and_is_not_lost() -> None:
    async def story() -> None:
        async def ask() -> Balance:
            return OK

        time = VirtualTime()
        slow = Explained(ask, MINUTE, profile="slow", clock=time.clock, sleep=time.sleep)
        of_two = hub(time, slow, poller(time, "quick", timedelta(seconds=61)))
        published: list[tuple[str | None, int]] = []
        for one in of_two.pollers:
            one.listen(lambda snapshot: published.append((snapshot.profile, snapshot.sequence)))
        async with running(of_two):
            await time.advance(10)
            await time.advance(51)  # it has answered, and asks the second question
            of_two.report("slow", Recovered(at=time.now))
            await time.advance(10)
            assert [number for _, number in published] == list(range(1, len(published) + 1))
            assert published[-3:] == [("quick", 3), ("slow", 4), ("slow", 5)]
            assert slow.latest is not None
            assert [event.sequence for event in slow.latest.events] == [4]

    asyncio.run(story())


# Sinks


class Sink:
    """Notes what it handles, and does something with it."""

    def __init__(self, work: Callable[[], Awaitable[object]]) -> None:
        self.seen: list[tuple[str | None, int]] = []
        self._work = work

    async def handle(self, snapshots: Sequence[Snapshot]) -> None:
        self.seen.extend((snapshot.profile, snapshot.polls) for snapshot in snapshots)
        await self._work()


async def nothing() -> None:
    pass


def test_a_sink_that_hangs_delays_neither_polls_nor_other_sinks_and_nothing_piles_up_for_it() -> None:
    async def story() -> None:
        time = VirtualTime()
        release = asyncio.Event()
        hanging, quick = Sink(release.wait), Sink(nothing)
        one = poller(time)
        of_one = hub(time, one)
        of_one.add_sink(hanging)
        of_one.add_sink(quick)
        async with running(of_one):
            await time.advance(590)
            assert one.latest is not None
            assert one.latest.polls == 10
            assert [polls for _, polls in quick.seen] == list(range(1, 11))
            assert hanging.seen == [(None, 1)]
            release.set()
            await time.settle()
            assert hanging.seen == [(None, 1), (None, 10)]

    asyncio.run(story())


def test_a_bug_in_a_sink_is_said_once_with_its_place_and_without_its_text() -> None:
    async def broken() -> None:
        raise KeyError("sk-or-v1-secret")

    async def story() -> None:
        time = VirtualTime()
        one = poller(time)
        of_one = hub(time, one)
        sink = Sink(broken)
        of_one.add_sink(sink)
        async with running(of_one):
            await time.advance(130)
            assert one.latest is not None
            (event,) = one.latest.events
            assert event.kind is EventKind.INTERNAL_ERROR
            assert "internal error in Sink: KeyError at test_hub.py:" in repr(event)
            assert "secret" not in repr(event)
            assert [polls for _, polls in sink.seen if polls > 1] == [2, 3]

    asyncio.run(story())


def test_draining_lets_sinks_handle_what_they_have_but_waits_no_longer_than_it_may() -> None:
    async def story() -> None:
        time = VirtualTime()
        release = asyncio.Event()
        busy = Sink(release.wait)
        of_two = hub(time, poller(time, "a"), poller(time, "b"))
        of_two.add_sink(busy)
        async with running(of_two):
            await time.advance(61)
        assert busy.seen == [("a", 1), ("b", 1)]
        draining = asyncio.ensure_future(of_two.drain(60))
        await time.settle()
        assert not draining.done()
        release.set()
        await draining
        assert sorted(busy.seen[2:]) == [("a", 2), ("b", 2)]

        stuck = hub(time, poller(time))
        stuck.add_sink(Sink(asyncio.Event().wait))
        async with running(stuck):
            await time.advance(1)
        await stuck.drain(0.01)

    asyncio.run(story())


def test_a_sink_with_a_pause_gets_what_came_meanwhile_at_once_and_no_pause_delays_the_end() -> None:
    async def story() -> None:
        time = VirtualTime()
        sink = Batches()
        of_three = hub(time, *(poller(time, name) for name in "abc"))
        of_three.add_sink(sink, 3600)
        async with running(of_three):
            await time.advance(125)
            assert sink.seen == [["a", "b", "c"]]
            await of_three.drain(60)
        assert [sorted(batch) for batch in sink.seen] == [["a", "b", "c"]] * 2  # of each profile the newest

    asyncio.run(story())


class Batches:
    """Notes the profiles of each call."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    async def handle(self, snapshots: Sequence[Snapshot]) -> None:
        self.seen.append([str(snapshot.profile) for snapshot in snapshots])
