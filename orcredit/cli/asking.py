"""Asks about many profiles at once: within bounds, and about a key that several have once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orcredit.client import AsyncClient
from orcredit.errors import OrcreditError, UnreachableError
from orcredit.monitor.spread import phase
from orcredit.monitor.turns import Turns
from orcredit.openrouter.naming import renamed_error
from orcredit.openrouter.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from pydantic import SecretStr

    from orcredit.config.profile import Profile

    Identity = tuple[str, SecretStr, SecretStr | None]
    """Base URL, key and management key: profiles that have them in common get the same answer."""

MOST_KEYS = 16
"""Keys that are got at once: each may be a process."""

SILENT_AFTER = 5
"""Questions in a row without any answer after which a host counts as silent."""


@dataclass(slots=True)
class Question:
    """A question about a key, which may be asked again and again.

    Attributes:
        client: asks it.
        phase: the part of the interval at which it is asked, from 0 to 1.
        asking: the last time; None before the first.
        ended_at: when that ended, by the event loop's clock.
        taken: the last time that each of those who ask took the answer of, by their names.
        waking: what those who need its answer want called when one has come, by their names.
    """

    client: AsyncClient
    phase: float
    asking: asyncio.Task[object] | None = None
    ended_at: float = 0.0
    taken: dict[str | None, asyncio.Task[object]] = field(default_factory=dict)
    waking: dict[str | None, Callable[[], None]] = field(default_factory=dict)


class Questions:
    """The questions about all profiles, of an event loop.

    Args:
        ask: has a client ask.
        kept: seconds for which an answer or a failure is given to those who have not taken it yet.
        has_history: as in `AsyncClient.of`.
        renews: whether a client may get its profile's key anew; else that is left to the caller.
    """

    def __init__(
        self,
        ask: Callable[[AsyncClient], Awaitable[object]],
        *,
        kept: float,
        has_history: bool = True,
        renews: bool = True,
    ) -> None:
        self._ask = ask
        self._kept = kept
        self._has_history = has_history
        self._renews = renews
        self._transport = Transport()
        self._turns = Turns()
        self._numbers = count()
        self._hosts: dict[str, _Host] = {}
        self._questions: dict[Identity, Question] = {}

    def about(self, profile: Profile) -> Question:
        """Give the question about a profile's key."""
        identity = profile.base_url, profile.key, profile.management_key
        if identity not in self._questions:
            of = profile if self._renews else replace(profile, renew=None)
            client = AsyncClient.of(
                of, self._transport, has_history=self._has_history, turn=partial(self._turn, profile, 1)
            )
            self._questions[identity] = Question(client, phase(next(self._numbers)))
        return self._questions[identity]

    async def answer(self, profile: Profile, wake: Callable[[], None] | None = None) -> AsyncClient:
        """Ask about a profile's key, unless that is being done, or was done for another profile just now.

        Args:
            profile: with its key.
            wake: called whenever others have had the question asked.

        Returns:
            A client that has the answer: its `balance_for` is this profile's.

        Raises:
            OrcreditError: as `ask` raises it.
        """
        question = self.about(profile)
        if wake is not None:
            question.waking[profile.name] = wake
        asking = question.asking
        is_recent = asyncio.get_running_loop().time() - question.ended_at < self._kept
        is_new = is_recent and question.taken.get(profile.name) is not asking
        if asking is None or (asking.done() and not is_new):
            asking = question.asking = asyncio.create_task(self._asked(question))
        question.taken[profile.name] = asking
        try:
            await asyncio.shield(asking)
        except OrcreditError as error:
            # It names the profile that was asked for first.
            failure = renamed_error(error, question.client.profile.names_for(profile))
            if failure is error:
                raise
        else:
            return question.client
        raise failure

    def forget(self, profile: Profile) -> None:
        """Forget that a profile needs an answer, as it has another key now."""
        question = self.about(profile)
        question.waking.pop(profile.name, None)
        question.taken.pop(profile.name, None)
        if not question.taken:
            del self._questions[profile.base_url, profile.key, profile.management_key]

    async def _asked(self, question: Question) -> None:
        client = question.client
        host = self._host(client.profile)
        try:
            async with self._turn(client.profile, client.requests_at_once):
                try:
                    await self._ask(client)
                except OrcreditError as error:
                    host.answered(error)
                    raise
                host.answered(None)
        finally:
            question.ended_at = asyncio.get_running_loop().time()
            for wake in question.waking.values():
                wake()

    def _host(self, profile: Profile) -> _Host:
        return self._hosts.setdefault(_place(profile), _Host())

    def _turn(self, profile: Profile, requests: int) -> AbstractAsyncContextManager[None]:
        """Give a turn for some requests at once; where it does not come as its host is silent, it raises that."""
        return self._turns.take(
            _place(profile), requests, patience=profile.timeout, problem=self._host(profile).problem
        )


def _place(profile: Profile) -> str:
    """Name the host that a profile's requests go to, with its port: several base URLs may be of one."""
    url = urlsplit(profile.base_url)
    return f"{url.hostname}:{url.port or (80 if url.scheme == 'http' else 443)}"


class _Host:
    """Whether a host answers at all.

    While it does not, each question takes all of its time, and the last of a thousand would have its turn after half an
    hour: those that have waited as long as an answer may take fail like the others.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._last: UnreachableError | None = None

    def answered(self, error: OrcreditError | None) -> None:
        """Take in how a question ended; a refusal is an answer, too."""
        self._last = error if isinstance(error, UnreachableError) and error.status is None else None
        self._failures = self._failures + 1 if self._last is not None else 0

    def problem(self) -> UnreachableError | None:
        """Give why waiting is of no use; None while it is."""
        if self._last is None or self._failures < SILENT_AFTER:
            return None
        return self._last.with_traceback(None)
