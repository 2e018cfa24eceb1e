"""Reading the catalogue for screens; everybody signed in sees what all houses lend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, joinedload, undefer

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, require
from sharebank.catalog.models import Photo, Resource, RuleSet
from sharebank.catalog.service import Thing, Wish, find_things, things_by_code
from sharebank.core.errors import NotFound


class Shot(NamedTuple):
    """A photo as pages point at it."""

    id: int
    mark: str
    """The first letters of its checksum: a new picture has a new address."""
    caption: str


class Card(NamedTuple):
    """One thing in a list, with the photo that stands for it."""

    thing: Thing
    photo: Shot | None


class Shelf(NamedTuple):
    """What one house has of what was looked for."""

    house: str
    name: str
    cards: list[Card]


_FIRST_SHOTS = (
    select(Photo.resource_id, Photo.id, Photo.sha256, Photo.caption)
    .where(Photo.resource_id.in_(bindparam("ids", expanding=True)))
    # The first of each resource is the last to be put in a dictionary.
    .order_by(Photo.position.desc(), Photo.id.desc())
)


def shelves(session: Session, wish: Wish, nearest: str) -> list[Shelf]:
    """What fits a wish, house by house, the actor's own (`nearest`) first."""
    things = find_things(session, wish)
    rows = session.execute(_FIRST_SHOTS, {"ids": [thing.id for thing in things]}) if things else ()
    shots = {row.resource_id: Shot(row.id, row.sha256[:8], row.caption) for row in rows}
    found: dict[str, Shelf] = {}
    for thing in sorted(things, key=lambda thing: thing.house != nearest):
        shelf = found.setdefault(thing.house, Shelf(thing.house, thing.house_name, []))
        shelf.cards.append(Card(thing, shots.get(thing.id)))
    return list(found.values())


_WHOLE = select(Resource).options(
    joinedload(Resource.house), joinedload(Resource.rule_set), joinedload(Resource.photos)
)


def resource(session: Session, code: str) -> Resource:
    """One resource with its house, rules and photos, in one query; raises NotFound."""
    found = session.execute(_WHOLE.where(Resource.code == code)).unique().scalar_one_or_none()
    if found is None:
        raise NotFound
    return found


def canonical_code(session: Session, typed: str) -> str:
    """The code as it is written, whatever the case it was typed in; raises NotFound."""
    code = session.scalar(select(Resource.code).where(func.lower(Resource.code) == typed.lower()))
    if code is None:
        raise NotFound
    return code


def picture(session: Session, photo_id: int, mark: str, *, small: bool) -> bytes:
    """The bytes of a photo or of its thumbnail (JPEG); raises NotFound."""
    wanted = Photo.thumbnail if small else Photo.image
    query = select(Photo).options(undefer(wanted)).where(Photo.id == photo_id)
    found = session.scalar(query)
    if found is None or not found.sha256.startswith(mark):
        raise NotFound
    return found.thumbnail if small else found.image


def rule_sets(session: Session) -> Sequence[RuleSet]:
    """Every rule set, by name."""
    return session.scalars(select(RuleSet).order_by(RuleSet.name)).all()


def to_label(session: Session, actor: Actor, wish: Wish, codes: Collection[str]) -> list[Thing]:
    """The things to print labels for: those named, else those that fit a wish and are of the actor's houses.

    Raises NotFound for an unknown code, NotAllowed for a thing of another house.
    """
    if not codes:
        return [thing for thing in find_things(session, wish) if may_house(actor, "edit_catalogue", thing.house_id)]
    by_code = things_by_code(session, codes)
    if by_code.keys() != set(codes):
        raise NotFound
    require(all(may_house(actor, "edit_catalogue", thing.house_id) for thing in by_code.values()))
    return [by_code[code] for code in dict.fromkeys(codes)]
