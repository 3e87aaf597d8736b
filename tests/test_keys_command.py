"""`orcredit keys`: rows, orders, formats, exit codes and the audit."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import runpy
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from orcredit import Activity, Client, KeyList, Spend, simulator
from orcredit.balance.account import AccountKey
from orcredit.balance.audit import audit
from tests.in_process import run_here
from tests.markdown import ROOT, first_column, read, section

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from tests.conftest import Finished, Orcredit

MANAGEMENT_KEYS = "https://openrouter.ai/settings/management-keys"


def run(server: simulator.Server, name: str, *options: str, columns: int = 120, command: str = "keys") -> Finished:
    environ = {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_MANAGEMENT_KEY": simulator.key_for(name),
        "COLUMNS": str(columns),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }
    return run_here(command, *options, environ=environ)


def rows(done: Finished) -> list[str]:
    """Return the lines below the titles, up to the next empty one."""
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("key ")) + 1
    end = next((number for number in range(start, len(lines)) if not lines[number]), len(lines))
    return lines[start:end]


def test_a_wide_terminal_shows_all_columns(server: simulator.Server) -> None:
    done = run(server, "team", "--include", "disabled,expired")
    assert done.code == 0
    titles = next(line for line in done.stdout.splitlines() if line.startswith("key "))
    assert titles.replace("all-time", "all").split() == [
        *("key", "workspace", "level", "left", "limit", "%", "resets", "runs", "out"),
        *("today", "week", "month", "all", "used", "expires"),
    ]
    assert len(rows(done)) == len(simulator.TEAMS["team"].keys)
    assert "credit left of" in done.stdout
    assert "13 keys in 3 workspaces" in done.stdout
    assert "Not shown" not in done.stdout


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("name", ["team", "hostile-names", "fleet"])
def test_no_line_is_wider_than_the_terminal(name: str, columns: int, server: simulator.Server) -> None:
    done = run(server, name, columns=columns)
    assert all(cell_len(line) <= columns for line in done.stdout.splitlines())
    assert len(rows(done)) > 5
    if columns < 100:
        assert "Not shown, as the terminal is narrow" in done.stdout


def test_long_names_are_shortened_and_columns_stay_aligned(server: simulator.Server) -> None:
    lines = rows(run(server, "hostile-names", columns=80))
    assert any(line.startswith("wwww") and "w…" in line for line in lines)
    (place,) = {cell_len(line.partition(" ok ")[0]) for line in lines}
    assert place > 20


def test_names_are_neither_markup_nor_control_characters(server: simulator.Server) -> None:
    done = run(server, "hostile-names", columns=200)
    assert "[red]boo[/red] [link=" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "(no name)" in done.stdout


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("name", "acme"),
        ("left", "acme"),
        ("limit", "production"),
        ("all-time", "production"),
        ("used", "production"),
        ("workspace", "acme"),
        ("expires", "bo laptop"),
    ],
)
def test_orders(order: str, first: str) -> None:
    done = run_here("keys", "--demo", "--sort", order, "--json", environ={"TZ": "UTC"})
    listed = json.loads(done.stdout)["keys"]
    names = [key["name"] for key in listed]
    if order == "left":
        left = [key["remaining"] for key in listed if key["remaining"] is not None]
        assert left == sorted(left)
    else:
        assert names[0] == first


def test_only_low_keys(server: simulator.Server) -> None:
    done = run(server, "team", "--low", "--warn-below", "100%", "--json")
    listed = json.loads(done.stdout)["keys"]
    assert {key["level"] for key in listed} <= {"low", "exhausted"}
    assert "production" in {key["name"] for key in listed}
    assert "bo laptop" not in {key["name"] for key in listed}  # without a limit
    assert "all-time · by the keys below\n" in run(server, "team", "--low", "--warn-below", "100%").stdout
    assert "all-time\n" in run(server, "team").stdout


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--workspace", "Experiments"), 0),
        (("--workspace", "Experiments", "--check"), 0),
        (("--workspace", "Customers", "--check", "--warn-below", "100%"), 1),
        (("--workspace", "Customers", "--warn-below", "100%"), 0),
    ],
)
def test_the_worst_level_is_the_exit_code_on_request(
    options: tuple[str, ...], code: int, server: simulator.Server
) -> None:
    assert run(server, "team", *options).code == code


def changed(change: Callable[[dict[str, object]], None]) -> Callable[..., simulator.Response]:
    """Return a responder that changes every row of a list of keys."""

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        if "/keys?" not in request.path or answer.status != 200:
            return answer
        document = json.loads(answer.body)
        for row in document["data"]:
            change(row)
        return simulator.Response(200, answer.headers, json.dumps(document).encode())

    return respond


def test_an_exhausted_key_is_3_unless_it_is_disabled() -> None:
    with simulator.Server(responder=changed(lambda row: row.update(limit=1, limit_remaining=-1))) as server:
        assert run(server, "one-key", "--check").code == 3
    spent = {"limit": 1, "limit_remaining": -1, "disabled": True}
    with simulator.Server(responder=changed(lambda row: row.update(spent))) as server:
        assert run(server, "one-key", "--check", "--include", "disabled").code == 0


def test_a_page_that_fails_leaves_the_others_marked_with_69(server: simulator.Server) -> None:
    done = run(server, "fleet-page-fails")
    assert (done.code, len(rows(done))) == (69, 150)
    assert re.search(r"^Keys +at least 150 keys in 1 workspace, incomplete · ", done.stdout, re.MULTILINE)
    assert "Incomplete:" not in done.stdout  # why is said once, on standard error
    assert done.stderr.startswith("orcredit: Incomplete: 150 keys were listed")
    assert done.stderr.endswith("\nTry again later.\n")
    document = json.loads(run(server, "fleet-page-fails", "--json").stdout)
    assert (document["complete"], len(document["keys"])) == (False, 150)
    assert "of at least 150 keys in 1 workspace, incomplete" in run(server, "fleet-page-fails", "--low").stdout
    audited = run(server, "fleet-page-fails", "--audit")
    assert audited.code == 69
    assert "of at least 150 keys" in audited.stdout
    assert "The list of keys is incomplete." in audited.stdout
    assert "above" not in audited.stderr
    assert len(run(server, "fleet-page-fails", "--csv").stdout.splitlines()) == 151


def test_no_keys_at_all(server: simulator.Server) -> None:
    done = run(server, "no-keys")
    assert (done.code, done.stderr) == (0, "")
    assert "0 keys in 1 workspace" in done.stdout
    assert json.loads(run(server, "no-keys", "--json").stdout)["keys"] == []
    assert "Nothing to do: 0 keys were checked." in run(server, "no-keys", "--audit").stdout


@pytest.mark.parametrize("options", [(), ("--audit",), ("--json",)])
def test_an_ordinary_key_is_told_what_is_needed(options: tuple[str, ...], server: simulator.Server) -> None:
    environ = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
    done = run_here("keys", *options, environ=environ)
    assert (done.code, done.stdout) == (77, "")
    assert "OPENROUTER_API_KEY" in done.stderr
    assert f"make one at {MANAGEMENT_KEYS} and set OPENROUTER_MANAGEMENT_KEY" in done.stderr
    assert simulator.key_for("normal") not in done.stderr


def test_without_any_key_the_same_is_said() -> None:
    done = run_here("keys", environ={})
    assert (done.code, done.stdout) == (78, "")
    assert f"make one at {MANAGEMENT_KEYS}" in done.stderr


def test_a_refused_management_key_is_named(server: simulator.Server) -> None:
    environ = {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": simulator.key_for("normal"),
        "OPENROUTER_MANAGEMENT_KEY": simulator.key_for("error-401"),
    }
    done = run_here("keys", environ=environ)
    assert done.code == 77
    assert "the key in OPENROUTER_MANAGEMENT_KEY" in done.stderr
    assert MANAGEMENT_KEYS in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--json", "--csv"),
        ("--include", "all"),
        ("--include", ""),
        ("--sort", "planet"),
        ("--audit", "--low"),
        ("--audit", "--check"),
        ("--audit", "--sort", "name"),
        ("--demo", "--base-url", "http://localhost"),
        ("--demo", "--workspace", "nowhere"),
    ],
)
def test_wrong_usage(options: tuple[str, ...]) -> None:
    done = run_here("keys", *options, environ={})
    assert (done.code, done.stdout) == (2, "")


def test_csv_has_a_line_for_each_key_and_no_formula(server: simulator.Server) -> None:
    done = run(server, "hostile-names", "--csv")
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(found) == len(simulator.TEAMS["hostile-names"].keys)
    assert found[0].keys() == {field.alias for field in AccountKey.model_fields.values()}
    assert '"quoted", with a comma' in {row["name"] for row in found}
    assert """'=HYPERLINK("https://example.com")""" in {row["name"] for row in found}


def test_the_document_is_the_schemas() -> None:
    written = runpy.run_path(str(ROOT / "docs/schemas.py"))
    for name, model in written["SCHEMAS"].items():
        assert read(f"docs/{name}.schema.json") == written["schema"](model), "run: python docs/schemas.py"
    KeyList.model_validate_json(run_here("keys", "--demo", "--json", environ={}).stdout)


@pytest.mark.parametrize(
    ("page", "heading", "model"),
    [
        ("clean-up-old-keys", "document", KeyList),
        ("clean-up-old-keys", "key", AccountKey),
        ("which-model-ate-the-money", "document", Activity),
        ("which-model-ate-the-money", "row", Spend),
    ],
)
def test_every_field_has_its_row(page: str, heading: str, model: type[BaseModel]) -> None:
    a = "the" if heading == "document" else "a"
    cells = first_column(section(f"docs/{page}.md", f"### Fields of {a} {heading}"))
    assert {*re.findall(r"`(\w+)`", " ".join(cells))} == {field.alias for field in model.model_fields.values()}


@pytest.mark.process
@pytest.mark.parametrize("words", [("keys",), ("activity", "--by", "key", "--this-key")])
def test_requests_are_shown_without_keys_and_hashes(words: tuple[str, ...], orcredit: Orcredit) -> None:
    key, management = simulator.key_for("normal"), simulator.management_key_for("normal")
    done = orcredit(*words, "-v", account="normal", management=management)
    assert done.code == 0
    path = "GET /api/v1/keys: 200" if words == ("keys",) else "POST /api/v1/analytics/query: 200"
    assert path in done.stderr
    for secret in (key, management, hashlib.sha256(key.encode()).hexdigest()):
        assert secret not in done.stdout + done.stderr


def test_the_command_waits_for_slow_pages_within_the_timeout() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if "/keys?" in request.path:
            time.sleep(2)
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        done = run(server, "team", "--timeout", "1")
    assert (done.code, done.stdout) == (69, "")
    assert "did not answer within 1 s" in done.stderr


# The audit


def test_the_audit_says_what_to_do_about_each_key() -> None:
    done = run_here("keys", "--demo", "--audit", environ={"COLUMNS": "200"})
    assert done.code == 1
    lines = done.stdout.splitlines()
    assert "bo laptop (Default): no limit; set one, or it can spend all of the credit" in lines
    assert "initech trial (Customers): its limit never resets, $11.70 left; give the limit a period" in lines
    assert "Bo-Laptop (Default): not used for 74 d, $20.00 left; disable it" in lines
    assert "never used (Experiments): never used in 200 d, $5.00 left; disable it" in lines
    assert "ada laptop (Default): never expires; set an expiry" in lines
    assert "Bo-Laptop (Default): named like bo laptop in Default; rename one of the two" in lines
    assert any(line.startswith("bo laptop (Default): expires in 8 d 23 h") for line in lines)
    assert any(line.startswith("hooli (left) (Customers): disabled, but ") for line in lines)
    assert not any("workshop" in line for line in lines)  # expired


def test_the_findings_as_json_and_csv() -> None:
    found = json.loads(run_here("keys", "--demo", "--audit", "--json", environ={}).stdout)
    assert found[0]["kind"] == "disabledButSpending"
    assert found[0].keys() == {"hash", "name", "workspace", "kind", "detail", "remedy"}
    lines = run_here("keys", "--demo", "--audit", "--csv", environ={}).stdout.splitlines()
    assert lines[0] == "hash,name,workspace,kind,detail,remedy"
    assert len(lines) == len(found) + 1


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({}, set()),
        ({"limit": None, "limit_remaining": None}, {"noLimit"}),
        ({"limit_reset": None}, {"neverResets"}),
        ({"expires_at": None}, {"neverExpires"}),
        ({"expires_at": "{now+13d}"}, {"expiresSoon"}),
        ({"expires_at": "{now+15d}"}, set()),
        ({"last_used_at": "{now-31d}"}, {"dormant"}),
        ({"last_used_at": "{now-29d}"}, set()),
        ({"last_used_at": "{now-31d}", "limit_remaining": 0}, set()),
        ({"last_used_at": None}, {"dormant"}),
        ({"last_used_at": None, "created_at": "{now-9d}"}, set()),
        ({"disabled": True}, {"disabledButSpending"}),
        ({"disabled": True, "usage_daily": 0}, set()),
        ({"disabled": True, "updated_at": "{now-0d}"}, set()),
        ({"disabled": True, "updated_at": "{now-9d}"}, {"disabledButSpending"}),
        ({"expires_at": "{now-1d}", "limit": None}, set()),
    ],
)
def test_each_finding_has_its_condition(change: dict[str, object], kinds: set[str]) -> None:
    now = datetime.now(UTC)

    def value(given: object) -> object:
        if not isinstance(given, str):
            return given
        days = int(given.strip("{}").removeprefix("now").removesuffix("d"))
        return (now + timedelta(days=days)).isoformat()

    row = {name: value(given) for name, given in change.items()}
    usual = {"usage_daily": 1, "limit": 5, "limit_remaining": 2}
    with simulator.Server(responder=changed(lambda wire: wire.update(usual | row))) as server:
        listed = Client(simulator.key_for("one-key"), base_url=server.base_url).key_list(include_disabled=True)
    assert {finding.kind for finding in audit(listed.keys, listed.fetched_at)} == kinds


@pytest.mark.parametrize("missing", [{"last_used_at"}, {"name"}, {"limit_remaining"}, {"workspace_id", "label"}])
def test_rows_of_older_deployments(missing: set[str]) -> None:
    def drop(row: dict[str, object]) -> None:
        for name in missing:
            del row[name]

    with simulator.Server(responder=changed(drop)) as server:
        assert run(server, "one-key").code == 0
        assert "dormant" not in run(server, "one-key", "--audit", "--json").stdout
