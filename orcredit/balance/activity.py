"""Where an account's money went: rows by one or two dimensions, their shares, unit prices and changes. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from orcredit.document import Document, Instant, Percent, Usd
from orcredit.money import EXACT, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

By = Literal["model", "key", "workspace", "user", "app", "provider", "day", "hour"]
"""What a row may be about."""

Source = Literal["analytics", "activity"]
"""Which of OpenRouter's calls told it."""

DIMENSIONS: tuple[By, ...] = ("model", "key", "workspace", "user", "app", "provider")
TIMES: tuple[By, ...] = ("day", "hour")

LONGEST_SPAN = timedelta(days=365)
LONGEST_PROVIDER_SPAN = timedelta(days=31)
"""How far back OpenRouter's analytics reach."""

COMPLETED_DAYS = 30
"""How many completed UTC days `/activity` has."""

_MILLION = Decimal(1_000_000)
_PRECISION = Decimal("1e-8")
_TENTH = Decimal("0.1")

Labels: TypeAlias = tuple[str | datetime | None, ...]


class Counted(NamedTuple):
    """What OpenRouter counted of one group; amounts in USD. None where it does not report it."""

    spend: Decimal
    requests: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cached_tokens: int | None

    def __add__(self, other: object) -> Counted:
        """Add another group's."""
        if not isinstance(other, Counted):
            return NotImplemented
        counts = (
            None if mine is None and theirs is None else (mine or 0) + (theirs or 0)
            for mine, theirs in zip(self[1:], other[1:], strict=True)
        )
        return Counted(self.spend + other.spend, *counts)


NOTHING = Counted(ZERO, None, None, None, None, None)


class Spend(Document):
    """What was spent, by whom or on what. Amounts in USD.

    Of the labels only those asked for are set; a null one of these is a request without one (no app, say). `share` is
    of everything in that time, in percent. `per_million_tokens` counts prompt and completion tokens; reasoning tokens
    are a part of the latter, cached ones of the former. `before` is the spend in the span of the same length before,
    `change` the difference in percent, null where nothing was spent before or nothing is known.
    """

    model: str | None = None
    key: str | None = None
    workspace: str | None = None
    user: str | None = None
    app: str | None = None
    provider: str | None = None
    start: Instant | None = None
    spend: Usd
    share: Percent | None
    requests: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cached_tokens: int | None
    per_million_tokens: Usd | None
    per_request: Usd | None
    before: Usd | None
    change: Percent | None


class Activity(Document):
    """Where the money went: what `orcredit activity --json` prints. Amounts in USD, times in UTC.

    `source` is OpenRouter's "analytics", which include the running hour, or "activity": completed days only. `since`
    and `until` are the span that was counted. `others` sums up the rows that `top` left out, and those that OpenRouter
    left out where `truncated` is true. `notes` are what a reader must know: OpenRouter's warnings among them.
    """

    fetched_at: Instant
    profile: str | None
    source: Source
    since: Instant
    until: Instant
    by: tuple[By, ...]
    this_key: bool
    rows: tuple[Spend, ...]
    others: Spend | None
    total: Spend
    truncated: bool
    notes: tuple[str, ...]


class SpentInSpan(NamedTuple):
    """What an account spent in a time, in USD.

    Attributes:
        source: which of OpenRouter's calls told it.
        since: aware UTC.
        until: where the numbers end.
        whole: everything.
        before: in the time of the same length before; None where it is not known.
        notes: what a reader must know.
    """

    source: Source
    since: datetime
    until: datetime
    whole: Counted
    before: Counted | None
    notes: tuple[str, ...]


class SpentByKey(NamedTuple):
    """What keys spent on days.

    Attributes:
        rows: a key's name, the beginning of the day, and USD; a name may have several rows of a day.
        is_truncated: whether OpenRouter left rows out.
        notes: OpenRouter's warnings.
    """

    rows: Sequence[tuple[str, datetime, Decimal]]
    is_truncated: bool
    notes: tuple[str, ...]


class Question(NamedTuple):
    """What was asked."""

    by: tuple[By, ...]
    since: datetime
    until: datetime
    this_key: bool = False
    top: int | None = None


class Found(NamedTuple):
    """What OpenRouter answered.

    Attributes:
        rows: by their labels, in the order of `Question.by`; groups with the same labels are added up.
        total: of everything; None to add the rows up.
        before: the rows of the span before; None where it is not known.
        before_total: of everything in it.
        truncated: whether OpenRouter left rows out.
        notes: to be shown.
    """

    rows: Sequence[tuple[Labels, Counted]]
    total: Counted | None = None
    before: Sequence[tuple[Labels, Counted]] | None = None
    before_total: Counted | None = None
    truncated: bool = False
    notes: tuple[str, ...] = ()


def assemble(
    question: Question,
    found: Found,
    *,
    source: Source,
    fetched_at: datetime,
    profile: str | None = None,
) -> Activity:
    """Build the document: the largest spend first, but times in their order."""
    with localcontext(EXACT):
        rows = _merged(found.rows)
        all_ = found.total if found.total is not None else _sum(rows.values())
        has_times = any(one in TIMES for one in question.by)
        before = None if found.before is None or has_times else _merged(found.before)
        largest = sorted(rows, key=lambda labels: (-rows[labels].spend, _text(labels)))
        shown = largest if question.top is None else largest[: question.top]
        if has_times:
            shown = sorted(shown, key=lambda labels: (_time(labels), -rows[labels].spend))
        rest = _rest(all_, rows, shown, is_partial=found.truncated)
        before_total = found.before_total if found.before_total is not None else None

        def described(labels: Labels, counted: Counted) -> Spend:
            earlier = before.get(labels, NOTHING).spend if before is not None else None
            return _spend(counted, all_.spend, earlier, dict(zip(question.by, labels, strict=True)))

        return Activity(
            fetched_at=fetched_at,
            profile=profile,
            source=source,
            since=question.since,
            until=question.until,
            by=question.by,
            this_key=question.this_key,
            rows=tuple(described(labels, rows[labels]) for labels in shown),
            others=None if rest is None else _spend(rest, all_.spend, None, {}),
            total=_spend(all_, all_.spend, before_total.spend if before_total is not None else None, {}),
            truncated=found.truncated,
            notes=(*found.notes, *_ambiguous(question, found)),
        )


def _merged(rows: Iterable[tuple[Labels, Counted]]) -> dict[Labels, Counted]:
    merged: dict[Labels, Counted] = {}
    for labels, counted in rows:
        merged[labels] = merged[labels] + counted if labels in merged else counted
    return merged


def _ambiguous(question: Question, found: Found) -> tuple[str, ...]:
    """Say which rows stand for several keys: analytics name keys, and names need not be unique."""
    if "key" not in question.by:
        return ()
    place = question.by.index("key")
    several = sorted(
        {str(labels[place]) for labels, count in Counter(row[0] for row in found.rows).items() if count > 1}
    )
    return tuple(f"Several keys are named {name}: their spend is added up." for name in several)


def _sum(counted: Iterable[Counted]) -> Counted:
    all_ = NOTHING
    for one in counted:
        all_ += one
    return all_


def _rest(all_: Counted, rows: dict[Labels, Counted], shown: Sequence[Labels], *, is_partial: bool) -> Counted | None:
    """Return what the rows that are not shown, and those that OpenRouter left out, add up to; None for nothing."""
    if len(shown) == len(rows) and not is_partial:
        return None
    seen = _sum(rows[labels] for labels in shown)
    counts = (
        None if whole is None else max(whole - (part or 0), 0) for whole, part in zip(all_[1:], seen[1:], strict=True)
    )
    return Counted(max(all_.spend - seen.spend, ZERO), *counts)


def _spend(counted: Counted, whole: Decimal, before: Decimal | None, labels: dict[By, str | datetime | None]) -> Spend:
    start = next((label for by, label in labels.items() if by in TIMES), None)
    tokens = None
    if counted.prompt_tokens is not None or counted.completion_tokens is not None:
        tokens = (counted.prompt_tokens or 0) + (counted.completion_tokens or 0)
    return Spend(
        **{by: label for by, label in labels.items() if by not in TIMES},  # type: ignore[arg-type]  # texts
        start=start if isinstance(start, datetime) else None,
        spend=counted.spend,
        share=_percent(counted.spend, whole),
        requests=counted.requests,
        prompt_tokens=counted.prompt_tokens,
        completion_tokens=counted.completion_tokens,
        reasoning_tokens=counted.reasoning_tokens,
        cached_tokens=counted.cached_tokens,
        per_million_tokens=_per(counted.spend * _MILLION, tokens),
        per_request=_per(counted.spend, counted.requests),
        before=before,
        change=None if before is None else _percent(counted.spend - before, before),
    )


def _per(amount: Decimal, count: int | None) -> Decimal | None:
    return (amount / count).quantize(_PRECISION) if count else None


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return +(part / whole * 100).quantize(_TENTH) if whole > ZERO else None


def _text(labels: Labels) -> tuple[str, ...]:
    return tuple(str(label or "") for label in labels)


def _time(labels: Labels) -> datetime:
    return next(label for label in labels if isinstance(label, datetime))
