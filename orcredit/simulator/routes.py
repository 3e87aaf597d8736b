"""From a request and a time to OpenRouter's response: pure, without a network."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from orcredit.simulator.accounts import ACCOUNTS
from orcredit.simulator.activity import activity_rows
from orcredit.simulator.analytics import analytics_data, meta
from orcredit.simulator.answers import RefusedError, Rows, credits_data, key_data, key_rows, keys_page
from orcredit.simulator.faults import MESSAGES, Fault
from orcredit.simulator.keys import faults_by_key, keyring
from orcredit.simulator.team_answers import (
    team_credits,
    team_key_rows,
    team_keys_page,
    workspaces_page,
)
from orcredit.simulator.teams import TEAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orcredit.simulator.accounts import Account


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request."""

    method: str
    path: str
    """Path and query, such as `/api/v1/key?x=1`."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response without its Content-Length, which the server adds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: float = 0.0
    """Seconds before it is sent, on a socket."""


def _plain(value: object) -> int | float:
    """Convert a dollar amount to a number that JSON writes without binary noise and without `.0`."""
    amount = cast("Decimal", value)
    return int(amount) if amount == int(amount) else float(amount)


def _json(value: object) -> bytes:
    return json.dumps(value, default=_plain).encode()


def _reply(status: int, body: bytes, now: datetime, headers: Mapping[str, str] | None = None) -> Response:
    defaults = {"Date": format_datetime(now, usegmt=True), "Content-Type": "application/json"}
    return Response(status, {**defaults, **(headers or {})}, body)


def _error(status: int, message: str) -> bytes:
    return _json({"error": {"code": status, "message": message}})


def _faulty(fault: Fault, key: str, now: datetime) -> Response:
    if fault.patch is not None:
        data = {**key_data(key, ACCOUNTS["normal"], now), "total_credits": 100, "total_usage": 25}
        for name, value in fault.patch.items():
            place, _, inner = name.rpartition(".")
            target = cast("Rows", data[place])[0] if place else data
            target[inner] = value
        # Python has no such float, so it is replaced in the text.
        body = json.dumps({"data": data}, default=_plain).replace('"1e400"', "1e400")
    else:
        error = _error(fault.status, MESSAGES.get(fault.status, ""))
        body = fault.body if fault.body is not None else error.decode()
    return replace(_reply(fault.status, body.replace("{key}", key).encode(), now, fault.headers), delay=fault.delay)


_ONE_KEY = "keys/{hash}"


def _route(request: Request) -> tuple[str, str]:
    """Return the last part of the path, and the query; `keys/{hash}` for one key."""
    path, _, query = request.path.partition("?")
    before, _, last = path.rstrip("/").rpartition("/")
    return (_ONE_KEY if before.endswith("/keys") else last), query


_ROUTES = {
    "key": "GET",
    "credits": "GET",
    "activity": "GET",
    "keys": "GET",
    _ONE_KEY: "GET",
    "workspaces": "GET",
    "query": "POST",
    "meta": "GET",
}
"""The last part of each path, and its method."""


def _answer(request: Request, key: str, now: datetime) -> object:
    """Return the document of a response with status 200; RefusedError for other statuses."""
    route, text = _route(request)
    if route not in _ROUTES:
        raise RefusedError(404)
    if request.method != _ROUTES[route]:
        raise RefusedError(405)
    if key not in keyring() and key not in faults_by_key():
        raise RefusedError(401)
    name, shown = keyring().get(key, ("normal", ACCOUNTS["normal"]))
    if route == "key":
        return {"data": _key_data(key, name, shown, now)}
    query = dict(parse_qsl(text))
    if name in TEAMS:
        return _team_answer(request, name, now, query)
    return _account_answer(request, (name, shown), now, query)


def _account_answer(request: Request, owner: tuple[str, Account], now: datetime, query: Mapping[str, str]) -> object:
    (name, shown), (route, _) = owner, _route(request)
    account = ACCOUNTS[name]
    if account.refused_half and now.second >= 30:
        raise RefusedError(401)
    if route == "credits" and account.zero_credits:
        return {"data": {"total_credits": 0, "total_usage": 0}}
    if not shown.management and not (route == "credits" and account.tells_credits):
        raise RefusedError(403, "Only management keys can perform this operation")
    if route == "workspaces":
        return workspaces_page(("Default",), now, query)
    if route == _ONE_KEY:
        return {"data": _one_of(key_rows(name, account, now), request)}
    if route in {"credits", "keys"}:
        data: object = credits_data(account, now) if route == "credits" else keys_page(name, account, now, query)
        return {"data": data}
    return {"data": _spending(request, name, now, query)}


def _key_data(key: str, name: str, shown: Account, now: datetime) -> dict[str, object]:
    if name in ACCOUNTS and ACCOUNTS[name].refused_half and now.second >= 30:
        raise RefusedError(401)
    return key_data(key, shown, now)


def _team_answer(request: Request, name: str, now: datetime, query: Mapping[str, str]) -> object:
    team, (route, _) = TEAMS[name], _route(request)
    if route == "workspaces":
        if not team.has_workspaces:
            raise RefusedError(404)
        return workspaces_page(tuple(team.workspaces), now, query)
    if route == "keys":
        return {"data": team_keys_page(name, team, now, query)}
    if route == _ONE_KEY:
        return {"data": _one_of(team_key_rows(name, team, now), request)}
    if route == "credits":
        return {"data": team_credits(team, now)}
    return {"data": _spending(request, name, now, query)}


def _one_of(rows: Rows, request: Request) -> dict[str, object]:
    """Return the row of the key that the path names by its hash; RefusedError where the account has no such key."""
    wanted = request.path.partition("?")[0].rstrip("/").rpartition("/")[2]
    for row in rows:
        if row["hash"] == wanted:
            return row
    raise RefusedError(404, "API key not found")


def _spending(request: Request, name: str, now: datetime, query: Mapping[str, str]) -> object:
    """Return the `data` of `/activity`, `/analytics/query` and `/analytics/meta`."""
    route, _ = _route(request)
    if route == "activity":
        return activity_rows(name, now, query)
    if name in TEAMS and TEAMS[name].analytics == "absent":
        raise RefusedError(404)
    return meta() if route == "meta" else analytics_data(name, request.body, now)


def respond(request: Request, now: datetime) -> Response:
    """Answer as OpenRouter would at the time `now` (aware). A pure function.

    The routes are `/key` (also as `/auth/key`), `/credits`, `/activity`, `/keys`, `/keys/{hash}`, `/workspaces`,
    `/analytics/query` and `/analytics/meta`, below any prefix.
    """
    with localcontext(Context(prec=28)):  # independent of the host program's context
        return _respond(request, now.astimezone(UTC))


def _respond(request: Request, now: datetime) -> Response:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ""
    fault = faults_by_key().get(key)
    if fault is not None and fault.route in {None, _route(request)[0]}:
        return _faulty(fault, key, now)
    try:
        return _reply(200, _json(_answer(request, key, now)), now)
    except RefusedError as refusal:
        allow = {"Allow": _ROUTES[_route(request)[0]]} if refusal.status == 405 else None
        return _reply(refusal.status, _error(refusal.status, refusal.message), now, allow)
