"""The suite itself: it runs where SIGINT is ignored, and its limits are in force."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_signals_are_heard_where_the_shell_ignores_them(bare_environ: dict[str, str]) -> None:
    """A script that says `make test &` ignores SIGINT for everything it starts."""
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses=0", "-p", "no:cacheprovider"]
    command += ["tests/test_simulator.py", "-k", "test_the_program_serves_until_ctrl_c", "--timeout=20"]
    done = subprocess.run(
        ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command],
        cwd=ROOT,
        env={name: value for name, value in bare_environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_every_test_has_a_time_limit(request: pytest.FixtureRequest) -> None:
    assert request.config.getini("timeout") == "60"
