"""Storing balances: which are kept, and how they continue or follow the runs stored before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orcredit.history.schema import DAY, HOUR, KEYS, LAST_SECOND, RUNS, to_grains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.balance import Balance

    Row = dict[str, Any]

_LATEST = HOUR
"""Seconds by which an answer may be older than the one recorded before it: OpenRouter repeats answers for a minute, and
several processes may record at once."""

_OUTDATED = 300
"""Seconds after a usage was seen in which a lower one is an older answer from a cache; later it is a correction."""

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


@dataclass(frozen=True, slots=True)
class Seen:
    """What is stored of a balance.

    Attributes:
        at: seconds since 1970.
        numbers: in grains, by the columns of a run.
    """

    at: int
    numbers: dict[str, int | None]

    @property
    def usage(self) -> int:
        """The key's all-time usage, in grains."""
        return self.numbers["usage"] or 0


def seen_in(balance: Balance) -> Seen | None:
    """Return what is stored of a balance; None when it could not be renewed or has no usage or no possible time."""
    at = int(balance.fetched_at.timestamp())
    if balance.stale or balance.usage is None or not 0 <= at <= LAST_SECOND:
        return None
    return Seen(
        at,
        {
            "usage": to_grains(balance.usage),
            "byok_usage": to_grains(balance.byok.usage if balance.byok else None),
            "limit": to_grains(balance.total_limit),
            "remaining": to_grains(balance.remaining),
            "spendable": to_grains(balance.spendable),
            "account_usage": to_grains(balance.account.total_usage if balance.account else None),
        },
    )


def store(connection: sa.Connection, key: str, seen: Sequence[Seen], *, label: str | None, profile: str | None) -> None:
    """Store what was seen of a key, in a transaction that no other writer shares.

    Args:
        connection: of a database of the present version.
        key: its fingerprint.
        seen: at least one, oldest first.
        label: of the key; None keeps the stored one.
        profile: its profile's name; None keeps the stored one.
    """
    rows = connection.execute(_NEWEST, {"wanted": key}).all()
    stored = [{column.name: getattr(row, column.name) for column in RUNS.c} for row in reversed(rows)]
    known = rows[0]._asdict() if rows and rows[0].fingerprint is not None else None
    runs = [dict(run) for run in stored]
    baseline_at = known["baseline_at"] if known else None
    for each in seen:
        baseline_at = _continue(runs, each, key, baseline_at)
    for before, run in zip(stored, runs, strict=False):
        if run != before:
            this = (RUNS.c.key == key) & (RUNS.c.number == run["number"])
            times = {name: run[name] for name in ("started_at", "ended_at")}
            connection.execute(sa.update(RUNS).where(this).values(times))
    if added := runs[len(stored) :]:
        connection.execute(sa.insert(RUNS), added)
    _store_key(connection, key, known, runs, label=label, profile=profile, baseline_at=baseline_at)


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
    if is_same and runs[-1]["ended_at"] - seen.at <= _LATEST:
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
    baseline_at: int | None,
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
        "baseline_at": baseline_at,
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
