"""Shell completion: its suggestions, and its installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit.cli import completion
from orcredit.errors import ConfigurationError, UsageError
from tests.failures import assert_failed
from tests.test_imports import DATABASE, HTTP, SERVER, loaded

if TYPE_CHECKING:
    from tests.conftest import Orcredit

pytestmark = pytest.mark.process

BASH = {"_ORCREDIT_COMPLETE": "complete_bash"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ZDOTDIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run_in(shell: str, code: str, environ: dict[str, str]) -> str:
    """Run a shell without its start-up files, with the program on its PATH."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [program, *quiet, "-c", code],
        env=environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


# Suggestions


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("orcredit stat", ["status"]),
        ("orcredit line --color ", ["always", "never"]),
        ("orcredit line --color n", ["never"]),
        ("orcredit line --max", ["--max-age"]),
        ("orcredit --install", ["--install-completion"]),
        ("orcredit status --base-url ", []),
        ("orcredit activity --by wo", ["workspace"]),
        ("orcredit activity --by key,pro", ["key,provider"]),
        ("orcredit keys --sort us", ["used"]),
        ("orcredit keys --include d", ["disabled", "disabled,expired"]),
    ],
)
def test_commands_options_and_fixed_values_are_suggested(line: str, offered: list[str], orcredit: Orcredit) -> None:
    number = str(len(line.split(" ")) - 1)
    done = orcredit(environ=BASH | {"COMP_WORDS": line, "COMP_CWORD": number})
    assert (done.code, done.stdout.split(), done.stderr) == (0, offered, "")


def test_it_loads_no_client_server_or_database(bare_environ: dict[str, str]) -> None:
    environ = bare_environ | BASH | {"COMP_WORDS": "orcredit line --color ", "COMP_CWORD": "3"}
    assert not loaded([], environ) & (HTTP | SERVER | DATABASE | {"orcredit.balance", "rich"})


@pytest.mark.parametrize(
    "environ",
    [
        {"_ORCREDIT_COMPLETE": "nonsense"},
        {"_ORCREDIT_COMPLETE": "complete_tcsh"},
        {"_ORCREDIT_COMPLETE": "bogus_bash"},
        BASH,
        BASH | {"COMP_WORDS": "orcredit", "COMP_CWORD": "many"},
        BASH | {"COMP_WORDS": "orcredit", "COMP_CWORD": "-1"},
    ],
)
def test_invalid_variables_are_wrong_usage(environ: dict[str, str], orcredit: Orcredit) -> None:
    assert_failed(orcredit(environ=environ), 2, "_ORCREDIT_COMPLETE", "--install-completion")


def test_invalid_command_lines_are_no_error(orcredit: Orcredit) -> None:
    for words in ("orcredit 'line --color ", "orcredit \udcff ", "orcredit status --timeout=x --", "\\", ""):
        done = orcredit(environ=BASH | {"COMP_WORDS": words, "COMP_CWORD": "2"})
        assert (done.code, done.stderr) == (0, "")


# Installation


def test_bash_sources_the_script_and_completes(home: Path, bare_environ: dict[str, str]) -> None:
    script = completion.install("bash")
    assert (home / ".bashrc").read_text() == f"source '{script}'\n"
    code = (
        f"source {home}/.bashrc; complete -p orcredit; "
        "COMP_WORDS=(orcredit line --color ''); COMP_CWORD=3; _orcredit_completion orcredit; echo ${COMPREPLY[*]}"
    )
    assert run_in("bash", code, bare_environ).splitlines() == [
        "complete -o default -F _orcredit_completion orcredit",
        "always never",
    ]


def test_zsh_gets_a_script_and_only_the_lines_to_load_it(home: Path) -> None:
    assert completion.install("zsh") == home / ".zfunc" / "_orcredit"
    assert (home / ".zfunc" / "_orcredit").read_text().startswith("#compdef orcredit\n")
    assert (home / ".zshrc").read_text() == "fpath+=~/.zfunc; autoload -Uz compinit; compinit\n"


def test_zsh_completes(home: Path, bare_environ: dict[str, str]) -> None:
    completion.install("zsh")
    code = f"source {home}/.zshrc; echo ${{_comps[orcredit]}}"
    assert run_in("zsh", code, bare_environ) == "_orcredit\n"


def test_fish_loads_the_script_and_completes(home: Path, bare_environ: dict[str, str]) -> None:
    script = completion.install("fish")
    assert script == home / ".config" / "fish" / "completions" / "orcredit.fish"
    assert script.read_text().startswith("complete --command orcredit ")
    offered = run_in("fish", f"source {script}; complete --do-complete 'orcredit line --color '", bare_environ)
    assert offered.split() == ["always", "never"]


@pytest.mark.parametrize("before", ["", "alias ll='ls -l'", "\xff\n"])
@pytest.mark.parametrize(("shell", "name"), [("bash", ".bashrc"), ("zsh", ".zshrc")])
def test_one_line_is_appended_once_to_a_start_up_file(shell: str, name: str, before: str, home: Path) -> None:
    start_up = home / name
    start_up.write_bytes(before.encode("latin-1"))
    for _ in range(2):
        completion.install(shell)
    lines = start_up.read_bytes().decode("latin-1").splitlines()
    assert lines[:-1] == before.splitlines()
    assert ("source" in lines[-1]) == (shell == "bash")


def test_a_home_with_a_quote_in_its_name_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_environ: dict[str, str]
) -> None:
    home = tmp_path / "it's $HOME"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    completion.install("bash")
    code = f'source "{tmp_path}/it\'s \\$HOME/.bashrc"; complete -p orcredit'
    assert run_in("bash", code, bare_environ).startswith("complete -o default")


@pytest.mark.parametrize(("shell", "folder"), [("bash", ".bash_completions"), ("zsh", ".zfunc"), ("fish", ".config")])
def test_an_unwritable_directory_is_a_configuration_error(shell: str, folder: str, home: Path) -> None:
    (home / folder).write_text("a file")
    with pytest.raises(ConfigurationError, match=rf"could not be installed: {home}/{folder}.*: ") as raised:
        completion.install(shell)
    assert f"orcredit --show-completion {shell}" in raised.value.hint


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_a_configuration_error(home: Path) -> None:
    home.chmod(0o500)
    with pytest.raises(ConfigurationError, match="permission denied"):
        completion.install("bash")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device")
def test_a_full_disk_is_reported_for_the_file_and_not_for_standard_output(home: Path, orcredit: Orcredit) -> None:
    (home / ".bashrc").symlink_to("/dev/full")
    done = orcredit("--install-completion", "bash", environ={"HOME": str(home)})
    assert_failed(done, 78, f"{home}/.bashrc: no space left on device", "--show-completion bash")


def test_no_half_line_is_left_where_the_disk_ends(home: Path, bare_environ: dict[str, str]) -> None:
    before = "# mine\n" * 585
    (home / ".bashrc").write_text(before)
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4100, 4100))\n"
        "import sys; from orcredit.cli import main; sys.exit(main(['--install-completion', 'bash']))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        env={name: value for name, value in bare_environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 78
    assert f"{home}/.bashrc: file too large" in done.stderr
    assert (home / ".bashrc").read_text() == before


@pytest.mark.parametrize("name", [".bashrc", ".bash_completions/orcredit.sh"])
def test_a_pipe_in_place_of_a_file_is_refused(name: str, home: Path) -> None:
    (home / name).parent.mkdir(exist_ok=True)
    os.mkfifo(home / name)
    with pytest.raises(ConfigurationError, match=rf"{home}/{name}: is a pipe"):
        completion.install("bash")


def test_a_home_with_a_line_break_in_its_name_gets_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a\nb"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for _ in range(2):
        completion.install("bash")
    assert (home / ".bashrc").read_text().count("source") == 1


def test_an_unwritable_home_is_no_internal_error(orcredit: Orcredit) -> None:
    assert_failed(orcredit("--install-completion", "zsh", environ={"HOME": "/dev/null"}), 78, "/dev/null/.zfunc")


# The shell


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_of_every_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion.run(["--show-completion", shell]) == 0
    shown = capsys.readouterr().out
    assert "_ORCREDIT_COMPLETE" in shown
    assert completion.run([f"--show-completion={shell}"]) == 0
    assert capsys.readouterr().out == shown


def test_completion_is_installed_for_the_named_shell(home: Path, orcredit: Orcredit) -> None:
    done = orcredit("--install-completion", "zsh", environ={"HOME": str(home)})
    assert (done.code, done.stderr) == (0, "")
    assert f"zsh completion is installed in {home}/.zfunc/_orcredit." in done.stdout
    assert not (home / ".bashrc").exists()


def test_without_a_name_it_is_installed_for_the_running_shell(home: Path, bare_environ: dict[str, str]) -> None:
    # Not the last command, for which the shell would replace itself.
    code = f"{sys.executable} -m orcredit --install-completion; echo $?"
    assert run_in("bash", code, bare_environ | {"HOME": str(home)}).splitlines() == [
        f"bash completion is installed in {home}/.bash_completions/orcredit.sh.",
        "It takes effect in new shells.",
        "0",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--install-completion", "tcsh"], "'tcsh' is not a shell"),
        (["--install-completion="], "'' is not a shell"),
        (["--show-completion", "--version"], "'--version' is not a shell"),
        (["--install-completion", "bash", "zsh"], "not also 'zsh'"),
        (["--show-completion=bash", "zsh"], "not also 'zsh'"),
    ],
)
def test_other_arguments_are_usage_errors(words: list[str], message: str, home: Path) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        completion.run(words)
    assert "bash, zsh, fish" in raised.value.hint
    assert list(home.iterdir()) == []


def test_powershells_profile_is_not_edited(home: Path) -> None:
    with pytest.raises(UsageError) as raised:
        completion.install("pwsh")
    assert raised.value.hint == "Run: orcredit --show-completion pwsh >> $PROFILE"
    assert list(home.iterdir()) == []
