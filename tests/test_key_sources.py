"""Where a profile's key comes from: variable, file, command, keychain; present, absent, empty, broken, slow, unsafe."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked

from orcredit.config import sources
from orcredit.config.file import Source
from orcredit.errors import ConfigurationError
from tests.serving import wait_until
from tests.test_secrets import everything_about

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
HIDDEN = "'fedcba9876543210fedcba9876543210-1v-ro-ks'[::-1]"
"""The key as an expression, for commands whose words may be shown."""


def source(how: str, value: Any, folder: Path | str = "/") -> Source:  # noqa: ANN401 - as in `Source`
    return Source("work", "key", how, value, str(folder))


def problem(of: Source, timeout: float = 5.0, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        sources.read(of, timeout=timeout, environ=environ)
    assert "0123456789abcdef" not in everything_about(caught.value)
    return f"{caught.value} {caught.value.hint}"


# Variables


def test_a_variable() -> None:
    assert sources.read(source("env", "WORK"), timeout=1, environ={"WORK": f" {KEY}\n"}) == KEY
    assert "from WORK, which is not set" in problem(source("env", "WORK"))
    assert "from WORK, which is empty" in problem(source("env", "WORK"), WORK=" \n")


# Files


def test_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "work.key"
    file.write_text(f"\n  {KEY}\r\nmore\n")
    file.chmod(0o600)
    assert sources.read(source("file", "work.key", tmp_path), timeout=1) == KEY
    assert sources.read(source("file", str(file)), timeout=1) == KEY
    (tmp_path / "link").symlink_to(file)
    assert sources.read(source("file", "link", tmp_path), timeout=1) == KEY


def test_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work.key").write_text(KEY)
    (tmp_path / "work.key").chmod(0o600)
    assert sources.read(source("file", "~/work.key"), timeout=1) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "work.key").write_text(KEY)
    (tmp_path / "work.key").chmod(mode)
    assert "can be read or written by others. Run chmod 600" in problem(source("file", "work.key", tmp_path))


def test_files_that_are_absent_empty_or_none(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in problem(source("file", "work.key", tmp_path))
    (tmp_path / "work.key").touch(0o600)
    assert "is empty" in problem(source("file", "work.key", tmp_path))
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in problem(source("file", "folder", tmp_path)) or "is not a file" in problem(
        source("file", "folder", tmp_path)
    )
    os.mkfifo(tmp_path / "pipe", 0o600)  # which would block
    assert "is not a file" in problem(source("file", "pipe", tmp_path))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work.key").write_text(KEY)
    (tmp_path / "work.key").chmod(0o600)
    os.chown(tmp_path / "work.key", 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert "is another user's" in problem(source("file", "work.key", tmp_path))


# Commands


def is_running(process_id: str) -> bool:
    """Whether a process exists that has not ended; one that was not waited for is a zombie."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command(program: str, *arguments: str) -> Source:
    return source("command", [sys.executable, "-c", program, *arguments])


@pytest.mark.process
class TestCommands:
    """What a command prints, and what else it may do."""

    def test_the_first_line_of_what_it_prints(self) -> None:
        assert sources.read(command(f"print(' {KEY}\\nmore')"), timeout=5) == KEY

    def test_it_is_run_without_a_shell(self) -> None:
        program = "import sys; print(sys.argv[1])"
        assert sources.read(command(program, "$HOME;`x` *"), timeout=5) == "$HOME;`x` *"

    def test_it_has_no_standard_input_and_a_process_group_of_its_own(self) -> None:
        program = "import os, sys; print(repr(sys.stdin.read()), os.getpgid(0) == os.getpid())"
        reading, writing = os.pipe()
        os.write(writing, b"typed")
        os.close(writing)
        own = os.dup(0)
        os.dup2(reading, 0)
        try:
            assert sources.read(command(program), timeout=5) == "'' True"
        finally:
            os.dup2(own, 0)
            os.close(own)
            os.close(reading)

    def test_what_it_writes_to_standard_error_is_never_shown(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert sources.read(command(f"import sys; print({HIDDEN}, file=sys.stderr); print('k')"), timeout=5) == "k"
        said = problem(command(f"import sys; print({HIDDEN}, file=sys.stderr); sys.exit(3)"))
        assert "ended with exit code 3" in said
        assert capfd.readouterr() == ("", "")

    def test_a_key_before_a_failure_is_not_used(self) -> None:
        assert "exit code 1" in problem(command(f"import sys; print({HIDDEN}); sys.exit(1)"))
        assert "signal 15" in problem(command("import os; os.kill(os.getpid(), 15)"))

    def test_it_prints_nothing(self) -> None:
        assert "printed nothing" in problem(command("print(' ')"))

    def test_it_does_not_exist(self) -> None:
        assert "could not be started: No such file" in problem(source("command", ["/nonexistent/pass"]))

    def test_it_prints_without_end(self) -> None:
        assert "did not end" in problem(command("while True: print('x' * 1000)"), timeout=0.5)

    def test_it_prints_more_than_a_pipe_holds(self) -> None:
        assert sources.read(command(f"print('{KEY}\\n' * 100000)"), timeout=10) == KEY

    def test_one_that_hangs_is_ended_with_its_children(self, tmp_path: Path) -> None:
        mark = tmp_path / "pid"
        program = (
            "import os, subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
            "time.sleep(600)"
        )
        assert "did not end within 3 s" in problem(command(program), timeout=3)
        command_id, child_id = mark.read_text().split()
        wait_until(lambda: not is_running(command_id) and not is_running(child_id))

    def test_a_child_that_keeps_the_output_open_is_not_waited_for(self) -> None:
        program = (
            "import subprocess, sys\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"print('{KEY}')"
        )
        assert sources.read(command(program), timeout=30) == KEY


# Keychains


class Keychain(KeyringBackend):
    """One in memory."""

    priority = 1
    kept: ClassVar[dict[tuple[str, str], str]] = {}
    error: ClassVar[Exception | None] = None
    opened: ClassVar[threading.Event] = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.opened.wait(10)
        if self.error is not None:
            raise self.error
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.error is not None:
            raise self.error
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Keychain]]:
    before = keyring.get_keyring()
    monkeypatch.setattr(Keychain, "kept", {})
    monkeypatch.setattr(Keychain, "error", None)
    Keychain.opened.set()
    keyring.set_keyring(Keychain())  # type: ignore[no-untyped-call]
    yield Keychain
    Keychain.opened.set()
    keyring.set_keyring(before)


def test_a_keychain(keychain: type[Keychain]) -> None:
    sources.keep_in_keychain("work", "key", KEY)
    assert keychain.kept == {("orcredit", "work"): KEY}
    assert sources.read(source("keyring", "work"), timeout=5) == KEY
    sources.copy_in_keychain("work", "job", "key")
    sources.remove_from_keychain("work", "key")
    sources.remove_from_keychain("work", "key")
    assert keychain.kept == {("orcredit", "job"): KEY}
    assert "holds no key of profile work. Run 'orcredit profile remove work', then" in problem(
        source("keyring", "work")
    )


def test_a_locked_keychain_is_an_error(keychain: type[Keychain]) -> None:
    keychain.error = KeyringLocked(f"secret {KEY}")
    assert "The keychain is locked" in problem(source("keyring", "work"))
    keychain.error = RuntimeError(f"secret {KEY}")
    assert "The keychain cannot be used (RuntimeError)" in problem(source("keyring", "work"))


def test_a_keychain_that_waits_for_the_user_is_not_waited_for(keychain: type[Keychain]) -> None:
    keychain.opened.clear()
    assert "did not answer within 0.2 s" in problem(source("keyring", "work"), timeout=0.2)


@pytest.mark.parametrize("missing", [fail.Keyring, null.Keyring])
def test_a_missing_keychain_is_an_error(keychain: type[Keychain], missing: type[KeyringBackend]) -> None:
    del keychain
    keyring.set_keyring(missing())
    assert "There is no keychain here. (Needed for profile work.) Where there is none" in problem(
        source("keyring", "work")
    )
    with pytest.raises(ConfigurationError, match="There is no keychain here"):
        sources.check_keychain()


def test_a_file_in_plain_text_is_no_keychain(keychain: type[Keychain], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychain, "__module__", "keyrings.alt.file")
    assert "There is no keychain here" in problem(source("keyring", "work"))


def test_without_keyring_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "keyring is not installed. (Needed for profile work.) Install orcredit[keyring]" in problem(
        source("keyring", "work")
    )
