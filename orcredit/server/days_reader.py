"""Reads what every profile spent on each of the last 14 days, for the API: one query for all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orcredit.server.envelope import ProfileDays, ProfilesDays
from orcredit.server.readings import no_history
from orcredit.server.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from orcredit.history import History
    from orcredit.server.readings import Readings

DAYS = 14

_KEPT_SECONDS = 60.0
"""An answer is given again for so long: with many profiles there is a poll every moment."""


class DaysReader:
    """Reads the history of all profiles.

    Args:
        history: where they are recorded; None where nothing is.
        keys: give the history's name for the key of each profile; None while there is no key.
        clock: the time of day; aware UTC.
        readings: does it.
        timer: monotonic seconds.
    """

    def __init__(
        self,
        history: History | None,
        keys: Mapping[str | None, Callable[[], str | None]],
        clock: Callable[[], datetime],
        readings: Readings,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._keys = keys
        self._clock = clock
        self._readings = readings
        self._timer = timer
        self._began = -_KEPT_SECONDS
        """When the newest reading did, by the timer; requests that come while it lasts get its result."""
        self._kept: tuple[float, bytes] | None = None
        """The newest result, and when its reading began."""

    async def document(self) -> bytes:
        """Give a `ProfilesDays` as JSON, at most a minute old when its reading began, or when a late one ended.

        Raises:
            ProblemError: 404, no history is kept; 503, it does not answer in time.
            HistoryError: it cannot be used.
        """
        history = self._history
        if history is None:
            raise no_history()
        if self._timer() - self._began >= _KEPT_SECONDS:
            self._began = self._timer()
        began = self._began
        if self._kept is None or self._kept[0] < began:
            keys = {name: key() for name, key in self._keys.items()}
            body = await self._readings.result("days", began, lambda: self._read(history, keys))
            if self._kept is None or self._kept[0] < began:
                self._kept = began, body
            return body
        return self._kept[1]

    def _read(self, history: History, keys: Mapping[str | None, str | None]) -> bytes:
        now = self._clock()
        since, found = history.daily([key for key in keys.values() if key is not None], now, DAYS)
        unknown = (None,) * DAYS
        return to_json(
            ProfilesDays(
                since=since,
                until=now,
                profiles=tuple(
                    ProfileDays(profile=name, days=unknown if key is None else tuple(found.get(key, unknown)))
                    for name, key in keys.items()
                ),
            )
        )
