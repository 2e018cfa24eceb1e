"""Booking and closing through the services, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed
from sharebank.core.period import Period, local_period
from sharebank.notifications.models import Letter
from sharebank.reservations import availability, booking, desk
from sharebank.reservations.booking import Ask
from sharebank.reservations.rules import (
    BadQuantity,
    Claim,
    Collision,
    InThePast,
    NothingChosen,
    OutOfService,
    TooFar,
    TooLong,
    TooSoon,
    UnknownOrganisation,
    UnknownResource,
    Use,
)
from tests import world
from tests.counter import (
    BUS,
    MEMBER,
    NOTHING,
    OTHER,
    PLATES,
    ROOM,
    SMALL,
    STAFF,
    STAFF_STN,
    STN_ROOM,
    Book,
    Who,
    book,
    free,
    letters,
    loan,
    rules,
    stored,
)
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")


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
    rules(notice={"days": 3})
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
    assert free(BUS, at(28, "10:00", "11:00")) == 0


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
