"""The envelope: a snapshot as the event stream and `GET /api/openrouter/snapshot` send it."""

from __future__ import annotations

from pydantic import Field

from orcredit.balance import Balance  # noqa: TC001 - pydantic reads the annotations
from orcredit.document import Document
from orcredit.monitor import Rate, Runaway  # noqa: TC001 - as above
from orcredit.server.models import Problem, SnapshotEvent  # noqa: TC001 - as above


class Envelope(Document):
    """What is known of a profile after a poll."""

    profile: str | None = Field(description="The profile's name; null when the key came from the environment.")
    sequence: int = Field(description="Counts the snapshots of this profile since the server started, from 1.")
    age: float | None = Field(
        description="Seconds since OpenRouter answered, at the moment of sending; null before any answer."
    )
    next_poll_in: float | None = Field(
        description="Seconds until OpenRouter is asked next, at the moment of sending; 0 while it is being asked."
    )
    rate: Rate | None = Field(
        description="How fast money is spent right now; null where the server saw too little of it."
    )
    runaway: Runaway | None = Field(
        description="What is spent so fast that it is gone within hours, the most urgent; null when nothing is."
    )
    balance: Balance | None = Field(description="The newest document; null before any answer.")
    problem: Problem | None = Field(description="Why there is no document; null when there is one.")
    events: tuple[SnapshotEvent, ...] = Field(
        description="Oldest first: those kept (at most 20) in /snapshot and the first event of a stream, else the new."
    )
