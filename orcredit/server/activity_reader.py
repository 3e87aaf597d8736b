"""Asks OpenRouter's analytics on demand, a few at a time, and keeps the answers for a while, in bounded memory."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from orcredit.account import NoAnalyticsError
from orcredit.background import aside
from orcredit.errors import OrcreditError, UnreachableError
from orcredit.server.problems import ProblemError, problem_for
from orcredit.server.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orcredit.balance.activity import Activity, By

MOST_AT_ONCE = 2
"""Questions, of about four requests each."""

MOST_WAITING = 16
"""Questions that have not been answered yet, of all clients; the next one is refused."""

MOST_KEPT = 16 * 1024 * 1024
"""Bytes of answers; one has a few thousand, and 4 MiB at most."""

MANY_KEPT = 256
"""Answers, however small."""

_LONG, _LONG_KEPT, _SHORT_KEPT = timedelta(days=1), 3600.0, 60.0
"""From which span on an answer is kept for an hour, else for a minute (seconds)."""

_FAILURE_KEPT = 10.0
"""Seconds for which a failure is the answer, unless OpenRouter asks to wait longer."""


class ActivityQuery(NamedTuple):
    """What is asked: by one thing or by two that cross, how far back, and for how many rows (None: all)."""

    by: tuple[By, ...]
    since: timedelta
    top: int | None


@dataclass(slots=True)
class _Kept:
    answering: asyncio.Future[bytes | ProblemError]
    until: float | None = None
    """By the timer; None while it is being asked."""
    size: int = 0


class ActivityReader:
    """Answers questions about an account's activity.

    Args:
        ask: asks OpenRouter.
        timer: monotonic seconds.
    """

    def __init__(
        self, ask: Callable[[ActivityQuery], Awaitable[Activity]], timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._timer = timer
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._kept: OrderedDict[ActivityQuery, _Kept] = OrderedDict()

    async def document(self, query: ActivityQuery) -> bytes:
        """Give an activity as JSON.

        Raises:
            ProblemError: it could not be had, or too many questions wait.
        """
        self._drop_old()
        kept = self._kept.get(query)
        if kept is None:
            if sum(one.until is None for one in self._kept.values()) >= MOST_WAITING:
                raise ProblemError(
                    503,
                    "busy",
                    "Too many questions about the activity wait for OpenRouter.",
                    "Try again in a moment.",
                    headers={"Retry-After": "5"},
                )
            kept = self._kept[query] = _Kept(asyncio.ensure_future(self._answer(query)))
        outcome = await asyncio.shield(kept.answering)
        if isinstance(outcome, ProblemError):
            raise ProblemError(
                outcome.status_code,
                outcome.problem.code,
                outcome.problem.error,
                outcome.problem.hint,
                headers=outcome.headers,
            )  # fmt: skip - a new one each time: tracebacks would add up
        return outcome

    async def _answer(self, query: ActivityQuery) -> bytes | ProblemError:
        seconds = _LONG_KEPT if query.since >= _LONG else _SHORT_KEPT
        outcome: bytes | ProblemError
        try:
            async with self._turns:
                found = await self._ask(query)
                outcome = await aside(lambda: to_json(found))
        except OrcreditError as error:
            outcome = activity_problem(error)
            seconds = max(_FAILURE_KEPT, getattr(error, "retry_after", None) or 0.0)
        except BaseException:
            self._kept.pop(query, None)
            raise
        kept = self._kept[query]
        kept.until = self._timer() + seconds
        kept.size = len(outcome) if isinstance(outcome, bytes) else 0
        self._kept.move_to_end(query)
        self._bound()
        return outcome

    def _drop_old(self) -> None:
        now = self._timer()
        for query in [query for query, one in self._kept.items() if one.until is not None and one.until <= now]:
            del self._kept[query]

    def _bound(self) -> None:
        """Drop the oldest answers, all but the newest, until the rest is small enough."""
        done = [query for query, one in self._kept.items() if one.until is not None]
        size = sum(self._kept[query].size for query in done)
        for place, query in enumerate(done[:-1]):
            if size <= MOST_KEPT and len(done) - place <= MANY_KEPT:
                break
            size -= self._kept.pop(query).size


def activity_problem(error: OrcreditError) -> ProblemError:
    """Translate an error of asking for the activity, for readers of the page, which has no options."""
    if isinstance(error, NoAnalyticsError):
        return ProblemError(502, "no_analytics", str(error), error.hint)
    problem = problem_for(error)
    if isinstance(error, UnreachableError) and error.status == 408:
        text = "OpenRouter needs too long to add this up (408)."
        hint = "Choose a shorter time or another breakdown, or try again in a minute."
        return ProblemError(problem.status_code, problem.problem.code, text, hint)
    return problem
