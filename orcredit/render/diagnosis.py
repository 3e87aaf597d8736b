"""What `orcredit doctor` shows: one row for each check, faults first, with what to do below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from orcredit.diagnosis import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from orcredit.diagnosis import Check

NARROW = 60
"""Columns below which a check's texts stand under its name."""

_STYLES = {State.FAULT: "bold red", State.WARNING: "yellow", State.SKIPPED: "dim", State.OK: ""}
_ASCII = str.maketrans({"…": "...", "·": "-"})


class DiagnosisTable:
    """A Rich renderable of checks, for widths from 40 columns.

    Args:
        checks: in the order in which they are shown.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the rows, and a sentence about all of them."""
        is_narrow = options.max_width < NARROW

        def encoded(text: str) -> str:
            return text.translate(_ASCII) if options.ascii_only else text

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        if not is_narrow:
            grid.add_column(no_wrap=True)
        grid.add_column(ratio=1, overflow="fold")
        for check in self._checks:
            word = check.state.upper() if check.state is State.FAULT else str(check.state)
            state = Text(word, style=_STYLES[check.state])
            text = Text(encoded(check.detail))
            if check.remedy:
                text.append(f"\n{encoded(check.remedy)}", style="bold")
            if is_narrow:
                grid.add_row(state, Text("\n").join([Text(check.name, style="bold"), text]))
            else:
                grid.add_row(state, check.name, text)
        yield grid
        yield Text()
        yield Text(f"{self._summary()} No secret is shown: this is safe to paste into an issue.")

    def _summary(self) -> str:
        faults, warnings = (
            sum(check.state is state for check in self._checks) for state in (State.FAULT, State.WARNING)
        )
        if not faults and not warnings:
            return "Nothing is wrong."
        counts = ((faults, "fault"), (warnings, "warning"))
        return " and ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count) + "."
