"""What is owed after the return, each charge explained; staff may correct it with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sharebank.core.errors import N_, Cents, Count, Said, ngettext
from sharebank.lending.facts import Record
from sharebank.lending.quotes import Quote, half_up
from sharebank.lending.schema import Settings
from sharebank.lending.terms import Terms

KINDS = {
    "late": N_("Lateness"),
    "loss": N_("Loss"),
    "damage": N_("Damage"),
    "cleaning": N_("Cleaning"),
    "km": N_("Kilometres"),
    "cancellation": N_("Cancellation"),
}
_LATE_UNIT = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge: `kind` is a key of KINDS; the amount is 0 where only people can tell it."""

    kind: str
    cents: int
    sentence: str
    facts: Mapping[str, Any]

    @property
    def said(self) -> Said:
        """For `core.web.say`."""
        return Said(self.sentence, self.facts)


def charges(terms: Terms, record: Record, quote: Quote | None = None) -> list[Charge]:
    """What a line owes by the rules, and by the prices quoted for its kilometres."""
    rule = terms.get("charges")
    found = list(_by_rule(rule, record)) if rule else []
    found += _km(rule or {}, record, quote or Quote())
    facts = {"thing": record.thing, "rules": terms.name}
    return [Charge(kind, cents, said.sentence, {**facts, **said.facts}) for kind, cents, said in found]


_Owed = tuple[str, int, Said]


def _by_rule(rule: Settings, record: Record) -> Iterator[_Owed]:
    if rule["late_cents"] and record.late > timedelta(minutes=rule["late_grace_min"]):
        yield _late(rule, record.late)
    lost = max(record.missing, record.pieces_out - record.pieces_back)
    if lost > 0 and (rule["loss_cents"] or rule["loss_percent"]):
        yield "loss", *_worth(rule, "loss", lost, record.value_cents)
    for row in rule["pieces"]:
        if gone := record.named_pieces.get(row["name"], 0):
            facts = {"name": row["name"], "pieces": pieces_count(gone), "each": Cents(row["loss_cents"])}
            yield "loss", gone * row["loss_cents"], Said(N_("%(thing)s: %(name)s, %(pieces)s at %(each)s."), facts)
    if record.broken > 0 and (rule["damage_cents"] or rule["damage_percent"]):
        yield "damage", *_worth(rule, "damage", record.broken, record.value_cents)
    if record.unclean and rule["cleaning_cents"]:
        yield "cleaning", rule["cleaning_cents"], Said(N_("%(thing)s was left dirty: the cleaning charge."))
    if record.dirty > 0 and rule["washing_cents"]:
        facts = {"pieces": pieces_count(record.dirty), "each": Cents(rule["washing_cents"])}
        said = Said(N_("%(thing)s: %(pieces)s to be washed at %(each)s."), facts)
        yield "cleaning", record.dirty * rule["washing_cents"], said


def pieces_count(n: int) -> Count:
    """`1 piece`, `12 pieces`."""
    return ngettext("%(n)s piece", "%(n)s pieces", n)


def _late(rule: Settings, late: timedelta) -> _Owed:
    units, most = -(-late // _LATE_UNIT[rule["late_per"]]), rule["late_most_cents"]
    owed = units * rule["late_cents"]
    length = (
        ngettext("%(n)s hour", "%(n)s hours", units)
        if rule["late_per"] == "hour"
        else ngettext("%(n)s day", "%(n)s days", units)
    )
    facts = {"length": length, "each": Cents(rule["late_cents"]), "most": Cents(most)}
    if most and owed > most:
        return "late", most, Said(N_("%(thing)s is %(length)s late at %(each)s, %(most)s at most."), facts)
    return "late", owed, Said(N_("%(thing)s is %(length)s late at %(each)s."), facts)


_WORTH = {
    "loss": (
        N_("%(thing)s: %(pieces)s lost at %(each)s."),
        N_("%(thing)s: %(pieces)s lost, %(share)s %% of the replacement value %(value)s."),
        N_("%(thing)s: %(pieces)s lost, replacement value unknown: the house says the amount."),
    ),
    "damage": (
        N_("%(thing)s: %(pieces)s damaged at %(each)s."),
        N_("%(thing)s: %(pieces)s damaged, %(share)s %% of the replacement value %(value)s."),
        N_("%(thing)s: %(pieces)s damaged, replacement value unknown: the house says the amount."),
    ),
}
UNSAID = frozenset(unknown for _, _, unknown in _WORTH.values())
"""Sentences of charges whose amount only people can tell."""


def _worth(rule: Settings, kind: str, pieces: int, value: int | None) -> tuple[int, Said]:
    """So many pieces at a price each, or else at a share of what a new one costs."""
    each, share = rule[f"{kind}_cents"], rule[f"{kind}_percent"]
    by_piece, by_share, unknown = _WORTH[kind]
    facts = {"pieces": pieces_count(pieces), "each": Cents(each), "share": share, "value": Cents(value or 0)}
    if each:
        return pieces * each, Said(by_piece, facts)
    if value is None:
        return 0, Said(unknown, facts)
    return half_up(pieces * value * share, 100), Said(by_share, facts)


def kilometre(rule: Settings, thing: str, quote: Quote) -> tuple[int, int]:
    """What a kilometre of a thing costs, as quoted or else by the charges, and how many are included."""
    quoted = next((travel.cents for travel in quote.travel if travel.thing == thing), 0)
    return quoted or rule.get("km_cents", 0), rule.get("km_included", 0)


def _km(rule: Settings, record: Record, quote: Quote) -> Iterator[_Owed]:
    """Kilometres beyond those included."""
    each, included = kilometre(rule, record.thing, quote)
    beyond = (record.km or 0) - included
    if not each or beyond <= 0:
        return
    facts = {"km": record.km, "included": included, "each": Cents(each)}
    said = N_("%(thing)s: %(km)s km at %(each)s.")
    if included:
        said = N_("%(thing)s: %(km)s km, %(included)s of them included, the others at %(each)s.")
    yield "km", beyond * each, Said(said, facts)
