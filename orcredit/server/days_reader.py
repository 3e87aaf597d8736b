"""Reads what every profile spent on each of the last 14 days, for the API: one query for all of them.

Today's is the larger of two amounts: what the history saw, which may have watched a part of the day only, and what
OpenRouter counted by the newest answer.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from orcredit.background import aside
from orcredit.server.envelope import ProfileDays, ProfilesDays
from orcredit.server.readings import no_history
from orcredit.server.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from orcredit.balance import Balance
    from orcredit.history import History
    from orcredit.server.readings import Readings

DAYS = 14

_KEPT_SECONDS = 60.0
"""An answer is given again for so long: with many profiles there is a poll every moment."""


class _Read(NamedTuple):
    """A reading: when it was made, the beginning of its first day, and the days by profile."""

    at: datetime
    since: datetime
    days: Mapping[str | None, Sequence[Decimal | None]]


class DaysReader:
    """Reads the history of all profiles.

    Args:
        history: where they are recorded; None where nothing is.
        keys: give the history's name for the key of each profile; None while there is no key.
        balance: gives the newest balance of a profile; None before the first.
        clock: the time of day; aware UTC.
        readings: does it.
        timer: monotonic seconds.
    """

    def __init__(
        self,
        history: History | None,
        keys: Mapping[str | None, Callable[[], str | None]],
        balance: Callable[[str | None], Balance | None],
        *,
        clock: Callable[[], datetime],
        readings: Readings,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._keys = keys
        self._balance = balance
        self._clock = clock
        self._readings = readings
        self._timer = timer
        self._began = -_KEPT_SECONDS
        """When the newest reading did, by the timer; requests that come while it lasts get its result."""
        self._kept: tuple[float, _Read] | None = None
        """The newest result, and when its reading began."""
        self._encoded: tuple[_Read, Sequence[Decimal | None], bytes] | None = None
        """The newest document, of that and of what OpenRouter counted today."""

    async def document(self) -> bytes:
        """Give a `ProfilesDays` as JSON: what the history saw is a minute old at most when its reading began, or when a
        late one ended.

        Raises:
            ProblemError: 404, no history is kept; 503, it does not answer in time.
            HistoryError: it cannot be used.
        """
        history = self._history
        if history is None:
            raise no_history()
        read = await self._recent(history)
        today = [self._today(name, read.since) for name in read.days]
        if self._encoded is None or self._encoded[0] is not read or self._encoded[1] != today:
            self._encoded = read, today, await aside(lambda: _encoded(read, today))
        return self._encoded[2]

    async def _recent(self, history: History) -> _Read:
        if self._timer() - self._began >= _KEPT_SECONDS:
            self._began = self._timer()
        began = self._began
        if self._kept is None or self._kept[0] < began:
            keys = {name: key() for name, key in self._keys.items()}
            read = await self._readings.result("days", began, lambda: self._read(history, keys))
            if self._kept is None or self._kept[0] < began:
                self._kept = began, read
            return read
        return self._kept[1]

    def _read(self, history: History, keys: Mapping[str | None, str | None]) -> _Read:
        now = self._clock()
        since, found = history.daily([key for key in keys.values() if key is not None], now, DAYS)
        unknown: Sequence[Decimal | None] = (None,) * DAYS
        days = {name: unknown if key is None else found.get(key, unknown) for name, key in keys.items()}
        return _Read(now, since, days)

    def _today(self, name: str | None, since: datetime) -> Decimal | None:
        """Give what OpenRouter counted on the last of the days; None where its newest answer is of another one."""
        balance = self._balance(name)
        if balance is None or balance.fetched_at.date() != (since + timedelta(days=DAYS - 1)).date():
            return None
        return balance.usage_daily


def _encoded(read: _Read, today: Sequence[Decimal | None]) -> bytes:
    profiles = tuple(
        ProfileDays(profile=name, days=(*days[:-1], larger(days[-1], counted)))
        for (name, days), counted in zip(read.days.items(), today, strict=True)
    )
    return to_json(ProfilesDays(since=read.since, until=read.at, profiles=profiles))


def larger(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Give the larger of two amounts, either of which may not be known."""
    return other if one is None else one if other is None else max(one, other)
