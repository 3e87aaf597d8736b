"""The simulated accounts: one for every kind of account, and one for each trap, an error that other tools make.

Amounts are US dollars, times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Usage(NamedTuple):
    """What was spent, in USD: all-time and in the current UTC month, week (from Monday) and day."""

    total: Decimal
    month: Decimal
    week: Decimal
    day: Decimal

    def within(self, interval: str | None) -> Decimal:
        """Return the spend that counts against a limit with this reset interval; None means that it never resets."""
        spans = {None: self.total, "weekly": self.week, "daily": self.day}
        # Unknown intervals count the month's spend.
        return spans.get(interval, self.month)


def used(total: str, month: str, week: str, day: str) -> Usage:
    """Create a `Usage` from strings."""
    return Usage(Decimal(total), Decimal(month), Decimal(week), Decimal(day))


_NOTHING = used("0", "0", "0", "0")


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget enforced on a key in addition to its own limit; amounts in USD."""

    scope: str
    limit: Decimal
    spent: Decimal
    reset: str | None = "monthly"
    include_byok: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """An account and its key; the defaults are a paid account with an unlimited, unused key. Amounts in USD."""

    about: str
    """A description in one sentence."""
    limit: Decimal | None = None
    """The key's own limit."""
    reset: str | None = "monthly"
    """The reset interval of that limit; None if it never resets."""
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
    """Relative to the time of the request."""
    label: str | None = None
    """None: the masked key."""
    purchased: Decimal | None = None
    """Credit bought, all-time; None: no management key. A `live` account buys this amount repeatedly."""
    elsewhere: Decimal = Decimal(0)
    """What the account's other keys spent, all-time."""
    other_keys: int = 0
    """The number of the account's other keys."""
    live: bool = False
    """Spends continuously, as `demo_usage` says; `usage` is ignored."""
    runs_away_at: datetime | None = None
    """Spends continuously, as `runaway_usage` says, and far too much from this time on; `usage` is ignored."""
    cached_credits: bool = False
    """`/credits` answers with the amounts of the last whole minute."""
    zero_credits: bool = False
    """`/credits` answers an ordinary key with two zeros instead of a refusal."""
    tells_credits: bool = False
    """`/credits` answers an ordinary key with the account's amounts, as it does a management key."""
    omit: frozenset[str] = frozenset()
    """Fields of `/key` that are missing."""
    refused_half: bool = False
    """The key is refused (401) in the second half of every minute."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Additional, unknown fields of `/key`."""


_OLDER = frozenset({
    "limit_remaining", "budgets", "effective_budget", "free_model_daily_requests", "is_management_key",
    "organization_id", "workspace_id", "creator_user_id", "allowed_data_regions", "expires_at",
})  # fmt: skip
_HALF = used("130.25", "48.75", "20.40", "3.15")
_FIFTH = used("96.10", "20", "8.20", "1.35")

ACCOUNTS: dict[str, Account] = {
    "demo": Account(
        "Spends most of $500 a month, about $18 a weekday and $5 a weekend day; the original dashboard's sample at its "
        "time.",
        limit=Decimal(500), live=True, label="demo (simulated)", free_requests=(53, 1000),
        purchased=Decimal(250),
    ),
    "normal": Account(
        "A monthly limit of $100, about half left; the account has credit.",
        limit=Decimal(100), usage=_HALF, purchased=Decimal(250), elsewhere=Decimal("10.50"), other_keys=1,
    ),
    "low": Account(
        "8 % of a monthly limit left.",
        limit=Decimal(100), usage=used("310.80", "92", "41.70", "11.90"), purchased=Decimal(400),
    ),
    "exhausted": Account(
        "A monthly limit overdrawn by $0.25.",
        limit=Decimal(100), usage=used("100.25", "100.25", "60", "12.30"),
    ),
    "zero-limit": Account("A limit of $0: nothing may be spent.", limit=Decimal(0)),
    "unlimited": Account(
        "No limit and no budgets; the account's credit needs a management key.",
        usage=used("20.40", "12.20", "5.10", "0.80"), purchased=Decimal(50),
    ),
    "free-tier": Account(
        "Never bought credit: only free models, 12 of 50 today.", free_requests=(12, 50), free_tier=True
    ),
    "free-tier-used-up": Account(
        "Never bought credit: only free models, and none of today's 50 requests is left.",
        free_requests=(50, 50), free_tier=True,
    ),
    "tiny": Account(
        "Amounts far below a cent.",
        limit=Decimal("0.002"), usage=used("0.0002", "0.0002", "0.0002", "0.0001"),
    ),
    "lifetime": Account(
        "A limit that never resets.",
        limit=Decimal(50), reset=None, usage=used("18.75", "9.30", "2.45", "0.60"),
    ),
    "daily": Account(
        "A limit that resets every day.",
        limit=Decimal(5), reset="daily", usage=used("61.50", "22.40", "9.80", "1.75"),
    ),
    "weekly": Account(
        "A limit that resets on Mondays.",
        limit=Decimal(25), reset="weekly", usage=used("140.20", "51.60", "9.50", "2.25"),
    ),
    "byok": Account(
        "Bring-your-own-key spend that counts against the limit.",
        limit=Decimal(100), usage=used("30", "30", "12", "2"), byok=used("60", "25", "10", "1.50"),
        include_byok=True,
    ),
    "byok-excluded": Account(
        "Bring-your-own-key spend that does not count against the limit.",
        limit=Decimal(100), usage=used("30", "30", "12", "2"), byok=used("60", "25", "10", "1.50"),
    ),
    "expiring": Account(
        "The key expires in three days and some hours.",
        limit=Decimal(100), usage=_HALF, expires_in=timedelta(days=3, hours=5, minutes=20),
    ),
    "expires-today": Account(
        "The key expires in five hours.", limit=Decimal(100), usage=_HALF, expires_in=timedelta(hours=5)
    ),
    "after-reset": Account(
        "A new month, of which all that is known is the $6 spent in it so far.",
        limit=Decimal(100), usage=used("206", "6", "6", "6"),
    ),
    "refused-later": Account(
        "A key that is accepted in the first half of every minute and refused in the second.",
        limit=Decimal(100), usage=_HALF, refused_half=True,
    ),
    "all-time-usage": Account(
        "Trap 1: usage is all-time ($4,000), not what was spent of the weekly $50.",
        limit=Decimal(50), reset="weekly", usage=used("4000", "45", "30", "6"),
    ),
    "credit-below-limit": Account(
        "Trap 2: $16.63 of the limit left on an account with $0.13 of credit.",
        limit=Decimal(50), usage=used("61.20", "33.37", "14.10", "2.90"),
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
        "Trap 3: workspace and key are overdrawn; the workspace comes first, though the key is overdrawn by more.",
        limit=Decimal(100), usage=used("105", "105", "60", "12.30"),
        budgets=(Budget("workspace", Decimal(25), Decimal("25.40")),),
    ),
    "many-budgets": Account(
        "Trap 3: five budgets at once; the API key's guardrail has the least left, $7.50 for today.",
        limit=Decimal(100), usage=_FIFTH,
        budgets=(
            Budget("workspace_default_member", Decimal(150), Decimal("61.30")),
            Budget("member", Decimal(60), Decimal("32.75"), "weekly"),
            Budget("api_key", Decimal(10), Decimal("2.50"), "daily", include_byok=True),
            Budget("workspace", Decimal(1000), Decimal("412.90"), None),
        ),
    ),
    "two-of-one-scope": Account(
        "Trap 3: two budgets of one scope, of which the daily one limits.",
        usage=_FIFTH,
        budgets=(Budget("member", Decimal(60), Decimal(20)), Budget("member", Decimal(5), Decimal("1.35"), "daily")),
    ),
    "zero-credits": Account(
        "Trap 4: /credits answers this ordinary key with two zeros.",
        limit=Decimal(100), usage=used("40", "40", "16", "4"), zero_credits=True,
    ),
    "credits-told": Account(
        "Trap 4: /credits answers this ordinary key with the account's amounts; $0.13 of credit, below the limit.",
        limit=Decimal(50), usage=used("61.20", "33.37", "14.10", "2.90"),
        purchased=Decimal(80), elsewhere=Decimal("18.67"), other_keys=2, tells_credits=True,
    ),
    "credits-overused": Account(
        "Traps 4 and 5: /credits tells this ordinary key that more was used than bought; the rest was a grant.",
        usage=used("12.40", "6.10", "2.80", "0.55"), purchased=Decimal(10), tells_credits=True,
    ),
    "grant-only": Account(
        "Trap 5: spends a promotional grant, which /credits reports nowhere.",
        usage=used("3.20", "3.20", "1.10", "0.40"), free_tier=True, free_requests=(3, 50),
        purchased=Decimal(0),
    ),
    "negative-credit": Account(
        "Trap 6: the account is overdrawn by $2.50; the key has no limit.",
        usage=used("4", "4", "2", "0.50"), purchased=Decimal(10), elsewhere=Decimal("8.50"), other_keys=1,
    ),
    "older": Account(
        "Trap 7: a deployment that reports neither limit_remaining nor budgets; $20 a month.",
        limit=Decimal(20), usage=used("31.40", "7.60", "3.10", "0.70"), omit=_OLDER,
    ),
    "older-lifetime": Account(
        "Trap 7: as before, and without limit_reset: a lifetime limit.",
        limit=Decimal(20), reset=None, usage=used("7.60", "5.20", "3.10", "0.70"),
        omit=_OLDER | {"limit_reset"},
    ),
    "older-byok": Account(
        "Trap 7: as before, where bring-your-own-key spend counts.",
        limit=Decimal(20), usage=used("31.40", "7.60", "3.10", "0.70"),
        byok=used("9.90", "4.30", "1.20", "0.20"), include_byok=True, omit=_OLDER,
    ),
    "older-broken": Account(
        "Trap 7: as before, without the month's usage: what is left is unknown.",
        limit=Decimal(20), usage=used("31.40", "7.60", "3.10", "0.70"), omit=_OLDER | {"usage_monthly"},
    ),
    "cached-credits": Account(
        "Trap 8: spends like the demo, but /credits is as old as the last whole minute.",
        limit=Decimal(500), live=True, purchased=Decimal(250), cached_credits=True,
    ),
    "future": Account(
        "Trap 9: unknown fields, reset periods and budget scopes.",
        limit=Decimal(40), reset="fortnightly", usage=used("15", "15", "6", "1"),
        budgets=(Budget("galaxy", Decimal(60), Decimal(12), "lunar"),),
        extra={
            "allowed_data_regions": ["global", "moon"], "loyalty_points": 7,
            "spend_alerts": [{"at": 0.8, "notify": None}],
        },
    ),
    "runaway": Account(
        "Spends $10 a day, and from 2026-02-12 16:30 UTC on (when run as a program: two minutes after its start) "
        "$0.70 a second for half an hour.",
        limit=Decimal(2000), runs_away_at=datetime(2026, 2, 12, 16, 30, tzinfo=UTC),
    ),
    "management": Account(
        "Trap 10: a management key without a limit; $25 of $100 of credit left, 130 keys.",
        management=True, purchased=Decimal(100), elsewhere=Decimal(75), other_keys=130,
    ),
    "management-limited": Account(
        "Trap 10: a management key with a limit, $6 of $10 left.",
        management=True, limit=Decimal(10), usage=used("4", "4", "2", "0.50"),
        purchased=Decimal(100), elsewhere=Decimal(71), other_keys=2,
    ),
}  # fmt: skip
"""Every account by name: first ordinary ones, then one or more for each trap."""
