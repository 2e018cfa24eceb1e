"""Builders for the rules of lending: somebody asks on Saturday 21 November 2026 at 09:00."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from sharebank.core.errors import Cents, Count, Said
from sharebank.lending.calendar import french
from sharebank.lending.facts import Asked, Borrower, Breach, Driver
from sharebank.lending.kinds import breaches
from sharebank.lending.terms import Terms, parse_terms, read_terms

NOW = datetime.fromisoformat("2026-11-21T09:00")
HOUSE = Borrower("house", own=False)
OWN_HOUSE = Borrower("house", own=True)
OWN = Borrower("association", own=True, member_since=date(2020, 1, 15))
ASSOCIATION = Borrower("association", own=False, member_since=date(2025, 9, 1))
PARTNER = Borrower("partner", own=False)
FIELD = Path(__file__).resolve().parent.parent / "sharebank/demo/rule_sets_field.csv"


def at(text: str) -> datetime:
    """`12-05 18:30` of the coming months, or with a year of its own."""
    day, _, hour = text.partition(" ")
    year = "" if len(day) > 5 else "2026-" if day >= "11-21" else "2027-"
    return datetime.fromisoformat(f"{year}{day}T{hour or '00:00'}")


def asked(when: str = "12-12 09:00 / 12-12 18:00", **facts: Any) -> Asked:
    """One thing asked for; `when` is start and end."""
    start, _, end = when.partition(" / ")
    usual: dict[str, Any] = {
        "thing": "Minibus Oslo", "thing_kind": "vehicle", "rules": "minibus", "borrower": ASSOCIATION, "asked_at": NOW,
        "calendar": french("A"), "seats": 9, "capacity": 40, "purpose": "Sortie au musée", "value_cents": 3_000_000,
    }  # fmt: skip
    return Asked(**{**usual, "start": at(start), "end": at(end), **facts})


def terms(**rules: Any) -> Terms:
    """A rule set of these kinds."""
    return parse_terms("minibus", json.loads(json.dumps(rules)))


def field_set(name: str) -> Terms:
    """One of the rule sets that stand for the field's cases."""
    with FIELD.open(encoding="utf-8", newline="") as file:
        return next(read_terms(name, row["terms"]) for row in csv.DictReader(file) if row["name"] == name)


def judged(rules: Terms, wish: Asked, staff: bool = False) -> list[tuple[str, str, str]]:
    """Kind, effect and field of each rule not kept; each sentence must be whole and name the rules and what to do."""
    found = breaches(rules, wish, staff)
    for breach in found:
        sentence = plain(breach.said)
        assert wish.rules in sentence, sentence
        assert sentence.endswith((").", ".")), sentence
    return [_short(breach) for breach in found]


def _short(breach: Breach) -> tuple[str, str, str]:
    return breach.kind, breach.effect, breach.field


def plain(fact: Any) -> str:
    """A sentence or a fact in English, without a translator."""
    match fact:
        case Said():
            return fact.sentence % {name: plain(value) for name, value in fact.facts.items()}
        case Count():
            return (fact.one if fact.n == 1 else fact.many) % {"n": fact.n}
        case Cents():
            return f"{fact / 100:.2f} €"
        case tuple():
            return ", ".join(plain(part) for part in fact)
        case time():
            return f"{fact:%H:%M}"
    return str(fact)


ADA = Driver("Ada", "B", date(2015, 5, 1), member=True)
TRIP: dict[str, Any] = {"headcount": 8, "distance_km": 120, "drivers": (ADA,), "purpose": "Sortie ski, 8 passagers"}
ROOM: dict[str, Any] = {"thing": "Salle Lumière", "thing_kind": "room", "capacity": 80, "headcount": 40}
GEAR: dict[str, Any] = {"thing": "Crêpière", "thing_kind": "equipment"}


def trip(when: str, **facts: Any) -> Asked:
    """A wish for a minibus."""
    return asked(when, **{**TRIP, **facts})


def room(when: str, **facts: Any) -> Asked:
    """A wish for a room."""
    return asked(when, **{**ROOM, **facts})


def gear(when: str, **facts: Any) -> Asked:
    """A wish for kitchen gear."""
    return asked(when, **{**GEAR, **facts})
