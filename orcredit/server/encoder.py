"""Snapshots as JSON: the document, and the envelope around it. Each snapshot is encoded once, not once per request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orcredit.server.envelope import Envelope
from orcredit.server.models import SnapshotEvent
from orcredit.server.problems import problem_for
from orcredit.server.responses import to_json
from orcredit.words import event_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orcredit.errors import OrcreditError
    from orcredit.monitor import Poller, Snapshot

_AGE = b'"age":null'
_NEXT = b'"nextPollIn":null'


class Encoder:
    """Encodes the snapshots of one monitor; keeps the bytes of the newest.

    Args:
        monitor: its clock measures the age of answers.
        timer: monotonic seconds.
        profile_count: how many profiles the server has.
        has_management_key: whether one is set for this profile.
    """

    def __init__(
        self,
        monitor: Poller,
        timer: Callable[[], float] = time.monotonic,
        *,
        profile_count: int = 1,
        has_management_key: Callable[[], bool] = lambda: False,
    ) -> None:
        self._profile_count = profile_count
        self._has_management_key = has_management_key
        self._clock = monitor.clock
        self._timer = timer
        self._aged: tuple[datetime, float, float] | None = None
        self._snapshot: Snapshot | None = None
        self._document: tuple[int, bytes] | None = None
        self._envelopes: dict[int, bytes] = {}

    def document(self, snapshot: Snapshot) -> tuple[int, bytes]:
        """Give the HTTP status and the JSON of a snapshot: 200 and the balance, else the error's and the problem."""
        self._keep(snapshot)
        if self._document is None:
            if snapshot.balance is not None:
                self._document = 200, to_json(snapshot.balance)
            else:
                problem = problem_for(_error(snapshot))
                self._document = problem.status_code, to_json(problem.problem)
        return self._document

    def envelope(self, snapshot: Snapshot, after: int = 0) -> bytes:
        """Give the JSON of a snapshot's envelope as of now.

        Args:
            snapshot: any of the monitor's.
            after: the envelope's events are those since the snapshot with this sequence number.
        """
        self._keep(snapshot)
        if after not in self._envelopes:
            self._envelopes[after] = to_json(self._envelope(snapshot, after))
        # The first match is the field: quotes inside of strings are escaped.
        due_in = max(0.0, (snapshot.next_poll_at - self._clock()).total_seconds())
        encoded = self._envelopes[after].replace(_NEXT, b'"nextPollIn":%.3f' % due_in, 1)
        age = self.age(snapshot)
        return encoded if age is None else encoded.replace(_AGE, b'"age":%.3f' % age, 1)

    def age(self, snapshot: Snapshot | None) -> float | None:
        """Give the seconds since OpenRouter gave the numbers; None before any answer.

        By this machine's clock, which goes on while the machine sleeps; but at least what the timer has counted since
        the first call for this answer, because the clock may be set back.
        """
        if snapshot is None or snapshot.answered_at is None:
            return None
        by_clock = max(0.0, (self._clock() - snapshot.answered_at).total_seconds())
        if self._aged is None or self._aged[0] is not snapshot.answered_at:
            self._aged = snapshot.answered_at, by_clock, self._timer()
        _, first, since = self._aged
        return max(by_clock, first + self._timer() - since)

    def _keep(self, snapshot: Snapshot) -> None:
        """Drop the bytes of another snapshot."""
        if self._snapshot is not snapshot:
            self._snapshot, self._document, self._envelopes = snapshot, None, {}

    def _envelope(self, snapshot: Snapshot, after: int) -> Envelope:
        is_management = snapshot.balance is not None and snapshot.balance.key.is_management_key
        return Envelope(
            profile=snapshot.profile,
            profile_count=self._profile_count,
            has_account=bool(is_management) or self._has_management_key(),
            sequence=snapshot.sequence,
            age=None,
            next_poll_in=None,
            rate=snapshot.rate,
            runaway=snapshot.runaway,
            balance=snapshot.balance,
            problem=problem_for(_error(snapshot)).problem if snapshot.balance is None else None,
            events=tuple(
                SnapshotEvent(
                    at=event.at, kind=event.kind.value, text=event_text(event, public=True), is_worse=event.is_worse
                )
                for event in snapshot.events_after(after)
            ),
        )


def _error(snapshot: Snapshot) -> OrcreditError:
    if snapshot.error is None:  # a poll gives a balance or fails
        raise AssertionError(snapshot.sequence)
    return snapshot.error
