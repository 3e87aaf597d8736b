"""What was seen of each key, kept in a database: its spend per interval, and what was left over time.

Spend is the increase of the all-time `usage`, which never resets: raised limits, new periods and missed polls do not
distort it. SQLite by default, PostgreSQL by URL; both hold the same tables.

The names below are imported on first use: `status` needs only modules of this package that do without SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orcredit.history.history import MOST_SAMPLES, History
    from orcredit.history.models import (
        CostlyDay,
        Counted,
        Interval,
        KeptEvent,
        KnownKey,
        Periods,
        PeriodStart,
        Recent,
        Reported,
        Sample,
        Timeline,
        Unwatched,
        as_csv,
    )
    from orcredit.history.schema import SCHEMA_VERSION
    from orcredit.history.spending import MOST_INTERVALS

__all__ = [
    "MOST_INTERVALS",
    "MOST_SAMPLES",
    "SCHEMA_VERSION",
    "CostlyDay",
    "Counted",
    "History",
    "Interval",
    "KeptEvent",
    "KnownKey",
    "PeriodStart",
    "Periods",
    "Recent",
    "Reported",
    "Sample",
    "Timeline",
    "Unwatched",
    "as_csv",
]

_MODULES = {
    "MOST_INTERVALS": "spending",
    "MOST_SAMPLES": "history",
    "History": "history",
    "SCHEMA_VERSION": "schema",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only on first use of a public name

    return getattr(import_module(f"orcredit.history.{_MODULES.get(name, 'models')}"), name)
