"""The time of `orcredit status` before its request, after the response, and in total, compared with a bare program.

The bare program is a Typer application of one command that imports pydantic and httpx2 and makes the same request to
the same loopback server. All are whole processes, run in turns so that load affects all alike; the results are medians
of the ratio to the bare program in the same round. The server records when the request arrives and when the response is
sent: in one series of runs after 0.5 s, as OpenRouter may, in the other immediately.

Also printed: the processor time (user and system), which depends less on other load.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit import simulator

if TYPE_CHECKING:
    from datetime import datetime

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
WAIT = 0.5
"""Seconds until the slow response."""

SCRIPT = str(Path(sys.executable).with_name("orcredit"))
BARE = """
import os, sys
import httpx2, pydantic, typer

app = typer.Typer()

@app.command()
def main() -> None:
    url = os.environ["OPENROUTER_BASE_URL"] + "/key"
    answer = httpx2.get(url, headers={"authorization": "Bearer " + os.environ["OPENROUTER_API_KEY"]})
    sys.stdout.write(answer.text)

app()
"""
BARE_NAME = "bare program"
JSON, QUIET, TABLE = "orcredit status --json", "orcredit status -q", "orcredit status"


@dataclass(frozen=True)
class Run:
    """The times of one process, in seconds."""

    to_request: float
    """From the start of the process to the arrival of the request."""
    to_exit: float
    """From the response to the end of the process."""
    whole: float
    processor: float


@dataclass
class Upstream:
    """Answers requests, and records the times of the newest one."""

    wait: float = 0.0
    requested: float = field(default=0.0, init=False)
    answered: float = field(default=0.0, init=False)

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        """Answer as the simulator does, `wait` seconds later."""
        self.requested = time.perf_counter()
        response = simulator.respond(request, now)
        time.sleep(max(0.0, self.requested + self.wait - time.perf_counter()))
        self.answered = time.perf_counter()
        return response


def run(command: list[str], environ: dict[str, str], upstream: Upstream) -> Run:
    """Run a program and return its times."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(
        upstream.requested - started, ended - upstream.answered, ended - started, usage.ru_utime + usage.ru_stime
    )


def main() -> None:
    """Measure and print."""
    upstream = Upstream()
    with simulator.Server(responder=upstream.respond) as server, tempfile.TemporaryDirectory() as folder:
        bare_script = Path(folder) / "bare.py"
        bare_script.write_text(BARE)
        environ = os.environ | {
            "OPENROUTER_BASE_URL": server.base_url,
            "OPENROUTER_API_KEY": simulator.key_for("normal"),
            "XDG_CACHE_HOME": folder,  # status also writes the prompt line's cache, which must not be this user's
        }
        for variable in (
            "OPENROUTER_MANAGEMENT_KEY",
            "ORCREDIT_WARN_BELOW",
            "PYTHONDONTWRITEBYTECODE",  # an installed program has its bytecode
        ):
            environ.pop(variable, None)
        commands = {
            BARE_NAME: [sys.executable, str(bare_script)],
            JSON: [SCRIPT, "status", "--json"],
            QUIET: [SCRIPT, "status", "-q"],
            TABLE: [SCRIPT, "status"],
        }
        runs: dict[float, dict[str, list[Run]]] = {}
        for wait in (0.0, WAIT):
            upstream.wait = wait
            runs[wait] = {name: [] for name in commands}
            for counts in [False] + [True] * ROUNDS:  # one round to warm the bytecode and disk caches
                for name, command in commands.items():
                    one = run(command, environ, upstream)
                    if counts:
                        runs[wait][name].append(one)
    for title, wait, attribute, aims in (
        ("start to request", 0.0, "to_request", {JSON: 1.05, QUIET: 1.05, TABLE: 1.05}),
        (f"answer to exit, after {WAIT:g} s", WAIT, "to_exit", {JSON: 0.5, QUIET: 0.5, TABLE: 0.9}),
        ("whole, immediate answer", 0.0, "whole", {JSON: 1.0, QUIET: 1.0, TABLE: 1.15}),
        ("processor, immediate answer", 0.0, "processor", {}),
        (f"processor, answer after {WAIT:g} s", WAIT, "processor", {}),
    ):
        report(title, runs[wait], attribute, aims)
    print(f"ratios are medians of {ROUNDS} rounds")


def report(title: str, runs: dict[str, list[Run]], attribute: str, aims: dict[str, float]) -> None:
    """Print one phase of every command, with its aim."""
    print(title)
    times = {name: [getattr(one, attribute) for one in each] for name, each in runs.items()}
    for name, each in times.items():
        ratio = statistics.median(ours / bare for ours, bare in zip(each, times[BARE_NAME], strict=True))
        median, best = statistics.median(each) * 1000, min(each) * 1000
        aim = f"   aim: at most {aims[name]:.2f}, {'met' if ratio <= aims[name] else 'MISSED'}" if name in aims else ""
        print(f"  {name:24} median {median:6.1f} ms   best {best:6.1f} ms   ratio {ratio:5.2f}{aim}")


if __name__ == "__main__":
    main()
