"""Bounds on a request's head and body.

Starlette's `RequestBodyLimitMiddleware` bounds the size while the application reads. Here the body of every request is
read, in a limited time, before its route is called: unread, it would keep the connection open, and a refusal sent while
the client still sends may be lost.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_HEAD_BYTES = 16 * 1024
MOST_BODY_BYTES = 4 * 1024
BODY_SECONDS = 10.0
_DISCARD_SECONDS, _MOST_DISCARDED = 1.0, 1024 * 1024

_ONCE = frozenset({b"authorization", b"origin", b"sec-fetch-site"})
"""Headers that a proxy may read differently when they are repeated. Once they are checked, the middleware that follows
reads a request's headers as a `dict`, which is faster than Starlette's `Headers` and would hide a repeated one."""


class HeadLimitMiddleware:
    """Refuses heads that are too large or ambiguous."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        _check_head(scope)
        await self.app(scope, receive, send)


class BodyLimitMiddleware:
    """Reads the body before the application is called; refuses one that is too large or too slow."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if has_body(scope):
            receive = _replay(await _read_body(receive, Headers(scope=scope)), receive)
        await self.app(scope, receive, send)


def head_too_large() -> ProblemError:
    """Make the answer to a first line and headers that are too long."""
    return ProblemError(
        431,
        "headers_too_large",
        f"The request's headers are larger than {MOST_HEAD_BYTES // 1024} KiB.",
        "Send fewer or shorter headers; deleting the browser's cookies for this address may help.",
    )


def has_body(scope: Scope) -> bool:
    """Whether a request has a body."""
    headers = dict(scope["headers"])
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def _check_head(scope: Scope) -> None:
    fields = scope["headers"]
    size: int = len(scope["raw_path"]) + len(scope["query_string"])
    for name, value in fields:
        size += len(name) + len(value) + 4
    headers = dict(fields)
    if len(headers) < len(fields):
        names = [name for name, _ in fields]
        for name in _ONCE:
            if names.count(name) > 1:
                raise _ambiguous(f"The header {name.decode().title()} was sent twice.", "Send it once.")
    if size > MOST_HEAD_BYTES:
        raise head_too_large()
    if b"content-length" in headers and b"transfer-encoding" in headers:
        raise _ambiguous(
            "The request has both Content-Length and Transfer-Encoding, so its end is ambiguous.",
            "Send one of them.",
        )


def _ambiguous(error: str, hint: str) -> ProblemError:
    """Refuse a request that a proxy may have read differently; what follows on the connection is ambiguous, too."""
    return ProblemError(400, "bad_request", error, hint, headers={"Connection": "close"})


async def _read_body(receive: Receive, headers: Headers) -> bytes:
    too_large = ProblemError(413, "too_large", f"The request's body is larger than {MOST_BODY_BYTES // 1024} KiB.")
    length = headers.get("content-length")
    if length is not None and (not length.isdigit() or int(length) > MOST_BODY_BYTES):
        if "expect" not in headers:  # with it, the client sends no body before it is read
            await _discard(receive)
        raise too_large
    body: bytes = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientDisconnect
                body += message.get("body", b"")
                if len(body) > MOST_BODY_BYTES:
                    await _discard(receive)
                    raise too_large
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise ProblemError(408, "timeout", f"The request's body was not complete within {BODY_SECONDS:g} s.") from None


async def _discard(receive: Receive) -> None:
    """Read on for a moment: a client that still sends when the connection is closed may never see the response."""
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while discarded < _MOST_DISCARDED:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _replay(body: bytes, receive: Receive) -> Receive:
    """Make a receive that gives a body that was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_replayed
