"""The simulator as a server on a loopback socket, and as an HTTP client's transport in the same process."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from orcredit.simulator.routes import Request, Response, respond

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

API_PREFIX = "/api/v1"
"""The path of OpenRouter's API."""


def transport(clock: Callable[[], datetime]) -> httpx2.MockTransport:
    """Return `respond` as a transport for `httpx2.Client` and `httpx2.AsyncClient`, without a socket."""
    import httpx2  # noqa: PLC0415 - only needed here; the rest uses the standard library

    def handle(request: httpx2.Request) -> httpx2.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.url.raw_path.decode("ascii")
        answer = respond(Request(request.method, path, headers, request.content), clock())
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)

    return httpx2.MockTransport(handle)


def _utc_now() -> datetime:
    return datetime.now(UTC)


_Accepted: TypeAlias = socket.socket | tuple[bytes, socket.socket]


class _Listener(ThreadingHTTPServer):
    """A threading server that keeps track of its connections, to close them."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port: int, answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        self.is_stopping = threading.Event()
        self.connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's method looks up the host's name, which takes seconds on some machines.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: _Accepted, client_address: object) -> None:
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        self.connections[thread] = cast("socket.socket", request)
        thread.start()

    def process_request_thread(self, request: _Accepted, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.pop(threading.current_thread(), None)

    def handle_error(self, request: _Accepted, client_address: object) -> None:
        # Ignore closed connections: in tests, clients time out. Report bugs.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.is_stopping.set()
        self.shutdown()
        self.server_close()
        for thread, connection in list(self.connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write for headers and body: a second one would wait for an ACK (Nagle)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        listener = cast("_Listener", self.server)
        answer = listener.answer(Request(self.command, self.path, headers, body))
        if answer.delay:
            listener.is_stopping.wait(answer.delay)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    # The names are http.server's.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing: stderr is the tested program's."""


class Server:
    """An HTTP server on 127.0.0.1 that runs from its creation until `close` or the end of `with`."""

    base_url: str
    """`http://127.0.0.1:PORT/api/v1`."""
    requests: list[Request]
    """All requests so far, in order of arrival."""
    clock: Callable[[], datetime]
    """What time it is here."""

    def __init__(
        self,
        port: int = 0,
        clock: Callable[[], datetime] = _utc_now,
        responder: Callable[[Request, datetime], Response] = respond,
    ) -> None:
        """Listen on `port` (0: any free one); OSError if it is taken. `clock` gives the time of each request."""
        self.requests = []
        self.clock = clock

        def answer(request: Request) -> Response:
            self.requests.append(request)
            return responder(request, clock())

        self._listener = _Listener(port, answer)
        self.base_url = f"http://127.0.0.1:{self._listener.server_port}{API_PREFIX}"
        self._thread: threading.Thread | None = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the server, its connections and its threads. May be called twice."""
        if self._thread is not None:
            self._listener.stop()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        """Return the server, which is already listening."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the server."""
        self.close()
