"""Configuration files with profiles, and commands that use them, in the tests' own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.in_process import run_here

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Finished


class User:
    """A user with a home directory, a configuration file and no variables but those given."""

    def __init__(self, home: Path, base_url: str) -> None:
        self.home = home
        self.base_url = base_url
        self.file = home / ".config" / "orcredit" / "config.toml"
        self.environ = {"HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "COLUMNS": "200"}

    def writes(self, text: str) -> None:
        """Write the configuration file; `URL` stands for the simulator's."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text.replace("URL", self.base_url), encoding="utf-8")
        self.file.chmod(0o600)

    def keeps(self, account: str, name: str | None = None) -> str:
        """Write the key of an account into a file; return its path."""
        path = self.home / (name or f"{account}.key")
        path.write_text(f"{simulator.key_for(account)}\n", encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    def run(self, *arguments: str, **environ: str) -> Finished:
        return run_here(*arguments, environ=self.environ | environ)


@pytest.fixture
def user(tmp_path: Path, server: simulator.Server) -> User:
    return User(tmp_path, server.base_url)
