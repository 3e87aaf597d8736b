"""The command `orcredit line`: its exit codes, options, and the refresh in the background."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit import cache, simulator
from orcredit.balance import Level
from orcredit.cli import line as command
from orcredit.errors import KeyRefusedError, UnreachableError
from orcredit.render.line import FIELDS
from tests.failures import assert_failed
from tests.in_process import run_here
from tests.simulated import assess_account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typer.core import TyperOption

    from orcredit.errors import OrcreditError
    from tests.conftest import Orcredit

KEY = simulator.key_for("normal")

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors and sessions")


@pytest.fixture
def prompt(bare_environ: dict[str, str], orcredit: Orcredit, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `orcredit line` with a cache of this age, and with a base URL where nothing listens.

    In this process, unless it starts a refresh, which would remain a child of the tests.
    """
    monkeypatch.setenv("HOME", bare_environ["HOME"])
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def run(
        *arguments: str,
        account: str | None = "demo",
        age: float = 0,
        error: OrcreditError | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401
        url = "http://127.0.0.1:9"
        if account is not None:
            cache.store(url, KEY, assess_account(account))
            file = Path(cache.path_of(url, KEY, ".json") or "")
            whole = json.loads(file.read_text())
            file.write_text(json.dumps(whole | {"writtenAt": round(time.time() - age, 3)}))
        if error is not None:
            cache.store_failure(url, KEY, error)
        variables = {"OPENROUTER_BASE_URL": url, "OPENROUTER_API_KEY": KEY} | dict(environ or {})
        if account is None or age > 60:
            return orcredit("line", *arguments, environ=variables)
        return run_here("line", *arguments, environ=bare_environ | variables)

    return run


# The command


@pytest.mark.parametrize(
    ("account", "code", "words"),
    [
        ("demo", 0, "$158.61 · 31.7%"),
        ("low", 1, "$8.00 · 8.0%"),
        ("exhausted", 3, "exhausted"),
        ("unlimited", 0, "no limit"),
        ("workspace-first", 1, "$1.20 · 4.8%"),
        ("free-tier", 0, "free · 38 left"),
    ],
)
def test_it_exits_with_the_level_unless_exit_zero_is_set(
    prompt: Callable[..., Any], account: str, code: int, words: str
) -> None:
    done = prompt(account=account)
    assert (done.code, done.stderr) == (code, "")
    assert done.stdout.startswith(words)
    assert done.stdout.count("\n") == 1
    assert prompt("--exit-zero", account=account).code == 0


def test_each_level_has_the_exit_code_of_status() -> None:
    assert all(command._EXIT_CODES.get(level.value, 0) == level.exit_code for level in Level)  # noqa: SLF001


def test_options_can_be_combined_and_the_last_of_two_wins(prompt: Callable[..., Any]) -> None:
    template = ["--format={level} {percent}", "--format", "{level}", "--max-age=5m"]
    assert prompt(*template, age=200).stdout == "ok\n"
    assert prompt(*template, "--color", "always", account="low").stdout == "\x1b[31mlow\x1b[0m\n"
    assert prompt(*template, "--color", "always").stdout == "ok\n"
    assert json.loads(prompt(*template, "--for", "waybar").stdout)["text"] == "ok"


def test_a_command_line_that_only_typer_parses_is_run(prompt: Callable[..., Any]) -> None:
    assert command.parse(["--exit-zero", "--"]) is None
    done = prompt("--exit-zero", "--format", "{level}", "--", account="low")
    assert (done.code, done.stdout, done.stderr) == (0, "low\n", "")


def test_a_cache_within_the_maximum_age_starts_no_refresh(
    prompt: Callable[..., Any], bare_environ: dict[str, str]
) -> None:
    assert "old" not in prompt("--max-age", "1h", age=3000).stdout
    assert list(Path(bare_environ["HOME"]).rglob("*.attempt")) == []
    assert "(1h old)" in prompt("--max-age", "1h", age=3700).stdout
    assert len(list(Path(bare_environ["HOME"]).rglob("*.attempt"))) == 1


REFUSED = KeyRefusedError("refused", status=401)


@pytest.mark.parametrize("account", ["demo", None])
def test_a_refused_key_is_said_instead_of_the_numbers_and_exits_with_77(
    prompt: Callable[..., Any], account: str | None
) -> None:
    for arguments in ([], ["--format", "{spendable} {level}"]):
        done = prompt(*arguments, account=account, error=REFUSED)
        assert (done.code, done.stdout, done.stderr) == (77, "key refused (401)\n", "")
    assert prompt("--color", "always", account=account, error=REFUSED).stdout == "\x1b[31mkey refused (401)\x1b[0m\n"
    done = prompt("--for", "waybar", account=account, error=REFUSED)
    assert (done.code, json.loads(done.stdout)["class"]) == (0, "refused")


def test_a_refusal_before_the_balance_is_over(prompt: Callable[..., Any]) -> None:
    prompt(error=REFUSED)
    done = prompt()  # after another balance
    assert (done.code, done.stdout[:7]) == (0, "$158.61")


def test_an_unreachable_openrouter_leaves_the_numbers(prompt: Callable[..., Any]) -> None:
    done = prompt(error=UnreachableError("no answer"))
    assert (done.code, done.stdout[:7]) == (0, "$158.61")
    assert prompt(account=None, environ={"OPENROUTER_API_KEY": "sk-or-v1-new"}).code == 69


def test_without_a_cache_it_prints_an_ellipsis_and_exits_with_69(prompt: Callable[..., Any]) -> None:
    done = prompt(account=None)
    assert (done.code, done.stdout, done.stderr) == (69, "…\n", "")
    done = prompt("--for", "waybar", account=None)
    assert (done.code, json.loads(done.stdout)["text"], json.loads(done.stdout)["class"]) == (0, "…", "unknown")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "{nonsense}"], ["'{nonsense}' is not a field", "{spendable}", "{stale}"]),
        (["--format", "{level"], ["lone '{'"]),
        (["--max-age", "soon"], ["--max-age", "5m"]),
        (["--max-age", "0"], ["--max-age", "1 second"]),
        (["--color", "sometimes"], ["--color", "always", "never"]),
        (["--for", "fish", "--color", "always"], ["--for", "--color"]),
        (["--for", "tcsh"], ["'tcsh'", "bash, zsh, fish"]),
        (["--nonsense"], ["--nonsense", "orcredit line --help"]),
        (["--format"], ["--format"]),
        (["--exit-zero=yes"], ["--exit-zero"]),
        (["surplus"], ["surplus"]),
        (["--exit-zero", "--nonsense"], ["--nonsense"]),
    ],
)
def test_wrong_usage_exits_with_2_and_a_hint(
    prompt: Callable[..., Any], arguments: list[str], words: list[str]
) -> None:
    assert_failed(prompt(*arguments), 2, *words)


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"OPENROUTER_API_KEY": ""}, 78),
        ({"OPENROUTER_API_KEY": "sk-ant-secret"}, 78),
        ({"OPENROUTER_BASE_URL": "http://example.com"}, 78),
        ({"OPENROUTER_MANAGEMENT_KEY": "two words"}, 78),
        ({"OPENROUTER_BASE_URL": "nonsense"}, 2),
    ],
)
def test_configuration_errors_are_printed_and_exit_zero_still_exits_with_0(
    prompt: Callable[..., Any], environ: dict[str, str], code: int
) -> None:
    failed = prompt(environ=environ)
    assert_failed(failed, code)
    assert "secret" not in failed.stderr
    done = prompt("--exit-zero", environ=environ)
    assert (done.code, done.stdout, done.stderr) == (0, "", failed.stderr)


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux")  # noqa: PTH110
def test_a_cache_that_cannot_be_written_is_reported(prompt: Callable[..., Any]) -> None:
    done = prompt(account=None, environ={"XDG_CACHE_HOME": "/proc"})
    assert (done.code, done.stdout) == (69, "…\n")
    assert "the cache cannot be written" in done.stderr


@on_posix
def test_a_closed_pipe_is_no_error(prompt: Callable[..., Any], bare_environ: dict[str, str]) -> None:
    prompt()
    environ = bare_environ | {"OPENROUTER_BASE_URL": "http://127.0.0.1:9", "OPENROUTER_API_KEY": KEY}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "orcredit", "line"], env=environ, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


# The two parsers


FLAGS = (*command.VALUES, *command.SWITCHES)


def test_both_parsers_have_the_same_options() -> None:
    from orcredit.cli.app import application  # noqa: PLC0415 - as the program does

    options = [cast("TyperOption", option) for option in application().commands["line"].params if option.expose_value]
    typers = {option.opts[0]: (option.is_flag, option.default) for option in options}
    assert typers == {
        **dict.fromkeys(command.VALUES, (False, None)),
        **dict.fromkeys(command.SWITCHES, (True, False)),
    }


def test_no_color_is_color_never() -> None:
    assert command.parse(["--color", "always", "--no-color"]) == command.parse(["--color", "never"])
    assert command.parse(["--no-color", "--color", "always"]) == command.parse(["--color", "always"])


def test_help_shows_every_option_and_every_field(bare_environ: dict[str, str]) -> None:
    assert re.search(r"line +Print one short line", run_here("--help", environ=bare_environ).stdout)
    for flag in ("--help", "-h"):
        shown = run_here("line", flag, environ=bare_environ | {"COLUMNS": "200"}).stdout
        assert all(flag in shown for flag in FLAGS)
        assert all(name in shown and meaning in shown for name, meaning in FIELDS.items())


WORDS = st.sampled_from([
    *FLAGS,
    *(f"{flag}=x" for flag in FLAGS),
    *("-p", "-pwork", "-p=work"),
    *("--max-age=", "--form", "--", "-", "-h", "x", "", "=", "--format=a=b", "--exit-zero="),
])  # fmt: skip


@given(st.lists(WORDS, max_size=6))
def test_what_the_quick_parser_accepts_typer_parses_alike(words: list[str]) -> None:
    quick = command.parse(words)
    if quick is not None:
        from orcredit.cli.app import application  # noqa: PLC0415 - as the program does

        parsed = application().commands["line"].make_context("line", list(words)).params
        assert quick == parsed


# The refresh


def wait_for_a_file(home: Path, name: str) -> None:
    deadline = time.monotonic() + 60
    while not list((home / ".cache").rglob(name)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@on_posix
def test_a_refused_refresh_is_said_at_the_next_prompt(orcredit: Orcredit, bare_environ: dict[str, str]) -> None:
    assert orcredit("line", account="error-401").code == 69
    wait_for_a_file(Path(bare_environ["HOME"]), "*.failure")
    done = orcredit("line", account="error-401")
    assert (done.code, done.stdout) == (77, "key refused (401)\n")


@on_posix
def test_it_is_refreshed_in_the_background(orcredit: Orcredit, bare_environ: dict[str, str]) -> None:
    assert orcredit("line", account="low").code == 69
    wait_for_a_file(Path(bare_environ["HOME"]), "*.json")
    done = orcredit("line", account="low")
    assert (done.code, done.stdout[:12]) == (1, "$8.00 · 8.0%")


# A sitecustomize.py that records the arguments, session and descriptors of the refresh, and exits.
RECORDER = """
import json, os, sys
if "WITHOUT_SETSID" in os.environ:
    def posix_spawn(*args, **kwargs): raise NotImplementedError
    os.posix_spawn = posix_spawn
if "status" in sys.orig_argv:
    listing = os.listdir("/proc/self/fd")
    record = {
        "argv": sys.orig_argv[1:], "leads its session": os.getsid(0) == os.getpid(),
        "open": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in listing if os.path.exists(f"/proc/self/fd/{fd}")},
    }
    with open(os.path.expanduser("~/started"), "a") as file:
        file.write(json.dumps(record) + "\\n")
    os._exit(1)
"""

# Runs prompts at once, becomes the parent of the processes they start, and waits for all of them.
SUBREAPER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
inherited = os.open(os.devnull, os.O_RDONLY)
command = [sys.executable, "-m", "orcredit", "line", *sys.argv[2:]]
for turn in range(2):
    prompts = [subprocess.Popen(command, pass_fds=[inherited]) for number in range(int(sys.argv[1]))]
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
"""


def started_by(count: int, bare_environ: dict[str, str], **environ: str) -> list[dict[str, Any]]:
    """Run this many prompts at once, twice, and return the records of the refreshes started; each of them fails."""
    home = Path(bare_environ["HOME"])
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(RECORDER)
    variables = {
        "PYTHONPATH": os.pathsep.join([str(home / "site"), *sys.path[1:]]),
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": "http://127.0.0.1:9",
    }
    subprocess.run(
        [sys.executable, "-c", SUBREAPER, str(count)],
        env={name: value for name, value in bare_environ.items() if not name.startswith("COV")} | variables | environ,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    records = home / "started"
    return [json.loads(line) for line in records.read_text().splitlines()] if records.exists() else []


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("system", [{}, {"WITHOUT_SETSID": "1"}])
@pytest.mark.process
def test_many_prompts_start_one_refresh_which_inherits_no_descriptors(
    bare_environ: dict[str, str], system: dict[str, str]
) -> None:
    [started] = started_by(6, bare_environ, **system)

    assert started["argv"] == ["-P", "-m", "orcredit", "status", "-q"]
    assert started["leads its session"]
    assert started["open"] == dict.fromkeys("012", os.devnull)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("environ", [{"OPENROUTER_API_KEY": ""}, {"XDG_CACHE_HOME": "/proc"}])
@pytest.mark.process
def test_no_refresh_is_started_without_a_key_or_a_claim(bare_environ: dict[str, str], environ: dict[str, str]) -> None:
    assert started_by(1, bare_environ, **environ) == []


@pytest.mark.process
def test_modules_in_the_current_directory_are_not_imported(
    bare_environ: dict[str, str], server: simulator.Server, tmp_path: Path
) -> None:
    current = tmp_path / "checkout"
    current.mkdir()
    for name in ("orcredit", "typer", "json"):
        (current / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close(); raise SystemExit(1)")
    environ = bare_environ | {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if os.path.isabs(path)),  # noqa: PTH117
    }
    script = "import sys; from orcredit.cli import main; sys.exit(main(['line']))"
    subprocess.run([sys.executable, "-P", "-c", script], cwd=current, env=environ, check=False)
    wait_for_a_file(tmp_path, "*.json")
    assert not (tmp_path / "imported").exists()


def test_a_clock_that_python_cannot_represent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, bare_environ: dict[str, str]
) -> None:
    def beyond() -> float:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")

    monkeypatch.setattr(time, "time", beyond)
    done = run_here("line", environ=bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")})
    assert (done.code, done.stdout) == (78, "")
    assert "clock" in done.stderr
