"""Requests that are not as they should be: invalid, ambiguous, too large, too slow, or never finished."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.serving import BALANCE, REFRESH, SESSION, TOKEN, Serving, has_security_headers, is_open, serving

if TYPE_CHECKING:
    import socket
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = pytest.mark.process

MUCH = 10 * 1024 * 1024


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.1\r\nHost: localhost\x00\r\n\r\n", b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n\r\nx\r\n\r\n",
     b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"GET /\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n"],
)  # fmt: skip
def test_invalid_http_is_refused(unguarded: Serving, request_: bytes) -> None:
    with unguarded.wire() as wire:
        wire.send(request_)
        answer = wire.answer()
        assert answer.problem == (400, "bad_request")
        assert has_security_headers(answer)
        assert wire.is_ended()


@pytest.mark.parametrize("path", [BALANCE, "/", "/healthz"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Authorization", [f"Bearer {TOKEN}", "Bearer wrong"]),
        ("Authorization", ["Bearer wrong", f"Bearer {TOKEN}"]),
        ("Origin", ["http://evil.com", "http://localhost"]),
        ("ORIGIN", ["http://localhost", "http://localhost"]),
        ("Sec-Fetch-Site", ["cross-site", "same-origin"]),
        ("Host", ["localhost"]),
    ],
)
def test_a_repeated_header_that_may_have_one_value_is_refused(
    guarded: Serving, name: str, values: list[str], path: str
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for value in values)
    with guarded.wire() as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        answer = wire.answer()
        assert answer.problem == (400, "bad_request")
        assert TOKEN not in answer.everything
        assert has_security_headers(answer)
        assert wire.is_ended()


@pytest.mark.parametrize("path", [SESSION, REFRESH, "/healthz", "/nothing"])
@pytest.mark.parametrize("first", ["Content-Length: 5\r\n", ""])
def test_a_request_whose_end_is_ambiguous_closes_the_connection(unguarded: Serving, path: str, first: str) -> None:
    """RFC 9112, 6.1: a proxy may take what follows for its body, or for another request."""
    second = "" if first else "Content-Length: 5\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{first}Transfer-Encoding: chunked\r\n{second}\r\n"
    with unguarded.wire() as wire:
        wire.send(f"{head}0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = wire.answer()
        assert answer.problem == (400, "bad_request")
        assert has_security_headers(answer)
        assert wire.is_ended()


# Limits


LONG = 17 * 1024


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"x" * LONG,
        b"\r\n".join([b"X-%d: y" % number for number in range(2000)]),
        b"Cookie: " + b"a=b; " * 4000,
    ],
    ids=["one", "many", "cookies"],
)
@pytest.mark.parametrize("piece", [None, 4096, 1000], ids=["at once", "in pieces", "in drops"])
def test_a_head_may_not_be_longer_than_16_kib(unguarded: Serving, head: bytes, piece: int | None) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n"
    with unguarded.wire() as wire:
        with suppress(ConnectionError):  # it may close the connection before the end
            for start in range(0, len(request), piece or len(request)):
                wire.send(request[start : start + (piece or len(request))])
        answer = wire.answer()
    assert answer.problem == (431, "headers_too_large")


def test_a_path_may_not_be_longer_than_16_kib(unguarded: Serving) -> None:
    assert unguarded.ask(f"/{'x' * LONG}").problem == (431, "headers_too_large")
    assert unguarded.ask(f"/?{'x' * LONG}").problem == (431, "headers_too_large")


def test_a_head_just_below_16_kib_is_accepted(unguarded: Serving) -> None:
    assert unguarded.ask("/healthz", X="x" * (16 * 1024 - 200)).status == 200


@pytest.mark.parametrize("size", [4097, MUCH])
@pytest.mark.parametrize("path", [SESSION, REFRESH, "/nothing"])
def test_a_body_may_not_be_longer_than_4_kib(unguarded: Serving, path: str, size: int) -> None:
    headers = {"Content-Type": "application/json"}
    with unguarded.wire() as wire:  # that announces it
        wire.send(unguarded.request("POST", path, headers | {"Connection": None, "Content-Length": str(size)}, None))
        assert wire.answer().problem == (413, "too_large")
        assert wire.is_ended()
    with unguarded.wire() as wire:  # that sends it as well
        with suppress(ConnectionError):
            wire.send(unguarded.request("POST", path, headers, b"x" * size))
        with suppress(ConnectionError, EOFError):
            assert wire.answer().problem == (413, "too_large")
    with unguarded.wire() as wire:  # that does not say how much will come
        with suppress(ConnectionError):
            wire.send(unguarded.request("POST", path, headers | {"Transfer-Encoding": "chunked"}, None))
            for _ in range(0, size, 1000):
                wire.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        with suppress(ConnectionError, EOFError):
            assert wire.answer().problem == (413, "too_large")
    assert unguarded.ask("/healthz").status == 200


def test_a_body_of_4_kib_is_accepted(unguarded: Serving) -> None:
    answer = unguarded.post(SESSION, b" " * 4080 + b'{"token": "x"}  ', Content_Type="application/json")
    assert answer.status == 200
    chunked = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    body = b'4\r\n{"to\r\na\r\nken": "x"}\r\n0\r\n\r\n'
    assert unguarded.raw(unguarded.request("POST", SESSION, chunked, None) + body).status == 200


SHORT = {
    "orcredit.server.connections.HEAD_SECONDS": 1,
    "orcredit.server.middleware.limits.BODY_SECONDS": 1,
}
BEGINNINGS = [
    b"",
    b"G",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea",
]


def test_many_connections_without_a_complete_request_do_not_block_others(unguarded: Serving) -> None:
    with ExitStack() as stack:
        for beginning in (b"", b"GET / HTTP/1.1\r\nHost: lo"):
            for _ in range(200):
                stack.enter_context(unguarded.wire()).send(beginning)
        for _ in range(20):
            assert is_open(unguarded.ask(BALANCE))


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_connection_without_a_complete_request_is_closed(tmp_path: Path, beginning: bytes) -> None:
    with serving("--demo", "--no-history", home=tmp_path, constants=SHORT) as server, server.wire() as wire:
        wire.send(beginning)
        if b"Content-Length" in beginning or b"chunked" in beginning:
            assert wire.answer().problem == (408, "timeout")
        elif beginning.startswith(b"GET /healthz"):
            assert wire.answer().status == 200
        assert wire.is_ended()
        assert server.ask("/healthz").status == 200


def stays_open(wire_socket: socket.socket, drop: bytes) -> bool:
    """Whether a connection on which a few bytes are sent now and then stays open."""
    wire_socket.settimeout(0.2)
    for _ in range(60):
        try:
            wire_socket.sendall(drop)
            if not wire_socket.recv(4096):
                return False
        except TimeoutError:
            pass
        except ConnectionError:
            return False
    return True


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"x"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n"),
        (b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n{", b"x"),
        (b"POST /api/session HTTP/1.1\r\nHost: evil.com\r\nContent-Length: 4000\r\n\r\n{", b"x"),
        (b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"POST /api/session HTTP/1.1\r\nHost: evil.com\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["head", "blank lines", "body", "unwanted body", "chunks", "unwanted chunks"],
)
def test_a_connection_that_sends_too_slowly_is_closed(tmp_path: Path, beginning: bytes, drop: bytes) -> None:
    """Sixty times 0.2 s are twelve seconds; the timeouts here are one second, or uvicorn's five."""
    with serving("--demo", "--no-history", home=tmp_path, constants=SHORT) as server, server.wire() as wire:
        wire.send(beginning)
        assert not stays_open(wire.socket, drop)
        assert server.ask("/healthz").status == 200


def test_a_client_that_disconnects_is_no_internal_error(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path) as server:
        for path in (SESSION, "/api/openrouter/refresh"):
            with server.wire() as wire:
                wire.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{".encode())
            server.wait_for(f"answered POST {path}: 0 ")
        assert server.stop() == 0
    assert "internal error" not in server.errors
