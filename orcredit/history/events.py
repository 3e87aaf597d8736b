"""What happened to a key, kept for 90 days: storing events once, however many processes saw them, and reading them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.models import KeptEvent
from orcredit.history.schema import DAY, EVENTS, HOUR, RUNS, to_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

KEPT = timedelta(days=90)

MOST_KEPT = 500
"""Of each key, of outages and of all other events: a network that fails every other minute displaces nothing else."""

RESET = "reset"
"""The kind of a budget's new period."""

_OUTAGES = ("unreachable", "refused", "internal_error", "back")
_MINUTES = 300_000
_HOURS = 2 * HOUR * 1000
"""Milliseconds in which the same event, seen by two processes, is one."""

_WITHIN = {"level": _HOURS, RESET: _HOURS}
"""Where not within minutes: what a process that polls hourly sees as well, but later."""

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = to_instant(0)
_LONGEST_TEXT = 500


def add(connection: sa.Connection, key: str, events: Iterable[KeptEvent]) -> None:
    """Store events of a key, but not what is stored already, and delete what is no longer kept.

    Args:
        connection: of a database of the present version, in a transaction that no other writer shares.
        key: its fingerprint.
        events: oldest first.
    """
    newest = 0
    for event in events:
        row = _row(event)
        newest = max(newest, row["at"])
        if not _is_stored(connection, key, row):
            number = sa.select(sa.func.coalesce(sa.func.max(EVENTS.c.number), 0) + 1).where(EVENTS.c.key == key)
            row |= {"key": key, "number": connection.execute(number).scalar_one()}
            connection.execute(sa.insert(EVENTS).values(row))
    # A clock that is years ahead once must not delete everything: neither OpenRouter's nor this machine's, which times
    # the events of an outage.
    last_run = sa.select(RUNS.c.ended_at).where(RUNS.c.key == key).order_by(RUNS.c.number.desc()).limit(1)
    seen_at = connection.execute(last_run).scalar_one_or_none()
    clocks = [int(time.time())] if seen_at is None else [int(time.time()), seen_at]
    oldest = min(newest, (min(clocks) + DAY) * 1000) - KEPT // _MILLISECOND
    connection.execute(sa.delete(EVENTS).where(EVENTS.c.at < oldest))
    for group in (EVENTS.c.kind.in_(_OUTAGES), EVENTS.c.kind.not_in(_OUTAGES)):
        of_group = sa.select(EVENTS.c.number).where(EVENTS.c.key == key, group)
        newest_too_many = of_group.order_by(EVENTS.c.number.desc()).limit(1).offset(MOST_KEPT)
        too_many = connection.execute(newest_too_many).scalar_one_or_none()
        if too_many is not None:
            connection.execute(sa.delete(EVENTS).where(EVENTS.c.key == key, group, EVENTS.c.number <= too_many))


def kept(connection: sa.Connection, key: str, since: datetime, until: datetime) -> list[KeptEvent]:
    """Return the events of a key, oldest first, without those more than a day after `until`.

    Args:
        connection: of a database of version 4 or later.
        key: its fingerprint.
        since: aware.
        until: aware.
    """
    return [
        KeptEvent(
            at=_EPOCH + row.at * _MILLISECOND,
            kind=row.kind,
            text=row.text,
            is_worse=row.is_worse,
            scope=row.scope,
            period=row.period,
        )
        for row in _rows(connection, key, since, until)
    ]


def _rows(connection: sa.Connection, key: str, since: datetime, until: datetime) -> Sequence[sa.Row[Any]]:
    start, end = _milliseconds(since), _milliseconds(until) + DAY * 1000
    events = sa.select(EVENTS).where(EVENTS.c.key == key, EVENTS.c.at.between(start, end))
    return connection.execute(events.order_by(EVENTS.c.at, EVENTS.c.number)).all()


def _row(event: KeptEvent) -> dict[str, Any]:
    return {
        "at": _milliseconds(event.at),
        "kind": event.kind,
        "text": _storable(event.text),
        "is_worse": event.is_worse,
        "scope": _storable(event.scope),
        "period": _storable(event.period),
    }


def _storable(text: str | None) -> str | None:
    """Shorten a text and leave out what a database may refuse, such as null characters and lone surrogates."""
    return None if text is None else "".join(char for char in text if char.isprintable())[:_LONGEST_TEXT]


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND


def _is_stored(connection: sa.Connection, key: str, event: dict[str, Any]) -> bool:
    """Whether the same was stored a short time before or after this event.

    A level or a runaway is another one where the opposite was stored between the two: "low", "ok" and "low" again
    within minutes are three events.
    """
    within = _WITHIN.get(event["kind"], _MINUTES)
    near = sa.select(EVENTS).where(
        EVENTS.c.key == key,
        EVENTS.c.kind == event["kind"],
        EVENTS.c.at.between(event["at"] - within, event["at"] + within),
    )
    rows = [row._asdict() for row in connection.execute(near)]
    same = [row["at"] for row in rows if _subject(row) == _subject(event)]
    if event["kind"] not in {"level", "runaway"}:
        return bool(same)
    others = [row["at"] for row in rows if _subject(row) != _subject(event)]
    return any(not any(min(at, event["at"]) < other < max(at, event["at"]) for other in others) for at in same)


def _subject(event: dict[str, Any]) -> tuple[object, ...]:
    """Return what is the same where two processes see the same: amounts that fall all the time differ."""
    if event["scope"] is not None:  # a reset or a runaway
        return event["scope"], event["period"], event["is_worse"]
    return (event["text"].partition(":")[0] if event["kind"] == "credit" else event["text"],)
