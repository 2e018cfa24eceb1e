"""A resource and its rules in the reader's words, ready for a page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from sharebank.catalog import attributes
from sharebank.catalog.models import Resource
from sharebank.core import texts, web
from sharebank.core.texts import gettext as _
from sharebank.lending.kinds import words
from sharebank.lending.terms import Terms


def ngettext(one: str, many: str, number: int, **facts: Any) -> str:
    """The text for so many; `n` is the number as the reader's language writes it."""
    return str(texts.ngettext(one, many, number, n=web.number_words(number), **facts))


def amount(kind: str, quantity: int, capacity: int | None, seats: int | None) -> str:
    """How much of it there is: `20 personnes`, `9 places`, `60 pièces`."""
    if kind == "room" and capacity:
        return ngettext("%(n)s person", "%(n)s people", capacity)
    if kind == "vehicle" and seats:
        return ngettext("%(n)s seat", "%(n)s seats", seats)
    if kind != "equipment" and quantity == 1:
        return ""
    return ngettext("%(n)s piece", "%(n)s pieces", quantity)


def facts(resource: Resource) -> Iterator[tuple[str, str]]:
    """Label and value of what a resource is."""
    yield _("Category"), resource.category
    yield _("Place"), resource.location
    if resource.capacity:
        yield _("Capacity"), amount("room", 1, resource.capacity, None)
    if resource.area_m2:
        yield _("Area"), f"{web.number_words(resource.area_m2)}\u00a0m²"
    if resource.seats:
        yield _("Seats"), _("%(n)s, the driver’s included", n=web.number_words(resource.seats))
    yield _("Number plate"), resource.plate
    if resource.kind == "equipment" or resource.quantity > 1:
        yield _("How many there are"), web.number_words(resource.quantity)
    yield from attributes.shown(resource.attributes, _, web.number_words)
    if resource.replacement_value_cents:
        yield _("Replacement value of one"), web.euros_words(resource.replacement_value_cents)


def out_since(resource: Resource) -> date | None:
    """The day it went out of service, when that was written down."""
    try:
        return None if resource.in_service else date.fromisoformat(resource.attributes.get(attributes.SINCE, ""))
    except ValueError:
        return None


def rules(terms: Terms, before: int = 0, after: int = 0, deposit_cents: int | None = None) -> list[tuple[str, str]]:
    """What a rule set says, label and words: the minutes around a loan, and a thing's own deposit, with it."""
    said = [(_(label), _first_up(web.say(sentence))) for label, sentence in words(terms)]
    if "approval" not in terms:
        said.append((_("Approval"), _("The house accepts every request that keeps to these rules.")))
    if before or after:
        said.append((_("Kept free around"), buffers(before, after)))
    own = any(row["cents"] is None for row in terms["deposits"]["rows"]) if "deposits" in terms else False
    if own and deposit_cents:
        said.append((_("Deposit of this thing"), web.euros_words(deposit_cents)))
    if "prices" not in terms:
        said.append((_("Fees"), _("Lent free of charge.")))
    return said


def sentence(terms: Terms) -> str:
    """The same in one sentence, without the name."""
    return _first_up(_(", ").join(web.say(said) for _label, said in words(terms))) or _("Nothing is asked.")


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def buffers(before: int, after: int) -> str:
    """The minutes nobody else has it, before and after."""
    if before and after:
        return _("%(before)s minutes before and %(after)s after", before=before, after=after)
    if before:
        return ngettext("%(n)s minute before", "%(n)s minutes before", before)
    return ngettext("%(n)s minute after", "%(n)s minutes after", after)
