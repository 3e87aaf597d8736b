"""Dollars: exact decimals from the wire to the last rendering.

OpenRouter sends dollars as JSON doubles that are exact to about a millionth of a cent. Keeping eight decimals drops
only the binary noise of its sums (`0.30000000000000004`).
"""

from __future__ import annotations

import decimal
from decimal import ROUND_HALF_EVEN, Decimal

EXACT = decimal.Context(
    prec=40,
    rounding=ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""The decimal context of all arithmetic here, independent of the host program's."""

LARGEST = Decimal(10) ** 15
"""USD. Upper bound; larger amounts are mistakes, and formatted they would fill the screen."""

ZERO = Decimal(0)
_PRECISION = Decimal("1e-8")
CENT = Decimal("0.01")


def dollars(value: object) -> Decimal:
    """Convert a JSON number to dollars.

    Args:
        value: an `int`, `float` or `Decimal`; booleans and strings are not amounts.

    Returns:
        USD, rounded to eight decimals.

    Raises:
        ValueError: not a finite number, or larger than `LARGEST`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("not an amount")  # noqa: TRY004 - pydantic reads ValueError as "invalid"
    # str() of a float is its shortest exact form: 158.61, not 158.610000000000013642420526593923568725585938
    amount = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not amount.is_finite() or amount.copy_abs() > LARGEST:
        raise ValueError("not a plausible amount")
    rounded = amount.quantize(_PRECISION, context=EXACT).normalize(EXACT)
    whole = rounded.to_integral_value()
    # 5E+2 back to 500; plus() turns -0 into 0
    return EXACT.plus(whole.quantize(Decimal(1), context=EXACT) if rounded == whole else rounded)


def format_usd(amount: Decimal) -> str:
    """Format dollars for people: `$1,234.50`, `-$0.25`, and `$0.0018` for less than a cent.

    Args:
        amount: USD.

    Returns:
        Two decimals, or two significant digits below a cent; `$0.00` only for zero.
    """
    sign = "-" if amount < 0 else ""
    size = amount.copy_abs()
    if size == 0 or size >= CENT:
        return f"{sign}${size.quantize(CENT, context=EXACT):,}"
    digits = size.quantize(Decimal(1).scaleb(size.adjusted() - 1, context=EXACT), context=EXACT).normalize(EXACT)
    return f"{sign}${digits:f}"
