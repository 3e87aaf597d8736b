"""Runs the documentation's commands as a reader would: with a new home directory and an account of the simulator."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orcredit import simulator
from tests import launcher
from tests.serving import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.markdown import Block

UNTIL_FIRST_LINE = "until the first line"
_PIPES: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "encoding": "utf-8",
}


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Wait for a process on exit; kill it and its children if the test fails or times out."""
    with process:
        try:
            yield
        except BaseException:
            process.kill()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


class Reader:
    """Runs the commands of one block.

    Args:
        block: its terms give the account and the expected exit code.
        home: an empty directory, also the working directory of shells.
        environ: of a new user.
        server: the simulator.
    """

    def __init__(self, block: Block, home: Path, environ: Mapping[str, str], server: simulator.Server) -> None:
        self.block = block
        self.home = home
        self.account = self._term(r"account ([\w-]+)") or "normal"
        self.code = int(self._term(r"exit code (\d+)") or 0)
        self.environ = dict(environ) | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}",
            "OPENROUTER_BASE_URL": server.base_url,
            "OPENROUTER_API_KEY": simulator.key_for(self.account),
            "BROWSER": "true",  # a program that does nothing
        }
        if self.has_token:
            self.environ["ORCREDIT_TOKEN"] = TOKEN

    @property
    def has_token(self) -> bool:
        return any(term.endswith("with a token") for term in self.block.terms)

    @property
    def needs_server(self) -> bool:
        return any(term.startswith("server") for term in self.block.terms)

    def _term(self, pattern: str) -> str | None:
        matches = (re.fullmatch(pattern, term) for term in self.block.terms)
        return next((match[1] for match in matches if match), None)

    def run(self, words: list[str]) -> None:
        """Run one command without a shell, and check its exit code."""
        if words[0] == "export":
            self._export(*words[1].split("=", maxsplit=1))
            return
        if words[0] != "orcredit":
            is_server = "orcredit.simulator" in words
            process = subprocess.Popen([sys.executable, *words[1:]], env=self.environ, start_new_session=True, **_PIPES)
        else:
            is_server = words[1:2] in (["watch"], ["serve"]) and "--count" not in words
            port = ["--port", "0"] if words[1:2] == ["serve"] else []
            process = launcher.start([*words[1:], *port], environ=self.environ, start_new_session=True, **_PIPES)
        with _ended(process):
            if is_server:
                assert process.stdout is not None
                assert process.stdout.readline(), words
                process.send_signal(signal.SIGINT)
            _, stderr = process.communicate()
        assert process.returncode == self.code, (words, stderr)
        assert "Traceback" not in stderr

    def _export(self, name: str, value: str) -> None:
        if "…" not in value:
            self.environ[name] = value
        elif name == "OPENROUTER_MANAGEMENT_KEY":
            self.environ[name] = simulator.management_key_for(self.account)

    def run_in_shell(self, text: str, *shell: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the home directory, by default with bash and its strict options."""
        program = shell or ("bash", "-euo", "pipefail", "-c")
        process = subprocess.Popen([*program, text], cwd=self.home, env=self.environ, start_new_session=True, **_PIPES)
        with _ended(process):
            stdout = ""
            if UNTIL_FIRST_LINE in self.block.terms:
                assert process.stdout is not None
                stdout = process.stdout.readline()
                os.killpg(process.pid, signal.SIGINT)
            rest, stderr = process.communicate()
        assert "Traceback" not in stderr
        return subprocess.CompletedProcess(program, process.returncode, stdout + rest, stderr)
