"""The Host header must name this server: a foreign name that resolves to this machine is DNS rebinding.

Starlette's `TrustedHostMiddleware` knows neither IPv6 addresses nor the address at which a connection arrived.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?")


class HostMiddleware:
    """Refuses requests whose Host is not one of this server's.

    Args:
        app: the application.
        hosts: names and addresses, besides this machine's own and the address at which the connection arrived.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self.app = app
        self._hosts = LOCAL_HOSTS | {host_name(host) for host in hosts} - {None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        name = _without_port(dict(scope["headers"]).get(b"host", b"").decode("latin-1"))
        if name is None or (name not in self._hosts and name != host_name(scope["server"][0])):
            raise ProblemError(
                403,
                "foreign_host",
                "This server does not answer to that name.",
                "Start orcredit serve with --allow-host and the name or address that you use.",
            )
        await self.app(scope, receive, send)


def host_name(text: str) -> str | None:
    """Write a name or an address as a browser's Host header does, without a port; None for anything else."""
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
