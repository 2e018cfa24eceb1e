"""Numbers as people type them, in forms and in spreadsheets; and cells that stay text there."""

from __future__ import annotations

import re
from decimal import Decimal

# A French thousands separator is a space, and word processors know four of them.
_SPACE = "[ \u00a0\u202f\u2009]"
_WHOLE = rf"(?P<sign>[-\u2212]?)(?P<whole>[0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+|[0-9]+)"
_INT = re.compile(_WHOLE)
_DECIMAL = re.compile(rf"{_WHOLE}(?:[.,](?P<part>[0-9]+))?(?:{_SPACE}*€)?")
_AROUND = " \t\r\n\u00a0\u202f\u2009\u200b\ufeff"
_DIGITS = 18
"""More digits than anything here is counted in."""


def parse_int(text: str) -> int:
    """`60`, `1 200`: ASCII digits alone, thousands apart by a space; raises ValueError for anything else."""
    found = _INT.fullmatch(text.strip(_AROUND))
    if found is None:
        raise ValueError(text)
    return int(_sign(found) + _digits(found))


def parse_decimal(text: str) -> Decimal:
    """`1 250,00 €`, `1250.00`, `17,5`: no exponent, no infinity; raises ValueError for anything else.

    A comma is a decimal comma: thousands are told apart by spaces only, for `1,250` has two meanings.
    """
    found = _DECIMAL.fullmatch(text.strip(_AROUND))
    if found is None:
        raise ValueError(text)
    part = found["part"] or "0"
    if len(part) > _DIGITS:
        raise ValueError(text)
    return Decimal(f"{_sign(found)}{_digits(found)}.{part}")


# A spreadsheet takes these for a formula; with apostrophes before, one more tells ours from theirs.
_FORMULA = re.compile(r"'*[=+\-@]")


def defuse(cell: str) -> str:
    """A cell no spreadsheet computes: `=1+1` becomes `'=1+1`; what reads files takes the apostrophe off again."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _sign(found: re.Match[str]) -> str:
    return "-" if found["sign"] else ""


def _digits(found: re.Match[str]) -> str:
    digits = re.sub(_SPACE, "", found["whole"])
    if len(digits) > _DIGITS:
        raise ValueError(digits)
    return digits
