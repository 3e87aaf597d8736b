"""The command line without a command, `help`, options before the command, and the help."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import typer.rich_utils

from orcredit import __version__, simulator
from orcredit.cli.app import COMMANDS, application
from orcredit.cli.arguments import arranged
from tests.in_process import run_here

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import Finished

ESCAPE = "\x1b"


@pytest.fixture
def environ(bare_environ: dict[str, str], server: simulator.Server) -> dict[str, str]:
    account = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("low")}
    return bare_environ | account | {"COLUMNS": "100"}


def run(line: str, environ: Mapping[str, str]) -> Finished:
    return run_here(*line.split(), environ=environ)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", "status"),
        ("--json", "status --json"),
        ("-q --warn-below 5", "status -q --warn-below 5"),
        ("--json status", "status --json"),
        ("--json watch --count 1", "watch --json --count 1"),
        ("--warn-below 5 --interval=5m watch", "watch --warn-below 5 --interval=5m"),
        ("--no-color line --max-age 5m", "line --no-color --max-age 5m"),
        ("status status", "status status"),
        ("statsu", "statsu"),
        ("--json statsu", "statsu"),
        ("sk-or-v1-key", "sk-or-v1-key"),
        ("--version", "--version"),
        ("--json -V", "-V"),
        ("-h status", "-h"),
        ("status -h", "status -h"),
        ("help", "--help"),
        ("help watch", "watch --help"),
        ("help help", "--help"),
        ("help --help", "--help"),
        ("help nonsense", "nonsense --help"),
    ],
)
def test_the_command_is_put_first(line: str, command: str) -> None:
    assert arranged(line.split(), COMMANDS) == command.split()


def test_a_bare_orcredit_is_status(environ: dict[str, str]) -> None:
    date = datetime.now(UTC) + timedelta(hours=5)  # which counts, as the clock is so far off: both runs see one time
    with simulator.Server(clock=lambda: date) as server:
        environ |= {"OPENROUTER_BASE_URL": server.base_url}
        done = run("", environ)
        assert (done.code, done.stderr) == (1, "")
        assert done.stdout == run("status", environ).stdout
    assert "LOW" in done.stdout


@pytest.mark.parametrize("line", ["--json", "--json status", "--no-color --json status"])
def test_json_works_before_the_command(line: str, environ: dict[str, str]) -> None:
    assert json.loads(run(line, environ).stdout)["level"] == "low"


def test_an_unknown_command_is_still_an_error(environ: dict[str, str]) -> None:
    for line in ("statsu", "--json statsu", "help statsu"):
        done = run(line, environ)
        assert (done.code, done.stdout) == (2, "")
        assert "No such command 'statsu'" in done.stderr


def test_the_version_has_a_short_option(environ: dict[str, str]) -> None:
    assert run("-V", environ).stdout == run("--version", environ).stdout == f"orcredit {__version__}\n"


def test_help_is_a_command(environ: dict[str, str]) -> None:
    assert run("help", environ).stdout == run("--help", environ).stdout
    for command in COMMANDS:
        assert run(f"help {command}", environ).stdout == run(f"{command} --help", environ).stdout


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_shows_no_types_of_switches_and_ends_with_the_documentation(
    command: str, environ: dict[str, str]
) -> None:
    for columns in ("100", "40"):
        shown = run(f"{command} --help", environ | {"COLUMNS": columns}).stdout
        assert "<bool>" not in shown
        assert columns == "40" or "--no-color" in shown  # there, Rich cuts and folds
        assert re.search(
            r"Documentation\s+README\.md and docs/index\.md, in the\s+source code of\s+orcredit\s*$", shown
        )


# Colours


@pytest.mark.parametrize("line", ["status", "--help", "status --help", "history --help"])
def test_no_color_works_before_and_behind_every_command(
    line: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typer.rich_utils, "FORCE_TERMINAL", True)  # read from FORCE_COLOR on import
    environ |= {"FORCE_COLOR": "1"}
    colour = re.compile(rf"{ESCAPE}\[[0-9;]*3[0-7]")
    assert colour.search(run(line, environ).stdout)
    for without in (f"--no-color {line}", f"{line} --no-color"):
        assert not colour.search(run(without, environ).stdout)


def test_every_command_has_the_option() -> None:
    group = application()
    assert list(group.commands) == list(COMMANDS)
    for command in group.commands.values():
        assert "--no-color" in {flag for option in command.params for flag in option.opts}
