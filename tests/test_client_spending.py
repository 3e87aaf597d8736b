"""The pace of the account's credit: what a management key is told that the whole account spent, beside `/key`."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import Client, Level, simulator
from orcredit.openrouter import credit
from tests.simulated import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from decimal import Decimal

    from orcredit.balance.balance import Account

    Responder = Callable[[simulator.Request, datetime], simulator.Response]

QUERY = "/analytics/query"
KEY = simulator.key_for("unlimited")
MANAGEMENT = simulator.management_key_for("unlimited")
OTHERS = simulator.management_key_for("normal")
TOLD, TOLD_MANAGEMENT = simulator.key_for("credits-told"), simulator.management_key_for("credits-told")
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("no_variables")


class Upstream:
    """OpenRouter at a given time, whose analytics answer what a test wants; the rest is the simulator's."""

    def __init__(self) -> None:
        self.now = NOW
        self.spent: dict[datetime, float] = {NOW - timedelta(days=3): 9.0, NOW: 8.0}
        self.used: float | None = None
        """All-time usage of the account's credit, where it is not the simulator's."""
        self.refused = ""
        """The key that is told no credit."""
        self.status = 200
        self.is_truncated = False
        self.query: Responder = self._analytics

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        if request.path.endswith(QUERY):
            return self.query(request, now)
        key = request.headers["authorization"].removeprefix("Bearer ")
        is_credits = request.path.endswith("/credits")
        if is_credits and key == self.refused:
            return simulator.Response(403, {}, b'{"error": {"code": 403, "message": "scripted"}}')
        if is_credits and key == MANAGEMENT and self.used is not None:
            return self._json({"total_credits": 50, "total_usage": self.used})
        return simulator.respond(request, now)

    def _analytics(self, *_: object) -> simulator.Response:
        rows = [{"date__day": f"{day:%Y-%m-%d}", "credits_usage": usd} for day, usd in self.spent.items()]
        return self._json({"data": rows, "metadata": {"truncated": self.is_truncated}})

    def _json(self, data: object) -> simulator.Response:
        body = {"data": data} if self.status == 200 else {"error": {"code": self.status, "message": "scripted"}}
        return simulator.Response(self.status, {"Content-Type": "application/json"}, json.dumps(body).encode())


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def at(upstream: Upstream) -> Iterator[simulator.Server]:
    with simulator.Server(clock=lambda: upstream.now, responder=upstream.respond) as running:
        yield running


def client(server: simulator.Server, key: str = KEY, management: str | None = MANAGEMENT, **more: object) -> Client:
    made = Client(key, management_key=management, base_url=server.base_url, **more)  # type: ignore[arg-type] # options
    made._client._answers.now = server.clock  # noqa: SLF001
    return made


def queries(server: simulator.Server) -> list[str]:
    """With which key analytics were asked for."""
    asked = (request for request in server.requests if request.path.endswith(QUERY))
    return [request.headers["authorization"].removeprefix("Bearer ") for request in asked]


def account_of(asked: Client) -> Account:
    account = asked.balance().account
    assert account is not None
    return account


def per_day(asked: Client) -> Decimal | None:
    """The pace of the credit, where it is the account's own; None where it is the key's."""
    account = account_of(asked)
    assert account.is_upper_bound == (account.pace is not None and account.pace.is_upper_bound)
    return None if account.is_upper_bound or account.pace is None else account.pace.per_day


@contextmanager
def hanging(upstream: Upstream) -> Iterator[None]:
    """Analytics that do not answer before the end."""
    done, usual = threading.Event(), upstream.query
    usual_patience = 0.5

    def hang(request: simulator.Request, now: datetime) -> simulator.Response:
        done.wait()
        return usual(request, now)

    upstream.query = hang
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(credit, "PATIENCE", usual_patience)
        try:
            yield
        finally:
            done.set()
            upstream.query = usual


# Whose pace


def test_the_credit_is_forecast_at_the_accounts_pace(at: simulator.Server) -> None:
    asked = client(at)
    balance = asked.balance()

    assert balance.pace is not None
    assert (balance.pace.scope, balance.pace.is_upper_bound) == ("account_credit", False)
    assert balance.account is not None
    assert balance.account.runs_out_at == balance.pace.runs_out_at is not None
    assert balance.pace.runs_out_earliest is not None
    of_account = asked.account().pace
    assert of_account is not None
    assert balance.pace.per_day == of_account.per_day
    own = client(at, management=None, key=simulator.key_for("unlimited")).balance()
    assert (own.account, own.pace) == (None, None)
    assert queries(at) == [MANAGEMENT, MANAGEMENT]


def test_a_threshold_of_days_is_about_the_accounts_pace(at: simulator.Server, upstream: Upstream) -> None:
    assert client(at, warn_below="3d").balance().level is Level.OK  # $29.60 at about $3 a day
    upstream.spent[NOW] = 70
    balance = client(at, warn_below="3d").balance()
    assert balance.level is Level.LOW
    assert balance.low_because is not None
    assert balance.low_because.scope == "account_credit"


def test_an_account_that_spends_nothing_lasts(at: simulator.Server, upstream: Upstream) -> None:
    upstream.spent = {}
    balance = client(at, simulator.key_for("management"), None).balance()
    assert balance.pace is not None
    assert balance.pace.per_day == 0
    assert balance.pace.runs_out_at is None
    assert not balance.pace.is_upper_bound


def test_an_account_spends_no_less_than_its_key(at: simulator.Server, upstream: Upstream) -> None:
    upstream.spent = {NOW: 0.01}  # of a cache: the key's usage is newer
    own = account_of(client(at, TOLD, management=None)).pace
    of_account = account_of(client(at, TOLD, TOLD_MANAGEMENT)).pace
    assert own is not None
    assert of_account is not None
    assert own.is_upper_bound
    assert (of_account.per_day, of_account.is_upper_bound) == (own.per_day, False)


@pytest.mark.parametrize("management", [None, simulator.key_for("management")])
def test_a_key_that_is_a_management_key_asks_itself_once(management: str | None, at: simulator.Server) -> None:
    key = simulator.key_for("management")
    asked = client(at, key, management)
    assert per_day(asked) is not None
    assert per_day(asked) is not None
    assert queries(at) == [key]


@pytest.mark.parametrize("name", ["normal", "credits-told", "zero-credits"])
def test_an_ordinary_key_is_not_asked_with(name: str, at: simulator.Server) -> None:
    client(at, simulator.key_for(name), management=None).balance()
    assert queries(at) == []


def test_another_accounts_pace_is_not_used(at: simulator.Server) -> None:
    account = account_of(client(at, TOLD, OTHERS))
    assert account.disputed_by is not None
    assert account.is_upper_bound
    assert account_of(client(at, TOLD, TOLD_MANAGEMENT)).is_upper_bound is False


def test_it_is_remembered_that_two_keys_are_of_one_account(at: simulator.Server, upstream: Upstream) -> None:
    asked = client(at, TOLD, TOLD_MANAGEMENT)
    assert per_day(asked) is not None

    upstream.refused = TOLD_MANAGEMENT
    assert per_day(asked) is not None
    assert per_day(client(at, TOLD, TOLD_MANAGEMENT)) is None  # as nothing says whose the management key is


# Failures


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_a_failure_is_silent_and_leaves_the_keys_pace(status: int, at: simulator.Server, upstream: Upstream) -> None:
    upstream.status = status
    balance = client(at, TOLD, TOLD_MANAGEMENT).balance()
    assert balance.account_error is None
    assert balance.account is not None
    assert balance.account.is_upper_bound
    assert queries(at) == [TOLD_MANAGEMENT]  # and is not retried


def test_what_is_cut_off_does_not_count(at: simulator.Server, upstream: Upstream) -> None:
    upstream.is_truncated = True
    assert account_of(client(at)).is_upper_bound


@pytest.mark.parametrize("key", [KEY, simulator.key_for("management")])
def test_hanging_analytics_do_not_delay_the_balance(key: str, at: simulator.Server, upstream: Upstream) -> None:
    management = MANAGEMENT if key == KEY else None
    with hanging(upstream):
        account = account_of(client(at, key, management, timeout=300))  # longer than the test may take
    assert account.pace is None or account.is_upper_bound


def test_late_analytics_are_waited_for_longer_once_then_left_for_a_while(
    at: simulator.Server, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit, "SPENDING_PATIENCE", 0.6)
    asked = client(at, timeout=300)
    with hanging(upstream):
        assert [per_day(asked) for _ in range(3)] == [None] * 3
        assert len(queries(at)) == 2
    monkeypatch.setattr(credit, "SPENDING_PATIENCE", 20.0)
    late = client(at, timeout=300)
    with hanging(upstream):
        assert per_day(late) is None
    assert per_day(late) is not None


# What is remembered


def test_it_is_asked_for_once_an_hour(at: simulator.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = client(at)
    assert len({per_day(asked) for _ in range(3)}) == 1
    assert len(queries(at)) == 1
    assert credit.REMEMBERED == 3600

    monkeypatch.setattr(credit, "REMEMBERED", 0.0)
    fresh = client(at)
    fresh.balance()
    fresh.balance()
    assert len(queries(at)) == 3


def test_what_was_spent_since_is_known_from_the_credit_that_was_used(at: simulator.Server, upstream: Upstream) -> None:
    upstream.used = 10
    asked = client(at)
    first = per_day(asked)
    upstream.used = 15
    later = per_day(asked)
    assert len(queries(at)) == 1

    upstream.spent[NOW] += 5
    assert first is not None
    assert later is not None
    assert first < later == per_day(client(at))
    upstream.used = 9  # an older answer
    assert per_day(asked) == first


def test_a_new_day_is_asked_for_at_once(at: simulator.Server, upstream: Upstream) -> None:
    upstream.now = NOW.replace(hour=23, minute=59)
    asked = client(at)
    asked.balance()
    upstream.now += timedelta(minutes=2)
    asked.balance()
    asked.balance()
    assert len(queries(at)) == 2


@pytest.mark.parametrize("status", [404, 503])
def test_after_a_failure_it_is_not_asked_for_at_once(status: int, at: simulator.Server, upstream: Upstream) -> None:
    upstream.status = status
    upstream.now = NOW.replace(hour=23, minute=59)
    asked = client(at)
    asked.balance()
    upstream.now += timedelta(minutes=2)
    asked.balance()
    assert len(queries(at)) == 1


def test_the_last_answer_stands_in_for_one_that_fails(
    at: simulator.Server, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit, "REMEMBERED", 0.0)
    upstream.used = 10
    asked = client(at)
    known = per_day(asked)
    upstream.query = lambda *_: simulator.Response(404, {}, b"")
    assert per_day(asked) == known
    monkeypatch.setattr(credit, "SPENDING_KEPT", 0.0)
    assert per_day(asked) is None


# Whose day


@pytest.mark.parametrize("wrong", [20 * HOUR, -20 * HOUR])
def test_today_is_openrouters(wrong: timedelta, at: simulator.Server, upstream: Upstream) -> None:
    upstream.now = NOW.replace(hour=12)
    right = per_day(client(at))
    asked = client(at)
    asked._client._answers.now = lambda: upstream.now + wrong  # noqa: SLF001
    assert per_day(asked) == right is not None


def test_a_week_that_began_in_the_last_month_is_asked_for(at: simulator.Server, upstream: Upstream) -> None:
    upstream.now = NOW.replace(month=4, day=1)  # a Wednesday
    client(at).balance()
    [body] = [json.loads(request.body) for request in at.requests if request.path.endswith(QUERY)]
    assert body["time_range"]["start"] <= "2026-03-30T00:00:00Z"
    assert body["time_range"]["end"] >= "2026-04-02T00:00:00Z"
    assert (body["metrics"], body["granularity"], body.get("dimensions")) == (["credits_usage"], "day", None)
