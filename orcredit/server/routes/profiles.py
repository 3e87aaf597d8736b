"""`/api/openrouter/profiles` and `/profiles/days`: all profiles of the server at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orcredit.server.envelope import Profiles, ProfilesDays
from orcredit.server.openapi import ApiRoute, Operation, Reply
from orcredit.server.responses import JsonResponse
from orcredit.server.state import state_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from orcredit.server.state import Served


async def profiles(request: Request) -> Response:
    """Give the newest envelope of every profile."""
    state = state_of(request)
    # Joined of the bytes that are kept: a thousand envelopes are not encoded again for every request.
    parts = b",".join(_part(each) for each in state.profiles.values())
    return JsonResponse(b'{"default":%s,"profiles":[%s]}' % (_json(state.default), parts))


def _part(served: Served) -> bytes:
    latest = served.poller.latest
    envelope = b"null" if latest is None else served.encoder.envelope(latest)
    return b'{"profile":%s,"envelope":%s}' % (_json(served.name), envelope)


def _json(name: str | None) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


async def days(request: Request) -> Response:
    """Give what every profile spent on each of the last 14 days."""
    return JsonResponse(await state_of(request).days.document())


ROUTES = (
    ApiRoute(
        "/api/openrouter/profiles",
        profiles,
        {
            "GET": Operation(
                "profiles",
                "What is known of every profile",
                Reply("The profiles in the order of the configuration file, each with its newest envelope.", Profiles),
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/profiles/days",
        days,
        {
            "GET": Operation(
                "profilesDays",
                "What every profile spent on each of the last 14 days (UTC)",
                Reply("From the local history: null for days on which a key was not watched.", ProfilesDays),
                problems=(404, 503),
            )
        },
    ),
)
