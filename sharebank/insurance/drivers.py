"""The register of drivers: whose licence was seen, by whom, when; never a copy of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_body, require
from sharebank.core.errors import NotFound
from sharebank.insurance.editing import holder_of
from sharebank.insurance.models import Driver
from sharebank.insurance.rules import DriverTwice, LicenceFromTheFuture
from sharebank.insurance.service import body_of


@dataclass(frozen=True, slots=True)
class Licence:
    """What was read off a licence, and when it was seen."""

    name: str
    licence_class: str
    licence_since: date
    seen_on: date


class KnownDriver(NamedTuple):
    """Somebody of the register, as a request form and the rules of lending need them."""

    id: int
    name: str
    licence_class: str
    licence_since: date
    seen_on: date


_KNOWN = (
    select(Driver.id, Driver.name, Driver.licence_class, Driver.licence_since, Driver.seen_on)
    .where(Driver.organisation_id == bindparam("organisation_id"))
    .order_by(Driver.name)
)


def known(session: Session, organisation_id: int) -> list[KnownDriver]:
    """The drivers of a structure whose licence was seen; who may book for it may name them."""
    rows = session.connection().execute(_KNOWN, {"organisation_id": organisation_id})
    return [KnownDriver(*row) for row in rows]


def known_of(session: Session, organisation_ids: Collection[int]) -> dict[int, list[KnownDriver]]:
    """The same of several structures, by id."""
    if not organisation_ids:
        return {}
    found: dict[int, list[KnownDriver]] = {key: [] for key in organisation_ids}
    query = (
        select(
            Driver.organisation_id, Driver.id, Driver.name, Driver.licence_class, Driver.licence_since, Driver.seen_on
        )
        .where(Driver.organisation_id.in_(organisation_ids))
        .order_by(Driver.name)
    )
    for row in session.execute(query):
        found[row.organisation_id].append(KnownDriver(*row[1:]))
    return found


_WHOLE = (
    select(Driver)
    .join(Organisation, Organisation.id == Driver.organisation_id)
    .options(joinedload(Driver.organisation).joinedload(Organisation.house), joinedload(Driver.seen_by))
)


def register(session: Session, actor: Actor) -> Sequence[Driver]:
    """The drivers of the structures that the actor looks after, by structure and name."""
    query = _WHOLE if actor.admin else _WHOLE.where(Organisation.house_id.in_(actor.staff_ids))
    return session.scalars(query.order_by(Organisation.name, Driver.name)).all()


def driver(session: Session, actor: Actor, driver_id: int) -> Driver:
    """One line of the register; raises NotFound."""
    found = session.scalars(_WHOLE.where(Driver.id == driver_id)).one_or_none()
    if found is None or not may_body(actor, "edit_coverage", body_of(found.organisation)):
        raise NotFound
    return found


def note(session: Session, actor: Actor, organisation: str, licence: Licence, today: date) -> Driver:
    """Write down that the actor saw a licence; raises NotFound, DriverTwice, LicenceFromTheFuture."""
    holder = holder_of(session, actor, organisation)
    require(may_body(actor, "edit_coverage", body_of(holder)))
    line = Driver(organisation_id=holder.id)
    _fill(session, actor, line, licence, today)
    session.add(line)
    session.flush()
    return line


def change(session: Session, actor: Actor, driver_id: int, licence: Licence, today: date) -> Driver:
    """Correct a line, or write down that the licence was seen again."""
    line = driver(session, actor, driver_id)
    _fill(session, actor, line, licence, today)
    session.flush()
    return line


def forget(session: Session, actor: Actor, driver_id: int) -> None:
    """Take a driver out of the register."""
    session.delete(driver(session, actor, driver_id))
    session.flush()


def _fill(session: Session, actor: Actor, line: Driver, licence: Licence, today: date) -> None:
    for field in ("seen_on", "licence_since"):
        if getattr(licence, field) > today:
            raise LicenceFromTheFuture(field)
    same = select(Driver.id).where(
        Driver.organisation_id == line.organisation_id, Driver.name == licence.name, Driver.id != (line.id or 0)
    )
    if session.scalars(same).first() is not None:
        raise DriverTwice("name", name=licence.name)
    line.name, line.licence_class = licence.name, licence.licence_class
    line.licence_since, line.seen_on = licence.licence_since, licence.seen_on
    line.seen_by_id = actor.user_id
