"""The public Python API: ask OpenRouter, get a `Balance`.

`AsyncClient` is for asynchronous programs; `Client`, in `blocking_client.py`, for everything else. Both are made of a
`Profile` and a `Transport`, which keeps no connection open between two questions; so there is nothing to close, and one
client may be shared by threads and event loops.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from orcredit.answer_clock import AnswerClock, utc_now
from orcredit.background import in_background
from orcredit.config.load import DEFAULT_TIMEOUT, checked_timeout, keeps_history, load_profile, load_thresholds
from orcredit.config.profile import Profile
from orcredit.errors import ConfigurationError, KeyRefusedError
from orcredit.openrouter import Api
from orcredit.openrouter.credit import CreditRequests
from orcredit.openrouter.transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from orcredit.account import Account
    from orcredit.backfill import Part
    from orcredit.balance import Balance
    from orcredit.balance.account import AccountBalance, KeyList, KeysPage
    from orcredit.balance.activity import Activity, By
    from orcredit.balance.cause import Cause
    from orcredit.balance.week import Week
    from orcredit.openrouter import KeyInfo
    from orcredit.openrouter.account import Pacing
    from orcredit.openrouter.credit import Credit

_WEEK_SECONDS = 1.0
"""Reading the week takes a thousandth of that, also where a module must be imported for it."""


def _load_week(profile: Profile) -> Week | None:
    from orcredit.history import week  # noqa: PLC0415 - not before the request has left

    return week.load(profile.base_url, profile.key.get_secret_value())


class AsyncClient:
    """Asks OpenRouter what a key can still spend.

    Args:
        api_key: else `OPENROUTER_API_KEY`, else `ANTHROPIC_AUTH_TOKEN` where that is OpenRouter's, else the
            management key.
        management_key: adds the account's credit; else `OPENROUTER_MANAGEMENT_KEY`.
        base_url: else `OPENROUTER_BASE_URL`, else OpenRouter's own.
        timeout: seconds for the whole answer, retries included.
        warn_below: when the level is low, such as `["10%", "5", "3d"]` or `"10%,5,3d"`; else `ORCREDIT_WARN_BELOW`,
            else 10 %.

    Raises:
        UsageError: an argument or variable has a bad value.
        ConfigurationError: no key, one that must not be sent, or an address it must not be sent to.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        management_key: str | None = None,
        base_url: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
    ) -> None:
        profile = load_profile(
            api_key=api_key,
            management_key=management_key,
            base_url=base_url,
            timeout=timeout,
            warn_below=warn_below,
        )
        self._set_up(profile, Transport())

    @classmethod
    def of(
        cls,
        profile: Profile,
        transport: Transport | None = None,
        *,
        has_history: bool = True,
        on_renewal: Callable[[Profile], object] | None = None,
        turn: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> Self:
        """Make a client of a profile.

        Args:
            profile: what to ask, and with which key.
            transport: the HTTP client, which any number of clients may share; None for one of this client's.
            has_history: whether the forecast may use what the local history knows of the key's week.
            on_renewal: called with the new profile after a refused key (401) was replaced by `Profile.renew`.
            turn: gives what each request about the whole account is sent within; None to send it at once.
        """
        client = cls.__new__(cls)
        client._set_up(profile, transport or Transport(), has_history=has_history)
        client._on_renewal = on_renewal
        client._turn = turn
        return client

    @classmethod
    def named(
        cls,
        profile: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
    ) -> Self:
        """Make a client of a profile of config.toml; blocks while a command or a keychain is asked for its keys.

        Args:
            profile: its name; None for the one that `orcredit status` shows: `ORCREDIT_PROFILE`, else the variables'
                key, else the file's default.
            timeout: as of any client; also the longest that getting the keys may take.
            warn_below: as of any client; else `ORCREDIT_WARN_BELOW`, else the profile's or the file's.

        Raises:
            UsageError: an argument or variable has a bad value.
            ConfigurationError: there is no such profile, the file is not valid, or the key cannot be had or sent.
        """
        from orcredit.config.load import resolve  # noqa: PLC0415 - only clients of profiles need it
        from orcredit.config.profiles import select  # noqa: PLC0415 - as above

        return cls.of(resolve(select(profile), timeout=timeout, warn_below=warn_below))

    def _set_up(
        self,
        profile: Profile,
        transport: Transport,
        clock: Callable[[], datetime] = utc_now,
        *,
        has_history: bool = True,
    ) -> None:
        self._profile = profile
        self._on_renewal: Callable[[Profile], object] | None = None
        self._turn: Callable[[], AbstractAsyncContextManager[None]] | None = None
        self._has_history = has_history and keeps_history()
        self._latest: tuple[KeyInfo, datetime, Credit, Week | None] | None = None
        """The last answer, and what was known of the week then."""
        self._slow_reading: asyncio.Future[Week | None] | None = None
        """A reading of the week that did not end in time; until it does, no other is begun."""
        self._transport = transport
        self._answers = AnswerClock(clock)
        self._credit = CreditRequests(profile.key, profile.management_key)
        self._management_key = profile.management_key
        """Asks about the whole account; None where the key itself may be one."""

    @classmethod
    def demo(
        cls,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Make a client of a simulated account, which spends as time passes: no key, no network.

        Args:
            timeout: as of any client.
            warn_below: as of any client.
            clock: what time it is, aware; the real one by default.

        Raises:
            UsageError: a bad threshold or timeout.
        """
        from orcredit import simulator  # noqa: PLC0415 - only the demo needs it

        profile = Profile(
            name=None,
            key=SecretStr(simulator.key_for("demo")),
            management_key=None,
            base_url=f"http://demo.invalid{simulator.API_PREFIX}",
            is_loopback=True,
            given_thresholds=load_thresholds(warn_below),
            timeout=checked_timeout(timeout),
        )
        client = cls.__new__(cls)
        client._set_up(profile, Transport(network=simulator.transport(clock)), clock, has_history=False)
        client._management_key = SecretStr(simulator.management_key_for("team"))
        return client

    @property
    def profile(self) -> Profile:
        """What the client is made of; another one after its key was renewed."""
        return self._profile

    @property
    def account_key(self) -> SecretStr | None:
        """The separate key with which the whole account is asked about; None where only the key itself may be one."""
        return self._management_key

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time of day that the answers are judged by."""
        return self._answers.now

    @property
    def credit_wait(self) -> float:
        """Seconds for which the account's credit is not asked for with an ordinary key, as OpenRouter did not tell it.

        May be set, to what another client with the same key and base URL remembered.
        """
        return self._credit.wait

    @credit_wait.setter
    def credit_wait(self, seconds: float) -> None:
        self._credit.wait = seconds

    @property
    def requests_at_once(self) -> int:
        """How many requests the next `balance` may have under way at the same time, at most."""
        return 1 + self._credit.at_once(self._answers.now())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._profile.base_url!r}, timeout={self._profile.timeout:g})"

    async def balance(self) -> Balance:
        """Ask once, and assess the answer.

        Raises:
            KeyRefusedError: OpenRouter refuses the key.
            UnreachableError: no usable answer within the timeout.
            NonsenseError: what answered was not OpenRouter, or it made no sense.
            ConfigurationError: the proxy or certificate settings of the environment are unusable.
        """
        return await self.ask_balance()

    async def ask_balance(
        self, meanwhile: Iterator[object] | None = None, on_attempt: Callable[[int], object] | None = None
    ) -> Balance:
        """Do what `balance` does, for the commands.

        Args:
            meanwhile: what to do while the answer is waited for, step by step.
            on_attempt: called with the number of each attempt.
        """
        deadline = asyncio.get_running_loop().time() + self._profile.timeout
        try:
            return await self._ask_for_balance(deadline, meanwhile, on_attempt)
        except KeyRefusedError as error:
            if error.status != 401 or self._profile.renew is None:
                raise
            refusal = error
        await self._renew(refusal, deadline)
        return await self._ask_for_balance(deadline, meanwhile, on_attempt)

    async def _renew(self, refusal: KeyRefusedError, deadline: float) -> None:
        """Get the key anew; raises the refusal where no other key comes."""
        profile, problem = self._profile, None
        if profile.renew is None:
            raise refusal
        seconds = deadline - asyncio.get_running_loop().time()
        try:
            renewed = await in_background(profile.renew, max(seconds, 0.0))
        except ConfigurationError as error:
            problem = f"{error} {error.hint}"
        else:
            if renewed.key == profile.key:
                raise refusal
            self._profile, self._management_key = renewed, renewed.management_key
            self._credit = CreditRequests(renewed.key, renewed.management_key)
            if self._on_renewal is not None:
                self._on_renewal(renewed)
        if problem is not None:
            raise KeyRefusedError(str(refusal), hint=problem, status=refusal.status)

    async def _ask_for_balance(
        self,
        deadline: float,
        meanwhile: Iterator[object] | None,
        on_attempt: Callable[[int], object] | None,
    ) -> Balance:
        profile = self._profile
        api = self._api(meanwhile, on_attempt, deadline)
        key, fetched_at, credit = await self._ask(api)
        self._latest = key, fetched_at, credit, await self._week()
        balance = self.balance_for(profile)
        if credit.failure is not None and key.is_management and balance.total_limit is None:
            raise credit.failure  # the account's credit is all that a management key has for a balance
        return balance

    def balance_for(self, profile: Profile) -> Balance:
        """Assess the last answer as another profile with the same key has it: by its name and its thresholds.

        Args:
            profile: with the key, management key and base URL of this client's.

        Raises:
            ValueError: there was no answer yet.
        """
        if self._latest is None:
            raise ValueError("there was no answer yet")
        key, fetched_at, credit, week = self._latest
        # Imported here so that the request leaves first: the document's models take as long to load as to be asked for.
        from orcredit.balance import assess  # noqa: PLC0415
        from orcredit.balance.forecast import calendar_usage  # noqa: PLC0415
        from orcredit.openrouter import mask  # noqa: PLC0415
        from orcredit.openrouter.naming import renamed  # noqa: PLC0415

        failure = credit.failure
        account_error = None
        if failure is not None and credit.credits is None:
            which = "the management key" if credit.failed_with == "management_key" else "this key"
            text = renamed(str(failure), self._profile.names_for(profile))
            account_error = f"asked with {which}: {text}"
        spent = None
        if credit.spent is not None:
            spent = calendar_usage([*credit.spent, (fetched_at, credit.spent_later)], fetched_at)
        management = mask(profile.management_key.get_secret_value()) if profile.management_key else None
        return assess(
            key,
            credit.credits,
            fetched_at,
            profile.thresholds,
            account_error=account_error,
            account_key_label=management if credit.source == "management_key" else None,
            source=credit.source,
            disputed_by=management if credit.is_disputed else None,
            profile=profile.name,
            week=week,
            account_spent=spent,
        )

    def _api(
        self,
        meanwhile: Iterator[object] | None = None,
        on_attempt: Callable[[int], object] | None = None,
        deadline: float | None = None,
    ) -> Api:
        """Make the API of a question, whose time begins now unless a deadline is given, by the event loop's clock."""
        profile = self._profile
        return Api(
            profile.base_url,
            self._transport,
            deadline=asyncio.get_running_loop().time() + profile.timeout if deadline is None else deadline,
            timeout=profile.timeout,
            secrets=[secret for secret in (profile.key, profile.management_key) if secret is not None],
            on_loopback=profile.is_loopback,
            meanwhile=meanwhile,
            key_sources=profile.key_sources,
            base_url_source=profile.base_url_source,
            on_attempt=on_attempt,
        )

    def paced_account(self, pacing: Pacing) -> Account:
        """Begin questions about the whole account for a program that asks for months: one request at a time.

        Args:
            pacing: spaces the requests, and counts them.
        """
        return self._account(pacing.count, pacing)

    def _account(self, on_attempt: Callable[[int], object] | None = None, pacing: Pacing | None = None) -> Account:
        """Begin a question about the whole account."""
        from orcredit.account import Account  # noqa: PLC0415 - most questions are about one key
        from orcredit.openrouter.account import AccountApi  # noqa: PLC0415 - likewise

        profile = self._profile
        api = AccountApi(
            self._api(on_attempt=on_attempt),
            management_key=self._management_key,
            key=profile.key,
            profile=profile.name,
            pacing=pacing,
            turn=self._turn,
        )
        return Account(api, self._answers.time_of, profile.thresholds, profile.name)

    async def account(self) -> AccountBalance:
        """Ask for the account's credit, its level and its pace; needs a management key.

        Raises:
            KeyRefusedError: OpenRouter refuses the key, or it is not a management key.
            OrcreditError: as of `balance`.
        """
        return await self._account().credit()

    async def keys(
        self, *, workspace: str | None = None, include_disabled: bool = False, include_expired: bool = False
    ) -> AsyncGenerator[KeysPage, None]:
        """List every key of the account, a page at a time as they arrive, in no order; needs a management key.

        Args:
            workspace: the name, slug or id of the only workspace; None for all.
            include_disabled: also disabled keys.
            include_expired: also expired keys.

        Raises:
            UsageError: there is no such workspace.
            OrcreditError: as of `account`; a page failed, after those that arrived until then. The client's timeout is
                that of all pages together.
        """
        from orcredit.account import KeySelection  # noqa: PLC0415 - as above

        selection = KeySelection(workspace, include_disabled, include_expired)
        async with aclosing(self._account().pages(selection)) as pages:
            async for page in pages:
                yield page

    async def key_list(
        self, *, workspace: str | None = None, include_disabled: bool = False, include_expired: bool = False
    ) -> KeyList:
        """List every key of the account beside its credit, at once: what `orcredit keys --json` prints.

        Where a page fails, the list has the others, and says so (`complete`). The arguments are those of `keys`.

        Raises:
            UsageError: there is no such workspace.
            OrcreditError: as of `account`; nothing could be had.
        """
        return await self.ask_key_list(workspace, include_disabled=include_disabled, include_expired=include_expired)

    async def ask_key_list(
        self,
        workspace: str | None,
        *,
        include_disabled: bool,
        include_expired: bool,
        on_attempt: Callable[[int], object] | None = None,
    ) -> KeyList:
        """Do what `key_list` does; `on_attempt` is called with the number of each attempt of a request."""
        from orcredit.account import KeySelection  # noqa: PLC0415 - as above

        selection = KeySelection(workspace, include_disabled, include_expired)
        return await self._account(on_attempt).key_list(selection)

    async def activity(
        self,
        by: Sequence[By] = ("model",),
        *,
        since: timedelta = timedelta(days=7),
        top: int | None = None,
        this_key: bool = False,
    ) -> Activity:
        """Ask where the account's money went; needs a management key.

        Args:
            by: what a row is about; one, or two that are crossed.
            since: how far back, from a minute to 365 days (31 by provider).
            top: the number of rows; None for all.
            this_key: count only what the client's own key spent.

        Raises:
            UsageError: an argument that OpenRouter cannot answer.
            OrcreditError: as of `account`.
        """
        return await self.ask_activity(by, since=since, top=top, this_key=this_key)

    async def ask_activity(
        self,
        by: Sequence[By],
        *,
        since: timedelta | datetime,
        top: int | None,
        this_key: bool,
        on_attempt: Callable[[int], object] | None = None,
    ) -> Activity:
        """Do what `activity` does; `on_attempt` is called with the number of each attempt of a request."""
        key = self._profile.key.get_secret_value() if this_key else None
        return await self._account(on_attempt).activity(by, since, top=top, key=key)

    async def ask_cause(self, scope: str) -> Cause | None:
        """Ask what spends most of a runaway's money; None without a management key. See `Account.cause`."""
        if self._profile.management_key is None:
            return None
        return await self._account().cause(scope, self._profile.key.get_secret_value())

    async def ask_past(
        self, span: timedelta, on_attempt: Callable[[int], object] | None = None
    ) -> AsyncGenerator[Part, None]:
        """Ask what the client's own key spent, in parts with a timeout each; see `orcredit.backfill.parts`."""
        from orcredit.backfill import parts  # noqa: PLC0415 - as above

        key = self._profile.key.get_secret_value()
        async with aclosing(parts(lambda: self._account(on_attempt), key, span)) as found:
            async for part in found:
                yield part

    async def _week(self) -> Week | None:
        """Read what is known of the key's week; a disk that does not answer at once is not waited for."""
        if not self._has_history or (self._slow_reading is not None and not self._slow_reading.done()):
            return None
        reading = in_background(_load_week, self._profile)
        done, _ = await asyncio.wait({reading}, timeout=_WEEK_SECONDS)
        self._slow_reading = None if done else reading
        return reading.result() if done and reading.exception() is None else None  # no thread could be started

    async def _ask(self, api: Api) -> tuple[KeyInfo, datetime, Credit]:
        """Ask for the key and, beside it, for the account's credit."""
        is_management: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        pending = asyncio.ensure_future(self._credit.send(api, is_management, self._answers.now()))
        try:
            key, date = await api.key(self._profile.key)  # its request leaves first: a task begins later
            fetched_at = self._answers.time_of(date)
            is_management.set_result(bool(key.is_management))
            return key, fetched_at, await pending
        finally:
            pending.cancel()
            with suppress(asyncio.CancelledError):
                await pending
