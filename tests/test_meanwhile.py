"""Work while waiting for a response: it starts after the request, ends with the response, and affects neither."""

from __future__ import annotations

import asyncio
import itertools
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from orcredit import Client, KeyRefusedError, simulator
from orcredit.blocking_client import ask
from orcredit.openrouter.meanwhile import Meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

LONG = 30.0
"""Seconds; reached only when a test fails."""


class Waiting:
    """An upstream that answers `/key` when `done` is set; `in_time` records whether it was set in time."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.done = threading.Event()
        self.in_time: list[bool] = []

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        if request.path.endswith("/key"):
            self.arrived.set()
            self.in_time.append(self.done.wait(LONG))
        return simulator.respond(request, now)


def client_of(server: simulator.Server, account: str = "normal") -> Client:
    return Client(simulator.key_for(account), base_url=server.base_url, timeout=LONG + 10)


def test_steps_are_taken_between_the_request_and_its_answer() -> None:
    waiting = Waiting()
    arrived_before: list[bool] = []

    def steps() -> Iterator[None]:
        for _ in range(3):
            arrived_before.append(waiting.arrived.wait(LONG))
            yield
        waiting.done.set()

    with simulator.Server(responder=waiting.respond) as server:
        balance = ask(client_of(server), meanwhile=steps())
    assert waiting.in_time == [True]  # the last step sets `done`, so the steps were taken before the response
    assert (
        arrived_before == [True] * 3
    )  # the request was sent before the first step, which blocks the thread that sends it
    assert balance.level == "ok"


def test_the_response_ends_the_steps() -> None:
    waiting = Waiting()
    taken = 0

    def endless() -> Iterator[None]:
        nonlocal taken
        for taken in itertools.count(1):
            if taken == 5:
                waiting.done.set()
            yield

    with simulator.Server(responder=waiting.respond) as server:
        client = client_of(server)
        ask(client, meanwhile=endless())
        so_far = taken
        client.balance()  # another poll takes none of these steps
    assert waiting.in_time == [True, True]
    assert taken == so_far >= 5


def test_a_failing_step_ends_the_steps_and_not_the_request() -> None:
    waiting = Waiting()

    def failing() -> Iterator[None]:
        yield
        waiting.done.set()
        raise ValueError("no such module")

    with simulator.Server(responder=waiting.respond) as server:
        assert ask(client_of(server), meanwhile=failing()).level == "ok"
    assert waiting.in_time == [True]


def test_ctrl_c_in_a_step_is_not_swallowed() -> None:
    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    waiting = Waiting()
    with simulator.Server(responder=waiting.respond) as server:
        with pytest.raises(KeyboardInterrupt):
            ask(client_of(server), meanwhile=interrupted())
        waiting.done.set()


def test_errors_are_the_same_as_without_steps(server: simulator.Server) -> None:
    with pytest.raises(KeyRefusedError):
        ask(client_of(server, "error-401"), meanwhile=iter(range(1000)))


def test_the_demo_takes_no_step() -> None:
    steps = iter(range(3))
    ask(Client.demo(), meanwhile=steps)
    assert list(steps) == [0, 1, 2]


def test_a_proxys_connect_begins_nothing_and_the_answers_head_ends_it() -> None:
    taken = 0

    def steps() -> Iterator[None]:
        nonlocal taken
        while True:
            taken += 1
            yield

    async def exchange() -> list[int]:
        seen = []
        with Meanwhile(steps()) as meanwhile:
            trace = meanwhile.extensions["trace"]
            for event, method in (
                ("http11.receive_response_headers.started", b"CONNECT"),
                ("http11.receive_response_headers.started", b"GET"),
                ("http11.receive_response_headers.started", b"GET"),
                ("http11.receive_response_headers.complete", None),
            ):
                await trace(event, {"request": SimpleNamespace(method=method)} if method else {"return_value": ()})
                before = taken
                for _ in range(5):
                    await asyncio.sleep(0)
                seen.append(taken - before)
        return seen

    none, some, as_many, none_any_more = asyncio.run(exchange())
    assert (none, none_any_more) == (0, 0)
    assert 0 < as_many <= some + 1  # one chain, not two
