"""What every request passes before its route. The order matters; see `middleware_stack`.

Security headers are no middleware: uvicorn adds them to every response, also to those that no application sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware import Middleware

from orcredit.server.middleware.auth import AuthMiddleware
from orcredit.server.middleware.errors import ErrorMiddleware
from orcredit.server.middleware.hosts import HostMiddleware
from orcredit.server.middleware.limits import BodyLimitMiddleware, HeadLimitMiddleware
from orcredit.server.middleware.log import LogMiddleware
from orcredit.server.middleware.origin import OriginMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.server.sessions import Sessions


def middleware_stack(
    *, paths: Iterable[str], hosts: Iterable[str], sessions: Sessions | None, cookie_name: str
) -> list[Middleware]:
    """List the middleware, outermost first.

    Args:
        paths: those with a route; other paths are not logged, since they may hold a key.
        hosts: names that a request's Host may be, besides this machine's own.
        sessions: None where no token is required.
        cookie_name: the session cookie's.
    """
    return [
        Middleware(LogMiddleware, paths=paths),
        Middleware(ErrorMiddleware),  # answers what those below raise
        Middleware(HeadLimitMiddleware),  # before the checks: they may rely on each header being there once
        Middleware(HostMiddleware, hosts=hosts),
        Middleware(OriginMiddleware),
        Middleware(AuthMiddleware, sessions=sessions, cookie_name=cookie_name),
        Middleware(BodyLimitMiddleware),  # last: only a request that passed all checks has its body read
    ]
