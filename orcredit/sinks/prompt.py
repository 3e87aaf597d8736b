"""The prompt line's cache: every answer is kept for `orcredit line`, and the last failure."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit import cache, line_fields  # noqa: F401 - `cache` needs it for every balance: loaded before polls begin
from orcredit.background import NoThreadError, in_background

if TYPE_CHECKING:
    from collections.abc import Callable

    from orcredit.config.profile import Profile
    from orcredit.monitor import Snapshot


class PromptCache:
    """A sink that keeps each balance in the prompt line's cache; what is wrong with the disk is logged there.

    Args:
        find: gives a profile by its name, with its newest key; None while it has none.
    """

    def __init__(self, find: Callable[[str | None], Profile | None]) -> None:
        self._find = find
        self._kept: dict[str | None, int] = {}
        """The number of the last poll that was kept, by profile."""

    async def handle(self, snapshot: Snapshot) -> None:
        """Keep the balance of a poll that succeeded, or the failure of one that did not."""
        profile = self._find(snapshot.profile)
        if profile is None or self._kept.get(snapshot.profile) == snapshot.polls:
            return  # only an event is new: kept again, old numbers would pass for new ones
        self._kept[snapshot.profile] = snapshot.polls
        of = profile.base_url, profile.key.get_secret_value()
        with suppress(NoThreadError):  # the next answer is as good
            if snapshot.error is not None:
                at = snapshot.polled_at.timestamp()
                await in_background(cache.store_failure, *of, snapshot.error, at)
            elif snapshot.balance is not None:
                await in_background(cache.store, *of, snapshot.balance)
