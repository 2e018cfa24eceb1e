"""Rule sets and resources in files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.models import Organisation
from sharebank.catalog import editing
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core.period import Period
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Names, Row, Write, facts, fill
from sharebank.exchange.refusals import BadPriority, FewerThanPromised, UnknownHouse, UnknownRuleSet, short
from sharebank.lending import legacy
from sharebank.lending.terms import BadTerms, read_terms, write_terms
from sharebank.reservations import availability
from sharebank.reservations.rules import peak

_FEE = cells.money(100_000)
_RULES = (
    Column("name", cells.RULES_NAME, field="name"),
    Column("min_notice_days", cells.whole(0, 365)),
    Column("max_advance_days", cells.whole(1, 3650)),
    Column("max_duration_hours", cells.whole(1, 24 * 366)),
    Column("buffer_before_min", cells.whole(0, 7 * 24 * 60), field="buffer_before_min"),
    Column("buffer_after_min", cells.whole(0, 7 * 24 * 60), field="buffer_after_min"),
    Column("approval", cells.choice("none", "own_house_free", "always")),
    Column("requires", cells.choices(*legacy.REQUIRED), [], header=True),
    Column("priority", cells.text(200)),
    Column("fee_member_eur", _FEE),
    Column("fee_association_eur", _FEE),
    Column("fee_external_eur", _FEE),
    Column("fee_unit", cells.choice(*legacy.FEE_UNITS)),
    Column("terms", cells.TERMS, "", extra=True),
)
_SAID = [column for column in _RULES if not column.field and column.name != "terms"]
"""The columns that say rules of lending, and the kinds of rule they can say something of."""
_SAID_KINDS = frozenset(
    ("notice", "advance", "length", "approval", "priority", "prices", *(kind for kind, _ in legacy.REQUIRED.values()))
)


def _rule_sets(session: Session) -> dict[str, RuleSet]:
    return {rules.name: rules for rules in session.scalars(select(RuleSet).order_by(RuleSet.id))}


def _check_rules(desk: Desk, rows: Sequence[Row]) -> Write:
    known = _rule_sets(desk.session)
    texts = {row["name"]: _terms(desk, row, known.get(row["name"])) for row in rows}

    def write() -> None:
        for row in rows:
            rules = known.get(row["name"]) or RuleSet()
            fill(rules, _RULES, row)
            rules.terms, rules.file_order = texts[row["name"]], ";".join(row["requires"])
            desk.session.add(rules)
        desk.session.flush()

    return write


def _terms(desk: Desk, row: Row, stored: RuleSet | None) -> str:
    """The rules of a row: its `terms` where it has some, else what its columns mean.

    A file without that column knows nothing of what only rules can say: that stays as it is stored.
    """
    if row.get("terms"):
        return str(row["terms"])
    said = {column.name: column.cell.write(row[column.name]) for column in _SAID}
    try:
        text = write_terms(legacy.from_columns(said))
    except (ValueError, BadTerms):  # every other cell has been read
        desk.refuse(row, "priority", BadPriority(value=short(row["priority"])))
        return ""
    if stored is None or "terms" in row.values:
        return text
    before = read_terms(stored.name, stored.terms)
    if legacy.to_columns(before, row["requires"]) == said:
        return stored.terms
    kept = {kind: rule for kind, rule in json.loads(stored.terms).items() if kind not in _SAID_KINDS}
    return write_terms(kept | json.loads(text))


def _fetch_rules(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    for rules in _rule_sets(session).values():
        order = [word for word in rules.file_order.split(";") if word]
        said = legacy.to_columns(read_terms(rules.name, rules.terms), order)
        row = {column.name: column.value(said[column.name]) for column in _SAID}
        whole = write_terms(legacy.from_columns(said)) == rules.terms
        yield facts(rules, _RULES) | row | {"terms": "" if whole else rules.terms}


_RESOURCE = (
    Column("code", cells.code(), field="code"),
    Column("house", cells.code()),
    Column("kind", cells.choice("room", "vehicle", "equipment"), field="kind"),
    Column("category", cells.text(60), field="category"),
    Column("name", cells.text(200), field="name"),
    Column("description", cells.text(20_000), "", "description"),
    Column("quantity", cells.QUANTITY, field="quantity"),
    Column("location", cells.text(200), "", "location"),
    Column("capacity", cells.whole(), None, "capacity"),
    Column("area_m2", cells.decimal(999_999), None, "area_m2"),
    Column("seats", cells.whole(), None, "seats"),
    Column("plate", cells.text(20), "", "plate"),
    Column("replacement_value_eur", cells.MONEY, None, "replacement_value_cents"),
    Column("rental_value_eur_per_day", cells.MONEY, None, "rental_value_cents"),
    Column("deposit_eur", cells.MONEY, None, "deposit_cents"),
    Column("rules", cells.text(60)),
    Column("attributes", cells.ATTRIBUTES, {}),
    Column("purchased_on", cells.DAY, None, "purchased_on", extra=True),
    Column("warranty_until", cells.DAY, None, "warranty_until", extra=True),
)
_SINCE = "inactive_since"


def _resources(session: Session) -> dict[str, Resource]:
    return {thing.code: thing for thing in session.scalars(select(Resource).order_by(Resource.id))}


def _houses(session: Session) -> dict[str, int]:
    query = select(Organisation.code, Organisation.id).where(Organisation.kind == "house")
    return {house.code: house.id for house in session.execute(query)}


def _check_resources(desk: Desk, rows: Sequence[Row]) -> Write:
    known = _resources(desk.session)
    rule_sets = _rule_sets(desk.session)
    houses = _houses(desk.session)
    shrinking = []
    for row in rows:
        if row["house"] not in houses:
            desk.refuse(row, "house", UnknownHouse(value=row["house"]))
        if row["rules"] not in rule_sets:
            desk.refuse(row, "rules", UnknownRuleSet(value=row["rules"]))
        if row["code"] in known and row["quantity"] < known[row["code"]].quantity:
            shrinking.append(row)
    _refuse_broken_promises(desk, shrinking)

    def write() -> None:
        for row in rows:
            thing = known.get(row["code"]) or Resource()
            fill(thing, _RESOURCE, row)
            _set_attributes(thing, row.get("attributes"))
            owned = {"house_id": houses[row["house"]], "rule_set_id": rule_sets[row["rules"]].id}
            desk.session.add(editing.apply(thing, owned))
        desk.session.flush()

    return write


def _refuse_broken_promises(desk: Desk, shrinking: Sequence[Row]) -> None:
    """A pool may not become smaller than what is booked of it from now on."""
    ahead = Period(desk.now, desk.now + timedelta(days=3660))
    things = catalog.things_by_code(desk.session, [row["code"] for row in shrinking])
    taken = availability.claims(desk.session, things.values(), ahead)
    for row in shrinking:
        promised = peak(taken[things[row["code"]].id], ahead)
        if promised > row["quantity"]:
            desk.refuse(row, "quantity", FewerThanPromised(promised=promised, value=row["quantity"]))


def _set_attributes(thing: Resource, found: dict[str, str] | None) -> None:
    """`status=inactive` and its `reason` have columns of their own, the rest is kept as it is."""
    if found is None:
        return
    left = dict(found)
    thing.in_service = left.get("status") != "inactive"
    thing.out_of_service_reason = ""
    if not thing.in_service:
        del left["status"]
        thing.out_of_service_reason = left.pop("reason", "")
    thing.attributes = left


def _attributes_of(thing: Resource) -> dict[str, str]:
    """The way back: what puts it out of service comes last."""
    if thing.in_service:
        return thing.attributes
    found = {key: value for key, value in thing.attributes.items() if key != _SINCE} | {"status": "inactive"}
    if _SINCE in thing.attributes:
        found[_SINCE] = thing.attributes[_SINCE]
    return found | ({"reason": thing.out_of_service_reason} if thing.out_of_service_reason else {})


def _fetch_resources(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    houses = {house.id: house.code for house in session.execute(select(Organisation.id, Organisation.code))}
    rule_sets = {rules.id: rules.name for rules in _rule_sets(session).values()}
    for thing in _resources(session).values():
        yield facts(thing, _RESOURCE) | {
            "house": houses[thing.house_id],
            "rules": rule_sets[thing.rule_set_id],
            "attributes": _attributes_of(thing),
        }


RULE_SETS = Kind(_RULES, ("name",), _check_rules, _fetch_rules)
RESOURCES = Kind(
    _RESOURCE,
    ("code",),
    _check_resources,
    _fetch_resources,
    {
        "house": Names(lambda desk, _rows: _houses(desk.session), UnknownHouse),
        "rules": Names(lambda desk, _rows: _rule_sets(desk.session), UnknownRuleSet),
    },
)
