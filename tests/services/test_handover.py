"""Handing over and taking back, in one go or several, and what a damaged thing does to loans; on both databases."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from sharebank.catalog import photos as darkroom
from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.notifications.models import Letter
from sharebank.reservations import desk
from sharebank.reservations.handover import (
    handover,
    handover_damage,
    handover_desk,
    handover_photos,
    handover_reminders,
)
from sharebank.reservations.handover.handover import Meeting
from sharebank.reservations.handover.handover_damage import LoansInTheWay, NotAllOfIt
from sharebank.reservations.handover.handover_hits import OverBeforeItBegins, Repair
from sharebank.reservations.handover.handover_models import HandoverLine, HandoverPhoto
from sharebank.reservations.handover.handover_rules import (
    BackAndMissing,
    Found,
    MoreThanBack,
    MoreThanBooked,
    MoreThanOut,
    MoreThanWentOut,
    NothingHandedOver,
    OdometerWentBack,
    TooManyPhotos,
)
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision
from sharebank.reservations.states import ReasonMissing, WrongState
from tests import world
from tests.counter import BUS, MEMBER, OTHER, PLATES, ROOM, STAFF, STAFF_STN, Book, Who, book, free, letters, loan
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")

WEEK = at(23, "10:00", "18:00", until=25)
"""Monday to Wednesday; it is Saturday."""


def meeting(**lines: Found) -> Meeting:
    return Meeting("Odile", "Hervé", "", {code.replace("_", "-"): found for code, found in lines.items()})


@pytest.fixture
def hand(actor: Who) -> Callable[..., Any]:
    """`hand(STAFF_STN, "collect", ref, PLATES=Found(60))`."""

    def act(who: str, what: str, ref: str, when: datetime | None = None, pictures: Any = (), **lines: Found) -> Any:
        do = {"collect": handover.collect, "return": handover.take_back}[what]
        with transaction() as session:
            return do(session, actor(who), ref, meeting(**lines), pictures, when or clock.now(), world.PARIS)

    return act


@pytest.fixture
def plates(book: Book, actor: Who) -> str:
    """Sixty plates of STN for the choir, approved."""
    [done] = book(MEMBER, WEEK, {PLATES: 60})
    desk.change(actor(STAFF_STN), done.ref, "approve")
    return done.ref


def lines(ref: str) -> list[tuple[int, bool, bool]]:
    return [(line.quantity, line.holds, line.back) for line in loan(ref).lines]


# -- all there ---------------------------------------------------------------------------------------


def test_everything_leaves_and_everything_comes_back(plates: str, hand: Callable[..., Any]) -> None:
    hand(STAFF_STN, "collect", plates)
    assert loan(plates).status == "collected"
    hand(STAFF_STN, "return", plates)
    assert loan(plates).status == "returned"
    assert free(PLATES, WEEK) == 60
    out, back = handover.meetings(db.session(), loan(plates).id)
    assert [(m.kind, m.borrower_name, m.staff_name, [line.quantity for line in m.lines]) for m in (out, back)] == [
        ("collect", "Odile", "Hervé", [60]),
        ("return", "Odile", "Hervé", [60]),
    ]
    assert lines(plates) == [(60, False, False)]


def test_without_a_record_all_is_there(plates: str, actor: Who) -> None:
    for act in ("collect", "return"):
        desk.change(actor(STAFF_STN), plates, act)
    assert loan(plates).status == "returned"
    assert handover.meetings(db.session(), loan(plates).id) == ()


def test_who_may_and_when(plates: str, hand: Callable[..., Any]) -> None:
    for who, act, refusal in (
        (MEMBER, "collect", NotAllowed),
        (OTHER, "collect", NotFound),
        (STAFF, "collect", NotFound),
        (STAFF_STN, "return", WrongState),
    ):
        with pytest.raises(refusal):
            hand(who, act, plates)
    hand(STAFF_STN, "collect", plates)
    with pytest.raises(WrongState):
        hand(STAFF_STN, "collect", plates)
    assert len(handover.meetings(db.session(), loan(plates).id)) == 1


def test_a_closure_is_not_handed_over(book: Book, hand: Callable[..., Any]) -> None:
    [done] = book(STAFF, WEEK, {ROOM: 1}, do=desk.close)
    with pytest.raises(NotFound):
        hand(STAFF, "collect", done.ref)


# -- some of it ----------------------------------------------------------------------------------------


def test_what_stays_behind_is_free_for_others(plates: str, hand: Callable[..., Any]) -> None:
    hand(STAFF_STN, "collect", plates, STN_K03=Found(45))
    assert lines(plates) == [(45, True, False)]
    assert free(PLATES, WEEK) == 15


def test_what_comes_back_is_free_at_once_and_the_rest_stays_out(
    plates: str, hand: Callable[..., Any], book: Book, actor: Who
) -> None:
    hand(STAFF_STN, "collect", plates)
    hand(STAFF_STN, "return", plates, STN_K03=Found(40))
    assert loan(plates).status == "collected"
    assert lines(plates) == [(20, True, False)]
    assert free(PLATES, WEEK) == 40
    book(OTHER, WEEK, {PLATES: 40})
    with pytest.raises(Collision):
        book(OTHER, WEEK, {PLATES: 1})
    assert ("handover_part", MEMBER) in letters()
    # More than is out cannot come back; then the rest does, two of it lost.
    with pytest.raises(MoreThanOut):
        hand(STAFF_STN, "return", plates, STN_K03=Found(21))
    hand(STAFF_STN, "return", plates, STN_K03=Found(18, missing=2))
    assert loan(plates).status == "returned"
    assert lines(plates) == [(60, False, False)]  # history says what it was
    assert free(PLATES, WEEK) == 20
    back = handover.came_back(handover.meetings(db.session(), loan(plates).id))
    assert [(found.quantity, found.missing) for found in back.values()] == [(58, 2)]


def test_a_thing_that_is_back_is_free_while_the_others_are_out(
    book: Book, actor: Who, hand: Callable[..., Any]
) -> None:
    [done] = book(STAFF, WEEK, {ROOM: 1, BUS: 1})
    hand(STAFF, "collect", done.ref)
    hand(STAFF, "return", done.ref, MCNG_V01=Found(0))
    assert lines(done.ref) == [(1, False, True), (1, True, False)]
    book(MEMBER, WEEK, {ROOM: 1})
    with pytest.raises(Collision):
        book(MEMBER, WEEK, {BUS: 1})
    # Whatever moves the loan now leaves what is back alone; so does its end.
    with transaction() as session:
        stored = session.scalars(select(Reservation).where(Reservation.ref == done.ref)).one()
        stored.ends_at += timedelta(hours=1)
    assert lines(done.ref) == [(1, False, True), (1, True, False)]
    sheet = handover.sheet(db.session(), actor(STAFF), done.ref)
    assert [line.code for line in sheet.to_fill] == [BUS]
    hand(STAFF, "return", done.ref)
    assert loan(done.ref).status == "returned"


def test_history_is_kept_of_what_left_without_a_record(plates: str, hand: Callable[..., Any], actor: Who) -> None:
    desk.change(actor(STAFF_STN), plates, "collect")
    hand(STAFF_STN, "return", plates, STN_K03=Found(10))
    desk.change(actor(STAFF_STN), plates, "return")
    assert lines(plates) == [(60, False, False)]


def test_nothing_impossible_is_written_down(plates: str, hand: Callable[..., Any], book: Book) -> None:
    [bus] = book(STAFF, WEEK, {BUS: 1})
    for who, act, ref, found, refusal in (
        (STAFF_STN, "collect", plates, {"STN_K03": Found(61)}, MoreThanBooked),
        (STAFF_STN, "collect", plates, {"STN_K03": Found(0)}, NothingHandedOver),
        (STAFF, "collect", bus.ref, {"MCNG_V01": Found(1, facts={"odometer": 81_250})}, None),
        (STAFF, "return", bus.ref, {"MCNG_V01": Found(1, facts={"odometer": 81_249})}, OdometerWentBack),
        (STAFF, "return", bus.ref, {"MCNG_V01": Found(0)}, NothingHandedOver),
    ):
        if refusal is None:
            hand(who, act, ref, **found)
        else:
            with pytest.raises(refusal):
                hand(who, act, ref, **found)
    assert handover.meetings(db.session(), loan(plates).id) == ()
    assert len(handover.meetings(db.session(), loan(bus.ref).id)) == 1


def test_numbers_of_a_return_that_contradict_each_other(plates: str, hand: Callable[..., Any], book: Book) -> None:
    """Units of a pool are back or missing; of a set, of a room, of counted pieces, there is more to say."""
    hand(STAFF_STN, "collect", plates)
    for found, refusal, where in (
        (Found(60, missing=1), BackAndMissing, "quantity"),
        (Found(0, missing=61), BackAndMissing, "quantity"),
        (Found(40, broken=41), MoreThanBack, "broken"),
        (Found(40, dirty=41), MoreThanBack, "dirty"),
        (Found(60, gone=61), MoreThanWentOut, "gone"),
    ):
        with pytest.raises(refusal) as refused:
            hand(STAFF_STN, "return", plates, STN_K03=found)
        assert refused.value.field == f"{PLATES}-{where}"
    assert len(handover.meetings(db.session(), loan(plates).id)) == 1
    hand(STAFF_STN, "return", plates, STN_K03=Found(40, missing=2, broken=40, dirty=40))
    with pytest.raises(BackAndMissing):  # eighteen are out still
        hand(STAFF_STN, "return", plates, STN_K03=Found(17, missing=2))
    # What went missing at the first return is gone as well.
    hand(STAFF_STN, "return", plates, STN_K03=Found(17, missing=1, broken=1, gone=4))
    assert loan(plates).status == "returned"


@pytest.mark.parametrize(
    ("before", "now"),
    [({"pieces": 240}, {}), ({}, {"pieces": 236}), ({"pieces": 240}, {"pieces": 236})],
)
def test_pieces_of_sets_are_counted_beside_the_sets(
    plates: str, hand: Callable[..., Any], before: dict[str, int], now: dict[str, int]
) -> None:
    hand(STAFF_STN, "collect", plates, STN_K03=Found(60, facts=before))
    hand(STAFF_STN, "return", plates, STN_K03=Found(60, missing=4, broken=80, facts=now))
    assert loan(plates).status == "returned"


def test_of_a_single_thing_parts_are_missing_or_broken(book: Book, hand: Callable[..., Any]) -> None:
    [room] = book(STAFF, WEEK, {ROOM: 1})
    hand(STAFF, "collect", room.ref)
    hand(STAFF, "return", room.ref, MCNG_R01=Found(1, missing=3, broken=2))
    assert loan(room.ref).status == "returned"


# -- photos --------------------------------------------------------------------------------------------


def jpeg() -> bytes:
    out, shot = io.BytesIO(), Image.new("RGB", (800, 600), "navy")
    exif = shot.getexif()
    exif[0x010F] = "Spy camera"
    shot.save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_photos_are_made_anew_and_shown_to_the_two_parties(plates: str, hand: Callable[..., Any], actor: Who) -> None:
    picture = darkroom.read(jpeg(), "IMG_1.jpg")
    hand(STAFF_STN, "collect", plates, pictures=[picture])
    [photo] = db.session().scalars(select(HandoverPhoto)).all()
    mark = photo.sha256[:8]
    for who in (MEMBER, STAFF_STN):
        image = handover_photos.picture(db.session(), actor(who), photo.id, mark, small=False)
        assert b"Spy camera" not in image
        assert Image.open(io.BytesIO(image)).size == (800, 600)
    for who, number, said in ((OTHER, photo.id, mark), (MEMBER, photo.id, "00000000"), (MEMBER, 999, mark)):
        with pytest.raises(NotFound):
            handover_photos.picture(db.session(), actor(who), number, said, small=True)
    with transaction() as session:
        handover_photos.add_photos(session, actor(STAFF_STN), plates, [picture], clock.now())
    with pytest.raises(TooManyPhotos), transaction() as session:
        handover_photos.add_photos(
            session, actor(STAFF_STN), plates, [picture] * handover_photos.MOST_PHOTOS, clock.now()
        )
    with pytest.raises(NotAllowed), transaction() as session:
        handover_photos.add_photos(session, actor(MEMBER), plates, [picture], clock.now())
    assert len(db.session().scalars(select(HandoverPhoto)).all()) == 2


# -- damage ----------------------------------------------------------------------------------------------


@pytest.fixture
def keep_in(actor: Who) -> Callable[..., str | None]:
    def act(who: str, repair: Repair, *confirmed: str) -> str | None:
        with transaction() as session:
            return handover_damage.keep_in(session, actor(who), repair, confirmed, clock.now(), world.PARIS).closure

    return act


FORTNIGHT = date(2026, 12, 5)


def test_a_damaged_thing_is_closed_and_loans_in_its_way_end_with_a_word(
    book: Book, actor: Who, keep_in: Callable[..., str | None]
) -> None:
    [first] = book(MEMBER, WEEK, {BUS: 1})
    desk.change(actor(STAFF), first.ref, "approve")
    [asked] = book(MEMBER, at(30, "10:00", "12:00"), {BUS: 1, ROOM: 1})
    [after] = book(MEMBER, at(8, "10:00", "12:00", month=12), {BUS: 1})
    repair = Repair(BUS, 1, FORTNIGHT, "Embrayage cassé")
    assert [(hit.loan.ref, hit.left, hit.ends) for hit in handover_damage.hits(
        db.session(), repair, clock.now(), world.PARIS)] == [(first.ref, 0, True), (asked.ref, 0, False)]  # fmt: skip
    with pytest.raises(LoansInTheWay):
        keep_in(STAFF, repair, first.ref)  # not all of them were seen
    assert loan(first.ref).status == "approved"
    closure = keep_in(STAFF, repair, first.ref, asked.ref)
    assert closure is not None
    assert (loan(closure).kind, loan(closure).purpose) == ("closure", "Embrayage cassé")
    assert loan(first.ref).status == "cancelled"
    assert [line.resource.code for line in loan(asked.ref).lines] == [ROOM]
    assert loan(asked.ref).status == "requested"
    assert loan(after.ref).status == "requested"
    told = [letter for letter in db.session().scalars(select(Letter)) if letter.template == "loan_hit"]
    assert sorted(letter.facts["ref"] for letter in told) == sorted([first.ref, asked.ref])
    assert {letter.facts["ended"] for letter in told if letter.facts["ref"] == first.ref} == {True}
    plain = [x for x in db.session().scalars(select(Letter)) if x.facts.get("ref") == first.ref and x.state == "queued"]
    assert [letter.template for letter in plain] == ["loan_hit"]  # one letter says it all
    with pytest.raises(Collision):
        book(MEMBER, at(28, "10:00", "12:00"), {BUS: 1})


def test_of_a_pool_those_who_asked_first_keep_theirs(book: Book, keep_in: Callable[..., str | None]) -> None:
    [first] = book(MEMBER, WEEK, {PLATES: 30})
    [second] = book(OTHER, WEEK, {PLATES: 25})
    keep_in(STAFF_STN, Repair(PLATES, 15, FORTNIGHT, "Ébréchées"), second.ref)
    assert [line.quantity for line in loan(first.ref).lines] == [30]
    assert [line.quantity for line in loan(second.ref).lines] == [15]
    assert "25 → 15" in loan(second.ref).events[-1].why
    assert free(PLATES, WEEK) == 0


def test_a_closure_begins_when_what_is_out_is_back(
    book: Book, hand: Callable[..., Any], keep_in: Callable[..., str | None], plates: str
) -> None:
    hand(STAFF_STN, "collect", plates)
    with pytest.raises(OverBeforeItBegins):
        keep_in(STAFF_STN, Repair(PLATES, 5, date(2026, 11, 24), "Ébréchées"))
    closure = keep_in(STAFF_STN, Repair(PLATES, 5, FORTNIGHT, "Ébréchées"))
    assert closure is not None
    assert loan(closure).starts_at == WEEK.end


def test_until_further_notice_is_said_in_the_catalogue(book: Book, keep_in: Callable[..., str | None]) -> None:
    [far] = book(MEMBER, at(8, "10:00", "12:00", month=12), {BUS: 1})
    assert keep_in(STAFF, Repair(BUS, 1, None, "Épave"), far.ref) is None
    assert loan(far.ref).status == "declined"
    thing = db.session().scalars(select(Resource).where(Resource.code == BUS)).one()
    assert (thing.in_service, thing.out_of_service_reason) == (False, "Épave")
    with pytest.raises(NotAllOfIt):
        keep_in(STAFF_STN, Repair(PLATES, 5, None, "Ébréchées"))


def test_who_may_take_a_thing_out_of_service(keep_in: Callable[..., str | None]) -> None:
    for who, repair, refusal in (
        (MEMBER, Repair(BUS, 1, FORTNIGHT, "Non"), NotAllowed),
        (STAFF_STN, Repair(BUS, 1, FORTNIGHT, "Non"), NotAllowed),
        (STAFF, Repair(BUS, 1, FORTNIGHT, " "), ReasonMissing),
        (STAFF, Repair("MCNG-X99", 1, FORTNIGHT, "Non"), NotFound),
    ):
        with pytest.raises(refusal):
            keep_in(who, repair)


def test_said_at_the_return_it_is_done_at_once_or_waits_for_a_yes(
    book: Book, actor: Who, hand: Callable[..., Any]
) -> None:
    for month, in_the_way in ((11, False), (12, True)):
        [done] = book(STAFF, at(22, "10:00", "18:00", month=month), {BUS: 1})
        hand(STAFF, "collect", done.ref)
        until = FORTNIGHT if not in_the_way else date(2026, 12, 24)
        if in_the_way:
            book(MEMBER, at(23, "10:00", "18:00", month=12), {BUS: 1})
        broken = Found(1, broken=1, note="Pare-brise fendu", out=True, out_until=until)
        waiting = handover_desk.take_back(actor(STAFF), done.ref, meeting(MCNG_V01=broken))
        assert [one.code for one in waiting] == ([BUS] if in_the_way else [])
        pending = handover_damage.pending(db.session(), loan(done.ref).id)
        assert [line.note for line in pending] == (["Pare-brise fendu"] if in_the_way else [])
    asked = handover_damage.asked_for(db.session(), loan(done.ref).id, BUS)
    assert asked == Repair(BUS, 1, date(2026, 12, 24), "Pare-brise fendu", loan_id=loan(done.ref).id)
    closures = db.session().scalars(select(Reservation).where(Reservation.kind == "closure")).all()
    assert [closure.purpose for closure in closures] == ["Pare-brise fendu"]
    assert db.session().scalars(select(HandoverLine.out)).all().count(True) == 1


# -- late --------------------------------------------------------------------------------------------------


def warn(now: datetime) -> None:
    with transaction() as session:
        handover_reminders.warn_next(session, now)


def warnings() -> list[Letter]:
    db.session().rollback()
    return [letter for letter in db.session().scalars(select(Letter)) if letter.template.startswith("loan_at_risk")]


def test_the_next_borrower_of_what_is_late_is_warned_once(plates: str, hand: Callable[..., Any], book: Book) -> None:
    hand(STAFF_STN, "collect", plates)
    hand(STAFF_STN, "return", plates, STN_K03=Found(30))
    book(OTHER, at(27, "10:00", "12:00"), {PLATES: 30})
    [short] = book(OTHER, at(27, "10:00", "12:00"), {PLATES: 10})
    for now, written in (
        (WEEK.end - timedelta(hours=1), 0),  # not late yet
        (WEEK.end + timedelta(hours=1), 4),  # two loans of the same hours, their borrower and the house
        (WEEK.end + timedelta(hours=2), 4),  # once
    ):
        warn(now)
        assert len(warnings()) == written
    told = [letter for letter in warnings() if letter.template == "loan_at_risk"]
    assert {letter.to_address for letter in told} == {OTHER}
    assert short.ref in {letter.facts["ref"] for letter in told}
    assert ("loan_at_risk_house", "manager.stn@example.org") in letters()


def test_where_there_are_enough_nobody_is_warned(plates: str, hand: Callable[..., Any], book: Book) -> None:
    hand(STAFF_STN, "collect", plates, STN_K03=Found(30))
    book(OTHER, at(26, "10:00", "12:00"), {PLATES: 30})
    warn(WEEK.end + timedelta(hours=1))
    assert warnings() == []
