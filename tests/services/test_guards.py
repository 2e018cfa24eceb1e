"""The database has the last word: SQL written by hand, past every service, cannot take more units than there are.

What the tables say after each statement is judged by `faults`, plain Python that shares nothing with the guards.
"""

from __future__ import annotations

import random

import pytest
from sqlalchemy import text

from tests.hand import CONSOLES, HOLDING, TABLES, Hand, at, faults, hand, line, loan, refused

__all__ = ["hand"]  # the fixture
every_console = pytest.mark.parametrize("hand", CONSOLES, indirect=True)
every_sqlite = pytest.mark.parametrize("hand", CONSOLES[:3], indirect=True)

REFUSED = {
    "same time": line(50, 7, "room", 9, 11),
    "around": line(50, 7, "room", 8, 15),
    "held though said not to": "INSERT INTO reservation_line (id, reservation_id, resource_id, quantity, starts_at,"
    f" ends_at, holds, exclusive) VALUES (50, 7, {{room}}, 1, {at(9)}, {at(11)}, false, false)",
    "two of a single thing": line(50, 7, "van", 9, 11, 2),
    "back no more, once its place is taken": "UPDATE reservation_line SET back = true WHERE id = 1;"
    + line(50, 7, "room", 9, 11)
    + ";UPDATE reservation_line SET back = false WHERE id = 1",
    "the buffer of another": loan(50, 21, 22) + ";" + line(50, 50, "room", 21, 22),
    "pool, one too many": line(50, 7, "plates", 9, 11, 21),
    "pool, all at once": line(50, 7, "plates", 9, 11, 61),
    "pool, two rows of one statement": line(50, 7, "plates", 9, 11, 15)
    + f", (51, 9, {{plates}}, 15, {at(9)}, {at(11)})",
    "single, two rows of one statement": line(50, 7, "van", 9, 11) + f", (51, 9, {{van}}, 1, {at(9)}, {at(11)})",
    "insert from select": "INSERT INTO reservation_line (id, reservation_id, resource_id, quantity, starts_at, ends_at)"
    " SELECT 50, 7, resource_id, quantity, starts_at, ends_at FROM reservation_line WHERE id = 1",
    "line begins earlier": f"UPDATE reservation_line SET starts_at = {at(10.5)} WHERE id = 2",
    "line ends later": f"UPDATE reservation_line SET ends_at = {at(12.5)} WHERE id = 1",
    "line of more units": "UPDATE reservation_line SET quantity = 61 WHERE id = 4",
    "single line of more units": "UPDATE reservation_line SET quantity = 2 WHERE id = 1",
    "all lines of more units": "UPDATE reservation_line SET quantity = quantity + 21 WHERE resource_id = {plates}",
    "line of another thing": "UPDATE reservation_line SET resource_id = {room} WHERE id = 6",
    "line of another loan": "UPDATE reservation_line SET reservation_id = 7 WHERE id = 3",
    "cancelled, then not": "UPDATE reservation SET status = 'approved' WHERE id = 3",
    "declined, then collected": "UPDATE reservation SET status = 'collected' WHERE id = 10",
    "everything approved": "UPDATE reservation SET status = 'requested'",
    "loan moved": f"UPDATE reservation SET starts_at = {at(10)}, ends_at = {at(11.5)} WHERE id = 2",
    "loan begins earlier": f"UPDATE reservation SET starts_at = {at(10.5)} WHERE id = 2",
    "loan ends later": f"UPDATE reservation SET ends_at = {at(12.5)} WHERE id = 1",
    "loan ends later, into a buffer": f"UPDATE reservation SET ends_at = {at(19.75)} WHERE id = 2",
    "loan moved and taken up again": "UPDATE reservation SET status = 'approved',"
    f" starts_at = {at(12)}, ends_at = {at(14)} WHERE id = 3",
    "fewer plates": "UPDATE resource SET quantity = 39 WHERE id = {plates}",
    "fewer of everything": "UPDATE resource SET quantity = 1",
    "no plate": "UPDATE resource SET quantity = 0 WHERE id = {plates}",
    "line begins late": line(50, 7, "plates", 9.5, 11),
    "line ends early": line(50, 7, "plates", 9, 10.5),
    "line cut": f"UPDATE reservation_line SET ends_at = {at(10.5)} WHERE id = 4",
    "line elsewhere": f"UPDATE reservation_line SET starts_at = {at(17)}, ends_at = {at(18)} WHERE id = 4",
    "no unit": line(50, 7, "plates", 9, 11, 0),
    "fewer than none": line(50, 7, "plates", 9, 11, -5),
    "backwards": line(50, 7, "plates", 11, 9),
    "no such loan": line(50, 999, "plates", 9, 11),
    "no such thing": line(50, 7, "plates", 9, 11).replace("{plates}", "999"),
    "for ever": loan(50, 9, "9999-12-31 23:59:59") + ";" + line(50, 50, "van", 9, "9999-12-31 23:59:59"),
    "since ever": loan(50, "0001-01-01 00:00:00", 9) + ";" + line(50, 50, "van", "0001-01-01 00:00:00", 9),
    "before the calendar": loan(50, "1999-12-31 09:00:00", 9) + ";" + line(50, 50, "van", "1999-12-31 09:00:00", 9),
    "after the calendar": loan(50, 9, "2100-01-01 00:00:01") + ";" + line(50, 50, "van", 9, "2100-01-01 00:00:01"),
    "reach forgotten": "UPDATE resource SET longest_hold = 0 WHERE id = {room}",
    "reach without end": "UPDATE resource SET longest_hold = 99999999999999 WHERE id = {room}",
    "upsert of another thing": line(6, 6, "bus", 10, 12) + " ON CONFLICT (id) DO UPDATE SET resource_id = {room}",
    "upsert of more units": line(50, 4, "plates", 9, 12, 1)
    + " ON CONFLICT (reservation_id, resource_id) DO UPDATE SET quantity = 61",
    "upsert of a state": loan(3, 9, 11) + " ON CONFLICT (id) DO UPDATE SET status = 'approved'",
    "upsert of nothing": line(50, 7, "room", 9, 11) + " ON CONFLICT DO NOTHING",
    "delete, then twice": f"DELETE FROM reservation_line WHERE id = 1; {line(50, 7, 'room', 9, 11)};"
    + line(51, 1, "room", 9, 11),
}

REFUSED_BY_SQLITE = {
    "T between": line(50, 7, "van", "2040-06-01T09:00:00", "2040-06-01T11:00:00"),
    "no seconds": line(50, 7, "van", "2040-06-01 09:00", "2040-06-01 11:00"),
    "with an offset": line(50, 7, "van", "2040-06-01 09:00:00+02:00", "2040-06-01 12:00:00+02:00"),
    "with a Z": line(50, 7, "van", "2040-06-01 09:00:00Z", "2040-06-01 12:00:00Z"),
    "with a fraction": line(50, 7, "van", "2040-06-01 08:00:00.5", "2040-06-01 12:00:00.5"),
    "start with a fraction": line(50, 7, "van", "2040-06-01 08:00:00.5", 12),
    "end with a fraction": line(50, 7, "van", 8, "2040-06-01 12:00:00.5"),
    "loan's start with a fraction": loan(50, "2040-06-01 08:00:00.5", 12),
    "loan's end with a fraction": loan(50, 8, "2040-06-01 12:00:00.5"),
    "no such day": line(50, 7, "van", "2040-05-31 08:00:00", "2040-06-31 12:00:00"),
    "24 h": line(50, 7, "van", "2040-05-31 24:00:00", "2040-06-01 24:00:00"),
    "a word": line(50, 7, "van", "now", "tomorrow"),
    "unix time": line(50, 7, "van", 9, 11).replace(at(9), "2222149200").replace(at(11), "2222156400"),
    "bytes": line(50, 7, "van", 9, 11).replace(at(9), f"CAST({at(9)} AS BLOB)"),
    "before Christ": line(50, 7, "van", "-4713-11-24 12:00:00", 11),
    "loan in another spelling": loan(50, "2040-06-01T09:00:00", "2040-06-01T11:00:00"),
    "loan moved in another spelling": "UPDATE reservation SET starts_at = '2040-06-01T05:00' WHERE id = 7",
    "half a plate": line(50, 7, "plates", 9, 11, 0.5),
    "a word for a number": line(50, 7, "plates", 9, 11, "'many'"),
    "line of half a unit": "UPDATE reservation_line SET quantity = 0.5 WHERE id = 1",
    "a word for how many there are": "UPDATE resource SET quantity = 'many' WHERE id = {room}",
    "one and a half of it": "UPDATE resource SET quantity = 1.5 WHERE id = {room}",
    "reach in words": "UPDATE resource SET longest_hold = 'far' WHERE id = {room}",
}  # fmt: skip

ACCEPTED = {
    "touching after": loan(50, 11, 12) + ";" + line(50, 50, "room", 11, 12),
    "touching before": loan(50, 8, 9) + ";" + line(50, 50, "room", 8, 9),
    "touching a buffer": loan(50, 21.5, 22) + ";" + line(50, 50, "room", 21.5, 22),
    "where it was cancelled": line(50, 7, "van", 9, 11),
    "of a cancelled loan": loan(50, 9, 11, "cancelled") + ";" + line(50, 50, "room", 9, 11),
    "the rest of the pool": line(50, 7, "plates", 9, 11, 20),
    "peak, not sum": loan(50, 8, 17) + ";" + line(50, 50, "plates", 8, 17, 20),
    "full, touching": loan(50, 12, 14) + ";" + line(50, 50, "plates", 12, 14, 60),
    "above two that touch": loan(50, 12, 14) + ";" + line(50, 50, "plates", 12, 14, 40) + ";"
    + loan(51, 8, 17) + ";" + line(51, 51, "plates", 8, 17, 20),
    "handed to another loan": "UPDATE reservation_line SET reservation_id = 7 WHERE id = 1",
    "two rows that fit": line(50, 7, "plates", 9, 11, 10) + f", (51, 9, {{plates}}, 10, {at(9)}, {at(11)})",
    "wider line": f"UPDATE reservation_line SET starts_at = {at(8)}, ends_at = {at(12)} WHERE id = 1",
    "more units": "UPDATE reservation_line SET quantity = 60 WHERE id = 4",
    "fewer units": "UPDATE reservation_line SET quantity = 1 WHERE id = 4",
    "another thing": "UPDATE reservation_line SET resource_id = {van} WHERE id = 6",
    "loan moved": f"UPDATE reservation SET starts_at = {at(15)}, ends_at = {at(16)} WHERE id = 2",
    "loan moved onto its own place": f"UPDATE reservation SET starts_at = {at(9.5)}, ends_at = {at(11.5)} WHERE id = 1",
    "loan ends where the next begins": f"UPDATE reservation SET ends_at = {at(12)} WHERE id = 1",
    "cancelled loan moved": f"UPDATE reservation SET starts_at = {at(12)}, ends_at = {at(13)} WHERE id = 3",
    "moved away and taken up again": "UPDATE reservation SET status = 'approved',"
    f" starts_at = {at(17)}, ends_at = {at(18)} WHERE id = 3",
    "cancelled, and its place taken": "UPDATE reservation SET status = 'cancelled' WHERE id = 1;"
    "UPDATE reservation SET status = 'approved' WHERE id = 3",
    "returned, and its place taken": "UPDATE reservation SET status = 'returned' WHERE id = 1;"
    + line(50, 7, "room", 9, 11),
    "deleted, and its place taken": "DELETE FROM reservation WHERE id = 1;" + line(50, 7, "room", 9, 11),
    "line deleted and made again": "DELETE FROM reservation_line WHERE id = 1;" + line(50, 1, "room", 9, 11),
    "life of a loan": "UPDATE reservation SET status = 'collected' WHERE id = 1",
    "back, and its place taken": "UPDATE reservation_line SET back = true WHERE id = 1;" + line(50, 7, "room", 9, 11),
    "back, then the loan moves and ends": "UPDATE reservation_line SET back = true WHERE id = 1;"
    f"UPDATE reservation SET ends_at = {at(11.5)} WHERE id = 1;UPDATE reservation SET status = 'returned' WHERE id = 1",
    "fewer plates than there were": "UPDATE resource SET quantity = 40 WHERE id = {plates}",
    "one becomes two": "UPDATE resource SET quantity = 2 WHERE id = {room};" + line(50, 7, "room", 9, 11),
    "two become one": "UPDATE resource SET quantity = 2 WHERE id = {bus};" + loan(50, 12, 14) + ";"
    + line(50, 50, "bus", 12, 14) + ";UPDATE resource SET quantity = 1 WHERE id = {bus}",
    "what is over does not count": loan(50, "2020-01-01 09:00:00", "2020-01-01 10:00:00") + ";"
    + line(50, 50, "plates", "2020-01-01 09:00:00", "2020-01-01 10:00:00", 60)
    + ";UPDATE resource SET quantity = 40 WHERE id = {plates};UPDATE reservation SET status = 'returned' WHERE id = 50",
    "a whole century": loan(50, "2000-01-01 00:00:00", "2100-01-01 00:00:00") + ";"
    + line(50, 50, "van", "2000-01-01 00:00:00", "2100-01-01 00:00:00"),
    "upsert of fewer units": line(50, 4, "plates", 9, 12, 1)
    + " ON CONFLICT (reservation_id, resource_id) DO UPDATE SET quantity = 39",
    "upsert of the same": line(50, 1, "room", 9, 11)
    + " ON CONFLICT (reservation_id, resource_id) DO UPDATE SET quantity = 1",
    "upsert of nothing": line(50, 1, "room", 9, 11) + " ON CONFLICT DO NOTHING",
}  # fmt: skip


REPLACED = {
    "line replaced": line(1, 7, "room", 9, 11, verb="REPLACE"),
    "line moved by replacing": line(2, 7, "room", 9, 11, verb="REPLACE"),
    "loan replaced": loan(3, 9, 11, verb="REPLACE"),
    "loan made longer by replacing": loan(2, 9, 13, verb="REPLACE"),
    "thing replaced": "REPLACE INTO resource SELECT * FROM resource WHERE id = {room}",
    "thing replaced by fewer": "CREATE TEMP TABLE other AS SELECT * FROM resource WHERE id = {plates};"
    "UPDATE other SET quantity = 1; REPLACE INTO resource SELECT * FROM other",
    "thing replaced without its reach": "CREATE TEMP TABLE other AS SELECT * FROM resource WHERE id = {room};"
    "UPDATE other SET longest_hold = 0; REPLACE INTO resource SELECT * FROM other",
    "loan of another number": "UPDATE reservation SET id = 3 WHERE id = 7",
    "loan given its lines by deleting": f"DELETE FROM reservation WHERE id = 3; {loan(3, 9, 11)}",
    "loan given its lines by renumbering": "DELETE FROM reservation WHERE id = 3;"
    " UPDATE reservation SET id = 3 WHERE id = 7",
    "thing of another number": "UPDATE resource SET id = 99 WHERE id = {room}",
    "thing deleted": "DELETE FROM resource WHERE id = {room}",
    "thing deleted and made again": "DELETE FROM resource WHERE id = {room};"
    " UPDATE resource SET id = {room} WHERE id = {van}",
}  # fmt: skip


@every_console
def test_what_would_collide_is_refused(hand: Hand) -> None:
    let_through = [name for name, statements in REFUSED.items() if not refused(hand, statements)]
    assert (let_through, hand.faults()) == ([], [])


@every_console
def test_what_does_not_collide_is_accepted(hand: Hand) -> None:
    for name, statements in ACCEPTED.items():
        with hand.engine.connect() as connection:  # rolled back, for the next to meet the same calendar
            hand.run(connection, statements)
            assert faults(connection) == [], name


@every_sqlite
def test_sqlite_takes_no_other_spelling(hand: Hand) -> None:
    let_through = [name for name, statement in REFUSED_BY_SQLITE.items() if not refused(hand, statement)]
    assert (let_through, hand.faults()) == ([], [])


@every_sqlite
@pytest.mark.parametrize("policy", ["IGNORE", "REPLACE", "FAIL", "ROLLBACK", "ABORT"])
def test_no_conflict_clause_of_sqlite_is_a_way_around(hand: Hand, policy: str) -> None:
    """`INSERT OR …`, `UPDATE OR …` may replace or leave out rows; too much they cannot make of them."""
    for name, statements in {**REFUSED, **REFUSED_BY_SQLITE, **REPLACED}.items():
        if " ON CONFLICT " in statements:
            continue
        refused(
            hand,
            statements.replace("INSERT INTO", f"INSERT OR {policy} INTO").replace("UPDATE ", f"UPDATE OR {policy} "),
        )
        assert hand.faults() == [], name
        assert_room_is_full(hand)


def assert_room_is_full(hand: Hand) -> None:
    """The room's calendar is as taken as its lines say: a loan upon any of them is refused."""
    with hand.engine.connect() as connection:
        taken = connection.execute(
            text("SELECT starts_at, ends_at FROM reservation_line WHERE holds AND resource_id = :room"),
            {"room": hand.things["room"]},
        ).all()
    for start, end in taken:
        assert refused(hand, loan(900, start, end) + ";" + line(900, 900, "room", start, end))


@every_sqlite
def test_a_row_never_inherits_the_lines_of_another(hand: Hand) -> None:
    for name, statements in REPLACED.items():
        refused(hand, statements)
        assert hand.faults() == [], name
        assert_room_is_full(hand)


@every_console
def test_what_the_guards_keep_themselves_cannot_be_forged(hand: Hand) -> None:
    before = hand.rows()
    hand.write("UPDATE reservation_line SET holds = false WHERE id = 1")
    hand.write("UPDATE reservation_line SET holds = true WHERE id = 3")
    assert [row[:7] for row in hand.rows()] == [row[:7] for row in before]
    hand.write("UPDATE reservation_line SET exclusive = false")
    assert refused(hand, line(50, 7, "room", 9, 11))


@every_console
def test_lines_move_with_their_loan_and_keep_their_buffers(hand: Hand) -> None:
    """Also where a buffer of a day meets the night of the clock change, in a console that speaks local time."""
    hand.write(loan(50, "2040-03-26 09:00:00", "2040-03-26 10:00:00"))
    hand.write(line(50, 50, "van", "2040-03-25 09:00:00", "2040-03-27 10:30:00"))
    local, zone = (
        ("SET LOCAL TIME ZONE 'Europe/Paris';", "+00") if hand.engine.dialect.name == "postgresql" else ("", "")
    )
    hand.write(
        f"{local}UPDATE reservation SET starts_at = '2040-03-24 13:00:00{zone}', ends_at = '2040-03-24 15:00:00{zone}'"
        " WHERE id = 50"
    )
    with hand.engine.connect() as connection:
        moved = connection.execute(
            text(f"SELECT {TABLES['reservation_line']} FROM reservation_line WHERE id = 50")
        ).one()
    assert (moved.starts_at[:19], moved.ends_at[:19]) == ("2040-03-23 13:00:00", "2040-03-25 15:30:00")


@every_console
def test_a_long_loan_is_found_however_far_back_it_began(hand: Hand) -> None:
    hand.write(
        loan(50, "2039-01-01 00:00:00", "2041-01-01 00:00:00")
        + ";"
        + line(50, 50, "van", "2039-01-01 00:00:00", "2041-01-01 00:00:00")
    )
    assert refused(hand, line(51, 7, "van", 9, 11))


@every_console
def test_random_sql_by_hand(hand: Hand) -> None:
    """400 statements thrown at the database: some pass, some do not, none leaves it wrong."""
    chance = random.Random(20401)
    said_no = 0
    for key in range(100, 500):
        statements = _anything(chance, key)
        said_no += refused(hand, statements)
        if key % 10 == 0:
            assert hand.faults() == [], statements
    assert hand.faults() == []
    assert 30 < said_no < 300


def _anything(chance: random.Random, key: int) -> str:
    start = chance.randrange(0, 20) / 2
    end = start + chance.randrange(1, 8) / 2
    state = chance.choice([*HOLDING, "returned", "cancelled", "declined"])
    times = f"starts_at = {at(start)}, ends_at = {at(end)}"
    thing, quantity = chance.choice(
        [("room", 1), ("bus", 1), ("van", chance.choice([1, 1, 2])), ("plates", chance.randint(1, 60))]
    )
    some = chance.randrange(1, 10) if chance.random() < 0.2 else chance.randrange(100, max(101, key))
    return chance.choice(
        [
            loan(key, start, end, state) + ";" + line(key, key, thing, start, end + 0.25, quantity),
            loan(key, start, end, state) + ";" + line(key, key, thing, start, end, quantity),
            line(key, some, thing, start, end, quantity),
            f"UPDATE reservation SET status = '{state}' WHERE id BETWEEN {some} AND {some + 5}",
            f"UPDATE reservation SET {times} WHERE id = {some}",
            f"UPDATE reservation SET {times}, status = '{state}' WHERE id = {some}",
            f"UPDATE reservation SET ends_at = {at(end)} WHERE id = {some}",
            f"UPDATE reservation_line SET {times} WHERE id = {some}",
            f"UPDATE reservation_line SET resource_id = {{{thing}}}, quantity = {quantity} WHERE id = {some}",
            f"UPDATE reservation_line SET reservation_id = {some} WHERE id = {chance.randrange(100, max(101, key))}",
            f"UPDATE reservation_line SET holds = {chance.choice(['true', 'false'])} WHERE id = {some}",
            f"UPDATE reservation_line SET back = {chance.choice(['true', 'false'])} WHERE id = {some}",
            f"UPDATE resource SET quantity = {chance.choice([1, 1, 2, 3])} WHERE id = {{{thing}}} AND id <> {{plates}}",
            f"UPDATE resource SET quantity = {chance.randint(30, 80)} WHERE id = {{plates}}",
            f"DELETE FROM reservation WHERE id = {some}",
            f"DELETE FROM reservation_line WHERE id = {some}",
        ]
    )  # fmt: skip
