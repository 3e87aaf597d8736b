"""The requests per second of `orcredit serve`, compared with two other servers.

- (a) a bare Starlette route that returns the same bytes under the same uvicorn, parser and event loop;
- (b) a minimal Flask server that polls the upstream on every request, like the dashboard that orcredit replaces.

Each runs in a separate process. They are loaded in turns, so that other load affects all alike, by 32 connections that
send a request as soon as the last one is answered. Aims: at least 0.8 times (a), at least 10 times (b).

Then: the number of requests to OpenRouter over three intervals with 500 open event streams (aim: 3), and the time from
SIGTERM to the exit with them open (aim: at most 3 seconds).
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit import simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
SECONDS = 1.5
CONNECTIONS = 32
STREAMS = 500
INTERVALS = 3
AIM_BARE, AIM_FLASK, AIM_END = 0.8, 10, 3

PATH = "/api/openrouter/balance"

BARE = """
import socket, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from orcredit.blocking import EventLoop

BODY = open(sys.argv[1], "rb").read()

async def balance(request):
    return Response(BODY, media_type="application/json")

listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on
listening.bind(("127.0.0.1", 0))
listening.listen(2048)
print(f"Listening on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
app = Starlette(routes=[Route("/api/openrouter/balance", balance)])
config = uvicorn.Config(
    app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
    proxy_headers=False,
)
import asyncio
with asyncio.Runner(loop_factory=EventLoop) as runner:
    runner.run(uvicorn.Server(config).serve([listening]))
"""

FLASK = """
import os
import httpx2
from flask import Flask
from werkzeug.serving import make_server, WSGIRequestHandler

app = Flask(__name__)
URL = os.environ["OPENROUTER_BASE_URL"] + "/key"
HEADERS = {"Authorization": "Bearer " + os.environ["OPENROUTER_API_KEY"]}
upstream = httpx2.Client(trust_env=False)

@app.get("/api/openrouter/balance")
def balance():
    data = upstream.get(URL, headers=HEADERS).json()["data"]
    limit, remaining = data["limit"], data["limit_remaining"]
    percent = round(remaining / limit * 100, 1)
    return {"totalLimit": limit, "remaining": remaining, "percentRemaining": percent, "usage": data["usage"],
            "usageDaily": data["usage_daily"], "usageWeekly": data["usage_weekly"],
            "usageMonthly": data["usage_monthly"], "resetPeriod": data["limit_reset"],
            "warningLowBudget": percent < 10}

class Quiet(WSGIRequestHandler):
    def log_request(self, *_): pass

server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


@contextmanager
def running(command: Sequence[str], environ: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run a server; yield its port once it is listening, and its process."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        line = process.stdout.readline()
        yield int(re.findall(r":(\d+)$", line.strip())[0]), process
    finally:
        process.terminate()
        process.wait()


async def send_requests(port: int, until: float, latencies: list[float]) -> None:
    """Send requests until a time; reconnect if the server closes the connection, as Flask's does."""
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (started := time.perf_counter()) < until:
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(head.decode())
        length = re.search(rb"content-length: *(\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        latencies.append(time.perf_counter() - started)
        if b"connection: close" in head:
            writer.close()
            connection = None
    if connection is not None:
        connection[1].close()


async def load(port: int) -> tuple[float, float]:
    """Load a server; return requests per second and the 99th percentile of the latency in seconds."""
    latencies: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(send_requests(port, started + SECONDS, latencies) for _ in range(CONNECTIONS)))
    latencies.sort()
    return len(latencies) / (time.perf_counter() - started), latencies[int(len(latencies) * 0.99)]


async def follow(port: int, events: int, opened: asyncio.Semaphore, all_open: asyncio.Event) -> None:
    """Open an event stream, wait until all are open, read this many more events, and then read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/openrouter/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    await reader.readuntil(b"\r\nid: ")
    opened.release()
    await all_open.wait()
    for _ in range(events):
        await reader.readuntil(b"\r\nid: ")
    opened.release()
    await reader.read()
    writer.close()


async def many_streams(port: int, process: subprocess.Popen[str], upstream: simulator.Server) -> tuple[int, float]:
    """Return the upstream's requests over three intervals with all streams open, and the seconds to the exit."""
    opened, all_open = asyncio.Semaphore(0), asyncio.Event()
    streams = [asyncio.ensure_future(follow(port, INTERVALS, opened, all_open)) for _ in range(STREAMS)]
    for _ in streams:
        await opened.acquire()
    before = len(upstream.requests)
    all_open.set()
    for _ in streams:
        await opened.acquire()
    requests = len(upstream.requests) - before
    started = time.perf_counter()
    process.terminate()
    await asyncio.gather(*streams)
    process.wait()
    return requests, time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with ExitStack() as stack:
        upstream = stack.enter_context(simulator.Server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environ = os.environ | {
            "OPENROUTER_BASE_URL": upstream.base_url,
            "OPENROUTER_API_KEY": simulator.key_for("normal"),
            "XDG_CACHE_HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
        }
        environ.pop("ORCREDIT_TOKEN", None)
        serve = [sys.executable, "-m", "orcredit", "serve", "--port", "0", "--interval"]
        body = subprocess.run(
            [sys.executable, "-m", "orcredit", "status", "--json"], env=environ, check=True, capture_output=True
        ).stdout.strip()
        for name, text in (("body.json", body), ("bare.py", BARE.encode()), ("original.py", FLASK.encode())):
            (folder / name).write_bytes(text)
        ports = {
            "orcredit serve": stack.enter_context(running([*serve, "60"], environ)),
            "(a) bare Starlette route": stack.enter_context(
                running([sys.executable, str(folder / "bare.py"), str(folder / "body.json")], environ)
            ),
            "(b) Flask, polling each time": stack.enter_context(
                running([sys.executable, str(folder / "original.py")], environ)
            ),
        }
        rounds = [{name: asyncio.run(load(port)) for name, (port, _) in ports.items()} for _ in range(ROUNDS + 1)][1:]
        for name in ports:
            rates, tails = zip(*(measured[name] for measured in rounds), strict=True)
            print(
                f"{name:28} {statistics.median(rates):6.0f} requests/s   p99 {statistics.median(tails) * 1e3:6.1f} ms"
            )
        ours, bare, flask = ports
        for letter, other, aim in (("a", bare, AIM_BARE), ("b", flask, AIM_FLASK)):
            ratio = statistics.median(measured[ours][0] / measured[other][0] for measured in rounds)
            print(f"ratio to ({letter}) {ratio:.2f} (aim: at least {aim}), {ROUNDS} rounds of {SECONDS:g} s")
    with simulator.Server() as upstream, tempfile.TemporaryDirectory() as home:
        environ |= {"OPENROUTER_BASE_URL": upstream.base_url, "XDG_CACHE_HOME": home, "XDG_DATA_HOME": home}
        with running([*serve, "5"], environ) as (port, process):
            requests, seconds = asyncio.run(many_streams(port, process, upstream))
    print(f"{STREAMS} event streams over {INTERVALS} intervals: {requests} requests upstream (aim: {INTERVALS})")
    print(f"ended {seconds:.1f} s after SIGTERM with them open (aim: at most {AIM_END})")


if __name__ == "__main__":
    main()
