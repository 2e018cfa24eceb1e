"""The guards among transactions that are open at the same time, and PostgreSQL's own ways to write."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sharebank.core.db import GUARD_MARK, PG_BUSY, PG_EXCLUSION
from tests.hand import GIVEN, Hand, at, hand, line, loan, refused

__all__ = ["hand"]  # the fixture
postgresql = pytest.mark.parametrize("hand", ["postgresql"], indirect=True)

FIRST_AND_SECOND = {
    "pool": (line(50, 7, "plates", 9, 11, 15), line(51, 9, "plates", 9, 11, 15)),
    "empty pool, 40 + 40 of 60": (
        loan(50, 17, 19) + ";" + line(50, 50, "plates", 17, 19, 40),
        loan(51, 18, 20) + ";" + line(51, 51, "plates", 18, 20, 40),
    ),
    "single": (line(50, 7, "van", 9, 11), line(51, 9, "van", 9, 11)),
    "taken up again, taken": (
        "UPDATE reservation SET status = 'approved' WHERE id = 12",
        line(51, 9, "plates", 9, 11, 10),
    ),
    "taken, taken up again": (
        line(51, 9, "plates", 9, 11, 20),
        "UPDATE reservation SET status = 'approved' WHERE id = 12",
    ),
    "taken, made fewer": (line(50, 7, "plates", 9, 11, 20), "UPDATE resource SET quantity = 45 WHERE id = {plates}"),
    "made fewer, taken": ("UPDATE resource SET quantity = 45 WHERE id = {plates}", line(50, 7, "plates", 9, 11, 20)),
    "single, moved": (
        f"UPDATE reservation SET starts_at = {at(15)}, ends_at = {at(16)} WHERE id = 1",
        f"UPDATE reservation SET starts_at = {at(15)}, ends_at = {at(16)} WHERE id = 2",
    ),
    "more units, more units": (
        "UPDATE reservation_line SET quantity = 60 WHERE id = 4",
        line(51, 9, "plates", 9, 11, 20),
    ),
}

# Both may happen, but neither may leave the other's line behind.
NOT_LEFT_BEHIND = {
    "line added, loan taken up": (
        line(50, 11, "van", 9, 11),
        "UPDATE reservation SET status = 'approved' WHERE id = 11",
    ),
    "line added, loan moved": (
        line(50, 7, "van", 9, 11),
        f"UPDATE reservation SET starts_at = {at(17)}, ends_at = {at(18)} WHERE id = 7",
    ),
    "line added, loan cancelled": (
        line(50, 7, "van", 9, 11),
        "UPDATE reservation SET status = 'cancelled' WHERE id = 7",
    ),
    "loan taken up, line added": (
        "UPDATE reservation SET status = 'approved' WHERE id = 11",
        line(50, 11, "van", 9, 11),
    ),
    "loan moved, line added": (
        f"UPDATE reservation SET starts_at = {at(17)}, ends_at = {at(18)} WHERE id = 7",
        line(50, 7, "van", 9, 11),
    ),
    "line handed over, loan taken up": (
        "UPDATE reservation_line SET reservation_id = 11, starts_at = {0} WHERE id = 10".replace("{0}", at(9)),
        "UPDATE reservation SET status = 'approved' WHERE id = 11",
    ),
}


def both_at_once(hand: Hand, first: str, second: str, isolation: str, end: str) -> bool:
    """Both transactions look, `first` writes, `second` writes and waits, `first` ends; did `second` commit?"""
    outcome: list[SQLAlchemyError | None] = []

    def write_second() -> None:
        try:
            hand.run(late, second)
            late.commit()
            outcome.append(None)
        except SQLAlchemyError as error:
            late.rollback()
            outcome.append(error)

    with hand.engine.connect() as early, hand.engine.connect() as late, hand.engine.connect() as watch:
        for connection in (early, late):
            connection.execution_options(isolation_level=isolation)
            connection.exec_driver_sql("SELECT count(*) FROM reservation_line")  # the snapshot is taken here
        pid = late.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        watch.execution_options(isolation_level="AUTOCOMMIT")
        hand.run(early, first)
        thread = threading.Thread(target=write_second)
        thread.start()
        waiting = f"SELECT cardinality(pg_blocking_pids({pid}))"
        while thread.is_alive() and not watch.exec_driver_sql(waiting).scalar_one():
            time.sleep(0.002)
        getattr(early, end)()
        thread.join(20)
    error = outcome[0]
    if error is not None:
        assert isinstance(error, DBAPIError)
        assert GUARD_MARK in str(error.orig) or error.orig.sqlstate in {*PG_BUSY, PG_EXCLUSION}
    return error is None


LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


@postgresql
@pytest.mark.parametrize("isolation", LEVELS)
def test_of_two_open_transactions_one_gets_it(hand: Hand, isolation: str) -> None:
    for name, (first, second) in FIRST_AND_SECOND.items():
        assert not both_at_once(hand, first, second, isolation, "commit"), name
        assert hand.faults() == [], name
        _start_over(hand)


@postgresql
@pytest.mark.parametrize("isolation", LEVELS)
def test_when_the_first_gives_up_the_second_gets_it(hand: Hand, isolation: str) -> None:
    for name, (first, second) in FIRST_AND_SECOND.items():
        assert both_at_once(hand, first, second, isolation, "rollback"), name
        assert hand.faults() == [], name
        _start_over(hand)


@postgresql
@pytest.mark.parametrize("isolation", LEVELS)
def test_no_line_is_left_behind_by_its_loan(hand: Hand, isolation: str) -> None:
    for name, (first, second) in NOT_LEFT_BEHIND.items():
        both_at_once(hand, first, second, isolation, "commit")
        assert hand.faults() == [], name
        _start_over(hand)


def _start_over(hand: Hand) -> None:
    hand.write("DELETE FROM reservation; UPDATE resource SET quantity = 60 WHERE id = {plates};" + ";".join(GIVEN))


@postgresql
def test_copy_is_guarded_too(hand: Hand) -> None:
    columns = "reservation_line (id, reservation_id, resource_id, quantity, starts_at, ends_at, holds, exclusive)"
    rows = [(key, of, hand.things["van"], 1, at(9)[1:-1], at(11)[1:-1], False, False) for key, of in ((50, 7), (51, 9))]

    def copy_in(cursor: psycopg.Cursor) -> None:
        with cursor.copy(f"COPY {columns} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    with hand.engine.connect() as connection, pytest.raises(psycopg.errors.ExclusionViolation):
        copy_in(connection.connection.cursor())
    assert hand.faults() == []


@postgresql
def test_a_loan_and_its_line_in_one_statement(hand: Hand) -> None:
    """A data-modifying WITH: the line's guard sees the loan that the same statement made."""
    both = "WITH made AS ({} RETURNING id) INSERT INTO reservation_line (id, reservation_id, resource_id, quantity,"
    both += " starts_at, ends_at) SELECT 50, id, {{{{{}}}}}, 1, {}, {} FROM made"
    assert refused(hand, both.format(loan(50, 9, 11), "room", at(9), at(11)).replace("{{", "{").replace("}}", "}"))
    assert hand.faults() == []


@postgresql
def test_the_exclusion_constraint_stands_on_its_own(hand: Hand) -> None:
    """With the triggers out of the way, single things still cannot be had twice."""
    hand.write("ALTER TABLE reservation_line DISABLE TRIGGER reservation_line_guard")
    twice = (
        line(50, 7, "room", 9, 11).replace("ends_at)", "ends_at, exclusive)").replace(at(11) + ")", at(11) + ", true)")
    )
    assert refused(hand, twice)
    hand.write(twice.replace(", true)", ", false)"))
    assert hand.faults() != []
