"""The application: which address is answered by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from orcredit.errors import OrcreditError
from orcredit.server import login
from orcredit.server.answers import Health, Prepared, Refusal, refusal_for, to_json
from orcredit.server.api import Api
from orcredit.server.doors import Doors, mistake
from orcredit.server.login import LoginDesk
from orcredit.server.openapi import describe
from orcredit.server.past import Archive
from orcredit.server.static import ASSETS, Page

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import timedelta

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from orcredit.errors import HistoryError
    from orcredit.history import History
    from orcredit.monitor import Poller
    from orcredit.server.sessions import Sessions


def create_app(
    monitor: Poller,
    *,
    interval: timedelta,
    history: History | HistoryError | None,
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
        history: what was seen of the key; the error that opening it met; None where none is kept.
        key: the history's name for it (`orcredit.config.credentials.fingerprint`).
        recorded: waits until the history has the latest balance.
        sessions: know the token; None lets everybody in.
        port: part of the session cookie's name, since browsers send a host's cookies to all its ports.
        hosts: names, besides this machine's own, that a request's Host may be.
        stopping: done when the server stops; event streams end then.
        most_streams: so many of them may be open.
    """
    cookie_name = f"orcredit_session_{port}"
    api = Api(
        monitor,
        interval,
        Archive(history, key, monitor, recorded),
        sessions,
        stopping=stopping,
        most_streams=most_streams,
    )
    desk = LoginDesk(sessions, cookie_name)
    page = Page()
    description = Prepared(200, describe(cookie_name))

    async def openapi(_: Request) -> Response:
        return description

    routes = [
        Route("/api/openrouter/balance", api.balance),
        Route("/api/openrouter/snapshot", api.snapshot),
        Route("/api/openrouter/refresh", api.refresh, methods=["POST"]),
        Route("/api/openrouter/events", api.events),
        Route("/api/openrouter/history", api.history),
        Route("/api/openrouter/history.csv", api.history_csv),
        Route("/api/session", desk.session, methods=login.METHODS),
        Route("/", page.index),
        Route(f"{ASSETS}{{name}}", page.asset),
        Route("/healthz", _health),
        Route("/readyz", api.ready),
        Route("/openapi.json", openapi),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={Refusal: _refuse, OrcreditError: _fail, HTTPException: _misaddress, Exception: _blunder},
    )
    app.router.redirect_slashes = False
    return Doors(app, paths=[route.path for route in routes], hosts=hosts, sessions=sessions, cookie_name=cookie_name)


async def _health(_: Request) -> Response:
    """Say that the process runs."""
    return Prepared(200, to_json(Health()))


async def _refuse(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - it is registered for these
    return refusal.response()


async def _fail(_: Request, error: Exception) -> Response:
    assert isinstance(error, OrcreditError)  # noqa: S101 - as above
    return refusal_for(error).response()


async def _blunder(_: Request, __: Exception) -> Response:
    """Say that we made a mistake; the doors write down which."""
    return mistake().response()


async def _misaddress(_: Request, error: Exception) -> Response:
    """Say that there is nothing at an address, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    if error.status_code == 405:
        refusal = Refusal(405, "method_not_allowed", "That cannot be done here.", headers=error.headers)
    else:
        refusal = Refusal(404, "not_found", "There is nothing here.", "GET /openapi.json describes what there is.")
    return refusal.response()
