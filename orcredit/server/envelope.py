"""The envelope: a snapshot as the event stream and `/snapshot` send it; and the documents of all profiles."""

from __future__ import annotations

from pydantic import Field

from orcredit.balance import Balance  # noqa: TC001 - pydantic reads the annotations
from orcredit.document import Document, Instant, Usd
from orcredit.monitor import Rate, Runaway  # noqa: TC001 - as above
from orcredit.server.models import Problem, SnapshotEvent  # noqa: TC001 - as above


class Envelope(Document):
    """What is known of a profile after a poll."""

    profile: str | None = Field(description="The profile's name; null when the key came from the environment.")
    profile_count: int = Field(description="How many profiles the server has.")
    has_account: bool = Field(
        description="Whether the whole account can be asked about: a management key is set, or this key is one."
    )
    sequence: int = Field(
        description="Counts the snapshots of all profiles since the server started, from 1: the newer has the higher."
    )
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


class ProfileEnvelope(Document):
    """A profile of the server, with what is known of it."""

    profile: str | None = Field(description="The profile's name; null when the key came from the environment.")
    envelope: Envelope | None = Field(description="As /snapshot gives it; null before the first poll has ended.")


class Profiles(Document):
    """The profiles of the server, in the order of the configuration file."""

    default: str | None = Field(
        description="The profile that requests without one are about; null for the one whose key came from the "
        "environment."
    )
    profiles: tuple[ProfileEnvelope, ...]


class ProfileDays(Document):
    """What a profile's key spent on each of the last 14 days."""

    profile: str | None = Field(description="The profile's name; null when the key came from the environment.")
    days: tuple[Usd | None, ...] = Field(
        description="In USD, the oldest day first, today's so far last: what was seen, or what OpenRouter counted, "
        "where that is more; null for a day on which it was not watched."
    )


class ProfilesDays(Document):
    """What each profile's key spent on each of the last 14 days (UTC), as recorded in the history."""

    since: Instant = Field(description="The beginning of the first day.")
    until: Instant = Field(description="Now, by this machine's clock; the last day is not over.")
    profiles: tuple[ProfileDays, ...] = Field(description="In the order of /profiles.")
