"""Documents as comma-separated values."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.document import Document

    _D = TypeVar("_D", bound=Document)

_FORMULA = ("=", "+", "-", "@")
"""How texts begin that a spreadsheet would run."""


def as_csv(model: type[_D], rows: Iterable[_D]) -> str:
    r"""Write documents of one type, with a header of the fields' JSON names; lines end with `\n`.

    Null is an empty cell, a part (`lowBecause`) its first field. A text that a spreadsheet would run as a formula
    begins with an apostrophe.
    """
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    fields = model.model_fields
    writer.writerow([field.alias or name for name, field in fields.items()])
    for row in rows:
        writer.writerow([_cell(value) for value in row.model_dump(mode="json").values()])
    return lines.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return _cell(next(iter(value.values()), None))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
