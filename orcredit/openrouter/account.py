"""The requests about a whole account: workspaces, all keys, analytics and activity. Reads only.

A command sends four at a time, a program that asks for months one at a time (`Pacing`). They need a management key.
Without a separate one the key itself is tried, which may be one.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel

from orcredit.errors import KeyRefusedError, NonsenseError, OrcreditError
from orcredit.openrouter.api import Call
from orcredit.openrouter.response import LARGEST_LIST
from orcredit.openrouter.spending import spending_call, spent_by_day

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from pydantic import SecretStr

    from orcredit.openrouter.account_wire import (
        ActivityItems,
        AnalyticsData,
        KeyRow,
        KeyRowsPage,
        Workspace,
        WorkspacesPage,
    )
    from orcredit.openrouter.api import Api
    from orcredit.openrouter.spending import Days
    from orcredit.openrouter.wire import Credits

AT_ONCE = 4
"""Requests under way at the same time, unless they are paced."""

UNPACED = 20
"""Of a round's paced requests those that do not wait: a small account is known at once."""

PAUSE = 0.25
"""Seconds between the beginnings of two others."""

PAGE = 100
"""Keys, or workspaces, a page: OpenRouter's own size; a shorter page is the last one."""

MOST_ROWS = 10_000
"""Of one answer of analytics (OpenRouter's limit)."""

MANAGEMENT_KEYS = "https://openrouter.ai/settings/management-keys"

METRICS = (
    "credits_usage",
    "request_count",
    "tokens_prompt",
    "tokens_completion",
    "reasoning_tokens",
    "cached_tokens",
)
_M = TypeVar("_M", bound=BaseModel)


@dataclass(slots=True)
class _Listing:
    """How far the keys of a workspace have been requested."""

    workspace: Workspace | None
    next_offset: int = 0
    is_long: bool = False
    """Whether a full page has come: only then are several pages requested at once."""
    is_ended: bool = False

    @property
    def may_go_on(self) -> bool:
        return not self.is_ended and (self.is_long or self.next_offset == 0)


@dataclass(slots=True)
class KeysQuery:
    """Which keys to list.

    Attributes:
        workspaces: of which workspaces; None for the only one of a deployment without workspaces.
        include_disabled: also disabled keys.
        include_expired: also expired keys.
    """

    workspaces: Sequence[Workspace | None]
    include_disabled: bool = False
    include_expired: bool = False
    seen: set[str] = field(default_factory=set)


class Pacing:
    """Spaces the requests of a program that asks for months: one at a time, and after the first few four a second.

    Args:
        sleep: waits for a number of seconds.

    Attributes:
        sent: requests of this round, repeated ones included.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._last = 0.0
        self.sent = 0

    def begin(self) -> None:
        """Begin another round."""
        self.sent = 0

    def count(self, _: int) -> None:
        """Count an attempt of a request."""
        self.sent += 1

    async def turn(self) -> None:
        """Wait until the next request may be sent."""
        loop = asyncio.get_running_loop()
        if self.sent >= UNPACED and (left := self._last + PAUSE - loop.time()) > 0:
            await self._sleep(left)
        self._last = loop.time()


class AccountApi:
    """The requests about the account of a management key.

    Args:
        api: of the question, with its deadline.
        management_key: None where there is no separate one.
        key: asked with where there is no management key.
        profile: the name of the profile that the keys belong to; None for the unnamed one.
        pacing: has requests sent one at a time, each with the time of the whole question; None for four at a time.
        turn: gives what each request is sent within; each then has the time of the whole question from there on.
    """

    def __init__(
        self,
        api: Api,
        *,
        management_key: SecretStr | None,
        key: SecretStr,
        profile: str | None = None,
        pacing: Pacing | None = None,
        turn: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        self._api = api
        self._profile = profile
        self._secret = management_key if management_key is not None else key
        self._is_separate = management_key is not None
        self._pacing = pacing
        self._turn = turn
        self._at_once = AT_ONCE if pacing is None else 1
        self._slots = asyncio.Semaphore(self._at_once)
        self.answered_at: datetime | None = None
        """The Date header of the newest answer; aware UTC."""

    async def workspaces(self) -> list[Workspace] | None:
        """Request all pages of `GET /workspaces`.

        Returns:
            None on a deployment that has none (404).
        """
        found: list[Workspace] = []
        while True:
            query = urlencode({"limit": PAGE, "offset": len(found)})
            try:
                page = await self._ask(f"/workspaces?{query}", _workspaces_page, is_list=True)
            except NonsenseError as error:
                if error.status == 404 and not found:
                    return None
                raise
            found += page.data
            is_last = len(page.data) < PAGE if page.total_count is None else len(found) >= page.total_count
            if is_last or not page.data:
                return found

    async def keys(self, query: KeysQuery) -> AsyncGenerator[tuple[Workspace | None, tuple[KeyRow, ...]], None]:
        """Request all pages of `GET /keys`, of all workspaces, and yield them as they arrive, each key once.

        Raises:
            KeyRefusedError, UnreachableError, NonsenseError: a page failed; after those that arrived until then.
        """
        listings = [_Listing(workspace) for workspace in query.workspaces]
        waiting = deque(listings)
        under_way: dict[asyncio.Future[tuple[KeyRow, ...]], _Listing] = {}
        failure: OrcreditError | None = None
        try:
            while True:
                while failure is None and len(under_way) < self._at_once and (listing := _next(waiting)) is not None:
                    under_way[self._keys_page(query, listing)] = listing
                if not under_way:
                    break
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    listing = under_way.pop(task)
                    error = task.exception()
                    if isinstance(error, OrcreditError):
                        failure = failure or error
                        continue
                    rows = task.result()
                    listing.is_long |= len(rows) >= PAGE
                    # Keys that are made or deleted meanwhile move others from page to page.
                    fresh = tuple(row for row in rows if row.hash not in query.seen)
                    # A page without any other key comes from a server that does not know offsets.
                    listing.is_ended |= len(rows) < PAGE or not fresh
                    query.seen.update(row.hash for row in fresh)
                    yield listing.workspace, fresh
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        if failure is not None:
            raise failure.with_traceback(None)

    def _keys_page(self, query: KeysQuery, listing: _Listing) -> asyncio.Future[tuple[KeyRow, ...]]:
        options: dict[str, str | int] = {"offset": listing.next_offset}
        if listing.workspace is not None:
            options["workspace_id"] = listing.workspace.id
        options |= {"include_disabled": "true"} if query.include_disabled else {}
        options |= {"include_expired": "true"} if query.include_expired else {}
        listing.next_offset += PAGE

        async def ask() -> tuple[KeyRow, ...]:
            return (await self._ask(f"/keys?{urlencode(options)}", _keys_page, is_list=True)).data

        return asyncio.ensure_future(ask())

    async def analytics(
        self,
        start: datetime,
        end: datetime,
        *,
        dimensions: Sequence[str] = (),
        granularity: str | None = None,
        key_hash: str | None = None,
        metrics: Sequence[str] = METRICS,
    ) -> AnalyticsData:
        """Request `POST /analytics/query`, the largest spend first.

        Args:
            start: aware UTC; whole seconds count.
            end: likewise.
            dimensions: OpenRouter's words; at most two.
            granularity: "minute", "hour", "day", or None for one row a group.
            key_hash: of the only key to count; None for all.
            metrics: OpenRouter's words.

        Raises:
            NonsenseError: with status 404, the deployment has no analytics.
            KeyRefusedError, UnreachableError: see `orcredit.errors`.
        """
        wanted: dict[str, object] = {
            "metrics": [*metrics],
            "time_range": {"start": _seconds(start), "end": _seconds(end)},
            "order_by": {"field": metrics[0], "direction": "desc"},
            "limit": MOST_ROWS,
        }
        if dimensions:
            wanted["dimensions"] = [*dimensions]
        if granularity is not None:
            wanted["granularity"] = granularity
        if key_hash is not None:
            wanted["filters"] = [{"field": "api_key_id", "operator": "eq", "value": key_hash}]
        body = json.dumps(wanted).encode()
        return await self._ask("/analytics/query", _analytics_data, body=body)

    async def spending(self, now: datetime) -> Days | None:
        """Request what the account spent in the current UTC week and month, by day; None where days are missing.

        Args:
            now: aware UTC; it may be wrong by a day.
        """
        return spent_by_day(await self._send(spending_call(self._secret, now)))

    async def activity(self, options: Mapping[str, str]) -> ActivityItems:
        """Request `GET /activity`: rows of the last 30 completed UTC days.

        Args:
            options: of the query: `api_key_hash`, `group_by`.
        """
        query = f"?{urlencode(options)}" if options else ""
        return await self._ask(f"/activity{query}", _activity_items, is_list=True)

    async def credits(self) -> Credits:
        """Request `GET /credits`."""
        return await self._ask("/credits", _credits)

    async def _ask(
        self,
        path: str,
        model: Callable[[], type[_M]],
        *,
        body: bytes | None = None,
        is_list: bool = False,
    ) -> _M:
        return await self._send(Call(path, model, self._secret, body, is_list=is_list, largest=LARGEST_LIST))

    async def _send(self, call: Call[_M]) -> _M:
        refusal: KeyRefusedError | None = None
        async with self._slots:
            if self._pacing is not None:
                await self._pacing.turn()
            try:
                async with nullcontext() if self._turn is None else self._turn():
                    if self._pacing is not None or self._turn is not None:
                        self._api.begin_again()
                    answer, self.answered_at = await self._api.ask(call)
            except KeyRefusedError as error:
                refusal = error
            else:
                return answer
        raise self._explained(refusal)  # here, where the error that it explains is not attached

    def _explained(self, refusal: KeyRefusedError) -> KeyRefusedError:
        """Say that a management key is needed, and where one is made."""
        # The variable describes the unnamed profile only.
        then = (
            "set OPENROUTER_MANAGEMENT_KEY."
            if self._profile is None
            else f"add it with 'orcredit profile add {self._profile} --management'."
        )
        make = f"make one at {MANAGEMENT_KEYS} and {then}"
        if self._is_separate:
            hint = f"It must be a management key that is neither disabled nor expired, of {MANAGEMENT_KEYS}"
        elif refusal.status == 403:
            hint = f"This needs a management key, and the key is an ordinary one: {make}"
        else:
            hint = f"It may be mistyped, disabled, expired, or an ordinary key, and this needs a management key: {make}"
        return KeyRefusedError(str(refusal), hint=hint, status=refusal.status)


async def has_key(api: Api, management_key: SecretStr, key: SecretStr) -> bool:
    """Ask with a management key whether another key is one of its account: `GET /keys/{hash}`.

    Raises:
        KeyRefusedError, UnreachableError, NonsenseError: that is not known; see `orcredit.errors`.
    """
    of_key = sha256(key.get_secret_value().encode()).hexdigest()
    try:
        await api.ask(Call(f"/keys/{of_key}", _key_row, management_key, logged="/keys/..."))
    except NonsenseError as error:
        if error.status == 404:
            return False
        raise
    return True


def _next(waiting: deque[_Listing]) -> _Listing | None:
    """Choose the workspace whose next page is requested: in turns, so that the short ones are known soon."""
    for _ in range(len(waiting)):
        listing = waiting[0]
        waiting.rotate(-1)
        if listing.is_ended:
            waiting.remove(listing)
        elif listing.may_go_on:
            return listing
    return None


def _seconds(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


# The models are imported once there is a response; see `orcredit.openrouter.api`.


def _workspaces_page() -> type[WorkspacesPage]:
    from orcredit.openrouter.account_wire import WorkspacesPage  # noqa: PLC0415

    return WorkspacesPage


def _key_row() -> type[KeyRow]:
    from orcredit.openrouter.account_wire import KeyRow  # noqa: PLC0415

    return KeyRow


def _keys_page() -> type[KeyRowsPage]:
    from orcredit.openrouter.account_wire import KeyRowsPage  # noqa: PLC0415

    return KeyRowsPage


def _analytics_data() -> type[AnalyticsData]:
    from orcredit.openrouter.account_wire import AnalyticsData  # noqa: PLC0415

    return AnalyticsData


def _activity_items() -> type[ActivityItems]:
    from orcredit.openrouter.account_wire import ActivityItems  # noqa: PLC0415

    return ActivityItems


def _credits() -> type[Credits]:
    from orcredit.openrouter.wire import Credits  # noqa: PLC0415

    return Credits
