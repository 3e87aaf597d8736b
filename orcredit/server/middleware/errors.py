"""Answers problems that middleware raises, and bugs.

Starlette's `ServerErrorMiddleware` raises a bug again after answering it, for the server to log with its traceback and
text; both may hold secrets. So bugs do not get there. Problems that routes raise are answered by Starlette's
`ExceptionMiddleware` with the handlers in `orcredit.server.problems`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from orcredit.errors import place_of
from orcredit.server.middleware.limits import has_body
from orcredit.server.problems import ProblemError, internal_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_logger = logging.getLogger("orcredit.server")


class IncompleteResponseError(Exception):
    """A response ends in the middle; uvicorn closes the connection."""


class ErrorMiddleware:
    """Turns exceptions into responses; logs a bug by its type and place, without its text."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_started = is_complete = False

        async def send_noting_progress(message: Message) -> None:
            nonlocal is_started, is_complete
            is_started = True
            is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive, send_noting_progress)
        except ProblemError as problem:
            # An unread body would keep the connection open.
            await problem.response(closes=has_body(scope))(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - a bug in one request must not affect others
            _logger.error("internal error: %s", place_of(error))  # noqa: TRY400 - a traceback may quote secrets
            if not is_started:
                await internal_error().response(closes=has_body(scope))(scope, receive, send)
            elif not is_complete:
                raise IncompleteResponseError from None
