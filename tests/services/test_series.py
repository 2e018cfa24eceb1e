"""Series through the services, on both databases: previewed, booked, tried again, changed, decided, asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from sharebank.accounts.models import Organisation
from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.core.period import to_local
from sharebank.exchange import import_bytes
from sharebank.exchange.refusals import ImportRefused
from sharebank.exchange.writing import export_text
from sharebank.notifications.models import Letter
from sharebank.reservations import desk
from sharebank.reservations.models import Reservation, Series, SeriesDate
from sharebank.reservations.rules import Collision, OutOfService, TooSoon
from sharebank.reservations.series import series as service
from sharebank.reservations.series import series_booking, series_care, series_changes, series_deciding, series_reading
from sharebank.reservations.series.series import OneHouse, SeriesAsk
from sharebank.reservations.series.series_booking import NothingToBook, UnknownDates
from sharebank.reservations.series.series_preparing import NothingToChange, Wished
from sharebank.reservations.series.series_rules import Plan, read_rule
from sharebank.reservations.states import WrongState
from tests import world
from tests.counter import MEMBER, OTHER, PLATES, ROOM, SMALL, STAFF, STN_ROOM, Book, Who, book, letters, rules, stored
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")
NOW, PARIS = world.NOW, world.PARIS
FIRST = "2026-12-01"  # a Tuesday


def ask(
    organisation: str = "MCNG",
    rule: str = "FREQ=WEEKLY;COUNT=6",
    hours: tuple[str, str] = ("14:00", "16:00"),
    first: str = FIRST,
    wants: dict[str, int] | None = None,
    **more: Any,
) -> SeriesAsk:
    start, end = (datetime.fromisoformat(f"{first}T{hour}") for hour in hours)
    plan = Plan(start, end, read_rule(rule), more.pop("until", None), more.pop("skip", "none"))
    return SeriesAsk(organisation, more.pop("purpose", "Chorale"), wants or {ROOM: 1}, plan, **more)


@pytest.fixture
def repeat(actor: Who) -> Callable[..., series_booking.Made]:
    """Book a series: `repeat(STAFF)`."""

    def act(who: str = STAFF, chosen: list[str] | None = None, **asked: Any) -> series_booking.Made:
        with transaction() as session:
            return series_booking.book(session, actor(who), ask(**asked), chosen, NOW, PARIS)

    return act


Repeat = Callable[..., series_booking.Made]


def look(actor: Who, who: str = STAFF, **asked: Any) -> service.Preview:
    session = db.session()
    session.rollback()
    return service.preview(session, actor(who), ask(**asked), NOW, PARIS)


def states(found: service.Preview) -> list[str]:
    return [one.state for one in found.dates]


def dates(ref: str) -> list[series_reading.DateRow]:
    session = db.session()
    session.rollback()
    session.expire_all()
    return series_reading.dates_of_series(session, session.scalars(select(Series).where(Series.ref == ref)).one())


def walls(ref: str) -> list[str]:
    return [f"{to_local(one.period.start, PARIS):%d/%m %H:%M} {one.state}" for one in dates(ref)]


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


# -- trying again, changing, ending ------------------------------------------------------------------


def test_left_out_dates_are_tried_again(repeat: Repeat, book: Book, actor: Who) -> None:
    [loto] = book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1})
    made = repeat()
    missing = next(one for one in dates(made.ref) if one.state == "conflict")
    with pytest.raises(Collision), transaction() as session:
        series_booking.retry(session, actor(STAFF), made.ref, [missing.id], NOW, PARIS)
    desk.change(actor(STAFF), loto.ref, "cancel")
    with transaction() as session:
        assert len(series_booking.retry(session, actor(STAFF), made.ref, [missing.id], NOW, PARIS)) == 1
    assert {one.state for one in dates(made.ref)} == {"approved"}


def change(actor: Who, ref: str, wished: Wished, who: str = STAFF, chosen: list[str] | None = None) -> Series:
    with transaction() as session:
        return series_changes.change(session, actor(who), ref, wished, chosen, NOW, PARIS)


def hour(text: str) -> Any:
    return datetime.fromisoformat(f"2026-01-01T{text}").time()


def test_one_date_moves(repeat: Repeat, actor: Who) -> None:
    made = repeat(rule="FREQ=WEEKLY;COUNT=3")
    second = dates(made.ref)[1]
    change(actor, made.ref, Wished("one", second.id, start=hour("17:00"), end=hour("19:00")))
    assert walls(made.ref) == ["01/12 14:00 approved", "08/12 17:00 approved", "15/12 14:00 approved"]


def test_from_one_on_goes_on_as_a_series_of_its_own(repeat: Repeat, actor: Who) -> None:
    made = repeat(rule="FREQ=WEEKLY;COUNT=4")
    second = dates(made.ref)[1]
    after = change(actor, made.ref, Wished("from", second.id, start=hour("17:00"), end=hour("18:00")))
    assert walls(made.ref) == ["01/12 14:00 approved"]
    assert walls(after.ref) == ["08/12 17:00 approved", "15/12 17:00 approved", "22/12 17:00 approved"]
    loans = db.session().scalars(select(Reservation).where(Reservation.series_id == after.id)).all()
    assert {line.starts_at for loan in loans for line in loan.lines} == {loan.starts_at for loan in loans}
    # Each says what its dates are: expanded anew, the same days.
    for ref, days in ((made.ref, 1), (after.ref, 3)):
        series = db.session().scalars(select(Series).where(Series.ref == ref)).one()
        start, end = datetime.fromisoformat(series.first_start), datetime.fromisoformat(series.first_end)
        again = look(
            actor,
            rule=series.rule,
            until=series.until,
            first=f"{start:%Y-%m-%d}",
            hours=(f"{start:%H:%M}", f"{end:%H:%M}"),
        )
        assert len(again.dates) == days


def test_all_move_to_another_thing_and_conflicts_are_shown_first(repeat: Repeat, actor: Who, book: Book) -> None:
    book(STAFF, at(8, "15:00", "17:00", month=12), {SMALL: 1})
    made = repeat(rule="FREQ=WEEKLY;COUNT=3")
    wished = Wished("all", resource=SMALL)
    _series, shown = series_changes.preview_change(db.session(), actor(STAFF), made.ref, wished, NOW, PARIS)
    assert [one.state for one in shown.preview.dates] == ["free", "conflict", "free"]
    before = walls(made.ref)
    with pytest.raises(Collision):
        change(actor, made.ref, wished)
    assert walls(made.ref) == before
    db.session().rollback()
    change(actor, made.ref, wished, chosen=shown.bookable)
    loans = db.session().scalars(
        select(Reservation).where(Reservation.series_id.is_not(None)).order_by(Reservation.starts_at)
    )
    assert [[line.resource.code for line in loan.lines] for loan in loans] == [[SMALL], [ROOM], [SMALL]]


def test_a_move_may_pass_where_it_stands_itself(repeat: Repeat, actor: Who) -> None:
    made = repeat(rule="FREQ=DAILY;COUNT=10")
    change(actor, made.ref, Wished("all", start=hour("15:00"), end=hour("17:00")))
    change(actor, made.ref, Wished("all", start=hour("13:30"), end=hour("16:30")))
    assert {wall[6:11] for wall in walls(made.ref)} == {"13:30"}


def test_an_earlier_last_day_gives_dates_up_and_a_later_one_adds_some(repeat: Repeat, actor: Who) -> None:
    made = repeat(rule="FREQ=WEEKLY", until=date(2026, 12, 22))
    change(actor, made.ref, Wished("all", until=date(2026, 12, 10)))
    assert walls(made.ref)[2:] == ["15/12 14:00 cancelled", "22/12 14:00 cancelled"]
    change(actor, made.ref, Wished("all", until=date(2027, 1, 5)))
    assert walls(made.ref)[4:] == ["29/12 14:00 approved", "05/01 14:00 approved"]


def test_what_a_borrower_changes_is_asked_for_again(repeat: Repeat, actor: Who) -> None:
    made = repeat(MEMBER, organisation="CHORALE", rule="FREQ=WEEKLY;COUNT=2")
    with transaction() as session:
        series_deciding.decide(session, actor(STAFF), made.ref, "approve", "", NOW, PARIS)
    change(actor, made.ref, Wished("all", start=hour("15:00"), end=hour("16:00")), who=MEMBER)
    assert {one.state for one in dates(made.ref)} == {"requested"}


@pytest.mark.parametrize(("scope", "left"), [("one", 3), ("from", 1), ("all", 0)])
def test_giving_up_one_from_here_or_all(repeat: Repeat, actor: Who, scope: str, left: int) -> None:
    made = repeat(rule="FREQ=WEEKLY;COUNT=4")
    second = dates(made.ref)[1]
    with transaction() as session:
        series_changes.cancel(session, actor(STAFF), made.ref, scope, second.id, "Travaux", NOW)
    assert sum(one.held for one in dates(made.ref)) == left
    series = db.session().scalars(select(Series)).one()
    assert series.status == ("active" if left else "ended")
    if not left:
        with pytest.raises(NothingToChange), transaction() as session:
            series_changes.cancel(session, actor(STAFF), made.ref, "all", None, "", NOW)


def test_one_given_up_on_its_own_page_is_given_up_here(repeat: Repeat, actor: Who) -> None:
    made = repeat(rule="FREQ=WEEKLY;COUNT=2")
    desk.change(actor(STAFF), next(iter(made.refs.values())), "cancel")
    rows = db.session().scalars(select(SeriesDate).order_by(SeriesDate.starts_at)).all()
    assert [row.state for row in rows] == ["cancelled", "booked"]


def test_others_neither_see_nor_change_it(repeat: Repeat, actor: Who) -> None:
    made = repeat(MEMBER, organisation="CHORALE")
    with pytest.raises(NotFound), transaction() as session:
        series_changes.cancel(session, actor(OTHER), made.ref, "all", None, "", NOW)
    with pytest.raises(NotAllowed), transaction() as session:
        series_deciding.decide(session, actor(MEMBER), made.ref, "approve", "", NOW, PARIS)


# -- deciding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "state"), [("approve", "approved"), ("decline", "declined")])
def test_all_dates_are_decided_together_with_one_letter(repeat: Repeat, actor: Who, act: str, state: str) -> None:
    made = repeat(MEMBER, organisation="CHORALE")
    with transaction() as session:
        series_deciding.decide(session, actor(STAFF), made.ref, act, "Bienvenue", NOW, PARIS)
    assert {one.state for one in dates(made.ref)} == {state}
    told = [letter for letter in db.session().scalars(select(Letter)) if letter.template == f"series_{state}"]
    assert [letter.to_address for letter in told] == [MEMBER]
    with pytest.raises(WrongState), transaction() as session:
        series_deciding.decide(session, actor(STAFF), made.ref, act, "Encore", NOW, PARIS)


# -- still needed? -----------------------------------------------------------------------------------


def tick(days: float) -> Counter[str]:
    with transaction() as session:
        return Counter(series_care.look_after(session, NOW + timedelta(days=days)))


@pytest.fixture
def zone_a() -> None:
    with transaction() as session:
        session.execute(update(Organisation).values(school_zone="A"))


def test_asked_once_a_term_and_released_when_nobody_answers(repeat: Repeat, zone_a: None) -> None:
    made = repeat(MEMBER, organisation="CHORALE", rule="FREQ=WEEKLY", until=date(2027, 6, 29))
    assert tick(1)["series_asked"] == 0  # asked for this term
    january = (date(2027, 1, 4) - NOW.date()).days
    assert tick(january)["series_asked"] == 1
    assert tick(january + 1)["series_asked"] == 0
    needed = db.session().scalars(select(Letter).where(Letter.template == "series_needed")).one()
    assert needed.to_address == MEMBER
    assert tick(january + 13)["series_released"] == 0
    assert tick(january + 15)["series_released"] == 1
    gone = [one for one in dates(made.ref) if one.period.start > NOW + timedelta(days=january + 15)]
    assert gone
    assert {one.state for one in gone} == {"cancelled"}
    told = {
        letter.to_address for letter in db.session().scalars(select(Letter)) if letter.template == "series_released"
    }
    assert told == {MEMBER, "manager@example.org", "admin@example.org"}
    assert tick(january + 16)["series_released"] == 0


@pytest.mark.parametrize(("needed", "held"), [(True, True), (False, False)])
def test_the_answer_counts_once(repeat: Repeat, zone_a: None, needed: bool, held: bool) -> None:
    made = repeat(MEMBER, organisation="CHORALE", rule="FREQ=WEEKLY", until=date(2027, 6, 29))
    january = (date(2027, 1, 4) - NOW.date()).days
    tick(january + 9)  # the machine was off for a week: it looks back
    letter = db.session().scalars(select(Letter).where(Letter.template == "series_needed")).one()
    secret = letter.facts["secret"]
    for answer in (needed, not needed):
        with transaction() as session:
            series_care.answer(session, secret, answer, NOW + timedelta(days=january + 10))
    assert tick(january + 40)["series_released"] == 0
    assert any(one.held for one in dates(made.ref) if one.period.start > NOW + timedelta(days=january + 10)) is held
    with pytest.raises(series_care.QuestionGone):
        series_care.asked_by(db.session(), "guessed")


def test_a_series_asked_for_just_now_is_not_asked_about(repeat: Repeat, zone_a: None) -> None:
    with transaction() as session:
        session.execute(update(Organisation).values(school_zone="A"))
    repeat(MEMBER, organisation="CHORALE", first="2027-01-19", rule="FREQ=WEEKLY", until=date(2027, 6, 29))
    with transaction() as session:
        session.execute(update(Series).values(created_at=NOW + timedelta(days=30)))  # 21 December
    assert tick((date(2027, 1, 4) - NOW.date()).days)["series_asked"] == 0


def test_the_house_is_reminded_once_of_a_whole_series(repeat: Repeat) -> None:
    repeat(MEMBER, organisation="CHORALE")
    tick(3)
    tick(4)
    told = [
        letter.to_address for letter in db.session().scalars(select(Letter)) if letter.template == "series_unanswered"
    ]
    assert sorted(told) == ["admin@example.org", "manager@example.org"]


# -- files -------------------------------------------------------------------------------------------

HEAD = "title,resource_code,organisation,rrule,first_start,first_end,until,skip,expected_count\n"


def bring(text: str) -> None:
    with transaction() as session:
        import_bytes(session, "series", "s.csv", (HEAD + text).encode(), NOW, PARIS)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (
            "A,NOPE,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,",
            "resource_code",
            "unknown_resource",
        ),
        (
            "A,MCNG-R01,NOPE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,",
            "organisation",
            "unknown_organisation",
        ),
        (
            "A,MCNG-R01,CHORALE,FREQ=HOURLY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,",
            "rrule",
            "finer_than_a_day",
        ),
        ("A,MCNG-R01,CHORALE,FREQ=DAILY,2026-12-01T09:00,2026-12-01T10:00,,none,", "until", "endless"),
        (
            "A,MCNG-R01,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T08:00,,none,",
            "first_end",
            "ends_before_start",
        ),
        ("A,MCNG-R01,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,some,", "skip", "not_a_choice"),
        (
            "A,MCNG-R01,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,3",
            "expected_count",
            "other_count",
        ),
        (
            "A,MCNG-R01;STN-R01,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,",
            "resource_code",
            "one_house",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(row: str, column: str, code: str) -> None:
    good = "B,MCNG-R03,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,2\n"
    with pytest.raises(ImportRefused) as caught:
        bring(good + row + "\n")
    [problem] = caught.value.problems
    assert (problem.line, problem.column, problem.refusal.code) == (3, column, code)
    assert str(caught.value).startswith(f"s.csv:3: {column}: ")
    assert db.session().scalar(select(Series.id).limit(1)) is None


def test_what_was_exported_imports_again_unchanged(repeat: Repeat) -> None:
    repeat(chosen=["2026-12-01T14:00", "2026-12-15T14:00"], wants={ROOM: 1, SMALL: 1})
    bring("B,MCNG-R03,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,both,2\n")
    text = export_text(db.session(), "series", PARIS)
    loans = export_text(db.session(), "reservations", PARIS)
    before = stored()
    with transaction() as session:
        import_bytes(session, "series", "s.csv", text.encode(), NOW, PARIS)
    assert stored() == before
    # Into a database that has only the reservations: they are taken up, not booked twice.
    with transaction() as session:
        session.execute(update(Reservation).values(series_id=None))
        session.connection().exec_driver_sql("DELETE FROM series_date")
        session.connection().exec_driver_sql("DELETE FROM series")
        import_bytes(session, "series", "s.csv", text.encode(), NOW, PARIS)
    assert stored() == before
    assert export_text(db.session(), "series", PARIS) == text
    assert export_text(db.session(), "reservations", PARIS) == loans


def test_a_date_that_is_taken_stays_as_a_conflict(book: Book) -> None:
    book(STAFF, at(1, "09:30", "11:00", month=12), {ROOM: 1})
    bring("A,MCNG-R01,CHORALE,FREQ=DAILY;COUNT=2,2026-12-01T09:00,2026-12-01T10:00,,none,2\n")
    assert [one.state for one in dates(db.session().scalars(select(Series.ref)).one())] == ["conflict", "approved"]


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
