"""Storing balances: which are kept, and how they continue or follow the runs stored before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.schema import DAY, HOUR, KEYS, RUNS, UNWATCHED_AFTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.history.seen import Seen

    Row = dict[str, Any]

_LATEST = HOUR
"""Seconds by which an answer may be older than the one recorded before it: OpenRouter repeats answers for a minute, and
several processes may record at once."""

_OUTDATED = 300
"""Seconds after a usage was seen in which a lower one is an older answer from a cache; later it is a correction."""

CALENDAR = ("day_from", "week_from", "month_from")
"""The columns of the usage at the beginning of the UTC day, week and month, as `Seen.calendar` has their usage."""

_NOISE = 10_000
"""Grains ($0.0001) by which two numbers of the same answer may be rounded apart."""

_LONGEST_NAME = 200
"""Characters of a label or a profile that are stored."""

_NEWEST = (
    sa.select(RUNS, KEYS)
    .select_from(sa.outerjoin(RUNS, KEYS, KEYS.c.fingerprint == RUNS.c.key))
    .where(RUNS.c.key == sa.bindparam("wanted"))
    .order_by(RUNS.c.number.desc())
    .limit(2)
)
"""A key's last two runs, the newest first, each with what is stored of the key. Built once, as it is part of a poll."""


def store(
    connection: sa.Connection,
    key: str,
    seen: Sequence[Seen],
    *,
    label: str | None,
    profile: str | None,
    only_newer: bool = False,
) -> None:
    """Store what was seen of a key, in a transaction that no other writer shares.

    Args:
        connection: of a database of the present version.
        key: its fingerprint.
        seen: at least one, oldest first.
        label: of the key; None keeps the stored one.
        profile: its profile's name; None keeps the stored one.
        only_newer: whether to drop what is not newer than what is stored, as samples that are recorded late are: usage
            is all-time, so that the later sample includes them.
    """
    rows = connection.execute(_NEWEST, {"wanted": key}).all()
    stored = [{column.name: getattr(row, column.name) for column in RUNS.c} for row in reversed(rows)]
    known = rows[0]._asdict() if rows and rows[0].fingerprint is not None else None
    runs = [dict(run) for run in stored]
    baseline_at = known["baseline_at"] if known else None
    if only_newer and runs:
        seen = [each for each in seen if _is_newer(each, runs[-1])]
        if not seen:
            return
    for each in seen:
        baseline_at = _continue(runs, each, key, baseline_at)
    for before, run in zip(stored, runs, strict=False):
        if run != before:
            this = (RUNS.c.key == key) & (RUNS.c.number == run["number"])
            times = {name: run[name] for name in ("started_at", "ended_at")}
            connection.execute(sa.update(RUNS).where(this).values(times))
    if added := runs[len(stored) :]:
        connection.execute(sa.insert(RUNS), added)
    calendar = _calendar(known, runs[-1], seen)
    _store_key(
        connection, key, known, runs, label=label, profile=profile, others={"baseline_at": baseline_at} | calendar
    )


def _is_newer(seen: Seen, newest: Row) -> bool:
    """Whether a sample is newer than all that is stored, or that is so far ahead that its own time was wrong."""
    return bool(seen.at > newest["ended_at"] or newest["ended_at"] > max(seen.at, int(time.time())) + DAY)


def _calendar(known: Row | None, newest: Row, seen: Sequence[Seen]) -> dict[str, int | None]:
    """Return the usage at the beginning of the day, the week and the month, by the sample that is now the newest.

    It stays the same for a day or longer, so that most polls do not write it.
    """
    before = {name: known[name] if known else None for name in (*CALENDAR, "calendar_at")}
    at, usage = newest["ended_at"], newest["usage"]
    counted = next((each.calendar for each in reversed(seen) if each.at == at and each.usage == usage), None)
    if counted is None or None in counted:
        return before
    now = {name: usage - amount for name, amount in zip(CALENDAR, counted, strict=True) if amount is not None}
    is_same_day = before["calendar_at"] is not None and before["calendar_at"] // DAY == at // DAY
    if is_same_day and all(abs(now[name] - (before[name] or 0)) <= _NOISE for name in CALENDAR):
        return before
    return {**now, "calendar_at": at}


def _continue(runs: list[Row], seen: Seen, key: str, baseline_at: int | None) -> int | None:
    """Move the newest run's end, or add a run, or drop an older answer; returns when the last baseline began.

    Args:
        runs: the newest last; at least two, if there are as many. Changed in place.
        seen: what is recorded now.
        key: its fingerprint.
        baseline_at: when the usage fell for the last time, in seconds since 1970.
    """
    if runs and _is_outdated(runs[-1], seen, baseline_at):
        return baseline_at
    _correct_times(runs, seen.at)
    if runs and seen.usage < runs[-1]["usage"]:
        baseline_at = seen.at
    is_same = runs and seen.numbers.items() <= runs[-1].items()
    # A run is watched from its start to its end: equal numbers after a night without polls begin another.
    if is_same and -UNWATCHED_AFTER <= runs[-1]["ended_at"] - seen.at <= _LATEST:
        runs[-1]["ended_at"] = max(runs[-1]["ended_at"], seen.at)
    else:
        number = runs[-1]["number"] + 1 if runs else 1
        runs.append({"key": key, "number": number, "started_at": seen.at, "ended_at": seen.at} | seen.numbers)
    return baseline_at


def _is_outdated(newest: Row, seen: Seen, baseline_at: int | None) -> bool:
    """Whether a sample is an older answer than those stored: from a cache, or recorded late.

    Usage only falls when OpenRouter corrects it, as by a cent. A lower usage is taken for an older answer until five
    minutes after the higher one was last seen; then it begins a new baseline, from which increases are counted. Samples
    from before the baseline are dropped from then on, else the fall would be counted as spend. Neither applies where
    what is stored is more than a day ahead of this sample and of the clock: its own time was wrong.
    """
    horizon = max(seen.at, int(time.time())) + DAY
    if seen.usage < newest["usage"]:
        return bool(seen.at - newest["ended_at"] <= _OUTDATED and newest["ended_at"] <= horizon)
    return baseline_at is not None and seen.at < baseline_at <= horizon


def _correct_times(runs: list[Row], at: int) -> None:
    """Correct the newest run's times where a later answer shows that they were ahead, as by a wrong Date header.

    Where the run before it ended later, too, the later answer's clock is behind: then nothing is changed.

    Args:
        runs: the newest last; at least two, if there are as many.
        at: of the later answer, in seconds since 1970.
    """
    if not runs or runs[-1]["ended_at"] - at <= _LATEST:
        return
    if runs[-1]["started_at"] <= at:
        runs[-1]["ended_at"] = at
    elif len(runs) == 1 or runs[-2]["ended_at"] <= at:
        runs[-1]["started_at"] = runs[-1]["ended_at"] = at


def _store_key(
    connection: sa.Connection,
    key: str,
    known: Row | None,
    runs: Sequence[Row],
    *,
    label: str | None,
    profile: str | None,
    others: dict[str, int | None],
) -> None:
    """Insert the key, or update it where that says more than the hour of its last poll."""
    starts = [run["started_at"] for run in runs]
    if known is not None and runs[0]["number"] > 1:  # else these are all of its runs, whose times may be corrected
        starts.append(known["first_seen_at"])
    values = {
        "label": _name(label) or (known["label"] if known else None),
        "profile": _name(profile) or (known["profile"] if known else None),
        "first_seen_at": min(starts),
        "last_seen_at": runs[-1]["ended_at"],
        **others,
    }
    if known is None:
        connection.execute(sa.insert(KEYS).values(fingerprint=key, **values))
        return
    changed = {name: value for name, value in values.items() if value != known[name]}
    if changed.keys() - {"last_seen_at"} or abs(values["last_seen_at"] - known["last_seen_at"]) >= HOUR:
        connection.execute(sa.update(KEYS).where(KEYS.c.fingerprint == key).values(changed))


def _name(text: str | None) -> str | None:
    """Shorten a name and leave out what a database may refuse, such as null characters and lone surrogates."""
    return "".join(char for char in text or "" if char.isprintable())[:_LONGEST_NAME] or None
