"""Asks about an account with the newest key of the profile that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orcredit.errors import ConfigurationError, KeyRefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import SecretStr

    from orcredit.client import AsyncClient

_R = TypeVar("_R")


class AccountClient:
    """Asks with the management key of a profile, or with its key, which is one.

    Args:
        client: gives who asks about the profile; it had a key when this was made.
        renew: gets the profile's keys anew after one was refused (401); None where that is of no use.
    """

    def __init__(
        self, client: Callable[[], AsyncClient | None], renew: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self._client = client
        self._renew = renew
        self._newest = client()

    @property
    def newest(self) -> AsyncClient:
        """Who asks about the profile now."""
        self._newest = self._client() or self._newest
        if self._newest is None:
            raise AssertionError("an account without a client")
        return self._newest

    @property
    def identity(self) -> tuple[str, SecretStr]:
        """The base URL and the key, which together are one account."""
        client = self.newest
        return client.profile.base_url, client.account_key or client.profile.key

    async def ask(self, question: Callable[[AsyncClient], Awaitable[_R]]) -> _R:
        """Ask, and again where the key was refused and another one can be had.

        Raises:
            OrcreditError: but no `ConfigurationError`, which would end a poller: it concerns the balance as well, whose
                poller says it.
        """
        problem: ConfigurationError
        try:
            return await self._ask(question)
        except ConfigurationError as error:
            problem = error
        raise UnavailableError(str(problem), hint=problem.hint)

    async def _ask(self, question: Callable[[AsyncClient], Awaitable[_R]]) -> _R:
        before = self.identity
        try:
            return await question(self.newest)
        except KeyRefusedError as error:
            if error.status != 401 or self._renew is None:
                raise
            refusal = error
        problem = None
        try:
            await self._renew()
        except ConfigurationError as error:
            problem = f"{error} {error.hint}".rstrip()
        if problem is not None:
            raise KeyRefusedError(str(refusal), hint=problem, status=refusal.status)
        if self.identity == before:
            raise refusal
        return await question(self.newest)
