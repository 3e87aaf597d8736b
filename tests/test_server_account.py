"""`/api/openrouter/account`, `/keys` and `/keys/days` over real HTTP: every team, and whose key is sent where."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import AsyncClient, KeyList, Level, simulator
from orcredit.history import History
from orcredit.server.account_models import AccountDocument, KeyDays
from tests.account_serving import Log, Served, client, refusal
from tests.balances import balance
from tests.serving import ACCOUNT, ACTIVITY, BALANCE, KEY_DAYS, KEYS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Answer

pytestmark = pytest.mark.usefixtures("no_variables")

TEAMS = [*simulator.TEAMS]
PAGE_FAILS = "fleet-page-fails"
ROUTES = (ACCOUNT, KEYS, KEY_DAYS, ACTIVITY)


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


@pytest.fixture(scope="module")
def served(log: Log) -> Iterator[Served]:
    """A server with a profile for every team, and one with a plain key."""
    with pytest.MonkeyPatch.context() as patch, simulator.Server(responder=log) as upstream:
        patch.setattr("orcredit.openrouter.account.PAUSE", 0.0)
        patch.setattr("orcredit.openrouter.retry.FIRST_WAIT", 0.01)
        with Served({name: client(upstream, name) for name in (*TEAMS, "normal")}) as running:
            yield running


def read(answer: Answer) -> Any:  # noqa: ANN401 - a JSON document
    assert answer.status == 200, answer.everything
    return answer.json


@pytest.mark.parametrize("name", TEAMS)
def test_every_team_is_told_with_all_its_keys(served: Served, name: str) -> None:
    team = simulator.TEAMS[name]
    listed = KeyList.model_validate(read(served.when(KEYS, name)))
    is_whole = name != PAGE_FAILS
    assert listed.complete is is_whole
    assert len({key.hash for key in listed.keys}) == len(listed.keys) == (len(team.keys) if is_whole else 100)
    assert len(listed.workspaces) == (len(team.workspaces) if team.has_workspaces else 0)

    answer = served.ask(ACCOUNT, name)
    account = AccountDocument.model_validate(read(answer))
    counts = account.counts
    assert counts.total == len(listed.keys)
    assert (
        counts.exhausted + counts.low + counts.ok + counts.unlimited + counts.disabled + counts.expired == counts.total
    )
    assert counts.disabled == sum(key.disabled for key in team.keys)
    assert (account.complete, account.incomplete_reason) == (listed.complete, listed.incomplete_reason)
    assert (account.stale, account.stale_reason) == (False, None)
    assert account.credit.credit is not None
    assert account.age is not None
    assert answer.headers["Age"] == str(int(account.age))
    usable = [key for key in listed.keys if key.is_usable and key.level is not Level.EXHAUSTED]
    running_out = [key.runs_out_at for key in usable if key.runs_out_at is not None]
    assert (account.next and account.next.runs_out_at) == min(running_out, default=None)
    assert account.next is None or account.next in usable

    if len(team.keys) == 5000:
        return  # for which the simulator takes seconds
    days = KeyDays.model_validate(read(served.ask(KEY_DAYS, name)))
    assert all(len(of_key) == 14 for of_key in days.keys.values())
    assert {*days.keys} == {key.hash for key in listed.keys}
    assert {key.hash: key.usage_daily for key in listed.keys} == {key: of_key[-1] for key, of_key in days.keys.items()}
    assert (days.since.hour, days.since.tzinfo, (days.until - days.since).days) == (0, UTC, 13)


def test_a_page_that_fails_is_said(served: Served) -> None:
    for path in (KEYS, ACCOUNT):
        said = read(served.when(path, PAGE_FAILS))
        assert said["complete"] is False
        assert said["incompleteReason"].startswith("OpenRouter answered 503")


def test_names_come_without_control_characters(served: Served) -> None:
    for path in (KEYS, ACCOUNT, KEY_DAYS, f"{ACTIVITY}?by=key"):
        text = json.dumps(read(served.when(path, "hostile-names")), ensure_ascii=False)
        assert text.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_without_analytics_completed_days_are_told(served: Served) -> None:
    served.when(ACCOUNT, "analytics-absent")
    account = account_with_spend(served, "analytics-absent")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert account["source"] == "activity"
    assert datetime.fromisoformat(account["through"]) == midnight
    assert account["spent"]["usd"] > 0
    assert account["spent"]["before"] is None  # 30 days are all that it has
    assert account["notes"] == ["OpenRouter here has no analytics: the last completed 30 days (UTC) of 30 are counted."]
    assert account["credit"]["pace"] is None or account["credit"]["pace"]["perDay"] is None
    days = read(served.ask(KEY_DAYS, "analytics-absent"))
    assert (days["complete"], days["source"]) == (False, None)
    assert days["incompleteReason"] == "OpenRouter here has no analytics (404), so spend by key is not known."
    assert all(of_key[:13] == [None] * 13 and of_key[13] is not None for of_key in days["keys"].values())


def account_with_spend(served: Served, name: str) -> Any:  # noqa: ANN401 - a JSON document
    """Give the account once what was spent is known, or why not."""
    found: list[Any] = []

    def is_known() -> bool:
        found.append(read(served.when(ACCOUNT, name)))
        return found[-1]["spent"] is not None or found[-1]["spentError"] is not None

    wait_until(is_known)
    return found[-1]


def test_with_analytics_the_running_hour_is_told(served: Served) -> None:
    account = account_with_spend(served, "team")
    spent = account["spent"]
    through = datetime.fromisoformat(account["through"])
    assert account["source"] == "analytics"
    assert datetime.now(UTC) - through < timedelta(minutes=5)
    assert through - datetime.fromisoformat(spent["since"]) == timedelta(days=30)
    assert spent["until"] == account["through"]
    assert spent["perRequest"] == pytest.approx(spent["usd"] / spent["requests"], abs=1e-8)
    assert spent["before"] > 0
    assert account["notes"] == []
    assert account["credit"]["pace"]["perDay"] > 0
    days = read(served.when(KEY_DAYS, "team"))
    assert (days["complete"], days["source"]) == (True, "analytics")
    assert sum(sum(of_key) for of_key in days["keys"].values()) > 0


def test_analytics_that_time_out_take_nothing_else_away(served: Served) -> None:
    account = account_with_spend(served, "analytics-slow")
    assert account["spent"] is None
    assert account["spentError"].startswith("OpenRouter answered 408")
    assert account["counts"]["total"] == 6
    assert account["credit"]["credit"]["remaining"] > 0
    days = read(served.ask(KEY_DAYS, "analytics-slow"))
    assert days["complete"] is False
    assert days["incompleteReason"].startswith("OpenRouter answered 408")


def test_what_was_left_out_and_warnings_are_said(served: Served) -> None:
    served.when(ACCOUNT, "analytics-truncated")
    days = read(served.ask(KEY_DAYS, "analytics-truncated"))
    assert days["complete"] is False
    assert days["incompleteReason"] == "OpenRouter left rows out (truncated): the smallest amounts are missing."
    assert None in [usd for of_key in days["keys"].values() for usd in of_key]
    warning = "OpenRouter warns: 1 value of the filter api_key_id could not be resolved"
    assert account_with_spend(served, "analytics-warnings")["notes"][0].startswith(warning)
    assert read(served.ask(KEY_DAYS, "analytics-warnings"))["incompleteReason"].startswith(warning)


def test_a_plain_key_is_told_which_kind_is_needed(served: Served, log: Log) -> None:
    served.when(BALANCE, "normal")
    for path in ROUTES:
        answer = served.ask(path, "normal")
        assert answer.problem == (403, "management_key_required")
        assert answer.json["error"] == "This needs a management key, and the key is an ordinary one."
        assert "https://openrouter.ai/settings/management-keys" in answer.json["hint"]
        assert "orcredit profile add normal --management" in answer.json["hint"]
    plain = simulator.key_for("normal")
    assert all(
        request.path.endswith(("/key", "/credits"))
        for request in log.requests
        if plain in request.headers["authorization"]
    )


@pytest.mark.parametrize("path", ROUTES)
def test_profiles_that_there_are_not(served: Served, path: str) -> None:
    assert served.ask(path, "unknown").problem == (404, "unknown_profile")
    assert served.ask(f"{path}?profile=team&profile=fleet").problem == (400, "bad_request")


def test_the_same_answer_is_encoded_once(served: Served) -> None:
    first = served.when(KEYS, "fleet").body
    assert served.ask(KEYS, "fleet").body == first


def test_no_key_is_anywhere(served: Served) -> None:
    secrets = {simulator.key_for(name) for name in (*TEAMS, "normal")}
    for name in ("team", "fleet", "hostile-names", "analytics-absent", "analytics-slow", "normal"):
        for path in ROUTES:
            said = served.ask(path, name).everything
            assert not [secret for secret in secrets if secret in said]


def test_a_separate_management_key_is_sent_to_its_own_address_only() -> None:
    here, there = Log(), Log()
    with simulator.Server(responder=here) as own, simulator.Server(responder=there) as other:
        profiles: dict[str | None, AsyncClient] = {
            "a": client(own, "normal", management="team"),
            "b": client(other, "normal", management="team"),
            "c": client(other, "low"),
        }
        with Served(profiles) as served:
            for name in ("a", "b"):
                for path in ROUTES:
                    assert read(served.when(path, name))
            served.when(BALANCE, "c")
            assert served.ask(KEYS, "c").problem == (403, "management_key_required")
            # The same key at another address is another account, of which nothing else is known.
            assert here.count("/workspaces") == there.count("/workspaces") == 1
    team = simulator.key_for("team")
    assert here.keys == {simulator.key_for("normal"), team}
    assert there.keys == {simulator.key_for("normal"), simulator.key_for("low"), team}
    plain = f"Bearer {simulator.key_for('normal')}"
    assert {
        request.path.rpartition("/")[2] for request in here.requests if request.headers["authorization"] == plain
    } <= {
        "key",
        "credits",
    }


def test_profiles_with_the_same_management_key_are_asked_about_once() -> None:
    log = Log()
    with simulator.Server(responder=log) as upstream:
        profiles: dict[str | None, AsyncClient] = {
            "a": client(upstream, "normal", management="team"),
            "b": client(upstream, "low", management="team"),
            "c": client(upstream, "team"),  # the key is a management key itself
            "d": client(upstream, "normal", management="fleet"),
        }
        with Served(profiles) as served:
            answers = [served.when(KEYS, name).body for name in ("a", "b", "c")]
            assert served.when(KEYS, "d").json["keys"]
            assert answers[0] == answers[1] == answers[2]
            asked = [request.headers["authorization"] for request in log.requests if "/workspaces" in request.path]
    assert sorted(asked) == sorted(f"Bearer {simulator.key_for(name)}" for name in ("team", "fleet"))


def test_before_the_keys_are_known_the_server_says_so() -> None:
    log = Log()
    log.instead = lambda request: simulator.Response(200, {}, b"", delay=60) if "/workspaces" in request.path else None
    with simulator.Server(responder=log) as upstream, Served({None: client(upstream, "team")}) as served:
        served.when(BALANCE)
        for path in (ACCOUNT, KEYS, KEY_DAYS):
            answer = served.ask(path)
            assert answer.problem == (503, "starting")
            assert answer.headers["Retry-After"] == "1"
        assert read(served.ask(ACTIVITY))["rows"]  # which needs no list of the keys


@pytest.mark.parametrize(("status", "expected"), [(401, (502, "refused")), (500, (502, "unreachable"))])
def test_while_there_never_was_an_answer_the_reason_is_said(status: int, expected: tuple[int, str]) -> None:
    log = Log()
    log.instead = lambda request: refusal(status) if "/workspaces" in request.path else None
    with simulator.Server(responder=log) as upstream, Served({None: client(upstream, "team")}) as served:
        for path in (ACCOUNT, KEYS, KEY_DAYS):
            assert served.when(path, status=expected[0]).problem == expected
            assert str(status) in served.ask(path).json["error"]


def test_a_key_that_is_refused_is_no_management_key_yet() -> None:
    log = Log()
    log.instead = lambda request: refusal(401) if request.path.endswith("/key") else None
    with simulator.Server(responder=log) as upstream, Served({None: client(upstream, "normal")}) as served:
        for path in ROUTES:
            assert served.when(path, status=502).problem == (502, "refused")


def test_a_management_key_that_is_an_ordinary_one_is_said_to_be() -> None:
    with simulator.Server() as upstream:
        one = client(upstream, "normal", management="team")
        one._management_key = client(upstream, "low").profile.key  # noqa: SLF001 - as a user would set it
        with Served({None: one}) as served:
            for path in (ACCOUNT, KEYS, KEY_DAYS):
                answer = served.when(path, status=403)
                assert answer.problem == (403, "management_key_required")
                assert "https://openrouter.ai/settings/management-keys" in answer.json["hint"]


def test_the_history_is_joined_by_the_keys_hash() -> None:
    log = Log()
    # The deployment has no analytics, so that the history alone knows the days before today.
    with simulator.Server(responder=log) as upstream:
        one = client(upstream, "analytics-absent")
        with Served({None: one}) as served:
            known = read(served.when(KEYS))["keys"][2]["hash"]
        history, now = History.in_memory(), datetime.now(UTC)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for hours in range(71, -1, -1):  # $1.50 a day until today began
            history.record(known[:12], balance(today - timedelta(hours=hours), str(10 - hours / 16)))
        with Served({None: one}, history=history) as served:
            served.when(KEYS)
            days = read(served.ask(KEY_DAYS))
    assert days["source"] == "history"
    of_key = days["keys"].pop(known)
    assert of_key[:10] == [None] * 10
    assert of_key[10:13] == pytest.approx([1.4375, 1.5, 1.5])
    assert of_key[13] > 0  # as OpenRouter counts it: the history saw nothing of today
    assert all(each[:13] == [None] * 13 for each in days["keys"].values())
