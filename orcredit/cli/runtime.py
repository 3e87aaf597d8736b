"""How the commands that run for months run: event loop, signals, garbage collection, polling, draining."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from orcredit.blocking import EventLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from orcredit.monitor import Hub

_R = TypeVar("_R")


def run(
    hub: Hub[Any],
    work: Callable[[asyncio.Future[None]], Coroutine[Any, Any, _R]],
    *,
    drain_seconds: float,
    on_loop_error: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None,
) -> _R | None:
    """Poll, and work beside it until SIGINT or SIGTERM, or until the work is done.

    Args:
        hub: not yet running.
        work: given a future that is done when it must end; does not ignore it.
        drain_seconds: how long the sinks may take at the end for what they have begun.
        on_loop_error: the event loop's exception handler.

    Returns:
        What the work gives; None where Ctrl-C ended it as an exception (Windows).

    Raises:
        ConfigurationError: a first poll failed for a reason that waiting does not cure.
        Exception: what the work raises.
    """
    gc.enable()  # `orcredit.cli.main` switches it off, which suits commands that end soon
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=EventLoop) as runner:
        if on_loop_error is not None:
            runner.get_loop().set_exception_handler(on_loop_error)
        return runner.run(_run(hub, work, drain_seconds))
    return None


async def _run(
    hub: Hub[Any], work: Callable[[asyncio.Future[None]], Coroutine[Any, Any, _R]], drain_seconds: float
) -> _R:
    stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _stop_on_signals(stopping)  # before anything is shown that could make a user send one
    working = asyncio.ensure_future(work(stopping))
    polling = asyncio.ensure_future(hub.run())
    either: set[asyncio.Future[Any]] = {working, polling, stopping}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not stopping.done():
            stopping.set_result(None)
        polling.cancel()
        await asyncio.gather(polling, working, hub.drain(drain_seconds), return_exceptions=True)
    if not polling.cancelled():
        polling.result()
    return working.result()


def _stop_on_signals(stopping: asyncio.Future[None]) -> None:
    """Have Ctrl-C and SIGTERM, the usual ways to end a program and no errors, set the future."""

    def stop() -> None:
        if not stopping.done():
            stopping.set_result(None)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: KeyboardInterrupt instead
            loop.add_signal_handler(number, stop)
