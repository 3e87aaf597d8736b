"""`History`: a database of runs, opened for each call."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.errors import UsageError
from orcredit.history.costly import BEFORE, costly_days, passed_at
from orcredit.history.events import add as add_events
from orcredit.history.events import kept as kept_events
from orcredit.history.gaps import gaps
from orcredit.history.models import (
    CostlyDay,
    KeptEvent,
    KnownKey,
    Periods,
    Sample,
    Timeline,
    Unwatched,
)
from orcredit.history.queries import (
    known_runs,
)
from orcredit.history.record import store
from orcredit.history.resets import resets
from orcredit.history.samples import points, points_at
from orcredit.history.schema import (
    EVENTS_SINCE,
    KEYS,
    VERSIONS,
    keys_in_runs,
    to_instant,
    to_usd,
)
from orcredit.history.seen import LAST_SECOND, seen_in
from orcredit.history.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from orcredit.balance import Balance
    from orcredit.history.seen import Batch, Seen

MOST_SAMPLES = 5000
"""Of one question: more than any screen has columns."""

MOST_GAPS = 200
"""Of one question."""


_OF_KEYS = ("fingerprint", "label", "profile", "first_seen_at", "last_seen_at")
"""Columns that the table of keys has in every version that has it."""


class History(Spending):
    """Samples of keys in a database.

    A connection is opened for each call and closed after it: calls are a minute apart, and a connection kept between
    them could go stale, or keep using a file that was moved away. So there is nothing to reconnect, and threads may
    share a history. (One in memory has a single connection, for which threads wait.) Used as a context manager, it is
    closed at the end.

    Every page of a SQLite file is checked before its first use: a damaged file is not written to.

    Every method that uses the database raises `HistoryError` when it cannot be used, within seconds.

    Args:
        url: a database as SQLAlchemy writes it; None is `history.db` in the user's data directory.

    Raises:
        UsageError: not such a URL.
        ConfigurationError: its driver is not installed.
    """

    def record(self, key: str, balance: Balance, *, label: str | None = None, profile: str | None = None) -> None:
        """Store what a balance says, at the time when OpenRouter said it.

        The same numbers as the key's newest run move that run's end, but not across two and a half hours without polls.
        A lower usage is an older answer from a cache and
        is dropped, until five minutes after the higher one was last seen: then it is a correction and begins a new
        baseline. A balance that could not be renewed or has no usage is dropped, too. Samples are in the order in which
        they are recorded: where one is earlier by more than an hour than the newest run, that run's time was ahead and
        is corrected, unless this sample is behind.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            balance: what was seen.
            label: of the key; None takes `balance.key.label`, and keeps the stored one where that is None, too.
            profile: the name of the key's profile; None keeps the stored one.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        self.record_all(key, [balance], label=label, profile=profile)

    def record_all(
        self, key: str, balances: Iterable[Balance], *, label: str | None = None, profile: str | None = None
    ) -> None:
        """Store what many balances say, as if each had been recorded alone, but in one transaction.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            balances: what was seen, oldest first.
            label: as in `record`.
            profile: as in `record`.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        seen, reported = [], None
        for balance in balances:
            if (each := seen_in(balance)) is not None:
                seen.append(each)
                reported = balance.key.label or reported
        self.record_seen(key, seen, label=label or reported, profile=profile)

    def record_seen(
        self, key: str, seen: Sequence[Seen], *, label: str | None = None, profile: str | None = None
    ) -> None:
        """Do what `record_all` does with what `orcredit.history.seen.seen_in` returned for balances.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        if seen:
            with self._writing() as connection:
                store(connection, key, seen, label=label, profile=profile)

    def record_each(self, balances: Iterable[tuple[str, Balance, str | None]]) -> None:
        """Store what balances of several keys say, as if each had been recorded alone, but in one transaction.

        Args:
            balances: each with its key before it, and the name of the key's profile after it, as in `record`.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        seen = [
            (key, each, balance.key.label, profile) for key, balance, profile in balances if (each := seen_in(balance))
        ]
        if seen:
            with self._writing() as connection:
                for key, each, label, profile in seen:
                    store(connection, key, [each], label=label, profile=profile)

    def take_in(self, read: Callable[[], Iterable[Batch]]) -> None:
        """Store samples that were kept elsewhere until now, in one transaction; the same ones again change nothing.

        Samples that are not newer than the key's newest run are dropped: recorded after it they would count its spend
        twice, and it includes theirs.

        Args:
            read: gives the samples; called only once the database can be written.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        with self._writing() as connection:
            # A read-only database refuses this, and not the beginning of the transaction.
            connection.execute(sa.update(VERSIONS).values(version=VERSIONS.c.version))
            for batch in read():
                store(connection, batch.key, batch.seen, label=batch.label, profile=None, only_newer=True)

    def known_keys(self) -> list[KnownKey]:
        """List the keys that were recorded, the last seen first.

        Raises:
            HistoryError: the database cannot be used.
        """
        with self._reading() as connection:
            if connection is None:
                return []
            has_keys = self._version(connection) > 1
            names = sa.select(*(KEYS.c[name] for name in _OF_KEYS))
            rows = [row._asdict() for row in connection.execute(names if has_keys else keys_in_runs())]
        rows.sort(key=lambda row: (-row["last_seen_at"], row["fingerprint"]))
        return [
            KnownKey(
                fingerprint=row["fingerprint"],
                label=row.get("label"),
                profile=row.get("profile"),
                first_seen=to_instant(row["first_seen_at"]),
                last_seen=to_instant(row["last_seen_at"]),
            )
            for row in rows
        ]

    def samples(self, key: str, since: datetime | None, until: datetime, most: int) -> list[Sample]:
        """Return what could be spent over time, oldest first: at most `most` samples, each of which was seen.

        Each run yields its start and its end, so that it is drawn as a flat line; one that reaches beyond `since` or
        `until` is cut off there. Of the time between two runs nothing is known. There is one sample per second at most,
        with the last numbers of that second.

        If there are more than `most`, the time is divided into equal parts. The first and the last sample are kept, and
        of each part the highest and the lowest `spendable` (no limit is the highest): these are the low before a reset
        and the jump after it, wherever they are in their part. Of equal ones the first highest and the last lowest are
        kept, so that idle time stays flat and jumps stay steep.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware; None for all that was seen.
            until: aware.
            most: 2 to `MOST_SAMPLES`.

        Raises:
            UsageError: `since` is not before `until`, or `most` is out of range.
            HistoryError: the database cannot be used.
        """
        start, end = _span(since, until, most)
        with self._reading() as connection:
            if connection is None or start > end:
                return []
            return _samples(points(connection, known_runs(key, until), start, end, most))

    def timeline(
        self,
        key: str,
        since: datetime,
        until: datetime,
        most: int,
        *,
        narrowest: timedelta,
        is_watched: bool,
        periods: Periods,
    ) -> Timeline:
        """Return what was left over time, the times without polls, and when budgets began new periods.

        The samples are those of `samples`, and those at the edges of each gap; none is within a gap. `gaps.py` says
        what a gap is, `resets.py` how resets are found.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware.
            until: aware.
            most: samples beside those at the edges of gaps; 2 to `MOST_SAMPLES`.
            narrowest: gaps that are not longer are left out.
            is_watched: whether the key is watched at `until`, so that the time since the last sample is no gap.
            periods: what the latest balance says of the budgets' periods.

        Returns:
            At most the longest `MOST_GAPS` gaps and the newest `resets.MOST` resets.

        Raises:
            UsageError: `since` is not before `until`, or `most` is out of range.
            HistoryError: the database cannot be used.
        """
        start, end = _span(since, until, most)
        with self._reading() as connection:
            if connection is None or start > end:
                return Timeline((), (), ())
            known = known_runs(key, until)
            width = math.ceil(narrowest.total_seconds())
            found = gaps(connection, known, start, end, narrowest=width, is_watched=is_watched)
            shown = sorted(sorted(found, key=lambda gap: gap[0] - gap[1])[:MOST_GAPS])
            rows = list(points(connection, known, start, end, most))
            edges = {second for gap in shown for second in gap if start <= second <= end}
            rows += points_at(connection, known, sorted(edges))
            events_of = key if self._version(connection) >= EVENTS_SINCE else None
            begun = resets(connection, known, start, end, periods=periods, events_of=events_of)
        return Timeline(
            samples=_samples(sorted(rows, key=lambda row: (row.at, row.number))),
            gaps=[Unwatched(to_instant(start), to_instant(end)) for start, end in shown],
            resets=begun,
        )

    def unwatched(self, key: str, since: datetime, until: datetime, least: timedelta) -> list[Unwatched]:
        """Return the times without polls that ended, oldest first, cut off at `since`.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware.
            until: aware.
            least: how long each is.

        Raises:
            HistoryError: the database cannot be used.
        """
        start, end, width = int(since.timestamp()), int(until.timestamp()), math.ceil(least.total_seconds()) - 1
        with self._reading() as connection:
            if connection is None:
                return []
            found = gaps(connection, known_runs(key, until), start, end, narrowest=width, is_watched=True)
        return [Unwatched(to_instant(start), to_instant(end)) for start, end in found]

    def costly_days(self, key: str, since: datetime, until: datetime) -> list[CostlyDay]:
        """Return the UTC days on which at least three times as much was spent as usual, oldest first.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware; days that end before are left out.
            until: aware.

        Raises:
            HistoryError: the database cannot be used.
        """
        day = timedelta(days=1)
        days = costly_days(self.spend(key, since - (BEFORE + 1) * day, until, day))
        costly = [one for one in days if one.at > since]
        with self._reading() as connection:
            if connection is None:
                return []
            known = known_runs(key, until)
            return [passed_at(connection, known, one, until) for one in costly]

    def add_events(self, key: str, events: Sequence[KeptEvent]) -> None:
        """Store what happened to a key; what another process stored already is not stored again.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            events: oldest first.

        Raises:
            HistoryError: the database cannot be used; nothing was stored.
        """
        if events:
            with self._writing() as connection:
                add_events(connection, key, events)

    def add_events_of(self, events: Mapping[str, Sequence[KeptEvent]]) -> None:
        """Do that for several keys, in one transaction; the same exception."""
        if events:
            with self._writing() as connection:
                for key, of_key in events.items():
                    add_events(connection, key, of_key)

    def events(self, key: str, since: datetime, until: datetime) -> list[KeptEvent]:
        """Return what happened to a key, oldest first, as far as it is kept: for 90 days.

        Args:
            key: as `orcredit.config.credentials.fingerprint` returns it.
            since: aware.
            until: aware.

        Raises:
            HistoryError: the database cannot be used.
        """
        with self._reading() as connection:
            if connection is None or self._version(connection) < EVENTS_SINCE:
                return []
            return kept_events(connection, key, since, until)


def _span(since: datetime | None, until: datetime, most: int) -> tuple[int, int]:
    """Return the first and the last whole second of a time.

    Raises:
        UsageError: `since` is not before `until`, or so many samples are not possible.
    """
    if not 2 <= most <= MOST_SAMPLES:
        raise UsageError(f"The number of samples cannot be {most}.", hint=f"Use 2 to {MOST_SAMPLES:,}.")
    if since is not None and since >= until:
        raise UsageError("There is no time between since and until.", hint="Choose a since that is before until.")
    start = 0 if since is None else max(0, math.ceil(since.timestamp()))
    return start, min(math.floor(until.timestamp()), LAST_SECOND)


def _samples(rows: Iterable[sa.Row[Any]]) -> list[Sample]:
    """Make samples of points in order: one per second, where a later entry replaces an earlier one."""
    by_second = {row.at: row for row in rows}
    return [
        Sample(
            at=to_instant(at),
            spendable=None if row.spendable is None else to_usd(row.spendable),
            remaining=None if row.remaining is None else to_usd(row.remaining),
        )
        for at, row in by_second.items()
    ]
