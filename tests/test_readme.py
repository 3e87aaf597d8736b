"""The README keeps its promises: every exit code, option and variable is in it, and its shell example works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from orcredit.cli.line import parse
from orcredit.errors import ExitCode
from orcredit.terminal.line import FIELDS

if TYPE_CHECKING:
    from tests.conftest import Orcredit

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return README.split(f"{heading}\n")[1].split("\n## ")[0]


def test_every_exit_code_has_its_row() -> None:
    section = README.split("## Exit codes")[1].split("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == set(ExitCode)


@pytest.mark.parametrize(
    ("command", "heading"),
    [
        ("status", "## Options of `orcredit status`"),
        ("watch", "## Watching: `orcredit watch`"),
        ("serve", "## In the browser: `orcredit serve`"),
        ("history", "## History: `orcredit history`"),
        ("line", "## At the prompt"),
    ],
)
def test_every_option_has_its_row(orcredit: Orcredit, command: str, heading: str) -> None:
    help_text = orcredit(command, "--help", environ={"COLUMNS": "200"}).stdout
    options = set(re.findall(r"^│ (--[a-z-]+)", help_text, re.MULTILINE))
    rows = re.findall(r"^\| (`-.*?) \|", section(heading), re.MULTILINE)
    assert set(re.findall(r"`(--[a-z-]+)", " ".join(rows))) | {"--help"} == options


def test_every_field_of_the_line_has_its_row() -> None:
    assert re.findall(r"^\| `\{(\w+)\}` \|", section("## At the prompt"), re.MULTILINE) == list(FIELDS)


def test_the_lines_for_prompts_and_status_bars_are_understood() -> None:
    prompt = section("## At the prompt")
    commands = re.findall(r"orcredit (line --[^\n\"')`]+)", prompt)
    assert len(commands) == 5
    assert all(parse(command.split()[1:]) for command in commands)
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", prompt, re.DOTALL))
    assert tomllib.loads(blocks["toml"])["custom"]["orcredit"]["when"] is True
    assert json.loads(f"{{{blocks['jsonc']}}}")["custom/orcredit"]["return-type"] == "json"
    assert json.loads(blocks["json"])["statusLine"]["type"] == "command"


def test_every_variable_the_program_reads_has_its_row() -> None:
    sources = [
        (ROOT / "orcredit" / name).read_text(encoding="utf-8")
        for name in ("credentials.py", "settings.py", "history.py", "server/access.py")
    ]
    read = set(re.findall(r"\b(?:OPENROUTER|ANTHROPIC|ORCREDIT)_[A-Z_]+\b", "\n".join(sources)))
    table = README.split("| variable | meaning |")[1].split("\n\n")[0]
    assert read == set(re.findall(r"\b(?:OPENROUTER|ANTHROPIC|ORCREDIT)_[A-Z_]+\b", table))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("account", "ran", "code"),
    [
        ("normal", True, 0),
        ("low", False, 1),
        ("exhausted", False, 1),
        ("retry-after-3600", True, 0),
        ("error-401", False, 1),
    ],
)
@pytest.mark.process
def test_the_shell_example_runs_the_job_only_when_it_should(
    account: str, ran: bool, code: int, server: simulator.Server, bare_environ: dict[str, str], tmp_path: Path
) -> None:
    example = README.split("```sh\n")[1].split("```")[0]
    job = tmp_path / "nightly-job"
    job.write_text("#!/bin/sh\necho the job ran\n")
    job.chmod(0o755)
    environ = bare_environ | {
        "PATH": f"{Path(sys.executable).parent}:{bare_environ['PATH']}",
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": simulator.key_for(account),
    }
    done = subprocess.run(
        ["/bin/sh", "-c", example], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert ("the job ran" in done.stdout) == ran
    assert done.returncode == code


def test_the_picture_shows_what_the_demo_shows(orcredit: Orcredit) -> None:
    drawn = re.sub(r"<[^>]*>", "", (ROOT / "docs" / "status.svg").read_text(encoding="utf-8")).replace("&#160;", "")
    drawn = "".join(drawn.replace("&#x27;", "'").split())
    for line in orcredit("status", "--demo").stdout.splitlines():
        for word in line.split():
            if "━" not in word:  # the bar, which is drawn otherwise where there is colour
                assert word in drawn
