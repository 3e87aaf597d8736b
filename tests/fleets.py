"""A server of several profiles in the tests' own process, over real HTTP, and an OpenRouter that counts requests."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from orcredit import simulator
from orcredit.cli.monitoring import Chosen, Monitored, fleet_monitored
from orcredit.config.profiles import select_for_server
from orcredit.durations import parse_duration
from orcredit.server.running import Place, serve
from orcredit.server.state import Source
from tests.serving import PATIENCE, Serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from orcredit.monitor import Event
    from tests.profiles import User


class Upstream:
    """An OpenRouter that counts the requests of each key and how many there are at once, and can be told to wait."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        """Requests by the last part of the path, and the key."""
        self.at_once = self.most = 0
        self.refused: set[str] = set()
        """Keys that it does not know."""
        self.wave = 1
        """It answers when so many requests are there."""
        self._lock = threading.Condition()
        self._server = simulator.Server(responder=self._respond)
        self.base_url = self._server.base_url

    def _respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        with self._lock:
            self.asked[request.path.rpartition("/")[2], key] += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self._lock.notify_all()
            self._lock.wait_for(lambda: self.at_once >= self.wave, PATIENCE)
            if self.wave > 1:  # those that would come beyond the limit have time to come
                self._lock.wait_for(lambda: self.at_once > self.wave, 0.2)
        try:
            if key in self.refused:
                key = simulator.key_for("error-401")
            path = request.path.removeprefix("/proxy")
            return simulator.respond(simulator.Request(request.method, path, self._known(key), request.body), now)
        finally:
            with self._lock:
                self.at_once -= 1

    def _known(self, key: str) -> dict[str, str]:
        """Keys that no account has are those of an ordinary one."""
        if key.startswith("sk-or-v1-made-up-management"):
            return {"authorization": f"Bearer {simulator.management_key_for('team')}"}
        is_made_up = key.startswith("sk-or-v1-made-up")
        return {"authorization": f"Bearer {simulator.key_for('normal') if is_made_up else key}"}

    def polls(self, key: str) -> int:
        return self.asked["key", key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


class InProcess(Serving):
    """A server that runs on a thread of the tests' process."""

    def __init__(self, place: Place, monitored: Monitored, call: Callable[[Callable[[], object]], object]) -> None:
        self.url = place.url
        self.host, self.port = place.host, place.port
        self.authority = f"{place.host}:{place.port}"
        self.lines = []
        self.monitored = monitored
        self._call = call

    def wait_for_polls(self, polls: int = 1) -> None:
        """Wait until every profile was asked about so often."""
        pollers = self.monitored.hub.pollers
        wait_until(lambda: all(one.latest is not None and one.latest.polls >= polls for one in pollers))

    def poll(self, profile: str | None) -> None:
        """Poll once more, at once, as if the next poll were due; wait for its end."""
        poller = self.monitored.profiles[profile].poller
        before = poller.latest
        assert before is not None
        self._call(poller.wake)
        wait_until(lambda: poller.latest is not None and poller.latest.polls > before.polls)

    def report(self, *events: tuple[str | None, Event]) -> None:
        """Publish events of profiles, all at once."""

        def report() -> None:
            for profile, event in events:
                self.monitored.hub.report(profile, event)

        self._call(report)


def stop(stopping: asyncio.Future[None]) -> None:
    if not stopping.done():
        stopping.set_result(None)


@contextmanager
def fleet(
    user: User,
    *,
    profile: str | None = None,
    interval: str = "1h",
    timeout: float = 20.0,
    has_history: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Iterator[InProcess]:
    """Do what `orcredit serve` does, but for its options and signals; the variables are the process's until the end."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(user.environ | dict(environ or {}))
    started = threading.Event()
    servers: list[InProcess] = []
    problems: list[Exception] = []
    ends: list[Callable[[], object]] = []

    async def run(monitored: Monitored, place: Place) -> None:
        loop = asyncio.get_running_loop()
        stopping = loop.create_future()
        polling = asyncio.ensure_future(monitored.hub.run())
        servers.append(InProcess(place, monitored, loop.call_soon_threadsafe))
        ends.append(lambda: loop.call_soon_threadsafe(stop, stopping))
        await serve(
            monitored.hub,
            {
                name: Source(one.interval, one.key, one.has_management_key, one.client, one.renew)
                for name, one in monitored.profiles.items()
            },
            place,
            default=monitored.default,
            history=monitored.history,
            recorded=monitored.recorded_of,
            token=None,
            keeps_sessions=False,
            allow_hosts=(),
            on_listening=started.set,
            stopping=stopping,
        )
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await monitored.hub.drain(PATIENCE)

    def work() -> None:
        try:
            every, default = select_for_server(profile)
            monitored = fleet_monitored(
                [Chosen(each, parse_duration(interval), timeout) for each in every],
                default=default,
                warn_below=None,
                database_url=None,
                has_history=has_history,
                hurries=True,
                tells_recent=False,
            )
            asyncio.run(run(monitored, Place.take("127.0.0.1", 0)))
        except Exception as problem:  # noqa: BLE001 - raised by the thread that waits
            problems.append(problem)
        finally:
            started.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        assert started.wait(PATIENCE)
        if problems:
            raise problems[0]
        yield servers[0]
    finally:
        for end in ends:
            end()
        thread.join(PATIENCE)
        os.environ.clear()
        os.environ.update(before)
    assert not thread.is_alive()
    if problems:
        raise problems[0]
