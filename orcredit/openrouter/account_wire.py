"""The models of OpenRouter's responses about a whole account, which management keys get.

As in `orcredit.openrouter.wire`, fields that orcredit does not use are not modelled, and unknown ones are ignored.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the field's type
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, StrictBool

from orcredit.openrouter.wire import Answer, Count, Instant, KeyInfo, Text, Usd


class Workspace(Answer):
    """A workspace of an account."""

    id: Text
    name: Text
    slug: Text | None = None


class WorkspacesPage(Answer):
    """The response to `GET /workspaces`."""

    data: tuple[Workspace, ...]
    total_count: Count | None = None


class KeyRow(KeyInfo):
    """A key of an account, in the response to `GET /keys`: the fields of `GET /key` without `budgets`, and these.

    `last_used_at` is null where nothing was used since the end of 2025 (OpenRouter's API description), and missing on
    older deployments.
    """

    hash: Text
    name: Text | None = None
    disabled: StrictBool | None = None
    created_at: Instant = None
    updated_at: Instant = None
    last_used_at: Instant = None
    workspace_id: Text | None = None


class KeyRowsPage(Answer):
    """The response to `GET /keys`: one page of one workspace's keys."""

    data: tuple[KeyRow, ...]


def _label(value: object) -> object:
    """Accept a number as a label: ids come as numbers where there is no name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _counted(value: object) -> object:
    """Accept "1523" as 1523: analytics send counts as strings."""
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except ArithmeticError:
            raise ValueError("not a number") from None
        if not value.is_finite():
            raise ValueError("not a number")
    return value


_Label = Annotated[Text | None, BeforeValidator(_label)]
_Counted = Annotated[Count | None, BeforeValidator(_counted)]


class AnalyticsRow(Answer):
    """A row of `POST /analytics/query`: labels of the dimensions asked for, a time, and amounts in USD.

    `api_key_id` is the key's name, which need not be unique. `credits_usage` is what the account's credit is charged.
    """

    model: _Label = None
    api_key_id: _Label = None
    workspace: _Label = None
    user: _Label = None
    app: _Label = None
    provider: _Label = None
    date__day: Instant = None
    date__hour: Instant = None
    date__minute: Instant = None
    credits_usage: Usd | None = None
    request_count: _Counted = None
    tokens_prompt: _Counted = None
    tokens_completion: _Counted = None
    reasoning_tokens: _Counted = None
    cached_tokens: _Counted = None

    @property
    def start(self) -> datetime | None:
        """When the row's day, hour or minute began."""
        return self.date__day or self.date__hour or self.date__minute


class AnalyticsMetadata(Answer):
    """About an answer: whether it is complete."""

    truncated: StrictBool = False


class AnalyticsData(Answer):
    """`data` of `POST /analytics/query`."""

    data: tuple[AnalyticsRow, ...]
    metadata: AnalyticsMetadata
    warnings: tuple[Text, ...] | None = None


class ActivityItem(Answer):
    """A row of `GET /activity`: a completed UTC day, a model and an endpoint; amounts in USD."""

    date: Instant
    model: Text | None = None
    provider_name: Text | None = None
    workspace_id: Text | None = None
    usage: Usd | None = None
    requests: Count | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None


class ActivityItems(Answer):
    """The response to `GET /activity`."""

    data: tuple[ActivityItem, ...]
