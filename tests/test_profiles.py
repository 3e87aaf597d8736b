"""Which profile a command uses, what belongs to it, and what the file's options do."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import Client, ConfigurationError, Level, simulator
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.broken_server import BrokenServer
from tests.profiles import User, user
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from tests.conftest import Finished, Orcredit

__all__ = ["user"]

LIMITS = {"normal": 500, "low": 100, "exhausted": 500}
OTHER = simulator.key_for("exhausted")


def which(done: Finished) -> tuple[str | None, str]:
    """Return the profile and the level of a document."""
    assert done.stderr == ""
    document = json.loads(done.stdout)
    return document["profile"], document["level"]


@pytest.fixture
def two(user: User) -> User:
    """Return a user with the profiles work (ok) and home (low)."""
    normal, low = user.keeps("normal"), user.keeps("low")
    user.writes(f'base_url = "URL"\n[profiles.work]\nkey_file = "{normal}"\n[profiles.home]\nkey_file = "{low}"\n')
    return user


def test_the_flag_wins_over_the_variable_over_a_key_over_the_files_default(two: User) -> None:
    named, other = {"ORCREDIT_PROFILE": "home"}, {"OPENROUTER_API_KEY": OTHER, "OPENROUTER_BASE_URL": two.base_url}
    assert which(two.run("status", "--json", "-p", "work", **named, **other)) == ("work", "ok")
    assert which(two.run("status", "--json", "--profile=work", **named)) == ("work", "ok")
    assert which(two.run("status", "--json", **named, **other)) == ("home", "low")
    two.writes('profile = "work"\n' + two.file.read_text())
    assert which(two.run("status", "--json")) == ("work", "ok")
    assert which(two.run("status", "--json", **other)) == (None, "exhausted")
    assert which(two.run("status", "--json", ORCREDIT_PROFILE=" ")) == ("work", "ok")


def test_claude_codes_token_of_another_service_is_no_key(two: User) -> None:
    two.writes('profile = "work"\n' + two.file.read_text())
    assert which(two.run("status", "--json", ANTHROPIC_AUTH_TOKEN="sk-ant-oat01-secret")) == ("work", "ok")
    environ = {"ANTHROPIC_AUTH_TOKEN": OTHER, "OPENROUTER_BASE_URL": two.base_url}
    assert which(two.run("status", "--json", **environ)) == (None, "exhausted")


def test_without_a_default_the_unnamed_profile_is_used(two: User) -> None:
    done = two.run("status")
    assert (done.code, done.stdout) == (78, "")
    assert "No profile is chosen" in done.stderr
    assert which(two.run("status", "--json", OPENROUTER_API_KEY=OTHER)) == (None, "exhausted")  # the file's base URL


@pytest.mark.parametrize("command", ["status", "watch", "history --backfill 7d", "keys", "doctor", "line"])
def test_without_a_default_and_a_key_the_profiles_are_named(two: User, command: str) -> None:
    done = two.run(*command.split())
    assert done.code == 78
    said = " ".join((done.stdout + done.stderr).split())
    assert "No profile is chosen, and no variable holds a key. config.toml has work and home." in said
    assert "-p work" in said
    assert "'orcredit status --all'" in said
    assert "'orcredit profile default work'" in said
    assert "--demo" not in said


def test_of_many_profiles_a_few_are_named(user: User) -> None:
    user.writes("".join(f'[profiles.p{number}]\nkey_env = "KEY"\n' for number in range(9)))
    assert "config.toml has p0, p1, p2, p3 and 5 more." in user.run("status").stderr


def test_a_profile_takes_nothing_from_the_variables_of_the_unnamed_one(two: User) -> None:
    environ = {
        "OPENROUTER_API_KEY": OTHER,
        "OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for("credit-below-limit"),
        "OPENROUTER_BASE_URL": "http://127.0.0.1:1/v1",
        "ANTHROPIC_AUTH_TOKEN": OTHER,
    }
    document = json.loads(two.run("status", "--json", "-p", "work", **environ).stdout)
    assert (document["profile"], document["account"]) == ("work", None)


def test_a_profiles_own_management_key_and_base_url(user: User) -> None:
    key, management = user.keeps("credit-below-limit"), user.home / "management.key"
    management.write_text(simulator.management_key_for("credit-below-limit"))
    management.chmod(0o600)
    user.writes(
        'base_url = "http://127.0.0.1:1/v1"\n[profiles.work]\nbase_url = "URL"\n'
        f'key_file = "{key}"\nmanagement_key_file = "{management}"\n'
    )
    document = json.loads(user.run("status", "--json", "-p", "work").stdout)
    assert document["account"]["source"] == "management_key"


@pytest.mark.parametrize(
    "command",
    ["status", "watch --count 1", "serve", "history", "open", "line", "explain --ask 403:_Key_limit_exceeded"],
)
def test_an_unknown_profile_names_the_nearest(two: User, command: str) -> None:
    done = two.run(*command.replace("_", " ").split(), "-p", "wrok", OPENROUTER_API_KEY=OTHER)
    if command.startswith("explain"):
        assert "no profile 'wrok'" in done.stderr
        return
    assert (done.code, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        "orcredit: --profile: no profile 'wrok': it is not in ~/.config/orcredit/config.toml.",
        "The nearest name is work; 'orcredit profile list' shows all.",
    ]


def test_a_profile_without_a_file(user: User) -> None:
    for command in ("status", "line"):
        done = user.run(command, ORCREDIT_PROFILE="work", OPENROUTER_API_KEY=OTHER)
        assert done.code == 78
        assert "ORCREDIT_PROFILE: no profile 'work': there is no config.toml" in done.stderr


@pytest.mark.parametrize("command", ["status", "watch", "serve", "history", "line"])
def test_the_demo_uses_no_profile_and_no_file(two: User, command: str) -> None:
    done = two.run(command, "--demo", "-p", "work")
    assert (done.code, done.stdout) == (2, "")
    assert ("--demo, --profile" if command == "line" else "--demo uses no key: leave out --profile.") in done.stderr
    two.writes("broken")
    if command == "status":
        assert two.run(command, "--demo", ORCREDIT_PROFILE="work").code == 0


@pytest.mark.parametrize("command", ["status", "watch --count 1", "serve", "history", "open", "line", "config"])
def test_a_broken_file_is_an_error_everywhere_and_names_the_line(two: User, command: str) -> None:
    two.writes("timeout = 5\nbroken\n")
    done = two.run(*command.split(), OPENROUTER_API_KEY=OTHER)
    assert (done.code, done.stdout) == (78, "")
    assert "config.toml, line 2: this is not TOML." in done.stderr


# What belongs to a profile


def test_watch_and_the_history_know_the_profile(two: User, orcredit: Orcredit) -> None:
    assert which(orcredit("watch", "-p", "work", "--count", "1", "--json")) == ("work", "ok")
    with History(f"sqlite:///{two.home}/.local/share/orcredit/history.db") as history:
        (key,) = history.known_keys()
    assert (key.fingerprint, key.profile) == (fingerprint(simulator.key_for("normal")), "work")
    shown = two.run("history", "-p", "work", "--json")
    assert len(json.loads(shown.stdout)) == 1
    assert json.loads(two.run("history", "-p", "home", "--json").stdout) == []


def test_a_profiles_thresholds(two: User) -> None:
    two.writes(
        'warn_below = ["1%"]\n' + two.file.read_text().replace("[profiles.home]", 'warn_below = "99%"\n[profiles.home]')
    )
    assert which(two.run("status", "--json", "-p", "home")) == ("home", "ok")
    assert which(two.run("status", "--json", "-p", "work")) == ("work", "low")
    assert which(two.run("status", "--json", "-p", "work", ORCREDIT_WARN_BELOW="5%")) == ("work", "ok")
    assert which(two.run("status", "--json", "-p", "home", "--warn-below", "50%")) == ("home", "low")


def test_a_client_of_python(two: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCREDIT_CONFIG", str(two.file))
    for name in ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY", "ANTHROPIC_AUTH_TOKEN", "ORCREDIT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    assert Client.named("home").balance().profile == "home"
    assert Client.named("home", warn_below="1%").balance().level is Level.OK
    with pytest.raises(ConfigurationError, match=r"No profile is chosen"):
        Client.named()
    monkeypatch.setenv("ORCREDIT_PROFILE", "work")
    assert Client.named().balance().profile == "work"
    with pytest.raises(ConfigurationError, match="wrk"):
        Client.named("wrk")


def test_the_key_of_a_message_is_that_of_the_profile(user: User) -> None:
    key = user.keeps("error-401")
    user.writes(f'base_url = "URL"\n[profiles.work]\nkey_file = "{key}"\n')
    done = user.run("status", "-p", "work")
    assert done.code == 77
    assert "the key from key_file of profile work (sk-or-v1-" in done.stderr
    assert simulator.key_for("error-401") not in done.stderr


def test_a_key_of_another_kind_is_refused_before_it_is_sent(user: User) -> None:
    user.writes('[profiles.work]\nkey_env = "WORK"\n')
    done = user.run("status", "-p", "work", WORK="sk-ant-oat01-secret-secret")
    assert (done.code, done.stdout) == (78, "")
    assert "WORK holds an Anthropic key" in done.stderr
    assert "oat01" not in done.stderr


# Options of the file


def test_the_files_options_apply_where_the_command_line_says_nothing(two: User) -> None:
    two.writes("every = '1d'\nsince = '2d'\n" + two.file.read_text())
    two.run("status", "-p", "work")
    (row,) = json.loads(two.run("history", "-p", "work", "--json").stdout)
    hour = json.loads(two.run("history", "-p", "work", "--json", "--every", "1h").stdout)[0]
    assert row["from"] == datetime.now(UTC).strftime("%Y-%m-%dT00:00:00.000Z")
    assert row["to"] != hour["to"]


def test_no_history_of_the_file(two: User, orcredit: Orcredit) -> None:
    two.writes("no_history = true\n" + two.file.read_text())
    for command in ("status", "watch --count 1"):
        assert orcredit(*command.split(), "-p", "work").code == 0
    assert not (two.home / ".local").exists()
    assert orcredit("watch", "--count", "1", "-p", "work", environ={"ORCREDIT_NO_HISTORY": "0"}).code == 0
    assert (two.home / ".local" / "share" / "orcredit" / "history.db").exists()


def test_another_database_of_the_file(two: User, orcredit: Orcredit) -> None:
    two.writes(f'database_url = "sqlite:///{two.home}/other.db"\n' + two.file.read_text())
    two.run("status", "-p", "work")
    orcredit("watch", "-p", "work", "--count", "1")
    assert (two.home / "other.db").exists()
    assert not (two.home / ".local" / "share").exists()
    assert not (two.home / ".local" / "state" / "orcredit" / "history.spool").exists()  # it was taken in


def test_the_timeout_of_the_file(two: User) -> None:
    with BrokenServer("hang") as broken:
        two.base_url = broken.base_url
        two.writes("timeout = 60\n[profiles.slow]\nbase_url = 'URL'\nkey_env = 'SLOW'\ntimeout = '0.2s'\n")
        done = two.run("status", "-p", "slow", SLOW=OTHER)
    assert done.code == 69
    assert "within 0.2 s" in done.stderr


# Commands that print the key


@pytest.mark.process
class TestKeyCommands:
    """The command is run at the start, and again after a 401."""

    @staticmethod
    def rotating(user: User, *keys: str) -> None:
        """Write a profile whose command prints these keys, one after the other, and then the last one again."""
        program = (
            "import os, sys\n"
            f"path, keys = {str(user.home / 'runs')!r}, {keys!r}\n"
            "with open(path, 'a') as file: file.write('x')\n"
            "print(keys[min(os.path.getsize(path), len(keys)) - 1])\n"
        )
        (user.home / "keys.py").write_text(program)
        command = json.dumps([sys.executable, str(user.home / "keys.py")])
        user.writes(f'base_url = "URL"\n[profiles.work]\nkey_command = {command}\n')

    @staticmethod
    def runs(user: User) -> int:
        return (user.home / "runs").stat().st_size

    def test_it_is_run_once_while_the_key_is_accepted(self, user: User, orcredit: Orcredit) -> None:
        self.rotating(user, simulator.key_for("normal"))
        assert orcredit("watch", "--json", "--count", "2", "--interval", "1s", "-p", "work").code == 0
        assert self.runs(user) == 1

    def test_a_refused_key_is_replaced(self, user: User) -> None:
        self.rotating(user, simulator.key_for("error-401"), simulator.key_for("normal"))
        assert which(user.run("status", "--json", "-p", "work")) == ("work", "ok")
        assert self.runs(user) == 2
        assert user.run("line", "-p", "work").stdout.startswith("$51.25")

    def test_a_refused_key_that_stays_the_same(self, user: User) -> None:
        self.rotating(user, simulator.key_for("error-401"))
        asked = []

        def respond(request: simulator.Request, now: datetime) -> simulator.Response:
            asked.append(request.path)
            return simulator.respond(request, now)

        with simulator.Server(responder=respond) as server:
            user.writes(user.file.read_text().replace(user.base_url, server.base_url))
            assert user.run("status", "-p", "work").code == 77
        assert self.runs(user) == 2
        assert [path.rpartition("/")[2] for path in asked].count("key") == 1  # not again with the same key

    def test_a_command_that_fails_the_second_time(self, user: User) -> None:
        self.rotating(user, simulator.key_for("error-401"), "")
        done = user.run("status", "-p", "work")
        assert done.code == 77
        assert "printed nothing" in done.stderr


# Doctor


def checks(done: Finished) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_doctor_checks_the_file_and_the_profile(two: User) -> None:
    done = two.run("doctor", "--json", "-p", "work")
    found = checks(done)
    assert done.code == 0, found
    assert found["configuration"]["detail"].endswith("config.toml, 2 profiles; profile work is used")
    assert found["key"]["detail"].startswith("key_file of profile work (sk-or-v1-")
    assert "base_url in" in found["address"]["detail"]
    assert found["answer"]["state"] == "ok"


def test_doctor_says_what_is_wrong_with_the_file(two: User) -> None:
    two.writes("timeout = 5\nbroken")
    done = two.run("doctor", "--json", OPENROUTER_API_KEY=OTHER, OPENROUTER_BASE_URL=two.base_url)
    assert done.code == 78
    assert "line 2: this is not TOML" in checks(done)["configuration"]["detail"]
    two.file.unlink()
    assert "does not exist" in checks(two.run("doctor", "--json"))["configuration"]["detail"]


def test_doctor_uses_no_other_key_than_that_of_the_profile(two: User) -> None:
    done = two.run("doctor", "--json", "-p", "wrok", OPENROUTER_API_KEY=OTHER, OPENROUTER_BASE_URL=two.base_url)
    found = checks(done)
    assert found["key"]["state"] == "fault"
    assert found["answer"]["state"] == "skipped"


# Secrets


@pytest.mark.process
@pytest.mark.parametrize("account", ["normal", "echo-key", "secret-in-error", "error-401"])
def test_no_source_of_a_key_makes_a_command_show_it(
    user: User, account: str, orcredit: Orcredit, caplog: pytest.LogCaptureFixture
) -> None:
    key, path = simulator.key_for(account), user.keeps(account)
    user.writes(
        f'base_url = "URL"\n[profiles.file]\nkey_file = "{path}"\n[profiles.env]\nkey_env = "KEY"\n'
        f'[profiles.command]\nkey_command = ["cat", "{path}"]\nmanagement_key_file = "{path}"\n'
    )
    shown = caplog.text
    commands = ["status -v -p file", "status -v -p env", "status -p command", "doctor -p command", "config -p command"]
    commands += [
        "status --all -v",
        "status --all --json",
        "profile list",
        "line -p file",
        "line --all",
        "history -p env",
    ]
    for command in [*commands, "explain --ask -p file 403 Key limit exceeded"]:
        done = user.run(*command.split(), KEY=key)
        shown += done.stdout + done.stderr
    done = orcredit("watch", "-p", "command", "--count", "1", "-v", "--json", environ={"KEY": key})
    shown += done.stdout + done.stderr
    assert not shows_key(shown, key)
    kept = [file for file in user.home.rglob("*") if file.is_file() and file.suffix != ".key"]
    assert len(kept) > 2
    for file in kept:
        assert key.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("command", ["status", "line", "history", "open", "profile remove", "profile default"])
@pytest.mark.parametrize("key", [OTHER, f"eyJhbGciOiJFUzI1NiJ9.{'a_-B' * 50}.c2lnbmF0dXJl"])
def test_a_key_in_the_place_of_a_name_is_not_repeated(two: User, command: str, key: str) -> None:
    words = command.split()
    done = two.run(*words, *([] if "profile" in words else ["-p"]), key)
    assert done.code == 78
    assert "not the name of a profile" in done.stderr
    assert key[:20] not in done.stderr
