"""Connections with two timeouts that uvicorn lacks: for an incomplete head, and for a client that stops reading.

Of uvicorn's parsers, h11 is the slowest and the only one that bounds the size of a head; it is fast enough
(`benchmarks/serve.py`). sse-starlette's `send_timeout` would cover event streams only.
"""

from __future__ import annotations

import math
import socket
import sys
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from orcredit.server.middleware.limits import head_too_large
from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

HEAD_SECONDS = 10.0
"""For a request's first line and headers, from the first byte; on a new connection from its start."""

STUCK_SECONDS = 20.0
"""Without progress while data waits for a client."""

_SENDING_BYTES = 64 * 1024
"""The system's send buffer, instead of up to 4 MB; Linux doubles it."""

_REPEAT_SECONDS = 60.0


def bound_sending(listening: socket.socket) -> None:
    """Bound the size and the time of the system's send buffer; accepted connections inherit both."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENDING_BYTES)
    if sys.platform == "linux":  # which also applies while the client's window is full
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STUCK_SECONDS * 1000))


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with two timeouts, and with `Problem` documents for invalid requests.

    Args:
        arguments: uvicorn's.
        on_lost: called with the protocol when its connection has ended.
        options: uvicorn's.
    """

    _waiting: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, on_lost: Callable[[BoundedProtocol], None], **options: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*arguments, **options)
        self._on_lost = on_lost

    @property
    def waits_since(self) -> float | None:
        """Since when, by the loop's clock, it has been waiting for a request; None during one."""
        if self._waiting is not None:
            return self._waiting.when() - HEAD_SECONDS
        if self.timeout_keep_alive_task is not None:
            return self.timeout_keep_alive_task.when() - self.timeout_keep_alive
        return None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Start the timeout for the head."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that any byte that waits starts the timeout
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Parse data; stop the timeout when a head is complete, start it when the next one begins."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeouts."""
        self._stop_waiting()
        if self._stuck is not None:
            self._stuck.cancel()
        self._on_lost(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timeout for a client that reads too slowly; what waits for it uses memory."""
        super().pause_writing()
        self._check_progress_after(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Cancel it: everything was sent."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, or whose head is too long, with a `Problem` document."""
        error = sys.exception()
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            self.transport.abort()  # in the middle of a response no other can be sent
            return
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            problem = head_too_large()
        else:
            problem = ProblemError(400, "bad_request", f"Invalid HTTP request: {msg[0].lower()}{msg[1:]}")
        response = problem.response(closes=True)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        for event in (
            h11.Response(status_code=response.status_code, headers=headers),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _check_progress_after(self, waiting: int) -> None:
        self._stuck = self.loop.call_later(STUCK_SECONDS, self._drop_if_stuck, waiting)

    def _drop_if_stuck(self, waited: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting >= waited:
            self.transport.abort()
        else:
            self._check_progress_after(waiting)

    def _wait_for_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class LoopErrorLog:
    """An event loop's exception handler that logs one line instead of a traceback, each text once a minute.

    Args:
        log: writes a line.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._logged_at: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what the loop reports."""
        error = context.get("exception")
        # The loop's message may contain representations of objects.
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__ if error else "unknown"
        text = f"connection error: {str(reason).lower()}"
        if loop.time() - self._logged_at.get(text, -math.inf) >= _REPEAT_SECONDS:
            self._logged_at[text] = loop.time()
            self._log(text)
