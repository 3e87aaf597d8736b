"""The simulated faults: the ways in which a response can be wrong, by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one route or all; `{key}` in the body is replaced by the key of the request."""

    about: str
    status: int = 200
    body: str | None = None
    """None: OpenRouter's error JSON for the status or, with `patch`, a patched answer."""
    patch: Mapping[str, object] | None = None
    """Fields to change in the `data` of an otherwise valid answer, which serves as `/key` and `/credits`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    route: str | None = None
    """The only route with the fault, such as "credits"; others answer as for the account "normal". None: all."""
    delay: float = 0.0
    """Seconds before the answer."""


MESSAGES = {
    400: "Invalid request",
    401: "No such API key",
    402: "Insufficient credits",
    403: "This key is not allowed to do that",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timed out",
    429: "Rate limit exceeded",
    500: "Internal server error",
    502: "Provider returned an error",
    503: "Service temporarily unavailable",
}
_PORTAL = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_HOSTILE = "\x1b]0;owned\x07\x1b[31m[red]boo[/red]\r\nsecond line\t\x9b2J\u202e[link=x]"

FAULTS: Mapping[str, Fault] = {
    **{
        f"error-{status}": Fault(f"OpenRouter's own error {status}.", status)
        for status in (400, 401, 402, 403, 404, 408, 429, 500, 502, 503)
    },
    "retry-after-1": Fault("Unavailable; retry after a second.", 503, headers={"Retry-After": "1"}),
    "retry-after-3600": Fault("Rate limited; retry after an hour.", 429, headers={"Retry-After": "3600"}),
    "redirect": Fault("Redirects to another host.", 302, "", headers={"Location": "https://elsewhere.invalid/"}),
    "html": Fault("A captive portal's page.", 200, _PORTAL.format("Welcome to the Wi-Fi"), headers=_HTML),
    "html-403": Fault("A firewall's refusal.", 403, _PORTAL.format("Blocked"), headers=_HTML),
    "html-502": Fault("A proxy's error page.", 502, _PORTAL.format("Bad gateway"), headers=_HTML),
    "null": Fault("The body is null.", body="null"),
    "empty": Fault("There is no body.", body=""),
    "truncated-json": Fault("The JSON is truncated.", body='{"data": {"label": "sk-or", "limit": 10'),
    "list": Fault("The body is an empty list.", body="[]"),
    "number": Fault("The body is a number.", body="42"),
    "error-in-200": Fault("An error with status 200.", body='{"error": {"code": 500, "message": "Failed"}}'),
    "no-data": Fault("An object without data.", body="{}"),
    "empty-data": Fault("The data has no fields.", body='{"data": {}}'),
    "data-null": Fault("The data is null.", body='{"data": null}'),
    "data-list": Fault("The data is a list.", body='{"data": [1, 2, 3]}'),
    "nan": Fault("An amount is NaN.", patch={"limit_remaining": math.nan, "total_credits": math.nan}),
    "infinity": Fault("An amount is Infinity.", patch={"limit_remaining": math.inf, "total_credits": math.inf}),
    "huge-number": Fault("An amount is 1e400.", patch={"limit": "1e400", "total_credits": "1e400"}),
    "wrong-types": Fault("An amount is a string.", patch={"limit": "100", "total_credits": "100"}),
    "bool-amount": Fault("An amount is true.", patch={"limit": True, "total_credits": True}),
    "bad-date": Fault("A budget resets 'soon'.", patch={"budgets.resets_at": "soon"}),
    "control-characters": Fault(
        "Label and scope contain escape sequences and markup.", patch={"label": _HOSTILE, "budgets.scope": _HOSTILE}
    ),
    "echo-key": Fault(
        "Label and scope contain the whole key.", patch={"label": "{key}", "budgets.scope": "{key}"}
    ),
    "secret-in-error": Fault(
        "An error message contains the whole key.", 500, '{"error": {"code": 500, "message": "no {key}"}}'
    ),
    "credits-503": Fault("/credits is unavailable, and nothing else.", 503, route="credits"),
    "slow-credits": Fault("/credits answers three seconds later than the rest.", patch={}, route="credits", delay=3),
}  # fmt: skip
"""Every fault by name; it applies to all routes for its key, unless it has a `route`."""
