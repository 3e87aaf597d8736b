"""When OpenRouter answered: by this machine's clock, or by the answer's Date header where the clock is wrong."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK_TOLERANCE = timedelta(seconds=60)
"""How far this machine's clock may be off; less is the answer's way here and the header's whole seconds."""

DATE_TOLERANCE = timedelta(days=1)
"""A Date header that is so far from this machine's clock, and from the last answer, is a mistake or an attack."""


def utc_now() -> datetime:
    """Give the time of day, aware, in UTC."""
    return datetime.now(UTC)


class AnswerClock:
    """Chooses the times of answers.

    Args:
        now: the time of day by this machine; aware UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self._last: tuple[datetime, float] | None = None
        """When OpenRouter answered last, as far as its Date header was believed; and the monotonic clock then."""

    def time_of(self, date: datetime | None) -> datetime:
        """Choose the time of an answer that has just come, aware UTC, given its Date header."""
        clock, now = self.now(), time.monotonic()
        known = [clock]
        if self._last is not None:
            answered_at, at = self._last
            with suppress(OverflowError):  # at the end of the calendar
                known.append(answered_at + timedelta(seconds=now - at))
        if date is None or all(abs(date - instant) >= DATE_TOLERANCE for instant in known):
            return clock
        # Between a clock that is wrong and a header that is, the last answer decides.
        is_clock_right = len(known) > 1 and abs(clock - known[1]) <= CLOCK_TOLERANCE
        chosen = clock if is_clock_right or abs(date - clock) <= CLOCK_TOLERANCE else date
        self._last = chosen, now
        return chosen
