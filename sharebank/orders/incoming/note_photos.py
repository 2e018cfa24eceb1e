"""The delivery note, photographed; for those who run the order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer
from sqlalchemy.sql.base import ExecutableOption

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_order
from sharebank.catalog.photos import Picture
from sharebank.core.errors import N_, NotFound, Refused, Word
from sharebank.orders.life_models import OrderPhoto
from sharebank.orders.lifecycle import locked
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import order_of_code
from sharebank.orders.rules.states import WORDS, WrongOrderState

MOST_PHOTOS = 8


class TooManyNotePhotos(Refused):
    """A delivery note has a few pages."""

    code = "too_many_photos"
    sentence = N_("%(most)s photos of a delivery note at most: there are %(there)s already.")


def photos(session: Session, order: GroupOrder) -> list[OrderPhoto]:
    """Of the delivery note, as they were taken."""
    return list(session.scalars(select(OrderPhoto).where(OrderPhoto.order_id == order.id).order_by(OrderPhoto.id)))


def add_photos(session: Session, actor: Actor, code: str, pictures: Sequence[Picture], now: datetime) -> None:
    """Keep photos with an order that was sent; raises NotFound, NotAllowed, WrongOrderState, TooManyNotePhotos."""
    order = locked(session, actor, code)
    if order.state not in ("sent", "received", "settled"):
        raise WrongOrderState(state=Word(WORDS[order.state]))
    there = session.scalar(select(func.count(OrderPhoto.id)).where(OrderPhoto.order_id == order.id)) or 0
    if there + len(pictures) > MOST_PHOTOS:
        raise TooManyNotePhotos("photos", most=MOST_PHOTOS, there=there)
    for one in pictures:
        facts = {"width": one.width, "height": one.height, "image": one.image, "thumbnail": one.thumbnail}
        sha256 = hashlib.sha256(one.image).hexdigest()
        session.add(OrderPhoto(order_id=order.id, sha256=sha256, created_at=now, **facts))


def remove_photo(session: Session, actor: Actor, code: str, photo_id: int) -> None:
    """Delete a photo for good; raises NotFound or NotAllowed."""
    order = locked(session, actor, code)
    session.delete(_photo(session, order, photo_id))


def picture(session: Session, actor: Actor, code: str, photo_id: int, mark: str, *, small: bool) -> bytes:
    """The bytes of a photo or of its thumbnail, for those who run the order; raises NotFound."""
    order = order_of_code(session, actor, code)
    wanted = OrderPhoto.thumbnail if small else OrderPhoto.image
    photo = _photo(session, order, photo_id, undefer(wanted))
    if not photo.sha256.startswith(mark) or not may_order(actor, "run", order):
        raise NotFound
    return photo.thumbnail if small else photo.image


def _photo(session: Session, order: GroupOrder, photo_id: int, *options: ExecutableOption) -> OrderPhoto:
    mine = (OrderPhoto.id == photo_id, OrderPhoto.order_id == order.id)
    photo = session.scalar(select(OrderPhoto).where(*mine).options(*options))
    if photo is None:
        raise NotFound
    return photo
