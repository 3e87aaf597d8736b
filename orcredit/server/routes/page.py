"""`/` and `/assets/`: the built page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from orcredit.server.problems import ProblemError
from orcredit.server.state import state_of
from orcredit.server.static import ASSETS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def index(request: Request) -> Response:
    """Give the page."""
    return state_of(request).page.index.response(request)


async def asset(request: Request) -> Response:
    """Give one of the page's files.

    Raises:
        ProblemError: 404, there is no such file.
    """
    file = state_of(request).page.assets.get(request.path_params["name"])
    if file is None:
        raise ProblemError(404, "not_found", "There is no such file.", "Load the page again: it may be a newer one.")
    return file.response(request)


ROUTES = (
    Route("/", index, include_in_schema=False),
    Route(f"{ASSETS}{{name}}", asset, include_in_schema=False),
)
