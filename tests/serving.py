"""`orcredit serve` as a process, and clients for it: HTTP, raw bytes, and its event stream.

Everything is sent over a socket of our own: an HTTP client would put right what some tests want to be wrong.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPMessage, parse_headers
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self

from orcredit import simulator
from tests import launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

PATIENCE = 30.0
"""Seconds for what must happen soon; a longer wait means a bug, or a very busy machine."""

BALANCE = "/api/openrouter/balance"
SNAPSHOT = "/api/openrouter/snapshot"
REFRESH = "/api/openrouter/refresh"
EVENTS = "/api/openrouter/events"
HISTORY = "/api/openrouter/history"
ACCOUNT = "/api/openrouter/account"
KEYS = "/api/openrouter/keys"
KEY_DAYS = "/api/openrouter/keys/days"
ACTIVITY = "/api/openrouter/activity"
CSV = "/api/openrouter/history.csv"
PROFILES = "/api/openrouter/profiles"
DAYS = "/api/openrouter/profiles/days"
SESSION = "/api/session"

TOKEN = "a-token-that-is-not-guessed-1234567890"
BEARER = f"Bearer {TOKEN}"

WAITS_FOR_FILES = {
    "orcredit.server.running._READING_LIMIT": 20.0,
    "orcredit.server.running._KEEPING_LIMIT": 20.0,
    "orcredit.sinks.recorder.SLOW_AFTER": 60.0,
}
"""Longer waits for the files of the sessions and of the history, on a busy machine."""

MANAGEMENT_KEY = simulator.management_key_for("normal")  # for `Upstream` that of whichever account it has

TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
"""What each line of the log begins with, as a regular expression."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def wait_until(condition: Callable[[], bool], what: str = "it did not happen") -> None:
    """Poll a condition until it is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# Clients


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever it is
        assert self.headers["Content-Type"] == "application/json", self
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """The status and the code of an error, which must be a `Problem` document."""
        error = self.json
        assert list(error) == ["error", "code", "hint"]
        assert all(isinstance(value, str) for value in error.values())
        assert error["error"]
        assert self.headers["Cache-Control"] == "no-store"
        return self.status, error["code"]

    @property
    def everything(self) -> str:
        return f"{self.status} {self.headers} {self.body.decode(errors='replace')}"


class Wire:
    """A connection for raw bytes."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, buffer: int | None = None) -> None:
        """Connect; `buffer` is the size of the system's receive buffer."""
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, port))
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        """Read one response, as its framing says."""
        status, headers = self.head()
        length = headers["Content-Length"]
        if method == "HEAD" or status in {204, 304}:
            body = b""
        elif headers["Transfer-Encoding"] == "chunked":
            body = b"".join(self.chunks())
        else:
            body = self.file.read(int(length)) if length is not None else self.file.read()
            assert length is None or len(body) == int(length)
        return Answer(status, headers, body)

    def head(self) -> tuple[int, HTTPMessage]:
        """Read the part before the body."""
        line = self.file.readline()
        if not line:
            raise EOFError
        version, status, _ = line.split(b" ", 2)
        assert version == b"HTTP/1.1"
        return int(status), parse_headers(self.file)

    def chunks(self) -> Iterator[bytes]:
        """Read the body's parts as they come."""
        while line := self.file.readline():
            data = self.file.read(int(line, 16))
            assert self.file.readline() == b"\r\n"
            if not data:
                return
            yield data

    def is_ended(self) -> bool:
        """Whether the server ends the connection, rather than sending anything more."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class ServerEvent:
    """A server-sent event."""

    id: str
    name: str
    text: str

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever it is
        return json.loads(self.text)


class Stream:
    """An event stream, as a browser reads it."""

    def __init__(self, wire: Wire, headers: HTTPMessage) -> None:
        self.wire = wire
        self.headers = headers
        self.said: list[str] = []
        """Every line so far, comments included."""
        self._lines = self._read()

    def _read(self) -> Iterator[str]:
        rest = b""
        for chunk in self.wire.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.said.append(line.decode().rstrip("\r"))
                yield self.said[-1]

    def line(self) -> str:
        """Give the next line; StopIteration at the end."""
        return next(self._lines)

    def next(self) -> ServerEvent:
        """Give the next event; StopIteration at the end."""
        fields = {"id": "", "event": "message"}
        data: list[str] = []
        while True:
            name, _, value = self.line().partition(": ")
            if name == "data":
                data.append(value)
            elif name:
                fields[name] = value
            elif data:
                return ServerEvent(fields["id"], fields["event"], "\n".join(data))

    def rest(self) -> list[ServerEvent]:
        """Give every event until the server ends the stream."""
        events = []
        with suppress(StopIteration):
            while True:
                events.append(self.next())
        return events


# OpenRouter


class ReservedPort:
    """A port of 127.0.0.1 that no other test is given, where a server may listen, and again after it has ended.

    Else another worker's server might take it meanwhile. While none listens, connections are refused.
    """

    def __init__(self) -> None:
        self._holding = socket.socket()
        self._holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holding.bind(("127.0.0.1", 0))
        self.number: int = self._holding.getsockname()[1]
        if sys.platform != "linux":  # where a server could not listen beside this socket
            self.close()

    def close(self) -> None:
        self._holding.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Upstream:
    """An OpenRouter whose account and responses the test sets."""

    def __init__(self) -> None:
        self.account = "normal"
        self.respond: Callable[[simulator.Request, datetime], simulator.Response] = self._as_account
        self._seen: list[simulator.Request] = []
        self._port = ReservedPort()
        self._server = simulator.Server(self._port.number, responder=self._answer)
        self.base_url = self._server.base_url

    def _answer(self, request: simulator.Request, now: datetime) -> simulator.Response:
        self._seen.append(request)
        return self.respond(request, now)

    def _as_account(self, request: simulator.Request, now: datetime) -> simulator.Response:
        is_managing = request.headers.get("authorization") == f"Bearer {MANAGEMENT_KEY}"
        key_for = simulator.management_key_for if is_managing else simulator.key_for
        headers = dict(request.headers) | {"authorization": f"Bearer {key_for(self.account)}"}
        return simulator.respond(simulator.Request(request.method, request.path, headers), now)

    @property
    def polls(self) -> int:
        """The number of polls so far."""
        return sum(request.path.endswith("/key") for request in self._seen)

    def kill(self) -> None:
        """Stop listening."""
        self._server.close()

    def revive(self) -> None:
        """Listen again at the same address."""
        self._server = simulator.Server(self._port.number, responder=self._answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._port.close()


# The program


class Serving:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[bytes], said: str, *, reads_errors: bool) -> None:
        self.process = process
        self.said = said
        """The line on standard output."""
        self.url = said.removeprefix("Listening on ").rstrip("\n")
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self.authority = f"{host}:{port}"
        self.lines: list[str] = []
        """What it wrote to standard error so far."""
        self._reading: threading.Thread | None = None
        if reads_errors:
            self._reading = threading.Thread(target=self._read_errors, daemon=True)
            self._reading.start()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.decode())

    @property
    def errors(self) -> str:
        """Standard error so far; all of it after the end."""
        return "".join(self.lines)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until standard error says that."""
        wait_until(lambda: self.errors.count(text) >= times, f"no {text!r}")

    def wire(self, *, buffer: int | None = None) -> Wire:
        """Connect."""
        return Wire(self.port, "127.0.0.1" if self.host in {"0.0.0.0", "localhost"} else self.host, buffer=buffer)  # noqa: S104

    def request(self, method: str, path: str, headers: Mapping[str, str | None], body: bytes | None) -> bytes:
        """Write a request; a header that is None is left out."""
        fields: dict[str, str | None] = {"Host": self.authority, "Connection": "close"}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        fields |= headers
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items() if text is not None)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, /, **headers: str | None) -> Answer:
        """Send a request on a new connection; `Sec_Fetch_Site` is the header Sec-Fetch-Site, None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.wire() as wire:
            wire.send(self.request(method, path, named, body))
            return wire.answer(method)

    def post(self, path: str, body: bytes | None = None, /, **headers: str | None) -> Answer:
        return self.ask(path, "POST", body, **headers)

    def log_in(self, token: str = TOKEN) -> Answer:
        return self.post(SESSION, json.dumps({"token": token}).encode(), Content_Type="application/json")

    def raw(self, *pieces: bytes) -> Answer:
        """Send bytes, piece by piece, and read what comes back."""
        with self.wire() as wire:
            for piece in pieces:
                wire.send(piece)
            return wire.answer()

    @contextmanager
    def stream(self, query: str = "", /, **headers: str | None) -> Iterator[Stream]:
        """Open the event stream; the query begins with a question mark."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.wire() as wire:
            wire.send(self.request("GET", f"{EVENTS}{query}", named, None))
            status, answered = wire.head()
            assert status == 200, status
            yield Stream(wire, answered)

    def wait_for_answer(self) -> None:
        """Wait until the first poll has ended."""
        wait_until(lambda: self.ask(BALANCE).status != 503)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = PATIENCE) -> int:
        """Send a signal, and give the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=within)
        if self._reading is not None:
            self._reading.join(PATIENCE)
        return code


def environment(home: Path, account: str | None = "normal", **further: str) -> dict[str, str]:
    """Give a new user's environment: no variables of ours but the account's key, an empty home directory, UTC."""
    keep = {name: value for name, value in os.environ.items() if name.startswith(("COV", "PATH", "PYTHON"))}
    environ = keep | {"HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}
    if account is not None:
        environ["OPENROUTER_API_KEY"] = simulator.key_for(account)
    return environ | further


def shortened(home: Path, constants: Mapping[str, float]) -> str:
    """Give a PYTHONPATH with a sitecustomize that changes constants, such as timeouts."""
    folder = home / "shortened"
    folder.mkdir()
    lines = [
        f"import {module}\nassert isinstance({module}.{name}, (int, float))\n{module}.{name} = {value}\n"
        for (module, _, name), value in ((key.rpartition("."), value) for key, value in constants.items())
    ]
    (folder / "sitecustomize.py").write_text("".join(lines), encoding="utf-8")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH"), os.getcwd()]))  # noqa: PTH109


def start(
    *arguments: str,
    environ: Mapping[str, str],
    files: int | None = None,
    constants: Mapping[str, float] | None = None,
) -> subprocess.Popen[bytes]:
    """Start the program, with pipes that are not read yet; see `launcher.start` for the limits."""
    return launcher.start(
        ["serve", *arguments],
        environ=environ,
        files=files,
        constants=constants,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def serving(
    *arguments: str,
    home: Path,
    upstream: Upstream | str | None = None,
    account: str | None = "normal",
    environ: Mapping[str, str] | None = None,
    constants: Mapping[str, float] | None = None,
    reads_errors: bool = True,
    is_measured: bool = True,
    files: int | None = None,
) -> Iterator[Serving]:
    """Run the server on a free port until the end of the block.

    Args:
        arguments: further ones.
        home: its user's home directory.
        upstream: or the address of one.
        account: whose key is set.
        environ: further variables.
        constants: full names of waiting times to change.
        reads_errors: whether its standard error is read.
        is_measured: whether its coverage is, where the tests' is; that takes a third of its time.
        files: how many it may open at once.
    """
    variables = environment(home, account, **(environ or {}))
    if not is_measured:
        variables = {name: value for name, value in variables.items() if not name.startswith("COV")}
    if upstream is not None:
        variables["OPENROUTER_BASE_URL"] = upstream if isinstance(upstream, str) else upstream.base_url
    if launcher.FORKS:
        constants = WAITS_FOR_FILES | dict(constants or {})
    elif constants:
        variables["PYTHONPATH"] = shortened(home, constants)
    port = () if "--port" in arguments else ("--port", "0")
    process = start(*port, *arguments, environ=variables, files=files, constants=constants)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
        said = process.stdout.readline().decode() if readable else ""
        assert said, process.stderr.read() if readable else "it says nothing"
        server = Serving(process, said, reads_errors=reads_errors)
        yield server
        if process.poll() is None:
            server.stop()
        assert process.stdout.read() == b""  # the address was all
        assert "Traceback" not in server.errors
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def is_open(answer: Answer) -> bool:
    """Whether it has the balance."""
    return answer.status == 200 and "remaining" in answer.json


def asset() -> str:
    """Return the name of one of the page's files."""
    return min(file.name for file in (files("orcredit.server") / "page" / "assets").iterdir())


def has_security_headers(answer: Answer) -> bool:
    return all(answer.headers.get_all(name) == [value] for name, value in SECURITY_HEADERS.items())


def ends_in_time(server: Serving, number: signal.Signals = signal.SIGTERM) -> None:
    """Stop it; a bug here would delay it for ever (`benchmarks/serve.py` measures how long it takes)."""
    assert server.stop(number) == 0
