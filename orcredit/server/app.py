"""The Starlette application: routes, middleware and exception handlers put together."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from orcredit.errors import OrcreditError
from orcredit.server.days_reader import DaysReader
from orcredit.server.encoder import Encoder
from orcredit.server.history_reader import HistoryReader
from orcredit.server.middleware import middleware_stack
from orcredit.server.openapi import describe
from orcredit.server.problems import handle_http_exception, handle_orcredit_error
from orcredit.server.rate_limiter import LOGIN_ATTEMPTS, RateLimiter
from orcredit.server.routes import API_ROUTES, PAGE_ROUTES
from orcredit.server.state import AppState, Served
from orcredit.server.static import Page

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.types import ASGIApp

    from orcredit.balance import Balance
    from orcredit.history import History
    from orcredit.monitor import Hub
    from orcredit.server.account_readers import AccountReaders
    from orcredit.server.readings import Readings
    from orcredit.server.sessions import Sessions
    from orcredit.server.state import Source


def create_app(
    hub: Hub[Balance],
    sources: Mapping[str | None, Source],
    *,
    default: str | None,
    history: History | None,
    recorded: Callable[[str | None], Awaitable[None]],
    account: AccountReaders,
    readings: Readings,
    sessions: Sessions | None,
    port: int,
    hosts: Iterable[str],
    stopping: asyncio.Future[None],
    most_streams: int,
) -> ASGIApp:
    """Make the application; the hub must run beside it.

    Args:
        hub: polls the profiles.
        sources: what else is known of each profile.
        default: the profile that requests without a name are about.
        history: where their keys are recorded; None where nothing is.
        recorded: waits until the history has the latest balance of a profile.
        account: reads the accounts behind the profiles; must run as well.
        readings: reads the history.
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
    profiles = {
        poller.profile: Served(
            poller,
            sources[poller.profile].interval,
            Encoder(
                poller,
                profile_count=len(hub.pollers),
                has_management_key=sources[poller.profile].has_management_key,
            ),
            HistoryReader(history, sources[poller.profile].key, poller, partial(recorded, poller.profile), readings),
        )
        for poller in hub.pollers
    }
    app.state.server = AppState(
        profiles=profiles,
        default=default,
        days=DaysReader(
            history,
            {name: source.key for name, source in sources.items()},
            partial(_balance, profiles),
            clock=hub.clock,
            readings=readings,
        ),
        hub=hub,
        start=secrets.token_hex(8),
        sessions=sessions,
        cookie_name=cookie_name,
        login_limiter=RateLimiter(LOGIN_ATTEMPTS),
        stopping=stopping,
        most_streams=most_streams,
        description=describe(API_ROUTES, cookie_name),
        page=Page(),
        account=account,
    )
    return app


def _balance(profiles: Mapping[str | None, Served], name: str | None) -> Balance | None:
    latest = profiles[name].poller.latest
    return None if latest is None else latest.balance
