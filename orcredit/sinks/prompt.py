"""The prompt line's cache: every answer is kept for `orcredit line`, and the last failure."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit import cache, line_fields  # noqa: F401 - `cache` needs it for every balance: loaded before polls begin
from orcredit.background import NoThreadError, in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    async def handle(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep the balances of polls that succeeded, and the failures of those that did not."""
        kept = [(snapshot, profile) for snapshot in snapshots if (profile := self._profile_of(snapshot)) is not None]
        if kept:
            with suppress(NoThreadError):  # the next answers are as good
                await in_background(_keep, kept)

    def _profile_of(self, snapshot: Snapshot) -> Profile | None:
        """Give the profile of a poll that was not kept yet; None where only an event is new.

        Kept again, old numbers would pass for new ones.
        """
        if self._kept.get(snapshot.profile) == snapshot.polls:
            return None
        self._kept[snapshot.profile] = snapshot.polls
        return self._find(snapshot.profile)


def _keep(polls: Sequence[tuple[Snapshot, Profile]]) -> None:
    for snapshot, profile in polls:
        of = profile.base_url, profile.key.get_secret_value()
        if snapshot.error is not None:
            cache.store_failure(*of, snapshot.error, snapshot.polled_at.timestamp())
        elif snapshot.balance is not None:
            cache.store(*of, snapshot.balance)
