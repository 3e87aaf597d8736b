"""A process that records samples of one key as fast as it can, for the tests that kill it or race two of them.

Run as `python -m tests.history_writer URL MODE COUNT`: `race` and `corrected` record so many cents, `kill` kills so
many children.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit.config.credentials import fingerprint
from orcredit.history import History, KeptEvent
from tests.balances import balance

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = fingerprint("sk-or-v1-written-by-processes")
CENT = Decimal("0.01")
START = datetime(2026, 3, 1, tzinfo=UTC)

CORRECTIONS = (20, 40)
"""Minutes after `START` at which OpenRouter lowers the usage of `corrected` by ten cents."""


def sample(cents: int) -> tuple[datetime, Decimal]:
    """Return time and usage once so many cents were spent: a cent a second."""
    return START + timedelta(seconds=cents), cents * CENT


def corrected(minute: int) -> tuple[datetime, Decimal]:
    """Return time and usage so many minutes after `START`: a cent a minute, less what was corrected by then."""
    falls = sum(minute >= each for each in CORRECTIONS)
    return START + timedelta(minutes=minute), (minute - 10 * falls) * CENT


def record(history: History, cents: int, at_step: Callable[[int], tuple[datetime, Decimal]] = sample) -> None:
    at, usage = at_step(cents)
    history.record(KEY, balance(at, usage))


def race(url: str, cents: int, at_step: Callable[[int], tuple[datetime, Decimal]] = sample) -> None:
    """Record up to so many cents in random steps, like one of two processes that poll at different moments."""
    history = History(url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    chance = random.Random(os.getpid())  # noqa: S311 - not a secret
    now = 0
    while now < cents:
        record(history, now, at_step)
        now += chance.randint(1, 3)
    record(history, cents, at_step)


def events(url: str, count: int) -> None:
    """Keep so many events, as every other process does at the same time."""
    history = History(url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(count):
        at = START + timedelta(hours=number)
        history.add_events(KEY, [KeptEvent(at=at, kind="level", text=f"change {number}", is_worse=False)])


def kill(url: str, times: int) -> None:
    """Record in a child that is killed at a random moment, repeatedly; print the last cents that it had confirmed."""
    chance = random.Random(5)  # noqa: S311 - not a secret
    confirmed = 0
    for _ in range(times):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            history = History(url)
            for cents in range(confirmed, confirmed + 100_000):
                record(history, cents)
                os.write(writer, f"{cents}\n".encode())
        os.close(writer)
        with os.fdopen(reader, encoding="ascii") as lines:
            confirmed = int(lines.readline())  # the child has started
            time.sleep(chance.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            confirmed = int([confirmed, *lines][-1])
        sys.stdout.write(f"{confirmed}\n")
        sys.stdout.flush()
        sys.stdin.readline()


def run_together(url: str, mode: str, count: int, processes: int) -> list[str]:
    """Run so many of these processes, which begin in the same moment; return what each wrote to standard error."""
    command = [sys.executable, "-m", "tests.history_writer", url, mode, str(count)]
    pipe = subprocess.PIPE
    root = Path(__file__).parent.parent
    writers = [
        subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")
        for _ in range(processes)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [writer.communicate(timeout=120)[1] for writer in writers]


if __name__ == "__main__":
    modes: dict[str, Callable[[str, int], None]] = {
        "race": race,
        "corrected": partial(race, at_step=corrected),
        "kill": kill,
        "events": events,
    }
    modes[sys.argv[2]](sys.argv[1], int(sys.argv[3]))
