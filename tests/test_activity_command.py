"""`orcredit activity`: the table, its formats, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.console import Console

from orcredit import Activity, simulator
from orcredit.balance.activity import Counted, Found, Question, Spend, assemble
from orcredit.render.activity import ActivityTable
from tests.in_process import run_here
from tests.simulated import NOW
from tests.test_activity import DAY
from tests.test_keys_command import MANAGEMENT_KEYS, run


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("by", ["model", "key,model", "day"])
def test_no_line_is_wider_than_the_terminal(by: str, columns: int, server: simulator.Server) -> None:
    done = run(server, "team", "--by", by, columns=columns, command="activity")
    assert done.code == 0
    lines = done.stdout.splitlines()
    assert all(cell_len(line) <= columns for line in lines)
    assert any(line.startswith("total ") for line in lines)
    assert "█" in done.stdout or columns <= 60
    assert ("Not shown" in done.stdout) is (columns < 200) or columns == 120


def test_names_are_neither_markup_nor_control_characters(server: simulator.Server) -> None:
    done = run(server, "hostile-names", "--by", "key,workspace", columns=200, command="activity")
    assert "[red]boo[/red] [link=" in done.stdout
    assert "(no name)" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_without_unicode_bars_are_number_signs() -> None:
    done = run_here("activity", "--demo", environ={"PYTHONIOENCODING": "ascii", "COLUMNS": "100"})
    assert done.code == 0
    table = drawn(Found([(("a",), counted("2")), (("b",), counted("1"))]), encoding="ascii")
    assert "##########" in table
    assert table.isascii()


def counted(spend: str, *counts: int) -> Counted:
    return Counted(Decimal(spend), *(*counts, *(None,) * (5 - len(counts))))


def drawn(found: Found, *, width: int = 80, top: int | None = None, encoding: str = "utf-8") -> str:
    asked = Question(("key",), NOW - DAY, NOW, top=top)
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(ActivityTable(assemble(asked, found, source="analytics", fetched_at=NOW)))
    return captured.get()


def test_the_table_says_shares_changes_prices_and_the_others() -> None:
    rows = [
        (("a",), counted("7.5", 10, 1_000_000, 250_000)),
        (("b",), counted("2", 2, 12_345, 0)),
        (("c",), counted("0.5")),
    ]
    before = [(("a",), counted("5")), (("c",), counted("0.001"))]
    table = drawn(Found(rows, before=before, before_total=counted("5.001")), width=160, top=2)
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert lines["a"][:4] == ["a", "$7.50", "75%", "████████████████████"]
    assert lines["a"][-3:] == ["$6.00", "$0.7500", "+50%"]
    assert lines["b"][-1] == "new"
    assert lines["others"][1:3] == ["$0.50", "5%"]
    assert lines["total"][1:3] == ["$10.00", "100%"]
    assert "+100%: $5.00 in the day before" in table


def test_nothing_spent_is_said_without_a_table(server: simulator.Server) -> None:
    done = run(server, "no-keys", command="activity")
    assert (done.code, done.stderr) == (0, "")
    assert "$0.00 in 7 d" in done.stdout
    assert "total" not in done.stdout
    assert json.loads(run(server, "no-keys", "--json", command="activity").stdout)["rows"] == []


def test_truncation_is_never_passed_over(server: simulator.Server) -> None:
    options = ("--by", "key")
    table = run(server, "analytics-truncated", *options, command="activity")
    assert "Truncated  OpenRouter left rows out" in table.stdout
    assert any(line.startswith("others ") for line in table.stdout.splitlines())
    for form in ("--json", "--csv"):
        done = run(server, "analytics-truncated", *options, form, command="activity")
        assert done.stderr.startswith("orcredit: OpenRouter left rows out (truncated).")
    document = json.loads(run(server, "analytics-truncated", *options, "--json", command="activity").stdout)
    assert (document["truncated"], len(document["rows"])) == (True, 3)


def test_warnings_and_completed_days_are_said(server: simulator.Server) -> None:
    assert "OpenRouter warns: 1 value" in run(server, "analytics-warnings", command="activity").stdout
    done = run(server, "analytics-absent", "--since", "3d", command="activity")
    assert "the last completed 3 days (UTC) of 30 are" in done.stdout
    done = run(server, "analytics-absent", "--since", "3d", "--csv", command="activity")
    assert "OpenRouter here has no analytics" in done.stderr


def test_what_a_deployment_does_not_know_is_69(server: simulator.Server) -> None:
    done = run(server, "analytics-absent", "--by", "key", command="activity")
    assert (done.code, done.stdout) == (69, "")
    assert "model, provider, workspace, day" in done.stderr
    done = run(server, "analytics-slow", command="activity")
    assert (done.code, done.stdout) == (69, "")
    assert "--since" in done.stderr


def test_an_ordinary_key_is_told_what_is_needed(server: simulator.Server) -> None:
    environ = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
    done = run_here("activity", environ=environ)
    assert (done.code, done.stdout) == (77, "")
    assert f"make one at {MANAGEMENT_KEYS} and set OPENROUTER_MANAGEMENT_KEY" in done.stderr


def test_this_key_is_that_of_its_variable(server: simulator.Server) -> None:
    environ = {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": simulator.key_for("normal"),
        "OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for("normal"),
    }
    done = run_here("activity", "--this-key", "--by", "key", "--json", environ=environ)
    document = json.loads(done.stdout)
    assert [row["key"] for row in document["rows"]] == ["normal"]
    assert document["thisKey"] is True
    assert "only what this key spent" in run_here("activity", "--this-key", environ=environ).stdout


def test_a_management_key_alone_is_not_this_key(server: simulator.Server) -> None:
    done = run(server, "team", "--this-key", command="activity")
    assert (done.code, done.stdout) == (2, "")
    assert "Set OPENROUTER_API_KEY." in done.stderr


def test_the_table_shows_the_20_largest_and_the_document_all(server: simulator.Server) -> None:
    table = run(server, "fleet", "--by", "key", command="activity").stdout.splitlines()
    assert len([line for line in table if line.startswith("service-")]) == 20
    everything = json.loads(run(server, "fleet", "--by", "key", "--json", command="activity").stdout)
    assert (len(everything["rows"]), everything["others"]) == (250, None)
    top = json.loads(run(server, "fleet", "--by", "key", "--json", "--top", "3", command="activity").stdout)
    assert len(top["rows"]) == 3
    assert top["others"]["spend"] > 0


def test_the_document_and_the_csv(server: simulator.Server) -> None:
    done = run(server, "team", "--by", "hour,model", "--since", "5h", "--json", command="activity")
    Activity.model_validate_json(done.stdout)
    done = run(server, "team", "--by", "model", "--csv", command="activity")
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert found[0].keys() == {field.alias for field in Spend.model_fields.values()}
    assert found[0]["model"] == "anthropic/claude-sonnet-4.5" or len(found) == 3


@pytest.mark.parametrize(
    "options",
    [
        ("--json", "--csv"),
        ("--by", "planet"),
        ("--by", ""),
        ("--by", "model,model"),
        ("--by", "model,key,user"),
        ("--by", "day,hour"),
        ("--since", "soon"),
        ("--since", "366d"),
        ("--since", "30s"),
        ("--by", "provider", "--since", "32d"),
        ("--top", "0"),
        ("--demo", "--this-key"),
        ("--demo", "--base-url", "http://localhost"),
    ],
)
def test_wrong_usage(options: tuple[str, ...]) -> None:
    environ = {"OPENROUTER_API_KEY": simulator.key_for("team"), "OPENROUTER_BASE_URL": "http://127.0.0.1:9"}
    done = run_here("activity", *options, environ=environ)
    assert (done.code, done.stdout) == (2, "")


@pytest.mark.parametrize(("time", "since"), [("", "T00:00:00.000Z"), ("T12:00+01:00", "T11:00:00.000Z")])
def test_a_date_is_the_beginning_to_the_second(server: simulator.Server, time: str, since: str) -> None:
    date = f"{datetime.now(UTC) - 2 * DAY:%Y-%m-%d}"
    done = run(server, "team", "--by", "day", "--since", f"{date}{time}", "--json", command="activity")
    found = json.loads(done.stdout)
    assert found["since"] == f"{date}{since}"
    assert found["rows"][0]["start"] == f"{date}T00:00:00.000Z"  # not the day before
