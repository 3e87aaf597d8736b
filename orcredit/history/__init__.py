"""What was seen of each key, kept in a database: its spend per interval, and what was left over time.

Spend is the increase of the all-time `usage`, which never resets: raised limits, new periods and missed polls do not
distort it. SQLite by default, PostgreSQL by URL; both hold the same tables.
"""

from __future__ import annotations

from orcredit.history.history import MOST_INTERVALS, MOST_SAMPLES, History
from orcredit.history.models import Interval, KnownKey, Recent, Sample, as_csv
from orcredit.history.schema import SCHEMA_VERSION

__all__ = [
    "MOST_INTERVALS",
    "MOST_SAMPLES",
    "SCHEMA_VERSION",
    "History",
    "Interval",
    "KnownKey",
    "Recent",
    "Sample",
    "as_csv",
]
