"""The questions about a whole account, which a management key may ask: its credit, its keys, its activity.

Each is asked by `orcredit.client`: requests of `orcredit.openrouter.account`, assessed by `orcredit.balance`.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from orcredit import activity_rows
from orcredit.background import aside
from orcredit.errors import NonsenseError, OrcreditError, UnreachableError, UsageError
from orcredit.openrouter.account import METRICS, KeysQuery

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
    from typing import Any

    from orcredit.balance.account import AccountBalance, AccountKey, KeyList, KeysPage, Lately
    from orcredit.balance.activity import (
        Activity,
        By,
        Found,
        Question,
        Source,
        SpentByKey,
        SpentInSpan,
    )
    from orcredit.balance.cause import Cause
    from orcredit.balance.threshold import Threshold
    from orcredit.openrouter.account import AccountApi
    from orcredit.openrouter.account_wire import Workspace
    from orcredit.openrouter.spending import Days

_PACE_PATIENCE = 2.0
"""Seconds after the credit for which its pace is waited for."""

_FEW_ROWS = 1000
"""More take more than a hundredth of a second to add up."""


class NoAnalyticsError(NonsenseError):
    """A deployment without analytics was asked for what only they tell."""


@dataclass(frozen=True, slots=True)
class KeySelection:
    """Which keys to list.

    Attributes:
        workspace: the name, slug or id of the only workspace; None for all.
        include_disabled: also disabled keys.
        include_expired: also expired keys.
    """

    workspace: str | None = None
    include_disabled: bool = False
    include_expired: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """The questions about an account, for one deadline.

    Attributes:
        api: the requests.
        when: gives the time of an answer, aware UTC, by its Date header.
        thresholds: when a level is low.
        profile: its name.
    """

    api: AccountApi
    when: Callable[[datetime | None], datetime]
    thresholds: Sequence[Threshold]
    profile: str | None

    def _now(self) -> datetime:
        return self.when(self.api.answered_at)

    async def credit(self, lately: Lately | None = None) -> AccountBalance:
        """Ask for the account's credit, and for what the account spent lately, which gives its pace.

        Args:
            lately: what is known of the latter; None to ask.

        Raises:
            OrcreditError: the credit could not be had.
        """
        from orcredit.balance.account import assess_credit  # noqa: PLC0415 - after the request has left
        from orcredit.balance.forecast import calendar_usage  # noqa: PLC0415 - likewise

        if lately is not None:
            credits_ = await self.api.credits()
            usage, now = credits_.total_usage, self._now()
            if lately.is_due(usage, now):
                lately.remember(await self._spent(), usage, now)
            return assess_credit(credits_, lately.spent(usage, now), self._now(), self.thresholds, profile=self.profile)
        pending = asyncio.ensure_future(self._spent())
        try:
            credits_ = await self.api.credits()
            done, _ = await asyncio.wait({pending}, timeout=_PACE_PATIENCE)
            days, now = pending.result() if done else None, self._now()
            spent = None if days is None else calendar_usage(days, now)
            return assess_credit(credits_, spent, now, self.thresholds, profile=self.profile)
        finally:
            await _stop(pending)

    async def _spent(self) -> Days | None:
        """Return what the account spent lately, by day; None where it is not told."""
        try:
            return await self.api.spending(self.when(None))
        except OrcreditError:
            return None

    async def pages(self, selection: KeySelection) -> AsyncGenerator[KeysPage, None]:
        """List the account's keys, a page at a time, as they arrive.

        Raises:
            OrcreditError: a page failed; after those that arrived until then.
            NonsenseError: rows made no sense; after all others.
            UsageError: there is no such workspace.
        """
        workspaces = await self._workspaces(selection)
        left_out: list[NonsenseError] = []
        async with aclosing(self._pages(workspaces, selection, left_out)) as pages:
            async for page in pages:
                yield page
        if left_out:
            raise NonsenseError(_left_out(left_out))

    async def _workspaces(self, selection: KeySelection) -> Sequence[Workspace | None]:
        found = await self.api.workspaces()
        if found is None:
            if selection.workspace is not None:
                raise NonsenseError(
                    "OpenRouter here has no workspaces (404).", hint="Leave out the workspace to list all keys."
                )
            return [None]
        if selection.workspace is None:
            return found
        wanted = selection.workspace
        chosen = [one for one in found if wanted in {one.id, one.slug} or wanted.casefold() == one.name.casefold()]
        if not chosen:
            near = difflib.get_close_matches(wanted, [one.name for one in found], 3)
            raise UsageError(
                f"There is no workspace named {wanted[:40]!r}.",
                hint=f"Similar: {', '.join(near)}." if near else "See 'orcredit keys' for their names.",
            )
        return chosen

    async def _pages(
        self, workspaces: Sequence[Workspace | None], selection: KeySelection, left_out: list[NonsenseError]
    ) -> AsyncGenerator[KeysPage, None]:
        """Do what `pages` does; why a row made no sense is added to `left_out`."""
        from orcredit.balance.account import KeysPage, assess_row, workspace_of  # noqa: PLC0415 - as above

        query = KeysQuery(workspaces, selection.include_disabled, selection.include_expired)
        async with aclosing(self.api.keys(query)) as pages:
            async for workspace, rows in pages:
                now = self._now()
                keys: list[AccountKey] = []
                for row in rows:
                    try:
                        keys.append(assess_row(row, workspace, now, self.thresholds))
                    except NonsenseError as error:
                        left_out.append(error.with_traceback(None))
                yield KeysPage(fetched_at=now, workspace=workspace_of(workspace), keys=tuple(keys))

    async def key_list(self, selection: KeySelection) -> KeyList:
        """List all keys beside the account's credit; the pages that came when one fails, and the rows that make sense.

        Raises:
            OrcreditError: nothing could be had.
            UsageError: there is no such workspace.
        """
        found, _ = await self.listed(selection)
        return found

    async def listed(
        self, selection: KeySelection, lately: Lately | None = None
    ) -> tuple[KeyList, OrcreditError | None]:
        """Do what `key_list` does, and give why a page failed; `lately` is as of `credit`."""
        credit = asyncio.ensure_future(_outcome(lambda: self.credit(lately)))
        keys: list[AccountKey] = []
        left_out: list[NonsenseError] = []
        failure: OrcreditError | None = None
        try:
            workspaces = await self._workspaces(selection)
            from orcredit.balance.account import KeyList, assess_credit, workspace_of  # noqa: PLC0415 - as above

            try:
                async with aclosing(self._pages(workspaces, selection, left_out)) as pages:
                    async for page in pages:
                        keys += page.keys
            except OrcreditError as error:
                failure = error
            if failure is None and left_out and not keys:
                failure = left_out[0]
            if failure is not None and not keys:
                raise failure.with_traceback(None)
            account = await credit
        finally:
            await _stop(credit)
        now = self._now()
        reasons = [*([] if failure is None else [str(failure)]), *([_left_out(left_out)] if left_out else [])]
        if isinstance(account, OrcreditError):
            account = assess_credit(None, None, now, self.thresholds, error=str(account), profile=self.profile)
        found = KeyList(
            fetched_at=now,
            profile=self.profile,
            thresholds=account.thresholds,
            account=account,
            workspaces=tuple(one for each in workspaces if (one := workspace_of(each)) is not None),
            keys=tuple(keys),
            complete=not reasons,
            incomplete_reason=" ".join(reasons) or None,
        )
        return found, failure

    async def spent_in(self, span: timedelta) -> SpentInSpan:
        """Ask what the account spent in a time until now, and in the one before; in completed days without analytics.

        Args:
            span: at most half a year.

        Raises:
            OrcreditError: it could not be had.
        """
        from orcredit.balance.activity import Question, SpentInSpan  # noqa: PLC0415 - as above

        until = self.when(None).replace(microsecond=0)
        since = until - span
        asked = [self.api.analytics(since, until), self.api.analytics(since - span, since)]
        try:
            now, before = await _all(asked)
        except NonsenseError as error:
            if error.status != 404:
                raise
            question, found = await self._days(Question(("day",), since, until), None)
            whole = activity_rows.added(counted for _, counted in found.rows)
            return SpentInSpan("activity", question.since, question.until, whole, found.before_total, found.notes)
        notes = [f"OpenRouter warns: {warning}" for data in (now, before) for warning in data.warnings or ()]
        if now.metadata.truncated:
            notes.insert(0, "OpenRouter left something out (truncated): more was spent.")
        is_before_known = not before.metadata.truncated
        return SpentInSpan(
            "analytics",
            since,
            until,
            activity_rows.whole(now.data),
            activity_rows.whole(before.data) if is_before_known else None,
            tuple(dict.fromkeys(notes)),
        )

    async def spent_by_key(self, since: datetime, until: datetime) -> SpentByKey:
        """Ask what each key spent on each day, the largest first.

        Args:
            since: the beginning of a UTC day.
            until: aware UTC.

        Raises:
            NoAnalyticsError: the deployment has none.
            OrcreditError: it could not be had.
        """
        from orcredit.balance.activity import SpentByKey  # noqa: PLC0415 - as above
        from orcredit.money import ZERO  # noqa: PLC0415 - as above

        try:
            (data,) = await _all(
                [self.api.analytics(since, until, dimensions=["api_key_id"], granularity="day", metrics=METRICS[:1])]
            )
        except NonsenseError as error:
            if error.status != 404:
                raise
            raise NoAnalyticsError(
                "OpenRouter here has no analytics (404), so spend by key is not known.", hint=""
            ) from None
        rows = [
            (row.api_key_id, row.start, row.credits_usage or ZERO)
            for row in data.data
            if row.api_key_id is not None and row.start is not None
        ]
        notes = tuple(f"OpenRouter warns: {warning}" for warning in data.warnings or ())
        return SpentByKey(rows, data.metadata.truncated, notes)

    async def activity(
        self, by: Sequence[By], since: timedelta | datetime, *, top: int | None, key: str | None
    ) -> Activity:
        """Ask where the money went.

        Args:
            by: one or two of what a row is about.
            since: how far back, or the beginning, aware.
            top: the number of rows; None for all.
            key: the only key to count; None for all.

        Raises:
            UsageError: what cannot be asked for.
            OrcreditError: it could not be had.
        """
        from orcredit.balance.activity import Question, assemble  # noqa: PLC0415 - pydantic

        now = self.when(None).replace(microsecond=0)
        # A beginning is kept as it is: a second before midnight would be another day.
        activity_rows.check(by, since if isinstance(since, timedelta) else now - since)
        begin = now - since if isinstance(since, timedelta) else since.astimezone(UTC)
        question = Question(tuple(by), begin, now, key is not None, top)
        key_hash = None if key is None else hashlib.sha256(key.encode()).hexdigest()
        source: Source = "analytics"
        found = await self._analytics(question, key_hash)
        if found is None:
            source = "activity"
            question, found = await self._days(question, key_hash)
        work = partial(assemble, question, found, source=source, fetched_at=self._now(), profile=self.profile)
        return work() if len(found.rows) <= _FEW_ROWS else await aside(work)

    async def cause(self, scope: str, key: str) -> Cause | None:
        """Ask what spends most of a runaway's money right now; None where that is not known.

        Args:
            scope: of the budget that runs away, or "account_credit".
            key: whose budget it may be: then the others do not count.

        Raises:
            OrcreditError: it could not be had.
        """
        from orcredit.balance.balance import KEY_SCOPES  # noqa: PLC0415 - as above
        from orcredit.balance.cause import SPAN, Spender, cause_of  # noqa: PLC0415 - as above
        from orcredit.money import ZERO  # noqa: PLC0415 - as above

        now = self.when(None).replace(microsecond=0)
        is_own = scope in KEY_SCOPES
        data = await self.api.analytics(
            now - SPAN,
            now,
            dimensions=["model"] if is_own else [activity_rows.WORDS["key"], "model"],
            key_hash=hashlib.sha256(key.encode()).hexdigest() if is_own else None,
        )
        if data.metadata.truncated:
            return None
        rows = (Spender(None if is_own else row.api_key_id, row.model, row.credits_usage or ZERO) for row in data.data)
        return cause_of(rows)

    async def _analytics(self, question: Question, key_hash: str | None) -> Found | None:
        """Ask for what newer deployments have; None where there are no analytics (404)."""
        from orcredit.balance.activity import TIMES, Found  # noqa: PLC0415 - as above

        dimensions = [activity_rows.WORDS.get(one, one) for one in question.by if one not in TIMES]
        granularity = next((one for one in question.by if one in TIMES), None)
        since, until = question.since, question.until
        span = until - since
        has_before = span * 2 <= activity_rows.longest(question.by)
        asked: list[Coroutine[Any, Any, Any]] = [
            self.api.analytics(since, until, dimensions=dimensions, granularity=granularity, key_hash=key_hash),
            self.api.analytics(since, until, key_hash=key_hash),
        ]
        if has_before:
            asked.append(self.api.analytics(since - span, since, key_hash=key_hash))
            if granularity is None:
                asked.append(self.api.analytics(since - span, since, dimensions=dimensions, key_hash=key_hash))
        try:
            rows, whole, *before = await _all(asked)
        except NonsenseError as error:
            if error.status != 404:
                raise
            return None
        notes = tuple(dict.fromkeys(warning for data in (rows, whole, *before) for warning in data.warnings or ()))
        is_before_known = len(before) > 1 and not before[1].metadata.truncated
        return Found(
            [(activity_rows.labels(row, question.by), activity_rows.counted(row)) for row in rows.data],
            activity_rows.whole(whole.data),
            [(activity_rows.labels(row, question.by), activity_rows.counted(row)) for row in before[1].data]
            if is_before_known
            else None,
            activity_rows.whole(before[0].data) if before else None,
            truncated=rows.metadata.truncated,
            notes=tuple(f"OpenRouter warns: {note}" for note in notes),
        )

    async def _days(self, question: Question, key_hash: str | None) -> tuple[Question, Found]:
        """Ask for what older deployments have: completed UTC days."""
        from orcredit.balance.activity import COMPLETED_DAYS, Found  # noqa: PLC0415 - as above

        if unknown := [one for one in question.by if one not in activity_rows.OF_DAYS]:
            raise NoAnalyticsError(
                f"OpenRouter here has no analytics (404), so spend by {' and '.join(unknown)} is not known.",
                hint=f"It tells spend by {', '.join(activity_rows.OF_DAYS)}.",
            )
        by_workspace = "workspace" in question.by
        options = {"group_by": "workspace"} if by_workspace else {}
        options |= {"api_key_hash": key_hash} if key_hash is not None else {}
        items = (await self.api.activity(options)).data
        names = {one.id: one.name for one in (await self.api.workspaces() or ())} if by_workspace else {}
        until = question.until.replace(hour=0, minute=0, second=0)
        days = min(max(-((question.since - question.until) // timedelta(days=1)), 1), COMPLETED_DAYS)
        since = until - timedelta(days=days)
        before_since = since - timedelta(days=days)
        rows = [item for item in items if item.date is not None and since <= item.date < until]
        before = None
        if days * 2 <= COMPLETED_DAYS:
            earlier = [item for item in items if item.date is not None and before_since <= item.date < since]
            before = [
                (activity_rows.item_labels(item, question.by, names), activity_rows.item_counted(item))
                for item in earlier
            ]
        some = "day (UTC)" if days == 1 else f"{days} days (UTC)"
        verb = "is" if days == 1 else "are"
        note = f"OpenRouter here has no analytics: the last completed {some} of {COMPLETED_DAYS} {verb} counted."
        found = Found(
            [(activity_rows.item_labels(item, question.by, names), activity_rows.item_counted(item)) for item in rows],
            before=before,
            before_total=None if before is None else activity_rows.added(one for _, one in before),
            notes=(note,),
        )
        return question._replace(since=since, until=until), found


def _left_out(errors: Sequence[NonsenseError]) -> str:
    """Say how many keys were left out, and what is wrong with the first."""
    count = "1 key was" if len(errors) == 1 else f"{len(errors):,} keys were"
    return f"{count} left out: {errors[0]}"


async def _outcome(ask: Callable[[], Coroutine[Any, Any, AccountBalance]]) -> AccountBalance | OrcreditError:
    try:
        return await ask()
    except OrcreditError as error:
        return error


async def _all(asked: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Wait for all; raise the first one's failure once none is under way."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            if isinstance(answer, UnreachableError) and answer.status == 408:
                hint = "Ask for less (--since, --by), or allow more time with --timeout."
                raise UnreachableError(str(answer), hint=hint, status=408)
            raise answer.with_traceback(None)
    return answers


async def _stop(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
