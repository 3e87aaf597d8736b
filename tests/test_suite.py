"""The suite itself: it runs where SIGINT is ignored, and its limits are in force."""

from __future__ import annotations

import shutil
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


@pytest.mark.process
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_removes_no_folder_but_an_environment_that_was_not_finished(
    tmp_path: Path, bare_environ: dict[str, str]
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file.txt").write_text("data")
    (tmp_path / "begun" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (tmp_path / "begun" / "pyvenv.cfg").touch()

    def make(folder: Path) -> subprocess.CompletedProcess[str]:
        command = ["make", "--dry-run", f"VENV={folder}", f"PYTHON={sys.executable}", f"{folder}/made"]
        # Without the variables of the `make test` that runs this: they would have it print directories.
        environ = {name: value for name, value in bare_environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        recipe = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
        until_pip = recipe.partition(f"{folder}/bin/python -m pip install")[0]
        return subprocess.run(["/bin/sh", "-ec", until_pip], cwd=ROOT, capture_output=True, text=True, check=False)

    refused = make(tmp_path / "precious")
    assert refused.returncode != 0
    assert "remove it, or name another" in refused.stdout
    assert (tmp_path / "precious" / "file.txt").read_text() == "data"
    finished = make(tmp_path / "begun")
    assert "which was not finished" in finished.stdout
    assert (tmp_path / "begun" / "bin" / "python").exists()
