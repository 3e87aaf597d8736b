"""Connections with the limits that uvicorn lacks: for a head that never ends, and for a reader that does not read.

h11, the slowest of uvicorn's parsers, is the one whose head can be bounded; it is fast enough (`benchmarks/serve.py`).
"""

from __future__ import annotations

import math
import socket
import sys
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from orcredit.server.answers import Refusal
from orcredit.server.doors import SECURITY_HEADERS, head_too_large

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

HEAD_SECONDS = 10.0
"""For a request's first line and headers, from the first byte or, on a new connection, from its beginning."""

STUCK_SECONDS = 20.0
"""For a reader that takes nothing of what waits for it."""

_SENDING_BYTES = 64 * 1024
"""What the system keeps for a reader, instead of up to 4 MB; Linux doubles it."""

_REPEAT_SECONDS = 60.0


def bound_sending(listening: socket.socket) -> None:
    """Bound what the system keeps for readers that do not read, and for how long; accepted connections inherit it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENDING_BYTES)
    if sys.platform == "linux":  # where it also ends a connection whose reader has no room left
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STUCK_SECONDS * 1000))


class BoundedProtocol(H11Protocol):
    """uvicorn's own, with two timeouts, and errors in the form that all our errors have.

    Args:
        arguments: uvicorn's.
        on_lost: called with it when its connection has ended.
        options: uvicorn's, too.
    """

    _waiting: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, on_lost: Callable[[BoundedProtocol], None], **options: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*arguments, **options)
        self._on_lost = on_lost

    @property
    def waits_since(self) -> float | None:
        """Since when, by the loop's clock, it has been waiting for a request; None while there is one."""
        if self._waiting is not None:
            return self._waiting.when() - HEAD_SECONDS
        if self.timeout_keep_alive_task is not None:
            return self.timeout_keep_alive_task.when() - self.timeout_keep_alive
        return None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin to wait for a request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that any byte that waits here starts the clock
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read on; stop waiting when a head is complete, and begin to when there is a part of the next."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_waiting()
        if self._stuck is not None:
            self._stuck.cancel()
        self._on_lost(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a reader that is behind some time, and drop it then: what waits for it takes memory."""
        super().pause_writing()
        self._look_again_at(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or has too long a head, as everything else is refused."""
        error = sys.exception()
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            self.transport.abort()  # in the middle of an answer there is nothing to be said
            return
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            refusal = head_too_large()
        else:
            refusal = Refusal(400, "bad_request", f"This is not HTTP as orcredit reads it: {msg[0].lower()}{msg[1:]}")
        response = refusal.response()
        headers = [*response.raw_headers, *SECURITY_HEADERS, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=response.status_code, headers=headers),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _look_again_at(self, waiting: int) -> None:
        self._stuck = self.loop.call_later(STUCK_SECONDS, self._drop_if_stuck, waiting)

    def _drop_if_stuck(self, waited: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting >= waited:
            self.transport.abort()
        else:
            self._look_again_at(waiting)

    def _wait_for_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class TroubleReport:
    """An event loop's exception handler that says in a line what the loop's own way says in a traceback.

    A loop that is out of files says so every second, and one line in a minute is enough to read.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the loop reports."""
        error = context.get("exception")
        # Not the loop's own message, which may name objects.
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__ if error else "unknown"
        text = f"a connection failed: {str(reason).lower()}"
        if loop.time() - self._told.get(text, -math.inf) >= _REPEAT_SECONDS:
            self._told[text] = loop.time()
            self._tell(text)
