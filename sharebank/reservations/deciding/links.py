"""Letters that ask to decide, each with a link for its reader, once, until the loan starts; opening changes nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import User
from sharebank.accounts.web import hash_token
from sharebank.core.errors import N_, Refused
from sharebank.notifications.service import Recipient, post
from sharebank.reservations.models import Reservation
from sharebank.reservations.waiting.waiting_models import DecisionLink


class LinkGone(Refused):
    """No letter of ours holds this link, or the loan has begun since."""

    status: ClassVar[int] = 410
    code = "link_gone"
    sentence = N_("This link is too old or incomplete. Sign in to see your requests.")


class LinkUsed(Refused):
    """Its reader has decided with it already."""

    status: ClassVar[int] = 410
    code = "link_used"
    sentence = N_("You have already answered with this link.")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for; no reader when that person has no role anywhere any more."""

    id: int
    reservation_id: int
    ref: str
    reader: Actor | None
    used: bool


def ask_to_decide(
    session: Session,
    reservation_id: int,
    key: str,
    readers: Iterable[Recipient],
    facts: Mapping[str, Any],
    now: datetime,
    template: str = "reservation_to_decide",
) -> int:
    """Write to those who decide, each with a link of their own, once for each `key`; how many letters are new.

    The secret stands in the letter until it leaves, and nowhere else: the row keeps its hash.
    """
    rows = []
    for reader in readers:
        token = secrets.token_urlsafe(32)
        if post(session, key, template, [reader], {**facts, "secret": token}, now):
            rows.append(
                {
                    "token_hash": hash_token(token),
                    "reservation_id": reservation_id,
                    "user_id": reader.user_id,
                    "expires_at": datetime.fromisoformat(facts["starts_at"]),
                }
            )
    if rows:
        session.execute(_INSERT, rows)
    return len(rows)


_INSERT = insert(DecisionLink.__table__)  # type: ignore[arg-type]


def read(session: Session, token: str, now: datetime) -> Link:
    """Whom and what a link is for; reading it changes nothing. Raises LinkGone."""
    query = (
        select(DecisionLink.id, DecisionLink.reservation_id, Reservation.ref, User.email, DecisionLink.used_at)
        .join(Reservation, Reservation.id == DecisionLink.reservation_id)
        .join(User, User.id == DecisionLink.user_id)
        .where(DecisionLink.token_hash == hash_token(token), DecisionLink.expires_at > now)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise LinkGone
    return Link(
        row.id, row.reservation_id, row.ref, directory.actor_of_email(session, row.email), row.used_at is not None
    )


def spend(session: Session, link: Link, now: datetime) -> None:
    """Use it, once: of two clicks at the same moment one is refused. Raises LinkUsed."""
    unused = (DecisionLink.id == link.id, DecisionLink.used_at.is_(None))
    spent = update(DecisionLink).where(*unused).values(used_at=now).returning(DecisionLink.id)
    if session.execute(spent.execution_options(synchronize_session=False)).first() is None:
        raise LinkUsed


def forget(session: Session, now: datetime) -> int:
    """Delete links that open nothing any more; returns how many."""
    return len(
        session.execute(delete(DecisionLink).where(DecisionLink.expires_at <= now).returning(DecisionLink.id)).all()
    )
