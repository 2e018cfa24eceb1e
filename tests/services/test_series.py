"""Series: every date looked at before, then booked, all that was chosen or none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select

from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.core.period import to_local
from sharebank.reservations import booking, desk
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision, OutOfService, TooSoon
from sharebank.reservations.series import series_booking
from sharebank.reservations.series.series import OneHouse, SeriesAsk
from sharebank.reservations.series.series_booking import NothingToBook, UnknownDates
from sharebank.reservations.series.series_rules import Plan, read_rule
from tests.counter import MEMBER, OTHER, PLATES, ROOM, SMALL, STAFF, STN_ROOM, Book, Who, book, letters, rules, stored
from tests.repeated import NOW, PARIS, Repeat, dates, look, repeat, states
from tests.world import at

__all__ = ["book", "repeat"]  # fixtures
pytestmark = pytest.mark.usefixtures("app")


# -- looking ---------------------------------------------------------------------------------------


def test_every_date_with_its_state_and_what_else_there_is(actor: Who, book: Book) -> None:
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1}, purpose="Loto")
    book(STAFF, at(15, "08:00", "18:00", month=12), {ROOM: 1}, do=desk.close, purpose="Peinture")
    found = look(actor, skip="school_holidays", rule="FREQ=WEEKLY;BYDAY=TU,SA;COUNT=9")
    said = {f"{one.start:%d/%m}": one.state for one in found.dates}
    assert said == {
        "01/12": "free",
        "05/12": "outside_hours",
        "08/12": "conflict",
        "12/12": "outside_hours",
        "15/12": "closed",
        "19/12": "holiday",
        "22/12": "holiday",
        "26/12": "holiday",
        "29/12": "holiday",
    }
    taken = found.dates[2]
    assert taken.holders == ("Loto",)
    ways = [(way.kind, way.resource, f"{to_local(way.period.start, PARIS):%H:%M}") for way in taken.ways_out]
    assert ways == [("slot", ROOM, "13:00"), ("slot", ROOM, "17:00"), ("elsewhere", STN_ROOM, "14:00")]


def test_as_few_queries_for_many_taken_dates_as_for_two(actor: Who, repeat: Repeat) -> None:
    repeat(rule="FREQ=DAILY;COUNT=60")
    asked: list[int] = []

    def count(*_: Any) -> None:
        asked[-1] += 1

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        for number in (2, 60):
            asked.append(0)
            assert set(states(look(actor, rule=f"FREQ=DAILY;COUNT={number}"))) == {"conflict"}
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    assert asked[0] == asked[1] <= 14, asked


def test_who_is_in_the_way_stays_with_those_who_may_know(actor: Who, book: Book) -> None:
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1}, purpose="Entretien annuel")
    assert look(actor, OTHER, organisation="ECHECS").dates[1].holders == ()
    assert look(actor, STAFF).dates[1].holders == ("Entretien annuel",)


def test_an_hour_that_does_not_exist_is_a_state_of_its_own(actor: Who, repeat: Repeat) -> None:
    given = {"first": "2027-03-27", "hours": ("02:30", "04:00"), "rule": "FREQ=DAILY;COUNT=3"}
    assert states(look(actor, **given)) == ["outside_hours", "no_such_time", "outside_hours"]
    made = repeat(**given)
    assert [one.state for one in dates(made.ref)] == ["approved", "no_such_time", "approved"]


def test_a_thing_out_of_service_is_closed_every_day(actor: Who) -> None:
    with transaction() as session:
        session.connection().exec_driver_sql(f"UPDATE resource SET in_service = FALSE WHERE code = '{ROOM}'")
    found = look(actor)
    assert set(states(found)) == {"closed"}
    assert isinstance(found.dates[0].why, OutOfService)


def test_notice_is_that_of_the_first_date(actor: Who) -> None:
    rules(notice={"days": 20})
    with pytest.raises(TooSoon):
        look(actor, MEMBER, organisation="CHORALE")
    assert set(states(look(actor, MEMBER, organisation="CHORALE", first="2026-12-15"))) == {"free"}


def test_one_house_is_asked(actor: Who) -> None:
    with pytest.raises(OneHouse):
        look(actor, wants={ROOM: 1, PLATES: 10})


# -- booking ---------------------------------------------------------------------------------------


def test_what_was_previewed_is_what_is_booked(actor: Who, book: Book, repeat: Repeat) -> None:
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1})
    before = look(actor)
    made = repeat()
    assert states(made.preview) == states(before)
    assert [one.state for one in dates(made.ref)] == [
        "approved",
        "conflict",
        "approved",
        "approved",
        "approved",
        "approved",
    ]
    kept = [one for one in dates(made.ref) if one.held]
    assert [one.ref for one in kept] == list(made.refs.values())
    assert [one.number for one in kept] == [1, 2, 3, 4, 5]
    assert [(one.period.start, one.period.end) for one in kept] == [
        (one.period.start, one.period.end) for one in before.dates if one.state == "free" and one.period
    ]
    loan = db.session().scalars(select(Reservation).where(Reservation.ref == kept[0].ref)).one()
    assert (loan.status, loan.purpose, loan.request, loan.kind) == ("approved", "Chorale", loan.ref, "loan")
    assert [(line.resource.code, line.quantity) for line in loan.lines] == [(ROOM, 1)]


def test_references_that_are_taken_are_drawn_again(book: Book, repeat: Repeat, monkeypatch: pytest.MonkeyPatch) -> None:
    other = book(STAFF, at(28, "10:00", "12:00"), {SMALL: 1})[0].ref
    drawn = iter([other, "R26-ONCE22", "R26-ONCE22", "R26-ONCE22", "R26-OTHER2", "R26-THRD22"])
    monkeypatch.setattr(booking, "new_ref", lambda *_: next(drawn))
    made = repeat(rule="FREQ=WEEKLY;COUNT=3")
    assert sorted(made.refs.values()) == ["R26-ONCE22", "R26-OTHER2", "R26-THRD22"]
    kept = [(one.ref, one.period.start) for one in dates(made.ref) if one.period]
    assert kept == [(made.refs[one.key], one.period.start) for one in made.preview.dates if one.period]
    loans = {loan.ref: loan.starts_at for loan in db.session().scalars(select(Reservation))}
    assert all(loans[ref] == start for ref, start in kept)


def test_one_letter_for_all_its_dates(repeat: Repeat) -> None:
    repeat()
    assert letters() == {("series_approved", STAFF)}
    repeat(MEMBER, organisation="CHORALE", wants={SMALL: 1})
    assert letters() - {("series_approved", STAFF)} == {
        ("series_requested", MEMBER),
        ("series_to_decide", "manager@example.org"),
        ("series_to_decide", "admin@example.org"),
    }


def test_all_chosen_or_none(book: Book, repeat: Repeat, actor: Who) -> None:
    keys = [one.key for one in look(actor).dates]
    book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1})
    book(STAFF, at(22, "13:00", "15:00", month=12), {ROOM: 1})
    before = stored()
    with pytest.raises(Collision) as caught:
        repeat(chosen=keys)
    assert [to_local(one.period.start, PARIS).day for one in caught.value.conflicts] == [8, 22]
    assert stored() == before
    made = repeat(chosen=[keys[0], keys[2]])
    assert [one.state for one in dates(made.ref)] == [
        "approved",
        "conflict",
        "approved",
        "conflict",
        "skipped",
        "skipped",
    ]


def test_dates_the_rule_does_not_give_are_refused(repeat: Repeat) -> None:
    with pytest.raises(UnknownDates):
        repeat(chosen=["2026-12-02T14:00"])
    with pytest.raises(NothingToBook):
        repeat(chosen=[])


def test_a_holiday_can_be_chosen_all_the_same(repeat: Repeat) -> None:
    made = repeat(skip="school_holidays", first="2026-12-22", rule="FREQ=WEEKLY;COUNT=3", chosen=["2026-12-22T14:00"])
    assert [one.state for one in dates(made.ref)] == ["approved", "holiday", "skipped"]


def test_others_ask_for_the_whole(repeat: Repeat) -> None:
    made = repeat(MEMBER, organisation="CHORALE")
    assert made.status == "requested"
    assert {one.state for one in dates(made.ref)} == {"requested"}


def test_buffers_of_a_series_do_not_collide_with_itself(actor: Who, book: Book) -> None:
    with transaction() as session:
        session.connection().exec_driver_sql("UPDATE rule_set SET buffer_before_min = 30, buffer_after_min = 60")
    start, end = datetime(2026, 12, 1, 18), datetime(2026, 12, 2, 17, 45)  # noqa: DTZ001
    plan = Plan(start, end, read_rule("FREQ=DAILY;COUNT=4"))
    with transaction() as session:
        asked = SeriesAsk("MCNG", "Stage", {ROOM: 1}, plan)
        done = series_booking.book(session, actor(STAFF), asked, None, NOW, PARIS)
    assert len(done.refs) == 4
    with pytest.raises(Collision):  # others find the whole buffer after the last one
        book(STAFF, at(5, "18:40", "19:40", month=12), {ROOM: 1})


def test_pools_are_counted(repeat: Repeat, actor: Who) -> None:
    repeat("staff.stn@example.org", organisation="STN", wants={PLATES: 40})
    assert set(states(look(actor, "staff.stn@example.org", organisation="STN", wants={PLATES: 20}))) == {"free"}
    assert set(states(look(actor, "staff.stn@example.org", organisation="STN", wants={PLATES: 21}))) == {"conflict"}


def test_a_thing_s_row_is_written_once_for_all_its_dates(repeat: Repeat) -> None:
    """It was written for each, and on PostgreSQL each time read past all the versions before."""

    def version() -> int:
        db.session.rollback()
        return int(db.session().scalars(select(Resource.calendar_version).where(Resource.code == ROOM)).one())

    before = version()
    repeat(rule="FREQ=DAILY;COUNT=40")
    assert version() - before == 1
    repeat(first="2027-02-01", rule="FREQ=DAILY;COUNT=40")
    assert version() - before == (1 if db.engine.dialect.name == "sqlite" else 2), "one writer needs no mark"
