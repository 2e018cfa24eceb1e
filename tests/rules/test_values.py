"""What is a number, and what only looks like one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sharebank.core.values import parse_decimal, parse_int

DECIMALS = {
    "point": ("1250.00", "1250.00"),
    "comma": ("1250,00", "1250.00"),
    "euro": ("1 250,00 €", "1250.00"),
    "euro close": ("12€", "12.0"),
    "no-break space": ("1\u00a0250,00\u00a0€", "1250.00"),
    "narrow no-break space": ("1\u202f250,00\u202f€", "1250.00"),
    "two groups": ("1 250 000,5", "1250000.5"),
    "spaces around": ("  17,5\t", "17.5"),
    "zero-width space": ("17,5\u200b", "17.5"),
    "zero": ("0", "0"),
    "leading zero": ("007,50", "7.5"),
    "negative": ("-3,20", "-3.2"),
    "typographic minus": ("\u22123", "-3"),
    "three decimals": ("0.874", "0.874"),
}
NOT_DECIMALS = {
    "empty": "",
    "only spaces": " \u00a0",
    "word": "environ 80 €",
    "not a number": "nan",
    "infinite": "inf",
    "exponent": "1e9",
    "hexadecimal": "0x10",
    "underscore": "1_000",
    "full width": "１２",
    "arabic digits": "١٢",
    "formula": "=2+3",
    "plus": "+3",
    "two points": "1.250.00",
    "point and comma": "1.250,00",
    "comma and point": "1,250.00",
    "nothing after the comma": "12,",
    "nothing before the comma": ",5",
    "group of two": "12 50",
    "group of four": "1 2500",
    "space before the comma": "12 ,5",
    "other money": "12 $",
    "nineteen digits": "1" * 19,
    "nineteen decimals": "0," + "1" * 19,
    "line break within": "1\n250",
}
INTS = {
    "plain": ("60", 60),
    "thousands": ("1 200", 1200),
    "narrow thousands": ("1\u202f200", 1200),
    "around": (" 7 ", 7),
    "negative": ("-7", -7),
    "leading zero": ("007", 7),
}
NOT_INTS = {
    "empty": "",
    "decimal": "12.5",
    "decimal comma": "2,5",
    "round decimal": "12.0",
    "euro": "12 €",
    "word": "deux",
    "exponent": "1e9",
    "hexadecimal": "0x10",
    "underscore": "1_0",
    "full width": "１２",
    "superscript": "²",
    "twenty digits": "1" * 20,
    "plus": "+1",
}


@pytest.mark.parametrize(("text", "value"), DECIMALS.values(), ids=DECIMALS)
def test_decimal(text: str, value: str) -> None:
    assert parse_decimal(text) == Decimal(value)


@pytest.mark.parametrize("text", NOT_DECIMALS.values(), ids=NOT_DECIMALS)
def test_not_a_decimal(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text itself is the message
        parse_decimal(text)


@pytest.mark.parametrize(("text", "value"), INTS.values(), ids=INTS)
def test_int(text: str, value: int) -> None:
    assert parse_int(text) == value


@pytest.mark.parametrize("text", NOT_INTS.values(), ids=NOT_INTS)
def test_not_an_int(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_int(text)
