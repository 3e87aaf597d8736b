"""`/openapi.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.server.openapi import ApiRoute, Operation, Reply
from orcredit.server.responses import JsonResponse
from orcredit.server.state import state_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def description(request: Request) -> Response:
    """Give the OpenAPI document."""
    return JsonResponse(state_of(request).description)


ROUTES = (
    ApiRoute(
        "/openapi.json",
        description,
        {"GET": Operation("description", "This description", Reply("OpenAPI 3.1.", "application/json"))},
    ),
)
