"""Changing what a house lends: its own staff only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house, require
from sharebank.catalog import browsing, rules
from sharebank.catalog.attributes import SINCE
from sharebank.catalog.models import Resource
from sharebank.catalog.rules import FAMILIES, CodeTaken, NoReason, StillBooked
from sharebank.catalog.service import search_text
from sharebank.core.errors import ChangedMeanwhile, NotFound

WRITTEN = (
    *("name", "category", "description", "location", "capacity", "area_m2", "seats", "plate", "quantity"),
    *("rule_set_id", "replacement_value_cents", "rental_value_cents", "deposit_cents", "purchased_on"),
    *("warranty_until", "attributes"),
)
"""What the form of a thing writes."""


def apply(resource: Resource, values: Mapping[str, Any]) -> Resource:
    """Put values into a resource, new or old: the one place where what a word search looks in is made."""
    for name, value in values.items():
        setattr(resource, name, value)
    resource.search_text = search_text(
        [resource.code, resource.name, resource.category, resource.description or "", resource.location or ""]
    )
    return resource


def require_editor(actor: Actor, resource: Resource) -> None:
    """Raise NotAllowed unless the actor edits the catalogue of the resource's house."""
    require(may_house(actor, "edit_catalogue", resource.house_id))


def editable(session: Session, actor: Actor, code: str) -> Resource:
    """The resource, to be edited; raises NotFound, NotAllowed."""
    resource = browsing.resource(session, code)
    require_editor(actor, resource)
    return resource


def editable_houses(session: Session, actor: Actor) -> list[directory.House]:
    """The houses whose catalogue the actor edits."""
    return [house for house in directory.houses(session) if may_house(actor, "edit_catalogue", house.id)]


def editable_house(session: Session, actor: Actor, code: str) -> Role:
    """The house, to add to its catalogue; raises NotFound, NotAllowed."""
    house = directory.organisation(session, code)
    if house is None or house.kind != "house":
        raise NotFound
    require(may_house(actor, "edit_catalogue", house.organisation_id))
    return house


def propose_code(session: Session, house: str, family: str) -> str:
    """The next free code of a house for a family of things."""
    taken = session.scalars(select(Resource.code).where(Resource.code.startswith(f"{house}-{family}", autoescape=True)))
    return rules.next_code(taken, house, family)


def create(session: Session, actor: Actor, house: str, family: str, code: str, values: Mapping[str, Any]) -> Resource:
    """Add a thing to a house's catalogue; raises BadCode, CodeTaken."""
    owner = editable_house(session, actor, house)
    rules.check_code(code, owner.organisation, family)
    free = propose_code(session, owner.organisation, family)
    if session.scalar(select(Resource.id).where(Resource.code == code)):
        raise CodeTaken("code", value=code, free=free)
    resource = Resource(code=code, house_id=owner.organisation_id, kind=FAMILIES[family].kind, attributes={})
    session.add(apply(resource, values))
    try:
        session.flush()
    except IntegrityError as error:  # another created it between our look and our insert
        raise CodeTaken("code", value=code, free=free) from error
    return resource


def mark(resource: Resource) -> str:
    """What tells one state of a thing's description from another: two people may edit it at once."""
    return hashlib.sha256(repr([getattr(resource, name) for name in WRITTEN]).encode()).hexdigest()[:16]


def change(session: Session, actor: Actor, code: str, values: Mapping[str, Any], seen: str | None = None) -> Resource:
    """Change what a thing is; raises StillBooked when the pool would fall below what is promised.

    Raises ChangedMeanwhile when it is no longer what was `seen` (see `mark`), where that is said. The database guards
    the quantity against the calendar, which is not this room's to read.
    """
    resource = editable(session, actor, code)
    # Whoever comes second waits here, then sees what the first wrote.
    session.refresh(resource, WRITTEN, with_for_update=True)
    if seen is not None and seen != mark(resource):
        raise ChangedMeanwhile
    apply(resource, values)
    try:
        session.flush()
    except IntegrityError as error:
        raise StillBooked("quantity") from error
    return resource


def restock(session: Session, actor: Actor, code: str, units: int) -> Resource:
    """So many more there are, or fewer, by somebody who holds the thing's calendar; raises NotAllowed, StillBooked."""
    resource = editable(session, actor, code)
    session.refresh(resource, ["quantity"])
    resource.quantity += units
    try:
        session.flush()
    except IntegrityError as error:
        raise StillBooked("units") from error
    return resource


def put_in_service(session: Session, actor: Actor, code: str) -> Resource:
    """Let a thing be lent again."""
    resource = editable(session, actor, code)
    resource.in_service, resource.out_of_service_reason = True, ""
    resource.attributes = {name: value for name, value in resource.attributes.items() if name != SINCE}
    return resource


def take_out_of_service(session: Session, actor: Actor, code: str, reason: str, today: date) -> Resource:
    """Stop lending a thing, for a reason people read; what is booked already stays. Raises NoReason."""
    if not reason:
        raise NoReason("reason")
    resource = editable(session, actor, code)
    resource.in_service, resource.out_of_service_reason = False, reason
    resource.attributes = {**resource.attributes, SINCE: today.isoformat()}
    return resource
