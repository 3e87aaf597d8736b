"""The event stream: every refresh is sent to whoever listens, as soon as it is there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sse_starlette import EventSourceResponse, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from orcredit.monitor import Poller, Snapshot
    from orcredit.server.encoder import Encoder

PING_SECONDS = 15
"""Proxies and browsers give up on a connection that is silent for about a minute."""

RETRY_MILLISECONDS = 3000
"""After which a browser connects again."""


def event_stream(
    monitor: Poller,
    encoder: Encoder,
    *,
    last_event_id: str | None,
    is_allowed: Callable[[], bool],
    stopping: asyncio.Future[None],
    count: Callable[[int], None],
) -> EventSourceResponse:
    """Answer with a stream that lasts until the client has enough, its session ends, or the server stops.

    A reader too slow for it is dropped with its connection (`orcredit.server.connections`).

    Args:
        monitor: what happens.
        encoder: of the monitor's snapshots.
        last_event_id: what the client has seen already, as it says; the current answer is sent unless it is this one.
        is_allowed: asked before every event: a session may have ended since.
        stopping: done when the server stops.
        count: called with 1 when the stream begins and with -1 when it ends.
    """
    latest = monitor.latest
    has_seen = latest is not None and last_event_id == encoder.event_id(latest)
    after = latest.sequence if latest is not None and has_seen else 0

    async def events() -> AsyncIterator[bytes]:
        count(1)
        try:
            yield ServerSentEvent(retry=RETRY_MILLISECONDS).encode()
            sent = 0
            async for snapshot in _until(stopping, monitor.snapshots(after)):
                if not is_allowed():
                    return
                envelope = encoder.envelope(snapshot, sent).decode()
                yield ServerSentEvent(envelope, id=encoder.event_id(snapshot)).encode()
                sent = snapshot.sequence
        finally:
            count(-1)

    return EventSourceResponse(events(), ping=PING_SECONDS, sep="\r\n")


async def _until(stopping: asyncio.Future[None], snapshots: AsyncIterator[Snapshot]) -> AsyncIterator[Snapshot]:
    """Give the snapshots until the server stops."""
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
