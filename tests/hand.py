"""A hand at a database's console: SQL past every service, and a plain count of what the tables then say.

Every statement meets the same small calendar (GIVEN, 1 June 2040).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sharebank.core.db import engine_options, tune
from tests import world

HOLDING = ("requested", "approved", "collected")
CONSOLES = ("sqlite", "sqlite, foreign keys off", "sqlite, recursive triggers", "postgresql")


def at(hour: float | str) -> str:
    """9.5 is half past nine on the day; text stays what it is."""
    if isinstance(hour, str):
        return f"'{hour}'"
    return f"'2040-06-01 {int(hour):02}:{int(hour % 1 * 60):02}:00'"


def loan(key: int, start: float | str, end: float | str, status: str = "approved", verb: str = "INSERT") -> str:
    return (
        f"{verb} INTO reservation (id, ref, kind, request, lender_id, borrower_id, user_id, starts_at, ends_at,"
        f" status, purpose, public, created_at) VALUES ({key}, 'R{key}', 'loan', 'R{key}', 1, 1, 1, {at(start)},"
        f" {at(end)}, '{status}', 'by hand', false, {at(8)})"
    )


def line(
    key: int, of: int, thing: str, start: float | str, end: float | str, quantity: object = 1, verb: str = "INSERT"
) -> str:
    return (
        f"{verb} INTO reservation_line (id, reservation_id, resource_id, quantity, starts_at, ends_at)"
        f" VALUES ({key}, {of}, {{{thing}}}, {quantity}, {at(start)}, {at(end)})"
    )


GIVEN = (
    loan(1, 9, 11), line(1, 1, "room", 9, 11),
    loan(2, 12, 13), line(2, 2, "room", 12, 13),
    loan(3, 9, 11, "cancelled"), line(3, 3, "room", 9, 11),
    loan(4, 9, 12), line(4, 4, "plates", 9, 12, 40),
    loan(5, 14, 16), line(5, 5, "plates", 14, 16, 40),
    loan(6, 10, 12), line(6, 6, "bus", 10, 12),
    loan(7, 9, 11),
    loan(8, 20, 21, "requested"), line(8, 8, "room", 19.5, 21.5),
    loan(9, 9, 11, "collected"),
    loan(10, 10, 12, "declined"), line(10, 10, "plates", 10, 12, 30),
    loan(11, 9, 11, "cancelled"),
    loan(12, 9, 11, "declined"), line(12, 12, "plates", 9, 11, 20),
)  # fmt: skip


class Hand:
    """A hand at a console of one of the databases."""

    def __init__(self, engine: Engine, things: dict[str, int]) -> None:
        self.engine = engine
        self.things = things

    def run(self, connection: Connection, statements: str) -> None:
        for statement in statements.format(**self.things).split(";"):
            connection.exec_driver_sql(statement)

    def write(self, statements: str) -> None:
        with self.engine.begin() as connection:
            self.run(connection, statements)

    def rows(self) -> list[tuple[object, ...]]:
        """Everything the guards watch over, as it stands."""
        with self.engine.connect() as connection:
            return [
                tuple(row)
                for table, columns in TABLES.items()
                for row in connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY id"))
            ]

    def faults(self) -> list[str]:
        """What is wrong in the tables; nothing, if the guards keep their word."""
        with self.engine.connect() as connection:
            return faults(connection)


def faults(connection: Connection) -> list[str]:
    """What is wrong in the tables as this connection sees them."""
    loans, lines, things = (
        {row.id: row for row in connection.execute(text(f"SELECT {columns} FROM {table}"))}
        for table, columns in TABLES.items()
    )
    found = []
    for row in lines.values():
        owner = loans.get(row.reservation_id)
        if owner is not None and bool(row.holds) != (owner.status in HOLDING and not row.back):
            found.append(f"line {row.id} holds {row.holds} while {owner.status}")
        if owner is not None and not row.starts_at <= owner.starts_at < owner.ends_at <= row.ends_at:
            found.append(f"line {row.id} does not cover its loan")
        if owner is None and not row.holds:
            found.append(f"line {row.id} has neither loan nor hold")
        if not isinstance(row.quantity, int) or row.quantity < 1 or row.resource_id not in things:
            found.append(f"line {row.id} is not of whole units of something")
    for thing in things.values():
        own = [row for row in lines.values() if row.resource_id == thing.id and row.holds]
        for start in {row.starts_at for row in own}:
            using = [row for row in own if row.starts_at <= start < row.ends_at]
            used = sum(row.quantity for row in using)
            # What is over may be more than there is today.
            if used > thing.quantity and max(row.ends_at for row in using) > "2030":
                found.append(f"{used} of {thing.quantity} of {thing.id} at {start}")
    return found


TABLES = {
    "reservation": "id, status, CAST(starts_at AS text) AS starts_at, CAST(ends_at AS text) AS ends_at",
    "reservation_line": "id, reservation_id, resource_id, quantity, CAST(starts_at AS text) AS starts_at,"
    " CAST(ends_at AS text) AS ends_at, holds, exclusive, back",
    "resource": "id, quantity, longest_hold",
}


PRAGMAS = {
    "sqlite": ("foreign_keys=ON",),
    "sqlite, foreign keys off": ("foreign_keys=OFF",),
    "sqlite, recursive triggers": ("foreign_keys=OFF", "recursive_triggers=ON"),
}


@pytest.fixture
def hand(request: pytest.FixtureRequest) -> Iterator[Hand]:
    """A hand at the console the test names, one of CONSOLES."""
    url = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url")
    settings = engine_options(url)["connect_args"]
    if "options" in settings:
        # A console writes as it likes, several statements in a transaction.
        settings |= {"options": f"{settings['options']} -c default_transaction_read_only=off", "autocommit": False}
    engine = create_engine(url, connect_args=settings)
    tune(engine)
    pragmas = [*PRAGMAS.get(request.param, ()), "synchronous=OFF"]
    if request.param in PRAGMAS:
        event.listen(engine, "connect", lambda raw, _: [raw.execute(f"PRAGMA {pragma}") for pragma in pragmas])
    with Session(engine) as session:
        world.build(session)
        session.commit()
    names = {"room": "MCNG-R01", "bus": "MCNG-V01", "van": "MCNG-R03", "plates": "STN-K03"}
    with engine.connect() as connection:
        codes = {code: key for key, code in connection.execute(text("SELECT id, code FROM resource"))}
    hand = Hand(engine, {name: codes[code] for name, code in names.items()})
    hand.write(";".join(GIVEN))
    yield hand
    engine.dispose()


def refused(hand: Hand, statements: str) -> bool:
    """Did the database itself say no, leaving all as it was?"""
    before = hand.rows()
    try:
        hand.write(statements)
    except SQLAlchemyError:
        assert hand.rows() == before
        return True
    return False
