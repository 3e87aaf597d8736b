"""The client's requests: every fault, which statuses are retried and when, and the deadline."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest

from orcredit import Client, KeyRefusedError, Level, NonsenseError, UnavailableError, UnreachableError, simulator
from tests.broken_server import BrokenServer
from tests.serving import ReservedPort

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

KEY = simulator.key_for("normal")

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
    message = r"could not be reached: connection refused; tried 4 times in \d\.\d s"
    with ReservedPort() as port, pytest.raises(UnreachableError, match=message):
        Client(KEY, base_url=f"http://127.0.0.1:{port.number}/api/v1").balance()


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
        client = Client(KEY, base_url=server.base_url, timeout=30)
        client.credit_wait = 3600  # so that every connection is for /key
        with pytest.raises(UnreachableError) as caught:
            client.balance()
        assert server.connections == 4
    host = server.base_url.split("/")[2]
    assert re.fullmatch(rf"OpenRouter \({host}\) {text}; tried 4 times in \d\.\d s\.", str(caught.value))


def test_a_retry_that_would_begin_after_the_deadline_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.openrouter.retry.FIRST_WAIT", 90.0)
    monkeypatch.setattr("orcredit.openrouter.retry.LONGEST_WAIT", 90.0)
    with BrokenServer("close") as server:
        client = Client(KEY, base_url=server.base_url, timeout=80)
        client.credit_wait = 3600  # so that every connection is for /key
        with pytest.raises(UnreachableError, match=r"closed the connection without an answer\.$"):
            client.balance()
        assert server.connections == 1


@pytest.mark.parametrize("fault", ["huge", "huge-length", "gzip-bomb"])
def test_no_more_than_a_mebibyte_is_read(fault: str) -> None:
    with BrokenServer(fault) as server, pytest.raises(NonsenseError, match="more than 1 MiB"):
        Client(KEY, base_url=server.base_url, timeout=30).balance()


def test_invalid_compression_is_named_in_the_error() -> None:
    with BrokenServer("bad-gzip") as server, pytest.raises(NonsenseError, match="cannot be decompressed"):
        Client(KEY, base_url=server.base_url).balance()


@pytest.mark.parametrize("fault", ["hang", "drip-headers", "drip-body"])
def test_the_deadline_holds_against_a_server_that_never_ends(fault: str) -> None:
    with BrokenServer(fault) as server, pytest.raises(UnreachableError, match="did not answer within 2 s"):
        Client(KEY, base_url=server.base_url, timeout=2).balance()


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
