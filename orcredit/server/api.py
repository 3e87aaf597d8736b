"""The data routes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orcredit.server.answers import Prepared, Readiness, Refusal, to_json
from orcredit.server.doors import session_of
from orcredit.server.encoder import Encoder
from orcredit.server.events import event_stream
from orcredit.server.past import Question

if TYPE_CHECKING:
    from datetime import timedelta

    from starlette.requests import Request
    from starlette.responses import Response

    from orcredit.monitor import Poller, Snapshot
    from orcredit.server.past import Archive
    from orcredit.server.sessions import Sessions

READY_INTERVALS = 3
"""An answer as old as so many intervals is none to rely on."""


class Api:
    """Answers with what a monitor knows.

    Args:
        monitor: runs beside it.
        interval: at which it polls.
        archive: what was seen before.
        sessions: where a token is set.
        stopping: done when the server stops.
        most_streams: so many may be open; each keeps a file.
    """

    def __init__(
        self,
        monitor: Poller,
        interval: timedelta,
        archive: Archive,
        sessions: Sessions | None,
        *,
        stopping: asyncio.Future[None],
        most_streams: int,
    ) -> None:
        self._monitor = monitor
        self._too_old = READY_INTERVALS * interval.total_seconds()
        self._archive = archive
        self._sessions = sessions
        self._stopping = stopping
        self._most_streams = most_streams
        self._streams = 0
        self._encoder = Encoder(monitor)

    async def balance(self, _: Request) -> Response:
        """Give the newest document."""
        return self._document(self._monitor.latest)

    async def snapshot(self, _: Request) -> Response:
        """Give the newest snapshot in its envelope, with all events that are kept."""
        return Prepared(200, self._encoder.envelope(_known(self._monitor.latest)))

    async def refresh(self, _: Request) -> Response:
        """Have OpenRouter asked now, and give what that shows."""
        refreshing = asyncio.ensure_future(self._monitor.refresh())
        either: set[asyncio.Future[Any]] = {refreshing, self._stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not refreshing.done():
            refreshing.cancel()
            raise Refusal(503, "stopping", "orcredit is being stopped.", "Start it again.")
        return self._document(refreshing.result())

    async def events(self, request: Request) -> Response:
        """Give every document from now on."""
        session = session_of(request)
        if self._streams >= self._most_streams:
            raise Refusal(
                503,
                "too_many_streams",
                "Too many event streams are open.",
                "Ask for the balance once a minute instead.",
                headers={"Retry-After": "60"},
            )
        return event_stream(
            self._monitor,
            self._encoder,
            last_event_id=request.headers.get("last-event-id"),
            is_allowed=lambda: session is None or self._sessions is None or self._sessions.is_valid(session),
            stopping=self._stopping,
            count=self._count,
        )

    def _document(self, snapshot: Snapshot | None) -> Response:
        """Give the balance of a snapshot, or the problem, and its age in whole seconds."""
        status, body = self._encoder.document(_known(snapshot))
        age = self._encoder.age(snapshot)
        return Prepared(status, body, [] if age is None else [(b"age", b"%d" % age)])

    def _count(self, change: int) -> None:
        self._streams += change

    async def history(self, request: Request) -> Response:
        """Give what was left and what was spent."""
        return await self._archive.document(Question.read(request.query_params))

    async def history_csv(self, request: Request) -> Response:
        """Give what was spent, for a spreadsheet."""
        return await self._archive.csv(Question.read(request.query_params))

    async def ready(self, _: Request) -> Response:
        """Tell whether there is an answer to rely on."""
        age = self._encoder.age(self._monitor.latest)
        if age is None or age >= self._too_old:
            raise Refusal(
                503,
                "not_ready",
                "There is no answer of OpenRouter's yet." if age is None else f"The newest answer is {age:.0f} s old.",
                "GET /api/openrouter/balance says what is wrong.",
            )
        return Prepared(200, to_json(Readiness(age=round(age, 3))))


def _known(snapshot: Snapshot | None) -> Snapshot:
    """Give the snapshot.

    Raises:
        Refusal: the first poll has not ended.
    """
    if snapshot is None:
        raise Refusal(
            503,
            "starting",
            "OpenRouter has not answered yet.",
            "Try again in a moment.",
            headers={"Retry-After": "1"},
        )
    return snapshot
