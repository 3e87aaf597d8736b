"""`orcredit init`: the snippets, and what `--write` does to start-up files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit.cli import startup_file
from orcredit.cli.init import MARK, WRITABLE
from orcredit.cli.line import parse
from orcredit.render.prompts import TARGETS
from orcredit.render.snippets import SNIPPETS
from tests.failures import assert_failed
from tests.in_process import run_here

if TYPE_CHECKING:
    from tests.conftest import Finished

FILES = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish", "tmux": ".tmux.conf"}
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root, to give files to others")


class Home:
    """A home directory, and `orcredit init` in it."""

    def __init__(self, path: Path, environ: dict[str, str]) -> None:
        self.path = path
        self.environ = environ | {"PATH": f"{Path(sys.executable).parent}:{environ['PATH']}"}

    def init(self, *arguments: str) -> Finished:
        return run_here("init", *arguments, environ=self.environ)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.path)) for path in self.path.rglob("*") if not path.is_dir()}

    def state(self) -> dict[str, tuple[int, ...]]:
        status = {name: (self.path / name).lstat() for name in self.files()}
        return {name: (one.st_ino, one.st_mode, one.st_mtime_ns, one.st_size) for name, one in status.items()}


@pytest.fixture
def home(tmp_path: Path, bare_environ: dict[str, str]) -> Home:
    return Home(tmp_path, bare_environ)


# Printed


@pytest.mark.parametrize("target", TARGETS)
def test_the_snippet_is_printed_and_its_place_is_said_beside(target: str, home: Home) -> None:
    done = home.init(target)
    assert (done.code, done.stdout) == (0, SNIPPETS[target].text)
    assert done.stderr.startswith("Add this to ~/.")
    assert done.stderr.count("\n") == 1
    assert ("--write" in done.stderr) == (target in WRITABLE)
    assert home.files() == set()


@pytest.mark.parametrize("target", TARGETS)
def test_every_snippet_calls_the_line_for_its_target(target: str) -> None:
    text = SNIPPETS[target].text
    (call,) = (line for line in text.splitlines() if f"{MARK} --for" in line)
    words = call.partition(f"{MARK} ")[2].split()[:2]
    assert parse([word.strip("\"',)") for word in words]) is not None
    assert words[1].strip("\"',)") == target
    assert text.endswith("\n")


def test_configurations_can_be_parsed() -> None:
    assert tomllib.loads(SNIPPETS["starship"].text)["custom"]["orcredit"]["when"] is True
    assert "custom/orcredit" in json.loads(f"{{{SNIPPETS['waybar'].text}}}")
    assert json.loads(SNIPPETS["claude-code"].text)["statusLine"]["type"] == "command"


def test_the_place_follows_the_variables(home: Home, tmp_path: Path) -> None:
    home.environ |= {"ZDOTDIR": str(tmp_path / "z"), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    (tmp_path / "c" / "tmux").mkdir(parents=True)
    (tmp_path / "c" / "tmux" / "tmux.conf").touch()
    assert "~/z/.zshrc, " in home.init("zsh").stderr
    assert "~/c/fish/config.fish, " in home.init("fish").stderr
    assert "tmux source-file ~/c/tmux/tmux.conf" in home.init("tmux").stderr
    (tmp_path / ".tmux.conf").touch()
    assert "tmux source-file ~/.tmux.conf" in home.init("tmux").stderr


def test_a_program_that_is_not_on_the_path_is_said(home: Home) -> None:
    home.environ["PATH"] = "/nowhere"
    assert "needs 'orcredit' on the PATH" in home.init("bash").stderr


@pytest.mark.parametrize("arguments", [["tcsh"], ["tcsh", "--write"], [""]])
def test_unknown_targets_are_wrong_usage(arguments: list[str], home: Home) -> None:
    assert_failed(home.init(*arguments), 2, "is not known", "bash, zsh, fish")


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in WRITABLE])
def test_json_and_toml_files_are_not_written(target: str, home: Home) -> None:
    assert_failed(home.init(target, "--write"), 2, "orcredit does not change ~/.", f"orcredit init {target}")
    assert home.files() == set()


# Written


@pytest.mark.parametrize("target", WRITABLE)
def test_a_file_is_created_and_a_second_run_changes_nothing(target: str, home: Home) -> None:
    done = home.init(target, "--write")
    file = home.path / FILES[target]
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"The lines were added to ~/{FILES[target]}.\n")
    assert file.read_text() == SNIPPETS[target].text
    before = file.stat()
    again = home.init(target, "--write")
    assert (again.code, again.stderr) == (0, "")
    assert again.stdout == f"~/{FILES[target]} already calls 'orcredit line': nothing was changed.\n"
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert home.files() == {FILES[target]}


@pytest.mark.parametrize(
    ("before", "separator"), [(b"alias ll='ls -l'\n", b"\n"), (b"no end \xff", b"\n\n"), (b"\r\n", b"\n"), (b"", b"")]
)
def test_an_existing_file_is_appended_to_and_copied(before: bytes, separator: bytes, home: Home) -> None:
    file = home.path / ".bashrc"
    file.write_bytes(before)
    file.chmod(0o640)
    done = home.init("bash", "--write")
    copy = home.path / ".bashrc.before-orcredit"
    assert (done.code, done.stderr) == (0, "")
    assert "A copy of it as it was: ~/.bashrc.before-orcredit." in done.stdout
    assert file.read_bytes() == before + separator + SNIPPETS["bash"].text.encode()
    assert copy.read_bytes() == before
    assert file.stat().st_mode & 0o7777 == copy.stat().st_mode & 0o7777 == 0o640
    assert home.init("bash", "--write").code == 0
    assert home.files() == {".bashrc", ".bashrc.before-orcredit"}


@as_root
def test_the_group_stays(home: Home) -> None:
    file = home.path / ".bashrc"
    file.write_text("mine\n")
    os.chown(file, os.geteuid(), 12345)
    file.chmod(0o664)
    assert home.init("bash", "--write").code == 0
    for path in (file, home.path / ".bashrc.before-orcredit"):
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o7777) == (os.geteuid(), 12345, 0o664)


def test_the_target_of_a_link_is_changed_and_the_link_stays(home: Home) -> None:
    target = home.path / "dotfiles" / "bashrc"
    target.parent.mkdir()
    target.write_text("mine\n")
    (home.path / ".bashrc").symlink_to("dotfiles/bashrc")
    assert home.init("bash", "--write").code == 0
    assert (home.path / ".bashrc").is_symlink()
    assert target.read_text() == f"mine\n\n{SNIPPETS['bash'].text}"
    assert (home.path / "dotfiles" / "bashrc.before-orcredit").read_text() == "mine\n"


def test_a_link_to_a_file_that_does_not_exist_creates_it(home: Home) -> None:
    (home.path / ".bashrc").symlink_to("bashrc")
    assert home.init("bash", "--write").code == 0
    assert (home.path / "bashrc").read_text() == SNIPPETS["bash"].text
    assert (home.path / ".bashrc").is_symlink()


def test_lines_that_the_user_changed_are_recognised_and_comments_are_not(home: Home) -> None:
    file = home.path / ".zshrc"
    file.write_text("RPROMPT='$(orcredit line --for zsh)'\n")
    assert "nothing was changed" in home.init("zsh", "--write").stdout
    file.write_text("  # orcredit line was here\n")
    assert "were added" in home.init("zsh", "--write").stdout


def test_lines_with_other_line_breaks_are_recognised(home: Home) -> None:
    (home.path / ".bashrc").write_bytes(SNIPPETS["bash"].text.replace("\n", "\r\n").encode())
    assert "nothing was changed" in home.init("bash", "--write").stdout


def test_earlier_copies_are_kept(home: Home) -> None:
    for content in ("first\n", "second\n"):
        (home.path / ".bashrc").write_text(content)
        assert home.init("bash", "--write").code == 0
    assert (home.path / ".bashrc.before-orcredit").read_text() == "first\n"
    assert (home.path / ".bashrc.before-orcredit.2").read_text() == "second\n"


# Refused


def assert_refused(home: Home, *words: str) -> None:
    """Assert that nothing was changed, and that the snippet was printed instead."""
    before = home.state()
    done = home.init("bash", "--write")
    assert (done.code, done.stdout) == (78, SNIPPETS["bash"].text)
    assert done.stderr.startswith("orcredit: Nothing was added: ")
    assert done.stderr.endswith("\nAdd the lines above yourself.\n")
    assert all(word in done.stderr for word in words), done.stderr
    assert home.state() == before


def test_a_read_only_file_is_refused(home: Home) -> None:
    (home.path / ".bashrc").write_text("mine\n")
    (home.path / ".bashrc").chmod(0o444)
    assert_refused(home, "~/.bashrc is read-only.")


@as_root
def test_another_users_file_is_refused(home: Home) -> None:
    (home.path / ".bashrc").write_text("theirs\n")
    os.chown(home.path / ".bashrc", 12345, 12345)
    assert_refused(home, "~/.bashrc belongs to another user.")


def test_a_file_with_several_names_is_refused(home: Home) -> None:
    (home.path / ".bashrc").write_text("mine\n")
    os.link(home.path / ".bashrc", home.path / "other")
    assert_refused(home, "has several names (hard links)")


def test_a_pipe_is_refused(home: Home) -> None:
    os.mkfifo(home.path / ".bashrc")
    assert_refused(home, "~/.bashrc is a pipe.")


def test_a_directory_is_refused(home: Home) -> None:
    (home.path / ".bashrc").mkdir()
    assert_refused(home, "~/.bashrc is no regular file.")


def test_a_device_is_refused(home: Home) -> None:
    (home.path / ".bashrc").symlink_to("/dev/full")
    assert_refused(home, "/dev/full is no regular file.")


def test_a_loop_of_links_is_refused(home: Home) -> None:
    (home.path / ".bashrc").symlink_to(".bashrc")
    assert_refused(home, "cannot be changed: too many levels of symbolic links.")


def test_a_directory_that_cannot_be_created_is_refused(home: Home) -> None:
    (home.path / ".config").write_text("a file")
    done = home.init("fish", "--write")
    assert (done.code, done.stdout) == (78, SNIPPETS["fish"].text)
    assert "cannot be changed: " in done.stderr


@pytest.mark.process
def test_a_full_disk_leaves_everything_as_it_was(home: Home) -> None:
    before = "# mine\n" * 585
    (home.path / ".bashrc").write_text(before)
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4100, 4100))\n"
        "import sys; from orcredit.cli import main; sys.exit(main(['init', 'bash', '--write']))"
    )
    environ = {name: value for name, value in home.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-B", "-c", program]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (78, SNIPPETS["bash"].text)
    assert "cannot be changed: file too large." in done.stderr
    assert (home.path / ".bashrc").read_text() == before
    assert home.files() == {".bashrc"}


def test_a_file_that_changes_at_the_same_time_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    status = file.stat()
    startup_file._check_unchanged(file, status)  # noqa: SLF001 - between two steps of one call
    file.write_text("longer than before")
    with pytest.raises(OSError, match="changed by another program"):
        startup_file._check_unchanged(file, status)  # noqa: SLF001 - as above


def test_a_file_that_is_created_at_the_same_time_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    monkeypatch.setattr(os, "fsync", lambda _: file.write_text("theirs"))
    with pytest.raises(OSError, match="changed by another program"):
        startup_file.append_once(file, "mine\n", "mark")
    assert file.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [file]


def test_another_ones_draft_is_not_removed(tmp_path: Path) -> None:
    """Processes of two containers may have the same number."""
    draft = tmp_path / f"file.{os.getpid()}.tmp"
    draft.write_text("theirs")
    with pytest.raises(FileExistsError):
        startup_file.append_once(tmp_path / "file", "mine\n", "mark")
    assert draft.read_text() == "theirs"
