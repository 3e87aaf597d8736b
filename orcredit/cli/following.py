"""How `orcredit watch` shows the snapshots: as lines, or on the full screen."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from orcredit.background import NoThreadError, in_background
from orcredit.cli import runtime
from orcredit.cli.output import complain, encodable_json, write, write_unbuffered
from orcredit.errors import ExitCode, OrcreditError
from orcredit.monitor import EventKind
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from orcredit.cli.monitoring import Monitored
    from orcredit.monitor import Poller, Snapshot
    from orcredit.render.keyboard import Keyboard
    from orcredit.render.live import LiveView
    from orcredit.render.screen import Screen

_T = TypeVar("_T")

REDRAW_SECONDS = 0.5
DRAIN_SECONDS = 3.0
"""At the end, for the history to finish what it has begun; more than it waits for a lock."""

_CHARTED = timedelta(days=7)
_CHART_POINTS = 400
_REMEMBER_SECONDS = 300.0
"""Between two questions to the history, which knows more of the time before than the view keeps."""

QUIT_KEYS = ("q", "Q", "\x03", "\x04")
"""The last two are Ctrl-C and Ctrl-D, for terminals that hand them over as keys."""


def follow(monitored: Monitored, showing: Coroutine[Any, Any, Snapshot | None], *, is_full_screen: bool) -> ExitCode:
    """Poll and show until the last snapshot that was asked for, or until the user ends it.

    Args:
        monitored: what to run.
        showing: shows its snapshots; gives the last one that was asked for, or None when the user ends it.
        is_full_screen: whether what could not be recorded is shown there, and not on standard error.

    Returns:
        The code of that last snapshot; 0 when the user ends it, by a key or by a signal.
    """
    last = runtime.run(monitored.hub, partial(until_stopped, showing), drain_seconds=DRAIN_SECONDS)
    if last is None:
        return ExitCode.OK
    latest = monitored.poller.latest
    if latest is not None and not is_full_screen:
        _complain_of_history(latest, last.sequence)  # of what was recorded after the last snapshot was shown
    if last.error is not None:
        return last.error.exit_code
    return last.balance.level.exit_code if last.balance is not None else ExitCode.OK


async def until_stopped(showing: Coroutine[Any, Any, _T | None], stopping: asyncio.Future[None]) -> _T | None:
    """Show snapshots until the last one that was asked for, which is returned; None where the user ends it."""
    shown = asyncio.ensure_future(showing)
    either: set[asyncio.Future[Any]] = {shown, stopping}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not shown.done():
        shown.cancel()
        await asyncio.gather(shown, return_exceptions=True)
        return None
    return shown.result()


def _complain_of_history(snapshot: Snapshot, after: int) -> None:
    for event in snapshot.events_after(after):
        if event.kind is EventKind.HISTORY:
            complain(event_text(event))


async def show_lines(poller: Poller, *, count: int | None, as_json: bool) -> Snapshot | None:
    """Show each poll as one line; give the last snapshot that was asked for."""
    from orcredit.render.plain import plain_line  # noqa: PLC0415
    from orcredit.render.times import format_instant  # noqa: PLC0415

    shown = sequence = 0
    said = ""
    async for snapshot in poller.snapshots():
        if snapshot.polls == shown:
            pass  # only an event is new
        elif snapshot.balance is not None:
            await write_line(
                encodable_json(snapshot.balance.model_dump_json()) if as_json else plain_line(snapshot, sequence)
            )
        elif snapshot.error is not None:
            message = str(snapshot.error)
            complain(message, snapshot.error.hint if message != said else "")  # what to do about it is said once
            said = message
        if not as_json:
            for event in snapshot.events_after(sequence):
                if event.kind is EventKind.RUNAWAY:
                    await write_line(f"{format_instant(event.at, seconds=True)}  {event_text(event)}")
        _complain_of_history(snapshot, sequence)
        shown, sequence = snapshot.polls, snapshot.sequence
        if count is not None and snapshot.polls >= count:
            return snapshot
    return None


async def write_line(line: str) -> None:
    """Write beside the loop: the reader may be slow, which must not delay signals and polls."""
    try:
        await in_background(write_unbuffered, f"{line}\n")
    except NoThreadError:
        write_unbuffered(f"{line}\n")


async def show_screen(monitored: Monitored, *, count: int | None, has_bell: bool, is_demo: bool) -> Snapshot | None:
    """Show the full screen, and listen to the keyboard; give the last snapshot that was asked for.

    However it ends, but for a crash, the latest snapshot stays on the terminal as a line.
    """
    from rich.console import Console  # noqa: PLC0415

    from orcredit.render.keyboard import Keyboard  # noqa: PLC0415
    from orcredit.render.live import LiveView  # noqa: PLC0415
    from orcredit.render.screen import Screen  # noqa: PLC0415

    poller = monitored.poller
    view = LiveView(poller.clock, recent=monitored.recent, is_demo=is_demo)
    keyboard = Keyboard()
    try:
        with Screen(Console(markup=False, emoji=False, highlight=False), view, keyboard) as screen, jobs(screen):
            following = asyncio.ensure_future(_follow(poller, screen, view, count=count, has_bell=has_bell))
            typing = asyncio.ensure_future(_obey(keyboard, poller, screen, view))
            remembering = asyncio.ensure_future(_remember(monitored, view))
            either = {following, typing}
            try:
                while not (following.done() or typing.done()):
                    screen.draw()
                    await asyncio.wait(either, timeout=REDRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                last = following.result() if following.done() else typing.result()
            finally:
                for task in (following, typing, remembering):
                    task.cancel()
    except asyncio.CancelledError:  # Ctrl-C or SIGTERM
        _leave_behind(poller.latest)
        raise
    _leave_behind(poller.latest if last is None else last)
    return last


def _leave_behind(snapshot: Snapshot | None) -> None:
    """Write the snapshot that was on the screen, which is no longer there."""
    from orcredit.render.plain import plain_line  # noqa: PLC0415

    if snapshot is None:
        return
    if snapshot.balance is not None:
        write(plain_line(snapshot) + "\n")
    if snapshot.error is not None:
        complain(str(snapshot.error), snapshot.error.hint)


@contextmanager
def jobs(screen: Screen) -> Iterator[None]:
    """Have Ctrl-Z give the terminal back before the process stops, and SIGCONT take it over again.

    Not where there is no job control, or SIGTSTP was ignored from the beginning.
    """
    stop, proceed = getattr(signal, "SIGTSTP", None), getattr(signal, "SIGCONT", None)
    if stop is None or proceed is None or signal.getsignal(stop) is signal.SIG_IGN:
        yield
        return
    loop = asyncio.get_running_loop()

    def suspend() -> None:
        loop.remove_signal_handler(stop)
        screen.suspend()
        loop.add_signal_handler(stop, suspend)

    loop.add_signal_handler(stop, suspend)
    loop.add_signal_handler(proceed, screen.resume)
    try:
        yield
    finally:
        loop.remove_signal_handler(stop)
        loop.remove_signal_handler(proceed)


async def _remember(monitored: Monitored, view: LiveView) -> None:
    """Give the view what the history has of the last week, and again from time to time; it may be in use or broken."""
    history, poller = monitored.history, monitored.poller
    if history is None:
        return
    async for snapshot in poller.snapshots():
        if snapshot.balance is None or snapshot.error is not None:
            continue
        await monitored.recorded()
        now = snapshot.balance.fetched_at
        with suppress(OrcreditError, NoThreadError):
            view.remember(await in_background(history.samples, monitored.key, now - _CHARTED, now, _CHART_POINTS))
        await asyncio.sleep(_REMEMBER_SECONDS)


async def _follow(
    poller: Poller, screen: Screen, view: LiveView, *, count: int | None, has_bell: bool
) -> Snapshot | None:
    sequence = 0
    async for snapshot in poller.snapshots():
        view.update(snapshot)
        screen.draw()
        if has_bell and any(event.is_worse for event in snapshot.events_after(sequence)):
            screen.ring()
        sequence = snapshot.sequence
        if count is not None and snapshot.polls >= count:
            return snapshot
    return None


async def _obey(keyboard: Keyboard, poller: Poller, screen: Screen, view: LiveView) -> None:
    """Act on keys: r refreshes, ? shows the help, q ends, also while a refresh is under way."""
    refreshing: asyncio.Task[None] | None = None

    async def refresh() -> None:
        await poller.refresh()
        view.refreshed()

    try:
        while (key := await keyboard.key()) not in QUIT_KEYS:
            if view.is_help_shown or key == "?":
                view.is_help_shown = not view.is_help_shown
                screen.draw()
            elif key in "rR" and (refreshing is None or refreshing.done()):
                view.expect_refresh()
                refreshing = asyncio.create_task(refresh())
    finally:
        if refreshing is not None:
            refreshing.cancel()
