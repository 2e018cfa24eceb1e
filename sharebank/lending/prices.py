"""What a loan costs, from the asking to the return: the names other rooms use."""

from __future__ import annotations

from sharebank.lending.charges import Charge, charges, kilometre
from sharebank.lending.quotes import Deposit, Line, Quote, Travel, cancellation_fee, quote, quote_loan

__all__ = [
    "Charge",
    "Deposit",
    "Line",
    "Quote",
    "Travel",
    "cancellation_fee",
    "charges",
    "kilometre",
    "quote",
    "quote_loan",
]
