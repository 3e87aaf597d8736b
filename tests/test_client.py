"""The Python API over real HTTP: its requests, faults, retries, threads and event loops."""

from __future__ import annotations

import asyncio
import decimal
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest

from orcredit import (
    AsyncClient,
    Client,
    KeyRefusedError,
    Level,
    NonsenseError,
    UnavailableError,
    UnreachableError,
    simulator,
)
from tests.broken_server import BrokenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

KEY = simulator.key_for("normal")

pytest_plugins = ["tests.tls_fixtures"]
pytestmark = pytest.mark.usefixtures("no_variables")


def paths(server: simulator.Server) -> list[str]:
    return sorted(request.path.removeprefix(simulator.API_PREFIX) for request in server.requests)


@contextmanager
def scripted(*statuses: int, then: int = 200, headers: dict[str, str] | None = None) -> Iterator[simulator.Server]:
    """A server that answers `/key` with these statuses, one per request, and with `then` after them."""
    script = chain(statuses, repeat(then))

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if not request.path.endswith("/key"):
            return simulator.respond(request, now)
        status = next(script)
        if status == 200:
            return simulator.respond(request, now)
        return simulator.Response(status, headers or {}, b'{"error": {"code": 0, "message": "scripted"}}')

    with simulator.Server(responder=respond) as server:
        yield server


# Faults and retries


@pytest.mark.parametrize(
    "fault",
    [
        name
        for name, fault in simulator.FAULTS.items()
        if name not in {"control-characters", "echo-key", "error-401", "error-403"} and fault.route is None
    ],
)
def test_every_fault_is_an_unavailable_error_with_a_hint(fault: str, server: simulator.Server) -> None:
    with pytest.raises(UnavailableError) as caught:
        Client(simulator.key_for(fault), base_url=server.base_url, timeout=20).balance()
    assert str(caught.value).endswith(".")
    assert caught.value.hint


@pytest.mark.parametrize("fault", ["error-401", "error-403"])
def test_a_401_or_403_in_openrouters_json_is_a_refused_key(fault: str, server: simulator.Server) -> None:
    with pytest.raises(KeyRefusedError):
        Client(simulator.key_for(fault), base_url=server.base_url).balance()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_transient_statuses_are_retried(status: int) -> None:
    with scripted(status, status) as server:
        balance = Client(KEY, base_url=server.base_url, timeout=30).balance()
        assert paths(server).count("/key") == 3
    assert balance.spendable == Decimal("51.25")


def test_it_gives_up_after_four_attempts() -> None:
    with scripted(then=503) as server:
        with pytest.raises(UnreachableError, match="503"):
            Client(KEY, base_url=server.base_url, timeout=30).balance()
        assert paths(server).count("/key") == 4


@pytest.mark.parametrize("status", [302, 307, 400, 401, 402, 403, 404, 418])
def test_permanent_statuses_are_not_retried(status: int) -> None:
    with scripted(then=status, headers={"Location": "/key"}) as server:
        with pytest.raises((NonsenseError, KeyRefusedError), match=str(status)):
            Client(KEY, base_url=server.base_url).balance()
        assert paths(server).count("/key") == 1


def test_a_redirect_is_not_followed() -> None:
    with (
        simulator.Server() as elsewhere,
        scripted(then=301, headers={"Location": f"{elsewhere.base_url}/key"}) as server,
    ):
        with pytest.raises(NonsenseError, match="redirect"):
            Client(KEY, base_url=server.base_url).balance()
        assert not elsewhere.requests


def test_retry_after_is_waited_for_when_it_fits() -> None:
    arrivals: list[float] = []

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if not request.path.endswith("/key"):
            return simulator.respond(request, now)
        arrivals.append(time.monotonic())
        if len(arrivals) == 1:
            return simulator.Response(503, {"Retry-After": "2"}, b"")
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        Client(KEY, base_url=server.base_url, timeout=30).balance()

    assert arrivals[1] - arrivals[0] >= 2


@pytest.mark.parametrize("wait", ["3600", "999999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_retry_after_beyond_the_deadline_fails_at_once_with_the_time_in_its_message(wait: str) -> None:
    with scripted(then=429, headers={"Retry-After": wait}) as server:
        with pytest.raises(UnreachableError) as caught:
            Client(KEY, base_url=server.base_url).balance()
        assert paths(server).count("/key") == 1
    assert caught.value.retry_after == 3600  # longer waits count as an hour
    assert "; it asks to wait until 20" in str(caught.value)
    assert caught.value.hint == "Try again in 1 h."


def test_a_retry_after_date_counts_from_the_date_header() -> None:
    headers = {"Date": "Thu, 12 Feb 2026 16:39:47 GMT", "Retry-After": "Thu, 12 Feb 2026 16:49:47 GMT"}
    with scripted(then=503, headers=headers) as server, pytest.raises(UnreachableError) as caught:
        Client(KEY, base_url=server.base_url).balance()
    assert caught.value.retry_after == 600


@pytest.mark.parametrize(
    "wait",
    [
        "soon",
        "-5",
        "",
        "nan",
        "1e9",
        "²",
        "Mon, 01 Jan 999999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 99999999999999999999:00:00 GMT",
    ],
)
def test_an_invalid_retry_after_is_ignored(wait: str) -> None:
    headers = {"Retry-After": wait.encode("utf-8").decode("latin-1")}
    with scripted(503, headers=headers) as server:
        assert Client(KEY, base_url=server.base_url, timeout=30).balance().level is Level.OK


def test_a_refused_connection_is_named_in_the_error() -> None:
    with simulator.Server() as server:
        url = server.base_url
    with pytest.raises(UnreachableError, match=r"could not be reached: connection refused; tried 4 times in \d\.\d s"):
        Client(KEY, base_url=url).balance()


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("reset", "reset the connection without an answer"),
        ("close", "closed the connection without an answer"),
        ("truncated", "closed the connection in the middle of its answer"),
        ("garbage", "answered with something that is not HTTP"),
        ("endless-headers", "answered with something that is not HTTP"),
    ],
)
def test_a_broken_connection_is_retried_and_then_an_error_that_says_how_it_broke(fault: str, text: str) -> None:
    with BrokenServer(fault) as server:
        with pytest.raises(UnreachableError) as caught:
            Client(KEY, base_url=server.base_url, timeout=30).balance()
        assert server.connections == 4 + 1  # of /credits, which is not retried
    host = server.base_url.split("/")[2]
    assert re.fullmatch(rf"OpenRouter \({host}\) {text}; tried 4 times in \d\.\d s\.", str(caught.value))


def test_a_retry_that_would_begin_after_the_deadline_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.openrouter.retry.FIRST_WAIT", 90.0)
    monkeypatch.setattr("orcredit.openrouter.retry.LONGEST_WAIT", 90.0)
    with BrokenServer("close") as server:
        with pytest.raises(UnreachableError, match=r"closed the connection without an answer\.$"):
            Client(KEY, base_url=server.base_url, timeout=80).balance()
        assert server.connections == 1 + 1


@pytest.mark.parametrize("fault", ["huge", "huge-length", "gzip-bomb"])
def test_no_more_than_a_mebibyte_is_read(fault: str) -> None:
    with BrokenServer(fault) as server, pytest.raises(NonsenseError, match="more than 1 MiB"):
        Client(KEY, base_url=server.base_url, timeout=30).balance()


def test_invalid_compression_is_named_in_the_error() -> None:
    with BrokenServer("bad-gzip") as server, pytest.raises(NonsenseError, match="cannot be decompressed"):
        Client(KEY, base_url=server.base_url).balance()


@pytest.mark.parametrize("fault", ["hang", "drip-headers", "drip-body"])
def test_the_deadline_holds_against_a_server_that_never_ends(fault: str) -> None:
    with BrokenServer(fault) as server, pytest.raises(UnreachableError, match=r"did not answer within 0\.5 s"):
        Client(KEY, base_url=server.base_url, timeout=0.5).balance()


def test_one_slow_attempt_may_use_the_whole_timeout() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        threading.Event().wait(6)  # longer than the usual five seconds of an HTTP client
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        assert Client(KEY, base_url=server.base_url, timeout=60).balance().level is Level.OK


def test_a_deadline_between_two_attempts_gives_the_last_failure() -> None:
    answers = iter([503])
    done = threading.Event()

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if not request.path.endswith("/key"):
            return simulator.respond(request, now)
        if (status := next(answers, None)) is not None:
            return simulator.Response(status, {}, b"")
        done.wait(30)
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        with pytest.raises(
            UnreachableError, match=r"within 2 s \(tried 2 times\); before that: OpenRouter answered 503"
        ):
            Client(KEY, base_url=server.base_url, timeout=2).balance()
        done.set()


@pytest.mark.process
def test_a_hanging_name_server_delays_neither_the_error_nor_the_exit() -> None:
    program = """
import socket, threading
socket.getaddrinfo = lambda *a, **k: threading.Event().wait(300)
from orcredit import Client, UnreachableError
try:
    Client("sk-or-v1-made-up", base_url="https://openrouter.invalid/v1", timeout=0.5).balance()
except UnreachableError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, text=True, check=True)
    assert "within 0.5 s" in done.stdout


def test_an_unknown_host_is_named_in_the_error() -> None:
    with pytest.raises(UnreachableError, match=r"openrouter\.invalid\) could not be reached: its name could"):
        Client(KEY, base_url="https://openrouter.invalid/v1", timeout=30).balance()


def answering(data: str) -> Callable[[simulator.Request, datetime], simulator.Response]:
    body = f'{{"data": {data}}}'.encode()

    def respond(_: simulator.Request, __: datetime) -> simulator.Response:
        return simulator.Response(200, {"Content-Type": "application/json"}, body)

    return respond


@pytest.mark.parametrize(
    "data",
    [
        '{"limit": null, "usage": 1e99999999999999999999}',
        '{"limit": null, "usage": 1e-99999999999999999999}',
        f'{{"limit": {"9" * 5000}}}',
        f'{{"limit": {"[" * 100_000}',
        '{"limit": null, "expires_at": "0001-01-01T00:00:00+14:00"}',
        '{"limit": null, "free_model_daily_requests": {"used": 3.5}}',
        '{"limit": null, "free_model_daily_requests": {"used": 1e16}}',
        '{"limit": null, "free_model_daily_requests": {"used": 1e30000000}}',
        f'{{"limit": null, "free_model_daily_requests": {{"used": -{"9" * 4000}}}}}',
    ],
)
def test_numbers_and_nesting_out_of_range_are_nonsense_errors(data: str) -> None:
    with simulator.Server(responder=answering(data)) as server, pytest.raises(NonsenseError):
        Client(KEY, base_url=server.base_url).balance()


def test_a_whole_number_may_have_a_decimal_point() -> None:
    with simulator.Server(
        responder=answering('{"limit": null, "free_model_daily_requests": {"used": 36.0}}')
    ) as server:
        requests = Client(KEY, base_url=server.base_url).balance().free_requests
    assert requests is not None
    assert requests.used == 36


def test_a_long_label_is_truncated() -> None:
    with simulator.Server(responder=answering(f'{{"limit": null, "label": "{"x" * 100_000}"}}')) as server:
        label = Client(KEY, base_url=server.base_url).balance().key.label
    assert label == "x" * 200


def test_the_old_management_flag_is_read_where_the_new_one_is_null() -> None:
    flags = '"is_management_key": null, "is_provisioning_key": true'
    answer = f'{{"limit": null, {flags}, "total_credits": 5, "total_usage": 1}}'
    with simulator.Server(responder=answering(answer)) as server:
        balance = Client(KEY, base_url=server.base_url).balance()
    assert balance.spendable == 4


# The host program


@pytest.mark.process
def test_concurrent_retries_share_no_hooks_with_the_host_program() -> None:
    program = """
import sys, threading
from orcredit import Client, OrcreditError
def ask():
    try:
        Client("sk-or-v1-made-up", base_url=sys.argv[1]).balance()
    except OrcreditError:
        pass
threads = [threading.Thread(target=ask) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert "tenacity" in sys.modules
assert "stamina" not in sys.modules, "its hooks are shared by the whole process"
"""
    with scripted(then=503) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.base_url], capture_output=True, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_host_programs_decimal_context_does_not_affect_the_demo() -> None:
    with decimal.localcontext(prec=3, traps=dict.fromkeys(decimal.getcontext().traps, True)):
        assert Client.demo(clock=lambda: simulator.DEMO_INSTANT).balance().spendable == Decimal("158.61")


def test_thresholds_may_be_one_string() -> None:
    def at_sample() -> datetime:
        return simulator.DEMO_INSTANT

    assert Client.demo(warn_below="15", clock=at_sample).balance().level is Level.OK
    assert Client.demo(warn_below="1%,$200", clock=at_sample).balance().level is Level.LOW


# For programs that run for months

PRELOADED = """
import asyncio, os, resource, sys
from datetime import timedelta
from orcredit.cli import monitoring

monitored = monitoring.new_monitored(
    timedelta(seconds=1), base_url=None, timeout=5, warn_below=None, database_url=None, has_history=False,
    hurries=True,
)
before = set(sys.modules)
"""


def run_preloaded(program: str, environ: dict[str, str]) -> str:
    """Run a program after the set-up of `watch` and `serve`; return what it prints."""
    environ = {name: value for name, value in environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED + program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.process
def test_no_poll_imports_a_module_whether_it_succeeds_or_fails(
    tls_url: str, authority: trustme.CA, bare_environ: dict[str, str], server: simulator.Server, tmp_path: Path
) -> None:
    program = """
from orcredit import OrcreditError
from orcredit.client import AsyncClient, EventLoop

async def ask(key, url):
    try:
        (await AsyncClient(key, management_key=key, base_url=url, timeout=5).balance()).model_dump_json()
    except OrcreditError:
        pass

async def main():
    await monitored.poller._ask()  # with the cache of the prompt line
    for address in os.environ["ADDRESSES"].split():
        await ask(*address.split("@"))

with asyncio.Runner(loop_factory=EventLoop) as runner:
    runner.run(main())
print(*sorted(set(sys.modules) - before))
"""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    keys = [
        simulator.key_for(name) for name in ("many-budgets", "error-401", "error-403", "error-503", "html", "bad-date")
    ]
    addresses = [f"{key}@{server.base_url}" for key in keys]
    addresses += [f"{KEY}@{tls_url}", f"{KEY}@http://127.0.0.1:1/v1", f"{KEY}@https://openrouter.invalid/v1"]
    environ = {
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": server.base_url,
        "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
        "ADDRESSES": " ".join(addresses),
    }
    assert run_preloaded(program, bare_environ | environ).split() == []


@pytest.mark.process
def test_polls_fail_while_too_many_files_are_open_and_then_recover(
    bare_environ: dict[str, str], server: simulator.Server
) -> None:
    program = """
async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    monitor = monitored.poller
    monitor._sleep = lambda _: asyncio.sleep(0.01)
    polling = asyncio.ensure_future(monitor.run())
    async for snapshot in monitor.snapshots():
        print(snapshot.error)
        if snapshot.error is None or "https" in os.environ["OPENROUTER_BASE_URL"]:
            break
        while opened:
            os.close(opened.pop())
    polling.cancel()

asyncio.run(main())
"""
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
    failed, recovered = run_preloaded(program, environ).splitlines()
    assert "could not be reached: too many files are open; tried 4 times" in failed
    assert recovered == "None"
    environ["OPENROUTER_BASE_URL"] = "https://openrouter.invalid/v1"  # for which certificates are read first
    assert run_preloaded(program, environ).splitlines() == ["OpenRouter could not be reached: too many files are open."]


# Threads and event loops


def test_it_works_inside_a_running_event_loop(server: simulator.Server) -> None:
    async def cell() -> Level:
        return Client(KEY, base_url=server.base_url).balance().level

    assert asyncio.run(cell()) is Level.OK


def test_it_raises_its_errors_inside_a_running_event_loop(server: simulator.Server) -> None:
    async def cell() -> None:
        Client(simulator.key_for("error-401"), base_url=server.base_url).balance()

    with pytest.raises(KeyRefusedError):
        asyncio.run(cell())


def test_one_client_can_be_used_by_several_threads_and_loops(server: simulator.Server) -> None:
    client = AsyncClient(KEY, base_url=server.base_url)
    levels: list[Level] = []
    ask: Callable[[], object] = lambda: levels.append(asyncio.run(client.balance()).level)  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert levels == [Level.OK] * 4


def test_a_poll_can_be_cancelled() -> None:
    async def impatient(url: str) -> None:
        client = AsyncClient(KEY, management_key=simulator.key_for("management"), base_url=url, timeout=60)
        async with asyncio.timeout(0.2):
            await client.balance()

    with BrokenServer("hang") as server, pytest.raises(TimeoutError):
        asyncio.run(impatient(server.base_url))


def test_both_clients_give_the_same_balance(server: simulator.Server) -> None:
    ours = Client(KEY, base_url=server.base_url).balance()
    theirs = asyncio.run(AsyncClient(KEY, base_url=server.base_url).balance())
    changing = {"fetched_at": None, "pace": None, "budgets": ()}  # the forecasts depend on the time
    assert ours.model_copy(update=changing) == theirs.model_copy(update=changing)


def test_the_demo_needs_no_key_and_shows_the_sample_at_its_instant() -> None:
    balance = Client.demo(warn_below=["$200"], clock=lambda: simulator.DEMO_INSTANT).balance()

    assert (balance.spendable, balance.key.label) == (Decimal("158.61"), "demo (simulated)")
    assert balance.fetched_at == datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
    assert balance.level is Level.LOW


def test_the_demos_clock_is_the_real_one() -> None:
    before = datetime.now(UTC)
    balance = Client.demo().balance()

    assert before <= balance.fetched_at <= datetime.now(UTC)
    spent = (simulator.demo_usage(now).month for now in (before, balance.fetched_at))
    assert balance.remaining is not None
    assert next(spent) <= 500 - balance.remaining <= next(spent)
