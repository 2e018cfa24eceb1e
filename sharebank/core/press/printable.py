"""What may be printed: characters the typesetter's fonts have, as text that stays where it belongs."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

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


def made_printable(value: Any, *, latin_only: bool) -> Any:
    """The same of every text inside plain values."""
    match value:
        case str():
            return printable(value, latin_only=latin_only)
        case list() | tuple():
            return [made_printable(each, latin_only=latin_only) for each in value]
        case dict():
            return {name: made_printable(each, latin_only=latin_only) for name, each in value.items()}
    return value
