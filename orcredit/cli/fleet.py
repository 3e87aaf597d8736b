"""The profiles that one process watches: each gets its key, gets it again when it was refused, and asks about it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

from orcredit.background import NoThreadError, in_background
from orcredit.blocking import EventLoop
from orcredit.cli.asking import MOST_KEYS, Questions
from orcredit.cli.choosing import remember, with_keys
from orcredit.config.load import resolve
from orcredit.errors import ConfigurationError, KeyRefusedError, OrcreditError, UsageError, unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orcredit.balance import Balance
    from orcredit.balance.cause import Cause
    from orcredit.client import AsyncClient
    from orcredit.config.profile import Profile
    from orcredit.config.profiles import Selected

KEPT_SECONDS = 10.0
"""For so long an answer is that of another profile with the same key, too, which is told of it at once."""

_STARTING_SECONDS = 12.0
"""For the first key at the start; a command has ten."""

_PATIENCE = 1.0
"""Seconds for the other keys; those that come later are waited for at the first poll."""

_SHOWN = 3
"""Errors of keys that are shown when no key can be had."""


async def ask(client: AsyncClient) -> None:
    """Ask; the client keeps the answer."""
    await client.balance()


class Member:
    """A profile that is watched.

    Args:
        selected: the profile.
        timeout: seconds, of an answer, and at most for a command or a keychain.
        warn_below: of the command line.
        questions: asks about its key.
        getting: bounds how many keys are got at once.
    """

    def __init__(
        self,
        selected: Selected,
        *,
        timeout: float,
        warn_below: Iterable[str] | None,
        questions: Questions,
        getting: asyncio.Semaphore,
    ) -> None:
        self.selected = selected
        self.profile: Profile | None = None
        """With its newest keys; None while they cannot be had."""
        self.wake: Callable[[], None] | None = None
        """Makes its poller poll; None where no other profile may have the same key."""
        self.is_remembered = False
        """Whether the prompt line knows its first key."""
        self._timeout = timeout
        self._warn_below = warn_below
        self._questions = questions
        self._getting = getting
        self._starting: Future[Profile] | None = None
        """Gets the keys at the start; the first poll takes them, or fails for why they could not be had."""

    @property
    def name(self) -> str | None:
        """The profile's name; None for the unnamed one."""
        return self.selected.name

    def key(self) -> str | None:
        """Give the history's name for its key; None while there is none."""
        return self.profile.fingerprint if self.profile is not None else None

    def has_management_key(self) -> bool:
        """Say whether a management key is set for it."""
        return self.profile is not None and self.profile.management_key is not None

    def client(self) -> AsyncClient | None:
        """Give what asks about its newest key; None while there is none."""
        return self._questions.about(self.profile).client if self.profile is not None else None

    async def cause(self, scope: str) -> Cause | None:
        """Ask what spends most of a runaway's money; None without a management key."""
        client = self.client()
        return None if client is None else await client.ask_cause(scope)

    def phase(self) -> float:
        """Give the part of the interval at which it is polled: with the same key, the same."""
        return self._questions.about(self.profile).phase if self.profile is not None else 0.0

    def start(self) -> None:
        """Get its keys for the first time; blocks. The prompt line does not learn of them.

        Raises:
            OrcreditError: they cannot be had; nor can they at the first poll then, but perhaps at the next.
        """
        self._start(self._begin())

    async def start_aside(self) -> None:
        """Do that on a thread, which goes on where this is cancelled."""
        starting = self._begin()
        try:
            await in_background(self._start, starting)
        except NoThreadError:
            self._starting = None
            raise

    def _begin(self) -> Future[Profile]:
        starting = self._starting = Future()
        starting.set_running_or_notify_cancel()  # cannot be cancelled any more by who waits for it
        return starting

    def _start(self, starting: Future[Profile]) -> None:
        try:
            profile = resolve(self.selected, timeout=self._timeout, warn_below=self._warn_below)
        except BaseException as error:
            starting.set_exception(error)
            raise
        self.profile = profile
        starting.set_result(profile)

    async def _started(self, starting: Future[Profile]) -> None:
        """Wait for what was begun at the start; raises why it failed, once."""
        if not starting.done():
            async with self._getting:
                waiting = asyncio.wrap_future(starting)
                await asyncio.wait({waiting})
                waiting.exception()  # retrieved; it is raised below
        self._starting = None
        error = starting.exception()
        if isinstance(error, OrcreditError):
            raise error.with_traceback(None)
        if error is not None:
            raise error
        if not self.is_remembered:
            self.is_remembered = True
            await in_background(remember, [(self.selected, starting.result())])

    async def balance(self) -> Balance:
        """Ask about the key, or take the answer that another profile with the same key has just got.

        Where there is no key, or it is refused (401), the key is got first, or again: from its file, command, keychain.

        Raises:
            OrcreditError: as of `AsyncClient.balance`, or the key cannot be had.
        """
        if self._starting is not None:
            await self._started(self._starting)
        profile = self.profile if self.profile is not None else await self.get_keys()
        try:
            client = await self._questions.answer(profile, self.wake)
        except KeyRefusedError as error:
            if error.status != 401:
                raise
            refusal = error
        else:
            return client.balance_for(profile)
        renewed = await self._renewed(profile, refusal)
        client = await self._questions.answer(renewed, self.wake)
        return client.balance_for(renewed)

    async def _renewed(self, profile: Profile, refusal: KeyRefusedError) -> Profile:
        """Get the keys anew; raises the refusal where no other key comes."""
        try:
            renewed = await self.get_keys()
        except ConfigurationError as error:
            problem = f"{error} {error.hint}".rstrip()
        else:
            if renewed.key == profile.key:
                raise refusal
            return renewed
        raise KeyRefusedError(str(refusal), hint=problem, status=refusal.status)

    async def get_keys(self) -> Profile:
        """Get its keys, be it again.

        Raises:
            OrcreditError: they cannot be had.
        """
        async with self._getting:
            profile = await in_background(with_keys, self.selected, timeout=self._timeout, warn_below=self._warn_below)
        before, self.profile = self.profile, profile
        if before is not None and self._questions.about(before) is not self._questions.about(profile):
            self._questions.forget(before)
        return profile


def start(members: Sequence[Member]) -> None:
    """Get the keys of all members, several at once; blocks until one is there, and a moment longer for the others.

    What fails or is late is left to the polls, if anything succeeds.

    Raises:
        OrcreditError: no key can be had.
    """
    if len(members) == 1:
        members[0].start()
    else:
        with asyncio.Runner(loop_factory=EventLoop) as runner:
            errors = runner.run(_start(members))
        if len(errors) == len(members):
            raise _none(errors)
    known = [(member, member.profile) for member in members if member.profile is not None]
    remember((member.selected, profile) for member, profile in known)
    for member, _ in known:
        member.is_remembered = True


async def _start(members: Iterable[Member]) -> list[OrcreditError]:
    """Get the keys as far as there is time; returns the errors."""
    getting = asyncio.Semaphore(MOST_KEYS)

    async def get(member: Member) -> OrcreditError | None:
        async with getting:
            try:
                await member.start_aside()
            except OrcreditError as error:
                return error
            except Exception as bug:  # noqa: BLE001 - the others may work
                return unexpected(bug)
            return None

    loop = asyncio.get_running_loop()
    patient_until, latest = loop.time() + _PATIENCE, loop.time() + _STARTING_SECONDS
    tasks = [asyncio.create_task(get(member)) for member in members]
    late, until, has_key = set(tasks), patient_until, False
    while late and loop.time() < until:
        done, late = await asyncio.wait(late, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        has_key = has_key or any(task.result() is None for task in done)
        until = patient_until if has_key else latest
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    errors = (task.result() for task in tasks if task not in late)
    return [error for error in errors if error is not None]


def _none(errors: Sequence[OrcreditError]) -> OrcreditError:
    """Make the error of profiles none of which has a key."""
    for error in errors:
        if isinstance(error, UsageError):  # an option or a variable, which is wrong for all of them
            return error
    texts = list(dict.fromkeys(str(error) for error in errors))
    shown = " ".join(texts[:_SHOWN])
    more = f" And {len(texts) - _SHOWN} more." if len(texts) > _SHOWN else ""
    return ConfigurationError(
        f"None of the {len(errors)} profiles has a usable key. {shown}{more}", hint=errors[0].hint
    )
