"""The history as the API tells it: asked for on threads, a few at a time, and not twice between two refreshes."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from starlette.responses import Response

from orcredit.background import NoThreadError, in_background
from orcredit.durations import DURATION_FORMS, parse_duration
from orcredit.errors import HistoryError, UsageError
from orcredit.history import MOST_SAMPLES, History, as_csv
from orcredit.server.answers import Past, Prepared, Refusal, Spend, to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.datastructures import QueryParams

    from orcredit.history import Recent
    from orcredit.monitor import Poller

DEFAULT_SINCE = "7d"
EVERYTHING = "all"
DEFAULT_POINTS = 500

MOST_INTERVALS = 10_000
"""About 600 KB of JSON; whoever wants more asks in parts, or `orcredit history`."""

_HOURLY_UP_TO = timedelta(days=2)
_DAILY_UP_TO = timedelta(days=730)
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

_MOST_AT_ONCE = 2
_ANSWERS_KEPT = 16
_PATIENCE = 8.0
"""Seconds; a database that takes longer is in trouble."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know about the past.

    Attributes:
        look_back: how far; None is to the beginning.
        points: at most so many.
        every: how long the intervals of spend are; None leaves it to us.
    """

    look_back: timedelta | None
    points: int = DEFAULT_POINTS
    every: timedelta | None = None

    @classmethod
    def read(cls, query: QueryParams) -> Self:
        """Read a request's query.

        Raises:
            UsageError: a value that is not of its kind.
        """
        since, points, every = (_single(query, name) for name in ("since", "points", "every"))
        return cls(
            None if since == EVERYTHING else _duration("since", DEFAULT_SINCE if since is None else since),
            DEFAULT_POINTS if points is None else _points(points),
            None if every is None else _duration("every", every),
        )


def _single(query: QueryParams, name: str) -> str | None:
    """Give a parameter's value; None where it was not sent."""
    values = query.getlist(name)
    if len(values) > 1:
        raise UsageError(f"{name} was given {len(values)} times.", hint="Give it once.")
    return values[0] if values else None


def _points(text: str) -> int:
    # Nine digits at most: `int` refuses thousands of them, and takes those of every script.
    if re.fullmatch(r"[0-9]{1,9}", text) and 2 <= int(text) <= MOST_SAMPLES:
        return int(text)
    raise UsageError("points is no number of points.", hint=f"Accepted: 2 to {MOST_SAMPLES}.")


def _duration(name: str, text: str) -> timedelta:
    """Read a duration; what was sent is not repeated, for it may be anything."""
    with suppress(UsageError):
        duration = parse_duration(text)
        if duration >= timedelta(seconds=1) and not duration.microseconds:
            return duration
    raise UsageError(f"{name} is no duration of whole seconds.", hint=DURATION_FORMS)


class Archive:
    """Answers questions about what was seen of a key.

    Args:
        history: what was seen; the error that opening it met; or None where none is kept.
        key: as `orcredit.config.credentials.fingerprint` gives it.
        monitor: the age of an answer is that of its newest snapshot.
        recorded: waits until the history has the latest balance.
    """

    def __init__(
        self,
        history: History | HistoryError | None,
        key: str,
        monitor: Poller,
        recorded: Callable[[], Awaitable[None]],
    ) -> None:
        self._recorded = recorded
        self._history = history
        self._key = key
        self._monitor = monitor
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._answers: OrderedDict[tuple[str, Question], asyncio.Future[Response]] = OrderedDict()
        self._sequence = 0

    async def document(self, question: Question) -> Response:
        """Give points, spend and sums as JSON. Raises what `_answer` raises."""
        return await self._answer("json", question, self._document)

    async def csv(self, question: Question) -> Response:
        """Give spend as comma-separated values. Raises what `_answer` raises."""
        return await self._answer("csv", question, self._csv)

    async def _answer(
        self, form: str, question: Question, work: Callable[[History, Question, datetime], Response]
    ) -> Response:
        """Do what takes time on a thread, unless the same was done since the last refresh.

        Raises:
            Refusal: there is no history, or it does not answer.
            HistoryError: it is in trouble.
            UsageError: more intervals than it gives.
        """
        if self._history is None:
            raise Refusal(404, "no_history", "No history is kept.", "Start orcredit serve without --no-history.")
        if isinstance(self._history, HistoryError):
            raise self._history.with_traceback(None)  # else every raise would make it longer
        await self._recorded()
        latest = self._monitor.latest
        if latest is not None and latest.sequence != self._sequence:
            self._answers.clear()
            self._sequence = latest.sequence
        place = (form, question)
        answering = self._answers.get(place)
        if answering is None:
            answering = asyncio.ensure_future(self._in_turn(work, self._history, question))
            self._answers[place] = answering
            answering.add_done_callback(lambda done: self._forget_failure(place, done))
            if len(self._answers) > _ANSWERS_KEPT:
                self._answers.popitem(last=False)
        return await asyncio.shield(answering)

    def _forget_failure(self, place: tuple[str, Question], done: asyncio.Future[Response]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._answers.get(place) is done:
            del self._answers[place]

    async def _in_turn(
        self, work: Callable[[History, Question, datetime], Response], history: History, question: Question
    ) -> Response:
        """Run it when there is room; a thread that hangs keeps its place, so that no more than a few ever do."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._turns.acquire()
                working = in_background(work, history, question, self._now())
                working.add_done_callback(lambda _: self._turns.release())
                return await asyncio.shield(working)
        except NoThreadError:
            raise _busy("No thread could be started to ask the history.") from None
        except TimeoutError:
            raise _busy("The history takes long to answer.") from None

    def _now(self) -> datetime:
        """Tell the time as OpenRouter tells it, which is what samples are kept by."""
        latest = self._monitor.latest
        now = self._monitor.clock()
        if latest is None or latest.balance is None or latest.answered_at is None:
            return now
        return latest.balance.fetched_at + max(timedelta(0), now - latest.answered_at)

    def _document(self, history: History, question: Question, now: datetime) -> Response:
        recent = history.recent(self._key, now)
        since = _beginning(question, recent, now)
        samples = history.samples(self._key, since, now, question.points)
        intervals = history.spend(self._key, since, now, _width(question, since, now))
        spend = (Spend(start=one.start, end=one.end, usd=one.spend, estimated=one.estimated) for one in intervals)
        return Prepared(200, to_json(Past(points=tuple(samples), spend=tuple(spend), recent=recent)))

    def _csv(self, history: History, question: Question, now: datetime) -> Response:
        since = _beginning(question, history.recent(self._key, now), now)
        intervals = history.spend(self._key, since, now, _width(question, since, now))
        return Response(
            as_csv(intervals),
            media_type="text/csv",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": 'attachment; filename="orcredit-history.csv"',
            },
        )


def _busy(text: str) -> Refusal:
    return Refusal(503, "history_unavailable", text, "Try again later.", headers={"Retry-After": "10"})


def _beginning(question: Question, recent: Recent, now: datetime) -> datetime:
    """Tell since when: as it was asked for, but not before there was anything to be seen."""
    first = min(recent.since or now, now - timedelta(seconds=1))
    return first if question.look_back is None else max(first, now - question.look_back)


def _width(question: Question, since: datetime, now: datetime) -> timedelta:
    """Choose intervals that a chart has room for, unless they were asked for: hours, days, or weeks of years.

    Raises:
        UsageError: there would be more than a program can want at once.
    """
    if question.every is not None:
        if (now - since) / question.every > MOST_INTERVALS:
            raise UsageError(
                f"That would be more than {MOST_INTERVALS:,} intervals.",
                hint="Look back less far, or make them longer.",
            )
        return question.every
    look_back = question.look_back or now - since
    if look_back <= _HOURLY_UP_TO:
        return _HOUR
    return _DAY if look_back <= _DAILY_UP_TO else _WEEK
