"""Where a token is set, everything but the page and the login requires it, or a session begun with it.

The paths that do not are listed here, so that a new route requires the token unless it is added. Starlette's
`AuthenticationMiddleware` is the other way round: each route would have to ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from orcredit.server.problems import ProblemError
from orcredit.server.rate_limiter import BEARER_ATTEMPTS, RateLimiter, client_address
from orcredit.server.static import ASSETS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from orcredit.server.sessions import Session, Sessions

_SESSION = "orcredit.session"
"""The key of a request's session in its scope."""

_OPEN_PATHS = frozenset({"/", "/healthz"})


class AuthMiddleware:
    """Checks the session cookie or the bearer token.

    Wrong bearer tokens are counted: otherwise they would get around the limit on logins.

    Args:
        app: the application.
        sessions: None where no token is required.
        cookie_name: the session cookie's.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions | None, cookie_name: str) -> None:
        self.app = app
        self._sessions = sessions
        self._cookie_name = cookie_name
        self._limiter = RateLimiter(BEARER_ATTEMPTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._sessions is not None:
            self._check(self._sessions, scope)
        await self.app(scope, receive, send)

    def _check(self, sessions: Sessions, scope: Scope) -> None:
        headers = dict(scope["headers"])
        session = None
        if b"cookie" in headers:
            # Proxies that speak HTTP/2 may have split the cookies (RFC 9113, 8.2.3).
            cookies = "; ".join(Headers(scope=scope).getlist("cookie"))
            session = sessions.read(cookie_parser(cookies).get(self._cookie_name, ""))
            scope[_SESSION] = session
        if session is not None or _is_open(scope["path"], scope["method"]):
            return
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            address = client_address(scope)
            self._limiter.check(address)
            if sessions.knows(token.strip()):
                return
            self._limiter.fail(address)
        raise ProblemError(
            401,
            "unauthorized",
            "The token is wrong." if scheme else "This server requires a token.",
            "Log in on the page, or send the token of ORCREDIT_TOKEN in the header 'Authorization: Bearer ...'.",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _is_open(path: str, method: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(ASSETS) or (path, method) == ("/api/session", "POST")


def session_of(request: Request) -> Session | None:
    """Give the session that a request came with."""
    session: Session | None = request.scope.get(_SESSION)
    return session
