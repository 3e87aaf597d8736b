"""The command line: exit code, stdout and stderr of real processes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import __version__, simulator
from tests import launcher
from tests.broken_server import BrokenServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Orcredit

pytestmark = pytest.mark.process

ESCAPE = "\x1b"


def assert_failed(done: object, code: int, *words: str) -> None:
    """Assert a failure: nothing on stdout, one or two lines on stderr, no traceback."""
    assert (done.code, done.stdout) == (code, "")  # type: ignore[attr-defined]
    lines = done.stderr.splitlines()  # type: ignore[attr-defined]
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("orcredit: ")
    assert "Traceback" not in done.stderr  # type: ignore[attr-defined]
    for word in words:
        assert word in done.stderr  # type: ignore[attr-defined]


# Exit codes where the system refuses resources


@pytest.mark.parametrize("arguments", [["status"], ["watch", "--count", "1"], ["serve", "--port", "0"]])
def test_without_threads_no_command_calls_it_a_bug(
    arguments: list[str], orcredit: Orcredit, bare_environ: dict[str, str]
) -> None:
    with open(f"{bare_environ['HOME']}/sitecustomize.py", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("import threading\n")
        file.write('def refuse(*_): raise RuntimeError("can\'t start new thread")\n')
        file.write("threading.Thread.start = refuse\n")
    path = f"{bare_environ['HOME']}:{bare_environ.get('PYTHONPATH', '')}"
    environ = {"PYTHONPATH": path, "OPENROUTER_BASE_URL": "https://openrouter.invalid/v1"}
    assert_failed(orcredit(*arguments, account="normal", environ=environ), 69, "no thread could be started")


@pytest.mark.skipif(sys.platform != "linux", reason="counts the files of a start on Linux")
@pytest.mark.parametrize("arguments", [["watch", "--count", "1", "--no-history"], ["serve", "--port", "0"]])
def test_too_few_files_are_not_called_a_bug(arguments: list[str], bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")}
    environ["OPENROUTER_BASE_URL"] = "http://127.0.0.1:9/v1"
    with launcher.start(
        arguments, environ=environ, files=5, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (69, b"")
    assert b"too many files are open" in stderr


# Exit codes of levels

LEVELS = (
    ("LOW", 1, {"low", "workspace-first", "credits-told"}),
    ("EXHAUSTED", 3, {"exhausted", "workspace-spent", "two-spent", "zero-limit"}),
    ("no limit on this key", 0, {"unlimited", "grant-only", "negative-credit", "credits-overused"}),
    ("free models only", 0, {"free-tier", "free-tier-used-up"}),
)
UNANSWERABLE = {"older-broken"}
SOMETIMES_REFUSED = {"refused-later"}  # in the second half of every minute


@pytest.mark.parametrize(
    "account", [name for name in simulator.ACCOUNTS if name not in UNANSWERABLE | SOMETIMES_REFUSED]
)
def test_status_shows_the_level_and_exits_with_its_code(orcredit: Orcredit, account: str) -> None:
    table, document = orcredit("status", account=account), orcredit("status", "--json", account=account)
    word, code = next(((word, code) for word, code, names in LEVELS if account in names), ("ok", 0))

    assert [(done.code, done.stderr) for done in (table, document)] == [(code, "")] * 2
    assert word in table.stdout.splitlines()[0]
    level = word.lower() if " " not in word else "unlimited"
    assert json.loads(document.stdout)["level"] == level


@pytest.mark.parametrize(
    ("account", "code"),
    [("normal", 0), ("low", 1), ("two-spent", 3), ("unlimited", 0), ("error-401", 77), ("html", 69)],
)
def test_quiet_has_the_same_exit_codes_and_no_output(orcredit: Orcredit, account: str, code: int) -> None:
    done = orcredit("status", "-q", account=account)
    assert (done.code, done.stdout) == (code, "")
    assert bool(done.stderr) == (code >= 69)


def test_quiet_applies_thresholds(orcredit: Orcredit) -> None:
    done = orcredit("status", "-q", "--warn-below", "99%", account="normal")
    assert (done.code, done.stdout, done.stderr) == (1, "", "")


def test_thresholds_can_be_repeated_and_override_the_variable(orcredit: Orcredit) -> None:
    environ = {"ORCREDIT_WARN_BELOW": "99%"}
    assert orcredit("status", "-q", account="normal", environ=environ).code == 1
    assert orcredit("status", "-q", "--warn-below", "1%", account="normal", environ=environ).code == 0
    assert orcredit("status", "-q", "--warn-below", "1%", "--warn-below", "$52", account="normal").code == 1


# Exit codes of failures

ANSWERS = {"control-characters", "echo-key", "credits-503", "slow-credits"}
REFUSALS = {"error-401", "error-403"}


@pytest.mark.parametrize("account", [*UNANSWERABLE, *(name for name in simulator.FAULTS if name not in ANSWERS)])
def test_faults_have_their_exit_code_and_message(orcredit: Orcredit, account: str) -> None:
    code = 77 if account in REFUSALS else 69
    how = ["--json"] if len(account) % 2 else []  # half of them each way, as failures render nothing
    assert_failed(orcredit("status", *how, account=account), code)


@pytest.mark.parametrize("fault", ["hang", "reset", "truncated", "huge", "drip-body"])
def test_transport_faults_exit_with_69(orcredit: Orcredit, fault: str) -> None:
    with BrokenServer(fault) as server:
        assert_failed(orcredit("status", "--timeout", "1", "--base-url", server.base_url, account="normal"), 69)


def test_quiet_prints_failures_on_stderr(orcredit: Orcredit) -> None:
    assert_failed(orcredit("status", "-q", account="error-401"), 77, "401")


def test_a_retry_after_is_shown(orcredit: Orcredit) -> None:
    assert_failed(
        orcredit("status", account="retry-after-3600"), 69, "429", "it asks to wait until 20", "Try again in 1 h."
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "--warn-below", "-3"], ["--warn-below: '-3' is not a threshold", "10%", "$5"]),
        (["status", "--warn-below", "00"], ["--warn-below: '00' is not a threshold", "quote it ('$50'), or write 50"]),
        (["--warn-below", ""], ["--warn-below: '' is not a threshold", "quote it ('$50'), or write 50"]),
        (["--warn-below"], ["--warn-below", "quote it ('$5'), or write 5"]),
        (["status", "--warn-below", "110%"], ["'110%' is not a threshold", "10%", "$5"]),
        (["status", "--warn-below", "ten"], ["'ten' is not a threshold", "10%", "$5"]),
        (["status", "--json", "-q"], ["--json", "--quiet"]),
        (["status", "--timeout", "0"], ["timeout"]),
        (["status", "--timeout", "nan"], ["timeout"]),
        (["status", "--demo", "--timeout", "0"], ["timeout"]),
        (["status", "--timeout"], ["--timeout", "orcredit status --help"]),
        (["status", "--timeout", "soon"], ["--timeout"]),
        (["status", "--base-url", "nonsense"], ["--base-url", "https://"]),
        (["status", "--demo", "--base-url", "https://example.com"], ["--demo"]),
        (["status", "--api-key", "sk-or-v1-secret"], ["--api-key"]),
        (["status", "surplus"], ["surplus"]),
        (["statsu"], ["statsu"]),
        (["\udcff\udcfe"], ["No such command"]),
        (["status", "--\udcff"], ["No such option"]),
        (["status", "--warn-below", "\udcff"], ["is not a threshold"]),
        (["status", "--timeout", "\udcff"], ["--timeout"]),
        (["--timeout", "soon"], ["--timeout: 'soon' is not a duration"]),
        (["--interval", "5m"], ["--interval", "orcredit status --help"]),
    ],
)
def test_wrong_usage_exits_with_2_and_a_hint(orcredit: Orcredit, arguments: list[str], words: list[str]) -> None:
    assert_failed(orcredit(*arguments, account="normal"), 2, *words)


@pytest.mark.parametrize(
    "environ",
    [{"ORCREDIT_WARN_BELOW": "ten"}, {"OPENROUTER_BASE_URL": "nonsense"}, {"OPENROUTER_BASE_URL": "https://u:p@x.y"}],
)
def test_an_invalid_variable_is_wrong_usage_and_named(orcredit: Orcredit, environ: dict[str, str]) -> None:
    assert_failed(orcredit("status", account="normal", environ=environ), 2, *environ)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ["No OpenRouter key", "OPENROUTER_API_KEY", "--demo"]),
        ({"OPENROUTER_API_KEY": " \n"}, ["No OpenRouter key"]),
        ({"OPENROUTER_API_KEY": "sk-or-v1-\x07bell"}, ["OPENROUTER_API_KEY is not a key"]),
        (
            {"OPENROUTER_API_KEY": "hello", "OPENROUTER_BASE_URL": ""},
            ["OPENROUTER_API_KEY does not hold an OpenRouter"],
        ),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-x"}, ["ANTHROPIC_AUTH_TOKEN", "sk-ant-"]),
        (
            {"ANTHROPIC_AUTH_TOKEN": "other-service", "ANTHROPIC_BASE_URL": "https://llm.example.com"},
            ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"],
        ),
        (
            {"OPENROUTER_API_KEY": "sk-or-v1-x", "OPENROUTER_BASE_URL": "http://example.com"},
            ["Plain http", "example.com"],
        ),
    ],
)
def test_configuration_errors_exit_with_78(orcredit: Orcredit, environ: dict[str, str], words: list[str]) -> None:
    assert_failed(orcredit("status", environ=environ), 78, *words)


def test_claude_codes_token_for_another_service_is_sent_to_no_server(orcredit: Orcredit) -> None:
    with simulator.Server() as server:
        environ = {"OPENROUTER_BASE_URL": server.base_url, "ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-x"}
        orcredit("status", environ=environ)
        environ |= {"ANTHROPIC_AUTH_TOKEN": "other", "ANTHROPIC_BASE_URL": "https://llm.example.com"}
        orcredit("status", environ=environ)
        assert server.requests == []


def test_claude_codes_openrouter_key_is_used(orcredit: Orcredit) -> None:
    environ = {
        "ANTHROPIC_AUTH_TOKEN": f" {simulator.key_for('low')}\n",
        "ANTHROPIC_BASE_URL": "https://openrouter.ai/api",
    }
    assert orcredit("status", "-q", environ=environ).code == 1


# The account's credit


def test_a_management_key_adds_the_accounts_credit(orcredit: Orcredit) -> None:
    management = simulator.management_key_for("credit-below-limit")
    done = orcredit("status", account="credit-below-limit", management=management)

    assert done.stdout.startswith("Can spend    $0.13")
    assert "limited by the account's credit" in done.stdout
    assert f"{management[:12]}...{management[-3:]}" in done.stdout


def test_an_account_error_is_on_stderr_and_in_the_document(orcredit: Orcredit) -> None:
    done = orcredit("status", "--json", account="normal", management=simulator.key_for("error-401"))

    assert done.code == 0
    assert json.loads(done.stdout)["account"] is None
    assert "401" in json.loads(done.stdout)["accountError"]
    assert done.stderr.startswith("orcredit: the account's credit is not known, asked with the management key: ")


# Output


def test_json_is_one_line_in_a_pipe(orcredit: Orcredit) -> None:
    done = orcredit("status", "--json", account="normal")

    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["spendable"] == 51.25


def test_the_demo_needs_no_key_network_or_disk_and_is_marked_as_simulated(
    orcredit: Orcredit, bare_environ: dict[str, str]
) -> None:
    environ = {"OPENROUTER_BASE_URL": "https://openrouter.invalid", "HTTPS_PROXY": "http://127.0.0.1:1"}
    table = orcredit("status", "--demo", environ=environ)
    document = json.loads(orcredit("status", "--demo", "--json", environ=environ).stdout)

    assert table.code == 0
    assert "simulated" in table.stdout.splitlines()[0]
    assert document["key"]["label"] == "demo (simulated)"
    fetched_at = datetime.fromisoformat(document["fetchedAt"])
    assert abs(fetched_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert document["totalLimit"] == 500
    assert document["remaining"] == pytest.approx(float(500 - simulator.demo_usage(fetched_at).month), abs=0.01)
    assert "simulated" in orcredit("status", "--demo", "-q", "-v", environ=environ).stderr
    assert os.listdir(bare_environ["HOME"]) == []  # noqa: PTH208


def test_verbose_logs_each_request(orcredit: Orcredit) -> None:
    done = orcredit("status", "-q", "-v", account="error-503", management=simulator.key_for("management"))

    lines = done.stderr.splitlines()
    assert len([line for line in lines if re.fullmatch(r"orcredit: GET /api/v1/key: 503 after \d\.\d{3} s", line)]) == 4
    assert "orcredit: GET /api/v1/credits: 200 after" in done.stderr


def test_version_and_help(orcredit: Orcredit) -> None:
    assert orcredit("--version").stdout == f"orcredit {__version__}\n"
    assert "Commands" in orcredit("--help").stdout
    help_text = orcredit("status", "-h").stdout
    assert "--warn-below 5 || echo" in help_text
    assert "--api-key" not in help_text


def test_the_installed_command_is_the_same_program(bare_environ: dict[str, str]) -> None:
    command = f"{os.path.dirname(sys.executable)}/orcredit"  # noqa: PTH120
    done = subprocess.run([command, "--version"], env=bare_environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"orcredit {__version__}\n"


def test_completion_completes(orcredit: Orcredit) -> None:
    environ = {"_ORCREDIT_COMPLETE": "complete_bash", "COMP_WORDS": "orcredit stat", "COMP_CWORD": "1"}
    assert orcredit(environ=environ).stdout.split() == ["status"]


# Closed pipes, full disks and missing streams


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["status", "--demo"], ["status", "--demo", "--json"], ["--help"]])
def test_a_closed_pipe_is_no_error(arguments: list[str], unbuffered: str, bare_environ: dict[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "orcredit", *arguments],
        env=bare_environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


needs_full_device = pytest.mark.skipif(
    not os.path.exists("/dev/full"),  # noqa: PTH110
    reason="needs /dev/full, a Linux device",
)


@needs_full_device
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["status", "--demo"], ["status", "--demo", "--json"], ["--help"], ["--version"]])
def test_a_full_disk_is_a_configuration_error(
    arguments: list[str], unbuffered: str, bare_environ: dict[str, str]
) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "orcredit", *arguments],
            env=bare_environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
            text=True,
        )
    assert done.returncode == 78
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@needs_full_device
@pytest.mark.skipif(os.name != "posix", reason="O_NONBLOCK")
@pytest.mark.parametrize("arguments", [["status", "--json"], ["watch", "--json", "--count", "1", "--no-history"]])
def test_a_pipe_that_does_not_block_is_waited_for(arguments: list[str], bare_environ: dict[str, str]) -> None:
    budgets = ",".join(f'{{"scope": "scope-{number}", "limit_usd": 1, "spend_usd": 0}}' for number in range(1000))
    body = f'{{"data": {{"limit": null, "budgets": [{budgets}]}}}}'.encode()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with simulator.Server(responder=lambda *_: simulator.Response(200, {}, body)) as server:
        environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")}
        environ["OPENROUTER_BASE_URL"] = server.base_url
        with launcher.start(arguments, environ=environ, stdin=subprocess.DEVNULL, stdout=writing) as process:
            os.close(writing)
            while not select.select([reading], [], [], 0.1)[0]:
                pass
            time.sleep(0.5)  # by now the pipe is full
            with open(reading, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
                document = json.load(pipe)
    assert process.returncode == 0
    assert len(document["budgets"]) == 1000


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("account", "code"), [("error-401", 77), ("normal", 0)])
def test_a_full_disk_under_stderr_does_not_change_the_exit_code(
    account: str, code: int, unbuffered: str, server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    environ = bare_environ | {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": simulator.key_for(account),
        "OPENROUTER_MANAGEMENT_KEY": simulator.key_for("error-401"),  # whose failure is printed on stderr
        "PYTHONUNBUFFERED": unbuffered,
    }
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "orcredit", "status", "--json", "-v"]
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=full, check=False, timeout=60)
    assert done.returncode == code


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- >&- 2>&-", "<&- >&-"])
def test_missing_streams_are_no_error(closed: str, bare_environ: dict[str, str]) -> None:
    command = f"{sys.executable} -m orcredit status --demo {closed}"
    assert subprocess.run(["/bin/sh", "-c", command], env=bare_environ, check=False, timeout=60).returncode == 0


# Exit


def ended(environ: dict[str, str], before: str = "", *options: str) -> subprocess.CompletedProcess[str]:
    """Run the console script's function, and print which parts of a normal exit take place."""
    program = (
        "import atexit, os, sys, threading\n"
        "class Module:\n"
        "    def __del__(self, write=os.write): write(1, b'finalized\\n')\n"
        "module = Module()\n"
        "atexit.register(print, 'exit handlers')\n"
        "from orcredit.cli import run\n"
        f"{before}\n"
        "sys.argv = ['orcredit', 'status', '--warn-below', 'ten']\n"
        "run()\n"
    )
    environ = {name: value for name, value in environ.items() if not name.startswith("COV")}
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )


def test_it_runs_exit_handlers_without_finalizing_the_interpreter(bare_environ: dict[str, str]) -> None:
    done = ended(bare_environ)
    assert (done.returncode, done.stdout) == (2, "exit handlers\n")
    assert done.stderr.startswith("orcredit: --warn-below: 'ten' is not a threshold.")


@pytest.mark.parametrize(
    "watched",
    [
        "sys.settrace(lambda *_: None)",
        "sys.setprofile(lambda *_: None)",
        "threading.Thread(target=lambda: [threading.main_thread().join(), print('thread')]).start()",
    ],
)
def test_it_exits_normally_under_a_debugger_or_profiler_or_with_non_daemon_threads(
    watched: str, bare_environ: dict[str, str]
) -> None:
    done = ended(bare_environ, watched)
    assert done.returncode == 2
    assert done.stdout.endswith("exit handlers\nfinalized\n")
    assert ("thread\n" in done.stdout) == ("Thread" in watched)


def test_it_exits_normally_in_interactive_mode(bare_environ: dict[str, str]) -> None:
    done = ended(bare_environ, "", "-i")
    assert "SystemExit: 2" in done.stderr
    assert done.stdout == "exit handlers\nfinalized\n"


# A terminal


@pytest.fixture
def on_a_terminal(server: simulator.Server, bare_environ: dict[str, str]) -> Callable[..., str]:
    """Run the program on a pseudo-terminal and return its output."""

    def run(*arguments: str, account: str = "normal", **environ: str) -> str:
        ours, theirs = pty.openpty()
        variables = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for(account)}
        defaults = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        process = launcher.start(
            arguments,
            environ=bare_environ | variables | defaults | environ,
            constants={"orcredit.openrouter.meanwhile.PATIENCE": 60.0},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # on Linux, when the other side is closed
            pass
        os.close(ours)
        process.wait(timeout=60)
        return shown.decode().replace("\r\n", "\n")

    return run


def test_json_is_indented_on_a_terminal(on_a_terminal: Callable[..., str]) -> None:
    shown = on_a_terminal("status", "--json")
    assert shown.startswith('{\n  "totalLimit": 100.0,\n')
    assert json.loads(shown)["level"] == "ok"


@pytest.mark.parametrize(
    ("account", "colour"), [("normal", "32"), ("all-time-usage", "33"), ("low", "31"), ("exhausted", "31")]
)
def test_the_bar_is_green_above_half_else_yellow_and_red_when_low(
    on_a_terminal: Callable[..., str], account: str, colour: str
) -> None:
    percent = next(line for line in on_a_terminal("status", account=account).splitlines() if "% left" in line)
    assert f"{ESCAPE}[{colour}m" in percent


def test_no_color_and_dumb_terminals_are_respected(on_a_terminal: Callable[..., str]) -> None:
    assert not re.search(rf"{ESCAPE}\[[0-9;]*3[0-7]", on_a_terminal("status", NO_COLOR="1"))
    assert ESCAPE not in on_a_terminal("status", TERM="dumb")


def test_a_pipe_has_no_colour_unless_it_is_forced(orcredit: Orcredit) -> None:
    assert ESCAPE not in orcredit("status", account="low").stdout
    assert ESCAPE in orcredit("status", account="low", environ={"FORCE_COLOR": "1"}).stdout


def test_a_terminal_without_a_width_gets_a_narrow_table(orcredit: Orcredit) -> None:
    for columns in ("0", "1", "20"):
        assert "Can spend" in orcredit("status", account="normal", environ={"COLUMNS": columns}).stdout


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--demo"]])
@pytest.mark.parametrize(
    "environ",
    [
        {"COLUMNS": size, "LINES": size, "TERMINAL_WIDTH": size}
        for size in ("abc", "\N{SUPERSCRIPT TWO}", "-5", "9" * 20)
    ],
)
def test_invalid_terminal_sizes_are_ignored(orcredit: Orcredit, arguments: list[str], environ: dict[str, str]) -> None:
    done = orcredit(*arguments, environ=environ)
    assert (done.code, done.stderr) == (0, "")
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("account", ["normal", "many-budgets", "byok", "expiring", "control-characters", "exhausted"])
def test_the_table_fits(orcredit: Orcredit, account: str, columns: int) -> None:
    done = orcredit("status", account=account, environ={"COLUMNS": str(columns)})
    assert max(len(line) for line in done.stdout.splitlines()) <= columns
    assert "$" in done.stdout.splitlines()[0]
