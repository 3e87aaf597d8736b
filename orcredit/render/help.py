"""The help that `watch` shows over its view when `?` is pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.render.layout import row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions

    from orcredit.render.layout import Block

_ROWS = (
    ("q", "quit; the last line stays on the terminal"),
    ("r", "refresh now"),
    ("Ctrl-Z", "suspend; fg continues"),
    ("any key", "close this help"),
    ("More", "orcredit watch --help, and docs/watch.md in orcredit's source code"),
    ("Amount", "yellow: gone within a day and before its reset; red: low or exhausted; else plain"),
    ("Dim", "stale: OpenRouter did not answer, or refused the key"),
    ("Bar", "of what limits the key: green above 50 %, yellow below, red when low"),
    ("Bell", "the level got worse, or a runaway began; --no-bell silences it"),
    ("~", "estimated: partly spent while nothing was watched"),
)
"""The most important first."""


def help_blocks(console: Console, options: ConsoleOptions) -> Iterator[Block]:
    """Yield the rows of the help."""
    for index, (label, text) in enumerate(_ROWS):
        yield row(label, Text(text), len(_ROWS) - index, console, options, is_dim=False)
