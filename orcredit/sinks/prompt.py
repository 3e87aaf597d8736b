"""The prompt line's cache: every answer is kept for `orcredit line`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit import cache
from orcredit.background import NoThreadError, in_background

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orcredit.config.credentials import Credentials
    from orcredit.monitor import Snapshot


class PromptCache:
    """A sink that keeps each balance in the prompt line's cache; what is wrong with the disk is logged there.

    Args:
        credentials: of each profile, by its name.
    """

    def __init__(self, credentials: Mapping[str | None, Credentials]) -> None:
        self._credentials = credentials

    async def handle(self, snapshot: Snapshot) -> None:
        """Keep the balance of a poll that succeeded."""
        credentials = self._credentials.get(snapshot.profile)
        if credentials is None or snapshot.balance is None or snapshot.error is not None:
            return
        with suppress(NoThreadError):  # the next answer is as good
            await in_background(cache.store, credentials.base_url, credentials.key, snapshot.balance)
