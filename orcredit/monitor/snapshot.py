"""What is known after a poll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import TypeVar

    from orcredit.balance import Balance
    from orcredit.errors import OrcreditError
    from orcredit.monitor.events import Event
    from orcredit.monitor.rate import Rate
    from orcredit.monitor.runaway import Runaway

    T = TypeVar("T", default=Balance)
else:
    from typing import TypeVar

    T = TypeVar("T")

EVENTS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """What is known after a poll, successful or not, or after an event between two polls.

    Attributes:
        profile: the name of the profile that was asked for; None for the unnamed one.
        sequence: counts the snapshots of all pollers of a hub, from 1: a newer one has a higher number.
        polls: counts its polls, from 1; an event between two polls makes another snapshot of the same poll.
        value: the newest answer, marked stale if this poll failed; None before any answer.
        error: why this poll failed; None if it did not.
        failures: how many polls in a row have failed.
        answered_at: when the answer came, by this machine's clock. Not a balance's `fetched_at`, which is by
            OpenRouter's; None before any answer.
        polled_at: when this poll ended; aware UTC.
        next_poll_at: when the next one is due; aware UTC.
        wait_until: OpenRouter asked not to be asked before (Retry-After); aware UTC. None if it did not.
        events: the last `EVENTS_KEPT` events, oldest first.
        rate: how fast money is spent right now, as of the newest answer; None where too little was seen, or that answer
            is five minutes old.
        runaway: the most urgent one that lasts, as of the newest answer; None when there is none.
    """

    profile: str | None
    sequence: int
    polls: int
    value: T | None
    error: OrcreditError | None
    failures: int
    answered_at: datetime | None
    polled_at: datetime
    next_poll_at: datetime
    wait_until: datetime | None
    events: tuple[Event, ...]
    rate: Rate | None = None
    runaway: Runaway | None = None

    @property
    def balance(self: Snapshot[Balance]) -> Balance | None:
        """The newest balance; the `value` of a poller of balances."""
        return self.value

    @property
    def new_events(self) -> tuple[Event, ...]:
        """The events that this snapshot is the first to have."""
        return self.events_after(self.sequence - 1)

    def events_after(self, sequence: int) -> tuple[Event, ...]:
        """Give the events of later snapshots than this number: what is new to a subscriber who has seen that one."""
        return tuple(event for event in self.events if event.sequence > sequence)
