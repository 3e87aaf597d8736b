"""From OpenRouter's rows of activity to what `orcredit.balance.activity` counts; and what may be asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.errors import NonsenseError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orcredit.balance.activity import By, Counted, Labels
    from orcredit.openrouter.account_wire import ActivityItem, AnalyticsRow

SHORTEST_SINCE = timedelta(minutes=1)

WORDS: dict[By, str] = {"key": "api_key_id"}
"""OpenRouter's words, where they are not ours."""

OF_DAYS: tuple[By, ...] = ("model", "provider", "workspace", "day")
"""What `/activity` tells."""


def longest(by: Sequence[By]) -> timedelta:
    """Return the longest time that OpenRouter tells."""
    from orcredit.balance.activity import LONGEST_PROVIDER_SPAN, LONGEST_SPAN  # noqa: PLC0415 - as above

    return LONGEST_PROVIDER_SPAN if "provider" in by else LONGEST_SPAN


def check(by: Sequence[By], since: timedelta) -> None:
    """Check what is asked for. Raises UsageError."""
    from orcredit.balance.activity import DIMENSIONS, TIMES  # noqa: PLC0415 - as above

    known = ", ".join((*DIMENSIONS, *TIMES))
    if unknown := [one for one in by if one not in {*DIMENSIONS, *TIMES}]:
        raise UsageError(f"{str(unknown[0])[:40]!r} is not something to sort spend by.", hint=f"Accepted: {known}.")
    if not 0 < len(set(by)) == len(by) <= 2:
        raise UsageError("Spend is grouped by one or two different things.", hint=f"Accepted, two at most: {known}.")
    if {*TIMES} <= {*by}:
        raise UsageError("An hour is a part of a day: choose one of the two.", hint=f"Accepted, two at most: {known}.")
    if since < SHORTEST_SINCE:
        raise UsageError("The time to look back is at least 1m.", hint=f"Accepted: from 1m to {longest(by).days}d.")
    if since > longest(by):
        days = longest(by).days
        reason = " by provider" if "provider" in by else ""
        raise UsageError(
            f"OpenRouter tells spend{reason} of the last {days} days.", hint=f"Accepted: from 1m to {days}d."
        )


def labels(row: AnalyticsRow, by: Sequence[By]) -> Labels:
    """Return what a row of the analytics is about."""
    start = row.start
    if start is None and {"day", "hour"} & {*by}:
        raise NonsenseError("OpenRouter's answer makes no sense: a row without its day or hour.")
    fields = {"key": "api_key_id"}
    return tuple(start if one in {"day", "hour"} else getattr(row, fields.get(one, one)) or None for one in by)


def counted(row: AnalyticsRow) -> Counted:
    """Return the amounts of a row of the analytics."""
    from orcredit.balance.activity import Counted  # noqa: PLC0415 - as above
    from orcredit.money import ZERO  # noqa: PLC0415 - as above

    return Counted(
        row.credits_usage or ZERO,
        row.request_count,
        row.tokens_prompt,
        row.tokens_completion,
        row.reasoning_tokens,
        row.cached_tokens,
    )


def whole(rows: Sequence[AnalyticsRow]) -> Counted:
    """Return the total, of an answer without dimensions: one row, or none where nothing was spent."""
    return added(counted(row) for row in rows)


def added(every: Any) -> Counted:  # noqa: ANN401 - an iterable of `Counted`
    """Add up."""
    from orcredit.balance.activity import NOTHING  # noqa: PLC0415 - as above

    total = NOTHING
    for one in every:
        total += one
    return total


def item_labels(item: ActivityItem, by: Sequence[By], names: dict[str, str]) -> Labels:
    """Return what a row of `/activity` is about; `names`: of the workspaces, by id."""
    workspace = None if item.workspace_id is None else names.get(item.workspace_id, item.workspace_id)
    labels = {"model": item.model, "provider": item.provider_name, "workspace": workspace, "day": item.date}
    return tuple(labels[one] for one in by)


def item_counted(item: ActivityItem) -> Counted:
    """Return the amounts of a row of `/activity`."""
    from orcredit.balance.activity import Counted  # noqa: PLC0415 - as above
    from orcredit.money import ZERO  # noqa: PLC0415 - as above

    return Counted(
        item.usage or ZERO,
        item.requests,
        item.prompt_tokens,
        item.completion_tokens,
        item.reasoning_tokens,
        item.cached_tokens,
    )
