"""What `orcredit keys` prints: the credit, sums, and a row for each key; and the findings of `--audit`.

Names come from OpenRouter: they are shown as plain text, never as markup.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.balance import ATTENTION, Level
from orcredit.balance.account import WORST_FIRST, total
from orcredit.money import CENT, ZERO, format_usd
from orcredit.render.columns import NOTHING, Cell, Column, with_head
from orcredit.render.times import format_instant
from orcredit.words import in_words, run_out_in, shortly, why_low

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderResult

    from orcredit.balance.account import AccountBalance, AccountKey, KeyList
    from orcredit.balance.audit import Finding

_WITHOUT_CENTS = Decimal(10_000)

_LONGEST_PERIOD = 12
"""Characters of a period; OpenRouter's are shorter."""

_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))

UNNAMED = "(no name)"

KEYS_PAGE = "https://openrouter.ai/settings/keys"


class KeysTable:
    """A Rich renderable of the keys of an account, for widths from 40 columns.

    Args:
        found: of OpenRouter.
        keys: those of it that are shown, in their order.
        is_demo: whether to show that the account is simulated.
    """

    def __init__(self, found: KeyList, keys: Sequence[AccountKey], *, is_demo: bool = False) -> None:
        self._found = found
        self._keys = keys
        self._is_demo = is_demo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the head, the rows, and what is missing."""
        del console
        dot = " - " if options.ascii_only else " · "
        columns = _columns(self._keys, self._found.fetched_at) if self._keys else ()
        yield from with_head(self._head(dot), columns, options=options, is_demo=self._is_demo)

    def _head(self, dot: str) -> Iterator[tuple[str, Text]]:
        found, keys = self._found, self._keys
        yield "Account", _credit(found.account, dot)
        if found.account.low_because is not None:
            yield "", Text(why_low(found.account.low_because), style="red")
        places = len(found.workspaces)
        where = f" in {places:,} workspace{'' if places == 1 else 's'}" if places else ""
        counted = _count(found) if len(keys) == len(found.keys) else f"{len(keys):,} of {_count(found)}"
        levels = Counter(key.level for key in found.keys if key.is_usable)
        words = [f"{levels[level]:,} {level}" for level in WORST_FIRST if levels[level]]
        if unusable := len(found.keys) - levels.total():
            words.append(f"{unusable:,} disabled or expired")
        plural = "" if len(found.keys) == 1 else "s"
        line = Text(f"{counted} key{plural}{where}")
        if not found.complete:
            line.append(", incomplete", style="yellow")
        yield "Keys", line.append("".join(f"{dot}{word}" for word in words))
        if keys:
            amounts = {
                "today": total(key.usage_daily for key in keys),
                "this week": total(key.usage_weekly for key in keys),
                "this month": total(key.usage_monthly for key in keys),
                "all-time": total(key.usage for key in keys),
            }
            words = [f"{format_usd(amount)} {name}" for name, amount in amounts.items()]
            if len(keys) < len(found.keys):
                words.append("by the keys below")
            yield "Spent (UTC)", Text(dot.join(words))
        yield "As of", Text(format_instant(found.fetched_at, seconds=True))


def _count(found: KeyList) -> str:
    return f"{len(found.keys):,}" if found.complete else f"at least {len(found.keys):,}"


def incomplete(found: KeyList) -> str:
    """Say that some keys are missing, and why."""
    reason = str(found.incomplete_reason)
    return f"Incomplete: {len(found.keys):,} keys were listed. {reason}"


def _credit(account: AccountBalance, dot: str) -> Text:
    credit = account.credit
    if credit is None:
        return Text(f"credit not known: {account.credit_error or 'OpenRouter did not tell it'}", style="yellow")
    is_bad = account.level.is_warning
    line = Text(f"{format_usd(credit.remaining)} credit left", style="bold red" if is_bad else "bold")
    line.append(f" of {format_usd(credit.total_credits)} ever bought{dot}", style="not bold")
    line.append(account.level.upper() if is_bad else account.level, style="" if is_bad else "not bold")
    if credit.pace is not None and (lasts := run_out_in(credit.pace, account.fetched_at)) is not None:
        line.append(f"{dot}runs out {lasts} unless topped up", style="not bold")
    return line


def amount(usd: Decimal | None) -> Cell:
    """Format dollars for a column: without cents from $10,000 on, and no fractions of one."""
    if usd is None:
        return NOTHING
    if ZERO < usd < CENT:
        return Cell("<$0.01")
    return Cell(f"${usd:,.0f}" if usd >= _WITHOUT_CENTS else format_usd(usd))


def _columns(keys: Sequence[AccountKey], now: datetime) -> list[Column]:
    def cells(of: Callable[[AccountKey], Cell]) -> list[Cell]:
        return [of(key) for key in keys]

    return [
        Column("key", cells(lambda key: Cell(key.name or UNNAMED)), is_text=True, least=14),
        Column("workspace", cells(lambda key: Cell(key.workspace or "-")), 7, is_text=True, least=9, most=20),
        Column("level", cells(_level), is_text=True, least=9),
        Column("left", cells(lambda key: _left(key, now))),
        Column("limit", cells(lambda key: amount(key.total_limit)), 2),
        Column("%", cells(_percent), 3),
        Column("resets", cells(_resets), 6),
        Column("runs out", cells(lambda key: _runs_out(key, now)), 1),
        Column("today", cells(lambda key: amount(key.usage_daily)), 8),
        Column("week", cells(lambda key: amount(key.usage_weekly)), 11),
        Column("month", cells(lambda key: amount(key.usage_monthly)), 4),
        Column("all-time", cells(lambda key: amount(key.usage)), 10),
        Column("used", cells(lambda key: _last_used(key, now)), 5),
        Column("expires", cells(lambda key: _expires(key, now)), 9),
    ]


def _left(key: AccountKey, now: datetime) -> Cell:
    return NOTHING if key.remaining is None else Cell(amount(key.remaining).text, _style(key, now))


def _style(key: AccountKey, now: datetime) -> str:
    """Return the colour of an amount: red when low or exhausted, yellow when it runs out within a day."""
    if not key.is_usable:
        return "dim"
    if key.level.is_warning:
        return "red"
    needs_attention = key.runs_out_at is not None and key.runs_out_at - now < ATTENTION
    return "yellow" if needs_attention else ""


def _level(key: AccountKey) -> Cell:
    if not key.is_usable:
        return Cell("disabled" if key.disabled else "expired", "dim")
    return Cell(key.level.value, "bold red" if key.level.is_warning else "")


def _percent(key: AccountKey) -> Cell:
    if key.percent_remaining is None:
        return NOTHING
    if key.remaining is not None and ZERO < key.percent_remaining < 1:
        return Cell("<1%")
    return Cell(f"{key.percent_remaining:,.0f}%")


def _resets(key: AccountKey) -> Cell:
    if key.total_limit is None:
        return NOTHING
    return Cell(in_words(key.reset_period)[:_LONGEST_PERIOD] if key.reset_period else "never")


def _coarsely(duration: timedelta) -> str:
    """Format a duration in its largest unit; "now" for less than a minute."""
    for unit, name in _UNITS:
        if duration >= unit:
            return f"{duration // unit:,} {name}"
    return "now"


def _runs_out(key: AccountKey, now: datetime) -> Cell:
    if key.runs_out_at is None:
        return NOTHING
    if key.level is Level.EXHAUSTED or key.runs_out_at <= now:
        return Cell("spent" if key.level is Level.EXHAUSTED else "now", _style(key, now))
    return Cell(shortly(key.runs_out_at - now), _style(key, now))


def _last_used(key: AccountKey, now: datetime) -> Cell:
    if not key.is_last_use_known:
        return NOTHING
    if key.last_used_at is None:
        return Cell("never", "dim")
    return Cell(_coarsely(now - key.last_used_at))


def _expires(key: AccountKey, now: datetime) -> Cell:
    if key.expires_at is None:
        return Cell("never", "dim")
    return Cell("expired", "dim") if key.expired else Cell(_coarsely(key.expires_at - now))


class Findings:
    """A Rich renderable of what an audit found: one line for each.

    Args:
        findings: the gravest first.
        found: what was looked at.
    """

    def __init__(self, findings: Sequence[Finding], found: KeyList) -> None:
        self._findings = findings
        self._found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the lines, and how many there are."""
        del console, options
        for finding in self._findings:
            line = Text(finding.name or UNNAMED, style="bold")
            if finding.workspace is not None and len(self._found.workspaces) > 1:
                line.append(f" ({finding.workspace})", style="not bold")
            yield line.append(f": {finding.detail}; {finding.remedy}", style="not bold")
        keys = len({finding.hash for finding in self._findings})
        if self._findings:
            yield Text()
            plural = "" if len(self._findings) == 1 else "s"
            yield Text(f"{len(self._findings):,} finding{plural} about {keys:,} of {_count(self._found)} keys.")
            yield Text(f"Change keys at {KEYS_PAGE}")
        else:
            yield Text(f"Nothing to do: {len(self._found.keys):,} keys were checked.")
        if not self._found.complete:
            yield Text("The list of keys is incomplete.", style="yellow")
