"""Who may read the data: a bearer token for programs, and for browsers a session that a login with it begins.

The token itself is not kept, only its SHA-256; a session's cookie holds an expiry, a random name and a signature, never
the token. The signing key is derived from the token, so that another token ends all sessions; by scrypt, so that
whoever gets hold of a cookie cannot try out tokens quickly. It is derived from the port as well, since browsers send a
host's cookies to all its ports, and from an epoch (`orcredit.server.revocations`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from orcredit.server.revocations import Revocations

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION_SECONDS = 7 * 86400
"""How long a browser need not log in again."""

LONGEST_TOKEN = 1024
"""Characters; it travels in a header."""

LOGIN_TRIES = 5
BEARER_TRIES = 60
"""Wrong tokens that an address may send in a minute. A script with an outdated token asks again and again, and must not
lock out its neighbours; it may therefore be wrong more often than a person."""

_WINDOW = 60.0
_MOST_ADDRESSES = 4096
_MOST_REVOKED = 4096
"""More in a week are no people's; then all sessions are ended instead."""

_SET_BACK_SECONDS = 86400
"""An ended session is remembered for so much longer than it would have lasted: the clock may be set back."""


@dataclass(frozen=True, slots=True)
class Session:
    """A login that has not expired.

    Attributes:
        name: tells it from others.
        expires: seconds since 1970.
        epoch: in which it was begun.
    """

    name: str
    expires: int
    epoch: str = field(repr=False)

    @property
    def expires_at(self) -> datetime:
        """When it ends; aware UTC."""
        return datetime.fromtimestamp(self.expires, UTC)


class Tries:
    """Counts wrong tokens for each address in a sliding minute.

    Args:
        most: how many are let through.
        clock: seconds that only go forward.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Tell how many seconds an address has to wait before its next try; 0 for none."""
        failures = self._failures.get(_network(address))
        if failures is None:
            return 0.0
        now = self._clock()
        while failures and failures[0] <= now - _WINDOW:
            failures.popleft()
        return failures[0] + _WINDOW - now if len(failures) >= self._most else 0.0

    def fail(self, address: str) -> None:
        """Count a wrong token."""
        network = _network(address)
        self._failures.setdefault(network, deque(maxlen=self._most)).append(self._clock())
        self._failures.move_to_end(network)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def forget(self, address: str) -> None:
        """Begin anew for an address that knew the token."""
        self._failures.pop(_network(address), None)


def _network(address: str) -> str:
    """Name what one person has: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped  # IPv4, seen from an IPv6 socket
        return str(ip_network((parsed, 64), strict=False)) if mapped is None else str(mapped)
    return address


class Sessions:
    """Knows the token and the sessions that were begun with it.

    Args:
        token: what everybody has to know.
        clock: seconds since 1970.
        port: at which they hold.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.time, *, port: int) -> None:
        self._digest = hashlib.sha256(token.encode()).digest()
        self._token_key = hashlib.scrypt(token.encode(), salt=b"orcredit session", n=2**14, r=8, p=1)
        self._clock = clock
        self._port = port
        self.resume(Revocations())

    @property
    def revocations(self) -> Revocations:
        """What the next server has to know for these sessions to go on."""
        return self._revocations

    def resume(self, revocations: Revocations) -> None:
        """Go on with the sessions of an earlier server, and end those of this one."""
        self._revocations = revocations
        text = f"{self._port} {revocations.epoch}"
        self._signing_key = hmac.new(self._token_key, text.encode(), hashlib.sha256).digest()
        self._prune()

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long whatever it is."""
        return hmac.compare_digest(hashlib.sha256(token.encode(errors="replace")).digest(), self._digest)

    def begin(self) -> tuple[Session, str]:
        """Begin a session; give it and the value of its cookie."""
        expires = int(self._clock()) + SESSION_SECONDS
        session = Session(secrets.token_urlsafe(16), expires, self._revocations.epoch)
        return session, f"{session.expires}.{session.name}.{self._sign(session)}"

    def read(self, cookie: str) -> Session | None:
        """Give the session of a cookie; None for one that was not begun here, has expired or was ended."""
        expires, _, rest = cookie.partition(".")
        name, _, signature = rest.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return None
        session = Session(name, int(expires), self._revocations.epoch)
        is_ours = hmac.compare_digest(self._sign(session).encode(), signature.encode(errors="replace"))
        return session if is_ours and self.is_valid(session) else None

    def is_valid(self, session: Session) -> bool:
        """Whether a session still lasts."""
        revocations = self._revocations
        is_ours = session.epoch == revocations.epoch and session.name not in revocations.ended
        return is_ours and session.expires > self._clock()

    def end(self, session: Session) -> None:
        """End a session, also for whoever copied its cookie."""
        self._revocations.ended[session.name] = session.expires
        if len(self._revocations.ended) > _MOST_REVOKED:
            self._prune()

    def _prune(self) -> None:
        """Forget what has expired; where that is not enough, end all sessions."""
        past = self._clock() - _SET_BACK_SECONDS
        ended = {name: expires for name, expires in self._revocations.ended.items() if expires > past}
        if len(ended) > _MOST_REVOKED:
            self.resume(Revocations())
        else:
            self._revocations.ended = ended

    def _sign(self, session: Session) -> str:
        text = f"{session.expires}.{session.name}"
        return hmac.new(self._signing_key, text.encode(errors="replace"), hashlib.sha256).hexdigest()
