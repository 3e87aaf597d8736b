"""Reads a log of any length in bounded memory, and keeps the last error of OpenRouter in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from orcredit.balance import next_reset
from orcredit.explain import times
from orcredit.explain.finding import Finding, Kind
from orcredit.explain.forms import find
from orcredit.explain.plain import plain
from orcredit.explain.sentences import may_have_error, offsets_of_interest

if TYPE_CHECKING:
    from datetime import datetime

LONGEST_LINE = 1 << 14
"""Bytes. Longer lines are read in pieces."""

_OVERLAP = 1 << 12
"""Bytes that two pieces of a line share, so that no error is cut in two."""

_TIMESTAMP = 200
"""Bytes at the start of a line that are kept for its timestamp."""

_LONGEST_UNIT = 1 << 15
_MOST_LINES = 80
"""Of a unit: more is no longer one error, but a log in which a brace is missing."""

_RETRY_AFTER = re.compile(rb"^[<\s]*retry-after: *(\d{1,9})\s*$", re.IGNORECASE)
_HEADER_LINES = 40
"""Lines between a Retry-After among printed headers (`curl -i`) and the body that it belongs to."""


class Log:
    """What a log says about OpenRouter's refusals.

    Lines are put together to units, as errors are often printed over several: a line continues the one before if it is
    indented, or if a brace is still open. A line with a timestamp begins a new one.

    Attributes:
        last: the last error; None without one.
        count: how many units have an error. What one event makes a tool print in several units counts several times.
        first_at: when the limit of the last error first refused, in the period of the limit in which it did so last;
            aware UTC, None without timestamps.
        size: bytes read.
    """

    def __init__(self) -> None:
        self.last: Finding | None = None
        self.count = 0
        self.first_at: datetime | None = None
        self.size = 0
        self._rest = b""
        self._unit: list[bytes] = []
        self._unit_size = 0
        self._depth = 0
        self._is_of_interest = False
        self._recent: deque[bytes] = deque(maxlen=_MOST_LINES)
        self._line_number = 0
        self._last_line = 0
        self._retry_after: tuple[int, float] | None = None
        self._first: dict[Kind, datetime] = {}

    def feed(self, data: bytes) -> None:
        """Read the next bytes, of any length."""
        self.size += len(data)
        data = data.replace(b"\0", b"")  # also makes ASCII of UTF-16, in which PowerShell redirects
        block = self._rest + data
        end = block.rfind(b"\n") + 1
        lines, self._rest = block[:end], block[end:]
        if lines:
            self._read_lines(lines)
        self._rest = self._read_pieces(self._rest)

    def close(self) -> None:
        """Read what is left: the last line may have no end."""
        if self._rest:
            self._read_lines(self._rest)
        self._rest = b""
        self._end_unit()

    def _read_lines(self, block: bytes) -> None:
        """Read whole lines."""
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        of_interest = _lines_of_interest(block, lines)
        for number, line in enumerate(lines):
            if len(line) > LONGEST_LINE:
                line = self._read_pieces(line)  # noqa: PLW2901 - the last piece stands for it
            self._read_line(line, is_of_interest=number in of_interest)

    def _read_pieces(self, line: bytes) -> bytes:
        """Read all of a long line but its last piece, which is returned."""
        while len(line) > LONGEST_LINE:
            self._read_piece(line[:LONGEST_LINE])
            line = line[LONGEST_LINE - _OVERLAP :]
        return line

    def _read_piece(self, piece: bytes) -> None:
        """Read a part of a long line; what begins in its last bytes is left to the next piece, which has them too."""
        self._end_unit()
        if may_have_error(piece):
            text = piece.decode("utf-8", errors="replace")
            until = len(plain(text)) - len(plain(piece[-_OVERLAP:].decode("utf-8", errors="replace")))
            for finding in find(text, until=until):
                self._add(finding)

    def _read_line(self, line: bytes, *, is_of_interest: bool) -> None:
        """Add a line to the unit before it, or begin a new one."""
        self._line_number += 1
        if self._unit and not self._continues(line):
            self._end_unit()
        if is_of_interest:
            self._is_of_interest = True
            if (match := _RETRY_AFTER.match(line)) is not None:
                self._retry_after = self._line_number, float(match[1])
        self._recent.append(line[:_TIMESTAMP])
        self._unit.append(line)
        self._unit_size += len(line)
        if b"{" in line or b"}" in line:
            self._depth = max(0, self._depth + line.count(b"{") - line.count(b"}"))

    def _continues(self, line: bytes) -> bool:
        if len(self._unit) >= _MOST_LINES or self._unit_size + len(line) > _LONGEST_UNIT:
            return False
        if line[:1] in {b" ", b"\t"}:
            return True
        return self._depth > 0 and times.time_of(line[:80].decode("utf-8", errors="replace")) is None

    def _time_before(self) -> datetime | None:
        """Return the time of the last line with a timestamp: those of a traceback, for example, have none."""
        for line in reversed(self._recent):
            if b"20" in line[:60] and line[:1] not in {b" ", b"\t"}:
                instant = times.time_of(line.decode("utf-8", errors="replace"))
                if instant is not None:
                    return instant
        return None

    def _end_unit(self) -> None:
        if self._is_of_interest:
            whole = b"\n".join(self._unit)
            for finding in find(whole.decode("utf-8", errors="replace")) if may_have_error(whole) else ():
                self._add(finding)
        self._unit.clear()
        self._unit_size = self._depth = 0
        self._is_of_interest = False

    def _add(self, finding: Finding) -> None:
        """Take an error as the last one, unless it is another statement of the one before."""
        if finding.at is None:
            finding = replace(finding, at=self._time_before())
        if self._retry_after is not None:
            line_number, seconds = self._retry_after
            if finding.retry_after is None and self._line_number - line_number <= _HEADER_LINES:
                finding = replace(finding, retry_after=seconds)
            self._retry_after = None
        last, gap = self.last, self._line_number - self._last_line
        self._last_line = self._line_number
        if last is not None and gap <= _HEADER_LINES:
            if finding.kind is last.kind and not finding.is_own_statement:
                self._set(last.completed_by(finding))
                return
            if last.kind is Kind.OTHER is not finding.kind and finding.status == last.status:
                self._set(finding.completed_by(last))  # the line that says that a request failed, and then why
                return
            if finding.kind is Kind.OTHER is not last.kind and finding.status == last.status:
                return
        self.count += 1
        self._set(finding)

    def _set(self, finding: Finding) -> None:
        self.last = finding
        if finding.at is None:
            self.first_at = None
            return
        first = self._first.setdefault(finding.kind, finding.at)
        reset = next_reset(finding.period, first)
        if reset is not None and finding.at >= reset:
            first = finding.at
        self._first[finding.kind] = min(first, finding.at)
        self.first_at = self._first[finding.kind]


def _lines_of_interest(block: bytes, lines: list[bytes]) -> set[int]:
    """Return the numbers of the lines with a part of an error: in most logs few, so that the others cost little."""
    offsets = offsets_of_interest(block)
    if not offsets:
        return set()
    ends = list(accumulate(len(line) + 1 for line in lines))
    return {bisect_right(ends, offset) for offset in offsets}
