"""`/api/openrouter/activity`: what is asked, what is kept and for how long, and what is said when it cannot be had."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import Activity, simulator
from orcredit.balance.activity import Counted, Found, Question, assemble
from orcredit.errors import NonsenseError, OrcreditError, UnreachableError
from orcredit.money import ZERO
from orcredit.server import activity_reader
from orcredit.server.activity_reader import MOST_AT_ONCE, MOST_WAITING, ActivityQuery, ActivityReader
from orcredit.server.problems import ProblemError
from tests.account_serving import Log, Served, client
from tests.serving import ACTIVITY, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("no_variables")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


@pytest.fixture(scope="module")
def served(log: Log) -> Iterator[Served]:
    names = ("team", *(f"analytics-{kind}" for kind in ("absent", "slow", "truncated", "warnings")))
    with pytest.MonkeyPatch.context() as patch, simulator.Server(responder=log) as upstream:
        patch.setattr("orcredit.openrouter.retry.FIRST_WAIT", 0.01)
        with Served({name: client(upstream, name) for name in names}) as running:
            for name in names:
                wait_until(lambda name=name: running.ask(ACTIVITY, name).status != 503)  # type: ignore[misc]
            yield running


def asked(served: Served, query: str, profile: str | None = None) -> Activity:
    answer = served.ask(f"{ACTIVITY}?{query}", profile)
    assert answer.status == 200, answer.everything
    return Activity.model_validate(answer.json)


def test_the_default_is_the_models_of_30_days(served: Served) -> None:
    found = asked(served, "")
    assert found.by == ("model",)
    assert found.until - found.since == timedelta(days=30)
    assert found.source == "analytics"
    assert [row.spend for row in found.rows] == sorted((row.spend for row in found.rows), reverse=True)
    assert len(found.rows) > 1
    assert found.others is None


@pytest.mark.parametrize("by", ["model", "key", "workspace", "user", "app", "provider", "day", "hour"])
def test_every_word_is_told_and_crossed(served: Served, by: str) -> None:
    found = asked(served, f"by={by}&since=2d&top=1")
    assert found.by == (by,)
    assert len(found.rows) == 1
    assert found.others is not None
    other = "model" if by != "model" else "day"
    assert asked(served, f"by={other},{by}&since=2d").by == (other, by)


@pytest.mark.parametrize("since", ["1m", "60", "90s", "24h", "365d"])
def test_spans(served: Served, since: str) -> None:
    found = asked(served, f"since={since}")
    seconds = {"1m": 60, "60": 60, "90s": 90, "24h": 86_400, "365d": 365 * 86_400}[since]
    assert (found.until - found.since).total_seconds() == seconds


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("by=colour", "model, key, workspace, user, app, provider, day, hour"),
        ("by=model,colour", "model, key, workspace"),
        ("by=", "model, key, workspace"),
        ("by=model,", "model, key, workspace"),
        ("by=model,model", "or two with a comma"),
        ("by=model,key,app", "or two with a comma"),
        ("by=day,hour", "or two with a comma"),
        ("since=", "1m to 365d"),
        ("since=0s", "1m to 365d"),
        ("since=59s", "1m to 365d"),
        ("since=366d", "1m to 365d"),
        ("since=-1d", "1m to 365d"),
        ("since=soon", "1m to 365d"),
        ("since=61.5s", "1m to 365d"),
        ("since=32d&by=provider", "by provider 1m to 31d"),
        ("since=32d&by=key,provider", "by provider 1m to 31d"),
        ("top=0", "1 to 10000"),
        ("top=", "1 to 10000"),
        ("top=10001", "1 to 10000"),
        ("top=%D9%A1", "1 to 10000"),
        ("top=99999999999999999999", "1 to 10000"),
        ("top=-1", "1 to 10000"),
    ],
)
def test_what_is_asked_wrongly_is_answered_with_what_is_accepted(served: Served, query: str, accepted: str) -> None:
    answer = served.ask(f"{ACTIVITY}?{query}")
    assert answer.problem == (400, "bad_request")
    assert accepted in answer.json["hint"]
    assert "colour" not in answer.everything


@pytest.mark.parametrize("name", ["by", "since", "top", "profile"])
def test_a_parameter_is_sent_once(served: Served, name: str) -> None:
    assert served.ask(f"{ACTIVITY}?{name}=team&{name}=team").problem == (400, "bad_request")


def test_an_answer_is_asked_for_once(served: Served, log: Log) -> None:
    first = served.ask(f"{ACTIVITY}?by=app&since=3d").body
    log.requests.clear()
    assert served.ask(f"{ACTIVITY}?by=app&since=3d").body == first
    assert served.ask(f"{ACTIVITY}?since=3d&by=app&top=1").body != first
    # The apps of these days and of those before; the pollers ask as well.
    assert sum(b'"app"' in request.body for request in log.requests) == 2


def test_without_analytics_completed_days_are_told(served: Served) -> None:
    found = asked(served, "by=model,day&since=30d", "analytics-absent")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert (found.source, found.until, found.since) == ("activity", midnight, midnight - timedelta(days=30))
    assert found.rows
    assert found.notes[0].startswith("OpenRouter here has no analytics: the last completed 30 days (UTC)")
    answer = served.ask(f"{ACTIVITY}?by=key", "analytics-absent")
    assert answer.problem == (502, "no_analytics")
    assert answer.json["error"] == "OpenRouter here has no analytics (404), so spend by key is not known."
    assert answer.json["hint"] == "It tells spend by model, provider, workspace, day."


def test_analytics_that_time_out_are_said_to(served: Served) -> None:
    answer = served.ask(ACTIVITY, "analytics-slow")
    assert answer.problem == (502, "unreachable")
    assert answer.json["error"] == "OpenRouter needs too long to add this up (408)."
    assert answer.json["hint"] == "Choose a shorter time or another breakdown, or try again in a minute."


def test_rows_that_were_left_out_and_warnings_are_said(served: Served) -> None:
    found = asked(served, "by=model,day", "analytics-truncated")
    assert found.truncated
    assert found.others is not None
    (note,) = asked(served, "", "analytics-warnings").notes
    assert note.startswith("OpenRouter warns: 1 value of the filter api_key_id could not be resolved")


# The reader, with answers that the test makes


class Asked:
    """What a reader asks, and what it is answered."""

    def __init__(self) -> None:
        self.queries: list[ActivityQuery] = []
        self.failure: OrcreditError | None = None
        self.bug = False
        self.gate: asyncio.Event | None = None
        self.under_way = self.most = 0
        self.size = 1
        self.now = 0.0

    async def __call__(self, query: ActivityQuery) -> Activity:
        self.queries.append(query)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.bug:
                raise ZeroDivisionError
            if self.failure is not None:
                raise self.failure
        finally:
            self.under_way -= 1
        rows = [((f"model {number}",), Counted(ZERO, *[None] * 5)) for number in range(self.size)]
        return assemble(Question(query.by, NOON - query.since, NOON), Found(rows), source="analytics", fetched_at=NOON)


def question(days: float = 30.0, top: int | None = None) -> ActivityQuery:
    return ActivityQuery(("model",), timedelta(days=days), top)


@pytest.fixture
def ask() -> Asked:
    return Asked()


@pytest.fixture
def reader(ask: Asked) -> ActivityReader:
    return ActivityReader(ask, lambda: ask.now)


@pytest.mark.parametrize(("days", "seconds"), [(30, 3600), (1, 3600), (0.9, 60)])
def test_long_spans_are_kept_for_an_hour_and_short_ones_for_a_minute(
    ask: Asked, reader: ActivityReader, days: float, seconds: float
) -> None:
    async def run() -> None:
        await reader.document(question(days))
        ask.now = seconds - 0.1
        await reader.document(question(days))
        assert len(ask.queries) == 1
        ask.now = seconds
        await reader.document(question(days))
        assert len(ask.queries) == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("failure", "seconds", "expected"),
    [
        (UnreachableError("not now"), 10, (502, "unreachable")),
        (UnreachableError("not now", retry_after=90), 90, (502, "unreachable")),
        (NonsenseError("what"), 10, (502, "nonsense")),
    ],
)
def test_a_failure_is_the_answer_for_a_while(
    ask: Asked, reader: ActivityReader, failure: OrcreditError, seconds: float, expected: tuple[int, str]
) -> None:
    async def run() -> None:
        ask.failure = failure
        for now in (0.0, seconds - 0.1):
            ask.now = now
            with pytest.raises(ProblemError) as caught:
                await reader.document(question())
            assert (caught.value.status_code, caught.value.problem.code) == expected
        assert len(ask.queries) == 1
        ask.failure, ask.now = None, seconds
        assert await reader.document(question())

    asyncio.run(run())


def test_a_bug_is_not_kept(ask: Asked, reader: ActivityReader) -> None:
    async def run() -> None:
        ask.bug = True
        with pytest.raises(ZeroDivisionError):
            await reader.document(question())
        ask.bug = False
        assert await reader.document(question())

    asyncio.run(run())


def test_few_are_asked_at_once_and_not_many_wait(ask: Asked, reader: ActivityReader) -> None:
    async def run() -> None:
        ask.gate = asyncio.Event()
        waiting = [asyncio.ensure_future(reader.document(question(2 + number))) for number in range(MOST_WAITING)]
        twice = asyncio.ensure_future(reader.document(question(2)))
        for _ in range(20):  # rounds of the event loop, in which all that can begin does
            await asyncio.sleep(0)
        with pytest.raises(ProblemError) as caught:
            await reader.document(question(100))
        assert (caught.value.status_code, caught.value.problem.code) == (503, "busy")
        assert caught.value.headers == {"Retry-After": "5"}
        ask.gate.set()
        answers = await asyncio.gather(*waiting)
        assert await twice == answers[0]
        assert ask.most == MOST_AT_ONCE
        assert len(ask.queries) == MOST_WAITING
        assert await reader.document(question(100))

    asyncio.run(run())


def test_who_goes_away_takes_nothing_from_who_waits(ask: Asked, reader: ActivityReader) -> None:
    async def run() -> None:
        ask.gate = asyncio.Event()
        first, second = (asyncio.ensure_future(reader.document(question())) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        ask.gate.set()
        assert await second
        assert len(ask.queries) == 1

    asyncio.run(run())


def test_the_answers_that_are_kept_are_bounded(
    ask: Asked, reader: ActivityReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        ask.size = 20
        size = len(await reader.document(question(2)))
        monkeypatch.setattr(activity_reader, "MOST_KEPT", 3 * size + 100)
        for number in range(3, 8):
            await reader.document(question(number))
        asked_before = len(ask.queries)
        await reader.document(question(7))
        await reader.document(question(6))
        await reader.document(question(5))
        assert len(ask.queries) == asked_before
        await reader.document(question(2))
        assert len(ask.queries) == asked_before + 1
        # One that alone is larger is kept all the same: it was asked for just now.
        monkeypatch.setattr(activity_reader, "MOST_KEPT", 1)
        await reader.document(question(9))
        await reader.document(question(9))
        assert len(ask.queries) == asked_before + 2

    asyncio.run(run())


def test_so_is_their_number(reader: ActivityReader, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(activity_reader, "MANY_KEPT", 3)
        for number in range(2, 12):
            await reader.document(question(number))
        assert len(reader._kept) == 3  # noqa: SLF001 - which is what must not grow

    asyncio.run(run())
