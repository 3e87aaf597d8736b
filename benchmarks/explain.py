"""The time and memory of `orcredit explain` for a log of 10 MB in a pipe, compared with one of 10 kB.

Whole processes, run in turns so that load affects all alike: each reads a log from a pipe, with an error of OpenRouter
in a thousand lines, or without line breaks. The result is the median over the rounds of the ratio to the short log.
Aims: at most 4 times the time with lines, 12 times without, and 1.2 times the memory (peak resident size).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
AIMS = {"10 MB": 4.0, "10 MB without lines": 12.0}
MEMORY_AIM = 1.2

SCRIPT = str(Path(sys.executable).with_name("orcredit"))
LONG, SHORT = 10_000_000, 10_000
"""Bytes."""

LINE = (
    "2026-08-23 08:37:08,{:03} INFO httpx: HTTP Request: POST https://openrouter.ai/api/v1/chat/completions "
    '"HTTP/1.1 200 OK"\n'
)
ERROR = (
    "2026-08-23 08:37:08,{:03} ERROR agent: Error code: 402 - {{'error': {{'message': 'This request requires more "
    "credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 27342.', 'code': 402}}}}\n"
)


def log(size: int, *, has_lines: bool = True) -> bytes:
    """Make a log of at least this many bytes, which ends with an error."""
    lines = []
    written = number = 0
    while written < size:
        lines.append((ERROR if number % 1000 == 999 else LINE).format(number % 1000))
        written += len(lines[-1])
        number += 1
    text = "".join([*lines, ERROR.format(0)])
    return (text if has_lines else text.replace("\n", " ")).encode()


def run(data: bytes) -> tuple[float, int]:
    """Explain a log that is written into a pipe; return the seconds and the peak resident size (kB on Linux)."""
    reading, writing = os.pipe()

    def feed() -> None:
        with open(writing, "wb") as pipe:  # noqa: PTH123 - a descriptor
            pipe.write(data)

    started = time.perf_counter()
    process = subprocess.Popen([SCRIPT, "explain", "--json"], stdin=reading, stdout=subprocess.DEVNULL)
    os.close(reading)
    feeding = threading.Thread(target=feed)
    feeding.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    feeding.join()
    if process.returncode:
        raise SystemExit(f"orcredit explain ended with {process.returncode}")
    return seconds, usage.ru_maxrss


def main() -> None:
    """Measure and print."""
    logs = {"10 kB": log(SHORT), "10 MB": log(LONG), "10 MB without lines": log(LONG, has_lines=False)}
    times: dict[str, list[float]] = {name: [] for name in logs}
    sizes: dict[str, list[int]] = {name: [] for name in logs}
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        for is_measured in [False] + [True] * ROUNDS:  # one round to warm the bytecode and disk caches
            for name, data in logs.items():
                seconds, size = run(data)
                if is_measured:
                    times[name].append(seconds)
                    sizes[name].append(size)
    short = next(iter(logs))
    for name in logs:
        time_ratio = statistics.median(long / least for long, least in zip(times[name], times[short], strict=True))
        size_ratio = statistics.median(long / least for long, least in zip(sizes[name], sizes[short], strict=True))
        median = statistics.median(times[name])
        print(f"{name:20} median {median:6.3f} s   time ratio {time_ratio:5.2f}   memory ratio {size_ratio:5.2f}")
    aims = ", ".join(f"{aim:g} ({name})" for name, aim in AIMS.items())
    print(f"aims, compared with '{short}': time at most {aims}; memory at most {MEMORY_AIM}; {ROUNDS} rounds")


if __name__ == "__main__":
    main()
