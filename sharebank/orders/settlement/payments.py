"""Noting what was paid: to the supplier, by associations, between houses; never more than is owed, never deleted."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house, may_order, require
from sharebank.core.errors import N_, Cents, NotFound, Refused, Word
from sharebank.orders.life_models import Payment
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import standing
from sharebank.orders.rules.states import WORDS, WrongOrderState
from sharebank.orders.settlement.settling import SHARED, accounts_of, balances, bodies_of, payments_of

OLDEST = date(2000, 1, 1)


class UnknownParty(Refused):
    """Money moves between organisations one knows, or to the supplier."""

    code = "unknown_party"
    sentence = N_("There is no structure with the code “%(value)s”.")


class NothingOwed(Refused):
    """The one owes the other nothing, or no more."""

    status = 409
    code = "nothing_owed"
    sentence = N_("Nothing is owed between these two any more: perhaps somebody has noted this payment already.")


class AlreadyNoted(Refused):
    """The same two parties' payment came in since the form was made: a second click, or a colleague's."""

    status = 409
    code = "already_noted"
    sentence = N_(
        "%(amount)s from %(payer)s to %(payee)s is noted already, by %(who)s. Nothing was noted a second time."
        " Still owed: %(left)s. If this is one more payment, note it once more."
    )


class PaidTooMuch(Refused):
    """What is noted is what is owed, or a part of it."""

    code = "paid_too_much"
    sentence = N_("No more than %(most)s is owed.")


class BadDay(Refused):
    """A payment is noted once it was made."""

    code = "bad_day"
    sentence = N_("Write the day it was paid: today or before.")


class TakenBack(Refused):
    """It was taken back already."""

    status = 409
    code = "taken_back"
    sentence = N_("This payment was cancelled already.")


class PaymentReasonMissing(Refused):
    """Whoever reads the accounts sees why a payment counts no more."""

    code = "reason_missing"
    sentence = N_("Say why, in a few words.")


def note_payment(
    session: Session,
    actor: Actor,
    code: str,
    payer: str,
    payee: str,
    cents: int,
    day: date,
    now: datetime,
    note: str = "",
    seen: int | None = None,
) -> Payment:
    """Note that somebody paid for an order; `payee` is empty for the supplier, `day` a local day.

    `seen`: the newest payment (its id, 0 for none) that was known when this one was typed; a newer one between the
    same two is then taken for the same one. Raises NotFound, NotAllowed, WrongOrderState, UnknownParty, NothingOwed,
    AlreadyNoted, PaidTooMuch or BadDay.
    """
    # Under the order's lock: of two who note the same payment, the second one is told.
    query = select(GroupOrder).where(GroupOrder.code == code).with_for_update()
    order = session.scalar(query.execution_options(populate_existing=True))
    if order is None or not may_order(actor, "see", order):
        raise NotFound
    bodies = bodies_of(session)
    giver, taker = _party(bodies, payer, "payer"), _party(bodies, payee, "payee") if payee else None
    require(may_order(actor, "run", order) or _theirs(actor, giver, taker))
    if order.state not in SHARED:
        raise WrongOrderState(state=Word(WORDS[order.state]))
    found = accounts_of(session, order, standing(session, order), bodies, payments_of(session, order))
    return _note(session, actor, order, giver, taker, cents, found.most(payer, payee), day, now, note, seen)


def note_between(
    session: Session,
    actor: Actor,
    payer: str,
    payee: str,
    cents: int,
    day: date,
    now: datetime,
    note: str = "",
    seen: int | None = None,
) -> Payment:
    """Note that a house paid another what it owes for all orders together; raises as `note_payment`."""
    bodies = bodies_of(session)
    giver, taker = _party(bodies, payer, "payer"), _party(bodies, payee, "payee")
    require(_theirs(actor, giver, taker))
    # The settled orders in one order, so that of two who note the same payment the second one is told.
    locked = select(GroupOrder.id).where(GroupOrder.state == "settled").order_by(GroupOrder.id).with_for_update()
    session.execute(locked)
    found = balances(session, actor).totals
    most = max(0, min(-found.get(payer, 0), found.get(payee, 0)))
    return _note(session, actor, None, giver, taker, cents, most, day, now, note, seen)


def _party(bodies: dict[str, Role], code: str, field: str) -> Role:
    if code not in bodies:
        raise UnknownParty(field, value=code)
    return bodies[code]


def _theirs(actor: Actor, *parties: Role | None) -> bool:
    """Is one of them a house whose staff the actor is?"""
    houses = [party for party in parties if party and party.kind == "house"]
    return any(may_house(actor, "note_payments", house.organisation_id) for house in houses)


def _note(
    session: Session,
    actor: Actor,
    order: GroupOrder | None,
    payer: Role,
    payee: Role | None,
    cents: int,
    most: int,
    day: date,
    now: datetime,
    note: str,
    seen: int | None,
) -> Payment:
    same = (Payment.payer_id == payer.organisation_id, Payment.payee_id == (payee.organisation_id if payee else None))
    if seen is not None:
        newer = select(Payment).where(
            Payment.order_id == (order.id if order else None), *same, Payment.id > seen, Payment.undone_at.is_(None)
        )
        known = session.scalar(newer.order_by(Payment.id.desc()).limit(1))
        if known is not None:
            raise AlreadyNoted(
                amount=Cents(known.cents),
                payer=payer.name,
                payee=payee.name if payee else order.supplier.name if order else "",
                who=known.user.name,
                left=Cents(most),
            )
    if not most:
        raise NothingOwed
    if not 0 < cents <= most:
        raise PaidTooMuch("cents", most=Cents(most))
    # A local day may have begun while UTC's has not.
    if not OLDEST <= day <= now.date() + timedelta(days=1):
        raise BadDay("day")
    payment = Payment(
        order_id=order.id if order else None,
        payer_id=payer.organisation_id,
        payee_id=payee.organisation_id if payee else None,
        cents=cents,
        paid_on=day,
        note=note.strip(),
        user_id=actor.user_id,
        at=now,
    )
    session.add(payment)
    session.flush()
    return payment


def of_id(session: Session, actor: Actor, payment_id: int, *, lock: bool = False) -> Payment:
    """A payment that may be taken back; raises NotFound when its accounts are not the actor's to see, NotAllowed."""
    query = select(Payment).where(Payment.id == payment_id)
    query = query.with_for_update(of=Payment) if lock else query
    payment = session.scalar(query.execution_options(populate_existing=lock))
    if payment is None or not (_staff(actor) or (payment.order and may_order(actor, "see_all", payment.order))):
        raise NotFound
    runs = payment.order is not None and may_order(actor, "run", payment.order)
    houses = [one.id for one in (payment.payer, payment.payee) if one is not None and one.kind == "house"]
    require(runs or any(may_house(actor, "note_payments", house_id) for house_id in houses))
    return payment


def _staff(actor: Actor) -> bool:
    return actor.admin or bool(actor.staff_ids)


def take_back(session: Session, actor: Actor, payment_id: int, why: str, now: datetime) -> Payment:
    """Let a payment count no more; it stays in the list with the reason.

    Raises NotFound, NotAllowed, TakenBack or PaymentReasonMissing.
    """
    payment = of_id(session, actor, payment_id, lock=True)
    if payment.undone_at is not None:
        raise TakenBack
    if not why.strip():
        raise PaymentReasonMissing("why")
    payment.undone_at, payment.undone_by_id, payment.undone_why = now, actor.user_id, why.strip()
    session.flush()
    return payment
