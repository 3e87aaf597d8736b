"""The full-screen view of `orcredit watch`: the table, with countdown, age, charts and events around it.

`LiveView` is a plain Rich renderable of the latest `Snapshot` and the time of day. `Screen` takes the terminal over,
and restores it at the end, also after an error.
"""

from __future__ import annotations

import select
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orcredit.durations import format_duration
from orcredit.money import ZERO, format_usd
from orcredit.monitor import EventKind
from orcredit.render.sparkline import sparkline
from orcredit.render.status import StatusTable
from orcredit.render.times import format_instant
from orcredit.words import EXPIRY_NOTICE, event_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from decimal import Decimal
    from types import TracebackType

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from orcredit.history import Recent
    from orcredit.monitor import Snapshot

POINTS_KEPT = 500
"""Polls that the sparklines remember; a wide terminal has fewer columns."""

NARROW_FOR_RECENT = 72
"""Columns below which recent spending is written shorter."""

EVENTS_SHOWN = 3

_SAID_ELSEWHERE = frozenset({EventKind.UNREACHABLE, EventKind.REFUSED, EventKind.INTERNAL_ERROR, EventKind.HISTORY})
"""In a plain line: the first three are in its STALE part, the last is said on standard error."""

_PUSH_TITLE, _POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""Have the terminal remember its window's title, and put it back (xterm's; others ignore it)."""

_MARKS = {
    EventKind.LEVEL: "bold",
    EventKind.RESET: "green",
    EventKind.BACK: "green",
    EventKind.UNREACHABLE: "yellow",
    EventKind.REFUSED: "red",
    EventKind.INTERNAL_ERROR: "red",
    EventKind.HISTORY: "yellow",
}


class LiveView:
    """A Rich renderable of the latest snapshot of a poller.

    Args:
        clock: the time of day; aware UTC.
        recent: gives what was spent lately, from the history; None where there is none. Asked whenever the view is
            drawn, since recording a balance takes longer than showing it.
        is_demo: whether to say that nothing of it is real.
    """

    def __init__(
        self, clock: Callable[[], datetime], *, recent: Callable[[], Recent | None] = lambda: None, is_demo: bool
    ) -> None:
        self._clock = clock
        self._recent = recent
        self._is_demo = is_demo
        self._snapshot: Snapshot | None = None
        self._is_refreshing = True
        self._spent: deque[Decimal] = deque(maxlen=POINTS_KEPT)
        self._left: deque[Decimal] = deque(maxlen=POINTS_KEPT)

    @property
    def title(self) -> str:
        """What the window is called: the amount left."""
        balance = self._snapshot.balance if self._snapshot is not None else None
        if balance is None:
            return "orcredit"
        amount = format_usd(balance.spendable) if balance.spendable is not None else balance.level.value
        return f"{amount}{' (stale)' if balance.stale else ''} - orcredit"

    def expect_refresh(self) -> None:
        """Show that a refresh was requested."""
        self._is_refreshing = True

    def refreshed(self) -> None:
        """Stop showing it: a poll answered the request, or one that was young enough did."""
        self._is_refreshing = False

    def update(self, snapshot: Snapshot) -> None:
        """Take in the latest snapshot."""
        before = self._snapshot.balance if self._snapshot is not None else None
        polls = self._snapshot.polls if self._snapshot is not None else 0
        balance = snapshot.balance
        self._snapshot = snapshot
        if snapshot.polls == polls:
            return  # only an event is new
        self._is_refreshing = False
        if balance is None or snapshot.error is not None:
            return
        if before is not None and before.usage is not None and balance.usage is not None:
            self._spent.append(max(balance.usage - before.usage, ZERO))
        if balance.spendable is not None:
            self._left.append(balance.spendable)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render top to bottom by importance: a terminal that is too low cuts off the end."""
        yield Group(*self._parts(options))

    def _parts(self, options: ConsoleOptions) -> Iterator[RenderableType]:
        snapshot = self._snapshot
        yield self._headline(options)
        if snapshot is None:
            yield Text("Asking OpenRouter ...")
            return
        if snapshot.error is not None:
            yield self._problem(snapshot)
        if snapshot.balance is not None:
            yield StatusTable(snapshot.balance, is_demo=self._is_demo)
        yield self._moving_rows(snapshot, options)

    def _headline(self, options: ConsoleOptions) -> Table:
        line = Table.grid(expand=True)
        line.add_column(no_wrap=True)
        line.add_column(justify="right", no_wrap=True)
        keys = "q quit   r refresh" if options.max_width >= 50 else "q  r"
        line.add_row(Text.assemble(("orcredit", "bold"), f"  {self._countdown()}"), Text(keys, style="dim"))
        return line

    def _countdown(self) -> str:
        if self._is_refreshing or self._snapshot is None:
            return "refreshing ..."
        seconds = (self._snapshot.next_poll_at - self._clock()).total_seconds()
        return f"next refresh in {_short(seconds)}" if seconds > 0 else "refreshing ..."

    def _problem(self, snapshot: Snapshot) -> Text:
        """Say what is wrong, and the age of the numbers below it."""
        said = str(snapshot.error).rstrip(".")
        if snapshot.balance is None:
            return Text(f"No answer yet: {said}.", style="bold yellow")
        return Text(f"STALE: these numbers are {_short(self._age(snapshot))} old. {said}.", style="bold yellow")

    def _age(self, snapshot: Snapshot) -> float:
        """Seconds since the numbers came, never below 0: the clock may have been set back."""
        since = snapshot.answered_at
        return max((self._clock() - since).total_seconds(), 0.0) if since is not None else 0.0

    def _moving_rows(self, snapshot: Snapshot, options: ConsoleOptions) -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(style="dim", no_wrap=True, min_width=11)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        if snapshot.balance is not None:
            grid.add_row("Age", _short(self._age(snapshot)))
        columns = max(options.max_width - 13 - 12, 8)
        recent = self._recent()
        if recent is not None:
            for label, value in recent_rows(recent, is_narrow=options.max_width < NARROW_FOR_RECENT):
                grid.add_row(label, value)
        for label, numbers, from_zero in (("Spent", self._spent, True), ("Left", self._left, False)):
            if numbers:
                drawn = sparkline(list(numbers)[-columns:], from_zero=from_zero, ascii_only=options.ascii_only)
                grid.add_row(label, Text.assemble(format_usd(numbers[-1]), "  ", (drawn, "cyan")))
        for event in reversed(snapshot.events[-EVENTS_SHOWN:]):
            line = Text(f"{event.at.astimezone():%H:%M:%S}  ", style="dim", overflow="ellipsis")
            grid.add_row("Event", line.append(event_text(event), style=f"not dim {_MARKS[event.kind]}"))
        return grid


def recent_rows(recent: Recent, *, is_narrow: bool) -> Iterator[tuple[str, Text]]:
    """Give the rows of what was spent lately, which the history adds to a balance."""
    spans = (
        ("/h" if is_narrow else " in the last hour", recent.last_hour),
        ("/24 h" if is_narrow else " in 24 h", recent.last_day),
        ("/7 d" if is_narrow else " in 7 d", recent.last_week),
    )
    spent = [f"{format_usd(amount)}{span}" for span, amount in spans if amount is not None]
    if spent:
        yield "Lately", Text("  ".join(spent))
    if recent.account_per_day is not None:
        yield "Account", Text(f"spends {format_usd(recent.account_per_day)} a day, as watched")


def plain_line(snapshot: Snapshot, after: int | None = None) -> str:
    """Write a snapshot with a balance as one line, for pipes and logs: no colour, no control characters.

    Args:
        snapshot: what to write.
        after: the number of the snapshot that was written before it, whose events are left out; None to write only
            those that are new in this one.
    """
    balance = snapshot.balance
    if balance is None:
        return ""
    amount = "unlimited" if balance.spendable is None else f"{format_usd(balance.spendable)} {balance.level}"
    parts = [format_instant(snapshot.polled_at, seconds=True), amount]
    if balance.percent_remaining is not None:
        parts.append(f"{balance.percent_remaining}% of the key limit left")
    if balance.limited_by is not None:
        parts.append(f"limited by {balance.limited_by}")
    expires_at = balance.key.expires_at
    if expires_at is not None and expires_at - balance.fetched_at <= EXPIRY_NOTICE:
        left = expires_at - balance.fetched_at
        parts.append(f"key expires in {format_duration(left)}" if left > timedelta(0) else "key has expired")
    if balance.pace is not None and balance.pace.runs_out_at is not None:
        parts.append(f"runs out in {format_duration(balance.pace.runs_out_at - balance.fetched_at)}")
    if balance.resets_at is not None:
        parts.append(f"resets in {format_duration(balance.resets_at - balance.fetched_at)}")
    if balance.stale:
        age = format_duration(snapshot.polled_at - (snapshot.answered_at or snapshot.polled_at))
        parts.append(f"STALE for {age}: {(balance.stale_reason or '').rstrip('.')}")
    events = snapshot.new_events if after is None else snapshot.events_after(after)
    parts.extend(event_text(event) for event in events if event.kind not in _SAID_ELSEWHERE)
    return "  ".join(parts)


def _short(seconds: float) -> str:
    """Write seconds as a countdown or an age: `48 s`, `3 min 5 s`."""
    whole = round(seconds)
    return (
        f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h"
    )


class Screen:
    """The terminal while `watch` uses it; a context manager that restores it.

    Args:
        console: writes to the terminal.
        view: what to show.
    """

    def __init__(self, console: Console, view: LiveView) -> None:
        self._console = console
        self._view = view
        self._live = Live(view, console=console, screen=True, auto_refresh=False, vertical_overflow="crop")
        self._title = ""

    def __enter__(self) -> Self:
        self._live.start()
        self._write(_PUSH_TITLE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resume_output()
        self._write(_POP_TITLE)
        self._live.stop()

    def draw(self) -> None:
        """Show the view as it is now, unless the terminal takes no output at the moment (Ctrl-S)."""
        if not self._takes_output():
            return
        if self._view.title != self._title:
            self._title = self._view.title
            self._console.set_window_title(self._title)
        self._live.update(self._view, refresh=True)

    def ring(self) -> None:
        """Ring the terminal's bell."""
        self._console.bell()

    def _takes_output(self) -> bool:
        with suppress(OSError, ValueError):  # Windows: not for files
            return bool(select.select([], [self._console.file], [], 0)[1])
        return True

    def _resume_output(self) -> None:
        """Undo a Ctrl-S: restoring the terminal would wait for a Ctrl-Q."""
        with suppress(ImportError, OSError, ValueError):
            import termios  # noqa: PLC0415 - not on Windows

            with suppress(termios.error):
                termios.tcflow(self._console.file.fileno(), termios.TCOON)

    def _write(self, sequence: str) -> None:
        if not self._console.is_dumb_terminal:
            self._console.file.write(sequence)
            self._console.file.flush()
