"""The waiting list: first come first, each a day, and whatever frees goes to exactly one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import Period
from sharebank.reservations import booking, desk, lifecycle
from sharebank.reservations.asking import Details
from sharebank.reservations.booking import Ask
from sharebank.reservations.deciding import decisions
from sharebank.reservations.deciding.decisions import Slot
from sharebank.reservations.deciding.judging import details_of
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import (
    InThePast,
    NotEnough,
    NotPromised,
    OutOfService,
    RuleBroken,
    UnknownOrganisation,
    UnknownResource,
)
from sharebank.reservations.states import NotOffered, WrongState
from sharebank.reservations.waiting import offers, waiting
from sharebank.reservations.waiting.waiting import FreeNow, WaitsAlready, WaitsForTooMuch
from sharebank.reservations.waiting.waiting_models import WaitingEntry
from tests.counter import (
    BUS,
    HOME,
    MEMBER,
    OTHER,
    PLATES,
    PRICES,
    ROOM,
    SMALL,
    STAFF,
    STN_ROOM,
    Book,
    Who,
    book,
    free,
    loan,
    register,
    rules,
)
from tests.services.test_decisions import at_once, letters, words
from tests.world import NOW, PARIS, at

__all__ = ["book"]  # the fixture
MANAGER = "manager@example.org"
WHEN = at(28, "14:00", "18:00")
DAY = timedelta(days=1)

Wait = Callable[..., list[int]]


@pytest.fixture
def wait(actor: Who) -> Wait:
    """`wait(OTHER, WHEN, {ROOM: 1})`: stands in line; the ids of the entries."""

    def act(who: str, period: Period, wants: dict[str, int], now: Any = NOW, **more: Any) -> list[int]:
        ask = Ask(more.pop("organisation", HOME[who]), f"for {who}", period, wants, **more)
        with transaction() as session:
            return [entry.id for entry in waiting.wait(session, actor(who), ask, now, PARIS)]

    return act


def states() -> list[str]:
    """Of all entries, in the order of the line."""
    session = db.session()
    session.rollback()
    session.expire_all()
    return list(session.scalars(select(WaitingEntry.state).order_by(WaitingEntry.created_at, WaitingEntry.id)))


def held() -> list[Reservation]:
    """What is offered at present."""
    session = db.session()
    session.rollback()
    session.expire_all()
    return list(session.scalars(select(Reservation).where(Reservation.offered).order_by(Reservation.id)))


def change(actor: Who, who: str, ref: str, act: str, why: str = "", now: Any = NOW) -> None:
    with transaction() as session:
        lifecycle.change(session, actor(who), ref, act, why, now, PARIS)


# -- standing in line --------------------------------------------------------------------------------


def test_nobody_waits_for_what_they_could_not_have(book: Book, wait: Wait) -> None:
    book(STAFF, WHEN, {ROOM: 1, SMALL: 1})
    for wants, period, more, refusal in (
        ({"NO-SUCH": 1}, WHEN, {}, UnknownResource),
        ({PLATES: 61}, WHEN, {}, NotEnough),
        ({ROOM: 1}, at(20, "10:00", "12:00"), {}, InThePast),
        ({ROOM: 1}, WHEN, {"organisation": "CHORALE"}, UnknownOrganisation),
        ({PLATES: 10}, WHEN, {}, FreeNow),
        ({ROOM: 1}, at(28, "10:00", "14:00"), {}, FreeNow),
    ):
        with pytest.raises(refusal):
            wait(OTHER, period, wants, **more)
    rules(notice={"days": 30})
    with pytest.raises(RuleBroken):
        wait(OTHER, WHEN, {ROOM: 1})
    rules(notice=None)
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == ROOM).values(in_service=False))
    with pytest.raises(OutOfService):
        wait(OTHER, WHEN, {ROOM: 1})
    assert states() == []


ASKS: dict[str, Any] = {
    "headcount": {"least": 5},
    "radius": {"km": 300},
    "drivers": {"licence": "B", "years": 3},
    "undertakings": {"which": ["charter"]},
    "documents": {"papers": [{"paper": "statutes"}]},
    "prices": PRICES,
}
SAID = Details(
    8, 120, ("Samir Ancien",), at(28, "13:30", "14:00").start, None, ("Vidéoprojecteur",), ("charter",), letter=True
)


@pytest.mark.parametrize(
    ("change", "refusal", "field"),
    [
        ({"headcount": 4}, RuleBroken, "headcount"),
        ({"distance_km": 301}, RuleBroken, "distance_km"),
        ({"drivers": ()}, RuleBroken, "drivers"),
        ({"accepts": ()}, NotPromised, "accepts"),
    ],
)
def test_the_line_asks_what_booking_asks(
    change: dict[str, Any], refusal: type[Refused], field: str, book: Book, wait: Wait
) -> None:
    book(STAFF, WHEN, {BUS: 1})
    register("Samir Ancien", date(2010, 6, 1), code="ECHECS")
    rules(**ASKS)
    with pytest.raises(refusal) as said:
        wait(OTHER, WHEN, {BUS: 1}, details=replace(SAID, **change))
    assert said.value.field == field
    assert states() == []
    assert wait(OTHER, WHEN, {BUS: 1}, details=SAID), "the statutes may be shown while one waits"


def test_nobody_waits_for_what_is_never_lent_to_them(book: Book, wait: Wait) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    rules(borrowers={"allowed": ["houses"]})
    with pytest.raises(RuleBroken):
        wait(OTHER, WHEN, {ROOM: 1})


def test_one_place_in_the_line_is_enough_and_one_may_leave(book: Book, wait: Wait, actor: Who) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    [entry] = wait(OTHER, WHEN, {ROOM: 1})
    with pytest.raises(WaitsAlready):
        wait(OTHER, WHEN, {ROOM: 1})
    for who in (MEMBER, STAFF, "admin@example.org"):
        with pytest.raises(NotFound), transaction() as session:
            waiting.leave(session, actor(who), entry)
    with transaction() as session:
        waiting.leave(session, actor(OTHER), entry)
    with pytest.raises(NotFound), transaction() as session:
        waiting.leave(session, actor(OTHER), entry)
    assert states() == ["ended"]
    wait(OTHER, WHEN, {ROOM: 1})


def test_nobody_fills_the_list(book: Book, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST", 2)
    book(STAFF, WHEN, {ROOM: 1})
    for hours in (("14:00", "15:00"), ("15:00", "16:00")):
        wait(OTHER, at(28, *hours), {ROOM: 1})
    with pytest.raises(WaitsForTooMuch):
        wait(OTHER, at(28, "16:00", "17:00"), {ROOM: 1})
    wait(MEMBER, at(28, "16:00", "17:00"), {ROOM: 1})


def test_the_place_in_each_line(book: Book, wait: Wait, actor: Who) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    book("staff.stn@example.org", WHEN, {STN_ROOM: 1})
    wait(MEMBER, WHEN, {ROOM: 1})
    wait(MEMBER, at(28, "14:00", "15:00"), {ROOM: 1})
    wait(OTHER, at(28, "15:00", "16:00"), {ROOM: 1, STN_ROOM: 1})  # one line a house
    mine = waiting.lines_of(db.session(), actor(OTHER), NOW)
    assert sorted((entry.lender.code, ahead) for entry, ahead in mine) == [("MCNG", 1), ("STN", 0)]


def test_one_waits_only_for_what_is_taken(book: Book, wait: Wait) -> None:
    book(STAFF, WHEN, {ROOM: 1})
    assert len(wait(OTHER, WHEN, {ROOM: 1, STN_ROOM: 1})) == 1


# -- it frees ----------------------------------------------------------------------------------------


def frees_by_cancelling(actor: Who, ref: str, app: Flask) -> None:
    change(actor, MEMBER, ref, "cancel")


def frees_by_declining(actor: Who, ref: str, app: Flask) -> None:
    change(actor, MANAGER, ref, "decline", "Non")


def frees_by_moving(actor: Who, ref: str, app: Flask) -> None:
    with transaction() as session:
        decisions.propose(session, actor(MANAGER), ref, Slot(at(29, "14:00", "18:00"), {}), "", NOW, PARIS)


def frees_by_shortening(actor: Who, ref: str, app: Flask) -> None:
    with transaction() as session:
        decisions.approve_less(session, actor(MANAGER), ref, Slot(at(28, "16:00", "18:00"), {}), "", NOW, PARIS)


def frees_by_silence(actor: Who, ref: str, app: Flask) -> None:
    with transaction() as session:
        session.execute(update(Reservation).where(Reservation.ref == ref).values(lapses_at=NOW))
    rules(approval={"mode": "always", "silence_days": 2, "silence": "expire"})
    offers.look_after(app, NOW)


def frees_by_coming_back_early(actor: Who, ref: str, app: Flask) -> None:
    for act in ("approve", "collect", "return"):
        change(actor, MANAGER, ref, act)


FREEING = [
    frees_by_cancelling,
    frees_by_declining,
    frees_by_moving,
    frees_by_shortening,
    frees_by_silence,
    frees_by_coming_back_early,
]


@pytest.mark.parametrize("free_it", FREEING, ids=lambda act: act.__name__.removeprefix("frees_by_"))
def test_whatever_frees_is_held_a_day_for_the_first_in_line(
    free_it: Callable[..., None], app: Flask, book: Book, wait: Wait, actor: Who
) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    early = at(28, "14:00", "15:00")
    wait(OTHER, early, {ROOM: 1})
    wait("staff.stn@example.org", early, {ROOM: 1})
    free_it(actor, done.ref, app)
    assert states() == ["offered", "waiting"]
    [offer] = [one for one in held() if one.details["offer"] == "slot"]
    assert (offer.user.email, offer.status, offer.lapses_at) == (OTHER, "requested", NOW + DAY)
    assert free(ROOM, early) == 0  # in the same transaction: nobody is faster
    told = words(app, letters("reservation_offered")[OTHER])
    assert "22 novembre" in told
    assert f"/reservations/{offer.ref}" in told
    assert offers.look_after(app, NOW)["offers_made"] == 0


def test_a_closure_lifted_frees_too(book: Book, wait: Wait, actor: Who) -> None:
    [done] = book(STAFF, WHEN, {ROOM: 1}, do=desk.close)
    wait(OTHER, WHEN, {ROOM: 1})
    change(actor, STAFF, done.ref, "cancel")
    assert states() == ["offered"]


def test_the_clock_finds_what_freed_in_no_way_we_know(app: Flask, book: Book, wait: Wait, actor: Who) -> None:
    """More plates are bought; and of several things waited for together, the last one frees."""
    book("staff.stn@example.org", WHEN, {PLATES: 50})
    [room] = book(STAFF, WHEN, {ROOM: 1})
    [small] = book(STAFF, WHEN, {SMALL: 1})
    wait(OTHER, WHEN, {PLATES: 20})
    wait(MEMBER, WHEN, {ROOM: 1, SMALL: 1})
    assert offers.look_after(app, NOW)["offers_made"] == 0
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == PLATES).values(quantity=70))
    assert offers.look_after(app, NOW)["offers_made"] == 1
    change(actor, STAFF, room.ref, "cancel")
    change(actor, STAFF, small.ref, "cancel")
    assert offers.look_after(app, NOW)["offers_made"] == 1
    assert states() == ["offered", "offered"]


def test_taken_it_is_a_request_like_any_other(app: Flask, book: Book, wait: Wait, actor: Who) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    wait(OTHER, WHEN, {ROOM: 1})
    change(actor, MEMBER, done.ref, "cancel")
    [offer] = held()
    change(actor, OTHER, offer.ref, "accept")
    now = loan(offer.ref)
    assert (now.status, now.offered, now.lapses_at) == ("requested", False, WHEN.start)
    assert states() == ["served"]
    letter = letters("reservation_to_decide")[MANAGER]
    assert letter.facts["ref"] == offer.ref
    assert "/decide/" in words(app, letter)
    with pytest.raises(NotOffered):
        change(actor, OTHER, offer.ref, "accept")
    change(actor, MANAGER, offer.ref, "approve")


def test_notice_counts_from_the_day_one_stood_in_line(book: Book, wait: Wait, actor: Who) -> None:
    rules(approval=None, notice={"days": 5})
    [done] = book(STAFF, WHEN, {ROOM: 1})
    wait(OTHER, WHEN, {ROOM: 1})
    late = NOW + timedelta(days=5)
    change(actor, STAFF, done.ref, "cancel", now=late)
    [offer] = held()
    change(actor, OTHER, offer.ref, "accept", now=late)
    assert loan(offer.ref).status == "approved"


def test_where_the_house_need_not_decide_it_is_theirs_at_once(book: Book, wait: Wait, actor: Who) -> None:
    rules(approval=None)
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    wait(OTHER, WHEN, {ROOM: 1})
    change(actor, MEMBER, done.ref, "cancel")
    [offer] = held()
    change(actor, OTHER, offer.ref, "accept")
    assert loan(offer.ref).status == "approved"


def test_taken_it_is_booked_with_all_that_was_said_in_line(book: Book, wait: Wait, actor: Who) -> None:
    [done] = book(STAFF, WHEN, {BUS: 1})
    register("Samir Ancien", date(2010, 6, 1), code="ECHECS")
    rules(**ASKS | {"documents": None, "approval": None})
    wait(OTHER, WHEN, {BUS: 1}, details=SAID, public=True)
    change(actor, STAFF, done.ref, "cancel")
    [offer] = held()
    change(actor, OTHER, offer.ref, "accept")
    now = loan(offer.ref)
    assert now.status == "approved", "nothing is left to ask, so nothing is left to decide"
    assert (now.public, now.headcount, details_of(db.session(), now)) == (True, 8, replace(SAID, accepts=None))
    assert now.details["accepts"] == ["charter"]
    assert now.quote
    assert now.quote["total_cents"] == 2500, "the video projector is counted"


@pytest.mark.parametrize("how", ["refused", "cancelled", "lapsed"])
def test_what_the_first_does_not_want_goes_to_the_next(
    how: str, app: Flask, book: Book, wait: Wait, actor: Who
) -> None:
    [done] = book(STAFF, WHEN, {ROOM: 1})
    wait(OTHER, WHEN, {ROOM: 1})
    wait(MEMBER, WHEN, {ROOM: 1})
    change(actor, STAFF, done.ref, "cancel")
    [first] = held()
    if how == "lapsed":
        assert offers.look_after(app, NOW + DAY - timedelta(seconds=1))["offers_lapsed"] == 0
        assert offers.look_after(app, NOW + DAY)["offers_lapsed"] == 1
    else:
        change(actor, OTHER, first.ref, {"refused": "refuse_offer", "cancelled": "cancel"}[how])
    assert states() == ["ended", "offered"]
    [second] = [one for one in held() if one.status == "requested"]
    assert second.user.email == MEMBER
    with pytest.raises(WrongState):
        change(actor, OTHER, first.ref, "accept")
    assert not letters("reservation_offer_refused")  # the house had not been asked


def test_an_offer_never_outlasts_the_start_and_lines_end_with_it(
    app: Flask, book: Book, wait: Wait, actor: Who
) -> None:
    [done] = book(STAFF, WHEN, {ROOM: 1})
    wait(OTHER, WHEN, {ROOM: 1})
    wait(MEMBER, WHEN, {ROOM: 1})
    late = WHEN.start - timedelta(hours=2)
    change(actor, STAFF, done.ref, "cancel", now=late)
    [offer] = held()
    assert offer.lapses_at == WHEN.start
    assert offers.look_after(app, WHEN.start)["lines_ended"] == 1
    assert states() == ["ended", "ended"]
    assert loan(offer.ref).status == "expired"


def test_who_wants_more_than_is_free_keeps_their_place(book: Book, wait: Wait, actor: Who) -> None:
    [half] = book("staff.stn@example.org", WHEN, {PLATES: 30})
    [rest] = book("staff.stn@example.org", WHEN, {PLATES: 30})
    wait(MEMBER, WHEN, {PLATES: 60})
    wait(OTHER, WHEN, {PLATES: 10})
    change(actor, "staff.stn@example.org", half.ref, "cancel")
    assert states() == ["waiting", "offered"]
    change(actor, "staff.stn@example.org", rest.ref, "cancel")
    assert states() == ["waiting", "offered"]
    [offer] = held()
    change(actor, OTHER, offer.ref, "refuse_offer")
    assert states() == ["offered", "ended"]


def test_time_decides_who_is_first(book: Book, wait: Wait, actor: Who) -> None:
    [done] = book(STAFF, WHEN, {ROOM: 1})
    wait(OTHER, WHEN, {ROOM: 1}, now=NOW + timedelta(seconds=5))
    wait(MEMBER, WHEN, {ROOM: 1}, now=NOW)
    change(actor, STAFF, done.ref, "cancel")
    assert [one.user.email for one in held()] == [MEMBER]


# -- exactly one ---------------------------------------------------------------------------------------


def test_a_withdrawn_slot_goes_to_exactly_one(
    app: Flask, book: Book, wait: Wait, actor: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cancels, two tick, one books in passing, all at the same moment; a pause between each look and its write."""
    clock.set_source(lambda: NOW)
    plain = waiting._free
    monkeypatch.setattr(waiting, "_free", lambda *facts: (plain(*facts), time.sleep(0.02))[0])
    monkeypatch.setattr(booking, "between_check_and_insert", lambda: time.sleep(0.02))
    people = {email: actor(email) for email in (MEMBER, OTHER, STAFF, "staff.stn@example.org")}
    outcomes: Counter[str] = Counter()
    for day in range(1, 7):
        period = at(day, "10:00", "12:00", month=12)
        [done] = book(STAFF, period, {ROOM: 1})
        for who in (OTHER, MEMBER, "staff.stn@example.org"):
            wait(who, period, {ROOM: 1})
        cancel = lambda ref=done.ref: desk.change(people[STAFF], ref, "cancel").status  # noqa: E731
        tick = lambda: offers.look_after(app, NOW)["offers_made"]  # noqa: E731
        ask = Ask("ECHECS", "passant", period, {ROOM: 1})
        chance = lambda ask=ask: desk.reserve(people[OTHER], ask)[0].status  # noqa: E731
        told = at_once(app, cancel, tick, tick, chance)
        assert told[0] == "cancelled"
        holders = [one for one in open_loans() if one.starts_at == period.start]
        assert len(holders) == 1
        outcomes["offered" if holders[0].offered else "booked"] += 1
        assert states()[-3:].count("offered") == int(holders[0].offered)
        if holders[0].offered:
            assert holders[0].user.email == OTHER
    assert outcomes["offered"] == 6  # it is offered in the transaction that frees it: who passes by is never faster


def test_an_offer_refused_while_it_lapses_goes_on_once(app: Flask, book: Book, wait: Wait, actor: Who) -> None:
    people = {email: actor(email) for email in (MEMBER, OTHER, STAFF)}
    over = NOW + DAY
    for day in range(1, 5):
        period = at(day, "10:00", "12:00", month=12)
        [done] = book(STAFF, period, {ROOM: 1})
        wait(OTHER, period, {ROOM: 1})
        wait(MEMBER, period, {ROOM: 1})
        change(actor, STAFF, done.ref, "cancel")
        [first] = [one for one in held() if one.starts_at == period.start]

        def refuse(ref: str = first.ref) -> str:
            with transaction() as session:
                return lifecycle.change(session, people[OTHER], ref, "refuse_offer", "", over, PARIS).status

        tick = lambda: offers.look_after(app, over)["offers_made"]  # noqa: E731
        at_once(app, refuse, tick, tick)
        assert states()[-2:] == ["ended", "offered"]
        [second] = [one for one in open_loans() if one.starts_at == period.start]
        assert second.user.email == MEMBER


def test_any_number_of_clocks_offer_each_slot_once(
    app: Flask, book: Book, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty more plates are bought; three people wait for ten each, and three clocks tick at once."""
    plain = waiting._free
    monkeypatch.setattr(waiting, "_free", lambda *facts: (plain(*facts), time.sleep(0.03))[0])
    book("staff.stn@example.org", WHEN, {PLATES: 60})
    for who in (OTHER, MEMBER, STAFF):
        wait(who, WHEN, {PLATES: 10})
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == PLATES).values(quantity=80))
    tick = lambda: offers.look_after(app, NOW)["offers_made"]  # noqa: E731
    told = at_once(app, tick, tick, tick)
    assert sorted(told) == [0, 0, 2]
    assert [one.user.email for one in held()] == [OTHER, MEMBER]
    assert states() == ["offered", "offered", "waiting"]


def open_loans() -> list[Reservation]:
    session = db.session()
    session.rollback()
    session.expire_all()
    return list(session.scalars(select(Reservation).where(Reservation.status.in_(("requested", "approved")))))
