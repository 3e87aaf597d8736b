"""What the routes share: one object, which the application keeps in its `state`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orcredit.server.problems import ProblemError

if TYPE_CHECKING:
    import asyncio
    from datetime import timedelta

    from starlette.requests import Request

    from orcredit.monitor import Poller, Snapshot
    from orcredit.server.encoder import Encoder
    from orcredit.server.history_reader import HistoryReader
    from orcredit.server.rate_limiter import RateLimiter
    from orcredit.server.sessions import Sessions
    from orcredit.server.static import Page


@dataclass(slots=True)
class AppState:
    """What the routes share.

    Attributes:
        monitor: polls OpenRouter.
        interval: at which it polls.
        encoder: of its snapshots.
        history: reads what was recorded of the key.
        sessions: None where no token is required.
        cookie_name: the session cookie's.
        login_limiter: counts wrong logins.
        stopping: done when the server stops.
        most_streams: event streams that may be open at once; each uses a file descriptor.
        description: the OpenAPI document as JSON.
        page: the page's files.
        streams: event streams that are open.
    """

    monitor: Poller
    interval: timedelta
    encoder: Encoder
    history: HistoryReader
    sessions: Sessions | None
    cookie_name: str
    login_limiter: RateLimiter
    stopping: asyncio.Future[None]
    most_streams: int
    description: bytes
    page: Page
    streams: int = 0

    def latest(self) -> Snapshot:
        """Give the newest snapshot.

        Raises:
            ProblemError: 503, the first poll has not ended.
        """
        if self.monitor.latest is None:
            raise ProblemError(
                503,
                "starting",
                "OpenRouter has not answered yet.",
                "Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        return self.monitor.latest


def state_of(request: Request) -> AppState:
    """Give the state of the application that a request was sent to."""
    state: AppState = request.app.state.server
    return state
