"""The JSON API of `orcredit serve`: the responses of each route, and its errors."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, simulator
from orcredit.history import History
from orcredit.monitor import BalancePoller
from orcredit.server.encoder import Encoder
from orcredit.server.history_reader import HistoryQuery, HistoryReader
from orcredit.server.problems import ProblemError
from orcredit.server.readings import Readings
from tests.broken_server import BrokenServer
from tests.serving import (
    BALANCE,
    CSV,
    HISTORY,
    REFRESH,
    SESSION,
    SNAPSHOT,
    Answer,
    Serving,
    Upstream,
    serving,
    wait_until,
)
from tests.steady_server import steady, steady_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = pytest.mark.process

__all__ = ["steady", "steady_server"]

ORIGINAL_CONTRACT = [
    "totalLimit",
    "remaining",
    "resetPeriod",
    "usage",
    "usageDaily",
    "usageWeekly",
    "usageMonthly",
    "percentRemaining",
    "warningLowBudget",
    "fetchedAt",
]


@pytest.fixture
def polling(tmp_path: Path, upstream: Upstream) -> Iterator[Serving]:
    """A server for one test, which polls every second."""
    with serving("--interval", "1", home=tmp_path, upstream=upstream) as running:
        running.wait_for_answer()
        yield running


# The balance


def test_the_first_ten_fields_are_the_original_contract(server: Serving) -> None:
    answer = server.ask(BALANCE)
    document = answer.json
    assert answer.status == 200
    assert list(document)[:10] == ORIGINAL_CONTRACT
    values = [document[name] for name in ORIGINAL_CONTRACT[:-1]]
    assert values == [100, 51.25, "monthly", 130.25, 3.15, 20.4, 48.75, 51.2, False]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["fetchedAt"])
    assert (document["stale"], document["staleReason"]) == (False, None)


def test_the_age_header_is_in_whole_seconds(polling: Serving, upstream: Upstream) -> None:
    wait_until(lambda: polling.ask(BALANCE).headers["Age"] == "0")
    upstream.kill()
    wait_until(lambda: int(polling.ask(BALANCE).headers["Age"]) >= 2)


def test_the_age_grows_while_the_clock_is_set_back_or_forward() -> None:
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    now, passed = [begun], [1000.0]

    async def ages() -> list[float | None]:
        monitor = BalancePoller(AsyncClient.demo().balance, timedelta(hours=1), clock=lambda: now[0])
        polling = asyncio.ensure_future(monitor.run())
        snapshot = await monitor.refresh()
        polling.cancel()
        encoder = Encoder(monitor, lambda: passed[0])
        seen = []
        for clock, timer in ((0, 0), (10, 10), (-3600, 20), (-3590, 30), (7200, 40), (7260, 100)):
            now[0], passed[0] = begun + timedelta(seconds=clock), 1000.0 + timer
            seen.append(encoder.age(snapshot))
        return seen

    assert asyncio.run(ages()) == [0, 10, 20, 30, 7200, 7260]


def test_unknown_amounts_are_null(tmp_path: Path, upstream: Upstream) -> None:
    upstream.account = "unlimited"
    with serving(home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        document = server.ask(BALANCE).json
    assert (document["totalLimit"], document["remaining"], document["percentRemaining"]) == (None, None, None)


def test_from_the_first_failed_poll_on_it_is_stale(polling: Serving, upstream: Upstream) -> None:
    good = polling.ask(BALANCE).json
    upstream.account = "html"
    wait_until(lambda: polling.ask(BALANCE).json["stale"])
    answer = polling.ask(BALANCE)
    stale = answer.json
    assert answer.status == 200
    assert "HTML" in stale["staleReason"]
    assert stale["remaining"] == good["remaining"]
    assert stale["fetchedAt"] >= good["fetchedAt"]
    upstream.account = "normal"
    wait_until(lambda: not polling.ask(BALANCE).json["stale"])


def test_the_document_stays_when_the_key_is_refused_later(polling: Serving, upstream: Upstream) -> None:
    upstream.account = "error-401"
    wait_until(lambda: polling.ask(BALANCE).json["stale"])
    assert "401" in polling.ask(BALANCE).json["staleReason"]


@pytest.mark.parametrize(
    ("account", "code"),
    [("error-401", "refused"), ("html", "nonsense"), ("null", "nonsense"), ("retry-after-3600", "unreachable")],
)
def test_an_openrouter_that_never_answered_is_a_bad_gateway(
    tmp_path: Path, upstream: Upstream, account: str, code: str
) -> None:
    upstream.account = account
    with serving("--timeout", "2", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        answer = server.ask(BALANCE)
        assert answer.problem == (502, code)
        assert answer.json["hint"]
        assert "Age" not in answer.headers
        assert server.post(REFRESH).problem == (502, code)
        assert server.ask("/readyz").problem == (503, "not_ready")
        envelope = server.ask(SNAPSHOT).json
        assert (envelope["balance"], envelope["age"], envelope["problem"]) == (None, None, answer.json)
        assert envelope["events"][0]["kind"] == ("refused" if code == "refused" else "unreachable")


def test_before_the_first_poll_ends_it_is_starting(tmp_path: Path) -> None:
    with (
        BrokenServer("hang") as hanging,
        serving("--timeout", "60", home=tmp_path, upstream=hanging.base_url) as server,
    ):
        answer = server.ask(BALANCE)
        assert answer.problem == (503, "starting")
        assert int(answer.headers["Retry-After"]) >= 1
        assert server.ask(SNAPSHOT).problem == (503, "starting")
        assert server.ask("/readyz").problem == (503, "not_ready")
        assert server.ask("/healthz").json == {"status": "ok"}
        assert server.ask(HISTORY).json["points"] == []


# The snapshot


def test_the_snapshot_is_the_balance_in_its_envelope(polling: Serving, upstream: Upstream) -> None:
    envelope = polling.ask(SNAPSHOT).json
    assert list(envelope) == [
        *("profile", "profileCount", "hasAccount", "sequence", "age", "nextPollIn"),
        *("rate", "runaway", "balance", "problem", "events"),
    ]
    assert list(envelope["balance"]) == list(polling.ask(BALANCE).json)
    assert 0 <= envelope["age"] < 30
    assert 0 <= envelope["nextPollIn"] <= 1
    empty = [envelope[name] for name in ("profile", "rate", "runaway", "problem", "events")]
    assert empty == [None, None, None, None, []]
    upstream.account = "low"
    wait_until(lambda: polling.ask(SNAPSHOT).json["events"])
    changed = polling.ask(SNAPSHOT).json
    assert changed["sequence"] > envelope["sequence"]
    [event] = changed["events"]
    assert list(event) == ["at", "kind", "text", "isWorse"]
    assert (event["kind"], event["isWorse"]) == ("level", True)
    upstream.kill()
    wait_until(lambda: polling.ask(SNAPSHOT).json["balance"]["stale"])
    stale = polling.ask(SNAPSHOT).json
    assert (stale["problem"], stale["balance"]["remaining"], len(stale["events"])) == (None, 8, 2)


# Refresh


def test_refresh_polls_now(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1h", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        first = server.ask(BALANCE)
        wait_until(lambda: int(server.ask(BALANCE).headers["Age"]) >= 2)
        upstream.account = "low"
        answer = server.post(REFRESH)
        assert (answer.status, answer.json["remaining"], upstream.polls) == (200, 8, 2)
        assert answer.json["fetchedAt"] > first.json["fetchedAt"]
        assert server.ask(BALANCE).json == answer.json
        assert list(answer.json) == list(first.json)

        # Within two seconds that answers again.
        again = [server.post(REFRESH) for _ in range(3)]
        assert {one.body for one in again} == {answer.body}
        assert upstream.polls == 2

        wait_until(lambda: int(server.ask(BALANCE).headers["Age"]) >= 2)
        upstream.kill()
        stale = server.post(REFRESH)
        assert (stale.status, stale.json["stale"], stale.json["remaining"]) == (200, True, 8)


def test_simultaneous_refreshes_share_a_poll(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1h", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        wait_until(lambda: int(server.ask(BALANCE).headers["Age"]) >= 2)
        answers: list[Answer] = []
        askers = [threading.Thread(target=lambda: answers.append(server.post(REFRESH))) for _ in range(20)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert upstream.polls == 2


def test_refresh_takes_a_body_and_ignores_it(server: Serving) -> None:
    assert server.post(REFRESH, b"").status == 200
    assert server.post(REFRESH, b"anything").status == 200


# Readiness


def test_ready_until_the_answer_is_too_old(polling: Serving, upstream: Upstream) -> None:
    answer = polling.ask("/readyz")
    assert (answer.status, answer.json["status"]) == (200, "ready")
    assert 0 <= answer.json["age"] < 3
    upstream.kill()
    wait_until(lambda: polling.ask("/readyz").status == 503)
    assert polling.ask("/readyz").problem == (503, "not_ready")
    assert polling.ask("/healthz").json == {"status": "ok"}
    assert polling.ask(BALANCE).status == 200
    upstream.revive()
    wait_until(lambda: polling.ask("/readyz").status == 200)


# History


def test_the_history_has_its_shape(server: Serving) -> None:
    polled_at = server.ask(BALANCE).json["fetchedAt"][:-4] + "000Z"
    wait_until(lambda: bool(server.ask(HISTORY).json["recent"]["until"] == polled_at), "the last poll is not recorded")
    answer = server.ask(HISTORY)
    document = answer.json
    assert answer.status == 200
    assert list(document) == ["since", "until", "points", "gaps", "resets", "spend", "events", "recent"]
    assert isinstance(document["points"], list)
    assert isinstance(document["spend"], list)
    spans, periods = ("lastHour", "lastDay", "lastWeek"), ("today", "thisWeek", "thisMonth")
    assert set(document["recent"]) == {
        *(f"{span}{mark}" for span in spans for mark in ("", "Since", "Estimated")),
        *periods,
        *("accountPerDay", "since", "until"),
    }
    assert all(list(document["recent"][period]) == ["counted", "seen"] for period in periods)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server whose history has $3.85 of spend."""
    with Upstream() as openrouter:
        before = iter(range(2))

        def respond(request: simulator.Request, _: datetime) -> simulator.Response:
            usage = 126.40 if next(before, None) is not None else 130.25
            data = {"limit": 100, "limit_remaining": 177.65 - usage, "limit_reset": "monthly", "usage": usage}
            if not request.path.endswith("/key"):
                return simulator.Response(404, {}, b"")
            return simulator.Response(200, {}, json.dumps({"data": data}).encode())

        openrouter.respond = respond
        home = tmp_path_factory.mktemp("home")
        with serving("--interval", "1", home=home, upstream=openrouter) as running:
            running.wait_for_answer()
            wait_until(lambda: bool(running.ask(BALANCE).json["usage"] == 130.25))
            wait_until(lambda: running.ask(HISTORY).json["recent"]["lastHour"] == 3.85)
            yield running


def test_too_many_intervals_are_a_bad_request(tmp_path: Path) -> None:
    with serving("--demo", home=tmp_path) as server:  # whose history is thirty days long
        assert server.ask(f"{HISTORY}?since=all&every=1m").problem == (400, "bad_request")
        assert server.ask(f"{HISTORY}?since=5d&every=1m").status == 200


@pytest.mark.parametrize(
    ("query", "width"),
    [
        ("since=1h", timedelta(hours=1)),
        ("since=2d", timedelta(hours=1)),
        ("since=172801s", timedelta(days=1)),
        ("", timedelta(days=1)),
        ("since=731d", timedelta(days=7)),
        ("since=all", timedelta(hours=1)),
        ("since=7d&every=6h", timedelta(hours=6)),
        ("every=60", timedelta(minutes=1)),
        ("every=1.5h", timedelta(minutes=90)),
        ("points=2", timedelta(days=1)),
        ("points=5000", timedelta(days=1)),
        ("points=0500", timedelta(days=1)),
        ("since=3650d", timedelta(days=7)),
    ],
)
def test_spend_is_given_in_aligned_intervals(watched: Serving, query: str, width: timedelta) -> None:
    answer = watched.ask(f"{HISTORY}?{query}")
    spend = answer.json["spend"]
    assert answer.status == 200
    assert len([one for one in spend if one["usd"]]) in {1, 2}  # polls go on, and intervals without spend are added
    assert round(sum(one["usd"] for one in spend), 8) == 3.85
    for one in spend:
        assert list(one) == ["from", "to", "usd", "estimated", "partial", "reported"]
        start, end = (datetime.fromisoformat(one[name]) for name in ("from", "to"))
        assert end - start == width
        assert (start - datetime(1970, 1, 1, tzinfo=UTC)) % width in {timedelta(0), timedelta(days=4)}


@pytest.mark.parametrize(
    "query",
    [
        "since=",
        "since=never",
        "since=0",
        "since=0.5",
        "since=1.5s",
        "since=-1d",
        "since=3651d",
        "since=999999999999d",
        "since=1w",
        "since=ALL",
        "since=Period",
        "every=period",
        "since=%D9%A7d",
        "since=7d%00",
        "every=",
        "every=0",
        "every=500ms",
        "every=all",
        "every=%F0%9F%92%B8",
        "points=",
        "points=1",
        "points=5001",
        "points=-2",
        "points=2.0",
        "points=1e3",
        "points=99999999999999999999",
        "points=%D9%A3%D9%A3",
        "points=%20500",
        f"points={'0' * 5000}200",
        f"points=000000200{'0' * 5000}",
        "points=0000000200",
        "points=000005000000",
        f"points={'9' * 5000}",
        "points=%EF%BC%95%EF%BC%90",
        "points=%B2",
        "points=500%00",
        "points=%",
        "points=%zz",
        "points=5&points=5",
        "since=7d&since=7d",
        "since=7d&every=1h&every=1h",
        "since=&since=7d",
        f"since={'0' * 5000}7d",
        f"since={'9' * 5000}d",
        "since=1e1d",
        "since=nan",
        "since=%FF",
        "since=%",
        "since=%ED%A0%80d",
        f"every={'1' * 5000}",
        "every=0.0000001d",
        "every=1%00h",
    ],
)
def test_an_invalid_parameter_is_a_bad_request(watched: Serving, query: str) -> None:
    for route in (HISTORY, CSV):
        answer = watched.ask(f"{route}?{query}")
        assert answer.problem == (400, "bad_request")
        assert answer.json["error"].isprintable()


def test_a_wrong_time_to_look_back_is_told_of_the_words(watched: Serving) -> None:
    assert watched.ask(f"{HISTORY}?since=ALL").json["hint"].endswith(" Or 'all', or 'period'.")
    assert "period" not in watched.ask(f"{HISTORY}?every=all").json["hint"]


@pytest.mark.parametrize("query", ["", "?since=1h&every=1m", "?since=all", "?since=period", "?points=10"])
def test_the_history_as_csv(watched: Serving, query: str) -> None:
    answer = watched.ask(f"{CSV}{query}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] in {"text/csv", "text/csv; charset=utf-8"}
    assert answer.headers["Content-Disposition"] == 'attachment; filename="orcredit-history.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body.decode().splitlines()[0] == "from,to,spend,spendable,remaining,estimated,partial,reported"


async def recorded() -> None:
    pass


def test_without_a_thread_the_history_is_unavailable_and_works_again_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask_without_and_with() -> bytes:
        client = AsyncClient.demo()
        history = History.in_memory()
        poller = BalancePoller(client.balance, timedelta(hours=1), clock=client.clock)
        reader = HistoryReader(history, lambda: "key", poller, recorded, Readings())
        with monkeypatch.context() as patching:
            patching.setattr(threading.Thread, "start", no_thread)
            for _ in range(5):  # more than may ask at once
                with pytest.raises(ProblemError) as caught:
                    await reader.document(HistoryQuery(None))
                assert (caught.value.status_code, caught.value.problem.code) == (503, "history_unavailable")
        answer = await reader.document(HistoryQuery(None))
        history.close()
        return answer

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    assert asyncio.run(ask_without_and_with()).startswith(b'{"since":')


# The session without a token


def test_without_a_token_no_login_is_required(server: Serving) -> None:
    logged_out = {"loginRequired": False, "expiresAt": None}
    assert server.ask(SESSION).json == logged_out
    answer = server.log_in("whatever")
    assert (answer.status, answer.json, answer.headers["Set-Cookie"]) == (200, logged_out, None)
    assert server.ask(SESSION, "DELETE").status == 204
