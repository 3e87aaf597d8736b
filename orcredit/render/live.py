"""The full-screen view of `orcredit watch`: the table, with countdown, age, charts and events in the same grid.

`LiveView` is a plain Rich renderable of the latest `Snapshot` and the time of day. It shows as many rows as the screen
has room for: the least important go first (`render/layout.py`).
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from orcredit.durations import format_duration
from orcredit.errors import KeyRefusedError
from orcredit.money import ZERO, format_usd
from orcredit.monitor import EventKind
from orcredit.render import charts
from orcredit.render.help import help_blocks
from orcredit.render.layout import LABEL_WIDTH, Block, Line, fit, full_width, row
from orcredit.render.plain import FAILURES, is_by_pace_too_late, percent_left
from orcredit.render.recent import recent_rows
from orcredit.render.sparkline import sparkline
from orcredit.render.status import Rows
from orcredit.render.times import format_instant
from orcredit.words import event_text, headline, rate_text, runaway_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from orcredit.balance import Balance
    from orcredit.history import Recent, Sample
    from orcredit.monitor import Event, Snapshot

POINTS_KEPT = 500
"""Polls that the sparklines remember; a wide terminal has fewer columns."""

NARROW = 60
"""Columns below which texts are shorter, and the keys have a line of their own."""

ROWS_FOR_CHART = 30
"""Rows from which there is a chart of what could be spent."""

EVENTS_SHOWN = 3

_SHORTEST_GAP = timedelta(minutes=10)
"""Of a chart: what is shorter is no gap, such as the pause after failures."""
_GAPS_IN_SPAN = 40
"""The part of a chart's span that is a gap; the history leaves out points where there are many."""

_FAST = 2
"""Times the pace from which the rate right now is among what matters most, unless the first line says it."""

_BY_PACE = ("Runs out", "Lasts", "To last")
"""The rows of `render/status.py` that say how long the money lasts at the pace of days."""

_KEYS = "q quit   r refresh   ? help"
_MARKS = {
    EventKind.LEVEL: "bold",
    EventKind.UNREACHABLE: "yellow",
    EventKind.REFUSED: "red",
    EventKind.INTERNAL_ERROR: "red",
    EventKind.HISTORY: "yellow",
    EventKind.CREDIT: "bold",
    EventKind.RUNAWAY: "red",
}

_HEADER, _KEY_LINE, _PROBLEM, _DEMO, _NOTE, _CONTINUED = 100, 99, 98, 93, 86, 70
_NOW, _SLOW_NOW, _LATELY, _ACCOUNT_PACE = 88, 53, 56, 32
_NEW_EVENT, _CHART, _SPENT, _LEFT, _OLD_EVENT = 57, 43, 42, 41, 24
_IMPORTANCE = {
    "Can spend": 95, "Runs out": 90, "Lasts": 90, "Key limit": 76, "Budget": 76, "Resets": 75, "Pace": 74,
    "Limits": 64, "Limit": 64, "Credit": 64, "Account": 52, "To last": 54, "Used (UTC)": 50, "BYOK (UTC)": 40,
    "Free models": 34, "Key": 30, "As of": 58,
}  # fmt: skip
"""Of the rows of `render/status.py`, by label; see `render/layout.py`. A row without one follows another."""
_CONTINUATIONS = {"Can spend": _NOTE, "Runs out": 66, "BYOK (UTC)": 20}
"""Of rows without a label, by the label above."""


_LISTED = ("Limit", "Credit")
"""The rows of the limits where they are no table; like a table they are one block, which can be cut off."""


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
        self._interval = timedelta(0)
        self._spent: deque[tuple[datetime, datetime, Decimal]] = deque(maxlen=POINTS_KEPT)
        self._points: deque[charts.Point] = deque(maxlen=POINTS_KEPT)
        self._recorded: Sequence[charts.Point] = ()
        self._chart = self._new_chart()
        self._drawn: tuple[tuple[charts.Chart, int, bool, int], Sequence[Text]] | None = None
        self.is_help_shown = False

    @property
    def title(self) -> str:
        """What the window is called: the amount left, and its part of what limits it."""
        balance = self._snapshot.balance if self._snapshot is not None else None
        if balance is None:
            return "orcredit"
        percent = percent_left(balance)
        parts = [headline(balance), *([percent] if percent else [])]
        if balance.level.is_warning:
            parts.append(balance.level.value)
        if self._snapshot is not None and self._snapshot.runaway is not None:
            parts.insert(0, "RUNAWAY")
        return f"{', '.join(parts)}{' (stale)' if balance.stale else ''} - orcredit"

    def expect_refresh(self) -> None:
        """Show that a refresh was requested."""
        self._is_refreshing = True

    def refreshed(self) -> None:
        """Stop showing it: a poll answered the request, or one that was young enough did."""
        self._is_refreshing = False

    def remember(self, samples: Iterable[Sample]) -> None:
        """Take in what the history has of the time before, for the chart; oldest first."""
        self._recorded = [(sample.at, sample.spendable) for sample in samples]
        self._chart = self._new_chart()

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
        self._interval = snapshot.next_poll_at - snapshot.polled_at
        if before is not None and before.usage is not None and balance.usage is not None:
            self._spent.append((before.fetched_at, balance.fetched_at, max(balance.usage - before.usage, ZERO)))
        self._points.append((balance.fetched_at, balance.spendable))
        self._chart = self._new_chart()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as many rows as the height has room for."""
        parts = help_blocks(console, options) if self.is_help_shown else _Parts(self, console, options)
        for line in fit([*self._header(console, options), *parts, *self._footer(console, options)], options.max_height):
            yield from line
            yield Segment.line()

    def _header(self, console: Console, options: ConsoleOptions) -> Iterator[Block]:
        grid = Table.grid(expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
        keys = _KEYS if options.max_width >= NARROW else ""
        grid.add_row(Text.assemble(("orcredit", "bold"), f"  {self._countdown()}"), Text(keys, style="dim"))
        yield full_width(grid, _HEADER, console, options)

    def _footer(self, console: Console, options: ConsoleOptions) -> Iterator[Block]:
        if options.max_width < NARROW:
            yield full_width(Text(_KEYS, style="dim"), _KEY_LINE, console, options)

    def _countdown(self) -> str:
        if self._is_refreshing or self._snapshot is None:
            return "refreshing ..."
        seconds = (self._snapshot.next_poll_at - self._clock()).total_seconds()
        what = "next refresh" if self._snapshot.error is None else "next try"
        return f"{what} in {_short(seconds)}" if seconds > 0 else "refreshing ..."

    @property
    def now(self) -> datetime:
        """The time of day; aware UTC."""
        return self._clock()

    def age(self, snapshot: Snapshot) -> timedelta:
        """How old the numbers are; never negative: the clock may have been set back."""
        since = snapshot.answered_at
        return max(self._clock() - since, timedelta(0)) if since is not None else timedelta(0)

    def now_of(self, balance: Balance, snapshot: Snapshot) -> datetime:
        """Return the time by the clock of `Balance.fetched_at`."""
        return balance.fetched_at + self.age(snapshot)

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest snapshot; None before the first."""
        return self._snapshot

    @property
    def is_demo(self) -> bool:
        """Whether nothing of it is real."""
        return self._is_demo

    @property
    def recent(self) -> Recent | None:
        """What was spent lately, from the history."""
        return self._recent()

    @property
    def spent(self) -> Sequence[tuple[datetime, datetime, Decimal]]:
        """What was spent between two polls, with their times."""
        return self._spent

    @property
    def left(self) -> Sequence[tuple[datetime, datetime, Decimal]]:
        """What could be spent at each poll but the first."""
        pairs = pairwise((at, amount) for at, amount in self._points if amount is not None)
        return [(before, at, amount) for (before, _), (at, amount) in pairs]

    @property
    def chart(self) -> charts.Chart:
        """What could be spent over time."""
        return self._chart

    def chart_lines(self, options: ConsoleOptions, rows: int) -> Sequence[Text]:
        """Draw the chart; only once for the same points and size, as it changes less often than the view is drawn."""
        key = (self._chart, options.max_width, options.ascii_only, rows)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, list(self._chart.lines(options, rows))
        return self._drawn[1]

    def _new_chart(self) -> charts.Chart:
        """Make the chart of what the history has, and of what was seen since."""
        seen_until = self._recorded[-1][0] if self._recorded else None
        points = (*self._recorded, *(point for point in self._points if seen_until is None or point[0] > seen_until))
        span = points[-1][0] - points[0][0] if points else timedelta(0)
        return charts.Chart("Can spend", points, max(_SHORTEST_GAP, span / _GAPS_IN_SPAN, self._interval * 3))


class _Parts:
    """The blocks of the view between its header and its footer, top to bottom."""

    def __init__(self, view: LiveView, console: Console, options: ConsoleOptions) -> None:
        self._view = view
        self._console = console
        self._options = options
        self._is_narrow = options.max_width < NARROW
        snapshot = view.snapshot
        self._is_stale = snapshot is not None and snapshot.error is not None

    def __iter__(self) -> Iterator[Block]:
        snapshot = self._view.snapshot
        if snapshot is None:
            yield self._full("Asking OpenRouter ...", "", _PROBLEM)
            return
        if snapshot.runaway is not None and snapshot.balance is not None:
            said = self._encodable(runaway_text(snapshot.runaway, self._view.now_of(snapshot.balance, snapshot)))
            alarm = Padding(Text(f"RUNAWAY: {said}."), 0, style="bold white on red", expand=True)
            yield full_width(alarm, _PROBLEM, self._console, self._options)
        if snapshot.error is not None:
            yield from self._problem(snapshot)
        blocks = [*self._known(snapshot), *self._seen(snapshot)]
        chart = self._chart(blocks)
        yield from blocks
        yield from chart

    def _problem(self, snapshot: Snapshot) -> Iterator[Block]:
        """Say what is wrong, what to do about it, and the age of the numbers below it."""
        error = snapshot.error
        colour = "red" if isinstance(error, KeyRefusedError) else "yellow"
        said = str(error).rstrip(".")
        if snapshot.balance is None:
            yield self._full(f"No answer yet: {said}.", f"bold {colour}", _PROBLEM)
        else:
            age = _short(self._view.age(snapshot).total_seconds())
            yield self._full(f"STALE: these numbers are {age} old. {said}.", f"bold {colour}", _PROBLEM)
        if error is not None and error.hint:
            yield self._full(error.hint, colour, _PROBLEM - 1)

    def _known(self, snapshot: Snapshot) -> Iterator[Block]:
        """Yield the rows of the table, which `status` prints as well."""
        if self._view.is_demo:
            yield self._row("Demo", Text("a simulated account, no real money", style="italic"), _DEMO)
        balance = snapshot.balance
        if balance is None:
            return
        rows = Rows(balance, self._console, self._options, self._view.now_of(balance, snapshot))
        above, limits = "", list[Line]()
        for label, value in rows:
            if label == "Used (UTC)":
                yield from self._rate(snapshot, rows.now)
            if (label or above) in _BY_PACE and is_by_pace_too_late(snapshot, balance):
                above = label or above
                continue
            importance = _IMPORTANCE.get(label, _CONTINUED) if label else _CONTINUATIONS.get(above, _CONTINUED)
            above = label or above
            block = self._row(label, self._as_of(balance, snapshot) if label == "As of" else value, importance)
            if label in _LISTED:
                limits += block.lines
                continue
            if limits:
                yield Block(limits, _IMPORTANCE["Limits"], can_be_cut=True)
                limits = []
            yield block

    def _rate(self, snapshot: Snapshot, now: datetime) -> Iterator[Block]:
        """Yield the rate right now, beside the pace; it matters most where it is much faster."""
        rate = snapshot.rate
        if rate is None:
            return
        is_fast = snapshot.runaway is None and (rate.times_pace is None or rate.times_pace >= _FAST)
        text = self._encodable(rate_text(rate, now).removeprefix("now "))
        yield self._row("Now", Text(text), _NOW if is_fast else _SLOW_NOW)

    def _as_of(self, balance: Balance, snapshot: Snapshot) -> Text:
        age = f"{_short(self._view.age(snapshot).total_seconds())} ago"
        if self._is_narrow:
            return Text(age)
        return Text(f"{format_instant(balance.fetched_at, seconds=True)}{self._dot}{age}")

    def _seen(self, snapshot: Snapshot) -> Iterator[Block]:
        """Yield what the polls saw: the last hour, day and week, the amounts of each poll, and events."""
        view = self._view
        said = str(snapshot.error).rstrip(".")
        events = [event for event in snapshot.events if event.kind not in FAILURES or event_text(event) != said]
        recent = view.recent
        if recent is not None:
            for label, value in recent_rows(recent, dot=self._dot):
                yield self._row(label, value, _LATELY if label else _ACCOUNT_PACE)
        if view.spent:
            yield self._row("Spent", self._sparkline(view.spent, " a refresh"), _SPENT)
        if view.left and not self._has_room_for_chart:
            yield self._row("Left", self._sparkline(view.left, ""), _LEFT)
        for index, event in enumerate(events[: -EVENTS_SHOWN - 1 : -1]):
            yield self._row("Event", self._event(event), _NEW_EVENT if not index else _OLD_EVENT)

    def _sparkline(self, amounts: Sequence[tuple[datetime, datetime, Decimal]], unit: str) -> Text:
        """Draw amounts that each belong to a time from ... to, and say how high they go, and over how long.

        As many as fit beside the words, whose length hardly depends on it.
        """
        kept, says = list(amounts), ""
        for _ in range(2):
            most = max(amount for _, _, amount in kept)
            span = _short((kept[-1][1] - kept[0][0]).total_seconds())
            to = f"$0 to {format_usd(most)}" if most > ZERO else "$0"
            says = f"  {to}" if self._is_narrow else f"  {to}{unit}, in {span}"
            kept = kept[-max(self._options.max_width - LABEL_WIDTH - len(says), 8) :]
        drawn = sparkline([amount for _, _, amount in kept], ascii_only=self._options.ascii_only)
        return Text.assemble((drawn, "cyan"), says)

    def _event(self, event: Event) -> Text:
        at, now = event.at.astimezone(), self._view.now.astimezone()
        when = f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%a %H:%M}"
        line = Text(f"{when}  ", style="dim")
        return line.append(self._encodable(event_text(event)), style=f"not dim {_MARKS.get(event.kind, '')}".strip())

    @property
    def _has_room_for_chart(self) -> bool:
        height = self._options.max_height
        return height >= ROWS_FOR_CHART and self._view.chart.can_be_drawn

    def _chart(self, blocks: Sequence[Block]) -> Iterator[Block]:
        """Draw what could be spent with the rows that are left, or in place of less important ones."""
        height = self._options.max_height
        if not self._has_room_for_chart:
            return
        others = 2 if self._is_narrow else 1  # the header, and the line of keys
        more_important = sum(len(block.lines) for block in blocks if block.importance > _CHART)
        free = height - others - sum(len(block.lines) for block in blocks)
        rows = min(max(free, charts.FEWEST_ROWS), height - others - more_important)
        if rows < charts.FEWEST_ROWS:
            return
        drawn = [
            line
            for text in self._view.chart_lines(self._options, rows)
            for line in full_width(text, _CHART, self._console, self._options, is_dim=self._is_stale).lines
        ]
        yield Block(drawn, _CHART)

    def _encodable(self, text: str) -> str:
        return text.replace("×", "x") if self._options.ascii_only else text  # noqa: RUF001 - the sign, not a letter

    @property
    def _dot(self) -> str:
        return " - " if self._options.ascii_only else " · "

    def _row(self, label: str, value: RenderableType, importance: int) -> Block:
        return row(label, value, importance, self._console, self._options, is_dim=self._is_stale)

    def _full(self, text: str, style: str, importance: int) -> Block:
        return full_width(Text(text, style=style), importance, self._console, self._options)


def _short(seconds: float) -> str:
    """Write seconds as a countdown or an age: `48 s`, `3 min 5 s`."""
    whole = round(seconds)
    if whole >= 3600:
        return format_duration(timedelta(seconds=whole))
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"
