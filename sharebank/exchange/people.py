"""Houses, organisations and users in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Names, Row, Write, facts, fill
from sharebank.exchange.deadlines import CERTIFICATE, certify, current_certificates, written
from sharebank.exchange.naming import STRUCTURES
from sharebank.exchange.refusals import (
    Differs,
    Missing,
    NotAHouse,
    OwnHouse,
    RunsEverything,
    UnknownHouse,
    UnknownStructure,
)

_HOUSE = (
    Column("code", cells.code(), field="code"),
    Column("name", cells.text(200), field="name"),
    Column("address", cells.text(200), "", "address"),
    Column("postal_code", cells.text(10), "", "postal_code"),
    Column("city", cells.text(100), "", "city"),
    Column("phone", cells.text(30), "", "phone"),
    Column("email", cells.EMAIL, "", "email"),
    Column("colour", cells.COLOUR, "", "colour"),
    Column("opening_hours", cells.HOURS, "", "opening_hours"),
    Column("school_zone", cells.choice("A", "B", "C"), "", "school_zone"),
)


def _organisations(session: Session) -> dict[str, Organisation]:
    return {body.code: body for body in session.scalars(select(Organisation).order_by(Organisation.id))}


def _check_houses(desk: Desk, rows: Sequence[Row]) -> Write:
    known = _organisations(desk.session)
    for row in rows:
        found = known.get(row["code"])
        if found and found.kind != "house":
            desk.refuse(row, "code", NotAHouse(value=found.code, kind=found.kind))

    def write() -> None:
        for row in rows:
            house = known.get(row["code"]) or Organisation(kind="house")
            fill(house, _HOUSE, row)
            desk.session.add(house)
            desk.session.flush()
            house.house_id = house.id
        desk.session.flush()

    return write


def _fetch_houses(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    for body in _organisations(session).values():
        if body.kind == "house":
            yield facts(body, _HOUSE)


_ORGANISATION = (
    Column("code", cells.code(), field="code"),
    Column("name", cells.text(200), field="name"),
    Column("kind", cells.choice("house", "association", "partner"), field="kind"),
    Column("house", cells.code(), "", header=True),
    Column("siret_like", cells.text(14), "", "siret"),
    Column("email", cells.EMAIL, "", "email"),
    Column("phone", cells.text(30), "", "phone"),
    *CERTIFICATE,
    Column("member_since", cells.DAY, None, "member_since", extra=True),
    Column("represented_by", cells.text(200), "", "represented_by", extra=True),
    Column("office", cells.text(100), "", "office", extra=True),
)


def _houses(desk: Desk, rows: Sequence[Row]) -> set[str]:
    """The houses there are and those the file brings."""
    stored = {body.code for body in _organisations(desk.session).values() if body.kind == "house"}
    return stored | {row["code"] for row in rows if row.get("kind") == "house" and row.get("code")}


def _check_organisations(desk: Desk, rows: Sequence[Row]) -> Write:
    known = _organisations(desk.session)
    houses = _houses(desk, rows)
    for row in rows:
        found = known.get(row["code"])
        if found and found.kind != row["kind"] and "house" in (found.kind, row["kind"]):
            desk.refuse(row, "kind", NotAHouse(value=found.code, kind=found.kind))
        elif row["kind"] == "house" and row["house"] != row["code"]:
            desk.refuse(row, "house", OwnHouse(value=row["code"]))
        elif row["house"] and row["house"] not in houses:
            desk.refuse(row, "house", UnknownHouse(value=row["house"]))

    def write() -> None:
        for row in rows:
            body = known.setdefault(row["code"], Organisation())
            fill(body, _ORGANISATION, row)
            desk.session.add(body)
        desk.session.flush()
        for row in rows:
            known[row["code"]].house_id = known[row["house"]].id if row["house"] else None
        desk.session.flush()
        certify(desk, {known[row["code"]].id: row for row in rows})

    return write


def _fetch_organisations(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    known = _organisations(session)
    codes = {body.id: body.code for body in known.values()}
    certificates = current_certificates(session)
    for body in known.values():
        house = "" if body.house_id is None else codes[body.house_id]
        yield facts(body, _ORGANISATION) | {"house": house} | written(certificates.get(body.id))


# One row a membership; a person who belongs nowhere (any more) has a row without organisation and role.
_USER = (
    Column("email", cells.EMAIL, field="email"),
    Column("first_name", cells.text(100), field="first_name"),
    Column("last_name", cells.text(100), field="last_name"),
    Column("organisation", cells.code(), "", header=True),
    Column("role", cells.choice("member", "staff", "manager", "admin"), "", header=True),
    Column("locale", cells.choice("fr", "en"), "fr", "locale"),
    Column("phone", cells.PHONE, "", "phone"),
)


def _users(session: Session) -> dict[str, User]:
    query = select(User).options(selectinload(User.memberships)).order_by(User.id)
    return {user.email: user for user in session.scalars(query)}


def _check_users(desk: Desk, rows: Sequence[Row]) -> Write:
    bodies = _organisations(desk.session)
    known = _users(desk.session)
    first: dict[str, Row] = {}
    for row in rows:
        if row["organisation"] and row["organisation"] not in bodies:
            desk.refuse(row, "organisation", UnknownStructure(value=row["organisation"]))
        if bool(row["organisation"]) != bool(row["role"]):
            desk.refuse(row, "role" if row["organisation"] else "organisation", Missing())
        elif row["role"] == "admin" and (body := bodies.get(row["organisation"])) and body.kind != "house":
            desk.warn(row, "role", RunsEverything(value=row["organisation"]))
        before = first.setdefault(row["email"], row)
        for column in _USER:
            if column.field and row.get(column.name) != before.get(column.name):
                said = cells.plain(row[column.name])
                desk.refuse(row, column.name, Differs(value=said, line=before.line))

    def write() -> None:
        for row in rows:
            # Whoever comes in by a file has no password: they ask for a link, or are invited.
            user = known.setdefault(row["email"], User(created_at=desk.now))
            fill(user, _USER, row)
            desk.session.add(user)
            if row["organisation"]:
                body_id = bodies[row["organisation"]].id
                member = next((own for own in user.memberships if own.organisation_id == body_id), None)
                if member is None:
                    user.memberships.append(Membership(organisation_id=body_id, role=row["role"]))
                else:
                    member.role = row["role"]
        desk.session.flush()

    return write


def _fetch_users(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    codes = {body.id: body.code for body in _organisations(session).values()}
    for user in _users(session).values():
        roles = [(codes[own.organisation_id], own.role) for own in user.memberships] or [("", "")]
        for organisation, role in roles:
            yield facts(user, _USER) | {"organisation": organisation, "role": role}


HOUSES = Kind(_HOUSE, ("code",), _check_houses, _fetch_houses)
ORGANISATIONS = Kind(
    _ORGANISATION, ("code",), _check_organisations, _fetch_organisations, {"house": Names(_houses, UnknownHouse)}
)
USERS = Kind(
    _USER,
    ("email", "organisation"),
    _check_users,
    _fetch_users,
    {"organisation": STRUCTURES},
)
