"""What `orcredit watch` runs: a monitor, and what shows its snapshots until somebody has enough."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orcredit.background import NoThreadError, in_background
from orcredit.cli.output import complain, write, write_unbuffered
from orcredit.client import EventLoop
from orcredit.errors import ExitCode
from orcredit.monitor import EventKind

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from orcredit.monitor import Monitor, Snapshot
    from orcredit.render.keyboard import Keyboard
    from orcredit.render.live import LiveView, Screen

_REDRAW_SECONDS = 0.5
_SETTLING_LIMIT = 3.0
"""Seconds at the end for the history to finish what it has begun; more than it waits for a lock."""

_QUIT_KEYS = ("q", "Q", "\x03", "\x04")
"""The last two are Ctrl-C and Ctrl-D, for terminals that hand them over as keys."""


def follow(monitor: Monitor, showing: Coroutine[Any, Any, Snapshot | None]) -> ExitCode:
    """Poll and show until one of them, or the user, has enough.

    Args:
        monitor: what to run.
        showing: shows its snapshots; gives the last one that was asked for, or None when the user ends it.

    Returns:
        The code of that last snapshot; 0 when the user ends it, by a key or by a signal.
    """
    gc.enable()  # switched off for commands that are over soon; this one may run for months
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(_poll_and_show(monitor, showing))
    return ExitCode.OK


async def _poll_and_show(monitor: Monitor, showing: Coroutine[Any, Any, Snapshot | None]) -> ExitCode:
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
        await monitor.settle(_SETTLING_LIMIT)
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


async def show_lines(monitor: Monitor, *, count: int | None, as_json: bool) -> Snapshot | None:
    """Show each refresh as one line; give the last one that was asked for."""
    from orcredit.render.live import plain_line  # noqa: PLC0415

    async for snapshot in monitor.snapshots():
        if snapshot.balance is not None:
            line = snapshot.balance.model_dump_json() if as_json else plain_line(snapshot)
            # Beside the loop: whoever reads may be slow, and signals must be heard and polls made all the same.
            try:
                await in_background(write_unbuffered, f"{line}\n")
            except NoThreadError:
                write_unbuffered(f"{line}\n")
        elif snapshot.error is not None:
            complain(str(snapshot.error))
        for event in snapshot.new_events:
            if event.kind is EventKind.HISTORY:
                complain(event.text)
        if count is not None and snapshot.sequence >= count:
            return snapshot
    return None


async def show_screen(monitor: Monitor, *, count: int | None, has_bell: bool, is_demo: bool) -> Snapshot | None:
    """Show a view that moves, and listen to the keyboard; give the last refresh that was asked for."""
    from rich.console import Console  # noqa: PLC0415

    from orcredit.render.keyboard import Keyboard  # noqa: PLC0415
    from orcredit.render.live import LiveView, Screen, plain_line  # noqa: PLC0415

    view = LiveView(monitor.clock, is_demo=is_demo)
    with Keyboard() as keyboard, Screen(Console(markup=False, emoji=False, highlight=False), view) as screen:
        following = asyncio.ensure_future(_follow(monitor, screen, view, count=count, has_bell=has_bell))
        typing = asyncio.ensure_future(_obey(keyboard, monitor, view))
        try:
            while not (following.done() or typing.done()):
                screen.draw()
                await asyncio.wait({following, typing}, timeout=_REDRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            last = following.result() if following.done() else typing.result()
        finally:
            following.cancel()
            typing.cancel()
    if last is not None:  # the screen is gone, and with it what was asked for
        if last.error is not None:
            complain(str(last.error), last.error.hint)
        elif last.balance is not None:
            write(plain_line(last) + "\n")
    return last


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
    """Do what is typed: r refreshes, q ends, also while a refresh is under way."""
    refreshing: asyncio.Task[None] | None = None

    async def refresh() -> None:
        await monitor.refresh()
        view.refreshed()

    try:
        while (key := await keyboard.key()) not in _QUIT_KEYS:
            if key in "rR" and (refreshing is None or refreshing.done()):
                view.expect_refresh()
                refreshing = asyncio.create_task(refresh())
    finally:
        if refreshing is not None:
            refreshing.cancel()
