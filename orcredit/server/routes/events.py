"""`/api/openrouter/events`: each snapshot as a server-sent event, in its envelope."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sse_starlette import EventSourceResponse, ServerSentEvent

from orcredit.server.middleware.auth import session_of
from orcredit.server.openapi import PROFILE, ApiRoute, Operation, Parameter, Reply
from orcredit.server.problems import ProblemError
from orcredit.server.state import is_named, served, state_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from orcredit.monitor import Snapshot
    from orcredit.server.sessions import Session
    from orcredit.server.state import AppState, Served

PING_SECONDS = 15
"""Proxies and browsers drop a connection that is silent for about a minute."""

RETRY_MILLISECONDS = 3000
"""The delay after which a browser connects again."""


async def events(request: Request) -> Response:
    """Stream snapshots until the client disconnects, its session ends or the server stops.

    A reader that is too slow is dropped with its connection (`orcredit.server.connections`), as for every response;
    the stream's own `send_timeout` would leave what waits for the reader in memory.

    Raises:
        ProblemError: 503, too many streams are open.
    """
    state = state_of(request)
    profile = served(request) if is_named(request) else None
    if state.streams >= state.most_streams:
        raise ProblemError(
            503,
            "too_many_streams",
            "Too many event streams are open.",
            "GET /api/openrouter/snapshot once a minute instead.",
            headers={"Retry-After": "60"},
        )
    stream = _stream(state, profile, session_of(request), request.headers.get("last-event-id"))
    return EventSourceResponse(stream, ping=PING_SECONDS, sep="\r\n")


async def _stream(
    state: AppState, profile: Served | None, session: Session | None, last_event_id: str | None
) -> AsyncIterator[bytes]:
    """Give the events of one connection.

    Args:
        state: the server's.
        profile: whose snapshots; None for those of all.
        session: what the client logged in with, if it did; checked before each event.
        last_event_id: of the last event that the client received; snapshots that are not newer are skipped.
    """
    received = state.received(last_event_id)
    snapshots = state.hub.snapshots(received) if profile is None else profile.poller.snapshots(received)
    sent: dict[str | None, int] = {}
    state.streams += 1
    try:
        yield ServerSentEvent(retry=RETRY_MILLISECONDS).encode()
        async for snapshot in _until(state.stopping, snapshots):
            if session is not None and state.sessions is not None and not state.sessions.is_valid(session):
                return
            envelope = state.profiles[snapshot.profile].encoder.envelope(snapshot, sent.get(snapshot.profile, 0))
            yield ServerSentEvent(envelope.decode(), id=state.event_id(snapshot)).encode()
            sent[snapshot.profile] = snapshot.sequence
    finally:
        state.streams -= 1


async def _until(stopping: asyncio.Future[None], snapshots: AsyncIterator[Snapshot]) -> AsyncIterator[Snapshot]:
    """Give snapshots until the server stops."""
    while True:
        coming: asyncio.Future[Any] = asyncio.ensure_future(anext(snapshots))
        try:
            await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not coming.done():
                coming.cancel()
                with suppress(asyncio.CancelledError):
                    await coming
        if stopping.done():
            return
        yield coming.result()


ROUTES = (
    ApiRoute(
        "/api/openrouter/events",
        events,
        {
            "GET": Operation(
                "events",
                "Every snapshot from now on, as server-sent events",
                Reply(
                    "Each event is unnamed and holds an Envelope, of every profile or of the one in `profile`. The "
                    "first envelope of a profile on a connection has the newest 20 events, later ones have those since "
                    "the one before. The newest of each profile comes at once, unless the reader has it, as "
                    "Last-Event-ID says.",
                    "text/event-stream",
                ),
                problems=(404, 503),
                parameters=(
                    replace(PROFILE, description="The name of a profile, as elsewhere. Default: all profiles."),
                    Parameter(
                        "Last-Event-ID",
                        "The id of the last event that was received.",
                        {"type": "string"},
                        place="header",
                    ),
                ),
            )
        },
    ),
)
