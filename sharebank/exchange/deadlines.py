"""Insurances and checks in files; and the three columns that a file of structures has for their certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.catalog.models import Resource
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Row, Write, facts, fill
from sharebank.exchange.naming import PEOPLE, STRUCTURES, THINGS
from sharebank.exchange.refusals import Missing, NotTheirs, UnknownStructure, UnknownUser, short
from sharebank.insurance.models import Coverage, Reminder
from sharebank.insurance.rules import (
    KINDS,
    LIABILITY,
    EndsTooEarly,
    LiabilityOnly,
    NoThings,
    NotTheirThing,
    Term,
    successor,
)
from sharebank.reservations.rules import UnknownResource

# -- a structure's certificate --------------------------------------------------------------------

CERTIFICATE = (
    Column("liability_insurer", cells.text(200), ""),
    Column("liability_contract", cells.text(100), ""),
    Column("liability_expires_on", cells.DAY, None),
)
_FIELDS = {
    "liability_insurer": "body",
    "liability_contract": "contract_number",
    "liability_expires_on": "ends_on",
}


def current_certificates(session: Session) -> dict[int, Coverage]:
    """The certificate that counts of each structure, by its id: of those not renewed the last to end."""
    query = select(Coverage).where(Coverage.kind == LIABILITY, Coverage.renewed_by_id.is_(None))
    found: dict[int, Coverage] = {}
    for one in session.scalars(query.order_by(Coverage.id)):
        other = found.get(one.holder_id)
        if other is None or (one.ends_on is not None and (other.ends_on is None or one.ends_on > other.ends_on)):
            found[one.holder_id] = one
    return found


def written(certificate: Coverage | None) -> dict[str, Any]:
    """A certificate as the columns of its structure."""
    if certificate is None:
        return {column.name: column.empty for column in CERTIFICATE}
    return {column: getattr(certificate, field) for column, field in _FIELDS.items()}


def certify(desk: Desk, rows: Mapping[int, Row]) -> None:
    """Keep what rows say of certificates, by structure id: a later end is the next one, an earlier a correction.

    Empty cells mean that the file does not know: what is known stays.
    """
    current = current_certificates(desk.session)
    for body_id, row in rows.items():
        said = {field: row.get(column) for column, field in _FIELDS.items() if row.get(column)}
        old = current.get(body_id)
        if not said or (old is not None and all(getattr(old, field) == value for field, value in said.items())):
            continue
        blank = {"body": "", "contract_number": ""}
        if old is None:
            desk.session.add(Coverage(holder_id=body_id, kind=LIABILITY, created_at=desk.now, **(blank | said)))
        elif "ends_on" in said and old.ends_on is not None and said["ends_on"] > old.ends_on:
            kept = {field: getattr(old, field) for field in blank}
            following = Coverage(holder_id=body_id, kind=LIABILITY, created_at=desk.now, **(kept | said))
            desk.session.add(following)
            desk.session.flush()
            old.renewed_by_id = following.id
        else:
            for field, value in said.items():
                setattr(old, field, value)
    desk.session.flush()


# -- insurances, inspections, checks --------------------------------------------------------------

_CODES = cells.Cell(lambda cell: [code.strip() for code in cell.split(";") if code.strip()], ";".join)
_COVERAGE = (
    Column("holder_house", cells.code()),
    Column("kind", cells.choice(*KINDS), field="kind"),
    Column("insurer_or_body", cells.text(200), field="body"),
    Column("contract_number", cells.text(100), "", "contract_number", header=True),
    Column("covers", _CODES, [], header=True),
    Column("starts_on", cells.DAY, None, "starts_on"),
    Column("ends_on", cells.DAY, None, "ends_on", header=True),
    Column("responsible_email", cells.LOWER, ""),
    Column("annual_premium_eur", cells.MONEY, None, "premium_cents"),
    Column("notes", cells.text(20_000), "", "notes"),
)
_KEY = ("holder_house", "kind", "contract_number", "ends_on")


def _coverages(session: Session) -> list[Coverage]:
    query = select(Coverage).options(joinedload(Coverage.holder), selectinload(Coverage.things))
    return list(session.scalars(query.order_by(Coverage.id)))


def _check(desk: Desk, rows: Sequence[Row]) -> Write:
    session = desk.session
    holders = {body.code: body for body in session.scalars(select(Organisation))}
    things = {thing.code: thing for thing in session.scalars(select(Resource))}
    people = {row.email: row.id for row in session.execute(select(User.email, User.id))}
    seats = select(Membership.user_id, Membership.organisation_id).where(Membership.role != "member")
    staff = {(user_id, body_id) for user_id, body_id in session.execute(seats)}
    for row in rows:
        holder = holders.get(row["holder_house"])
        if holder is None:
            desk.refuse(row, "holder_house", UnknownStructure(value=row["holder_house"]))
            continue
        _check_terms(desk, row, holder, things)
        email = row.get("responsible_email")
        if email and email not in people:
            desk.refuse(row, "responsible_email", UnknownUser(value=short(email)))
        elif email and (people[email], holder.house_id) not in staff:
            desk.refuse(row, "responsible_email", NotTheirs(value=email, organisation=holder.code))

    def write() -> None:
        known = {(one.holder.code, one.kind, one.contract_number, one.ends_on): one for one in _coverages(session)}
        told = set(session.scalars(select(Reminder.coverage_id)))
        for row in rows:
            one = known.get(tuple(row[name] for name in _KEY))
            if one is not None and one.id not in told and _bare(one):
                # Known by its structure's file only: written anew, so that an export keeps the order of this file.
                session.delete(one)
                session.flush()
                one = None
            one = one or Coverage(holder_id=holders[row["holder_house"]].id, created_at=desk.now)
            fill(one, _COVERAGE, row)
            one.things = [things[code] for code in dict.fromkeys(row["covers"])]
            if "responsible_email" in row.values:
                one.responsible_id = people.get(row["responsible_email"])
            session.add(one)
            session.flush()
        _link(_coverages(session))
        session.flush()

    return write


def _check_terms(desk: Desk, row: Row, holder: Organisation, things: Mapping[str, Resource]) -> None:
    """Whether a row makes sense: the rules that the screens hold to."""
    of_things = row["kind"] != LIABILITY
    if holder.kind != "house" and of_things:
        desk.refuse(row, "kind", LiabilityOnly())
    if of_things and not row["covers"]:
        desk.refuse(row, "covers", NoThings())
    if of_things and row["ends_on"] is None:
        desk.refuse(row, "ends_on", Missing())
    if row.get("starts_on") and row["ends_on"] and row["ends_on"] < row["starts_on"]:
        desk.refuse(row, "ends_on", EndsTooEarly(day=row["starts_on"]))
    for code in row["covers"]:
        if code not in things:
            desk.refuse(row, "covers", UnknownResource(value=short(code)))
        elif things[code].house_id != holder.id:
            desk.refuse(row, "covers", NotTheirThing(value=code))


def _bare(one: Coverage) -> bool:
    """Does it say no more than the columns of its structure?"""
    more = (one.starts_on, one.responsible_id, one.premium_cents, one.notes, one.renewed_by_id, one.silent_until)
    return one.kind == LIABILITY and not any(more) and not one.documents


def _link(coverages: Sequence[Coverage]) -> None:
    """What a later row takes over from is renewed: a file has no column for it."""
    terms = [
        Term(one.holder_id, one.kind, frozenset(t.id for t in one.things), one.body, one.starts_on, one.ends_on)
        for one in coverages
    ]
    for one, term in zip(coverages, terms, strict=True):
        heir = successor(term, terms) if one.renewed_by_id is None else None
        if heir is not None:
            one.renewed_by_id = coverages[heir].id


def _fetch(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    """Every coverage but the certificates that the file of structures tells whole."""
    emails = {row.id: row.email for row in session.execute(select(User.id, User.email))}
    current = current_certificates(session)
    for one in _coverages(session):
        if one.holder.kind != "house" and _bare(one) and current.get(one.holder_id) is one:
            continue
        yield facts(one, _COVERAGE) | {
            "holder_house": one.holder.code,
            "covers": [thing.code for thing in one.things],
            "responsible_email": "" if one.responsible_id is None else emails[one.responsible_id],
        }


INSURANCE = Kind(
    _COVERAGE, _KEY, _check, _fetch, {"holder_house": STRUCTURES, "covers": THINGS, "responsible_email": PEOPLE}
)
