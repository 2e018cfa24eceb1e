"""The life of a reservation after it was made: approve, decline, cancel, collect, return; or time runs out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan, require
from sharebank.core.errors import NotFound
from sharebank.notifications.service import post, withdraw
from sharebank.reservations.gate import check_act
from sharebank.reservations.hooks import changed
from sharebank.reservations.models import Reservation, ReservationEvent
from sharebank.reservations.states import transition


def change(
    session: Session, actor: Actor, ref: str, act: str, why: str, now: datetime, tz: ZoneInfo, override: str = ""
) -> Reservation:
    """Move a reservation on, record the event, tell the borrower.

    The row is locked first: of two people who decide at once, the second reads what the first decided.
    Staff may lend past the end of an insurance if they say why (`override`). Raises NotFound, NotAllowed, WrongState,
    ReasonMissing, InsuranceLapses or CertificateMissing.
    """
    query = (
        select(Reservation).where(Reservation.ref == ref).with_for_update().execution_options(populate_existing=True)
    )
    loan = session.scalar(query)
    if loan is None or not may_loan(actor, "see", loan):
        raise NotFound
    require(may_loan(actor, act, loan))
    status = transition(act, loan.status, why)
    kept = check_act(session, actor, loan, act, now, tz, override)
    # Should it give units back, the database's guard on the status does it: lines follow their reservation.
    loan.status = status
    told = " – ".join(filter(None, (why.strip(), kept)))
    loan.events.append(ReservationEvent(at=now, user_id=actor.user_id, status=loan.status, why=told))
    session.flush()
    _tell(session, actor, loan, why.strip(), now)
    changed(session, actor, loan, act, now)
    return loan


def _tell(session: Session, actor: Actor, loan: Reservation, why: str, now: datetime) -> None:
    """Whoever asked reads of it, and the owner's managers when the borrower acted; nobody reads of their own act.

    What was still waiting to be sent is no longer so: it is taken back, and who was never told that there is something
    to decide need not hear that there is nothing any more.
    """
    unaware = {address for template, address in withdraw(session, about(loan)) if template == "reservation_to_decide"}
    readers = [directory.reader(loan.user)]
    if loan.lender_id not in actor.staff_ids:
        readers += [one for one in directory.managers(session, loan.lender_id) if one.email not in unaware]
    others = {reader.user_id: reader for reader in readers if reader.user_id != actor.user_id}
    facts = facts_of(loan, by=actor.name, why=why)
    post(session, f"{about(loan)}{loan.status}", f"reservation_{loan.status}", others.values(), facts, now)


def expire(session: Session, ref: str, now: datetime) -> bool:
    """Let a request go that nobody answered before its time came; the event is nobody's. False when it was answered."""
    waiting = (Reservation.ref == ref, Reservation.status == "requested", Reservation.starts_at <= now)
    query = select(Reservation).where(*waiting).with_for_update().execution_options(populate_existing=True)
    loan = session.scalar(query)
    if loan is None:
        return False
    loan.status = "expired"
    loan.events.append(ReservationEvent(at=now, user_id=None, status=loan.status, why=""))
    session.flush()
    withdraw(session, about(loan))
    changed(session, None, loan, "expire", now)
    post(session, f"{about(loan)}expired", "reservation_expired", [directory.reader(loan.user)], facts_of(loan), now)
    return True


def about(loan: Reservation) -> str:
    """How the keys of all letters about a reservation begin."""
    return f"reservation:{loan.ref}:"


def facts_of(loan: Reservation, **more: str) -> dict[str, Any]:
    """What letters say of a reservation, as plain JSON values."""
    return {
        "ref": loan.ref,
        "purpose": loan.purpose,
        "borrower": loan.borrower.name,
        "lender": loan.lender.code,
        "starts_at": loan.starts_at.isoformat(),
        "ends_at": loan.ends_at.isoformat(),
        "things": [[line.resource.name, line.quantity] for line in loan.lines],
        **more,
    }
