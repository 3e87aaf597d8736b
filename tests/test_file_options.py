"""Which options of `config.toml` reach a command, and which do not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from orcredit.cli import file_options
from orcredit.errors import ConfigurationError
from tests.profiles import User, user

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["user"]

SERVE = {"profile": None, "host": "127.0.0.1", "port": 4000, "open": False, "token_file": None, "timeout": "10s"}
SERVE |= {"interval": "60", "allow_host": None, "database_url": None, "no_history": False, "verbose": False}


@pytest.fixture(autouse=True)
def _environ(user: User) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(user.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def applied(command: str, params: dict[str, Any], *given: str) -> dict[str, Any]:
    """Return the parameters that the file changed."""
    changed = dict(params)
    file_options.apply(command, changed, given)
    return {name: value for name, value in changed.items() if value != params[name]}


def test_options_of_a_server(user: User) -> None:
    user.writes('host = "::1"\nport = 0\nopen = true\ntoken_file = "token"\nallow_host = "nas.lan"\ninterval = 5\n')
    assert applied("serve", SERVE) == {
        "host": "::1",
        "port": 0,
        "open": True,
        "token_file": str(user.file.parent / "token"),
        "allow_host": ["nas.lan"],
        "interval": "5",
    }
    assert applied("serve", SERVE, "host", "port", "open", "token_file", "allow_host") == {"interval": "5"}


def test_options_of_keys_and_activity(user: User) -> None:
    user.writes('timeout = 5\nsince = "30d"\nverbose = true\n[profiles.work]\nkey_env = "W"\ntimeout = 7\n')
    asked = {"profile": "work", "timeout": "10s", "verbose": False, "warn_below": None, "base_url": None}
    assert applied("keys", asked) == {"timeout": "7", "verbose": True}
    assert applied("activity", asked | {"since": "7d"}) == {"timeout": "7", "verbose": True, "since": "30d"}
    assert applied("activity", asked | {"since": "7d"}, "since", "timeout") == {"verbose": True}
    assert applied("keys", asked | {"profile": None, "demo": True}) == {}


def test_a_token_in_the_variable_wins_over_the_files(user: User) -> None:
    user.writes('token_file = "token"\n')
    os.environ["ORCREDIT_TOKEN"] = "secret-secret-secret"
    assert applied("serve", SERVE) == {}


def test_what_the_command_line_contradicts_is_left_out(user: User) -> None:
    user.writes('no_history = true\ndatabase_url = "sqlite:////x.db"\n')
    assert applied("serve", SERVE, "database_url") == {}
    assert "ORCREDIT_NO_HISTORY" not in os.environ
    applied("serve", SERVE | {"no_history": True}, "no_history")
    assert "ORCREDIT_DATABASE_URL" not in os.environ
    applied("serve", SERVE)
    assert (os.environ["ORCREDIT_NO_HISTORY"], os.environ["ORCREDIT_DATABASE_URL"]) == ("1", "sqlite:////x.db")


def test_variables_win_over_the_file(user: User) -> None:
    user.writes('no_history = true\ndatabase_url = "sqlite:////x.db"\n')
    os.environ |= {"ORCREDIT_NO_HISTORY": "0", "ORCREDIT_DATABASE_URL": "sqlite:////y.db"}
    applied("serve", SERVE)
    assert (os.environ["ORCREDIT_NO_HISTORY"], os.environ["ORCREDIT_DATABASE_URL"]) == ("0", "sqlite:////y.db")


def test_the_selected_profile_wins_over_the_top_of_the_file(user: User) -> None:
    user.writes('timeout = 5\ninterval = 9\n[profiles.work]\nkey_env = "W"\ntimeout = 7\n')
    watch = {"profile": None, "timeout": "10s", "interval": "60"}
    assert applied("watch", watch) == {"timeout": "5", "interval": "9"}
    assert applied("watch", watch | {"profile": "work"}) == {"timeout": "7", "interval": "9"}
    assert applied("doctor", {"profile": "work", "timeout": "10s"}) == {"timeout": "7"}
    assert applied("status", {"all": True, "timeout": "10s"}) == {"timeout": ""}
    assert applied("status", {"all": True, "timeout": "3"}, "timeout") == {}


def test_a_server_of_several_profiles_leaves_each_its_own_timeout_and_interval(user: User) -> None:
    user.writes('timeout = 5\nverbose = true\n[profiles.work]\nkey_env = "W"\ntimeout = 7\ninterval = 9\n')
    assert applied("serve", SERVE) == {"timeout": "7", "interval": "9", "verbose": True}  # there is only this one
    os.environ["OPENROUTER_API_KEY"] = "sk-or-v1-made-up"
    assert applied("serve", SERVE) == {"timeout": "", "interval": "", "verbose": True}
    assert applied("serve", SERVE | {"timeout": "3"}, "timeout") == {"interval": "", "verbose": True}
    assert applied("serve", SERVE | {"profile": "work"}) == {"timeout": "7", "interval": "9", "verbose": True}


def test_the_demo_and_other_commands_take_nothing(user: User) -> None:
    user.writes("broken")
    assert applied("serve", SERVE | {"demo": True}) == {}
    assert applied("init", {"profile": None}) == {}
    assert applied("doctor", {"profile": None, "timeout": "10s"}) == {}
    with pytest.raises(ConfigurationError, match="not TOML"):
        applied("serve", SERVE)
