"""The client: answers at the limits of what is read, in a host program, in threads and in event loops."""

from __future__ import annotations

import asyncio
import decimal
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, Client, KeyRefusedError, Level, NonsenseError, simulator
from tests.broken_server import BrokenServer

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = simulator.key_for("normal")

pytestmark = pytest.mark.usefixtures("no_variables")


def answering(data: str) -> Callable[[simulator.Request, datetime], simulator.Response]:
    body = f'{{"data": {data}}}'.encode()

    def respond(_: simulator.Request, __: datetime) -> simulator.Response:
        return simulator.Response(200, {"Content-Type": "application/json"}, body)

    return respond


@pytest.mark.parametrize(
    "data",
    [
        '{"limit": null, "usage": 1e99999999999999999999}',
        '{"limit": null, "usage": 1e-99999999999999999999}',
        f'{{"limit": {"9" * 5000}}}',
        f'{{"limit": {"[" * 100_000}',
        '{"limit": null, "expires_at": "0001-01-01T00:00:00+14:00"}',
        '{"limit": null, "free_model_daily_requests": {"used": 3.5}}',
        '{"limit": null, "free_model_daily_requests": {"used": 1e16}}',
        '{"limit": null, "free_model_daily_requests": {"used": 1e30000000}}',
        f'{{"limit": null, "free_model_daily_requests": {{"used": -{"9" * 4000}}}}}',
    ],
)
def test_numbers_and_nesting_out_of_range_are_nonsense_errors(data: str) -> None:
    with simulator.Server(responder=answering(data)) as server, pytest.raises(NonsenseError):
        Client(KEY, base_url=server.base_url).balance()


def test_a_whole_number_may_have_a_decimal_point() -> None:
    with simulator.Server(
        responder=answering('{"limit": null, "free_model_daily_requests": {"used": 36.0}}')
    ) as server:
        requests = Client(KEY, base_url=server.base_url).balance().free_requests
    assert requests is not None
    assert requests.used == 36


def test_a_long_label_is_truncated() -> None:
    with simulator.Server(responder=answering(f'{{"limit": null, "label": "{"x" * 100_000}"}}')) as server:
        label = Client(KEY, base_url=server.base_url).balance().key.label
    assert label == "x" * 200


def test_the_old_management_flag_is_read_where_the_new_one_is_null() -> None:
    flags = '"is_management_key": null, "is_provisioning_key": true'
    answer = f'{{"limit": null, {flags}, "total_credits": 5, "total_usage": 1}}'
    with simulator.Server(responder=answering(answer)) as server:
        balance = Client(KEY, base_url=server.base_url).balance()
    assert balance.spendable == 4


def test_the_host_programs_decimal_context_does_not_affect_the_demo() -> None:
    with decimal.localcontext(prec=3, traps=dict.fromkeys(decimal.getcontext().traps, True)):
        assert Client.demo(clock=lambda: simulator.DEMO_INSTANT).balance().spendable == Decimal("158.61")


def test_thresholds_may_be_one_string() -> None:
    def at_sample() -> datetime:
        return simulator.DEMO_INSTANT

    assert Client.demo(warn_below="15", clock=at_sample).balance().level is Level.OK
    assert Client.demo(warn_below="1%,$200", clock=at_sample).balance().level is Level.LOW


# Threads and event loops


def test_it_works_inside_a_running_event_loop(server: simulator.Server) -> None:
    async def cell() -> Level:
        return Client(KEY, base_url=server.base_url).balance().level

    assert asyncio.run(cell()) is Level.OK


def test_it_raises_its_errors_inside_a_running_event_loop(server: simulator.Server) -> None:
    async def cell() -> None:
        Client(simulator.key_for("error-401"), base_url=server.base_url).balance()

    with pytest.raises(KeyRefusedError):
        asyncio.run(cell())


def test_one_client_can_be_used_by_several_threads_and_loops(server: simulator.Server) -> None:
    client = AsyncClient(KEY, base_url=server.base_url)
    levels: list[Level] = []
    ask: Callable[[], object] = lambda: levels.append(asyncio.run(client.balance()).level)  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert levels == [Level.OK] * 4


def test_a_poll_can_be_cancelled() -> None:
    async def impatient(url: str) -> None:
        client = AsyncClient(KEY, management_key=simulator.key_for("management"), base_url=url, timeout=60)
        async with asyncio.timeout(0.2):
            await client.balance()

    with BrokenServer("hang") as server, pytest.raises(TimeoutError):
        asyncio.run(impatient(server.base_url))


def test_both_clients_give_the_same_balance(server: simulator.Server) -> None:
    ours = Client(KEY, base_url=server.base_url).balance()
    theirs = asyncio.run(AsyncClient(KEY, base_url=server.base_url).balance())
    changing = {"fetched_at": None, "pace": None, "budgets": ()}  # the forecasts depend on the time
    assert ours.model_copy(update=changing) == theirs.model_copy(update=changing)


def test_the_demo_needs_no_key_and_shows_the_sample_at_its_instant() -> None:
    balance = Client.demo(warn_below=["$200"], clock=lambda: simulator.DEMO_INSTANT).balance()

    assert (balance.spendable, balance.key.label) == (Decimal("158.61"), "demo (simulated)")
    assert balance.fetched_at == datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
    assert balance.level is Level.LOW


def test_the_demos_clock_is_the_real_one() -> None:
    before = datetime.now(UTC)
    balance = Client.demo().balance()

    assert before <= balance.fetched_at <= datetime.now(UTC)
    spent = (simulator.demo_usage(now).month for now in (before, balance.fetched_at))
    assert balance.remaining is not None
    assert next(spent) <= 500 - balance.remaining <= next(spent)
