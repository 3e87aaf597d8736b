"""Rows of a label and a value in one grid, as many as a height has room for: the least important go first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

LABEL_WIDTH = 13
"""Columns of the longest label, "Free models", and the blanks after it; as in `render/status.py`."""

Line: TypeAlias = list[Segment]

_DIM = Style(dim=True)
_FEWEST_LINES = 3
"""Of a block that is cut off, the line that says so included."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that are shown together or not at all.

    Attributes:
        lines: what is shown.
        importance: blocks with a lower one are left out first; of equal ones the lower on the screen.
        can_be_cut: whether its first lines are better than nothing.
    """

    lines: Sequence[Line]
    importance: int
    can_be_cut: bool = False


def row(
    label: str, value: RenderableType, importance: int, console: Console, options: ConsoleOptions, *, is_dim: bool
) -> Block:
    """Make a block of a label and, beside it, a value; `is_dim` takes away the value's own styles."""
    width = max(options.max_width - LABEL_WIDTH, 1)
    lines = console.render_lines(value, options.update(width=width, height=None), pad=False)
    labels = (Segment(f"{label:{LABEL_WIDTH}}", _DIM), Segment(" " * LABEL_WIDTH))
    drawn = [[labels[min(index, 1)], *(dimmed(line) if is_dim else line)] for index, line in enumerate(lines)]
    return Block(drawn, importance, can_be_cut=len(drawn) > _FEWEST_LINES)


def full_width(
    value: RenderableType, importance: int, console: Console, options: ConsoleOptions, *, is_dim: bool = False
) -> Block:
    """Make a block of something that has no label."""
    lines = console.render_lines(value, options.update(height=None), pad=False)
    return Block([dimmed(line) if is_dim else line for line in lines], importance)


def dimmed(line: Line) -> Line:
    """Replace the styles of a line."""
    return [Segment(segment.text, _DIM) for segment in line]


def fit(blocks: Iterable[Block], height: int) -> list[Line]:
    """Return the lines of the blocks, at most as many as the height."""
    kept = list(blocks)
    while (excess := sum(len(block.lines) for block in kept) - height) > 0:
        index = min(reversed(range(len(kept))), key=lambda one: kept[one].importance)
        block = kept[index]
        left = len(block.lines) - excess
        if block.can_be_cut and left >= _FEWEST_LINES:
            kept[index] = Block([*block.lines[: left - 1], _cut(block.lines[left - 1])], block.importance)
            break
        if len(kept) == 1:
            return list(block.lines[:height])
        del kept[index]
    return [line for block in kept for line in block.lines]


def _cut(line: Line) -> Line:
    """Return the line that says that the rest is left out, indented like the line in its place."""
    text = "".join(segment.text for segment in line)
    indent = len(text) - len(text.lstrip()) if not text[:LABEL_WIDTH].strip() else 0
    return [Segment(" " * max(indent, 0)), Segment("...", _DIM)]
