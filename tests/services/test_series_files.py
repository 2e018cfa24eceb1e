"""Series in files."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.exchange.refusals import ImportRefused
from sharebank.exchange.writing import export_text
from sharebank.reservations.models import Reservation, Series
from tests.counter import ROOM, SMALL, STAFF, Book, book, stored
from tests.repeated import NOW, PARIS, Repeat, dates, repeat
from tests.world import at

__all__ = ["book", "repeat"]  # fixtures
pytestmark = pytest.mark.usefixtures("app")


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
