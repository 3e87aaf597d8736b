"""The newest answer in the form in which it is sent: its bytes are built once per refresh, not once per request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sse_starlette import ServerSentEvent

from orcredit.server.answers import Prepared, Refusal, refusal_for, to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orcredit.monitor import Poller, Snapshot


@dataclass(frozen=True, slots=True)
class Answer:
    """A snapshot as it is sent.

    Attributes:
        snapshot: what it was made of.
        status: of the response.
        body: the document, or the problem where there never was one.
        event: the same for the event stream.
    """

    snapshot: Snapshot
    status: int
    body: bytes
    event: bytes


class Current:
    """Keeps the newest answer of a monitor.

    Args:
        monitor: whose snapshots are sent.
        timer: seconds that only go forward.
    """

    def __init__(self, monitor: Poller, timer: Callable[[], float] = time.monotonic) -> None:
        self._monitor = monitor
        self._timer = timer
        self._aged: tuple[datetime, float, float] | None = None
        self._answer: Answer | None = None
        self._response: tuple[Answer, int | None, Prepared] | None = None

    def of(self, snapshot: Snapshot) -> Answer:
        """Give a snapshot's answer; built when it is first asked for, and kept until there is a newer one."""
        if self._answer is None or self._answer.snapshot is not snapshot:
            self._answer = _answer(snapshot)
        return self._answer

    def response(self, snapshot: Snapshot | None) -> Prepared:
        """Give the response that shows a snapshot.

        Raises:
            Refusal: there is none yet.
        """
        if snapshot is None:
            raise Refusal(
                503,
                "starting",
                "OpenRouter has not answered yet.",
                "Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        answer = self.of(snapshot)
        exact_age = self.age(snapshot)
        age = None if exact_age is None else int(exact_age)
        if self._response is None or self._response[0] is not answer or self._response[1] != age:
            headers = [] if age is None else [(b"age", str(age).encode())]
            self._response = answer, age, Prepared(answer.status, answer.body, headers)
        return self._response[2]

    def age(self, snapshot: Snapshot | None) -> float | None:
        """Tell how many seconds ago OpenRouter gave the numbers; None when it never did.

        By this machine's clock, which goes on while the machine sleeps; but no less than what has passed by the timer
        since this was first asked, for the clock may be set back.
        """
        if snapshot is None or snapshot.answered_at is None:
            return None
        by_clock = max(0.0, (self._monitor.clock() - snapshot.answered_at).total_seconds())
        if self._aged is None or self._aged[0] is not snapshot.answered_at:
            self._aged = snapshot.answered_at, by_clock, self._timer()
        _, first, since = self._aged
        return max(by_clock, first + self._timer() - since)


def _answer(snapshot: Snapshot) -> Answer:
    number = str(snapshot.sequence)
    if snapshot.balance is not None:
        body = to_json(snapshot.balance)
        return Answer(snapshot, 200, body, ServerSentEvent(body.decode(), id=number).encode())
    if snapshot.error is None:  # a monitor makes no such snapshot
        raise AssertionError(snapshot.sequence)
    refusal = refusal_for(snapshot.error)
    body = to_json(refusal.problem)
    return Answer(snapshot, refusal.status, body, ServerSentEvent(body.decode(), event="problem", id=number).encode())
