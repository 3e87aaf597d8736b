"""A stand-in OpenRouter: answers as OpenRouter would, without a network, a key or an account.

`respond` is one pure function from a request and a clock to a response. `transport` mounts it in-process (for
`--demo`), `Server` on a loopback socket (for tests, and by hand: `python -m orcredit.simulator`). Every
account shape and every way an answer can go wrong has a name in `ACCOUNTS` or `FAULTS` and a key of its own,
`key_for(name)`.

Amounts are US dollars, instants are UTC. The wire format is the one that OpenRouter's official Python SDK
(`openrouter` 1.3.84) requires. Only the standard library is used; `transport` needs `httpx2`.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, localcontext
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self, TypeAlias, cast
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

__all__ = [
    "ACCOUNTS",
    "API_PREFIX",
    "DEMO_INSTANT",
    "FAULTS",
    "Account",
    "Budget",
    "Fault",
    "Request",
    "Response",
    "Server",
    "Usage",
    "demo_usage",
    "key_for",
    "main",
    "management_key_for",
    "respond",
    "transport",
]

API_PREFIX = "/api/v1"
"""Where OpenRouter's API begins, below the host."""

DEMO_INSTANT = datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
"""When the demo account shows the original dashboard's sample: a Thursday; its week began on 2026-02-09."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request without its body."""

    method: str
    path: str
    """Path and query, such as `/api/v1/key?x=1`."""
    headers: Mapping[str, str]
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; whoever sends it adds the Content-Length."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Usage(NamedTuple):
    """What was spent, in USD: all-time and in the current UTC month, week (from Monday) and day."""

    total: Decimal
    month: Decimal
    week: Decimal
    day: Decimal

    def within(self, interval: str | None) -> Decimal:
        """Spend that counts against a limit with this reset interval; None means that it never resets."""
        spans = {None: self.total, "weekly": self.week, "daily": self.day}
        # An interval from the future has no figure of its own; the month's is as good as any.
        return spans.get(interval, self.month)


def _used(total: str, month: str, week: str, day: str) -> Usage:
    return Usage(Decimal(total), Decimal(month), Decimal(week), Decimal(day))


_NOTHING = _used("0", "0", "0", "0")


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget enforced on a key besides the key's own limit; amounts in USD."""

    scope: str
    limit: Decimal
    spent: Decimal
    reset: str | None = "monthly"
    include_byok: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """One account and its key: what differs from a paid, unlimited, unused one. Amounts in USD."""

    about: str
    """In one sentence, which shape or trap this shows."""
    limit: Decimal | None = None
    """The key's own limit."""
    reset: str | None = "monthly"
    """When that limit resets; None never."""
    usage: Usage = _NOTHING
    byok: Usage = _NOTHING
    include_byok: bool = False
    budgets: tuple[Budget, ...] = ()
    """In enforcement order; the key's own limit is appended by the simulator."""
    free_requests: tuple[int, int] = (0, 1000)
    """Requests to `:free` models today, and how many are allowed."""
    free_tier: bool = False
    management: bool = False
    """The key is itself a management key."""
    expires_in: timedelta | None = None
    """From the clock of the request."""
    label: str | None = None
    """None: the key, masked as OpenRouter does."""
    purchased: Decimal | None = None
    """Credit ever bought; None: no management key. A `live` account buys this much again and again."""
    elsewhere: Decimal = Decimal(0)
    """What the account's other keys spent, all-time."""
    other_keys: int = 0
    """How many those are."""
    live: bool = False
    """Spends as time runs on, like `demo_usage`, in place of `usage`."""
    cached_credits: bool = False
    """`/credits` answers with the figures of the last whole minute."""
    zero_credits: bool = False
    """`/credits` answers an ordinary key with two zeros instead of a refusal."""
    omit: frozenset[str] = frozenset()
    """Fields of `/key` that this deployment does not know yet."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Fields of `/key` that nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A way for every route to go wrong; `{key}` in it is replaced by the key that asked."""

    about: str
    status: int = 200
    body: str | None = None
    """The body as it is; None: OpenRouter's error JSON for the status or, with `patch`, a patched answer."""
    patch: Mapping[str, object] | None = None
    """Fields to change in the `data` of an otherwise good answer, which serves as `/key` and `/credits`."""
    headers: Mapping[str, str] = field(default_factory=dict)


_OLDER = frozenset({
    "limit_remaining", "budgets", "effective_budget", "free_model_daily_requests", "is_management_key",
    "organization_id", "workspace_id", "creator_user_id", "allowed_data_regions", "expires_at",
})  # fmt: skip
_HALF = _used("130.25", "48.75", "20.40", "3.15")
_FIFTH = _used("96.10", "20", "8.20", "1.35")

ACCOUNTS: Mapping[str, Account] = {
    "demo": Account(
        "The original dashboard's sample at its instant; spends about $90 a day from there, so that it is "
        "exhausted for most of a month by today's clock.",
        limit=Decimal(500), live=True, label="demo (simulated)", free_requests=(53, 1000),
        purchased=Decimal(250),
    ),
    "normal": Account(
        "A monthly limit of $100, about half left; the account has credit.",
        limit=Decimal(100), usage=_HALF, purchased=Decimal(250), elsewhere=Decimal("10.50"), other_keys=1,
    ),
    "low": Account(
        "8 % of a monthly limit left.",
        limit=Decimal(100), usage=_used("310.80", "92", "41.70", "11.90"), purchased=Decimal(400),
    ),
    "exhausted": Account(
        "A monthly limit overdrawn by $0.25.",
        limit=Decimal(100), usage=_used("100.25", "100.25", "60", "12.30"),
    ),
    "zero-limit": Account("A limit of $0: nothing may be spent.", limit=Decimal(0)),
    "unlimited": Account(
        "No limit and no budgets; only a management key would tell the account's credit.",
        usage=_used("20.40", "12.20", "5.10", "0.80"), purchased=Decimal(50),
    ),
    "free-tier": Account(
        "Never bought credit: only free models, 12 of 50 today.", free_requests=(12, 50), free_tier=True
    ),
    "tiny": Account(
        "Amounts far below a cent.",
        limit=Decimal("0.002"), usage=_used("0.0002", "0.0002", "0.0002", "0.0001"),
    ),
    "lifetime": Account(
        "A limit that never resets.",
        limit=Decimal(50), reset=None, usage=_used("18.75", "9.30", "2.45", "0.60"),
    ),
    "daily": Account(
        "A limit that resets every day.",
        limit=Decimal(5), reset="daily", usage=_used("61.50", "22.40", "9.80", "1.75"),
    ),
    "weekly": Account(
        "A limit that resets on Mondays.",
        limit=Decimal(25), reset="weekly", usage=_used("140.20", "51.60", "9.50", "2.25"),
    ),
    "byok": Account(
        "Bring-your-own-key spend that counts against the limit.",
        limit=Decimal(100), usage=_used("30", "30", "12", "2"), byok=_used("60", "25", "10", "1.50"),
        include_byok=True,
    ),
    "byok-excluded": Account(
        "Bring-your-own-key spend that does not count against the limit.",
        limit=Decimal(100), usage=_used("30", "30", "12", "2"), byok=_used("60", "25", "10", "1.50"),
    ),
    "expiring": Account(
        "The key expires in three days and some hours.",
        limit=Decimal(100), usage=_HALF, expires_in=timedelta(days=3, hours=5, minutes=20),
    ),
    "expires-today": Account(
        "The key expires in five hours.", limit=Decimal(100), usage=_HALF, expires_in=timedelta(hours=5)
    ),
    "all-time-usage": Account(
        "Trap 1: usage is all-time ($4,000), not what was spent of the weekly $50.",
        limit=Decimal(50), reset="weekly", usage=_used("4000", "45", "30", "6"),
    ),
    "credit-below-limit": Account(
        "Trap 2: $16.63 of the limit left on an account with $0.13 of credit.",
        limit=Decimal(50), usage=_used("61.20", "33.37", "14.10", "2.90"),
        purchased=Decimal(80), elsewhere=Decimal("18.67"), other_keys=2,
    ),
    "workspace-first": Account(
        "Trap 3: the workspace has $1.20 left while the key's limit shows $80.",
        limit=Decimal(100), usage=_FIFTH, budgets=(Budget("workspace", Decimal(25), Decimal("23.80")),),
    ),
    "workspace-spent": Account(
        "Trap 3: the workspace is overdrawn while the key's limit shows $80.",
        limit=Decimal(100), usage=_FIFTH, budgets=(Budget("workspace", Decimal(25), Decimal("25.40")),),
    ),
    "two-spent": Account(
        "Trap 3: workspace and key are overdrawn; the workspace comes first, though the key lacks more.",
        limit=Decimal(100), usage=_used("105", "105", "60", "12.30"),
        budgets=(Budget("workspace", Decimal(25), Decimal("25.40")),),
    ),
    "many-layers": Account(
        "Trap 3: five budgets at once; the API key's guardrail has the least left, $7.50 for today.",
        limit=Decimal(100), usage=_FIFTH,
        budgets=(
            Budget("workspace_default_member", Decimal(150), Decimal("61.30")),
            Budget("member", Decimal(60), Decimal("32.75"), "weekly"),
            Budget("api_key", Decimal(10), Decimal("2.50"), "daily", include_byok=True),
            Budget("workspace", Decimal(1000), Decimal("412.90"), None),
        ),
    ),
    "zero-credits": Account(
        "Trap 4: /credits answers this ordinary key with two zeros.",
        limit=Decimal(100), usage=_used("40", "40", "16", "4"), zero_credits=True,
    ),
    "grant-only": Account(
        "Trap 5: spends a promotional grant, which /credits reports nowhere.",
        usage=_used("3.20", "3.20", "1.10", "0.40"), free_tier=True, free_requests=(3, 50),
        purchased=Decimal(0),
    ),
    "negative-credit": Account(
        "Trap 6: the account is overdrawn by $2.50; the key has no limit.",
        usage=_used("4", "4", "2", "0.50"), purchased=Decimal(10), elsewhere=Decimal("8.50"), other_keys=1,
    ),
    "older": Account(
        "Trap 7: a deployment that reports neither limit_remaining nor budgets; $20 a month.",
        limit=Decimal(20), usage=_used("31.40", "7.60", "3.10", "0.70"), omit=_OLDER,
    ),
    "older-lifetime": Account(
        "Trap 7: such a deployment that does not know limit_reset either: a lifetime limit.",
        limit=Decimal(20), reset=None, usage=_used("7.60", "5.20", "3.10", "0.70"),
        omit=_OLDER | {"limit_reset"},
    ),
    "older-byok": Account(
        "Trap 7: such a deployment where bring-your-own-key spend counts.",
        limit=Decimal(20), usage=_used("31.40", "7.60", "3.10", "0.70"),
        byok=_used("9.90", "4.30", "1.20", "0.20"), include_byok=True, omit=_OLDER,
    ),
    "older-broken": Account(
        "Trap 7: such a deployment without the month's usage: what is left cannot be known.",
        limit=Decimal(20), usage=_used("31.40", "7.60", "3.10", "0.70"), omit=_OLDER | {"usage_monthly"},
    ),
    "cached-credits": Account(
        "Trap 8: spends like the demo, but /credits is as old as the last whole minute.",
        limit=Decimal(500), live=True, purchased=Decimal(250), cached_credits=True,
    ),
    "future": Account(
        "Trap 9: fields, reset periods and budget scopes that nobody knows yet.",
        limit=Decimal(40), reset="fortnightly", usage=_used("15", "15", "6", "1"),
        budgets=(Budget("galaxy", Decimal(60), Decimal(12), "lunar"),),
        extra={
            "allowed_data_regions": ["global", "moon"], "loyalty_points": 7,
            "spend_alerts": [{"at": 0.8, "notify": None}],
        },
    ),
    "management": Account(
        "Trap 10: a management key without a limit; $25 of $100 of credit left, 130 keys.",
        management=True, purchased=Decimal(100), elsewhere=Decimal(75), other_keys=130,
    ),
    "management-limited": Account(
        "Trap 10: a management key with a limit of its own, $6 of $10 left.",
        management=True, limit=Decimal(10), usage=_used("4", "4", "2", "0.50"),
        purchased=Decimal(100), elsewhere=Decimal(71), other_keys=2,
    ),
}  # fmt: skip
"""Every account by name: first ordinary ones, then one for each trap that other tools fell into."""

_MESSAGES = {
    400: "Invalid request",
    401: "No such API key",
    402: "Insufficient credits",
    403: "This key is not allowed to do that",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timed out",
    429: "Rate limit exceeded",
    500: "Internal server error",
    502: "Provider returned an error",
    503: "Service temporarily unavailable",
}
_PORTAL = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_HOSTILE = "\x1b]0;owned\x07\x1b[31m[red]boo[/red]\r\nsecond line\t\x9b2J\u202e[link=x]"

FAULTS: Mapping[str, Fault] = {
    **{
        f"error-{status}": Fault(f"OpenRouter's own error {status}.", status)
        for status in (400, 401, 402, 403, 404, 408, 429, 500, 502, 503)
    },
    "retry-after-1": Fault("Unavailable; come back in a second.", 503, headers={"Retry-After": "1"}),
    "retry-after-3600": Fault("Rate limited; come back in an hour.", 429, headers={"Retry-After": "3600"}),
    "redirect": Fault("Redirects to another host.", 302, "", headers={"Location": "https://elsewhere.invalid/"}),
    "html": Fault("A captive portal's page.", 200, _PORTAL.format("Welcome to the Wi-Fi"), headers=_HTML),
    "html-403": Fault("A firewall's refusal.", 403, _PORTAL.format("Blocked"), headers=_HTML),
    "html-502": Fault("A proxy's error page.", 502, _PORTAL.format("Bad gateway"), headers=_HTML),
    "null": Fault("The body is null.", body="null"),
    "empty": Fault("There is no body.", body=""),
    "truncated-json": Fault("The JSON stops in the middle.", body='{"data": {"label": "sk-or", "limit": 10'),
    "list": Fault("The body is an empty list.", body="[]"),
    "number": Fault("The body is a number.", body="42"),
    "error-in-200": Fault("An error with status 200.", body='{"error": {"code": 500, "message": "Failed"}}'),
    "no-data": Fault("An object without data.", body="{}"),
    "empty-data": Fault("The data has no fields.", body='{"data": {}}'),
    "data-null": Fault("The data is null.", body='{"data": null}'),
    "data-list": Fault("The data is a list.", body='{"data": [1, 2, 3]}'),
    "nan": Fault("An amount is NaN.", patch={"limit_remaining": math.nan, "total_credits": math.nan}),
    "infinity": Fault("An amount is Infinity.", patch={"limit_remaining": math.inf, "total_credits": math.inf}),
    "huge-number": Fault("An amount is 1e400.", patch={"limit": "1e400", "total_credits": "1e400"}),
    "wrong-types": Fault("An amount is a string.", patch={"limit": "100", "total_credits": "100"}),
    "bool-amount": Fault("An amount is true.", patch={"limit": True, "total_credits": True}),
    "bad-date": Fault("A budget resets 'soon'.", patch={"budgets.resets_at": "soon"}),
    "control-characters": Fault(
        "Label and scope carry escapes and markup.", patch={"label": _HOSTILE, "budgets.scope": _HOSTILE}
    ),
    "echo-key": Fault(
        "Label and scope carry the whole key.", patch={"label": "{key}", "budgets.scope": "{key}"}
    ),
    "secret-in-error": Fault(
        "An error message carries the whole key.", 500, '{"error": {"code": 500, "message": "no {key}"}}'
    ),
}  # fmt: skip
"""Every fault by name; each answers all routes for its key."""


class _RefusedError(Exception):
    """A request that OpenRouter answers with an error."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or _MESSAGES[status]


# Keys: derived from the names, so that they look real and are no secret.


def _key(name: str) -> str:
    return "sk-or-v1-" + hashlib.sha256(f"orcredit simulator: {name}".encode()).hexdigest()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _mask(key: str) -> str:
    return f"{key[:12]}...{key[-3:]}"


def key_for(name: str) -> str:
    """Return the API key of the account or fault of that name; KeyError if there is none."""
    if name not in ACCOUNTS and name not in FAULTS:
        message = f"the simulator has no account or fault named {name!r}"
        raise KeyError(message)
    return _key(name)


def management_key_for(name: str) -> str:
    """Return the management key of that account; KeyError if there is no such account or no such key."""
    if name not in ACCOUNTS or ACCOUNTS[name].purchased is None:
        message = f"the simulator has no account named {name!r} with a management key"
        raise KeyError(message)
    return _key(name) if ACCOUNTS[name].management else _key(f"management of {name}")


@functools.cache
def _keyring() -> Mapping[str, tuple[str, Account]]:
    """Whose each key is (the account's name), and the account as this key's own `/key` shows it."""
    ring = {}
    for name, account in ACCOUNTS.items():
        if account.purchased is not None:
            manager = Account(account.about, management=True, free_tier=account.free_tier)
            ring[management_key_for(name)] = (name, manager)
        ring[_key(name)] = (name, account)
    return ring


@functools.cache
def _faults_by_key() -> Mapping[str, Fault]:
    return {_key(name): fault for name, fault in FAULTS.items()}


# Time and money.


def _window(interval: str | None, now: datetime) -> tuple[datetime, datetime] | None:
    """Start and end of the current UTC window; None for intervals that never end or are not known."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "daily":
        return midnight, midnight + timedelta(days=1)
    if interval == "weekly":
        monday = midnight - timedelta(days=midnight.weekday())
        return monday, monday + timedelta(days=7)
    if interval == "monthly":
        first = midnight.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    return None


_DAILY_AVERAGE = 90.0
_MONTHLY_LIMIT = Decimal(500)
_FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
_MILESTONES = (
    # All-time spend of the demo account. The sample leaves little choice: its week and its month show
    # the same spend, so nothing was spent from the 1st to the 8th, and 0.10 before that.
    (datetime(2026, 1, 27, 9, tzinfo=UTC), Decimal(0)),
    (datetime(2026, 1, 27, 11, 30, tzinfo=UTC), Decimal("0.10")),
    (datetime(2026, 2, 9, tzinfo=UTC), Decimal("0.10")),
    (datetime(2026, 2, 10, tzinfo=UTC), Decimal("79.36")),
    (datetime(2026, 2, 11, tzinfo=UTC), Decimal("166.24")),
    (datetime(2026, 2, 12, tzinfo=UTC), Decimal("250.72")),
    (DEMO_INSTANT, Decimal("341.49")),
)


def _pulse(moment: datetime) -> float:
    """USD spent since DEMO_INSTANT by someone who never stops: lively, calmer at night, never decreasing."""
    # Whole milliseconds, so that two instants differ by more than the rounding of the arithmetic below.
    days = (moment - DEMO_INSTANT) // timedelta(milliseconds=1) / 86_400_000
    # Each step bends time by less than it runs, so their composition still only runs forward.
    for period, swing in ((2.6, 0.25), (11 / 1440, 0.6), (37 / 86_400, 0.5)):
        days += swing * period / math.tau * math.sin(math.tau * days / period)
    # Slowest half a day away from 16:40 UTC.
    return _DAILY_AVERAGE * (days + 0.75 / math.tau * math.sin(math.tau * days))


def _spent_until(moment: datetime) -> Decimal:
    """All-time spend of the demo account, in USD to 8 decimals; never decreasing."""
    later = next((index for index, (when, _) in enumerate(_MILESTONES) if moment < when), len(_MILESTONES))
    if later == 0:
        return Decimal(0)
    start, spent = _MILESTONES[later - 1]
    if later < len(_MILESTONES):
        end, target = _MILESTONES[later]
        share = (_pulse(moment) - _pulse(start)) / (_pulse(end) - _pulse(start))
        return round(spent + (target - spent) * Decimal(share), 8)
    # At this pace every month uses up its limit, then spending stops: all full months are equal.
    months = (moment.year - _FEBRUARY.year) * 12 + moment.month - _FEBRUARY.month
    before = Decimal("0.10") + months * _MONTHLY_LIMIT
    if months:
        start, spent = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0), before
    return min(before + _MONTHLY_LIMIT, round(spent + Decimal(_pulse(moment) - _pulse(start)), 8))


def demo_usage(now: datetime) -> Usage:
    """Return what the demo account had spent at any instant, also before DEMO_INSTANT: USD to 8 decimals."""
    now = now.astimezone(UTC)
    total = _spent_until(now)
    starts = (window[0] for span in ("monthly", "weekly", "daily") if (window := _window(span, now)))
    month, week, day = (total - _spent_until(start) for start in starts)
    return Usage(total, month, week, day)


def _usage(account: Account, now: datetime) -> Usage:
    return demo_usage(now) if account.live else account.usage


# What the routes answer, as the value of `data`.

_Rows: TypeAlias = list[dict[str, object]]


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid(text: str) -> str:
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


_WORKSPACES = (_uuid("workspace 1"), _uuid("workspace 2"))
_USERS = ("user_simulated1", "user_simulated2")


def _figures(account: Account, now: datetime) -> dict[str, object]:
    """Give the fields that `/key` and the rows of `/keys` have in common."""
    usage, byok = _usage(account, now), account.byok
    remaining = None
    if account.limit is not None:
        counted_byok = byok.within(account.reset) if account.include_byok else Decimal(0)
        remaining = account.limit - usage.within(account.reset) - counted_byok
    return {
        "limit": account.limit,
        "limit_remaining": remaining,
        "limit_reset": None if account.limit is None else account.reset,
        "include_byok_in_limit": account.include_byok,
        "usage": usage.total,
        "usage_daily": usage.day,
        "usage_weekly": usage.week,
        "usage_monthly": usage.month,
        "byok_usage": byok.total,
        "byok_usage_daily": byok.day,
        "byok_usage_weekly": byok.week,
        "byok_usage_monthly": byok.month,
        "expires_at": None if account.expires_in is None else _iso(now + account.expires_in),
        "creator_user_id": _USERS[0],
        "workspace_id": _WORKSPACES[0],
    }


def _budget(budget: Budget, now: datetime) -> dict[str, object]:
    window = _window(budget.reset, now)
    guarded = budget.scope not in {"workspace", "key_limit"}
    return {
        "scope": budget.scope,
        "limit_usd": budget.limit,
        "spend_usd": budget.spent,
        "remaining_usd": budget.limit - budget.spent,
        "reset_interval": budget.reset,
        "resets_at": _iso(window[1]) if window else None,
        "include_byok": budget.include_byok,
        "budget_id": _uuid("budget") if budget.scope == "workspace" else None,
        "guardrail_id": _uuid(f"guardrail {budget.scope}") if guarded else None,
    }


def _key_data(key: str, account: Account, now: datetime) -> dict[str, object]:
    figures = _figures(account, now)
    budgets = account.budgets
    if account.limit is not None:
        spent = account.limit - cast("Decimal", figures["limit_remaining"])
        budgets = (*budgets, Budget("key_limit", account.limit, spent, account.reset, account.include_byok))
    blocking = next((budget for budget in budgets if budget.spent >= budget.limit), None)
    effective = blocking or min(budgets, key=lambda budget: budget.limit - budget.spent, default=None)
    used, allowed = account.free_requests
    if account.live:
        used = int(used * ((now - datetime.combine(now.date(), time(), UTC)) / timedelta(days=1)))
    data: dict[str, object] = {
        "label": account.label or _mask(key),
        **figures,
        "is_free_tier": account.free_tier,
        "is_management_key": account.management,
        "is_provisioning_key": account.management,
        "budgets": [_budget(budget, now) for budget in budgets],
        "effective_budget": _budget(effective, now) if effective else None,
        "free_model_daily_requests": {"used": used, "limit": allowed, "remaining": allowed - used},
        "organization_id": None,
        "allowed_data_regions": ["global"],
        "rate_limit": {"requests": -1, "interval": "10s", "note": "Deprecated, safe to ignore."},
        **account.extra,
    }
    return {name: value for name, value in data.items() if name not in account.omit}


def _credits_data(account: Account, now: datetime) -> dict[str, object]:
    if account.cached_credits:
        now = now.replace(second=0, microsecond=0)
    used = _usage(account, now).total + account.elsewhere
    bought = account.purchased or Decimal(0)
    if account.live:
        bought *= used // bought + 2
    return {"total_credits": bought, "total_usage": used}


def _key_rows(name: str, account: Account, now: datetime) -> _Rows:
    """All keys of the account except management keys."""
    each = round(account.elsewhere / max(account.other_keys, 1), 8)
    other = Account("", usage=Usage(each, each / 4, each / 20, each / 100))
    keys = [] if account.management else [(name, _key(name), account)]
    numbered = (f"team-{number:03}" for number in range(1, account.other_keys + 1))
    keys += [(label, _key(f"{label} of {name}"), other) for label in numbered]
    return [
        {
            **_figures(owner, now),
            "name": key_name,
            "label": owner.label or _mask(key),
            "hash": _hash(key),
            "disabled": False,
            "created_at": _iso(_MILESTONES[0][0]),
            "updated_at": None,
            "last_used_at": _iso(now) if _usage(owner, now).total else None,
            "external_user": None,
        }
        for key_name, key, owner in keys
    ]


def _keys_page(name: str, account: Account, now: datetime, query: Mapping[str, str]) -> _Rows:
    offset = query.get("offset", "0")
    if not (offset.isascii() and offset.isdigit()) or len(offset) > 9:
        raise _RefusedError(400, "offset must be a whole number, 0 or more")
    return _key_rows(name, account, now)[int(offset) :][:100]


_MODELS = (
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", "Anthropic", Decimal("0.55")),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "OpenAI", Decimal("0.20")),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "Azure", Decimal("0.10")),
    ("google/gemini-2.5-flash", "google/gemini-2.5-flash", "Google", Decimal("0.15")),
)
"""Model, permanent slug, provider, share of the account's spend."""


def _spent_on(account: Account, day: date) -> Decimal:
    """Give what all keys of the account spent on a UTC day, in USD."""
    if account.live:
        start = datetime.combine(day, time(), UTC)
        return _spent_until(start + timedelta(days=1)) - _spent_until(start)
    # Three quarters of the all-time spend over 30 days, uneven but always the same for the same day.
    return (account.usage.total + account.elsewhere) / 40 * (60 + day.toordinal() * 37 % 81) / 100


def _days(query: Mapping[str, str], now: datetime) -> list[date]:
    """Give the completed UTC days asked for, the newest first."""
    days = [now.date() - timedelta(days=back) for back in range(1, 31)]
    if "date" not in query:
        return days
    wanted = [day for day in days if day.isoformat() == query["date"]]
    if not wanted:
        raise _RefusedError(400, "date must be YYYY-MM-DD and one of the last 30 completed UTC days")
    return wanted


def _activity_rows(name: str, account: Account, now: datetime, query: Mapping[str, str]) -> _Rows:
    """Rows per day, model and endpoint, and per workspace if so grouped."""
    grouped = query.get("group_by")
    if grouped not in {None, "workspace"}:
        raise _RefusedError(400, "group_by must be workspace")
    # At most two keys are busy, each with its own workspace and user.
    hashes = [str(row["hash"]) for row in _key_rows(name, account, now)[:2]]
    shares = (Decimal("0.6"), Decimal("0.4")) if len(hashes) > 1 else (Decimal(1),)
    slices = [
        (workspace, share)
        for api_key_hash, workspace, user, share in zip(hashes, _WORKSPACES, _USERS, shares, strict=False)
        if query.get("api_key_hash", api_key_hash) == api_key_hash
        and query.get("workspace_id", workspace) == workspace
        and query.get("user_id", user) == user
    ]
    if not grouped:
        slices = [("", share)] if (share := sum((share for _, share in slices), Decimal(0))) else []
    rows: _Rows = []
    for day in _days(query, now):
        spent = _spent_on(account, day)
        for model, permaslug, provider, weight in _MODELS if spent else ():
            for workspace, share in slices:
                usage = round(spent * weight * share, 8)
                byok = round(account.byok.total / 40 * weight * share, 8)
                tokens = int(usage * 150_000)
                rows.append(
                    {
                        "date": day.isoformat(),
                        "model": model,
                        "model_permaslug": permaslug,
                        "endpoint_id": _uuid(model + provider),
                        "provider_name": provider,
                        "usage": usage,
                        "byok_usage_inference": byok,
                        "requests": 1 + tokens // 8_000,
                        "prompt_tokens": tokens,
                        "cached_tokens": tokens // 3,
                        "completion_tokens": tokens // 12,
                        "reasoning_tokens": tokens // 30,
                        **({"workspace_id": workspace} if grouped else {}),
                    }
                )
    return rows


# From request to response.


def _plain(value: object) -> int | float:
    """Turn a dollar amount into what JSON writes without binary noise and without `.0`."""
    amount = cast("Decimal", value)
    return int(amount) if amount == int(amount) else float(amount)


def _json(value: object) -> bytes:
    return json.dumps(value, default=_plain).encode()


def _reply(status: int, body: bytes, now: datetime, headers: Mapping[str, str] | None = None) -> Response:
    usual = {"Date": format_datetime(now, usegmt=True), "Content-Type": "application/json"}
    return Response(status, {**usual, **(headers or {})}, body)


def _error(status: int, message: str) -> bytes:
    return _json({"error": {"code": status, "message": message}})


def _faulty(fault: Fault, key: str, now: datetime) -> Response:
    if fault.patch is not None:
        data = {**_key_data(key, ACCOUNTS["normal"], now), "total_credits": 100, "total_usage": 25}
        for name, value in fault.patch.items():
            place, _, inner = name.rpartition(".")
            target = cast("_Rows", data[place])[0] if place else data
            target[inner] = value
        # Python writes no number that it cannot hold.
        body = json.dumps({"data": data}, default=_plain).replace('"1e400"', "1e400")
    else:
        error = _error(fault.status, _MESSAGES.get(fault.status, ""))
        body = fault.body if fault.body is not None else error.decode()
    return _reply(fault.status, body.replace("{key}", key).encode(), now, fault.headers)


def _data(request: Request, key: str, now: datetime) -> object:
    """Give the `data` of a good answer; _RefusedError if there is none."""
    path, _, text = request.path.partition("?")
    route = path.rstrip("/").rpartition("/")[2]
    if route not in {"key", "credits", "activity", "keys"}:
        raise _RefusedError(404)
    if request.method != "GET":
        raise _RefusedError(405)
    if key not in _keyring():
        raise _RefusedError(401)
    name, shown = _keyring()[key]
    account = ACCOUNTS[name]
    if route == "key":
        return _key_data(key, shown, now)
    if route == "credits" and account.zero_credits:
        return {"total_credits": 0, "total_usage": 0}
    if not shown.management:
        raise _RefusedError(403, "Only management keys can perform this operation")
    if route == "credits":
        return _credits_data(account, now)
    rows = _keys_page if route == "keys" else _activity_rows
    return rows(name, account, now, dict(parse_qsl(text)))


def respond(request: Request, now: datetime) -> Response:
    """Answer as OpenRouter would at the instant `now` (aware): pure, the same for the same arguments.

    Knows `/key` (also as `/auth/key`), `/credits`, `/activity` and `/keys`, below whatever prefix.
    """
    with localcontext(Context(prec=28)):  # whatever the host program did to its own
        return _respond(request, now.astimezone(UTC))


def _respond(request: Request, now: datetime) -> Response:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ""
    if fault := _faults_by_key().get(key):
        return _faulty(fault, key, now)
    try:
        return _reply(200, _json({"data": _data(request, key, now)}), now)
    except _RefusedError as refusal:
        allow = {"Allow": "GET"} if refusal.status == 405 else None
        return _reply(refusal.status, _error(refusal.status, refusal.message), now, allow)


# Mounting it.


def transport(clock: Callable[[], datetime]) -> httpx2.MockTransport:
    """`respond` as a transport for `httpx2.Client` and `httpx2.AsyncClient`: no socket, no network."""
    import httpx2  # noqa: PLC0415 - the one function that needs it; the rest is standard library

    def handle(request: httpx2.Request) -> httpx2.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = respond(Request(request.method, request.url.raw_path.decode("ascii"), headers), clock())
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)

    return httpx2.MockTransport(handle)


def _utc_now() -> datetime:
    return datetime.now(UTC)


_Accepted: TypeAlias = socket.socket | tuple[bytes, socket.socket]


class _Listener(ThreadingHTTPServer):
    """A threading server that remembers its connections, to be able to end them."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port: int, answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        self.connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that looks up the host's name, which takes seconds on some machines.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: _Accepted, client_address: object) -> None:
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        self.connections[thread] = cast("socket.socket", request)
        thread.start()

    def process_request_thread(self, request: _Accepted, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.pop(threading.current_thread(), None)

    def handle_error(self, request: _Accepted, client_address: object) -> None:
        # Clients that go away, such as those that time out, are part of the tests; bugs are not.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for thread, connection in list(self.connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write for headers and body: a second would wait for the first's acknowledgement

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = cast("_Listener", self.server).answer(Request(self.command, self.path, headers))
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    # The names are http.server's.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: stderr belongs to whoever is being tested."""


class Server:
    """A real HTTP server on 127.0.0.1 that answers from its creation until `close` or the end of `with`."""

    base_url: str
    """What to give a client: `http://127.0.0.1:PORT/api/v1`."""
    requests: list[Request]
    """All requests so far, in order of arrival."""

    def __init__(
        self,
        port: int = 0,
        clock: Callable[[], datetime] = _utc_now,
        responder: Callable[[Request, datetime], Response] = respond,
    ) -> None:
        """Listen on `port` (0: any free one); OSError if it is taken. `clock` gives each request's instant."""
        self.requests = []

        def answer(request: Request) -> Response:
            self.requests.append(request)
            return responder(request, clock())

        self._listener = _Listener(port, answer)
        self.base_url = f"http://127.0.0.1:{self._listener.server_port}{API_PREFIX}"
        self._thread: threading.Thread | None = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering and end all connections; leaves no thread and no socket. May be called twice."""
        if self._thread is not None:
            self._listener.stop()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        """Return the server, which listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _guide() -> str:
    """All names with their keys, and what each shows."""
    lines = []
    entries: dict[str, Account | Fault] = {**ACCOUNTS, **FAULTS}
    for name, entry in entries.items():
        lines += [f"{name}: {entry.about}", f"    key         {key_for(name)}"]
        if isinstance(entry, Account) and entry.purchased is not None:
            lines.append(f"    management  {management_key_for(name)}")
    return "\n".join(lines)


def _exports(name: str, base_url: str) -> str:
    """Write the lines that make a shell use one account."""
    lines = [f"export OPENROUTER_BASE_URL={base_url}", f"export OPENROUTER_API_KEY={key_for(name)}"]
    with suppress(LookupError):
        lines.append(f"export OPENROUTER_MANAGEMENT_KEY={management_key_for(name)}")
    return "\n".join(lines)


def main() -> None:
    """Serve on a loopback socket until Ctrl-C; print where, and which keys there are."""
    parser = argparse.ArgumentParser("python -m orcredit.simulator", description="A stand-in OpenRouter.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("account", nargs="?", help="print what to export for this one only (default: list them all)")
    arguments = parser.parse_args()
    port: int = arguments.port
    if arguments.account is not None and arguments.account not in {*ACCOUNTS, *FAULTS}:
        parser.error(f"no such account; there are: {', '.join([*ACCOUNTS, *FAULTS])}")
    try:
        server = Server(port)
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on port {port}: {error}")
    with server, suppress(KeyboardInterrupt):
        if arguments.account is None:
            where = f"OPENROUTER_BASE_URL={server.base_url}\nCtrl-C stops."
            print(f"{_guide()}\n\n{where}", flush=True)  # noqa: T201 - this is the program's output
        else:
            print(_exports(arguments.account, server.base_url), flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
