"""Photos of what changed hands: kept in the database with the record, seen by the two parties alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan, require
from sharebank.catalog.photos import Picture
from sharebank.core.errors import NotFound
from sharebank.reservations.handover.handover_models import Handover, HandoverPhoto
from sharebank.reservations.handover.handover_rules import TooManyPhotos
from sharebank.reservations.models import Reservation
from sharebank.reservations.reading import loan_of_ref
from sharebank.reservations.states import WrongState

MOST_PHOTOS = 12
"""Of one meeting."""


def add_photos(session: Session, actor: Actor, ref: str, pictures: Sequence[Picture], now: datetime) -> None:
    """Add photos to the last meeting; raises NotFound, TooManyPhotos."""
    loan = loan_of_ref(session, actor, ref)
    require(may_loan(actor, "return", loan))
    last = select(Handover).where(Handover.reservation_id == loan.id).order_by(Handover.at.desc(), Handover.id.desc())
    record = session.scalars(last.limit(1)).first()
    if record is None:
        raise WrongState(state=loan.status)
    keep_photos(record, pictures, now)


def keep_photos(record: Handover, pictures: Sequence[Picture], now: datetime) -> None:
    """Put pictures to a meeting; raises TooManyPhotos."""
    if len(record.photos) + len(pictures) > MOST_PHOTOS:
        raise TooManyPhotos("photos", most=MOST_PHOTOS)
    for picture in pictures:
        record.photos.append(
            HandoverPhoto(
                width=picture.width,
                height=picture.height,
                sha256=hashlib.sha256(picture.image).hexdigest(),
                image=picture.image,
                thumbnail=picture.thumbnail,
                created_at=now,
            )
        )


def picture(session: Session, actor: Actor, photo_id: int, mark: str, *, small: bool) -> bytes:
    """The bytes of a photo or of its thumbnail, for the two parties; raises NotFound."""
    wanted = HandoverPhoto.thumbnail if small else HandoverPhoto.image
    query = (
        select(HandoverPhoto, Reservation)
        .join(Handover, Handover.id == HandoverPhoto.handover_id)
        .join(Reservation, Reservation.id == Handover.reservation_id)
        .where(HandoverPhoto.id == photo_id)
        .options(undefer(wanted))
    )
    row = session.execute(query).one_or_none()
    if row is None or not row[0].sha256.startswith(mark) or not may_loan(actor, "see", row[1]):
        raise NotFound
    return row[0].thumbnail if small else row[0].image
