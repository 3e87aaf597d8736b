"""What streams get that cannot encode everything."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from orcredit import simulator
from orcredit.cli import output
from orcredit.config.credentials import fingerprint
from tests.in_process import run_here

TIMES = "\N{MULTIPLICATION SIGN}"


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding, newline="")


def content(written: io.TextIOWrapper) -> str:
    written.flush()
    buffer = written.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(written.encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "$1 - 50% ... ##-- -> 900 x - ????"),
        ("latin-1", f"$1 · 50% ... ##-- -> 900 {TIMES} - ????"),
        ("cp1252", f"$1 · 50% … ##-- -> 900 {TIMES} — ????"),
        ("utf-8", f"$1 · 50% … ━█╌╌ → 900 {TIMES} — Ключ"),
    ],
)
def test_what_a_stream_cannot_encode_becomes_readable(
    encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = stream(encoding), stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    output.prepare_streams()
    text = f"$1 · 50% … ━█╌╌ → 900 {TIMES} — Ключ"
    output.write(text)
    output.complain(text)
    assert content(out) == shown
    assert content(err) == f"orcredit: {shown}\n"


def test_json_is_escaped_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"label": "Ключ · 😀"}, ensure_ascii=False)
    for encoding in ("ascii", "cp1252", "utf-8"):
        monkeypatch.setattr(sys, "stdout", stream(encoding))
        escaped = output.encodable_json(text)
        escaped.encode(encoding)
        assert json.loads(escaped) == json.loads(text)


LANGUAGES = [{"LANG": "C"}, {"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, {"PYTHONIOENCODING": "ascii"}]
COMMANDS = ["status", "line", "watch --count 1 --no-history", "status --help", "history", "--timeout …"]


@pytest.mark.process
@pytest.mark.parametrize("variables", LANGUAGES, ids=str)
def test_no_command_writes_anything_else_in_the_locale_c(
    variables: dict[str, str], server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    """All commands in one process: whether Python chose UTF-8 by itself, only a new one knows."""
    environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("many-budgets")}
    environ |= {"OPENROUTER_BASE_URL": server.base_url, "COLUMNS": "60"}
    run_here("status", "-q", environ=environ)  # for `line`
    program = f"import sys; from orcredit.cli import main\nfor line in {COMMANDS!r}:\n    main(line.split())\n"
    del environ["LANG"]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={name: value for name, value in environ.items() if not name.startswith("COV")} | variables,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout + done.stderr).isascii()
    shown = done.stdout.decode()
    assert "?" not in shown
    assert "Can spend    $7.50 - ok - limited by the API key budget" in shown
    assert "\n$7.50 - " in shown
    assert "'...' is not a duration" in done.stderr.decode()
    assert fingerprint(environ["OPENROUTER_API_KEY"]) not in shown


@pytest.mark.process
@pytest.mark.parametrize("variables", [{"LANG": "C.UTF-8"}, {}, {"LANG": "C", "PYTHONUTF8": "1"}], ids=str)
def test_elsewhere_it_is_utf_8(variables: dict[str, str], bare_environ: dict[str, str]) -> None:
    environ = {name: value for name, value in bare_environ.items() if not name.startswith(("COV", "LANG"))} | variables
    command = [sys.executable, "-m", "orcredit", "status", "--demo"]
    done = subprocess.run(command, env=environ, capture_output=True, check=True, timeout=60)
    assert " · ok · limited by" in done.stdout.decode()
