"""Retries with tenacity: exponential backoff with jitter, or the wait that the server asks for.

Every call has its own tenacity object: no state is shared with the host program. tenacity is imported at the first
failure, as most runs do not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orcredit.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

ATTEMPTS = 4
"""Attempts of one request, the first included; the waits between them add up to about two seconds."""

FIRST_WAIT, LONGEST_WAIT, JITTER = 0.2, 2.0, 0.2
"""Seconds. The wait doubles with every attempt; a random part of up to `JITTER` is added."""

_T = TypeVar("_T")


async def retry(
    failure: Exception,
    attempt: Callable[[int], Awaitable[_T]],
    *,
    is_retried: Callable[[BaseException], bool],
    seconds: float,
) -> _T:
    """Retry after a first failure; wait before each retry, for the failure's `retry_after` if it has one.

    Args:
        failure: of the first attempt, which counts as one of `ATTEMPTS`.
        attempt: makes one more; called with its number, from 2.
        is_retried: whether a failure may be retried.
        seconds: until the deadline; a retry that would begin later is not waited for.

    Raises:
        Exception: the last attempt's failure.
    """
    import tenacity  # noqa: PLC0415 - see the module's docstring

    backoff = tenacity.wait_exponential(FIRST_WAIT, LONGEST_WAIT) + tenacity.wait_random(0, JITTER)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        retry_after = error.retry_after if isinstance(error, UnreachableError) else None
        return backoff(state) if retry_after is None else retry_after

    async for attempting in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_retried),
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(seconds),
        wait=wait,
        reraise=True,
    ):
        with attempting:
            number = attempting.retry_state.attempt_number
            if number == 1:
                raise failure
            return await attempt(number)
    raise failure
