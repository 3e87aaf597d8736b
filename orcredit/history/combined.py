"""What was spent by what was seen and what was reported: each dollar once.

The runs say what was spent between any two polls, exactly: where the history watched, what was seen counts and what
was reported does not. What was reported counts before the first poll and after the last one, and it says when the money
was spent that two polls find gone that are an hour or more apart. Their sum stays what the polls say: where nothing
was reported of a part of that time, that part gets the rest, and else the reported amounts are scaled.

Of an hour (or day) that was watched in part, what was seen in it is subtracted; the rest is spread evenly over the part
that was not watched.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from orcredit.history.queries import (
    LONGEST_STEP,
    SEEN_GAP,
    Spent,
    last_end,
    long_steps,
    longest_usual_gap,
    parameters,
    spend_by_bucket,
    spend_of_span,
)
from orcredit.history.reported import rows_between, whole_time
from orcredit.history.schema import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import sqlalchemy as sa

    from orcredit.history.queries import Condition
    from orcredit.history.reported import Row

_FOREVER = 2**62


class Piece(NamedTuple):
    """An amount in grains that was spent in a time, evenly as far as is known; times in seconds since 1970."""

    begun_at: int
    done_at: int
    amount: int
    is_reported: bool

    def between(self, start: int, end: int) -> int:
        """Return the part that was spent between two instants, so that neighbouring parts add up to the amount."""
        return self._by(min(self.done_at, end)) - self._by(max(self.begun_at, start))

    def _by(self, instant: int) -> int:
        return self.amount * (instant - self.begun_at) // (self.done_at - self.begun_at)


class KeyRuns(NamedTuple):
    """Which runs are those of a key.

    Attributes:
        key: its fingerprint.
        known: its runs, or those of another key: queries get the key as a parameter (`queries.parameters`).
        seen: when it was first and last seen; None when never.
        is_reported: whether the database can hold what was reported; None where that is not known.
    """

    key: str
    known: Condition
    seen: tuple[int, int] | None
    is_reported: bool | None = None


class Combined(NamedTuple):
    """What the steps of polls that are less than an hour apart do not say.

    Attributes:
        pieces: what was spent otherwise; those of the time that was asked for.
        reported: the times of which something was reported, without those that are wholly outside.
        whole: from when to when anything was reported.
        first_seen: when the key was; None when never.
        longest_step: seconds of the steps that the pieces do not hold; None where they hold none.
    """

    pieces: Sequence[Piece]
    reported: Sequence[tuple[int, int]]
    whole: tuple[int, int]
    first_seen: int | None
    longest_step: int | None

    @property
    def before_first(self) -> Iterator[Piece]:
        """The pieces before the key was first seen."""
        first = self.first_seen
        return (piece for piece in self.pieces if first is not None and piece.done_at <= first)


class _Gap(NamedTuple):
    """A time that was not watched; `amount` is None before the first and after the last poll."""

    begun_at: int
    done_at: int
    amount: int | None


def combine(connection: sa.Connection, of: KeyRuns, start: int, end: int) -> Combined | None:
    """Combine what was reported of a time with what was seen.

    Args:
        connection: of a database of any version.
        of: the key.
        start: of the time, in seconds since 1970.
        end: likewise.

    Returns:
        None where nothing was ever reported: then the steps say everything, long ones included.
    """
    whole = whole_time(connection, of.key, is_there=of.is_reported)
    if whole is None:
        return None
    first = None if of.seen is None else of.seen[0]
    if whole[1] <= start and whole[1] <= _last_end(connection, of, start):
        return Combined((), (), whole, first, longest_step=None)  # as most polls ask: about times after that
    gaps = _gaps(connection, of, start, end)
    within = [gap for gap in gaps if gap.amount is not None]
    # A zero from before the first amount counts where the key was seen before it.
    oldest = min([whole[0], *(of.seen or ())[:1]])
    rows = rows_between(
        connection,
        of.key,
        max(oldest, min([start, *(gap.begun_at for gap in within)])),
        max([end, *(gap.done_at for gap in within)]),
    )
    amounts = [row for row in rows if row.spend]
    # A row may reach beyond the gaps found: into others, which share it.
    if amounts and (amounts[0].start < start or amounts[-1].end > end):
        gaps = _gaps(connection, of, min(start, amounts[0].start), max(end, amounts[-1].end))
    parts = _parts(connection, of, rows, gaps)
    pieces = [piece for place, gap in enumerate(gaps) for piece in _pieces(gap, parts[place])]
    return Combined(
        [piece for piece in pieces if piece.begun_at < end and piece.done_at > start],
        [(row.start, row.end) for row in rows],
        whole,
        first,
        LONGEST_STEP,
    )


def _last_end(connection: sa.Connection, of: KeyRuns, at: int) -> int:
    return int(connection.execute(last_end(of.known), parameters(of.key, 0, at)).scalar() or 0)


def _gaps(connection: sa.Connection, of: KeyRuns, start: int, end: int) -> list[_Gap]:
    if of.seen is None:
        return [_Gap(-_FOREVER, _FOREVER, None)]
    steps = connection.execute(long_steps(of.known), parameters(of.key, start, end))
    within = (_Gap(row.begun_at, row.done_at, row.amount) for row in steps)
    gaps = [_Gap(-_FOREVER, of.seen[0], None), *within, _Gap(max(of.seen), _FOREVER, None)]
    return sorted(gaps, key=lambda gap: gap[:2])


def _parts(
    connection: sa.Connection, of: KeyRuns, rows: Sequence[Row], gaps: Sequence[_Gap]
) -> defaultdict[int, list[Piece]]:
    """Divide what was reported among the times that were not watched; by their places in `gaps`."""
    shared: list[tuple[Row, list[tuple[int, int, int]]]] = []
    first = 0
    for row in rows:
        while first < len(gaps) - 1 and gaps[first].done_at <= row.start:
            first += 1
        overlaps = []
        for place in range(first, len(gaps)):
            if gaps[place].begun_at >= row.end:
                break
            start, end = max(row.start, gaps[place].begun_at), min(row.end, gaps[place].done_at)
            if start < end:
                overlaps.append((place, start, end))
        if overlaps:
            shared.append((row, overlaps))
    seen_in = _seen_in(connection, of, [row for row, overlaps in shared if row.spend and _is_watched(row, overlaps)])
    parts: defaultdict[int, list[Piece]] = defaultdict(list)
    for row, overlaps in shared:
        if not _is_watched(row, overlaps[:1]):  # as most: the next computation would come to the same
            parts[overlaps[0][0]].append(Piece(row.start, row.end, row.spend, is_reported=True))
            continue
        rest = max(row.spend - seen_in.get(row, 0), 0)
        whole, done = sum(end - start for _, start, end in overlaps), 0
        for place, start, end in overlaps:
            before, done = rest * done // whole, done + end - start
            parts[place].append(Piece(start, end, rest * done // whole - before, is_reported=True))
    return parts


def _is_watched(row: Row, overlaps: Sequence[tuple[int, int, int]]) -> bool:
    watched = row.end - row.start
    for _, start, end in overlaps:
        watched -= end - start
    return watched > 0


def _seen_in(connection: sa.Connection, of: KeyRuns, rows: Sequence[Row]) -> dict[Row, int]:
    """Return what was seen in each of these times between polls that are less than an hour apart."""
    if not rows:
        return {}
    wanted = range(min(row.start for row in rows) // HOUR, -(-max(row.end for row in rows) // HOUR))
    by_hour = {
        found.bucket: int(found.spend)
        for found in connection.execute(
            spend_by_bucket(of.known, HOUR, longest_step=LONGEST_STEP),
            parameters(of.key, wanted.start * HOUR, wanted.stop * HOUR),
        )
    }
    seen = {}
    for row in rows:
        if row.start % HOUR or row.end % HOUR:  # the hour or day that was still running: the last one only
            amount = connection.execute(spend_of_span(of.known), parameters(of.key, row.start, row.end)).scalar()
            seen[row] = int(amount or 0)
        else:
            seen[row] = sum(by_hour.get(hour, 0) for hour in range(row.start // HOUR, row.end // HOUR))
    return seen


def _pieces(gap: _Gap, parts: Sequence[Piece]) -> Iterator[Piece]:
    """Yield what was spent in a time that was not watched; all of its amount, where that is known."""
    if gap.amount is None:
        yield from parts
        return
    reported = sum(part.amount for part in parts)
    holes = [(part.done_at, after.begun_at) for part, after in pairwise(_with_edges(gap, parts))]
    holes = [(start, end) for start, end in holes if start < end]
    if (reported == 0 and not holes) or not parts:
        yield Piece(gap.begun_at, gap.done_at, gap.amount, is_reported=False)
        return
    wanted = gap.amount if reported >= gap.amount or not holes else reported
    done = 0
    for part in parts:
        before, done = wanted * done // max(reported, 1), done + part.amount
        yield part._replace(amount=wanted * done // max(reported, 1) - before)
    rest, whole, done = gap.amount - wanted, sum(end - start for start, end in holes), 0
    for start, end in holes:
        before, done = rest * done // whole, done + end - start
        yield Piece(start, end, rest * done // whole - before, is_reported=False)


def _with_edges(gap: _Gap, parts: Sequence[Piece]) -> list[Piece]:
    first, last = ((at, at, 0, False) for at in (gap.begun_at, gap.done_at))
    return [Piece(*first), *parts, Piece(*last)]


def spent_by_bucket(
    connection: sa.Connection,
    of: KeyRuns,
    buckets: range,
    width: int,
    *,
    longest_gap: int | None = None,
    longest_report: int | None = None,
) -> tuple[dict[int, Spent], Combined | None]:
    """Return what was spent in each bucket, seen or reported, and what was combined; idle buckets may be left out.

    Args:
        connection: of a database of any version.
        of: the key.
        buckets: which intervals.
        width: of each, in seconds.
        longest_gap: seconds without polls for which what was spent in them may be divided and is no estimate; None for
            the usual.
        longest_report: the same of what was reported.
    """
    combined = combine(connection, of, buckets.start * width, buckets.stop * width)
    longest_step = None if combined is None else combined.longest_step
    pieces = () if combined is None else combined.pieces
    found = by_bucket(pieces, buckets, width, longest_gap=longest_gap, longest_report=longest_report)
    steps = spend_by_bucket(of.known, width, longest_gap, longest_step=longest_step)
    time = parameters(of.key, buckets.start * width, buckets.stop * width)
    for row in connection.execute(steps, time) if of.seen is not None else ():
        one = found.setdefault(row.bucket, Spent())
        one.spend += int(row.spend)
        one.is_estimated |= bool(row.is_estimated)
    return found, combined


def by_bucket(
    pieces: Iterable[Piece],
    buckets: range,
    width: int,
    *,
    longest_gap: int | None = None,
    longest_report: int | None = None,
) -> dict[int, Spent]:
    """Sum pieces in each bucket, as `queries.spend_by_bucket` does with steps.

    Args:
        pieces: in any order.
        buckets: which intervals.
        width: of each, in seconds.
        longest_gap: seconds that a piece may have and be divided without being an estimate; None for the usual.
        longest_report: the same of what was reported.
    """
    found: defaultdict[int, Spent] = defaultdict(Spent)
    start, end = buckets.start * width, buckets.stop * width
    usual = longest_usual_gap(width)
    for piece in pieces:
        first, last = max(piece.begun_at, start) // width, (min(piece.done_at, end) - 1) // width
        if first == last and piece.begun_at >= start and piece.done_at <= end:  # as most: hours of days
            found[first].spend += piece.amount
            found[first].is_reported |= piece.is_reported
            continue
        longest = longest_report if piece.is_reported else longest_gap
        is_estimated = (
            piece.amount > 0
            and piece.begun_at // width < (piece.done_at - 1) // width
            and piece.done_at - piece.begun_at > (usual if longest is None else longest)
        )
        for bucket in range(first, last + 1):
            one = found[bucket]
            one.spend += piece.between(bucket * width, (bucket + 1) * width)
            one.is_estimated |= is_estimated
            one.is_reported |= piece.is_reported
    return dict(found)


def covered(seen: tuple[int, int] | None, combined: Combined | None) -> list[tuple[int, int]]:
    """Return the times of which is known what was spent, in order: seen, or reported."""
    return _merged([*([seen] if seen is not None else []), *(combined.reported if combined is not None else ())])


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join times that follow each other, but for the usual time between two polls; in order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + SEEN_GAP:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
