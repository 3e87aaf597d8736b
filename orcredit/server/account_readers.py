"""The accounts behind the profiles of a server: one reader for each management key and base URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orcredit.balance.account import KeyList
from orcredit.balance.activity import Activity
from orcredit.monitor.hub import WATCH_SECONDS
from orcredit.openrouter.account import MANAGEMENT_KEYS
from orcredit.openrouter.account_wire import ActivityItems, AnalyticsData, KeyRowsPage, WorkspacesPage
from orcredit.server.account_client import AccountClient
from orcredit.server.account_models import AccountDocument, KeyDays
from orcredit.server.account_reader import AccountReader, management_key_required
from orcredit.server.problems import problem_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime, timedelta

    from pydantic import SecretStr

    from orcredit.balance import Balance
    from orcredit.history import History
    from orcredit.monitor import Hub, Poller, Snapshot
    from orcredit.server.problems import ProblemError
    from orcredit.server.readings import Readings
    from orcredit.server.state import Source

_MOST_AT_ONCE = 10
"""Accounts whose keys are being listed; each sends one request at a time."""


class AccountReaders:
    """The accounts of all profiles.

    A key is sent to the base URL of its profiles only. Where profiles share an account, it is asked about with the
    first one's client, so by its name and its thresholds.

    Args:
        sources: by profile; the keys of an account are polled at the interval of the first profile that has it, or less
            often.
        history: where what keys spent is recorded; None where it is not.
        readings: reads it.
        clock: the time of day; aware UTC.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        sources: Mapping[str | None, Source],
        *,
        history: History | None,
        readings: Readings,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources = sources
        self._history = history
        self._readings = readings
        self._clock = clock
        self._sleep = sleep
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._readers: dict[tuple[str, SecretStr], AccountReader] = {}
        """By the account that each asked about first."""
        self._owners: set[str | None] = set()
        """The profiles whose keys the readers ask with."""
        self._by_profile: dict[str | None, AccountReader] = {}
        self._pollers: list[Poller[Any]] = []
        self._tasks: set[asyncio.Future[Any]] | None = None
        """What runs; None until it does."""
        for name in sources:
            self._see(name, None)

    def of(self, name: str | None, latest: Callable[[], Snapshot]) -> AccountReader:
        """Give the reader of a profile's account.

        Args:
            name: of a profile that there is.
            latest: gives the profile's newest snapshot, or raises a `ProblemError` before the first.

        Raises:
            ProblemError: 403, it has no management key; that of its key, as long as it is not known what the key is.
        """
        self._see(name, None)
        reader = self._by_profile.get(name)
        if reader is None:
            snapshot = latest()
            self._see(name, snapshot)
            reader = self._by_profile.get(name)
            if reader is None:
                raise _refusal(name, snapshot)
        return reader

    async def run(self, hub: Hub[Balance]) -> None:
        """Poll until cancelled; the hub, which runs beside it, tells which keys are management keys themselves."""
        self._tasks = {asyncio.ensure_future(poller.run()) for poller in self._pollers}
        self._tasks |= {asyncio.ensure_future(self._watch_clock()), asyncio.ensure_future(self._watch(hub))}
        try:
            while True:
                # As long as the pollers that are added meanwhile are not waited for, a bug in them is not noticed.
                done, _ = await asyncio.wait(self._tasks, timeout=WATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._tasks.discard(task)
                    task.result()
        finally:
            tasks, self._tasks = self._tasks or set(), None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, hub: Hub[Balance]) -> None:
        async for snapshot in hub.snapshots():
            self._see(snapshot.profile, snapshot)

    def _see(self, name: str | None, snapshot: Snapshot | None) -> None:
        """Find the account of a profile that has a management key, or whose key turns out to be one."""
        source = self._sources[name]
        client, reader = source.client(), self._by_profile.get(name)
        # With a key that was got anew, the profile's own reader goes on.
        if client is None or (reader is not None and name in self._owners):
            return
        balance = snapshot.balance if snapshot is not None else None
        is_management = balance is not None and balance.key.is_management_key
        if client.account_key is None and not is_management and reader is None:
            return
        asking = AccountClient(source.client, source.renew)
        if reader is not None and reader.client.identity == asking.identity:
            return
        reader = self._readers.get(asking.identity)
        if reader is None or reader.client.identity != asking.identity:
            reader = self._readers[asking.identity] = self._add(asking, source.interval)
            self._owners.add(name)
        self._by_profile[name] = reader

    def _add(self, client: AccountClient, interval: timedelta) -> AccountReader:
        _preload()
        reader = AccountReader(
            client,
            interval,
            history=self._history,
            readings=self._readings,
            turns=self._turns,
            clock=self._clock,
            sleep=self._sleep,
        )
        self._pollers += reader.pollers
        if self._tasks is not None:
            self._tasks |= {asyncio.ensure_future(poller.run()) for poller in reader.pollers}
        return reader

    async def _watch_clock(self) -> None:
        """Wake the pollers that are due by the clock although their sleep is not over, as the hub does."""
        while True:
            await self._sleep(WATCH_SECONDS)
            for poller in self._pollers:
                poller.wake_if_due()


def _preload() -> None:
    """Build the models of the answers now: an import in a later month may fail, as `orcredit.preload` says."""
    for model in (
        WorkspacesPage,
        KeyRowsPage,
        AnalyticsData,
        ActivityItems,
        KeyList,
        Activity,
        AccountDocument,
        KeyDays,
    ):
        model.model_rebuild()


def _refusal(name: str | None, snapshot: Snapshot) -> ProblemError:
    if snapshot.balance is None and snapshot.error is not None:
        return problem_for(snapshot.error)
    then = (
        "set OPENROUTER_MANAGEMENT_KEY, then start orcredit serve again."
        if name is None
        else f"add it with 'orcredit profile add {name} --management', then start orcredit serve again."
    )
    return management_key_required(
        "This needs a management key, and the key is an ordinary one.", f"Make one at {MANAGEMENT_KEYS} and {then}"
    )
