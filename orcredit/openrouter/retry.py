"""Retries after a failure, by tenacity: backoff with jitter, and the waits that the server asks for.

Every call has its own tenacity object, so that nothing of the host program's is changed. tenacity is imported at the
first failure: most runs never need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orcredit.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

ATTEMPTS = 4
"""Attempts of one call, the first included; with the waits between them they span about two seconds."""

FIRST_WAIT, LONGEST_WAIT, JITTER = 0.2, 2.0, 0.2
"""Seconds. The wait doubles with every attempt; the jitter, a random part, is added to it."""

_T = TypeVar("_T")


async def try_again(
    failure: Exception, attempt: Callable[[], Awaitable[_T]], is_retried: Callable[[BaseException], bool]
) -> _T:
    """Retry what has failed once; wait before each retry, as long as the failure's `retry_after` asks if it does.

    Args:
        failure: the first attempt's; it counts as one of the attempts.
        attempt: one more attempt.
        is_retried: whether another attempt may follow a failure.

    Raises:
        Exception: the last attempt's failure.
    """
    import tenacity  # noqa: PLC0415 - see the module's docstring

    backoff = tenacity.wait_exponential(FIRST_WAIT, LONGEST_WAIT) + tenacity.wait_random(0, JITTER)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked_for = error.retry_after if isinstance(error, UnreachableError) else None
        return backoff(state) if asked_for is None else asked_for

    async for attempting in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_retried),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait,
        reraise=True,
    ):
        with attempting:
            if attempting.retry_state.attempt_number == 1:
                raise failure
            return await attempt()
    raise failure
