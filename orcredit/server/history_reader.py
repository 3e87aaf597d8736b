"""Reads the history for the API: on threads, two at a time, and each query once between two polls."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orcredit.background import NoThreadError, in_background
from orcredit.errors import UsageError
from orcredit.history import History, as_csv
from orcredit.server.models import HistoryDocument, Spend
from orcredit.server.problems import ProblemError
from orcredit.server.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orcredit.history import Recent
    from orcredit.monitor import Poller

DEFAULT_POINTS = 500

MOST_INTERVALS = 10_000
"""About 600 KB of JSON."""

_HOURLY_UP_TO = timedelta(days=2)
_DAILY_UP_TO = timedelta(days=730)
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

_MOST_AT_ONCE = 2
_RESULTS_KEPT = 16
_TIMEOUT = 8.0
"""Seconds for a query, the wait for its turn included."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What to read of the history.

    Attributes:
        look_back: how far; None means to the beginning.
        points: at most this many.
        every: length of the intervals of spend; None chooses one that suits a chart.
    """

    look_back: timedelta | None
    points: int = DEFAULT_POINTS
    every: timedelta | None = None


class HistoryReader:
    """Reads the history of one key.

    Args:
        history: where the key is recorded; None where nothing is.
        key: as `orcredit.config.credentials.fingerprint` gives it.
        monitor: results are kept until its next poll.
        recorded: waits until the history has the latest balance.
    """

    def __init__(
        self,
        history: History | None,
        key: str,
        monitor: Poller,
        recorded: Callable[[], Awaitable[None]],
    ) -> None:
        self._recorded = recorded
        self._history = history
        self._key = key
        self._monitor = monitor
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._results: OrderedDict[tuple[str, HistoryQuery], asyncio.Future[bytes]] = OrderedDict()
        self._sequence = 0

    async def document(self, query: HistoryQuery) -> bytes:
        """Give points, spend and sums as JSON; raises what `_read` raises."""
        return await self._read("json", query, self._document)

    async def csv(self, query: HistoryQuery) -> bytes:
        """Give spend as comma-separated values; raises what `_read` raises."""
        return await self._read("csv", query, self._csv)

    async def _read(
        self, form: str, query: HistoryQuery, work: Callable[[History, HistoryQuery, datetime], bytes]
    ) -> bytes:
        """Run a query on a thread, unless its result since the last poll is kept.

        Raises:
            ProblemError: 404, no history is kept; 503, it does not answer in time.
            HistoryError: it cannot be used.
            UsageError: there would be too many intervals.
        """
        if self._history is None:
            raise ProblemError(404, "no_history", "No history is kept.", "Start orcredit serve without --no-history.")
        await self._recorded()
        latest = self._monitor.latest
        if latest is not None and latest.sequence != self._sequence:
            self._results.clear()
            self._sequence = latest.sequence
        wanted = (form, query)
        reading = self._results.get(wanted)
        if reading is None:
            reading = asyncio.ensure_future(self._in_turn(work, self._history, query))
            self._results[wanted] = reading
            reading.add_done_callback(lambda done: self._forget_failure(wanted, done))
            if len(self._results) > _RESULTS_KEPT:
                self._results.popitem(last=False)
        return await asyncio.shield(reading)

    def _forget_failure(self, wanted: tuple[str, HistoryQuery], done: asyncio.Future[bytes]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._results.get(wanted) is done:
            del self._results[wanted]

    async def _in_turn(
        self, work: Callable[[History, HistoryQuery, datetime], bytes], history: History, query: HistoryQuery
    ) -> bytes:
        """Run it on a thread when fewer than two are busy; one that hangs stays counted."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._turns.acquire()
                working = in_background(work, history, query, self._now())
                working.add_done_callback(lambda _: self._turns.release())
                return await asyncio.shield(working)
        except NoThreadError:
            raise _unavailable("No thread could be started to read the history.") from None
        except TimeoutError:
            raise _unavailable("The history takes long to answer.") from None

    def _now(self) -> datetime:
        """Give the time by OpenRouter's clock, which the samples' times are by."""
        latest = self._monitor.latest
        now = self._monitor.clock()
        if latest is None or latest.balance is None or latest.answered_at is None:
            return now
        return latest.balance.fetched_at + max(timedelta(0), now - latest.answered_at)

    def _document(self, history: History, query: HistoryQuery, now: datetime) -> bytes:
        recent = history.recent(self._key, now)
        since = _beginning(query, recent, now)
        samples = history.samples(self._key, since, now, query.points)
        asked = since if query.look_back is None else now - query.look_back
        intervals = history.spend(self._key, since, now, _width(query, since, now))
        spend = (
            Spend(start=one.start, end=one.end, usd=one.spend, estimated=one.estimated, partial=one.partial)
            for one in intervals
        )
        return to_json(
            HistoryDocument(
                since=asked,
                until=now,
                points=tuple(samples),
                gaps=(),
                resets=(),
                spend=tuple(spend),
                events=(),
                recent=recent,
            )
        )

    def _csv(self, history: History, query: HistoryQuery, now: datetime) -> bytes:
        since = _beginning(query, history.recent(self._key, now), now)
        return as_csv(history.spend(self._key, since, now, _width(query, since, now))).encode()


def _unavailable(text: str) -> ProblemError:
    return ProblemError(503, "history_unavailable", text, "Try again later.", headers={"Retry-After": "10"})


def _beginning(query: HistoryQuery, recent: Recent, now: datetime) -> datetime:
    """Give the first instant: the one asked for, but not before the first sample."""
    first = min(recent.since or now, now - timedelta(seconds=1))
    return first if query.look_back is None else max(first, now - query.look_back)


def _width(query: HistoryQuery, since: datetime, now: datetime) -> timedelta:
    """Choose the length of the intervals: the one asked for, else hours, days or weeks, as a chart has room.

    Raises:
        UsageError: there would be more than `MOST_INTERVALS`.
    """
    if query.every is not None:
        if (now - since) / query.every > MOST_INTERVALS:
            raise UsageError(
                f"That would be more than {MOST_INTERVALS:,} intervals.",
                hint="Look back less far, or use longer intervals.",
            )
        return query.every
    look_back = query.look_back or now - since
    if look_back <= _HOURLY_UP_TO:
        return _HOUR
    return _DAY if look_back <= _DAILY_UP_TO else _WEEK
