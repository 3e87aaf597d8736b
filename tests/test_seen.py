"""What is stored of a balance."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orcredit.history.seen import MOST_GRAINS, seen_in, to_grains
from orcredit.money import LARGEST
from tests.balances import balance

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "grains"),
    [("1.5", 150_000_000), ("-1e-8", -1), ("0", 0), ("1e15", MOST_GRAINS), ("-2e15", -MOST_GRAINS)],
)
def test_amounts_are_whole_grains_and_fit_64_bits(amount: str, grains: int) -> None:
    assert to_grains(Decimal(amount)) == grains


def test_what_is_derived_of_the_largest_amounts_is_stored() -> None:
    """An older deployment's limit of $10¹⁵ with a negative usage of as much leaves twice the largest amount."""
    seen = seen_in(balance(NOON, -LARGEST, limit=int(LARGEST), left=2 * LARGEST))
    assert seen is not None
    assert seen.numbers["spendable"] == MOST_GRAINS
