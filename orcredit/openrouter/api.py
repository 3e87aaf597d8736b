"""The requests to OpenRouter: one deadline, bounded bodies, retries, no redirects.

Redirects are not followed, as that would send the key to another host. Our errors are raised outside the HTTP client's
`except` blocks: its exceptions reference frames with the request's headers, and so the key, which tools that print the
variables of a traceback would show.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel

from orcredit.background import NoThreadError, aside
from orcredit.errors import LIMITS_HINT, NO_THREAD, NonsenseError, OrcreditError, UnreachableError
from orcredit.openrouter.meanwhile import Meanwhile
from orcredit.openrouter.naming import key_from
from orcredit.openrouter.response import LARGEST_BODY, read_data, status_error
from orcredit.openrouter.retry import retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic import SecretStr

    from orcredit.openrouter.transport import Transport
    from orcredit.openrouter.wire import Credits, KeyInfo

LONGEST_RETRY_AFTER = 3600.0
"""Seconds. Upper bound for Retry-After headers; larger values are mistakes or attacks."""

_LARGE = 256 * 1024
"""Bytes. A page of keys has a third of that; 10,000 rows of analytics take a fifth of a second to read."""

_logger = logging.getLogger("orcredit")
_M = TypeVar("_M", bound=BaseModel)
_Dated: TypeAlias = tuple[_M, datetime | None]


@dataclass(frozen=True, slots=True)
class Call(Generic[_M]):
    """A request and what is expected of its answer.

    Attributes:
        path: below the base URL, with its query.
        model: gives the type of the answer's `data`, or of the whole document for a list.
        secret: the key.
        body: JSON to POST; None for a GET.
        is_list: whether `data` is a list.
        largest: bytes of the answer.
        is_retried: whether a failure that may be transient is retried.
        logged: the path for the log, where the path itself holds a key's hash.
    """

    path: str
    model: Callable[[], type[_M]]
    secret: SecretStr
    body: bytes | None = None
    is_list: bool = False
    largest: int = LARGEST_BODY
    is_retried: bool = True
    logged: str = ""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "GET" if self.body is None else "POST"


class Api:
    """OpenRouter's HTTP API for one poll.

    Args:
        base_url: of the API, without a trailing slash.
        transport: creates the HTTP client.
        deadline: the event loop's time (seconds) by which every response must have arrived, retries included.
        timeout: seconds from the start to that deadline; for messages only.
        secrets: keys to redact in every response.
        on_loopback: the server is on this machine: proxies are bypassed, and plain http is allowed.
        meanwhile: work to do while waiting for a response; see `orcredit.openrouter.meanwhile`.
        key_sources: the variable or argument that holds each key; for messages only.
        base_url_source: the option or variable that holds the base URL, None for the default; for messages only.
        on_attempt: called with the number of each attempt of a request, from 1.

    Raises:
        ConfigurationError: a proxy or certificate variable of the environment is invalid.
        UnreachableError: too many files are open.
    """

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        *,
        deadline: float,
        timeout: float,
        secrets: Sequence[SecretStr] = (),
        on_loopback: bool = False,
        meanwhile: Iterator[object] | None = None,
        key_sources: Mapping[SecretStr, str] | None = None,
        base_url_source: str | None = None,
        on_attempt: Callable[[int], object] | None = None,
    ) -> None:
        self._base_url = base_url
        self._name = f"OpenRouter ({urlsplit(base_url).netloc})"
        self._key_sources = key_sources or {}
        self._base_url_source = base_url_source
        self._on_attempt = on_attempt or (lambda _: None)
        self._meanwhile = iter(()) if meanwhile is None else meanwhile
        self._deadline = deadline
        self._timeout = timeout
        self._secrets = secrets
        self._is_direct = transport.is_direct(on_loopback=on_loopback)
        self._transport = transport
        self._on_loopback = on_loopback

    async def key(self, secret: SecretStr) -> tuple[KeyInfo, datetime | None]:
        """Request `GET /key`.

        Returns:
            The response's data, and its Date header (aware UTC; None if missing or invalid).

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        return await self.ask(Call("/key", _key_info, secret))

    async def credits(self, secret: SecretStr, *, is_retried: bool = True) -> Credits:
        """Request `GET /credits`, which is meant for management keys; see `orcredit.openrouter.credit`.

        Args:
            secret: the key.
            is_retried: whether a failure that may be transient is retried.

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        credits_, _ = await self.ask(Call("/credits", _credits, secret, is_retried=is_retried))
        return credits_

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - asyncio.get_running_loop().time()

    def begin_again(self) -> None:
        """Give the next requests as much time as the first ones had, from now on."""
        self._deadline = asyncio.get_running_loop().time() + self._timeout

    async def ask(self, call: Call[_M]) -> _Dated[_M]:
        """Send a request, and read its answer.

        Returns:
            The answer's data, and its Date header (aware UTC; None if missing or invalid).

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        tries, is_sent = 0, False
        failure: UnreachableError | None = None

        async def attempt(number: int) -> _Dated[_M]:
            nonlocal tries, is_sent, failure
            tries, is_sent = number, False
            self._on_attempt(number)
            meanwhile = Meanwhile(self._meanwhile)
            try:
                return await self._attempt(http, call, meanwhile)
            except UnreachableError as error:
                failure = error
                raise
            finally:
                is_sent = meanwhile.is_sent

        http = await self._client()
        is_late = False
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout_at(self._deadline):
                try:
                    return await attempt(1)
                except UnreachableError as error:
                    if not call.is_retried:
                        raise
                    first = error
                return await retry(first, attempt, is_retried=_is_transient, seconds=self._deadline - loop.time())
        except TimeoutError:
            is_late = True
        except UnreachableError:
            pass
        # Raised here, outside of `except`: see the module's docstring.
        raise self._unreachable(failure, tries, loop.time() - started, is_late=is_late, is_sent=is_sent)

    def _unreachable(
        self, failure: UnreachableError | None, tries: int, seconds: float, *, is_late: bool, is_sent: bool
    ) -> UnreachableError:
        """Make the error of a request: what happened last, how often it was tried, and for how long.

        Args:
            failure: the last attempt's; the one before it if that was cut off; None if that was the first.
            tries: the number of attempts.
            seconds: how long they took.
            is_late: whether the deadline passed.
            is_sent: whether the last attempt's request was sent.
        """
        often = f"tried {tries} times"
        if is_late:
            message = f"{self._name} did not answer" if is_sent else f"No connection to {self._name}"
            message += f" within {self._timeout:g} s"
            if failure is not None:
                message += f" ({often}); before that: {str(failure).rstrip('.')}"
            return UnreachableError(f"{message}.", hint="Try again later, or allow more time with --timeout.")
        if failure is None:
            return UnreachableError(f"{self._name} could not be reached.")
        message = str(failure) if tries == 1 else f"{str(failure).rstrip('.')}; {often} in {seconds:.1f} s."
        return UnreachableError(
            message,
            hint=failure.hint,
            retry_after=failure.retry_after,
            transient=failure.transient,
            status=failure.status,
        )

    def _key_name(self, secret: SecretStr) -> str:
        """Name a key for messages, as `the key in OPENROUTER_API_KEY (sk-or-v1-au7...890)`."""
        from orcredit.openrouter.wire import mask  # noqa: PLC0415 - as for the models below

        name = key_from(self._key_sources.get(secret))
        # Other services' keys, which another base URL may take, are shown by nothing of theirs.
        is_openrouters = secret.get_secret_value().startswith("sk-or-")
        return f"{name} ({mask(secret.get_secret_value())})" if is_openrouters else name

    async def _client(self) -> httpx2.AsyncClient:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._deadline):
                return await self._transport.client(self._base_url, on_loopback=self._on_loopback)
        raise UnreachableError(
            f"The certificates could not be read within {self._timeout:g} s.",
            hint="They are the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR: check whether that disk hangs.",
        )

    async def _attempt(self, http: httpx2.AsyncClient, call: Call[_M], meanwhile: Meanwhile) -> _Dated[_M]:
        started = time.perf_counter()
        outcome = "no answer in time"
        answer: tuple[int, httpx2.Headers, bytes] | None = None
        failure: UnreachableError | NonsenseError = UnreachableError(f"{self._name} could not be reached.")
        try:
            answer = await self._exchange(http, call, meanwhile)
            outcome = str(answer[0])
        except httpx2.HTTPError as error:
            outcome = _describe(error, is_answered=meanwhile.is_answered)
            failure = self._translate(error, outcome)
        except NoThreadError:  # to resolve the name
            outcome = NO_THREAD
            failure = UnreachableError(f"{self._name} could not be reached: {outcome}.", hint=LIMITS_HINT)
        finally:
            url_path = urlsplit(self._base_url).path + (call.logged or call.path.partition("?")[0])
            _logger.debug("%s %s: %s after %.3f s", call.method, url_path, outcome, time.perf_counter() - started)
        if answer is None:
            raise failure
        if len(answer[2]) <= _LARGE:
            data = self._read(answer, call)
        else:
            data = await aside(partial(self._read, answer, call))
        answer = None  # else the frame of a raised error would reference the body
        if isinstance(data, OrcreditError):
            raise data
        return data

    def _read(self, answer: tuple[int, httpx2.Headers, bytes], call: Call[_M]) -> _Dated[_M] | OrcreditError:
        """Read a response. Errors are returned: raised, they would reference the body, which may repeat the key."""
        status, headers, body = answer
        if status != httpx2.codes.OK:
            key = self._key_name(call.secret) if status in {401, 403} else ""
            return status_error(status, body, retry_after=_retry_after(headers), key=key)
        if len(body) > call.largest:
            return NonsenseError(f"The server answered with more than {call.largest // LARGEST_BODY} MiB.")
        media_type, secrets = headers.get("content-type", ""), (call.secret, *self._secrets)
        try:
            data = read_data(call.model(), body, media_type=media_type, secrets=secrets, is_list=call.is_list)
        except OrcreditError as error:
            return error.with_traceback(None)
        return data, _http_date(headers.get("date", ""))

    async def _exchange(
        self, http: httpx2.AsyncClient, call: Call[_M], meanwhile: Meanwhile
    ) -> tuple[int, httpx2.Headers, bytes]:
        headers = {"authorization": f"Bearer {call.secret.get_secret_value()}"}
        if call.body is not None:
            headers["content-type"] = "application/json"
        body = bytearray()
        with meanwhile:
            async with (
                _Closing(meanwhile.extensions) as closing,
                http.stream(
                    call.method,
                    self._base_url + call.path,
                    content=call.body,
                    headers=headers,
                    follow_redirects=False,
                    extensions=closing.extensions,
                ) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > call.largest:
                        break
        return response.status_code, response.headers, bytes(body)

    def _translate(self, error: httpx2.HTTPError, outcome: str) -> UnreachableError | NonsenseError:
        """Make our error of the HTTP client's, which `_describe` described."""
        if isinstance(error, httpx2.DecodingError):
            return NonsenseError("The server answered with compressed data that cannot be decompressed.")
        is_connected = outcome in _AFTER_CONNECTING
        message = f"{self._name} {outcome}." if is_connected else f"{self._name} could not be reached: {outcome}."
        if any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error)):
            hint = "A proxy may intercept the connection; for a company's certificate authority set SSL_CERT_FILE."
            return UnreachableError(message, hint=hint, transient=False)
        proxy = None if self._is_direct else _proxy_variable()
        checks = ["the network", f"the proxy of {proxy}" if proxy else None, self._base_url_source]
        *first, last = [check for check in checks if check is not None]
        return UnreachableError(
            message, hint=f"Check {', '.join(first)}{' and ' if first else ''}{last}, then try again."
        )


class _Closing:
    """Close the connection of a request that is cancelled: the HTTP client keeps it open during the TLS handshake.

    Args:
        extensions: of the request.
    """

    def __init__(self, extensions: dict[str, Any]) -> None:
        self._trace = extensions["trace"]
        self._stream: Any = None
        self.extensions = extensions | {"trace": self._traced}

    async def _traced(self, event: str, details: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._stream = details["return_value"]
        await self._trace(event, details)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._stream is not None and kind is asyncio.CancelledError:
            await self._stream.aclose()


# The models are imported once there is a response: earlier, their import would delay the request.


def _key_info() -> type[KeyInfo]:
    from orcredit.openrouter.wire import KeyInfo  # noqa: PLC0415

    return KeyInfo


def _credits() -> type[Credits]:
    from orcredit.openrouter.wire import Credits  # noqa: PLC0415

    return Credits


_CLOSED = "closed the connection without an answer"
_BROKE_OFF = "closed the connection in the middle of its answer"
_RESET = "reset the connection without an answer"
_RESET_LATE = "reset the connection in the middle of its answer"
_NOT_HTTP = "answered with something that is not HTTP"
_AFTER_CONNECTING = frozenset({_CLOSED, _BROKE_OFF, _RESET, _RESET_LATE, _NOT_HTTP})
"""What a server did, or a proxy in its place; other causes prevented the connection."""

_SYSTEM_ERRORS = {
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.ENETUNREACH: "the network is unreachable",
    errno.EHOSTUNREACH: "the network has no way to it",
}
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate could not be verified"),
    (ssl.SSLEOFError, "the connection was closed before it was secure"),
    (ssl.SSLError, "no secure connection could be made"),
    (socket.gaierror, "its name could not be resolved"),
    (ConnectionRefusedError, "connection refused"),
    (httpx2.ProxyError, "the proxy refused the request"),
    (TimeoutError, "the connection timed out"),
    (httpx2.TimeoutException, "the connection timed out"),
    (httpx2.ConnectError, "no connection"),
)
"""What prevented a connection, the most specific first. The exceptions' own messages may quote what the server sent."""


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, UnreachableError) and error.transient


def _describe(error: httpx2.HTTPError, *, is_answered: bool) -> str:
    """Describe what went wrong below HTTP, as a phrase of `_AFTER_CONNECTING`, or as what prevented the connection.

    Args:
        error: the HTTP client's.
        is_answered: whether the headers of a response have arrived.
    """
    causes = list(_causes(error))
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    for number, text in _SYSTEM_ERRORS.items():
        if number in numbers:
            return text
    for kind, text in _CAUSES:
        if any(isinstance(cause, kind) for cause in causes):
            return text
    if isinstance(error, httpx2.ProtocolError):
        if is_answered:
            return _BROKE_OFF
        # The parser's own errors are about what was sent; that nothing was sent, the HTTP client notices itself.
        return _NOT_HTTP if any(type(cause).__module__.startswith("h11") for cause in causes) else _CLOSED
    if isinstance(error, httpx2.NetworkError):
        return _RESET_LATE if is_answered else _RESET
    return "it failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # one connection attempt for each address of the name
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__


def _proxy_variable() -> str | None:
    """Name the variable that sets the proxy; its value, which may contain a password, is not shown."""
    names = (name for name in ("HTTPS_PROXY", "ALL_PROXY") for name in (name, name.lower()))
    return next((name for name in names if os.environ.get(name)), None)


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Parse the Retry-After header: seconds or (RFC 9110) an HTTP date, which is compared with the Date header.

    Returns:
        Seconds to wait, at most `LONGEST_RETRY_AFTER`; None if the header is missing or invalid.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        seconds = float(value[:9])
    elif (at := _http_date(value)) is not None:
        seconds = (at - (_http_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds()
    else:
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def _http_date(value: str) -> datetime | None:
    """Parse an HTTP date (RFC 9110) as aware UTC; None for anything else, and for implausible years."""
    try:
        at = parsedate_to_datetime(value)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if 2000 <= at.year < 3000 else None
