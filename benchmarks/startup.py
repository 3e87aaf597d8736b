"""How long `orcredit status --json` takes, beside the least that any program of its kind must do.

The yardstick is a bare script that runs an empty Typer application, imports pydantic and httpx2, and makes the same
request to the same loopback server with one call. Both are whole processes, run in turns so that a noisy machine is
unfair to neither; what counts is the ratio, taken pair by pair. Aim: <= 1.15.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orcredit import simulator

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
AIM = 1.15

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


def wall_time(command: list[str], environ: dict[str, str]) -> float:
    """Run a program to its end and give the seconds it took."""
    started = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    with simulator.Server() as server, tempfile.TemporaryDirectory() as folder:
        bare_script = Path(folder) / "bare.py"
        bare_script.write_text(BARE)
        environ = os.environ | {
            "OPENROUTER_BASE_URL": server.base_url,
            "OPENROUTER_API_KEY": simulator.key_for("normal"),
            "XDG_CACHE_HOME": folder,  # what status leaves for the prompt line is part of its time, not of this user's
        }
        for variable in (
            "OPENROUTER_MANAGEMENT_KEY",
            "PYTHONDONTWRITEBYTECODE",
        ):  # an installed program has its bytecode
            environ.pop(variable, None)
        ours = [sys.executable, "-m", "orcredit", "status", "--json"]
        bare = [sys.executable, str(bare_script)]
        for command in (ours, bare):  # fill the caches of bytecode and of the disk
            wall_time(command, environ)
        pairs = [(wall_time(ours, environ), wall_time(bare, environ)) for _ in range(PAIRS)]
    ratio = statistics.median(our / base for our, base in pairs)
    for name, times in (
        ("orcredit status --json", [pair[0] for pair in pairs]),
        ("bare script", [p[1] for p in pairs]),
    ):
        print(f"{name:24} median {statistics.median(times) * 1000:6.1f} ms   best {min(times) * 1000:6.1f} ms")
    print(f"ratio {ratio:.2f} (aim: at most {AIM}), {PAIRS} pairs")


if __name__ == "__main__":
    main()
