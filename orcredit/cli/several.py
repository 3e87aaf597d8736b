"""`orcredit status --all`: every profile, asked at once; the worst first, whose exit code is the command's."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field, TypeAdapter

from orcredit import cache
from orcredit.background import in_background
from orcredit.balance import NOT_URGENT, Balance
from orcredit.blocking import EventLoop
from orcredit.cli.asking import MOST_KEYS, Questions
from orcredit.cli.choosing import remember, timeout_of, within
from orcredit.cli.output import encodable_json, show, write
from orcredit.config.load import keeps_history, resolve
from orcredit.config.profiles import Selected, select_all
from orcredit.document import Document
from orcredit.errors import WORST_FIRST, ExitCode, OrcreditError, UnreachableError, unexpected
from orcredit.history import spool
from orcredit.words import by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orcredit.client import AsyncClient
    from orcredit.config.profile import Profile


class ProfileProblem(Document):
    """Why there is no balance of a profile."""

    error: str = Field(description="What happened: one sentence.")
    hint: str = Field(description="What to do about it; may be empty.")
    exit_code: int = Field(description="The exit code that `status -p` of this profile has: 69, 77 or 78.")


class ProfileStatus(Document):
    """A profile with its balance, or with the reason why there is none."""

    profile: str | None = Field(description="The profile's name; null when the key comes from the environment.")
    balance: Balance | None = Field(description="The document of `status --json`; null where there is a problem.")
    problem: ProfileProblem | None = Field(description="Null where there is a balance.")


DOCUMENT: TypeAdapter[list[ProfileStatus]] = TypeAdapter(list[ProfileStatus])
"""What `--json` prints: the worst first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking for a profile.

    Attributes:
        name: of the profile; None for the unnamed one.
        result: the balance, or why there is none.
    """

    name: str | None
    result: Balance | OrcreditError

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of this profile alone."""
        return (
            self.result.exit_code if isinstance(self.result, OrcreditError) else ExitCode(self.result.level.exit_code)
        )

    @property
    def rank(self) -> tuple[object, ...]:
        """What sorts the profiles of one exit code."""
        urgency = NOT_URGENT if isinstance(self.result, OrcreditError) else self.result.urgency
        return *urgency, by_name(self.name)

    def document(self) -> ProfileStatus:
        """Return it as a document."""
        if isinstance(self.result, OrcreditError):
            code = int(self.exit_code)
            problem = ProfileProblem(error=str(self.result), hint=self.result.hint, exit_code=code)
            return ProfileStatus(profile=self.name, balance=None, problem=problem)
        return ProfileStatus(profile=self.name, balance=self.result, problem=None)


def run(*, timeout: str, warn_below: list[str] | None, as_json: bool, is_quiet: bool) -> int:
    """Ask for every profile and show what came.

    Args:
        timeout: of the command line; empty where each profile has its own.
        warn_below: of the command line.
        as_json: whether to print a JSON list in place of the table.
        is_quiet: whether to print nothing.

    Returns:
        The worst exit code of all profiles.

    Raises:
        OrcreditError: the configuration file is not valid, or there is no profile.
    """
    every = select_all()
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        outcomes = runner.run(_ask_all(every, timeout, warn_below))
    outcomes.sort(key=lambda outcome: (WORST_FIRST.index(outcome.exit_code), *outcome.rank))
    if as_json:
        indent = 2 if sys.stdout.isatty() else None
        document = DOCUMENT.dump_json([outcome.document() for outcome in outcomes], indent=indent)
        write(f"{encodable_json(document.decode())}\n")
    elif not is_quiet:
        from orcredit.render.several import ProfilesTable  # noqa: PLC0415 - Rich

        show(ProfilesTable([(outcome.name, outcome.result) for outcome in outcomes]))
    return outcomes[0].exit_code


class _Round:
    """One question about every profile; a key that several have is asked about once."""

    def __init__(self, warn_below: Iterable[str] | None) -> None:
        self._warn_below = warn_below
        self._getting = asyncio.Semaphore(MOST_KEYS)
        self._questions = Questions(_ask, kept=math.inf)
        self.known: list[tuple[Selected, Profile]] = []
        """The profiles whose keys could be had, again where a key was renewed."""

    async def outcome(self, selected: Selected, seconds: float) -> Outcome:
        """Get the key of a profile and ask about it."""
        try:
            async with self._getting:
                began = time.monotonic()
                profile = await in_background(self._with_keys, selected, seconds)
            self.known.append((selected, profile))
            client = await self._questions.answer(within(profile, seconds, began))
            self.known.append((selected, client.profile))
            return Outcome(selected.name, client.balance_for(profile))
        except OrcreditError as error:
            return Outcome(selected.name, error)
        except Exception as bug:  # noqa: BLE001 - the other rows are still wanted
            return Outcome(selected.name, unexpected(bug))

    def _with_keys(self, selected: Selected, timeout: float) -> Profile:
        return resolve(selected, timeout=timeout, warn_below=self._warn_below)


async def _ask(client: AsyncClient) -> None:
    """Ask, and keep the answer or the failure for the prompt line and the history."""
    client.credit_wait = cache.credit_wait(*_cached_as(client.profile), time.time())
    try:
        balance = await client.balance()
    except OrcreditError as error:
        cached_as = _cached_as(client.profile)
        cache.store_failure(*cached_as, error)
        if isinstance(error, UnreachableError) and error.retry_after:
            cache.postpone_refresh(*cached_as, error.retry_after)
        raise
    await in_background(_keep, client.profile, balance, client.credit_wait)


def _cached_as(profile: Profile) -> tuple[str, str]:
    return profile.base_url, profile.key.get_secret_value()


def _keep(profile: Profile, balance: Balance, credit_wait: float) -> None:
    cache.store(*_cached_as(profile), balance, credit_wait)
    if keeps_history():
        spool.add(profile.fingerprint, balance)


async def _ask_all(every: Sequence[Selected], of_command_line: str, warn_below: list[str] | None) -> list[Outcome]:
    asking = _Round(warn_below)
    outcomes = await asyncio.gather(*(asking.outcome(each, timeout_of(each, of_command_line)) for each in every))
    remember(asking.known)
    return list(outcomes)
