"""Limits how often an address may send a wrong token."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope

LOGIN_ATTEMPTS = 5
BEARER_ATTEMPTS = 60
"""Wrong tokens that an address may send in a minute. A script with an outdated token repeats it, and must not lock out
other users of its address; so it may fail more often than a person."""

_WINDOW = 60.0
_MOST_ADDRESSES = 4096


class RateLimiter:
    """Counts failures for each address in a sliding minute.

    Args:
        most: failures that are allowed in it.
        clock: monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Refuse an address that has failed too often.

        Raises:
            ProblemError: 429.
        """
        wait = self.wait(address)
        if wait:
            seconds = int(wait) + 1
            raise ProblemError(
                429,
                "too_many_tries",
                "Too many wrong tokens came from your address.",
                f"Try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    def wait(self, address: str) -> float:
        """Give the seconds until an address is allowed again; 0 when it is."""
        failures = self._failures.get(_network(address))
        if failures is None:
            return 0.0
        now = self._clock()
        while failures and failures[0] <= now - _WINDOW:
            failures.popleft()
        return failures[0] + _WINDOW - now if len(failures) >= self._most else 0.0

    def fail(self, address: str) -> None:
        """Count a failure."""
        network = _network(address)
        self._failures.setdefault(network, deque(maxlen=self._most)).append(self._clock())
        self._failures.move_to_end(network)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def reset(self, address: str) -> None:
        """Forget an address's failures."""
        self._failures.pop(_network(address), None)


def client_address(scope: Scope) -> str:
    """Give the address that a request came from."""
    client = scope.get("client")
    return client[0] if client else ""


def _network(address: str) -> str:
    """Name what one client usually has: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped  # IPv4, seen from an IPv6 socket
        return str(ip_network((parsed, 64), strict=False)) if mapped is None else str(mapped)
    return address
