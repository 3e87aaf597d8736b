"""The snippets of `orcredit init`, run by the shells and programs that they are for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit import cache, simulator
from orcredit.render.snippets import SNIPPETS
from tests.in_process import run_here
from tests.pseudo_terminal import PseudoTerminal, needed
from tests.simulated import assess_account

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals"),
]

KEY = simulator.key_for("low")
URL = "http://127.0.0.1:9"
RED, PLAIN = "\x1b[31m", "\x1b[39m"


@pytest.fixture
def environ(bare_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a user with a key that is low, whose balance is in the cache."""
    monkeypatch.setenv("HOME", bare_environ["HOME"])
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "ZDOTDIR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    cache.store(URL, KEY, assess_account("low"))
    quiet = {name: value for name, value in bare_environ.items() if not name.startswith("COV")}
    return quiet | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{bare_environ['PATH']}",
        "TERM": "xterm-256color",
        "OPENROUTER_BASE_URL": URL,
        "OPENROUTER_API_KEY": KEY,
    }


def write(target: str, environ: dict[str, str]) -> None:
    """Run `orcredit init TARGET --write`."""
    done = run_here("init", target, "--write", environ=environ)
    assert (done.code, done.stderr) == (0, ""), done


SHELLS = {
    "bash": (".bashrc", "PS1='READY# '\n", ["bash", "-i"]),
    "zsh": (".zshrc", "PROMPT='READY# '\n", ["zsh", "-i"]),
    "fish": (".config/fish/config.fish", "function fish_prompt\n    echo -n 'READY# '\nend\n", ["fish", "-i"]),
}
"""The start-up file, what sets a prompt there, and how the shell is started."""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, environ: dict[str, str]) -> list[str]:
    """The command of a shell whose start-up file sets a prompt and has the snippet."""
    file, prompt, command = SHELLS[request.param]
    needed(request.param)
    path = Path(environ["HOME"]) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(prompt)
    write(request.param, environ)
    return command


SUM = r"printf '4%s\n' 2"
"""A command whose output is not in its text, in every shell."""

DRAWN = r"READY#(?s:.*)8\.0%|8\.0%(?s:.*)READY#"


def test_the_shell_draws_the_line_in_its_prompt(shell: list[str], environ: dict[str, str], tmp_path: Path) -> None:
    with PseudoTerminal(shell, environ=environ, cwd=tmp_path) as terminal:
        terminal.until(DRAWN)
        shown = terminal.until(rf"{re.escape(RED)}\$8\.00 · 8\.0%[^\x1b]*{re.escape(PLAIN)}", with_escapes=True)
        assert not set(shown) & {"\x01", "\x02"}  # readline's own marks
        assert "%{" not in shown
        assert "8.0%%" not in shown
        terminal.type(f"{SUM}\r")
        terminal.until(r"[\r\n]42[\r\n](?s:.*)READY#")


def test_without_a_key_the_prompt_is_as_it_was(shell: list[str], environ: dict[str, str], tmp_path: Path) -> None:
    del environ["OPENROUTER_API_KEY"]
    with PseudoTerminal(shell, environ=environ, cwd=tmp_path) as terminal:
        terminal.until("READY# ")
        terminal.type(f"{SUM}\r")
        shown = terminal.until(r"[\r\n]42[\r\n](?s:.*)READY# ")
    assert not re.search(r"orcredit|\$8|error|usage", shown, re.IGNORECASE)
    assert " READY" not in shown


def test_lines_that_are_read_twice_draw_once(shell: list[str], environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "again").write_text(SNIPPETS[shell[0]].text)
    with PseudoTerminal(shell, environ=environ, cwd=tmp_path) as terminal:
        terminal.until(DRAWN)
        terminal.type("source ./again\r")
        terminal.type(f"{SUM}\r")
        shown = terminal.until(rf"(?s)[\r\n]42[\r\n].*(?:{DRAWN})")
    assert shown.rpartition("42")[2].count("$8.00") == 1


def test_fishs_own_right_prompt_stays(environ: dict[str, str], tmp_path: Path) -> None:
    needed("fish")
    path = tmp_path / ".config" / "fish" / "config.fish"
    path.parent.mkdir(parents=True)
    path.write_text("function fish_right_prompt\n    echo -n status=$status\nend\n")
    write("fish", environ)
    with PseudoTerminal(["fish", "-i"], environ=environ, cwd=tmp_path) as terminal:
        terminal.until(r"8\.0%[^\n]*status=0")
        terminal.type("false\r")
        terminal.until(r"8\.0%[^\n]*status=1")


@pytest.mark.parametrize(
    ("program", "prompt"), [("bash", "PS1='status=$? READY# '\n"), ("zsh", "PROMPT='status=%? READY# '\n")]
)
def test_the_exit_status_stays(program: str, prompt: str, environ: dict[str, str], tmp_path: Path) -> None:
    needed(program)
    (tmp_path / SHELLS[program][0]).write_text(prompt)
    write(program, environ)
    with PseudoTerminal(SHELLS[program][2], environ=environ, cwd=tmp_path) as terminal:
        terminal.until(r"8\.0%[^\n]*status=0 READY")
        terminal.type("(exit 3)\r")
        terminal.until(r"8\.0%[^\n]*status=3 READY")


@pytest.fixture
def socket() -> Iterator[str]:
    """The path of a socket for tmux, short enough for one."""
    folder = tempfile.mkdtemp(prefix="orcredit-tmux-")
    yield f"{folder}/socket"
    shutil.rmtree(folder)


def test_tmux_draws_the_line_in_its_status_line(environ: dict[str, str], tmp_path: Path, socket: str) -> None:
    tmux = [needed("tmux"), "-S", socket]
    (tmp_path / ".tmux.conf").write_text("set -g default-command cat\n")
    write("tmux", environ)
    try:
        with PseudoTerminal([*tmux, "new"], environ=environ, cwd=tmp_path, columns=120) as terminal:
            shown = terminal.until(rf"{re.escape(RED)}\$8\.00 · 8\.0%", with_escapes=True)
            assert "#[" not in shown
            for _ in range(2):  # reading the file again adds nothing
                subprocess.run([*tmux, "source-file", tmp_path / ".tmux.conf"], env=environ, check=True)
            options = [*tmux, "show-options", "-gv", "status-right"]
            status = subprocess.run(options, env=environ, check=True, capture_output=True, text=True).stdout
        assert status.count("orcredit") == 1
        assert "%H:%M" in status  # what was there before
    finally:
        subprocess.run([*tmux, "kill-server"], env=environ, check=False, stderr=subprocess.DEVNULL)


def test_tmux_shows_number_signs_as_they_are(environ: dict[str, str], tmp_path: Path, socket: str) -> None:
    tmux = [needed("tmux"), "-S", socket]
    template = "#[x] ##{{y}} {spendable} #S"
    (tmp_path / ".tmux.conf").write_text(
        "set -g default-command cat\nset -g status-right-length 60\n"
        f"set -g status-right \"#(orcredit line --for tmux --format '{template.replace('#', '##')}')\"\n"
    )
    try:
        with PseudoTerminal([*tmux, "new"], environ=environ, cwd=tmp_path, columns=120) as terminal:
            terminal.until(r"#\[x\] #+\{y\} \$8\.00 #S")
    finally:
        subprocess.run([*tmux, "kill-server"], env=environ, check=False, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(("for_shell", "begin", "end"), [("bash", r"\[", r"\]"), ("zsh", "%{", "%}"), ("fish", "", "")])
def test_starship_draws_the_line(for_shell: str, begin: str, end: str, environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"STARSHIP_SHELL": for_shell, "STARSHIP_CONFIG": str(tmp_path / "starship.toml")}
    path = shutil.which("starship", path=environ["PATH"]) or needed("starship")
    limits = "command_timeout = 20000\nscan_timeout = 20000\n"  # milliseconds; else it warns on a busy machine
    (tmp_path / "starship.toml").write_text(f'format = "$all"\n{limits}{SNIPPETS["starship"].text}')
    done = subprocess.run([path, "prompt"], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    percent = "8.0%%" if for_shell == "zsh" else "8.0%"
    amount = r"\$8.00" if for_shell == "bash" else "$8.00"
    assert f"{begin}{RED}{end}{amount} · {percent}" in done.stdout
    assert done.stderr == ""
    del environ["OPENROUTER_API_KEY"]
    done = subprocess.run([path, "prompt"], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "8.0" not in done.stdout
    assert RED + end not in done.stdout.replace("[1;31m", "")


def test_claude_codes_command_shows_the_session(environ: dict[str, str], tmp_path: Path) -> None:
    command = json.loads(SNIPPETS["claude-code"].text)["statusLine"]["command"]
    given = {"session_id": "x", "model": {"display_name": "Opus"}, "cost": {"total_cost_usd": 1.2034}}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environ,
        cwd=tmp_path,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{RED}session $1.20 · $8.00 left")
    assert done.stderr == ""
