"""The simulated accounts of a team: many keys in several workspaces, which a management key sees.

Each key has a share of the demo account's spending, so what it has spent depends on the time alone. Amounts are US
dollars, times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TeamKey:
    """A key of a team; the defaults are a key that was used a minute ago, and has no limit."""

    name: str
    share: Decimal
    """Of the demo account's spending."""
    limit: Decimal | None = None
    reset: str | None = "monthly"
    workspace: int = 0
    """Its index."""
    past: Decimal = Decimal(0)
    """USD spent before what `share` counts: all-time usage only."""
    unused_for: timedelta | None = timedelta(minutes=1)
    """None: never used."""
    expires_in: timedelta | None = 60 * _DAY
    """Relative to the time of the request; None: never; negative: expired."""
    disabled: bool = False
    age: timedelta = 200 * _DAY

    @property
    def is_expired(self) -> bool:
        """Whether it has expired."""
        return self.expires_in is not None and self.expires_in < timedelta(0)


@dataclass(frozen=True, slots=True)
class Team:
    """An account with many keys."""

    about: str
    keys: Sequence[TeamKey]
    workspaces: Sequence[str] = ("Default",)
    purchased: Decimal = Decimal(250)
    """Bought repeatedly, as by the demo account."""
    fails_at: tuple[int, int] | None = None
    """The workspace's index and the offset of the page of keys that is unavailable (503)."""
    analytics: str = "present"
    """Or "absent" (404), "slow" (408), "truncated" (three rows at most), "warnings"."""
    has_workspaces: bool = True
    """Whether the deployment has `/workspaces`."""


_SMALL = Decimal("0.01")


def _fleet(count: int, workspaces: int = 1) -> tuple[TeamKey, ...]:
    """Return generated keys: most are fine, some low, exhausted or without a limit."""
    share = Decimal(1) / max(count, 1)
    month = 450 * share
    limits: tuple[Decimal | None, ...] = (month * 3, month * 2, month * Decimal("1.5"), None, month * 4, month / 2)
    return tuple(
        TeamKey(
            f"service-{number:04}",
            share,
            None if (limit := limits[number % 6]) is None else max(round(limit, 2), _SMALL),
            workspace=number % workspaces,
        )
        for number in range(count)
    )


def _workspaces(count: int) -> tuple[str, ...]:
    return ("Default", *(f"Customer {number:02}" for number in range(2, count + 1)))


HOSTILE = (
    "\x1b]0;owned\x07\x1b[31mred\x1b[0m",
    "[red]boo[/red] [link=https://example.com]x[/link]",
    "two\r\nlines\tand a tab",
    "\u202eright to left\u2066",
    "w" * 250,
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 60,
    '=HYPERLINK("https://example.com")',
    '"quoted", with a comma',
    "",
    "e\u0301\u200b\N{FAMILY}",
)
"""Names of keys that a terminal, a spreadsheet or a table may stumble over."""

_CUSTOMERS = ("Default", "Customers", "Experiments")

TEAMS: dict[str, Team] = {
    "team": Team(
        "A team of thirteen keys in three workspaces; some need attention.",
        (
            TeamKey("production", Decimal("0.42"), Decimal(400), unused_for=timedelta(seconds=20)),
            TeamKey("nightly batch", Decimal("0.15"), Decimal(60)),
            TeamKey("ci", Decimal("0.02"), Decimal(1), "daily", unused_for=timedelta(hours=2)),
            TeamKey("ada laptop", Decimal("0.06"), Decimal(25), "weekly", expires_in=None),
            TeamKey("bo laptop", Decimal("0.04"), None, expires_in=9 * _DAY),
            TeamKey("Bo-Laptop", Decimal(0), Decimal(20), past=Decimal("8.40"), unused_for=74 * _DAY),
            TeamKey("acme", Decimal("0.17"), Decimal(65), workspace=1),
            TeamKey("globex", Decimal("0.07"), Decimal(50), workspace=1),
            TeamKey("initech trial", Decimal(0), Decimal(40), None, 1, past=Decimal("28.30"), unused_for=12 * _DAY),
            TeamKey("hooli (left)", Decimal("0.01"), Decimal(30), workspace=1, disabled=True),
            TeamKey("prompt tuning", Decimal("0.06"), Decimal(100), workspace=2),
            TeamKey("never used", Decimal(0), Decimal(5), workspace=2, unused_for=None),
            TeamKey("workshop", Decimal(0), Decimal(15), workspace=2, past=Decimal("11.25"), expires_in=-20 * _DAY),
        ),
        _CUSTOMERS,
    ),
    "no-keys": Team("A management key without other keys.", ()),
    "one-key": Team("A management key with one other key.", _fleet(1)),
    "fleet": Team("250 keys in 12 workspaces.", _fleet(250, 12), _workspaces(12)),
    "fleet-in-one": Team("250 keys in one workspace.", _fleet(250)),
    "large-fleet": Team("5,000 keys in 12 workspaces.", _fleet(5000, 12), _workspaces(12)),
    "large-fleet-in-one": Team("5,000 keys in one workspace.", _fleet(5000)),
    "fleet-page-fails": Team(
        "250 keys in one workspace, whose second page is unavailable.", _fleet(250), fails_at=(0, 100)
    ),
    "hostile-names": Team(
        "Keys and a workspace whose names contain escape sequences, markup and the like.",
        tuple(TeamKey(name, Decimal("0.1"), Decimal(50)) for name in HOSTILE),
        (HOSTILE[0],),
    ),
    "analytics-absent": Team("A deployment without analytics.", _fleet(6, 2), _workspaces(2), analytics="absent"),
    "analytics-slow": Team("Analytics that answer 408.", _fleet(6, 2), _workspaces(2), analytics="slow"),
    "analytics-truncated": Team(
        "Analytics that answer with three rows at most.", _fleet(6, 2), _workspaces(2), analytics="truncated"
    ),
    "analytics-warnings": Team(
        "Analytics that answer with a warning.", _fleet(6, 2), _workspaces(2), analytics="warnings"
    ),
    "no-workspaces": Team("An older deployment without workspaces.", _fleet(3), has_workspaces=False),
}
"""The teams by name. Each one's key is its management key."""
