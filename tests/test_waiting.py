"""What a terminal shows while an answer is waited for, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from orcredit.cli import waiting
from orcredit.config.credentials import server_name
from orcredit.openrouter.meanwhile import Patience
from tests import launcher
from tests.conftest import WAITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

ASKING = "Asking a server on this machine …"
ERASE = "\r\x1b[K"
AT_ONCE = {"orcredit.openrouter.meanwhile.PATIENCE": 0.0}


class Upstream:
    """A server that holds its last answer to `/key` back until it is released, after some failures."""

    def __init__(self, account: str, failures: int) -> None:
        self.released = threading.Event()
        self._account = account
        self._failures = failures

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        is_key = request.path.endswith("/key")
        if is_key and self._failures > 0:
            self._failures -= 1
            return simulator.Response(503, {}, b"")
        if is_key:
            self.released.wait(60)
        headers = {"authorization": f"Bearer {simulator.key_for(self._account)}"}
        return simulator.respond(simulator.Request(request.method, request.path, headers), now)


class Terminal:
    """A program on a pseudo-terminal, which shows what it waits for."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self.shown = ""
        self.ours = ours
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a character may come in two reads

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            self.shown += self._decoder.decode(os.read(self.ours, 65536))

    def read_to_the_end(self) -> int:
        try:
            while chunk := os.read(self.ours, 65536):
                self.shown += self._decoder.decode(chunk)
        except OSError:  # on Linux, when the other side is closed
            pass
        return self.process.wait(timeout=60)

    @property
    def left(self) -> str:
        """What is left to be seen, once the last line was erased; all that was erased stood in that one line."""
        before, _, after = self.shown.rpartition(ERASE)
        assert "\n" not in before
        return after.replace("\r\n", "\n")


@contextmanager
def started(
    *arguments: str,
    environ: dict[str, str],
    upstream: Upstream,
    columns: int = 80,
    constants: dict[str, float] | None = None,
) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with simulator.Server(responder=upstream.respond) as server:
        account = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
        process = launcher.start(
            arguments,
            environ={"TERM": "xterm"} | environ | account,
            constants=WAITS | (constants or {}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            upstream.released.set()
            process.wait(timeout=60)
            os.close(ours)


@pytest.mark.process
def test_it_is_shown_until_the_answer_comes(bare_environ: dict[str, str]) -> None:
    upstream = Upstream("normal", failures=0)
    with started("status", environ=bare_environ, upstream=upstream) as terminal:
        terminal.read_until(ASKING)
        upstream.released.set()
        assert terminal.read_to_the_end() == 0
    assert "Can spend " in terminal.left.splitlines()[0]


@pytest.mark.process
def test_it_is_shown_on_a_terminal_that_reports_no_width(bare_environ: dict[str, str]) -> None:
    upstream = Upstream("normal", failures=0)
    with started("status", environ=bare_environ, upstream=upstream, columns=0) as terminal:
        terminal.read_until("Asking ")
        upstream.released.set()
        assert terminal.read_to_the_end() == 0
    assert ASKING in terminal.shown


@pytest.mark.process
def test_explain_shows_it_when_it_asks(bare_environ: dict[str, str]) -> None:
    upstream = Upstream("normal", failures=0)
    error = '{"error": {"code": 402, "message": "Insufficient credits"}}'
    with started("explain", "--ask", error, environ=bare_environ, upstream=upstream) as terminal:
        terminal.read_until(ASKING)
        upstream.released.set()
        assert terminal.read_to_the_end() == 0
    assert "402" in terminal.left


@pytest.mark.process
def test_it_shows_the_number_of_the_attempt_and_is_gone_before_an_error(bare_environ: dict[str, str]) -> None:
    upstream = Upstream("error-401", failures=2)
    with started("status", environ=bare_environ, upstream=upstream) as terminal:
        terminal.read_until(f"{ASKING} (3rd try)")
        upstream.released.set()
        assert terminal.read_to_the_end() == 77
    assert terminal.left.startswith("orcredit: OpenRouter does not accept the key in OPENROUTER_API_KEY (")


@pytest.mark.process
def test_it_is_gone_after_ctrl_c(bare_environ: dict[str, str]) -> None:
    with started("status", environ=bare_environ, upstream=Upstream("normal", failures=0)) as terminal:
        terminal.read_until(ASKING)
        os.write(terminal.ours, b"x")
        terminal.read_until("x")  # the terminal shows it a moment later, else perhaps only after the line was erased
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.read_to_the_end() == 130
    assert terminal.left == ""


@pytest.mark.process
def test_it_does_not_wrap_on_a_narrow_terminal(bare_environ: dict[str, str]) -> None:
    upstream = Upstream("normal", failures=1)
    with started("status", "--json", environ=bare_environ, upstream=upstream, columns=20) as terminal:
        terminal.read_until("Asking a serve")
        upstream.released.set()
        assert terminal.read_to_the_end() == 0
    lines = terminal.shown.rpartition(ERASE)[0].split(ERASE)
    assert max(map(len, lines)) == 14  # with room for ^C
    assert terminal.left.startswith("{")


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["status", "-q"], {}),
        (["status", "-v"], {}),
        (["status"], {"TERM": "dumb"}),
        (["status"], {"TERM": ""}),
    ],
)
def test_it_is_not_shown_where_it_would_disturb(
    arguments: list[str], environ: dict[str, str], bare_environ: dict[str, str]
) -> None:
    upstream = Upstream("normal", failures=1)
    upstream.released.set()
    with started(*arguments, environ=bare_environ | environ, upstream=upstream, constants=AT_ONCE) as terminal:
        assert terminal.read_to_the_end() == 0
    assert "Asking" not in terminal.shown
    assert ERASE not in terminal.shown


@pytest.mark.process
def test_pipes_never_see_it(bare_environ: dict[str, str], server: simulator.Server) -> None:
    account = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
    environ = bare_environ | account | {"TERM": "xterm"}
    pipe = subprocess.PIPE
    with launcher.start(["status"], environ=environ, constants=AT_ONCE, stdout=pipe, stderr=pipe) as process:
        stdout, stderr = process.communicate()
    assert stdout.startswith(b"Can spend ")
    assert stderr == b""


# Its parts


@pytest.mark.parametrize(
    ("url", "is_loopback", "name"),
    [
        ("https://openrouter.ai/api/v1", False, "OpenRouter"),
        ("https://eu.openrouter.ai/api/v1", False, "OpenRouter"),
        ("https://llm.example.com:8443/v1", False, "llm.example.com"),
        ("http://localhost:1/v1", True, "a server on this machine"),
    ],
)
def test_the_server_is_named(url: str, is_loopback: bool, name: str) -> None:
    assert server_name(url, is_loopback=is_loopback) == name


def told(attempts: tuple[int, ...], *, is_long: bool, monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Run a wait with these attempts after its beginning, and return what was told."""
    monkeypatch.setattr("orcredit.openrouter.meanwhile.PATIENCE", 0.0 if is_long else 60.0)
    calls: list[int | None] = []

    async def wait() -> None:
        with Patience(calls.append) as patience:
            patience.attempted(1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for number in attempts:
                patience.attempted(number)

    asyncio.run(wait())
    return calls


def test_a_quick_answer_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told((2, 3), is_long=False, monkeypatch=monkeypatch) == []


def test_later_attempts_are_told_once_each_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told((1, 2, 1, 2, 3), is_long=True, monkeypatch=monkeypatch) == [1, 2, 3, None]


def test_a_stream_that_is_no_terminal_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    waiting.show("OpenRouter", 1)
    assert not re.search("Asking", "".join(capsys.readouterr()))
