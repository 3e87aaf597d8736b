"""The spool: what `status` keeps for the history, and how it is taken in."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from orcredit.config.credentials import fingerprint
from orcredit.history import Counted, History, spool
from orcredit.history.seen import Batch, seen_in
from tests.balances import balance
from tests.spooling import (
    DAY,
    HOUR,
    KEY,
    MINUTE,
    NOON,
    OTHER_KEY,
    SECOND,
    add,
    file,
    folder,
    left,
    new_history,
    new_home,
    on_posix,
    spent,
    taken_in,
)

if TYPE_CHECKING:
    from pathlib import Path

    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

__all__ = ["new_history", "new_home"]

NUMBERS = count()
"""Of the keys of examples that share a history."""


# The directory


@pytest.mark.parametrize(
    ("platform", "dirs"), [("linux", Unix), ("freebsd14", Unix), ("darwin", MacOS), ("win32", Windows)]
)
@pytest.mark.parametrize("xdg", [None, "", "/somewhere/else", "relative"])
def test_the_directory_is_that_of_platformdirs(
    platform: str, dirs: type[Unix | MacOS | Windows], xdg: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if platform == "win32" and os.name == "posix":
        monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda _: os.environ["LOCALAPPDATA"])
    if xdg is not None:
        monkeypatch.setenv("XDG_STATE_HOME", xdg)
    assert spool.directory(platform=platform) == dirs("orcredit", appauthor=False).user_state_dir


@pytest.mark.parametrize(("platform", "environ"), [("linux", {"HOME": "relative"}), ("win32", {})])
def test_a_user_without_a_home_has_no_spool(platform: str, environ: dict[str, str]) -> None:
    assert spool.directory(environ, platform) is None


def test_without_a_home_nothing_is_kept_and_nothing_taken_in(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "nowhere")
    monkeypatch.setenv("LOCALAPPDATA", "")
    add([1])
    spool.take_in(history)
    assert history.known_keys() == []


# Keeping


@on_posix
def test_a_line_holds_amounts_and_no_key_and_only_the_user_can_read_it() -> None:
    os.umask(os.umask(0o022))  # the usual one
    spool.add(KEY, balance(NOON, "1.5"))

    assert json.loads(file().read_text())[:5] == [1, KEY, int(NOON.timestamp()), 150_000_000, None]
    assert stat.S_IMODE(file().stat().st_mode) == 0o600
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700
    file().chmod(0o644)
    spool.add(KEY, balance(NOON + MINUTE, "1.6"))
    assert stat.S_IMODE(file().stat().st_mode) == 0o600


@pytest.mark.parametrize("seen", [balance(NOON, None), balance(NOON, 1, stale=True)])
def test_a_balance_that_a_history_would_not_store_is_not_kept(seen: Balance) -> None:
    spool.add(KEY, seen)
    assert not file().exists()


def test_unchanged_numbers_are_repeated_after_four_minutes() -> None:
    add([1] * 10)
    minutes = [(json.loads(line)[2] - int(NOON.timestamp())) // 60 for line in file().read_text().splitlines()]
    assert minutes == [0, 4, 8]
    spool.add(OTHER_KEY, balance(NOON + 9 * MINUTE, 1))
    spool.add(OTHER_KEY, balance(NOON + 9 * MINUTE, 2))
    assert len(file().read_text().splitlines()) == 5


def test_a_full_spool_stays_as_it_is() -> None:
    add([1])
    content = file().read_bytes().ljust(spool.LARGEST - 20, b"\n")
    file().write_bytes(content)

    add([2])

    assert file().read_bytes() == content


def test_a_line_that_a_full_disk_cut_off_does_not_spoil_the_next(history: History) -> None:
    add([1])
    file().write_bytes(file().read_bytes() + b'[1,"abc')
    add([2], start=NOON + MINUTE)

    spool.take_in(history)

    assert taken_in(history) == [(0, 99), (1, 98)]


@on_posix
@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe", "directory"])
def test_what_is_not_a_file_of_its_own_is_neither_written_nor_taken_in(
    kind: str, tmp_path: Path, history: History
) -> None:
    folder().mkdir(parents=True, mode=0o700)
    other = tmp_path / "other"
    other.write_text("mine")
    {
        "symbolic link": lambda: file().symlink_to(other),
        "hard link": lambda: file().hardlink_to(other),
        "pipe": lambda: os.mkfifo(file()),
        "directory": lambda: file().mkdir(),
    }[kind]()

    add([1])
    spool.take_in(history)

    assert other.read_text() == "mine"
    assert history.known_keys() == []


@on_posix
def test_a_folder_that_is_a_link_is_not_used(tmp_path: Path, history: History) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder().parent.mkdir(parents=True)
    folder().symlink_to(tmp_path / "elsewhere")

    add([1])
    spool.take_in(history)

    assert list((tmp_path / "elsewhere").iterdir()) == []


@on_posix
def test_files_of_another_user_are_not_used(monkeypatch: pytest.MonkeyPatch, history: History) -> None:
    add([1])
    content = file().read_bytes()
    with monkeypatch.context() as patching:
        patching.setattr(os, "geteuid", lambda: os.getuid() + 1)  # as if all files were another user's
        add([2])
        spool.take_in(history)
    assert file().read_bytes() == content
    assert history.known_keys() == []


# Taking in


def test_it_is_taken_in_by_key_in_the_order_of_time(history: History) -> None:
    spool.add(KEY, balance(NOON + 2 * MINUTE, 5))
    spool.add(OTHER_KEY, balance(NOON, 1))
    spool.add(KEY, balance(NOON, 1))
    spool.add(OTHER_KEY, balance(NOON + MINUTE, 3))

    spool.take_in(history)

    assert (spent(history), spent(history, OTHER_KEY)) == (4, 2)
    assert left() == []


def test_the_label_is_taken_in(history: History) -> None:
    seen = balance(NOON, 1)
    spool.add(KEY, seen.model_copy(update={"key": seen.key.model_copy(update={"label": "\U0001f511" * 200})}))
    spool.take_in(history)
    [known] = history.known_keys()
    assert known.label == "\U0001f511" * 200


def test_what_openrouter_counts_is_taken_in(history: History) -> None:
    amounts = {"usage_daily": Decimal(1), "usage_weekly": Decimal(2), "usage_monthly": Decimal(1)}
    spool.add(KEY, balance(NOON, 5).model_copy(update=amounts))
    spool.take_in(history)
    recent = history.recent(KEY, NOON + MINUTE)
    assert recent.today is not None
    assert recent.this_week is not None
    assert recent.today == Counted(counted=Decimal(1), seen=Decimal(0))
    assert recent.this_week.counted == 2


def test_without_a_spool_no_database_is_made(history: History, tmp_path: Path) -> None:
    spool.take_in(history)
    add([])
    spool.take_in(history)
    assert not (tmp_path / "some.db").exists()


def line(**changes: object) -> str:
    values = {"format": 1, "key": KEY, "at": int(NOON.timestamp()), "usage": 100, "rest": [None] * 8, "label": None}
    values |= changes
    rest = values.pop("rest")
    assert isinstance(rest, list)
    form, key, at, usage, label = values.values()
    return json.dumps([form, key, at, usage, *rest, label])


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{}",
        "[]",
        "null",
        "nonsense",
        "[" * 3000,
        "1" * 5000,
        "\0\udcff",
        line(format=2),
        line(key="../../etc"),
        line(key=None),
        line(at=None),
        line(at=-1),
        line(at=True),
        line(at=1.5),
        line(at=2_900_000_000),
        line(at=10**20),
        line(usage=None),
        line(usage="1"),
        line(usage=1.5),
        line(usage=True),
        line(usage=2**63),
        line(rest=[None] * 7),
        line(rest=[None] * 9),
        line(rest=[*[None] * 7, "x"]),
        line(label=1),
    ],
)
def test_invalid_lines_are_skipped(bad: str, history: History) -> None:
    add([1])
    with file().open("ab") as appended:
        appended.write(bad.encode(errors="surrogateescape") + b"\n")
    add([2], start=NOON + MINUTE)

    spool.take_in(history)

    assert taken_in(history) == [(0, 99), (1, 98)]
    assert left() == []


def test_at_most_a_mebibyte_is_read(history: History) -> None:
    add([1])
    with file().open("ab") as appended:
        appended.write(b"\n" * spool.LARGEST)
        appended.write(line(at=int(NOON.timestamp()) + 60).encode())
    spool.take_in(history)
    assert taken_in(history) == [(0, 99)]


def test_taking_in_the_same_samples_twice_changes_nothing(history: History) -> None:
    add([5, 7, 6, 9, 9, 9, 9, 9, 9, 8, 12])
    content = file().read_bytes()
    spool.take_in(history)
    before = taken_in(history), spent(history), history.recent(KEY, NOON + HOUR)

    for _ in range(2):
        file().write_bytes(content)
        spool.take_in(history)

    assert (taken_in(history), spent(history), history.recent(KEY, NOON + HOUR)) == before
    assert spent(history) > 0


def test_what_is_older_than_what_was_recorded_meanwhile_is_dropped(history: History) -> None:
    add([1, 2, 3, 4, 5])
    history.record(KEY, balance(NOON + 2 * MINUTE, 3))

    spool.take_in(history)

    assert taken_in(history) == [(2, 97), (3, 96), (4, 95)]
    assert spent(history) == 2


@pytest.mark.parametrize("limit", [100, 200])
def test_what_is_much_older_corrects_no_time(limit: int, history: History) -> None:
    spool.add(KEY, balance(NOON - 3 * HOUR, 1, limit=limit))
    history.record_all(KEY, [balance(NOON - 4 * HOUR, 1), balance(NOON, 1)])

    spool.take_in(history)

    assert taken_in(history) == [(-240, 99), (0, 99)]


def test_a_run_that_is_days_ahead_does_not_keep_samples_out(history: History) -> None:
    history.record(KEY, balance(datetime.now(UTC) + 9 * DAY, 1))
    spool.add(KEY, balance(datetime.now(UTC), 3))
    spool.take_in(history)
    assert history.recent(KEY, datetime.now(UTC) + MINUTE).until is not None


steps = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2), st.integers(1, 9000)), max_size=30)


@given(steps)
@settings(deadline=None, max_examples=40)
def test_no_spend_is_counted_twice_or_lost_however_the_two_are_mixed(
    in_memory: History, steps: list[tuple[bool, bool, int, int]]
) -> None:
    """Some polls are recorded at once and some are spooled; before some of them the spool is taken in."""
    key, now, usage = fingerprint(f"sk-or-v1-{next(NUMBERS)}"), NOON, 0
    waiting = [balance(NOON, 0)]
    first_recorded: int | None = None

    def take_in() -> None:
        seen = [each for each in map(seen_in, waiting) if each is not None]
        in_memory.take_in(lambda: [Batch(key, None, seen)])
        waiting.clear()

    for takes, is_spooled, more, seconds in steps:
        now, usage = now + seconds * SECOND, usage + more
        if takes:
            take_in()
            first_recorded = 0 if first_recorded is None else first_recorded
        if is_spooled:
            waiting.append(balance(now, usage))
        else:
            first_recorded = usage if first_recorded is None else first_recorded
            in_memory.record(key, balance(now, usage))
    first_recorded = 0 if first_recorded is None else first_recorded
    take_in()
    counted, until = spent(in_memory, key), in_memory.recent(key, now).until

    assert counted == usage - first_recorded
    assert until == now
