"""What `watch` and `serve` poll: the user's keys, or the demo's, with the sinks that belong to them."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from orcredit.answer_clock import utc_now
from orcredit.cli import fleet
from orcredit.cli.asking import MOST_KEYS, Questions
from orcredit.client import AsyncClient
from orcredit.config.load import load_thresholds
from orcredit.config.profiles import select
from orcredit.history import spool
from orcredit.monitor import BalancePoller, Hub
from orcredit.monitor.events import balance_changes
from orcredit.preload import preload
from orcredit.sinks.prompt import PromptCache
from orcredit.sinks.recorder import Recorder, kept_event
from orcredit.sinks.week import WeekKeeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Sized
    from datetime import datetime, timedelta

    from orcredit.balance import Balance
    from orcredit.config.profiles import Selected
    from orcredit.history import History, KeptEvent, Recent
    from orcredit.monitor import Event, Poller

_RECORDED_SECONDS = 0.5
"""Recording needs a hundredth of that; a history that takes longer is read as it is."""

_PAUSE = 0.4
"""Seconds between two calls that record balances of several profiles; shorter than a reader waits for them."""

_TAKE_IN_SECONDS = 120.0
"""Between two looks at the spool."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A profile that is polled.

    Attributes:
        poller: of its key.
        interval: at which it is polled.
        key: gives the history's name for its key; None while there is none.
        has_management_key: gives whether one is set, so that the whole account can be asked about.
        client: gives what asks about its key, and about the account behind it; None while there is no key.
        renew: gets its keys anew; None where they cannot have changed.
    """

    poller: Poller
    interval: timedelta
    key: Callable[[], str | None]
    has_management_key: Callable[[], bool]
    client: Callable[[], AsyncClient | None]
    renew: Callable[[], Awaitable[object]] | None


@dataclass(frozen=True, slots=True)
class Monitored:
    """A hub with a poller for each profile, not yet running.

    Attributes:
        hub: runs the pollers and the sinks.
        profiles: what is polled, by name.
        default: the profile that `orcredit status` would show, or the first.
        history: where they are recorded; None where nothing is recorded.
        recorder: records; None where nothing is recorded.
    """

    hub: Hub[Balance]
    profiles: Mapping[str | None, Watched]
    default: str | None
    history: History | None
    recorder: Recorder | None

    @property
    def poller(self) -> Poller:
        """The poller of the default profile."""
        return self.profiles[self.default].poller

    @property
    def key(self) -> str:
        """The history's name for the key of the default profile; empty while there is none."""
        return self.profiles[self.default].key() or ""

    def recent(self) -> Recent | None:
        """Give what was spent lately with the default profile, from the history."""
        return self.recorder.recent(self.default) if self.recorder is not None else None

    async def recorded(self) -> None:
        """Wait until the history has the latest balance, as long as a reader of the history should wait."""
        await self.recorded_of(self.default)

    async def recorded_of(self, profile: str | None) -> None:
        """Do that for another profile."""
        latest = self.profiles[profile].poller.latest
        if self.recorder is not None and latest is not None:
            await self.recorder.caught_up(latest, _RECORDED_SECONDS)


def demo_monitored(
    interval: timedelta,
    *,
    timeout: float,
    warn_below: Iterable[str] | None,
    hurries: bool,
    has_history: bool,
) -> Monitored:
    """Poll the simulated account; its history, if any, is in memory and begins with 30 made-up days.

    Raises:
        UsageError: a bad value.
    """
    client = AsyncClient.demo(timeout=timeout, warn_below=warn_below)
    history, key = None, ""
    if has_history:
        from orcredit import demo  # noqa: PLC0415 - as below
        from orcredit.history import History  # noqa: PLC0415 - SQLAlchemy, which not every start needs

        history, key, now = History.in_memory(), demo.KEY, client.clock()
        demo.fill(history, now)
        history.add_events(demo.KEY, _demo_events(demo.times(now), warn_below))
    poller = BalancePoller(client.balance, interval, hurries=hurries, clock=client.clock)
    watched = Watched(poller, interval, lambda: key, lambda: True, lambda: client, None)
    return _monitored({None: watched}, None, history)


def _demo_events(times: Sequence[datetime], warn_below: Iterable[str] | None) -> list[KeptEvent]:
    """Make the events that polls of the demo at these times would have seen: resets, and a level before and after."""
    from orcredit import demo  # noqa: PLC0415 - only the demo needs it
    from orcredit.balance import in_force  # noqa: PLC0415 - as above

    thresholds = in_force(load_thresholds(warn_below))

    def balance(place: int) -> Balance:
        return demo.balance(times[place], thresholds)

    months = [place for place in range(1, len(times)) if times[place].month != times[place - 1].month]
    events: list[Event] = []
    for first, last in pairwise([0, *months, len(times)]):
        if first:
            events += balance_changes(balance(first - 1), balance(first), times[first])
        level = balance(first).level
        if balance(last - 1).level is not level:
            place = bisect_left(range(first, last), 1, key=lambda place: int(balance(place).level is not level)) + first
            events += balance_changes(balance(place - 1), balance(place), times[place])
    return [kept_event(event) for event in events]


def new_monitored(
    interval: timedelta,
    *,
    profile: str | None = None,
    base_url: str | None,
    timeout: float,
    warn_below: Iterable[str] | None,
    database_url: str | None,
    has_history: bool,
    hurries: bool,
) -> Monitored:
    """Poll the user's key, record its history and keep the prompt line's cache; `hurries` is as in `Poller`.

    Raises:
        OrcreditError: a bad value, no usable key, or a database driver that is not installed.
    """
    chosen = Chosen(select(profile, base_url), interval, timeout)
    return fleet_monitored(
        [chosen],
        default=chosen.selected.name,
        warn_below=warn_below,
        database_url=database_url,
        has_history=has_history,
        hurries=hurries,
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """A profile to watch.

    Attributes:
        selected: the profile; its keys are not read yet.
        interval: at which it is polled.
        timeout: seconds, of an answer, and at most for a command or a keychain.
    """

    selected: Selected
    interval: timedelta
    timeout: float


def fleet_monitored(
    every: Sequence[Chosen],
    *,
    default: str | None,
    warn_below: Iterable[str] | None,
    database_url: str | None,
    has_history: bool,
    hurries: bool,
    tells_recent: bool = True,
) -> Monitored:
    """Poll several profiles, evenly over their interval.

    Args:
        every: the profiles.
        default: one of their names.
        warn_below: of the command line.
        database_url: likewise.
        has_history: whether to record.
        hurries: as in `Poller`.
        tells_recent: whether `Monitored.recent` will be asked.

    Raises:
        OrcreditError: a bad value, no usable key at all, or a database driver that is not installed.
    """
    is_one = len(every) == 1
    questions = Questions(fleet.ask, kept=fleet.KEPT_SECONDS, has_history=has_history, renews=False)
    getting = asyncio.Semaphore(MOST_KEYS)
    members = [
        fleet.Member(each.selected, timeout=each.timeout, warn_below=warn_below, questions=questions, getting=getting)
        for each in every
    ]
    fleet.start(members)
    preload()
    history = None
    if has_history:
        from orcredit.history import History  # noqa: PLC0415 - as above

        history = History.load(database_url)
    profiles = {}
    for member, each in zip(members, every, strict=True):
        poller = BalancePoller(
            member.balance,
            each.interval,
            profile=member.name,
            hurries=hurries,
            phase=None if is_one else member.phase,
            is_one_of_many=not is_one,
            clock=utc_now,
            explain=member.cause,
        )
        member.wake = None if is_one else poller.wake
        profiles[member.name] = Watched(
            poller, each.interval, member.key, member.has_management_key, member.client, member.get_keys
        )
    # A database that was chosen for this one command does not get what `status` saw for the usual one.
    takes_in = database_url is None
    monitored = _monitored(profiles, default, history, takes_in=takes_in, tells_recent=tells_recent)
    by_name = {member.name: member for member in members}
    monitored.hub.add_sink(PromptCache(lambda name: by_name[name].profile), _pause(members))
    if history is not None and takes_in:  # the week of another history is not the key's
        monitored.hub.add_sink(WeekKeeper(_learning(history, by_name)))
    return monitored


def _monitored(
    profiles: Mapping[str | None, Watched],
    default: str | None,
    history: History | None,
    *,
    takes_in: bool = False,
    tells_recent: bool = True,
) -> Monitored:
    hub = Hub((watched.poller for watched in profiles.values()), clock=profiles[default].poller.clock)
    if history is None:
        return Monitored(hub, profiles, default, None, None)
    kept = history

    def key_of(profile: str | None) -> str | None:
        return profiles[profile].key()

    def keep_events(events: Mapping[str | None, Sequence[KeptEvent]]) -> None:
        by_key: defaultdict[str, list[KeptEvent]] = defaultdict(list)
        for profile, of_profile in events.items():
            if (key := key_of(profile)) is not None:
                # Profiles with the same key tell of the same resets and failures.
                told = {(event.kind, event.text) for event in by_key[key]}
                by_key[key] += [event for event in of_profile if (event.kind, event.text) not in told]
        kept.add_events_of(by_key)

    recorder = Recorder(
        _recording(history, key_of, takes_in=takes_in, tells_recent=tells_recent), keep_events, hub.report
    )
    hub.add_sink(recorder, _pause(profiles))
    return Monitored(hub, profiles, default, history, recorder)


def _pause(profiles: Sized) -> float:
    return _PAUSE if len(profiles) > 1 else 0.0


def _learning(history: History, members: Mapping[str | None, fleet.Member]) -> Callable[[str | None], None]:
    """Give what the week's keeper calls, on a separate thread."""
    from orcredit.balance import learning  # noqa: F401, PLC0415 - not only when the first hour is over; see `preload`
    from orcredit.history import week  # noqa: PLC0415 - as above

    def learn(name: str | None) -> None:
        profile = members[name].profile
        if profile is not None:
            week.refresh(history, profile.base_url, profile.key.get_secret_value())

    return learn


def _recording(
    history: History, key_of: Callable[[str | None], str | None], *, takes_in: bool, tells_recent: bool
) -> Callable[[Mapping[str | None, Balance]], dict[str | None, Recent]]:
    """Give what the recorder calls, on a separate thread, with the balances of profiles.

    Args:
        history: where they are recorded.
        key_of: gives the history's name for the key of a profile.
        takes_in: whether to take the spool in as well, at the first balance and then every few minutes: before the
            balance is recorded, than which its samples are older.
        tells_recent: whether to give what was spent lately.
    """
    taken_in_at: list[float] = []

    def record(balances: Mapping[str | None, Balance]) -> dict[str | None, Recent]:
        if takes_in and (not taken_in_at or time.monotonic() - taken_in_at[-1] >= _TAKE_IN_SECONDS):
            spool.take_in(history)
            taken_in_at[:] = [time.monotonic()]
        keys = {profile: key for profile in balances if (key := key_of(profile)) is not None}
        history.record_each((key, balances[profile], profile) for profile, key in keys.items())
        if not tells_recent:
            return {}
        return {profile: history.recent(key, balances[profile].fetched_at) for profile, key in keys.items()}

    return record
