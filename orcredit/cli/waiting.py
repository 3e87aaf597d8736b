"""What is waited for, on standard error: one short line that disappears when the answer comes.

Loaded when waiting takes long, so that it costs a quick answer nothing.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from orcredit.cli.output import encodable

_LINE = "\r\x1b[K"
"""The cursor to the line's beginning, and the line empty: control sequences that all but dumb terminals know."""

_ROOM = 6
"""Columns to the right that stay free: the terminal shows keys that are pressed meanwhile there, such as ^C."""

_USUAL_WIDTH = 80
"""Columns of a terminal that reports a width of 0, as serial lines do."""

_ORDINALS = {2: "2nd", 3: "3rd"}


def show(server: str, attempt: int | None) -> None:
    """Show the line, or another one in its place. A failure is ignored: the answer matters more.

    Args:
        server: what is asked.
        attempt: the number of the attempt, from 1; None to remove the line.
    """
    text = ""
    if attempt is not None:
        text = f"Asking {server} …"
        if attempt > 1:
            text += f" ({_ORDINALS.get(attempt, f'{attempt}th')} try)"
    say(text)


def say(text: str) -> None:
    """Show any text so; empty to remove the line. A failure is ignored."""
    with suppress(OSError, ValueError):
        # A longer line would wrap, and only its last part would be removed.
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH
        width = max(columns - _ROOM, 1)
        sys.stderr.write(_LINE + encodable(text, sys.stderr)[:width])
        sys.stderr.flush()
