"""Sentences as values: put together here, kept as plain JSON, shown later in each reader's language."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

from sharebank.core.errors import N_, Cents, Count, Said, Word


def listed(parts: Iterable[Any]) -> Said:
    """Several words as one fact, with commas between."""
    return Said("%(parts)s", {"parts": tuple(parts)})


def both(parts: Iterable[Any]) -> Any:
    """Several words as one fact: commas, and an “and” before the last."""
    *most, last = parts
    return Said(N_("%(most)s and %(last)s"), {"most": tuple(most), "last": last}) if most else last


def pack(fact: Any) -> Any:
    """A fact, or a whole sentence, as values of JSON."""
    match fact:
        case Said():
            return {"said": fact.sentence, "facts": {name: pack(value) for name, value in fact.facts.items()}}
        case Count():
            return {"count": list(fact)}
        case Cents():
            return {"cents": int(fact)}
        case Word():
            return {"word": str(fact)}
        case datetime():
            return {"datetime": fact.isoformat()}
        case date():
            return {"date": fact.isoformat()}
        case time():
            return {"time": fact.isoformat()}
        case tuple() | list():
            return [pack(part) for part in fact]
    return fact


def unpack(plain: Any) -> Any:
    """The fact, or sentence, again."""
    match plain:
        case {"said": sentence, "facts": facts}:
            return Said(sentence, {name: unpack(value) for name, value in facts.items()})
        case {"count": [one, many, n]}:
            return Count(one, many, n)
        case {"cents": amount}:
            return Cents(amount)
        case {"word": text}:
            return Word(text)
        case {"datetime": text}:
            return datetime.fromisoformat(text)
        case {"date": text}:
            return date.fromisoformat(text)
        case {"time": text}:
            return time.fromisoformat(text)
        case list():
            return tuple(unpack(part) for part in plain)
    return plain
