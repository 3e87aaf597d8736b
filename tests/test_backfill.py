"""`orcredit history --backfill` over real HTTP: what it asks for, what it fills in, and what it says."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import simulator
from orcredit.backfill import beginning
from orcredit.config.credentials import fingerprint
from orcredit.history import History, week
from orcredit.simulator.keys import key_of
from tests import launcher
from tests.balances import balance
from tests.in_process import run_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Finished

    Run = Callable[..., Finished]
    Answer = Callable[[simulator.Request, datetime], simulator.Response | None]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KEY = simulator.key_for("demo")
"""Of an account that spends all the time, by the demo's own rule."""


@pytest.fixture
def database(tmp_path: Path) -> History:
    return History(f"sqlite:///{tmp_path}/some.db")


@pytest.fixture
def environ(server: simulator.Server, database: History, tmp_path: Path) -> dict[str, str]:
    return {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for("demo"),
        "ORCREDIT_DATABASE_URL": f"sqlite:///{database.file}",
        "HOME": str(tmp_path),
        "TZ": "America/New_York",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Run `orcredit history --backfill`, with other variables."""

    def run(*options: str, **variables: str) -> Finished:
        return run_here("history", "--backfill", *options, environ=environ | variables)

    return run


@pytest.fixture
def answering(environ: dict[str, str]) -> Iterator[Callable[[Answer], simulator.Server]]:
    """Start another simulator, of which a function answers some requests."""
    servers: list[simulator.Server] = []

    def start(answer: Answer) -> simulator.Server:
        def respond(request: simulator.Request, now: datetime) -> simulator.Response:
            return answer(request, now) or simulator.respond(request, now)

        servers.append(simulator.Server(responder=respond))
        environ["OPENROUTER_BASE_URL"] = servers[-1].base_url
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def team_key(team: str) -> dict[str, str]:
    """Return the variables of a team's first key."""
    return {"OPENROUTER_API_KEY": key_of(f"0 of {team}"), "OPENROUTER_MANAGEMENT_KEY": simulator.key_for(team)}


def spent(start: datetime, end: datetime) -> Decimal:
    return simulator.demo_usage(end).total - simulator.demo_usage(start).total


def known(history: History, key: str = KEY, *, every: timedelta = DAY) -> dict[datetime, Decimal]:
    now = datetime.now(UTC)
    intervals = history.spend(fingerprint(key), now - 400 * DAY, now + DAY, every)
    return {one.start: one.spend for one in intervals}


def rows(history: History) -> list[tuple[object, ...]]:
    assert history.file is not None
    with closing(sqlite3.connect(history.file)) as connection:
        return connection.execute("SELECT * FROM orcredit_reported ORDER BY started_at").fetchall()


def queries(server: simulator.Server) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in server.requests if request.path.endswith("/analytics/query")]


def test_the_past_is_filled_in_by_the_hour_with_what_the_key_itself_spent(run: Run, database: History) -> None:
    done = run("3d", "--json")

    assert (done.code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    since, until = (datetime.fromisoformat(document[name]) for name in ("since", "until"))
    assert since == (until - 3 * DAY).replace(hour=0, minute=0, second=0)
    assert (document["by"], document["source"], document["complete"], document["notes"]) == (
        ["hour"],
        "analytics",
        True,
        [],
    )
    hours = known(database, every=HOUR)
    assert min(hours) == since
    for start in (since, since + 30 * HOUR):
        assert hours[start] == pytest.approx(spent(start, start + HOUR), rel=Decimal("1e-6"))
    total = spent(since, until)
    assert sum(hours.values()) == pytest.approx(total, abs=Decimal("0.001"))
    assert document["usd"] == pytest.approx(float(total), abs=0.001)


def test_only_the_hash_of_the_key_is_sent_and_with_the_management_key(
    run: Run, answering: Callable[[Answer], simulator.Server]
) -> None:
    server = answering(lambda *_: None)
    assert run("365d").code == 0
    asked = queries(server)
    assert {json.dumps(query["filters"]) for query in asked} == {
        json.dumps([{"field": "api_key_id", "operator": "eq", "value": hashlib.sha256(KEY.encode()).hexdigest()}])
    }
    assert {request.headers["authorization"] for request in server.requests} == {
        f"Bearer {simulator.management_key_for('demo')}"
    }
    spans = [[datetime.fromisoformat(at) for at in query["time_range"].values()] for query in asked]
    assert all(end - start <= 31 * DAY for start, end in spans)
    assert [start for start, _ in spans[:-1]] == [end for _, end in spans[1:]]  # the newest first, without a hole
    assert spans[0][1] - spans[-1][0] <= 365 * DAY


def test_twice_is_the_same_and_longer_adds_what_is_missing(run: Run, database: History) -> None:
    assert run("2d").code == 0
    first = rows(database)
    assert run("2d").code == 0
    whole_hours = [row for row in first if row[2] % 3600 == 0]  # type: ignore[operator]
    assert rows(database)[: len(whole_hours)] == whole_hours

    assert run("40d").code == 0
    assert rows(database)[-len(whole_hours) - 1 : -1] == whole_hours
    assert min(known(database)) < datetime.now(UTC) - 39 * DAY


def test_what_was_seen_wins_and_counts_once(run: Run, database: History) -> None:
    """Watched for two hours of yesterday, in which more was spent than OpenRouter says."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - DAY
    polls = [balance(noon + minute * timedelta(minutes=1), 100 + minute) for minute in range(121)]
    database.record_all(fingerprint(KEY), polls)

    assert run("2d").code == 0

    hours = known(database, every=HOUR)
    assert [hours[noon], hours[noon + HOUR]] == [60, 60]
    assert hours[noon - HOUR] == pytest.approx(spent(noon - HOUR, noon), rel=Decimal("1e-6"))


def test_the_week_is_learned_at_once(run: Run, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("60d").code == 0
    monkeypatch.setenv("HOME", environ["HOME"])
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    learned = week.load(environ["OPENROUTER_BASE_URL"], KEY)
    assert learned is not None
    assert learned.days >= 50


def test_the_table_marks_what_was_reported(run: Run, environ: dict[str, str]) -> None:
    done = run("2d")
    assert done.stdout.startswith("Filled in from ")
    assert ", by the hour: OpenRouter reports $" in done.stdout
    shown = run_here("history", "--since", "2d", "--every", "1d", environ=environ).stdout
    assert " *$" in shown
    assert "not watched, but reported by OpenRouter afterwards" in shown
    lines = run_here("history", "--since", "2d", "--csv", environ=environ).stdout.splitlines()
    assert {line.rpartition(",")[2] for line in lines[1:]} == {"true"}
    old = run_here("history", "--since", "2020-01-01", "--every", "1d", "--json", environ=environ)
    assert all(one["reported"] for one in json.loads(old.stdout))


def test_without_analytics_the_completed_days_are_filled_in(run: Run, database: History) -> None:
    variables = team_key("analytics-absent")
    done = run("365d", "--json", **variables)
    assert done.code == 0
    document = json.loads(done.stdout)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert datetime.fromisoformat(document["since"]) == midnight - 30 * DAY
    assert datetime.fromisoformat(document["until"]) == midnight
    assert (document["by"], document["source"]) == (["day"], "activity")
    assert "OpenRouter here has no analytics: the last 30 completed days" in done.stderr
    days = known(database, variables["OPENROUTER_API_KEY"])
    assert len(days) == 30
    share = simulator.TEAMS["analytics-absent"].keys[0].share
    assert days[midnight - DAY] == pytest.approx(spent(midnight - DAY, midnight) * share, abs=Decimal("1e-6"))


def test_rows_that_are_left_out_are_asked_for_in_smaller_parts(run: Run, database: History) -> None:
    """Three rows an answer: hours cannot be had, and days three at a time."""
    variables = team_key("analytics-truncated")
    done = run("20d", "--json", **variables)
    assert done.code == 0
    assert json.loads(done.stdout)["by"][-1] == "day"  # shortly after midnight the present day has three hours
    days = known(database, variables["OPENROUTER_API_KEY"])
    share = simulator.TEAMS["analytics-truncated"].keys[0].share
    for start in list(days)[:-1]:
        assert days[start] == pytest.approx(spent(start, start + DAY) * share, abs=Decimal("1e-6"))
    assert len(days) == 21


def test_a_single_day_that_is_truncated_is_an_error(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    def truncate(request: simulator.Request, now: datetime) -> simulator.Response | None:
        if not request.path.endswith("/analytics/query"):
            return None
        answer = simulator.respond(request, now)
        document = json.loads(answer.body)
        document["data"]["metadata"]["truncated"] = True
        return simulator.Response(answer.status, answer.headers, json.dumps(document).encode())

    answering(truncate)
    done = run("3d")
    assert (done.code, done.stdout) == (69, "")
    assert "left rows out (truncated), though a single day was asked for" in done.stderr
    assert known(database) == {}


def refusing(status: int, is_refused: Callable[[dict[str, Any]], bool]) -> Answer:
    """Answer some queries of analytics with a status."""

    def answer(request: simulator.Request, _: datetime) -> simulator.Response | None:
        if not (request.path.endswith("/analytics/query") and is_refused(json.loads(request.body))):
            return None
        body = json.dumps({"error": {"code": status, "message": "no"}}).encode()
        return simulator.Response(status, {"Content-Type": "application/json"}, body)

    return answer


def days_of(query: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(at) for at in query["time_range"].values())
    return (end - start) / DAY


def test_days_are_filled_in_where_hours_are_not_told(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    """Hours of the last month only."""
    month_ago = datetime.now(UTC) - 33 * DAY

    def is_old(query: dict[str, Any]) -> bool:
        return query["granularity"] == "hour" and datetime.fromisoformat(query["time_range"]["start"]) < month_ago

    answering(refusing(400, is_old))
    done = run("90d", "--json")
    assert (done.code, json.loads(done.stdout)["by"]) == (0, ["hour", "day"])
    days = known(database)
    assert all(
        days[start] == pytest.approx(spent(start, start + DAY), abs=Decimal("1e-5")) for start in list(days)[1:-1]
    )


def test_less_is_asked_for_where_analytics_are_slow(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    answering(refusing(408, lambda query: days_of(query) > 8))
    assert run("40d").code == 0
    assert len(known(database)) == 41


def test_analytics_that_are_always_slow_are_an_error(run: Run, database: History) -> None:
    done = run("3d", **team_key("analytics-slow"))
    assert (done.code, done.stdout) == (69, "")
    assert "408" in done.stderr
    assert rows(database) == []


def test_what_came_before_a_failure_stays(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    oldest = datetime.now(UTC) - 40 * DAY
    answering(refusing(503, lambda query: datetime.fromisoformat(query["time_range"]["start"]) < oldest))
    done = run("100d", "--json")
    assert done.code == 69
    document = json.loads(done.stdout)
    assert (document["complete"], "503" in document["incompleteReason"]) == (False, True)
    assert f"what was spent since {document['since'][:10]} is filled in" in done.stderr
    assert min(known(database)) == datetime.fromisoformat(document["since"]) > oldest
    assert run("35d").code == 0


def test_a_management_key_of_another_account_changes_nothing(run: Run, database: History) -> None:
    other = {"OPENROUTER_MANAGEMENT_KEY": simulator.key_for("team")}
    done = run("3d", **other)
    assert (done.code, done.stdout) == (69, "")
    assert "OpenRouter tells nothing that this key spent from " in done.stderr
    assert "UTC: nothing was filled in." in done.stderr
    assert "of the account that the key belongs to" in done.stderr
    assert rows(database) == []
    assert database.recent(fingerprint(KEY), datetime.now(UTC)).since is None

    assert run("40d").code == 0
    filled = rows(database)
    done = run("60d", "--json", **other)
    document = json.loads(done.stdout)
    assert (done.code, document["since"], document["usd"], document["complete"]) == (69, None, 0, False)
    assert document["incompleteReason"].startswith("OpenRouter tells nothing that this key spent from ")
    assert rows(database) == filled


def without_amounts(is_empty: Callable[[dict[str, Any]], bool], **added: object) -> Answer:
    """Answer some queries of analytics with no rows, others with more beside them."""

    def answer(request: simulator.Request, now: datetime) -> simulator.Response | None:
        if not request.path.endswith("/analytics/query"):
            return None
        answer = simulator.respond(request, now)
        document = json.loads(answer.body)
        document["data"] |= added
        if is_empty(json.loads(request.body)):
            document["data"]["data"] = []
        return simulator.Response(answer.status, answer.headers, json.dumps(document).encode())

    return answer


def test_a_part_without_an_amount_replaces_none_and_is_idle_where_none_was_told(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    """The newest month is kept back until an older one shows that the account holds the key."""
    assert run("3d").code == 0
    filled = rows(database)

    answering(without_amounts(lambda _: True))
    assert run("40d").code == 69
    assert rows(database) == filled

    month_ago = datetime.now(UTC) - 29 * DAY
    answering(without_amounts(lambda query: datetime.fromisoformat(query["time_range"]["end"]) > month_ago))
    assert run("60d").code == 0
    assert set(filled[:-1]) < set(rows(database))
    days = known(database)
    assert min(days) < datetime.now(UTC) - 59 * DAY
    assert days[datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 20 * DAY] == 0


def test_rows_that_may_be_those_of_other_keys_are_refused(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    assert run("3d").code == 0
    filled = rows(database)
    answering(without_amounts(lambda _: False, warnings=["1 value of the filter api_key_id could not be resolved"]))

    done = run("3d")

    assert (done.code, done.stdout) == (69, "")
    assert "OpenRouter warns that it could not resolve the key" in done.stderr
    assert rows(database) == filled
    assert run("2d", **team_key("analytics-warnings")).code == 69


def test_an_ordinary_key_is_told_what_is_needed(run: Run, environ: dict[str, str]) -> None:
    del environ["OPENROUTER_MANAGEMENT_KEY"]
    done = run("3d")
    assert (done.code, done.stdout) == (77, "")
    assert "https://openrouter.ai/settings/management-keys" in done.stderr
    assert "and set OPENROUTER_MANAGEMENT_KEY" in done.stderr


def test_a_management_key_alone_has_no_past_of_its_own(run: Run, environ: dict[str, str]) -> None:
    del environ["OPENROUTER_API_KEY"]
    done = run("3d")
    assert (done.code, done.stdout) == (2, "")
    assert "Set OPENROUTER_API_KEY to the key whose past" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("366d",), "in the last 365 days"),
        (("5m",), "at least 1h"),
        (("x",), "--backfill"),
        (("3d", "--csv"), "leave out --csv"),
        (("3d", "--demo"), "leave out --demo"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(run: Run, options: tuple[str, ...], words: str) -> None:
    done = run(*options)
    assert (done.code, done.stdout) == (2, "")
    assert words in done.stderr


def test_no_history_is_kept_where_the_variable_says_so(run: Run, database: History) -> None:
    done = run("3d", ORCREDIT_NO_HISTORY="1")
    assert (done.code, "ORCREDIT_NO_HISTORY" in done.stderr) == (2, True)
    assert database.version() == 0


def test_a_database_that_cannot_be_written_is_known_before_anything_is_asked(
    run: Run, database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    database.record(fingerprint(KEY), balance(datetime.now(UTC), 1))
    server = answering(lambda *_: None)
    done = run("3d", ORCREDIT_DATABASE_URL=f"sqlite:///file:{database.file}?mode=ro&uri=true")
    assert (done.code, done.stdout) == (78, "")
    assert "is read-only" in done.stderr
    assert server.requests == []


def test_recording_goes_on_meanwhile(run: Run, database: History) -> None:
    """Another process records each of its polls while this one fills."""
    key, start, done = fingerprint(KEY), datetime.now(UTC) - HOUR, threading.Event()
    recorded = 0

    def record() -> None:
        nonlocal recorded
        other = History(f"sqlite:///{database.file}")
        while not done.is_set():
            other.record(key, balance(start + timedelta(seconds=recorded), 100 + recorded))
            recorded += 1

    thread = threading.Thread(target=record)
    thread.start()
    try:
        assert run("365d").code == 0
    finally:
        done.set()
        thread.join()
    hours = {one.start: one for one in database.spend(key, start - DAY, start + 2 * HOUR, HOUR)}
    assert recorded > 10
    assert sum(usage for _, usage in database.usages(key, start - HOUR, start + HOUR)) > 0
    assert any(one.reported for one in hours.values())


def test_spans_begin_at_a_midnight_and_stay_within_what_openrouter_tells() -> None:
    now = datetime(2026, 3, 29, 5, 30, tzinfo=UTC)  # summer time begins in Europe
    assert beginning(HOUR, now) == datetime(2026, 3, 29, tzinfo=UTC)
    assert beginning(6 * HOUR, now) == datetime(2026, 3, 28, tzinfo=UTC)
    assert beginning(365 * DAY, now) == datetime(2025, 3, 30, tzinfo=UTC)
    assert beginning(365 * DAY, now.replace(hour=0, minute=0)) == datetime(2025, 3, 29, tzinfo=UTC)


@pytest.mark.process
def test_an_interrupt_leaves_what_is_whole(
    environ: dict[str, str], database: History, answering: Callable[[Answer], simulator.Server]
) -> None:
    """Ctrl-C while the third part is asked for."""
    third, release = threading.Event(), threading.Event()
    count = 0

    def answer(*_: object) -> None:
        nonlocal count
        count += 1
        if count > 2:
            third.set()
            release.wait(30)

    answering(answer)
    with launcher.start(
        ["history", "--backfill", "365d"],
        environ=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert third.wait(30)
        while len({str(row[0]) for row in rows(database)}) == 0 or min(known(database)) > datetime.now(UTC) - 60 * DAY:
            pass  # the second part is being stored
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
        release.set()
    assert (process.returncode, stdout) == (130, "")
    first = min(known(database))
    assert f"Interrupted: what was spent since {first:%Y-%m-%d} is filled in" in stderr
    assert first.hour == 0
