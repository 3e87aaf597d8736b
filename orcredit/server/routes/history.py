"""`/api/openrouter/history` and `/history.csv`."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response

from orcredit.durations import DURATION_FORMS, parse_duration
from orcredit.errors import UsageError
from orcredit.history import MOST_SAMPLES
from orcredit.server.history_reader import DEFAULT_POINTS, HistoryQuery
from orcredit.server.models import HistoryDocument
from orcredit.server.openapi import PROFILE, ApiRoute, Operation, Parameter, Reply
from orcredit.server.responses import NO_STORE, JsonResponse
from orcredit.server.state import served

if TYPE_CHECKING:
    from datetime import timedelta

    from starlette.datastructures import QueryParams
    from starlette.requests import Request

_DEFAULT_SINCE = "7d"
_EVERYTHING, _PERIOD = "all", "period"

_DURATION = "[1-9][0-9]{0,7}s?|[1-9][0-9]{0,5}m|[1-9][0-9]{0,3}h|[1-9][0-9]{0,2}d"
"""A subset of what is accepted: whole seconds, below ten years."""


async def history(request: Request) -> Response:
    """Give what was left and what was spent."""
    return JsonResponse(await served(request).history.document(parse_query(request.query_params)))


async def history_csv(request: Request) -> Response:
    """Give what was spent, for a spreadsheet."""
    body = await served(request).history.csv(parse_query(request.query_params))
    headers = {"Content-Disposition": 'attachment; filename="orcredit-history.csv"'}
    return Response(body, media_type="text/csv", headers=NO_STORE | headers)


def parse_query(query: QueryParams) -> HistoryQuery:
    """Read a request's parameters.

    Raises:
        UsageError: one is invalid or repeated; the message does not quote it, for it may hold a secret.
    """
    since, points, every = (_single(query, name) for name in ("since", "points", "every"))
    is_word = since in {_EVERYTHING, _PERIOD}
    return HistoryQuery(
        look_back=None if is_word else _duration("since", _DEFAULT_SINCE if since is None else since),
        is_period=since == _PERIOD,
        points=DEFAULT_POINTS if points is None else _points(points),
        every=None if every is None else _duration("every", every),
    )


def _single(query: QueryParams, name: str) -> str | None:
    """Give a parameter's value; None where it was not sent."""
    values = query.getlist(name)
    if len(values) > 1:
        raise UsageError(f"{name} was sent {len(values)} times.", hint="Send it once.")
    return values[0] if values else None


def _points(text: str) -> int:
    # ASCII and at most nine digits: `int` accepts the digits of any script, and refuses thousands of them.
    if re.fullmatch(r"[0-9]{1,9}", text) and 2 <= int(text) <= MOST_SAMPLES:
        return int(text)
    raise UsageError("points must be a whole number.", hint=f"Accepted: 2 to {MOST_SAMPLES}.")


def _duration(name: str, text: str) -> timedelta:
    with suppress(UsageError):
        duration = parse_duration(text)
        if duration.total_seconds() >= 1 and not duration.microseconds:
            return duration
    words = f" Or '{_EVERYTHING}', or '{_PERIOD}'." if name == "since" else ""
    raise UsageError(f"{name} must be a duration of whole seconds.", hint=f"{DURATION_FORMS}{words}")


_LOOK_BACK = (
    PROFILE,
    Parameter(
        "since",
        f"How far to look back, or '{_EVERYTHING}', or '{_PERIOD}': from the beginning of the present period of the "
        "budget that limits the key, else of the key's own limit, else of the calendar month (UTC). "
        f"{DURATION_FORMS}",
        {"type": "string", "pattern": f"^({_EVERYTHING}|{_PERIOD}|{_DURATION})$", "default": _DEFAULT_SINCE},
        ("7d", "24h", _PERIOD, _EVERYTHING),
    ),
    Parameter(
        "every",
        "Length of the intervals of spend. Default: hours up to two days, days up to two years, then weeks.",
        {"type": "string", "pattern": f"^({_DURATION})$"},
        ("1h", "1d"),
    ),
)

ROUTES = (
    ApiRoute(
        "/api/openrouter/history",
        history,
        {
            "GET": Operation(
                "history",
                "What was left over time, what was spent, and what happened",
                Reply("Points in the order of time; between two that are equal nothing changed.", HistoryDocument),
                problems=(404, 503),
                parameters=(
                    *_LOOK_BACK,
                    Parameter(
                        "points",
                        "The most points to give, beside those at the edges of gaps.",
                        {"type": "integer", "minimum": 2, "maximum": MOST_SAMPLES, "default": DEFAULT_POINTS},
                    ),
                ),
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/history.csv",
        history_csv,
        {
            "GET": Operation(
                "historyCsv",
                "What was spent in each interval, for a spreadsheet",
                Reply("Columns: from, to, spend, spendable, remaining, estimated, partial, reported.", "text/csv"),
                problems=(404, 503),
                parameters=_LOOK_BACK,
            )
        },
    ),
)
