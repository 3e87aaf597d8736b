"""The cost of five years of one-minute samples: file size, recording a sample, and `history --since 30d --every 1h`.

Two databases hold the samples of one key that is watched without interruption: for one month, and for five years. The
key is used on workdays from nine to six, in bursts, with a new amount in every minute of a burst. The last month is the
same in both. The library's own calls are measured, alternating between the databases so that load affects both alike.
Aims: the query takes at most 100 ms, and with five years at most twice as long as with a month.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit.balance import assess
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from orcredit.openrouter import KeyInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orcredit.balance import Balance

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
LONGEST_ANSWER = 0.1
LARGEST_RATIO = 2.0

KEY = fingerprint("sk-or-v1-benchmark")
NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DAY = timedelta(days=1)
BURST = 25
"""Minutes, on average; the pauses between bursts are as long."""

GRAINS = 10**8
LIMIT = 10**6 * GRAINS


def runs(days: int) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and usage of each run: idle minutes are one run, each minute of a burst is a run."""
    usage, started = 0, int((NOW - days * DAY).timestamp())
    for day in range(days, 0, -1):
        morning = NOW.replace(hour=9) - (day - 1) * DAY
        if morning.weekday() > 4:
            continue
        chance = random.Random(day)  # noqa: S311 - not a secret; the last month is the same in both files
        is_busy = False
        for minute in range(9 * 60):
            if chance.random() < 1 / BURST:
                is_busy = not is_busy
            if is_busy:
                at = int(morning.timestamp()) + 60 * minute
                yield started, at - 60, usage
                usage, started = usage + chance.randint(GRAINS // 1000, GRAINS // 10), at
    yield started, int(NOW.timestamp()), usage


def fill(file: Path, days: int) -> int:
    """Insert the runs with SQL, as the library uses a transaction for each; return their number."""
    History(f"sqlite:///{file}").record("0" * 12, balance(NOW, Decimal(0)))  # creates the tables
    rows = [
        (KEY, number, start, end, usage, 0, LIMIT, LIMIT - usage, LIMIT - usage, usage)
        for number, (start, end, usage) in enumerate(runs(days), 1)
    ]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(f"INSERT INTO orcredit_runs VALUES ({', '.join('?' * 10)})", rows)  # noqa: S608 - only placeholders
    return len(rows)


def balance(at: datetime, usage: Decimal) -> Balance:
    """Create a balance with only a usage."""
    return assess(KeyInfo(limit=None, usage=usage), None, at)


def duration(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        histories = {}
        print(f"{'':10} {'runs':>9} {'samples':>11} {'size':>9}")
        for name, days in (("one month", 30), ("five years", 5 * 365)):
            file = Path(folder) / f"{days}.db"
            count = fill(file, days)
            print(f"{name:10} {count:9,} {days * 1440:11,} {file.stat().st_size / 2**20:6.1f} MB")
            histories[name] = History(f"sqlite:///{file}")
        answers: dict[str, list[float]] = {name: [] for name in histories}
        inserts: dict[str, list[float]] = {name: [] for name in histories}
        for turn in range(ROUNDS + 1):
            for name, history in histories.items():
                seen = balance(NOW + (turn + 1) * timedelta(minutes=1), Decimal(10**5 + turn))
                answers[name].append(duration(partial(history.spend, KEY, NOW - 30 * DAY, NOW, timedelta(hours=1))))
                inserts[name].append(duration(partial(history.record, KEY, seen)))
        first = answers["one month"].pop(0)  # which includes imports and preparing the statements, as in a command
        for later in (answers["five years"], *inserts.values()):
            del later[0]
    for what, times in (("history --since 30d --every 1h", answers), ("one more sample", inserts)):
        for name in times:
            median, best = statistics.median(times[name]) * 1000, min(times[name]) * 1000
            print(f"{what:31} {name:10} median {median:6.1f} ms   best {best:6.1f} ms")
        ratio = statistics.median(
            years / month for years, month in zip(times["five years"], times["one month"], strict=True)
        )
        print(f"{what:31} five years / one month: {ratio:.2f}")
    print(f"the first answer of a process took {first * 1000:.1f} ms")
    longest = statistics.median(answers["five years"])
    print(f"aims: the answer in {LONGEST_ANSWER * 1000:.0f} ms ({longest * 1000:.1f}), ratio at most {LARGEST_RATIO}")
    print(f"{os.cpu_count()} cores, SQLite {sqlite3.sqlite_version}, {ROUNDS} rounds")


if __name__ == "__main__":
    main()
