"""Numbers as a line of block characters, from zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=+*#@"


def sparkline(numbers: Sequence[Decimal], *, ascii_only: bool = False) -> str:
    """Draw numbers as blocks of eight heights, one per column; from zero to the largest number.

    Args:
        numbers: what to draw, oldest first; negative ones are drawn as zero.
        ascii_only: for terminals without block characters.
    """
    blocks = _ASCII if ascii_only else _BLOCKS
    most = max(numbers, default=ZERO)
    if most <= ZERO:
        return blocks[0] * len(numbers)
    top = len(blocks) - 1
    return "".join(blocks[int(max(number, ZERO) * top / most)] for number in numbers)
