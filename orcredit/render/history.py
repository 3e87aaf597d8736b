"""The table that `orcredit history` prints: spend as bars, what could be spent, and a chart where there is room."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orcredit.durations import format_duration
from orcredit.money import ZERO, format_usd
from orcredit.render.charts import Chart
from orcredit.render.times import format_instant, near_instant
from orcredit.words import rate_text, spent_text, unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from rich.console import Console, ConsoleOptions, RenderResult

    from orcredit.history import Interval, Recent
    from orcredit.monitor import Rate

NARROW = 64
"""Columns below which times lose their weekday, year and zone, and what remained of the key's own limit is left out."""

WIDE = 100
"""Columns from which there is room for a chart."""

_CHART_HEIGHT = 15
_NOTHING, _NOT_WATCHED = "nothing", "not watched"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def nothing_to_show(recent: Recent, since: datetime, now: datetime) -> Text:
    """Say that there is no history, or none of that time, and how to record one."""
    if recent.since is None:
        return Text(
            "No history of this key yet.\n"
            "'orcredit watch' and 'orcredit serve' record one while they run, 'status' and 'line' each time they ask.\n"
            "'orcredit history --backfill 365d' fills in what OpenRouter knows of the past, with a management key."
        )
    if recent.until is None:
        return Text(
            f"Nothing was reported of the last {format_duration(now - since)}.\n"
            f"Use an earlier --since: what this key spent is known since {format_instant(recent.since)}."
        )
    return Text(
        f"This key was not seen in the last {format_duration(now - since)}, but on {format_instant(recent.until)}.\n"
        "Use an earlier --since; 'orcredit watch' and 'orcredit serve' record a history while they run."
    )


class HistoryTable:
    """A Rich renderable of a history, for 40 columns or more.

    The newest interval and the sums are at the bottom, next to the prompt: the table may be longer than the screen.

    Args:
        intervals: at least one, oldest first.
        recent: what was spent recently.
        rate: how fast money is spent right now; None where that is not known.
        is_demo: whether to show that the account is simulated.
    """

    def __init__(
        self, intervals: Sequence[Interval], recent: Recent, rate: Rate | None = None, *, is_demo: bool = False
    ) -> None:
        self._intervals = intervals
        self._recent = recent
        self._rate = rate
        self._is_demo = is_demo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, the chart if there is room, and the sums."""
        if self._is_demo:
            yield Text("Demo: a simulated account, no real money", style="dim")
        yield self._table(options)
        if options.max_width >= WIDE:
            yield from _chart(self._intervals, self._recent.until, options)
        yield Text()
        yield self._sums(options)

    def _table(self, options: ConsoleOptions) -> Table:
        is_narrow = options.max_width < NARROW
        has_remaining = not is_narrow and any(
            interval.remaining is not None and interval.remaining != interval.spendable for interval in self._intervals
        )

        label = _labels(self._intervals, is_narrow=is_narrow)
        least = ">=" if options.ascii_only else "≥"

        def amounts(interval: Interval) -> list[Text]:
            return [_amount(interval.spendable), *([_amount(interval.remaining)] if has_remaining else [])]

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False, expand=True)
        table.add_column(f"from ({self._intervals[0].start.astimezone():%Z})" if is_narrow else "from", no_wrap=True)
        table.add_column("spent", justify="right", no_wrap=True)
        table.add_column("", ratio=1, no_wrap=True)
        table.add_column("spendable", justify="right", no_wrap=True)
        if has_remaining:
            table.add_column("remaining", justify="right", no_wrap=True)
        most = max(interval.spend for interval in self._intervals)
        for what, group in groupby(self._intervals, key=_nothing_in):
            intervals = list(group)
            if what is not None and len(intervals) > 1:
                first, last = intervals[0], intervals[-1]
                idle = Text(
                    f"{'' if is_narrow else f'{what} for '}{format_duration(last.end - first.start)}", style="dim"
                )
                amount = Text("-" if what == _NOTHING else "?", style="dim")
                table.add_row(label(first.start), amount, idle, *amounts(last))
                continue
            for interval in intervals:
                bar = _Bar(float(interval.spend / most) if most else 0.0, is_sure=not interval.estimated)
                table.add_row(label(interval.start), _spend(interval, least), bar, *amounts(interval))
        return table

    def _sums(self, options: ConsoleOptions) -> Table:
        recent = self._recent
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(ratio=1)
        for label, name in (("Last hour", "last_hour"), ("Last 24 h", "last_day"), ("Last 7 d", "last_week")):
            spent = spent_text(recent, name, lambda instant: near_instant(instant, recent.until or instant))
            grid.add_row(label, Text("not known", style="dim") if spent is None else Text(spent))
        shown = format_usd(sum((interval.spend for interval in self._intervals), ZERO))
        grid.add_row("Shown", Text(f"{shown} since {format_instant(self._beginning())}"))
        for sentence in unseen(recent):
            grid.add_row("Not seen", Text(sentence))
        if recent.account_per_day is not None:
            grid.add_row("Account", Text(f"{format_usd(recent.account_per_day)} a day of its credit"))
        if recent.until is not None:
            grid.add_row("Last seen", Text(format_instant(recent.until, seconds=True)))
        if self._rate is not None and recent.until is not None:
            grid.add_row("Right now", Text(rate_text(self._rate, recent.until).removeprefix("now ")))
        if any(interval.estimated for interval in self._intervals):
            grid.add_row("~", Text("estimated: spread evenly over a time without polls", style="dim"))
        if any(interval.partial for interval in self._intervals):
            least = ">=" if options.ascii_only else "≥"
            grid.add_row(least, Text("at least: watched for a part of that time only", style="dim"))
        if any(interval.reported for interval in self._intervals):
            grid.add_row("*", Text("not watched, but reported by OpenRouter afterwards", style="dim"))
        return grid

    def _beginning(self) -> datetime:
        """Return since when what is shown was watched."""
        return max(self._intervals[0].start, self._recent.since or self._intervals[0].start)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar, as long as its share (0 to 1) of the width; a share above 0 is always visible."""

    share: float
    is_sure: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        eighths = round(self.share * options.max_width * 8)
        if self.share > 0:
            eighths = max(eighths, 1)
        blocks = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].rstrip()
        bar = "#" * len(blocks) if options.ascii_only else blocks
        yield Text(bar, style="cyan" if self.is_sure else "dim cyan", no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)


def _nothing_in(interval: Interval) -> str | None:
    """Say that nothing was spent in it, or that nothing is known of it; None where something was spent.

    What was not watched is not nothing.
    """
    if interval.spend != ZERO:
        return None
    return _NOT_WATCHED if interval.partial else _NOTHING


def _labels(intervals: Sequence[Interval], *, is_narrow: bool) -> Callable[[datetime], Text]:
    """Choose how the beginnings of intervals are written, so that no two are alike."""
    has_seconds = any(interval.start.second for interval in intervals)
    clock = "%H:%M:%S" if has_seconds else "%H:%M"
    is_one_day = len({one.start.astimezone().date() for one in (intervals[0], intervals[-1])}) == 1

    def label(instant: datetime) -> Text:
        if not is_narrow:
            return Text(format_instant(instant, seconds=has_seconds))
        return Text(f"{instant.astimezone():{clock if is_one_day else f'%m-%d {clock}'}}")

    return label


def _spend(interval: Interval, least: str) -> Text:
    mark = "~" if interval.estimated else least if interval.partial else "*" if interval.reported else ""
    return Text(f"{mark}{format_usd(interval.spend)}")


def _amount(amount: Decimal | None) -> Text:
    return Text("-", style="dim") if amount is None else Text(format_usd(amount))


def _chart(intervals: Sequence[Interval], until: datetime | None, options: ConsoleOptions) -> Iterator[Text]:
    """Draw what could be spent over time, up to when the key was last seen; nothing if it was known less than twice."""
    every = intervals[0].end - intervals[0].start
    ends = [interval.end if until is None else max(interval.start, min(interval.end, until)) for interval in intervals]
    points = [(end, interval.spendable) for end, interval in zip(ends, intervals, strict=True)]
    chart = Chart("spendable", points, every * 3 / 2)
    if chart.can_be_drawn:
        yield Text()
        yield from chart.lines(options, _CHART_HEIGHT)
