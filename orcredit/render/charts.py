"""Charts of amounts over time for terminals: from zero, in dollars, with gaps where nothing was seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.money import ZERO, format_usd
from orcredit.render.times import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import ConsoleOptions

Point = tuple[datetime, Decimal | None]
"""A time, aware UTC, and an amount in USD; None where there was no amount, which interrupts the line."""

FEWEST_ROWS = 8
"""Of a chart with its title."""

_MOST_POINTS = 400
"""More than a terminal has columns; more points would only take longer to draw."""
_COLUMNS_A_MARK = 22
_MOST_MARKS = 6
_STEPS = tuple(map(Decimal, ("1", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")))
"""What the highest amount of an axis may begin with: half and quarters of it are short to write."""
_ASCII = str.maketrans("┌┐└┘┤├┬┴┼─│", "+++++++++-|")


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart that says its unit and its span.

    Attributes:
        name: what is drawn: "Can spend".
        points: oldest first.
        longest_gap: between two points that are joined by a line. Equal ones always are: nothing was spent meanwhile,
            and where it was watched a history keeps only the first and the last of them.
    """

    name: str
    points: Sequence[Point]
    longest_gap: timedelta = timedelta.max

    @property
    def can_be_drawn(self) -> bool:
        """Whether there are two different times with an amount."""
        return len({at for at, amount in self.points if amount is not None}) > 1

    def lines(self, options: ConsoleOptions, height: int) -> Iterator[Text]:
        """Draw it, if it can be drawn.

        Args:
            options: of the terminal: its width, and whether it has more than ASCII.
            height: rows with the title, at least `FEWEST_ROWS`.
        """
        if not self.can_be_drawn:
            return
        known = [at for at, amount in self.points if amount is not None]
        title = f"{self.name}, in USD, from {format_instant(known[0])} to {format_instant(known[-1])}"
        if len(title) > options.max_width:
            title = f"{self.name} (USD), {_short(known[0])} to {_short(known[-1])}"
        yield Text(title, style="dim", no_wrap=True, overflow="ellipsis")
        drawn = self._draw(options.max_width, height - 1, ascii_only=options.ascii_only)
        for line in drawn.splitlines():
            text = Text(line, no_wrap=True, overflow="crop")
            text.highlight_regex("[\u2801-\u28ff*]+", "cyan")
            yield text

    def _draw(self, width: int, height: int, *, ascii_only: bool) -> str:
        import plotext  # type: ignore[import-untyped]  # noqa: PLC0415 - only a terminal with room for a chart needs it

        points = _thinned(self.points)
        known = [(at.timestamp(), amount) for at, amount in points if amount is not None]
        begin, end = known[0][0], known[-1][0]
        top = _top(max(amount for _, amount in known))
        plotext.terminal.limit(width=False, height=False)  # Rich knows the width
        figure = plotext.figure
        figure.clear()
        figure.plot_size(width, height)
        count = min(max(width // _COLUMNS_A_MARK, 2), _MOST_MARKS)
        marks = [begin + (end - begin) * mark / (count - 1) for mark in range(count)]
        figure.ruler("x").lim(begin, end)
        figure.ruler("x").ticks(marks, [_mark(mark, end - begin) for mark in marks])
        heights = [top * part / 4 for part in range(0, 5, 1 if height > 12 else 2)]
        figure.ruler("y").lim(0, float(top))
        figure.ruler("y").ticks([float(one) for one in heights], [format_usd(one) for one in heights])
        marker = "*" if ascii_only else "braille"
        for part in self._parts(points):
            moments, amounts = [at.timestamp() for at, _ in part], [float(max(amount, ZERO)) for _, amount in part]
            figure.draw(figure.signal(moments, amounts, marker=marker).lines())
        drawn = str(figure.build().string(colorless=True)).rstrip("\n")
        return drawn.translate(_ASCII) if ascii_only else drawn

    def _parts(self, points: Sequence[Point]) -> Iterator[list[tuple[datetime, Decimal]]]:
        """Yield the parts between two gaps; a single point is drawn as a dot."""
        part: list[tuple[datetime, Decimal]] = []
        for at, amount in points:
            is_gap = bool(part) and at - part[-1][0] > self.longest_gap and amount != part[-1][1]
            if part and (amount is None or is_gap):
                yield part
                part = []
            if amount is not None:
                part.append((at, amount))
        if part:
            yield part


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Leave out points where there are more than a terminal could show; the last one stays."""
    step = -(-len(points) // _MOST_POINTS)
    return [*points[:-1:step], points[-1]]


def _top(highest: Decimal) -> Decimal:
    """Return the end of an axis from zero: the highest amount, rounded up to one that is short to write."""
    if highest <= ZERO:
        return Decimal(1)
    unit = Decimal(1).scaleb(highest.adjusted())
    return next(unit * step for step in _STEPS if unit * step >= highest)


def _local(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC).astimezone()


def _mark(timestamp: float, span: float) -> str:
    """Format a time below the axis: with the seconds, the weekday or the date, as the span needs it."""
    form = "%H:%M:%S" if span < 600 else "%H:%M" if span < 43200 else "%a %H:%M" if span < 172800 else "%m-%d %H:%M"
    return f"{_local(timestamp):{form}}"


def _short(at: datetime) -> str:
    return f"{_local(at.timestamp()):%m-%d %H:%M}"
