"""The JSON documents of the API, beside the balance and its envelope."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from orcredit.document import Instant, Usd  # noqa: TC001 - pydantic reads the annotations
from orcredit.history import Recent, Sample  # noqa: TC001 - as above
from orcredit.server.sessions import LONGEST_TOKEN


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        serialize_by_alias=True,
        validate_by_name=True,
        extra="forbid",
        json_schema_serialization_defaults_required=True,  # all fields are always there
    )


class Problem(_Model):
    """Why a request or a poll failed; every error has this form."""

    error: str = Field(description="What happened: one sentence.")
    code: str = Field(description="The same as a word that does not change.")
    hint: str = Field(description="What to do about it; may be empty.")


class SnapshotEvent(_Model):
    """Something that happened between two polls."""

    at: Instant = Field(description="When it was noticed.")
    kind: str = Field(description="What it was, as a word that does not change.")
    text: str = Field(description="The same in words, without a full stop.")
    is_worse: bool = Field(
        description="Whether it is bad news: the level became worse, a runaway began, or spending tripled."
    )


class SpendInterval(_Model):
    """What was spent in one interval of time, in USD."""

    start: Instant = Field(serialization_alias="from", validation_alias="from")
    end: Instant = Field(serialization_alias="to", validation_alias="to")
    usd: Usd
    estimated: bool = Field(
        description="Whether a part of it is interpolated, because nothing was recorded for a long time."
    )
    partial: bool = Field(
        description="Whether a beginning or an end of the interval was not watched, so that this is the least."
    )
    reported: bool = Field(
        description="Whether a part of the interval was not watched, but OpenRouter told afterwards what was spent."
    )


class Gap(_Model):
    """A time without polls of the key; the line of what was left breaks there.

    A point is at each edge that is not an edge of the time that was asked for; none is within. The time before the key
    was first seen is no gap.
    """

    start: Instant = Field(serialization_alias="from", validation_alias="from")
    end: Instant = Field(serialization_alias="to", validation_alias="to")


class Reset(_Model):
    """The beginning of a budget's new period, as it was seen or as the points show it."""

    at: Instant
    scope: str
    period: str | None = Field(description="Its reset period, where it is known.")


class HistoryDocument(_Model):
    """The key's recorded history: what was left over time, what was spent, and what happened."""

    since: Instant = Field(description="The beginning of the time that was asked for.")
    until: Instant = Field(description="Its end: now, by OpenRouter's clock.")
    points: tuple[Sample, ...] = Field(description="In the order of time; between two that are equal nothing changed.")
    gaps: tuple[Gap, ...] = Field(description="Times without polls; no line leads from the point before to that after.")
    resets: tuple[Reset, ...] = Field(description="In the order of time.")
    spend: tuple[SpendInterval, ...]
    events: tuple[SnapshotEvent, ...] = Field(
        description="Of the last 90 days, whatever was asked for: the newest 200, oldest first."
    )
    recent: Recent


class Session(_Model):
    """Whether the server requires a token, and when this browser's session ends."""

    login_required: bool
    expires_at: Instant | None


class Login(_Model):
    """The body of a login."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    token: str = Field(min_length=1, max_length=LONGEST_TOKEN, repr=False)


class Health(_Model):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(_Model):
    """The newest balance is recent enough; `age` in seconds."""

    status: Literal["ready"] = "ready"
    age: float
