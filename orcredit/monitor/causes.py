"""Asks what a runaway's money goes to: when it begins, and every five minutes while it lasts.

A poll waits for the answer for two seconds at most; without one, it says what it says without.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from orcredit.errors import OrcreditError, place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orcredit.balance.cause import Cause
    from orcredit.monitor.runaway import Runaway

PATIENCE = 2.0
"""Seconds for which a poll waits."""

AGAIN_AFTER = 300.0
"""Seconds after a question until the next one, answered or not."""


class Causes:
    """Knows what the runaways of one key spend their money on.

    Args:
        ask: gives the cause of a runaway of this scope; None where it is not known.
        timer: monotonic seconds.
    """

    def __init__(self, ask: Callable[[str], Awaitable[Cause | None]], timer: Callable[[], float]) -> None:
        self._ask = ask
        self._timer = timer
        self._known: dict[tuple[str, str | None], tuple[float, Cause | None]] = {}
        """When each runaway that lasts was asked about, by scope and period; and the newest answer."""

    async def of(self, runaway: Runaway | None) -> Cause | None:
        """Return what is known of a runaway; nothing is raised."""
        if runaway is None:
            self._known.clear()
            return None
        name, now = (runaway.scope, runaway.period), self._timer()
        asked_at, cause = self._known.get(name, (None, None))
        if asked_at is None or now - asked_at >= AGAIN_AFTER:
            self._known[name] = now, cause
            cause = await self._answer(runaway.scope) or cause
            self._known[name] = now, cause
        return cause

    async def _answer(self, scope: str) -> Cause | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._ask(scope)
        except (OrcreditError, TimeoutError) as error:
            _log(str(error) or "no answer in time")
        except Exception as bug:  # noqa: BLE001 - a poll does not fail for it
            _log(place_of(bug))
        return None


def _log(reason: str) -> None:
    logging.getLogger("orcredit").debug("what the runaway spends its money on is not known: %s", reason)
