"""`orcredit watch`: keep the balance current, on a full screen, as lines, or as JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from orcredit import cache, credentials
from orcredit.background import in_background
from orcredit.cli.logs import show_requests
from orcredit.cli.options import (
    BaseUrl,
    Count,
    DatabaseUrl,
    Demo,
    Interval,
    Json,
    NoBell,
    NoHistory,
    Timeout,
    Verbose,
    WarnBelow,
)
from orcredit.cli.output import write
from orcredit.durations import parse_duration
from orcredit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from orcredit.balance import Balance
    from orcredit.client import AsyncClient
    from orcredit.history import Recent
    from orcredit.monitor import Monitor, Snapshot
    from orcredit.terminal.keyboard import Keyboard
    from orcredit.terminal.live import LiveView, Screen

HELP = """Keep the balance current, until you press q.

On a terminal a full-screen view; otherwise a line for each refresh.
It goes on when OpenRouter does not answer, and recovers by itself.
"""

EPILOG = """[b]Examples[/b]
  orcredit watch --demo
  orcredit watch --interval 5m --warn-below '$5'
  orcredit watch --json | jq --unbuffered .spendable
  orcredit watch --count 1 --interval 1s
"""

SHORTEST_INTERVAL = timedelta(seconds=1)

_REDRAW_SECONDS = 0.5
_QUIT_KEYS = ("q", "Q", "\x03", "\x04")
"""The last two are Ctrl-C and Ctrl-D, for terminals that hand them over as keys."""

_HELP_HINT = "See 'orcredit watch --help'."


def watch(
    *,
    interval: Interval = "60",
    json: Json = False,
    count: Count = None,
    warn_below: WarnBelow = None,
    base_url: BaseUrl = None,
    timeout: Timeout = 10.0,
    database_url: DatabaseUrl = None,
    no_history: NoHistory = False,
    no_bell: NoBell = False,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        0 when the user ends it; with `--count`, the code of the last refresh.

    Raises:
        OrcreditError: a bad value, or nothing to ask with; what OpenRouter does later raises nothing.
    """
    every = parse_duration(interval)
    if every < SHORTEST_INTERVAL:
        raise UsageError(f"{interval!r} is too short an interval.", hint="Accepted: 1s or more; 60 seconds is usual.")
    if demo and base_url is not None:
        raise UsageError("--demo asks no server: leave out --base-url.", hint=_HELP_HINT)
    if verbose:
        show_requests(is_demo=demo)
    # Imported here so that --help and --version load no HTTP client.
    from orcredit.client import AsyncClient, EventLoop  # noqa: PLC0415
    from orcredit.monitor import Monitor  # noqa: PLC0415

    client = (
        AsyncClient.demo(warn_below=warn_below)
        if demo
        else AsyncClient(base_url=base_url, timeout=timeout, warn_below=warn_below)
    )
    if demo:
        monitor = Monitor(client.balance, every, clock=client.clock)
    else:
        chosen = credentials.load(base_url=base_url)
        remember = None if no_history else _rememberer(chosen, database_url)
        monitor = Monitor(_asker(client, chosen), every, remember=remember, clock=client.clock)
    if sys.stdout.isatty() and not json:
        showing = _show_screen(monitor, client, count=count, has_bell=not no_bell, is_demo=demo)
    else:
        showing = _show_lines(monitor, count=count, as_json=json)
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(_run(monitor, showing))
    return ExitCode.OK


def _asker(client: AsyncClient, chosen: credentials.Credentials) -> Callable[[], Coroutine[Any, Any, Balance]]:
    """Give what a monitor asks with; every answer is kept for the prompt line as well."""

    async def ask() -> Balance:
        balance = await client.balance()
        in_background(cache.store, chosen.base_url, chosen.key, balance.model_dump_json())
        return balance

    return ask


def _rememberer(chosen: credentials.Credentials, database_url: str | None) -> Callable[[Balance], Recent]:
    """Give what a monitor calls, on a thread of its own, with every balance it got."""
    from orcredit.history import History, key_id  # noqa: PLC0415 - SQLAlchemy, for those who keep a history only

    history, key = History.load(database_url), key_id(chosen.key)

    def remember(balance: Balance) -> Recent:
        history.record(key, balance)
        return history.recent(key, balance.fetched_at)

    return remember


async def _run(monitor: Monitor, showing: Coroutine[Any, Any, Snapshot | None]) -> ExitCode:
    """Poll and show until one of them, or the user, has enough."""
    told_to_stop = _listen_for_signals()  # before anything is shown that could make somebody send one
    polling = asyncio.ensure_future(monitor.run())
    shown = asyncio.ensure_future(showing)
    tasks: set[asyncio.Future[Any]] = {polling, shown, asyncio.ensure_future(told_to_stop.wait())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a bug in one of them, or a closed pipe, ends the program
        last = shown.result() if shown in done else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if last is None:
        return ExitCode.OK
    if last.error is not None:
        return last.error.exit_code
    return last.balance.level.exit_code if last.balance is not None else ExitCode.OK


def _listen_for_signals() -> asyncio.Event:
    """Have Ctrl-C and SIGTERM, the usual ways to end it and no errors, set an event."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: KeyboardInterrupt instead
            loop.add_signal_handler(number, told.set)
    return told


async def _show_lines(monitor: Monitor, *, count: int | None, as_json: bool) -> Snapshot | None:
    """Show each refresh as one line; give the last one that was asked for."""
    from orcredit.terminal.live import plain_line  # noqa: PLC0415

    async for snapshot in monitor.snapshots():
        if snapshot.balance is not None:
            write((snapshot.balance.model_dump_json() if as_json else plain_line(snapshot)) + "\n")
        elif snapshot.error is not None:
            sys.stderr.write(f"orcredit: {snapshot.error}\n")
        for event in snapshot.new_events:
            if event.kind == "history":
                sys.stderr.write(f"orcredit: {event.text}\n")
        if count is not None and snapshot.sequence >= count:
            return snapshot
    return None


async def _show_screen(
    monitor: Monitor, client: AsyncClient, *, count: int | None, has_bell: bool, is_demo: bool
) -> Snapshot | None:
    """Show a view that moves, and listen to the keyboard; give the last refresh that was asked for."""
    from rich.console import Console  # noqa: PLC0415

    from orcredit.terminal.keyboard import Keyboard  # noqa: PLC0415
    from orcredit.terminal.live import LiveView, Screen  # noqa: PLC0415

    view = LiveView(client.clock, is_demo=is_demo)
    with Keyboard() as keyboard, Screen(Console(markup=False, emoji=False, highlight=False), view) as screen:
        following = asyncio.ensure_future(_follow(monitor, screen, view, count=count, has_bell=has_bell))
        typing = asyncio.ensure_future(_obey(keyboard, monitor, view))
        try:
            while not (following.done() or typing.done()):
                screen.draw()
                await asyncio.wait({following, typing}, timeout=_REDRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return following.result() if following.done() else typing.result()
        finally:
            following.cancel()
            typing.cancel()


async def _follow(
    monitor: Monitor, screen: Screen, view: LiveView, *, count: int | None, has_bell: bool
) -> Snapshot | None:
    async for snapshot in monitor.snapshots():
        view.update(snapshot)
        screen.draw()
        if has_bell and any(event.is_worse for event in snapshot.new_events):
            screen.ring()
        if count is not None and snapshot.sequence >= count:
            return snapshot
    return None


async def _obey(keyboard: Keyboard, monitor: Monitor, view: LiveView) -> None:
    """Do what is typed: r refreshes, q ends."""
    while (key := await keyboard.key()) not in _QUIT_KEYS:
        if key in "rR":
            view.expect_refresh()
            await monitor.refresh()
            view.refreshed()
