"""What every profile spent by day, for the API: one reading of the history, however many ask for it."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from orcredit.errors import HistoryError
from orcredit.history import History
from orcredit.server.days_reader import DaysReader
from orcredit.server.readings import Readings

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
    def __init__(self) -> None:
        self.seconds = 5.0
        self.history = Slow("sqlite://")
        self.reader = DaysReader(
            self.history, {"home": lambda: "key"}, lambda: NOW, Readings(), timer=lambda: self.seconds
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
