"""The token, and the sessions that browsers begin with it.

Only the token's SHA-256 is kept. A session's cookie holds an expiry, a random name and a signature, never the token.
The signing key is derived from the token, so that a new token ends all sessions; by scrypt, so that a stolen cookie
does not allow a fast search for the token; from the port, because browsers send a host's cookies to all its ports; and
from an epoch (`orcredit.server.revocations`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orcredit.server.revocations import Revocations

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION_SECONDS = 7 * 86400
"""The lifetime of a session."""

LONGEST_TOKEN = 1024
"""Characters; it must fit into a header."""

_MOST_REVOKED = 4096
"""With more revoked sessions than this, all sessions are ended instead."""

_SET_BACK_SECONDS = 86400
"""A revoked session is remembered for this much longer than its lifetime, because the clock may be set back."""


@dataclass(frozen=True, slots=True)
class Session:
    """A login that has not expired.

    Attributes:
        name: random; identifies the session.
        expires: seconds since 1970.
        epoch: in which it began.
    """

    name: str
    expires: int
    epoch: str = field(repr=False)

    @property
    def expires_at(self) -> datetime:
        """When it ends; aware UTC."""
        return datetime.fromtimestamp(self.expires, UTC)


class Sessions:
    """Checks tokens; begins, checks and revokes sessions.

    Args:
        token: which clients must send.
        clock: seconds since 1970.
        port: at which the sessions are valid.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.time, *, port: int) -> None:
        self._digest = hashlib.sha256(token.encode()).digest()
        self._token_key = hashlib.scrypt(token.encode(), salt=b"orcredit session", n=2**14, r=8, p=1)
        self._clock = clock
        self._port = port
        self.resume(Revocations())

    @property
    def revocations(self) -> Revocations:
        """What the next server needs to continue these sessions."""
        return self._revocations

    def resume(self, revocations: Revocations) -> None:
        """Continue the sessions of an earlier server, and end those of this one."""
        self._revocations = revocations
        text = f"{self._port} {revocations.epoch}"
        self._signing_key = hmac.new(self._token_key, text.encode(), hashlib.sha256).digest()
        self._prune()

    def knows(self, token: str) -> bool:
        """Whether this is the token; in constant time."""
        return hmac.compare_digest(hashlib.sha256(token.encode(errors="replace")).digest(), self._digest)

    def begin(self) -> tuple[Session, str]:
        """Begin a session; give it and its cookie's value."""
        expires = int(self._clock()) + SESSION_SECONDS
        session = Session(secrets.token_urlsafe(16), expires, self._revocations.epoch)
        return session, f"{session.expires}.{session.name}.{self._sign(session)}"

    def read(self, cookie: str) -> Session | None:
        """Give the session of a cookie; None if it is not signed by this server, has expired or was revoked."""
        expires, _, rest = cookie.partition(".")
        name, _, signature = rest.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return None
        session = Session(name, int(expires), self._revocations.epoch)
        is_signed = hmac.compare_digest(self._sign(session).encode(), signature.encode(errors="replace"))
        return session if is_signed and self.is_valid(session) else None

    def is_valid(self, session: Session) -> bool:
        """Whether a session has neither expired nor been revoked."""
        revocations = self._revocations
        is_signed = session.epoch == revocations.epoch and session.name not in revocations.ended
        return is_signed and session.expires > self._clock()

    def end(self, session: Session) -> None:
        """Revoke a session, for every copy of its cookie."""
        self._revocations.ended[session.name] = session.expires
        if len(self._revocations.ended) > _MOST_REVOKED:
            self._prune()

    def _prune(self) -> None:
        """Forget revoked sessions that have expired; where too many are left, end all sessions."""
        past = self._clock() - _SET_BACK_SECONDS
        ended = {name: expires for name, expires in self._revocations.ended.items() if expires > past}
        if len(ended) > _MOST_REVOKED:
            self.resume(Revocations())
        else:
            self._revocations.ended = ended

    def _sign(self, session: Session) -> str:
        text = f"{session.expires}.{session.name}"
        return hmac.new(self._signing_key, text.encode(errors="replace"), hashlib.sha256).hexdigest()
