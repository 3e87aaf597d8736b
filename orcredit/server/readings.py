"""Readings of the history for the API: on threads, two at a time, and the newest results kept.

A reading that takes longer than its request waits goes on, and the next request for the same gets its result, also if
there was a poll meanwhile: else every retry would begin anew, and none would ever get it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from orcredit.background import NoThreadError, in_background
from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_R = TypeVar("_R")

_MOST_AT_ONCE = 2
_RESULTS_KEPT = 16
_TIMEOUT = 8.0
"""Seconds that are waited for a reading, its turn included."""

_LONGEST = 300.0
"""Seconds after its beginning that a late reading is waited for: one may hang."""

_LATE_KEPT = 60.0
"""Seconds that its result is kept."""


class _Late(NamedTuple):
    """A reading that was not waited for, and when it was begun, by the loop's clock."""

    reading: asyncio.Future[Any]
    begun: float


class Readings:
    """Readings of all profiles.

    Args:
        timeout: seconds that are waited for a reading.
    """

    def __init__(self, timeout: float = _TIMEOUT) -> None:
        self._timeout = timeout
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._results: OrderedDict[Hashable, asyncio.Future[Any]] = OrderedDict()
        self._late: OrderedDict[Hashable, _Late] = OrderedDict()

    async def result(self, wanted: Hashable, version: Hashable, work: Callable[[], _R]) -> _R:
        """Do what is wanted on a thread, unless its result is kept or being worked on.

        Args:
            wanted: what the work reads.
            version: whatever changes when its result does.
            work: reads it; blocks.

        Raises:
            ProblemError: 503, the history does not answer in time.
            OrcreditError: as of the work.
        """
        begun = asyncio.get_running_loop().time()
        reading: asyncio.Future[_R] | None = self._results.get((wanted, version)) or self._take_late(wanted, begun)
        if reading is None:
            reading = asyncio.ensure_future(self._in_turn(work))
            self._results[wanted, version] = reading
            reading.add_done_callback(lambda done: self._forget_failure((wanted, version), done))
            if len(self._results) > _RESULTS_KEPT:
                self._results.popitem(last=False)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(reading)
        except TimeoutError:
            raise _unavailable("The history takes long to answer.") from None
        finally:
            late = self._late.get(wanted)
            if reading.done():
                self._forget_late(wanted, reading)
            elif late is None or late.reading is not reading:
                self._late[wanted] = _Late(reading, begun)
                reading.add_done_callback(partial(self._keep_late, wanted))
                if len(self._late) > _RESULTS_KEPT:
                    self._late.popitem(last=False)

    def _take_late(self, wanted: Hashable, now: float) -> asyncio.Future[Any] | None:
        """Give a reading of the same that was not waited for: while it lasts to all, and its result once."""
        late = self._late.get(wanted)
        if late is None:
            return None
        reading = late.reading
        if not reading.done() and now - late.begun <= _LONGEST:
            return reading
        del self._late[wanted]
        is_read = reading.done() and not reading.cancelled() and reading.exception() is None
        return reading if is_read else None

    def _keep_late(self, wanted: Hashable, reading: asyncio.Future[Any]) -> None:
        reading.get_loop().call_later(_LATE_KEPT, self._forget_late, wanted, reading)

    def _forget_late(self, wanted: Hashable, reading: asyncio.Future[Any]) -> None:
        late = self._late.get(wanted)
        if late is not None and late.reading is reading:
            del self._late[wanted]

    def _forget_failure(self, wanted: Hashable, done: asyncio.Future[Any]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._results.get(wanted) is done:
            del self._results[wanted]

    async def _in_turn(self, work: Callable[[], _R]) -> _R:
        """Run it on a thread when fewer than two are busy; one that hangs stays counted."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise _unavailable("The history takes long to answer.") from None
        working = in_background(work)
        working.add_done_callback(lambda _: self._turns.release())
        try:
            return await asyncio.shield(working)
        except NoThreadError:
            raise _unavailable("No thread could be started to read the history.") from None


def no_history() -> ProblemError:
    """Make the error of a server that keeps none."""
    return ProblemError(404, "no_history", "No history is kept.", "Start orcredit serve without --no-history.")


def _unavailable(text: str) -> ProblemError:
    return ProblemError(503, "history_unavailable", text, "Try again later.", headers={"Retry-After": "10"})
