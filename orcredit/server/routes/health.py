"""`/healthz` and `/readyz`, for whatever supervises the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.server.models import Health, Readiness
from orcredit.server.openapi import ApiRoute, Operation, Reply
from orcredit.server.problems import ProblemError
from orcredit.server.responses import JsonResponse
from orcredit.server.state import state_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

READY_INTERVALS = 3
"""Not ready: the newest balance is this many poll intervals old."""


async def health(_: Request) -> Response:
    """Say that the process runs."""
    return JsonResponse(Health())


async def readiness(request: Request) -> Response:
    """Say whether the newest balance of the default profile is recent.

    The others have nothing to say here: one refused key of a hundred is no reason to start the server again, or to
    send its readers elsewhere.

    Raises:
        ProblemError: 503, it is not.
    """
    state = state_of(request)
    default = state.profiles[state.default]
    age = default.encoder.age(default.poller.latest)
    if age is None or age >= READY_INTERVALS * default.interval.total_seconds():
        raise ProblemError(
            503,
            "not_ready",
            "OpenRouter has not answered yet." if age is None else f"The newest answer is {age:.0f} s old.",
            "GET /api/openrouter/balance says why.",
        )
    return JsonResponse(Readiness(age=round(age, 3)))


ROUTES = (
    ApiRoute("/healthz", health, {"GET": Operation("health", "Whether the process runs", Reply("It does.", Health))}),
    ApiRoute(
        "/readyz",
        readiness,
        {
            "GET": Operation(
                "readiness",
                "Whether there is an answer for the default profile that is younger than three intervals",
                Reply("There is.", Readiness),
                problems=(503,),
            )
        },
    ),
)
