"""Accepts connections for uvicorn, and leaves file descriptors for everything else.

A server without a free descriptor can neither poll OpenRouter nor open its history. asyncio's server accepts as many
connections as its backlog at once, before any protocol is created for them; so they are accepted here. (uvicorn's
`limit_concurrency` counts connections that were accepted already, and answers each with a 503.)
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from orcredit.server.connections import BoundedProtocol
from orcredit.server.middleware.limits import MOST_HEAD_BYTES
from orcredit.server.security_headers import SECURITY_HEADERS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

GRACE_SECONDS = 1
"""For responses that are being sent when the server stops."""

RESERVED_FILES = 32
"""For standard input and output, the event loop, the listening socket, a poll's connections and the history's files."""

CLEARING_SECONDS = 1.0
"""While the server is full, connections are closed that have sent no request for this long."""

_RETRY_SECONDS = 1.0
"""Until it accepts again after an error of the system, as in asyncio."""

_AT_ONCE = 64
"""Connections accepted in one iteration of the event loop."""


class Listener(uvicorn.Server):
    """A uvicorn server without signal handling, with a bounded number of connections.

    While it is full, new connections wait in the system's queue, and connections that have sent no request for a second
    are closed, so that idle ones do not keep others out for long.

    Args:
        app: the application.
        most_connections: that may be open at once, at least one.
        on_listening: called once connections are accepted.
    """

    def __init__(self, app: ASGIApp, *, most_connections: int, on_listening: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                workers=1,  # otherwise WEB_CONCURRENCY is read, which may be invalid
                server_header=False,
                headers=list(SECURITY_HEADERS),
                proxy_headers=False,  # any client could claim any address with them
                h11_max_incomplete_event_size=MOST_HEAD_BYTES,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._most = most_connections
        self._on_listening = on_listening
        self._listening: list[socket.socket] = []
        self._open: set[BoundedProtocol] = set()
        self._beginning: set[asyncio.Task[object]] = set()
        self._is_accepting = False
        self._clearing: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `orcredit.server.running`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and call `on_listening`."""
        await super().startup(sockets=[])
        self._listening = sockets or []
        for listening in self._listening:
            listening.settimeout(0)
        self._resume()
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, and close the open ones."""
        self._pause()
        self._listening = []  # so that `_release` does not accept again
        await super().shutdown(sockets)

    def _resume(self) -> None:
        if not self._is_accepting and self._listening:
            self._is_accepting = True
            for listening in self._listening:
                asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _pause(self) -> None:
        self._is_accepting = False
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_AT_ONCE):
            if len(self._open) >= self._most:
                self._pause()
                if self._clearing is None:
                    self._clearing = loop.call_later(CLEARING_SECONDS, self._clear)
                return
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors or memory, as would be the next iteration
                self._pause()
                loop.call_later(_RETRY_SECONDS, self._resume)
                loop.call_exception_handler({"message": "no connection could be accepted", "exception": error})
                return
            self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        protocol = BoundedProtocol(self.config, self.server_state, app_state={}, _loop=loop, on_lost=self._release)
        self._open.add(protocol)
        task = loop.create_task(loop.connect_accepted_socket(lambda: protocol, connection))
        self._beginning.add(task)
        task.add_done_callback(partial(self._begun, protocol, connection))

    def _begun(self, protocol: BoundedProtocol, connection: socket.socket, task: asyncio.Task[object]) -> None:
        self._beginning.discard(task)
        if task.cancelled() or task.exception() is not None:
            connection.close()
            self._release(protocol)

    def _release(self, protocol: BoundedProtocol) -> None:
        """Stop counting a connection; its descriptor is closed before the next iteration of the loop."""
        self._open.discard(protocol)
        self._resume()

    def _clear(self) -> None:
        """Close connections that have sent no request, if new ones wait."""
        self._clearing = None
        if self._is_accepting or not self._listening:
            return
        loop = asyncio.get_running_loop()
        for protocol in list(self._open):
            since = protocol.waits_since
            if since is not None and loop.time() - since >= CLEARING_SECONDS:
                protocol.transport.abort()
        self._clearing = loop.call_later(CLEARING_SECONDS, self._clear)
