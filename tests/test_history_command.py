"""`orcredit history`: its output and its exit code."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from orcredit import simulator
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance
from tests.in_process import run_here
from tests.serving import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orcredit.balance import Balance
    from tests.conftest import Finished, Orcredit

ACCOUNT = "normal"
KEY = fingerprint(simulator.key_for(ACCOUNT))
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def url(tmp_path: Path, now: datetime) -> str:
    """A history of the last 30 hours: ten cents every ten minutes, but for two gaps of hours."""
    url = f"sqlite:///{tmp_path}/some.db"
    History(url).record_all(KEY, polls(now))
    return url


def polls(now: datetime) -> Iterator[Balance]:
    for step in range(181):
        if step not in range(30, 60) and step not in range(90, 140):
            usage = step * Decimal("0.1") if step < 90 else Decimal(9)
            yield balance(now - 30 * HOUR + step * 10 * MINUTE, usage, account_usage=10 * usage)


class Shown(Protocol):
    """Runs `orcredit history` on that history."""

    def __call__(self, *arguments: str, environ: Mapping[str, str] | None = ...) -> Finished: ...


@pytest.fixture
def shown(bare_environ: dict[str, str], url: str) -> Shown:
    def run(*arguments: str, environ: Mapping[str, str] | None = None) -> Finished:
        variables = {"ORCREDIT_DATABASE_URL": url, "COLUMNS": "80", "OPENROUTER_API_KEY": simulator.key_for(ACCOUNT)}
        return run_here("history", *arguments, environ=bare_environ | variables | dict(environ or {}))

    return run


def test_without_a_history_it_says_so_and_how_to_record_one(orcredit: Orcredit, bare_environ: dict[str, str]) -> None:
    done = orcredit("history", account=ACCOUNT)

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("No history of this key yet.")
    assert "orcredit watch" in done.stdout
    environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for(ACCOUNT)}
    assert run_here("history", "--json", environ=environ).stdout == "[]\n"
    assert (
        run_here("history", "--csv", environ=environ).stdout
        == "from,to,spend,spendable,remaining,estimated,partial,reported\n"
    )
    assert not any(Path(bare_environ["HOME"]).rglob("history.db"))


def test_without_a_history_of_that_time_it_says_when_the_key_was_seen(
    shown: Shown, tmp_path: Path, now: datetime
) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    History(url).record(KEY, balance(now - 100 * HOUR, 1))

    done = shown("--since", "1d", environ={"ORCREDIT_DATABASE_URL": url})

    assert done.code == 0
    assert "not seen in the last 1 d, but on" in done.stdout


def test_the_history_is_in_the_users_data_directory(
    orcredit: Orcredit, bare_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setenv("HOME", bare_environ["HOME"])
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    History().record(KEY, balance(now - MINUTE, 1))
    History().record(KEY, balance(now, 2))

    done = orcredit("history", "--json", "--every", "1d", account=ACCOUNT)

    assert sum(interval["spend"] for interval in json.loads(done.stdout)) == 1


def test_it_says_what_is_spent_right_now_where_that_was_watched(shown: Shown, tmp_path: Path, now: datetime) -> None:
    assert "Right now  nothing is spent" in shown().stdout

    url = f"sqlite:///{tmp_path}/now.db"
    before = [balance(now - 30 * HOUR, 0), balance(now - 2 * HOUR, 6), balance(now - 20 * MINUTE, 6)]
    lately = [balance(now + (minute - 6) * MINUTE, 6 + 3 * minute) for minute in range(6)]
    History(url).record_all(KEY, before)
    assert "Right now" not in shown(environ={"ORCREDIT_DATABASE_URL": url}).stdout  # not for 20 minutes
    History(url).record_all(KEY, lately)

    done = shown(environ={"ORCREDIT_DATABASE_URL": url})
    assert re.search(r"^Right now +\$180.00 an hour, [\d,]+ . the usual pace$", done.stdout, re.MULTILINE)


def test_json_is_a_list_of_intervals(shown: Shown) -> None:
    done = shown("--json", "--since", "2d")

    assert (done.code, done.stderr) == (0, "")
    intervals = json.loads(done.stdout)
    assert all(
        list(interval) == ["from", "to", "spend", "spendable", "remaining", "estimated", "partial", "reported"]
        for interval in intervals
    )
    assert sum(Decimal(str(interval["spend"])) for interval in intervals) == 9
    assert all(interval["from"].endswith(":00:00.000Z") for interval in intervals)
    assert {interval["estimated"] for interval in intervals} == {True, False}
    assert None in {interval["spendable"] for interval in intervals}
    assert (intervals[-1]["spendable"], intervals[-1]["remaining"]) == (91, 91)
    assert len(done.stdout.splitlines()) == 1


def test_csv_has_the_same_values(shown: Shown) -> None:
    rows = list(csv.DictReader(StringIO(shown("--csv", "--since", "2d").stdout)))
    intervals = json.loads(shown("--json", "--since", "2d").stdout)

    assert [(row["from"], row["to"], float(row["spend"])) for row in rows] == [
        (interval["from"], interval["to"], interval["spend"]) for interval in intervals
    ]
    for name in ("spendable", "remaining"):
        assert [row[name] == "" for row in rows] == [interval[name] is None for interval in intervals]
    assert [row["estimated"] for row in rows] == [json.dumps(interval["estimated"]) for interval in intervals]


@pytest.mark.parametrize("columns", [40, 60, 80, 99, 100, 200])
def test_the_table_fits(shown: Shown, columns: int) -> None:
    done = shown("--since", "2d", environ={"COLUMNS": str(columns)})

    assert done.code == 0
    assert all(len(line) <= columns for line in done.stdout.splitlines())
    assert "…" not in done.stdout
    assert "\x1b" not in done.stdout
    assert ("spendable, in USD" in done.stdout) == (columns >= 100)


@pytest.mark.parametrize("columns", [40, 63, 64, 80, 120])
def test_the_table_has_two_columns_of_what_is_left_where_they_differ_and_there_is_room(
    shown: Shown, tmp_path: Path, now: datetime, columns: int
) -> None:
    url = f"sqlite:///{tmp_path}/credit.db"
    seen = (balance(now - hour * HOUR, 10 - hour, limit=100) for hour in range(5, -1, -1))
    less = (each.model_copy(update={"spendable": each.spendable and each.spendable - 60}) for each in seen)
    History(url).record_all(KEY, less)

    done = shown(environ={"ORCREDIT_DATABASE_URL": url, "COLUMNS": str(columns)})
    lines = done.stdout.splitlines()

    heads = ["from", *(["(UTC)"] if columns < 64 else []), "spent", "spendable"]
    assert lines[0].split() == heads + (["remaining"] if columns >= 64 else [])
    [newest] = [line for line in lines if line.split()[-1:] == ["$90.00" if columns >= 64 else "$30.00"]]
    assert "$30.00" in newest
    assert all(len(line) <= columns for line in lines)


def test_the_table_shows_spend_what_was_left_and_the_sums(shown: Shown) -> None:
    lines = [line.rstrip() for line in shown("--since", "2d").stdout.splitlines()]

    assert lines[0].split() == ["from", "spent", "spendable"]
    assert any("█" in line and "UTC" in line and "$0." in line for line in lines)
    assert any("nothing for" in line and line.endswith("$91.00") for line in lines)
    assert any("~$" in line for line in lines)
    assert "Last hour  $0.00" in lines
    assert any(line.startswith("Last 7 d   $9.00 since ") for line in lines)
    assert any(line.startswith("Shown      $9.00 since ") for line in lines)
    assert any(line.startswith("Account    $72.") and "a day" in line for line in lines)
    assert any(line.startswith("~          estimated") for line in lines)


def test_times_are_local(shown: Shown) -> None:
    environ = {"TZ": "Asia/Kolkata"}

    assert "IST" in shown("--since", "2d", environ=environ).stdout
    assert "from (IST)" in shown("--since", "2d", environ=environ | {"COLUMNS": "40"}).stdout
    assert "Z" in shown("--csv", environ=environ).stdout


def test_plain_ascii_is_enough(orcredit: Orcredit, url: str) -> None:
    environ = {"PYTHONIOENCODING": "ascii", "COLUMNS": "120", "ORCREDIT_DATABASE_URL": url}

    done = orcredit("history", "--since", "2d", account=ACCOUNT, environ=environ)

    assert done.stdout.isascii()
    assert "##" in done.stdout
    assert "?" not in done.stdout


def test_a_key_without_a_limit_has_spend_only(shown: Shown, tmp_path: Path, now: datetime) -> None:
    url = f"sqlite:///{tmp_path}/unlimited.db"
    History(url).record_all(KEY, (balance(now - (2 - minute) * MINUTE, minute, limit=None) for minute in range(3)))

    done = shown(environ={"ORCREDIT_DATABASE_URL": url, "COLUMNS": "120"})

    assert done.code == 0
    assert "$2.00" in done.stdout
    assert "spendable, in USD" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "--csv"], "--csv and --json"),
        (["--since", "yesterday"], "'yesterday' is neither a duration nor a date"),
        (["--since", "2999-01-01"], "'2999-01-01' is in the future"),
        (["--demo", "--database-url", "sqlite:///x.db"], "leave out --database-url"),
        (["--every", "1w"], "'1w' is not a duration"),
        (["--every", "0"], "at least one"),
        (["--since", "0s"], "at least one"),
        (["--since", "3650d", "--every", "1m"], "intervals; at most"),
        (["--database-url", "postgresql://ann:hunter2@host/team"], "holds a password"),
        (["--database-url", "hunter2"], "not a URL"),
        (["--database-url", "sqlite:///x.db?timeout=hunter2"], "timeout"),
        (["--database-url", "sqlite://hunter2@host/x.db"], "a host or a user"),
        (["--database-url", "sqlite:///x.db?hunter2=1"], "an argument that SQLite does not take"),
        (["--database-url", "postgresql://host/team?hunter2=1"], "an argument that PostgreSQL does not take"),
    ],
)
def test_wrong_usage_is_an_error_in_two_lines(shown: Shown, arguments: list[str], words: str) -> None:
    done = shown(*arguments)

    assert (done.code, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert "hunter2" not in done.stderr


def test_without_a_key_it_fails(shown: Shown) -> None:
    done = shown(environ={"OPENROUTER_API_KEY": ""})

    assert (done.code, done.stdout) == (78, "")


@pytest.mark.parametrize(
    ("statement", "words"),
    [("UPDATE orcredit_schema SET version = 99", "newer orcredit"), ("DROP TABLE orcredit_runs", "cannot be used")],
)
def test_a_database_that_cannot_be_used_is_an_error(
    shown: Shown, tmp_path: Path, url: str, statement: str, words: str
) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(statement)

    done = shown("--json")

    assert (done.code, done.stdout) == (78, "")
    assert words in done.stderr
    assert str(tmp_path) in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_the_error_of_a_server_that_does_not_run_has_no_password(shown: Shown) -> None:
    done = shown(environ={"ORCREDIT_DATABASE_URL": "postgresql://ann:hunter2@127.0.0.1:1/team"})

    assert (done.code, done.stdout) == (78, "")
    assert "postgresql://ann:***@127.0.0.1:1/team" in done.stderr
    assert "hunter2" not in done.stderr


def test_the_option_chooses_the_database(shown: Shown, url: str) -> None:
    done = shown("--json", "--database-url", url, environ={"ORCREDIT_DATABASE_URL": "sqlite:////nowhere/else.db"})

    assert len(json.loads(done.stdout)) > 24


# What `status` and `line` saw


@pytest.fixture
def spending() -> Iterator[simulator.Server]:
    """An OpenRouter whose key spends a dollar between two questions."""
    usages = count(100)

    def respond(request: simulator.Request, _: datetime) -> simulator.Response:
        if not request.path.endswith("/key"):
            return simulator.Response(404, {}, b"")
        data = {"label": "spending", "limit": None, "usage": next(usages)}
        return simulator.Response(200, {}, json.dumps({"data": data}).encode())

    with simulator.Server(responder=respond) as server:
        yield server


def spool_of(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) / ".local" / "state" / "orcredit" / "history.spool"


@pytest.mark.process
def test_prompts_that_poll_have_a_history(
    orcredit: Orcredit, bare_environ: dict[str, str], spending: simulator.Server
) -> None:
    environ = {"OPENROUTER_BASE_URL": spending.base_url}
    spool = spool_of(bare_environ)

    def lines() -> list[str]:
        return spool.read_text().splitlines() if spool.exists() else []

    def draw() -> bool:
        orcredit("line", "--max-age", "1s", "--exit-zero", account=ACCOUNT, environ=environ)
        return len(lines()) > 2

    def all_kept() -> bool:
        """Whether no refresh is under way whose answer is still to be kept: another may overtake it."""
        kept = len(lines())
        return kept == sum(request.path.endswith("/key") for request in spending.requests)

    wait_until(draw)
    wait_until(all_kept)
    usages = [json.loads(line)[3] / 10**8 for line in lines()]
    intervals = json.loads(orcredit("history", "--json", account=ACCOUNT).stdout)

    assert sum(interval["spend"] for interval in intervals) >= usages[-1] - usages[0] >= 2
    assert not [line for line in lines() if json.loads(line)[3] / 10**8 <= usages[-1]]
    assert (Path(bare_environ["HOME"]) / ".local" / "share" / "orcredit" / "history.db").exists()


@pytest.mark.process
def test_watch_takes_in_what_status_saw_before_it(
    orcredit: Orcredit, bare_environ: dict[str, str], spending: simulator.Server
) -> None:
    environ = {"OPENROUTER_BASE_URL": spending.base_url}
    elsewhere = f"sqlite:///{bare_environ['HOME']}/elsewhere.db"
    assert orcredit("status", "-q", account=ACCOUNT, environ=environ).code == 0
    orcredit("watch", "--count", "1", "--no-history", account=ACCOUNT, environ=environ)
    orcredit("watch", "--count", "1", "--database-url", elsewhere, account=ACCOUNT, environ=environ)
    assert spool_of(bare_environ).exists()

    orcredit("watch", "--count", "1", account=ACCOUNT, environ=environ)

    assert not spool_of(bare_environ).exists()
    intervals = json.loads(orcredit("history", "--json", account=ACCOUNT).stdout)
    assert sum(interval["spend"] for interval in intervals) == 3
    intervals = json.loads(orcredit("history", "--json", "--database-url", elsewhere, account=ACCOUNT).stdout)
    assert sum(interval["spend"] for interval in intervals) == 0


@pytest.mark.process
def test_without_a_history_nothing_is_kept_nor_taken_in(
    orcredit: Orcredit, bare_environ: dict[str, str], spending: simulator.Server
) -> None:
    environ = {"OPENROUTER_BASE_URL": spending.base_url}
    without = environ | {"ORCREDIT_NO_HISTORY": "1"}
    assert orcredit("status", "-q", account=ACCOUNT, environ=without).code == 0
    assert not spool_of(bare_environ).exists()
    assert orcredit("status", "-q", account=ACCOUNT, environ=environ | {"ORCREDIT_NO_HISTORY": "0"}).code == 0
    kept = spool_of(bare_environ).read_bytes()

    assert orcredit("watch", "--count", "1", account=ACCOUNT, environ=without).code == 0
    assert orcredit("history", "--json", account=ACCOUNT, environ=without).stdout == "[]\n"
    refused = orcredit("watch", "--database-url", "sqlite:///x.db", account=ACCOUNT, environ=without)

    assert spool_of(bare_environ).read_bytes() == kept
    assert not list(Path(bare_environ["HOME"]).rglob("history.db"))
    assert (refused.code, "ORCREDIT_NO_HISTORY" in refused.stderr) == (2, True)


@pytest.mark.process
def test_a_spool_that_cannot_be_written_fails_no_command(orcredit: Orcredit, bare_environ: dict[str, str]) -> None:
    (Path(bare_environ["HOME"]) / ".local").write_text("a file where the directory would be")
    done = orcredit("status", "-q", "-v", account=ACCOUNT)

    assert done.code == 0
    assert "could not be kept for the history" in done.stderr


# Spans, and what was not watched


def test_since_takes_dates_and_words(shown: Shown, now: datetime) -> None:
    beginning = now - 5 * HOUR
    for since in (f"{beginning:%Y-%m-%dT%H:%M}", f"{beginning + 2 * HOUR:%Y-%m-%dT%H:%M}+02:00"):
        first = json.loads(shown("--json", "--since", since, "--every", "1h").stdout)[0]
        assert first["from"] == f"{beginning:%Y-%m-%dT%H}:00:00.000Z"
    for word in ("today", "week", "month"):
        assert shown("--json", "--since", word).code == 0


def test_labels_of_short_intervals_differ(shown: Shown, tmp_path: Path, now: datetime) -> None:
    url = f"sqlite:///{tmp_path}/short.db"
    History(url).record_all(KEY, [balance(now - step * timedelta(seconds=10), 50 - step) for step in range(30, -1, -1)])
    for columns, pattern in (("80", r" (\d\d:\d\d:\d\d) UTC"), ("40", r"(\d\d:\d\d:\d\d) ")):
        environ = {"ORCREDIT_DATABASE_URL": url, "COLUMNS": columns}
        out = shown("--since", "2m", "--every", "10s", environ=environ).stdout.partition("Last hour")[0]
        labels = re.findall(pattern, out)
        assert len(set(labels)) == len(labels) > 10
    wide = shown("--since", "2m", "--every", "10s", environ={"ORCREDIT_DATABASE_URL": url, "COLUMNS": "120"}).stdout
    marks = re.findall(r"\d\d:\d\d:\d\d", wide.split("spendable, in USD")[1].split("Last hour")[0])
    assert len(set(marks)) == len(marks) > 3


def test_what_was_not_watched_is_not_zero(shown: Shown, tmp_path: Path, now: datetime) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    History(url).record_all(KEY, [balance(now - 10 * MINUTE, 50), balance(now, 50)])

    lines = [line.rstrip() for line in shown(environ={"ORCREDIT_DATABASE_URL": url}).stdout.splitlines()]

    for span in ("Last hour", "Last 24 h", "Last 7 d "):
        [line] = [line for line in lines if line.startswith(span)]
        assert line.startswith(f"{span}  $0.00 since ")
        assert line.endswith(f"{now - 10 * MINUTE:%H:%M}")
