"""Whether `watch` can be left on for months: the memory of a monitor after 10,000 polls, beside that after 100.

The monitor polls a simulated OpenRouter in another process over real HTTP, keeps a history in a file, and has a
subscriber; only its clock and its sleep are ours, so that a week of one-minute polls passes in a few minutes. Aim: the
resident memory at the end is within 10 % of that after the first 100 polls.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit import simulator
from orcredit.client import AsyncClient
from orcredit.history import History
from orcredit.monitor import Monitor

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from orcredit.balance import Balance
    from orcredit.history import Recent

POLLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
WARM = 100
AIM = 1.10
MINUTE = timedelta(minutes=1)


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Give the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def serve(told: Connection) -> None:
    """Be OpenRouter, with an account that spends, until the process is ended."""
    usage = 0

    def respond(_: simulator.Request, __: datetime) -> simulator.Response:
        nonlocal usage
        usage += 1
        body = b'{"data":{"label":"sk-or-v1-abc...xyz","limit":null,"usage":%d.25,"usage_daily":1}}' % usage
        return simulator.Response(200, {"Content-Type": "application/json"}, body)

    server = simulator.Server(responder=respond)
    told.send(server.base_url)
    told.recv()
    server.close()


def resident() -> float:
    """Give this process's resident memory, MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


async def watch(url: str, history: History) -> dict[int, float]:
    """Poll, and note the memory now and then."""
    clock = Clock()
    client = AsyncClient("sk-or-v1-made-up", base_url=url)

    def remember(balance: Balance) -> Recent:
        seen = balance.model_copy(update={"fetched_at": clock.now})
        history.record("memory", seen)
        return history.recent("memory", clock.now)

    monitor = Monitor(client.balance, MINUTE, remember=remember, clock=clock, sleep=clock.sleep)
    polling = asyncio.ensure_future(monitor.run())
    memory: dict[int, float] = {}
    async for snapshot in monitor.snapshots():
        if snapshot.sequence >= WARM and WARM not in memory:
            memory[WARM] = resident()
        if snapshot.sequence % max(POLLS // 10, 1) == 0:
            memory[snapshot.sequence] = resident()
            print(f"{snapshot.sequence:6} polls   {memory[snapshot.sequence]:6.1f} MiB", flush=True)
        if snapshot.sequence >= POLLS:
            break
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    return memory


def main() -> None:
    """Measure and print."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{folder}/history.db")
        memory = asyncio.run(watch(ours.recv(), history))
        history.close()
    ours.send("end")
    process.join()
    ratio = memory[max(memory)] / memory[WARM]
    print(f"after {WARM}: {memory[WARM]:.1f} MiB; ratio {ratio:.3f} (aim: at most {AIM})")


if __name__ == "__main__":
    main()
