"""Codes, colours, folded words and free facts, on plain values."""

from __future__ import annotations

import pytest

from sharebank.catalog import attributes, rules
from sharebank.catalog.rules import BadCode, check_code, house_colours, next_code
from sharebank.catalog.service import fold, words

CODES = {
    "first": ([], "MCNG-K01"),
    "next": (["MCNG-K01", "MCNG-K02"], "MCNG-K03"),
    "a freed number is not used again": (["MCNG-K01", "MCNG-K07"], "MCNG-K08"),
    "past ninety-nine": (["MCNG-K99"], "MCNG-K100"),
    "other letters and houses do not count": (["MCNG-E05", "STN-K09", "MCNG-K1", "MCNG-Kit"], "MCNG-K01"),
}
GOOD_CODES = ["MCNG-K01", "MCNG-K123"]
BAD_CODES = ["", "STN-K01", "MCNG-E01", "mcng-K01", "MCNG-K1", "MCNG-K", "MCNGK01", "MCNG-K01 ", "MCNG-K０１"]
FOLDED = {
    "accents": ("Été À L’ÉCOLE", "ete a l'ecole"),
    "ligatures": ("Œuvre, cæcum, ﬁn", "oeuvre, caecum, fin"),
    "decomposed": ("Noe\u0308l", "noel"),
    "zero-width": ("mini\u200bbus", "minibus"),
    "powers": ("11 m³", "11 m3"),
    "sharp s": ("Straße", "strasse"),
}
WORDS = {
    "plural": ("Chaises pliantes", ["chaise", "pliante"]),
    "plural in x": ("jeux", ["jeu"]),
    "short words stay": ("bus gaz", ["bus", "gaz"]),
    "spaces": ("  salle\u00a0 ISÈRE ", ["salle", "isere"]),
}
FACTS = {
    "one": ("Wi-Fi: yes", {"wifi": "yes"}),
    "unit": ("Power (W): 1650", {"power_w": "1650"}),
    "unit left out": ("Power: 1650", {"power_w": "1650"}),
    "key": ("power_w : 1650", {"power_w": "1650"}),
    "accents and case": ("wi-fi:YES", {"wifi": "yes"}),
    "own words": ("Couleur : vert", {"Couleur": "vert"}),
    "a colon in the value": ("Ouvert: 12:00", {"Ouvert": "12:00"}),
    "blank lines": ("\n Bar: yes \r\n\r\nStage: no", {"bar": "yes", "stage": "no"}),
    "nothing": ("  \n", {}),
}
NOT_FACTS = [
    "Wi-Fi",
    "Wi-Fi:",
    ": yes",
    "a;b: c",
    "a: b;c",
    "a=b: c",
    "Bar: yes\nbar: no",
    "k" * 41 + ": v",
    "k: " + "v" * 101,
]


@pytest.mark.parametrize(("taken", "code"), CODES.values(), ids=CODES)
def test_next_code(taken: list[str], code: str) -> None:
    assert next_code(taken, "MCNG", "K") == code


@pytest.mark.parametrize("code", GOOD_CODES)
def test_good_code(code: str) -> None:
    check_code(code, "MCNG", "K")


@pytest.mark.parametrize("code", BAD_CODES)
def test_bad_code(code: str) -> None:
    with pytest.raises(BadCode):
        check_code(code, "MCNG", "K")


def test_families_cover_the_kinds() -> None:
    assert {family.kind for family in rules.FAMILIES.values()} == set(rules.KINDS)


def test_colours_let_nothing_else_into_the_style_sheet() -> None:
    houses = [("MCNG", "#C8502B"), ("STN", "red"), ("ORS", "#123456;}*{display:none"), ("a b", "#123456"), ("X", "")]
    assert house_colours(houses) == ".house-MCNG{--house:#C8502B}\n"


@pytest.mark.parametrize(("text", "folded"), FOLDED.values(), ids=FOLDED)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(("text", "found"), WORDS.values(), ids=WORDS)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(("text", "facts"), FACTS.values(), ids=FACTS)
def test_facts(text: str, facts: dict[str, str]) -> None:
    assert attributes.from_text(text, str) == facts


@pytest.mark.parametrize("text", NOT_FACTS)
def test_not_facts(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        attributes.from_text(text, str)


def test_a_fact_is_shown_with_its_unit_and_its_service_apart() -> None:
    stored = {"odometer_km": "118400", "fuel": "electric", "Couleur": "vert", "inactive_since": "2026-09-01"}
    shown = attributes.shown(stored, str, lambda number: f"{number:,}")
    assert shown == [("Odometer", "118,400\u00a0km"), ("Fuel", "electric"), ("Couleur", "vert")]
