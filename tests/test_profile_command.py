"""`orcredit profile`: add, list, remove, rename, default; comments of the file stay."""

from __future__ import annotations

import os
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import keyring
import pytest
from keyring.backends import fail

from orcredit import simulator
from orcredit.config import writing
from tests.profiles import User, user
from tests.test_key_sources import Keychain, keychain

if TYPE_CHECKING:
    from tests.conftest import Finished

__all__ = ["keychain", "user"]

KEY = simulator.key_for("normal")
COMMENTED = """\
# for all
timeout = 5  # seconds

# the company's
[profiles.work]
key_env = "WORK"  # from the vault

# mine
[profiles.home]
key_env = "HOME_KEY"
"""


def add(
    user: User, monkeypatch: pytest.MonkeyPatch, *arguments: str, text: str = f"{KEY}\nmore\n", url: str | None = None
) -> Finished:
    """Add a profile, with a text on standard input."""
    given = user.home / "input.txt"
    given.write_text(text)
    with given.open(encoding="utf-8") as stdin, monkeypatch.context() as patching:
        patching.setattr("sys.stdin", stdin)
        done = user.run("profile", "add", *arguments, "--base-url", url or user.base_url)
    given.unlink()
    assert KEY not in done.stdout + done.stderr
    return done


def test_a_key_in_the_keychain(user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]) -> None:
    done = add(user, monkeypatch, "work")
    assert (done.code, done.stderr) == (0, "")
    assert "Added the key sk-or-v1-e2b...a64 to profile work; it is in the keychain." in done.stdout
    assert keychain.kept == {("orcredit", "work"): KEY}
    assert tomllib.loads(user.file.read_text()) == {"profiles": {"work": {"base_url": user.base_url, "keyring": True}}}
    assert user.file.stat().st_mode & 0o777 == 0o600
    assert user.run("status", "-q", "-p", "work").code == 0

    assert user.run("profile", "rename", "work", "job").code == 0
    assert keychain.kept == {("orcredit", "job"): KEY}
    assert user.run("status", "-q", "-p", "job").code == 0
    assert user.run("profile", "remove", "job").stdout == "Removed profile job.\n"
    assert keychain.kept == {}
    assert tomllib.loads(user.file.read_text()) == {"profiles": {}} or "job" not in user.file.read_text()


def test_a_key_in_a_file(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    path = user.home / "secrets" / "work.key"
    done = add(user, monkeypatch, "work", "--key-file", str(path))
    assert done.code == 0
    assert path.read_text() == f"{KEY}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert user.run("status", "-q", "-p", "work").code == 0
    done = add(user, monkeypatch, "home", "--key-file", str(path))
    assert done.code == 78
    assert "exists already, and was not changed" in done.stderr
    assert "still in" in user.run("profile", "remove", "work").stdout
    assert path.exists()


def test_a_management_key(user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]) -> None:
    key, management = simulator.key_for("credit-below-limit"), simulator.management_key_for("credit-below-limit")
    assert add(user, monkeypatch, "work", text=key).code == 0
    refused = add(user, monkeypatch, "work", "--management", text=key)
    assert refused.code == 78
    assert "This is not a management key" in refused.stderr
    done = add(user, monkeypatch, "work", "--management", text=management)
    assert (done.code, done.stderr) == (0, "")
    assert keychain.kept["orcredit", "work/management"] == management
    assert '"management_key"' in user.run("status", "--json", "-p", "work").stdout
    assert "has a management key already" in add(user, monkeypatch, "work", "--management", text=management).stderr
    assert add(user, monkeypatch, "none", "--management", text=management).code == 78


def test_a_management_key_of_another_account_is_kept_with_a_warning(
    user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]
) -> None:
    other = simulator.management_key_for("low")
    assert add(user, monkeypatch, "work", text=simulator.key_for("credit-below-limit")).code == 0
    done = add(user, monkeypatch, "work", "--management", text=other)
    assert done.code == 0
    assert "the account of this management key does not have the key of profile work" in done.stderr
    assert keychain.kept["orcredit", "work/management"] == other
    found = user.run("doctor", "-p", "work")
    assert found.code == 0
    assert "account" in next(line for line in found.stdout.splitlines() if "does not have the key" in line)
    assert "warning" in next(line for line in found.stdout.splitlines() if "does not have the key" in line)


@pytest.mark.usefixtures("keychain")
def test_a_profile_whose_key_is_a_management_key_has_no_other_account(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = simulator.management_key_for("low")
    assert add(user, monkeypatch, "work", text=key).code == 0
    done = add(user, monkeypatch, "work", "--management", text=simulator.management_key_for("normal"))
    assert (done.code, done.stderr) == (0, "")
    assert "does not have the key" not in user.run("doctor", "-p", "work").stdout


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (" \n", 2, "nothing was given"),
        ("sk-ant-oat01-0123456789", 78, "Anthropic key"),
        ("two words", 78, "not a key"),
        (simulator.key_for("error-401"), 77, "does not know this key"),
        (simulator.key_for("error-503"), 69, "503"),
    ],
)
def test_what_is_no_accepted_key_is_not_kept(
    user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain], text: str, code: int, words: str
) -> None:
    done = add(user, monkeypatch, "work", "--timeout", "1", text=text)
    assert (done.code, done.stdout) == (code, "")
    assert words in done.stderr or code == 77
    assert text.strip() not in done.stderr or not text.strip()
    assert keychain.kept == {}
    assert not user.file.exists()


def test_without_a_keychain_no_key_is_asked_for(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    done = add(user, monkeypatch, "work", text=" ")
    assert done.code == 78
    assert "orcredit[keyring]" in done.stderr
    assert not user.file.exists()


def test_a_key_that_is_gone_from_the_keychain(
    user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]
) -> None:
    management = simulator.management_key_for("normal")
    assert add(user, monkeypatch, "work").code == 0
    assert add(user, monkeypatch, "work", "--management", text=management).code == 0
    keychain.kept.pop(("orcredit", "work/management"))
    done = user.run("status", "-p", "work")
    assert done.code == 78
    assert "then run 'orcredit profile add work --management'" in done.stderr
    keychain.kept.clear()
    assert "Run 'orcredit profile remove work', then 'orcredit profile add work'." in status_of_work(user).stderr
    assert user.run("profile", "remove", "work").code == 0
    assert add(user, monkeypatch, "work").code == 0
    assert status_of_work(user).code == 0


def status_of_work(user: User) -> Finished:
    return user.run("status", "-p", "work")


def test_without_a_keychain_the_hint_says_what_to_do_instead(
    user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]
) -> None:
    del keychain
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    done = add(user, monkeypatch, "work")
    assert done.code == 78
    assert "There is no keychain here." in done.stderr
    assert "With --key-file FILE, the key is kept in a file" in done.stderr
    user.writes("[profiles.work]\nkeyring = true\n")
    done = user.run("profile", "remove", "work")
    assert done.code == 78
    assert "remove [profiles.work] with 'orcredit config edit'" in done.stderr


@pytest.mark.parametrize("name", ["a b", "", ".x", "x" * 65, KEY, "ä"])
def test_bad_names(user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain], name: str) -> None:
    done = add(user, monkeypatch, name)
    assert (done.code, done.stdout) == (2, "")
    assert "not the name of a profile" in done.stderr
    assert keychain.kept == {}


def test_a_name_that_is_there(user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]) -> None:
    user.writes(COMMENTED)
    done = add(user, monkeypatch, "work")
    assert done.code == 78
    assert "There is a profile work already" in done.stderr
    assert keychain.kept == {}
    assert "already" in user.run("profile", "rename", "work", "home").stderr


def test_comments_stay(user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]) -> None:
    del keychain
    user.writes(COMMENTED)
    assert add(user, monkeypatch, "third").code == 0
    assert user.run("profile", "default", "home").code == 0
    assert user.run("profile", "rename", "home", "mine").code == 0
    text = user.file.read_text()
    assert text.startswith('profile = "mine"\n\n# for all\ntimeout = 5  # seconds\n')
    assert '# mine\n[profiles.mine]\nkey_env = "HOME_KEY"\n' in text
    assert '# the company\'s\n[profiles.work]\nkey_env = "WORK"  # from the vault\n' in text
    parsed = tomllib.loads(text)
    assert (parsed["profile"], list(parsed["profiles"])) == ("mine", ["work", "mine", "third"])
    assert user.run("profile", "remove", "mine").code == 0
    parsed = tomllib.loads(user.file.read_text())
    assert ("profile" in parsed, list(parsed["profiles"])) == (False, ["work", "third"])
    assert "# for all" in user.file.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked")
def test_changes_at_once_lose_nothing(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCREDIT_CONFIG", str(user.file))
    names = [f"p{number}" for number in range(30)]
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda name: writing.add(name, {"key_env": "WORK"}), names))
    assert set(tomllib.loads(user.file.read_text())["profiles"]) == set(names)


def test_a_link_to_the_file_stays_one(user: User) -> None:
    user.writes(COMMENTED)
    target = user.home / "dotfiles.toml"
    user.file.rename(target)
    user.file.symlink_to(target)
    assert user.run("profile", "default", "home").code == 0
    assert user.file.is_symlink()
    assert tomllib.loads(target.read_text())["profile"] == "home"


def test_inline_tables_can_be_renamed(user: User) -> None:
    user.writes('profiles = { work = { key_env = "A" }, "a.b" = { key_env = "B" } }\n')
    assert user.run("profile", "rename", "work", "job").code == 0
    assert user.run("profile", "rename", "a.b", "x.y").code == 0
    assert set(tomllib.loads(user.file.read_text())["profiles"]) == {"job", "x.y"}


def test_a_key_that_comes_in_pieces(user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]) -> None:
    reading, writing = os.pipe()
    pieces = [b"\n", KEY[:20].encode(), KEY[20:].encode(), b"\nmore"]

    def read(descriptor: int, count: int) -> bytes:
        if descriptor == reading:
            os.write(writing, pieces.pop(0))
        return real_read(descriptor, count)

    real_read = os.read
    with open(reading, encoding="utf-8") as stdin, monkeypatch.context() as patching:  # noqa: PTH123
        patching.setattr("sys.stdin", stdin)
        patching.setattr("os.read", read)
        done = user.run("profile", "add", "work", "--base-url", user.base_url)
    os.close(writing)
    assert (done.code, done.stderr) == (0, "")
    assert keychain.kept == {("orcredit", "work"): KEY}
    assert not pieces


def test_no_key_is_left_behind_when_the_file_cannot_be_changed(
    user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain]
) -> None:
    path = user.home / "new.key"
    for options in ((), ("--key-file", str(path))):
        with monkeypatch.context() as patching:
            patching.setattr("orcredit.config.writing.add", interrupted)
            assert add(user, monkeypatch, "work", *options).code == 130
        assert keychain.kept == {}
        assert not path.exists()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "text",
    [
        'profiles = {home = {key_env = "A"}}\n',
        "profiles = {}\n",
        'profiles.home.key_env = "A"\n',
        '[profiles]\nhome.key_env = "A"\n',
        '[profiles]\nhome = {key_env = "A"}\n',
        "[profiles]\n",
        '[profiles.home]\nkey_env = "A"',
        'profiles.home.key_env = "A"\n[profiles.other]\nkey_env = "B"\n',
    ],
)
def test_every_form_of_the_table_can_be_changed(
    user: User, monkeypatch: pytest.MonkeyPatch, keychain: type[Keychain], text: str
) -> None:
    user.writes(text)
    before = tomllib.loads(text)["profiles"]

    def profiles() -> Any:  # noqa: ANN401 - TOML
        return tomllib.loads(user.file.read_text()).get("profiles", {})

    done = add(user, monkeypatch, "new")
    assert (done.code, done.stderr) == (0, "")
    assert profiles() == before | {"new": {"base_url": user.base_url, "keyring": True}}
    assert user.run("profile", "rename", "new", "newer").code == 0
    assert profiles().keys() == before.keys() | {"newer"}
    assert user.run("profile", "remove", "newer").code == 0
    assert (profiles(), keychain.kept) == (before, {})
    if "home" in before:
        assert user.run("profile", "rename", "home", "house").code == 0
        assert profiles()["house"] == {"key_env": "A"}
        assert user.run("profile", "remove", "house").code == 0
        assert profiles().keys() == before.keys() - {"home"}


def test_a_broken_file_is_not_changed(user: User) -> None:
    user.writes("broken")
    for words in (("default", "work"), ("remove", "work"), ("rename", "work", "job"), ("list",)):
        done = user.run("profile", *words)
        assert (done.code, done.stdout) == (78, "")
        assert "line 1" in done.stderr
    assert user.file.read_text() == "broken"


def test_the_list_shows_masked_keys(user: User) -> None:
    path = user.keeps("normal")
    user.writes(f'profile = "work"\n[profiles.work]\nkey_file = "{path}"\n[profiles.home]\nkey_env = "MISSING"\n')
    done = user.run("profile")
    assert done.code == 0
    first, second = done.stdout.splitlines()
    assert first.split() == ["work", "sk-or-v1-e2b...a64", "key_file", "default"]
    assert "MISSING, which is not set" in second
    assert KEY not in done.stdout


def test_an_empty_list(user: User) -> None:
    assert "no profiles yet" in user.run("profile", "list").stdout


@pytest.mark.parametrize(
    "words",
    ["add", "remove", "rename work", "default", "list work", "add work other", "remove work --key-file x", "adds work"],
)
def test_wrong_usage(user: User, words: str) -> None:
    done = user.run("profile", *words.split())
    assert (done.code, done.stdout) == (2, "")


@pytest.mark.parametrize("words", ["remove wrok", "rename wrok x", "default wrok"])
def test_unknown_profiles(user: User, words: str) -> None:
    user.writes(COMMENTED)
    done = user.run("profile", *words.split())
    assert done.code == 78
    assert "The nearest name is work" in done.stderr
    user.file.unlink()
    assert "there is no config.toml" in user.run("profile", *words.split()).stderr


def test_the_list_gives_the_reason_that_status_gives(user: User) -> None:
    user.writes('[profiles.other]\nkey_file = "other.key"\n[profiles.text]\nkey_file = "text.key"\n')
    for name, text in (("other", "sk-ant-oat01-0123456789"), ("text", "not a key")):
        file = user.file.parent / f"{name}.key"
        file.write_text(text)
        file.chmod(0o600)
    shown = user.run("profile", "list", COLUMNS="400")
    assert shown.code == 0, shown.stderr
    listed = "".join(shown.stdout.split())
    for name in ("other", "text"):
        done = user.run("status", "-p", name)
        assert done.code == 78
        assert "".join(done.stderr.splitlines()[0].removeprefix("orcredit:").split()) in listed
        assert "OPENROUTER_API_KEY" not in done.stderr


def test_a_byte_order_mark_is_no_part_of_the_key(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = str(user.home / "work.key")
    assert add(user, monkeypatch, "work", "--key-file", kept, text=f"\ufeff{KEY}\n").code == 0
    with open(kept, "w", encoding="utf-8-sig") as file:  # noqa: PTH123
        file.write(KEY)
    assert user.run("status", "-q", "-p", "work").code == 0
