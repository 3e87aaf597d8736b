"""`orcredit config`: where options come from, the path, and editing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from orcredit.cli import config
from orcredit.cli.app import application
from orcredit.config.options import OPTIONS
from tests.profiles import User, user

if TYPE_CHECKING:
    from tests.conftest import Finished

__all__ = ["user"]

FILE = """\
warn_below = ["20%"]
interval = "5m"
[profiles.work]
key_command = ["pass", "show", "secret/work"]
management_key_env = "WORK_MANAGEMENT"
interval = "10m"
"""


def rows(done: Finished) -> dict[str, tuple[str | None, str]]:
    assert (done.code, done.stderr) == (0, "")
    return {row["name"]: (row["value"], row["source"]) for row in json.loads(done.stdout)}


def test_every_option_has_its_source(user: User) -> None:
    user.writes(FILE)
    shown = rows(user.run("config", "show", "--json", "-p", "work", ORCREDIT_NO_HISTORY="1"))
    assert shown["file"] == ("~/.config/orcredit/config.toml", "exists")
    assert shown["profile"] == ("work", "--profile")
    assert shown["key"] == ("what pass prints", "key_command in config.toml, line 4")
    assert shown["management_key"] == ("$WORK_MANAGEMENT", "management_key_env in config.toml, line 5")
    assert shown["base_url"] == ("https://openrouter.ai/api/v1", "default")
    assert shown["warn_below"] == ("20%", "config.toml, line 1")
    assert shown["interval"] == ("10m", "config.toml, line 6")
    assert shown["timeout"] == ("10s", "default")
    assert shown["no_history"] == ("1", "ORCREDIT_NO_HISTORY")
    assert set(shown) == {"file", "profile", "key", "management_key", *OPTIONS}


def test_the_unnamed_profile(user: User) -> None:
    user.writes(FILE)
    environ = {"OPENROUTER_API_KEY": "sk-or-v1-secret-secret", "OPENROUTER_BASE_URL": "https://example.com/v1"}
    shown = rows(user.run("config", "--json", **environ, ORCREDIT_DATABASE_URL="postgresql://me:pw@host/name"))
    assert shown["profile"] == (None, "the unnamed profile: variables")
    assert shown["key"] == ("set (not shown)", "OPENROUTER_API_KEY")
    assert shown["management_key"] == (None, "no variable is set")
    assert shown["base_url"] == ("https://example.com/v1", "OPENROUTER_BASE_URL")
    assert shown["database_url"] == ("set (not shown)", "ORCREDIT_DATABASE_URL")


def test_the_files_default_profile(user: User) -> None:
    user.writes(f'profile = "work"\n{FILE}')
    assert rows(user.run("config", "--json"))["profile"] == ("work", "config.toml, line 1")
    assert rows(user.run("config", "--json", ORCREDIT_PROFILE="work"))["profile"] == ("work", "ORCREDIT_PROFILE")


def test_the_table(user: User) -> None:
    done = user.run("config")
    assert done.code == 0
    assert "~/.config/orcredit/config.toml" in done.stdout
    assert "does not exist" in done.stdout


def test_the_defaults_are_those_of_the_commands() -> None:
    commands = application().commands
    for name, default in config.DEFAULTS.items():
        found: list[Any] = [option for command in commands.values() for option in command.params if option.name == name]
        for option in found:
            if option.default in {None, False}:
                assert default in {None, "false"} or name in {"warn_below", "database_url", "max_age", "color"}, name
            else:
                assert str(option.default) == default, name
    assert set(config.DEFAULTS) | {"base_url"} == set(OPTIONS)


def test_the_path(user: User) -> None:
    done = user.run("config", "path")
    assert (done.code, done.stdout) == (0, f"{user.file}\n")
    assert "does not exist yet" in done.stderr
    assert user.run("config", "path", ORCREDIT_CONFIG="/x/y.toml").stdout == "/x/y.toml\n"
    assert user.run("config", "path", ORCREDIT_CONFIG="/dev/null").code == 78


def test_wrong_usage(user: User) -> None:
    assert user.run("config", "path", "--json").code == 2
    assert user.run("config", "edit", "-p", "work").code == 2


# Editing


def editor(user: User, program: str) -> str:
    """Return the command of an editor that runs a Python program on the `text` of the file."""
    script = user.home / "editor.py"
    script.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\ntext = path.read_text()\n"
        f"{program}\npath.write_text(text)\n"
    )
    return f"{sys.executable} {script}"


@pytest.mark.process
def test_an_edited_file_is_kept(user: User) -> None:
    user.writes(FILE)
    done = user.run("config", "edit", EDITOR=editor(user, "text += '# more\\n'"))
    assert (done.code, done.stdout) == (0, "Wrote ~/.config/orcredit/config.toml\n")
    assert user.file.read_text() == f"{FILE}# more\n"
    assert [path.name for path in user.file.parent.iterdir()] == ["config.toml"]


@pytest.mark.process
def test_a_new_file_begins_with_comments(user: User) -> None:
    done = user.run("config", "edit", VISUAL=editor(user, "text += 'timeout = 5\\n'"), EDITOR="false")
    assert done.code == 0
    assert user.file.read_text().startswith("# orcredit's configuration")
    assert user.file.stat().st_mode & 0o777 == 0o600
    assert user.run("config", "edit", EDITOR=editor(user, "")).stdout == "Nothing was changed.\n"


@pytest.mark.process
def test_an_invalid_change_is_not_kept_and_not_lost(user: User) -> None:
    user.writes(FILE)
    done = user.run("config", "edit", EDITOR=editor(user, "text = 'intervall = 5\\n' + text"))
    assert (done.code, done.stdout) == (78, "")
    assert "line 1: 'intervall' is not an option; the file was not changed." in done.stderr
    assert "nearest name is interval" in done.stderr
    assert "config-draft.toml" in done.stderr
    assert user.file.read_text() == FILE
    assert (user.file.parent / "config-draft.toml").read_text() == f"intervall = 5\n{FILE}"


@pytest.mark.process
@pytest.mark.parametrize(
    ("chosen", "words"),
    [("false", "exit code 1"), ("/nonexistent/editor", "could not be started"), ("'", "could not be started")],
)
def test_an_editor_that_fails_changes_nothing(user: User, chosen: str, words: str) -> None:
    user.writes(FILE)
    done = user.run("config", "edit", EDITOR=chosen)
    assert (done.code, done.stdout) == (78, "")
    assert words in done.stderr
    assert user.file.read_text() == FILE
    assert [path.name for path in user.file.parent.iterdir()] == ["config.toml"]


@pytest.mark.process
@pytest.mark.parametrize("program", ["path.unlink(); sys.exit()", "path.unlink(); path.mkdir(); sys.exit()"])
def test_an_editor_that_takes_the_draft_away_changes_nothing(user: User, program: str) -> None:
    user.writes(FILE)
    done = user.run("config", "edit", EDITOR=editor(user, program))
    assert (done.code, done.stdout) == (78, "")
    assert "What the editor left cannot be read" in done.stderr
    assert user.file.read_text() == FILE


@pytest.mark.process
def test_a_broken_file_can_be_edited(user: User) -> None:
    user.writes("broken")
    assert user.run("config", "edit", EDITOR=editor(user, "text = 'timeout = 5\\n'")).code == 0
    assert user.file.read_text() == "timeout = 5\n"
