"""The time of an answer: by the `Date` header or by this machine's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import (
    AsyncClient,
    Client,
    simulator,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = simulator.key_for("normal")

pytestmark = pytest.mark.usefixtures("no_variables")


def dated(date: str | None) -> Callable[[simulator.Request, datetime], simulator.Response]:
    """Answer as OpenRouter does, with another Date header, or none."""

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        headers = {name: value for name, value in answer.headers.items() if name != "Date"}
        return simulator.Response(answer.status, headers | ({"Date": date} if date else {}), answer.body)

    return respond


@pytest.mark.parametrize("off", [timedelta(minutes=2), timedelta(hours=23), -timedelta(hours=23)])
def test_a_wrong_clock_is_corrected_by_the_date_header(off: timedelta) -> None:
    date = datetime.now(UTC).replace(microsecond=0) + off
    with simulator.Server(clock=lambda: date) as server:
        balance = Client(KEY, base_url=server.base_url).balance()

    assert balance.fetched_at == date
    assert balance.resets_at is not None
    assert (balance.resets_at - date).days < 31


@pytest.mark.parametrize("off", [timedelta(days=1, seconds=5), timedelta(days=400), -timedelta(days=400)])
def test_a_first_date_header_that_is_a_day_off_is_ignored(off: timedelta) -> None:
    before = datetime.now(UTC)
    with simulator.Server(clock=lambda: datetime.now(UTC) + off) as server:
        assert before <= Client(KEY, base_url=server.base_url).balance().fetched_at <= datetime.now(UTC)


def test_a_date_header_consistent_with_the_last_one_is_used_although_the_clock_was_changed() -> None:
    offsets = {"here": timedelta(0), "there": timedelta(0)}
    start = datetime.now(UTC).replace(microsecond=0)

    def fetched_at(here: int, there: int) -> timedelta:
        offsets.update(here=timedelta(days=here), there=timedelta(days=there))
        return asyncio.run(client.balance()).fetched_at - start

    with simulator.Server(clock=lambda: start + offsets["there"]) as server:
        client = AsyncClient(KEY, base_url=server.base_url)
        client._answers.now = lambda: start + offsets["here"]  # noqa: SLF001
        assert fetched_at(0, 0) == timedelta(0)
        assert fetched_at(here=300, there=0) == timedelta(0)  # the clock was set wrong
        assert fetched_at(here=300, there=7) == timedelta(300)  # nothing supports this date
        assert fetched_at(here=300, there=0) == timedelta(0)
        assert fetched_at(here=300, there=300) == timedelta(300)  # both agree
        assert fetched_at(here=0, there=300) == timedelta(300)


def test_a_date_header_that_contradicts_clock_and_last_answer_is_ignored() -> None:
    offset = timedelta(0)
    with simulator.Server(clock=lambda: datetime.now(UTC) + offset) as server:
        client = AsyncClient(KEY, base_url=server.base_url)
        for offset in (timedelta(0), timedelta(hours=20), timedelta(hours=-3), timedelta(0)):  # noqa: B007 - the clock reads it
            assert abs(asyncio.run(client.balance()).fetched_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_clock_is_used_again_after_a_wrong_first_date_header() -> None:
    offset = timedelta(hours=20)
    with simulator.Server(clock=lambda: datetime.now(UTC) + offset) as server:
        client = AsyncClient(KEY, base_url=server.base_url)
        assert asyncio.run(client.balance()).fetched_at > datetime.now(UTC) + timedelta(hours=19)
        offset = timedelta(0)
        assert abs(asyncio.run(client.balance()).fetched_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_clock_within_a_minute_of_the_date_header_is_used() -> None:
    before = datetime.now(UTC)
    with simulator.Server(clock=lambda: before - timedelta(seconds=20)) as server:
        assert Client(KEY, base_url=server.base_url).balance().fetched_at >= before


@pytest.mark.parametrize(
    "date",
    [
        None,
        "yesterday",
        "Thu, 32 Feb 2026 16:39:47 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "Thu, 12 Feb 99999999999999999999 16:39:47 GMT",
    ],
)
def test_a_missing_or_invalid_date_header_is_ignored(date: str | None) -> None:
    before = datetime.now(UTC)
    with simulator.Server(responder=dated(date)) as server:
        assert before <= Client(KEY, base_url=server.base_url).balance().fetched_at <= datetime.now(UTC)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_all_three_forms_of_http_dates_are_read(form: str) -> None:
    date = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    with simulator.Server(responder=dated(f"{date:{form}}")) as server:
        assert Client(KEY, base_url=server.base_url).balance().fetched_at == date
