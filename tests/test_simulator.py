"""The simulator: OpenRouter's wire format, and the amounts of its accounts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openrouter import OpenRouter

from orcredit.simulator import (
    ACCOUNTS,
    DEMO_INSTANT,
    FAULTS,
    Request,
    Response,
    Server,
    key_for,
    management_key_for,
    respond,
    transport,
)
from tests.responding import ask, data, instants

if TYPE_CHECKING:
    from collections.abc import Iterator

# The SDK warns about deprecated fields that it requires itself.
pytestmark = pytest.mark.filterwarnings("ignore:warning. .. DEPRECATED:DeprecationWarning")

SECOND = timedelta(seconds=1)
CURRENT = [name for name in ACCOUNTS if not name.startswith("older")]
WITH_CREDIT = [name for name, account in ACCOUNTS.items() if account.purchased is not None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(clock=lambda: DEMO_INSTANT) as running:
        yield running


def sdk(server: Server, key: str) -> OpenRouter:
    return OpenRouter(api_key=key, server_url=server.base_url)


def refusal(answer: Response) -> tuple[int, str]:
    error = json.loads(answer.body)["error"]
    assert error["code"] == answer.status
    return answer.status, error["message"]


# The official SDK accepts every response.


@pytest.mark.parametrize("name", [name for name in CURRENT if not ACCOUNTS[name].refused_half])
def test_the_sdk_accepts_key_of_every_account(server: Server, name: str) -> None:
    got = sdk(server, key_for(name)).api_keys.get_current_key_metadata().data
    sent = data("/key", key_for(name))
    assert (got.limit, got.limit_remaining, got.usage) == tuple(
        None if sent[field] is None else float(sent[field]) for field in ("limit", "limit_remaining", "usage")
    )
    assert [budget.scope for budget in got.budgets] == [budget["scope"] for budget in sent["budgets"]]


@pytest.mark.parametrize("name", [name for name in ACCOUNTS if name.startswith("older")])
def test_an_older_deployment_lacks_fields(name: str) -> None:
    missing = {
        "limit_remaining",
        "budgets",
        "effective_budget",
        "free_model_daily_requests",
        "is_management_key",
    }
    sent = data("/key", key_for(name))
    assert not missing & set(sent)
    assert ("usage_monthly" in sent) is (name != "older-broken")
    assert ("limit_reset" in sent) is (name != "older-lifetime")


@pytest.mark.parametrize("name", WITH_CREDIT)
def test_the_sdk_accepts_credits(server: Server, name: str) -> None:
    got = sdk(server, management_key_for(name)).credits.get_credits().data
    sent = data("/credits", management_key_for(name))
    assert (got.total_credits, got.total_usage) == (float(sent["total_credits"]), float(sent["total_usage"]))


@pytest.mark.parametrize("name", WITH_CREDIT)
def test_the_sdk_accepts_all_pages_of_keys(server: Server, name: str) -> None:
    client = sdk(server, management_key_for(name))
    hashes: list[str] = []
    sizes: list[int] = []
    while page := client.api_keys.list(offset=len(hashes)).data:
        sizes.append(len(page))
        hashes += [row.hash for row in page]
    assert len(set(hashes)) == len(hashes)
    if name == "management":
        assert sizes == [100, 30]
    elif not ACCOUNTS[name].management:
        assert hashes[0] == hashlib.sha256(key_for(name).encode()).hexdigest()


@pytest.mark.parametrize("name", WITH_CREDIT)
def test_the_sdk_accepts_activity_with_each_filter(server: Server, name: str) -> None:
    analytics = sdk(server, management_key_for(name)).analytics
    everything = analytics.get_user_activity().data
    assert everything
    assert all(row.workspace_id is None for row in everything)
    day = everything[0].date_
    one_day = analytics.get_user_activity(request={"date_": day}).data
    assert one_day == [row for row in everything if row.date_ == day]
    grouped = analytics.get_user_activity(request={"group_by": "workspace"}).data
    spent = {row.workspace_id: 0.0 for row in grouped}
    for row in grouped:
        spent[row.workspace_id] += row.usage
    assert sum(spent.values()) == pytest.approx(sum(row.usage for row in everything))
    for workspace, amount in spent.items():
        assert workspace is not None
        rows = analytics.get_user_activity(request={"workspace_id": workspace}).data
        assert sum(row.usage for row in rows) == pytest.approx(amount)
    rows = data("/keys", management_key_for(name))
    by_key = [analytics.get_user_activity(request={"api_key_hash": row["hash"]}).data for row in rows[:2]]
    assert sum(row.usage for part in by_key for row in part) == pytest.approx(sum(spent.values()))
    assert analytics.get_user_activity(request={"user_id": "unknown"}).data == []
    assert analytics.get_user_activity(request={"user_id": "user_simulated1"}).data == by_key[0]


@pytest.mark.parametrize("name", WITH_CREDIT)
def test_the_sdk_accepts_one_key(server: Server, name: str) -> None:
    for sent in data("/keys", management_key_for(name))[:2]:
        got = sdk(server, management_key_for(name)).api_keys.get(hash=sent["hash"]).data
        assert (got.name, got.hash) == (sent["name"], sent["hash"])
    assert refusal(ask("/keys/" + 64 * "0", management_key_for(name)))[0] == 404
    ordinary = refusal(ask("/keys/" + 64 * "0", key_for("low")))
    assert ordinary[0] == 403


# The other accounts, by the list of traps.


@pytest.mark.parametrize(
    ("name", "limit", "remaining", "reset"),
    [
        ("normal", "100", "51.25", "monthly"),
        ("low", "100", "8", "monthly"),
        ("exhausted", "100", "-0.25", "monthly"),
        ("zero-limit", "0", "0", "monthly"),
        ("tiny", "0.002", "0.0018", "monthly"),
        ("lifetime", "50", "31.25", None),
        ("daily", "5", "3.25", "daily"),
        ("weekly", "25", "15.5", "weekly"),
        ("byok", "100", "45", "monthly"),
        ("byok-excluded", "100", "70", "monthly"),
        ("all-time-usage", "50", "20", "weekly"),
        ("credit-below-limit", "50", "16.63", "monthly"),
        ("workspace-first", "100", "80", "monthly"),
        ("future", "40", "25", "fortnightly"),
        ("management-limited", "10", "6", "monthly"),
    ],
)
def test_limits(name: str, limit: str, remaining: str, reset: str | None) -> None:
    sent = data("/key", key_for(name))
    assert (sent["limit"], sent["limit_remaining"]) == (Decimal(limit), Decimal(remaining))
    assert sent["limit_reset"] == reset
    assert (sent["budgets"][-1]["scope"], sent["budgets"][-1]["remaining_usd"]) == (
        "key_limit",
        Decimal(remaining),
    )


@pytest.mark.parametrize("name", ["unlimited", "free-tier", "grant-only", "negative-credit", "management"])
def test_no_limit_is_null_and_no_budget(name: str) -> None:
    sent = data("/key", key_for(name))
    fields = ("limit", "limit_remaining", "limit_reset", "effective_budget", "budgets")
    assert [sent[field] for field in fields] == [None, None, None, None, []]


@pytest.mark.parametrize(
    ("name", "scope", "remaining"),
    [
        ("workspace-first", "workspace", "1.20"),
        ("workspace-spent", "workspace", "-0.40"),
        ("two-spent", "workspace", "-0.40"),
        ("many-budgets", "api_key", "7.50"),
        ("future", "key_limit", "25"),
    ],
)
def test_the_effective_budget_blocks_first(name: str, scope: str, remaining: str) -> None:
    budget = data("/key", key_for(name))["effective_budget"]
    assert (budget["scope"], budget["remaining_usd"]) == (scope, Decimal(remaining))


@pytest.mark.parametrize(
    ("name", "credit"),
    [
        ("credit-below-limit", "0.13"),
        ("negative-credit", "-2.50"),
        ("grant-only", "-3.20"),
        ("management", "25"),
        ("management-limited", "25"),
    ],
)
def test_the_accounts_credit(name: str, credit: str) -> None:
    sent = data("/credits", management_key_for(name))
    assert sent["total_credits"] - sent["total_usage"] == Decimal(credit)
    rows = [row for offset in (0, 100) for row in data(f"/keys?offset={offset}", management_key_for(name))]
    own = data("/key", key_for(name))["usage"] if ACCOUNTS[name].management else 0
    assert own + sum(row["usage"] for row in rows) == pytest.approx(sent["total_usage"], abs=Decimal("0.000001"))


def test_cached_credits_lag_to_the_last_whole_minute() -> None:
    key, management = key_for("cached-credits"), management_key_for("cached-credits")
    earlier = DEMO_INSTANT - 7 * SECOND
    assert data("/key", key)["usage"] > data("/key", key, earlier)["usage"]
    assert data("/credits", management) == data("/credits", management, earlier)
    assert data("/credits", management) != data("/credits", management, DEMO_INSTANT + 20 * SECOND)


def test_expiry_is_relative_to_the_clock() -> None:
    assert data("/key", key_for("expiring"))["expires_at"] == "2026-02-15T21:59:47.000Z"
    assert data("/key", key_for("expires-today"))["expires_at"] == "2026-02-12T21:39:47.000Z"


def test_labels_are_masked_keys_and_management_keys_are_flagged() -> None:
    key = key_for("normal")
    assert len(key) == len("sk-or-v1-") + 64
    assert data("/key", key)["label"] == f"{key[:12]}...{key[-3:]}"
    for name, management in [("normal", False), ("management", True), ("management-limited", True)]:
        assert data("/key", key_for(name))["is_management_key"] is management
    manager = data("/key", management_key_for("normal"))
    assert (manager["is_management_key"], manager["limit"], manager["usage"]) == (True, None, 0)


# Refusals and faults.


@pytest.mark.parametrize("route", ["/credits", "/activity", "/keys"])
def test_only_management_keys_see_the_account(route: str) -> None:
    assert refusal(ask(route, key_for("normal"))) == (403, "Only management keys can perform this operation")


def test_zero_credits_answers_an_ordinary_key_with_two_zeros() -> None:
    assert data("/credits", key_for("zero-credits")) == {"total_credits": 0, "total_usage": 0}
    assert ask("/keys", key_for("zero-credits")).status == 403


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer sk-or-v1-no"}, {"authorization": key_for("normal")}])
def test_an_unknown_or_missing_key_is_refused(header: dict[str, str]) -> None:
    assert refusal(respond(Request("GET", "/api/v1/key", header), DEMO_INSTANT))[0] == 401


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "", 404),
        ("POST", "/key", 405),
        ("GET", "/keys?offset=-1", 400),
        ("GET", "/activity?date=2026-02-12", 400),
        ("GET", "/activity?date=yesterday", 400),
        ("GET", "/activity?group_by=model", 400),
    ],
)
def test_invalid_requests_are_refused(method: str, route: str, status: int) -> None:
    assert refusal(ask(route, key_for("management"), method=method))[0] == status


@pytest.mark.parametrize("path", ["/key", "/auth/key", "/api/v1/auth/key", "/some/proxy/api/v1/key?x=1"])
def test_the_key_route_has_an_alias_and_any_prefix(path: str) -> None:
    headers = {"authorization": f"Bearer {key_for('normal')}"}
    assert respond(Request("GET", path, headers), DEMO_INSTANT) == ask("/key", key_for("normal"))


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.route is None])
def test_a_fault_applies_to_every_route(name: str) -> None:
    key = key_for(name)
    answers = {route: ask(route, key) for route in ("/key", "/credits", "/activity", "/keys")}
    assert len({(answer.status, answer.body) for answer in answers.values()}) == 1
    answer = answers["/key"]
    assert (answer.status, answer.headers.get("Location")) == (
        FAULTS[name].status,
        "https://elsewhere.invalid/" if name == "redirect" else None,
    )
    if name.startswith(("error-", "retry-")) and name != "error-in-200":
        assert refusal(answer)[0] == FAULTS[name].status
    assert answer.headers.get("Retry-After") == (name.rpartition("-")[2] if name.startswith("retry") else None)
    assert answer.headers["Content-Type"].startswith("text/html" if name.startswith("html") else "application/json")
    assert (key in answer.body.decode()) is (name in {"echo-key", "secret-in-error"})


@pytest.mark.parametrize(
    ("name", "needle"),
    [
        ("nan", b'"limit_remaining": NaN'),
        ("infinity", b'"limit_remaining": Infinity'),
        ("huge-number", b'"limit": 1e400'),
        ("wrong-types", b'"limit": "100"'),
        ("bool-amount", b'"limit": true'),
        ("bad-date", b'"resets_at": "soon"'),
        ("control-characters", rb"[red]boo[/red]"),
        ("control-characters", rb"\u001b[31m"),
    ],
)
def test_a_patched_answer_contains_the_fault(name: str, needle: bytes) -> None:
    assert needle in ask("/key", key_for(name)).body


@pytest.mark.parametrize("name", ["control-characters", "echo-key"])
def test_hostile_texts_are_in_a_valid_answer(server: Server, name: str) -> None:
    got = sdk(server, key_for(name)).api_keys.get_current_key_metadata().data
    assert got.label == got.budgets[0].scope
    assert sdk(server, key_for(name)).credits.get_credits().data.total_credits == 100


def test_unknown_names_are_errors() -> None:
    with pytest.raises(KeyError, match="no account or fault named 'unknown'"):
        key_for("unknown")
    with pytest.raises(KeyError, match="'exhausted' with a management key"):
        management_key_for("exhausted")


def test_all_keys_differ() -> None:
    keys = [key_for(name) for name in (*ACCOUNTS, *FAULTS)]
    keys += [management_key_for(name) for name in WITH_CREDIT if not ACCOUNTS[name].management]
    assert len(set(keys)) == len(keys)


@given(
    st.sampled_from([*ACCOUNTS, *FAULTS]),
    st.sampled_from(["/key", "/credits", "/keys", "/activity"]),
    instants,
)
def test_the_answer_is_a_pure_function_of_request_and_clock(name: str, route: str, now: datetime) -> None:
    first = ask(route, key_for(name), now)
    ask("/key", key_for("demo"), now + SECOND)
    assert ask(route, key_for(name), now) == first
    assert dataclasses.replace(first) == first
    assert datetime.strptime(first.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC) <= now


# The server and the transport.


def test_the_server_answers_as_respond_and_records_the_requests() -> None:
    with Server(clock=lambda: DEMO_INSTANT) as server, httpx2.Client(base_url=server.base_url) as client:
        headers = {"Authorization": f"Bearer {key_for('normal')}"}
        got = [
            client.get("/key", headers=headers, params={"x": 1}),
            client.post("/key", json={}, headers=headers),
        ]
        missing = client.get("/nowhere")
        expected = [ask("/key", key_for("normal")), ask("/key", key_for("normal"), method="POST")]
        assert [(answer.status_code, answer.content) for answer in got] == [
            (answer.status, answer.body) for answer in expected
        ]
        assert got[0].headers["Date"] == "Thu, 12 Feb 2026 16:39:47 GMT"
        assert missing.status_code == 404
        assert [(request.method, request.path) for request in server.requests] == [
            ("GET", "/api/v1/key?x=1"),
            ("POST", "/api/v1/key"),
            ("GET", "/api/v1/nowhere"),
        ]
        assert server.requests[0].headers["authorization"] == f"Bearer {key_for('normal')}"


def test_the_server_uses_the_responder_and_clock_it_is_given() -> None:
    with Server(clock=lambda: DEMO_INSTANT, responder=lambda _, now: Response(200, {}, str(now).encode())) as server:
        assert httpx2.get(server.base_url).text == str(DEMO_INSTANT)


def test_close_leaves_no_thread_and_no_socket() -> None:
    before = set(threading.enumerate())
    with Server() as server, httpx2.Client() as client:
        client.get(f"{server.base_url}/key")
        port = int(server.base_url.split(":")[2].split("/")[0])
        assert set(threading.enumerate()) - before
        server.close()
        assert not set(threading.enumerate()) - before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_the_transport_gives_the_same_answers_without_a_socket() -> None:
    headers = {"Authorization": f"Bearer {management_key_for('management')}"}
    with httpx2.Client(transport=transport(lambda: DEMO_INSTANT), base_url="https://openrouter.ai/api/v1") as client:
        got = client.get("/keys", params={"offset": 100}, headers=headers)
    assert got.content == ask("/keys?offset=100", management_key_for("management")).body
    assert len(got.json()["data"]) == 30


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
@pytest.mark.process
def test_the_program_serves_until_ctrl_c() -> None:
    command = [sys.executable, "-m", "orcredit.simulator"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        shown: list[str] = []
        while not shown or not shown[-1].startswith("OPENROUTER_BASE_URL="):
            shown.append(process.stdout.readline().strip())
        assert f"key         {key_for('demo')}" in shown
        assert f"management  {management_key_for('demo')}" in shown
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(shown[-1].partition("=")[2] + "/key")  # noqa: S310 - loopback
        process.send_signal(signal.SIGINT)
        assert (process.wait(10), process.stderr.read()) == (0, "")


@pytest.mark.process
def test_the_program_reports_a_port_in_use(server: Server) -> None:
    port = server.base_url.split(":")[2].split("/")[0]
    command = [sys.executable, "-m", "orcredit.simulator", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot listen on port {port}" in done.stderr
