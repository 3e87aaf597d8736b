"""The full-screen view of `orcredit watch --all`: a line for each profile, the worst first, and the newest events.

The order changes only when a profile's state does, so that lines do not change places at every poll. Where there are
more profiles than lines, the view scrolls.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from rich.text import Text

from orcredit.balance import NOT_URGENT, Level
from orcredit.errors import WORST_FIRST, ExitCode, KeyRefusedError
from orcredit.render.help import SEVERAL_ROWS, help_blocks
from orcredit.render.layout import fit
from orcredit.render.plain import percent_left
from orcredit.render.several import UNNAMED
from orcredit.render.status import amount_style
from orcredit.verdict import verdict
from orcredit.words import Tone, by_name, event_text, headline, shortly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderResult

    from orcredit.balance import Balance
    from orcredit.monitor import Event, Snapshot

NARROW, KEYS_BESIDE, WIDE = 60, 80, 100
"""Columns below which there is a name, an amount and a state only; from which the keys stand beside the header; and
from which there are resets and ages."""

_ROWS_FOR_COUNTS, _ROWS_FOR_HEADINGS = 6, 8
_EVENTS_SHOWN = 8
_FEWEST_EVENTS = 1
_GAP = "  "
_KEYS = "q quit   r refresh   ? help"
_TONES = {Tone.WARNING: "yellow", Tone.ALARM: "red"}
_HEADINGS = ("Profile", "Can spend", "Level", "Left", "Forecast", "Resets", "Age")
_LEFT_WIDTH = 6
_RESET_WIDTH, _AGE_WIDTH = 11, 7
_WORD_WIDTH = 9
"""Of the longest word, EXHAUSTED."""

_DAYS_FROM = timedelta(days=2)

_LONGEST_NAME, _LONGEST_AMOUNT = 28, 14


class _Cells(NamedTuple):
    """What a line says of a profile."""

    name: Text
    amount: Text
    word: Text
    left: Text
    said: Text
    resets: Text
    age: Text


class ProfilesView:
    """A Rich renderable of the latest snapshots of several pollers.

    Args:
        names: of the profiles, in their order; None for the unnamed one.
        clock: the time of day; aware UTC.
    """

    def __init__(self, names: Iterable[str | None], clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._snapshots: dict[str | None, Snapshot | None] = dict.fromkeys(names)
        self._order = list(self._snapshots)
        self._is_sorted = True
        self._top = 0
        """The first line that is shown of those that scroll."""
        self._page = 1
        """How many of them were shown."""
        self._is_refreshing = True
        self.is_help_shown = False

    @property
    def title(self) -> str:
        """What the window is called: how many profiles need attention, and the worst of them."""
        counts = self._counts()
        bad = [f"{counts[word]} {word}" for word in ("failed", "exhausted", "low") if counts[word]]
        return f"{', '.join(bad) or _profiles(len(self._order))} - orcredit"

    def expect_refresh(self) -> None:
        """Show that a refresh was requested."""
        self._is_refreshing = True

    def refreshed(self) -> None:
        """Stop showing it."""
        self._is_refreshing = False

    def update(self, snapshot: Snapshot) -> None:
        """Take in the latest snapshot of a profile."""
        before = self._snapshots[snapshot.profile]
        self._snapshots[snapshot.profile] = snapshot
        if before is None or _rank(before) != _rank(snapshot):
            self._is_sorted = False  # once, when it is drawn: all change at the start
        if before is None and all(each is not None for each in self._snapshots.values()):
            self._is_refreshing = False

    def in_order(self) -> list[Snapshot]:
        """Give the latest snapshot of each profile that was polled, the worst first."""
        return [snapshot for name in self.names if (snapshot := self._snapshots[name]) is not None]

    def scroll(self, key: str) -> bool:
        """Scroll, if that is what a key does."""
        page = max(self._page - 1, 1)
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page, " ": page}
        if key in {"home", "end"}:
            self._top = 0 if key == "home" else len(self._order)
        elif key in steps:
            self._top += steps[key]
        else:
            return False
        return True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as many lines as the height has room for."""
        if self.is_help_shown:
            shown = fit(help_blocks(console, options, SEVERAL_ROWS), options.max_height)
            for line in shown:
                yield from line
                yield Segment.line()
            return
        for text in _Frame(self, console, options).lines():
            yield from console.render_lines(text, options.update(height=None), pad=False)[0]
            yield Segment.line()

    def countdown(self) -> str:
        """Say when the next poll of any profile is due."""
        due = [snapshot.next_poll_at for snapshot in self._snapshots.values() if snapshot is not None]
        if self._is_refreshing or not due:
            return "refreshing ..."
        seconds = (min(due) - self._clock()).total_seconds()
        return f"next refresh in {_short(seconds)}" if seconds > 0 else "refreshing ..."

    def counted(self) -> Iterator[Text]:
        """Yield how many profiles are in each state, the worst first."""
        counts = self._counts()
        for word, style in (
            ("failed", "red"),
            ("exhausted", "red"),
            ("low", "red"),
            ("ok", ""),
            ("not asked yet", "dim"),
        ):
            if counts[word]:
                yield Text(f"{counts[word]:,} {word}", style)

    def window(self, rows: int) -> tuple[int, list[str | None]]:
        """Give the profiles that are shown in so many lines, and the number of the first."""
        self._page = max(rows, 1)
        self._top = max(min(self._top, len(self._order) - self._page), 0)
        return self._top, self.names[self._top : self._top + self._page]

    def snapshot(self, name: str | None) -> Snapshot | None:
        """Give the latest snapshot of a profile; None before its first poll has ended."""
        return self._snapshots[name]

    @property
    def names(self) -> list[str | None]:
        """The profiles, the worst first."""
        if not self._is_sorted:
            self._order.sort(key=self._badness)
            self._is_sorted = True
        return self._order

    @property
    def now(self) -> datetime:
        """The time of day; aware UTC."""
        return self._clock()

    def events(self) -> list[tuple[str | None, Event]]:
        """Give the events of all profiles, the newest first: also failures, for whose reasons a line may be short."""
        known = ((name, snapshot) for name, snapshot in self._snapshots.items() if snapshot is not None)
        found = [(name, event) for name, snapshot in known for event in snapshot.events]
        return sorted(found, key=lambda one: one[1].at, reverse=True)

    def _counts(self) -> Counter[str]:
        return Counter(_state(snapshot) for snapshot in self._snapshots.values())

    def _badness(self, name: str | None) -> tuple[object, ...]:
        snapshot = self._snapshots[name]
        if snapshot is None:
            return len(WORST_FIRST), *NOT_URGENT, by_name(name)
        code, is_calm, _ = _rank(snapshot)
        urgency = snapshot.balance.urgency if snapshot.balance is not None else NOT_URGENT
        return code, is_calm, *urgency, by_name(name)


def _rank(snapshot: Snapshot) -> tuple[int, bool, bool]:
    """Return the state of a profile: the lines change places when it changes."""
    balance = snapshot.balance
    is_calm = balance is None or not balance.needs_attention
    return WORST_FIRST.index(exit_code(snapshot)), snapshot.runaway is None, is_calm


def exit_code(snapshot: Snapshot) -> ExitCode:
    """Return the exit code of a profile: that of the failure, else of the level."""
    if snapshot.error is not None:
        return snapshot.error.exit_code
    return snapshot.balance.level.exit_code if snapshot.balance is not None else ExitCode.OK


def _state(snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return "not asked yet"
    if snapshot.error is not None or snapshot.balance is None:
        return "failed"
    level = snapshot.balance.level
    return level.value if level.is_warning else "ok"


class _Frame:
    """The lines of the view for one size of the screen, top to bottom."""

    def __init__(self, view: ProfilesView, console: Console, options: ConsoleOptions) -> None:
        self._view = view
        self._console = console
        self._width = options.max_width
        self._height = options.max_height
        self._is_ascii = options.ascii_only
        self._is_narrow = self._width < NARROW
        shown = [UNNAMED if name is None else name for name in view.names]
        amounts = [_amount(snapshot).cell_len for name in view.names if (snapshot := view.snapshot(name)) is not None]
        longest = max((Text(name).cell_len for name in shown), default=0)
        self._name_width = min(max(longest, len("Profile")), self._width // 3, _LONGEST_NAME)
        self._amount_width = min(max([*amounts, len("Can spend")]), _LONGEST_AMOUNT)

    def lines(self) -> list[Text]:
        above = [self._header()]
        if self._height >= _ROWS_FOR_COUNTS:
            above.append(self._cropped(Text(", ").join(self._view.counted())))
        if self._height >= _ROWS_FOR_HEADINGS and not self._is_narrow:
            above.append(self._line(_Cells(*(Text(word, "dim") for word in _HEADINGS))))
        has_key_line = self._width < KEYS_BESIDE and self._height > len(above) + 1
        below = [Text(_KEYS, "dim")] if has_key_line else []
        room = max(self._height - len(above) - len(below), 0)
        count = len(self._view.names)
        if room < count and not below and room > 1:
            below = [Text()]
            room -= 1
        first, names = self._view.window(room)
        if room < count and below:
            keys = "" if has_key_line else " (arrows, Page Up, Page Down)"
            where = f"{first + 1:,}-{first + len(names):,} of {count:,}{keys}"
            below[-1] = self._sides(below[-1], Text(where, "dim")) if below[-1] else Text(where, "dim")
        rows = self._rows(names[:room], room)
        return [*above, *rows, *self._events(room - len(rows)), *below]

    def _rows(self, names: Sequence[str | None], room: int) -> list[Text]:
        """Return the profiles' lines; a reason that would be cut has a line below, where there is room."""
        free = room - len(names)
        rows: list[Text] = []
        for name in names:
            snapshot, cells = self._view.snapshot(name), self._cells(name)
            line = self._line(cells)
            is_cut = snapshot is not None and snapshot.error is not None and cells.said.plain not in line.plain
            below = self._wrapped(cells.said, self._width - len(_GAP)) if is_cut else []
            if not below or len(below) > free:
                rows.append(line)
                continue
            free -= len(below)
            rows += [self._line(cells._replace(said=Text())), *(Text.assemble(_GAP, part) for part in below)]
        return rows

    def _wrapped(self, text: Text, width: int) -> list[Text]:
        return list(text.wrap(self._console, width)) if width > 0 else [text]

    def _header(self) -> Text:
        count = len(self._view.names)
        head = Text.assemble(("orcredit", "bold"), f"{_GAP}{_profiles(count)}{_GAP}")
        if self._width < KEYS_BESIDE:
            said = self._view.countdown()
            return self._cropped(head.append(said.replace("next refresh", "next") if self._is_narrow else said))
        return self._sides(head.append(self._view.countdown()), Text(_KEYS, "dim"))

    def _sides(self, left: Text, right: Text) -> Text:
        """Put one text at each side; the left one alone where there is no room for both."""
        gap = self._width - left.cell_len - right.cell_len
        return Text.assemble(left, " " * gap, right) if gap > 0 else self._cropped(left)

    def _events(self, room: int) -> Iterator[Text]:
        """Yield the newest events, below an empty line, where the profiles leave room."""
        if room <= _FEWEST_EVENTS:
            return
        events = self._view.events()[: min(room - 1, _EVENTS_SHOWN)]
        free = room - 1 - len(events)
        if events:
            yield Text()
        for name, event in events:
            at = event.at.astimezone()
            is_today = at.date() == self._view.now.astimezone().date()
            when = f"{at:%H:%M:%S}{_GAP}" if is_today else f"{at:%a %H:%M}{_GAP}"
            text = f"{UNNAMED if name is None else name}: {event_text(event)}"
            said = Text(self._encodable(text), "bold" if event.is_worse else "")
            first, *more = self._wrapped(said, self._width - len(when))
            if not more or len(more) > free:
                yield self._cropped(Text.assemble((when, "dim"), said))
                continue
            free -= len(more)
            yield Text.assemble((when, "dim"), first)
            yield from (Text.assemble(" " * len(when), part) for part in more)

    def _cells(self, name: str | None) -> _Cells:
        snapshot = self._view.snapshot(name)
        shown = Text(name, "bold") if name is not None else Text(UNNAMED, "dim")
        if snapshot is None:
            return _Cells(shown, Text(), Text(), Text(), Text("asking OpenRouter ...", "dim"), Text(), Text())
        balance = snapshot.balance
        age = max(self._view.now - snapshot.answered_at, timedelta(0)) if snapshot.answered_at is not None else None
        said = self._reason(snapshot, age)
        if balance is None or age is None:
            return _Cells(shown, _amount(snapshot), Text("failed", "red"), Text(), said, Text(), Text())
        now = balance.fetched_at + age
        if snapshot.error is None:
            summed_up = verdict(balance, now, snapshot.runaway)
            said = Text(summed_up.text, _TONES.get(summed_up.tone, ""))
        resets = Text(_resets(balance, now))
        return _Cells(
            shown, _amount(snapshot), _word(snapshot), Text(percent_left(balance) or ""), said, resets,
            Text(_short(age.total_seconds()), "dim"),
        )  # fmt: skip

    def _reason(self, snapshot: Snapshot, age: timedelta | None) -> Text:
        """Say why a poll failed, and how old the numbers are."""
        if snapshot.error is None:
            return Text()
        colour = "red" if isinstance(snapshot.error, KeyRefusedError) or age is None else "yellow"
        old = "" if age is None or self._width >= WIDE else f"{_short(age.total_seconds())} old: "
        return Text(f"{old}{snapshot.error}", colour)

    def _line(self, cells: _Cells) -> Text:
        """Put the cells side by side: what is said gets the room that the others leave."""
        parts = [self._sized(cells.name, self._name_width)]
        if self._is_narrow:
            if cells.word.plain == "failed" or not (cells.word or cells.amount):
                said = Text.assemble(cells.word, ": " if cells.word else "", cells.said)
                return self._cropped(Text(_GAP).join([*parts, said]))
            narrow = [self._sized(cells.amount, min(self._amount_width, 11), is_right=True), cells.word]
            return self._cropped(Text(_GAP).join([*parts, *narrow, cells.left]))
        parts += [self._sized(cells.amount, self._amount_width, is_right=True), self._sized(cells.word, _WORD_WIDTH)]
        parts.append(self._sized(cells.left, _LEFT_WIDTH, is_right=True))
        after = [self._sized(cells.resets, _RESET_WIDTH), self._sized(cells.age, _AGE_WIDTH, is_right=True)]
        if self._width < WIDE or (cells.word.plain == "failed" and not cells.age):
            return self._cropped(Text(_GAP).join([*parts, cells.said]))
        used = sum(part.cell_len + len(_GAP) for part in (*parts, *after))
        return self._cropped(Text(_GAP).join([*parts, self._sized(cells.said, self._width - used), *after]))

    def _sized(self, text: Text, width: int, *, is_right: bool = False) -> Text:
        sized = text.copy()
        sized.truncate(width, overflow="crop" if self._is_ascii else "ellipsis")
        blanks = " " * max(width - sized.cell_len, 0)
        return Text.assemble(blanks, sized) if is_right else Text.assemble(sized, blanks)

    def _cropped(self, text: Text) -> Text:
        text.truncate(self._width, overflow="crop" if self._is_ascii else "ellipsis")
        return text

    def _encodable(self, text: str) -> str:
        return text.replace("×", "x") if self._is_ascii else text  # noqa: RUF001 - the sign, not a letter


def _amount(snapshot: Snapshot) -> Text:
    balance = snapshot.balance
    if balance is None:
        return Text("-", "dim")
    shown = headline(balance) if balance.spendable is not None else headline(balance).removesuffix(" on this key")
    return Text(shown.removesuffix(" only"), amount_style(balance))


def _word(snapshot: Snapshot) -> Text:
    """Return the state in a word."""
    if snapshot.error is not None:
        return Text("STALE", "red" if isinstance(snapshot.error, KeyRefusedError) else "yellow")
    if snapshot.runaway is not None:
        return Text("RUNAWAY", "bold red")
    level = snapshot.balance.level if snapshot.balance is not None else Level.UNLIMITED
    return (
        Text(level.value.upper(), "red") if level.is_warning else Text("" if level is Level.UNLIMITED else level.value)
    )


def _resets(balance: Balance, now: datetime) -> str:
    limiting = balance.limiting
    if limiting is None or limiting.resets_at is None:
        return "never" if limiting is not None and limiting.reset_period is None else ""
    left = limiting.resets_at - now
    if left <= timedelta(0):
        return "due now"
    hour = timedelta(hours=1)
    return f"in {left // hour} h" if hour <= left < _DAYS_FROM else f"in {shortly(left)}"


def _profiles(count: int) -> str:
    return f"{count:,} profile{'' if count == 1 else 's'}"


def _short(seconds: float) -> str:
    """Write seconds as a countdown or an age, in few characters: `48 s`, `3 min`, `2 h`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600:,} h"
