"""Pages of other sites get no data. Browsers send `Origin` and `Sec-Fetch-Site`; programs send neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_DATA_PATHS = frozenset({"/readyz", "/openapi.json"})
"""Besides everything below /api/."""


class OriginMiddleware:
    """Refuses requests for data that a page of another site makes.

    Only the host and port of `Origin` are compared: behind a proxy that speaks TLS, the scheme differs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path: str = scope["path"]
        if (path.startswith("/api/") or path in _DATA_PATHS) and _is_foreign(dict(scope["headers"])):
            raise ProblemError(
                403,
                "foreign_origin",
                "A page of another site asked for this.",
                "Open the page of this server itself; a proxy in front must pass the Host header on unchanged.",
            )
        await self.app(scope, receive, send)


def _is_foreign(headers: Mapping[bytes, bytes]) -> bool:
    if headers.get(b"sec-fetch-site", b"none") not in {b"same-origin", b"none"}:
        return True
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower()
