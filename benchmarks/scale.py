"""What thousands of keys cost, as processes over real HTTP; the simulated OpenRouter is another process.

`keys`: `orcredit keys` with 5,000 keys. Aims: at most 3 s and 150 MB (peak resident memory of the command), whatever
the format, in 1 and in 12 workspaces.

`profiles`: `orcredit serve` with 1,000 profiles, polled every 60 s, with history, after the first interval. Aims: at
most 15 % of one core, 300 MB, and p99 2 s for the lateness of a poll: the time from when it was due, as the server said
(`nextPollIn`), to the next answer. An event stream of all profiles, which measures that, is open meanwhile.

Usage: scale.py [keys|profiles]
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orcredit import simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from multiprocessing.connection import Connection

RUNS = 3
MOST_SECONDS, MOST_MB = 3.0, 150.0

PROFILES = 1000
SETTLING, MEASURED = 90.0, 180.0
"""Seconds: for the first polls and what is learned from them; then for the measurement."""
MOST_CPU, MOST_LATENESS, MOST_SERVER_MB = 0.15, 2.0, 300.0


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


def answer(usage: Iterator[int], request: simulator.Request, now: datetime) -> simulator.Response:
    """Answer about any key: each answer has another usage, so that each poll has something to record."""
    if request.path.endswith("/credits"):
        return simulator.Response(403, {}, b'{"error": {"code": 403, "message": "Only management keys can do that"}}')
    known = simulator.Request(request.method, request.path, {"authorization": f"Bearer {simulator.key_for('normal')}"})
    answered = simulator.respond(known, now)
    document = json.loads(answered.body)
    document["data"]["usage"] += next(usage) / 1000
    return replace(answered, body=json.dumps(document).encode())


def serve_profiles(pipe: Connection) -> None:
    """Simulate OpenRouter for any key until the parent sends a message."""
    usage = itertools.count()
    with simulator.Server(responder=lambda request, now: answer(usage, request, now)) as server:
        pipe.send(server.base_url)
        pipe.recv()


class Polls:
    """Notes how late the polls are, from the server's event stream."""

    def __init__(self) -> None:
        self.lateness: list[float] = []
        self.polls = 0
        self.is_measuring = False
        self._due: dict[str, float] = {}
        self._answered: dict[str, str] = {}

    def see(self, envelope: dict[str, Any]) -> None:
        """Take in an envelope that has just come."""
        now, profile, balance = time.monotonic(), envelope["profile"], envelope["balance"]
        if balance is None:
            sys.exit(f"{profile}: {envelope['problem']}")
        if self._answered.get(profile) != balance["fetchedAt"] and envelope["age"] < 1:
            if self.is_measuring:
                self.polls += 1
                self.lateness.append(max(now - self._due.get(profile, now), 0.0))
            self._answered[profile] = balance["fetchedAt"]
        self._due[profile] = now + envelope["nextPollIn"]

    def follow(self, url: str) -> None:
        """Read the event stream until it ends."""
        with suppress(OSError), urllib.request.urlopen(f"{url}/api/openrouter/events") as stream:  # noqa: S310
            for line in stream:
                if line.startswith(b"data: "):
                    self.see(json.loads(line[6:]))


def used(process: int) -> tuple[float, float]:
    """Return a process's seconds of CPU and its resident memory in MB (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def profiles() -> bool:
    """Measure `orcredit serve` with many profiles; return whether the aims are met."""
    ours, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.get_context("spawn").Process(target=serve_profiles, args=(theirs,), daemon=True)
    upstream.start()
    base_url = ours.recv()
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, ".config", "orcredit", "config.toml")
        file.parent.mkdir(parents=True)
        tables = (f'[profiles.team-{number}]\nkey_env = "KEY_{number}"\n' for number in range(PROFILES))
        file.write_text(f'base_url = "{base_url}"\n{"".join(tables)}', encoding="utf-8")
        file.chmod(0o600)
        environ = {"HOME": home, "PATH": os.environ["PATH"]}
        environ |= {f"KEY_{number}": f"sk-or-v1-{number:064x}" for number in range(PROFILES)}
        started = time.monotonic()
        command = [sys.executable, "-m", "orcredit", "serve", "--port", "0", "--interval", "60"]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None  # noqa: S101 - it is a pipe
            url = server.stdout.readline().split()[-1]
            listening = time.monotonic() - started
            polls = Polls()
            reading = threading.Thread(target=polls.follow, args=(url,), daemon=True)
            reading.start()
            time.sleep(SETTLING)
            first, _ = used(server.pid)
            polls.is_measuring = True
            time.sleep(MEASURED)
            polls.is_measuring = False
            last, memory = used(server.pid)
            server.terminate()
    ours.send("end")
    upstream.join()
    spent = last - first
    cpu = spent / MEASURED
    late = statistics.quantiles(polls.lateness, n=100)
    print(f"{PROFILES} profiles: listening after {listening:.1f} s, CPU of the first {SETTLING:.0f} s {first:.1f} s")
    print(f"{polls.polls / MEASURED:.1f} polls a second, CPU {cpu:.1%} ({1000 * spent / polls.polls:.1f} ms a poll)")
    print(f"lateness p50 {late[49]:.2f} s, p99 {late[98]:.2f} s, most {max(polls.lateness):.2f} s; {memory:.0f} MB")
    is_met = cpu <= MOST_CPU and late[98] <= MOST_LATENESS and memory <= MOST_SERVER_MB
    aims = f"aims: at most {MOST_CPU:.0%}, p99 {MOST_LATENESS:g} s and {MOST_SERVER_MB:g} MB"
    print(f"{aims}: {'met' if is_met else 'NOT met'}")
    return is_met


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["keys", "profiles"]
    results = [{"keys": keys, "profiles": profiles}[name]() for name in wanted]
    sys.exit(0 if all(results) else 1)
