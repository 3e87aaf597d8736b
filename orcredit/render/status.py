"""The table that `orcredit status` prints.

Text from OpenRouter is only put into `rich.text.Text`, which is not parsed as markup.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orcredit.balance import ACCOUNT_CREDIT, KEY_LIMIT, Account, Level
from orcredit.money import ZERO, format_usd
from orcredit.render.times import format_instant
from orcredit.words import (
    EXPIRY_NOTICE,
    Tone,
    budget_name,
    forecast_in,
    headline,
    in_words,
    is_free_only,
    limited_by,
    notices,
    resets_in,
    run_out_in,
    run_out_range,
    scope_name,
    spender,
    unless_topped_up,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from orcredit.balance import Balance, Budget

NARROW = 60
"""Columns below which the usage table becomes a list."""

MOST_BUDGETS = 50
"""Rows. Rich would take seconds to draw thousands of them; the JSON document has them all."""

_TONES = {Tone.PLAIN: "", Tone.WARNING: "yellow", Tone.ALARM: "red"}
_HALF = 50
_LABEL_WIDTH = 13
"""Columns of the longest label, "Free models", and the blanks after it."""

_BASES = {
    "today": "by today",
    "week": "by this week",
    "month": "by this month",
    "period": "by its period so far",
    "history": "by its past weeks",
}


def percent_style(percent: Decimal, *, level: Level) -> str:
    """Return the colour of a bar: red when the level is low or exhausted, else green above half, else yellow."""
    if level.is_warning:
        return "red"
    return "green" if percent > _HALF else "yellow"


def amount_style(balance: Balance) -> str:
    """Return the style of the amount: bold, yellow for attention, red for low and exhausted; dim when stale."""
    if balance.stale:
        return "dim"
    if balance.level.is_warning:
        return "bold red"
    return "bold yellow" if balance.needs_attention else "bold"


class StatusTable:
    """A Rich renderable of a balance, for widths from 40 columns.

    Args:
        balance: durations count from its `fetched_at`.
        is_demo: whether to show that the account is simulated.
    """

    def __init__(self, balance: Balance, *, is_demo: bool = False) -> None:
        self._balance = balance
        self._is_demo = is_demo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as rows of a label and a value."""
        rows = Rows(self._balance, console, options)
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(ratio=1)
        if self._is_demo:
            grid.add_row("Demo", Text("a simulated account, no real money", style="italic"))
        for label, value in rows:
            grid.add_row(label, value)
        yield grid


class Rows:
    """The rows of the table, top to bottom, as pairs of label and value.

    Args:
        balance: what to show.
        console: where.
        options: the width, and which characters there are.
        now: from which durations count; None is when OpenRouter answered.
    """

    def __init__(
        self, balance: Balance, console: Console, options: ConsoleOptions, now: datetime | None = None
    ) -> None:
        self.balance = balance
        self.limiting = balance.limiting
        self.budgets = balance.budgets[:MOST_BUDGETS]
        if self.limiting is not None and not any(budget is self.limiting for budget in self.budgets):
            self.budgets = (*self.budgets[:-1], self.limiting)
        self.has_colour = console.color_system is not None and not console.no_color
        self.now = balance.fetched_at if now is None else now
        self.is_narrow = options.max_width < NARROW
        self.dot = " - " if options.ascii_only else " · "
        self.console, self.options = console, options

    def __iter__(self) -> Iterator[tuple[str, RenderableType]]:
        yield "Can spend", self._spendable()
        for note in self._notes():
            yield "", note
        if self.limiting is not None:
            yield from self._gauge(self.limiting)
        if len(self.budgets) + (self.balance.account is not None) > 1:
            yield from self._limits()
        if (more := len(self.balance.budgets) - len(self.budgets)) > 0:
            yield "", Text(f"and {more:,} more; orcredit status --json lists them all", style="dim")
        yield from self._pace()
        yield from self._usage()
        yield from self._account()
        yield from self._free_requests()
        yield "Key", self._key()
        yield "As of", Text(format_instant(self.now, seconds=True))

    def _spendable(self) -> Text:
        balance = self.balance
        style = amount_style(balance)
        line = Text.assemble((headline(balance), style))
        if balance.spendable is None:
            return line
        word = balance.level.value.upper() if balance.level.is_warning else balance.level.value
        line.append(f"{self.dot}").append(word, style=style if balance.level.is_warning else "")
        line.append(f"{self.dot}limited by the {limited_by(balance)}")
        return line

    def _notes(self) -> Iterator[Text]:
        """Yield the notices in their colours."""
        for notice in notices(self.balance, format_instant):
            yield Text(notice.text, style=_TONES[notice.tone])

    def _gauge(self, budget: Budget) -> Iterator[tuple[str, RenderableType]]:
        label = "Key limit" if budget.scope == KEY_LIMIT else "Budget"
        used = f"{format_usd(budget.spent)} of {format_usd(budget.limit)} used"
        yield label, Text(f"{used}{self.dot}{format_usd(budget.remaining)} left")
        yield "", self._bar(budget)
        yield "Resets", self._resets(budget)

    def _bar(self, budget: Budget) -> RenderableType:
        style = percent_style(budget.percent_remaining, level=self._level_of(budget))
        filled = min(max(float(budget.percent_remaining), 0.0), 100.0)
        width = 14 if self.is_narrow else 36
        bar = Table.grid(padding=(0, 1, 0, 0))
        bar.add_column(width=width)
        bar.add_column(no_wrap=True)
        drawn: RenderableType = ProgressBar(
            total=100, completed=filled, complete_style=style, finished_style=style, style="bright_black"
        )
        if not self.has_colour:  # Rich then leaves the unfilled part blank
            full, empty = ("#", "-") if self.dot == " - " else ("━", "╌")
            drawn = Text(full * round(width * filled / 100) + empty * (width - round(width * filled / 100)))
        bar.add_row(drawn, Text(f"{_percent(budget)} left", style=style))
        return bar

    def _resets(self, budget: Budget) -> Text:
        if budget.resets_at is None:
            return Text(
                "never" if budget.reset_period is None else f"{in_words(budget.reset_period)} (when is not known)"
            )
        period = f"{in_words(budget.reset_period)}, " if budget.reset_period else ""
        return Text(f"{period}{resets_in(budget.resets_at, self.now)}{self.dot}{format_instant(budget.resets_at)}")

    def _limits(self) -> Iterator[tuple[str, RenderableType]]:
        """Yield every budget, in enforcement order, and the account's credit: a table, or a list if narrow."""
        account = self.balance.account
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        table.add_column("every limit", no_wrap=True)
        for heading in ("left", "of", ""):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("until", no_wrap=True)
        for budget in self.budgets:
            table.add_row(
                self._name(budget),
                format_usd(budget.remaining),
                format_usd(budget.limit),
                self._percent(budget),
                until(budget, self.now),
            )
        if account is not None:
            table.add_row(self._name(account), format_usd(account.remaining), "", "", until(account, self.now))
        needed = Measurement.get(self.console, self.options, table).maximum
        if needed <= self.options.max_width - _LABEL_WIDTH:
            yield "Limits", table
            return
        for budget in self.budgets:
            line = self._name(budget).append(
                f": {format_usd(budget.remaining)} of {format_usd(budget.limit)}", "not bold"
            )
            line.append(self.dot, "not bold").append(self._percent(budget))
            yield "Limit", line.append(f"{self.dot}{until(budget, self.now)}", "not bold")
        if account is not None:
            line = self._name(account).append(f": {format_usd(account.remaining)}", "not bold")
            yield "Credit", line.append(f"{self.dot}{until(account, self.now)}", "not bold")

    def _percent(self, budget: Budget) -> Text:
        """Return what is left in percent: plain, as only a bar is green, or red."""
        return Text(_percent(budget), style="red" if self._level_of(budget).is_warning else "")

    def _level_of(self, budget: Budget) -> Level:
        """Return the level of a single budget, for its colour: the balance's level is the worst of all."""
        if budget.is_spent:
            return Level.EXHAUSTED
        return Level.LOW if self.balance.is_low(budget) else Level.OK

    def _name(self, limit: Budget | Account) -> Text:
        """Return the name of a budget, or of the account's credit; bold where it is what limits the key."""
        if isinstance(limit, Account):
            return Text(scope_name(ACCOUNT_CREDIT), style="bold" if self.balance.limited_by == ACCOUNT_CREDIT else "")
        return Text(budget_name(limit, self.balance), style="bold" if limit is self.limiting else "")

    def _pace(self) -> Iterator[tuple[str, RenderableType]]:
        """Yield the pace, and the run-out or that the money lasts until the reset."""
        pace = self.balance.pace
        if pace is None or pace.per_day is None or self.balance.level is Level.EXHAUSTED:
            return
        basis = _BASES.get(pace.basis or "", pace.basis)
        yield "Pace", Text(f"{format_usd(pace.per_day)} a day{spender(self.balance, pace)} ({basis})")
        run_out = pace.runs_out_at
        if run_out is not None:
            when = f"{run_out_in(pace, self.now)}{self.dot}{format_instant(run_out)}"
            yield "Runs out", Text(when, style="yellow" if self.balance.needs_attention else "")
            if pace.scope == ACCOUNT_CREDIT:
                yield "", Text(unless_topped_up(pace))
            if (between := run_out_range(pace, self.now)) is not None:
                yield "", Text(between)
            if pace.affordable_per_day:
                yield "To last", Text(f"until the reset: at most {format_usd(pace.affordable_per_day)} a day")
        elif pace.lasts_until_reset and pace.projected_at_reset is not None:
            limit = next((budget.limit for budget in self.balance.budgets if budget.pace == pace), None)
            of = f" of {format_usd(limit)}" if limit is not None else ""
            by_then = f"until the reset, with {format_usd(pace.projected_at_reset)}{of} spent by then"
            yield "Lasts", Text(by_then)
            low, high = pace.projected_at_reset_low, pace.projected_at_reset_high
            if pace.runs_out_earliest is not None:
                yield "", Text(f"at the earliest it runs out {forecast_in(pace.runs_out_earliest, self.now)}")
            elif low is not None and high is not None and format_usd(low) != format_usd(high):
                yield "", Text(f"between {format_usd(low)} and {format_usd(high)} in all")
        else:
            yield "Lasts", Text("ten years or more")

    def _usage(self) -> Iterator[tuple[str, RenderableType]]:
        balance = self.balance
        lines = [("Used (UTC)", (balance.usage_daily, balance.usage_weekly, balance.usage_monthly, balance.usage))]
        if balance.byok is not None:
            byok = balance.byok
            byok_amounts = (byok.usage_daily, byok.usage_weekly, byok.usage_monthly, byok.usage)
            if any(byok_amounts):
                lines.append(("BYOK (UTC)", byok_amounts))
        headings = ("today", "this week", "this month", "all-time")
        for index, (label, amounts) in enumerate(lines):
            table = Table.grid(padding=(0, 2, 0, 0))
            if self.is_narrow:
                for heading, amount in zip(headings, amounts, strict=True):
                    table.add_row(Text(heading, style="dim"), _amount(amount))
            else:
                for _ in headings:
                    table.add_column(justify="right", min_width=9)
                if index == 0:
                    table.add_row(*(Text(heading, style="dim") for heading in headings))
                table.add_row(*map(_amount, amounts))
            yield label, table
        if len(lines) > 1 and balance.byok is not None and balance.byok.included_in_limit is not None:
            counts = "counts" if balance.byok.included_in_limit else "does not count"
            yield "", Text(f"Bring-your-own-key spend {counts} against the key limit.", style="dim")

    def _account(self) -> Iterator[tuple[str, RenderableType]]:
        account = self.balance.account
        if account is not None:
            line = Text(
                f"{format_usd(account.remaining)} credit left of {format_usd(account.total_credits)} ever bought"
            )
            if account.key_label:
                line.append(f"{self.dot}reported by {account.key_label}")
            yield "Account", line
        elif self.balance.account_error is not None:
            yield "Account", Text(f"credit not known: {self.balance.account_error}", style="yellow")
        elif self.balance.budgets:
            yield "Account", Text("credit not known: OpenRouter did not tell it to this key", style="dim")

    def _free_requests(self) -> Iterator[tuple[str, RenderableType]]:
        free = self.balance.free_requests
        account = self.balance.account
        is_overdrawn = account is not None and account.remaining < ZERO  # then free models are refused, too
        if free is None or free.used is None or is_free_only(self.balance) or is_overdrawn:
            return
        line = (
            f"{free.used:,} of {free.limit:,} requests used today (UTC)"
            if free.limit is not None
            else f"{free.used:,} requests today (UTC)"
        )
        yield "Free models", Text(line + (f"{self.dot}{free.remaining:,} left" if free.remaining is not None else ""))

    def _key(self) -> Text:
        key = self.balance.key
        line = Text(key.label or "(no label)")
        if self.balance.profile is not None:
            line.append(f"{self.dot}profile {self.balance.profile}")
        if key.is_management_key:
            line.append(f"{self.dot}management key")
        if key.expires_at is None:
            return line
        left = key.expires_at - self.now
        style = "bold red" if left <= timedelta(0) else "bold yellow" if left <= EXPIRY_NOTICE else ""
        verb = "expired" if left <= timedelta(0) else "expires"
        return line.append(f"{self.dot}{verb} on {format_instant(key.expires_at)}", style=style)


def _percent(budget: Budget) -> str:
    """Format a budget's percentage; `<0.1%` for a remainder that rounds to 0.0."""
    if budget.remaining > ZERO and budget.percent_remaining == ZERO:
        return "<0.1%"
    return f"{budget.percent_remaining:,}%"


def _amount(amount: Decimal | None) -> Text:
    return Text("not known", style="dim") if amount is None else Text(format_usd(amount))
