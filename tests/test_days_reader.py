"""What every profile spent by day, for the API: one reading of the history, however many ask for it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from orcredit.errors import HistoryError
from orcredit.history import History
from orcredit.server.days_reader import DaysReader
from orcredit.server.problems import ProblemError
from orcredit.server.readings import Readings
from tests.balances import balance

if TYPE_CHECKING:
    from orcredit.balance import Balance

NOW = datetime(2026, 3, 15, 9, 30, tzinfo=UTC)


class Slow(History):
    """A history that takes its time, fails once if it is to, and counts how often it is asked."""

    asked = 0
    fails = False

    def daily(self, *arguments: Any) -> Any:  # noqa: ANN401 - as of `History`
        self.asked += 1
        time.sleep(0.1)
        if self.fails:
            self.fails = False
            raise HistoryError("no", public="no")
        return super().daily(*arguments)


class Story:
    def __init__(self, history: Slow | None = None, readings: Readings | None = None) -> None:
        self.seconds = 5.0
        self.balance: Balance | None = None
        self.history = history or Slow("sqlite://")
        self.reader = DaysReader(
            self.history,
            {"home": lambda: "key"},
            lambda _: self.balance,
            clock=lambda: NOW,
            readings=readings or Readings(),
            timer=lambda: self.seconds,
        )

    async def ask(self) -> list[dict[str, Any]]:
        profiles: list[dict[str, Any]] = json.loads(await self.reader.document())["profiles"]
        return profiles


def test_those_who_ask_at_once_and_within_a_minute_share_a_reading() -> None:
    async def story() -> None:
        test = Story()

        async def ask_later() -> None:
            await asyncio.sleep(0.02)
            test.seconds += 1
            await test.ask()

        first, *_ = await asyncio.gather(test.ask(), *(ask_later() for _ in range(9)))
        assert first == [{"profile": "home", "days": [None] * 14}]
        test.seconds += 40
        await test.ask()
        assert test.history.asked == 1
        test.seconds += 20
        await asyncio.gather(test.ask(), test.ask())
        assert test.history.asked == 2

    asyncio.run(story())


def test_a_reading_that_failed_is_done_again_for_the_next_who_asks() -> None:
    async def story() -> None:
        test = Story()
        test.history.fails = True
        with pytest.raises(HistoryError):
            await test.ask()
        assert len(await test.ask()) == 1

    asyncio.run(story())


def test_a_reading_that_takes_too_long_goes_on_for_the_next_who_asks() -> None:
    """Also after a minute, when another would begin."""
    ends, begun = threading.Event(), 0

    class Hanging(Slow):
        def daily(self, *arguments: Any) -> Any:  # noqa: ANN401 - as of `History`
            nonlocal begun
            begun += 1
            ends.wait(30)
            return super().daily(*arguments)

    async def story() -> None:
        test = Story(Hanging("sqlite://"), Readings(timeout=0.05))
        for _ in range(3):
            with pytest.raises(ProblemError) as caught:
                await test.ask()
            assert caught.value.status_code == 503
            test.seconds += 50
        ends.set()
        while test.history.asked < 1 or not await is_answered(test):
            pass
        assert begun == 1

    async def is_answered(test: Story) -> bool:
        try:
            await test.ask()
        except ProblemError:
            return False
        return True

    asyncio.run(story())


def test_a_late_reading_that_failed_is_done_again() -> None:
    ends = threading.Event()

    def fail() -> bytes:
        ends.wait(30)
        raise HistoryError("no", public="no")

    async def story() -> None:
        readings = Readings(timeout=0.05)
        with pytest.raises(ProblemError):
            await readings.result("it", 1, fail)
        ends.set()
        while True:
            try:
                assert await readings.result("it", 2, lambda: b"read") == b"read"
                break
            except (HistoryError, ProblemError):  # the late one had not ended yet
                continue

    asyncio.run(story())


def test_today_is_at_least_what_openrouter_counted_today() -> None:
    def counted(usd: str | None, at: datetime = NOW) -> Balance:
        daily = None if usd is None else Decimal(usd)
        return balance(at, 100).model_copy(update={"usage_daily": daily})

    async def story() -> None:
        test = Story()
        test.history.record_each([("key", balance(NOW - timedelta(hours=2), 10), None)])
        test.history.record_each([("key", balance(NOW - timedelta(hours=1), 12), None)])

        async def today() -> float | None:
            days: list[float | None] = (await test.ask())[0]["days"]
            assert days[:-1] == [None] * 13
            return days[-1]

        assert await today() == 2
        test.balance = counted("12.3")
        assert await today() == 12.3
        test.balance = counted("1")
        assert await today() == 2
        test.balance = counted("12.3", NOW - timedelta(days=1))
        assert await today() == 2
        test.balance = counted(None)
        assert await today() == 2
        assert test.history.asked == 1

    asyncio.run(story())
