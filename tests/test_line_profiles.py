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
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return the options of the refreshes that were started."""
    started: list[tuple[str, ...]] = []
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


def test_a_profile_with_another_key_does_not_show_the_old_ones_balance(
    two: User, started: list[tuple[str, ...]]
) -> None:
    two.writes(two.file.read_text().replace(two.keeps("normal"), two.keeps("exhausted")))
    started.clear()
    assert two.run("line", "-p", "work").stdout == "…\n"
    assert started == [("-p", "work")]
    assert two.run("line", "-p", "work").stdout == "…\n"
    assert started == [("-p", "work")]  # it is under way
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


# All profiles


def test_the_worst_of_all_with_its_name(two: User) -> None:
    done = two.run("line", "--all")
    assert (done.code, done.stderr) == (1, "")
    assert done.stdout.startswith("home $8.00 · 8.0% · ")
    assert "more" not in done.stdout
    assert two.run("line", "--all", "--exit-zero").code == 0
    assert two.run("line", "--all", "--color", "always").stdout.startswith("\x1b[31mhome ")


def test_how_many_others_are_low(two: User) -> None:
    two.writes(two.file.read_text() + f'[profiles.third]\nkey_file = "{two.keeps("exhausted")}"\n')
    two.run("status", "-q", "-p", "third")
    done = two.run("line", "--all")
    assert done.code == 3
    assert done.stdout.startswith("third exhausted · resets in ")
    assert done.stdout.endswith(" · 1 more low\n")
    assert two.run("line", "--all", "--format", "{profile}/{others}").stdout == "third/1\n"
    assert two.run("line", "-p", "home", "--format", "{profile}/{others}").stdout == "home/\n"
    assert two.run("line", "--format", "{profile}").stdout == "work\n"
    assert two.run("line", "--all", "--for", "tmux").stdout.startswith("#[fg=red]third exhausted")
    assert json.loads(two.run("line", "--all", "--for", "waybar").stdout)["text"].endswith("1 more low")


def test_a_refused_key_is_worse_than_an_exhausted_one(two: User) -> None:
    refused, exhausted = two.keeps("error-401"), two.keeps("exhausted")
    more = f'[profiles.bad]\nkey_file = "{refused}"\n[profiles.spent]\nkey_file = "{exhausted}"\n'
    two.writes(two.file.read_text() + more)
    two.run("status", "--all", "-q")
    done = two.run("line", "--all")
    assert (done.code, done.stdout) == (77, "bad key refused (401) · 2 more low\n")


def test_what_is_not_known_yet_hides_nothing_but_counts(two: User, started: list[tuple[str, ...]]) -> None:
    two.writes(two.file.read_text() + f'[profiles.new]\nkey_file = "{two.keeps("normal", "other.key")}"\n')
    done = two.run("line", "--all")
    assert done.stdout.startswith("home $8.00")
    assert done.code == 69
    assert started == [("--all",)]
    two.writes(two.file.read_text() + '[profiles.none]\nkey_env = "NONE"\n')
    done = two.run("line", "--all")
    assert done.stdout.startswith("home $8.00")
    assert done.code == 78
    assert started == [("--all",)]  # one is under way


def test_the_unnamed_profile_is_one_of_all(two: User) -> None:
    key = simulator.key_for("exhausted")
    two.run("status", "-q", OPENROUTER_API_KEY=key)
    assert two.run("line", "--all", OPENROUTER_API_KEY=key).stdout.startswith("(environment) exhausted")


def test_an_unnamed_profile_with_a_bad_address_hides_no_other_one(two: User) -> None:
    two.run("status", "--all", "-q")
    environ = {"OPENROUTER_API_KEY": simulator.key_for("normal"), "OPENROUTER_BASE_URL": "nonsense"}
    assert two.run("line", "--all").stdout.startswith("home $8.00")
    done = two.run("line", "--all", **environ)
    assert (done.code, done.stderr) == (2, "")  # as `status --all`
    assert done.stdout.startswith("home $8.00")
    assert two.run("status", "--all", "-q", **environ).code == 2


def test_all_of_none(user: User) -> None:
    done = user.run("line", "--all")
    assert (done.code, done.stdout) == (78, "")
    assert "There are no profiles, and no key is set." in done.stderr
    assert user.run("line", "--all", "--for", "zsh").stdout == ""
    user.writes('[profiles.none]\nkey_env = "NONE"\n')
    assert "NONE, which is not set" in user.run("line", "--all").stderr


def test_before_any_answer(user: User, started: list[tuple[str, ...]]) -> None:
    user.writes(f'base_url = "URL"\n[profiles.work]\nkey_file = "{user.keeps("normal")}"\n')
    done = user.run("line", "--all")
    assert (done.code, done.stdout) == (69, "…\n")
    assert started == [("--all",)]


@pytest.mark.parametrize("words", ["--all -p work", "--all --demo", "--demo -p work"])
def test_one_thing_is_shown(two: User, words: str) -> None:
    done = two.run("line", *words.split())
    assert (done.code, done.stdout) == (2, "")
