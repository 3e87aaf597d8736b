"""The account's credit, requested beside `/key`: with which keys, how long it is waited for, what is remembered."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit import Client, KeyRefusedError, Level, simulator
from orcredit.openrouter import credit
from orcredit.words import notices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    Responder = Callable[[simulator.Request, datetime], simulator.Response]

KEY = simulator.key_for("normal")
TOLD = simulator.key_for("credits-told")
MANAGEMENT = simulator.management_key_for("normal")
ONCE = ["/credits", "/key"]

pytestmark = pytest.mark.usefixtures("no_variables")


def paths(server: simulator.Server) -> list[str]:
    """All requests but the one for the account's spending; see `test_client_spending.py`."""
    asked = (request.path.removeprefix(simulator.API_PREFIX) for request in server.requests)
    return sorted(path for path in asked if path != "/analytics/query")


@contextmanager
def crediting(answer: Responder) -> Iterator[simulator.Server]:
    """A server whose `/credits` is answered by this function, and the rest as usual."""

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        return answer(request, now) if request.path.endswith("/credits") else simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        yield server


def sending(total_credits: float, total_usage: float) -> simulator.Response:
    body = f'{{"data": {{"total_credits": {total_credits}, "total_usage": {total_usage}}}}}'
    return simulator.Response(200, {"Content-Type": "application/json"}, body.encode())


def failing(status: int, **headers: str) -> simulator.Response:
    error = b'{"error": {"code": 0, "message": "scripted"}}'
    return simulator.Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, error)


@contextmanager
def scripted(*answers: simulator.Response) -> Iterator[simulator.Server]:
    """A server whose `/credits` gives these answers, one per request."""
    script = iter(answers)
    with crediting(lambda *_: next(script)) as server:
        yield server


@contextmanager
def hanging(*keys: str) -> Iterator[simulator.Server]:
    """A server whose `/credits` does not answer these keys (none: any key) before the end of the `with` block."""
    done, usual_patience = threading.Event(), 0.5

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if not keys or request.headers["authorization"].removeprefix("Bearer ") in keys:
            done.wait()
        return simulator.respond(request, now)

    with pytest.MonkeyPatch.context() as patching, crediting(respond) as server:
        patching.setattr(credit, "PATIENCE", usual_patience)
        try:
            yield server
        finally:
            done.set()


# With which keys


@pytest.mark.parametrize("management", [None, MANAGEMENT])
def test_all_requests_are_sent_at_once_each_with_its_key(management: str | None) -> None:
    all_arrived = threading.Barrier(2 if management is None else 4, timeout=20)

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        all_arrived.wait()  # none is answered before the others have arrived
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        Client(KEY, management_key=management, base_url=server.base_url, timeout=30).balance()

        asked = [(request.path.rpartition("/")[2], request.headers["authorization"]) for request in server.requests]
    expected = [("key", f"Bearer {KEY}"), ("credits", f"Bearer {KEY}")]
    if management is not None:
        expected += [("credits", f"Bearer {management}"), ("query", f"Bearer {management}")]
    assert sorted(asked) == sorted(expected)


def test_an_ordinary_key_may_be_told_the_credit(server: simulator.Server) -> None:
    balance = Client(TOLD, base_url=server.base_url).balance()

    assert (balance.spendable, balance.limited_by) == (Decimal("0.13"), "account_credit")
    assert balance.account is not None
    assert (balance.account.source, balance.account.key_label, balance.account.disputed_by) == ("key", None, None)


@pytest.mark.parametrize("account", ["normal", "zero-credits", "credits-503", "credits-overused", "unlimited"])
def test_an_ordinary_keys_credit_that_is_not_told_is_not_known_and_no_error(
    account: str, server: simulator.Server
) -> None:
    balance = Client(simulator.key_for(account), base_url=server.base_url).balance()

    assert (balance.account, balance.account_error) == (None, None)
    assert not balance.level.is_warning


def test_a_management_key_is_told_the_credit_without_another_one() -> None:
    with simulator.Server() as server:
        balance = Client(simulator.key_for("management"), base_url=server.base_url).balance()

        assert paths(server) == ONCE
    assert balance.spendable == 25
    assert balance.account is not None
    assert (balance.account.source, balance.account.key_label) == ("key", None)


def test_one_key_in_both_places_is_sent_once() -> None:
    key = simulator.key_for("management")
    with simulator.Server() as server:
        assert Client(key, management_key=key, base_url=server.base_url).balance().spendable == 25
        assert paths(server) == ONCE


def test_the_management_keys_answer_counts_where_the_key_itself_is_told_nothing(server: simulator.Server) -> None:
    account = "credit-below-limit"
    management = simulator.management_key_for(account)
    balance = Client(simulator.key_for(account), management_key=management, base_url=server.base_url).balance()

    assert (balance.spendable, balance.limited_by) == (Decimal("0.13"), "account_credit")
    assert balance.account is not None
    assert balance.account.source == "management_key"
    assert balance.account.key_label == f"{management[:12]}...{management[-3:]}"
    assert balance.account.disputed_by is None


def test_the_keys_own_answer_wins_over_another_accounts_management_key(server: simulator.Server) -> None:
    balance = Client(TOLD, management_key=MANAGEMENT, base_url=server.base_url).balance()

    assert balance.spendable == Decimal("0.13")
    assert balance.account is not None
    assert balance.account.source == "key"
    label = f"{MANAGEMENT[:12]}...{MANAGEMENT[-3:]}"
    assert balance.account.disputed_by == label
    [said] = [notice.text for notice in notices(balance, str) if label in notice.text]
    assert said == f"The management key {label} reports other purchases: it may belong to another account."


def test_two_keys_of_one_account_do_not_disagree(server: simulator.Server) -> None:
    management = simulator.management_key_for("credits-told")
    balance = Client(TOLD, management_key=management, base_url=server.base_url).balance()
    assert balance.account is not None
    assert (balance.account.source, balance.account.disputed_by) == ("key", None)


def test_a_management_key_is_believed_that_more_was_used_than_bought(server: simulator.Server) -> None:
    account = "credits-overused"
    management = simulator.management_key_for(account)
    balance = Client(simulator.key_for(account), management_key=management, base_url=server.base_url).balance()
    assert balance.level is Level.EXHAUSTED
    assert balance.spendable == 0


# Failures


@pytest.mark.parametrize("fault", ["error-500", "error-403", "html", "null", "error-401"])
def test_when_a_management_keys_credits_fail_the_balance_carries_the_account_error(
    fault: str, server: simulator.Server
) -> None:
    client = Client(KEY, management_key=simulator.key_for(fault), base_url=server.base_url, timeout=20)
    balance = client.balance()

    assert balance.spendable == Decimal("51.25")
    assert balance.account is None
    assert (balance.account_error or "").startswith("asked with the management key: ")


def test_a_management_keys_failure_is_no_error_where_the_key_itself_is_told(server: simulator.Server) -> None:
    balance = Client(TOLD, management_key=simulator.key_for("error-401"), base_url=server.base_url).balance()
    assert (balance.spendable, balance.account_error) == (Decimal("0.13"), None)


def test_a_management_key_without_a_limit_fails_when_credits_fail() -> None:
    with crediting(lambda *_: failing(403)) as server:
        with pytest.raises(KeyRefusedError):
            Client(simulator.key_for("management"), base_url=server.base_url).balance()
        limited = Client(simulator.key_for("management-limited"), base_url=server.base_url).balance()

    assert limited.spendable == 6
    assert (limited.account_error or "").startswith("asked with this key: ")


def test_a_management_key_with_only_shared_budgets_fails_when_credits_fail() -> None:
    budget = b'{"scope": "workspace", "limit_usd": 60, "remaining_usd": 50}'
    body = b'{"data": {"is_management_key": true, "limit": null, "budgets": [%s]}}' % budget

    def respond(request: simulator.Request, _: datetime) -> simulator.Response:
        is_credits = request.path.endswith("/credits")
        return failing(403) if is_credits else simulator.Response(200, {"Content-Type": "application/json"}, body)

    with simulator.Server(responder=respond) as server, pytest.raises(KeyRefusedError):
        Client(KEY, base_url=server.base_url).balance()


def test_a_management_keys_own_credits_are_retried_and_waited_for() -> None:
    with scripted(failing(503), failing(503), sending(100, 60)) as server:
        balance = Client(simulator.key_for("management"), base_url=server.base_url, timeout=60).balance()
        assert paths(server) == ["/credits"] * 3 + ["/key"]
    assert balance.spendable == 40


def test_an_ordinary_keys_credits_are_not_retried() -> None:
    with scripted(failing(503), sending(100, 60)) as server:
        client = Client(KEY, base_url=server.base_url)
        assert client.balance().account is None
        assert paths(server) == ONCE
        assert client.balance().account is not None  # a failure is not remembered


# Slow answers


def test_an_ordinary_keys_hanging_credits_do_not_use_up_the_timeout() -> None:
    with hanging() as server:
        balance = Client(TOLD, base_url=server.base_url, timeout=300).balance()  # longer than the test may take
    assert balance.spendable == Decimal("16.63")
    assert (balance.account, balance.account_error) == (None, None)


def test_a_management_keys_hanging_credits_do_not_fail_the_balance() -> None:
    with hanging() as server:
        balance = Client(KEY, management_key=MANAGEMENT, base_url=server.base_url, timeout=3).balance()

    assert balance.spendable == Decimal("51.25")
    assert "within 3 s" in (balance.account_error or "")


def test_a_management_keys_hanging_credits_are_not_waited_for_where_the_key_itself_is_told() -> None:
    with hanging(MANAGEMENT) as server:
        balance = Client(TOLD, management_key=MANAGEMENT, base_url=server.base_url, timeout=300).balance()
    assert (balance.spendable, balance.account_error) == (Decimal("0.13"), None)


def test_a_refused_key_does_not_wait_for_the_credit() -> None:
    with hanging() as server:
        client = Client(
            simulator.key_for("error-401"),
            management_key=simulator.key_for("management"),
            base_url=server.base_url,
            timeout=300,
        )
        with pytest.raises(KeyRefusedError):
            client.balance()


@pytest.mark.process
def test_abandoned_credits_leave_no_warning(bare_environ: dict[str, str]) -> None:
    environ = {name: value for name, value in bare_environ.items() if not name.startswith("COV")}
    with hanging() as server:
        program = [sys.executable, "-W", "always", "-m", "orcredit", "status", "-q"]
        variables = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
        done = subprocess.run(
            program, env=environ | variables, cwd=os.sep, capture_output=True, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What is remembered


@pytest.mark.parametrize("answer", [failing(401), failing(403), sending(0, 0), sending(0, 3.2)])
def test_a_refusal_and_zeros_are_remembered_for_an_hour(
    answer: simulator.Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(answer, answer, sending(100, 60)) as server:
        client = Client(KEY, base_url=server.base_url)
        for _ in range(3):
            assert client.balance().account is None
        assert paths(server) == ["/credits", "/key", "/key", "/key"]
        assert credit.REMEMBERED - 60 < client.credit_wait <= credit.REMEMBERED == 3600

        monkeypatch.setattr(credit, "REMEMBERED", 0.0)
        client.credit_wait = 0.0
        assert client.balance().account is None
        assert client.credit_wait == 0
        assert client.balance().account is not None


def test_another_client_does_not_share_it() -> None:
    with simulator.Server() as server:
        for key in (KEY, simulator.key_for("low"), KEY):
            Client(key, base_url=server.base_url).balance()
        assert paths(server) == ["/credits"] * 3 + ["/key"] * 3


def test_what_was_remembered_elsewhere_saves_the_request_of_an_ordinary_key_only() -> None:
    with simulator.Server() as server:
        for name in ("credits-told", "management"):
            client = Client(simulator.key_for(name), base_url=server.base_url)
            client.credit_wait = 1e9
            assert client.credit_wait <= credit.REMEMBERED
            assert (client.balance().account is None) == (name == "credits-told")
        assert paths(server) == ["/credits", "/key", "/key"]


def test_more_used_than_bought_is_asked_again() -> None:
    with scripted(sending(10, 12), sending(30, 12)) as server:
        client = Client(KEY, base_url=server.base_url)
        assert client.balance().account is None
        account = client.balance().account
    assert account is not None
    assert account.remaining == 18


@pytest.mark.parametrize("management", [None, MANAGEMENT])
def test_credits_are_not_requested_before_their_retry_after(management: str | None) -> None:
    with crediting(lambda *_: failing(429, Retry_After="3600")) as server:
        client = Client(KEY, management_key=management, base_url=server.base_url)
        first, second = client.balance(), client.balance()
        assert paths(server) == ["/credits"] * (1 if management is None else 2) + ["/key", "/key"]
    assert first.account_error == second.account_error
    assert ("asks to wait until 20" in (second.account_error or "")) == (management is not None)


@pytest.mark.parametrize("later", [failing(503), failing(403), sending(0, 0), sending(100, 101)])
def test_the_last_known_credit_is_kept_for_five_minutes(
    later: simulator.Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(sending(100, 60), later, later, later) as server:
        client = Client(KEY, base_url=server.base_url)
        first, second = client.balance(), client.balance()
        assert first.account is not None
        assert second.account is not None
        assert second.account.remaining == 40

        monkeypatch.setattr(credit, "KEPT", 0.0)
        assert client.balance().account is None


def test_a_management_keys_failure_is_an_error_when_its_last_credit_is_no_longer_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([sending(100, 60), failing(404), failing(404)])

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        is_managements = MANAGEMENT in request.headers["authorization"]
        return next(answers) if is_managements else simulator.respond(request, now)

    with crediting(respond) as server:
        client = Client(KEY, management_key=MANAGEMENT, base_url=server.base_url)
        first, second = client.balance(), client.balance()
        assert first.account is not None
        assert second.account is not None
        assert second.account.remaining == 40
        assert second.account_error is None

        monkeypatch.setattr(credit, "KEPT", 0.0)
        third = client.balance()
    assert third.account is None
    assert "404" in (third.account_error or "")


def test_a_management_key_without_a_limit_keeps_no_credit() -> None:
    with scripted(sending(100, 60), failing(403)) as server:
        client = Client(simulator.key_for("management"), base_url=server.base_url)
        assert client.balance().spendable == 40
        with pytest.raises(KeyRefusedError):
            client.balance()


def test_the_keys_own_late_answer_is_not_replaced_by_another_accounts() -> None:
    own = iter([sending(100, 60), failing(503), failing(503)])
    others = iter([sending(500, 1), sending(500, 1), sending(100, 61)])

    def respond(request: simulator.Request, _: datetime) -> simulator.Response:
        return next(others if MANAGEMENT in request.headers["authorization"] else own)

    with crediting(respond) as server:
        client = Client(KEY, management_key=MANAGEMENT, base_url=server.base_url)
        for _ in range(2):
            account = client.balance().account
            assert account is not None
            assert account.remaining == 40
            assert (account.source, account.disputed_by is None) == ("key", False)
        account = client.balance().account  # the same purchases: the same account, and newer
    assert account is not None
    assert account.remaining == 39
    assert (account.source, account.disputed_by) == ("management_key", None)
