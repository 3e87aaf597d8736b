"""`orcredit watch` as a job of a shell: Ctrl-Z, fg, a plain SIGSTOP, and a start in the background."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ALTERNATE, NORMAL = "\x1b[?1049h", "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"
SETSID, BASH = shutil.which("setsid") or "", shutil.which("bash") or ""
pytestmark = [pytest.mark.process, pytest.mark.skipif(not (SETSID and BASH), reason="needs setsid and bash")]


class Shell:
    """An interactive bash with job control on a pseudo-terminal."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a character may come in two reads
        self.shown = ""
        self.process = subprocess.Popen(
            [SETSID, "--ctty", BASH, "--norc", "--noprofile", "--noediting", "-i"],
            env={"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", "PS1": "$ "} | environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def type(self, keys: str) -> None:
        """Type, and look only at what is shown from now on."""
        self.shown = ""
        os.write(self._ours, keys.encode())

    def run(self, command: str) -> str:
        """Run a command of the shell, and return what it writes."""
        self.type(f"{command}; echo end''ed\n")
        self.wait_for("ended")
        return self.shown.replace("\r", "").partition("\n")[2]

    def wait_for(self, text: str) -> None:
        """Read until that is on the screen."""
        deadline = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < deadline, f"never showed {text!r}: {self.shown[-2000:]!r}"
            if select.select([self._ours], [], [], 0.05)[0]:
                self.shown += self._decoder.decode(os.read(self._ours, 65536))

    @property
    def settings(self) -> str:
        """The terminal's, as the shell sees them."""
        match = re.search(r"[0-9a-f]+(:[0-9a-f]+){10,}", self.run("stty -g"))
        assert match
        return match[0]

    def job(self) -> int:
        """Return the process in the foreground."""
        group = os.tcgetpgrp(self._ours)
        assert group != self.process.pid
        return group

    def suspend(self) -> None:
        """Press Ctrl-Z in `orcredit watch`, and wait for the shell."""
        self.type("\x1a")
        self.wait_for("Stopped")

    def resume(self) -> None:
        """Bring `orcredit watch` to the foreground, and wait until it has drawn."""
        self.type("fg\n")
        self.wait_for(ALTERNATE)
        self.wait_for("Can spend")

    def quit(self) -> None:
        """End `orcredit watch`, and wait for what it says at its end."""
        self.type("q")
        self.wait_for("of the key limit left")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def shell(bare_environ: dict[str, str]) -> Iterator[Shell]:
    opened = Shell(bare_environ)
    yield opened
    opened.close()


WATCH = f"{sys.executable} -m orcredit watch --demo"


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(shell: Shell) -> None:
    before = shell.settings
    shell.type(f"{WATCH}\n")
    shell.wait_for("Can spend")

    shell.suspend()
    assert NORMAL in shell.shown
    assert shell.shown.rindex(SHOW_CURSOR) > shell.shown.rindex(NORMAL) - 20
    assert shell.settings == before
    for _ in range(2):  # and a second time
        shell.resume()
        shell.suspend()

    shell.resume()
    shell.quit()
    assert shell.settings == before


def test_after_a_plain_sigstop_it_draws_again(shell: Shell) -> None:
    before = shell.settings
    shell.type(f"{WATCH}\n")
    shell.wait_for("Can spend")
    os.kill(shell.job(), signal.SIGSTOP)
    shell.wait_for("Stopped")

    shell.resume()
    shell.quit()
    assert shell.settings == before


def test_in_the_background_it_leaves_the_terminal_alone(shell: Shell) -> None:
    before = shell.settings
    shell.type(f"{WATCH} --interval 1 &\n")
    shell.wait_for("$ ")
    assert "Stopped" not in shell.run("sleep 1; jobs")
    assert ALTERNATE not in shell.shown

    shell.resume()
    shell.suspend()
    assert "Running" in shell.run("bg; jobs")
    ended = shell.run("kill %1; wait %1; echo code $?")
    assert "code 0" in ended
    assert ALTERNATE not in ended
    assert shell.settings == before
