"""Booking, closing and the life of a loan, through the services, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from sharebank.accounts.actor import Actor
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.core.period import Period, local_period
from sharebank.notifications.models import Letter
from sharebank.reservations import availability, booking, desk
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.rules import (
    BadQuantity,
    Claim,
    Collision,
    InThePast,
    NothingChosen,
    OutOfService,
    ReasonMissing,
    TooFar,
    TooLong,
    TooSoon,
    UnknownOrganisation,
    UnknownResource,
    Use,
    WayOut,
    WrongState,
)
from tests import world
from tests.world import at

pytestmark = pytest.mark.usefixtures("app")
Who = Callable[[str], Actor]
MEMBER, OTHER = "member@example.org", "other@example.org"
STAFF, STAFF_STN = "staff@example.org", "staff.stn@example.org"
ROOM, SMALL, BUS, STN_ROOM, PLATES = "MCNG-R01", "MCNG-R03", "MCNG-V01", "STN-R01", "STN-K03"
HOME = {MEMBER: "CHORALE", OTHER: "ECHECS", STAFF: "MCNG", STAFF_STN: "STN", "admin@example.org": "MCNG"}


@pytest.fixture
def book(actor: Who) -> Callable[..., list[Booked]]:
    """`book(MEMBER, at(…), MCNG_R01=1)`: through the edge, for their own organisation unless said otherwise."""

    def act(who: str, period: Period, wants: dict[str, int], **more: Any) -> list[Booked]:
        do = more.pop("do", desk.reserve)
        body = more.pop("organisation", HOME[who])
        return do(actor(who), Ask(body, more.pop("purpose", f"for {who}"), period, wants, **more))

    return act


Book = Callable[..., list[Booked]]


def rules(**values: Any) -> None:
    with transaction() as session:
        session.execute(update(RuleSet).values(**values))


def stored() -> dict[str, int]:
    """How many rows of each sort there are."""
    session = db.session()
    session.rollback()
    tables = (Reservation, ReservationLine, ReservationEvent, Letter)
    return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


NOTHING = {"reservation": 0, "reservation_line": 0, "reservation_event": 0, "letter": 0}


def letters() -> set[tuple[str, str]]:
    session = db.session()
    session.rollback()
    return {(letter.template, letter.to_address) for letter in session.scalars(select(Letter))}


def loan(ref: str) -> Reservation:
    session = db.session()
    session.rollback()
    session.expire_all()
    return session.scalars(select(Reservation).where(Reservation.ref == ref)).one()


def free(code: str, period: Period) -> int:
    session = db.session()
    session.rollback()
    things = list(catalog.things_by_code(session, [code]).values())
    return availability.free_units(session, things, period)[things[0].id]


# -- what is stored --------------------------------------------------------------------------------


def test_staff_book_their_own_house_at_once(book: Book) -> None:
    [done] = book(STAFF, at(28, "14:00", "18:00"), {ROOM: 1}, purpose="Repas")
    made = loan(done.ref)
    assert (done.status, done.lender, done.outside_hours) == ("approved", "MCNG", True)  # Saturday afternoon
    assert (made.kind, made.status, made.purpose, made.request) == ("loan", "approved", "Repas", made.ref)
    assert (made.lender.code, made.borrower.code, made.user.email) == ("MCNG", "MCNG", STAFF)
    assert Period(made.starts_at, made.ends_at) == at(28, "14:00", "18:00")
    assert [(line.resource.code, line.quantity, line.holds) for line in made.lines] == [(ROOM, 1, True)]
    assert [(event.status, event.user_id, event.at) for event in made.events] == [("approved", made.user_id, world.NOW)]
    assert letters() == {("reservation_approved", STAFF)}


def test_others_ask_and_the_request_holds_the_slot(book: Book) -> None:
    [done] = book(MEMBER, at(27, "14:00", "18:00"), {ROOM: 1})
    assert (done.status, done.outside_hours) == ("requested", False)
    assert letters() == {
        ("reservation_requested", MEMBER),
        ("reservation_to_decide", "manager@example.org"),
        ("reservation_to_decide", "admin@example.org"),
    }
    with pytest.raises(Collision):
        book(STAFF, at(27, "17:00", "19:00"), {ROOM: 1})


def test_several_lenders_one_reservation_each(book: Book) -> None:
    done = book(STAFF, at(28, "09:00", "12:00"), {ROOM: 1, PLATES: 60, SMALL: 1})
    made = [loan(one.ref) for one in done]
    assert [(one.lender.code, one.status) for one in made] == [("MCNG", "approved"), ("STN", "requested")]
    assert [{line.resource.code: line.quantity for line in one.lines} for one in made] == [
        {ROOM: 1, SMALL: 1},
        {PLATES: 60},
    ]
    assert {one.request for one in made} == {made[0].ref}


def test_all_or_nothing(book: Book) -> None:
    book(STAFF_STN, at(28, "10:00", "11:00"), {PLATES: 1})
    before = stored()
    with pytest.raises(Collision) as caught:
        book(MEMBER, at(28, "09:00", "12:00"), {ROOM: 1, PLATES: 60})
    assert [conflict.resource for conflict in caught.value.conflicts] == [PLATES]
    assert stored() == before


def test_the_letter_is_stored_with_the_booking_or_not_at_all(actor: Who) -> None:
    def fail() -> None:
        with transaction() as session:
            ask = Ask("CHORALE", "Répétition", at(28, "14:00", "18:00"), {ROOM: 1})
            booking.book(session, actor(MEMBER), ask, clock.now(), world.PARIS)
            assert session.scalar(select(func.count()).select_from(Letter)) == 3
            raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError):
        fail()
    assert stored() == NOTHING


# -- units -----------------------------------------------------------------------------------------


def test_touching_periods_never_collide(book: Book) -> None:
    for hours in (("10:00", "11:00"), ("09:00", "10:00"), ("11:00", "12:00")):
        book(MEMBER, at(28, *hours), {ROOM: 1})
    assert stored()["reservation"] == 3


def test_a_pool_is_shared_by_its_peak_not_by_the_sum(book: Book) -> None:
    book(MEMBER, at(28, "09:00", "11:00"), {PLATES: 40})
    book(MEMBER, at(28, "11:00", "13:00"), {PLATES: 40})
    assert free(PLATES, at(28, "08:00", "14:00")) == 20
    book(OTHER, at(28, "08:00", "14:00"), {PLATES: 20})
    assert free(PLATES, at(28, "08:00", "14:00")) == 0
    with pytest.raises(Collision) as caught:
        book(OTHER, at(28, "10:30", "11:30"), {PLATES: 1})
    [conflict] = caught.value.conflicts
    assert (conflict.wanted, conflict.quantity, conflict.free) == (1, 60, 0)
    assert conflict.period == at(28, "09:00", "13:00")


def test_more_than_there_are(book: Book) -> None:
    with pytest.raises(Collision) as caught:
        book(MEMBER, at(28, "09:00", "11:00"), {PLATES: 61})
    assert [(c.free, c.quantity) for c in caught.value.conflicts] == [(60, 60)]
    assert [(way.kind, way.quantity) for way in caught.value.ways_out if way.resource == PLATES] == [("less", 60)]
    assert stored() == NOTHING


def test_buffers_widen_what_is_taken(book: Book) -> None:
    rules(buffer_before_min=15, buffer_after_min=30)
    [done] = book(MEMBER, at(28, "10:00", "11:00"), {ROOM: 1})
    [line] = loan(done.ref).lines
    assert Period(line.starts_at, line.ends_at) == at(28, "09:45", "11:30")
    for hours in (("11:44", "12:00"), ("09:00", "09:16")):
        with pytest.raises(Collision):
            book(MEMBER, at(28, *hours), {ROOM: 1})
    book(MEMBER, at(28, "11:45", "12:00"), {ROOM: 1})
    book(MEMBER, at(28, "09:00", "09:15"), {ROOM: 1})


def test_what_is_busy_is_merged_and_cut(book: Book) -> None:
    book(MEMBER, at(28, "09:00", "11:00"), {PLATES: 10})
    book(MEMBER, at(28, "11:00", "12:00"), {PLATES: 10})
    book(MEMBER, at(28, "11:30", "14:00"), {PLATES: 5})
    session = db.session()
    thing = catalog.things_by_code(session, [PLATES])[PLATES]
    assert availability.busy(session, thing, at(28, "10:00", "13:00")) == [
        Use(at(28, "10:00", "11:30"), 10),
        Use(at(28, "11:30", "12:00"), 15),
        Use(at(28, "12:00", "13:00"), 5),
    ]


def test_a_long_loan_is_found_from_its_middle(book: Book) -> None:
    book(STAFF, at(2, "09:00", "09:00", month=12, until=5), {BUS: 1})
    book(STAFF, at(6, "09:00", "10:00", month=12), {BUS: 1})
    session = db.session()
    thing = catalog.things_by_code(session, [BUS])[BUS]
    found = availability.claims(session, [thing], at(4, "09:00", "10:00", month=12))
    assert found[thing.id] == [Claim(at(2, "09:00", "09:00", month=12, until=5), 1)]


# -- limits ----------------------------------------------------------------------------------------

SOON, FAR = at(23, "10:00", "11:00"), local_period(datetime(2027, 11, 22, 10), datetime(2027, 11, 22, 11), world.PARIS)  # noqa: DTZ001
PAST, LONG = at(20, "10:00", "11:00"), at(26, "10:00", "10:01", until=29)


LIMITS = (
    (MEMBER, SOON, TooSoon),
    (MEMBER, FAR, TooFar),
    (MEMBER, PAST, InThePast),
    (MEMBER, LONG, TooLong),
    (STAFF_STN, SOON, TooSoon),  # staff, but of the other house
    (STAFF_STN, PAST, InThePast),
    (STAFF, LONG, TooLong),
)


def test_limits_of_the_rule_set(book: Book) -> None:
    rules(min_notice_days=3, max_advance_days=365, max_duration_hours=72)
    for who, period, refusal in LIMITS:
        with pytest.raises(refusal):
            book(who, period, {BUS: 1})
    assert stored() == NOTHING
    # The owner's staff are not held to notice and advance.
    assert [book(STAFF, period, {BUS: 1})[0].status for period in (SOON, FAR, PAST)] == ["approved"] * 3


UNASKABLE = (
    ({}, "CHORALE", NothingChosen),
    ({"MCNG-X99": 1}, "CHORALE", UnknownResource),
    ({ROOM: 0}, "CHORALE", BadQuantity),
    ({ROOM: -1}, "CHORALE", BadQuantity),
    ({ROOM: 1}, "NOBODY", UnknownOrganisation),
    ({ROOM: 1}, "ECHECS", UnknownOrganisation),  # not theirs to book for
    ({BUS: 1}, "CHORALE", OutOfService),
)


def test_what_cannot_be_asked_for(book: Book) -> None:
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == BUS).values(in_service=False))
    for wants, body, refusal in UNASKABLE:
        with pytest.raises(refusal):
            book(MEMBER, at(28, "10:00", "11:00"), wants, organisation=body)
    assert stored() == NOTHING


def test_staff_book_for_those_attached_to_their_house(book: Book) -> None:
    assert (
        loan(book(STAFF, at(28, "10:00", "11:00"), {ROOM: 1}, organisation="CHORALE")[0].ref).borrower.code == "CHORALE"
    )
    with pytest.raises(UnknownOrganisation):
        book(STAFF, at(28, "12:00", "13:00"), {ROOM: 1}, organisation="ECHECS")


def test_a_week_end_is_72_hours_also_when_clocks_change(book: Book) -> None:
    """26 to 29 March 2027: 71 hours go by; 28 March has no half past two."""
    week_end = local_period(datetime(2027, 3, 26, 18), datetime(2027, 3, 29, 18), world.PARIS)  # noqa: DTZ001
    assert week_end.length == timedelta(hours=71)
    [done] = book(MEMBER, week_end, {BUS: 1})
    assert loan(done.ref).ends_at - loan(done.ref).starts_at == timedelta(hours=71)
    autumn = local_period(datetime(2027, 10, 29, 18), datetime(2027, 11, 1, 18), world.PARIS)  # noqa: DTZ001
    assert autumn.length == timedelta(hours=73)
    book(MEMBER, autumn, {BUS: 1})


# -- closures --------------------------------------------------------------------------------------


def test_a_closure_holds_and_says_it_is_one(book: Book) -> None:
    rules(buffer_before_min=15, buffer_after_min=15)
    [done] = book(STAFF, at(28, "10:00", "11:00"), {ROOM: 1}, do=desk.close, purpose="Peinture")
    made = loan(done.ref)
    assert (made.kind, made.status, letters()) == ("closure", "approved", set())
    assert [Period(line.starts_at, line.ends_at) for line in made.lines] == [at(28, "10:00", "11:00")]
    with pytest.raises(Collision) as caught:
        book(MEMBER, at(28, "10:30", "11:30"), {ROOM: 1})
    assert [conflict.closed for conflict in caught.value.conflicts] == [True]


def test_a_closure_cannot_push_a_loan_aside(book: Book, actor: Who) -> None:
    [done] = book(MEMBER, at(28, "10:00", "11:00"), {ROOM: 1}, purpose="Concert")
    with pytest.raises(Collision) as caught:
        book(STAFF, at(28, "08:00", "20:00"), {ROOM: 1}, do=desk.close)
    assert [(c.holders, c.closed) for c in caught.value.conflicts] == [(("Concert",), False)]
    desk.change(actor(STAFF), done.ref, "decline", "Peinture")
    book(STAFF, at(28, "08:00", "20:00"), {ROOM: 1}, do=desk.close)


def test_only_the_owners_staff_close_and_only_something(book: Book) -> None:
    for who, wants, refusal in (
        (MEMBER, {ROOM: 1}, NotAllowed),
        (STAFF_STN, {ROOM: 1}, NotAllowed),
        (STAFF, {ROOM: 1, PLATES: 1}, NotAllowed),
        (STAFF, {}, NothingChosen),
    ):
        with pytest.raises(refusal):
            book(who, at(28, "10:00", "11:00"), wants, do=desk.close)
    assert stored() == NOTHING


def test_a_closure_of_two_houses_belongs_to_each(book: Book) -> None:
    done = book("admin@example.org", at(28, "10:00", "11:00"), {ROOM: 1, STN_ROOM: 1}, do=desk.close)
    assert [(loan(one.ref).lender.code, loan(one.ref).borrower.code) for one in done] == [
        ("MCNG", "MCNG"),
        ("STN", "STN"),
    ]


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
    rules(min_notice_days=6)
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
