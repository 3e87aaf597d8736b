"""`orcredit watch` as a process: lines, JSON, the full screen, and how it ends."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests import launcher
from tests.broken_server import BrokenServer
from tests.pseudo_terminal import rest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tests.conftest import Orcredit

ESCAPE = "\x1b"
ALTERNATE, NORMAL = f"{ESCAPE}[?1049h", f"{ESCAPE}[?1049l"
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")]


class Upstream:
    """OpenRouter as the test wants it to be at the moment."""

    def __init__(self) -> None:
        self.account = "normal"
        self.script: list[str] = []

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        if self.script and request.path.endswith("/key"):
            self.account = self.script.pop(0)
        headers = dict(request.headers) | {"authorization": f"Bearer {simulator.key_for(self.account)}"}
        return simulator.respond(simulator.Request(request.method, request.path, headers), now)


@pytest.fixture
def upstream() -> Iterator[tuple[Upstream, str]]:
    openrouter = Upstream()
    with simulator.Server(responder=openrouter.respond) as server:
        yield openrouter, server.base_url


# Lines


def test_json_gives_one_compact_document_for_each_refresh(orcredit: Orcredit) -> None:
    done = orcredit("watch", "--interval", "1", "--count", "5", "--json", account="normal")

    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.code, done.stderr, len(documents)) == (0, "", 5)
    assert len({document["fetchedAt"] for document in documents}) == 5


def test_a_pipe_gets_one_plain_line_for_each_refresh(orcredit: Orcredit) -> None:
    done = orcredit(
        "watch", "--interval", "1s", "--count", "2", account="control-characters", environ={"COLUMNS": "20"}
    )

    lines = done.stdout.splitlines()
    assert (done.code, len(lines)) == (0, 2)
    assert "$51.25 ok" in lines[0]
    assert "51.2% of the" in lines[0]
    assert done.stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("account", "code"), [("normal", 0), ("low", 1), ("exhausted", 3), ("error-401", 77), ("html", 69)]
)
def test_count_ends_it_with_the_code_of_the_last_refresh(orcredit: Orcredit, account: str, code: int) -> None:
    assert orcredit("watch", "--count", "1", "--json", account=account).code == code


def test_a_failed_refresh_prints_the_last_document_again_marked_stale(
    orcredit: Orcredit, upstream: tuple[Upstream, str]
) -> None:
    openrouter, url = upstream
    openrouter.script = ["normal", "html", "normal"]
    arguments = ["watch", "--json", "--interval", "1", "--count", "3", "--base-url", url]
    done = orcredit(*arguments, account="normal")

    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first["stale"], second["stale"], third["stale"]) == (False, True, False)
    assert "HTML" in second["staleReason"]
    assert second["fetchedAt"] == first["fetchedAt"] != third["fetchedAt"]
    assert done.code == 0


def test_before_any_answer_stdout_is_empty_and_stderr_says_why(orcredit: Orcredit) -> None:
    done = orcredit("watch", "--count", "1", account="error-401")
    assert done.stdout == ""
    masked = simulator.keys.mask(simulator.key_for("error-401"))
    refusal = f"OpenRouter does not accept the key in OPENROUTER_API_KEY ({masked}): 401."
    assert done.stderr.splitlines() == [
        f"orcredit: {refusal}",
        "It may be mistyped, disabled, deleted or expired; see https://openrouter.ai/settings/keys",
    ]


def test_a_level_that_changes_is_told_in_the_line(orcredit: Orcredit, upstream: tuple[Upstream, str]) -> None:
    openrouter, url = upstream
    openrouter.script = ["low", "normal", "exhausted"]
    done = orcredit("watch", "--interval", "1", "--count", "3", "--base-url", url, account="normal")

    lines = done.stdout.splitlines()
    assert lines[1].endswith("the level is ok now, it was low")
    assert lines[2].endswith("the level is exhausted now, it was ok")


def test_a_reset_a_raised_limit_and_a_missed_poll_do_not_distort_the_history(orcredit: Orcredit) -> None:
    answers = iter(
        [
            '"limit": 10, "limit_remaining": 4, "limit_reset": "daily", "usage": 106, "usage_daily": 6',
            '"limit": 10, "limit_remaining": 10, "limit_reset": "daily", "usage": 106, "usage_daily": 0',  # a new day
            None,  # OpenRouter is away, and when it is back the limit has been raised
            '"limit": 50, "limit_remaining": 47.5, "limit_reset": "daily", "usage": 108.5, "usage_daily": 2.5',
            '"limit": 50, "limit_remaining": 46, "limit_reset": "daily", "usage": 110, "usage_daily": 4',
        ]
    )

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if not request.path.endswith("/key"):
            return simulator.respond(request, now)
        data = next(answers)
        if data is None:
            return simulator.Response(404, {}, b"")
        return simulator.Response(200, {}, f'{{"data": {{{data}}}}}'.encode())

    with simulator.Server(responder=respond) as server:
        watched = orcredit(
            "watch", "--json", "--interval", "1", "--count", "5", "--base-url", server.base_url, account="normal"
        )
    documents = [json.loads(line) for line in watched.stdout.splitlines()]
    intervals = json.loads(orcredit("history", "--json", "--since", "1h", "--every", "1h", account="normal").stdout)

    assert [document["remaining"] for document in documents] == [4, 10, 10, 47.5, 46]
    assert [document["stale"] for document in documents] == [False, False, True, False, False]
    assert sum(interval["spend"] for interval in intervals) == 4  # 110 - 106
    assert intervals[-1]["remaining"] == 46


def test_an_upstream_that_hangs_is_a_failed_refresh_and_no_more(orcredit: Orcredit) -> None:
    with BrokenServer("hang") as server:
        # Both requests of a poll must have left by then, on a busy machine, too.
        arguments = ["--timeout", "3", "--interval", "1", "--count", "2", "--base-url", server.base_url]
        done = orcredit("watch", *arguments, account="normal")
        assert server.connections == 4  # of two requests in each poll
    assert (done.code, done.stdout) == (69, "")
    host = server.base_url.split("/")[2]
    complaint = f"orcredit: OpenRouter ({host}) did not answer within 3 s."
    first, _remedy, second = done.stderr.splitlines()  # what to do about it is said once
    assert (first, second) == (complaint, complaint)


@pytest.mark.parametrize("interval", ["0", "500ms", "-1", "soon", "1w"])
def test_an_interval_below_a_second_or_none_at_all_is_wrong_usage(orcredit: Orcredit, interval: str) -> None:
    done = orcredit("watch", "--interval", interval, account="normal")
    assert (done.code, done.stdout) == (2, "")
    assert "Accepted:" in done.stderr or "No such option" in done.stderr


def test_no_key_ends_it_before_it_begins(orcredit: Orcredit) -> None:
    assert orcredit("watch", "--count", "1").code == 78


@contextmanager
def started(arguments: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = launcher.start(
        ["watch", *arguments],
        environ=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_are_the_usual_end(number: signal.Signals, bare_environ: dict[str, str]) -> None:
    with started(["--demo", "--json"], bare_environ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_closed_pipe_ends_it_quietly(bare_environ: dict[str, str]) -> None:
    with started(["--demo", "--json", "--interval", "1"], bare_environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def test_the_history_is_kept_and_can_be_left_out(orcredit: Orcredit, bare_environ: dict[str, str]) -> None:
    data = f"{bare_environ['HOME']}/.local/share/orcredit"
    orcredit("watch", "--count", "1", "--no-history", account="normal")
    orcredit("watch", "--count", "1", "--demo")
    assert not os.path.exists(data)  # noqa: PTH110
    orcredit("watch", "--count", "1", account="normal")
    assert os.path.exists(f"{data}/history.db")  # noqa: PTH110


def test_a_damaged_history_is_said_once_left_alone_and_gone_without(
    orcredit: Orcredit, bare_environ: dict[str, str]
) -> None:
    path = f"{bare_environ['HOME']}/broken.db"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"this is no database" * 1000)
    arguments = ["--interval", "1", "--count", "2", "--json", "--database-url", f"sqlite:///{path}"]
    done = orcredit("watch", *arguments, account="normal")

    assert (done.code, len(done.stdout.splitlines())) == (0, 2)
    assert done.stderr.count("going on without the history") == 1
    assert "history" not in orcredit("watch", *arguments[:4], *arguments[5:], account="normal").stdout
    with open(path, "rb") as file:  # noqa: PTH123
        assert file.read() == b"this is no database" * 1000


def test_what_it_saw_is_kept_for_the_prompt_line(orcredit: Orcredit) -> None:
    orcredit("watch", "--count", "1", account="low")
    assert orcredit("line", account="low").stdout.startswith("$8.00 · 8.0%")


def test_a_user_without_a_home_has_no_history_and_is_told_so() -> None:
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("needs root, to become a user whom the system does not know")
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()},  # noqa: PTH109
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "There is no home directory to keep the history in.\n", done.stderr


HOMELESS = """
import os
from datetime import UTC, datetime
import platformdirs.unix
from orcredit.errors import HistoryError
from orcredit.history import History
os.setgroups([])
os.setuid(12345)  # after the imports: that user may not be allowed to read this checkout
history = History.load()
try:
    history.recent("key", datetime.now(UTC))
except HistoryError as error:
    print(error)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_heard_while_nothing_is_read(number: signal.Signals, bare_environ: dict[str, str]) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"." * 4096)  # until not even the first document fits
    os.set_blocking(write, True)
    command = ["watch", "--demo", "--json", "-v"]
    process = launcher.start(command, environ=bare_environ, stdout=write, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "GET" in process.stderr.readline()  # it has polled, and now it writes
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(read)
        os.close(write)


def test_a_dumb_terminal_gets_lines(on_screen: Callable[..., Terminal]) -> None:
    terminal = on_screen("--demo", "--interval", "1", "--count", "1", TERM="dumb")
    assert terminal.end() == 0
    assert "of the key limit left" in terminal.shown
    assert ESCAPE not in terminal.shown


# The full screen


class Terminal:
    """`orcredit watch` on a pseudo-terminal."""

    def __init__(self, arguments: list[str], environ: dict[str, str]) -> None:
        self._ours, theirs = self._open = list(pty.openpty())
        self.before = termios.tcgetattr(theirs)
        self.after: object = None  # once the program has ended
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.shown = ""
        self.process = launcher.start(
            ["watch", *arguments],
            environ={"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"} | environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )

    def wait_for(self, text: str, *, pressing: str = "", seconds: float = 60) -> None:
        """Read what it shows until that is on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            self.press(pressing)
            assert time.monotonic() < deadline, f"never showed {text!r}: {self.shown[-2000:]!r}"
            self._read()

    def forget(self) -> None:
        """Let `wait_for` look at what is shown from now on."""
        self.shown = ""

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Wait for the program to end, and read all that it has written; give its exit code."""
        while self.process.poll() is None:
            self._read()
        theirs = self._open.pop()
        self.after = termios.tcgetattr(theirs)
        os.close(theirs)
        self.shown += self._decoder.decode(rest_of(self._ours))
        return self.process.returncode

    @property
    def left_behind(self) -> str:
        """What was written after the normal screen was restored."""
        return self.shown[self.shown.rindex(NORMAL) :]

    def _read(self) -> None:
        if select.select([self._ours], [], [], 0.05)[0]:
            self.shown += self._decoder.decode(os.read(self._ours, 65536))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for side in self._open:
            os.close(side)


@pytest.fixture
def on_screen(bare_environ: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def open_terminal(*arguments: str, **environ: str) -> Terminal:
        terminals.append(Terminal(list(arguments), bare_environ | environ))
        return terminals[-1]

    yield open_terminal
    for terminal in terminals:
        terminal.close()


def assert_given_back(terminal: Terminal) -> None:
    """Check that the terminal is as it was."""
    assert terminal.after == terminal.before
    assert terminal.shown.rindex(NORMAL) > terminal.shown.rindex(ALTERNATE)
    assert terminal.shown.rindex(f"{ESCAPE}[?25h") > terminal.shown.rindex(f"{ESCAPE}[?25l")  # the cursor
    assert terminal.shown.rindex(f"{ESCAPE}[23;2t") > terminal.shown.rindex(f"{ESCAPE}[22;2t")  # the title


def test_the_demo_is_alive_and_q_gives_the_terminal_back(on_screen: Callable[..., Terminal]) -> None:
    terminal = on_screen("--demo", "--interval", "1")
    terminal.wait_for("Can spend")
    terminal.wait_for("next refresh in")
    terminal.wait_for("Spent")
    assert re.search(rf"{ESCAPE}\]0;\$\d+\.\d\d, \d+\.\d% - orcredit\x07", terminal.shown)  # the window's title
    terminal.press("q")

    assert terminal.end() == 0
    assert_given_back(terminal)
    assert re.search(r"\$\d+\.\d\d ok  \d+\.\d% of the key limit left", terminal.left_behind)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_give_the_terminal_back(on_screen: Callable[..., Terminal], number: signal.Signals) -> None:
    terminal = on_screen("--demo")
    terminal.wait_for("Can spend")
    terminal.process.send_signal(number)

    assert terminal.end() == 0
    assert_given_back(terminal)
    assert "of the key limit left" in terminal.left_behind


def test_a_crash_gives_the_terminal_back(on_screen: Callable[..., Terminal], bare_environ: dict[str, str]) -> None:
    with open(f"{bare_environ['HOME']}/sitecustomize.py", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("import orcredit.render.live as live\n")
        file.write("def broken(*a): raise RuntimeError('no')\n")
        file.write("live.LiveView.update = broken\n")
    terminal = on_screen("--demo", PYTHONPATH=f"{bare_environ['HOME']}:{os.environ.get('PYTHONPATH', '')}")

    assert terminal.end() == 70
    assert "internal error: RuntimeError" in terminal.shown
    assert terminal.after == terminal.before
    assert terminal.shown.rindex(NORMAL) > terminal.shown.rindex(ALTERNATE)


def test_r_refreshes_now(on_screen: Callable[..., Terminal], upstream: tuple[Upstream, str]) -> None:
    openrouter, url = upstream
    terminal = on_screen("--interval", "1h", OPENROUTER_API_KEY="sk-or-v1-made-up", OPENROUTER_BASE_URL=url)
    terminal.wait_for("$51.25")
    openrouter.account = "unlimited"
    # Pressed again and again: within two seconds of a poll, that poll is answer enough.
    terminal.wait_for("no limit on this key", pressing="r")


def test_the_bell_rings_once_when_the_level_gets_worse(
    on_screen: Callable[..., Terminal], upstream: tuple[Upstream, str]
) -> None:
    openrouter, url = upstream
    openrouter.script = ["normal", "low", "low", "low", "low"]
    environ = {"OPENROUTER_API_KEY": "sk-or-v1-made-up", "OPENROUTER_BASE_URL": url}
    terminal = on_screen("--interval", "1", "--count", "4", **environ)
    assert terminal.end() == 1
    bells = re.sub(rf"{ESCAPE}\][^\x07]*\x07", "", terminal.shown).count("\x07")  # titles end in one as well
    assert bells == 1

    openrouter.script = ["normal", "low"]
    silent = on_screen("--interval", "1", "--count", "2", "--no-bell", **environ)
    assert silent.end() == 1
    assert re.sub(rf"{ESCAPE}\][^\x07]*\x07", "", silent.shown).count("\x07") == 0


def test_problems_are_shown_in_words_with_the_last_numbers(
    on_screen: Callable[..., Terminal], upstream: tuple[Upstream, str]
) -> None:
    openrouter, url = upstream
    terminal = on_screen("--interval", "1", OPENROUTER_API_KEY="sk-or-v1-made-up", OPENROUTER_BASE_URL=url)
    terminal.wait_for("$51.25")
    openrouter.account = "error-401"
    terminal.wait_for("STALE: these numbers are")
    terminal.wait_for("OpenRouter does not accept the key in")
    terminal.wait_for("It may be mistyped, disabled, deleted or expired")
    terminal.wait_for("next try in")
    openrouter.account = "normal"
    terminal.wait_for("OpenRouter answers again")


def test_q_ends_it_while_a_refresh_is_under_way(on_screen: Callable[..., Terminal]) -> None:
    with BrokenServer("hang") as server:
        environ = {"OPENROUTER_API_KEY": "sk-or-v1-made-up", "OPENROUTER_BASE_URL": server.base_url}
        terminal = on_screen("--timeout", "300", **environ)
        terminal.wait_for("Asking OpenRouter")
        terminal.press("rq")
        assert terminal.end() == 0
    assert_given_back(terminal)


def test_function_keys_are_not_the_letters_in_them(on_screen: Callable[..., Terminal]) -> None:
    terminal = on_screen("--demo", "--interval", "1")
    terminal.wait_for("Can spend")
    terminal.press(f"{ESCAPE}OQ{ESCAPE}[12~{ESCAPE}[A{ESCAPE}q")  # F2 twice, up, Alt-q
    terminal.wait_for("Spent")  # there is a second refresh
    terminal.press("q")
    assert terminal.end() == 0


def test_a_question_mark_shows_help_until_the_next_key(on_screen: Callable[..., Terminal]) -> None:
    terminal = on_screen("--demo")
    terminal.wait_for("Can spend")
    terminal.press("?")
    terminal.wait_for("close this help")
    terminal.forget()
    terminal.press("x")
    terminal.wait_for("Can spend")
    terminal.press("?q")
    assert terminal.end() == 0


def test_what_count_asked_for_stays_when_the_screen_is_gone(on_screen: Callable[..., Terminal]) -> None:
    terminal = on_screen("--demo", "--count", "1")
    assert terminal.end() == 0
    assert "of the key limit left" in terminal.left_behind
