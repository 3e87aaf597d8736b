"""OpenAPI 3.1: routes that carry their own description, and `GET /openapi.json` made of them.

The shapes come from the models that the responses are made of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from starlette.routing import Route

from orcredit import __version__
from orcredit.server.middleware.limits import MOST_BODY_BYTES, MOST_HEAD_BYTES
from orcredit.server.models import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pydantic import BaseModel
    from starlette.requests import Request
    from starlette.responses import Response

    _Model = tuple[type[BaseModel], Literal["validation", "serialization"]]

_PROBLEMS = {
    400: "A value in the request is invalid.",
    401: "The token or the session is missing or wrong.",
    403: "The Host is not one of this server's, a page of another site asked, or a management key is needed.",
    404: "There is no such profile, or no history is kept.",
    408: "The request's body did not come in time.",
    413: f"The request's body is larger than {MOST_BODY_BYTES // 1024} KiB.",
    415: "The body is not JSON.",
    429: "Too many wrong tokens came from this address.",
    431: f"The request's headers are larger than {MOST_HEAD_BYTES // 1024} KiB.",
    502: "OpenRouter refuses the key, cannot be reached or gives an unusable answer, and never gave a usable one.",
    503: "Not yet, or not at the moment.",
}
_ALWAYS = (400, 401, 403, 408, 413, 429, 431)
"""What the middleware or the HTTP parser may answer to any request for data."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    description: str
    schema: Mapping[str, Any]
    examples: tuple[str, ...] = ()
    place: Literal["query", "header"] = "query"


PROFILE = Parameter(
    "profile",
    "The name of a profile; empty for the one whose key came from the environment. Default: the one that `orcredit "
    "status` would show.",
    {"type": "string"},
    ("work",),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response.

    Attributes:
        description: of the response.
        content: the model of its JSON, the media type of a text, or None where there is no body.
        headers: the schema of each header, with its description.
    """

    description: str
    content: type[BaseModel] | str | None = None
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method does at a route.

    Attributes:
        name: the operation's id.
        summary: of the operation.
        reply: a successful response.
        problems: the statuses of errors, beside those that any request may get.
        parameters: in the query and the headers.
        body: the model of the request's body.
        status: of the successful response.
    """

    name: str
    summary: str
    reply: Reply
    problems: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | None = None
    status: int = 200

    @property
    def models(self) -> set[_Model]:
        """The models of its bodies."""
        sent = {self.reply.content} if isinstance(self.reply.content, type) else set()
        received = {self.body} if self.body is not None else set()
        return {(model, "serialization") for model in sent} | {(model, "validation") for model in received}

    def describe(self) -> dict[str, Any]:
        """Give its part of the document."""
        responses: dict[str, Any] = {str(self.status): _reply(self.reply)}
        for status in sorted({*_ALWAYS, *self.problems} - {self.status}):
            responses[str(status)] = _reply(Reply(_PROBLEMS[status], Problem))
        document: dict[str, Any] = {"operationId": self.name, "summary": self.summary, "responses": responses}
        if self.parameters:
            document["parameters"] = [_parameter(one) for one in self.parameters]
        if self.body is not None:
            document["requestBody"] = {"required": True, "content": _content(self.body)}
        return document


class ApiRoute(Route):
    """A route of the API; it accepts the methods that are described.

    Args:
        path: its path.
        endpoint: answers requests.
        operations: the description of each method, such as `GET`.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        operations: Mapping[str, Operation],
    ) -> None:
        super().__init__(path, endpoint, methods=list(operations))
        self.operations = operations


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles of fields, which would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        """Say no."""
        return False


def describe(routes: Iterable[ApiRoute], cookie_name: str) -> bytes:
    """Give the OpenAPI document as JSON.

    Args:
        routes: of the API.
        cookie_name: the session cookie's.
    """
    routes = tuple(routes)
    operations = [operation for route in routes for operation in route.operations.values()]
    models: set[_Model] = {(Problem, "serialization")}
    models.update(*(operation.models for operation in operations))
    _, defined = models_json_schema(
        sorted(models, key=lambda model: model[0].__name__),
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "orcredit",
            "version": __version__,
            "summary": "How much an OpenRouter API key can still spend, and until when.",
            "description": "Dollars are numbers, times are UTC, null means 'none' or 'not known'. Errors have the "
            "form of Problem. Where a token is set, everything but /, /assets, /healthz and the login requires it.",
        },
        "paths": {
            route.path: {method.lower(): operation.describe() for method, operation in route.operations.items()}
            for route in routes
        },
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


def _reply(reply: Reply) -> dict[str, Any]:
    document: dict[str, Any] = {"description": reply.description}
    if reply.content is not None:
        document["content"] = _content(reply.content)
    if reply.headers:
        document["headers"] = dict(reply.headers)
    return document


def _content(content: type[BaseModel] | str) -> dict[str, Any]:
    if content == "application/json":
        return {content: {"schema": {"type": "object"}}}
    if isinstance(content, str):
        return {content: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{content.__name__}"}}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": False,
        "description": parameter.description,
        "schema": parameter.schema,
    }
    if parameter.examples:
        document["examples"] = {example: {"value": example} for example in parameter.examples}
    return document
