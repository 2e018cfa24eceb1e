"""A resource and its rules in the reader's words, ready for a page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import flask_babel

from sharebank.catalog import attributes
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.rules import read_priority
from sharebank.core import web
from sharebank.core.errors import N_

DAYS = {
    "mon": N_("Monday"),
    "tue": N_("Tuesday"),
    "wed": N_("Wednesday"),
    "thu": N_("Thursday"),
    "fri": N_("Friday"),
    "sat": N_("Saturday"),
    "sun": N_("Sunday"),
    "school_holidays": N_("school holidays"),
}
APPROVAL = {
    "none": N_("The house accepts every request that keeps to these rules."),
    "own_house_free": N_("The house accepts requests of its own organisations, and decides on the others."),
    "always": N_("The house decides on each request."),
}
REQUIRED = {
    "driver_licence": N_("the driver’s licence"),
    "liability_certificate": N_("a liability insurance certificate that is still valid"),
    "deposit": N_("a deposit"),
    "charter": N_("the eco charter, kept"),
    "kitchen_training": N_("kitchen hygiene training"),
}
FEE_UNITS = {
    "hour": N_("an hour"),
    "half_day": N_("a half-day"),
    "day": N_("a day"),
    "week_end": N_("a week-end"),
    "km": N_("a kilometre"),
    "none": "",
}


def _(msgid: str, **facts: Any) -> str:
    return str(flask_babel.gettext(msgid, **facts))


def ngettext(one: str, many: str, number: int, **facts: Any) -> str:
    """flask_babel's; `n` is the number as the reader's language writes it."""
    return str(flask_babel.ngettext(one, many, number, n=web.number_words(number), **facts))


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


def rules(rule_set: RuleSet, deposit_cents: int | None = None) -> Iterator[tuple[str, str]]:
    """What a rule set says, label and sentence."""
    notice, advance = rule_set.min_notice_days, rule_set.max_advance_days
    said = (
        ngettext("%(n)s day before at the latest", "%(n)s days before at the latest", notice)
        if notice
        else _("up to the last moment")
    )
    yield _("To be asked for"), said
    yield _("At the earliest"), ngettext("%(n)s day ahead", "%(n)s days ahead", advance)
    yield _("For how long"), _("%(length)s at most", length=length(rule_set.max_duration_hours))
    if rule_set.buffer_before_min or rule_set.buffer_after_min:
        yield _("Kept free around"), buffers(rule_set.buffer_before_min, rule_set.buffer_after_min)
    yield _("Who decides"), _(APPROVAL[rule_set.approval])
    needed = [requirement(name, deposit_cents) for name in rule_set.requires]
    if needed:
        sentence = _(", ").join(needed)
        yield _("What is needed"), sentence[0].upper() + sentence[1:]
    if sentence := priority(rule_set.priority):
        yield _("Priority"), sentence


def length(hours: int) -> str:
    """Whole days from two on, else hours."""
    if hours >= 48 and hours % 24 == 0:
        return ngettext("%(n)s day", "%(n)s days", hours // 24)
    return ngettext("%(n)s hour", "%(n)s hours", hours)


def buffers(before: int, after: int) -> str:
    """The minutes nobody else has it, before and after."""
    if before and after:
        return _("%(before)s minutes before and %(after)s after", before=before, after=after)
    if before:
        return ngettext("%(n)s minute before", "%(n)s minutes before", before)
    return ngettext("%(n)s minute after", "%(n)s minutes after", after)


def requirement(name: str, deposit_cents: int | None) -> str:
    """One thing that is asked for; the deposit with its amount when it is known."""
    if name == "deposit" and deposit_cents:
        return _("a deposit of %(amount)s", amount=web.euros_words(deposit_cents))
    return _(REQUIRED[name]) if name in REQUIRED else name


def priority(text: str) -> str:
    """`wed;school_holidays: houses first until 30 days before` as a sentence; text of another form as it is."""
    try:
        found = read_priority(text)
    except ValueError:
        return text
    if found is None:
        return ""
    when = [span(*part.partition("-")[::2]) for part in found.when]
    return ngettext(
        "The houses come first until %(n)s day before (%(when)s); then everyone.",
        "The houses come first until %(n)s days before (%(when)s); then everyone.",
        found.days_before,
        when=_(", ").join(when),
    )


def span(first: str, last: str) -> str:
    """`mon`, `fri` as words; one day alone has no second."""
    return _("%(first)s to %(last)s", first=_(DAYS[first]), last=_(DAYS[last])) if last else _(DAYS[first])


def fees(rule_set: RuleSet) -> list[tuple[str, str]]:
    """Who pays what, in euros a unit; nothing when it is lent free of charge."""
    grid = (
        (_("Houses and their members"), rule_set.fee_member_cents),
        (_("Associations"), rule_set.fee_association_cents),
        (_("Others"), rule_set.fee_external_cents),
    )
    if not any(cents for _who, cents in grid):
        return []
    unit = _(FEE_UNITS[rule_set.fee_unit]) if FEE_UNITS[rule_set.fee_unit] else ""
    return [(who, f"{web.euros_words(cents)} {unit}".strip() if cents else _("free of charge")) for who, cents in grid]
