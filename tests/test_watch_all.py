"""`orcredit watch --all`: lines, JSON, the full screen, exit codes, and which options each profile has."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from orcredit import simulator
from tests.profiles import User, user
from tests.test_status_all import SCHEMA, having
from tests.test_watch import ESCAPE, assert_given_back, on_screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tests.conftest import Finished
    from tests.test_watch import Terminal

__all__ = ["on_screen", "user"]

FAST = ("--interval", "1s", "--timeout", "2s", "--no-history")


def watch(user: User, *arguments: str, count: int = 1, **environ: str) -> Finished:
    return user.run("watch", "--all", "--count", str(count), *FAST, *arguments, **environ)


def documents(done: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


# Lines


def test_each_poll_of_a_profile_is_a_line_with_its_name(user: User) -> None:
    done = watch(having(user, ["normal", "unlimited"]), count=2)
    assert (done.code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert Counter(line.split()[0] for line in lines) == {"normal": 2, "unlimited": 2}
    assert all(re.match(r"(normal   |unlimited)  \w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  ", line) for line in lines)
    assert simulator.key_for("normal") not in done.stdout


@pytest.mark.parametrize(
    ("accounts", "code"),
    [
        (["normal", "unlimited"], 0),
        (["normal", "low"], 1),
        (["low", "error-503"], 69),
        (["error-503", "exhausted", "low"], 3),
        (["exhausted", "error-401", "error-503"], 77),
    ],
)
def test_the_exit_code_is_the_worst(user: User, accounts: Sequence[str], code: int) -> None:
    assert watch(having(user, accounts)).code == code


def test_a_profile_without_an_answer_says_why_with_its_name(user: User) -> None:
    having(user, ["normal", "error-401"], '[profiles.gone]\nkey_env = "GONE"\n')
    done = watch(user, count=2)
    assert done.code == 78
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["normal", "normal"]
    assert done.stderr.count("orcredit: gone: Profile gone takes its key from GONE, which is not set.") == 2
    assert done.stderr.count("orcredit: error-401: OpenRouter does not accept the key") == 2
    assert done.stderr.count("It may be mistyped") == 1  # what to do about it is said once


def test_json_is_a_document_for_each_poll_or_the_problem(user: User) -> None:
    having(user, ["normal", "error-503"], '[profiles.gone]\nkey_env = "GONE"\n')
    done = watch(user, "--json")
    assert (done.code, done.stderr) == (78, "")
    by_name = {one["profile"]: one for one in documents(done)}
    assert set(by_name) == {"normal", "error-503", "gone"}
    assert by_name["normal"]["spendable"] == 51.25
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for name, code in (("error-503", 69), ("gone", 78)):
        schema.validate([by_name[name]])
        assert by_name[name]["problem"]["exitCode"] == code


def test_the_unnamed_profile_is_one_of_them(user: User) -> None:
    done = watch(having(user, ["low"]), OPENROUTER_API_KEY=simulator.key_for("normal"))
    assert sorted(line.split("  ")[0].rstrip() for line in done.stdout.splitlines()) == ["(environment)", "low"]


@pytest.mark.parametrize("more", [["--demo"], ["-p", "normal"], ["--base-url", "http://127.0.0.1:1/v1"]])
def test_it_shows_every_profile_or_none(user: User, more: Sequence[str]) -> None:
    done = watch(having(user, ["normal"]), *more)
    assert (done.code, done.stdout) == (2, "")
    assert "--all shows every profile: leave out --demo, --profile and --base-url." in done.stderr


@pytest.mark.parametrize("more", [["--interval", "0.1s"], ["--timeout", "0"], ["--interval", "often"]])
def test_a_bad_value_is_wrong_usage(user: User, more: Sequence[str]) -> None:
    assert having(user, ["normal"]).run("watch", "--all", "--count", "1", *more).code == 2


def test_no_profiles_at_all(user: User) -> None:
    done = watch(user)
    assert (done.code, done.stdout) == (78, "")
    assert "There are no profiles" in done.stderr


def test_each_profile_has_the_interval_and_timeout_of_the_file(user: User) -> None:
    tables = [f'[profiles.{name}]\nkey_file = "{user.keeps(name)}"\ninterval = "1s"\n' for name in ("normal", "low")]
    user.writes(f'base_url = "URL"\ninterval = "1h"\n{"".join(tables)}')
    done = user.run("watch", "--all", "--count", "2", "--json", "--no-history")
    assert Counter(one["profile"] for one in documents(done)) == {"normal": 2, "low": 2}
    user.writes('base_url = "URL"\ninterval = "0.5s"\n[profiles.a]\nkey_env = "X"\n')
    done = user.run("watch", "--all", "--count", "1", X=simulator.key_for("normal"))
    assert (done.code, "interval" in done.stderr) == (78, True)


# The full screen


pytestmark_screen = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


@pytestmark_screen
@pytest.mark.process
def test_the_screen_shows_all_scrolls_and_is_given_back(user: User, on_screen: Callable[..., Terminal]) -> None:
    having(user, ["normal", "low", "exhausted", "error-401", "unlimited", "daily"])
    terminal = on_screen("--all", *FAST, **user.environ | {"LINES": "7", "COLUMNS": "90"})
    terminal.wait_for("6 profiles")
    terminal.wait_for("3 ok")
    terminal.wait_for("1-4 of 6")
    terminal.press(f"{ESCAPE}[6~")
    terminal.wait_for("3-6 of 6")
    terminal.press(f"{ESCAPE}[A")
    terminal.wait_for("2-5 of 6")
    terminal.press("?")
    terminal.wait_for("refresh all now")
    terminal.press("xrq")
    assert terminal.end() == 0
    assert_given_back(terminal)
    left = terminal.left_behind
    assert left.index("error-401") < left.index("exhausted") < left.index("low") < left.index("$51.25")


@pytestmark_screen
@pytest.mark.process
def test_the_bell_rings_for_any_profile(user: User, on_screen: Callable[..., Terminal]) -> None:
    having(user, ["normal", "refused-later"])
    answers = iter(["normal"])

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        is_second = simulator.key_for("refused-later") in request.headers["authorization"]
        name = next(answers, "low") if is_second and request.path.endswith("/key") else "normal"
        headers = dict(request.headers) | {"authorization": f"Bearer {simulator.key_for(name)}"}
        return simulator.respond(simulator.Request(request.method, request.path, headers), now)

    with simulator.Server(responder=respond) as server:
        user.file.write_text(user.file.read_text().replace(user.base_url, server.base_url))
        # Four polls take more than two seconds, for which an answer may be used again.
        terminal = on_screen("--all", "--count", "4", *FAST, **user.environ)
        assert terminal.end() == 1
    assert re.sub(rf"{ESCAPE}\][^\x07]*\x07", "", terminal.shown).count("\x07") == 1  # titles end in one as well
