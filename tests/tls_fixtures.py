"""Fixtures: an https server on this machine, and the certificate authority that it uses."""

from __future__ import annotations

import http.server
import ssl
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trustme

from orcredit import (
    simulator,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = simulator.key_for("normal")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_url(authority: trustme.CA) -> Iterator[str]:
    """An https URL on this machine with a certificate of `authority`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = simulator.Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            answer = simulator.respond(request, datetime.now(UTC))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Ignore clients that close the connection because of the certificate."""

        def finish_request(self, request: object, client_address: object) -> None:
            with context.wrap_socket(request, server_side=True) as secured:  # type: ignore[arg-type]
                super().finish_request(secured, client_address)

    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"https://localhost:{running.server_port}/api/v1"
        running.shutdown()
        thread.join()
