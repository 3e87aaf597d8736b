"""The log of a server: timestamped lines on standard error, written beside the event loop.

When their reader has stopped reading, lines are lost, and the server goes on.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import TYPE_CHECKING, Self

from orcredit.cli.output import write_all

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_WAITING = 1000
_LAST_LINES_SECONDS = 0.5

_OTHERS = ("uvicorn", "sse_starlette", "starlette")
"""Libraries whose own words are not for our users: their errors come with tracebacks, which may quote anything."""


class Journal:
    """A context in which the library's log records become lines.

    Args:
        clock: the time of day; aware UTC.
        shows_requests: also every request, those to OpenRouter and those that are answered.
    """

    def __init__(self, clock: Callable[[], datetime], *, shows_requests: bool) -> None:
        self._waiting: queue.Queue[logging.LogRecord] = queue.Queue(_MOST_WAITING)
        self._handler = _Queueing(self._waiting)
        self._handler.setFormatter(_Line(clock))
        self._listener = QueueListener(self._waiting, _Writing())
        self._level = logging.DEBUG if shows_requests else logging.INFO

    def __enter__(self) -> Self:
        """Begin to write."""
        for name in _OTHERS:
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False
        logger = logging.getLogger("orcredit")
        logger.addHandler(self._handler)
        logger.setLevel(self._level)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, but wait for no one who does not read it."""
        logging.getLogger("orcredit").removeHandler(self._handler)
        ending = threading.Thread(target=self._end, daemon=True)
        with suppress(RuntimeError):  # no thread could be started: the last lines are lost, the exit code is not
            ending.start()
            ending.join(_LAST_LINES_SECONDS)

    def _end(self) -> None:
        with suppress(queue.Full):
            self._listener.stop()

    def write(self, text: str) -> None:
        """Write a line."""
        logging.getLogger("orcredit").info("%s", text)


class _Queueing(QueueHandler):
    """Drops lines when they are not read."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Lose a line."""


class _Writing(logging.Handler):
    """Writes past every buffer: one whose lock a stuck thread holds would keep the program from ending."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Have no lock: only one thread writes, and logging's own end would wait for it."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Write without the lock; there is nothing to be filtered."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or lose it where nothing can be written."""
        with suppress(OSError, ValueError):
            write_all(sys.stderr, f"{record.getMessage()}\n")


class _Line(logging.Formatter):
    """The time in UTC, then what happened."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line."""
        return f"{self._clock().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {record.getMessage()}"
