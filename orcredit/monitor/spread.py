"""When polls of many pollers are due, so that they come evenly over the interval."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio are even for any number of them: a further one is between two others."""


def phase(number: int) -> float:
    """Return the part of the interval at which the n-th poller polls: from 0 to 1."""
    return number * _GOLDEN % 1.0


def spread(now: datetime, wait: timedelta, at: float) -> timedelta:
    """Return a wait that ends at a part of each interval, all of which began at the same time in 1970.

    Args:
        now: aware.
        wait: the length of an interval.
        at: the part of it; from 0 to 1.

    Returns:
        Half an interval to one and a half; usually one.
    """
    seconds = wait.total_seconds()
    left = (at * seconds - now.timestamp()) % seconds
    return timedelta(seconds=left if left >= seconds / 2 else left + seconds)
