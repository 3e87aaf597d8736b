"""Blocking work beside an event loop, on a daemon thread, which neither the loop nor the interpreter joins.

The loop's thread pool is joined when the loop closes, and again when the interpreter exits: a name server or a database
that hangs would keep the process alive long after any deadline.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from orcredit.errors import NO_THREAD

if TYPE_CHECKING:
    from collections.abc import Callable

_R = TypeVar("_R")


class NoThreadError(RuntimeError):
    """The system refused to start a thread."""


async def aside(work: Callable[[], _R]) -> _R:
    """Run long computations on a thread, so that the event loop goes on; on the loop where no thread can be started."""
    with suppress(NoThreadError):
        return await in_background(work)
    return work()


def in_background(work: Callable[..., _R], *arguments: Any, **options: Any) -> asyncio.Future[_R]:  # noqa: ANN401
    """Run blocking work on a daemon thread.

    Args:
        work: called once with the arguments.
        arguments: for `work`.
        options: likewise, by name.

    Returns:
        A future of the running loop with the result or the exception; a `NoThreadError` if no thread could be
        started. Cancelling it abandons the thread.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_R] = loop.create_future()
    outcome.add_done_callback(
        lambda done: None if done.cancelled() else done.exception()
    )  # retrieved, so that asyncio logs no warning if the future was dropped

    def deliver(result: Any, error: BaseException | None) -> None:  # noqa: ANN401
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    def run() -> None:
        result, error = None, None
        try:
            result = work(*arguments, **options)
        except BaseException as failure:  # noqa: BLE001 - handed to the loop's thread
            error = failure
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(deliver, result, error)

    try:
        threading.Thread(target=run, name="orcredit-background", daemon=True).start()
    except RuntimeError:  # set on the future, so that callers handle it like any other failure
        outcome.set_exception(NoThreadError(NO_THREAD))
    return outcome
