"""What an account with thousands of keys costs: `orcredit keys` with 5,000 keys, as a process, over real HTTP.

The simulator runs in another process. Aims: at most 3 s and 150 MB (peak resident memory of the command), whatever the
format, for 5,000 keys in 1 and in 12 workspaces.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from orcredit import simulator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

RUNS = 3
MOST_SECONDS, MOST_MB = 3.0, 150.0


def serve(pipe: Connection) -> None:
    """Simulate OpenRouter until the parent sends a message."""
    with simulator.Server() as server:
        pipe.send(server.base_url)
        pipe.recv()


def measure(arguments: Sequence[str], environ: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; return its seconds, its peak memory in MB, and its seconds of CPU (POSIX)."""
    started = time.perf_counter()
    program = [sys.executable, "-m", "orcredit", *arguments]
    with subprocess.Popen(program, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
    per_mb = 1_000_000 if sys.platform == "darwin" else 1_000_000 / 1024
    return time.perf_counter() - started, usage.ru_maxrss / per_mb, usage.ru_utime + usage.ru_stime


def keys() -> bool:
    """Measure `orcredit keys`; return whether the aims are met."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENROUTER", "ORCREDIT"))}
    environ |= {"OPENROUTER_BASE_URL": ours.recv(), "COLUMNS": "120"}
    is_met = True
    for account in ("large-fleet", "large-fleet-in-one"):
        environ["OPENROUTER_API_KEY"] = simulator.key_for(account)
        for arguments in (["keys"], ["keys", "--json"], ["keys", "--csv"]):
            runs = [measure(arguments, environ) for _ in range(RUNS)]
            seconds, memory, cpu = min(run[0] for run in runs), max(run[1] for run in runs), min(run[2] for run in runs)
            print(f"{' '.join(arguments):12} {account:20} {seconds:5.2f} s   CPU {cpu:5.2f} s   {memory:6.1f} MB")
            is_met &= seconds <= MOST_SECONDS and memory <= MOST_MB
    ours.send("end")
    process.join()
    print(f"aims: at most {MOST_SECONDS:g} s and {MOST_MB:g} MB: {'met' if is_met else 'NOT met'}")
    return is_met


if __name__ == "__main__":
    sys.exit(0 if keys() else 1)
