"""Reservations in files: one resource a row; rows of one reference are one reservation.

A row whose reservation holds units must stand today's rules: in service, not too long, asked by somebody who may,
and free. What is over is history: it need only be well written and name what exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.permissions import may_body
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource
from sharebank.catalog.service import Thing
from sharebank.core.errors import Refused
from sharebank.core.period import Period
from sharebank.exchange import cells
from sharebank.exchange.calendars import Calendars
from sharebank.exchange.columns import Column, Desk, Kind, Row, Write
from sharebank.exchange.naming import PEOPLE, STRUCTURES, THINGS
from sharebank.exchange.reading import clean
from sharebank.exchange.refusals import DuplicateRef, NotTheirs, UnknownStructure, UnknownUser, short
from sharebank.reservations.availability import hold_of
from sharebank.reservations.gate import too_long
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.rules import OutOfService, UnknownResource
from sharebank.reservations.states import HOLDING

_STATES = ("requested", "approved", "collected", "returned", "declined", "cancelled", "expired")
_COLUMNS = (
    Column("ref", cells.code()),
    Column("resource_code", cells.text(20)),
    Column("quantity", cells.QUANTITY),
    Column("organisation", cells.text(20)),
    Column("user_email", cells.LOWER),
    Column("starts_at", cells.MOMENT),
    Column("ends_at", cells.MOMENT),
    Column("status", cells.choice(*_STATES)),
    Column("purpose", cells.text(300), "", header=True),
    Column("kind", cells.choice("loan", "closure"), "loan", extra=True),
    Column("public", cells.choice("yes", "no"), "no", extra=True),
    Column("request", cells.code(), "", extra=True),
)


@dataclass(frozen=True, slots=True)
class Loan:
    """One row among the things and people it names."""

    row: Row
    thing: Thing
    body: Role
    user_id: int
    period: Period

    @property
    def facts(self) -> tuple[Any, ...]:
        """What a reservation is besides its things; rows of one reference have all of it alike."""
        row = self.row
        told = (row["status"], row["purpose"], row.get("kind", "loan"), row.get("public", "no") == "yes")
        request = row.get("request") or row["ref"]
        return (self.thing.house_id, self.body.organisation_id, self.user_id, self.period, *told, request)

    @property
    def hold(self) -> Period:
        """The time it takes from the thing: a closure keeps no buffers."""
        return self.period if self.row.get("kind") == "closure" else hold_of(self.thing, self.period)


@dataclass(frozen=True, slots=True)
class Stored:
    """A reservation that is there already, with the units of each thing by resource id."""

    facts: tuple[Any, ...]
    units: dict[int, int]


_BODIES = select(Organisation.id, Organisation.code, Organisation.name, Organisation.kind, Organisation.house_id).where(
    Organisation.code.in_(bindparam("codes", expanding=True))
)
_PEOPLE = (
    select(User.id, User.email, Membership.role, Organisation.id.label("body_id"), Organisation.kind)
    .outerjoin(Membership, Membership.user_id == User.id)
    .outerjoin(Organisation, Organisation.id == Membership.organisation_id)
    .where(User.email.in_(bindparam("emails", expanding=True)))
)
_loan, _line = Reservation.__table__.c, ReservationLine.__table__.c
_STORED = (
    select(
        _loan.ref,
        *(_loan[name] for name in ("lender_id", "borrower_id", "user_id", "starts_at", "ends_at")),
        *(_loan[name] for name in ("status", "purpose", "kind", "public", "request")),
        _line.resource_id,
        _line.quantity,
    )
    .join_from(Reservation.__table__, ReservationLine.__table__)
    .where(_loan.ref.in_(bindparam("refs", expanding=True)))
)


class Directory:
    """Who and what the rows name, each read once."""

    def __init__(self, desk: Desk, rows: Sequence[Row]) -> None:
        self.things = catalog.things_by_code(desk.session, {row["resource_code"] for row in rows})
        self.bodies = {
            body.code: Role(body.id, body.code, body.name, body.kind, "", body.house_id, "")
            for body in desk.find(_BODIES, "codes", (row["organisation"] for row in rows))
        }
        roles: dict[tuple[int, str], list[Role]] = {}
        for found in desk.find(_PEOPLE, "emails", (row["user_email"] for row in rows)):
            own = roles.setdefault((found.id, found.email), [])
            if found.role:
                own.append(Role(found.body_id, "", "", found.kind, found.role, None, ""))
        self.people = {email: Actor(key, email, "", "", tuple(own)) for (key, email), own in roles.items()}

    def loan(self, desk: Desk, row: Row) -> Loan | None:
        """A row with all that it names, or nothing when something is wrong with it."""
        thing, body = self.things.get(row["resource_code"]), self.bodies.get(row["organisation"])
        person = self.people.get(row["user_email"])
        if thing is None:
            desk.refuse(row, "resource_code", UnknownResource(value=short(row["resource_code"])))
        if body is None:
            desk.refuse(row, "organisation", UnknownStructure(value=short(row["organisation"])))
        if person is None:
            desk.refuse(row, "user_email", UnknownUser(value=short(row["user_email"])))
        try:
            period = cells.meant(row["starts_at"], row["ends_at"], desk.tz)
        except Refused as refusal:
            desk.refuse(row, refusal.field or "starts_at", refusal)
            return None
        if thing is None or body is None or person is None:
            return None
        return Loan(row, thing, body, person.user_id, period)


def _check(desk: Desk, rows: Sequence[Row]) -> Write:
    directory = Directory(desk, rows)
    fresh = _fresh(desk, [loan for row in rows if (loan := directory.loan(desk, row))])
    # The locks come before any look at the calendars.
    named = {loan.thing.id: loan.thing for loan in fresh if loan.row["status"] in HOLDING}
    things = {thing.id: thing for thing in catalog.lock_calendars(desk.session, named.values())}
    calendars = Calendars(desk, things, [loan.hold for loan in fresh])
    reservations: dict[str, list[Loan]] = {}
    for loan in fresh:
        own = reservations.setdefault(loan.row["ref"], [])
        if any(loan.facts != other.facts or loan.thing.id == other.thing.id for other in own):
            desk.refuse(loan.row, "ref", DuplicateRef(value=loan.row["ref"]))
        elif loan.row["status"] not in HOLDING or _stands(desk, loan, directory, things[loan.thing.id], calendars):
            own.append(loan)
    return lambda: _write(desk, [own for own in reservations.values() if own])


def _fresh(desk: Desk, loans: Sequence[Loan]) -> list[Loan]:
    """The rows that are not stored yet, so that what was exported imports again unchanged."""
    stored = _stored(desk, [loan.row["ref"] for loan in loans])
    fresh = []
    for loan in loans:
        there = stored.get(loan.row["ref"])
        if there is None:
            fresh.append(loan)
        elif loan.facts != there.facts or there.units.get(loan.thing.id) != loan.row["quantity"]:
            desk.refuse(loan.row, "ref", DuplicateRef(value=loan.row["ref"]))
    return fresh


def _stored(desk: Desk, refs: Sequence[str]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for row in desk.find(_STORED, "refs", refs):
        period = Period(row.starts_at, row.ends_at)
        facts = (row.lender_id, row.borrower_id, row.user_id, period, row.status, clean(row.purpose), *row[8:11])
        found.setdefault(row.ref, Stored(facts, {})).units[row.resource_id] = row.quantity
    return found


def _stands(desk: Desk, loan: Loan, directory: Directory, thing: Thing, calendars: Calendars) -> bool:
    """Does today's order allow what holds units? Notice and advance are not asked: it has been agreed."""
    row = loan.row
    if not may_body(directory.people[row["user_email"]], "borrow_for", loan.body):
        desk.refuse(row, "user_email", NotTheirs(value=row["user_email"], organisation=loan.body.organisation))
        return False
    if row.get("kind") != "closure":
        if not thing.in_service:
            desk.refuse(row, "resource_code", OutOfService(thing=thing.name))
            return False
        if refusal := too_long(thing, loan.period, desk.now, desk.tz):
            desk.refuse(row, "ends_at", refusal)
            return False
    collision = calendars.take(thing, row["quantity"], loan.period, loan.hold, row["ref"])
    if collision:
        desk.refuse(row, collision.field or "starts_at", collision)
    return collision is None


def _write(desk: Desk, reservations: Sequence[Sequence[Loan]]) -> None:
    """Plain inserts, all of a table at once; the database's guards look at every line again."""
    if not reservations:
        return
    connection = desk.session.connection()
    query = insert(Reservation.__table__).returning(_loan.id, _loan.ref)  # type: ignore[arg-type]
    ids = {ref: key for key, ref in connection.execute(query, [_record(desk, own[0]) for own in reservations])}
    lines, events = [], []
    for own in reservations:
        key = ids[own[0].row["ref"]]
        holds = own[0].row["status"] in HOLDING
        for loan in own:
            taken = {"quantity": loan.row["quantity"], "starts_at": loan.hold.start, "ends_at": loan.hold.end}
            common = {"reservation_id": key, "resource_id": loan.thing.id, "holds": holds, "exclusive": False}
            lines.append(common | taken)
        by = desk.actor.user_id if desk.actor else own[0].user_id
        events.append({"reservation_id": key, "at": desk.now, "user_id": by, "status": own[0].row["status"], "why": ""})
    connection.execute(insert(ReservationLine.__table__), lines)  # type: ignore[arg-type]
    connection.execute(insert(ReservationEvent.__table__), events)  # type: ignore[arg-type]


def _record(desk: Desk, loan: Loan) -> dict[str, Any]:
    lender_id, borrower_id, user_id, period, status, purpose, kind, public, request = loan.facts
    return {
        "ref": loan.row["ref"],
        "kind": kind,
        "request": request,
        "lender_id": lender_id,
        "borrower_id": borrower_id,
        "user_id": user_id,
        "starts_at": period.start,
        "ends_at": period.end,
        "status": status,
        "purpose": purpose,
        "public": public,
        "created_at": desk.now,
    }


_EXPORT = (
    select(
        _loan.ref,
        Resource.code.label("resource_code"),
        _line.quantity,
        Organisation.code.label("organisation"),
        User.email.label("user_email"),
        *(_loan[name] for name in ("starts_at", "ends_at", "status", "purpose", "kind", "public", "request")),
    )
    .join_from(Reservation.__table__, ReservationLine.__table__)
    .join(Resource.__table__, Resource.id == _line.resource_id)
    .join(Organisation.__table__, Organisation.id == _loan.borrower_id)
    .join(User.__table__, User.id == _loan.user_id)
    .order_by(_loan.starts_at, _loan.ref, _line.id)
)


def _fetch(session: Session, tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    for row in session.connection().execute(_EXPORT):
        starts_at, ends_at = cells.written(Period(row.starts_at, row.ends_at), tz)
        yield {
            **row._mapping,
            "starts_at": starts_at,
            "ends_at": ends_at,
            # The usual is not written: these columns are there only for those who need them.
            "kind": "" if row.kind == "loan" else row.kind,
            "public": "yes" if row.public else "",
            "request": "" if row.request == row.ref else row.request,
        }


RESERVATIONS = Kind(
    _COLUMNS, (), _check, _fetch, {"resource_code": THINGS, "organisation": STRUCTURES, "user_email": PEOPLE}
)
