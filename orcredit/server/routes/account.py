"""`/api/openrouter/account`, `/keys`, `/keys/days` and `/activity`: the account behind the keys."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from orcredit.balance.account import KeyList
from orcredit.balance.activity import DIMENSIONS, LONGEST_PROVIDER_SPAN, LONGEST_SPAN, TIMES, Activity
from orcredit.durations import parse_duration
from orcredit.errors import UsageError
from orcredit.server.account_models import AccountDocument, KeyDays
from orcredit.server.activity_reader import ActivityQuery
from orcredit.server.openapi import PROFILE, ApiRoute, Operation, Parameter, Reply
from orcredit.server.responses import JsonResponse
from orcredit.server.state import served, state_of

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from orcredit.balance.activity import By
    from orcredit.server.account_reader import AccountReader

_MOST_ROWS = 10_000
_WORDS: tuple[By, ...] = (*DIMENSIONS, *TIMES)


async def account(request: Request) -> Response:
    """Give the credit, how the keys are, and what was spent in the last 30 days."""
    reader = _reader(request)
    return JsonResponse(reader.account(), headers=_age(reader))


async def keys(request: Request) -> Response:
    """Give every key."""
    reader = _reader(request)
    return JsonResponse(await reader.keys(), headers=_age(reader))


async def key_days(request: Request) -> Response:
    """Give what each key spent on each of the last 14 days."""
    return JsonResponse(await _reader(request).days())


async def activity(request: Request) -> Response:
    """Give where the money went."""
    reader = _reader(request)
    return JsonResponse(await reader.activity(parse_query(request.query_params)))


def _reader(request: Request) -> AccountReader:
    """Give the reader of the account that a request is about; raises what `AccountReaders.of` raises."""
    profile = served(request)
    return state_of(request).account.of(profile.name, profile.latest)


def _age(reader: AccountReader) -> dict[str, str]:
    return {"Age": str(int(reader.age()))}


def parse_query(query: QueryParams) -> ActivityQuery:
    """Read what `/activity` is asked for: by what, since when, and how many rows.

    Raises:
        UsageError: a parameter is invalid or repeated; the message does not quote it, for it may hold a secret.
    """
    by, since, top = (_single(query, name) for name in ("by", "since", "top"))
    wanted = ActivityQuery(_by("model" if by is None else by), _since("30d" if since is None else since), _top(top))
    if "provider" in wanted.by and wanted.since > LONGEST_PROVIDER_SPAN:
        raise _too_long()
    return wanted


def _single(query: QueryParams, name: str) -> str | None:
    values = query.getlist(name)
    if len(values) > 1:
        raise UsageError(f"{name} was sent {len(values)} times.", hint="Send it once.")
    return values[0] if values else None


def _by(text: str) -> tuple[By, ...]:
    words = text.split(",")
    is_known = all(word in _WORDS for word in words)
    if not is_known or len({*words}) != len(words) or len(words) > 2 or {*TIMES} <= {*words}:
        raise UsageError(
            "by must be one or two different words, of the times one.",
            hint=f"Accepted: {', '.join(_WORDS)}; or two with a comma, such as model,day.",
        )
    return cast("tuple[By, ...]", tuple(words))


def _since(text: str) -> timedelta:
    with suppress(UsageError):
        duration = parse_duration(text)
        if timedelta(minutes=1) <= duration <= LONGEST_SPAN and not duration.microseconds:
            return duration
    raise _too_long()


def _too_long() -> UsageError:
    return UsageError(
        "since must be a duration of whole seconds, a minute at least and a year at most, by provider 31 days.",
        hint="Accepted: 1m to 365d, by provider 1m to 31d; such as 15m, 24h or 30d.",
    )


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    # ASCII and few digits: `int` accepts the digits of any script, and refuses thousands of them.
    if re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= _MOST_ROWS:
        return int(text)
    raise UsageError("top must be a whole number.", hint=f"Accepted: 1 to {_MOST_ROWS}.")


def _second(first: By) -> str:
    """Give a pattern of what may be crossed with a word."""
    return "|".join(word for word in _WORDS if word != first and not {*TIMES} <= {first, word})


_BY = Parameter(
    "by",
    "What a row is about: one word, or two with a comma that cross; of day and hour one.",
    {
        "type": "string",
        "pattern": f"^({'|'.join(f'{word}(,({_second(word)}))?' for word in _WORDS)})$",
        "default": "model",
    },
    ("model", "key,day"),
)
_SINCE = Parameter(
    "since",
    "How far to look back, in whole seconds: from 1m to 365d, by provider to 31d.",
    {
        "type": "string",
        "pattern": "^([1-9][0-9]{0,4}m|[1-9][0-9]{0,2}h|[1-9][0-9]?d|[12][0-9]{2}d|3[0-5][0-9]d|36[0-5]d)$",
    },
    ("30d", "24h"),
)
_TOP = Parameter(
    "top",
    "The most rows, the largest first; the others are summed up. Default: all.",
    {"type": "integer", "minimum": 1, "maximum": _MOST_ROWS},
)

ROUTES = (
    ApiRoute(
        "/api/openrouter/account",
        account,
        {
            "GET": Operation(
                "account",
                "The account's credit, how its keys are, and what was spent in 30 days",
                Reply(
                    "As of the newest answers; `stale`, with the reason, when the newest poll failed.", AccountDocument
                ),
                problems=(404, 502, 503),
                parameters=(PROFILE,),
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/keys",
        keys,
        {
            "GET": Operation(
                "keys",
                "Every key of the account, disabled and expired ones included",
                Reply("What `orcredit keys --json` prints, as of the newest answer.", KeyList),
                problems=(404, 502, 503),
                parameters=(PROFILE,),
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/keys/days",
        key_days,
        {
            "GET": Operation(
                "keyDays",
                "What each key of the account spent on each of the last 14 days",
                Reply("By the key's hash.", KeyDays),
                problems=(404, 502, 503),
                parameters=(PROFILE,),
            )
        },
    ),
    ApiRoute(
        "/api/openrouter/activity",
        activity,
        {
            "GET": Operation(
                "activity",
                "Where the account's money went",
                Reply("What `orcredit activity --json` prints, at most an hour old.", Activity),
                problems=(404, 502, 503),
                parameters=(PROFILE, _BY, _SINCE, _TOP),
            )
        },
    ),
)
