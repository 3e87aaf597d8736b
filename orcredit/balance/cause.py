"""What most of a runaway's money goes to: the key and the model that spent most in the last minutes. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from orcredit.document import Document, Usd
from orcredit.money import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

SPAN = timedelta(minutes=15)
"""How far back is asked; what was spent before a runaway began hardly counts beside it."""

_LONGEST_NAME = 60
"""Characters; the name of a key is free text."""


class Cause(Document):
    """What spent most in the last 15 minutes, as OpenRouter tells it: of `of` USD, `usd` were spent by it.

    `key` is the name of the key, null where the question was about this key alone; `model` is the model. At least one
    of the two is known.
    """

    key: str | None
    model: str | None
    usd: Usd
    of: Usd


class Spender(NamedTuple):
    """What a key spent with a model, in USD; None where OpenRouter has no name."""

    key: str | None
    model: str | None
    spend: Decimal


def cause_of(spenders: Iterable[Spender]) -> Cause | None:
    """Return the one that spent most; None where nothing was spent, or neither its key nor its model has a name."""
    rows = list(spenders)
    most = max(rows, key=lambda row: row.spend, default=None)
    if most is None or most.spend <= ZERO or not (most.key or most.model):
        return None
    of = sum((row.spend for row in rows), ZERO)
    return Cause(key=_shortened(most.key), model=_shortened(most.model), usd=most.spend, of=of)


def _shortened(name: str | None) -> str | None:
    name = " ".join((name or "").split())
    return (name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}...") or None
