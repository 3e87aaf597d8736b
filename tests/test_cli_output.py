"""What `status` prints, in a pipe and on a terminal; help, version and completion."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import __version__, simulator
from tests import launcher
from tests.pseudo_terminal import read_to_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Orcredit

pytestmark = pytest.mark.process

ESCAPE = "\x1b"


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
    told = threading.Event()

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        if request.path.endswith("/key"):
            told.wait(30)  # what is not told when `/key` has failed is abandoned
        elif answer.status == 200:
            told.set()
        return answer

    with simulator.Server(responder=respond) as server:
        arguments = ["status", "-q", "-v", "--timeout", "60", "--base-url", server.base_url]
        done = orcredit(*arguments, account="error-503", management=simulator.key_for("management"))

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
        shown = read_to_end(ours)
        process.wait(timeout=60)
        return shown

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
