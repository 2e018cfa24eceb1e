"""What is owed after the return, or for cancelling late: reckoned by the rules, explained, corrected with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan, require
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.lending.facts import Record
from sharebank.lending.prices import Quote, charges
from sharebank.lending.saying import pack
from sharebank.lending.terms import Terms, read_terms
from sharebank.notifications.service import post, withdraw
from sharebank.reservations import cancelling
from sharebank.reservations.handover import handover
from sharebank.reservations.handover.handover_models import Charge, HandoverLine
from sharebank.reservations.handover.handover_rules import Found, record
from sharebank.reservations.lifecycle import about, facts_of, held
from sharebank.reservations.models import Reservation
from sharebank.reservations.states import ReasonMissing, WrongState

MOST_FAULT_DAYS = 90
FAULT_DAYS = 8
"""How long after the return a fault may still be charged where the rules say nothing."""
MOST_WORDS = 300
"""Letters of what somebody says of a fault."""
NOTICED = N_("Noticed afterwards: %(words)s")
FOUND = N_("Noticed at the return: %(words)s")


class TooLateToCharge(Refused):
    """The days the owner has to report a fault are over."""

    code = "too_late_to_charge"
    sentence = N_("A fault is charged within %(days)s days after the return: until %(until)s.")


@dataclass(frozen=True, slots=True)
class Bill:
    """What a loan costs in the end."""

    charges: tuple[Charge, ...]
    deposit_cents: int
    total_cents: int

    @property
    def unsaid(self) -> bool:
        """Is the amount of one of them still to be said? The total is without it."""
        return any(charge.unsaid for charge in self.charges)

    @property
    def from_deposit_cents(self) -> int:
        """What the deposit covers."""
        return min(self.deposit_cents, self.total_cents)

    @property
    def to_pay_cents(self) -> int:
        """What it does not."""
        return self.total_cents - self.from_deposit_cents


# -- the return, or the cancelling -----------------------------------------------------------------


def after_change(
    session: Session, actor: Actor | None, loan: Reservation, act: str, now: datetime, *, tz: ZoneInfo
) -> None:
    """When a loan is over, what is owed is written down; the clock cancels at nobody's cost."""
    if act == "return" and loan.kind == "loan":
        _brought_back(session, actor, loan, now)
    elif act == "cancel" and actor is not None and [event.status for event in loan.events][-2:-1] == ["approved"]:
        _called_off(session, actor, loan, now, tz)


def _called_off(session: Session, actor: Actor, loan: Reservation, now: datetime, tz: ZoneInfo) -> None:
    """By the borrower, or by the house in their name, after it was approved."""
    rules = [(line.resource.name, line.resource.rule_set) for line in loan.lines] if loan.quote else []
    things = [(name, read_terms(rule_set.name, rule_set.terms)) for name, rule_set in rules]
    found = cancelling.fees(loan, things, now, tz)
    for cents, why in found:
        facts = {name: pack(fact) for name, fact in why.facts.items()}
        owed = {"kind": "cancellation", "cents": cents, "sentence": why.sentence, "facts": facts, "at": now}
        session.add(Charge(reservation_id=loan.id, **owed))
    if found:
        session.flush()
        _tell(session, actor, loan, now)


def _brought_back(session: Session, actor: Actor | None, loan: Reservation, now: datetime) -> None:
    """The last of it: its lines say again what it was."""
    handover.whole_again(session, loan)
    done = handover.meetings(session, loan.id)
    out, back = handover.went_out(done), handover.came_back(done)
    late = max(timedelta(), now - loan.ends_at)
    quote = Quote.from_json(loan.quote) if loan.quote else None
    last = done[-1].id if done and done[-1].kind == "return" else None
    once: set[tuple[str, str]] = set()
    for line in loan.lines:
        thing = line.resource
        before = out[thing.id].facts if thing.id in out else {}
        found = back.get(thing.id, Found(line.quantity))
        seen = record(thing.name, thing.kind, line.quantity, before, found, late, thing.replacement_value_cents)
        for charge in _of_one(read_terms(thing.rule_set.name, thing.rule_set.terms), seen, quote, once):
            session.add(
                Charge(
                    reservation_id=loan.id,
                    handover_id=last,
                    kind=charge.kind,
                    cents=charge.cents,
                    sentence=charge.sentence,
                    facts={name: pack(fact) for name, fact in charge.facts.items()},
                    at=now,
                )
            )
    session.flush()
    _tell(session, actor, loan, now)


def _of_one(terms: Terms, seen: Record, quote: Quote | None, once: set[tuple[str, str]]) -> Sequence[Any]:
    """The charges of one line; a loan is late once, and cleaned once, however many things of one rule set it holds."""
    if (terms.name, "late") in once:
        seen = replace(seen, late=timedelta())
    if seen.unclean and (terms.name, "unclean") in once:
        seen = replace(seen, unclean=False)
    once.add((terms.name, "late"))
    if seen.unclean:
        once.add((terms.name, "unclean"))
    return charges(terms, seen, quote)


# -- staff ------------------------------------------------------------------------------------------


def add(
    session: Session, actor: Actor, ref: str, cents: int, words: str, now: datetime, line: HandoverLine | None = None
) -> Charge:
    """Charge a fault noticed late, or one that a `line` of this loan's return tells.

    Raises NotFound, NotAllowed, WrongState, ReasonMissing, TooLateToCharge.
    """
    loan = held(session, actor, ref, "return")
    if loan.status != "returned":
        raise WrongState(state=loan.status)
    if not words.strip():
        raise ReasonMissing("words")
    returned = next(event.at for event in reversed(loan.events) if event.status == "returned")
    days = fault_days(loan)
    if now > returned + timedelta(days=days):
        raise TooLateToCharge("words", days=days, until=returned + timedelta(days=days))
    charge = Charge(
        reservation_id=loan.id,
        handover_id=line.handover_id if line else None,
        kind="damage",
        cents=cents,
        sentence=FOUND if line else NOTICED,
        facts={"words": words.strip()} | ({"thing": line.resource.name} if line else {}),
        at=now,
        user_id=actor.user_id,
    )
    session.add(charge)
    session.flush()
    _tell(session, actor, loan, now)
    return charge


def fault_days(loan: Reservation) -> int:
    """How many days after the return the owner may still report a fault: the most any of its rule sets gives."""
    rules = [read_terms(rule_set.name, rule_set.terms) for rule_set in {line.resource.rule_set for line in loan.lines}]
    return max(
        (days for terms in rules if (days := (terms.get("charges") or {}).get("report_days"))), default=FAULT_DAYS
    )


def correct(session: Session, actor: Actor, charge_id: int, cents: int, why: str, now: datetime) -> Charge:
    """Set what is owed of a charge, 0 to waive it, with a reason that is kept.

    Raises NotFound, NotAllowed, ReasonMissing.
    """
    charge = of_id(session, actor, charge_id)
    held(session, actor, charge.reservation.ref, "return")
    if not why.strip():
        raise ReasonMissing("why")
    charge.corrected_cents, charge.why = cents, why.strip()
    charge.corrected_at, charge.corrected_by_id = now, actor.user_id
    session.flush()
    _tell(session, actor, charge.reservation, now)
    return charge


def of_id(session: Session, actor: Actor, charge_id: int) -> Charge:
    """One charge that the actor may correct; raises NotFound, NotAllowed."""
    charge = session.get(Charge, charge_id, populate_existing=True)
    if charge is None or not may_loan(actor, "see", charge.reservation):
        raise NotFound
    require(may_loan(actor, "return", charge.reservation))
    return charge


# -- reading ------------------------------------------------------------------------------------------


def bill(session: Session, loan: Any) -> Bill:
    """What is owed of a loan, against its deposits in money; `loan` is a row or a stored reservation."""
    query = select(Charge).where(Charge.reservation_id == loan.id).order_by(Charge.id)
    found = tuple(session.scalars(query.options(joinedload(Charge.corrected_by))))
    taken = loan.quote and loan.status != "cancelled"
    quote = Quote.from_json(loan.quote) if taken else Quote()
    deposits = sum(one.cents for one in quote.deposits if one.kind == "money")
    return Bill(found, deposits, sum(charge.due_cents for charge in found))


def _tell(session: Session, actor: Actor | None, loan: Reservation, now: datetime) -> None:
    """Whoever asked reads what is owed; a list that has not left yet gives way to the newer one."""
    owed = bill(session, loan)
    withdraw(session, f"{about(loan)}charges:")
    if not owed.charges or (actor and actor.user_id == loan.user_id):
        return  # nobody reads of their own act
    facts = facts_of(loan) | {
        "charges": [[one.sentence, one.facts, None if one.unsaid else one.due_cents, one.why] for one in owed.charges],
        "total_cents": owed.total_cents,
        "deposit_cents": owed.deposit_cents,
        "to_pay_cents": owed.to_pay_cents,
    }
    stage = f"{now.timestamp():.0f}:" + "-".join(str(amount) for _, _, amount, _ in facts["charges"])
    post(session, f"{about(loan)}charges:{stage}", "loan_charges", [directory.reader(loan.user)], facts, now)
