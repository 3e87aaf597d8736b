"""The help that `watch` shows over its view when `?` is pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.render.layout import row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

SEVERAL_ROWS = (
    ("q", "quit; the last lines stay on the terminal"),
    ("r", "refresh all now"),
    ("Arrows", "scroll; also Page Up, Page Down, Home, End"),
    ("Ctrl-Z", "suspend; fg continues"),
    ("any key", "close this help"),
    ("More", "orcredit watch --help, and docs/several-keys.md in orcredit's source code"),
    ("Order", "the worst first; it changes when a level does, or an answer comes or fails"),
    ("Left", "of what limits the key, in percent"),
    ("STALE", "OpenRouter did not answer, or refused the key: the numbers are old"),
    ("Bell", "a level got worse, or a runaway began; --no-bell silences it"),
)
"""Of `watch --all`; likewise."""


def help_blocks(console: Console, options: ConsoleOptions, rows: Sequence[tuple[str, str]] = _ROWS) -> Iterator[Block]:
    """Yield the rows of the help."""
    for index, (label, text) in enumerate(rows):
        yield row(label, Text(text), len(rows) - index, console, options, is_dim=False)
