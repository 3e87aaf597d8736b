"""Tables of thousands of rows: columns that fit the width, or are left out; lines of plain segments.

Rich's own table takes seconds for 5,000 rows. Texts are not parsed as markup here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

_WIDE_GAP, _NARROW_GAP = 2, 1
_ELLIPSIS = "…"


class Cell(NamedTuple):
    """A text and its style."""

    text: str
    style: str = ""


NOTHING = Cell("-", "dim")
"""What is not known, or does not apply."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column.

    Attributes:
        title: above it; empty where none is needed.
        cells: one a row.
        rank: columns of the highest rank are left out first; those of rank 0 never.
        is_text: texts are on the left and may be shortened, amounts on the right.
        least: columns that a text keeps.
        most: columns that a text gets.
    """

    title: str
    cells: Sequence[Cell]
    rank: int = 0
    is_text: bool = False
    least: int = 10
    most: int = 40

    @property
    def width(self) -> int:
        """The columns that it takes in full."""
        widest = max((_length(cell.text) for cell in self.cells), default=0)
        return max(min(widest, self.most) if self.is_text else widest, _length(self.title))

    def narrowed(self, width: int) -> int:
        """Return the columns that it takes at least, given those that it takes in full."""
        return min(width, max(self.least, _length(self.title))) if self.is_text else width


def _length(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _fitted(text: str, width: int, *, is_text: bool) -> str:
    length = _length(text)
    if length > width:
        return f"{set_cell_size(text, width - 1)}{_ELLIPSIS}"
    return text + " " * (width - length) if is_text else " " * (width - length) + text


class Layout(NamedTuple):
    """How columns fit a width.

    Attributes:
        columns: those that fit, and their widths.
        gap: blanks between them.
        left_out: the titles of the others.
    """

    columns: list[tuple[Column, int]]
    gap: int
    left_out: list[str]


class Columns:
    """A Rich renderable of columns with equally many cells.

    Args:
        columns: from left to right.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._natural = [column.width for column in columns]

    def layout(self, width: int) -> Layout:
        """Choose the columns that fit; nothing is shortened or left out where all have room."""
        gap = _WIDE_GAP if _total(self._natural, _WIDE_GAP) <= width else _NARROW_GAP
        columns = [*zip(self._columns, self._natural, strict=True)]
        while _total([column.narrowed(natural) for column, natural in columns], gap) > width:
            last = max(columns, key=lambda one: one[0].rank)
            if last[0].rank == 0:
                break
            columns.remove(last)
        widths = [column.narrowed(natural) for column, natural in columns]
        for place, (_, natural) in enumerate(columns):
            widths[place] += max(min(natural - widths[place], width - _total(widths, gap)), 0)
        while _total(widths, gap) > width and max(widths) > 1:
            widths[widths.index(max(widths))] -= 1
        shown = [column for column, _ in columns]
        left_out = [column.title for column in self._columns if column not in shown and column.title]
        gap = _WIDE_GAP if _total(widths, _WIDE_GAP) <= width else gap
        return Layout(list(zip(shown, widths, strict=True)), gap, left_out)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render a line of titles, and a line for each row."""
        layout = self.layout(options.max_width)
        gap = " " * layout.gap
        if any(column.title for column, _ in layout.columns):
            titles = [_fitted(column.title, width, is_text=column.is_text) for column, width in layout.columns]
            yield Segment(gap.join(titles), console.get_style("dim"))
            yield Segment.line()
        for row in range(len(self._columns[0].cells)):
            yield from _line(console, layout.columns, row, gap)


def _line(console: Console, chosen: Sequence[tuple[Column, int]], row: int, gap: str) -> Iterator[Segment]:
    plain = ""
    for place, (column, width) in enumerate(chosen):
        cell = column.cells[row]
        plain += gap if place else ""
        text = _fitted(cell.text, width, is_text=column.is_text)
        if not cell.style:
            plain += text
            continue
        if plain:
            yield Segment(plain)
            plain = ""
        yield Segment(text, console.get_style(cell.style))
    yield Segment(f"{plain}\n")


def _total(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def with_head(
    head: Iterable[tuple[str, Text]], columns: Sequence[Column], *, options: ConsoleOptions, is_demo: bool
) -> Iterator[Table | Text | Columns]:
    """Give what stands above a table, as labels and values, the table, and which columns had no room.

    Args:
        head: labels and values; a label may be empty.
        columns: of the table; none where there are no rows.
        options: of the terminal.
        is_demo: whether to say that the account is simulated.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(ratio=1)
    if is_demo:
        grid.add_row("Demo", Text("a simulated account, no real money", style="italic"))
    for label, value in head:
        grid.add_row(label, value)
    yield grid
    if not columns:
        return
    table = Columns(columns)
    yield Text()
    yield table
    if left_out := table.layout(options.max_width).left_out:
        yield Text()
        yield Text(f"Not shown, as the terminal is narrow: {', '.join(left_out)}", style="dim")
