"""The account behind some keys: its documents as JSON, each encoded once for each answer of OpenRouter."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from orcredit.balance import Level
from orcredit.balance.account import AccountKey, KeyList
from orcredit.money import ZERO
from orcredit.openrouter.account import Pacing
from orcredit.server.account_models import AccountDocument, AccountSpend, KeyCounts
from orcredit.server.account_poller import KeysPoller, SpentPoller, is_ordinary
from orcredit.server.activity_reader import ActivityQuery, ActivityReader
from orcredit.server.key_days import KeyDaysReader
from orcredit.server.problems import ProblemError, problem_for
from orcredit.server.responses import to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime, timedelta
    from decimal import Decimal

    from orcredit.balance.activity import Activity, Counted, SpentByKey, SpentInSpan
    from orcredit.history import History
    from orcredit.server.account_client import AccountClient
    from orcredit.server.readings import Readings

_AGE, _NEXT, _KEYS = b'"age":null', b'"nextPollIn":null', b'"keys":[]'
_ENCODED_AT_ONCE = 200
"""Keys; then other requests have their turn."""

_ENCODER: TypeAdapter[tuple[AccountKey, ...]] = TypeAdapter(tuple[AccountKey, ...])


class AccountReader:
    """Reads one account; its pollers must run (`pollers`).

    Args:
        client: asks with the management key.
        interval: at which the keys are polled, at least.
        history: where what keys spent is recorded; None where it is not.
        readings: reads it.
        turns: limits how many accounts are polled at the same time.
        clock: the time of day; aware UTC.
        sleep: waits for a number of seconds.
        timer: monotonic seconds.
    """

    def __init__(
        self,
        client: AccountClient,
        interval: timedelta,
        *,
        history: History | None,
        readings: Readings,
        turns: asyncio.Semaphore,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self._clock = clock
        self._timer = timer
        self._keys = KeysPoller(client, interval, turns=turns, clock=clock, sleep=sleep)
        self._spent = SpentPoller(client, self._keys, clock=clock, sleep=sleep)
        self._days = KeyDaysReader(self._ask_for_days, history, readings, clock=clock, timer=timer)
        self._activity = ActivityReader(self._ask_for_activity, timer)
        self._days_pacing = Pacing(sleep)
        self._aged: tuple[KeyList, float] | None = None
        self._encoding: tuple[KeyList, asyncio.Future[bytes]] | None = None
        self._document: tuple[tuple[object, ...], bytes] | None = None

    @property
    def pollers(self) -> tuple[KeysPoller, SpentPoller]:
        """What must run."""
        return self._keys, self._spent

    async def keys(self) -> bytes:
        """Give the `KeyList` as JSON.

        Raises:
            ProblemError: there was no answer yet, or none is possible.
        """
        found = self._found()
        if self._encoding is None or self._encoding[0] is not found:
            self._encoding = found, asyncio.ensure_future(_encoded(found))
        return await asyncio.shield(self._encoding[1])

    async def days(self) -> bytes:
        """Give the `KeyDays` as JSON; raises what `keys` raises."""
        return await self._days.document(self._found())

    async def activity(self, query: ActivityQuery) -> bytes:
        """Give an `Activity` as JSON.

        Raises:
            ProblemError: it could not be had.
        """
        return await self._activity.document(query)

    def account(self) -> bytes:
        """Give the `AccountDocument` as JSON, as of now; raises what `keys` raises."""
        found, latest, spent = self._found(), self._keys.latest, self._spent.latest
        stands_for = (found, self._keys.failure, spent)
        if self._document is None or any(
            one is not other for one, other in zip(self._document[0], stands_for, strict=True)
        ):
            self._document = stands_for, to_json(self._made(found))
        # The first match is the field: quotes inside of strings are escaped.
        encoded = self._document[1].replace(_AGE, b'"age":%.3f' % self.age(), 1)
        due_in = max(0.0, (latest.next_poll_at - self._clock()).total_seconds()) if latest is not None else 0.0
        return encoded.replace(_NEXT, b'"nextPollIn":%.3f' % due_in, 1)

    def age(self) -> float:
        """Give the seconds since OpenRouter told the keys; by the clock, but at least what the timer has counted."""
        found, at = self._found(), self._keys.found_at
        if self._aged is None or self._aged[0] is not found:
            self._aged = found, self._timer()
        by_clock = (self._clock() - at).total_seconds() if at is not None else 0.0
        return max(0.0, by_clock, self._timer() - self._aged[1])

    def _found(self) -> KeyList:
        """Give the newest answer.

        Raises:
            ProblemError: there is none.
        """
        if self._keys.found is not None:
            return self._keys.found
        error = self._keys.failure
        if error is None:
            raise ProblemError(
                503,
                "starting",
                "OpenRouter has not told the account's keys yet.",
                "Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        if is_ordinary(error):
            raise management_key_required(str(error), error.hint)
        raise problem_for(error)

    def _made(self, found: KeyList) -> AccountDocument:
        failure, latest = self._keys.failure, self._spent.latest
        spent = latest.value if latest is not None else None
        return AccountDocument(
            profile=found.profile,
            fetched_at=found.fetched_at,
            age=None,
            next_poll_in=None,
            stale=failure is not None,
            stale_reason=None if failure is None else str(failure),
            credit=found.account,
            counts=counted(found.keys),
            next=_next(found.keys),
            spent=_spend(spent),
            spent_error=str(latest.error) if latest is not None and latest.error is not None else None,
            source=None if spent is None else spent.source,
            through=None if spent is None else spent.until,
            notes=() if spent is None else spent.notes,
            complete=found.complete,
            incomplete_reason=found.incomplete_reason,
        )

    async def _ask_for_days(self, since: datetime, until: datetime) -> SpentByKey:
        self._days_pacing.begin()
        return await self.client.ask(lambda client: client.paced_account(self._days_pacing).spent_by_key(since, until))

    async def _ask_for_activity(self, query: ActivityQuery) -> Activity:
        return await self.client.ask(
            lambda client: client.ask_activity(query.by, since=query.since, top=query.top, this_key=False)
        )


def management_key_required(error: str, hint: str) -> ProblemError:
    """Make the answer to a question that needs a management key, where there is none."""
    return ProblemError(403, "management_key_required", error, hint)


def counted(keys: Iterable[AccountKey]) -> KeyCounts:
    """Count keys."""
    counts = dict.fromkeys(KeyCounts.model_fields, 0)
    for key in keys:
        counts["disabled" if key.disabled else "expired" if key.expired else key.level.value] += 1
        counts["total"] += 1
    return KeyCounts(**counts)


def _next(keys: Iterable[AccountKey]) -> AccountKey | None:
    """Choose the key that runs out first, of those that can be used and have something left."""
    first: tuple[datetime, str] | None = None
    found: AccountKey | None = None
    for key in keys:
        if key.runs_out_at is None or not key.is_usable or key.level is Level.EXHAUSTED:
            continue
        if first is None or (key.runs_out_at, key.name) < first:
            first, found = (key.runs_out_at, key.name), key
    return found


def _spend(spent: SpentInSpan | None) -> AccountSpend | None:
    if spent is None:
        return None
    whole: Counted = spent.whole
    return AccountSpend(
        since=spent.since,
        until=spent.until,
        usd=whole.spend,
        requests=whole.requests,
        per_request=_per_request(whole.spend, whole.requests),
        before=spent.before.spend if spent.before is not None else None,
    )


def _per_request(usd: Decimal, requests: int | None) -> Decimal | None:
    return round(usd / requests, 8) if requests and usd >= ZERO else None


async def _encoded(found: KeyList) -> bytes:
    """Encode a list of keys, a part at a time: thousands take long, and others wait meanwhile."""
    parts: list[bytes] = []
    for first in range(0, len(found.keys), _ENCODED_AT_ONCE):
        parts.append(_ENCODER.dump_json(found.keys[first : first + _ENCODED_AT_ONCE])[1:-1])
        await asyncio.sleep(0)
    head = to_json(found.model_copy(update={"keys": ()}))
    # The first match is the field: quotes inside of strings are escaped.
    return head.replace(_KEYS, b'"keys":[%s]' % b",".join(parts), 1)
