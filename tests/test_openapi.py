"""The API conforms to its OpenAPI document: Schemathesis generates requests from it and checks each response."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orcredit.server.openapi import describe
from orcredit.server.routes import API_ROUTES, PAGE_ROUTES
from tests.serving import (
    ACCOUNT,
    ACTIVITY,
    BALANCE,
    CSV,
    DAYS,
    EVENTS,
    HISTORY,
    KEY_DAYS,
    KEYS,
    PROFILES,
    REFRESH,
    SESSION,
    SNAPSHOT,
    TOKEN,
    Serving,
    Upstream,
    serving,
)

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"

ROUTES = {
    BALANCE: {"get"},
    SNAPSHOT: {"get"},
    REFRESH: {"post"},
    PROFILES: {"get"},
    DAYS: {"get"},
    EVENTS: {"get"},
    HISTORY: {"get"},
    CSV: {"get"},
    ACCOUNT: {"get"},
    KEYS: {"get"},
    KEY_DAYS: {"get"},
    ACTIVITY: {"get"},
    SESSION: {"get", "post", "delete"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/openapi.json": {"get"},
}

ABOUT_ACCOUNT = {ACCOUNT, KEYS, KEY_DAYS, ACTIVITY}
"""Needs a management key, which the upstream's plain key is not."""

CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413, 415, 429, 431]
"""
"""Also 413 and 431: a generated token may be longer than what is read."""


def drive(server: Serving, folder: Path, *arguments: str) -> str:
    """Run Schemathesis; give its output if it found something.

    Not on the event stream, which never ends, so that every request would wait until its time is up.
    """
    (folder / "schemathesis.toml").write_text(CONFIGURATION, encoding="utf-8")
    done = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{server.url}/openapi.json", "--exclude-path", EVENTS, "--checks", "all",
            "--max-examples", "10", "--seed", "1", "--continue-on-failure", "--generation-database", "none",
            "--no-color", *arguments,
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=180,
        text=True,
        check=False,
    )  # fmt: skip
    assert re.search(r"Tested: +16\b", done.stdout), done.stdout
    return done.stdout if done.returncode else ""


@pytest.mark.process
def test_every_answer_is_as_described(tmp_path: Path) -> None:
    arguments = ["-v", "--interval", "1h", "--database-url", f"sqlite:///{tmp_path}/history.db"]
    environ = {"ORCREDIT_TOKEN": TOKEN}
    with Upstream() as upstream, serving(*arguments, home=tmp_path, upstream=upstream, environ=environ) as server:
        server.wait_for("GET /api/v1/key: 200")
        assert server.log_in().status == 200  # which only luck would find
        found = drive(server, tmp_path, "-H", f"Authorization: Bearer {TOKEN}")
        assert server.ask("/healthz").status == 200
        assert server.stop() == 0
    assert "internal error" not in server.errors
    for path, methods in ROUTES.items():
        if path not in {EVENTS, *ABOUT_ACCOUNT}:  # not all of it was refused
            for method in methods:
                assert re.search(rf"answered {method.upper()} {path}: 20[04] ", server.errors), (method, path)
    assert not found, found


@pytest.fixture(scope="module")
def described() -> Any:  # noqa: ANN401 - a JSON document
    return json.loads(describe(API_ROUTES, "session_4000"))


def test_only_the_page_is_not_described() -> None:
    assert [route.path for route in PAGE_ROUTES] == ["/", "/assets/{name}"]
    for route in API_ROUTES:
        assert route.methods is not None
        assert route.methods - {"HEAD"} == set(route.operations)


def test_it_is_openapi_3_1_and_describes_every_route(described: Any) -> None:  # noqa: ANN401
    assert re.fullmatch(r"3\.1\.\d", described["openapi"])
    assert described["info"]["title"] == "orcredit"
    assert {path: set(operations) for path, operations in described["paths"].items()} == ROUTES
    operations = [one for path in described["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all({"401", "403"} <= set(one["responses"]) for one in operations)
    assert set(described["components"]["securitySchemes"]) == {"token", "session"}


def test_every_shape_that_is_named_is_there(described: Any) -> None:  # noqa: ANN401
    def names(part: object) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*map(names, part.values()))
        return set().union(*map(names, part)) if isinstance(part, list) else set()

    schemas = described["components"]["schemas"]
    assert {name.removeprefix("#/components/schemas/") for name in names(described)} <= set(schemas)
    balance = schemas["Balance"]
    assert set(balance["required"]) == set(balance["properties"])
    assert list(balance["properties"])[:3] == ["totalLimit", "remaining", "resetPeriod"]
    envelope = schemas["Envelope"]
    assert set(envelope["required"]) == set(envelope["properties"])
    assert set(schemas["Problem"]["properties"]) == {"error", "code", "hint"}
