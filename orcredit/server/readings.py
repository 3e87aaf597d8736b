"""Readings of the history for the API: on threads, two at a time, and the newest results kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from orcredit.background import NoThreadError, in_background
from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_MOST_AT_ONCE = 2
_RESULTS_KEPT = 16
_TIMEOUT = 8.0
"""Seconds for a reading, the wait for its turn included."""


class Readings:
    """Readings of all profiles."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._results: OrderedDict[Hashable, asyncio.Future[bytes]] = OrderedDict()

    async def result(self, wanted: Hashable, work: Callable[[], bytes]) -> bytes:
        """Do what is wanted on a thread, unless its result is kept or being worked on.

        Args:
            wanted: what the work reads, with whatever changes when its result does.
            work: reads it; blocks.

        Raises:
            ProblemError: 503, the history does not answer in time.
            OrcreditError: as of the work.
        """
        reading = self._results.get(wanted)
        if reading is None:
            reading = asyncio.ensure_future(self._in_turn(work))
            self._results[wanted] = reading
            reading.add_done_callback(lambda done: self._forget_failure(wanted, done))
            if len(self._results) > _RESULTS_KEPT:
                self._results.popitem(last=False)
        return await asyncio.shield(reading)

    def _forget_failure(self, wanted: Hashable, done: asyncio.Future[bytes]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._results.get(wanted) is done:
            del self._results[wanted]

    async def _in_turn(self, work: Callable[[], bytes]) -> bytes:
        """Run it on a thread when fewer than two are busy; one that hangs stays counted."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._turns.acquire()
                working = in_background(work)
                working.add_done_callback(lambda _: self._turns.release())
                return await asyncio.shield(working)
        except NoThreadError:
            raise _unavailable("No thread could be started to read the history.") from None
        except TimeoutError:
            raise _unavailable("The history takes long to answer.") from None


def no_history() -> ProblemError:
    """Make the error of a server that keeps none."""
    return ProblemError(404, "no_history", "No history is kept.", "Start orcredit serve without --no-history.")


def _unavailable(text: str) -> ProblemError:
    return ProblemError(503, "history_unavailable", text, "Try again later.", headers={"Retry-After": "10"})
