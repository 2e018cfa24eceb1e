"""The state machine, walked: every state, every act, every role, against a table written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.db import transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from sharebank.reservations.deciding import decisions
from sharebank.reservations.deciding.decisions import Slot
from sharebank.reservations.models import Reservation
from sharebank.reservations.states import LIFECYCLE, WrongState
from tests import world
from tests.world import at

PERIOD = at(28, "14:00", "18:00")
SITUATIONS = ("requested", "offered", "approved", "collected", "returned", "declined", "cancelled", "expired")
ROLES = {
    "borrower's member": "member@example.org",
    "other association's member": "other@example.org",
    "owner's staff": "staff@example.org",
    "owner's manager": "manager@example.org",
    "other house's staff": "staff.stn@example.org",
    "other house's manager": "manager.stn@example.org",
    "admin": "admin@example.org",
    "clock": "",
}
STRANGERS = {"other association's member", "other house's staff", "other house's manager"}
BORROWER = {"borrower's member"}
MANAGERS = {"owner's manager", "admin"}
LENDER = {"owner's staff"} | MANAGERS
CLOCK = {"clock"}

# By hand: who may, and what each situation becomes. Whatever is not written here is refused.
EXPECTED: dict[str, tuple[set[str], dict[str, str]]] = {
    "approve": (LENDER, {"requested": "approved"}),
    "approve_first": (LENDER, {"requested": "requested"}),
    "approve_second": (MANAGERS, {"requested": "approved"}),
    "approve_less": (LENDER, {"requested": "approved"}),
    "propose": (LENDER, {"requested": "offered"}),
    "decline": (LENDER, {"requested": "declined"}),
    "accept": (BORROWER, {"offered": "approved"}),
    "take": (BORROWER, {"offered": "requested"}),
    "refuse_offer": (BORROWER, {"offered": "cancelled"}),
    "cancel": (BORROWER | LENDER, {"requested": "cancelled", "offered": "cancelled", "approved": "cancelled"}),
    "recall": (MANAGERS, {"approved": "cancelled"}),
    "collect": (LENDER, {"approved": "collected"}),
    "return": (LENDER, {"collected": "returned"}),
    "expire": (CLOCK, {"requested": "expired"}),
    "silence_approves": (CLOCK, {"requested": "approved"}),
    "silence_declines": (CLOCK, {"requested": "declined"}),
    "lapse": (CLOCK, {"offered": "expired"}),
}
SILENCE = {"silence_approves": "approve", "silence_declines": "decline"}
HOLDS = {"requested", "offered", "approved", "collected"}


def expected(situation: str, act: str, role: str) -> str:
    who, becomes = EXPECTED[act]
    if role in STRANGERS:
        return "not found"
    if role == "clock":
        return becomes.get(situation, "nothing") if who == CLOCK else "nothing"
    if role not in who:
        return "not allowed"
    return becomes.get(situation, "wrong state")


@pytest.fixture
def ref(app: Flask, actor: Callable[[str], Actor]) -> str:
    with transaction() as session:
        ask = Ask("CHORALE", "Répétition", PERIOD, {"MCNG-R01": 1})
        return booking.book(session, actor("member@example.org"), ask, world.NOW, world.PARIS)[0].ref


def test_every_state_act_and_role(ref: str, actor: Callable[[str], Actor], monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether the rules let a house recall is asked in tests/services/test_decisions.py.
    monkeypatch.setattr(lifecycle, "check_recall", lambda *_: None)
    people = {role: actor(email) if email else None for role, email in ROLES.items()}
    assert set(EXPECTED) == set(LIFECYCLE)
    wrong = []
    with transaction() as session:
        for situation in SITUATIONS:
            with session.begin_nested() as before:
                put(session, ref, situation)
                for act, (role, person) in product(EXPECTED, people.items()):
                    monkeypatch.setattr(lifecycle, "silence_of", lambda *_, act=act: SILENCE.get(act))
                    found = attempt(session, ref, act, person)
                    if found != expected(situation, act, role):
                        wrong.append(f"{situation}: {act} by {role}: {found}, not {expected(situation, act, role)}")
                before.rollback()
    assert not wrong, "\n".join(wrong)


def put(session: Session, ref: str, situation: str) -> None:
    loan = session.scalars(select(Reservation).where(Reservation.ref == ref)).one()
    loan.status, loan.offered = ("requested", True) if situation == "offered" else (situation, False)
    loan.details = {"offer": "proposal"} if loan.offered else {}
    session.flush()


def attempt(session: Session, ref: str, act: str, person: Actor | None) -> str:
    """What comes of it, undone again: the new situation, or the refusal."""
    with session.begin_nested() as draft:
        try:
            return found(session, ref, act, person)
        except NotFound:
            return "not found"
        except NotAllowed:
            return "not allowed"
        except WrongState:
            return "wrong state"
        finally:
            if draft.is_active:
                draft.rollback()
            session.expire_all()


def found(session: Session, ref: str, act: str, person: Actor | None) -> str:
    if person is None:
        if not by_clock(session, ref, act):
            return "nothing"
    else:
        move(session, ref, act, person)
    session.expire_all()
    loan = session.scalars(select(Reservation).where(Reservation.ref == ref)).one()
    situation = "offered" if loan.offered else loan.status
    assert {line.holds for line in loan.lines} == {situation in HOLDS}
    assert loan.events[-1].status == loan.status
    assert loan.events[-1].user_id == (person and person.user_id)
    assert (Period(loan) != PERIOD) == (LIFECYCLE[act].slot in ("moves", "shrinks"))
    return situation


def Period(loan: Reservation) -> world.Period:  # noqa: N802 - reads as the value it makes
    return world.Period(loan.starts_at, loan.ends_at)


def move(session: Session, ref: str, act: str, person: Actor) -> None:
    now, tz = world.NOW, world.PARIS
    if act == "approve_less":
        decisions.approve_less(session, person, ref, Slot(at(28, "15:00", "17:00"), {}), "", now, tz)
    elif act == "propose":
        decisions.propose(session, person, ref, Slot(at(29, "14:00", "18:00"), {}), "", now, tz)
    else:
        lifecycle.change(session, person, ref, act, "because", now, tz)


def by_clock(session: Session, ref: str, act: str) -> bool:
    """At the moment this act would be due; of what people do, the clock does nothing, whenever it looks."""
    loan = session.scalars(select(Reservation).where(Reservation.ref == ref)).one()
    if act in SILENCE:
        loan.lapses_at = world.NOW - timedelta(hours=1)
        session.flush()
    moment = PERIOD.start if act in ("expire", "lapse") else world.NOW
    done = lifecycle.by_clock(session, ref, moment, world.PARIS)
    # An offer whose time has come lapses, whatever else the clock was asked about.
    return done == act
