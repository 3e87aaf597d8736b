"""The responses to `/analytics/query` and `/analytics/meta`: spend by time, and by two dimensions at most."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, cast

from orcredit.simulator.answers import RefusedError, iso
from orcredit.simulator.parts import TOKENS_PER_DOLLAR, counts, parts, spent_between, weights
from orcredit.simulator.teams import TEAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orcredit.simulator.answers import Rows
    from orcredit.simulator.parts import Part

DIMENSIONS = {
    "model": "Model",
    "provider": "Provider",
    "api_key_id": "API key",
    "user": "User",
    "workspace": "Workspace",
    "app": "App",
}
METRICS = {
    "credits_usage": "Credits used",
    "total_usage": "Total usage",
    "request_count": "Requests",
    "tokens_prompt": "Prompt tokens",
    "tokens_completion": "Completion tokens",
    "reasoning_tokens": "Reasoning tokens",
    "cached_tokens": "Cached tokens",
}
_COUNTS = {
    "request_count": "requests",
    "tokens_prompt": "prompt_tokens",
    "tokens_completion": "completion_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cached_tokens": "cached_tokens",
}
GRANULARITIES = ("minute", "hour", "day", "week", "month")
MOST_ROWS, DEFAULT_ROWS, MOST_DIMENSIONS = 10_000, 1_000, 2
LONGEST, LONGEST_BY_PROVIDER = timedelta(days=366), timedelta(days=32)
"""A day more than OpenRouter says, as its own clock is not the client's."""

WARNING = "1 value of the filter api_key_id could not be resolved: [bold]ignored[/bold]\x1b[0m"
_TRUNCATED = 3


def meta() -> dict[str, object]:
    """Return the `data` of `/analytics/meta`."""
    return {
        "dimensions": [{"name": name, "display_label": label} for name, label in DIMENSIONS.items()],
        "metrics": [
            {
                "name": name,
                "display_label": label,
                "display_format": "currency" if name.endswith("usage") else "number",
                "is_rate": False,
            }
            for name, label in METRICS.items()
        ],
        "granularities": [{"name": name, "display_label": name.title()} for name in GRANULARITIES],
        "operators": [{"name": "eq", "value_type": "scalar"}, {"name": "in", "value_type": "array"}],
    }


class _Query(NamedTuple):
    metrics: list[str]
    dimensions: list[str]
    granularity: str | None
    start: datetime
    end: datetime
    filters: list[tuple[str, list[str]]]
    order: tuple[str, bool] | None
    limit: int


def _time(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        raise RefusedError(400, "time_range must hold ISO 8601 timestamps") from None
    return instant.astimezone(UTC)


def _filters(wanted: object) -> Iterator[tuple[str, list[str]]]:
    for one in cast("list[dict[str, object]]", wanted or []):
        value, operator = one.get("value"), one.get("operator")
        if one.get("field") not in DIMENSIONS or operator not in {"eq", "in"}:
            raise RefusedError(400, "Unknown filter")
        values = value if isinstance(value, list) and operator == "in" else [value]
        yield str(one["field"]), [str(each) for each in values]


def _parsed(body: bytes, now: datetime) -> _Query:
    """Read the body of a query; RefusedError for what OpenRouter refuses."""
    try:
        wanted = json.loads(body)
        metrics, dimensions = list(wanted["metrics"]), list(wanted.get("dimensions") or [])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RefusedError(400, "metrics are required") from None
    granularity = wanted.get("granularity")
    span = wanted.get("time_range") or {"start": iso(now - timedelta(days=7)), "end": iso(now)}
    order, limit = wanted.get("order_by"), wanted.get("limit", DEFAULT_ROWS)
    query = _Query(
        metrics,
        dimensions,
        granularity,
        _time(span.get("start")),
        min(_time(span.get("end")), now),
        list(_filters(wanted.get("filters"))),
        (str(order["field"]), order.get("direction") == "desc") if order else None,
        limit,
    )
    is_known = {*metrics} <= {*METRICS} and {*dimensions} <= {*DIMENSIONS} and granularity in {None, *GRANULARITIES}
    if not metrics or not is_known or len(dimensions) > MOST_DIMENSIONS or not 0 < limit <= MOST_ROWS:
        raise RefusedError(400, "Unknown or too many metrics, dimensions or rows")
    longest = LONGEST_BY_PROVIDER if "provider" in dimensions else LONGEST
    if query.start >= query.end or query.start < now - longest:
        raise RefusedError(400, "The time range is empty or too long ago")
    return query


def _labels(part: Part, slug: str, permaslug: str, provider: str) -> dict[str, tuple[str, str]]:
    """Return for each dimension what a filter takes, and what a response shows."""
    return {
        "model": (permaslug, slug),
        "provider": (provider, provider),
        "api_key_id": (part.key_hash, part.key_name),
        "user": (part.user_id, part.user),
        "workspace": (part.workspace_id, part.workspace),
        "app": (part.app, part.app),
    }


class _Group(NamedTuple):
    """What a group shows, its share of the account's spend, and its prompt tokens for each dollar of the account's."""

    shown: list[str]
    share: Decimal = Decimal(0)
    tokens: Decimal = Decimal(0)


def _groups(name: str, query: _Query) -> dict[tuple[str, ...], _Group]:
    """Return the groups, which are told apart by their ids."""
    groups: dict[tuple[str, ...], _Group] = {}
    for part in parts(name):
        for slug, permaslug, provider, weight in weights(part):
            labels = _labels(part, slug, permaslug, provider)
            if any(labels[field][0] not in values for field, values in query.filters):
                continue
            ids = tuple(labels[dimension][0] for dimension in query.dimensions)
            group = groups.get(ids, _Group([labels[dimension][1] for dimension in query.dimensions]))
            share = weight * part.share
            tokens = group.tokens + share * TOKENS_PER_DOLLAR[slug]
            groups[ids] = _Group(group.shown, group.share + share, tokens)
    return groups


def _floor(moment: datetime, granularity: str) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match granularity:
        case "minute":
            return moment.replace(second=0, microsecond=0)
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "week":
            return midnight - timedelta(days=midnight.weekday())
        case "month":
            return midnight.replace(day=1)
    return midnight


_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_STEPS |= {"week": timedelta(days=7), "month": timedelta(days=31)}


def _buckets(query: _Query) -> Iterator[tuple[str | None, datetime, datetime]]:
    if query.granularity is None:
        yield None, query.start, query.end
        return
    start = _floor(query.start, query.granularity)
    while start < query.end:
        after = _floor(start + _STEPS[query.granularity], query.granularity)
        is_day = query.granularity in {"day", "week", "month"}
        yield f"{start:%Y-%m-%d}" if is_day else iso(start), max(start, query.start), min(after, query.end)
        start = after


def _rows(name: str, query: _Query) -> Rows:
    groups = _groups(name, query).values()
    rows: Rows = []
    for date, start, end in _buckets(query):
        spent = spent_between(name, start, end)
        for shown, share, tokens in groups:
            if not (usage := round(spent * share, 8)):
                continue
            amounts = counts(spent * tokens)
            row: dict[str, object] = {} if date is None else {f"date__{query.granularity}": date}
            row |= {name_: label or None for name_, label in zip(query.dimensions, shown, strict=True)}
            rows.append(
                row
                | {metric: str(amounts[_COUNTS[metric]]) if metric in _COUNTS else usage for metric in query.metrics}
            )
    return rows


def _sorted(rows: Rows, order: tuple[str, bool]) -> Rows:
    field, is_descending = order

    def value(row: dict[str, object]) -> tuple[Decimal, str]:
        shown = row.get(field, 0)
        return (Decimal(str(shown)), "") if field in METRICS else (Decimal(0), str(shown))

    return sorted(rows, key=value, reverse=is_descending)


def analytics_data(name: str, body: bytes, now: datetime) -> dict[str, object]:
    """Return the `data` of `/analytics/query`; RefusedError for what is refused, absent or slow."""
    kind = TEAMS[name].analytics if name in TEAMS else "present"
    if kind == "absent":
        raise RefusedError(404)
    if kind == "slow":
        raise RefusedError(408)
    query = _parsed(body, now)
    rows = _rows(name, query)
    if query.order is not None:
        rows = _sorted(rows, query.order)
    limit = min(query.limit, _TRUNCATED) if kind == "truncated" else query.limit
    kept: Sequence[dict[str, object]] = rows[:limit]
    warnings = {"warnings": [WARNING]} if kind == "warnings" else {}
    return {
        "data": kept,
        "metadata": {"query_time_ms": 12.5, "row_count": len(kept), "truncated": len(kept) < len(rows)},
        "cachedAt": now.timestamp(),
        **warnings,
    }
