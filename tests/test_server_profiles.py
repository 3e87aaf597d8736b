"""The data of a server by profile: which one a request is about, all at once, and their common event stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance
from tests.fleets import InProcess, Upstream, fleet
from tests.profiles import User
from tests.serving import BALANCE, CSV, DAYS, EVENTS, HISTORY, PROFILES, REFRESH, SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUTES = (BALANCE, SNAPSHOT, HISTORY, CSV, EVENTS)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """A user with three profiles; the second one is the default."""
    with Upstream() as openrouter:
        user = User(tmp_path, openrouter.base_url)
        names = ("normal", "low", "unlimited")
        tables = "".join(f'[profiles.{name}]\nkey_file = "{user.keeps(name)}"\n' for name in names)
        user.writes(f'base_url = "URL"\nprofile = "low"\n{tables}')
        yield user


@pytest.fixture
def server(user: User) -> Iterator[InProcess]:
    with fleet(user) as running:
        running.wait_for_polls()
        yield running


# Which profile


def test_a_profile_is_named_and_otherwise_it_is_that_of_status(server: InProcess) -> None:
    assert server.ask(BALANCE).json["profile"] == "low"
    assert server.ask(f"{BALANCE}?profile=normal").json["profile"] == "normal"
    assert server.ask(f"{SNAPSHOT}?profile=unlimited").json["profile"] == "unlimited"
    assert server.post(f"{REFRESH}?profile=unlimited").json["level"] == "unlimited"
    assert server.ask(f"{HISTORY}?profile=normal").json["points"][0]["remaining"] == 51.25
    assert b",51.25," in server.ask(f"{CSV}?profile=normal").body
    assert server.ask("/readyz").json["status"] == "ready"


@pytest.mark.parametrize("path", ROUTES)
def test_a_profile_that_there_is_not_is_not_found_and_not_repeated(server: InProcess, path: str) -> None:
    answer = server.ask(f"{path}?profile=lov")
    assert answer.problem == (404, "unknown_profile")
    assert answer.json["hint"] == "Near names: low."
    secret = simulator.key_for("normal")
    for name in (secret, "%F0%9F%92%B8", "x" * 5000, "%00"):
        answer = server.ask(f"{path}?profile={name}")
        assert answer.problem == (404, "unknown_profile")
        assert name not in answer.everything
    assert server.ask(f"{path}?profile=").problem == (404, "unknown_profile")
    assert server.ask(f"{path}?profile=low&profile=low").problem == (400, "bad_request")


def test_the_profile_of_the_environment_has_an_empty_name(user: User) -> None:
    key = simulator.key_for("exhausted")
    with fleet(user, environ={"OPENROUTER_API_KEY": key, "OPENROUTER_BASE_URL": user.base_url}) as server:
        server.wait_for_polls()
        assert server.ask(BALANCE).json["level"] == "exhausted"  # a key in the environment wins over the file's default
        assert server.ask(f"{BALANCE}?profile=").json["profile"] is None
        listed = server.ask(PROFILES).json
        assert listed["default"] is None
        assert [row["profile"] for row in listed["profiles"]] == [None, "normal", "low", "unlimited"]


def test_without_a_default_it_is_the_first(user: User) -> None:
    user.file.write_text(user.file.read_text().replace('profile = "low"\n', ""), encoding="utf-8")
    with fleet(user) as server:
        server.wait_for_polls()
        assert server.ask(PROFILES).json["default"] == "normal"
        assert server.ask(BALANCE).json["profile"] == "normal"
    with fleet(user, profile="unlimited") as server:
        server.wait_for_polls()
        assert server.ask(PROFILES).json["default"] == "unlimited"
        envelope = server.ask(SNAPSHOT).json
        assert (envelope["profile"], envelope["profileCount"]) == ("unlimited", 1)


# All of them


def test_every_profile_is_listed_with_its_envelope(server: InProcess) -> None:
    listed = server.ask(PROFILES).json
    assert listed["default"] == "low"
    assert [row["profile"] for row in listed["profiles"]] == ["normal", "low", "unlimited"]
    for row in listed["profiles"]:
        envelope = server.ask(f"{SNAPSHOT}?profile={row['profile']}").json
        changing = {"age": None, "nextPollIn": None}
        assert row["envelope"] | changing == envelope | changing
        assert (envelope["profileCount"], envelope["hasAccount"]) == (3, False)
        assert 0 <= row["envelope"]["age"] < 60


def test_a_management_key_is_said_with_the_envelope(user: User) -> None:
    management = simulator.management_key_for("normal")
    user.writes(
        'base_url = "URL"\n'
        f'[profiles.a]\nkey_file = "{user.keeps("normal")}"\nmanagement_key_env = "M"\n'
        f'[profiles.b]\nkey_env = "M"\n[profiles.c]\nkey_file = "{user.keeps("low")}"\n'
    )
    with fleet(user, environ={"M": management}) as server:
        server.wait_for_polls()
        listed = server.ask(PROFILES).json["profiles"]
        assert [row["envelope"]["hasAccount"] for row in listed] == [True, True, False]


def test_what_was_spent_on_each_day_is_told_of_every_profile(user: User) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    key = fingerprint(simulator.key_for("normal"))
    file = user.home / "other.db"
    with History(f"sqlite:///{file}") as history:
        noon = today - timedelta(days=1, hours=12)
        history.record_all(key, [balance(noon, 5), balance(noon + timedelta(hours=1), 7)])
    with fleet(user, environ={"ORCREDIT_DATABASE_URL": f"sqlite:///{file}"}) as server:
        document = server.ask(DAYS).json
        assert [row["profile"] for row in document["profiles"]] == ["normal", "low", "unlimited"]
        days = {row["profile"]: row["days"] for row in document["profiles"]}
        assert {len(of_profile) for of_profile in days.values()} == {14}
        assert days["normal"][-3] == 2
        assert days["normal"][:-3] == [None] * 11


def test_without_a_history_there_are_no_days(user: User) -> None:
    with fleet(user, has_history=False) as server:
        assert server.ask(DAYS).problem == (404, "no_history")


# The event stream


def test_one_stream_has_the_envelopes_of_every_profile(server: InProcess) -> None:
    with server.stream() as stream:
        first = [stream.next() for _ in range(3)]
        assert {event.data["profile"] for event in first} == {"normal", "low", "unlimited"}
        assert [event.data["sequence"] for event in first] == [1, 2, 3]
        for name in ("low", "normal", "low"):
            server.poll(name)
            event = stream.next()
            assert (event.data["profile"], event.data["balance"]["profile"]) == (name, name)


def test_the_stream_of_one_profile_has_its_envelopes_only(server: InProcess) -> None:
    with server.stream("?profile=low") as stream:
        assert stream.next().data["profile"] == "low"
        for name in ("normal", "unlimited", "low"):
            server.poll(name)
        assert stream.next().data["profile"] == "low"
        assert sum(line.startswith("data: ") for line in stream.said) == 2


def test_after_a_reconnection_comes_what_was_missed_of_every_profile(server: InProcess) -> None:
    with server.stream() as stream:
        last = [stream.next() for _ in range(3)][-1].id
    for name in ("low", "normal", "low"):
        server.poll(name)
    with server.stream(Last_Event_ID=last) as stream:
        missed = [stream.next() for _ in range(2)]
        assert [event.data["profile"] for event in missed] == ["normal", "low"]  # of each the newest, in their order
    with server.stream(Last_Event_ID=missed[0].id) as stream:
        again = stream.next()
        assert (again.id, again.data["profile"]) == (missed[1].id, "low")
    with server.stream("?profile=low", Last_Event_ID=missed[1].id) as stream:
        server.poll("normal")
        server.poll("low")
        assert stream.next().data["sequence"] == missed[1].data["sequence"] + 2


@pytest.mark.parametrize("seen", ["", "3", "none-3", "{}-", "{}-x", "{}-\u00b2", "{}--1", "{}-" + "9" * 400])
def test_an_id_of_no_use_gets_the_newest_of_every_profile(server: InProcess, seen: str) -> None:
    with server.stream() as stream:
        start = stream.next().id.partition("-")[0]
    with server.stream(Last_Event_ID=seen.format(start)) as stream:
        assert [stream.next().data["sequence"] for _ in range(3)] == [1, 2, 3]
