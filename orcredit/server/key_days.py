"""What each key of an account spent on each of the last 14 days.

Today's is what OpenRouter counts for the key. The other days come from the local history, by the key's hash, and from
analytics, by its name. Where both know a day the larger amount counts: neither sees what was not spent, but the history
may have watched a part of the day only, and analytics are up to an hour old.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orcredit.background import aside
from orcredit.config.credentials import FINGERPRINT_DIGITS
from orcredit.errors import OrcreditError
from orcredit.money import ZERO
from orcredit.openrouter.account import MOST_ROWS
from orcredit.server.account_models import KeyDays
from orcredit.server.days_reader import larger
from orcredit.server.problems import ProblemError, problem_for
from orcredit.server.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from orcredit.balance.account import AccountKey, KeyList
    from orcredit.balance.activity import SpentByKey
    from orcredit.history import History
    from orcredit.server.readings import Readings

DAYS = 14
_DAY = timedelta(days=1)

_TOLD_KEPT = 3600.0
_FAILURE_KEPT = 60.0
"""Seconds for which analytics are not asked again, unless OpenRouter asks to wait longer."""

_ANSWER_KEPT = 60.0
"""Seconds for which an answer is given again, while the keys are the same."""

_PATIENCE = 8.0
"""Seconds for which an answer waits for analytics, which go on; for the history as long as any reader does."""

Days = dict[str, "list[Decimal | None]"]
"""USD on each of the days, oldest first, by key."""


@dataclass(slots=True)
class Told:
    """What analytics told.

    Attributes:
        days: by the name of a key that no other one has.
        problems: why something is missing.
    """

    days: Days = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class KeyDaysReader:
    """Reads what keys spent.

    Args:
        ask: asks analytics for a time.
        history: None where none is kept.
        readings: reads it.
        clock: the time of day; aware UTC.
        timer: monotonic seconds.
    """

    def __init__(
        self,
        ask: Callable[[datetime, datetime], Awaitable[SpentByKey]],
        history: History | None,
        readings: Readings,
        *,
        clock: Callable[[], datetime],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._history = history
        self._readings = readings
        self._clock = clock
        self._timer = timer
        self._asking: asyncio.Future[Told] | None = None
        self._asked_for: datetime | None = None
        """The first day that analytics were asked for."""
        self._told_until = 0.0
        self._answer: asyncio.Future[tuple[bytes, bool]] | None = None
        self._answers: tuple[KeyList, datetime, float] | None = None
        """What the answer is to: the keys, the first day; and until when it is kept."""

    async def document(self, keys: KeyList) -> bytes:
        """Give a `KeyDays` as JSON."""
        since = self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - (DAYS - 1) * _DAY
        if self._answer is None or not self._is_kept(keys, since):
            self._answers = keys, since, self._timer() + _ANSWER_KEPT
            self._answer = asyncio.ensure_future(self._read(keys, since))
        answering = self._answer
        try:
            body, is_final = await asyncio.shield(answering)
        except BaseException:
            if answering.done() and self._answer is answering:
                self._answer = None
            raise
        if not is_final and self._answer is answering:
            self._answer = None
        return body

    def _is_kept(self, keys: KeyList, since: datetime) -> bool:
        if self._answers is None or self._answer is None:
            return False
        of_keys, of_since, until = self._answers
        if not self._answer.done():
            return of_since == since
        return of_keys is keys and of_since == since and self._timer() < until

    async def _read(self, keys: KeyList, since: datetime) -> tuple[bytes, bool]:
        """Give the document, and whether it has all that can be had for now."""
        now = self._clock()
        telling = self._telling(keys, since, now)
        seen, problem = await self._seen(keys, now)
        await asyncio.wait({telling}, timeout=_PATIENCE)
        if telling.done():
            told = telling.result()
            problems = [*([problem] if problem else []), *told.problems]
            return await self._made(keys, since, now, seen=seen, told=told.days, problems=problems), True
        problems = [*([problem] if problem else []), "OpenRouter's analytics have not answered yet."]
        return await self._made(keys, since, now, seen=seen, told={}, problems=problems), False

    @staticmethod
    async def _made(keys: KeyList, since: datetime, until: datetime, **known: Any) -> bytes:  # noqa: ANN401 - as of `joined`
        return await aside(lambda: to_json(joined(keys, since, until, **known)))

    async def _seen(self, keys: KeyList, now: datetime) -> tuple[Days, str | None]:
        """Give what the history knows, by hash, and why it could not be read."""
        if self._history is None:
            return {}, None
        hashes = {key.hash[:FINGERPRINT_DIGITS]: key.hash for key in keys.keys}
        history, known = self._history, frozenset(hashes)
        try:
            # A late reading may be given to who asks next, but not on the next day.
            wanted = "key days", known, now.astimezone(UTC).date()
            found = await self._readings.result(wanted, now, lambda: _read_days(history, known, now))
        except ProblemError as error:
            return {}, error.problem.error
        except OrcreditError as error:
            return {}, problem_for(error).problem.error
        return {hashes[fingerprint]: list(days) for fingerprint, days in found.items()}, None

    def _telling(self, keys: KeyList, since: datetime, now: datetime) -> asyncio.Future[Told]:
        """Give the analytics' answer, which may be under way, or up to an hour old."""
        asking = self._asking
        is_new_day = self._asked_for != since
        if asking is None or (asking.done() and (is_new_day or self._timer() >= self._told_until)):
            self._asked_for = since
            asking = self._asking = asyncio.ensure_future(self._tell(keys.keys, since, now))
        return asking

    async def _tell(self, keys: Sequence[AccountKey], since: datetime, now: datetime) -> Told:
        told, rows = Told(), list["tuple[str, datetime, Decimal]"]()
        kept, is_truncated, is_all = _TOLD_KEPT, False, True
        notes: list[str] = []
        # As many days at once as fit into an answer, should every key have spent on each.
        at_once = max(1, min(DAYS, MOST_ROWS // max(1, len(keys))))
        for first in range(0, DAYS, at_once):
            begin = since + first * _DAY
            try:
                found = await self._ask(begin, min(begin + at_once * _DAY, now))
            except OrcreditError as error:
                told.problems.append(str(error))
                kept, is_all = max(_FAILURE_KEPT, getattr(error, "retry_after", None) or 0.0), False
                break
            rows += found.rows
            notes += found.notes
            is_truncated |= found.is_truncated
        if is_truncated:
            told.problems.append("OpenRouter left rows out (truncated): the smallest amounts are missing.")
        told.problems += dict.fromkeys(notes)
        names, is_complete = [key.name for key in keys], is_all and not is_truncated
        told.days = await aside(lambda: told_days(rows, names, since, is_complete=is_complete))
        self._told_until = self._timer() + kept
        return told


def _read_days(history: History, fingerprints: frozenset[str], now: datetime) -> Days:
    """Read what the keys that were recorded spent: a few, mostly, of thousands that the account has."""
    known = fingerprints.intersection(key.fingerprint for key in history.known_keys())
    return history.daily(sorted(known), now, DAYS)[1] if known else {}


def told_days(
    rows: Iterable[tuple[str, datetime, Decimal]], names: Iterable[str], since: datetime, *, is_complete: bool
) -> Days:
    """Group the spend that analytics report by key, for keys with a unique name.

    Args:
        rows: a key's name, the beginning of a day, and USD.
        names: of all keys.
        since: the beginning of the first day.
        is_complete: whether keys and days without a row are those without spend.
    """
    nothing: Decimal | None = ZERO if is_complete else None
    counts = Counter(names)
    days: Days = {name: [nothing] * DAYS for name, count in counts.items() if count == 1 and name}
    met: set[tuple[str, int]] = set()
    for name, at, usd in rows:
        day = (at - since) // _DAY
        if name not in days or not 0 <= day < DAYS:
            continue
        if (name, day) in met:  # a key that was deleted had the same name
            del days[name]
            continue
        met.add((name, day))
        days[name][day] = usd
    return {name: each for name, each in days.items() if any(usd is not None for usd in each)}


def joined(
    keys: KeyList,
    since: datetime,
    until: datetime,
    *,
    seen: Mapping[str, Sequence[Decimal | None]],
    told: Mapping[str, Sequence[Decimal | None]],
    problems: Sequence[str],
) -> KeyDays:
    """Join what the history saw, by hash, with what analytics told, by name."""
    unknown: Sequence[Decimal | None] = (None,) * DAYS
    is_of_today = keys.fetched_at >= since + (DAYS - 1) * _DAY
    days: dict[str, tuple[Decimal | None, ...]] = {}
    is_seen = is_told = False
    for key in keys.keys:
        mine, theirs = seen.get(key.hash, unknown), told.get(key.name, unknown)
        of_key = [larger(one, other) for one, other in zip(mine, theirs, strict=True)]
        if is_of_today and key.usage_daily is not None:
            of_key[-1] = key.usage_daily
        if any(usd is not None for usd in of_key):
            days[key.hash] = tuple(of_key)
        is_seen |= key.hash in seen
        is_told |= key.name in told
    return KeyDays(
        since=since,
        until=until,
        source=("both" if is_seen else "analytics") if is_told else "history" if is_seen else None,
        complete=not problems,
        incomplete_reason=" ".join(problems) or None,
        keys=days,
    )
