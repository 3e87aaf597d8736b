"""`/api/openrouter/balance`, `/snapshot` and `/refresh`: what is known after the newest poll."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orcredit.balance import Balance
from orcredit.server.envelope import Envelope
from orcredit.server.openapi import PROFILE, ApiRoute, Operation, Reply
from orcredit.server.problems import ProblemError
from orcredit.server.responses import JsonResponse
from orcredit.server.state import served, state_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from orcredit.monitor import Snapshot
    from orcredit.server.encoder import Encoder

_AGE = {
    "description": "Seconds since OpenRouter answered with these numbers.",
    "schema": {"type": "integer", "minimum": 0},
}
_DOCUMENT = Reply("The newest document; `stale`, with the reason, when the newest poll failed.", Balance, {"Age": _AGE})


async def balance(request: Request) -> Response:
    """Give the newest document."""
    profile = served(request)
    return _document(profile.encoder, profile.latest())


async def snapshot(request: Request) -> Response:
    """Give the newest snapshot in its envelope."""
    profile = served(request)
    return JsonResponse(profile.encoder.envelope(profile.latest()))


async def refresh(request: Request) -> Response:
    """Poll now, and give the document after that.

    Raises:
        ProblemError: 503, the server stops.
    """
    state, profile = state_of(request), served(request)
    refreshing = asyncio.ensure_future(profile.poller.refresh())
    either: set[asyncio.Future[Any]] = {refreshing, state.stopping}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not refreshing.done():
        refreshing.cancel()
        raise ProblemError(503, "stopping", "orcredit is being stopped.", "Start it again.")
    return _document(profile.encoder, refreshing.result())


def _document(encoder: Encoder, snapshot: Snapshot) -> Response:
    status, body = encoder.document(snapshot)
    age = encoder.age(snapshot)
    return JsonResponse(body, status, None if age is None else {"Age": str(int(age))})


ROUTES = (
    ApiRoute(
        "/api/openrouter/balance",
        balance,
        {
            "GET": Operation(
                "balance", "What the key can still spend", _DOCUMENT, problems=(404, 502, 503), parameters=(PROFILE,)
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/snapshot",
        snapshot,
        {
            "GET": Operation(
                "snapshot",
                "What is known after the newest poll",
                Reply("The document or the problem, and the newest 20 events.", Envelope),
                problems=(404, 503),
                parameters=(PROFILE,),
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/refresh",
        refresh,
        {"POST": Operation("refresh", "Poll OpenRouter now", _DOCUMENT, problems=(404, 502), parameters=(PROFILE,))},
    ),
)
