"""What is gone for good leaves the stock, what turns up comes back; whom it hits is asked first; on both databases."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.core.period import Period
from sharebank.notifications.models import Letter
from sharebank.notifications.writing import write_out
from sharebank.reservations import desk, lifecycle
from sharebank.reservations.handover import handover, handover_damage, handover_desk, handover_stock
from sharebank.reservations.handover.handover import Meeting
from sharebank.reservations.handover.handover_damage import LoansInTheWay, StillOut
from sharebank.reservations.handover.handover_hits import Repair
from sharebank.reservations.handover.handover_models import StockChange
from sharebank.reservations.handover.handover_rules import Found, MoreThanWentOut
from sharebank.reservations.handover.handover_stock import MoreThanGone, StockChanged
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision
from sharebank.reservations.states import ReasonMissing
from tests import world
from tests.counter import BUS, MEMBER, OTHER, PLATES, STAFF, STAFF_STN, Book, Who, book, free, loan, rules
from tests.hand import faults
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")

WEEK = at(23, "10:00", "18:00", until=25)
LATER = at(8, "10:00", "18:00", month=12)
Off = Callable[..., None]


@pytest.fixture
def off(actor: Who) -> Off:
    """`off(5, "R26-…")`: five plates are gone, and these loans were seen."""

    def act(
        units: int, *confirmed: str, who: str = STAFF_STN, why: str = "Cassées", loan_id: int | None = None
    ) -> None:
        with transaction() as session:
            gone = Repair(PLATES, units, None, why, gone=True, loan_id=loan_id)
            handover_damage.keep_in(session, actor(who), gone, confirmed, clock.now(), world.PARIS)

    return act


@pytest.fixture
def found(actor: Who) -> Off:
    def act(units: int, who: str = STAFF_STN, why: str = "Dans la remise", code: str = PLATES) -> None:
        with transaction() as session:
            handover_stock.found_again(session, actor(who), code, units, why, clock.now())

    return act


@pytest.fixture
def out(book: Book, actor: Who) -> str:
    """Sixty plates with the choir."""
    [done] = book(MEMBER, WEEK, {PLATES: 60})
    for act in ("approve", "collect"):
        desk.change(actor(STAFF_STN), done.ref, act)
    return done.ref


def bring_back(actor: Who, ref: str, plates: Found) -> list[Repair]:
    """At the counter, as its page does it; what must wait for a yes."""
    return handover_desk.take_back(actor(STAFF_STN), ref, Meeting("Odile", "Hervé", "", {PLATES: plates}))


def thing(code: str = PLATES) -> Resource:
    db.session().rollback()
    db.session().expire_all()
    return db.session().scalars(select(Resource).where(Resource.code == code)).one()


def trace() -> list[tuple[int, str]]:
    db.session().rollback()
    return [(one.units, one.why) for one in db.session().scalars(select(StockChange).order_by(StockChange.id))]


def hits(units: int) -> list[tuple[str, int]]:
    gone = Repair(PLATES, units, None, "", gone=True)
    found = handover_damage.hits(db.session(), gone, clock.now(), world.PARIS)
    return [(hit.loan.ref, hit.left) for hit in found]


def told() -> list[tuple[str, int]]:
    letters = db.session().scalars(select(Letter).where(Letter.template == "loan_hit")).all()
    return sorted((letter.to_address, letter.facts["gone"]) for letter in letters)


# -- at the return -------------------------------------------------------------------------------------


def test_said_at_the_return_there_are_fewer_at_once(out: str, actor: Who, found: Off) -> None:
    assert bring_back(actor, out, Found(58, missing=2, broken=1, gone=3, note="Tombées du chariot")) == []
    assert loan(out).status == "returned"
    assert (thing().quantity, thing().in_service, free(PLATES, LATER)) == (57, True, 57)
    assert trace() == [(-3, "Tombées du chariot")]
    [change] = handover_stock.trace(db.session(), actor(STAFF_STN), thing())
    assert (change.reservation and change.reservation.ref, change.user and change.user.email) == (out, STAFF_STN)
    assert handover_stock.trace(db.session(), actor(MEMBER), thing()) == ()
    found(1)
    assert (thing().quantity, handover_stock.gone(db.session(), thing().id)) == (58, 2)
    with pytest.raises(MoreThanGone):
        found(3)
    assert trace() == [(-3, "Tombées du chariot"), (1, "Dans la remise")]


def test_of_a_part_that_came_back_too(out: str, actor: Who) -> None:
    bring_back(actor, out, Found(30, missing=2, gone=2, note="Perdues"))
    assert (loan(out).status, thing().quantity, free(PLATES, WEEK)) == ("collected", 58, 30)
    assert bring_back(actor, out, Found(28)) == []
    assert (loan(out).status, thing().quantity, free(PLATES, WEEK)) == ("returned", 58, 58)


def test_later_loans_that_no_longer_fit_are_shown_confirmed_and_told(
    app: Flask, out: str, actor: Who, book: Book, off: Off
) -> None:
    [whole] = book(OTHER, LATER, {PLATES: 60})
    [fits] = book(OTHER, at(10, "10:00", "18:00", month=12), {PLATES: 50})
    [waiting] = bring_back(actor, out, Found(55, missing=5, gone=5, note="Perdues"))
    assert (waiting.code, waiting.units, waiting.gone) == (PLATES, 5, True)
    assert (loan(out).status, thing().quantity) == ("returned", 60)  # the return is kept all the same
    [pending] = handover_damage.pending(db.session(), loan(out).id)
    assert pending.gone == 5
    asked = handover_damage.asked_for(db.session(), loan(out).id, PLATES, gone=True)
    assert asked == Repair(PLATES, 5, None, "Perdues", gone=True, loan_id=loan(out).id)
    assert hits(5) == [(whole.ref, 55)]
    with pytest.raises(LoansInTheWay):
        off(5, loan_id=loan(out).id)
    off(5, whole.ref, loan_id=loan(out).id)
    assert (thing().quantity, loan(whole.ref).lines[0].quantity, loan(fits.ref).lines[0].quantity) == (55, 55, 50)
    assert "60 → 55 – Cassées" in loan(whole.ref).events[-1].why
    assert told() == [(OTHER, 5)]
    letter = db.session().scalars(select(Letter).where(Letter.template == "loan_hit")).one()
    written = write_out(app, letter)
    assert "Assiettes plates : il y en a désormais 5 de moins. Cassées" in written.text.replace("\u202f", " ")
    assert "5 de moins" in written.html
    assert str(written.message["Subject"]).startswith("Moins que prévu")
    assert handover_damage.pending(db.session(), loan(out).id) == []


def test_what_is_gone_and_what_is_broken_are_counted_once(out: str, actor: Who) -> None:
    """Five missing, four broken, six gone: one of the broken is gone as well, three are mended."""
    until = LATER.end.date()
    said = Found(51, missing=5, broken=4, gone=6, note="Choc", out=True, out_until=until)
    assert bring_back(actor, out, said) == []
    [closure] = db.session().scalars(select(Reservation).where(Reservation.kind == "closure")).all()
    assert (thing().quantity, closure.lines[0].quantity, free(PLATES, LATER)) == (54, 3, 51)


def test_later_from_the_loan_what_was_missing_is_proposed(out: str, actor: Who, off: Off) -> None:
    bring_back(actor, out, Found(53, missing=7))
    assert thing().quantity == 60
    key = loan(out).id
    assert handover_damage.asked_for(db.session(), key, PLATES, gone=True).units == 7
    off(5, loan_id=key)
    assert handover_damage.asked_for(db.session(), key, PLATES, gone=True).units == 2
    assert thing().quantity == 55


@pytest.mark.parametrize(
    ("named", "before", "now"), [(True, {}, {}), (False, {"pieces": 240}, {}), (False, {}, {"pieces": 227})]
)
def test_pieces_of_sets_are_not_proposed_as_sets(
    named: bool, before: dict[str, int], now: dict[str, int], book: Book, actor: Who
) -> None:
    if named:
        rules(charges={"pieces": [{"name": "Fourchette", "loss_cents": 120}]})
    [done] = book(STAFF_STN, WEEK, {PLATES: 60})
    with transaction() as session:
        counted = Meeting("Odile", "Hervé", "", {PLATES: Found(60, facts=before)})
        handover.collect(session, actor(STAFF_STN), done.ref, counted, (), clock.now(), world.PARIS)
    until = LATER.end.date()
    said = Found(60, missing=13, broken=8, facts=now, note="Choc", out=True, out_until=until)
    assert bring_back(actor, done.ref, said) == []
    assert handover_damage.asked_for(db.session(), loan(done.ref).id, PLATES, gone=True).units == 1
    assert free(PLATES, LATER) == 59  # one set stays in


# -- what cannot be, and what gives way ------------------------------------------------------------------


def test_what_is_with_borrowers_cannot_be_gone(out: str, off: Off) -> None:
    with pytest.raises(StillOut):
        off(5)
    assert (thing().quantity, trace(), loan(out).lines[0].quantity) == (60, [], 60)


def test_what_is_late_is_with_borrowers_still(book: Book, actor: Who, off: Off) -> None:
    """Its period is over: neither the calendar nor the guards look at it, until some of it comes back."""
    clock.set_source(None)
    now, hour = clock.now(), timedelta(hours=1)
    [late] = book(STAFF_STN, Period(now - 5 * hour, now - 3 * hour), {PLATES: 60})
    desk.change(actor(STAFF_STN), late.ref, "collect")
    with pytest.raises(StillOut) as refused:
        off(30)
    assert (refused.value.facts["out"], thing().quantity) == (60, 60)
    bring_back(actor, late.ref, Found(2))
    off(2)
    assert (thing().quantity, loan(late.ref).lines[0].quantity) == (58, 58)
    assert bring_back(actor, late.ref, Found(58)) == []


def test_what_was_never_fetched_beside_what_is_late_gives_way(book: Book, actor: Who, off: Off) -> None:
    clock.set_source(None)
    now, hour = clock.now(), timedelta(hours=1)
    [late] = book(STAFF_STN, Period(now - 5 * hour, now - 3 * hour), {PLATES: 30})
    [unfetched] = book(STAFF_STN, Period(now - 4 * hour, now - 2 * hour), {PLATES: 30})
    desk.change(actor(STAFF_STN), late.ref, "collect")
    assert hits(25) == [(unfetched.ref, 5)]
    off(25, unfetched.ref)
    bring_back(actor, late.ref, Found(20))
    assert (thing().quantity, loan(late.ref).lines[0].quantity, loan(unfetched.ref).lines[0].quantity) == (35, 10, 5)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_loan_loses_no_more_than_it_took(recorded: bool, book: Book, actor: Who, off: Off) -> None:
    [done] = book(STAFF_STN, WEEK, {PLATES: 20})
    if recorded:
        with transaction() as session:
            fewer = Meeting("Odile", "Hervé", "", {PLATES: Found(15)})
            handover.collect(session, actor(STAFF_STN), done.ref, fewer, (), clock.now(), world.PARIS)
    else:
        desk.change(actor(STAFF_STN), done.ref, "collect")
    desk.change(actor(STAFF_STN), done.ref, "return")
    took, key = 15 if recorded else 20, loan(done.ref).id
    for units, refused in ((took + 1, True), (took - 1, False), (took - 1, True), (1, False), (1, True)):
        if refused:
            with pytest.raises(MoreThanWentOut) as refusal:
                off(units, loan_id=key)
            assert (refusal.value.field, refusal.value.facts["out"]) == ("units", took)
        else:
            off(units, loan_id=key)
    assert (thing().quantity, trace()) == (60 - took, [(1 - took, "Cassées"), (-1, "Cassées")])
    off(1)  # with no loan


def test_a_closure_of_all_closes_what_is_left(book: Book, off: Off) -> None:
    [closed] = book(STAFF_STN, LATER, {PLATES: 60}, do=desk.close)
    [mended] = book(STAFF_STN, at(10, "10:00", "18:00", month=12), {PLATES: 10}, do=desk.close)
    [lent] = book(OTHER, at(10, "10:00", "18:00", month=12), {PLATES: 50})
    assert hits(5) == [(lent.ref, 45)]  # what is kept in stays in; nobody is asked about a closure
    off(5, lent.ref)
    kept = [loan(one.ref).lines[0].quantity for one in (closed, mended, lent)]
    assert (thing().quantity, kept, told()) == (55, [55, 10, 45], [(OTHER, 5)])


def test_a_closure_of_what_is_gone_ends(book: Book, actor: Who, off: Off) -> None:
    """Five were to be mended while all others were with the choir: those five are gone."""
    [done] = book(MEMBER, WEEK, {PLATES: 55})
    for act in ("approve", "collect"):
        desk.change(actor(STAFF_STN), done.ref, act)
    [mended] = book(STAFF_STN, WEEK, {PLATES: 5}, do=desk.close)
    off(5)
    assert (thing().quantity, loan(mended.ref).status, loan(done.ref).lines[0].quantity) == (55, "cancelled", 55)
    assert told() == []


def test_when_none_is_left_the_thing_goes_out_of_service(book: Book, off: Off) -> None:
    [lent] = book(OTHER, LATER, {PLATES: 10})
    with pytest.raises(LoansInTheWay):
        off(60)
    off(60, lent.ref, why="Toutes volées")
    assert (thing().quantity, thing().in_service, thing().out_of_service_reason) == (60, False, "Toutes volées")
    assert loan(lent.ref).status == "declined"
    assert trace() == []


def test_who_may_and_what_must_be_said(off: Off, found: Off) -> None:
    for who, why, units, refusal in (
        (MEMBER, "x", 1, NotAllowed),
        (STAFF, "x", 1, NotAllowed),  # of another house
        (STAFF_STN, " ", 1, ReasonMissing),
        (STAFF_STN, "x", 0, Refused),
        (STAFF_STN, "x", 61, Refused),
    ):
        with pytest.raises(refusal):
            off(units, who=who, why=why)
    off(2)
    for who, why, units, code, refusal in (
        (MEMBER, "x", 1, PLATES, NotAllowed),
        (STAFF, "x", 1, PLATES, NotAllowed),
        (STAFF_STN, " ", 1, PLATES, ReasonMissing),
        (STAFF_STN, "x", 0, PLATES, Refused),
        (STAFF_STN, "x", 1, "STN-K99", NotFound),
        (STAFF, "x", 1, BUS, MoreThanGone),
    ):
        with pytest.raises(refusal):
            found(units, who=who, why=why, code=code)
    assert (thing().quantity, trace()) == (58, [(-2, "Cassées")])


# -- the guards are never contradicted -------------------------------------------------------------------


def test_what_was_promised_for_this_morning_and_never_fetched_is_no_surprise(book: Book, off: Off) -> None:
    """The guards look at the whole of a loan that lasts still, its past as well."""
    clock.set_source(None)
    now, hour = clock.now(), timedelta(hours=1)
    book(STAFF_STN, Period(now - 3 * hour, now - hour), {PLATES: 30})
    [lasts] = book(STAFF_STN, Period(now - 2 * hour, now + 5 * hour), {PLATES: 30})
    assert hits(5) == [(lasts.ref, 25)]
    off(5, lasts.ref)
    assert thing().quantity == 55


def test_what_the_database_refuses_at_the_return_waits_and_the_return_stays(book: Book, actor: Who) -> None:
    """The guards know the machine's clock alone: to them what was never fetched is still to come."""
    start, hour = datetime(2036, 6, 8, 6, tzinfo=UTC), timedelta(hours=1)
    clock.set_source(lambda: start)
    [lent] = book(STAFF_STN, Period(start - hour, start + hour), {PLATES: 10})
    desk.change(actor(STAFF_STN), lent.ref, "collect")
    book(STAFF_STN, Period(start - 4 * hour, start - 3 * hour), {PLATES: 60})
    [closed] = book(STAFF_STN, Period(start + 20 * hour, start + 30 * hour), {PLATES: 60}, do=desk.close)
    [waiting] = bring_back(actor, lent.ref, Found(8, missing=2, gone=2, note="Perdues"))
    assert (waiting.units, waiting.gone, thing().quantity, trace()) == (2, True, 60, [])
    assert (loan(lent.ref).status, loan(closed.ref).lines[0].quantity) == ("returned", 60)
    assert [line.gone for line in handover_damage.pending(db.session(), loan(lent.ref).id)] == [2]


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_return_holds_no_calendar_while_it_waits_for_a_closure(app: Flask, out: str, book: Book, actor: Who) -> None:
    """Whoever cancels the closure has its row, and takes the calendar next."""
    [closed] = book(STAFF_STN, LATER, {PLATES: 60}, do=desk.close)
    came: list[Any] = []

    def run() -> None:
        with app.app_context():
            try:
                came.append(bring_back(actor, out, Found(55, missing=5, gone=5, note="Perdues")))
            except Refused as refused:
                came.append(type(refused))
            finally:
                db.session.remove()

    back = threading.Thread(target=run)
    with transaction() as session:
        lifecycle.held(session, actor(STAFF_STN), closed.ref, "cancel")
        back.start()
        ours = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        waits = text(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({ours})")
        until = time.monotonic() + 20
        while not session.scalar(waits) and time.monotonic() < until:
            back.join(0.01)
        session.execute(text("SET LOCAL lock_timeout = '500ms'"))
        catalog.lock_calendars(session, catalog.things_by_code(session, [PLATES]).values())
    back.join(60)
    assert came == [[]]
    assert (thing().quantity, loan(closed.ref).lines[0].quantity) == (55, 55)


def test_whatever_the_calendar_what_was_seen_and_confirmed_can_be_done(app: Flask, book: Book, actor: Who) -> None:
    start = datetime(2036, 6, 8, 6, tzinfo=UTC)  # the guards know the machine's clock alone, and look ahead of it
    clock.set_source(lambda: start)
    chance, done, staff = random.Random(26), 0, actor(STAFF_STN)
    for _ in range(30):
        for _ in range(4):
            first = start + timedelta(hours=chance.randrange(-20, 90))
            period = Period(first, max(start, first) + timedelta(hours=chance.randrange(1, 30)))
            how = chance.choice([{}, {}, {"do": desk.close}])
            try:
                [one] = book(STAFF_STN, period, {PLATES: chance.choice([3, 10, 25, thing().quantity])}, **how)
            except Collision:
                continue
            if not how and chance.random() < 0.3:
                desk.change(staff, one.ref, "collect")
        units = chance.randrange(1, 9)
        try:
            with transaction() as session:
                if chance.random() < 0.4:
                    handover_stock.found_again(session, staff, PLATES, units, "là", start)
                else:
                    gone = Repair(PLATES, units, None, "Cassées", gone=True)
                    seen = [hit.loan.ref for hit in handover_damage.hits(session, gone, start, world.PARIS)]
                    handover_damage.keep_in(session, staff, gone, seen, start, world.PARIS)
                    done += 1
        except (MoreThanGone, StillOut):
            pass
        assert thing().quantity == 60 + sum(units for units, _ in trace())
        with db.engine.connect() as connection:
            assert faults(connection) == []
    assert done > 5


def at_once(app: Flask, acts: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What becomes of each when all begin together: "done", or the refusal."""
    came: dict[str, Any] = {}
    start = threading.Barrier(len(acts))

    def run(name: str, act: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait(30)
            try:
                act()
                came[name] = "done"
            except Refused as refused:
                came[name] = type(refused)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=each) for each in acts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return came


def test_at_the_same_moment_as_a_booking_one_gives_way(app: Flask, book: Book, off: Off) -> None:
    """Forty are wanted while thirty go: both were possible alone, never together."""
    for n in range(6):
        period = at(1 + n, "10:00", "18:00", month=12)
        came = at_once(app, {"booked": lambda at=period: book(OTHER, at, {PLATES: 40}), "gone": lambda: off(30)})
        assert came in ({"booked": "done", "gone": LoansInTheWay}, {"booked": Collision, "gone": "done"})
        if came["gone"] == "done":
            break
        with transaction() as session:
            session.delete(session.scalars(select(Reservation)).one())


def test_of_two_presses_at_the_same_moment_one_counts(app: Flask, off: Off, actor: Who) -> None:
    staff, now = actor(STAFF_STN), clock.now()
    until = now.date() + timedelta(days=5)
    off(40)

    def keep_in(seen: str, **how: Any) -> None:
        with transaction() as session:
            repair = Repair(PLATES, 2, why="Cassées", **how)
            handover_damage.keep_in(session, staff, repair, (), now, world.PARIS, seen)

    def found(seen: str) -> None:
        with transaction() as session:
            handover_stock.found_again(session, staff, PLATES, 2, "là", now, seen)

    acts = {
        "gone": partial(keep_in, until=None, gone=True),
        "out of service": partial(keep_in, until=until),
        "found": found,
    }
    for what, act in acts.items():
        for _ in range(3):
            seen = handover_stock.mark(db.session(), PLATES)
            db.session.rollback()
            came = at_once(app, {"first": partial(act, seen), "second": partial(act, seen)})
            assert sorted(came.values(), key=str) == [StockChanged, "done"], (what, came)
