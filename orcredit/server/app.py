"""The Starlette application: routes, middleware and exception handlers put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from orcredit.errors import OrcreditError
from orcredit.server.encoder import Encoder
from orcredit.server.history_reader import HistoryReader
from orcredit.server.middleware import middleware_stack
from orcredit.server.openapi import describe
from orcredit.server.problems import handle_http_exception, handle_orcredit_error
from orcredit.server.rate_limiter import LOGIN_ATTEMPTS, RateLimiter
from orcredit.server.routes import API_ROUTES, PAGE_ROUTES
from orcredit.server.state import AppState
from orcredit.server.static import Page

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import timedelta

    from starlette.types import ASGIApp

    from orcredit.history import History
    from orcredit.monitor import Poller
    from orcredit.server.sessions import Sessions


def create_app(
    monitor: Poller,
    *,
    interval: timedelta,
    history: History | None,
    key: str,
    recorded: Callable[[], Awaitable[None]],
    sessions: Sessions | None,
    port: int,
    hosts: Iterable[str],
    stopping: asyncio.Future[None],
    most_streams: int,
) -> ASGIApp:
    """Make the application; the monitor must run beside it.

    Args:
        monitor: what is shown.
        interval: at which it polls.
        history: where the key is recorded; None where nothing is.
        key: the key's fingerprint (`orcredit.config.credentials.fingerprint`).
        recorded: waits until the history has the latest balance.
        sessions: None where no token is required.
        port: part of the session cookie's name, since browsers send a host's cookies to all its ports.
        hosts: names, besides this machine's own, that a request's Host may be.
        stopping: done when the server stops; event streams end then.
        most_streams: event streams that may be open at once.
    """
    cookie_name = f"orcredit_session_{port}"
    routes = [*API_ROUTES, *PAGE_ROUTES]
    app = Starlette(
        routes=routes,
        middleware=middleware_stack(
            paths=[route.path for route in routes], hosts=hosts, sessions=sessions, cookie_name=cookie_name
        ),
        exception_handlers={HTTPException: handle_http_exception, OrcreditError: handle_orcredit_error},
    )
    app.router.redirect_slashes = False
    app.state.server = AppState(
        monitor=monitor,
        interval=interval,
        encoder=Encoder(monitor),
        history=HistoryReader(history, key, monitor, recorded),
        sessions=sessions,
        cookie_name=cookie_name,
        login_limiter=RateLimiter(LOGIN_ATTEMPTS),
        stopping=stopping,
        most_streams=most_streams,
        description=describe(API_ROUTES, cookie_name),
        page=Page(),
    )
    return app
