"""What was spent lately, as far as it was watched: what was not seen is not zero."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from orcredit.money import format_usd
from orcredit.render.times import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orcredit.history import Recent

_SPANS = (
    ("last_hour", timedelta(hours=1), "in the last hour"),
    ("last_day", timedelta(days=1), "in 24 h"),
    ("last_week", timedelta(days=7), "in 7 d"),
)


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
    for name, length, span in _SPANS:
        amount = getattr(recent, name)
        if amount is None:
            continue
        since = _watched_since(recent, name, length)
        if since in known:
            continue
        mark = "~" if getattr(recent, f"{name}_estimated", False) else ""
        if since is None:
            said.append(f"{mark}{format_usd(amount)} {span}")
        else:
            known.add(since)
            said.append(f"{mark}{format_usd(amount)} since {_when(since, recent.until)}, not watched before")
    if said:
        yield "Lately", Text(dot.join(said))
    if recent.account_per_day is not None:
        yield "", Text(f"The account spends {format_usd(recent.account_per_day)} a day, as watched.")


def _watched_since(recent: Recent, name: str, length: timedelta) -> datetime | None:
    """Return since when a span was watched, where that is not all of it."""
    if hasattr(recent, f"{name}_since"):
        since: datetime | None = getattr(recent, f"{name}_since")
        return since
    if recent.since is not None and recent.until is not None and recent.since > recent.until - length:
        return recent.since
    return None


def _when(at: datetime, now: datetime | None) -> str:
    """Write a time: today's without the date."""
    local = at.astimezone()
    is_today = now is not None and local.date() == now.astimezone().date()
    return f"{local:%H:%M}" if is_today else format_instant(at)
