"""Answers other than yes and no: approve less than was asked for, propose another slot, say where else to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.catalog import service as catalog
from sharebank.core.errors import N_, Refused
from sharebank.core.period import Period
from sharebank.reservations import lifecycle
from sharebank.reservations.availability import claims, hold_of, shortage, widest
from sharebank.reservations.deciding.judging import quote_again
from sharebank.reservations.gate import check_act
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision, InThePast
from sharebank.reservations.states import PROPOSAL_STANDS, lapse_of, transition


class NotLess(Refused):
    """What the borrower has not asked for, they are asked about first."""

    code = "not_less"
    sentence = N_("This is not part of what was asked for. Propose another slot: the borrower then says yes or no.")


class NothingLess(Refused):
    """It is what was asked for: that is approved as it is."""

    code = "nothing_less"
    sentence = N_("Nothing is changed here. Change a number or an hour.")


class MoreThanAsked(Refused):
    """A house does not lend more than it was asked for."""

    code = "more_than_asked"
    sentence = N_("%(asked)s were asked for: %(thing)s cannot be more than that.")


@dataclass(frozen=True, slots=True)
class Slot:
    """What the house can lend instead: when, and how many of each thing by code; 0 leaves a thing out."""

    period: Period
    wants: Mapping[str, int]


def approve_less(
    session: Session,
    actor: Actor,
    ref: str,
    slot: Slot,
    why: str,
    now: datetime,
    tz: ZoneInfo,
    override: str = "",
) -> Reservation:
    """Approve fewer units, or other hours that touch those asked for; the borrower is told exactly what changed.

    Raises what `lifecycle.change` does, NotLess, MoreThanAsked, NothingLess, and Collision.
    """
    loan = lifecycle.held(session, actor, ref, "approve_less")
    transition("approve_less", loan.status, why, loan.offered)
    asked = Period(loan.starts_at, loan.ends_at)
    if not slot.period.overlaps(asked) or slot.period.length > asked.length:
        raise NotLess("starts_at")
    _rewrite(session, loan, slot, now)
    loan.quote = quote_again(session, loan, tz)
    kept = check_act(session, actor, loan, "approve", now, tz, override)
    act = lifecycle.variant(session, actor, loan, "approve_less", tz)
    return lifecycle.settle(session, actor, loan, act, why.strip(), now, kept=kept)


def propose(session: Session, actor: Actor, ref: str, slot: Slot, why: str, now: datetime, tz: ZoneInfo) -> Reservation:
    """Answer a request with another slot, held until the borrower says yes or no, or `lapses_at`.

    The reservation itself moves there: it never stands in its own way, and one reference tells the whole story.
    Raises NotFound, NotAllowed, WrongState, MoreThanAsked, NothingLess, InThePast, and Collision.
    """
    loan = lifecycle.held(session, actor, ref, "propose")
    transition("propose", loan.status, why, loan.offered)
    _rewrite(session, loan, slot, now)
    loan.quote = quote_again(session, loan, tz)
    loan.details = {**loan.details, "offer": "proposal"}
    loan.lapses_at = lapse_of(PROPOSAL_STANDS, now, slot.period.start)
    return lifecycle.settle(session, actor, loan, "propose", why.strip(), now)


def _rewrite(session: Session, loan: Reservation, slot: Slot, now: datetime) -> None:
    """Make the reservation what the slot says, keep what it was, and look whether that is free, under the lock."""
    if slot.period.start < now:
        raise InThePast("starts_at")
    asked = asked_of(loan)
    wants = {line.resource.code: slot.wants.get(line.resource.code, line.quantity) for line in loan.lines}
    for line in loan.lines:
        if not 0 <= wants[line.resource.code] <= line.quantity:
            raise MoreThanAsked("lines", asked=line.quantity, thing=line.resource.name)
    if not any(wants.values()):
        raise NothingLess("lines")
    same = slot.period == Period(loan.starts_at, loan.ends_at)
    if same and all(wants[line.resource.code] == line.quantity for line in loan.lines):
        raise NothingLess("lines")
    things = catalog.things_by_code(session, [code for code, quantity in wants.items() if quantity])
    locked = catalog.lock_calendars(session, things.values())
    taken = claims(session, locked, widest(locked, slot.period), but=[loan.id])
    short = [shortage(one, taken[one.id], wants[one.code], hold_of(one, slot.period)) for one in locked]
    if conflicts := [conflict for conflict in short if conflict]:
        raise Collision(conflicts)
    # Fewer first, then elsewhere: where it goes there may be room for the fewer only, and the guards look at each step.
    for line in list(loan.lines):
        if wants[line.resource.code]:
            line.quantity = wants[line.resource.code]
        else:
            loan.lines.remove(line)
    session.flush()
    loan.starts_at, loan.ends_at = slot.period.start, slot.period.end
    loan.details = {**loan.details, "asked": loan.details.get("asked", asked)}
    session.flush()
    for line in loan.lines:
        session.refresh(line)  # moved by the database, buffers kept


def asked_of(loan: Reservation) -> dict[str, Any]:
    """What it is now, as it is kept once it becomes something else."""
    return {
        "starts_at": loan.starts_at.isoformat(),
        "ends_at": loan.ends_at.isoformat(),
        "things": [[line.resource.name, line.quantity] for line in loan.lines],
    }
