"""What agreements go by, on plain values: their kinds and numbers, what a text weighs, what may be printed."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sharebank.core.errors import N_, Refused

KINDS: dict[str, str] = {
    "loan": N_("Free loan of equipment"),
    "weekly": N_("Regular loan: a series"),
    "room": N_("Room"),
    "cooperation": N_("Cooperation between houses"),
    "annual": N_("Annual agreement"),
    "short": N_("Short form under an annual agreement"),
    "addendum": N_("Addendum"),
}
STATUS = {
    "issued": N_("To be signed"),
    "signed": N_("Signed"),
    "void": N_("Without object"),
}
WAYS = {
    "online": N_("accepted online"),
    "scan": N_("signed copy sent in"),
    "paper": N_("signed on paper, recorded by the house"),
}
SHORT = ("short",)
"""Kinds that need no signature of their own."""


class NothingToSign(Refused):
    """It was signed already, or nothing is left to sign for."""

    status = 409
    code = "nothing_to_sign"
    sentence = N_("This agreement is not waiting for a signature any more.")


class NotTheText(Refused):
    """Somebody may only say yes to what they have read."""

    status = 409
    code = "not_the_text"
    sentence = N_("The agreement has changed since you opened it. Read it again, please.")


class NameMissing(Refused):
    """A signature is a name."""

    code = "name_missing"
    sentence = N_("Type your first and last name.")


class NotReady(Refused):
    """Nobody has decided on the loan yet, or it is over."""

    status = 409
    code = "no_agreement_now"
    sentence = N_("An agreement is made once the loan is approved, and before it is over.")


class OwnHouse(Refused):
    """Nobody makes an agreement with themselves."""

    code = "own_house"
    sentence = N_("An agreement takes two parties.")


class NotAHouse(Refused):
    """Houses cooperate; with others a year's agreement does."""

    code = "not_a_house"
    sentence = N_("A cooperation is agreed between two houses.")


class NotPrinted(Refused):
    """The press failed; what was frozen is kept, and it is tried again."""

    status = 503
    code = "not_printed"
    sentence = N_("The document cannot be printed just now. Nothing is lost: try again in a moment.")


# -- which kind ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What rules ask for: an agreement a loan (`per_loan`), one a year (`annual`), or none."""

    mode: str = "none"
    short_form: bool = True


def wanted(asked: Iterable[tuple[str, bool]]) -> Wanted:
    """Of several things with their own rules (mode, short form): a loan that needs one of its own has one."""
    asked = list(asked)
    modes = {mode for mode, _short in asked}
    if "per_loan" in modes:
        return Wanted("per_loan")
    if "annual" in modes:
        return Wanted("annual", any(short for mode, short in asked if mode == "annual"))
    return Wanted()


def kind_of(thing_kinds: Iterable[str], *, in_series: bool) -> str:
    """Which model fits: what comes back each week, a room, or things lent once."""
    if in_series:
        return "weekly"
    return "room" if "room" in set(thing_kinds) else "loan"


def number_of(house: str, year: int, sequence: int) -> str:
    """`C-MCNG-2026-0007`."""
    return f"C-{house}-{year}-{sequence:04d}"


def basis_of(when: Sequence[str], wants: Iterable[tuple[str, int]]) -> str:
    """A mark of the period (or the rhythm) and the units of each thing: another mark, another agreement."""
    return weigh({"when": list(when), "wants": sorted(map(list, wants))})


def period_basis(starts_at: datetime, ends_at: datetime, wants: Iterable[tuple[str, int]]) -> str:
    """The same of one loan."""
    return basis_of([starts_at.isoformat(), ends_at.isoformat()], wants)


def weigh(content: Any) -> str:
    """SHA-256 of plain values, in one canonical form."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


UNDER_WAY = ("approved", "collected")
"""States of a loan in which an agreement may be made."""


# -- what may be printed ---------------------------------------------------------------------------

# What the fonts inside the typesetter have, tried character by character: a PDF for everyone may hold no other, and
# some others make the typesetter fall over.
_PRINTED = (
    *((0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x484), (0x48A, 0x4FF)),
    *((0x591, 0x5F4), (0x60C, 0x60C), (0x61B, 0x61B), (0x61F, 0x61F), (0x621, 0x63A), (0x640, 0x652), (0x660, 0x669)),
    *((0x1E00, 0x1FFF), (0x2010, 0x2027), (0x202F, 0x2040), (0x2044, 0x2052), (0x20A0, 0x20BF), (0x2190, 0x21FF)),
)
_LATIN = (
    *((0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x24F), (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x202F, 0x203A)),
    (0x20AC, 0x20AC),
)
_LEFT_TO_RIGHT = "\u200e"
_MOST_MARKS = 30
"""Accents upon one letter, as Unicode's stream-safe text has them."""
_BREAKS = re.compile("[ \t\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]+")
"""Not the no-break spaces of French."""


def printable(text: str, *, latin_only: bool = False) -> str:
    """What can be printed, on one line; any other character by its code, `[U+4F60]`.

    Marks that make text run backwards go; text that does so by itself is closed, so that what follows stays in place.
    """
    ranges = _LATIN if latin_only else _PRINTED
    found: list[str] = []
    marks = 0
    for letter in _BREAKS.sub(" ", unicodedata.normalize("NFC", text)):
        code, category = ord(letter), unicodedata.category(letter)
        marks = marks + 1 if category == "Mn" else 0
        if marks > _MOST_MARKS:
            continue
        if any(first <= code <= last for first, last in ranges) and category != "Cn":
            found.append(letter)
        elif category not in ("Cc", "Cf", "Cs"):
            found.append(f"[U+{code:04X}]")
    line = "".join(found)
    backwards = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in line)
    return line + _LEFT_TO_RIGHT if backwards else line


def made_printable(value: Any, *, latin_only: bool = False) -> Any:
    """The same of every text inside plain values."""
    match value:
        case str():
            return printable(value, latin_only=latin_only)
        case list() | tuple():
            return [made_printable(each, latin_only=latin_only) for each in value]
        case dict():
            return {name: made_printable(each, latin_only=latin_only) for name, each in value.items()}
    return value
