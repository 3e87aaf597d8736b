"""Run coroutines and asynchronous iterators from synchronous code, also where an event loop is running already."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from orcredit.background import in_background

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
    from typing import Any

_T = TypeVar("_T")


def run(ask: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine to its end, on a separate thread where this one already runs an event loop."""
    results: list[_T | BaseException] = []

    async def keep() -> None:
        # Not the result of the task: asyncio, removing its handler for Ctrl-C, makes the `repr` of the task, which
        # takes half a second where its result is a list of thousands of keys.
        results.append(await ask())

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=EventLoop) as runner:
                runner.run(keep())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            results.append(error)

    if not _is_in_event_loop():
        with asyncio.Runner(loop_factory=EventLoop) as runner:
            runner.run(keep())
    else:
        thread = threading.Thread(target=work, name="orcredit", daemon=True)
        thread.start()
        thread.join()
    (result,) = results
    if isinstance(result, BaseException):
        raise result
    return result


def iterate(produce: Callable[[], AsyncGenerator[_T, None]]) -> Iterator[_T]:
    """Iterate over what an asynchronous iterator yields, which runs on a separate thread.

    It runs ahead of the caller; it is stopped at its next item when the caller does not go on.
    """
    import queue  # noqa: PLC0415 - rarely needed

    items: queue.SimpleQueue[tuple[_T] | BaseException | None] = queue.SimpleQueue()
    is_wanted = threading.Event()
    is_wanted.set()

    async def work() -> None:
        async with aclosing(produce()) as produced:
            async for item in produced:
                if not is_wanted.is_set():
                    return
                items.put((item,))

    def fill() -> None:
        try:
            with asyncio.Runner(loop_factory=EventLoop) as runner:
                runner.run(work())
            items.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            items.put(error)

    threading.Thread(target=fill, name="orcredit", daemon=True).start()
    try:
        while (item := items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        is_wanted.clear()


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class EventLoop(asyncio.SelectorEventLoop):
    """An event loop that can be left while a name is still being resolved; see `orcredit.background`."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the base class's signature
        """Resolve a name; the same arguments, results and errors as the base class's."""
        return await in_background(socket.getaddrinfo, *args, **kwargs)
