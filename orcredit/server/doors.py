"""What every request passes before it is answered: who may ask, from where, how much; and what every answer carries.

- The Host must be one of ours: a foreign name that resolves to this machine is how a web page reads a local server
  (DNS rebinding).
- Data is refused to other sites' pages, which a browser tells by `Origin` and `Sec-Fetch-Site`; programs send neither.
- Where a token is set, everything but the page itself wants it, or a session begun with it.
- Heads and bodies are bounded, in size and in time.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPMethod
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.requests import cookie_parser

from orcredit.errors import OrcreditError, place_of
from orcredit.server.answers import Refusal
from orcredit.server.sessions import BEARER_TRIES, Sessions, Tries
from orcredit.server.static import ASSETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from orcredit.server.sessions import Session

MOST_HEAD_BYTES = 16 * 1024
MOST_BODY_BYTES = 4 * 1024
BODY_SECONDS = 10.0
_DROP_SECONDS, _MOST_DROPPED = 1.0, 1024 * 1024

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_SESSION = "orcredit.session"
"""Under which a request's scope holds the session it came with, if it did."""

_OPEN_PATHS = frozenset({"/", "/healthz"})
_DATA_PATHS = frozenset({"/readyz", "/openapi.json"})

_METHODS = frozenset(HTTPMethod)
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?")

_logger = logging.getLogger("orcredit.server")


@dataclass(slots=True)
class _Head:
    """What the doors look at in a request's headers."""

    size: int
    host: str = ""
    origin: str | None = None
    fetch_site: str | None = None
    authorization: str | None = None
    cookie: str | None = None
    length: str | None = None
    is_chunked: bool = False
    expects_continue: bool = False
    repeated: str | None = None
    """A header that stands there twice although it may have one value only."""

    @property
    def has_body(self) -> bool:
        return self.is_chunked or self.length not in {None, "0"}

    @property
    def is_ambiguous(self) -> bool:
        """Whether another program may read the request differently: as another user's, or as two."""
        return self.repeated is not None or (self.is_chunked and self.length is not None)


def _read(scope: Scope) -> _Head:
    head = _Head(size=len(scope["raw_path"]) + len(scope["query_string"]))
    for name, value in scope["headers"]:
        head.size += len(name) + len(value) + 4
        match name:
            case b"host":
                head.host = value.decode("latin-1")
            case b"origin":
                head.repeated = head.repeated if head.origin is None else "Origin"
                head.origin = value.decode("latin-1")
            case b"sec-fetch-site":
                head.repeated = head.repeated if head.fetch_site is None else "Sec-Fetch-Site"
                head.fetch_site = value.decode("latin-1")
            case b"authorization":
                head.repeated = head.repeated if head.authorization is None else "Authorization"
                head.authorization = value.decode("latin-1")
            case b"cookie":
                # Proxies that speak HTTP/2 may have split it (RFC 9113, 8.2.3).
                head.cookie = "; ".join(filter(None, (head.cookie, value.decode("latin-1"))))
            case b"content-length":
                head.length = value.decode("latin-1")
            case b"transfer-encoding":
                head.is_chunked = True
            case b"expect":
                head.expects_continue = True
    return head


class Doors:
    """Wraps an application.

    Args:
        app: what answers those who may ask.
        paths: what it answers at; others are not written down, since somebody may have typed a key there.
        hosts: names and addresses that a request's Host may be, besides this machine's own and the
            address at which the connection arrived.
        sessions: where a token is set; None lets everybody in.
        cookie_name: of the session.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: Iterable[str],
        hosts: Iterable[str],
        sessions: Sessions | None,
        cookie_name: str,
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._hosts = LOCAL_HOSTS | {host_name(host) for host in hosts} - {None}
        self._sessions = sessions
        self._cookie_name = cookie_name
        self._bearer_tries = Tries(BEARER_TRIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        started = time.perf_counter()
        status, is_complete = 0, False

        async def send_dressed(message: Message) -> None:
            nonlocal status, is_complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *SECURITY_HEADERS]
            else:
                is_complete = not message.get("more_body", False)
            await send(message)

        head = _read(scope)
        try:
            self._check(scope, head)
            if head.has_body:
                receive = await _body(receive, head)
            await self._app(scope, receive, send_dressed)
        except Refusal as refusal:
            # An unread body would keep the connection open, and an ambiguous request makes what follows it ambiguous.
            closes = head.has_body or head.is_ambiguous
            await refusal.response(closes=closes)(scope, receive, send_dressed)
        except _GoneError:
            pass  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001 - one request's trouble is not everybody's; its text may quote secrets
            _logger.error("internal error: %s", place_of(error))  # noqa: TRY400 - likewise
            if not status:
                await mistake().response(closes=head.has_body)(scope, receive, send_dressed)
            elif not is_complete:
                raise _BrokenOffError from None
        finally:
            if _logger.isEnabledFor(logging.DEBUG):
                seconds = time.perf_counter() - started
                _logger.debug("answered %s: %s after %.3f s", self._shown(scope), status, seconds)

    def _shown(self, scope: Scope) -> str:
        """Name a request by what is known of us; anything else somebody typed, and it may be a key."""
        method: str = scope["method"] if scope["method"] in _METHODS else "(another method)"
        path: str = scope["path"]
        if path not in self._paths:
            path = f"{ASSETS}..." if path.startswith(ASSETS) else "(elsewhere)"
        return f"{method} {path}"

    def _check(self, scope: Scope, head: _Head) -> None:
        """Check the head of a request.

        Raises:
            Refusal: it is not let in.
        """
        if head.size > MOST_HEAD_BYTES:
            raise head_too_large()
        if head.is_ambiguous:
            raise _ambiguous(head)
        name = _without_port(head.host)
        if name is None or (name not in self._hosts and name != host_name(scope["server"][0])):
            raise Refusal(
                403,
                "foreign_host",
                "This server does not answer to that name.",
                "Start orcredit serve with --allow-host and the name or address that you use.",
            )
        path: str = scope["path"]
        if path.startswith("/api/") or path in _DATA_PATHS:
            _check_site(head)
        if self._sessions is not None:
            self._check_token(self._sessions, scope, head)

    def _check_token(self, sessions: Sessions, scope: Scope, head: _Head) -> None:
        session = None
        if head.cookie is not None:
            session = sessions.read(cookie_parser(head.cookie).get(self._cookie_name, ""))
            scope[_SESSION] = session
        path: str = scope["path"]
        is_open = path in _OPEN_PATHS or path.startswith(ASSETS) or (path, scope["method"]) == ("/api/session", "POST")
        if session is not None or is_open:
            return
        scheme, _, token = (head.authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            address = client_address(scope)
            wait = self._bearer_tries.wait(address)
            if wait:
                raise too_many_tries(wait)
            if sessions.knows(token.strip()):
                return
            self._bearer_tries.fail(address)
        raise Refusal(
            401,
            "unauthorized",
            "The token is wrong." if scheme else "This server wants a token.",
            "Log in on the page, or send the token of ORCREDIT_TOKEN in the header 'Authorization: Bearer ...'.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class _GoneError(Exception):
    """The client hung up before its request was complete."""


class _BrokenOffError(Exception):
    """The answer ends in the middle; uvicorn closes the connection."""


def mistake() -> Refusal:
    """Say that orcredit made a mistake."""
    return Refusal(500, "internal", "orcredit made a mistake.", OrcreditError.hint)


def head_too_large() -> Refusal:
    """Say that a request's first line and headers are too long."""
    return Refusal(
        431,
        "headers_too_large",
        f"The request's headers are larger than {MOST_HEAD_BYTES // 1024} KiB.",
        "Send fewer or shorter headers; a browser does after its cookies for this address were deleted.",
    )


def _ambiguous(head: _Head) -> Refusal:
    """Say that a request can be read in more than one way."""
    if head.repeated is not None:
        return Refusal(400, "bad_request", f"The header {head.repeated} came twice.", "Send it once.")
    return Refusal(
        400,
        "bad_request",
        "The request has both Content-Length and Transfer-Encoding, and its end is ambiguous.",
        "Send one of them.",
    )


def too_many_tries(wait: float) -> Refusal:
    """Say how long somebody who did not know the token has to wait, in seconds."""
    seconds = int(wait) + 1
    return Refusal(
        429,
        "too_many_tries",
        "Too many wrong tokens came from your address.",
        f"Try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def session_of(request: Request) -> Session | None:
    """Give the session that a request came with."""
    session: Session | None = request.scope.get(_SESSION)
    return session


def client_address(scope: Scope) -> str:
    """Give the address that a request came from."""
    client = scope.get("client")
    return client[0] if client else ""


def _check_site(head: _Head) -> None:
    """Refuse what a page of another site asked for.

    A page's own scheme is not compared: behind a proxy that speaks TLS it is another one than ours.
    """
    is_foreign = head.fetch_site is not None and head.fetch_site not in {"same-origin", "none"}
    if head.origin is not None:
        _, _, place = head.origin.partition("://")
        is_foreign = is_foreign or place.lower() != head.host.lower()
    if is_foreign:
        raise Refusal(
            403,
            "foreign_origin",
            "Another site's page asked for this.",
            "Open the page of this server itself; a proxy in front must pass the Host header on as it is.",
        )


def host_name(text: str) -> str | None:
    """Write a name or an address as a browser's Host header does, without a port; None for what is neither."""
    text = text.removesuffix(".")
    with suppress(ValueError):
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        address = ip_address(bare.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # IPv4, seen from an IPv6 socket
        return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    with suppress(UnicodeError):
        name = text.encode("idna").decode().lower()
        return name if _NAME.fullmatch(name) else None
    return None


@lru_cache(maxsize=64)
def _without_port(host: str) -> str | None:
    match = _HOST.fullmatch(host)
    return host_name(match[1]) if match else None


async def _body(receive: Receive, head: _Head) -> Receive:
    """Read a body within the limits, and give what gives it once more.

    Raises:
        Refusal: it is too large, or takes too long.
    """
    too_large = Refusal(413, "too_large", f"The request's body is larger than {MOST_BODY_BYTES // 1024} KiB.")
    if head.length is not None and (not head.length.isdigit() or int(head.length) > MOST_BODY_BYTES):
        if not head.expects_continue:  # then nothing comes unless it is read
            await _drop(receive)
        raise too_large
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise _GoneError
                body += message.get("body", b"")
                if len(body) > MOST_BODY_BYTES:
                    await _drop(receive)
                    raise too_large
                if not message.get("more_body", False):
                    return _again({"type": "http.request", "body": body, "more_body": False}, receive)
    except TimeoutError:
        raise Refusal(
            408,
            "timeout",
            f"The request's body did not come within {BODY_SECONDS:g} s.",
        ) from None


async def _drop(receive: Receive) -> None:
    """Read on for a moment: whoever is still sending when the connection is closed may never see the answer."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DROP_SECONDS):
            while dropped < _MOST_DROPPED:
                message = await receive()
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _again(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
