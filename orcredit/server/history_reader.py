"""Reads the history of a profile for the API, each query once between two polls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orcredit.balance import KEY_LIMIT, next_reset
from orcredit.balance.forecast import period_start
from orcredit.errors import UsageError
from orcredit.history import History, Periods, as_csv
from orcredit.server.models import Gap, HistoryDocument, Reset, SnapshotEvent, SpendInterval
from orcredit.server.readings import no_history
from orcredit.server.responses import to_json
from orcredit.words import costly_day_text, unwatched_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orcredit.balance import Balance, Budget
    from orcredit.history import Recent
    from orcredit.monitor import Poller, Snapshot
    from orcredit.server.readings import Readings

DEFAULT_POINTS = 500

MOST_INTERVALS = 10_000
"""About 600 KB of JSON."""

_HOURLY_UP_TO = timedelta(days=2)
_DAILY_UP_TO = timedelta(days=730)
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

_EVENTS_OF = timedelta(days=90)
_MOST_EVENTS = 200
_NARROWEST = 400
"""Parts of the time that was asked for: a gap that is not longer than one is two pixels of a chart."""

_SOON = timedelta(minutes=2)

_NO_KEY = ""
"""The name of a key of which the history has nothing."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What to read of the history.

    Attributes:
        look_back: how far; None means to the beginning, or to that of the period.
        is_period: whether from the beginning of the present period of the budget that limits the key.
        points: at most this many.
        every: length of the intervals of spend; None chooses one that suits a chart.
    """

    look_back: timedelta | None
    is_period: bool = False
    points: int = DEFAULT_POINTS
    every: timedelta | None = None


class HistoryReader:
    """Reads the history of one key.

    Args:
        history: where the key is recorded; None where nothing is.
        key: gives its name as `orcredit.config.credentials.fingerprint` does; None while there is no key.
        monitor: results are kept until its next poll.
        recorded: waits until the history has the latest balance.
        readings: does it; readers of several profiles share it.
    """

    def __init__(
        self,
        history: History | None,
        key: Callable[[], str | None],
        monitor: Poller,
        recorded: Callable[[], Awaitable[None]],
        readings: Readings,
    ) -> None:
        self._recorded = recorded
        self._history = history
        self._key = key
        self._monitor = monitor
        self._readings = readings

    async def document(self, query: HistoryQuery) -> bytes:
        """Give points, spend and sums as JSON; raises what `_read` raises."""
        return await self._read("json", query, self._document)

    async def csv(self, query: HistoryQuery) -> bytes:
        """Give spend as comma-separated values; raises what `_read` raises."""
        return await self._read("csv", query, self._csv)

    async def _read(
        self, form: str, query: HistoryQuery, work: Callable[[History, str, HistoryQuery, datetime], bytes]
    ) -> bytes:
        """Run a query on a thread, unless its result since the last poll is kept.

        Raises:
            ProblemError: 404, no history is kept; 503, it does not answer in time.
            HistoryError: it cannot be used.
            UsageError: there would be too many intervals.
        """
        history = self._history
        if history is None:
            raise no_history()
        await self._recorded()
        key = self._key() or _NO_KEY
        latest = self._monitor.latest
        wanted, version = (form, key, self._monitor.profile, query), latest.sequence if latest is not None else 0
        return await self._readings.result(wanted, version, lambda: work(history, key, query, self._now()))

    def _now(self) -> datetime:
        """Give the time by OpenRouter's clock, which the samples' times are by."""
        latest = self._monitor.latest
        now = self._monitor.clock()
        if latest is None or latest.balance is None or latest.answered_at is None:
            return now
        return latest.balance.fetched_at + max(timedelta(0), now - latest.answered_at)

    def _is_watched(self) -> bool:
        """Whether the next poll is not due yet, or only just, and the last one did not fail."""
        latest = self._monitor.latest
        return latest is not None and latest.error is None and self._monitor.clock() - latest.next_poll_at < _SOON

    def _document(self, history: History, key: str, query: HistoryQuery, now: datetime) -> bytes:
        latest = self._monitor.latest
        recent = history.recent(key, now)
        asked = _asked(query, latest, now)
        since = _beginning(asked, recent, now)
        timeline = history.timeline(
            key,
            since,
            now,
            query.points,
            narrowest=(now - (asked or since)) / _NARROWEST,
            is_watched=self._is_watched(),
            periods=_periods(latest.balance if latest is not None else None),
        )
        intervals = history.spend(key, since, now, _width(query, asked or since, since, now))
        spend = (
            SpendInterval(
                start=one.start,
                end=one.end,
                usd=one.spend,
                estimated=one.estimated,
                partial=one.partial,
                reported=one.reported,
            )
            for one in intervals
        )
        return to_json(
            HistoryDocument(
                since=asked or since,
                until=now,
                points=tuple(timeline.samples),
                gaps=tuple(Gap(start=gap.start, end=gap.end) for gap in timeline.gaps),
                resets=tuple(Reset(at=one.at, scope=one.scope, period=one.period) for one in timeline.resets),
                spend=tuple(spend),
                events=tuple(_events(history, key, now)),
                recent=recent,
            )
        )

    def _csv(self, history: History, key: str, query: HistoryQuery, now: datetime) -> bytes:
        asked = _asked(query, self._monitor.latest, now)
        since = _beginning(asked, history.recent(key, now), now)
        return as_csv(history.spend(key, since, now, _width(query, asked or since, since, now))).encode()


def _events(history: History, key: str, now: datetime) -> list[SnapshotEvent]:
    """Give what happened in the last 90 days: what is stored, gaps of an hour, and days of much spend; the newest."""
    since = now - _EVENTS_OF
    events = [
        SnapshotEvent(at=one.at, kind=one.kind, text=one.text, is_worse=one.is_worse)
        for one in history.events(key, since, now)
    ]
    events += [
        SnapshotEvent(at=gap.end, kind="unwatched", text=unwatched_text(gap.end - gap.start), is_worse=False)
        for gap in history.unwatched(key, since, now, _HOUR)
    ]
    events += [
        SnapshotEvent(at=day.at, kind="pace", text=costly_day_text(day), is_worse=True)
        for day in history.costly_days(key, since, now)
    ]
    return sorted(events, key=lambda event: event.at)[-_MOST_EVENTS:]


def _periods(balance: Balance | None) -> Periods:
    """Give the periods of the budgets, as far as they are known."""
    if balance is None:
        return Periods({}, None)
    scopes = Counter(budget.scope for budget in balance.budgets)
    by_scope = {budget.scope: budget.reset_period for budget in balance.budgets if scopes[budget.scope] == 1}
    return Periods(by_scope, balance.limiting.scope if balance.limiting is not None else None)


def _asked(query: HistoryQuery, latest: Snapshot | None, now: datetime) -> datetime | None:
    """Give the first instant that was asked for; None for everything."""
    if not query.is_period:
        return None if query.look_back is None else now - query.look_back
    balance = latest.balance if latest is not None else None
    budgets = balance.budgets if balance is not None else ()
    candidates = [budget for budget in budgets if budget.is_limiting]
    candidates += [budget for budget in budgets if budget.scope == KEY_LIMIT]
    began = (began_at for budget in candidates if (began_at := _began_at(budget, now)) is not None)
    return next(began, now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def _began_at(budget: Budget, now: datetime) -> datetime | None:
    """Give when the present period of a budget began; None where it has none, or none that is known."""
    resets_at = budget.resets_at
    if resets_at is None or resets_at <= now:  # of a balance from the last period
        resets_at = next_reset(budget.reset_period, now)
    return period_start(budget.reset_period, resets_at)


def _beginning(asked: datetime | None, recent: Recent, now: datetime) -> datetime:
    """Give the first instant: the one asked for, but not before the first sample."""
    first = min(recent.since or now, now - timedelta(seconds=1))
    return first if asked is None else min(max(first, asked), now - timedelta(seconds=1))


def _width(query: HistoryQuery, asked: datetime, since: datetime, now: datetime) -> timedelta:
    """Choose the length of the intervals: the one asked for, else hours, days or weeks, as a chart has room.

    Raises:
        UsageError: there would be more than `MOST_INTERVALS` since the first sample.
    """
    if query.every is not None:
        if (now - since) / query.every > MOST_INTERVALS:
            raise UsageError(
                f"That would be more than {MOST_INTERVALS:,} intervals.",
                hint="Look back less far, or use longer intervals.",
            )
        return query.every
    if now - asked <= _HOURLY_UP_TO:
        return _HOUR
    return _DAY if now - asked <= _DAILY_UP_TO else _WEEK
