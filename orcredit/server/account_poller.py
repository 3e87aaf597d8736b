"""Polls what a management key sees: the keys and the credit once an interval, what was spent once an hour.

One poller for each management key and base URL, however many profiles share them.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from orcredit.account import KeySelection
from orcredit.balance.account import KeyList, Lately
from orcredit.balance.activity import SpentInSpan
from orcredit.errors import KeyRefusedError, OrcreditError
from orcredit.monitor import Poller
from orcredit.openrouter.account import Pacing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from orcredit.client import AsyncClient
    from orcredit.server.account_client import AccountClient

SPENT_SPAN = timedelta(days=30)
SPENT_INTERVAL = timedelta(hours=1)
SPENT_RETRY = timedelta(minutes=5)

_EVERYTHING = KeySelection(include_disabled=True, include_expired=True)
_SECONDS_A_REQUEST = 1.0
"""Of the interval, at least, for each request of a round."""


class KeysPoller(Poller[KeyList]):
    """Polls every key of an account, and its credit; never faster than one request a second on average.

    Args:
        client: asks with the management key.
        interval: as of `Poller`, at least.
        turns: limits how many pollers ask at the same time.
        clock: as of `Poller`.
        sleep: likewise.

    Attributes:
        found: the newest answer. Where a page failed, the keys that did not come are those of the answer before.
        found_at: when it came, by the clock; None before any.
        failure: why the newest poll gave no key at all; None where it gave some.
    """

    def __init__(
        self,
        client: AccountClient,
        interval: timedelta,
        *,
        turns: asyncio.Semaphore,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(self._ask_for_keys, interval, profile=client.newest.profile.name, clock=clock, sleep=sleep)
        self._client = client
        self._usual_interval = interval
        self._turns = turns
        self._pacing = Pacing(sleep)
        self._lately = Lately()
        self.found: KeyList | None = None
        self.found_at: datetime | None = None
        self.failure: OrcreditError | None = None

    def mark_stale(self, value: KeyList, error: OrcreditError) -> KeyList:  # noqa: ARG002 - as declared
        """Give the keys that came before a page failed, with those of before; `KeyList` says so itself."""
        return self.found or value

    async def _ask_for_keys(self) -> KeyList:
        async with self._turns:
            self._pacing.begin()
            try:
                found, failure = await self._client.ask(self._listed)
            except OrcreditError as error:
                self.failure = error
                raise
            finally:
                at_least = timedelta(seconds=self._pacing.sent * _SECONDS_A_REQUEST)
                self._interval = max(self._usual_interval, at_least)
        self.found = found if failure is None else _with_keys_of(found, self.found)
        self.found_at = self.clock()
        self.failure = None
        if failure is not None:
            # To the poller it is a failure: it waits as long as OpenRouter asks to, and longer each time.
            raise failure.with_traceback(None)
        return found

    async def _listed(self, client: AsyncClient) -> tuple[KeyList, OrcreditError | None]:
        return await client.paced_account(self._pacing).listed(_EVERYTHING, self._lately)


class SpentPoller(Poller[SpentInSpan]):
    """Polls what an account spent in 30 days, and in the 30 before: once an hour, after a failure in five minutes.

    Args:
        client: asks with the management key.
        keys: is waited for until it has an answer: what it may not ask, this may not either.
        clock: as of `Poller`.
        sleep: likewise.
    """

    def __init__(
        self,
        client: AccountClient,
        keys: KeysPoller,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(self._ask_for_spend, SPENT_INTERVAL, profile=keys.profile, clock=clock, sleep=sleep)
        self._client = client
        self._pacing = Pacing(sleep)
        self._has_keys = asyncio.Event()
        keys.listen(lambda _: self._has_keys.set() if keys.found is not None else None)

    async def _ask_for_spend(self) -> SpentInSpan:
        await self._has_keys.wait()
        self._interval = SPENT_RETRY
        spent = await self._client.ask(lambda client: client.paced_account(self._pacing).spent_in(SPENT_SPAN))
        self._interval = SPENT_INTERVAL
        return spent


def is_ordinary(error: OrcreditError | None) -> bool:
    """Whether OpenRouter says that the key is valid, but no management key."""
    return isinstance(error, KeyRefusedError) and error.status == 403


def _with_keys_of(found: KeyList, before: KeyList | None) -> KeyList:
    """Add the keys that did not come this time, as they were told before, and say so."""
    came = {key.hash for key in found.keys}
    missing = tuple(key for key in before.keys if key.hash not in came) if before is not None else ()
    if not missing:
        return found
    count = "1 key is" if len(missing) == 1 else f"{len(missing):,} keys are"
    changes: dict[str, Any] = {
        "keys": (*found.keys, *missing),
        "incomplete_reason": f"{found.incomplete_reason} {count} shown as of an earlier answer.",
    }
    return found.model_copy(update=changes)
