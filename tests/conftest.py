"""Shared fixtures: a simulated OpenRouter on a real socket, and the program as a real process."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, settings

from orcredit import simulator
from tests import launcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


# Assertions of these helpers say what they compared, as those of test modules do.
pytest.register_assert_rewrite("tests.failures", "tests.histories", "tests.machines")

# A shell that starts the tests in the background (`make test &`) has SIGINT ignored, and processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: the time of an example depends on the machine's load.
settings.register_profile("orcredit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("orcredit")


if importlib.util.find_spec("playwright") is None:  # `make quick` installs no browser's library
    collect_ignore_glob = ["test_page*.py"]

_STARTS_A_PROCESS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn"})
_PROCESS_FIXTURES = frozenset({"orcredit", "postgresql", "on_a_terminal", "on_screen", "browser"})
_running: list[pytest.Item] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start processes; `make quick` leaves them out."""
    for item in items:
        if _PROCESS_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Record the running test for `_check_mark`."""
    _running[:] = [item]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Clear it: fixtures torn down now may be those of earlier tests."""
    _running.clear()


def _check_mark(event: str, _: object) -> None:
    """Fail a test that starts a process without the mark `process`."""
    if event in _STARTS_A_PROCESS and _running and _running[0].get_closest_marker("process") is None:
        raise AssertionError("this test starts a process: mark it with @pytest.mark.process")


sys.addaudithook(_check_mark)


def pytest_sessionfinish() -> None:
    """Stop this worker's fork server."""
    launcher.stop()


@dataclass(frozen=True)
class Finished:
    """The result of a run of the program."""

    code: int
    stdout: str
    stderr: str


class Orcredit(Protocol):
    """Runs the program in a process with its own environment."""

    def __call__(
        self,
        *arguments: str,
        account: str | None = ...,
        management: str | None = ...,
        environ: Mapping[str, str] | None = ...,
    ) -> Finished: ...


@pytest.fixture(scope="session")
def server() -> Iterator[simulator.Server]:
    with simulator.Server() as running:
        yield running


@pytest.fixture(autouse=True)
def _measured_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the coverage of processes only in the first case of a parametrized test: it takes a third of their time.

    Servers shared by several tests start before this fixture, and are always measured.
    """
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and any(callspec.indices.values()):
        for name in [name for name in os.environ if name.startswith("COV")]:
            monkeypatch.delenv(name)


WAITS = {
    "orcredit.openrouter.retry.FIRST_WAIT": 0.01,
    "orcredit.openrouter.retry.JITTER": 0.01,
    "orcredit.openrouter.credit.PATIENCE": 20.0,
}
"""Shorter waits between the attempts of a request, and a longer one for the credit, which a busy machine may delay."""

_WAITS_FOR_FILES = {
    "orcredit.cli.following.DRAIN_SECONDS": 20.0,
    "orcredit.cli.status.KEEPING_SECONDS": 20.0,
    "orcredit.sinks.recorder.SLOW_AFTER": 60.0,
}
"""Longer waits for what is kept on a disk."""


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in WAITS.items():
        monkeypatch.setattr(name, seconds)


@pytest.fixture
def bare_environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a new user: no variables of ours, an empty home directory, UTC."""
    keep = {name: value for name, value in os.environ.items() if name.startswith(("COV", "PATH", "PYTHON"))}
    return keep | {"HOME": str(tmp_path), "TZ": "UTC", "LANG": "C.UTF-8"}


@pytest.fixture
def orcredit(server: simulator.Server, bare_environ: dict[str, str]) -> Orcredit:
    """Run `python -m orcredit`, by default against the simulator; `account` chooses whose key is set."""

    def run(
        *arguments: str,
        account: str | None = None,
        management: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Finished:
        variables = bare_environ | {"OPENROUTER_BASE_URL": server.base_url}
        if account is not None:
            variables["OPENROUTER_API_KEY"] = simulator.key_for(account)
        if management is not None:
            variables["OPENROUTER_MANAGEMENT_KEY"] = management
        with launcher.start(
            arguments,
            environ=variables | dict(environ or {}),
            constants=WAITS | _WAITS_FOR_FILES,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            stdout, stderr = process.communicate()
        return Finished(process.returncode, stdout, stderr)

    return run


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variables that set a client up."""
    for name in ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY", "OPENROUTER_BASE_URL", "ORCREDIT_WARN_BELOW"):
        monkeypatch.delenv(name, raising=False)
