"""A machine with a set-up that works, for the tests of `doctor`: a pytest plugin that they name in `pytest_plugins`."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from orcredit.history import History
from tests.in_process import run_here
from tests.simulated import assess_account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Finished

KEY = simulator.key_for("normal")
ANTHROPIC_KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"
OPENAI_KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
PROXY_PASSWORD, DATABASE_PASSWORD, TOKEN = "proxy-pass-word", "data-pass-word", "token-0123456789abcdef"
SECRETS = {
    KEY,
    KEY.removeprefix("sk-or-v1-"),
    simulator.key_for("error-401"),
    simulator.key_for("html"),
    simulator.management_key_for("normal"),
    ANTHROPIC_KEY,
    OPENAI_KEY,
    PROXY_PASSWORD,
    "proxy-user",
    "proxy-host",
    DATABASE_PASSWORD,
    "data-user",
    "data-host",
    TOKEN,
}
"""What no output may hold: keys, tokens, and of proxies and databases the host, the user and the password."""


class Machine:
    """A set-up that works; tests break it.

    Attributes:
        environ: of the command, with every secret that may be set.
        home: the home directory, empty at first.
    """

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLUMNS": "400",
            "OPENROUTER_API_KEY": KEY,
            "OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for("normal"),
            "OPENROUTER_BASE_URL": url,
            "ORCREDIT_TOKEN": TOKEN,
        }
        self.cleanup = ExitStack()

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "orcredit"

    def history(self) -> Path:
        """Return the default database, with what was recorded of a key."""
        file = self.home / ".local" / "share" / "orcredit" / "history.db"
        file.parent.mkdir(parents=True)
        with History(f"sqlite:///{file}") as history:
            history.record("0" * 12, assess_account("normal"))
        return file

    def use(self, **variables: str) -> None:
        self.environ |= variables

    def examine(self, *arguments: str) -> Finished:
        done = run_here("doctor", *arguments, environ=self.environ)
        assert done.stderr == ""
        for secret in SECRETS | {str(self.home)}:
            assert secret not in done.stdout
        return done


@pytest.fixture
def machine(tmp_path: Path, server: simulator.Server) -> Iterator[Machine]:
    made = Machine(tmp_path, server.base_url)
    with made.cleanup:
        yield made


# What breaks it: each returns the name and the words of the first line


def no_key(machine: Machine) -> tuple[str, str]:
    del machine.environ["OPENROUTER_API_KEY"], machine.environ["OPENROUTER_MANAGEMENT_KEY"]
    return "key", "No OpenRouter key is set."


def damaged_history(machine: Machine) -> tuple[str, str]:
    machine.history().write_bytes(b"SQLite format 3\0" + b"damaged" * 1000)
    return "history", "(~/.local/share/orcredit/history.db)"


def dumb_terminal(machine: Machine) -> tuple[str, str]:
    machine.use(TERM="dumb")
    return "terminal", "TERM is dumb: no colours"
