"""What holds for every route of `orcredit serve`, and for its connections."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.serving import (
    BALANCE,
    CSV,
    EVENTS,
    HISTORY,
    REFRESH,
    SESSION,
    SNAPSHOT,
    Answer,
    Serving,
    serving,
)
from tests.steady_server import steady, steady_server

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = pytest.mark.process

__all__ = ["steady", "steady_server"]


def without_clocks(answer: Answer) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.items() if name.lower() not in {"date", "age"}]


# What holds for every route


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 200),
        ("/healthz", "GET", 200),
        ("/openapi.json", "GET", 200),
        (BALANCE, "GET", 200),
        (HISTORY, "GET", 200),
        (CSV, "GET", 200),
        (SESSION, "GET", 200),
        ("/nothing", "GET", 404),
        ("/assets/nothing.js", "GET", 404),
        (f"{HISTORY}?points=1", "GET", 400),
    ],
)
def test_head_answers_as_get_does_without_the_body(server: Serving, path: str, method: str, status: int) -> None:
    shown, told = server.ask(path, method), server.ask(path, "HEAD")
    assert (shown.status, told.status, told.body) == (status, status, b"")
    assert without_clocks(shown) == without_clocks(told)


def test_head_on_the_event_stream_ends(server: Serving) -> None:
    """A kept-alive connection must accept the next request."""
    with server.wire() as wire:
        wire.send(server.request("HEAD", EVENTS, {"Connection": None}, None))
        assert wire.answer("HEAD").status in {200, 405}
        wire.send(server.request("GET", "/healthz", {}, None))
        wire.socket.settimeout(5)
        assert wire.answer().json == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", {"GET", "HEAD"}),
        ("/assets/nothing.js", {"GET", "HEAD"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/readyz", {"GET", "HEAD"}),
        ("/openapi.json", {"GET", "HEAD"}),
        (BALANCE, {"GET", "HEAD"}),
        (SNAPSHOT, {"GET", "HEAD"}),
        (REFRESH, {"POST"}),
        (EVENTS, {"GET", "HEAD"}),
        (HISTORY, {"GET", "HEAD"}),
        (CSV, {"GET", "HEAD"}),
        (SESSION, {"GET", "HEAD", "POST", "DELETE"}),
    ],
)
def test_other_methods_are_refused_with_the_allowed_ones(server: Serving, path: str, allowed: set[str]) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"):
        if method not in allowed:
            answer = server.ask(path, method)
            assert answer.problem == (405, "method_not_allowed")
            assert set(answer.headers["Allow"].split(", ")) == allowed
    if "GET" not in allowed:
        assert server.ask(path).problem == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/", "/api/openrouter", f"{BALANCE}/", f"{BALANCE}.json", "/API/OPENROUTER/BALANCE",
     "/index.html", "/favicon.ico", "/healthz/", "//", "/assets", "/assets/", "/.git/config", "/docs", "/*"],
)  # fmt: skip
def test_other_paths_are_not_found(server: Serving, path: str) -> None:
    assert server.ask(path).problem == (404, "not_found")


@pytest.mark.parametrize(
    "path", [BALANCE, SNAPSHOT, HISTORY, CSV, SESSION, "/healthz", "/readyz", "/openapi.json", "/nothing"]
)
def test_no_response_may_be_stored(server: Serving, path: str) -> None:
    assert server.ask(path).headers["Cache-Control"] == "no-store"


def test_responses_have_a_length_and_no_server_header(server: Serving) -> None:
    for path in ("/", BALANCE, "/nothing"):
        answer = server.ask(path)
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert "Server" not in answer.headers
        assert len(answer.headers) == len({name.lower() for name in answer.headers})


def test_a_bug_is_a_problem_without_its_text_and_the_server_goes_on(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from orcredit.server.routes import history\n"
        "def broken(query): raise RuntimeError('sk-or-v1-a-secret-that-is-long')\n"
        "history.parse_query = broken\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with serving("--demo", home=tmp_path, environ={"PYTHONPATH": path}) as server:
        answer = server.ask(HISTORY)
        assert answer.problem == (500, "internal")
        assert "secret" not in answer.everything
        assert server.ask("/healthz").status == 200
        server.wait_for("internal error: RuntimeError at sitecustomize.py:2")
        assert server.stop() == 0
    assert len(server.lines) == 1
    assert "secret" not in server.errors


# Connections


def test_a_connection_is_kept_alive(server: Serving) -> None:
    with server.wire() as wire:
        for path, status in (("/healthz", 200), ("/nothing", 404), (BALANCE, 200), ("/", 200)):
            wire.send(server.request("GET", path, {"Connection": None}, None))
            assert wire.answer().status == status
        wire.send(server.request("POST", SESSION, {"Connection": None}, b"{}"))
        assert wire.answer().status == 415
        wire.send(server.request("GET", "/healthz", {"Connection": "close"}, None))
        assert wire.answer().json == {"status": "ok"}
        assert wire.is_ended()


def test_pipelined_requests_are_answered_in_order(server: Serving) -> None:
    paths = ["/healthz", "/nothing", BALANCE, SESSION, HISTORY, "/"]
    statuses = [200, 404, 200, 200, 200, 200]
    with server.wire() as wire:
        wire.send(b"".join(server.request("GET", path, {"Connection": None}, None) for path in paths * 5))
        answers = [wire.answer() for _ in paths * 5]
    assert [answer.status for answer in answers] == statuses * 5
    assert {answer.body for answer in answers[::6]} == {b'{"status":"ok"}'}


def test_http_1_0_is_answered_and_closed(server: Serving) -> None:
    with server.wire() as wire:
        wire.send(f"GET {BALANCE} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        assert wire.answer().json["remaining"] == 51.25
        assert wire.is_ended()


def test_a_request_may_come_in_single_bytes(server: Serving) -> None:
    request = server.request("POST", SESSION, {"Content-Type": "application/json"}, b'{"token": "x"}')
    with server.wire() as wire:
        for position in range(len(request)):
            wire.send(request[position : position + 1])
        assert wire.answer().json == {"loginRequired": False, "expiresAt": None}


def test_expect_100_continue_is_answered(server: Serving) -> None:
    """A client that waits for `100 Continue` before it sends a body is refused without it, or sent it."""
    with server.wire() as wire:
        wire.send(server.request("POST", SESSION, {"Expect": "100-continue", "Content-Length": "5000"}, None))
        assert wire.answer().problem == (413, "too_large")
        assert wire.is_ended()
    with server.wire() as wire:
        body = b'{"token": "x"}'
        headers = {"Expect": "100-continue", "Content-Length": str(len(body)), "Content-Type": "application/json"}
        wire.send(server.request("POST", SESSION, headers, None))
        assert wire.head()[0] == 100
        wire.send(body)
        assert wire.answer().status == 200


def test_a_websocket_is_refused(server: Serving) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    with server.wire() as wire:
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        wire.send(server.request("GET", BALANCE, upgrade | key, None))
        answer = wire.answer()
    assert answer.status != 101
    assert "Sec-WebSocket-Accept" not in answer.headers


def test_the_document_does_not_change_with_its_age(server: Serving) -> None:
    first = server.ask(BALANCE)
    deadline = time.monotonic() + 30
    while server.ask(BALANCE).headers["Age"] == first.headers["Age"]:
        assert time.monotonic() < deadline
    assert server.ask(BALANCE).body == first.body
