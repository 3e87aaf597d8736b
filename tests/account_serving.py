"""The server of some profiles in the tests' own process, on a thread with an event loop, over real HTTP."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Self

from orcredit import AsyncClient, simulator
from orcredit.answer_clock import utc_now
from orcredit.monitor import BalancePoller, Hub
from orcredit.server.running import Place, serve
from orcredit.server.state import Source
from tests.serving import PATIENCE, Answer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from orcredit.history import History

    Responder = Callable[[simulator.Request, datetime], simulator.Response]


def client(server: simulator.Server, account: str, *, management: str | None = None, **more: Any) -> AsyncClient:  # noqa: ANN401 - options
    """Give a client of an account; `management` is the account whose management key it has."""
    return AsyncClient(
        simulator.key_for(account),
        management_key=None if management is None else simulator.management_key_for(management),
        base_url=server.base_url,
        **more,
    )


class Served:
    """A server that runs; the first profile is the default.

    Args:
        profiles: the clients by profile.
        interval: of the polls.
        history: None for none.
    """

    def __init__(
        self,
        profiles: Mapping[str | None, AsyncClient],
        *,
        interval: timedelta = timedelta(hours=1),
        history: History | None = None,
    ) -> None:
        self._profiles = dict(profiles)
        self._interval = interval
        self._history = history
        self._place = Place.take("127.0.0.1", 0)
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._stop: Callable[[], object] = lambda: None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        stopping: asyncio.Future[None] = loop.create_future()
        self._stop = lambda: loop.call_soon_threadsafe(_finish, stopping)
        pollers = [
            BalancePoller(one.balance, self._interval, profile=name, clock=one.clock)
            for name, one in self._profiles.items()
        ]
        hub = Hub(pollers, clock=utc_now)
        polling = asyncio.ensure_future(hub.run())
        try:
            await serve(
                hub,
                {name: _source(one, self._interval) for name, one in self._profiles.items()},
                self._place,
                default=next(iter(self._profiles)),
                history=self._history,
                recorded=_nothing,
                token=None,
                keeps_sessions=False,
                allow_hosts=(),
                on_listening=self._listening.set,
                stopping=stopping,
            )
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    def ask(self, path: str, profile: str | None = None) -> Answer:
        """Send a GET request."""
        if profile is not None:
            path += f"{'&' if '?' in path else '?'}profile={profile}"
        connection = HTTPConnection("127.0.0.1", self._place.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def when(self, path: str, profile: str | None = None, *, status: int = 200) -> Answer:
        """Ask until the answer has a status."""
        wait_until(lambda: self.ask(path, profile).status == status, path)
        return self.ask(path, profile)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def _source(one: AsyncClient, interval: timedelta) -> Source:
    return Source(interval, lambda: one.profile.fingerprint, lambda: one.account_key is not None, lambda: one)


def _finish(stopping: asyncio.Future[None]) -> None:
    if not stopping.done():
        stopping.set_result(None)


async def _nothing(_: str | None) -> None:
    pass


class Log:
    """A responder that notes every request, and answers as the simulator does unless it is told otherwise."""

    def __init__(self) -> None:
        self.requests: list[simulator.Request] = []
        self.instead: Callable[[simulator.Request], simulator.Response | None] = lambda _: None

    def __call__(self, request: simulator.Request, now: datetime) -> simulator.Response:
        self.requests.append(request)
        return self.instead(request) or simulator.respond(request, now)

    def count(self, part: str) -> int:
        """Count the requests whose path has a part."""
        return sum(part in request.path for request in self.requests)

    @property
    def keys(self) -> set[str]:
        """The keys that were sent."""
        return {request.headers["authorization"].removeprefix("Bearer ") for request in self.requests}


def refusal(status: int, **headers: str) -> simulator.Response:
    """Make an error as OpenRouter does."""
    return simulator.Response(status, headers, b'{"error": {"code": %d, "message": "no"}}' % status)
