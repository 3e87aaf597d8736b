"""`orcredit keys` and `activity` with a profile: whose keys are sent, where to, and what a refusal says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.profiles import User, user

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["user"]

COMMANDS = ("keys", "activity")
TEAM = simulator.key_for("team")
"""The team's management key."""


def noting(sent: list[str]) -> Callable[[simulator.Request, datetime], simulator.Response]:
    """Answer as the simulator does, and note the keys that were sent."""

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        sent.append(request.headers["authorization"].removeprefix("Bearer "))
        return simulator.respond(request, now)

    return respond


@pytest.mark.parametrize("how", ["option", "variable", "default"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_profile_asks_with_its_own_management_key_at_its_own_address(user: User, command: str, how: str) -> None:
    sent: list[str] = []
    elsewhere: list[str] = []
    management = user.keeps("team", "management.key")
    with (
        simulator.Server(responder=noting(sent)) as own,
        simulator.Server(responder=noting(elsewhere)) as other,
    ):
        default = 'profile = "work"\n' if how == "default" else ""
        profile = f'[profiles.work]\nbase_url = "{own.base_url}"\nkey_file = "{user.keeps("normal")}"\n'
        user.writes(f'{default}{profile}management_key_file = "{management}"\n')
        environ = {"OPENROUTER_BASE_URL": other.base_url}
        if how != "default":  # where a variable holds a key, the file's default is not used
            environ["OPENROUTER_API_KEY"] = simulator.key_for("low")
            environ["OPENROUTER_MANAGEMENT_KEY"] = simulator.key_for("fleet")
        if how == "variable":
            environ["ORCREDIT_PROFILE"] = "work"
        options = ("-p", "work") if how == "option" else ()
        done = user.run(command, "--json", *options, **environ)
    assert (done.code, done.stderr) == (0, "")
    assert json.loads(done.stdout)["profile"] == "work"
    assert {*sent} == {TEAM}
    assert elsewhere == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_profiles_key_may_be_a_management_key(user: User, command: str) -> None:
    user.writes(f'[profiles.work]\nbase_url = "URL"\nkey_file = "{user.keeps("team")}"\n')
    done = user.run(command, "-p", "work", "--json", OPENROUTER_MANAGEMENT_KEY=simulator.key_for("no-keys"))
    assert (done.code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["profile"] == "work"
    assert found["keys" if command == "keys" else "rows"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_demo_takes_no_profile(user: User, command: str) -> None:
    user.writes(f'[profiles.work]\nbase_url = "URL"\nkey_file = "{user.keeps("team")}"\n')
    done = user.run(command, "--demo", "-p", "work")
    assert (done.code, done.stdout) == (2, "")
    assert "--demo uses no key: leave out --profile." in done.stderr
    assert user.run(command, "--demo", ORCREDIT_PROFILE="work").code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_an_ordinary_key_of_a_profile_is_told_how_to_add_a_management_key(user: User, command: str) -> None:
    user.writes(f'[profiles.work]\nbase_url = "URL"\nkey_file = "{user.keeps("normal")}"\n')
    done = user.run(command, "-p", "work", OPENROUTER_MANAGEMENT_KEY=TEAM)
    assert (done.code, done.stdout) == (77, "")
    assert "make one at https://openrouter.ai/settings/management-keys" in done.stderr
    assert "add it with 'orcredit profile add work --management'." in done.stderr
    assert "OPENROUTER_MANAGEMENT_KEY" not in done.stderr  # which a profile does not use
