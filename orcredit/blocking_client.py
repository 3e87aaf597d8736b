"""The public `Client`: what `AsyncClient` does, for callers without an event loop; and what commands ask with it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from orcredit.answer_clock import utc_now
from orcredit.blocking import iterate, run
from orcredit.client import AsyncClient
from orcredit.config.load import DEFAULT_TIMEOUT
from orcredit.openrouter import Api
from orcredit.openrouter.meanwhile import Patience
from orcredit.openrouter.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from datetime import datetime
    from typing import Any

    from orcredit.backfill import Part
    from orcredit.balance import Balance
    from orcredit.balance.account import AccountBalance, KeyList, KeysPage
    from orcredit.balance.activity import Activity, By
    from orcredit.config.profile import Profile
    from orcredit.openrouter import KeyInfo

_T = TypeVar("_T")


class Client:
    """`AsyncClient` for synchronous programs; the same arguments, and it works inside a running event loop too."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        management_key: str | None = None,
        base_url: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
    ) -> None:
        self._client = AsyncClient(
            api_key, management_key=management_key, base_url=base_url, timeout=timeout, warn_below=warn_below
        )

    @classmethod
    def of(cls, profile: Profile, transport: Transport | None = None, *, has_history: bool = True) -> Self:
        """Make a client of a profile; see `AsyncClient.of`."""
        client = cls.__new__(cls)
        client._client = AsyncClient.of(profile, transport, has_history=has_history)
        return client

    @classmethod
    def named(
        cls,
        profile: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
    ) -> Self:
        """Make a client of a profile of config.toml; see `AsyncClient.named`."""
        client = cls.__new__(cls)
        client._client = AsyncClient.named(profile, timeout=timeout, warn_below=warn_below)
        return client

    @classmethod
    def demo(
        cls,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Make a client of a simulated account; see `AsyncClient.demo`."""
        client = cls.__new__(cls)
        client._client = AsyncClient.demo(timeout=timeout, warn_below=warn_below, clock=clock)
        return client

    @property
    def profile(self) -> Profile:
        """See `AsyncClient.profile`."""
        return self._client.profile

    @property
    def credit_wait(self) -> float:
        """See `AsyncClient.credit_wait`."""
        return self._client.credit_wait

    @credit_wait.setter
    def credit_wait(self, seconds: float) -> None:
        self._client.credit_wait = seconds

    def __repr__(self) -> str:
        return f"{type(self).__name__}{repr(self._client).removeprefix('AsyncClient')}"

    def balance(self) -> Balance:
        """Ask once, and assess the answer; blocks. Raises what `AsyncClient.balance` raises."""
        return run(self._client.balance)

    def account(self) -> AccountBalance:
        """Ask for the account's credit; see `AsyncClient.account`."""
        return run(self._client.account)

    def keys(
        self, *, workspace: str | None = None, include_disabled: bool = False, include_expired: bool = False
    ) -> Iterator[KeysPage]:
        """List every key of the account, a page at a time; see `AsyncClient.keys`."""
        pages = partial(
            self._client.keys,
            workspace=workspace,
            include_disabled=include_disabled,
            include_expired=include_expired,
        )
        return iterate(pages)

    def key_list(
        self, *, workspace: str | None = None, include_disabled: bool = False, include_expired: bool = False
    ) -> KeyList:
        """List every key of the account beside its credit; see `AsyncClient.key_list`."""
        return run(
            partial(
                self._client.key_list,
                workspace=workspace,
                include_disabled=include_disabled,
                include_expired=include_expired,
            )
        )

    def activity(
        self,
        by: Sequence[By] = ("model",),
        *,
        since: timedelta = timedelta(days=7),
        top: int | None = None,
        this_key: bool = False,
    ) -> Activity:
        """Ask where the account's money went; see `AsyncClient.activity`."""
        return run(partial(self._client.activity, by, since=since, top=top, this_key=this_key))


def ask_past(client: Client, span: timedelta, on_attempt: Callable[[int], object] | None = None) -> Iterator[Part]:
    """Ask what a client's key spent in the past, in parts; see `orcredit.backfill.parts`, and `blocking.iterate`."""
    return iterate(partial(client._client.ask_past, span, on_attempt))


def probe(profile: Profile) -> KeyInfo:
    """Ask OpenRouter about a key with one request, which keeps nothing; blocks.

    Args:
        profile: with the key and the address.

    Raises:
        OrcreditError: what `AsyncClient.balance` raises.
    """

    async def work() -> KeyInfo:
        api = Api(
            profile.base_url,
            Transport(),
            deadline=asyncio.get_running_loop().time() + profile.timeout,
            timeout=profile.timeout,
            secrets=[profile.key],
            on_loopback=profile.is_loopback,
        )
        return (await api.key(profile.key))[0]

    return run(work)


def has_key(profile: Profile) -> bool:
    """Ask whether the account of the profile's management key has the profile's key; blocks.

    Args:
        profile: with both keys.

    Raises:
        OrcreditError: that is not known.
    """
    from orcredit.openrouter.account import has_key as ask_  # noqa: PLC0415 - rarely asked

    management_key = profile.management_key
    if management_key is None:
        return True

    async def work() -> bool:
        api = Api(
            profile.base_url,
            Transport(),
            deadline=asyncio.get_running_loop().time() + profile.timeout,
            timeout=profile.timeout,
            secrets=[profile.key, management_key],
            on_loopback=profile.is_loopback,
        )
        return await ask_(api, management_key, profile.key)

    return run(work)


def ask(client: Client, *, meanwhile: Iterator[object], tell: Callable[[int | None], object] | None = None) -> Balance:
    """Do what `client.balance()` does, and use the time that the answer takes.

    Args:
        client: whose balance.
        meanwhile: other work in small steps: advanced on this thread, one step at a time, from when the request has
            been sent until the answer is there; perhaps not to its end, and not at all when the answer comes at once.
            An exception in it ends it, and nothing else.
        tell: called on the event loop's thread when waiting takes long; see `orcredit.openrouter.meanwhile.Patience`.

    Raises:
        OrcreditError: what `AsyncClient.balance` raises.
    """

    async def work() -> Balance:
        if tell is None:
            return await client._client.ask_balance(meanwhile)
        with Patience(tell) as patience:
            return await client._client.ask_balance(meanwhile, patience.attempted)

    return run(work)


def ask_account(
    client: Client,
    question: Callable[[AsyncClient, Callable[[int], object] | None], Coroutine[Any, Any, _T]],
    *,
    tell: Callable[[int | None], object] | None = None,
) -> _T:
    """Ask about the whole account, and say so when waiting takes long.

    Args:
        client: whose account.
        question: `AsyncClient.ask_key_list` or `ask_activity`, say; given what is called with each attempt.
        tell: called when waiting takes long; see `orcredit.openrouter.meanwhile.Patience`.

    Raises:
        OrcreditError: what the question raises.
    """

    async def work() -> _T:
        if tell is None:
            return await question(client._client, None)
        with Patience(tell) as patience:
            return await question(client._client, patience.attempted)

    return run(work)
