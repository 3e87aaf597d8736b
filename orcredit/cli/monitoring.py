"""What `watch` and `serve` have in common: a monitor of the user's key, or of the demo's, and the history it keeps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orcredit import cache
from orcredit.background import in_background
from orcredit.client import AsyncClient, preload
from orcredit.config import credentials
from orcredit.errors import HistoryError
from orcredit.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from datetime import timedelta

    from orcredit.balance import Balance
    from orcredit.history import History, Recent

_STORING_LIMIT = 0.5
"""Seconds that an answer waits for the cache's file, which takes a thousandth; a home that hangs is not waited for."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """A monitor and what it remembers.

    Attributes:
        monitor: not yet running.
        history: what it keeps; the error that opening it met; None where it keeps none.
        key: the history's name for the key.
    """

    monitor: Monitor
    history: History | HistoryError | None
    key: str


def demo_monitored(
    interval: timedelta, *, timeout: float, warn_below: Iterable[str] | None, has_history: bool = False
) -> Monitored:
    """Make a monitor of the simulated account; its history, if any, is in memory and begins with 30 made-up days.

    Raises:
        UsageError: a bad value.
    """
    client = AsyncClient.demo(timeout=timeout, warn_below=warn_below)
    if not has_history:
        return Monitored(Monitor(client.balance, interval, clock=client.clock), None, "")
    from orcredit import demo, simulator  # noqa: PLC0415 - as below
    from orcredit.history import History  # noqa: PLC0415 - SQLAlchemy, for those who keep a history only

    history = History.in_memory()
    demo.fill(history, simulator.DEMO_INSTANT)  # at which the client's clock starts when it is first asked
    monitor = Monitor(client.balance, interval, remember=_rememberer(history, demo.KEY), clock=client.clock)
    return Monitored(monitor, history, demo.KEY)


def new_monitored(
    interval: timedelta,
    *,
    base_url: str | None,
    timeout: float,
    warn_below: Iterable[str] | None,
    database_url: str | None,
    has_history: bool,
) -> Monitored:
    """Make a monitor of the user's key, which keeps a history and the prompt line's cache.

    Raises:
        OrcreditError: a bad value, no usable key, or no such database driver.
    """
    client = AsyncClient(base_url=base_url, timeout=timeout, warn_below=warn_below)
    preload()
    chosen = credentials.load(base_url=base_url)
    key = credentials.fingerprint(chosen.key)
    history = _open_history(database_url) if has_history else None
    remember = _rememberer(history, key) if history is not None else None
    monitor = Monitor(_asker(client, chosen), interval, remember=remember, clock=client.clock)
    return Monitored(monitor, history, key)


def _asker(client: AsyncClient, chosen: credentials.Credentials) -> Callable[[], Coroutine[Any, Any, Balance]]:
    """Give what a monitor asks with; every answer is kept for the prompt line as well."""

    async def ask() -> Balance:
        balance = await client.balance()
        storing = in_background(cache.store, chosen.base_url, chosen.key, balance.model_dump_json())
        await asyncio.wait({storing}, timeout=_STORING_LIMIT)
        return balance

    return ask


def _open_history(database_url: str | None) -> History | HistoryError:
    from orcredit.history import History  # noqa: PLC0415 - as above

    try:
        return History.load(database_url)
    except HistoryError as error:
        return error


def _rememberer(history: History | HistoryError, key: str) -> Callable[[Balance], Recent]:
    """Give what a monitor calls, on a thread of its own, with every balance it got."""

    def remember(balance: Balance) -> Recent:
        if isinstance(history, HistoryError):
            raise history.with_traceback(None)  # said once, like any other trouble with it
        history.record(key, balance)
        return history.recent(key, balance.fetched_at)

    return remember
