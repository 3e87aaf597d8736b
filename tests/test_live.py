"""The full-screen view of `watch` and its plain line, at every size; `tests/golden_watch/` has a frame of each account.

`ORCREDIT_WRITE_GOLDEN=1 python -m pytest -n 0 tests/test_live.py` writes the files anew. Then read what changed: no
number may contradict another, and nothing that is not known may look well.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.screen import Screen

from orcredit import KeyRefusedError, UnreachableError, simulator
from orcredit.balance import assess
from orcredit.history import Recent, Sample
from orcredit.openrouter import KeyInfo
from orcredit.openrouter.response import status_error
from orcredit.render.live import LiveView
from orcredit.render.plain import plain_line
from tests.simulated import NOW, ask, assess_account
from tests.test_golden import ACCOUNTS, balance_of
from tests.test_monitor import World, follow, play

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orcredit.balance import Balance
    from orcredit.monitor import Snapshot

GOLDEN = Path(__file__).with_name("golden_watch")
SIZES = [(80, 24), (80, 20), (120, 40), (40, 20), (200, 60)]
MINUTE = timedelta(minutes=1)
REFUSED = KeyRefusedError("OpenRouter does not accept this key (401).")
DOWN = UnreachableError("OpenRouter answered 503: it is not working right now.")


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def frame(
    snapshots: Sequence[Snapshot],
    size: tuple[int, int] = (80, 24),
    *,
    later: timedelta = timedelta(seconds=12),
    encoding: str = "utf-8",
    has_colour: bool = False,
    recent: Recent | None = None,
    samples: Iterable[Sample] = (),
    is_help_shown: bool = False,
) -> str:
    """Draw the view as it is some time after the last of these snapshots, on a screen of this size."""
    view = LiveView(lambda: snapshots[-1].polled_at + later, recent=lambda: recent, is_demo=False)
    for snapshot in snapshots:
        view.update(snapshot)
    view.remember(samples)
    view.is_help_shown = is_help_shown
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


def polls(*usages: str, limit: str = "100") -> list[Balance]:
    """Make the balances of a lifetime limit, with what was spent of it at each."""
    base = assess_account("lifetime")
    return [
        base.model_copy(
            update={"usage": Decimal(usage), "spendable": Decimal(limit) - Decimal(usage), "fetched_at": NOW}
        )
        for usage in usages
    ]


def balance_at(name: str, at: datetime) -> Balance:
    """Assess an account's answer of some time."""
    return assess(KeyInfo.model_validate(ask("/key", simulator.key_for(name), at)), None, at)


def polled(balance: Balance) -> list[Snapshot]:
    """Poll a balance once, at its own time."""
    world = World(balance)
    world.now = balance.fetched_at
    return asyncio.run(follow(world.poller(), 1))


def row_of(shown: str, label: str) -> str:
    """Return the value beside a label."""
    return next(line[13:].rstrip() for line in shown.splitlines() if line.startswith(f"{label:13}"))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_frame_of_every_account_is_as_it_was_read(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    shown = "".join(
        f"--- {width} x {height}\n" + "".join(f"{line.rstrip()}\n" for line in frames.splitlines())
        for width, height in [(80, 24), (40, 20)]
        for frames in [frame(polled(balance_of(name)), (width, height))]
    )
    if os.environ.get("ORCREDIT_WRITE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_every_file_is_of_an_account() -> None:
    assert {path.stem for path in GOLDEN.glob("*")} == set(ACCOUNTS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_every_size_and_what_matters_most_is_always_there(size: tuple[int, int], encoding: str) -> None:
    for name in ACCOUNTS:
        balance = balance_of(name)
        shown = frame(play(balance, DOWN, balance), size, encoding=encoding)
        lines = shown.splitlines()
        assert len(lines) == size[1], name
        assert all(len(line) <= size[0] for line in lines), name
        assert "q quit   r refresh   ? help" in shown, name
        assert "Can spend" in shown, name
        has_run_out = balance.pace is not None and balance.pace.runs_out_at is not None
        assert ("Runs out" in shown) == (has_run_out and balance.level != "exhausted"), name


def test_labels_and_values_are_in_one_grid() -> None:
    recent = Recent(last_hour=Decimal(1), since=NOW - timedelta(days=9), until=NOW)
    shown = frame(play(balance_of("normal"), DOWN, balance_of("normal")), recent=recent)

    labelled = [line for line in shown.splitlines()[1:] if line.strip() and line[0] != " "]
    assert {"Lately", "Spent", "Left", "Event", "Can spend"} <= {line[:13].strip() for line in labelled}
    assert all(line[12] == " " != line[13] or line.startswith("Used (UTC)") for line in labelled)


def test_only_a_bar_is_green() -> None:
    for name in ACCOUNTS:
        shown = frame(play(balance_of(name), DOWN, balance_of(name)), has_colour=True)
        greens = re.findall(r"\x1b\[(?:\d;)*32m([^\x1b]*)", shown)
        assert all(set(text) <= set("━╸ ") or re.fullmatch(r"\d+\.\d% left", text) for text in greens), name


def test_stale_numbers_say_why_how_old_they_are_and_when_it_tries_again_and_have_no_colour() -> None:
    snapshots = play(balance_of("low"), REFUSED)
    shown = frame(snapshots, later=timedelta(seconds=20))
    assert shown.startswith("orcredit  next try in 100 s")
    assert "STALE: these numbers are 80 s old. OpenRouter does not accept this key (401)." in shown
    assert "It may be mistyped, disabled, deleted or expired; see" in shown
    assert "Event" not in shown  # it would only repeat that

    coloured = frame(snapshots, has_colour=True)
    below = coloured[coloured.index("Can spend") :]
    assert set(re.findall(r"\x1b\[([\d;]*)m", below)) <= {"2", "0"}


def test_before_any_answer_it_says_what_to_do() -> None:
    shown = frame(play(REFUSED))
    assert "No answer yet: OpenRouter does not accept this key (401)." in shown
    assert "https://openrouter.ai/settings/keys" in shown
    assert "next try in" in shown


def test_durations_count_from_now_and_not_from_an_old_answer() -> None:
    snapshots = play(balance_of("normal"), DOWN)
    assert row_of(frame(snapshots), "Resets").startswith("monthly, in 16 d 7 h")
    assert row_of(frame(snapshots, later=timedelta(days=2)), "Resets").startswith("monthly, in 14 d 7 h")


def test_charts_begin_at_zero_and_say_their_unit_and_their_span() -> None:
    snapshots = play(*polls("0", "8", "8", "12"))
    shown = frame(snapshots)
    assert row_of(shown, "Spent") == "█▁▄  $0 to $8.00 a refresh, in 3 min 0 s"
    assert row_of(shown, "Left") == "██▇  $0 to $92.00, in 3 min 0 s"
    assert row_of(frame(snapshots, encoding="ascii"), "Spent").startswith("@_=")
    assert row_of(frame(play(*polls("5", "5"))), "Spent") == "▁  $0 a refresh, in 60 s"


@pytest.mark.parametrize(("height", "has_chart"), [(29, False), (30, True), (60, True)])
def test_from_30_rows_on_there_is_a_chart_in_dollars_from_zero(height: int, has_chart: bool) -> None:
    samples = [Sample(at=NOW - timedelta(hours=hours), spendable=Decimal(40), remaining=None) for hours in (6, 3, 1)]
    shown = frame(play(balance_of("many-budgets")), (100, height), samples=samples)

    title = "Can spend, in USD, from Thu 2026-02-12 10:39 UTC to Thu 2026-02-12 16:39 UTC"
    assert (title in shown) == has_chart
    if has_chart:
        assert "$0.00┤" in shown
        assert "$40.00┤" in shown
        assert re.search(r"10:39 +\d\d:\d\d .*16:39", shown)


def test_a_time_without_polls_is_a_gap_in_the_chart() -> None:
    def columns_of(samples: list[tuple[int, int]]) -> set[int]:
        seen = [
            Sample(at=NOW - timedelta(hours=hours), spendable=Decimal(amount), remaining=None)
            for hours, amount in samples
        ]
        shown = frame(play(*polls("50")), (100, 40), samples=seen)
        return {index for line in shown.splitlines() for index, char in enumerate(line) if "\u2801" <= char <= "\u28ff"}

    joined = [(100 - hour, 80 - hour // 4) for hour in range(100)]
    gap = [point for point in joined if not 30 <= point[0] <= 70]
    idle = [(70, 60), (30, 60)]
    assert len(columns_of(joined)) > 85
    assert len(columns_of(gap)) < 65
    assert len(columns_of([*gap[:30], *idle, *gap[30:]])) > 85  # nothing was spent meanwhile


def test_what_was_not_watched_is_not_zero() -> None:
    def lately(since: timedelta, *amounts: int | None) -> str:
        spans = {"last_hour": timedelta(hours=1), "last_day": timedelta(days=1), "last_week": timedelta(days=7)}
        spent: dict[str, Any] = dict(zip(spans, (amount and Decimal(amount) for amount in amounts), strict=True))
        spent |= {f"{name}_since": NOW - since for name, span in spans.items() if since < span}
        recent = Recent(**spent, since=NOW - since, until=NOW)
        return row_of(frame(play(balance_of("normal")), (120, 24), recent=recent), "Lately")

    assert lately(timedelta(days=8), 1, 2, 3) == "$1.00 in the last hour · $2.00 in 24 h · $3.00 in 7 d"
    assert lately(timedelta(minutes=20), 1, 1, 1) == "$1.00 since 16:19, not watched before"
    assert lately(timedelta(hours=2), 1, 2, 2) == "$1.00 in the last hour · $2.00 since 14:39, not watched before"


@pytest.mark.parametrize("size", SIZES)
def test_the_help_fits_and_names_keys_colours_and_documentation(size: tuple[int, int]) -> None:
    shown = " ".join(frame(play(balance_of("normal")), size, is_help_shown=True, encoding="ascii").split())
    for words in (
        "quit; the last line stays",
        "refresh now",
        "fg continues",
        "close this help",
        "docs/watch.md",
        "red",
    ):
        assert words in shown


def test_the_title_names_the_amount_its_part_and_the_level() -> None:
    def title(*answers: Balance | Exception) -> str:
        view = LiveView(lambda: NOW, is_demo=False)
        for snapshot in play(*answers):
            view.update(snapshot)
        return view.title

    assert title(balance_of("low")) == "$8.00, 8.0%, low - orcredit"
    assert title(balance_of("credit-below-limit"), DOWN) == "$0.13, low (stale) - orcredit"
    assert title(assess_account("unlimited")) == "no limit on this key - orcredit"
    assert title(DOWN) == "orcredit"


# The plain line


def test_the_view_and_the_line_show_retry_after() -> None:
    busy = status_error(429, b"", retry_after=1800)
    snapshots = play(assess_account("normal"), busy, interval=timedelta(seconds=1))

    shown = frame(snapshots, (120, 24), later=timedelta(seconds=10))
    assert "next try in 29 min 50 s" in shown
    for text in (" ".join(shown.split()), plain_line(snapshots[-1])):
        assert re.search(r"429: too many requests; it asks to wait until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("low", "$8.00 low  8.0% of the key limit left  runs out in 1 d  resets in 16 d 7 h"),
        (
            "exhausted",
            "$0.00 exhausted  -0.2% of the key limit left  requests are refused until Sun 2026-03-01 00:00 UTC",
        ),
        ("negative-credit", "$0.00 exhausted  limited by the account's credit  requests are refused"),
        (
            "credits-told",
            "$0.13 low  limited by the account's credit  runs out in 1 h 5 min at the latest unless topped up",
        ),
        ("workspace-first", "$1.20 low  4.8% of the workspace budget left  runs out in"),
        ("free-tier", "free models only  38 of 50 free requests left today"),
        ("grant-only", "no limit on this key  the account's credit is not known"),
        ("expiring", "$51.25 ok  51.2% of the key limit left  key expires in 3 d 5 h"),
    ],
)
def test_the_line_says_what_limits_and_until_when(name: str, line: str) -> None:
    (snapshot,) = play(balance_of(name))
    assert f" UTC  {line}" in plain_line(snapshot)


def test_a_stale_line_says_so_first_and_what_to_do_once() -> None:
    _, first, second = play(balance_of("normal"), REFUSED, REFUSED)
    reason = "UTC  STALE for 1 min: OpenRouter does not accept this key (401)"
    assert f"{reason}. It may be mistyped, disabled, deleted or expired; see https" in plain_line(first)
    assert "UTC  STALE for 3 min: OpenRouter does not accept this key (401)  $51.25 ok" in plain_line(second)
    assert simulator.key_for("normal") not in plain_line(first)


# A runaway


def runaway(*seconds: int) -> list[Snapshot]:
    """Poll the simulator's account that runs away, these seconds after it has begun."""
    began = datetime(2026, 2, 12, 16, 30, tzinfo=UTC)
    answers = [balance_at("runaway", began + timedelta(seconds=second)) for second in seconds]
    return play(*answers, interval=MINUTE)


def test_a_runaway_is_a_red_line_at_the_top_with_the_rate_beside_the_pace() -> None:
    snapshots = runaway(-60, 0, 60, 120, 180)
    assert snapshots[-1].runaway is not None
    shown = frame(snapshots, (100, 24), has_colour=True)
    assert re.search(r"\n\x1b\[1;37;41mRUNAWAY: spending \$42\.01 a minute, \d,\d{3} × the usual pace: the ", shown)  # noqa: RUF001
    plain = frame(snapshots, (100, 24))
    assert re.match(r"\$42\.01 a minute, \d,\d{3} × the usual pace: the key limit is gone in ", row_of(plain, "Now"))  # noqa: RUF001
    assert "Lasts" not in plain  # until the reset, at the pace of days
    assert "× the" not in frame(snapshots, (40, 20), encoding="ascii")  # noqa: RUF001
    assert "RUNAWAY: spending $42.01 a minute" in plain_line(snapshots[-1])

    view = LiveView(lambda: NOW, is_demo=False)
    view.update(snapshots[-1])
    assert view.title.startswith("RUNAWAY, $")


def test_a_runaway_is_still_there_while_openrouter_does_not_answer() -> None:
    *_, last = play(*(snapshot.balance for snapshot in runaway(-60, 0, 60, 120, 180) if snapshot.balance), DOWN)
    shown = frame([last])
    assert shown.index("RUNAWAY") < shown.index("STALE")


def test_the_usual_rate_has_a_row_of_little_importance() -> None:
    snapshots = runaway(-240, -180, -120, -60)
    assert row_of(frame(snapshots), "Now").startswith("$0.42 an hour")
    assert "Now" not in frame(snapshots, (40, 14))
