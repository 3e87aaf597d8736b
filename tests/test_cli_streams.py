"""The commands' streams and their end: closed pipes, full disks, missing streams, and how the process exits."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time

import pytest

from orcredit import simulator
from tests import launcher

pytestmark = pytest.mark.process

# Closed pipes, full disks and missing streams


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["status", "--demo"], ["status", "--demo", "--json"], ["--help"]])
def test_a_closed_pipe_is_no_error(arguments: list[str], unbuffered: str, bare_environ: dict[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "orcredit", *arguments],
        env=bare_environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


needs_full_device = pytest.mark.skipif(
    not os.path.exists("/dev/full"),  # noqa: PTH110
    reason="needs /dev/full, a Linux device",
)


@needs_full_device
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["status", "--demo"], ["status", "--demo", "--json"], ["--help"], ["--version"]])
def test_a_full_disk_is_a_configuration_error(
    arguments: list[str], unbuffered: str, bare_environ: dict[str, str]
) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "orcredit", *arguments],
            env=bare_environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
            text=True,
        )
    assert done.returncode == 78
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@needs_full_device
@pytest.mark.skipif(os.name != "posix", reason="O_NONBLOCK")
@pytest.mark.parametrize("arguments", [["status", "--json"], ["watch", "--json", "--count", "1", "--no-history"]])
def test_a_pipe_that_does_not_block_is_waited_for(arguments: list[str], bare_environ: dict[str, str]) -> None:
    budgets = ",".join(f'{{"scope": "scope-{number}", "limit_usd": 1, "spend_usd": 0}}' for number in range(1000))
    body = f'{{"data": {{"limit": null, "budgets": [{budgets}]}}}}'.encode()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with simulator.Server(responder=lambda *_: simulator.Response(200, {}, body)) as server:
        environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")}
        environ["OPENROUTER_BASE_URL"] = server.base_url
        with launcher.start(arguments, environ=environ, stdin=subprocess.DEVNULL, stdout=writing) as process:
            os.close(writing)
            while not select.select([reading], [], [], 0.1)[0]:
                pass
            time.sleep(0.5)  # by now the pipe is full
            with open(reading, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
                document = json.load(pipe)
    assert process.returncode == 0
    assert len(document["budgets"]) == 1000


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("account", "code"), [("error-401", 77), ("normal", 0)])
def test_a_full_disk_under_stderr_does_not_change_the_exit_code(
    account: str, code: int, unbuffered: str, server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    environ = bare_environ | {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": simulator.key_for(account),
        "OPENROUTER_MANAGEMENT_KEY": simulator.key_for("error-401"),  # whose failure is printed on stderr
        "PYTHONUNBUFFERED": unbuffered,
    }
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "orcredit", "status", "--json", "-v"]
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=full, check=False, timeout=60)
    assert done.returncode == code


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- >&- 2>&-", "<&- >&-"])
def test_missing_streams_are_no_error(closed: str, bare_environ: dict[str, str]) -> None:
    command = f"{sys.executable} -m orcredit status --demo {closed}"
    assert subprocess.run(["/bin/sh", "-c", command], env=bare_environ, check=False, timeout=60).returncode == 0


# Exit


def ended(environ: dict[str, str], before: str = "", *options: str) -> subprocess.CompletedProcess[str]:
    """Run the console script's function, and print which parts of a normal exit take place."""
    program = (
        "import atexit, os, sys, threading\n"
        "class Module:\n"
        "    def __del__(self, write=os.write): write(1, b'finalized\\n')\n"
        "module = Module()\n"
        "atexit.register(print, 'exit handlers')\n"
        "from orcredit.cli import run\n"
        f"{before}\n"
        "sys.argv = ['orcredit', 'status', '--warn-below', 'ten']\n"
        "run()\n"
    )
    environ = {name: value for name, value in environ.items() if not name.startswith("COV")}
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )


def test_it_runs_exit_handlers_without_finalizing_the_interpreter(bare_environ: dict[str, str]) -> None:
    done = ended(bare_environ)
    assert (done.returncode, done.stdout) == (2, "exit handlers\n")
    assert done.stderr.startswith("orcredit: --warn-below: 'ten' is not a threshold.")


@pytest.mark.parametrize(
    "watched",
    [
        "sys.settrace(lambda *_: None)",
        "sys.setprofile(lambda *_: None)",
        "threading.Thread(target=lambda: [threading.main_thread().join(), print('thread')]).start()",
    ],
)
def test_it_exits_normally_under_a_debugger_or_profiler_or_with_non_daemon_threads(
    watched: str, bare_environ: dict[str, str]
) -> None:
    done = ended(bare_environ, watched)
    assert done.returncode == 2
    assert done.stdout.endswith("exit handlers\nfinalized\n")
    assert ("thread\n" in done.stdout) == ("Thread" in watched)


def test_it_exits_normally_in_interactive_mode(bare_environ: dict[str, str]) -> None:
    done = ended(bare_environ, "", "-i")
    assert "SystemExit: 2" in done.stderr
    assert done.stdout == "exit handlers\nfinalized\n"
