"""`orcredit line --for TARGET`: the escapes and colours of what draws it, and the cost of a Claude Code session."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import cache, simulator
from orcredit.cli import line as command
from orcredit.cli import session
from orcredit.render.prompts import TARGETS, for_target, session_text
from orcredit.render.snippets import SNIPPETS
from tests.in_process import run_here
from tests.simulated import assess_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Finished

KEY = simulator.key_for("demo")
URL = "http://127.0.0.1:9"
ESCAPE = "\x1b"
LEFT = re.compile(r"(session \$1\.20 · )?\$158\.61 left · \d+d\n")
"""The line with and without a session; the account's run-out depends on the date."""


@pytest.mark.parametrize(
    ("target", "tone", "shown"),
    [
        ("bash", "neutral", "5% #x "),
        ("bash", "alarm", "\x01\x1b[31m\x025% #x\x01\x1b[39m\x02 "),
        ("zsh", "neutral", "5%% #x "),
        ("zsh", "alarm", "%{\x1b[31m%}5%% #x%{\x1b[39m%} "),
        ("zsh", "dim", "%{\x1b[2m%}5%% #x%{\x1b[22m%} "),
        ("fish", "attention", "\x1b[33m5% #x\x1b[39m"),
        ("tmux", "neutral", "5% ##x"),
        ("tmux", "attention", "#[fg=yellow]5% ##x#[fg=default]"),
        ("tmux", "alarm", "#[fg=red]5% ##x#[fg=default]"),
        ("tmux", "dim", "#[dim]5% ##x#[nodim]"),
        ("starship", "alarm", "\x1b[31m5% #x\x1b[39m"),
        ("claude-code", "dim", "\x1b[2m5% #x\x1b[22m"),
    ],
)
def test_each_target_has_its_escapes_and_colours(target: str, tone: str, shown: str) -> None:
    assert for_target(target, "5% #x", tone) == shown


@pytest.mark.parametrize(
    ("cost", "text"),
    [(0, "session $0.00"), (0.0049, "session <$0.01"), (1.2034, "session $1.20"), (1234.5, "session $1,234.50")],
)
def test_the_cost_of_a_session_has_two_decimals(cost: float, text: str) -> None:
    assert session_text(cost) == text


def test_there_is_a_snippet_for_every_target() -> None:
    assert tuple(SNIPPETS) == TARGETS


# The command


@pytest.fixture
def line(bare_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Finished]:
    """Run `orcredit line --for TARGET` with this account's balance in the cache."""
    monkeypatch.setenv("HOME", bare_environ["HOME"])
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def run(target: str, *arguments: str, account: str = "demo", **variables: str) -> Finished:
        cache.store(URL, KEY, assess_account(account))
        environ = bare_environ | {"OPENROUTER_BASE_URL": URL, "OPENROUTER_API_KEY": KEY} | variables
        return run_here("line", "--for", target, *arguments, environ=environ)

    return run


@pytest.mark.parametrize("target", TARGETS)
def test_a_line_is_printed_for_every_target(target: str, line: Callable[..., Finished]) -> None:
    done = line(target)
    assert (done.code, done.stderr) == (0, "")
    assert "$158.61" in done.stdout
    assert done.stdout.count("\n") == 1
    assert ESCAPE not in done.stdout  # all is well: no colour


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "variables",
    [
        {"OPENROUTER_API_KEY": ""},
        {"OPENROUTER_API_KEY": '"quoted"'},
        {"OPENROUTER_BASE_URL": "http://elsewhere.example"},
        {"OPENROUTER_BASE_URL": "nonsense"},
    ],
)
def test_without_a_usable_key_nothing_is_printed(
    target: str, variables: dict[str, str], line: Callable[..., Finished]
) -> None:
    done = line(target, **variables)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("account", ["low", "exhausted"])
def test_every_level_exits_with_0(account: str, line: Callable[..., Finished]) -> None:
    done = line("fish", account=account)
    assert done.code == 0
    assert done.stdout.startswith("\x1b[31m")


def test_no_color_is_respected(line: Callable[..., Finished]) -> None:
    for target in TARGETS:
        shown = line(target, account="low", NO_COLOR="1").stdout
        assert ESCAPE not in shown
        assert "#[" not in shown


def test_separators_are_ascii_where_others_cannot_be_encoded(
    line: Callable[..., Finished], bare_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line("fish")  # fills the cache
    for name, value in (bare_environ | {"OPENROUTER_BASE_URL": URL, "OPENROUTER_API_KEY": KEY}).items():
        monkeypatch.setenv(name, value)
    options = command.parse(["--for", "fish"])
    assert options is not None
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    with redirect_stdout(stream):
        assert command.run(options) == 0
    assert re.fullmatch(rb"\$158\.61 - 31\.7% - \d+d\n", stream.buffer.getvalue())


def test_a_template_is_escaped_like_the_line(line: Callable[..., Finished]) -> None:
    assert line("zsh", "--format", "100% {level}").stdout == "100%% ok \n"
    assert line("tmux", "--format", "#1 {level}").stdout == "##1 ok\n"


def test_an_unwritable_cache_is_no_error_in_a_prompt(bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"XDG_CACHE_HOME": "/dev/null", "OPENROUTER_BASE_URL": URL, "OPENROUTER_API_KEY": KEY}
    done = run_here("line", "--for", "fish", environ=environ)
    assert (done.code, done.stdout, done.stderr) == (0, "\x1b[2m…\x1b[22m\n", "")


# Claude Code's session


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Replace standard input by a pipe with this content, which is closed unless it is to stay open."""
    opened: list[Any] = []

    def give(content: bytes, *, is_closed: bool = True) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        opened.append(open(reading, encoding="utf-8"))  # noqa: SIM115, PTH123 - closed below
        os.write(writing, content)
        if is_closed:
            os.close(writing)
        else:
            opened.append(open(writing, "wb"))  # noqa: SIM115, PTH123 - closed below
        monkeypatch.setattr(sys, "stdin", opened[0])

    yield give
    for file in opened:
        file.close()


def given(cost: object) -> bytes:
    return json.dumps({"session_id": "x", "cwd": "/home/me", "cost": {"total_cost_usd": cost}}).encode()


def test_the_sessions_cost_comes_first(line: Callable[..., Finished], stdin: Callable[..., None]) -> None:
    stdin(given(1.2034))
    shown = LEFT.fullmatch(line("claude-code").stdout)
    assert shown is not None
    assert shown[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"[]",
        b"null",
        b"{}",
        b'{"cost": 5}',
        b"\xff\xfe",
        b"[" * 50_000,
        *map(given, [None, True, "1.20", -1, 1e12, [1]]),
        b'{"cost": {"total_cost_usd": NaN}}',
        b'{"cost": {"total_cost_usd": Infinity}}',
        given(1.2)[:-5],
    ],
    ids=lambda content: content[-20:].decode(errors="replace"),
)
def test_other_input_gives_the_line_without_a_session(
    content: bytes, line: Callable[..., Finished], stdin: Callable[..., None]
) -> None:
    stdin(content)
    done = line("claude-code")
    assert (done.code, done.stderr) == (0, "")
    shown = LEFT.fullmatch(done.stdout)
    assert shown is not None
    assert shown[1] is None


def test_a_pipe_that_stays_open_is_not_waited_for(
    line: Callable[..., Finished], stdin: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0.05)
    stdin(given(1.2), is_closed=False)
    shown = LEFT.fullmatch(line("claude-code").stdout)
    assert shown is not None
    assert shown[1]


def test_a_terminal_on_standard_input_is_not_read(
    line: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 1e6)
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as terminal, open(ours, "wb"):  # noqa: PTH123 - descriptors
        monkeypatch.setattr(sys, "stdin", terminal)
        assert LEFT.fullmatch(line("claude-code").stdout)


@pytest.mark.parametrize("stream", [None, io.StringIO("no descriptor")])
def test_a_closed_standard_input_is_no_error(
    stream: object, line: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", stream)
    assert LEFT.fullmatch(line("claude-code").stdout)


def test_reading_is_bounded(stdin: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LARGEST", 100)
    monkeypatch.setattr(session, "PATIENCE", 1e6)
    stdin(given(1.2) + b" " * 1000, is_closed=False)
    assert session.read_cost() == 1.2


def test_only_claude_code_reads_standard_input(line: Callable[..., Finished], stdin: Callable[..., None]) -> None:
    stdin(given(1.2034))
    assert "session" not in line("fish").stdout


def test_what_is_left_is_said_at_every_level(line: Callable[..., Finished], stdin: Callable[..., None]) -> None:
    stdin(given(0))
    assert "exhausted" in line("claude-code", account="exhausted").stdout
    stdin(given(0))
    assert "left" not in line("claude-code", account="unlimited").stdout


def test_a_template_follows_the_session(line: Callable[..., Finished], stdin: Callable[..., None]) -> None:
    stdin(given(3))
    assert line("claude-code", "--format", "{level}").stdout == "session $3.00 · ok\n"
