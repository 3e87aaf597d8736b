"""The calls orcredit makes to OpenRouter: one deadline, bounded bodies, careful retries, no redirects.

Redirects are not followed because the key would travel along. Our errors are raised after the HTTP client's own have
been handled, never while: theirs lead to frames that hold the request's headers, and with them the key, for whoever
prints the variables of a traceback.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar
from urllib.request import getproxies

import httpx2
from pydantic import BaseModel

from orcredit import __version__
from orcredit.errors import ConfigurationError, NonsenseError, OrcreditError, UnreachableError
from orcredit.openrouter.meanwhile import Meanwhile
from orcredit.openrouter.response import LARGEST_BODY, read_data, status_error
from orcredit.openrouter.retry import try_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import SecretStr

    from orcredit.openrouter.wire import Credits, KeyInfo

LONGEST_RETRY_AFTER = 3600.0
"""Seconds. Larger values of a Retry-After header are mistakes or attacks, and count as an hour."""

_ENVIRONMENT_HINT = "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."

_logger = logging.getLogger("orcredit")
_M = TypeVar("_M", bound=BaseModel)
_Dated: TypeAlias = tuple[_M, datetime | None]


class Api:
    """OpenRouter's HTTP API for the length of one question; an asynchronous context manager.

    Args:
        base_url: where the API lives, without a trailing slash.
        deadline: the event loop's time (seconds) by which every answer must be there, retries included.
        timeout: the seconds from the start to that deadline; for messages only.
        secrets: keys to redact in every answer.
        on_loopback: the server is on this machine: proxies are not asked, and plain http is fine.
        transport: takes the place of the network (the demo).
        meanwhile: work to do while an answer is awaited; see `orcredit.openrouter.meanwhile`.
        tls: gives the TLS context; see `orcredit.openrouter.tls`. None to make one.

    Raises:
        ConfigurationError: a proxy or certificate variable of the environment is unusable.
        UnreachableError: the system allows no more open files.
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline: float,
        timeout: float,
        secrets: Sequence[SecretStr] = (),
        on_loopback: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
        meanwhile: Iterator[object] | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._meanwhile = iter(()) if meanwhile is None else meanwhile
        self._deadline = deadline
        self._timeout = timeout
        self._secrets = secrets
        self._is_direct = on_loopback or transport is not None
        try:
            if transport is None and on_loopback and base_url.startswith("http:"):
                # No certificates: nothing would use them.
                transport = httpx2.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            elif transport is None and not on_loopback:
                _check_proxies()
            # One context for all connections, the proxies' included: each takes long to make.
            context = (tls or httpx2.create_ssl_context)() if transport is None else True
            if transport is None and on_loopback:
                transport = httpx2.AsyncHTTPTransport(verify=context)  # asks no proxy
            self._http = httpx2.AsyncClient(
                base_url=base_url,
                transport=transport,
                verify=context,
                timeout=None,  # the deadline bounds the whole exchange instead of each read
                headers={"accept": "application/json", "user-agent": f"orcredit/{__version__}"},
            )
        except (ImportError, ValueError, httpx2.InvalidURL, OSError) as error:
            unusable = _unusable(error)
            if unusable is None:
                raise
        else:
            return
        raise unusable

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
        return await self._get("/key", _key_info, secret)

    async def credits(self, secret: SecretStr) -> Credits:
        """Ask `GET /credits`; the key must be a management key (others may be told two zeros).

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: see `orcredit.errors`.
        """
        credits_, _ = await self._get("/credits", _credits, secret)
        return credits_

    async def _get(self, path: str, model: Callable[[], type[_M]], secret: SecretStr) -> _Dated[_M]:
        failure: UnreachableError | None = None
        try:
            async with asyncio.timeout_at(self._deadline):
                try:
                    return await self._attempt(path, model, secret)
                except UnreachableError as error:
                    failure = error
                return await try_again(failure, lambda: self._attempt(path, model, secret), self._is_retried)
        except TimeoutError:
            pass  # told below, outside: see the module's docstring
        message = f"OpenRouter did not answer within {self._timeout:g} s"
        message += f"; before that: {failure}" if failure is not None else "."
        raise UnreachableError(message, hint="Try again later, or allow more time with --timeout.")

    def _is_retried(self, error: BaseException) -> bool:
        """Whether another attempt may follow: it may help, and the wait that OpenRouter asks for fits the deadline."""
        if not isinstance(error, UnreachableError) or not error.transient:
            return False
        return asyncio.get_running_loop().time() + (error.retry_after or 0.0) < self._deadline

    async def _attempt(self, path: str, model: Callable[[], type[_M]], secret: SecretStr) -> _Dated[_M]:
        started = time.perf_counter()
        outcome = "no answer in time"
        answer: tuple[int, httpx2.Headers, bytes] | None = None
        trouble: UnreachableError | NonsenseError = UnreachableError("OpenRouter could not be asked.")
        try:
            answer = await self._exchange(path, secret)
            outcome = str(answer[0])
        except httpx2.HTTPError as error:
            outcome = _in_words(error)
            trouble = _translate(error, outcome, self._http.base_url.host, is_direct=self._is_direct)
        finally:
            url_path = self._http.base_url.path.rstrip("/") + path
            _logger.debug("GET %s: %s after %.3f s", url_path, outcome, time.perf_counter() - started)
        if answer is None:
            raise trouble
        data = self._read(answer, model, secret)
        answer = None  # as below
        if isinstance(data, OrcreditError):
            raise data
        return data

    def _read(
        self, answer: tuple[int, httpx2.Headers, bytes], model: Callable[[], type[_M]], secret: SecretStr
    ) -> _Dated[_M] | OrcreditError:
        """Read an answer; errors are given back: a raised one would lead to the body, which may repeat the key."""
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

    async def _exchange(self, path: str, secret: SecretStr) -> tuple[int, httpx2.Headers, bytes]:
        authorization = {"authorization": f"Bearer {secret.get_secret_value()}"}
        body = bytearray()
        with Meanwhile(self._meanwhile) as meanwhile:
            async with self._http.stream(
                "GET", path, headers=authorization, follow_redirects=False, extensions=meanwhile.extensions
            ) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_BODY:
                        break
        return response.status_code, response.headers, bytes(body)


# The shapes of the answers are loaded when there is one: until then they would only delay the request.


def _key_info() -> type[KeyInfo]:
    from orcredit.openrouter.wire import KeyInfo  # noqa: PLC0415

    return KeyInfo


def _credits() -> type[Credits]:
    from orcredit.openrouter.wire import Credits  # noqa: PLC0415

    return Credits


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


def _translate(error: httpx2.HTTPError, words: str, host: str, *, is_direct: bool) -> UnreachableError | NonsenseError:
    if isinstance(error, httpx2.DecodingError):
        return NonsenseError("The server answered with compressed data that cannot be unpacked.")
    message = f"OpenRouter could not be asked ({host}): {words}."
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        hint = "Something may be intercepting the connection; for a company's own authority set SSL_CERT_FILE."
        return UnreachableError(message, hint=hint, transient=False)
    proxy = None if is_direct else _proxy_variable()
    check = f"the network, the proxy of {proxy}" if proxy else "the network"
    return UnreachableError(message, hint=f"Check {check} and --base-url, then try again.")


def _proxy_variable() -> str | None:
    """Name the variable that makes requests go through a proxy; its value may hold a password."""
    names = (name for name in ("HTTPS_PROXY", "ALL_PROXY") for name in (name, name.lower()))
    return next((name for name in names if os.environ.get(name)), None)


def _check_proxies() -> None:
    """Check the environment's proxies for what httpx2 accepts and nothing can connect to; raises ValueError for it."""
    proxies = getproxies()
    for address in filter(None, map(proxies.get, ("http", "https", "all"))):
        url = httpx2.URL(address if "://" in address else f"http://{address}")
        if not url.host or (url.port is not None and not 0 < url.port < 65536):
            raise ValueError("not an address")


def _unusable(error: Exception) -> ConfigurationError | UnreachableError | None:
    """Say what keeps the HTTP client from being made; None for what is no setting of the environment's."""
    match error:
        case ImportError() if any(address.startswith("socks") for address in getproxies().values()):
            text = "A SOCKS proxy is set, which orcredit does not support."
        case ImportError():
            return None
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            hint = "Close other programs, or raise the limit (ulimit -n)."
            return UnreachableError("OpenRouter could not be asked: too many files are open.", hint=hint)
        case ssl.SSLError():
            text = "A certificate file that the environment names holds no certificates."
        case OSError():
            text = "A certificate file that the environment names cannot be read."
        case _:
            text = "A proxy's address in the environment is not one."
    return ConfigurationError(text, hint=_ENVIRONMENT_HINT)


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Read the Retry-After header: seconds or (RFC 9110) an HTTP date, which is compared with the answer's own Date.

    Returns:
        Seconds to wait, at most `LONGEST_RETRY_AFTER`; None without the header, and where it is neither.
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
    """Read an HTTP date (RFC 9110) as aware UTC; None for anything else, and for a year that no clock shows."""
    try:
        at = parsedate_to_datetime(value)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if 2000 <= at.year < 3000 else None
