"""How `orcredit watch --all` shows the snapshots of all profiles: as lines, or on the full screen."""

from __future__ import annotations

import asyncio
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from orcredit.cli import runtime
from orcredit.cli.following import DRAIN_SECONDS, QUIT_KEYS, REDRAW_SECONDS, jobs, until_stopped, write_line
from orcredit.cli.output import complain, encodable_json, write
from orcredit.cli.several import Outcome
from orcredit.errors import WORST_FIRST, ExitCode
from orcredit.monitor import EventKind
from orcredit.render.several import UNNAMED
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from typing import Any

    from orcredit.balance import Balance
    from orcredit.cli.monitoring import Monitored
    from orcredit.monitor import Hub, Snapshot
    from orcredit.render.keyboard import Keyboard
    from orcredit.render.live_all import ProfilesView
    from orcredit.render.screen import Screen

Last = dict[str | None, "Snapshot"]
"""The last snapshot that was asked for, by profile."""

_LEFT_BEHIND = 20
"""Lines that stay on the terminal when the screen is gone."""


def follow(monitored: Monitored, showing: Coroutine[Any, Any, Last | None]) -> ExitCode:
    """Poll and show until the last snapshots that were asked for, or until the user ends it.

    Args:
        monitored: what to run.
        showing: shows its snapshots; gives the last ones that were asked for, or None when the user ends it.

    Returns:
        The worst code of those last snapshots; 0 when the user ends it, by a key or by a signal.
    """
    last = runtime.run(monitored.hub, partial(until_stopped, showing), drain_seconds=DRAIN_SECONDS)
    if last is None:
        return ExitCode.OK
    from orcredit.render.live_all import exit_code  # noqa: PLC0415 - as below

    return min(map(exit_code, last.values()), key=WORST_FIRST.index)


class _Seen:
    """What has been shown of each profile, and whether all is there that was asked for.

    Args:
        hub: with the pollers.
        count: how many polls of each were asked for; None for no end.
    """

    def __init__(self, hub: Hub[Balance], count: int | None) -> None:
        self._names = {poller.profile for poller in hub.pollers}
        self._count = count
        self._latest: Last = {}
        self.last: Last = {}

    def take(self, snapshot: Snapshot) -> tuple[int, int] | None:
        """Take in a snapshot; give the polls and the number of what was shown before it. None if it is not wanted."""
        name = snapshot.profile
        if name in self.last:
            return None
        before = self._latest.get(name)
        self._latest[name] = snapshot
        if self._count is not None and snapshot.polls >= self._count:
            self.last[name] = snapshot
        return (0, 0) if before is None else (before.polls, before.sequence)

    @property
    def is_complete(self) -> bool:
        return len(self.last) == len(self._names)


async def show_lines(monitored: Monitored, *, count: int | None, as_json: bool) -> Last | None:
    """Show each poll of a profile as one line, with its name; give the last snapshots that were asked for."""
    lines = _Lines([poller.profile for poller in monitored.hub.pollers], as_json=as_json)
    seen = _Seen(monitored.hub, count)
    async for snapshot in monitored.hub.snapshots():
        before = seen.take(snapshot)
        if before is not None:
            await lines.show(snapshot, *before)
            if seen.is_complete:
                return seen.last
    return None


class _Lines:
    """Writes snapshots as lines.

    Args:
        names: of all profiles.
        as_json: whether each line is a document.
    """

    def __init__(self, names: Iterable[str | None], *, as_json: bool) -> None:
        self._width = max(len(shown_name(name)) for name in names)
        self._as_json = as_json
        self._said: dict[str | None, str] = {}
        """The last failure of each profile without a balance: what to do about it is said once."""
        self._said_of_history = ""

    async def show(self, snapshot: Snapshot, polls: int, sequence: int) -> None:
        """Show a snapshot.

        Args:
            snapshot: what to show.
            polls: of the snapshot of this profile that was shown before; only an event is new where it is the same.
            sequence: of that snapshot.
        """
        if snapshot.polls != polls:
            await self._show_poll(snapshot, sequence)
        for event in snapshot.events_after(sequence):
            text = event_text(event)
            if event.kind is EventKind.RUNAWAY and not self._as_json:
                from orcredit.render.times import format_instant  # noqa: PLC0415 - as below

                await write_line(f"{self._named(snapshot.profile)}{format_instant(event.at, seconds=True)}  {text}")
            if event.kind is EventKind.HISTORY and text != self._said_of_history:  # all profiles have the same one
                self._said_of_history = text
                complain(text)

    async def _show_poll(self, snapshot: Snapshot, sequence: int) -> None:
        from orcredit.render.plain import plain_line  # noqa: PLC0415 - not for --help

        name, error = snapshot.profile, snapshot.error
        if self._as_json and snapshot.balance is not None:
            await write_line(encodable_json(snapshot.balance.model_dump_json()))
        elif self._as_json and error is not None:
            await write_line(encodable_json(Outcome(name, error).document().model_dump_json()))
        elif snapshot.balance is not None:
            await write_line(f"{self._named(name)}{plain_line(snapshot, sequence)}")
        elif error is not None:
            message = str(error)
            complain(f"{shown_name(name)}: {message}", error.hint if message != self._said.get(name) else "")
            self._said[name] = message

    def _named(self, name: str | None) -> str:
        return f"{shown_name(name):{self._width}}  "


def shown_name(name: str | None) -> str:
    """Return the name of a profile for people."""
    return UNNAMED if name is None else name


async def show_screen(monitored: Monitored, *, count: int | None, has_bell: bool) -> Last | None:
    """Show the full screen, and listen to the keyboard; give the last snapshots that were asked for.

    However it ends, but for a crash, the worst profiles stay on the terminal as lines.
    """
    from rich.console import Console  # noqa: PLC0415 - not for --help

    from orcredit.render.keyboard import Keyboard  # noqa: PLC0415 - likewise
    from orcredit.render.live_all import ProfilesView  # noqa: PLC0415 - likewise
    from orcredit.render.screen import Screen  # noqa: PLC0415 - likewise

    hub = monitored.hub
    view = ProfilesView([poller.profile for poller in hub.pollers], hub.clock)
    keyboard = Keyboard()
    try:
        with Screen(Console(markup=False, emoji=False, highlight=False), view, keyboard) as screen, jobs(screen):
            following = asyncio.ensure_future(_follow(hub, screen, view, count=count, has_bell=has_bell))
            typing = asyncio.ensure_future(_obey(keyboard, hub, screen, view))
            either: set[asyncio.Future[Any]] = {following, typing}
            try:
                while not (following.done() or typing.done()):
                    screen.draw()
                    await asyncio.wait(either, timeout=REDRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                last = following.result() if following.done() else typing.result()
            finally:
                for task in either:
                    task.cancel()
    except asyncio.CancelledError:  # Ctrl-C or SIGTERM
        leave_behind(view)
        raise
    leave_behind(view)
    return last


def leave_behind(view: ProfilesView) -> None:
    """Write what was on the screen, which is no longer there."""
    from rich.text import Text  # noqa: PLC0415 - not for --help

    from orcredit.render.plain import plain_line  # noqa: PLC0415 - likewise

    columns = shutil.get_terminal_size().columns
    is_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
    snapshots = view.in_order()
    width = max((len(shown_name(snapshot.profile)) for snapshot in snapshots), default=0)
    for snapshot in snapshots[:_LEFT_BEHIND]:
        said = plain_line(snapshot) if snapshot.balance is not None else str(snapshot.error)
        line = Text(f"{shown_name(snapshot.profile):{width}}  {said}")
        line.truncate(columns, overflow="crop" if is_ascii else "ellipsis")
        write(f"{line.plain}\n")
    if len(snapshots) > _LEFT_BEHIND:
        write(f"and {len(snapshots) - _LEFT_BEHIND:,} more\n")


async def _follow(
    hub: Hub[Balance], screen: Screen, view: ProfilesView, *, count: int | None, has_bell: bool
) -> Last | None:
    seen = _Seen(hub, count)
    async for snapshot in hub.snapshots():
        before = seen.take(snapshot)
        view.update(snapshot)
        if before is not None and has_bell and any(event.is_worse for event in snapshot.events_after(before[1])):
            screen.ring()
        if seen.is_complete:
            return seen.last
    return None


async def _obey(keyboard: Keyboard, hub: Hub[Balance], screen: Screen, view: ProfilesView) -> None:
    """Act on keys: r refreshes all, arrows and pages scroll, ? shows the help, q ends."""
    refreshing: asyncio.Task[None] | None = None

    async def refresh() -> None:
        await asyncio.gather(*(poller.refresh() for poller in hub.pollers))
        view.refreshed()

    try:
        while (key := await keyboard.key()) not in QUIT_KEYS:
            if view.is_help_shown or key == "?":
                view.is_help_shown = not view.is_help_shown
                screen.draw()
            elif view.scroll(key):
                screen.draw()
            elif key in "rR" and (refreshing is None or refreshing.done()):
                view.expect_refresh()
                screen.draw()
                refreshing = asyncio.create_task(refresh())
    finally:
        if refreshing is not None:
            refreshing.cancel()
