"""What the routes share: one object, which the application keeps in its `state`."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from orcredit.errors import UsageError
from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import timedelta

    from starlette.requests import Request

    from orcredit.balance import Balance
    from orcredit.client import AsyncClient
    from orcredit.monitor import Hub, Poller, Snapshot
    from orcredit.server.account_readers import AccountReaders
    from orcredit.server.days_reader import DaysReader
    from orcredit.server.encoder import Encoder
    from orcredit.server.history_reader import HistoryReader
    from orcredit.server.rate_limiter import RateLimiter
    from orcredit.server.sessions import Sessions
    from orcredit.server.static import Page

_LONGEST_NUMBER = 18
"""Digits of an event's number: as many are never reached."""

_LONGEST_COMPARED = 80
"""Characters of a name that is compared with those that are known."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a server must know of a profile beside its snapshots; the last two may change while it runs.

    Attributes:
        interval: at which it is polled.
        key: gives the history's name for its key; None while there is no key.
        has_management_key: gives whether one is set for it.
        client: gives who asks about it; None while there is no key.
        renew: gets its keys anew, after the management key was refused; None where they cannot have changed.
    """

    interval: timedelta
    key: Callable[[], str | None]
    has_management_key: Callable[[], bool]
    client: Callable[[], AsyncClient | None]
    renew: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A profile of the server.

    Attributes:
        poller: asks OpenRouter about it.
        interval: at which it does.
        encoder: of its snapshots.
        history: reads what was recorded of its key.
    """

    poller: Poller
    interval: timedelta
    encoder: Encoder
    history: HistoryReader

    @property
    def name(self) -> str | None:
        """The profile's name; None for the unnamed one."""
        return self.poller.profile

    def latest(self) -> Snapshot:
        """Give the newest snapshot.

        Raises:
            ProblemError: 503, the first poll has not ended.
        """
        if self.poller.latest is None:
            raise ProblemError(
                503,
                "starting",
                "OpenRouter has not answered yet.",
                "Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        return self.poller.latest


@dataclass(slots=True)
class AppState:
    """What the routes share.

    Attributes:
        profiles: by name, in the order of the configuration file.
        default: the profile that requests without a name are about; one of `profiles`.
        days: reads what each spent lately.
        hub: gives the snapshots of all profiles as they come.
        start: tells this server's events from those of the one before, which numbered its snapshots likewise.
        sessions: None where no token is required.
        cookie_name: the session cookie's.
        login_limiter: counts wrong logins.
        stopping: done when the server stops.
        most_streams: event streams that may be open at once; each uses a file descriptor.
        description: the OpenAPI document as JSON.
        page: the page's files.
        account: reads the accounts behind the profiles.
        streams: event streams that are open.
    """

    profiles: Mapping[str | None, Served]
    default: str | None
    days: DaysReader
    hub: Hub[Balance]
    start: str
    sessions: Sessions | None
    cookie_name: str
    login_limiter: RateLimiter
    stopping: asyncio.Future[None]
    most_streams: int
    description: bytes
    page: Page
    account: AccountReaders
    streams: int = 0

    def event_id(self, snapshot: Snapshot) -> str:
        """Give the id of a snapshot's event; a client that has it has the older snapshots of all profiles, too."""
        return f"{self.start}-{snapshot.sequence}"

    def received(self, event_id: str | None) -> int:
        """Give the number of the newest snapshot that the reader of this event has; 0 where it is of no use."""
        start, _, number = (event_id or "").rpartition("-")
        is_ours = start == self.start and number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER
        return int(number) if is_ours else 0


def state_of(request: Request) -> AppState:
    """Give the state of the application that a request was sent to."""
    state: AppState = request.app.state.server
    return state


def is_named(request: Request) -> bool:
    """Whether the request names a profile, be it the unnamed one (`?profile=`)."""
    return "profile" in request.query_params


def served(request: Request) -> Served:
    """Give the profile that a request is about: the named one, else the default.

    Raises:
        UsageError: there are two names.
        ProblemError: 404, there is no such profile; names are repeated only if they are known, for a value may hold
            a secret.
    """
    state = state_of(request)
    names = request.query_params.getlist("profile")
    if len(names) > 1:
        raise UsageError(f"profile was sent {len(names)} times.", hint="Send it once.")
    name = (names[0] or None) if names else state.default
    found = state.profiles.get(name)
    if found is None:
        raise ProblemError(404, "unknown_profile", "There is no such profile.", _hint(name, state.profiles))
    return found


def _hint(name: str | None, profiles: Mapping[str | None, Served]) -> str:
    known = [each for each in profiles if each is not None]
    near = get_close_matches(name, known) if name is not None and len(name) <= _LONGEST_COMPARED else []
    if near:
        return f"Near names: {', '.join(near)}."
    if name is None:
        return "Every profile of this server has a name: GET /api/openrouter/profiles lists them."
    return "GET /api/openrouter/profiles lists those that there are."
