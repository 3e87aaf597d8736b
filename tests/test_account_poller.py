"""The poller of an account's keys: its pace, pages that fail, outages, renewed keys; and what was spent."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import AsyncClient, simulator
from orcredit.balance.account import Lately
from orcredit.errors import ConfigurationError, KeyRefusedError, UnavailableError
from orcredit.openrouter.account import PAUSE, UNPACED
from orcredit.server.account_client import AccountClient
from orcredit.server.account_reader import AccountReader
from orcredit.server.readings import Readings
from tests.account_serving import Log, client, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orcredit.monitor import Snapshot

pytestmark = pytest.mark.usefixtures("no_variables")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Time:
    """A clock that stands still until it is moved, and a sleep that ends at once if it is short."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.pauses: list[float] = []

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds > PAUSE:
            await asyncio.Event().wait()  # the interval: the next poll is one that the test asks for
        self.pauses.append(seconds)


class Polled:
    """A poller of keys, which polls when the test says so."""

    def __init__(self, one: AsyncClient, interval: float = 60.0) -> None:
        self.time = Time()
        self.one: AsyncClient | None = one
        self.next: AsyncClient | None = None
        """Who asks once the keys were got anew."""
        self.renewals = 0
        self.reader = AccountReader(
            AccountClient(lambda: self.one, self.renew),
            timedelta(seconds=interval),
            history=None,
            readings=Readings(),
            turns=asyncio.Semaphore(1),
            clock=self.time.clock,
            sleep=self.time.sleep,
        )
        self.poller, self.spent = self.reader.pollers

    async def renew(self) -> None:
        self.renewals += 1
        self.one = self.next or self.one

    async def poll(self) -> Snapshot[Any]:
        """Wait until the next poll is due, and for its end."""
        before = self.poller.latest
        if before is not None:
            self.time.now = max(self.time.now, before.next_poll_at)
            self.poller.wake_if_due()
        async for snapshot in self.poller.snapshots(0 if before is None else before.sequence):
            return snapshot
        raise AssertionError(before)

    def document(self) -> Any:  # noqa: ANN401 - a JSON document
        return json.loads(self.reader.account())

    def wait(self, snapshot: Snapshot[Any]) -> float:
        """Give the seconds until the next poll."""
        return (snapshot.next_poll_at - snapshot.polled_at).total_seconds()


def polling(
    work: Callable[[Polled], Awaitable[None]],
    account: str,
    log: Log | Callable[..., simulator.Response],
    *,
    interval: float = 60.0,
) -> None:
    """Run pollers of an account, and the test's work beside them."""

    async def run(upstream: simulator.Server) -> None:
        polled = Polled(client(upstream, account), interval)
        running = [asyncio.ensure_future(poller.run()) for poller in polled.reader.pollers]
        try:
            await work(polled)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    with simulator.Server(responder=log) as upstream:
        asyncio.run(run(upstream))


@pytest.mark.parametrize(("interval", "expected"), [(3.0, None), (60.0, 60.0)])
def test_the_interval_stretches_to_one_request_a_second(interval: float, expected: float | None) -> None:
    log = Log()

    async def work(polled: Polled) -> None:
        snapshot = await polled.poller.refresh()
        # 12 workspaces with a page each; their list, the credit and what was spent lately.
        requests = sum("/keys" in one.path or "/workspaces" in one.path for one in log.requests) + 2
        assert requests == 15
        assert polled.wait(snapshot) == (expected or requests)

    polling(work, "fleet", log, interval=interval)


def test_requests_are_sent_one_at_a_time_and_at_most_four_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        nonlocal under_way, most
        with lock:
            under_way += "/analytics" not in request.path
            most = max(most, under_way)
        time.sleep(0.002)  # long enough for others to be sent
        with lock:
            under_way -= "/analytics" not in request.path
        return simulator.respond(request, now)

    monkeypatch.setattr("orcredit.openrouter.account.PAUSE", 50.0)  # longer than any request takes
    monkeypatch.setattr("tests.test_account_poller.PAUSE", 50.0)

    async def work(polled: Polled) -> None:
        snapshot = await polled.poller.refresh()
        assert snapshot.value is not None
        assert len(snapshot.value.keys) == 5000
        assert most == 1
        requests = 51 + 1 + 1 + 1  # pages, the last of them empty; workspaces; credit; what was spent lately
        assert polled.wait(snapshot) == 60.0
        assert len(polled.time.pauses) == requests - UNPACED

    polling(work, "large-fleet-in-one", respond)


def test_each_request_has_the_time_of_a_whole_command() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        return replace(simulator.respond(request, now), delay=0.45)

    async def run(upstream: simulator.Server) -> None:
        polled = Polled(client(upstream, "fleet-in-one", timeout=2))
        running = asyncio.ensure_future(polled.poller.run())
        snapshot = await polled.poll()
        assert snapshot.error is None  # after six requests, which took more than two seconds
        running.cancel()

    with simulator.Server(responder=respond) as upstream:
        asyncio.run(run(upstream))


def test_where_a_page_fails_later_the_keys_of_before_stay() -> None:
    log = Log()

    async def work(polled: Polled) -> None:
        await polled.poll()
        before = {key["hash"] for key in json.loads(await polled.reader.keys())["keys"]}
        log.instead = lambda request: refusal(503) if "offset=100" in request.path else None
        snapshot = await polled.poll()
        listed = json.loads(await polled.reader.keys())
        assert {key["hash"] for key in listed["keys"]} == before
        assert len(before) == len(listed["keys"]) == 250
        assert listed["complete"] is False
        assert listed["incompleteReason"].endswith(" 150 keys are shown as of an earlier answer.")
        assert polled.document()["counts"]["total"] == 250
        assert polled.document()["incompleteReason"] == listed["incompleteReason"]
        assert polled.document()["stale"] is False  # what came is new
        assert polled.wait(snapshot) == 120.0  # as after any failure
        log.instead = lambda _: None
        snapshot = await polled.poll()
        listed = json.loads(await polled.reader.keys())
        assert (listed["complete"], listed["incompleteReason"], len(listed["keys"])) == (True, None, 250)
        assert polled.wait(snapshot) == 60.0

    polling(work, "fleet-in-one", log)


def test_a_row_that_makes_no_sense_is_no_failure_of_the_poll() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        if "offset=100" not in request.path:
            return answer
        document = json.loads(answer.body)
        del document["data"][0]["limit"]
        return simulator.Response(200, answer.headers, json.dumps(document).encode())

    async def work(polled: Polled) -> None:
        snapshot = await polled.poll()
        assert snapshot.error is None
        assert polled.wait(snapshot) == 60
        listed = json.loads(await polled.reader.keys())
        assert (len(listed["keys"]), listed["complete"]) == (249, False)
        assert (polled.document()["stale"], polled.document()["complete"]) == (False, False)

    polling(work, "fleet-in-one", respond)


def test_a_page_that_asks_to_wait_is_obeyed() -> None:
    log = Log()
    log.instead = lambda request: refusal(429, **{"Retry-After": "1800"}) if "offset=100" in request.path else None

    async def work(polled: Polled) -> None:
        snapshot = await polled.poll()
        assert polled.wait(snapshot) == 1800.0
        assert polled.document()["counts"]["total"] == 100

    polling(work, "fleet-in-one", log)


def test_without_an_answer_the_last_one_stays_and_says_that_it_is_stale() -> None:
    log = Log()

    async def work(polled: Polled) -> None:
        await polled.poll()
        before = await polled.reader.keys()
        log.instead = lambda _: refusal(500)
        snapshot = await polled.poll()
        assert await polled.reader.keys() == before
        document = polled.document()
        assert document["stale"] is True
        assert document["staleReason"].startswith("OpenRouter answered 500")
        assert document["age"] == 60.0
        assert document["nextPollIn"] == polled.wait(snapshot) == 120.0
        assert polled.wait(await polled.poll()) == 240.0
        log.instead = lambda _: None
        await polled.poll()
        document = polled.document()
        assert (document["stale"], document["staleReason"], document["age"]) == (False, None, 0.0)

    polling(work, "team", log)


def test_the_pace_of_the_credit_costs_one_request_an_hour() -> None:
    log = Log()

    def count() -> int:
        return sum(b'"limit": 1000}' in request.body for request in log.requests)

    async def work(polled: Polled) -> None:
        for _ in range(3):
            await polled.poll()
            assert polled.document()["credit"]["pace"]["perDay"] > 0
        assert count() == 1

    polling(work, "team", log)


def test_what_was_spent_is_asked_once_an_hour_and_after_a_failure_sooner() -> None:
    log = Log()

    def is_of_30_days(request: simulator.Request) -> bool:
        return "/analytics" in request.path and b'"limit": 1000}' not in request.body

    async def work(polled: Polled) -> None:
        log.instead = lambda request: refusal(500) if "/analytics" in request.path else None
        await polled.poll()
        snapshot = await polled.spent.refresh()
        assert polled.wait(snapshot) == 300.0
        assert polled.document()["spent"] is None
        assert polled.document()["spentError"].startswith("OpenRouter answered 500")
        log.instead = lambda _: None
        log.requests.clear()
        polled.time.now += timedelta(minutes=5)
        snapshot = await polled.spent.refresh()
        assert polled.wait(snapshot) == 3600.0
        assert polled.document()["spent"]["usd"] > 0
        assert polled.document()["spentError"] is None
        assert sum(map(is_of_30_days, log.requests)) == 2  # the 30 days, and the 30 before
        log.instead = lambda request: refusal(500) if "/analytics" in request.path else None
        polled.time.now += timedelta(hours=1)
        await polled.spent.refresh()
        assert polled.document()["spent"]["usd"] > 0  # of an hour ago, as `through` says
        assert polled.document()["spentError"].startswith("OpenRouter answered 500")

    polling(work, "team", log)


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_refused_management_key_is_got_anew(*, is_lost: bool) -> None:
    log = Log()

    async def work(polled: Polled) -> None:
        log.instead = lambda request: refusal(401) if simulator.key_for("team") in str(request.headers) else None
        one = polled.one
        assert one is not None
        polled.next = AsyncClient(simulator.key_for("fleet"), base_url=one.profile.base_url)
        snapshot = await polled.poll()
        assert snapshot.error is None
        assert polled.renewals == 1
        assert polled.document()["counts"]["total"] == 250
        if is_lost:  # for a while no key can be had, and the last one is used
            polled.one = None
        assert (await polled.poll()).error is None
        assert polled.renewals == 1

    polling(work, "team", log)


def test_a_key_that_stays_refused_is_said_to_be() -> None:
    log = Log()
    log.instead = lambda request: refusal(401) if "/workspaces" in request.path else None

    async def work(polled: Polled) -> None:
        snapshot = await polled.poll()
        assert isinstance(snapshot.error, KeyRefusedError)
        assert polled.poller.failure is snapshot.error
        assert polled.renewals == 1
        assert log.count("/workspaces") == 1  # the same key is not tried again

    polling(work, "team", log)


def test_why_no_other_key_can_be_had_is_said() -> None:
    log = Log()
    log.instead = lambda request: refusal(401) if "/workspaces" in request.path else None

    async def work(polled: Polled) -> None:
        async def fail() -> None:
            raise ConfigurationError("The command failed.", hint="Run it by hand.")

        polled.reader.client._renew = fail  # noqa: SLF001 - as a profile's command may
        snapshot = await polled.poll()
        assert isinstance(snapshot.error, KeyRefusedError)
        assert snapshot.error.hint == "The command failed. Run it by hand."

    polling(work, "team", log)


def test_settings_that_cannot_be_used_end_no_poller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.invalid")

    async def run() -> None:
        one = AsyncClient(simulator.key_for("team"), base_url="https://openrouter.invalid/api/v1")
        polled = Polled(one)
        running = asyncio.ensure_future(polled.poller.run())
        snapshot = await polled.poll()
        assert isinstance(snapshot.error, UnavailableError)
        assert str(snapshot.error) == "A proxy address in the environment is invalid."
        running.cancel()

    asyncio.run(run())


def days(*usd: int) -> tuple[tuple[datetime, Decimal], ...]:
    """Give the spend of the last days, today last."""
    midnight = NOON.replace(hour=0)
    return tuple((midnight - timedelta(days=len(usd) - 1 - place), Decimal(one)) for place, one in enumerate(usd))


def test_what_was_used_since_is_added_to_what_analytics_said() -> None:
    lately = Lately()
    assert lately.is_due(Decimal(100), NOON)
    assert lately.spent(Decimal(100), NOON) is None
    lately.remember(days(5, 3, 2), Decimal(100), NOON)  # Monday, Tuesday and Wednesday
    later = NOON + timedelta(minutes=59)
    assert not lately.is_due(Decimal(104), later)
    assert lately.spent(Decimal(104), later) == (Decimal(6), Decimal(14), Decimal(14))
    assert lately.is_due(Decimal(104), NOON + timedelta(hours=1))
    assert lately.is_due(Decimal(104), NOON - timedelta(seconds=1))  # the clock was set back
    # A lower usage than then is another account's, or an older answer.
    assert lately.spent(Decimal(99), later) is None


def test_another_utc_day_needs_another_answer() -> None:
    lately = Lately()
    late = NOON.replace(hour=23, minute=50)
    lately.remember(days(5, 3, 2), Decimal(100), late)
    assert lately.is_due(Decimal(100), late + timedelta(minutes=10))
    assert lately.spent(Decimal(100), late + timedelta(minutes=10)) is None


def test_a_failure_to_tell_is_not_asked_about_at_every_poll() -> None:
    lately = Lately()
    lately.remember(None, Decimal(100), NOON)
    assert lately.spent(Decimal(100), NOON) is None
    assert not lately.is_due(Decimal(100), NOON + timedelta(minutes=4))
    assert lately.is_due(Decimal(100), NOON + timedelta(minutes=5))


def test_nothing_shows_a_key() -> None:
    one = client_with_both()
    reader = AccountReader(
        AccountClient(lambda: one),
        timedelta(minutes=1),
        history=None,
        readings=Readings(),
        turns=asyncio.Semaphore(1),
        clock=one.clock,
    )
    shown = repr([reader, vars(reader), vars(reader.pollers[0]), vars(reader.client), reader.client.identity])
    assert simulator.key_for("team") not in shown
    assert simulator.key_for("normal") not in shown


def client_with_both() -> AsyncClient:
    return AsyncClient(simulator.key_for("normal"), management_key=simulator.key_for("team"))
