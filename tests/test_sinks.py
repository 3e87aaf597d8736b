"""The history recorder and the prompt line's cache, as sinks of a hub."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit import cache, simulator
from orcredit.config.load import load_profile
from orcredit.errors import ConfigurationError, HistoryError, KeyRefusedError
from orcredit.history import History, Recent
from orcredit.monitor import BalancePoller, Hub
from orcredit.sinks.prompt import PromptCache
from orcredit.sinks.recorder import Recorder
from orcredit.words import event_text
from tests.test_monitor import DOWN, MINUTE, OK, World, follow, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from orcredit.balance import Balance
    from orcredit.config.profile import Profile


async def forever(_: float) -> None:
    await asyncio.Event().wait()


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for happens on a thread
        await asyncio.sleep(0.001)


NAMES = ("normal", "low")


class Recording:
    """A hub of one poller with a recorder; each poll waits for the test."""

    def __init__(self, record: Callable[[Balance], Recent], *answers: Balance | Exception) -> None:
        self.world = World(*answers)
        self._next_poll = asyncio.Event()
        self.poller = BalancePoller(self.world.ask, MINUTE, clock=self.world.clock, sleep=self._sleep)
        self.hub = Hub([self.poller], clock=self.world.clock, sleep=forever)
        self.recorder = Recorder(
            lambda balances: {profile: record(balance) for profile, balance in balances.items()},
            lambda _: None,
            self.hub.report,
        )
        self.hub.add_sink(self.recorder)

    async def _sleep(self, seconds: float) -> None:
        await self._next_poll.wait()
        self._next_poll.clear()
        self.world.now += timedelta(seconds=seconds)

    def poll(self) -> None:
        self._next_poll.set()

    async def polled(self, polls: int) -> None:
        async for snapshot in self.poller.snapshots():
            if snapshot.polls >= polls:
                return

    async def said(self, count: int) -> list[str]:
        """Wait for so many events, and give them all."""
        async for snapshot in self.poller.snapshots():
            if len(snapshot.events) >= count:
                return [event_text(event) for event in snapshot.events]
        raise AssertionError

    async def recorded(self) -> Recent:
        await eventually(lambda: self.recorder.recent() is not None)
        recent = self.recorder.recent()
        assert recent is not None
        return recent


def test_what_is_recorded_is_known_beside_the_snapshot() -> None:
    recorded: list[Decimal | None] = []

    def record(balance: Balance) -> Recent:
        recorded.append(balance.spendable)
        assert threading.current_thread() is not threading.main_thread()
        return Recent(last_hour=Decimal(2))

    async def story() -> None:
        recording = Recording(record, OK, DOWN)
        async with running(recording.hub):
            assert (await recording.recorded()).last_hour == 2
            recording.poll()
            await recording.said(1)
            await recording.hub.drain(60)
        assert recorded == [Decimal("51.25")]  # a failed poll has nothing to record
        assert recording.recorder.recent() == Recent(last_hour=Decimal(2))

    asyncio.run(story())


def test_an_unusable_history_is_said_once_polling_goes_on_and_its_recovery_is_said() -> None:
    is_locked = True
    calls = 0

    def record(_: Balance) -> Recent:
        nonlocal calls
        calls += 1
        if is_locked:
            raise HistoryError("The history in /home/a/history.db is locked.", public="The history is locked.")
        return Recent(last_hour=Decimal(1))

    async def story() -> None:
        nonlocal is_locked
        recording = Recording(record, *[OK] * 9)
        async with running(recording.hub):
            text = "going on without the history: The history in /home/a/history.db is locked"
            assert await recording.said(1) == [text]
            snapshot = recording.poller.latest
            assert snapshot is not None
            assert snapshot.polls == 1  # said at once, not with the next poll
            assert event_text(snapshot.events[0], public=True) == "going on without the history: The history is locked"
            recording.poll()
            await eventually(lambda: calls == 2)
            assert recording.recorder.recent() is None
            is_locked = False
            recording.poll()
            assert await recording.said(2) == [text, "the history works again"]
            assert (await recording.recorded()).last_hour == 1

    asyncio.run(story())


def test_what_was_spent_lately_is_forgotten_with_the_history() -> None:
    answers = [Recent(last_hour=Decimal(1))]

    def record(_: Balance) -> Recent:
        if not answers:
            raise ConfigurationError("The history is damaged.")
        return answers.pop()

    async def story() -> None:
        recording = Recording(record, OK, OK)
        async with running(recording.hub):
            await recording.recorded()
            recording.poll()
            assert await recording.said(1) == ["going on without the history: The history is damaged"]
            assert recording.recorder.recent() is None  # it would go out of date

    asyncio.run(story())


def test_a_history_that_hangs_is_said_and_no_further_call_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.sinks.recorder.SLOW_AFTER", 0.01)
    calls: list[Balance] = []
    release = threading.Event()

    def hanging(balance: Balance) -> Recent:
        calls.append(balance)
        release.wait(60)
        return Recent()

    async def story() -> None:
        recording = Recording(hanging, *[OK] * 9)
        async with running(recording.hub):
            slow = "going on without the history: it takes long to answer"
            assert await recording.said(1) == [slow]
            for polls in (2, 3, 4):
                recording.poll()
                await recording.polled(polls)
            assert len(calls) == 1
            release.set()
            assert await recording.said(2) == [slow, "the history works again"]
            await eventually(lambda: len(calls) == 2)  # of those that came meanwhile only the newest
            await recording.hub.drain(60)
        assert [balance.fetched_at for balance in calls] == [OK.fetched_at, OK.fetched_at + 3 * MINUTE]

    asyncio.run(story())


def test_a_reader_of_the_history_waits_for_the_recording_under_way_but_not_for_one_that_hangs() -> None:
    release = threading.Event()

    def slow(_: Balance) -> Recent:
        release.wait(60)
        return Recent()

    async def story() -> None:
        recording = Recording(slow, OK)
        async with running(recording.hub):
            await recording.polled(1)
            assert recording.poller.latest is not None
            await recording.recorder.caught_up(recording.poller.latest, 0.01)
            assert recording.recorder.recent() is None
            waiting = asyncio.ensure_future(recording.recorder.caught_up(recording.poller.latest, 60))
            await asyncio.sleep(0)
            release.set()
            await waiting
            assert recording.recorder.recent() == Recent()

    asyncio.run(story())


def test_a_bug_in_the_history_is_said_with_its_place_and_without_its_text() -> None:
    def broken(_: Balance) -> Recent:
        raise KeyError("sk-or-v1-secret")

    async def story() -> None:
        recording = Recording(broken, OK)
        async with running(recording.hub):
            (text,) = await recording.said(1)
            assert text.startswith("going on without the history: internal error: KeyError at test_sinks.py:")
            assert "secret" not in repr(recording.poller.latest)

    asyncio.run(story())


def test_without_threads_nothing_is_recorded_and_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        recording = Recording(lambda _: Recent(), OK, OK)
        recording.hub.add_sink(PromptCache(lambda _: load_profile(api_key="sk-or-v1-made-up", environ={})))
        async with running(recording.hub):
            assert len(await recording.said(1)) == 1
            recording.poll()
            await recording.polled(2)
            assert recording.poller.latest is not None
            assert recording.poller.latest.error is None
            assert len(recording.poller.latest.events) == 1

    monkeypatch.setattr(threading.Thread, "start", refuse)
    asyncio.run(story())


def test_a_real_history_is_written_by_the_recorder() -> None:
    history = History.in_memory()

    def record(balance: Balance) -> Recent:
        history.record("key", balance)
        return history.recent("key", balance.fetched_at)

    async def story() -> None:
        recording = Recording(record, OK)
        async with running(recording.hub):
            assert (await recording.recorded()).since is not None
        assert len(history.samples("key", None, OK.fetched_at + MINUTE, 10)) == 1

    asyncio.run(story())


def test_the_prompt_lines_cache_has_the_answers_of_every_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    profiles: dict[str | None, Profile] = {
        name: load_profile(api_key=simulator.key_for(name), environ={}) for name in NAMES
    }

    async def story() -> None:
        worlds = {name: World(OK, DOWN) for name in NAMES}
        pollers = [
            BalancePoller(world.ask, MINUTE, profile=name, clock=world.clock, sleep=world.sleep)
            for name, world in worlds.items()
        ]
        hub = Hub(pollers, clock=worlds["low"].clock, sleep=forever)
        hub.add_sink(PromptCache(profiles.get))
        async with running(hub):
            async for snapshot in hub.snapshots():
                if snapshot.polls == 1:
                    break
        await hub.drain(60)

    asyncio.run(story())
    cached = [cache.load(one.base_url, one.key.get_secret_value()) for one in profiles.values()]
    assert [one.spendable for one in cached if one is not None] == ["$51.25", "$51.25"]


def test_a_failed_poll_is_kept_for_the_prompt_until_the_next_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    profile = load_profile(api_key="sk-or-v1-made-up", environ={})
    of = profile.base_url, profile.key.get_secret_value()
    world = World(OK, KeyRefusedError("refused", status=401), OK)
    world.now = datetime.now(UTC)
    kept = []
    for snapshot in asyncio.run(follow(world.poller(), 3)):
        asyncio.run(PromptCache(lambda _: profile).handle([snapshot]))
        kept.append(cache.load_failure(*of, cache.load(*of)))

    assert [failure is not None for failure in kept] == [False, True, False]
    assert kept[1] is not None
    assert (kept[1].is_refusal, kept[1].status) == (True, 401)


def test_an_event_between_two_polls_makes_no_old_numbers_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    profile = load_profile(api_key="sk-or-v1-made-up", environ={})
    of = profile.base_url, profile.key.get_secret_value()
    (snapshot,) = asyncio.run(follow(World(OK).poller(), 1))
    sink = PromptCache(lambda _: profile)
    asyncio.run(sink.handle([snapshot]))
    assert cache.load(*of) is not None
    Path(cache.path_of(*of, ".json") or "").unlink()
    asyncio.run(sink.handle([replace(snapshot, sequence=snapshot.sequence + 1)]))

    assert cache.load(*of) is None


# Several profiles


class Batch:
    """A recorder that is given the snapshots of several profiles at once, and what it reports."""

    def __init__(self, record: Callable[[Mapping[str | None, Balance]], Mapping[str | None, Recent]]) -> None:
        self.said: list[tuple[str | None, str]] = []
        self.recorder = Recorder(
            record, lambda _: None, lambda profile, event: self.said.append((profile, event_text(event)))
        )
        self._polls = 0

    async def poll(self, *names: str) -> None:
        (snapshot,) = await follow(World(OK).poller(), 1)
        self._polls += 1
        await self.recorder.handle([replace(snapshot, profile=name, polls=self._polls) for name in names])


def test_that_the_history_of_several_profiles_is_unusable_is_said_once_and_so_is_its_recovery() -> None:
    is_locked = True

    def record(balances: Mapping[str | None, Balance]) -> Mapping[str | None, Recent]:
        if is_locked:
            raise HistoryError("The history is locked.")
        return dict.fromkeys(balances, Recent())

    async def story() -> None:
        nonlocal is_locked
        batch = Batch(record)
        await batch.poll("b", "a")
        await batch.poll("a", "b", "c")
        assert batch.said == [("b", "going on without the history: The history is locked")]
        is_locked = False
        await batch.poll("c", "a")
        assert batch.said[1:] == [("b", "the history works again")]
        assert batch.recorder.recent("c") == Recent()
        assert batch.recorder.recent("b") is None

    asyncio.run(story())


def test_a_balance_that_cannot_be_recorded_keeps_no_other_from_it_and_is_said_once() -> None:
    recorded: list[list[str | None]] = []
    is_broken = True

    def record(balances: Mapping[str | None, Balance]) -> Mapping[str | None, Recent]:
        if is_broken and "broken" in balances:
            raise KeyError("sk-or-v1-secret")
        recorded.append(list(balances))
        return dict.fromkeys(balances, Recent())

    async def story() -> None:
        nonlocal is_broken
        batch = Batch(record)
        for _ in range(2):
            await batch.poll("a", "broken", "b")
            await batch.poll("broken")
            await batch.poll("b")
        assert recorded == [["a"], ["b"], ["b"]] * 2
        (said,) = batch.said
        assert said[0] == "broken"
        assert "KeyError" in said[1]
        assert "secret" not in said[1]
        assert batch.recorder.recent("broken") is None
        is_broken = False
        await batch.poll("a", "broken")
        await batch.poll("a", "broken")
        assert batch.said[1:] == [("broken", "the history works again")]

    asyncio.run(story())
