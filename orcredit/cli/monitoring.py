"""What `watch` and `serve` poll: the user's key, or the demo's, with the sinks that belong to it."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from orcredit.cli.choosing import chosen_profile
from orcredit.client import AsyncClient, preload
from orcredit.config.load import load_thresholds
from orcredit.history import spool
from orcredit.monitor import BalancePoller, Hub
from orcredit.monitor.events import balance_changes
from orcredit.sinks.prompt import PromptCache
from orcredit.sinks.recorder import Recorder, kept_event
from orcredit.sinks.week import WeekKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from orcredit.balance import Balance
    from orcredit.config.profile import Profile
    from orcredit.history import History, KeptEvent, Recent
    from orcredit.monitor import Event, Poller

_RECORDED_SECONDS = 0.5
"""Recording needs a hundredth of that; a history that takes longer is read as it is."""

_TAKE_IN_SECONDS = 120.0
"""Between two looks at the spool."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """A hub with one poller, not yet running.

    Attributes:
        hub: runs the poller and the sinks.
        poller: of the key.
        history: where it is recorded; None where nothing is recorded.
        key: the history's name for the key.
        recorder: records; None where nothing is recorded.
        has_management_key: whether the whole account can be asked about.
        client: asks about the key, and about the account behind it.
    """

    hub: Hub[Balance]
    poller: Poller
    history: History | None
    key: str
    recorder: Recorder | None
    has_management_key: bool
    client: AsyncClient

    def recent(self) -> Recent | None:
        """Give what was spent lately, from the history."""
        return self.recorder.recent(self.poller.profile) if self.recorder is not None else None

    async def recorded(self) -> None:
        """Wait until the history has the latest balance, as long as a reader of the history should wait."""
        if self.recorder is not None and self.poller.latest is not None:
            await self.recorder.caught_up(self.poller.latest, _RECORDED_SECONDS)


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
    if not has_history:
        return _monitored(client, interval, None, "", hurries=hurries)
    from orcredit import demo  # noqa: PLC0415 - as below
    from orcredit.history import History  # noqa: PLC0415 - SQLAlchemy, which not every start needs

    history = History.in_memory()
    now = client.clock()
    demo.fill(history, now)
    history.add_events(demo.KEY, _demo_events(demo.times(now), warn_below))
    return _monitored(client, interval, history, demo.KEY, hurries=hurries)


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
    chosen = chosen_profile(profile, base_url=base_url, timeout=timeout, warn_below=warn_below)
    preload()
    history = None
    if has_history:
        from orcredit.history import History  # noqa: PLC0415 - as above

        history = History.load(database_url)
    # A database that was chosen for this one command does not get what `status` saw for the usual one.
    takes_in = database_url is None
    profiles = {chosen.name: chosen}
    client = AsyncClient.of(chosen, has_history=has_history, on_renewal=lambda new: profiles.update({new.name: new}))
    monitored = _monitored(
        client,
        interval,
        history,
        chosen.fingerprint,
        profile=chosen.name,
        hurries=hurries,
        takes_in=takes_in,
        has_management_key=chosen.management_key is not None,
    )
    monitored.hub.add_sink(PromptCache(profiles))
    if history is not None and takes_in:  # the week of another history is not the key's
        monitored.hub.add_sink(WeekKeeper(_learning(history, profiles)))
    return monitored


def _monitored(
    client: AsyncClient,
    interval: timedelta,
    history: History | None,
    key: str,
    *,
    profile: str | None = None,
    hurries: bool,
    takes_in: bool = False,
    has_management_key: bool = True,
) -> Monitored:
    poller = BalancePoller(client.balance, interval, profile=profile, hurries=hurries, clock=client.clock)
    hub = Hub([poller], clock=client.clock)
    if history is None:
        return Monitored(hub, poller, None, key, None, has_management_key, client)
    keys: dict[str | None, str] = {profile: key}
    recorder = Recorder(
        _recording(history, keys, takes_in=takes_in),
        lambda name, events: history.add_events(keys[name], events),
        hub.report,
    )
    hub.add_sink(recorder)
    return Monitored(hub, poller, history, key, recorder, has_management_key, client)


def _learning(history: History, profiles: Mapping[str | None, Profile]) -> Callable[[str | None], None]:
    """Give what the week's keeper calls, on a separate thread."""
    from orcredit.balance import learning  # noqa: F401, PLC0415 - not only when the first hour is over; see `preload`
    from orcredit.history import week  # noqa: PLC0415 - as above

    def learn(name: str | None) -> None:
        profile = profiles[name]
        week.refresh(history, profile.base_url, profile.key.get_secret_value())

    return learn


def _recording(
    history: History, keys: dict[str | None, str], *, takes_in: bool
) -> Callable[[str | None, Balance], Recent]:
    """Give what the recorder calls, on a separate thread, with every balance.

    Args:
        history: where they are recorded.
        keys: the history's names for the keys, by profile.
        takes_in: whether to take the spool in as well, at the first balance and then every few minutes: before the
            balance is recorded, than which its samples are older.
    """
    taken_in_at: list[float] = []

    def record(profile: str | None, balance: Balance) -> Recent:
        if takes_in and (not taken_in_at or time.monotonic() - taken_in_at[-1] >= _TAKE_IN_SECONDS):
            spool.take_in(history)
            taken_in_at[:] = [time.monotonic()]
        history.record(keys[profile], balance, profile=profile)
        return history.recent(keys[profile], balance.fetched_at)

    return record
