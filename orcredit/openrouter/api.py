"""The calls orcredit makes to OpenRouter: one deadline, bounded bodies, careful retries, no redirects.

Redirects are not followed because the key would travel along. Errors are raised `from None`: the HTTP client's
own exceptions lead to frames that hold the request's headers, and with them the key.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

import httpx2
from pydantic import BaseModel

from orcredit import __version__
from orcredit.errors import ConfigurationError, NonsenseError, UnreachableError
from orcredit.openrouter.answer import LARGEST_BODY, read_data, status_error
from orcredit.openrouter.wire import Credits, KeyInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

ATTEMPTS = 4
"""Tries for one call, the first included; with the waits between them they span about two seconds."""

_logger = logging.getLogger("orcredit")
_M = TypeVar("_M", bound=BaseModel)
_Dated: TypeAlias = tuple[_M, datetime | None]


class Api:
    """OpenRouter's HTTP API for the length of one question; an asynchronous context manager.

    Args:
        base_url: where the API lives, without a trailing slash.
        deadline: the event loop's time (seconds) by which every answer must be there, retries included.
        timeout: the seconds from the start to that deadline; for messages only.
        on_loopback: the server is on this machine: proxies are not asked, and plain http is fine.
        transport: takes the place of the network (the demo).

    Raises:
        ConfigurationError: a proxy or certificate variable of the environment is unusable.
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline: float,
        timeout: float,
        on_loopback: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._deadline = deadline
        self._timeout = timeout
        if transport is None and on_loopback:
            transport = _loopback_transport(base_url)
        try:
            self._http = httpx2.AsyncClient(
                base_url=base_url,
                transport=transport,
                timeout=None,  # the deadline bounds the whole exchange instead of each read
                headers={"accept": "application/json", "user-agent": f"orcredit/{__version__}"},
            )
        except (ImportError, ValueError, httpx2.InvalidURL, OSError, ssl.SSLError) as error:
            reason = "SOCKS proxies are not supported" if isinstance(error, ImportError) else type(error).__name__
            msg = f"The proxy or certificate settings of the environment cannot be used ({reason})."
            hint = "Check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."
            raise ConfigurationError(msg, hint=hint) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def key(self, secret: SecretStr) -> tuple[KeyInfo, datetime | None]:
        """Ask `GET /key`: what OpenRouter says about the key itself.

        Returns:
            The answer and the instant of its Date header (aware UTC); None where that is missing or unreadable.

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        return await self._get("/key", KeyInfo, secret)

    async def credits(self, secret: SecretStr) -> Credits:
        """Ask `GET /credits`; the key must be a management key (others may be told two zeros).

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        credits_, _ = await self._get("/credits", Credits, secret)
        return credits_

    async def _get(self, path: str, model: type[_M], secret: SecretStr) -> _Dated[_M]:
        failure: UnreachableError | None = None
        try:
            async with asyncio.timeout_at(self._deadline):
                try:
                    return await self._attempt(path, model, secret)
                except UnreachableError as error:
                    failure = error
                return await self._try_again(path, model, secret, failure)
        except TimeoutError:
            msg = f"OpenRouter did not answer within {self._timeout:g} s."
            if failure is not None:
                msg = f"{msg[:-1]}; before that: {failure}"
            hint = "Try again later, or allow more time with --timeout."
            raise UnreachableError(msg, hint=hint) from None

    async def _try_again(self, path: str, model: type[_M], secret: SecretStr, failure: UnreachableError) -> _Dated[_M]:
        # Imported at the first failure only: most runs never need it. Its default hooks report each retry to whatever
        # logging they find, structlog's standard output included; a host program that uses stamina keeps its own.
        is_hosts_own = "stamina" in sys.modules
        import stamina  # noqa: PLC0415

        if not is_hosts_own:
            stamina.instrumentation.set_on_retry_hooks(())
        async for attempt in stamina.retry_context(
            on=self._should_retry, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2
        ):
            with attempt:
                if attempt.num == 1:
                    raise failure  # the try that has been made counts as the first
                return await self._attempt(path, model, secret)
        raise failure

    def _should_retry(self, error: Exception) -> bool | float:
        if not isinstance(error, UnreachableError) or not error.transient:
            return False
        if error.retry_after is None:
            return True
        fits = asyncio.get_running_loop().time() + error.retry_after < self._deadline
        return error.retry_after if fits else False

    async def _attempt(self, path: str, model: type[_M], secret: SecretStr) -> _Dated[_M]:
        started = time.perf_counter()
        outcome = "no answer in time"
        try:
            status, headers, body = await self._exchange(path, secret)
            outcome = str(status)
        except httpx2.HTTPError as error:
            outcome = _in_words(error)
            raise _translate(error, outcome, self._http.base_url.host) from None
        finally:
            url_path = self._http.base_url.path.rstrip("/") + path
            _logger.debug("GET %s: %s after %.3f s", url_path, outcome, time.perf_counter() - started)
        if status == httpx2.codes.OK:
            if len(body) > LARGEST_BODY:
                raise NonsenseError("The server answered with more than 1 MiB.")
            media_type = headers.get("content-type", "")
            answer = read_data(model, body, media_type=media_type, secret=secret.get_secret_value())
            return answer, _http_date(headers.get("date", ""))
        raise status_error(status, body, retry_after=_retry_after(headers), when=_moment)

    async def _exchange(self, path: str, secret: SecretStr) -> tuple[int, httpx2.Headers, bytes]:
        authorization = {"authorization": f"Bearer {secret.get_secret_value()}"}
        body = bytearray()
        async with self._http.stream("GET", path, headers=authorization, follow_redirects=False) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BODY:
                    break
        return response.status_code, response.headers, bytes(body)


def _loopback_transport(base_url: str) -> httpx2.AsyncHTTPTransport:
    """A transport that asks no proxy; for plain http, without loading certificates that nothing would use."""
    if base_url.startswith("http:"):
        return httpx2.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return httpx2.AsyncHTTPTransport()


_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate could not be verified"),
    (ssl.SSLError, "no secure connection could be made"),
    (socket.gaierror, "its name could not be resolved"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (httpx2.ProxyError, "the proxy did not let it through"),
    (httpx2.TimeoutException, "the connection timed out"),
    (httpx2.ConnectError, "no connection"),
    (httpx2.ProtocolError, "the connection closed early, or what came is not HTTP"),
    (httpx2.NetworkError, "the connection broke"),
)
"""What went wrong below HTTP, the most telling first; the exceptions' own texts quote what the other side sent."""


def _in_words(error: httpx2.HTTPError) -> str:
    causes = list(_causes(error))
    return next((words for kind, words in _WORDS if any(isinstance(cause, kind) for cause in causes)), "it failed")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # one connection attempt for each address of the name
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__


def _translate(error: httpx2.HTTPError, words: str, host: str) -> UnreachableError | NonsenseError:
    if isinstance(error, httpx2.DecodingError):
        return NonsenseError("The server answered with compressed data that cannot be unpacked.")
    msg = f"OpenRouter could not be asked ({host}): {words}."
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        hint = "Something may be intercepting the connection; for a company's own authority set SSL_CERT_FILE."
        return UnreachableError(msg, hint=hint, transient=False)
    return UnreachableError(msg, hint="Check the network and --base-url, then try again.")


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait by the Retry-After header, which holds seconds or (RFC 9110) an HTTP date; None without."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    at = _http_date(value)
    return None if at is None else max(0.0, (at - datetime.now(UTC)).total_seconds())


def _http_date(value: str) -> datetime | None:
    """Read an HTTP date (RFC 9110) as aware UTC; None for anything else, and for a year that no clock shows."""
    try:
        at = parsedate_to_datetime(value)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if 2000 <= at.year < 3000 else None


def _moment(seconds: float) -> str:
    """Write a wait for people: how long, and until what local time."""
    at = (datetime.now(UTC) + timedelta(seconds=min(seconds, 10 * 365 * 86400))).astimezone()
    return f"{seconds:.0f} s (at {at:%Y-%m-%d %H:%M:%S %Z})"
