"""The base class and field types of the `Balance` document: camelCase names, and how amounts and times are written."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel


def _milliseconds(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Usd = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
"""Dollars: a Decimal in Python; in JSON a number in its shortest form."""

Percent = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
"""Percent, one decimal."""

Instant = Annotated[
    datetime,
    PlainSerializer(_milliseconds, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""An aware UTC datetime; in JSON ISO 8601 with milliseconds and Z."""


class Document(BaseModel):
    """The document or a part of it: snake_case in Python, camelCase in JSON."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,  # no field is ever left out
        defer_build=True,  # all parts are built once, with the document, instead of each at import
    )
