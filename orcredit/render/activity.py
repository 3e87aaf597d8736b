"""What `orcredit activity` prints: what was spent on what, as bars, with shares, tokens, unit prices and changes.

Names come from OpenRouter: they are shown as plain text, never as markup.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.durations import format_duration
from orcredit.money import ZERO, format_usd
from orcredit.render.columns import NOTHING, Cell, Column, with_head
from orcredit.render.times import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderResult

    from orcredit.balance.activity import Activity, By, Spend

_NARROW, _WIDE = 60, 130
"""Columns of a terminal below which there are no bars, and from which they are longer."""

_SHORT_BAR, _LONG_BAR = 10, 20
_LEAST_LABEL, _LABELS = 14, 32
"""Columns that a label keeps on narrow terminals, and all labels of a row on others."""

_EIGHTHS = " ▏▎▍▌▋▊▉"
_SCALES = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
_EXACT_BELOW = 10_000
_LARGE_CHANGE = 1000
"""Percent; beyond it the change is told as a multiple."""

_UNNAMED: dict[str, str] = {"app": "(no app)", "key": "(no name)"}


class ActivityTable:
    """A Rich renderable of where the money went, for widths from 40 columns.

    Args:
        activity: as OpenRouter told it.
        is_demo: whether to show that the account is simulated.
    """

    def __init__(self, activity: Activity, *, is_demo: bool = False) -> None:
        self._activity = activity
        self._is_demo = is_demo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the head, and a row for each group, the others and the total."""
        del console
        dot = " - " if options.ascii_only else " · "
        columns = self._columns(options) if self._activity.rows else ()
        yield from with_head(self._head(dot), columns, options=options, is_demo=self._is_demo)

    def _head(self, dot: str) -> Iterator[tuple[str, Text]]:
        activity, total = self._activity, self._activity.total
        length = format_duration(activity.until - activity.since)
        line = Text(format_usd(total.spend), style="bold").append(f" in {length}", style="not bold")
        if total.before is not None:
            change = _change(total).text
            told = "" if change in {"-", "new"} else f"{change}: "
            line.append(f"{dot}{told}{format_usd(total.before)} in the {_length_before(length)}", style="not bold")
        yield "Spent", line
        if total.requests is not None:
            yield "Requests", Text(f"{total.requests:,}{dot}{_tokens(total)}")
        if activity.this_key:
            yield "Key", Text("only what this key spent")
        yield "Counted", Text(f"{_instant(activity.since)} to {_instant(activity.until)}")
        if activity.truncated:
            yield (
                "Truncated",
                Text("OpenRouter left rows out; they are in the others and in the total.", style="yellow"),
            )
        for note in activity.notes:
            yield "Note", Text(note, style="yellow")

    def _columns(self, options: ConsoleOptions) -> list[Column]:
        activity = self._activity
        rows = [*activity.rows, *([activity.others] if activity.others is not None else []), activity.total]
        largest = max((row.spend for row in rows[:-1]), default=ZERO)
        width = _LONG_BAR if options.max_width >= _WIDE else _SHORT_BAR

        def cells(of: Callable[[Spend], Cell]) -> list[Cell]:
            return [of(row) for row in rows]

        bars = [_bar(row.spend, largest, width, is_ascii=options.ascii_only) for row in rows[:-1]]
        labels = [self._labels(by, rows) for by in activity.by]
        has_bars = options.max_width >= _NARROW
        least = _LEAST_LABEL if not has_bars else _LABELS // len(labels)
        return [
            *(
                Column(_title(by), shown, is_text=True, least=least)
                for by, shown in zip(activity.by, labels, strict=True)
            ),
            Column("spend", cells(lambda row: Cell(format_usd(row.spend)))),
            Column("share", cells(lambda row: _percent(row.share)), 1),
            *([Column("", [*bars, Cell("")], 3, is_text=True, least=width)] if has_bars else []),
            Column("requests", cells(lambda row: _count(row.requests)), 5),
            Column("prompt", cells(lambda row: _count(row.prompt_tokens)), 8),
            Column("cached", cells(lambda row: _count(row.cached_tokens)), 10),
            Column("completion", cells(lambda row: _count(row.completion_tokens)), 9),
            Column("reasoning", cells(lambda row: _count(row.reasoning_tokens)), 11),
            Column("$/M tokens", cells(lambda row: _price(row.per_million_tokens)), 4),
            Column("$/request", cells(lambda row: _price(row.per_request)), 7),
            Column("change", cells(_change), 2),
        ]

    def _labels(self, by: By, rows: Sequence[Spend]) -> list[Cell]:
        activity = self._activity
        named = [Cell(_label(by, row)) for row in rows[: len(activity.rows)]]
        is_first = by == activity.by[0]
        last = [Cell("others" if is_first else "", "dim")] if activity.others is not None else []
        return [*named, *last, Cell("total" if is_first else "", "bold")]


def _title(by: By) -> str:
    return f"{by} (UTC)" if by in {"day", "hour"} else by


def _label(by: By, row: Spend) -> str:
    if by == "day" and row.start is not None:
        return f"{row.start:%a %Y-%m-%d}"
    if by == "hour" and row.start is not None:
        return f"{row.start:%Y-%m-%d %H:%M}"
    return getattr(row, by) or _UNNAMED.get(by, "(none)")


def _instant(instant: datetime) -> str:
    return format_instant(instant)


def _tokens(total: Spend) -> str:
    def part(count: int | None, word: str) -> str:
        return f" ({_count(count).text} {word})" if count else ""

    prompt = f"{_count(total.prompt_tokens).text} prompt tokens{part(total.cached_tokens, 'cached')}"
    completion = f"{_count(total.completion_tokens).text} completion tokens{part(total.reasoning_tokens, 'reasoning')}"
    return f"{prompt}, {completion}"


def _count(count: int | None) -> Cell:
    """Format a count: whole below 10,000, else with three digits and `k`, `M` or `G`."""
    if count is None:
        return NOTHING
    if count < _EXACT_BELOW:
        return Cell(f"{count:,}")
    for scale, unit in _SCALES:
        if count >= scale:
            amount = Decimal(count) / scale
            return Cell(f"{amount:,.0f} {unit}" if amount >= 100 else f"{amount:.1f} {unit}")
    return Cell(str(count))


def _percent(percent: Decimal | None) -> Cell:
    if percent is None:
        return NOTHING
    return Cell(f"{percent:.0f}%" if percent >= 1 or not percent else "<1%")


def _price(usd: Decimal | None) -> Cell:
    """Format a unit price: with four decimals below a dollar."""
    if usd is None:
        return NOTHING
    return Cell(f"${usd:.4f}" if usd < 1 else format_usd(usd))


def _length_before(length: str) -> str:
    """Name the time before: `day before`, `7 d before`."""
    number, _, unit = length.partition(" ")
    word = {"d": "day", "h": "hour", "min": "minute"}.get(unit) if number == "1" else None
    return f"{word or length} before"


def _change(row: Spend) -> Cell:
    if row.before is None:
        return NOTHING
    if row.change is None:
        return Cell("new") if row.spend else NOTHING
    if row.change > _LARGE_CHANGE:
        return Cell(f"{row.change / 100 + 1:,.0f}x")
    return Cell(f"{row.change:+,.0f}%")


def _bar(spend: Decimal, largest: Decimal, width: int, *, is_ascii: bool) -> Cell:
    """Draw a bar as long as its share of the largest; one above 0 is always visible."""
    eighths = round(spend / largest * width * 8) if largest > ZERO else 0
    if spend > ZERO:
        eighths = max(eighths, 1)
    blocks = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].rstrip()
    return Cell("#" * len(blocks) if is_ascii else blocks, "cyan")
