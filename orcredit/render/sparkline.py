"""Numbers as a line of block characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=+*#@"


def sparkline(numbers: Sequence[Decimal], *, from_zero: bool, ascii_only: bool = False) -> str:
    """Draw numbers as blocks of eight heights, one per column.

    Args:
        numbers: what to draw, oldest first.
        from_zero: whether the lowest block is zero (for amounts spent) or the smallest number (for what is left,
            where small changes of large numbers matter).
        ascii_only: for terminals without block characters.
    """
    blocks = _ASCII if ascii_only else _BLOCKS
    if not numbers:
        return ""
    low = ZERO if from_zero else min(numbers)
    span = max(numbers) - low
    if span == 0:
        return blocks[0] * len(numbers)
    top = len(blocks) - 1
    return "".join(blocks[int((number - low) * top / span)] for number in numbers)
