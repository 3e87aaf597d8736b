"""A debug line for each request, without anything that may hold a secret."""

from __future__ import annotations

import logging
import time
from http import HTTPMethod
from typing import TYPE_CHECKING

from orcredit.server.static import ASSETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset(HTTPMethod)

_logger = logging.getLogger("orcredit.server")


class LogMiddleware:
    """Logs method, path, status and duration; status 0 when no response was sent.

    Args:
        app: the application.
        paths: those with a route; other paths are not logged, since they may hold a key.
    """

    def __init__(self, app: ASGIApp, *, paths: Iterable[str]) -> None:
        self.app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not _logger.isEnabledFor(logging.DEBUG):
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting_status)
        finally:
            seconds = time.perf_counter() - started
            _logger.debug("answered %s: %s after %.3f s", self._shown(scope), status, seconds)

    def _shown(self, scope: Scope) -> str:
        """Name a request by known methods and paths only."""
        method: str = scope["method"] if scope["method"] in _METHODS else "(another method)"
        path: str = scope["path"]
        if path not in self._paths:
            path = f"{ASSETS}..." if path.startswith(ASSETS) else "(another path)"
        return f"{method} {path}"
