"""What `orcredit status` leaves in the prompt line's cache, and what it takes from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from orcredit import cache, simulator
from tests.in_process import run_here
from tests.test_cache import KEY, URL, balance, home
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from tests.conftest import Finished, Orcredit

__all__ = ["home"]  # the fixture that every test here uses


class Status(Protocol):
    """Runs `orcredit status -q` for an account."""

    def __call__(self, *arguments: str, account: str, **environ: str) -> Finished: ...


@pytest.fixture
def status(server: simulator.Server, bare_environ: dict[str, str]) -> Status:
    def run(*arguments: str, account: str, **environ: str) -> Finished:
        key = {"OPENROUTER_API_KEY": simulator.key_for(account), "OPENROUTER_BASE_URL": server.base_url}
        return run_here("status", "-q", *arguments, environ=bare_environ | key | environ)

    return run


def test_each_key_has_its_own_file_which_contains_no_key(status: Status, home: Path) -> None:
    management = simulator.management_key_for("credit-below-limit")
    for account in ("normal", "echo-key"):
        status(account=account, OPENROUTER_MANAGEMENT_KEY=management)
    files = [path for path in home.rglob("*") if path.is_file()]

    assert len([file for file in files if file.suffix == ".json"]) == 2
    for secret in (management, simulator.key_for("normal"), simulator.key_for("echo-key")):
        assert not any(shows_key(file.name + file.read_text(), secret) for file in files)


def test_status_stores_its_answer_and_the_demo_does_not(orcredit: Orcredit, status: Status, home: Path) -> None:
    assert orcredit("status", "--demo", account="normal").code == 0
    assert list(home.iterdir()) == []
    status("--warn-below", "99%", account="normal")
    [file] = home.rglob("*.json")
    assert json.loads(file.read_text())["line"]["level"] == "low"  # by the thresholds of the command that wrote it


@pytest.mark.parametrize(
    ("account", "is_refusal", "code"), [("error-401", True, 401), ("error-403", True, 403), ("html", False, None)]
)
def test_a_failed_status_stores_the_failure(
    status: Status, server: simulator.Server, home: Path, account: str, is_refusal: bool, code: int | None
) -> None:
    assert status(account=account).code > 3
    assert list(home.rglob("*.json")) == []
    failure = cache.load_failure(server.base_url, simulator.key_for(account), None)
    assert failure is not None
    assert (failure.is_refusal, failure.status) == (is_refusal, code)


def test_status_requests_credits_in_vain_once_an_hour_for_each_key_and_base_url(
    bare_environ: dict[str, str],
) -> None:
    def credits_of(*accounts: str, url: str | None = None) -> int:
        before = len(server.requests)
        for account in accounts:
            key = {"OPENROUTER_API_KEY": simulator.key_for(account), "OPENROUTER_BASE_URL": url or server.base_url}
            run_here("status", "-q", environ=bare_environ | key)
        return sum(request.path.endswith("/credits") for request in server.requests[before:])

    with simulator.Server() as server:
        assert credits_of("normal", "normal", "zero-credits", "zero-credits", "normal") == 2
        assert credits_of("normal", url=server.base_url.replace("127.0.0.1", "localhost")) == 1
        assert credits_of("credits-told", "credits-told", "credits-503", "credits-503") == 4
        file = Path(cache.path_of(server.base_url, KEY, ".json") or "")
        for until, count in ((time.time() - 1, 1), (time.time() + 7200, 1), (time.time() + 60, 0)):
            file.write_text(json.dumps(json.loads(file.read_text()) | {"creditUntil": until}))
            assert credits_of("normal") == count


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")  # noqa: PTH110
@pytest.mark.parametrize("cache_home", ["/dev/null", "/proc"])
def test_a_cache_that_cannot_be_written_does_not_fail_status(status: Status, cache_home: str) -> None:
    done = status(account="low", XDG_CACHE_HOME=cache_home)
    assert (done.code, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")  # noqa: PTH110
def test_a_cache_that_cannot_be_written_is_logged_when_verbose(orcredit: Orcredit) -> None:
    done = orcredit("status", "-q", "-v", account="low", environ={"XDG_CACHE_HOME": "/dev/null"})
    assert done.code == 1
    assert "orcredit: the balance could not be stored for the prompt line: " in done.stderr


@pytest.mark.process
def test_a_full_disk_leaves_no_temporary_file(home: Path, bare_environ: dict[str, str]) -> None:
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "import sys; from orcredit import Balance, cache; balance = Balance.model_validate_json(sys.argv[1])\n"
        f"cache.store({URL!r}, {KEY!r}, balance)"
    )
    environ = {name: value for name, value in bare_environ.items() if not name.startswith("COV")}
    subprocess.run([sys.executable, "-c", program, balance().model_dump_json()], env=environ, check=True)
    assert list((home / ".cache" / "orcredit").iterdir()) == []


def test_a_disk_that_hangs_while_the_answer_is_kept_for_the_history_is_not_waited_for(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, is_over = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        is_over.wait()
        kept.set()

    monkeypatch.setattr("orcredit.history.spool.add", hang)
    monkeypatch.setattr("orcredit.cli.status.KEEPING_SECONDS", 0.0)
    try:
        assert status(account="normal").code == 0
        assert not kept.is_set()
    finally:
        is_over.set()
