"""Many pollers in one process: one task group, one merged stream of snapshots, one clock watcher, and the sinks.

A sink (`orcredit.sinks`) is a subscriber of the merged stream with a separate task, so that a slow one misses
snapshots instead of delaying polls or other sinks.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from orcredit.errors import place_of
from orcredit.monitor.events import InternalError
from orcredit.monitor.snapshot import Snapshot, T

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from datetime import datetime

    from orcredit.monitor.events import Event
    from orcredit.monitor.poller import Poller

WATCH_SECONDS = 5.0
"""Between two checks of the clock: after a laptop's sleep the clock says that polls are due, their sleeps do not."""

_S_contra = TypeVar("_S_contra", contravariant=True)


class Sink(Protocol[_S_contra]):
    """What happens with every snapshot beside showing it."""

    async def handle(self, snapshots: Sequence[_S_contra]) -> None:
        """Take in snapshots, of each profile one at most, oldest first; at least one.

        May take as long as it needs: of those of a profile that come meanwhile only the newest is kept.
        """


class Hub(Generic[T]):
    """Runs pollers, and passes their snapshots on.

    Args:
        pollers: with a profile of their own each.
        clock: the time of day; aware UTC.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        pollers: Iterable[Poller[T]],
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.pollers: Sequence[Poller[T]] = tuple(pollers)
        self.clock = clock
        self._sleep = sleep
        self._by_profile = {poller.profile: poller for poller in self.pollers}
        self._subscriptions: set[_Subscription[T]] = set()
        self._sinks: list[tuple[Sink[Snapshot[T]], float]] = []
        self._is_drained = False
        self._handling: set[asyncio.Task[None]] = set()
        numbers = itertools.count(1)
        for poller in self.pollers:
            poller.numbers = numbers
            poller.listen(self._pass_on)

    def add_sink(self, sink: Sink[Snapshot[T]], pause: float = 0.0) -> None:
        """Have every snapshot passed to a sink, from when the hub runs.

        Args:
            sink: which handles them.
            pause: seconds after which it gets the next ones at the earliest: many at once take it less time.
        """
        self._sinks.append((sink, pause))

    async def run(self) -> None:
        """Poll until cancelled. The sinks go on: `drain` ends them.

        Raises:
            ConfigurationError: the first poll of one failed for a reason that waiting does not cure.
        """
        for sink, pause in self._sinks:
            # Subscribed here, not in the task, which starts after the first snapshot may have been published.
            self._handling.add(asyncio.create_task(self._feed(sink, self._subscribe(), pause)))
        tasks: set[asyncio.Future[Any]] = {asyncio.ensure_future(poller.run()) for poller in self.pollers}
        tasks.add(asyncio.ensure_future(self._watch_clock()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self, seconds: float) -> None:
        """End the merged streams, and let the sinks handle what they have, but wait no longer than that."""
        self._is_drained = True
        for subscription in self._subscriptions:
            subscription.close()
        if self._handling:
            await asyncio.wait(self._handling, timeout=seconds)
        for task in self._handling:
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)

    async def snapshots(self, after: int = 0) -> AsyncIterator[Snapshot[T]]:
        """Iterate over the latest snapshot of each poller, and all from now on, until `drain`; in the order of numbers.

        Of each poller a slow subscriber gets the latest one only. Who has seen a number has seen all before it, but
        for those that a newer one of the same profile replaced.

        Args:
            after: snapshots up to this number are left out.
        """
        async for snapshot in self._subscribe(after):
            yield snapshot

    def report(self, profile: str | None, event: Event) -> None:
        """Publish an event that is not of a poll, with the snapshots of this profile."""
        self._by_profile[profile].report(event)

    def _subscribe(self, after: int = 0) -> _Subscription[T]:
        subscription = _Subscription[T](self._subscriptions.discard)
        if self._is_drained:
            subscription.close()
        self._subscriptions.add(subscription)
        known = [poller.latest for poller in self.pollers if poller.latest is not None]
        for snapshot in sorted(known, key=lambda snapshot: snapshot.sequence):
            if snapshot.sequence > after:
                subscription.put(snapshot)
        return subscription

    def _pass_on(self, snapshot: Snapshot[T]) -> None:
        for subscription in self._subscriptions:
            subscription.put(snapshot)

    async def _feed(self, sink: Sink[Snapshot[T]], subscription: _Subscription[T], pause: float) -> None:
        is_failing = False
        try:
            while snapshots := await subscription.all():
                try:
                    await sink.handle(snapshots)
                except Exception as bug:  # noqa: BLE001 - polls and the other sinks do not depend on it
                    if not is_failing:
                        reason = f"internal error in {type(sink).__name__}: {place_of(bug)}"
                        self.report(snapshots[0].profile, InternalError(at=self.clock(), reason=reason))
                    is_failing = True
                else:
                    is_failing = False
                if pause:
                    await subscription.pause(pause)
        finally:
            subscription.end()

    async def _watch_clock(self) -> None:
        """Wake the pollers that are due by the clock although their sleep is not over."""
        while True:
            await self._sleep(WATCH_SECONDS)
            for poller in self.pollers:
                poller.wake_if_due()


class _Subscription(Generic[T]):
    """The snapshots that one subscriber has not taken yet: the latest of each profile, oldest first."""

    def __init__(self, on_end: Callable[[_Subscription[T]], None]) -> None:
        self._on_end = on_end
        self._waiting: dict[str | None, Snapshot[T]] = {}
        self._has_news = asyncio.Event()
        self._is_closed = asyncio.Event()

    def put(self, snapshot: Snapshot[T]) -> None:
        self._waiting.pop(snapshot.profile, None)  # so that the newer one is last
        self._waiting[snapshot.profile] = snapshot
        self._has_news.set()

    def close(self) -> None:
        self._is_closed.set()
        self._has_news.set()

    def end(self) -> None:
        self._on_end(self)

    async def all(self) -> list[Snapshot[T]]:
        """Wait for snapshots, and take all that wait; none at the end."""
        await self._has_news.wait()
        taken = list(self._waiting.values())
        self._waiting.clear()
        if not self._is_closed.is_set():
            self._has_news.clear()
        return taken

    async def pause(self, seconds: float) -> None:
        """Wait so long, but not beyond the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_closed.wait()

    async def __aiter__(self) -> AsyncIterator[Snapshot[T]]:
        try:
            while True:
                await self._has_news.wait()
                while self._waiting:
                    profile = next(iter(self._waiting))
                    yield self._waiting.pop(profile)
                if self._is_closed.is_set():
                    return
                self._has_news.clear()
        finally:
            self.end()
