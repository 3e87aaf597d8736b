"""Runs the server: where it listens, the sessions it resumes and keeps, and the events it logs."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self, TypeVar

from orcredit.background import NoThreadError, in_background
from orcredit.errors import ConfigurationError
from orcredit.monitor import EventKind
from orcredit.server import revocations
from orcredit.server.account_readers import AccountReaders
from orcredit.server.app import create_app
from orcredit.server.connections import bound_sending
from orcredit.server.listener import RESERVED_FILES, Listener
from orcredit.server.readings import Readings
from orcredit.server.sessions import Sessions
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from orcredit.balance import Balance
    from orcredit.history import History
    from orcredit.monitor import Hub
    from orcredit.server.state import Source

_R = TypeVar("_R")

_BACKLOG = 2048
_KEEPING_LIMIT = 1.0
"""Seconds at the end for the file of the sessions; all in all the server ends within three."""

_READING_LIMIT = 2.0
"""Seconds at the start for the file of the sessions; usually it takes milliseconds."""

_FILES_WANTED = 8192
"""Each open page uses one; many systems allow a thousand by default."""

_FILES_OF_SELECT = 512
"""As many sockets as Windows' select() takes, on which the event loop stands there."""

_UNNAMED = "(environment)"
"""The profile whose key is in the environment, in the log of several."""

_logger = logging.getLogger("orcredit.server")


_HOST_HINT = "Use 127.0.0.1 for this machine alone, or 0.0.0.0 for every machine that can reach it."


@dataclass(frozen=True, slots=True)
class Place:
    """The address that the server listens at.

    Attributes:
        listening: the socket.
        host: as given.
        port: as bound.
        is_loopback: whether only this machine can reach it.
    """

    listening: socket.socket
    host: str
    port: int
    is_loopback: bool

    @classmethod
    def take(cls, host: str, port: int) -> Self:
        """Listen at an address.

        Args:
            host: a name or an address.
            port: 0 takes a free one.

        Raises:
            ConfigurationError: the host is not this machine's, or the port is in use or reserved.
        """
        no_such_host = ConfigurationError(f"--host {host[:80]!r} is not an address of this machine.", hint=_HOST_HINT)
        if not host.strip():
            raise no_such_host  # the system would take it for every address there is
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except (OSError, UnicodeError):
            raise no_such_host from None
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound_sending(listening)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            raise _port_error(error, host, port) or no_such_host from None
        bound = listening.getsockname()
        return cls(listening, host, bound[1], ip_address(bound[0].partition("%")[0]).is_loopback)

    @property
    def url(self) -> str:
        """The URL, without a slash at the end."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def browser_url(self) -> str:
        """The URL of the page for a browser on this machine."""
        is_everywhere = ip_address(self.listening.getsockname()[0].partition("%")[0]).is_unspecified
        return f"http://127.0.0.1:{self.port}/" if is_everywhere else f"{self.url}/"


def _port_error(error: OSError, host: str, port: int) -> ConfigurationError | None:
    """Translate an error of binding a port; None for other errors."""
    match error.errno:
        case errno.EADDRINUSE:
            return ConfigurationError(
                f"Port {port} is in use on {host}.", hint="Choose another with --port; --port 0 takes a free one."
            )
        case errno.EACCES:
            return ConfigurationError(
                f"Port {port} may not be used by this user.", hint="Choose one above 1023 with --port."
            )
        case _:
            return None


async def serve(
    hub: Hub[Balance],
    sources: Mapping[str | None, Source],
    place: Place,
    *,
    default: str | None,
    history: History | None,
    recorded: Callable[[str | None], Awaitable[None]],
    token: str | None,
    keeps_sessions: bool,
    allow_hosts: Iterable[str],
    on_listening: Callable[[], None],
    stopping: asyncio.Future[None],
) -> None:
    """Serve until `stopping` is done; the hub runs beside it.

    Args:
        hub: whose snapshots are served; its events are logged.
        sources: what else is known of each of its profiles.
        place: where.
        default: the profile that requests without a name are about.
        history: what was seen of the keys; None where none is kept.
        recorded: waits until the history has the latest balance of a profile.
        token: which clients must send; None requires none.
        keeps_sessions: whether sessions survive a restart, which needs a file.
        allow_hosts: names that a request's Host may be, besides this machine's own and the place's.
        on_listening: called once connections are accepted.
        stopping: done when the server has to end.
    """
    most_connections = max(1, _allow_many_files() - RESERVED_FILES)
    sessions = Sessions(token, port=place.port) if token is not None else None
    kept = _KeptSessions(sessions, revocations.file_for(place.port) if token and keeps_sessions else None)
    readings = Readings()
    account = AccountReaders(sources, history=history, readings=readings, clock=hub.clock)
    app = create_app(
        hub,
        sources,
        default=default,
        history=history,
        recorded=recorded,
        account=account,
        readings=readings,
        sessions=sessions,
        port=place.port,
        hosts={place.host, *allow_hosts},
        stopping=stopping,
        most_streams=max(1, most_connections // 2),  # the other half for those who only ask
    )
    listener = Listener(app, most_connections=most_connections, on_listening=on_listening)
    await kept.resume()
    logging_events = asyncio.ensure_future(_log_events(hub))
    answering = asyncio.ensure_future(listener.serve([place.listening]))
    asking = asyncio.ensure_future(account.run(hub))
    tasks: set[asyncio.Future[Any]] = {logging_events, answering, asking}
    try:
        done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a bug in one of them ends the program
    finally:
        if not stopping.done():
            stopping.set_result(None)
        listener.should_exit = True
        logging_events.cancel()
        asking.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The sessions only now: a log-out that was still being answered belongs to them.
        await kept.keep()


class _KeptSessions:
    """Sessions that survive a restart.

    Args:
        sessions: None where no token is set.
        file: None if they end with the process.
    """

    def __init__(self, sessions: Sessions | None, file: Path | None) -> None:
        self._sessions = sessions
        self._file = file

    async def resume(self) -> None:
        """Continue the last server's sessions, if it could write their file."""
        if self._sessions is None or self._file is None:
            return
        try:
            taken = await _in_time(_READING_LIMIT, revocations.take, self._file)
        except revocations.Unusable as error:
            _logger.warning("all sessions have ended: their file cannot be used: %s", error)
        else:
            if taken is not None:
                self._sessions.resume(taken)

    async def keep(self) -> None:
        """Let the next server continue these sessions; no request may be answered afterwards."""
        if self._sessions is None or self._file is None:
            return
        try:
            await _in_time(_KEEPING_LIMIT, revocations.keep, self._file, self._sessions.revocations)
        except revocations.Unusable as error:
            _logger.warning("all sessions end now: their file cannot be written: %s", error)


async def _in_time(seconds: float, work: Callable[..., _R], *arguments: object) -> _R:
    """Run a function on a thread, with a timeout, because a disk may hang.

    Raises:
        Unusable: it took too long, or `work` says so.
    """
    working = in_background(work, *arguments)
    await asyncio.wait({working}, timeout=seconds)
    if not working.done():
        working.cancel()
        raise revocations.Unusable("the disk takes too long")
    try:
        return working.result()
    except NoThreadError as error:
        raise revocations.Unusable(str(error)) from None


async def _log_events(hub: Hub[Balance]) -> None:
    """Write a line for every event; with several profiles it begins with the profile's name, if it is about one."""
    logged: dict[str | None, int] = {}
    async for snapshot in hub.snapshots():
        for event in snapshot.events_after(logged.get(snapshot.profile, 0)):
            is_named = len(hub.pollers) > 1 and event.kind is not EventKind.HISTORY  # which all have in common
            name = f"{snapshot.profile or _UNNAMED}: " if is_named else ""
            _logger.info("%s%s", name, event_text(event))
        logged[snapshot.profile] = snapshot.sequence


def _allow_many_files() -> int:
    """Raise the soft limit of open files as far as allowed, up to `_FILES_WANTED`; give the limit."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return _FILES_OF_SELECT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(_FILES_WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
