"""The prompt line of a profile: from the index and the cache, without a command, a keychain or a file with a key."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orcredit import cache, simulator
from orcredit.cli import line as line_module
from orcredit.config import file, sources
from tests.profiles import User, user
from tests.test_imports import DATABASE, HEAVY, HTTP, SERVER, loaded

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["user"]


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Return the profiles for which a refresh was started."""
    started: list[str | None] = []
    monkeypatch.setattr(line_module, "_start_status", started.append)
    return started


@pytest.fixture
def two(user: User) -> User:
    normal, low = user.keeps("normal"), user.keeps("low")
    user.writes(
        f'base_url = "URL"\nprofile = "work"\n[profiles.work]\nkey_file = "{normal}"\n'
        f'[profiles.home]\nkey_file = "{low}"\n'
    )
    for name in ("work", "home"):
        user.run("status", "-q", "-p", name)
    return user


def test_it_shows_the_profile_that_status_shows(two: User) -> None:
    assert two.run("line").stdout.startswith("$51.25")
    assert two.run("line", "-p", "home").stdout.startswith("$8.00")
    assert two.run("line", "-phome").code == 1
    assert two.run("line", ORCREDIT_PROFILE="home").stdout.startswith("$8.00")
    unnamed = two.run("line", OPENROUTER_API_KEY=simulator.key_for("exhausted"))
    assert (unnamed.code, unnamed.stdout) == (69, "…\n")  # never asked about, at the file's base URL


def test_it_reads_no_key_and_parses_no_toml(two: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("not for the line")

    monkeypatch.setattr(sources, "read", fail)
    monkeypatch.setattr(file, "parse", fail)
    assert two.run("line", "-p", "work").code == 0


def test_a_changed_file_is_parsed_once(two: User, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = file.parse

    def counted(text: str, path: str) -> file.ConfigFile:
        parsed.append(path)
        return parse(text, path)

    monkeypatch.setattr(file, "parse", counted)
    two.writes(two.file.read_text().replace('profile = "work"', 'profile = "home"'))
    assert two.run("line").stdout.startswith("$8.00")
    assert two.run("line").stdout.startswith("$8.00")
    assert parsed == [str(two.file)]


def test_a_profile_with_another_key_does_not_show_the_old_ones_balance(two: User, started: list[str | None]) -> None:
    two.writes(two.file.read_text().replace(two.keeps("normal"), two.keeps("exhausted")))
    started.clear()
    assert two.run("line", "-p", "work").stdout == "…\n"
    assert started == ["work"]
    assert two.run("line", "-p", "work").stdout == "…\n"
    assert started == ["work"]  # it is under way
    two.run("status", "-q", "-p", "work")
    assert two.run("line", "-p", "work").code == 3


def test_a_file_that_others_can_write_is_refused(two: User) -> None:
    two.file.chmod(0o666)
    done = two.run("line", "-p", "work")
    assert (done.code, done.stdout) == (78, "")
    assert "can be written by others" in done.stderr
    assert two.run("line", "-p", "work", "--for", "zsh") == two.run("line", "--for", "zsh")
    assert two.run("line", "-p", "work", "--for", "zsh").code == 0


def test_a_key_in_a_variable_is_followed(user: User) -> None:
    user.writes('base_url = "URL"\n[profiles.work]\nkey_env = "WORK"\n')
    for account, shown in (("normal", "$51.25"), ("low", "$8.00")):
        key = simulator.key_for(account)
        user.run("status", "-q", "-p", "work", WORK=key)
        assert user.run("line", "-p", "work", WORK=key).stdout.startswith(shown)
    assert user.run("line", "-p", "work", WORK=simulator.key_for("normal")).stdout.startswith("$51.25")
    done = user.run("line", "-p", "work")
    assert done.code == 78
    assert "from WORK, which is not set" in done.stderr


def test_options_of_the_file(two: User) -> None:
    two.writes('format = "{level}"\nexit_zero = true\n' + two.file.read_text() + 'format = "home: {level}"\n')
    done = two.run("line", "-p", "home")
    assert (done.code, done.stdout) == (0, "home: low\n")
    assert two.run("line", "-p", "work").stdout == "ok\n"
    assert two.run("line", "-p", "work", "--format", "{spendable}").stdout == "$51.25\n"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 1}', '{"format": 1, "stamp": [], "default": 5, "profiles": {}, "unnamed": {}}'],
)
def test_an_invalid_index_counts_as_absent(two: User, content: str) -> None:
    (index,) = (two.home / ".cache" / "orcredit").glob("profiles-*.json")
    index.write_text(content)
    assert two.run("line", "-p", "home").stdout == "…\n"
    two.run("status", "-q", "-p", "home")
    assert two.run("line", "-p", "home").stdout.startswith("$8.00")


def test_the_index_holds_no_key(two: User) -> None:
    (index,) = (two.home / ".cache" / "orcredit").glob("profiles-*.json")
    for account in ("normal", "low"):
        assert simulator.key_for(account)[9:20] not in index.read_text()
    assert index.stat().st_mode & 0o077 == 0
    assert set(json.loads(index.read_text())["profiles"]) == {"work", "home"}


def test_where_nothing_can_be_kept_the_file_is_parsed_every_time(two: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "directory", lambda *_: None)
    assert two.run("line", "-p", "home").stdout == "…\n"


@pytest.mark.process
def test_it_loads_only_a_few_standard_modules(two: User, tmp_path: Path) -> None:
    own = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    environ = {"PYTHONPATH": ":".join(sys.path)} | two.environ
    modules = loaded(["line", "-p", "home", "--exit-zero"], environ) - set(own.stdout.split())
    assert "orcredit.config.index" in modules
    assert not modules & (HTTP | SERVER | DATABASE | HEAVY | {"tomllib", "orcredit.config.file"})
    assert tmp_path == two.home
