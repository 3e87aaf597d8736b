"""The account's credit, requested beside `/key`: with the key itself and, where there is one, with the management key.

`GET /credits` is meant for management keys, but ordinary ones were seen to get the account's amounts, two zeros, or a
refusal (October 2026). So every key is tried, without delaying the balance: once `/key` has answered, an ordinary key's
`/credits` gets `PATIENCE` more, and no second attempt. What it does not say is not known, which is no error.

A management key is also asked what the whole account spent lately, which gives the credit's pace: once an hour, at the
first poll of a UTC day, and never waited for long (`spending.py`). A failure of that is said nowhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from orcredit.errors import KeyRefusedError, OrcreditError, UnreachableError
from orcredit.money import ZERO
from orcredit.openrouter.retry import FIRST_WAIT

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal
    from typing import TypeAlias

    from pydantic import SecretStr

    from orcredit.openrouter.api import Api
    from orcredit.openrouter.spending import Days
    from orcredit.openrouter.wire import Credits

    _Answer: TypeAlias = Credits | OrcreditError | None
    """A failure is part of the answer; None where no request was sent, or the answer was not waited for."""

PATIENCE = 0.5
"""Seconds after the answer to `/key` for which an ordinary key's `/credits` is waited for."""

REMEMBERED = 3600.0
"""Seconds for which it is remembered that an ordinary key was refused, or got zeros; it sends no request meanwhile."""

KEPT = 300.0
"""Seconds for which the last known credit stands in for one that is not known."""

SPENDING_KEPT = 7200.0
"""Seconds for which the account's spending is known after an answer; an hour more than until the next request."""

SPENDING_PATIENCE = 2.0
"""Seconds, after the answer to `/key`, for which it is waited for where the poll before it did so in vain."""

_SPENDING_RETRY = 300.0
"""Seconds after a failure of it that may be transient; others are remembered for `REMEMBERED`."""

Source = Literal["key", "management_key"]


class Credit(NamedTuple):
    """What a poll says of the account's credit.

    Attributes:
        credits: the answer, perhaps of an earlier poll (at most `KEPT` ago); None where it is not known.
        source: which key got it.
        failure: why this poll got no answer with a management key, nor any other that could replace it.
        failed_with: which key `failure` is about.
        is_disputed: whether the management key got other purchases than the key itself.
        spent: what the whole account spent by day, up to an answer that may be an hour old; None where it is not known.
        spent_later: USD that it has spent since then.
    """

    credits: Credits | None
    source: Source
    failure: OrcreditError | None = None
    failed_with: Source = "management_key"
    is_disputed: bool = False
    spent: Days | None = None
    spent_later: Decimal = ZERO


class CreditRequests:
    """The requests of all polls of a client, and what they remember of each other.

    Args:
        key: the key whose balance is asked for.
        management_key: another key, which may ask for the credit; None without.
    """

    def __init__(self, key: SecretStr, management_key: SecretStr | None) -> None:
        self._own = _Requests(key) if key != management_key else None
        self._management = _Requests(management_key) if management_key is not None else None
        self._spending = _Spending(key if management_key is None else management_key)
        self._is_same_account = False
        """Whether two different keys were told of the same purchases."""
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

    def at_once(self, now: datetime) -> int:
        """Return how many requests of a poll may be under way at the same time, at most.

        Args:
            now: aware UTC, by this machine's clock.
        """
        own = self._own is not None and not self.wait
        management = 0 if self._management is None else 1 + self._spending.is_due(now)
        return own + management

    async def send(self, api: Api, is_management: asyncio.Future[bool], now: datetime) -> Credit:
        """Send the requests of a poll.

        Args:
            api: of the poll.
            now: aware UTC, by this machine's clock.
            is_management: set when `/key` has answered: whether the key itself is a management key. Such a key's
                credit is waited for, and retried, like the answer to `/key`.
        """
        own = asyncio.ensure_future(self._own.ask(api, is_retried=False)) if self._own is not None else None
        management = asyncio.ensure_future(self._management.ask(api)) if self._management is not None else None
        spending = self._spending.begin(api, now) if self._management is not None else None
        try:
            is_ordinary = not await is_management
            deadline = asyncio.get_running_loop().time() + PATIENCE
            if self._management is None and not is_ordinary:
                spending = self._spending.begin(api, now)
            answer = await self._own_answer(api, own, deadline, is_ordinary=is_ordinary)
            if management is None:
                other = None
            elif _is_conclusive(answer, is_ordinary=is_ordinary):
                other = await _in_time(management, deadline)  # all it can do is disagree
            else:
                other = await management
            await self._spending.wait(spending, deadline)
        finally:
            await _stop(own, management, spending)
        return self._with_spending(self._conclude(answer, other, is_ordinary=is_ordinary), other)

    def _with_spending(self, credit: Credit, management: _Answer) -> Credit:
        """Add what the account spent, unless that may be another account."""
        if credit.credits is None:
            return credit
        told, is_separate = _credits(management), self._own is not None and self._management is not None
        if is_separate and credit.source == "key":
            if told is not None:
                self._is_same_account = credit.credits.total_credits == told.total_credits
            if not self._is_same_account:
                return credit
        spent, later = self._spending.known(credit.credits)
        return credit._replace(spent=spent, spent_later=later)

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


class _Spending:
    """What a whole account spent: asked for seldom, as it counts up all that was spent in a month.

    Args:
        secret: a management key.
    """

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret
        self._until = 0.0
        """No request before that, by the monotonic clock; but on another day than `_day`."""
        self._day: date | None = None
        self._late = 0
        """How many requests in a row were not answered in time."""
        self._answer: tuple[Days, float] | None = None
        """With when it came, by the monotonic clock."""
        self._usage: Decimal | None = None
        """The credit that had been used in all when that answer came."""

    def is_due(self, now: datetime) -> bool:
        """Whether the next poll sends the request."""
        is_new_day = self._day is not None and self._day != now.date()
        return time.monotonic() >= self._until or is_new_day

    def begin(self, api: Api, now: datetime) -> asyncio.Task[None] | None:
        """Send the request, if it is due."""
        return asyncio.ensure_future(self._ask(api, now)) if self.is_due(now) else None

    async def _ask(self, api: Api, now: datetime) -> None:
        from orcredit.openrouter.spending import spending_call, spent_by_day  # noqa: PLC0415 - with a management key only

        days, wait = None, REMEMBERED
        try:
            data, _ = await api.ask(spending_call(self._secret, now))
            days = spent_by_day(data)
        except OrcreditError as error:
            if isinstance(error, UnreachableError):
                wait = max(error.retry_after or 0.0, _SPENDING_RETRY)
        self._late = 0
        self._until = time.monotonic() + wait
        self._day = None if days is None else now.date()
        if days is not None:
            self._answer, self._usage = (days, time.monotonic()), None

    async def wait(self, request: asyncio.Task[None] | None, deadline: float) -> None:
        """Wait for a request until the deadline, by the event loop's time; longer if the one before was late, too."""
        if request is None:
            return
        if self._late:
            deadline += max(SPENDING_PATIENCE - PATIENCE, 0.0)
        await asyncio.wait({request}, timeout=max(deadline - asyncio.get_running_loop().time(), 0.0))
        if request.done():
            request.result()
            return
        self._late += 1
        if self._late > 1:
            self._until, self._day = time.monotonic() + _SPENDING_RETRY, None

    def known(self, credits_: Credits) -> tuple[Days | None, Decimal]:
        """Return what was spent by day, and what since that answer, by what has been used of the credit."""
        if self._answer is None or time.monotonic() - self._answer[1] >= SPENDING_KEPT:
            return None, ZERO
        if self._usage is None:
            self._usage = credits_.total_usage
        return self._answer[0], max(credits_.total_usage - self._usage, ZERO)


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


async def _stop(*requests: asyncio.Task[_Answer] | asyncio.Task[None] | None) -> None:
    """Cancel what is still under way, and wait until it is gone: the event loop may end next."""
    begun = [request for request in requests if request is not None]
    for request in begun:
        request.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
