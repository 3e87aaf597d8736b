"""`config.toml`: where it is, who may write it, what it may say, and which line is wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import platformdirs
import pytest

from orcredit.config import place
from orcredit.config.file import line_of, load, parse, unknown_profile
from orcredit.errors import ConfigurationError
from tests.profiles import User, user

if TYPE_CHECKING:
    from pathlib import Path

    from orcredit.config.file import ConfigFile

__all__ = ["user"]

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
WORK = '[profiles.work]\nkey_env = "WORK_KEY"\n'
HOME = '[profiles.home]\nkey_file = "home.key"\n'


def problem(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "/config.toml")
    assert "\n" not in str(caught.value)
    return f"{caught.value} {caught.value.hint}"


def read(text: str) -> ConfigFile:
    return parse(text, "/folder/config.toml")


def test_it_is_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("XDG_CONFIG_HOME", "ORCREDIT_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    assert place.path() == str(platformdirs.user_config_path("orcredit") / "config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert place.path() == str(platformdirs.user_config_path("orcredit") / "config.toml")
    assert place.path({"HOME": "/Users/me"}, "darwin") == "/Users/me/Library/Application Support/orcredit/config.toml"
    assert (
        place.path({"XDG_CONFIG_HOME": "relative", "HOME": "/home/me"}, "linux")
        == "/home/me/.config/orcredit/config.toml"
    )


def test_a_variable_names_another_file(user: User) -> None:
    user.writes(WORK)
    other = user.home / "other.toml"
    user.file.rename(other)
    file = load({"ORCREDIT_CONFIG": str(other)})
    assert file is not None
    assert list(file.profiles) == ["work"]
    assert load({"ORCREDIT_CONFIG": os.devnull, "HOME": str(user.home)}) is None
    assert load({"HOME": str(user.home)}) is None
    with pytest.raises(ConfigurationError, match="ORCREDIT_CONFIG names a file that does not exist"):
        load({"ORCREDIT_CONFIG": str(user.file)})


# Who may write it


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(user: User, mode: int) -> None:
    user.writes(WORK)
    user.file.chmod(mode)
    done = user.run("status", OPENROUTER_API_KEY=KEY)
    assert (done.code, done.stdout) == (78, "")
    assert "can be written by others" in done.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(user: User) -> None:
    user.writes(WORK)
    os.chown(user.file, 12345, 12345)
    with pytest.raises(ConfigurationError, match="is another user's"):
        load({"HOME": str(user.home)})


def test_a_file_that_others_can_read_is_used(user: User) -> None:
    user.writes(WORK)
    user.file.chmod(0o644)
    assert load({"HOME": str(user.home)}) is not None


def test_what_is_no_file_is_refused(user: User) -> None:
    user.file.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"cannot be read|is not a file"):
        load({"HOME": str(user.home)})
    user.file.rmdir()
    os.mkfifo(user.file)
    with pytest.raises(ConfigurationError, match="is not a file"):
        load({"HOME": str(user.home)})
    user.file.unlink()
    user.file.symlink_to(user.home / "missing")
    with pytest.raises(ConfigurationError, match="No such file"):
        load({"HOME": str(user.home)})


def test_a_link_is_followed(user: User) -> None:
    user.writes(WORK)
    user.file.rename(user.home / "dotfiles.toml")
    user.file.symlink_to(user.home / "dotfiles.toml")
    assert load({"HOME": str(user.home)}) is not None


# What it may say


def test_options_of_all_and_of_a_profile() -> None:
    file = read(
        'timeout = 5\nwarn_below = ["20%", 5]\nprofile = "work"\nno_bell = true\n'
        f'{WORK}interval = "5m"\nmanagement_key_command = ["pass", "show", "x"]\n{HOME}warn_below = "3d, 1"'
    )
    assert file.options == {"timeout": "5", "warn_below": ["20%", "5"], "no_bell": True}
    assert file.default == "work"
    work, home = file.profiles.values()
    assert work.options == {"interval": "5m"}
    assert (work.key.how, work.key.value, work.key.name) == ("env", "WORK_KEY", "WORK_KEY")
    assert work.management_key is not None
    assert work.management_key.name == "management_key_command of profile work"
    assert home.options == {"warn_below": ["3d", "1"]}
    assert (home.key.how, home.key.folder) == ("file", "/folder")


def test_an_empty_file_is_valid() -> None:
    assert read("").profiles == {}
    assert read("[profiles]\n").profiles == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("timeout = 5\nintervall = 3\n", ["line 2", "'intervall' is not an option", "nearest name is interval"]),
        ("warn-below = '5'\n", ["line 1", "nearest name is warn_below"]),
        ("xyzzy = 1\n", ["line 1", "Known are", "base_url"]),
        (f'{WORK}key_comand = ["x"]\n', ["line 3", "nearest name is key_command"]),
        (f"{WORK}port = 4001\n", ["line 3", "option of a server"]),
        ('key_env = "X"\n', ["line 1", "belongs to a profile"]),
        ("json = true\n", ["line 1", "json is not taken from this file"]),
        ("timeout = 'soon'\n", ["line 1", "timeout: 'soon' is not a duration"]),
        ("timeout = 0\n", ["line 1", "too short"]),
        ("# x\n\ninterval = '0.5s'\n", ["line 3", "too short"]),
        ("warn_below = ['ten']\n", ["line 1", "'ten' is not a threshold", "Accepted"]),
        ("no_bell = 'yes'\n", ["line 1", "true or false"]),
        ("port = 99999\n", ["line 1", "0 to 65535"]),
        ("color = 'blue'\n", ["line 1", '"always" or "never"']),
        ("base_url = 'http://example.com'\n", ["line 1", "unencrypted"]),
        ("base_url = 'https://user:pass@example.com'\n", ["line 1", "base_url contains a user name"]),
        ("timeout = 5\ntimeout = 6\n", ["line 2", "defined twice"]),
        ("timeout = \n", ["line 1", "not TOML"]),
        ("a = 1\nb = 2\n[profiles.work\n", ["line 3", "not TOML"]),
        ("[" * 2000, ["line 1", "not TOML"]),
        ("profiles = 5\n", ["line 1", "not a table"]),
        ("[profiles]\nwork = 5\n", ["line 2", "work is not a table"]),
        ("[profiles.'a b']\nkey_env = 'X'\n", ["line 1", "not the name of a profile"]),
        ("timeout = 1\n[profiles.work]\n", ["line 2", "has no key", "key_env, key_file, key_command, keyring"]),
        (f"{WORK}keyring = false\nkey_file = 'x'\n", ["line 4", "key_env and key_file", "comes from one of them"]),
        ("[profiles.a]\nkey_command = 'pass show x'\n", ["line 2", "list of texts", "without a shell"]),
        ("[profiles.a]\nkey_command = []\n", ["line 2", "list of texts"]),
        ("[profiles.a]\nkey_env = 'A B'\n", ["line 2", "not the name of a variable"]),
        ("[profiles.a]\nkey_file = 5\n", ["line 2", "a path in quotes"]),
        ("[profiles.a]\nkeyring = 'x'\n", ["line 2", "true or false"]),
        (f"profile = 'wrok'\n{WORK}", ["line 1", "no profile 'wrok'", "nearest name is work"]),
        ("timeout = 5\n[profile.work]\nkey_env = 'X'\n", ["line 2", "profile: the name of a profile", "with an s"]),
        ("profile = ['work']\n", ["line 1", "profile: the name of a profile in quotes"]),
        ("profile = 5\n", ["line 1", "profile: the name of a profile in quotes"]),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line(text: str, words: list[str]) -> None:
    said = problem(text)
    assert said.startswith("/config.toml, line ")
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "text",
    [
        f'[profiles.work]\nkey = "{KEY}"\n',
        '[profiles.work]\napi_key = "short-secret-1"\n',
        f'[profiles.work]\nkey_env = "{KEY}"\n',
        f'[profiles.work]\nkey_command = ["echo", "{KEY}"]\n',
        f'openrouter_api_key = "{KEY}"\n',
        f'OPENROUTER_API_KEY = "{KEY}"\n',
        f'{WORK}management_key = "{KEY}"\n',
        f'{WORK}token = "short-secret-1"\n',
        f"{KEY} = 1\n",
        f"[profiles.{KEY}]\nkey_env = 'X'\n",
        f'{WORK}"{KEY}" = {{ a = 1 }}\n',
        f"profile = '{KEY}'\n",
        f"key = {KEY}\n",
    ],
)
def test_a_key_in_the_file_is_refused_and_not_repeated(text: str) -> None:
    said = problem(text)
    assert "0123456789abcdef" not in said
    assert "short-secret" not in said
    assert "[profiles." in text or "line 1" in said or "line 3" in said
    if "key = sk" not in text and "profiles.sk" not in text and "profile =" not in text:
        assert "a key does not belong here" in said
        assert "every backup and copy" in said


def test_control_characters_are_not_printed() -> None:
    assert "\x1b" not in problem('"\\u001b[31mred" = 1\n')


def test_lines_of_other_spellings_are_found() -> None:
    text = '# key_env\n"timeout" = 5\nprofiles.a.key_env = "A"\n[profiles."b.c"] # comment\n  key_env="B"\n'
    assert line_of(text, "timeout") == 2
    assert line_of(text, "key_env", "a") == 3
    assert line_of(text, None, "b.c") == 4
    assert line_of(text, "key_env", "b.c") == 5
    assert line_of("profiles = {a = {key_env = 'A'}}", "key_env", "a") == 1
    assert line_of("", "timeout") is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[profiles.a]\nkey_env = "A"\n[profiles.a]\nkey_env = "B"', 3, "defined twice"),
        ("timeout = 1\ntimeout = 2", 2, "defined twice"),
        ('timeout = 5\n[profiles.""]\nkey_env = "A"', 2, "not the name of a profile"),
        ('[profiles.a]\nkey_env = "A"\n[profiles."a\\u0020b"]\nkey_env = "A"', 3, "not the name of a profile"),
        ('[profiles.a]\nkey_env = "A"\n[profiles."a]b"]\nkey_env = "A"', 3, "not the name of a profile"),
        ("[profiles]\na = 1", 2, "a is not a table"),
    ],
)
def test_the_line_of_what_is_wrong_with_a_profile(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigurationError, match=rf", line {line}: .*{words}"):
        parse(text, "/config.toml")


def test_a_value_that_is_too_short_says_what_is_accepted() -> None:
    for text, accepted in (
        ("interval = 0", "Accepted: 1s or more"),
        ("timeout = 0", "Accepted: more than 0, at most 1d"),
    ):
        with pytest.raises(ConfigurationError, match=r"line 1: .*'0' is too short") as caught:
            parse(text, "/config.toml")
        assert accepted in caught.value.hint


def test_only_a_near_name_is_proposed() -> None:
    known = ["home", "work"]
    assert "nearest" not in unknown_profile("nope", "--profile", known, "/c").hint
    assert "nearest name is work" in unknown_profile("wrok", "--profile", known, "/c").hint
