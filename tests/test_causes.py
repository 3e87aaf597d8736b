"""What a runaway spends its money on: asked of analytics over HTTP, and named in its event and its notice."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, simulator
from orcredit.balance.cause import Cause, Spender, cause_of
from orcredit.errors import UnreachableError
from orcredit.monitor import BalancePoller, EventKind
from orcredit.monitor.causes import AGAIN_AFTER, Causes
from orcredit.monitor.runaway import Runaway
from orcredit.simulator.analytics import analytics_data
from orcredit.words import event_text, runaway_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orcredit.monitor import Snapshot

pytestmark = pytest.mark.usefixtures("no_variables")

MANAGEMENT = "sk-or-v1-" + "5" * 64
"""Of the account of the simulator's runaway, which has none itself."""

SONNET = "anthropic/claude-sonnet-4.5"
BEGINNING = datetime(2026, 2, 12, 16, 20, 30, tzinfo=UTC)
NOTICED = datetime(2026, 2, 12, 16, 31, 30, tzinfo=UTC)
ENDED = datetime(2026, 2, 12, 17, 10, 10, tzinfo=UTC)


class Clock:
    """A clock that sleeping moves; and the poller's timer, with it."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def __call__(self) -> datetime:
        return self.now

    def timer(self) -> float:
        return self.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def reply(status: int, document: object) -> simulator.Response:
    return simulator.Response(
        status, {"Content-Type": "application/json"}, json.dumps(document, default=float).encode()
    )


def told(request: simulator.Request, now: datetime) -> simulator.Response:
    """Answer as analytics of the runaway's own account do."""
    return reply(200, {"data": analytics_data("runaway", request.body, now)})


class Watched:
    """Polls of the simulator's runaway account, and the questions to its analytics."""

    def __init__(self, answer: Callable[[simulator.Request, datetime], simulator.Response]) -> None:
        self.seen: list[Snapshot] = []
        self.asked: list[tuple[datetime, dict[str, object]]] = []
        self.paths: set[str] = set()
        self._answer = answer

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        self.paths.add(request.path.rpartition("/")[2])
        if request.headers.get("authorization") != f"Bearer {MANAGEMENT}":
            return simulator.respond(request, now)
        if request.path.endswith("/analytics/query"):
            query = json.loads(request.body)
            if query.get("granularity") is None:  # not the pace of the credit
                self.asked.append((now, query))
                return self._answer(request, now)
        return reply(403, {"error": {"code": 403, "message": "no"}})

    def until(self, end: datetime, *, management_key: str | None = MANAGEMENT) -> Watched:
        asyncio.run(self._watch(end, management_key))
        return self

    async def _watch(self, end: datetime, management_key: str | None) -> None:
        clock = Clock()
        with simulator.Server(clock=clock, responder=self.respond) as server:
            client = AsyncClient(
                simulator.key_for("runaway"), management_key=management_key, base_url=server.base_url, timeout=20
            )
            client._answers.now = clock  # noqa: SLF001
            poller = BalancePoller(
                client.balance,
                timedelta(minutes=1),
                hurries=True,
                clock=clock,
                sleep=clock.sleep,
                timer=clock.timer,
                explain=client.ask_cause,
            )
            poller.listen(self.seen.append)
            polling = asyncio.ensure_future(poller.run())
            async with asyncio.timeout(60):
                async for snapshot in poller.snapshots():
                    if snapshot.polled_at >= end:
                        break
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    def texts(self) -> list[str]:
        events = [event for snapshot in self.seen for event in snapshot.new_events]
        return [event_text(event) for event in events if event.kind is EventKind.RUNAWAY]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY", "OPENROUTER_BASE_URL", "ORCREDIT_WARN_BELOW"):
            patch.delenv(name, raising=False)
        yield Watched(told).until(ENDED)


def test_the_event_and_the_notice_name_the_model_of_the_keys_own_limit(watched: Watched) -> None:
    began, ended = watched.texts()
    assert began.startswith("spending $42.01 a minute")
    assert ": the key limit is gone in 43 min; mostly " in began
    assert began.endswith(f"; mostly {SONNET} ($34.71 of $63.10)")
    assert SONNET not in ended
    snapshot = next(one for one in watched.seen if one.runaway is not None)
    assert snapshot.polled_at == NOTICED
    assert snapshot.runaway is not None
    assert snapshot.runaway.cause is not None
    assert (snapshot.runaway.cause.key, snapshot.runaway.cause.model) == (None, SONNET)
    assert snapshot.balance is not None
    assert runaway_text(snapshot.runaway, snapshot.balance.fetched_at).endswith(began.partition("; ")[2])


def test_it_is_asked_once_when_it_begins_and_every_five_minutes_while_it_lasts(watched: Watched) -> None:
    times = [at for at, _ in watched.asked]
    assert times[0] == NOTICED
    assert {(after - before).total_seconds() for before, after in pairwise(times)} == {AGAIN_AFTER}
    assert len(times) == 8
    assert {one.runaway.cause is None for one in watched.seen if one.runaway is not None} == {False}
    assert len({one.runaway.cause.of for one in watched.seen if one.runaway and one.runaway.cause}) > 3


def test_it_asks_for_the_last_15_minutes_of_this_key_by_model(watched: Watched) -> None:
    _, query = watched.asked[0]
    assert query["dimensions"] == ["model"]
    assert query["time_range"] == {"start": "2026-02-12T16:16:30Z", "end": "2026-02-12T16:31:30Z"}
    assert isinstance(query["filters"], list)
    assert query["filters"][0]["field"] == "api_key_id"


def fails(status: int) -> Callable[[simulator.Request, datetime], simulator.Response]:
    return lambda *_: reply(status, {"error": {"code": status, "message": "no"}})


def nonsense(*_: object) -> simulator.Response:
    return reply(200, {"data": {"data": [{"model": 3.5}], "metadata": {}}})


def truncated(request: simulator.Request, now: datetime) -> simulator.Response:
    data = analytics_data("runaway", request.body, now)
    return reply(200, {"data": data | {"metadata": {"truncated": True}}})


def hangs(*_: object) -> simulator.Response:
    return simulator.Response(200, {}, b"", delay=30)


@pytest.mark.parametrize("answer", [fails(404), fails(408), fails(403), fails(503), nonsense, truncated, hangs])
def test_without_an_answer_everything_else_is_the_same(
    answer: Callable[[simulator.Request, datetime], simulator.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orcredit.monitor.causes.PATIENCE", 0.5)
    found = Watched(answer).until(NOTICED + timedelta(seconds=30))
    [text] = found.texts()
    assert text.endswith(": the key limit is gone in 43 min")
    assert [one.error for one in found.seen] == [None] * len(found.seen)
    assert found.seen[-1].runaway is not None
    assert found.seen[-1].runaway.cause is None
    assert {at for at, _ in found.asked} == {NOTICED}


def test_without_a_management_key_nothing_is_asked() -> None:
    found = Watched(told).until(NOTICED, management_key=None)
    assert found.paths == {"key", "credits"}
    assert found.texts()[0].endswith(": the key limit is gone in 43 min")


@pytest.mark.parametrize("scope", ["account_credit", "workspace", "member", "a scope that is not known"])
def test_of_what_several_keys_spend_the_key_is_named_too(scope: str, server: simulator.Server) -> None:
    client = AsyncClient("sk-or-v1-x", management_key=simulator.key_for("team"), base_url=server.base_url)
    cause = asyncio.run(client.ask_cause(scope))
    assert cause is not None
    assert (cause.key, cause.model) == ("production", SONNET)
    assert 0 < cause.usd < cause.of


def test_names_are_neither_control_characters_nor_long(server: simulator.Server) -> None:
    client = AsyncClient("sk-or-v1-x", management_key=simulator.key_for("hostile-names"), base_url=server.base_url)
    cause = asyncio.run(client.ask_cause("account_credit"))
    assert cause is not None
    assert cause.key is not None
    assert cause.key.isprintable()
    assert len(cause.key) <= 60
    long = cause_of([Spender("w" * 250 + "\n", "m", Decimal(1))])
    assert long is not None
    assert long.key == "w" * 57 + "..."


@pytest.mark.parametrize(
    ("spenders", "cause"),
    [
        ([], None),
        ([Spender("key", "model", Decimal(0))], None),
        ([Spender(None, None, Decimal(2)), Spender("key", "model", Decimal(1))], None),
        (
            [Spender("one", "model", Decimal(1)), Spender("two", None, Decimal(2))],
            Cause(key="two", model=None, usd=Decimal(2), of=Decimal(3)),
        ),
    ],
)
def test_the_one_that_spent_most_is_the_cause(spenders: list[Spender], cause: Cause | None) -> None:
    assert cause_of(spenders) == cause


def shown(cause: Cause | None, scope: str = "key_limit", period: str | None = None) -> Runaway:
    return Runaway(
        scope=scope,
        period=period,
        since=BEGINNING,
        per_minute=Decimal("0.5"),
        per_day=Decimal(720),
        times_pace=None,
        runs_out_at=BEGINNING + timedelta(minutes=40),
        cause=cause,
    )


def test_the_words_of_it() -> None:
    night = Cause(key="batch-night", model="anthropic/claude-sonnet-5", usd=Decimal("4.10"), of=Decimal(5))
    runaway = shown(night, "account_credit")
    assert runaway_text(runaway, BEGINNING) == (
        "spending $0.50 a minute: the account's credit is gone in 40 min; "
        "mostly batch-night with anthropic/claude-sonnet-5 ($4.10 of $5.00)"
    )
    assert runaway_text(runaway, BEGINNING + timedelta(hours=1)).endswith(
        "is gone; mostly " + "batch-night with anthropic/claude-sonnet-5 ($4.10 of $5.00)"
    )
    half = night.model_copy(update={"usd": Decimal("2.5"), "key": None})
    assert runaway_text(shown(half), BEGINNING).endswith("; above all anthropic/claude-sonnet-5 ($2.50 of $5.00)")
    endless = shown(night).model_copy(update={"runs_out_at": None})
    assert runaway_text(endless, BEGINNING).startswith("spending $0.50 a minute of the key limit; mostly batch-night")


def test_each_runaway_is_asked_about_once_and_a_failed_question_keeps_what_is_known() -> None:
    cause = Cause(key="k", model="m", usd=Decimal(1), of=Decimal(1))
    answers: list[Cause | Exception | None] = [cause, UnreachableError("no"), None, ZeroDivisionError()]
    asked: list[str] = []
    clock = [0.0]

    async def ask(scope: str) -> Cause | None:
        asked.append(scope)
        answer = answers[len(asked) - 1] if len(asked) <= len(answers) else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def story() -> None:
        causes = Causes(ask, lambda: clock[0])
        for second in (0.0, 10.0, 299.0, 300.0, 310.0, 610.0, 920.0):
            clock[0] = second
            assert await causes.of(shown(None)) == cause
        assert asked == ["key_limit"] * 4
        assert await causes.of(shown(None, "workspace", "daily")) is None
        assert await causes.of(shown(None, "workspace", "daily")) is None
        assert asked[4:] == ["workspace"]
        assert await causes.of(None) is None
        assert await causes.of(shown(None)) is None  # another one
        assert asked[5:] == ["key_limit"]

    asyncio.run(story())


def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcredit.monitor.causes.PATIENCE", 0.01)

    async def ask(_: str) -> Cause | None:
        await asyncio.Event().wait()
        return None

    async def story() -> None:
        async with asyncio.timeout(10):
            assert await Causes(ask, lambda: 0.0).of(shown(None)) is None

    asyncio.run(story())
