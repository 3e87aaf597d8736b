"""The account's credit, requested beside `/key`: with the key itself and, where there is one, with the management key.

`GET /credits` is meant for management keys, but ordinary ones were seen to get the account's amounts, two zeros, or a
refusal (October 2026). So every key is tried, without delaying the balance: once `/key` has answered, an ordinary key's
`/credits` gets `PATIENCE` more, and no second attempt. What it does not say is not known, which is no error.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from orcredit.errors import KeyRefusedError, OrcreditError, UnreachableError
from orcredit.openrouter.retry import FIRST_WAIT

if TYPE_CHECKING:
    from typing import TypeAlias

    from pydantic import SecretStr

    from orcredit.openrouter.api import Api
    from orcredit.openrouter.wire import Credits

    _Answer: TypeAlias = Credits | OrcreditError | None
    """A failure is part of the answer; None where no request was sent, or the answer was not waited for."""

PATIENCE = 0.5
"""Seconds after the answer to `/key` for which an ordinary key's `/credits` is waited for."""

REMEMBERED = 3600.0
"""Seconds for which it is remembered that an ordinary key was refused, or got zeros; it sends no request meanwhile."""

KEPT = 300.0
"""Seconds for which the last known credit stands in for one that is not known."""

Source = Literal["key", "management_key"]


class Credit(NamedTuple):
    """What a poll says of the account's credit.

    Attributes:
        credits: the answer, perhaps of an earlier poll (at most `KEPT` ago); None where it is not known.
        source: which key got it.
        failure: why this poll got no answer with a management key, nor any other that could replace it.
        failed_with: which key `failure` is about.
        is_disputed: whether the management key got other purchases than the key itself.
    """

    credits: Credits | None
    source: Source
    failure: OrcreditError | None = None
    failed_with: Source = "management_key"
    is_disputed: bool = False


class CreditRequests:
    """The requests of all polls of a client, and what they remember of each other.

    Args:
        key: the key whose balance is asked for.
        management_key: another key, which may ask for the credit; None without.
    """

    def __init__(self, key: SecretStr, management_key: SecretStr | None) -> None:
        self._own = _Requests(key) if key != management_key else None
        self._management = _Requests(management_key) if management_key is not None else None
        self._last: tuple[Credit, float] | None = None
        """The last known credit, and when it was got, by the monotonic clock."""

    @property
    def wait(self) -> float:
        """Seconds for which the key itself will send no request, as it was refused or got zeros.

        May be set to what another client of the same key and base URL remembers.
        """
        return self._own.seconds_left if self._own is not None else 0.0

    @wait.setter
    def wait(self, seconds: float) -> None:
        if self._own is not None:
            self._own.postpone(min(seconds, REMEMBERED))

    async def send(self, api: Api, is_management: asyncio.Future[bool]) -> Credit:
        """Send the requests of a poll.

        Args:
            api: of the poll.
            is_management: set when `/key` has answered: whether the key itself is a management key. Such a key's
                credit is waited for, and retried, like the answer to `/key`.
        """
        own = asyncio.ensure_future(self._own.ask(api, is_retried=False)) if self._own is not None else None
        management = asyncio.ensure_future(self._management.ask(api)) if self._management is not None else None
        try:
            is_ordinary = not await is_management
            deadline = asyncio.get_running_loop().time() + PATIENCE
            answer = await self._own_answer(api, own, deadline, is_ordinary=is_ordinary)
            if management is None:
                other = None
            elif _is_conclusive(answer, is_ordinary=is_ordinary):
                other = await _in_time(management, deadline)  # all it can do is disagree
            else:
                other = await management
        finally:
            await _stop(own, management)
        return self._conclude(answer, other, is_ordinary=is_ordinary)

    async def _own_answer(
        self, api: Api, request: asyncio.Task[_Answer] | None, deadline: float, *, is_ordinary: bool
    ) -> _Answer:
        """Wait for the key's own answer; an ordinary key's failure is None, and remembered if it is a refusal."""
        if request is None or self._own is None:
            return None
        if is_ordinary:
            answer = await _in_time(request, deadline)
            credits_ = _credits(answer)
            if isinstance(answer, KeyRefusedError) or (credits_ is not None and not credits_.has_purchases):
                self._own.postpone(REMEMBERED)
            return credits_
        answer = await request
        if answer is None:  # what is remembered is of an ordinary key
            return await self._own.ask(api, is_forced=True)
        if isinstance(answer, UnreachableError) and answer.transient:
            wait = answer.retry_after or FIRST_WAIT
            if wait < api.seconds_left:
                await asyncio.sleep(wait)
                return await self._own.ask(api, is_forced=True)
        return answer

    def _conclude(self, own: _Answer, management: _Answer, *, is_ordinary: bool) -> Credit:
        """Choose between the answers of this poll, and the last known one."""
        now = time.monotonic()
        credit = _choose(own, management, is_ordinary=is_ordinary)
        last = self._last[0] if self._last is not None and now - self._last[1] < KEPT else None
        is_answer = credit.source == "management_key" or _is_conclusive(credit.credits, is_ordinary=is_ordinary)
        if credit.credits is None or not is_answer:
            return credit if last is None else last._replace(failure=credit.failure, failed_with=credit.failed_with)
        is_late = last is not None and (last.source, credit.source) == ("key", "management_key")
        if last is not None and is_late and _differ(last.credits, credit.credits):
            return last._replace(is_disputed=True)  # the key's own answer, which would win
        self._last = credit, now
        return credit


class _Requests:
    """The requests with one key; none while OpenRouter asks to wait (Retry-After), or while a refusal is remembered."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret
        self._until = 0.0
        """By the monotonic clock."""
        self._failure: OrcreditError | None = None
        """Why the requests wait, if that is to be said."""

    @property
    def seconds_left(self) -> float:
        return max(self._until - time.monotonic(), 0.0)

    def postpone(self, seconds: float, failure: OrcreditError | None = None) -> None:
        self._until, self._failure = time.monotonic() + seconds, failure

    async def ask(self, api: Api, *, is_retried: bool = True, is_forced: bool = False) -> _Answer:
        if self.seconds_left and not is_forced:
            return self._failure.with_traceback(None) if self._failure is not None else None  # it would grow each time
        try:
            return await api.credits(self._secret, is_retried=is_retried)
        except OrcreditError as error:
            if isinstance(error, UnreachableError) and error.retry_after:
                self.postpone(error.retry_after, error)
            return error


def _choose(own: _Answer, management: _Answer, *, is_ordinary: bool) -> Credit:
    """Choose between the answers of one poll: the key's own wins if it says what is left."""
    of_key, of_management = _credits(own), _credits(management)
    if _is_conclusive(of_key, is_ordinary=is_ordinary):
        return Credit(of_key, "key", is_disputed=_differ(of_key, of_management))
    if of_management is not None:
        return Credit(of_management, "management_key")
    if isinstance(management, OrcreditError):
        return Credit(None, "management_key", management)
    if isinstance(own, OrcreditError):
        return Credit(None, "key", own, "key")
    return Credit(of_key, "key")


def _credits(answer: _Answer) -> Credits | None:
    return None if isinstance(answer, OrcreditError) else answer


def _is_conclusive(answer: _Answer, *, is_ordinary: bool) -> bool:
    credits_ = _credits(answer)
    return credits_ is not None and credits_.is_conclusive(is_ordinary=is_ordinary)


def _differ(one: Credits | None, other: Credits | None) -> bool:
    """Whether both report purchases, and not the same: what was used changes all the time, and is cached."""
    if one is None or other is None or not other.has_purchases:
        return False
    return one.total_credits != other.total_credits


async def _in_time(request: asyncio.Task[_Answer], deadline: float) -> _Answer:
    """Wait until the deadline, by the event loop's time."""
    await asyncio.wait({request}, timeout=max(deadline - asyncio.get_running_loop().time(), 0.0))
    return request.result() if request.done() else None


async def _stop(*requests: asyncio.Task[_Answer] | None) -> None:
    """Cancel what is still under way, and wait until it is gone: the event loop may end next."""
    begun = [request for request in requests if request is not None]
    for request in begun:
        request.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
