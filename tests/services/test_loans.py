"""The life of a loan, and refusals that say why and offer ways out, on both databases."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import delete

from sharebank.catalog.models import RuleSet
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.notifications.models import Letter
from sharebank.reservations import booking, desk
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision, WayOut
from sharebank.reservations.states import ReasonMissing, WrongState
from tests import world
from tests.counter import (
    MEMBER,
    OTHER,
    PLATES,
    ROOM,
    STAFF,
    STAFF_STN,
    STN_ROOM,
    Book,
    Who,
    book,
    free,
    loan,
    rules,
    stored,
)
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")


# -- the life of a loan ----------------------------------------------------------------------------


LIVES = (
    ((), True),
    (("approve",), True),
    (("approve", "collect"), True),
    (("approve", "collect", "return"), False),
    (("approve", "cancel"), False),
    (("cancel",), False),
    (("decline",), False),
)


def test_what_gives_units_back(book: Book, actor: Who) -> None:
    for day, (acts, still_taken) in enumerate(LIVES, 1):
        period = at(day, "10:00", "11:00", month=12)
        [done] = book(MEMBER, period, {ROOM: 1})
        for act in acts:
            desk.change(actor(STAFF), done.ref, act, "parce que")
        assert len(loan(done.ref).events) == 1 + len(acts)
        assert free(ROOM, period) == (0 if still_taken else 1), acts
        if still_taken:
            with pytest.raises(Collision):
                book(OTHER, period, {ROOM: 1})
        else:
            book(OTHER, period, {ROOM: 1})


def test_who_may_move_a_loan_on(book: Book, actor: Who) -> None:
    [done] = book(MEMBER, at(28, "10:00", "11:00"), {ROOM: 1})
    for who, act, why, refusal in (
        (OTHER, "cancel", "", NotFound),
        (STAFF_STN, "approve", "", NotFound),
        (MEMBER, "approve", "", NotAllowed),
        (STAFF, "decline", "  ", ReasonMissing),
        (STAFF, "return", "", WrongState),
    ):
        with pytest.raises(refusal):
            desk.change(actor(who), done.ref, act, why)
    with pytest.raises(NotFound):
        desk.change(actor(STAFF), "R26-NOBODY", "approve")
    assert len(loan(done.ref).events) == 1
    desk.change(actor(MEMBER), done.ref, "cancel")
    with pytest.raises(WrongState):
        desk.change(actor(MEMBER), done.ref, "cancel")


# -- refusals and ways out -------------------------------------------------------------------------


def test_every_way_out_can_be_taken(book: Book) -> None:
    """Fewer, at another time, elsewhere: what is offered is then booked, each from the same calendar."""
    book(MEMBER, at(27, "10:00", "12:00"), {ROOM: 1, PLATES: 40})
    asked = at(27, "11:00", "13:00")
    offered: list[WayOut] = []
    for code, quantity in ((ROOM, 1), (PLATES, 30)):
        with pytest.raises(Collision) as caught:
            book(OTHER, asked, {code: quantity})
        offered += caught.value.ways_out
    assert {(way.kind, way.resource) for way in offered} == {
        ("slot", ROOM),
        ("elsewhere", STN_ROOM),
        ("less", PLATES),
        ("slot", PLATES),
    }
    slots = [way.period for way in offered if way.kind == "slot" and way.resource == ROOM]
    assert slots[0] == at(27, "12:00", "14:00")
    assert [(way.quantity, way.period) for way in offered if way.kind == "less"] == [(20, asked)]
    before = stored()
    for way in offered:
        [done] = book(OTHER, way.period, {way.resource: way.quantity})
        with transaction() as session:
            session.execute(delete(Letter).where(Letter.key.contains(done.ref)))
            session.execute(delete(Reservation).where(Reservation.ref == done.ref))
    assert stored() == before


def test_slots_offered_keep_to_opening_hours_and_notice(book: Book) -> None:
    """Wished on Friday within hours: no offer on Friday night, on Sunday, or before the notice ends."""
    rules(notice={"days": 6})
    book(STAFF, at(27, "08:30", "19:00"), {ROOM: 1})
    with pytest.raises(Collision) as caught:
        book(MEMBER, at(27, "14:00", "17:00"), {ROOM: 1})
    slots = [way.period for way in caught.value.ways_out if way.kind == "slot"]
    assert slots
    for slot in slots:
        assert slot.start >= at(27, "00:00", "01:00").start
        local = slot.start.astimezone(world.PARIS)
        assert local.weekday() < 6
        assert (local.hour, local.minute) >= (8, 30)


def test_who_has_it_is_told_to_those_who_may_know(book: Book) -> None:
    book(MEMBER, at(28, "10:00", "11:00"), {PLATES: 30}, purpose="Noces d’or")
    book(MEMBER, at(28, "11:00", "12:00"), {PLATES: 30}, purpose="Bal", public=True)
    told = {}
    for who in (MEMBER, OTHER, STAFF, STAFF_STN, "admin@example.org"):
        with pytest.raises(Collision) as caught:
            book(who, at(28, "10:00", "12:00"), {PLATES: 60})
        told[who] = caught.value.conflicts[0].holders
    both = ("Noces d’or", "Bal")
    assert told == {
        MEMBER: both,
        OTHER: ("Bal",),
        STAFF: ("Bal",),
        STAFF_STN: both,
        "admin@example.org": both,
    }


def test_should_the_check_miss_it_the_database_refuses(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that looked nowhere still cannot book twice, and the person reads the same refusal."""
    book(MEMBER, at(28, "10:00", "11:00"), {ROOM: 1})
    before = stored()
    monkeypatch.setattr(booking, "_refuse_collisions", lambda *_: None)
    with pytest.raises(Collision) as caught:
        book(OTHER, at(28, "10:00", "11:00"), {ROOM: 1})
    assert caught.value.ways_out
    assert stored() == before


def test_the_same_reference_drawn_twice_is_drawn_again(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["R26-TWICE2", "R26-TWICE2", "R26-TWICE2", "R26-ANTHR3"])
    monkeypatch.setattr(booking, "new_ref", lambda *_: next(drawn))
    refs = [book(MEMBER, at(28, *hours), {ROOM: 1})[0].ref for hours in (("10:00", "11:00"), ("12:00", "13:00"))]
    assert refs == ["R26-TWICE2", "R26-ANTHR3"]


def test_nothing_is_written_outside_a_transaction(app: Flask) -> None:
    session = db.session()
    session.add(RuleSet(name="stray"))
    with pytest.raises(RuntimeError, match="outside"), transaction():
        pass
    session.rollback()
