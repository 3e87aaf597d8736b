"""The memory of a monitor after 10,000 polls, compared with that after 100: `watch` may run for months.

The monitor polls a simulated OpenRouter in another process over real HTTP, records a history in a file, and has a
subscriber. Its clock and its sleep are simulated, so that a week of one-minute polls takes a few minutes. Aim: the
resident memory at the end is at most 10 % above that after the first 100 polls.
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
from orcredit.monitor import BalancePoller, Hub
from orcredit.sinks.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from orcredit.balance import Balance
    from orcredit.history import Recent

POLLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
WARM = 100
AIM = 1.10
MINUTE = timedelta(minutes=1)


class Clock:
    """A clock that only `sleep` advances."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Advance the clock without waiting."""
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


async def forever(_: float) -> None:
    """Sleep without moving the clock, which only the polls move."""
    await asyncio.Event().wait()


def serve(pipe: Connection) -> None:
    """Simulate OpenRouter, with an account that spends, until the parent sends a message."""
    usage = 0

    def respond(_: simulator.Request, __: datetime) -> simulator.Response:
        nonlocal usage
        usage += 1
        body = b'{"data":{"label":"sk-or-v1-abc...xyz","limit":null,"usage":%d.25,"usage_daily":1}}' % usage
        return simulator.Response(200, {"Content-Type": "application/json"}, body)

    server = simulator.Server(responder=respond)
    pipe.send(server.base_url)
    pipe.recv()
    server.close()


def resident() -> float:
    """Return this process's resident memory in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


async def watch(url: str, history: History) -> dict[int, float]:
    """Poll, and record the memory ten times; return it in MiB by the number of polls."""
    clock = Clock()
    client = AsyncClient("sk-or-v1-made-up", base_url=url)

    def record(balances: Mapping[str | None, Balance]) -> dict[str | None, Recent]:
        seen = balances[None].model_copy(update={"fetched_at": clock.now})
        history.record("memory", seen)
        return {None: history.recent("memory", clock.now)}

    poller = BalancePoller(client.balance, MINUTE, clock=clock, sleep=clock.sleep)
    hub = Hub([poller], clock=clock, sleep=forever)
    hub.add_sink(Recorder(record, lambda _: None, hub.report))
    polling = asyncio.ensure_future(hub.run())
    memory: dict[int, float] = {}
    async for snapshot in poller.snapshots():
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
