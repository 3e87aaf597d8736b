"""The API's description, OpenAPI 3.1: the shapes come from the models that the answers are made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from orcredit import __version__
from orcredit.balance import Balance
from orcredit.durations import DURATION_FORMS
from orcredit.history import MOST_SAMPLES
from orcredit.server.answers import Envelope, Health, Login, Past, Problem, Readiness, Session
from orcredit.server.doors import MOST_BODY_BYTES, MOST_HEAD_BYTES
from orcredit.server.past import DEFAULT_POINTS, DEFAULT_SINCE, EVERYTHING
from orcredit.server.sessions import LOGIN_TRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

_ANSWERS: tuple[type[BaseModel], ...] = (Balance, Envelope, Past, Problem, Session, Health, Readiness)

_DURATION = "[1-9][0-9]{0,7}s?|[1-9][0-9]{0,5}m|[1-9][0-9]{0,3}h|[1-9][0-9]{0,2}d"
"""Less than is accepted: what is certainly whole seconds, and no more than ten years."""

_PROBLEMS = {
    400: "A value in the request is not of its kind.",
    401: "The token or the session is missing or wrong.",
    403: "The Host is not one of this server's, or a page of another site asked.",
    404: "No history is kept.",
    408: "The request's body did not come in time.",
    413: f"The request's body is larger than {MOST_BODY_BYTES // 1024} KiB.",
    415: "The body is not JSON.",
    429: "Too many wrong tokens came from this address.",
    431: f"The request's headers are larger than {MOST_HEAD_BYTES // 1024} KiB.",
    502: "OpenRouter refuses the key, cannot be reached or makes no sense, and never gave an answer.",
    503: "Not yet, or not at the moment.",
}
_ALWAYS = (400, 401, 403, 408, 413, 429, 431)
"""What the doors, or HTTP itself, may answer to any request for data."""


class _Untitled(GenerateJsonSchema):
    """Gives the fields no titles: theirs would be their names once more, badly spelled."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        """Say no."""
        return False


def describe(cookie_name: str) -> bytes:
    """Give the description as JSON.

    Args:
        cookie_name: of the session.
    """
    _, defined = models_json_schema(
        [*((model, "serialization") for model in _ANSWERS), (Login, "validation")],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "orcredit",
            "version": __version__,
            "summary": "How much an OpenRouter API key can still spend, and until when.",
            "description": "Dollars are numbers, times are UTC, null is 'none' or 'not known'. Errors have the shape "
            "of Problem. Where a token is set, everything but /, /assets, /healthz and the login wants it.",
        },
        "paths": _paths(),
        "components": {
            "schemas": defined["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie_name,
                    "description": "What POST /api/session sets.",
                },
            },
        },
        "security": [{}, {"token": []}, {"session": []}],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _paths() -> dict[str, Any]:
    age = {
        "Age": {
            "description": "How many seconds ago OpenRouter gave the numbers.",
            "schema": {"type": "integer", "minimum": 0},
        }
    }
    balance = _json(Balance, "The newest document; stale, and saying why, when it could not be renewed.", age)
    look_back = [
        _query(
            "since",
            f"How far to look back, or '{EVERYTHING}'. {DURATION_FORMS}",
            {"type": "string", "pattern": f"^({EVERYTHING}|{_DURATION})$", "default": DEFAULT_SINCE},
            ("7d", "24h", EVERYTHING),
        ),
        _query(
            "every",
            "How long the intervals of spend are. Else hours up to two days, days up to two years, or weeks.",
            {"type": "string", "pattern": f"^({_DURATION})$"},
            ("1h", "1d"),
        ),
    ]
    points = _query(
        "points",
        "At most so many points.",
        {"type": "integer", "minimum": 2, "maximum": MOST_SAMPLES, "default": DEFAULT_POINTS},
    )
    return {
        "/api/openrouter/balance": {
            "get": _operation("balance", "What the key can still spend", {200: balance}, 502, 503),
        },
        "/api/openrouter/snapshot": {
            "get": _operation(
                "snapshot",
                "What is known after the newest poll",
                {200: _json(Envelope, "The document or the problem, and the newest 20 events.")},
                503,
            ),
        },
        "/api/openrouter/refresh": {
            "post": _operation("refresh", "Ask OpenRouter now", {200: balance}, 502),
        },
        "/api/openrouter/events": {
            "get": _operation(
                "events",
                "Every snapshot from now on, as server-sent events",
                {
                    200: {
                        "description": "Each event is unnamed and holds an Envelope. The first envelope of a "
                        "connection has the newest 20 events, later ones have those since the one before. The newest "
                        "comes at once, unless its id is the one in Last-Event-ID.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    }
                },
                parameters=[
                    {
                        "name": "Last-Event-ID",
                        "in": "header",
                        "required": False,
                        "description": "The id of the last event that was received.",
                        "schema": {"type": "string"},
                    }
                ],
            ),
        },
        "/api/openrouter/history": {
            "get": _operation(
                "history",
                "What was left over time, and what was spent",
                {200: _json(Past, "Points in the order of time; between two of them that are equal nothing changed.")},
                404,
                503,
                parameters=[*look_back, points],
            ),
        },
        "/api/openrouter/history.csv": {
            "get": _operation(
                "historyCsv",
                "What was spent in each interval, for a spreadsheet",
                {
                    200: {
                        "description": "Columns: from, to, spend, spendable, remaining, estimated.",
                        "content": {"text/csv": {"schema": {"type": "string"}}},
                    }
                },
                404,
                503,
                parameters=look_back,
            ),
        },
        "/api/session": {
            "get": _operation(
                "session", "Whether a token is asked for", {200: _json(Session, "Until when the session lasts.")}
            ),
            "post": _operation(
                "login",
                f"Begin a session; {LOGIN_TRIES} tries a minute",
                {200: _json(Session, "The session, whose cookie is set where a token is.")},
                415,
                body=Login,
            ),
            "delete": _operation("logout", "End the session", {204: {"description": "It is ended."}}),
        },
        "/healthz": {"get": _operation("health", "Whether the process runs", {200: _json(Health, "It does.")})},
        "/readyz": {
            "get": _operation(
                "readiness",
                "Whether there is an answer younger than three intervals",
                {200: _json(Readiness, "There is.")},
                503,
            )
        },
        "/openapi.json": {
            "get": _operation(
                "description",
                "This description",
                {200: {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}},
            )
        },
    }


def _operation(
    name: str,
    summary: str,
    answers: Mapping[int, Mapping[str, Any]],
    *problems: int,
    parameters: list[dict[str, Any]] | None = None,
    body: type[BaseModel] | None = None,
) -> dict[str, Any]:
    responses = dict(answers) | {
        status: _json(Problem, _PROBLEMS[status]) for status in sorted({*_ALWAYS, *problems} - set(answers))
    }
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {str(status): response for status, response in responses.items()},
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return operation


def _json(model: type[BaseModel], description: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description, "content": _content(model)}
    if headers:
        response["headers"] = headers
    return response


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _query(name: str, description: str, schema: Mapping[str, Any], examples: tuple[str, ...] = ()) -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
    if examples:
        parameter["examples"] = {example: {"value": example} for example in examples}
    return parameter
