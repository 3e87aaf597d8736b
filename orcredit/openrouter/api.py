"""The requests to OpenRouter: one deadline, bounded bodies, retries, no redirects.

Redirects are not followed, as that would send the key to another host. Our errors are raised outside the HTTP client's
`except` blocks: its exceptions reference frames with the request's headers, and so the key, which tools that print the
variables of a traceback would show.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel

from orcredit.background import NoThreadError
from orcredit.errors import LIMITS_HINT, NO_THREAD, NonsenseError, OrcreditError, UnreachableError
from orcredit.openrouter.meanwhile import Meanwhile
from orcredit.openrouter.response import LARGEST_BODY, read_data, status_error
from orcredit.openrouter.retry import retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import SecretStr

    from orcredit.openrouter.transport import Transport
    from orcredit.openrouter.wire import Credits, KeyInfo

LONGEST_RETRY_AFTER = 3600.0
"""Seconds. Upper bound for Retry-After headers; larger values are mistakes or attacks."""

_logger = logging.getLogger("orcredit")
_M = TypeVar("_M", bound=BaseModel)
_Dated: TypeAlias = tuple[_M, datetime | None]


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
    ) -> None:
        self._base_url = base_url
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
        return await self._get("/key", _key_info, secret)

    async def credits(self, secret: SecretStr) -> Credits:
        """Request `GET /credits`; the key must be a management key (others may get two zeros).

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        credits_, _ = await self._get("/credits", _credits, secret)
        return credits_

    async def _get(self, path: str, model: Callable[[], type[_M]], secret: SecretStr) -> _Dated[_M]:
        failure: UnreachableError | None = None
        http = await self._client()
        try:
            async with asyncio.timeout_at(self._deadline):
                try:
                    return await self._attempt(http, path, model, secret)
                except UnreachableError as error:
                    failure = error
                return await retry(failure, lambda: self._attempt(http, path, model, secret), self._is_retried)
        except TimeoutError:
            pass  # raised below, outside of `except`: see the module's docstring
        message = f"OpenRouter did not answer within {self._timeout:g} s"
        message += f"; before that: {failure}" if failure is not None else "."
        raise UnreachableError(message, hint="Try again later, or allow more time with --timeout.")

    async def _client(self) -> httpx2.AsyncClient:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._deadline):
                return await self._transport.client(self._base_url, on_loopback=self._on_loopback)
        raise UnreachableError(
            f"The certificates could not be read within {self._timeout:g} s.",
            hint="They are the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR: check whether that disk hangs.",
        )

    def _is_retried(self, error: BaseException) -> bool:
        """Whether to retry: the failure may be transient, and the wait that OpenRouter asks for fits the deadline."""
        if not isinstance(error, UnreachableError) or not error.transient:
            return False
        return asyncio.get_running_loop().time() + (error.retry_after or 0.0) < self._deadline

    async def _attempt(
        self, http: httpx2.AsyncClient, path: str, model: Callable[[], type[_M]], secret: SecretStr
    ) -> _Dated[_M]:
        started = time.perf_counter()
        outcome = "no answer in time"
        answer: tuple[int, httpx2.Headers, bytes] | None = None
        failure: UnreachableError | NonsenseError = UnreachableError("OpenRouter could not be reached.")
        try:
            answer = await self._exchange(http, path, secret)
            outcome = str(answer[0])
        except httpx2.HTTPError as error:
            outcome = _describe(error)
            failure = _translate(error, outcome, urlsplit(self._base_url).hostname or "", is_direct=self._is_direct)
        except NoThreadError:  # to resolve the name
            outcome = NO_THREAD
            failure = UnreachableError(f"OpenRouter could not be reached: {outcome}.", hint=LIMITS_HINT)
        finally:
            url_path = urlsplit(self._base_url).path + path
            _logger.debug("GET %s: %s after %.3f s", url_path, outcome, time.perf_counter() - started)
        if answer is None:
            raise failure
        data = self._read(answer, model, secret)
        answer = None  # else the frame of a raised error would reference the body
        if isinstance(data, OrcreditError):
            raise data
        return data

    def _read(
        self, answer: tuple[int, httpx2.Headers, bytes], model: Callable[[], type[_M]], secret: SecretStr
    ) -> _Dated[_M] | OrcreditError:
        """Read a response. Errors are returned: raised, they would reference the body, which may repeat the key."""
        status, headers, body = answer
        if status != httpx2.codes.OK:
            return status_error(status, body, retry_after=_retry_after(headers))
        if len(body) > LARGEST_BODY:
            return NonsenseError("The server answered with more than 1 MiB.")
        media_type = headers.get("content-type", "")
        try:
            data = read_data(model(), body, media_type=media_type, secrets=(secret, *self._secrets))
        except OrcreditError as error:
            return error.with_traceback(None)
        return data, _http_date(headers.get("date", ""))

    async def _exchange(
        self, http: httpx2.AsyncClient, path: str, secret: SecretStr
    ) -> tuple[int, httpx2.Headers, bytes]:
        authorization = {"authorization": f"Bearer {secret.get_secret_value()}"}
        body = bytearray()
        with Meanwhile(self._meanwhile) as meanwhile:
            async with http.stream(
                "GET",
                self._base_url + path,
                headers=authorization,
                follow_redirects=False,
                extensions=meanwhile.extensions,
            ) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_BODY:
                        break
        return response.status_code, response.headers, bytes(body)


# The models are imported once there is a response: earlier, their import would delay the request.


def _key_info() -> type[KeyInfo]:
    from orcredit.openrouter.wire import KeyInfo  # noqa: PLC0415

    return KeyInfo


def _credits() -> type[Credits]:
    from orcredit.openrouter.wire import Credits  # noqa: PLC0415

    return Credits


_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate could not be verified"),
    (ssl.SSLError, "no secure connection could be made"),
    (socket.gaierror, "its name could not be resolved"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (httpx2.ProxyError, "the proxy refused the request"),
    (httpx2.TimeoutException, "the connection timed out"),
    (httpx2.ConnectError, "no connection"),
    (httpx2.ProtocolError, "the connection closed early, or the response is not HTTP"),
    (httpx2.NetworkError, "the connection broke"),
)
"""What went wrong below HTTP, the most specific first. The exceptions' own messages may quote what the server sent."""


def _describe(error: httpx2.HTTPError) -> str:
    causes = list(_causes(error))
    return next((text for kind, text in _CAUSES if any(isinstance(cause, kind) for cause in causes)), "it failed")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # one connection attempt for each address of the name
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__


def _translate(error: httpx2.HTTPError, cause: str, host: str, *, is_direct: bool) -> UnreachableError | NonsenseError:
    if isinstance(error, httpx2.DecodingError):
        return NonsenseError("The server answered with compressed data that cannot be decompressed.")
    message = f"OpenRouter could not be reached ({host}): {cause}."
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error)):
        hint = "A proxy may intercept the connection; for a company's certificate authority set SSL_CERT_FILE."
        return UnreachableError(message, hint=hint, transient=False)
    proxy = None if is_direct else _proxy_variable()
    check = f"the network, the proxy of {proxy}" if proxy else "the network"
    return UnreachableError(message, hint=f"Check {check} and --base-url, then try again.")


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
