"""The life of a reservation after it was made: every change of state goes through here, whoever asks; or time runs out.

What may follow what stands in `states.LIFECYCLE`; acts that change more than the state are in `decisions`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import LOAN, may_loan, require
from sharebank.catalog import service as catalog
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.period import Period
from sharebank.insurance.service import body_of
from sharebank.notifications.service import Recipient, post, withdraw
from sharebank.reservations.availability import ways_out
from sharebank.reservations.deciding.judging import (
    check_recall,
    free_to_take,
    insured,
    second_needed,
    silence_of,
    take_up,
)
from sharebank.reservations.deciding.links import ask_to_decide
from sharebank.reservations.gate import Permits, check_act
from sharebank.reservations.hooks import changed
from sharebank.reservations.models import Reservation, ReservationEvent
from sharebank.reservations.rules import Conflict
from sharebank.reservations.states import CLOCK, LIFECYCLE, VARIANTS, due, transition

GATED = {"approve": "approve", "approve_first": "approve", "approve_second": "approve", "collect": "collect"}
"""Acts that let a loan go on, and which of the gate's that is."""

LETTERS = {
    "approve_first": None,
    "take": None,
    "propose": "reservation_proposed",
    "recall": "reservation_recalled",
    "refuse_offer": "reservation_offer_refused",
    "lapse": "reservation_offer_lapsed",
}
"""Acts whose letter is not that of the state they lead to."""


FIRST_HEARD = ("reservation_to_decide", "reservation_booked")
"""Letters by which managers first hear of a loan."""


class SamePerson(Refused):
    """The second of two approvals is somebody else's."""

    status = 403
    code = "same_person"
    sentence = N_("You have approved this already: the rules want a second person to approve it too.")


def change(
    session: Session, actor: Actor, ref: str, act: str, why: str, now: datetime, tz: ZoneInfo, override: str = ""
) -> Reservation:
    """Move a reservation on, record the event, tell the borrower.

    Staff may lend past the end of an insurance if they say why (`override`). Raises NotFound, NotAllowed, WrongState,
    ReasonMissing, SamePerson, InsuranceLapses or CertificateMissing.
    """
    loan = held(session, actor, ref, act)
    transition(act, loan.status, why, loan.offered)
    facts = {}
    if act == "recall":
        check_recall(session, loan, now, tz)
        facts = {"ways": _elsewhere(session, loan, now, tz)}
    act = variant(session, actor, loan, act, tz)
    if act in ("accept", "take") and loan.details.get("offer") == "slot":
        take_up(session, loan, now, tz)
    kept = check_act(session, actor, loan, GATED[act], now, tz, override) if act in GATED else ""
    return settle(session, actor, loan, act, why.strip(), now, kept=kept, facts=facts)


def _elsewhere(session: Session, loan: Reservation, now: datetime, tz: ZoneInfo) -> list[dict[str, Any]]:
    """What else there is for whom a loan is taken from: other times, the like in another house."""
    period = Period(loan.starts_at, loan.ends_at)
    found, asker = [], directory.actor_of_email(session, loan.user.email)
    allowed = Permits(session, asker, body_of(loan.borrower), now, tz, given_up=loan) if asker else None
    for thing in catalog.things_by_id(session, [line.resource_id for line in loan.lines]).values():
        wanted = next(line.quantity for line in loan.lines if line.resource_id == thing.id)
        barred = Conflict(thing.code, thing.name, wanted, thing.quantity, 0, period)
        found += ways_out(session, barred, period, now, tz, allowed)
    return [
        {
            "thing": way.thing,
            "code": way.resource,
            "quantity": way.quantity,
            "house": way.house,
            "starts_at": way.period.start.isoformat(),
            "ends_at": way.period.end.isoformat(),
        }
        for way in found
    ]


def held(session: Session, actor: Actor, ref: str, act: str) -> Reservation:
    """The reservation under its lock: of two people who decide at once, the second reads what the first decided.

    Raises NotFound, NotAllowed.
    """
    loan = _locked(session, ref)
    if loan is None or not may_loan(actor, "see", loan):
        raise NotFound
    rule = LIFECYCLE[act]
    require(rule.who in LOAN and may_loan(actor, rule.who, loan))
    return loan


def _locked(session: Session, ref: str) -> Reservation | None:
    query = select(Reservation).where(Reservation.ref == ref).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def variant(session: Session, actor: Actor, loan: Reservation, act: str, tz: ZoneInfo) -> str:
    """The act that what was asked for comes to under the rules. Raises NotAllowed, SamePerson."""
    if act == "accept":
        # What the house proposed it has agreed to; what came free it has not seen yet.
        if loan.details.get("offer") == "proposal":
            firm = not second_needed(session, loan, tz)
        else:
            firm = loan.lender_id in actor.staff_ids or free_to_take(session, loan, tz)
        return "accept" if firm and insured(session, loan, tz) else "take"
    if act not in ("approve", "approve_less") or not second_needed(session, loan, tz):
        return act
    if loan.approved_once_by_id is None:
        return "approve_first"
    if loan.approved_once_by_id == actor.user_id:
        raise SamePerson
    require(may_loan(actor, LIFECYCLE["approve_second"].who, loan))
    return "approve_second"


def settle(
    session: Session,
    actor: Actor | None,
    loan: Reservation,
    act: str,
    why: str,
    now: datetime,
    *,
    kept: str = "",
    facts: dict[str, Any] | None = None,
) -> Reservation:
    """Do what the table says, record it, tell whom it concerns; `kept` is what is noted but written to nobody."""
    # Should it give units back, the database's guard on the status does it: lines follow their reservation.
    loan.status = transition(act, loan.status, why or "-", loan.offered)
    loan.offered = act == "propose"
    if act == "propose":
        facts = (facts or {}) | {"asked": loan.details["asked"]}
    if act in ("approve_first", "propose"):
        loan.approved_once_by_id = actor.user_id if actor else None
    said = " – ".join(filter(None, (why, kept)))
    loan.events.append(ReservationEvent(at=now, user_id=actor and actor.user_id, status=loan.status, why=said))
    session.flush()
    session.refresh(loan, ["revision"])
    _tell(session, actor, loan, act, why, now, facts or {})
    changed(session, actor, loan, act, now)
    return loan


def _tell(
    session: Session, actor: Actor | None, loan: Reservation, act: str, why: str, now: datetime, facts: dict[str, Any]
) -> None:
    """Whoever asked reads of it, and the owner's managers when the borrower acted; nobody reads of their own act.

    What was still waiting to be sent is no longer so: it is taken back, and who was never told that there is something
    need not hear that there is nothing any more.
    """
    back = withdraw(session, about(loan))
    if loan.status == "cancelled":
        back |= withdraw(session, f"booked:{loan.ref}:")
    if loan.kind != "loan":
        return
    facts = facts_of(loan, by=actor.name if actor else "", why=why) | facts
    managers = directory.managers(session, loan.lender_id)
    if act in ("approve_first", "take"):
        _ask(session, actor, loan, act, managers, facts, now)
        return
    unaware = {address for template, address in back if template in FIRST_HEARD}
    readers = [directory.reader(loan.user)]
    from_waiting = loan.details.get("offer") == "slot" and act in ("cancel", "refuse_offer", "lapse")
    borrowed = LIFECYCLE[act].who != CLOCK and (actor is None or loan.lender_id not in actor.staff_ids)
    if (borrowed or act == "lapse") and not from_waiting:
        readers += [one for one in managers if one.email not in unaware]
    others = {reader.user_id: reader for reader in readers if actor is None or reader.user_id != actor.user_id}
    if loan.status == "approved" and "asked" in loan.details and act != "accept":
        template, facts = "reservation_approved_less", facts | {"asked": loan.details["asked"]}
    else:
        template = LETTERS.get(act) or f"reservation_{loan.status}"
    stage = loan.status if act not in LETTERS else act
    post(session, f"{about(loan)}{stage}", template, others.values(), facts, now)


def _ask(
    session: Session,
    actor: Actor | None,
    loan: Reservation,
    act: str,
    managers: Collection[Recipient],
    facts: dict[str, Any],
    now: datetime,
) -> None:
    """The managers have something to decide: a slot of the waiting list was taken, or a second approval is needed."""
    readers = [one for one in managers if actor is None or one.user_id != actor.user_id]
    ask_to_decide(session, loan.id, f"{about(loan)}{act}", readers, facts, now)


# -- time runs out -----------------------------------------------------------------------------------


def by_clock(session: Session, ref: str, now: datetime, tz: ZoneInfo) -> str | None:
    """Do what nobody's answer has led to: the act done, or None when it is not time or somebody answered.

    Silence approves nothing that is not insured, nor what two people have to approve: that expires.
    """
    loan = _locked(session, ref)
    if loan is None or loan.kind != "loan":
        return None
    silence = silence_of(session, loan) if loan.lapses_at and not loan.offered else None
    act = due(loan.status, loan.offered, loan.starts_at, loan.lapses_at, silence, now)
    if act == "silence_approves" and (second_needed(session, loan, tz) or not insured(session, loan, tz)):
        act = "expire"
    if act is not None:
        settle(session, None, loan, act, "", now)
    return act


def expire(session: Session, ref: str, now: datetime) -> bool:
    """Let a request go that nobody answered before its time came. False when it was answered, or it is not time."""
    loan = _locked(session, ref)
    if loan is None or (act := due(loan.status, loan.offered, loan.starts_at, None, None, now)) is None:
        return False
    settle(session, None, loan, act, "", now)
    return True


# -- what letters say --------------------------------------------------------------------------------


def about(loan: Reservation) -> str:
    """How the keys of all letters about a reservation begin."""
    return f"reservation:{loan.ref}:"


def facts_of(loan: Reservation, **more: str) -> dict[str, Any]:
    """What letters say of a reservation, as plain JSON values."""
    held_until = {"lapses_at": loan.lapses_at.isoformat()} if loan.lapses_at and loan.offered else {}
    return {
        "ref": loan.ref,
        "purpose": loan.purpose,
        "borrower": loan.borrower.name,
        "lender": loan.lender.code,
        "place": loan.lender.name,
        "revision": loan.revision,
        "status": loan.status,
        "starts_at": loan.starts_at.isoformat(),
        "ends_at": loan.ends_at.isoformat(),
        "things": [[line.resource.name, line.quantity] for line in loan.lines],
        **held_until,
        **more,
    }


def possible(loan: Any, actor: Actor) -> list[str]:
    """The acts open to somebody, in the table's order, by the name they ask for them."""
    return [
        act
        for act, rule in LIFECYCLE.items()
        if act not in VARIANTS
        and rule.who in LOAN
        and loan.status in rule.sources
        and rule.of_offer in (None, loan.offered)
        and may_loan(actor, rule.who, loan)
    ]
