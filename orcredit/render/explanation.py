"""What `orcredit explain` prints: numbers and OpenRouter's words for limits, and nothing else of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from orcredit.durations import format_duration
from orcredit.explain import wording
from orcredit.money import format_usd
from orcredit.render.times import format_instant
from orcredit.words import headline, limited_by, notices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from orcredit.balance import Balance
    from orcredit.explain import Finding, Log


class ExplanationTable:
    """A Rich renderable of the last error in a log, for widths from 40 columns.

    Args:
        log: with an error.
        now: aware; countdowns count from it.
    """

    def __init__(self, log: Log, now: datetime) -> None:
        self._log = log
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render a sentence and rows of a label and a value."""
        del console
        if (finding := self._log.last) is not None:
            yield Text(wording.headline(finding), style="bold")
            yield _grid(self._rows(finding, _dot(options)))

    def _rows(self, finding: Finding, dot: str) -> Iterator[tuple[str, RenderableType]]:
        words = (str(finding.status or ""), finding.limit_source, finding.reason)
        if any(words):
            yield "Error", Text(dot.join(word for word in words if word))
        if finding.limit is not None and finding.spent is not None:
            yield "Spent", Text(f"{format_usd(finding.spent)} of {format_usd(finding.limit)}")
        if self._log.count > 1:
            yield "Seen", Text(f"the last of {self._log.count:,} errors of OpenRouter in this text")
        if finding.at is not None:
            first = self._log.first_at or finding.at
            last = f", last on {format_instant(finding.at, seconds=True)}" if finding.at != first else ""
            yield "Since", Text(f"{format_instant(first, seconds=True)}{last}")
        yield "Waiting", Text(wording.waiting(finding, self._now, format_instant))
        yield "Change", Text(wording.remedy(finding))


class KeyTable:
    """A Rich renderable of what the reader's own key can spend, which need not be the key of the error."""

    def __init__(self, balance: Balance) -> None:
        self._balance = balance

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render a heading and rows of a label and a value."""
        del console
        yield Text("Your key now; the error may be about another one:", style="bold")
        yield _grid(self._rows(self._balance, _dot(options)))

    def _rows(self, balance: Balance, dot: str) -> Iterator[tuple[str, RenderableType]]:
        yield "Key", Text(balance.key.label or "(no label)")
        limit = limited_by(balance)
        level = "" if limit is None else f"{dot}{balance.level}{dot}limited by the {limit}"
        yield "Can spend", Text(f"{headline(balance)}{level}")
        for notice in notices(balance, format_instant):
            yield "", Text(notice.text)
        limiting = balance.limiting
        if limiting is not None and limiting.resets_at is not None:
            wait = format_duration(limiting.resets_at - balance.fetched_at)
            yield "Resets", Text(f"in {wait}{dot}{format_instant(limiting.resets_at)}")


def page_line(finding: Finding) -> str:
    """Return the line with the page where to change it, or nothing; not wrapped, as a broken address is no link."""
    page = wording.page(finding)
    return f"Where    {page}\n" if page is not None else ""


def _dot(options: ConsoleOptions) -> str:
    return " - " if options.ascii_only else " · "


def _grid(rows: Iterator[tuple[str, RenderableType]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(ratio=1)
    for label, value in rows:
        grid.add_row(label, value)
    return grid
