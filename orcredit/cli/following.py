"""How `orcredit watch` shows the snapshots: as lines, or on the full screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orcredit.background import NoThreadError, in_background
from orcredit.cli import runtime
from orcredit.cli.output import complain, encodable_json, write, write_unbuffered
from orcredit.errors import ExitCode
from orcredit.monitor import EventKind
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from orcredit.cli.monitoring import Monitored
    from orcredit.history import Recent
    from orcredit.monitor import Poller, Snapshot
    from orcredit.render.keyboard import Keyboard
    from orcredit.render.live import LiveView, Screen

_REDRAW_SECONDS = 0.5
_DRAIN_SECONDS = 3.0
"""At the end, for the history to finish what it has begun; more than it waits for a lock."""

_QUIT_KEYS = ("q", "Q", "\x03", "\x04")
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

    async def show(stopping: asyncio.Future[None]) -> Snapshot | None:
        shown = asyncio.ensure_future(showing)
        either: set[asyncio.Future[Any]] = {shown, stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not shown.done():
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)
            return None
        return shown.result()

    last = runtime.run(monitored.hub, show, drain_seconds=_DRAIN_SECONDS)
    if last is None:
        return ExitCode.OK
    latest = monitored.poller.latest
    if latest is not None and not is_full_screen:
        _complain_of_history(latest, last.sequence)  # of what was recorded after the last snapshot was shown
    if last.error is not None:
        return last.error.exit_code
    return last.balance.level.exit_code if last.balance is not None else ExitCode.OK


def _complain_of_history(snapshot: Snapshot, after: int) -> None:
    for event in snapshot.events_after(after):
        if event.kind is EventKind.HISTORY:
            complain(event_text(event))


async def show_lines(poller: Poller, *, count: int | None, as_json: bool) -> Snapshot | None:
    """Show each poll as one line; give the last snapshot that was asked for."""
    from orcredit.render.live import plain_line  # noqa: PLC0415

    shown = sequence = 0
    async for snapshot in poller.snapshots():
        if snapshot.polls == shown:
            pass  # only an event is new
        elif snapshot.balance is not None:
            line = encodable_json(snapshot.balance.model_dump_json()) if as_json else plain_line(snapshot, sequence)
            # Beside the loop: the reader may be slow, which must not delay signals and polls.
            try:
                await in_background(write_unbuffered, f"{line}\n")
            except NoThreadError:
                write_unbuffered(f"{line}\n")
        elif snapshot.error is not None:
            complain(str(snapshot.error))
        _complain_of_history(snapshot, sequence)
        shown, sequence = snapshot.polls, snapshot.sequence
        if count is not None and snapshot.polls >= count:
            return snapshot
    return None


async def show_screen(
    poller: Poller, *, recent: Callable[[], Recent | None], count: int | None, has_bell: bool, is_demo: bool
) -> Snapshot | None:
    """Show the full screen, and listen to the keyboard; give the last snapshot that was asked for."""
    from rich.console import Console  # noqa: PLC0415

    from orcredit.render.keyboard import Keyboard  # noqa: PLC0415
    from orcredit.render.live import LiveView, Screen, plain_line  # noqa: PLC0415

    view = LiveView(poller.clock, recent=recent, is_demo=is_demo)
    with Keyboard() as keyboard, Screen(Console(markup=False, emoji=False, highlight=False), view) as screen:
        following = asyncio.ensure_future(_follow(poller, screen, view, count=count, has_bell=has_bell))
        typing = asyncio.ensure_future(_obey(keyboard, poller, view))
        try:
            while not (following.done() or typing.done()):
                screen.draw()
                await asyncio.wait({following, typing}, timeout=_REDRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            last = following.result() if following.done() else typing.result()
        finally:
            following.cancel()
            typing.cancel()
    if last is not None:  # the screen, and with it the snapshot, is no longer there
        if last.error is not None:
            complain(str(last.error), last.error.hint)
        elif last.balance is not None:
            write(plain_line(last) + "\n")
    return last


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


async def _obey(keyboard: Keyboard, poller: Poller, view: LiveView) -> None:
    """Act on keys: r refreshes, q ends, also while a refresh is under way."""
    refreshing: asyncio.Task[None] | None = None

    async def refresh() -> None:
        await poller.refresh()
        view.refreshed()

    try:
        while (key := await keyboard.key()) not in _QUIT_KEYS:
            if key in "rR" and (refreshing is None or refreshing.done()):
                view.expect_refresh()
                refreshing = asyncio.create_task(refresh())
    finally:
        if refreshing is not None:
            refreshing.cancel()
