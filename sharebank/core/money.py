"""Money is integer cents; only unit prices are decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def cents(euros: Decimal) -> int:
    """Euros to whole cents, rounded half up."""
    return int((euros * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def euros(amount: int) -> Decimal:
    """Cents to euros with two decimals."""
    return (Decimal(amount) / 100).quantize(Decimal("0.01"))
