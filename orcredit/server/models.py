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


class Spend(_Model):
    """What was spent in one interval of time, in USD."""

    start: Instant = Field(serialization_alias="from", validation_alias="from")
    end: Instant = Field(serialization_alias="to", validation_alias="to")
    usd: Usd
    estimated: bool = Field(
        description="Whether a part of it is interpolated, because nothing was recorded for a long time."
    )


class HistoryDocument(_Model):
    """The key's recorded history: what was left over time, and what was spent."""

    points: tuple[Sample, ...]
    spend: tuple[Spend, ...]
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
