"""The simulated teams: workspaces, keys of each, analytics; what the official SDK accepts, and what goes wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter
from openrouter.errors import OpenRouterDefaultError, RequestTimeoutResponseError

from orcredit.simulator import DEMO_INSTANT, TEAMS, Request, Server, key_for, management_key_for, respond

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.filterwarnings("ignore:warning. .. DEPRECATED:DeprecationWarning"),
    # The SDK imports jsonpath, which looks for names that Python 3.12 deprecates.
    pytest.mark.filterwarnings("ignore:ast.\\w+ is deprecated:DeprecationWarning"),
]

DAY = timedelta(days=1)
LARGE = {"large-fleet", "large-fleet-in-one"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(clock=lambda: DEMO_INSTANT) as running:
        yield running


def sdk(server: Server, name: str) -> OpenRouter:
    return OpenRouter(api_key=key_for(name), server_url=server.base_url)


def ask(route: str, name: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {key_for(name)}"}
    method, sent = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
    answer = respond(Request(method, f"/api/v1{route}", headers, sent), DEMO_INSTANT)
    return answer.status, json.loads(answer.body, parse_float=Decimal)


def span(length: timedelta) -> dict[str, str]:
    return {"start": f"{DEMO_INSTANT - length:%Y-%m-%dT%H:%M:%SZ}", "end": f"{DEMO_INSTANT:%Y-%m-%dT%H:%M:%SZ}"}


def query(name: str, *dimensions: str, length: timedelta = DAY, **more: object) -> tuple[int, dict[str, Any]]:
    body = {"metrics": ["credits_usage", "request_count"], "dimensions": [*dimensions], "time_range": span(length)}
    return ask("/analytics/query", name, body | more)


@pytest.mark.parametrize("name", sorted(TEAMS.keys() - LARGE - {"no-workspaces", "fleet-page-fails"}))
def test_the_sdk_accepts_the_workspaces_and_all_keys(server: Server, name: str) -> None:
    client = sdk(server, name)
    first = client.workspaces.list()
    assert first is not None
    assert (len(first.result.data), first.result.total_count) == (len(TEAMS[name].workspaces),) * 2
    hashes: list[str] = []
    for workspace in first.result.data:
        offset = 0
        while page := client.api_keys.list(
            workspace_id=workspace.id, offset=offset, include_disabled=True, include_expired=True
        ).data:
            offset += len(page)
            hashes += [row.hash for row in page]
            assert {row.workspace_id for row in page} == {workspace.id}
    assert len(set(hashes)) == len(hashes) == len(TEAMS[name].keys)


@pytest.mark.parametrize("name", sorted(LARGE))
def test_a_large_fleet_has_5000_keys(name: str) -> None:
    found = 0
    for workspace in ask("/workspaces?limit=100", name)[1]["data"]:
        for offset in range(0, 5001, 100):
            page = ask(f"/keys?offset={offset}&workspace_id={workspace['id']}", name)[1]["data"]
            found += len(page)
            if len(page) < 100:
                break
    assert found == 5000


def test_without_a_workspace_the_keys_are_those_of_the_default_one() -> None:
    _, answer = ask("/keys", "team")
    assert [row["name"] for row in answer["data"]] == [key.name for key in TEAMS["team"].keys if key.workspace == 0]


def test_disabled_and_expired_keys_are_listed_on_request() -> None:
    ids = [row["id"] for row in ask("/workspaces", "team")[1]["data"]]

    def names(index: int, options: str) -> set[str]:
        return {row["name"] for row in ask(f"/keys?workspace_id={ids[index]}{options}", "team")[1]["data"]}

    assert names(1, "&include_disabled=true") - names(1, "") == {"hooli (left)"}
    assert names(2, "&include_expired=true") - names(2, "") == {"workshop"}


def test_keys_have_what_they_spent() -> None:
    rows = ask("/keys", "team")[1]["data"]
    production = rows[0]
    assert production["usage_monthly"] == round(Decimal("341.39") * Decimal("0.42"), 8)
    assert production["limit_remaining"] == 400 - production["usage_monthly"]


def test_hostile_rows_have_unknown_fields_and_the_names_as_they_are() -> None:
    rows = ask("/keys", "hostile-names")[1]["data"]
    assert [row["name"] for row in rows] == [key.name for key in TEAMS["hostile-names"].keys]
    assert all("galaxy" in row for row in rows)


@pytest.mark.parametrize(
    ("route", "name", "status"),
    [
        ("/keys?offset=100", "fleet-page-fails", 503),
        ("/workspaces", "no-workspaces", 404),
        ("/analytics/meta", "analytics-absent", 404),
        ("/keys?workspace_id=nowhere", "team", 404),
        ("/keys?workspace_id=nowhere", "management", 404),
        ("/workspaces?limit=101", "team", 400),
        ("/workspaces", "normal", 403),
        ("/keys", "normal", 403),
        ("/activity", "normal", 403),
        ("/analytics/meta", "normal", 403),
        ("/workspaces", "error-401", 401),
    ],
)
def test_refusals(route: str, name: str, status: int) -> None:
    got, answer = ask(route, name)
    assert (got, answer["error"]["code"]) == (status, status)


def test_the_sdk_accepts_the_meta_data_and_all_it_names_can_be_asked_for(server: Server) -> None:
    meta = sdk(server, "team").analytics.get_analytics_meta().data
    assert {"model", "api_key_id"} <= {one.name for one in meta.dimensions}
    for dimension in meta.dimensions:
        for granularity in meta.granularities:
            got = sdk(server, "team").analytics.query_analytics(
                metrics=[one.name for one in meta.metrics],
                dimensions=[dimension.name],
                granularity=granularity.name,
                time_range={"start": DEMO_INSTANT - timedelta(minutes=5), "end": DEMO_INSTANT},
            )
            assert got.data.metadata.row_count == len(got.data.data) > 0
            assert not got.data.metadata.truncated


def test_analytics_agree_with_what_the_keys_spent() -> None:
    today = timedelta(hours=16, minutes=39, seconds=47)
    rows = query("team", "api_key_id", length=today)[1]["data"]["data"]
    spent = {row["api_key_id"]: row["credits_usage"] for row in rows}
    assert spent["production"] == pytest.approx(Decimal("90.77") * Decimal("0.42"))
    (total,) = query("team", length=today)[1]["data"]["data"]
    assert total["credits_usage"] == pytest.approx(sum(spent.values()))
    assert isinstance(total["request_count"], str)


def test_analytics_of_an_account_agree_with_its_activity() -> None:
    _, activity = ask("/activity?date=2026-02-11", "management")
    body = {"metrics": ["credits_usage"], "granularity": "day"}
    times = {"start": "2026-02-11T00:00:00Z", "end": "2026-02-12T00:00:00Z"}
    (row,) = ask("/analytics/query", "management", body | {"time_range": times})[1]["data"]["data"]
    assert row["date__day"] == "2026-02-11"
    assert row["credits_usage"] == pytest.approx(sum(one["usage"] for one in activity["data"]))


def test_a_filter_takes_the_hash_and_the_answer_has_the_name() -> None:
    api_key_hash = ask("/keys", "team")[1]["data"][1]["hash"]
    filters = [{"field": "api_key_id", "operator": "eq", "value": api_key_hash}]
    rows = query("team", "api_key_id", "model", filters=filters)[1]["data"]["data"]
    assert {row["api_key_id"] for row in rows} == {"nightly batch"}
    assert len(rows) == 3  # models; one of them at two providers


def test_the_largest_comes_first_and_the_limit_truncates() -> None:
    order = {"field": "credits_usage", "direction": "desc"}
    data = query("team", "api_key_id", order_by=order, limit=2)[1]["data"]
    assert [row["api_key_id"] for row in data["data"]] == ["production", "acme"]
    assert data["metadata"]["truncated"] is True


@pytest.mark.parametrize(
    "more",
    [
        {"dimensions": ["model", "user", "app"]},
        {"dimensions": ["planet"]},
        {"granularity": "second"},
        {"limit": 10_001},
        {"filters": [{"field": "model", "operator": "like", "value": "x"}]},
        {"time_range": span(400 * DAY)},
        {"dimensions": ["provider"], "time_range": span(40 * DAY)},
        {"time_range": {"start": "soon", "end": "later"}},
    ],
)
def test_bad_queries_are_refused(more: dict[str, Any]) -> None:
    status, _ = ask("/analytics/query", "team", {"metrics": ["credits_usage"], "time_range": span(DAY)} | more)
    assert status == 400


def test_analytics_that_are_absent_slow_truncated_or_warn(server: Server) -> None:
    with pytest.raises(OpenRouterDefaultError):
        sdk(server, "analytics-absent").analytics.query_analytics(metrics=["credits_usage"])
    with pytest.raises(RequestTimeoutResponseError):
        sdk(server, "analytics-slow").analytics.query_analytics(metrics=["credits_usage"])
    assert query("analytics-truncated", "api_key_id")[1]["data"]["metadata"]["truncated"] is True
    warned = sdk(server, "analytics-warnings").analytics.query_analytics(metrics=["credits_usage"])
    assert warned.data.warnings


def test_a_teams_key_is_its_management_key(server: Server) -> None:
    assert management_key_for("team") == key_for("team")
    assert sdk(server, "team").api_keys.get_current_key_metadata().data.is_management_key
    credit = sdk(server, "team").credits.get_credits().data
    assert credit.total_credits - credit.total_usage >= 250
