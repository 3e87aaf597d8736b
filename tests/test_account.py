"""Every key of an account, and its credit: what `Client.keys`, `key_list` and `account` ask, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import AsyncClient, Client, KeyRefusedError, Level, UnavailableError, UsageError, simulator
from orcredit.balance import DEFAULT_THRESHOLDS, assess
from orcredit.balance.account import assess_row, badness, worst_level
from orcredit.openrouter import KeyInfo
from orcredit.openrouter.account_wire import KeyRow
from tests.simulated import NOW, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from orcredit.balance.account import KeyList, KeysPage

pytestmark = pytest.mark.usefixtures("no_variables")
READS = {"/workspaces", "/keys", "/credits", "/analytics/query"}


@pytest.fixture
def at_noon() -> Iterator[simulator.Server]:
    with simulator.Server(clock=lambda: NOW) as running:
        yield running


def client(server: simulator.Server, name: str, **more: Any) -> Client:  # noqa: ANN401 - options
    return at_time(Client(simulator.key_for(name), base_url=server.base_url, **more), server)


def at_time(made: Client, server: simulator.Server) -> Client:
    """Give a client the clock of its server."""
    made._client._answers.now = server.clock  # noqa: SLF001
    return made


def pages(asked: Client) -> Iterator[KeysPage]:
    return asked.keys()


def names(listed: KeyList) -> list[str]:
    return [key.name for key in listed.keys]


@pytest.mark.parametrize(
    ("name", "count", "workspaces"),
    [
        ("no-keys", 0, 1),
        ("one-key", 1, 1),
        ("fleet", 250, 12),
        ("fleet-in-one", 250, 1),
        ("large-fleet", 5000, 12),
        ("large-fleet-in-one", 5000, 1),
        ("management", 130, 1),
    ],
)
def test_all_keys_of_all_workspaces_are_listed_once(
    name: str, count: int, workspaces: int, at_noon: simulator.Server
) -> None:
    listed = client(at_noon, name, timeout=60).key_list()
    assert listed.complete
    assert len({key.hash for key in listed.keys}) == len(listed.keys) == count
    assert len(listed.workspaces) == workspaces
    assert {key.workspace for key in listed.keys} <= {one.name for one in listed.workspaces}
    paths = [request.path.partition("?")[0].removeprefix("/api/v1") for request in at_noon.requests]
    assert {*paths} <= READS
    # A page of 100 keys, the pages requested ahead, and an empty last page.
    assert paths.count("/keys") <= count // 100 + 4 * workspaces
    assert all(request.method == "GET" or "analytics" in request.path for request in at_noon.requests)


def test_at_most_four_requests_are_under_way() -> None:
    lock = threading.Lock()
    under_way, most = 0, 0

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)  # long enough for others to be sent
        with lock:
            under_way -= 1
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        assert len(client(server, "fleet").key_list().keys) == 250
    assert most == 4


def test_the_timeout_is_that_of_all_pages_together() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if "offset=100" in request.path:
            time.sleep(2)
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        listed = client(server, "fleet-in-one", timeout=1).key_list()
    assert (listed.complete, len(listed.keys)) == (False, 150)
    assert "did not answer within 1 s" in str(listed.incomplete_reason)


def test_the_pages_come_as_they_arrive(at_noon: simulator.Server) -> None:
    async def ask_() -> list[KeysPage]:
        asked = AsyncClient(simulator.key_for("fleet-in-one"), base_url=at_noon.base_url).keys()
        return [page async for page in asked]

    found = asyncio.run(ask_())
    assert sum(len(page.keys) for page in found) == 250
    assert max(len(page.keys) for page in found) == 100


def test_the_blocking_client_iterates_also_within_an_event_loop(at_noon: simulator.Server) -> None:
    async def inside() -> int:
        return sum(len(page.keys) for page in pages(client(at_noon, "team")))

    assert asyncio.run(inside()) == 11
    assert next(pages(client(at_noon, "fleet"))).keys  # the rest is left


def test_a_page_that_fails_is_said_after_the_others(server: simulator.Server) -> None:
    listed = client(server, "fleet-page-fails").key_list()
    assert (listed.complete, len(listed.keys)) == (False, 150)
    assert listed.incomplete_reason is not None
    assert listed.incomplete_reason.startswith("OpenRouter answered 503")
    came: list[KeysPage] = []
    with pytest.raises(UnavailableError):  # noqa: PT012 - each page that came counts
        for page in pages(client(server, "fleet-page-fails")):
            came.append(page)  # noqa: PERF402 - likewise
    assert sum(len(page.keys) for page in came) == 150


def test_keys_that_move_to_another_page_meanwhile_are_listed_once() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        moved = simulator.Request(
            request.method, request.path.replace("offset=100", "offset=99"), request.headers, request.body
        )
        return simulator.respond(moved, now)

    with simulator.Server(responder=respond) as server:
        listed = client(server, "fleet-in-one").key_list()
    assert len({key.hash for key in listed.keys}) == len(listed.keys)


def test_a_server_that_ignores_offsets_is_not_asked_forever() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        path = re.sub(r"offset=\d+", "offset=0", request.path)
        return simulator.respond(simulator.Request(request.method, path, request.headers, request.body), now)

    with simulator.Server(responder=respond) as server:
        assert len(client(server, "fleet-in-one").key_list().keys) == 100
        assert len(server.requests) < 12


def test_workspaces_without_a_count_are_listed_to_their_end() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        return simulator.Response(answer.status, answer.headers, answer.body.replace(b'"total_count": 12', b'"x": 1'))

    with simulator.Server(responder=respond) as server:
        assert len(client(server, "fleet").key_list().workspaces) == 12


@pytest.mark.parametrize("account", ["normal", "error-401", "free-tier"])
def test_an_ordinary_key_is_told_which_key_is_needed(account: str, server: simulator.Server) -> None:
    for ask_ in (Client.key_list, Client.account, Client.activity, lambda one: list(pages(one))):
        with pytest.raises(KeyRefusedError) as raised:
            ask_(client(server, account))
        assert raised.value.exit_code == 77
        assert "management key" in raised.value.hint
        assert "https://openrouter.ai/settings/management-keys" in raised.value.hint


def test_a_management_key_is_sent_instead_of_the_key_itself(at_noon: simulator.Server) -> None:
    given = Client(simulator.key_for("normal"), management_key=simulator.key_for("team"), base_url=at_noon.base_url)
    assert len(given.key_list().keys) == 11
    sent = {request.headers["authorization"] for request in at_noon.requests}
    assert sent == {f"Bearer {simulator.key_for('team')}"}


def test_a_redirect_does_not_get_the_key(server: simulator.Server) -> None:
    with pytest.raises(UnavailableError, match="redirect"):
        client(server, "redirect").key_list()


def test_disabled_and_expired_keys_are_listed_on_request(at_noon: simulator.Server) -> None:
    usual = client(at_noon, "team").key_list()
    assert not {"hooli (left)", "workshop"} & {*names(usual)}
    more = client(at_noon, "team").key_list(include_disabled=True, include_expired=True)
    (disabled,) = [key for key in more.keys if key.disabled]
    (expired,) = [key for key in more.keys if key.expired]
    assert (disabled.name, expired.name) == ("hooli (left)", "workshop")
    assert not disabled.is_usable
    assert not expired.is_usable


@pytest.mark.parametrize("which", ["Customers", "customers", "workspace-2"])
def test_one_workspace_can_be_chosen(which: str, at_noon: simulator.Server) -> None:
    listed = client(at_noon, "team").key_list(workspace=which)
    assert names(listed) == ["acme", "globex", "initech trial"]
    assert len([one for one in at_noon.requests if "/keys?" in one.path]) == 1


def test_an_unknown_workspace_names_similar_ones(server: simulator.Server) -> None:
    with pytest.raises(UsageError, match="no workspace named 'costumers'") as raised:
        client(server, "team").key_list(workspace="costumers")
    assert raised.value.hint == "Similar: Customers."


def test_a_deployment_without_workspaces_lists_its_keys(server: simulator.Server) -> None:
    listed = client(server, "no-workspaces").key_list()
    assert (len(listed.keys), listed.workspaces, listed.complete) == (3, (), True)
    with pytest.raises(UnavailableError, match="no workspaces"):
        client(server, "no-workspaces").key_list(workspace="default")


def test_names_lose_control_characters_and_nothing_else(server: simulator.Server) -> None:
    listed = client(server, "hostile-names").key_list()
    assert len(listed.keys) == len(simulator.TEAMS["hostile-names"].keys)
    assert all(name.isprintable() and len(name) <= 200 for name in names(listed))
    assert "[red]boo[/red] [link=https://example.com]x[/link]" in names(listed)
    assert "twolinesand a tab" in names(listed)


def test_a_row_of_the_wrong_type_fails_its_page_only() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        if "offset=200" not in request.path:
            return answer
        document = json.loads(answer.body)
        document["data"][3]["usage"] = "much"
        return simulator.Response(200, answer.headers, json.dumps(document).encode())

    with simulator.Server(responder=respond) as server:
        listed = client(server, "fleet-in-one").key_list()
    assert (len(listed.keys), listed.complete) == (200, False)
    assert "data.3.usage: not an amount" in str(listed.incomplete_reason)


@pytest.mark.parametrize("count", [1, 2])
def test_rows_that_make_no_sense_are_left_out_and_said(count: int) -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        if "offset=100" not in request.path:
            return answer
        document = json.loads(answer.body)
        for row in document["data"][3 : 3 + count]:
            del row["limit"]
        return simulator.Response(200, answer.headers, json.dumps(document).encode())

    with simulator.Server(responder=respond) as server:
        listed = client(server, "fleet-in-one").key_list()
        came: list[KeysPage] = []
        with pytest.raises(UnavailableError, match="left out"):  # noqa: PT012 - each page that came counts
            for page in pages(client(server, "fleet-in-one")):
                came.append(page)  # noqa: PERF402 - likewise
    assert (len(listed.keys), listed.complete) == (250 - count, False)
    assert sum(len(page.keys) for page in came) == 250 - count
    some = "1 key was" if count == 1 else "2 keys were"
    assert str(listed.incomplete_reason).startswith(f"{some} left out: OpenRouter's answer makes no sense: ")


# Levels


@pytest.mark.parametrize(
    "name", ["normal", "low", "exhausted", "zero-limit", "unlimited", "lifetime", "daily", "byok", "older", "future"]
)
def test_a_row_has_the_level_and_run_out_that_the_balance_of_its_own_limit_has(name: str) -> None:
    wire = ask("/key", simulator.key_for(name))
    wire = {field: value for field, value in wire.items() if field not in {"budgets", "effective_budget"}}
    balance = assess(KeyInfo.model_validate(wire), None, NOW)
    row = assess_row(KeyRow.model_validate(wire | {"hash": "0" * 64, "name": name}), None, NOW, DEFAULT_THRESHOLDS)
    for field in ("level", "low_because", "total_limit", "remaining", "percent_remaining", "resets_at", "usage"):
        assert getattr(row, field) == getattr(balance, field), field
    own = balance.budgets[0].pace if balance.budgets else None
    assert (row.runs_out_at, row.per_day) == ((own.runs_out_at, own.per_day) if own else (None, None))


def test_thresholds_count_for_rows_as_for_a_balance(at_noon: simulator.Server) -> None:
    by_name = {key.name: key for key in client(at_noon, "team", warn_below="20%").key_list().keys}
    assert by_name["acme"].level is Level.LOW
    assert by_name["acme"].low_because is not None
    assert by_name["globex"].level is Level.OK
    assert by_name["ci"].level is Level.EXHAUSTED
    assert by_name["bo laptop"].level is Level.UNLIMITED


def test_the_worst_come_first_and_keys_that_cannot_be_used_last(at_noon: simulator.Server) -> None:
    listed = client(at_noon, "team", warn_below="20%").key_list(include_disabled=True, include_expired=True)
    ordered = sorted(listed.keys, key=badness)
    assert [key.name for key in ordered[:2]] == ["ci", "acme"]
    assert {key.name for key in ordered[-2:]} == {"hooli (left)", "workshop"}
    assert worst_level(listed.keys, listed.account) is Level.EXHAUSTED
    assert worst_level(ordered[1:], listed.account) is Level.LOW
    assert worst_level([], listed.account) is Level.OK


# The credit


def test_the_credits_pace_is_that_of_the_whole_account(at_noon: simulator.Server) -> None:
    account = client(at_noon, "team").account()
    assert account.credit is not None
    assert (account.level, account.credit.is_upper_bound) == (Level.OK, False)
    assert account.pace is not None
    assert account.pace.runs_out_at == account.credit.runs_out_at is not None


def test_without_analytics_the_credit_is_known_and_its_pace_is_not(server: simulator.Server) -> None:
    account = client(server, "analytics-absent").account()
    assert account.credit is not None
    assert account.pace is None


def test_a_credit_that_cannot_be_had_does_not_hide_the_keys() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        return simulator.Response(503, {}, b"") if request.path.endswith("/credits") else answer

    with simulator.Server(responder=respond) as server:
        listed = client(server, "one-key").key_list()
    assert len(listed.keys) == 1
    assert listed.account.credit is None
    assert "503" in str(listed.account.credit_error)


def test_secrets_are_in_no_error_and_no_document(server: simulator.Server) -> None:
    for name in ("echo-key", "secret-in-error", "html", "team"):
        key = simulator.key_for(name)
        texts: list[str] = []
        for ask_ in (Client.key_list, Client.account, Client.activity):
            asked: Callable[[Client], Any] = ask_
            try:
                texts.append(asked(client(server, name)).model_dump_json())
            except (UnavailableError, KeyRefusedError) as error:
                texts += [repr(error), str(error), error.hint]
        assert not [text for text in texts if key in text]
