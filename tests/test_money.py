"""Dollars: parsed exactly, and formatted without hiding small amounts."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.money import LARGEST, dollars, format_usd

AMOUNTS = st.decimals(min_value=-LARGEST, max_value=LARGEST, allow_nan=False, places=8)


@pytest.mark.parametrize(
    ("wire", "usd"),
    [
        (0.1 + 0.2, "0.3"),
        (158.61, "158.61"),
        (29.9999982, "29.9999982"),
        (500, "500"),
        (Decimal("5E+2"), "500"),
        (-0.0, "0"),
        (5.5e-17, "0"),
        (1e-8, "1E-8"),
    ],
)
def test_a_json_number_becomes_exact_dollars_without_binary_noise(wire: float | Decimal, usd: str) -> None:
    assert str(dollars(wire)) == usd


@pytest.mark.parametrize("wire", [True, "5", None, [5], float("nan"), float("inf"), Decimal("1E+400"), 10**16])
def test_other_values_are_refused(wire: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        dollars(wire)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("158.61", "$158.61"),
        ("1234567.5", "$1,234,567.50"),
        ("0", "$0.00"),
        ("-0.25", "-$0.25"),
        ("0.01", "$0.01"),
        ("0.0018", "$0.0018"),
        ("0.009999", "$0.01"),
        ("0.00001234", "$0.000012"),
        ("-0.00000001", "-$0.00000001"),
    ],
)
def test_dollars_have_two_decimals_or_two_significant_digits(amount: str, text: str) -> None:
    assert format_usd(Decimal(amount)) == text


@given(AMOUNTS)
def test_only_zero_is_formatted_as_zero(amount: Decimal) -> None:
    assert (format_usd(amount).strip("-$0.,") == "") == (amount == 0)


@given(AMOUNTS)
def test_the_host_programs_decimal_context_has_no_effect(amount: Decimal) -> None:
    expected = dollars(amount), format_usd(amount)
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_UP):
        assert (dollars(amount), format_usd(amount)) == expected
