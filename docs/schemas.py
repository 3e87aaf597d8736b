"""Write the JSON Schemas of the documents about a whole account: `python docs/schemas.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit import Activity, KeyList

if TYPE_CHECKING:
    from pydantic import BaseModel

DOCS = Path(__file__).parent

SCHEMAS: dict[str, type[BaseModel]] = {"keys": KeyList, "activity": Activity}
"""The documents by the command that prints them."""


def schema(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a document, as it is kept."""
    return json.dumps(model.model_json_schema(mode="serialization", by_alias=True), indent=2) + "\n"


if __name__ == "__main__":
    for name, model in SCHEMAS.items():
        (DOCS / f"{name}.schema.json").write_text(schema(model), encoding="utf-8")
