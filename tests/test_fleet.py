"""A process that polls several profiles: their keys, from wherever they come; what is asked how often, and when."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, simulator
from orcredit.cli.asking import SILENT_AFTER, Questions
from orcredit.errors import ConfigurationError, KeyRefusedError, OrcreditError, UnreachableError, UsageError
from orcredit.monitor.events import InternalError, Recovered
from orcredit.monitor.spread import phase, spread
from orcredit.monitor.turns import MOST_PER_HOST, Turns
from orcredit.openrouter.account import Pacing
from tests.broken_server import BrokenServer
from tests.fleets import Upstream, fleet
from tests.profiles import User
from tests.serving import BALANCE, PROFILES, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleets import InProcess

MINUTE = timedelta(minutes=1)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as openrouter:
        yield openrouter


@pytest.fixture
def user(tmp_path: Path, upstream: Upstream) -> User:
    return User(tmp_path, upstream.base_url)


def having(user: User, *tables: str) -> None:
    """Write profiles: each is a name, and its lines."""
    user.writes('base_url = "URL"\n' + "".join(f"[profiles.{table}\n" for table in tables))


def shown(server: InProcess) -> dict[str | None, str]:
    """Give what the server shows of each profile: a level, or the code of its problem."""
    rows = server.ask(PROFILES).json["profiles"]
    known = {row["profile"]: row["envelope"] for row in rows if row["envelope"] is not None}
    return {
        name: envelope["problem"]["code"] if envelope["balance"] is None else envelope["balance"]["level"]
        for name, envelope in known.items()
    }


# Their keys


def test_a_refused_key_is_beside_nine_that_work(user: User) -> None:
    user.keeps("error-401")
    having(
        user,
        'refused]\nkey_file = "~/error-401.key"',
        *(f'p{number}]\nkey_env = "K{number}"' for number in range(9)),
    )
    with fleet(user, environ={f"K{number}": f"sk-or-v1-made-up-{number}" for number in range(9)}) as server:
        server.wait_for_polls()
        assert shown(server) == {"refused": "refused"} | {f"p{number}": "ok" for number in range(9)}
        problem = server.ask("/api/openrouter/balance?profile=refused")
        assert problem.problem == (502, "refused")
        assert server.ask("/api/openrouter/balance?profile=p8").json["profile"] == "p8"


@pytest.mark.process
def test_keys_that_cannot_be_had_fail_the_polls_of_their_profiles_only(user: User) -> None:
    user.keeps("normal")
    Path(user.keeps("low")).chmod(0o644)
    having(
        user,
        'good]\nkey_file = "~/normal.key"',
        'open]\nkey_file = "~/low.key"',
        'none]\nkey_env = "NOT_SET"',
        'empty]\nkey_env = "EMPTY"',
        'failing]\nkey_command = ["false"]',
        'missing]\nkey_command = ["no-such-command"]',
        "locked]\nkeyring = true",
    )
    with fleet(user, environ={"EMPTY": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}) as server:
        server.wait_for_polls()
        names = ("open", "none", "empty", "failing", "missing", "locked")
        assert shown(server) == {"good": "ok"} | dict.fromkeys(names, "configuration")
        rows = {row["profile"]: row["envelope"] for row in server.ask(PROFILES).json["profiles"]}
        assert "can be read or written by others" in rows["open"]["problem"]["error"]
        assert [event["kind"] for event in rows["open"]["events"]] == ["unreachable"]
        assert server.ask("/api/openrouter/history?profile=open").json["points"] == []


@pytest.mark.process
def test_a_command_that_takes_long_delays_no_other_profile_and_is_run_once(user: User) -> None:
    user.keeps("normal")
    low = user.keeps("low")
    waits = f'echo >> runs; while [ ! -e go ]; do sleep 0.02; done; cat "{low}"'
    script = user.home / "get"
    script.write_text(f"#!/bin/sh\ncd '{user.home}'\n{waits}\n", encoding="utf-8")
    script.chmod(0o700)
    having(user, 'good]\nkey_file = "~/normal.key"', f'late]\nkey_command = ["{script}"]')
    with fleet(user, timeout=60) as server:
        wait_until(lambda: "good" in shown(server))
        assert shown(server) == {"good": "ok"}  # nothing is known of the other one
        assert server.ask("/api/openrouter/snapshot?profile=late").problem == (503, "starting")
        (user.home / "go").touch()
        server.wait_for_polls()
        assert shown(server) == {"good": "ok", "late": "low"}
    assert (user.home / "runs").read_text(encoding="utf-8") == "\n"


@pytest.mark.process
def test_a_command_that_fails_late_fails_the_first_poll_only(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.cli.fleet._PATIENCE", 0.2)
    user.keeps("normal")
    script = user.home / "get"
    wait = "while [ ! -e go ]; do sleep 0.02; done; [ -e again ]"
    script.write_text(f"#!/bin/sh\ncd '{user.home}'\n{wait} && cat low.key\n", encoding="utf-8")
    script.chmod(0o700)
    user.keeps("low")
    having(user, 'good]\nkey_file = "~/normal.key"', f'late]\nkey_command = ["{script}"]')
    with fleet(user, timeout=60) as server:
        wait_until(lambda: "good" in shown(server))
        (user.home / "go").touch()
        server.wait_for_polls()
        assert shown(server) == {"good": "ok", "late": "configuration"}
        (user.home / "again").touch()
        server.poll("late")
        assert shown(server) == {"good": "ok", "late": "low"}


def test_a_file_that_is_mended_while_it_runs_is_read_again(user: User) -> None:
    user.keeps("normal")
    mended = Path(user.keeps("low"))
    mended.chmod(0o644)
    having(user, 'good]\nkey_file = "~/normal.key"', 'mended]\nkey_file = "~/low.key"')
    with fleet(user) as server:
        server.wait_for_polls()
        assert shown(server) == {"good": "ok", "mended": "configuration"}
        server.poll("mended")
        assert shown(server)["mended"] == "configuration"
        mended.chmod(0o600)
        server.poll("mended")
        assert shown(server)["mended"] == "low"
        events = server.ask("/api/openrouter/snapshot?profile=mended").json["events"]
        assert [event["kind"] for event in events] == ["unreachable", "back"]
        wait_until(lambda: bool(server.ask("/api/openrouter/history?profile=mended").json["points"]))


@pytest.mark.process
def test_a_refused_key_is_got_again_from_its_file_or_command(user: User, upstream: Upstream) -> None:
    file = user.home / "key"
    file.write_text("sk-or-v1-made-up-old\n", encoding="utf-8")
    file.chmod(0o600)
    having(
        user, 'file]\nkey_file = "~/key"', f'command]\nkey_command = ["cat", "{file}"]', 'variable]\nkey_env = "OLD"'
    )
    with fleet(user, environ={"OLD": "sk-or-v1-made-up-old"}) as server:
        server.wait_for_polls()
        upstream.refused = {"sk-or-v1-made-up-old"}
        for name in ("file", "command", "variable"):
            server.poll(name)
            assert is_stale(server, name)
        file.write_text("sk-or-v1-made-up-new\n", encoding="utf-8")
        server.poll("file")

        def has_learned() -> bool:
            # Those with the old key learn of its refusal, unless they are just getting their keys for the one before.
            server.poll("variable")
            return not is_stale(server, "command")

        wait_until(has_learned)
        assert [is_stale(server, name) for name in ("file", "command", "variable")] == [False, False, True]
    assert upstream.polls("sk-or-v1-made-up-new") in {1, 2}


def is_stale(server: InProcess, profile: str) -> bool:
    return bool(server.ask(f"{BALANCE}?profile={profile}").json["stale"])


def test_the_errors_of_all_keys_end_it_where_none_can_be_had(user: User) -> None:
    having(user, *(f'p{number}]\nkey_env = "NOT_SET_{number}"' for number in range(5)))
    with (
        pytest.raises(ConfigurationError, match=r"None of the 5 profiles .*NOT_SET_0.*NOT_SET_2.*And 2 more\."),
        fleet(user),
    ):
        pass


def test_one_profile_whose_key_cannot_be_had_ends_it_as_ever(user: User) -> None:
    having(user, 'p]\nkey_env = "NOT_SET"')
    with pytest.raises(ConfigurationError, match="NOT_SET, which is not set"), fleet(user):
        pass
    having(user, 'p]\nkey_env = "NOT_SET"', 'q]\nkey_env = "SET"')
    with (
        pytest.raises(ConfigurationError, match="NOT_SET, which is not set"),
        fleet(user, profile="p", environ={"SET": "sk-or-v1-made-up"}),
    ):
        pass


def test_a_wrong_variable_is_wrong_usage_with_any_number_of_profiles(user: User) -> None:
    having(user, 'p]\nkey_env = "K"', 'q]\nkey_env = "K"')
    with (
        pytest.raises(UsageError, match="ORCREDIT_WARN_BELOW"),
        fleet(user, environ={"K": "sk-or-v1-made-up", "ORCREDIT_WARN_BELOW": "much"}),
    ):
        pass


# What is asked


def test_a_key_that_two_profiles_have_is_asked_about_once_with_the_thresholds_of_each(
    user: User, upstream: Upstream
) -> None:
    user.keeps("low")
    having(user, 'a]\nkey_file = "~/low.key"', 'b]\nkey_file = "~/low.key"\nwarn_below = "1%"')
    with fleet(user) as server:
        server.wait_for_polls()
        assert shown(server) == {"a": "low", "b": "ok"}
        for polls, name in enumerate("abab", 2):
            server.poll(name)
            server.wait_for_polls(polls)  # the other one has the answer, too
            assert upstream.polls(simulator.key_for("low")) == polls
        latest = [one.latest for one in server.monitored.hub.pollers]
        assert latest[0] is not None
        assert latest[1] is not None
        assert abs(latest[0].next_poll_at - latest[1].next_poll_at) < MINUTE


def test_what_is_wrong_with_a_key_is_said_to_each_profile_by_its_own_source(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orcredit.server")
    file = user.keeps("error-401")
    having(user, f'p5]\nkey_file = "{file}"', f'p54]\nkey_file = "{file}"', 'env]\nkey_env = "K"')
    with fleet(user, environ={"K": simulator.key_for("error-401")}) as server:
        server.wait_for_polls()
        rows = {row["profile"]: row["envelope"]["problem"] for row in server.ask(PROFILES).json["profiles"]}
        wait_until(lambda: len(caplog.messages) == 3)
    for name, source in {"p5": "key_file of profile p5", "p54": "key_file of profile p54", "env": "K"}.items():
        assert rows[name]["error"].startswith(f"OpenRouter does not accept the key {'in' if name == 'env' else 'from'}")
        assert f" {source} (" in rows[name]["error"]
        assert any(line.startswith(f"{name}: ") and f" {source} (" in line for line in caplog.messages)


def test_a_refused_management_key_and_an_address_are_named_by_the_source_of_each_profile(user: User) -> None:
    management = user.home / "management"
    management.write_text(simulator.key_for("error-401"), encoding="utf-8")
    management.chmod(0o600)
    normal = user.keeps("normal")
    having(
        user,
        *(f'{name}]\nkey_file = "{normal}"\nmanagement_key_file = "{management}"' for name in "ab"),
        *(f'{name}]\nkey_env = "K"\nbase_url = "http://127.0.0.1:9/api/v1"' for name in "cd"),
    )
    with fleet(user, environ={"K": "sk-or-v1-made-up"}, timeout=1.0) as server:
        server.wait_for_polls()
        rows = {row["profile"]: row["envelope"] for row in server.ask(PROFILES).json["profiles"]}
    for name in "ab":
        assert f"from management_key_file of profile {name} (" in rows[name]["balance"]["accountError"]
    for name, line in {"c": 10, "d": 13}.items():
        assert f"config.toml, line {line}, then" in rows[name]["problem"]["hint"]


def test_events_of_two_profiles_with_the_same_key_are_all_recorded_and_equal_ones_once(user: User) -> None:
    user.keeps("normal")
    having(user, 'a]\nkey_file = "~/normal.key"', 'b]\nkey_file = "~/normal.key"')
    with fleet(user) as server:
        server.wait_for_polls()
        now, history = datetime.now(UTC), server.monitored.history
        assert history is not None

        def texts() -> list[str]:
            return sorted(one.text for one in history.events(server.monitored.key, now - MINUTE, now + MINUTE))

        server.report(("a", Recovered(at=now)), ("a", InternalError(at=now, reason="one")), ("b", Recovered(at=now)))
        wait_until(lambda: len(texts()) >= 2)
        assert texts() == ["OpenRouter answers again", "one"]


def test_fifty_profiles_are_asked_at_once_but_not_all(user: User, upstream: Upstream) -> None:
    upstream.wave = MOST_PER_HOST
    keys = {f"K{number}": f"sk-or-v1-made-up-{number}" for number in range(50)}
    having(user, *(f'p{number}]\nkey_env = "K{number}"' for number in range(50)))
    with fleet(user, has_history=False, environ=keys) as server:
        server.wait_for_polls()
        assert set(shown(server).values()) == {"ok"}
    assert upstream.most == MOST_PER_HOST
    assert sum(count for (path, _), count in upstream.asked.items() if path == "key") == 50


@pytest.mark.usefixtures("no_variables")
def test_all_that_a_poll_sends_at_once_counts(upstream: Upstream) -> None:
    client = AsyncClient(
        simulator.key_for("normal"), management_key=simulator.management_key_for("team"), base_url=upstream.base_url
    )
    upstream.wave = client.requests_at_once  # the key, its credit with both keys, what the account spent
    asyncio.run(client.balance())
    assert upstream.most == client.requests_at_once + 2 == 4
    upstream.wave = client.requests_at_once
    upstream.most = 0
    asyncio.run(client.balance())
    assert upstream.most == client.requests_at_once == 2


@pytest.mark.usefixtures("no_variables")
def test_what_is_asked_about_accounts_counts_as_well_whatever_the_path_of_the_address(upstream: Upstream) -> None:
    async def story() -> None:
        questions = Questions(lambda client: client.balance(), kept=0, has_history=False)
        addresses = upstream.base_url, upstream.base_url.replace("/api/", "/proxy/api/")

        def client(number: int) -> AsyncClient:
            management = f"sk-or-v1-made-up-management-{number}"
            profile = AsyncClient(f"sk-or-v1-{number}", management_key=management, base_url=addresses[number % 2])
            return questions.about(profile.profile).client

        accounts = [client(number).paced_account(Pacing()) for number in range(10)]
        await asyncio.gather(
            *(account.spent_in(timedelta(days=1)) for account in accounts),  # two requests, one after the other
            *(client(number).ask_cause("account_credit") for number in range(10, 20)),
        )

    upstream.wave = MOST_PER_HOST
    asyncio.run(story())
    assert upstream.most == MOST_PER_HOST
    assert sum(upstream.asked.values()) == 30


def test_of_many_profiles_those_that_wait_for_their_turn_learn_that_nothing_answers(user: User) -> None:
    keys = {f"K{number}": f"sk-or-v1-made-up-{number}" for number in range(200)}
    having(user, *(f'p{number}]\nkey_env = "K{number}"' for number in range(200)))
    with BrokenServer("hang") as hanging:
        user.file.write_text(user.file.read_text().replace(user.base_url, hanging.base_url), encoding="utf-8")
        with fleet(user, timeout=2.0, environ=keys) as server:
            wait_until(lambda: len(shown(server)) == 200)  # one after the other, in five turns, that takes 80 seconds
            assert set(shown(server).values()) == {"unreachable"}


@pytest.mark.usefixtures("no_variables")
def test_a_host_that_refuses_keys_is_not_silent() -> None:
    async def story() -> None:
        outcomes: list[Exception] = [UnreachableError("no answer") for _ in range(SILENT_AFTER)]
        outcomes += [KeyRefusedError("refused", status=401)]
        blocked = asyncio.Event()

        async def ask(_: object) -> None:
            if outcomes:
                raise outcomes.pop(0)
            await blocked.wait()

        questions = Questions(ask, kept=0, has_history=False)
        profiles = [AsyncClient(f"sk-or-v1-{number}", timeout=0.1).profile for number in range(20)]
        for profile in profiles[: SILENT_AFTER + 1]:
            with pytest.raises(OrcreditError):
                await questions.answer(profile)
        waiting = [asyncio.ensure_future(questions.answer(profile)) for profile in profiles[SILENT_AFTER + 1 :]]
        await asyncio.sleep(0.3)
        assert not any(one.done() for one in waiting)
        blocked.set()
        await asyncio.gather(*waiting)

    asyncio.run(story())


def test_a_named_profile_is_the_only_one(user: User) -> None:
    user.keeps("normal")
    user.keeps("low")
    having(user, 'a]\nkey_file = "~/normal.key"', 'b]\nkey_file = "~/low.key"')
    with fleet(user, profile="b") as server:
        server.wait_for_polls()
        assert shown(server) == {"b": "low"}
    with fleet(user, environ={"ORCREDIT_PROFILE": "a"}) as server:
        server.wait_for_polls()
        assert shown(server) == {"a": "ok"}
        assert server.ask("/api/openrouter/balance?profile=b").problem == (404, "unknown_profile")


@pytest.mark.process
def test_no_key_is_anywhere(user: User) -> None:
    files = [user.keeps("error-401"), user.keeps("low")]
    having(user, 'a]\nkey_env = "K"', f'b]\nkey_file = "{files[0]}"', f'c]\nkey_command = ["cat", "{files[1]}"]')
    keys = ["sk-or-v1-made-up-a", simulator.key_for("error-401"), simulator.key_for("low")]
    with fleet(user, environ={"K": keys[0]}) as server:
        server.wait_for_polls()
        with server.stream() as stream:
            events = [stream.next().text for _ in range(3)]
        paths = [PROFILES, f"{PROFILES}/days", *(f"/api/openrouter/snapshot?profile={name}" for name in "abc")]
        said = "".join([*events, *(server.ask(path).everything for path in paths), repr(server.monitored)])
    kept = [file.read_bytes() for file in user.home.rglob("*") if file.is_file() and str(file) not in files]
    assert not any(key in said for key in keys)
    assert len(kept) > 3
    assert not any(key.encode() in content for key in keys for content in kept)


def test_each_line_of_the_log_names_its_profile(user: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "orcredit.server")
    user.keeps("error-401")
    having(user, 'work]\nkey_env = "GONE"')
    environ = {"OPENROUTER_API_KEY": simulator.key_for("error-401"), "OPENROUTER_BASE_URL": user.base_url}
    with fleet(user, environ=environ):
        wait_until(lambda: len(caplog.messages) == 2)
    refused, gone = sorted(caplog.messages)
    assert refused.startswith("(environment): OpenRouter does not accept the key in OPENROUTER_API_KEY")
    assert gone == "work: Profile work takes its key from GONE, which is not set"


def test_what_is_wrong_with_the_history_is_logged_once_and_for_no_profile(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orcredit.server")
    file = user.home / "no.db"
    file.write_text("no database", encoding="utf-8")
    keys = {f"K{number}": f"sk-or-v1-made-up-{number}" for number in range(20)}
    having(user, *(f'p{number}]\nkey_env = "K{number}"' for number in range(20)))
    with fleet(user, environ=keys | {"ORCREDIT_DATABASE_URL": f"sqlite:///{file}"}) as server:
        server.wait_for_polls()
        wait_until(lambda: bool(caplog.messages))
        for number in range(20):
            server.poll(f"p{number}")
    (line,) = caplog.messages
    assert line.startswith("going on without the history: The history in ")


# When


def test_polls_are_spread_evenly_over_the_interval() -> None:
    now = datetime(2026, 3, 1, 12, 0, 17, tzinfo=UTC)
    waits = sorted(spread(now, MINUTE, phase(number)).total_seconds() for number in range(1000))
    assert waits[0] >= 30
    assert waits[-1] < 90
    gaps = [after - before for before, after in pairwise(waits)]
    assert max(gaps) < 0.2  # evenly, that is 0.06
    due = now + timedelta(seconds=waits[10])
    assert spread(due, MINUTE, (due.timestamp() / 60) % 1.0) == MINUTE  # once each interval
    late = due + timedelta(seconds=5)
    assert late + spread(late, MINUTE, (due.timestamp() / 60) % 1.0) == due + MINUTE  # and no later each time


def test_turns_are_bounded_per_host_and_in_all_and_given_in_order() -> None:
    async def story() -> None:
        turns, order = Turns(per_host=3, in_all=5), list[str]()
        go = {name: asyncio.Event() for name in "abcdef"}

        async def take(name: str, host: str, requests: int) -> None:
            async with turns.take(host, requests):
                order.append(name)
                await go[name].wait()

        wanted = [("a", "x", 2), ("b", "x", 2), ("c", "x", 1), ("d", "y", 3), ("e", "z", 1)]
        tasks = {name: asyncio.create_task(take(name, host, requests)) for name, host, requests in wanted}
        await settle()
        assert order == ["a", "d"]  # b has to wait, and so has c, which came later; e is beyond five in all
        tasks["b"].cancel()
        await settle()
        assert order == ["a", "d"]
        go["d"].set()
        await settle()
        assert sorted(order[2:]) == ["c", "e"]
        tasks["c"].cancel()
        go["a"].set()
        await settle()
        tasks["f"] = asyncio.create_task(take("f", "x", 3))
        await settle()
        assert order[-1] == "f"  # nothing was lost
        for event in go.values():
            event.set()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(story())
