"""`orcredit explain`, as it is run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Any

import pytest

from orcredit import simulator
from tests import launcher
from tests.in_process import run_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Finished

DAILY = "HTTP 403: Key limit exceeded (daily limit). Manage it using https://openrouter.ai/settings/keys"
IN_FLIGHT = '402 {"error":{"metadata":{"limit_source":"openrouter_in_flight_budget","headers":{"Retry-After":"7"}}}}'
FIELDS = ["status", "limitSource", "reason", "scope", "retryable", "retryAfterSeconds", "resetsAt", "remedy"]
KEY = "sk-or-v1-" + "0123456789abcdef" * 4
SECRETS = {
    "a key": KEY,
    "another service's key": "sk-ant-api03-hunter2hunter2hunter2",
    "a bearer token": "Bearer eyJhbGciOiJIUzI1NiJ9.hunter2.signature",
    "a password": "postgresql://me:hunter2@db/x",
    "a user's id": "user_2hunter2hunter2hunter2",
    "control characters": "\x1b]0;hunter2\x07\x1b[2J",
    "markup": "[bold]hunter2[/bold]",
}


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[bytes]]:
    """Replace standard input with a file; it is read from its start."""
    with tempfile.TemporaryFile() as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield file


def explain(text: bytes, stdin: IO[bytes], environ: dict[str, str], *options: str) -> Finished:
    stdin.write(text)
    stdin.seek(0)
    return run_here("explain", *options, environ=environ)


# explain


def test_the_arguments_are_explained(bare_environ: dict[str, str]) -> None:
    done = run_here("explain", *DAILY.split(), environ=bare_environ)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "The key's own daily limit is spent, not the account's credit.",
        "Error    403 · openrouter_key_limit",
        "Waiting  helps, until the next 00:00 UTC after the error",
        "Change   Raise the key's limit, or use another key, or wait for its reset;",
        "         buying credit does not help.",
        "Where    https://openrouter.ai/settings/keys",
    ]


def test_standard_input_is_explained(stdin: IO[bytes], bare_environ: dict[str, str]) -> None:
    text = f"2026-08-23T08:00:00Z {DAILY}\n2026-08-23T09:30:00Z {DAILY}\n"
    done = explain(text.encode(), stdin, bare_environ)
    assert done.code == 0
    assert "Seen     the last of 2 errors of OpenRouter in this text" in done.stdout
    assert "Since    Sun 2026-08-23 08:00:00 UTC, last on Sun 2026-08-23 09:30:00 UTC" in done.stdout
    assert "Waiting  is over since Mon 2026-08-24 00:00 UTC: retry now" in done.stdout


def test_the_in_flight_budget_is_not_the_balance(bare_environ: dict[str, str]) -> None:
    done = run_here("explain", IN_FLIGHT, environ=bare_environ)
    assert done.stdout.startswith("In-flight budget, not your balance: retry in 7 s.\n")
    assert "Waiting  helps: 7 s after the error" in done.stdout


def test_json_has_exactly_the_documented_fields(bare_environ: dict[str, str]) -> None:
    done = run_here("explain", "--json", IN_FLIGHT, environ=bare_environ)
    document = json.loads(done.stdout)
    assert list(document) == FIELDS
    assert document["retryAfterSeconds"] == 7
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("--json",), ("--ask",)])
def test_other_texts_are_not_recognised(options: tuple[str, ...], bare_environ: dict[str, str]) -> None:
    done = run_here("explain", *options, "402 files changed", environ=bare_environ)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("orcredit: no error of OpenRouter was found, in 17 bytes of text.\n")


def test_an_empty_text_is_not_recognised(stdin: IO[bytes], bare_environ: dict[str, str]) -> None:
    done = explain(b"", stdin, bare_environ)
    assert (done.code, done.stdout) == (1, "")
    assert "as the text is empty" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, bare_environ: dict[str, str]) -> None:
    controller, terminal = os.openpty()
    with os.fdopen(controller, "wb"), os.fdopen(terminal, "rb", buffering=0) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        done = run_here("explain", environ=bare_environ)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "orcredit: There is nothing to explain: no argument, and standard input is a terminal.",
        "Pipe a log into it (job 2>&1 | orcredit explain), or give the error in quotes.",
    ]


def test_a_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch, bare_environ: dict[str, str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    done = run_here("explain", environ=bare_environ)
    assert (done.code, done.stdout) == (2, "")
    assert "standard input is closed" in done.stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_pipe_that_never_ends_is_left_with_ctrl_c(bare_environ: dict[str, str]) -> None:
    reading, writing = os.pipe()
    pipes: dict[str, Any] = {
        "stdin": reading,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "encoding": "utf-8",
    }
    with launcher.start(["explain"], environ=bare_environ, **pipes) as process:
        os.close(reading)
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(DAILY.encode() + b"\n" + b"x" * 300_000)  # more than a pipe holds: it has begun to read
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (130, "", "")


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("language", ["C.UTF-8", "C"])
def test_lines_fit_and_addresses_are_whole(width: int, language: str, bare_environ: dict[str, str]) -> None:
    text = "403 Only management keys can perform this operation"
    done = run_here("explain", text, environ=bare_environ | {"COLUMNS": str(width), "LC_ALL": language})
    *lines, where = done.stdout.splitlines()
    assert all(len(line) <= width for line in lines)
    assert where == "Where    https://openrouter.ai/settings/management-keys"


def test_colours_only_repeat_what_words_say(bare_environ: dict[str, str]) -> None:
    plain = run_here("explain", DAILY, environ=bare_environ)
    coloured = run_here("explain", DAILY, environ=bare_environ | {"FORCE_COLOR": "1"})
    assert "\x1b[" in coloured.stdout
    assert re.sub(r"\x1b\[\d*m", "", coloured.stdout) == plain.stdout


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "text",
    [
        "{secret}",
        f"{{secret}} {DAILY}",
        f"{DAILY} {{secret}}",
        '{{"error":{{"message":"Key limit exceeded {secret}","code":403,"metadata":{{"limit_source":"{secret}"}}}}}}',
        '{{"message":"403 Key limit exceeded","reason":"{secret}","scope":"{secret}","resets_at":"{secret}"}}',
        '402 "limit_source":"openrouter_{secret}", Retry-After: {secret}, requires more credits {secret}',
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_of_the_text_is_repeated(
    text: str, secret: str, options: tuple[str, ...], stdin: IO[bytes], bare_environ: dict[str, str]
) -> None:
    done = explain(text.format(secret=secret).encode(), stdin, bare_environ, *options)
    assert "hunter2" not in done.stdout + done.stderr
    assert KEY[9:30] not in done.stdout + done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr)


def test_asking_adds_the_own_key(server: simulator.Server, bare_environ: dict[str, str]) -> None:
    own = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
    done = run_here("explain", "--ask", DAILY, environ=bare_environ | own)
    assert done.code == 0
    explained, _, own_key = done.stdout.partition("\nYour key now; the error may be about another one:\n")
    assert explained.startswith("The key's own daily limit is spent")
    assert re.search(r"^Key +sk-or-v1-\S+\nCan spend +\$51\.25 · ok · limited by the key limit\nResets +in ", own_key)
    document = json.loads(run_here("explain", "--ask", "--json", DAILY, environ=bare_environ | own).stdout)
    assert list(document) == [*FIELDS, "yourKey"]
    assert document["yourKey"]["spendable"] == 51.25


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("free-tier", "free models only 38 of 50 free requests left today, until "),
        ("unlimited", "no limit on this key The account's credit is not known: set OPENROUTER_MANAGEMENT_KEY"),
        ("two-spent", "$0.00 · exhausted · limited by the workspace budget Requests are refused until "),
    ],
)
def test_what_is_not_known_of_the_own_key_is_said(
    account: str, said: str, server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    own = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for(account)}
    done = run_here("explain", "--ask", DAILY, environ=bare_environ | own)
    assert f"Can spend {said}" in " ".join(done.stdout.split())


@pytest.mark.parametrize("account", ["error-401", None])
def test_the_error_is_explained_even_if_the_own_key_cannot_be_asked_about(
    account: str | None, server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    own = {"OPENROUTER_BASE_URL": server.base_url} | (
        {"OPENROUTER_API_KEY": simulator.key_for(account)} if account is not None else {}
    )
    done = run_here("explain", "--ask", "--json", DAILY, environ=bare_environ | own)
    assert done.code == 0
    assert json.loads(done.stdout)["yourKey"] is None
    assert done.stderr.startswith("orcredit: your key could not be asked about: ")
