"""A client in programs that poll for months: no poll imports a module, and none fails for good."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator

if TYPE_CHECKING:
    from pathlib import Path

    import trustme

KEY = simulator.key_for("normal")

pytest_plugins = ["tests.tls_fixtures"]
pytestmark = pytest.mark.usefixtures("no_variables")

PRELOADED = """
import asyncio, os, resource, sys
from datetime import timedelta
from orcredit.cli import monitoring, runtime

monitored = monitoring.new_monitored(
    timedelta(seconds=1), base_url=None, timeout=5, warn_below=None, database_url=None, has_history=False,
    hurries=True,
)
before = set(sys.modules)
"""


def run_preloaded(program: str, environ: dict[str, str]) -> str:
    """Run a program after the set-up of `watch` and `serve`; return what it prints."""
    environ = {name: value for name, value in environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED + program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.process
def test_no_poll_imports_a_module_whether_it_succeeds_or_fails(
    tls_url: str, authority: trustme.CA, bare_environ: dict[str, str], server: simulator.Server, tmp_path: Path
) -> None:
    program = """
from orcredit import OrcreditError
from orcredit.blocking import EventLoop
from orcredit.client import AsyncClient

async def ask(key, url):
    try:
        (await AsyncClient(key, management_key=key, base_url=url, timeout=5).balance()).model_dump_json()
    except OrcreditError:
        pass

async def main():
    await monitored.poller._ask()  # with the cache of the prompt line
    for address in os.environ["ADDRESSES"].split():
        await ask(*address.split("@"))

with asyncio.Runner(loop_factory=EventLoop) as runner:
    runner.run(main())
print(*sorted(set(sys.modules) - before))
"""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    keys = [
        simulator.key_for(name) for name in ("many-budgets", "error-401", "error-403", "error-503", "html", "bad-date")
    ]
    addresses = [f"{key}@{server.base_url}" for key in keys]
    addresses += [f"{KEY}@{tls_url}", f"{KEY}@http://127.0.0.1:1/v1", f"{KEY}@https://openrouter.invalid/v1"]
    environ = {
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": server.base_url,
        "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
        "ADDRESSES": " ".join(addresses),
    }
    assert run_preloaded(program, bare_environ | environ).split() == []


@pytest.mark.process
def test_polls_fail_while_too_many_files_are_open_and_then_recover(
    bare_environ: dict[str, str], server: simulator.Server
) -> None:
    program = """
async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    monitor = monitored.poller
    monitor._sleep = lambda _: asyncio.sleep(0.01)
    polling = asyncio.ensure_future(monitor.run())
    async for snapshot in monitor.snapshots():
        print(snapshot.error)
        if snapshot.error is None or "https" in os.environ["OPENROUTER_BASE_URL"]:
            break
        while opened:
            os.close(opened.pop())
    polling.cancel()

asyncio.run(main())
"""
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
    failed, recovered = run_preloaded(program, environ).splitlines()
    assert "could not be reached: too many files are open; tried 4 times" in failed
    assert recovered == "None"
    environ["OPENROUTER_BASE_URL"] = "https://openrouter.invalid/v1"  # for which certificates are read first
    assert run_preloaded(program, environ).splitlines() == ["OpenRouter could not be reached: too many files are open."]
