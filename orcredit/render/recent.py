"""What was spent lately, as far as it was watched: what was not seen is not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.money import format_usd
from orcredit.render.times import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from orcredit.history import Recent

_SPANS = (("last_hour", "in the last hour"), ("last_day", "in 24 h"), ("last_week", "in 7 d"))


def recent_rows(recent: Recent, *, dot: str) -> Iterator[tuple[str, Text]]:
    """Give the rows of what was spent lately, which the history adds to a balance.

    A span that was not watched from its beginning says since when it was, instead of its length; longer spans that
    were watched since the same moment say nothing more.

    Args:
        recent: of the history.
        dot: stands between two amounts.
    """
    said: list[str] = []
    known: set[datetime] = set()
    for name, span in _SPANS:
        amount: Decimal | None = getattr(recent, name)
        since: datetime | None = getattr(recent, f"{name}_since")
        if amount is None or since in known:
            continue
        is_estimated = getattr(recent, f"{name}_estimated")
        if since is None:
            said.append(f"{'~' if is_estimated else ''}{format_usd(amount)} {span}")
            continue
        known.add(since)
        if is_estimated:  # a part was spent before
            said.append(f"~{format_usd(amount)} {span}, watched since {_when(since, recent.until)}")
        else:
            said.append(f"{format_usd(amount)} since {_when(since, recent.until)}, not watched before")
    if said:
        yield "Lately", Text(dot.join(said))
    if recent.account_per_day is not None:
        yield "", Text(f"The account spends {format_usd(recent.account_per_day)} a day, as watched.")


def _when(at: datetime, now: datetime | None) -> str:
    """Write a time: today's without the date."""
    local = at.astimezone()
    is_today = now is not None and local.date() == now.astimezone().date()
    return f"{local:%H:%M}" if is_today else format_instant(at)
