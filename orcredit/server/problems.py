"""Errors as HTTP responses: the exception that every part of the server raises, and the handlers that answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from orcredit.errors import (
    ConfigurationError,
    HistoryError,
    KeyRefusedError,
    NonsenseError,
    OrcreditError,
    UnreachableError,
    UsageError,
)
from orcredit.server.models import Problem
from orcredit.server.responses import JsonResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response


class ProblemError(HTTPException):
    """A request that cannot be answered.

    Args:
        status: the HTTP status of the response.
        code: a stable word for programs.
        error: what happened, a sentence.
        hint: what to do, a sentence; may be empty.
        headers: of the response, beside the usual ones.
    """

    def __init__(
        self, status: int, code: str, error: str, hint: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, error, headers)
        self.problem = Problem(error=error, code=code, hint=hint)

    def response(self, *, closes: bool = False) -> Response:
        """Make the response.

        Args:
            closes: whether the connection is closed after it.
        """
        headers = dict(self.headers or {})
        if closes:
            headers["Connection"] = "close"
        return JsonResponse(self.problem, self.status_code, headers)


_KINDS: tuple[tuple[type[OrcreditError], int, str], ...] = (
    (UsageError, 400, "bad_request"),
    (HistoryError, 503, "history_unavailable"),
    (ConfigurationError, 502, "configuration"),
    (KeyRefusedError, 502, "refused"),
    (NonsenseError, 502, "nonsense"),
    (UnreachableError, 502, "unreachable"),
)
"""The HTTP status and code of each of orcredit's errors; the first match counts."""


def problem_for(error: OrcreditError) -> ProblemError:
    """Translate one of orcredit's errors."""
    text = error.public if isinstance(error, HistoryError) else str(error)
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            return ProblemError(status, code, text, error.hint)
    return ProblemError(500, "internal", str(error), error.hint)


def internal_error() -> ProblemError:
    """Make the answer to a bug; it says nothing of it, for an unexpected error's text may quote secrets."""
    return ProblemError(500, "internal", "orcredit made a mistake.", OrcreditError.hint)


async def handle_http_exception(_: Request, error: Exception) -> Response:
    """Answer a `ProblemError`, or Starlette's own exceptions for an unknown path or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these only
    if isinstance(error, ProblemError):
        return error.response()
    if error.status_code == 405:
        problem = ProblemError(
            405, "method_not_allowed", "This path does not support that method.", headers=error.headers
        )
    else:
        problem = ProblemError(404, "not_found", "There is nothing here.", "GET /openapi.json describes the API.")
    return problem.response()


async def handle_orcredit_error(_: Request, error: Exception) -> Response:
    """Answer one of orcredit's errors."""
    assert isinstance(error, OrcreditError)  # noqa: S101 - registered for these only
    return problem_for(error).response()
