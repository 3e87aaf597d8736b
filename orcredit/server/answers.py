"""What the API answers besides the balance: the shapes of its documents, and errors as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from orcredit.balance import Balance  # noqa: TC001 - pydantic reads the annotations
from orcredit.document import Instant, Usd  # noqa: TC001 - pydantic reads the annotations
from orcredit.errors import (
    ConfigurationError,
    HistoryError,
    KeyRefusedError,
    NonsenseError,
    OrcreditError,
    UnreachableError,
    UsageError,
)
from orcredit.history import Recent, Sample  # noqa: TC001 - as above
from orcredit.server.sessions import LONGEST_TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_STORE = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")


class _Answer(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        serialize_by_alias=True,
        validate_by_name=True,
        extra="forbid",
        json_schema_serialization_defaults_required=True,
    )


class Problem(_Answer):
    """Why there is no answer; the shape of every error."""

    error: str = Field(description="What happened: one sentence.")
    code: str = Field(description="The same as a word that does not change.")
    hint: str = Field(description="What to do about it; may be empty.")


class EnvelopeEvent(_Answer):
    """Something that happened between two polls."""

    at: Instant = Field(description="When it was noticed.")
    kind: str = Field(description="What happened, as a word that does not change.")
    text: str = Field(description="The same for people.")
    is_worse: bool = Field(description="Whether the level got worse.")


class Envelope(_Answer):
    """What is known after a poll: the balance, or the problem where there has never been one, and events."""

    profile: str | None = Field(description="Whose balance it is; null for the key from the environment.")
    sequence: int = Field(ge=1, description="Counts the polls of this profile since the server started.")
    age: float | None = Field(description="Seconds since OpenRouter gave the numbers; null before any answer.")
    rate: None = Field(default=None, description="Always null in this version.")
    runaway: None = Field(default=None, description="Always null in this version.")
    balance: Balance | None = Field(description="The newest document; null before any answer.")
    problem: Problem | None = Field(description="Why there is no balance; null when there is one.")
    events: tuple[EnvelopeEvent, ...] = Field(description="Oldest first.")


class Spend(_Answer):
    """What was spent in one interval of time, in USD."""

    start: Instant = Field(serialization_alias="from", validation_alias="from")
    end: Instant = Field(serialization_alias="to", validation_alias="to")
    usd: Usd
    estimated: bool = Field(description="Whether part of it is a share of what was spent while nobody looked.")


class Past(_Answer):
    """What was seen of the key: what was left over time, and what was spent."""

    points: tuple[Sample, ...]
    spend: tuple[Spend, ...]
    recent: Recent


class Session(_Answer):
    """Whether a token is asked for, and until when this browser need not give it again."""

    login_required: bool
    expires_at: Instant | None


class Login(_Answer):
    """What the page's login sends."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    token: str = Field(min_length=1, max_length=LONGEST_TOKEN, repr=False)


class Health(_Answer):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(_Answer):
    """There is an answer that is young enough; `age` in seconds."""

    status: Literal["ready"] = "ready"
    age: float


class Refusal(Exception):  # noqa: N818 - what the client did is the error, not this
    """Raised where a request cannot be answered; `orcredit.server.app` turns it into the response.

    Args:
        status: of the response.
        code: the word in it.
        error: the sentence in it.
        hint: what to do, another sentence.
        headers: further ones.
    """

    def __init__(
        self, status: int, code: str, error: str, hint: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.problem = Problem(error=error, code=code, hint=hint)
        self.headers = dict(headers or {})

    def response(self, *, closes: bool = False) -> Prepared:
        """Give the response that says so, and `closes` the connection."""
        further = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        if closes:
            further.append((b"connection", b"close"))
        return Prepared(self.status, to_json(self.problem), further)


_KINDS: tuple[tuple[type[OrcreditError], int, str], ...] = (
    (UsageError, 400, "bad_request"),
    (HistoryError, 503, "history_unavailable"),
    (ConfigurationError, 502, "configuration"),
    (KeyRefusedError, 502, "refused"),
    (NonsenseError, 502, "nonsense"),
    (UnreachableError, 502, "unreachable"),
)
"""What each of our errors is for somebody who asks over HTTP; the first that fits."""


def refusal_for(error: OrcreditError) -> Refusal:
    """Say with HTTP's means what went wrong."""
    text = error.public if isinstance(error, HistoryError) else str(error)
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            return Refusal(status, code, text, error.hint)
    return Refusal(500, "internal", str(error), error.hint)


def to_json(document: BaseModel) -> bytes:
    """Write a document as it is sent."""
    return document.model_dump_json().encode()


class Prepared(Response):
    """A response whose bytes and headers are built once and sent any number of times; JSON that nobody may keep."""

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [
            _JSON,
            (b"content-length", str(len(body)).encode()),
            NO_STORE,
            *(headers or []),
        ]
