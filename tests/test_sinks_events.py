"""The events that the history recorder keeps, as a sink of a hub."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.errors import HistoryError
from orcredit.history import History, KeptEvent, Recent
from orcredit.monitor import BalancePoller, HistoryUnavailable, Hub, Unreachable
from orcredit.sinks.recorder import Recorder, kept_event
from tests.simulated import NOW, assess_account
from tests.test_monitor import DOWN, MINUTE, OK, World, follow, running
from tests.test_sinks import eventually, forever

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orcredit.balance import Balance

LOW = assess_account("low")
HOUR = timedelta(hours=1)


class Keeping:
    """A hub of one poller with a recorder of a history in memory, which can be locked; each poll waits for the test."""

    def __init__(self, *answers: Balance | Exception) -> None:
        self.world = World(*answers)
        self.history = History.in_memory()
        self.is_locked = self.are_events_refused = False
        self.calls: list[tuple[str, ...]] = []
        self._next_poll = asyncio.Event()
        self.poller = BalancePoller(self.world.ask, MINUTE, clock=self.world.clock, sleep=self._sleep)
        self.hub = Hub([self.poller], clock=self.world.clock, sleep=forever)
        self.recorder = Recorder(self._record, self._keep, self.hub.report)
        self.hub.add_sink(self.recorder)

    def _record(self, balances: Mapping[str | None, Balance]) -> dict[str | None, Recent]:
        if self.is_locked:
            raise HistoryError("The history is locked.")
        self.history.record("key", balances[None])
        return {None: self.history.recent("key", balances[None].fetched_at)}

    def _keep(self, kept: Mapping[str | None, Sequence[KeptEvent]]) -> None:
        events = kept[None]
        self.calls.append(tuple(event.kind for event in events))
        if self.are_events_refused:
            raise HistoryError("The history is locked.")
        self.history.add_events("key", events)

    async def _sleep(self, seconds: float) -> None:
        await self._next_poll.wait()
        self._next_poll.clear()
        self.world.now += timedelta(seconds=seconds)

    def poll(self) -> None:
        self._next_poll.set()

    async def caught_up(self, polls: int) -> None:
        async for snapshot in self.poller.snapshots():
            if snapshot.polls >= polls:
                await self.recorder.caught_up(snapshot, 60)
                return

    def kinds(self) -> list[str]:
        return [event.kind for event in self.history.events("key", NOW - HOUR, NOW + HOUR)]


def test_every_event_is_kept_with_its_time_and_public_words() -> None:
    async def story() -> None:
        keeping = Keeping(OK, LOW, DOWN, LOW)
        async with running(keeping.hub):
            for polls in (1, 2, 3, 4):
                await keeping.caught_up(polls)
                keeping.poll()
            assert keeping.poller.latest is not None
            expected = [kept_event(event) for event in keeping.poller.latest.events]
            assert [event.kind for event in expected] == ["level", "unreachable", "back"]
            assert expected[0].is_worse
            assert keeping.history.events("key", NOW - HOUR, NOW + HOUR) == expected
            assert keeping.calls == [("level",), ("unreachable",), ("back",)]  # nothing is written without one
            assert len(keeping.history.samples("key", None, NOW + HOUR, 9)) == 3
            await keeping.hub.drain(60)

    asyncio.run(story())


def test_events_are_kept_while_no_answer_came_yet() -> None:
    async def story() -> None:
        keeping = Keeping(DOWN, DOWN)
        async with running(keeping.hub):
            await keeping.caught_up(1)
            assert keeping.kinds() == ["unreachable"]
            assert keeping.history.known_keys() == []
            await keeping.hub.drain(60)

    asyncio.run(story())


def test_events_that_cannot_be_kept_lose_no_balance_and_wait_for_the_next_poll() -> None:
    async def story() -> None:
        keeping = Keeping(OK, LOW, OK, LOW)
        async with running(keeping.hub):
            await keeping.caught_up(1)
            keeping.are_events_refused = True
            keeping.poll()
            await keeping.caught_up(2)
            assert keeping.kinds() == []
            assert len(keeping.history.samples("key", None, NOW + HOUR, 9)) == 2
            assert keeping.recorder.recent() is not None
            keeping.are_events_refused = False
            keeping.poll()
            await keeping.caught_up(3)
            assert keeping.kinds() == ["level", "reset", "level"]
            keeping.poll()
            await keeping.caught_up(4)
            assert keeping.calls == [("level",), ("level", "reset", "level"), ("level",)]
            await keeping.hub.drain(60)

    asyncio.run(story())


def test_events_of_a_time_without_a_history_are_kept_later_but_not_that_it_was_unavailable() -> None:
    async def story() -> None:
        keeping = Keeping(OK, LOW, OK)
        async with running(keeping.hub):
            await keeping.caught_up(1)
            keeping.is_locked = True
            keeping.poll()
            await keeping.caught_up(2)
            assert keeping.calls == []
            await eventually(lambda: keeping.recorder.recent() is None)
            keeping.is_locked = False
            keeping.poll()
            async for snapshot in keeping.poller.snapshots():
                if snapshot.polls == 3:
                    break
            await eventually(lambda: len(keeping.kinds()) == 3)
            assert any(event.kind == "history" for event in snapshot.events)
            assert keeping.kinds() == ["level", "reset", "level"]
            await keeping.hub.drain(60)

    asyncio.run(story())


def test_the_time_of_an_event_is_by_openrouters_clock_where_this_machines_is_wrong() -> None:
    (snapshot,) = asyncio.run(follow(World(OK).poller(), 1))
    assert snapshot.balance is not None
    event = Unreachable(at=NOW + MINUTE, reason="no answer")

    def kept_at(ahead: timedelta) -> timedelta:
        wrong = OK.model_copy(update={"fetched_at": NOW - ahead})
        return kept_event(event, replace(snapshot, value=wrong)).at - NOW

    assert kept_at(9 * HOUR) == MINUTE - 9 * HOUR
    assert kept_at(timedelta(seconds=2)) == MINUTE


def test_no_event_has_the_path_of_the_database() -> None:
    event = HistoryUnavailable(at=NOW, reason="/home/me/history.db is locked", public_reason="it is locked")

    assert "/home" not in kept_event(event).text
