"""Series once they are booked: tried again, changed, ended, decided, asked about."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from sharebank.accounts.models import Organisation
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.notifications.models import Letter
from sharebank.reservations import booking, desk
from sharebank.reservations.asking import Details
from sharebank.reservations.deciding.judging import details_of
from sharebank.reservations.models import Reservation, Series, SeriesDate
from sharebank.reservations.rules import Collision
from sharebank.reservations.series import series_booking, series_care, series_changes, series_deciding
from sharebank.reservations.series.series_preparing import NothingToChange, Wished
from sharebank.reservations.states import WrongState
from tests.counter import MEMBER, OTHER, ROOM, SMALL, STAFF, Book, Who, book, loan, register, rules
from tests.repeated import NOW, PARIS, Repeat, dates, look, repeat, walls
from tests.world import at

__all__ = ["book", "repeat"]  # fixtures
pytestmark = pytest.mark.usefixtures("app")


# -- trying again, changing, ending ------------------------------------------------------------------


def test_left_out_dates_are_tried_again(
    repeat: Repeat, book: Book, actor: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    [loto] = book(STAFF, at(8, "15:00", "17:00", month=12), {ROOM: 1})
    made = repeat()
    missing = next(one for one in dates(made.ref) if one.state == "conflict")
    with pytest.raises(Collision), transaction() as session:
        series_booking.retry(session, actor(STAFF), made.ref, [missing.id], NOW, PARIS)
    desk.change(actor(STAFF), loto.ref, "cancel")
    drawn = iter([dates(made.ref)[0].ref, "R26-NEVER2"])  # its first date's, which is taken
    monkeypatch.setattr(booking, "new_ref", lambda *_: next(drawn))
    with transaction() as session:
        assert series_booking.retry(session, actor(STAFF), made.ref, [missing.id], NOW, PARIS) == ["R26-NEVER2"]
    assert {one.state for one in dates(made.ref)} == {"approved"}
    assert len({one.ref for one in dates(made.ref)}) == 6


def test_drivers_named_for_a_series_drive_the_dates_tried_again_too(repeat: Repeat, book: Book, actor: Who) -> None:
    register("Samir Ancien", date(2010, 6, 1))
    rules(drivers={"licence": "B", "years": 3})
    [taken] = book(STAFF, at(8, "14:00", "16:00", month=12), {ROOM: 1}, details=Details(drivers=("Nora Neuve",)))
    said = Details(drivers=("Samir Ancien", "Nora Neuve"))
    made = repeat(MEMBER, organisation="CHORALE", details=said)
    desk.change(actor(STAFF), taken.ref, "cancel")
    [left] = [one.id for one in dates(made.ref) if one.state == "conflict"]
    with transaction() as session:
        [ref] = series_booking.retry(session, actor(MEMBER), made.ref, [left], NOW, PARIS)
    change(actor, made.ref, Wished("all", start=hour("15:00"), end=hour("17:00")), MEMBER)
    session = db.session()
    assert set(details_of(session, loan(ref)).drivers) == {"Samir Ancien", "Nora Neuve"}


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
