"""What should be changed about the keys of an account: `orcredit keys --audit`. Pure."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from orcredit.document import Document
from orcredit.durations import format_duration
from orcredit.money import ZERO, format_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from orcredit.balance.account import AccountKey

DORMANT = timedelta(days=30)
"""A key that was not used for so long, and still has money, is forgotten."""

EXPIRES_SOON = timedelta(days=14)

Kind = Literal["disabledButSpending", "noLimit", "neverResets", "dormant", "expiresSoon", "neverExpires", "alike"]
"""What is wrong, in the order in which it is shown."""

_ORDER: tuple[Kind, ...] = (
    "disabledButSpending",
    "noLimit",
    "neverResets",
    "dormant",
    "expiresSoon",
    "neverExpires",
    "alike",
)


class Finding(Document):
    """One thing to change about one key: what is wrong, and what to do, in a few words each."""

    hash: str
    name: str
    workspace: str | None
    kind: Kind
    detail: str
    remedy: str


def audit(keys: Iterable[AccountKey], now: datetime) -> tuple[Finding, ...]:
    """Find what should be changed; the gravest first. Expired keys are left alone, as nothing can spend with them.

    Args:
        keys: disabled ones included.
        now: aware UTC.
    """
    counted = [key for key in keys if not key.expired]
    found = [finding for key in counted for finding in _findings(key, now)]
    found += _alike([key for key in counted if not key.disabled])
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.kind), one.name.casefold(), one.hash)))


def _finding(key: AccountKey, kind: Kind, detail: str, remedy: str) -> Finding:
    return Finding(hash=key.hash, name=key.name, workspace=key.workspace, kind=kind, detail=detail, remedy=remedy)


def _findings(key: AccountKey, now: datetime) -> Iterator[Finding]:
    if key.disabled:
        if _spends_although_disabled(key):
            detail = f"disabled, but {format_usd(key.usage_daily or ZERO)} was spent today (UTC)"
            yield _finding(key, "disabledButSpending", detail, "check that it was disabled after that; else delete it")
        return
    if key.total_limit is None:
        yield _finding(key, "noLimit", "no limit", "set one, or it can spend all of the credit")
    elif key.reset_period is None:
        left = format_usd(max(key.remaining or ZERO, ZERO))
        yield _finding(key, "neverResets", f"its limit never resets, {left} left", "give the limit a period")
    if (dormant := _dormant(key, now)) is not None:
        yield _finding(key, "dormant", dormant, "disable it")
    if key.expires_at is None:
        yield _finding(key, "neverExpires", "never expires", "set an expiry")
    elif key.expires_at - now <= EXPIRES_SOON:
        left = format_duration(key.expires_at - now)
        yield _finding(key, "expiresSoon", f"expires in {left}", "make another key, or extend it")


def _spends_although_disabled(key: AccountKey) -> bool:
    """Whether something was spent today, and not, for certain, before the key was last changed."""
    is_before = key.updated_at is not None and key.last_used_at is not None and key.last_used_at <= key.updated_at
    return bool(key.usage_daily) and not is_before


def _dormant(key: AccountKey, now: datetime) -> str | None:
    """Say for how long a key with money was not used; None where it was, or where that is not known."""
    has_money = key.remaining is None or key.remaining > ZERO
    since = key.last_used_at or key.created_at
    if not (has_money and key.is_last_use_known and since is not None and now - since >= DORMANT):
        return None
    left = "no limit" if key.remaining is None else f"{format_usd(key.remaining)} left"
    days = (now - since).days
    return f"not used for {days:,} d, {left}" if key.last_used_at else f"never used in {days:,} d, {left}"


def _alike(keys: Sequence[AccountKey]) -> Iterator[Finding]:
    """Find keys whose names differ in case, blanks and punctuation at most."""
    groups: defaultdict[str, list[AccountKey]] = defaultdict(list)
    for key in keys:
        letters = unicodedata.normalize("NFKC", key.name).casefold()
        groups["".join(letter for letter in letters if letter.isalnum())].append(key)
    for essence, (first, *others) in groups.items():
        for key in others if essence else ():
            where = f" in {first.workspace}" if first.workspace is not None else ""
            yield _finding(key, "alike", f"named like {first.name}{where}", "rename one of the two")
