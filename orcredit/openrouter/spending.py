"""What a whole account spent lately, day by day: the request, and what is made of the answer.

It is sent beside `/key`, so this module imports nothing that is not loaded by then, and makes the JSON without `json`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from orcredit.openrouter.api import Call

if TYPE_CHECKING:
    from pydantic import SecretStr

    from orcredit.openrouter.account_wire import AnalyticsData

Days: TypeAlias = tuple[tuple[datetime, Decimal], ...]
"""The beginnings of UTC days, aware, and USD of credit spent in each."""

_DAY = timedelta(days=1)


def spending_call(secret: SecretStr, now: datetime) -> Call[AnalyticsData]:
    """Make the request for what was spent in the current UTC week and month, by day; it is not retried.

    Args:
        secret: a management key.
        now: aware UTC; it may be wrong by a day, as OpenRouter's clock is not known yet.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    earliest = midnight - _DAY
    start = min(earliest - timedelta(days=earliest.weekday()), earliest.replace(day=1))
    body = (
        '{"metrics": ["credits_usage"], "granularity": "day", '
        f'"time_range": {{"start": "{start:%Y-%m-%dT%H:%M:%SZ}", "end": "{midnight + 2 * _DAY:%Y-%m-%dT%H:%M:%SZ}"}}, '
        '"order_by": {"field": "credits_usage", "direction": "desc"}, "limit": 1000}'
    )
    return Call("/analytics/query", _analytics_data, secret, body.encode(), is_retried=False)


def spent_by_day(data: AnalyticsData) -> Days | None:
    """Return the days of an answer; None where some are missing (`truncated`)."""
    if data.metadata.truncated:
        return None
    return tuple(
        (row.start, row.credits_usage) for row in data.data if row.start is not None and row.credits_usage is not None
    )


def _analytics_data() -> type[AnalyticsData]:
    from orcredit.openrouter.account_wire import AnalyticsData  # noqa: PLC0415 - once there is a response

    return AnalyticsData
