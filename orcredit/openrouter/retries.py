"""Trying again after a failure, by stamina: backoff with jitter, and the waits that the server asks for.

stamina is imported at the first failure only: most runs never need it. Its hooks belong to the whole process, and the
default ones report every retry to whatever logging they find, structlog's standard output included. They are off while
one of our calls is being retried, and back as they were after it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ATTEMPTS = 4
"""Tries for one call, the first included; with the waits between them they span about two seconds."""

_T = TypeVar("_T")
_hooks: dict[str, Any] = {"users": 0, "before": ()}


async def try_again(
    failure: Exception, attempt: Callable[[], Awaitable[_T]], wait_for: Callable[[Exception], bool | float]
) -> _T:
    """Try again what has failed once.

    Args:
        failure: the first try's; it counts as one of the attempts, and waits like any other.
        attempt: tries.
        wait_for: decides about a failure: no other try, another one, or another one after so many seconds.

    Raises:
        Exception: the last try's failure.
    """
    import stamina  # noqa: PLC0415

    with _without_hooks():
        async for trying in stamina.retry_context(
            on=wait_for, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2
        ):
            with trying:
                if trying.num == 1:
                    raise failure
                return await attempt()
    raise failure


@contextmanager
def _without_hooks() -> Iterator[None]:
    from stamina import instrumentation  # noqa: PLC0415

    if _hooks["users"] == 0:
        _hooks["before"] = instrumentation.get_on_retry_hooks()
        instrumentation.set_on_retry_hooks(())
    _hooks["users"] += 1
    try:
        yield
    finally:
        _hooks["users"] -= 1
        if _hooks["users"] == 0:
            instrumentation.set_on_retry_hooks(_hooks["before"])
