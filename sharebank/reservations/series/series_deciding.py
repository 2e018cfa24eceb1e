"""Deciding on a series: all its dates that wait are approved or declined together, with one letter."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan, require
from sharebank.core.period import Period
from sharebank.notifications.service import withdraw
from sharebank.reservations import hooks
from sharebank.reservations.gate import check_act
from sharebank.reservations.lifecycle import variant
from sharebank.reservations.models import Reservation, ReservationEvent, Series, SeriesDate
from sharebank.reservations.series.series_changes import end_if_over
from sharebank.reservations.series.series_letters import tell_parties
from sharebank.reservations.series.series_reading import locked_series
from sharebank.reservations.states import WrongState, transition

ACTS = ("approve", "decline")


def decide(
    session: Session, actor: Actor, ref: str, act: str, why: str, now: datetime, tz: ZoneInfo, override: str = ""
) -> Series:
    """Approve or decline every date that waits; raises NotFound, NotAllowed, WrongState, ReasonMissing, and the gate's.

    Papers are looked at for the first date; those that follow when each is handed over.
    """
    series = locked_series(session, actor, ref)
    require(act in ACTS and may_loan(actor, act, series))
    query = (
        select(Reservation)
        .where(Reservation.series_id == series.id, Reservation.status == "requested", ~Reservation.offered)
        .order_by(Reservation.starts_at)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    loans = list(session.scalars(query))
    if not loans:
        raise WrongState(state="approved" if series.status == "active" else "cancelled")
    first = loans[0]
    kept = check_act(session, actor, first, act, now, tz, override)
    done = variant(session, actor, first, act, tz)
    target = transition(done, "requested", why)
    said = " – ".join(filter(None, (why.strip(), kept)))
    for loan in loans:
        loan.status = target
        if done == "approve_first":
            loan.approved_once_by_id = actor.user_id
        loan.events.append(ReservationEvent(at=now, user_id=actor.user_id, status=target, why=said))
    session.flush()
    if target == "declined":
        ids = [loan.id for loan in loans]
        gone = update(SeriesDate).where(SeriesDate.reservation_id.in_(ids)).values(state="cancelled")
        session.execute(gone.execution_options(synchronize_session="fetch"))
        end_if_over(session, series, now)
    for loan in loans:
        hooks.changed(session, actor, loan, done, now)
    if done == "approve_first":
        return series  # one of two: nothing to say yet
    withdraw(session, f"series:{series.ref}:to_decide")
    periods = [Period(loan.starts_at, loan.ends_at) for loan in loans]
    tell_parties(session, actor, series, target, periods, now, why.strip())
    return series


def approve_series(session: Session, actor: Actor, ref: str, why: str, now: datetime, tz: ZoneInfo) -> Series:
    """Say yes to all its dates that wait."""
    return decide(session, actor, ref, "approve", why, now, tz)


def decline_series(session: Session, actor: Actor, ref: str, why: str, now: datetime, tz: ZoneInfo) -> Series:
    """Say no to all its dates that wait, and why."""
    return decide(session, actor, ref, "decline", why, now, tz)


def follow(session: Session, _actor: Actor | None, loan: Reservation, _act: str, _now: datetime) -> None:
    """A date given up on its own page is given up in its series."""
    if loan.series_id is not None and loan.status in ("declined", "cancelled", "expired"):
        gone = update(SeriesDate).where(SeriesDate.reservation_id == loan.id).values(state="cancelled")
        session.execute(gone.execution_options(synchronize_session="fetch"))
