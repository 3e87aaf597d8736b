"""The table of `orcredit status --all`: a row for each profile, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orcredit.balance import Balance, Level
from orcredit.render.status import amount_style
from orcredit.verdict import verdict
from orcredit.words import Tone, headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from orcredit.errors import OrcreditError

UNNAMED = "(environment)"
"""The profile whose key is in the environment."""

_TONES = {Tone.WARNING: "yellow", Tone.ALARM: "red"}
_NARROW = 60


class ProfilesTable:
    """A Rich renderable of profiles, for widths from 40 columns.

    Args:
        rows: the name of each profile, None for the unnamed one, and its balance or why there is none.
    """

    def __init__(self, rows: Sequence[tuple[str | None, Balance | OrcreditError]]) -> None:
        self._rows = rows

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Render; where there is little room, what is to be said of a profile stands below it."""
        is_narrow = options.max_width < _NARROW
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(overflow="fold", max_width=options.max_width // 3)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        if not is_narrow:
            table.add_column(overflow="fold")
        for name, result in self._rows:
            head, said = _row(name, result)
            if is_narrow:
                table.add_row(*head)
                yield table
                yield Padding(said, (0, 0, 0, 2))
                table = Table.grid(padding=(0, 2, 0, 0))
            else:
                table.add_row(*head, said)
        if not is_narrow:
            yield table


def _row(name: str | None, result: Balance | OrcreditError) -> tuple[tuple[Text, Text, Text], Text]:
    shown = Text(name, "bold") if name is not None else Text(UNNAMED, "dim")
    if not isinstance(result, Balance):
        return (shown, Text("–", "dim"), Text("failed", "red")), Text(str(result), "red")  # noqa: RUF001 - no amount
    level = result.level
    word = level.value.upper() if level.is_warning else "" if level is Level.UNLIMITED else level.value
    sentence = verdict(result, result.fetched_at)
    amount = Text(headline(result), amount_style(result))
    return (shown, amount, Text(word, "red" if level.is_warning else "")), Text(
        sentence.text, _TONES.get(sentence.tone, "")
    )
