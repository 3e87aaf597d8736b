"""A process that records samples of one key as fast as it can, for the tests that kill it or race two of them.

Run as `python -m tests.history_writer URL race USAGES` or `python -m tests.history_writer URL kill TIMES`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance

KEY = fingerprint("sk-or-v1-written-by-processes")
CENT = Decimal("0.01")
START = datetime(2026, 3, 1, tzinfo=UTC)


def sample(cents: int) -> tuple[datetime, Decimal]:
    """What everybody sees once so many cents were spent: a cent a second."""
    return START + timedelta(seconds=cents), cents * CENT


def record(history: History, cents: int) -> None:
    at, usage = sample(cents)
    history.record(KEY, balance(at, usage))


def race(url: str, usages: int) -> None:
    """Record a rising usage, each time an amount of luck higher, like two watchers who poll at different moments."""
    history = History(url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    luck = random.Random(os.getpid())  # noqa: S311 - not a secret
    cents = 0
    while cents < usages:
        record(history, cents)
        cents += luck.randint(1, 3)
    record(history, usages)


def kill(url: str, times: int) -> None:
    """Record in a child that is killed at a moment of luck, again and again; print the cents it had confirmed last."""
    luck = random.Random(5)  # noqa: S311 - not a secret
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
            confirmed = int(lines.readline())  # it is past its start by now
            time.sleep(luck.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            confirmed = int([confirmed, *lines][-1])
        sys.stdout.write(f"{confirmed}\n")
        sys.stdout.flush()
        sys.stdin.readline()


if __name__ == "__main__":
    {"race": race, "kill": kill}[sys.argv[2]](sys.argv[1], int(sys.argv[3]))
