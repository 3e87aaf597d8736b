"""The full-screen view of `watch --all`, at every size; `tests/golden_watch_all/` has frames."""

from __future__ import annotations

import asyncio
import io
import os
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.screen import Screen

from orcredit.cli.following_all import leave_behind
from orcredit.errors import ConfigurationError, KeyRefusedError, UnreachableError
from orcredit.monitor import Runaway
from orcredit.render.live_all import ProfilesView
from tests.simulated import NOW, assess_account, known_pace
from tests.test_golden import balance_of
from tests.test_monitor import World, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orcredit.balance import Balance
    from orcredit.monitor import Snapshot

GOLDEN = Path(__file__).with_name("golden_watch_all")
SIZES = [(80, 24), (120, 40), (60, 12), (40, 12), (40, 10)]
DOWN = UnreachableError("OpenRouter answered 503: it is not working right now.")
REFUSED = KeyRefusedError("OpenRouter does not accept this key (401).")
NO_KEY = ConfigurationError("The key of the profile gone is in the variable GONE_KEY, which is not set.")
LATER = timedelta(seconds=12)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def polls(name: str | None, *answers: Balance | Exception) -> list[Snapshot]:
    """Poll a profile, every minute up to 16:39:47."""
    world = World(*answers)
    world.now = NOW - timedelta(minutes=len(answers) - 1)
    poller = world.poller()
    poller.profile = name
    return asyncio.run(follow(poller, len(answers)))


def latest(name: str | None, *answers: Balance | Exception) -> Snapshot:
    return polls(name, *answers)[-1]


def every_kind() -> list[Snapshot]:
    """One profile of every kind, in no order."""
    return [
        latest("home", balance_of("normal")),
        latest("work", balance_of("low")),
        latest("customer-acme", balance_of("exhausted")),
        latest("free", balance_of("free-tier")),
        latest("old", balance_of("normal"), DOWN),
        latest("revoked", balance_of("low"), REFUSED),
        replace(latest("gone", DOWN), error=NO_KEY, events=()),
        latest("management", balance_of("management")),
        latest(None, assess_account("unlimited")),
        latest("daily", balance_of("daily")),
        latest("fell", balance_of("normal"), balance_of("workspace-spent")),
    ]


def view_of(snapshots: Sequence[Snapshot], *, names: Sequence[str | None] = ()) -> ProfilesView:
    view = ProfilesView(names or [snapshot.profile for snapshot in snapshots], lambda: NOW + LATER)
    for snapshot in snapshots:
        view.update(snapshot)
    return view


def frame(
    view: ProfilesView, size: tuple[int, int] = (80, 24), *, encoding: str = "utf-8", has_colour: bool = False
) -> str:
    """Draw the view on a screen of this size."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    console = Console(
        file=file,
        width=size[0],
        height=size[1],
        color_system="standard" if has_colour else None,
        force_terminal=has_colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    console.print(Screen(view), end="")
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def trimmed(shown: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_frame_is_as_it_was_read(size: tuple[int, int]) -> None:
    path = GOLDEN / f"{size[0]}x{size[1]}.txt"
    shown = trimmed(frame(view_of([*every_kind()], names=[s.profile for s in every_kind()] + ["slow"]), size))
    if os.environ.get("ORCREDIT_WRITE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def names_of(shown: str) -> list[str]:
    """The profiles whose lines are shown, top to bottom."""
    known = {"(no", *(str(snapshot.profile) for snapshot in every_kind()), *(f"p{number:03}" for number in range(300))}
    return [line.split()[0] for line in shown.splitlines() if line.split() and line.split()[0] in known]


def many(count: int) -> list[Snapshot]:
    balance = balance_of("normal")
    [snapshot] = polls(None, balance)
    return [replace(snapshot, profile=f"p{number:03}") for number in range(count)]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("size", [*SIZES, (200, 60), (80, 3), (40, 2), (20, 5), (100, 1)])
def test_it_fits_every_size(size: tuple[int, int], encoding: str) -> None:
    lines = frame(view_of(every_kind()), size, encoding=encoding).splitlines()
    assert len(lines) == size[1]
    assert all(len(line) <= size[0] for line in lines)
    if size[1] > 1:
        assert any(line.startswith("gone") for line in lines)  # the worst is always there


def test_the_worst_is_first_in_the_order_of_exit_codes() -> None:
    shown = names_of(frame(view_of(every_kind()), (120, 40)))
    assert shown[:3] == ["gone", "revoked", "fell"]
    assert shown[4:6] == ["old", "work"]


def test_lines_stay_in_place_until_a_state_changes() -> None:
    richer, poorer = balance_of("normal"), balance_of("two-of-one-scope")
    view = view_of([latest("a", richer), latest("b", poorer)])
    before = names_of_two(frame(view))
    view.update(latest("a", poorer))
    view.update(latest("b", richer))
    assert names_of_two(frame(view)) == before
    view.update(latest(before[1], balance_of("low")))
    assert names_of_two(frame(view)) == before[::-1]


def test_what_runs_away_or_runs_out_soon_is_first_of_its_level() -> None:
    half = balance_of("normal")
    soon = half.model_copy(
        update={"pace": known_pace(half).model_copy(update={"runs_out_at": half.fetched_at + timedelta(hours=5)})}
    )
    runaway = Runaway(
        scope="key_limit", period=None, since=NOW, per_minute=Decimal(1), per_day=Decimal(1440), times_pace=None,
        runs_out_at=None,
    )  # fmt: skip
    plain = [latest("a", half), latest("b", half)]
    view = view_of([*plain, latest("soon", soon), replace(latest("running", half), runaway=runaway)])
    assert view.names == ["running", "soon", "a", "b"]
    view.update(replace(plain[1], runaway=runaway, sequence=9))  # is a change of its state
    assert view.names == ["b", "running", "soon", "a"]


def names_of_two(shown: str) -> list[str]:
    return [line[0] for line in shown.splitlines() if line[:2] in {"a ", "b "}]


def test_an_event_between_two_polls_moves_nothing() -> None:
    view = view_of(every_kind())
    before = frame(view)
    for snapshot in every_kind():
        view.update(replace(snapshot, sequence=snapshot.sequence + 1))
    assert frame(view) == before


def test_it_scrolls_no_further_than_the_ends() -> None:
    view = view_of(many(30))
    first = names_of(frame(view))
    assert 10 < len(first) < 30
    assert "1-20 of 30" in frame(view)
    assert not view.scroll("x")
    for key, top in (
        ("up", 0),
        ("down", 1),
        ("page down", 10),
        ("down", 10),
        ("home", 0),
        (" ", 10),
        ("page up", 0),
        ("end", 10),
    ):
        assert view.scroll(key), key
        assert names_of(frame(view))[0] == f"p{top:03}", key
    assert len(names_of(frame(view, (80, 50)))) == 30  # a larger screen shows them all
    assert names_of(frame(view))[0] == "p000"


def test_no_lines_are_hidden_without_a_word() -> None:
    for height in range(2, 24):
        shown = frame(view_of(many(30)), (80, height))
        assert " of 30" in shown or height == 2, height


def test_a_failing_profile_says_why_and_how_old_its_numbers_are() -> None:
    shown = frame(view_of([latest("a", balance_of("normal"), DOWN), latest("b", REFUSED)]), (100, 12))
    assert "STALE" in shown
    assert "OpenRouter answered 503" in shown
    assert "72 s" in shown
    assert "failed             OpenRouter does not accept this key (401)." in shown
    assert "2 failed" in shown


def test_a_reason_that_is_cut_gets_a_line_where_there_is_room() -> None:
    why = UnreachableError("OpenRouter (openrouter.ai) could not be reached: the name was not found by any server.")
    view = view_of([latest("a", balance_of("normal"), why), latest("b", why), latest("c", balance_of("low"))])
    shown = frame(view, (80, 24))
    assert " ".join(shown.split()).count("could not be reached: the name was not found by any server") == 4
    assert "…" not in shown
    full = frame(view, (80, 6)).splitlines()
    assert len(full) == 6
    assert sum("…" in line for line in full) == 2


def test_lines_that_stay_on_the_terminal_are_not_wrapped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    view = view_of(every_kind())
    leave_behind(view)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(every_kind())
    assert max(map(len, lines)) == 60
    assert "gone           The key of the profile gone is in the variab…" in lines


def test_the_title_says_how_many_need_attention() -> None:
    assert view_of(every_kind()).title == "3 failed, 2 exhausted, 1 low - orcredit"
    assert view_of([latest("a", balance_of("normal"))]).title == "1 profile - orcredit"


def test_before_the_first_answers_it_says_what_it_waits_for() -> None:
    shown = frame(ProfilesView(["a", None], lambda: NOW))
    assert shown.count("asking OpenRouter ...") == 2
    assert "2 not asked yet" in shown
    assert "refreshing ..." in shown


def test_the_header_counts_down_to_the_next_poll_of_any() -> None:
    one, other = latest("a", balance_of("normal")), latest("b", balance_of("low"))
    view = view_of([one, replace(other, next_poll_at=NOW + timedelta(seconds=30))])
    assert "next refresh in 18 s" in frame(view)
    view.expect_refresh()
    assert "refreshing ..." in frame(view)
    view.refreshed()
    assert "refreshing" not in frame(view)


def test_markup_and_control_characters_in_names_are_text() -> None:
    shown = frame(view_of([latest("[red]x[/red]", balance_of("normal"))]), has_colour=True)
    assert "[red]x[/red]" in shown


def test_help_takes_the_place_of_the_profiles() -> None:
    view = view_of(every_kind())
    view.is_help_shown = True
    for size in SIZES:
        shown = frame(view, size)
        assert "quit" in shown
        assert len(shown.splitlines()) == size[1]
    assert "Page Up" in frame(view)
