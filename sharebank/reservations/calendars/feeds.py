"""Calendars to subscribe to: their secret addresses, of 256 bits, of which only the hash is kept.

An address is shown once, when it is made, and replaced when it is lost or known to too many.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation, User
from sharebank.accounts.permissions import may_house, require
from sharebank.accounts.web import hash_token
from sharebank.catalog.models import Resource
from sharebank.core.errors import NotFound
from sharebank.reservations.calendars.calendar_models import CalendarFeed


class FeedRow(NamedTuple):
    """A calendar somebody made."""

    id: int
    kind: str
    code: str
    """Of the thing or the house; empty for one's own."""
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A feed whose address was known: of what, for whom; for nobody when who made it is nobody here any more."""

    kind: str
    name: str
    house_id: int | None
    resource_id: int | None
    actor: Actor | None


# -- addresses ---------------------------------------------------------------------------------------

_of_house, _of_thing = aliased(Organisation), aliased(Resource)
_FEEDS = (
    select(
        CalendarFeed.id,
        CalendarFeed.kind,
        func.coalesce(_of_house.code, _of_thing.code, ""),
        func.coalesce(_of_house.name, _of_thing.name, ""),
        CalendarFeed.created_at,
    )
    .outerjoin(_of_house, _of_house.id == CalendarFeed.house_id)
    .outerjoin(_of_thing, _of_thing.id == CalendarFeed.resource_id)
)


def feeds_of(session: Session, actor: Actor) -> list[FeedRow]:
    """The calendars somebody made: their own, then houses, then things."""
    rows = session.execute(_FEEDS.where(CalendarFeed.user_id == actor.user_id)).all()
    return sorted((FeedRow(*row) for row in rows), key=lambda row: ("phr".index(row.kind[0]), row.code))


def make(session: Session, actor: Actor, kind: str, code: str, now: datetime) -> tuple[FeedRow, str]:
    """A new address, and its secret, shown this once; of the same calendar the one before ends.

    Anybody may follow themselves and a thing (of which they see no more than on the planning), staff their house.
    Raises NotFound, NotAllowed.
    """
    house_id = resource_id = None
    match kind:
        case "house":
            house = next((house for house in directory.houses(session) if house.code == code), None)
            if house is None:
                raise NotFound
            require(may_house(actor, "follow", house.id))
            house_id = house.id
        case "resource":
            resource_id = session.scalar(select(Resource.id).where(Resource.code == code))
            if resource_id is None:
                raise NotFound
        case "person":
            pass
        case _:
            raise NotFound
    same = (CalendarFeed.kind == kind, CalendarFeed.house_id == house_id, CalendarFeed.resource_id == resource_id)
    for old in session.scalars(select(CalendarFeed).where(CalendarFeed.user_id == actor.user_id, *same)):
        session.delete(old)
    secret = secrets.token_urlsafe(32)
    feed = CalendarFeed(
        token_hash=hash_token(secret),
        user_id=actor.user_id,
        kind=kind,
        house_id=house_id,
        resource_id=resource_id,
        created_at=now,
    )
    session.add(feed)
    session.flush()
    return FeedRow(*session.execute(_FEEDS.where(CalendarFeed.id == feed.id)).one()), secret


def revoke(session: Session, actor: Actor, feed_id: int) -> None:
    """Its address leads nowhere from now on; raises NotFound when it is not the actor's."""
    feed = session.get(CalendarFeed, feed_id)
    if feed is None or feed.user_id != actor.user_id:
        raise NotFound
    session.delete(feed)


_OPEN = (
    select(
        CalendarFeed.kind,
        func.coalesce(_of_house.name, _of_thing.name, "").label("name"),
        CalendarFeed.house_id,
        CalendarFeed.resource_id,
        User.email,
    )
    .join(User, User.id == CalendarFeed.user_id)
    .outerjoin(_of_house, _of_house.id == CalendarFeed.house_id)
    .outerjoin(_of_thing, _of_thing.id == CalendarFeed.resource_id)
)


def opened(session: Session, secret: str) -> Opened:
    """The feed of an address, for who made it with the roles of this moment; raises NotFound."""
    row = session.execute(_OPEN.where(CalendarFeed.token_hash == hash_token(secret))).one_or_none()
    if row is None:
        raise NotFound
    actor = directory.actor_of_email(session, row.email)
    return Opened(row.kind, row.name, row.house_id, row.resource_id, actor)
