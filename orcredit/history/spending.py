"""What was spent, of a history: by intervals, lately, and hour by hour."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from orcredit.errors import UsageError
from orcredit.history.combined import KeyRuns, combine, covered, spent_by_bucket
from orcredit.history.days import edges, spend_by_day
from orcredit.history.models import Interval, Recent
from orcredit.history.opened import Opened
from orcredit.history.queries import (
    account_pace,
    first_and_last,
    horizon,
    intervals,
    is_later,
    known_runs,
    last_runs_by_bucket,
    usages,
    watched_buckets,
)
from orcredit.history.recent import counted_by_calendar, first_needed, recent_spend
from orcredit.history.reported import Row, keys_reported, store
from orcredit.history.schema import DAY, HOUR, REPORTED_SINCE, VERSIONS, WEEK, to_instant, to_usd
from orcredit.history.seen import to_grains
from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from orcredit.history.models import Reported

MOST_INTERVALS = 100_000
"""Of one question: ten years by the hour. Larger numbers are mistakes and would fill the memory."""


class Spending(Opened):
    """The methods of `History` about what was spent."""

    def check_writable(self) -> None:
        """Bring the tables up to date, so that what is wrong with the database is known before anything is asked.

        Raises:
            HistoryError: the database cannot be written.
        """
        with self._writing() as connection:
            # A read-only database refuses this, and not the beginning of the transaction.
            connection.execute(sa.update(VERSIONS).values(version=VERSIONS.c.version))

    def fill(self, key: str, since: datetime, until: datetime, spent: Sequence[Reported]) -> None:
        """Store what OpenRouter reported of a time afterwards, in place of what it had reported of it before.

        What was seen is not changed and wins: of what was reported counts what lies in times without polls. Amounts
        that were reported before stay where the new report has none at all.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware; a whole second.
            until: aware; a whole second, after `since`.
            spent: within that time, without an overlap; in the rest of it nothing was spent.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        rows = [Row(int(one.start.timestamp()), int(one.end.timestamp()), to_grains(one.spend) or 0) for one in spent]
        with self._writing() as connection:
            store(connection, key, int(since.timestamp()), int(until.timestamp()), rows)

    def spend(self, key: str, since: datetime, until: datetime, every: timedelta) -> list[Interval]:
        """Return what was spent in each interval, oldest first: the increases of usage since each baseline.

        The intervals begin at UTC multiples of `every` and cover `since` to `until`, without the time before the key
        was first seen and after it was last seen. What was reported counts where it was not seen (`combined.py`).

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware.
            until: aware.
            every: whole seconds.

        Raises:
            UsageError: `since` is not before `until`, an interval is not whole seconds, or there are too many.
            HistoryError: the database cannot be used.
        """
        width = every // timedelta(seconds=1)
        if width < 1 or every.microseconds or since >= until:
            raise UsageError(
                "The intervals (--every) and the time to look back (--since) are whole seconds, at least one.",
                hint="See 'orcredit history --help'.",
            )
        # The moment between two intervals belongs to the later one, spend that was seen at it to the earlier one.
        wanted = range(int(since.timestamp()) // width, (math.ceil(until.timestamp()) - 1) // width + 1)
        if len(wanted) > MOST_INTERVALS:
            raise UsageError(
                f"These are {len(wanted):,} intervals; at most {MOST_INTERVALS:,} are possible.",
                hint="Use a shorter --since or a longer --every.",
            )
        with self._reading() as connection:
            known = known_runs(key, until)
            if connection is None:
                return []
            seen = first_and_last(connection, known)
            of = KeyRuns(key, known, seen)
            spent, combined = spent_by_bucket(connection, of, wanted, width)
            times = covered(seen, combined)
            edges = [*(seen or ()), *((combined.whole[0], combined.whole[1] - 1) if combined is not None else ())]
            if not edges:
                return []
            runs = connection.execute(last_runs_by_bucket(known, wanted, width)).all()
            first = max(wanted.start, min([edges[0] // width, edges[-2] // width, *spent]))
            last = min(wanted.stop - 1, max([edges[1] // width, edges[-1] // width, *spent]))
            # An interval that is still running, and in which the key was seen lately, is not half watched.
            if times and not is_later(math.ceil(until.timestamp()), times[-1][1]):
                times[-1] = (times[-1][0], max(times[-1][1], (last + 1) * width))
            return list(intervals(range(first, last + 1), width, spent, runs, times or [(edges[0], edges[0])]))

    def hourly(self, key: str, until: datetime, hours: int) -> list[Decimal | None]:
        """Return what was spent in each of the last full hours, oldest first; None where that is not known.

        Spend between two polls that are at most a day apart is divided evenly: a computer that sleeps at night is no
        reason to take the night for free, as it would be if only its idle nights counted as known. Of longer gaps in
        which something was spent nothing is known, and of the time before the first and after the last poll, but where
        it was reported by the hour. What was reported of whole days says nothing about their hours.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            until: aware; the last hour is the one that ends at its hour or before.
            hours: how many.

        Raises:
            HistoryError: the database cannot be used.
        """
        end = int(until.timestamp()) // HOUR
        wanted = range(end - hours, end)
        found: list[Decimal | None] = [None] * hours
        with self._reading() as connection:
            known = known_runs(key, until)
            if connection is None:
                return found
            seen = first_and_last(connection, known)
            of = KeyRuns(key, known, seen)
            spent, combined = spent_by_bucket(connection, of, wanted, HOUR, longest_gap=DAY, longest_report=HOUR)
            for time in covered(seen, combined):
                for hour in watched_buckets(time, wanted, HOUR):
                    found[hour - wanted.start] = ZERO
            for hour, one in spent.items():
                place = hour - wanted.start
                if found[place] is not None:
                    found[place] = None if one.is_estimated else to_usd(one.spend)
        return found

    def daily(
        self, keys: Iterable[str], until: datetime, days: int
    ) -> tuple[datetime, dict[str, list[Decimal | None]]]:
        """Return what many keys spent on each of the last UTC days, the present one last: like `spend`, but quicker.

        It is None for a day on which a key was not watched, unless its usage was the same before and after.

        Args:
            keys: as `orcredit.config.credentials.fingerprint` returns them.
            until: aware.
            days: how many.

        Returns:
            When the first day began; and the days by key, without keys that were not seen.

        Raises:
            HistoryError: the database cannot be used.
        """
        instants = edges(int(until.timestamp()), days)
        since = to_instant(instants[0])
        with self._reading() as connection:
            if connection is None or self._version(connection) == 1:  # without a table of keys
                return since, {}
            keys = list(keys)
            found, others, unseen = spend_by_day(connection, keys, instants, horizon(until))
            others |= keys_reported(connection, keys, instants[0])
            # What was reported of the beginning of a time without polls says how much of it is left for these days.
            others |= keys_reported(connection, unseen.keys() - others, min(unseen.values(), default=0))
            is_reported = self._version(connection) >= REPORTED_SINCE
            known = known_runs("", until)
            for key in others:
                of = KeyRuns(key, known, first_and_last(connection, known, key), is_reported)
                found[key] = _days_of(connection, of, instants)
        return since, found

    def recent(self, key: str, now: datetime) -> Recent:
        """Return what was spent in the last hour, day and week.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            now: aware.

        Raises:
            HistoryError: the database cannot be used.
        """
        second = int(now.timestamp())
        with self._reading() as connection:
            known = known_runs(key, now)
            if connection is None:
                return Recent()
            seen = first_and_last(connection, known)
            of = KeyRuns(key, known, seen)
            combined = combine(connection, of, first_needed(now, seen), second + 1)
            first = min([*(seen or ())[:1], *(combined.whole if combined is not None else ())[:1]], default=None)
            if first is None:
                return Recent()
            has_calendar = seen is not None and self._version(connection) > 2
            counted = counted_by_calendar(connection, key, known, now, combined) if has_calendar else {}
            return Recent(
                **recent_spend(connection, known, second, seen, combined),
                **counted,
                account_per_day=account_pace(connection, known, second - WEEK),
                since=to_instant(first),
                until=None if seen is None else to_instant(seen[1]),
            )

    def usages(self, key: str, since: datetime, now: datetime) -> list[tuple[datetime, Decimal]]:
        """Return when which all-time usage (USD) was seen, in the order of recording.

        Each run yields its start, or `since`, and its end.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware.
            now: aware.

        Raises:
            HistoryError: the database cannot be used.
        """
        start = int(since.timestamp())
        with self._reading() as connection:
            if connection is None:
                return []
            runs = connection.execute(usages(known_runs(key, now), start)).all()
        return [
            (to_instant(at), to_usd(run.usage)) for run in runs for at in (max(run.started_at, start), run.ended_at)
        ]


def _days_of(connection: sa.Connection, of: KeyRuns, instants: Sequence[int]) -> list[Decimal | None]:
    """Return what a key spent on days, from each of these instants to the next; None where that is not known."""
    days = range(instants[0] // DAY, instants[-1] // DAY)
    spent, combined = spent_by_bucket(connection, of, days, DAY)
    times = covered(of.seen, combined)
    return [
        to_usd(spent[day].spend if day in spent else 0)
        if day in spent or any(start < (day + 1) * DAY and max(end, start + 1) > day * DAY for start, end in times)
        else None
        for day in days
    ]
