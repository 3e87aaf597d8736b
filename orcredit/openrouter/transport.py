"""The HTTP clients and the TLS context, shared by all polls of a process.

Connections are closed after each response: polls of a key are a minute apart, and an open connection would be bound to
its event loop. So a transport needs no closing, and may be used by any number of loops and threads; each loop has a
separate client, as the connection pool of an HTTP client is not thread-safe.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
import threading
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.request import getproxies
from weakref import WeakKeyDictionary

import httpx2

from orcredit import __version__
from orcredit.errors import LIMITS_HINT, ConfigurationError, UnreachableError
from orcredit.openrouter.tls import prepare

if TYPE_CHECKING:
    from concurrent.futures import Future

MOST_CONNECTIONS = 100
"""Open connections per event loop; further requests wait."""

_ENVIRONMENT_HINT = "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."


class Transport:
    """Creates HTTP clients and the TLS context on first use.

    Args:
        tls: the TLS context, if it is being made already; see `orcredit.openrouter.tls`.
        network: takes the place of the network (the demo).
    """

    def __init__(
        self, *, tls: Future[ssl.SSLContext] | None = None, network: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._tls = tls
        self._network = network
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[bool, bool], httpx2.AsyncClient]] = (
            WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def is_direct(self, *, on_loopback: bool) -> bool:
        """Whether requests bypass proxies."""
        return on_loopback or self._network is not None

    async def client(self, base_url: str, *, on_loopback: bool) -> httpx2.AsyncClient:
        """Give the client of the running event loop; waits for the TLS context, which has no time limit.

        Args:
            base_url: of the API.
            on_loopback: the server is on this machine: proxies are bypassed.

        Raises:
            ConfigurationError: a proxy or certificate variable of the environment is invalid.
            UnreachableError: too many files are open.
        """
        kind = on_loopback, base_url.startswith("http:")
        with self._lock:
            clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        try:
            if kind not in clients:
                context = await self._context(kind)
                clients.setdefault(kind, self._new_client(context, on_loopback=on_loopback))
            return clients[kind]
        except (ImportError, ValueError, httpx2.InvalidURL, OSError) as error:
            unusable = _unusable(error)
            if unusable is None:
                raise
        raise unusable  # here, where the HTTP client's own error is no longer attached: see `orcredit.openrouter.api`

    async def _context(self, kind: tuple[bool, bool]) -> ssl.SSLContext | bool:
        """Give the TLS context of all connections, the proxies' included: making one reads the system's certificates.

        One thread at most reads them, however many polls wait for it in vain.
        """
        on_loopback, is_plain = kind
        if self._network is not None:
            return True
        if on_loopback and is_plain:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without certificates, which nothing would use
        with self._lock:
            if self._tls is None:
                self._tls = prepare()
            tls = self._tls
        try:
            return await asyncio.wrap_future(tls)
        except (ValueError, OSError):
            self._tls = None  # to be tried again: the file may be mended
            raise

    def _new_client(self, context: ssl.SSLContext | bool, *, on_loopback: bool) -> httpx2.AsyncClient:  # noqa: FBT001 - True is httpx2's default context
        transport = self._network
        limits = httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=0)
        if transport is None and on_loopback:
            transport = httpx2.AsyncHTTPTransport(verify=context, limits=limits)  # as a transport it bypasses proxies
        elif transport is None:
            check_proxies()
        return httpx2.AsyncClient(
            transport=transport,
            verify=context,
            limits=limits,
            timeout=None,  # the deadline of each poll bounds the whole exchange instead of each read
            headers={"accept": "application/json", "user-agent": f"orcredit/{__version__}"},
            # Cookies are refused: they would be sent with other keys.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )


def check_proxies() -> None:
    """Refuse proxy addresses that httpx2 accepts but cannot connect to. Raises ValueError or httpx2.InvalidURL."""
    proxies = getproxies()
    for address in filter(None, map(proxies.get, ("http", "https", "all"))):
        url = httpx2.URL(address if "://" in address else f"http://{address}")
        if not url.host or (url.port is not None and not 0 < url.port < 65536):
            raise ValueError("not an address")


def _unusable(error: Exception) -> ConfigurationError | UnreachableError | None:
    """Return our error for an HTTP client that cannot be created; None where the environment is not the cause."""
    match error:
        case ImportError() if any(address.startswith("socks") for address in getproxies().values()):
            text = "A SOCKS proxy is set, which orcredit does not support."
        case ImportError():
            return None
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return UnreachableError("OpenRouter could not be reached: too many files are open.", hint=LIMITS_HINT)
        case ssl.SSLError():
            text = "A certificate file named in the environment contains no certificates."
        case OSError():
            text = "A certificate file named in the environment cannot be read."
        case _:
            text = "A proxy address in the environment is invalid."
    return ConfigurationError(text, hint=_ENVIRONMENT_HINT)
