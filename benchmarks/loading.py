"""Putting reservations in a database fast: without its guards, which stand again before anything is measured."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url

from benchmarks import town as towns
from benchmarks.town import Loan, Town
from sharebank.core import migrate
from sharebank.core.db import transaction

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
BATCH = 20_000
NOW = datetime.now(UTC).replace(microsecond=0)
"""One instant a run: all its databases have the same days."""
RESERVATION = (
    "id, ref, kind, request, lender_id, borrower_id, user_id, starts_at, ends_at, status, purpose, public, created_at"
)
LINE = "id, reservation_id, resource_id, quantity, starts_at, ends_at, holds, exclusive"
EVENT = "reservation_id, at, user_id, status, why"
COLUMNS = {"reservation": RESERVATION, "reservation_line": LINE, "reservation_event": EVENT}
LONGEST = """
UPDATE resource SET longest_hold = COALESCE((
    SELECT MAX({seconds}) FROM reservation_line l WHERE l.resource_id = resource.id), 0)
"""
Rows = dict[str, list[tuple[Any, ...]]]


def prepare(app: Flask, url: str, folder: Path) -> Town:
    """Migrate an empty database and build the town in it."""
    engine = create_engine(url, poolclass=NullPool)
    migrate.upgrade(engine, MIGRATIONS, backup_dir=folder / "backups", now=NOW)
    engine.dispose()
    with app.app_context(), transaction() as session:
        return towns.build(session, NOW)


def load(url: str, town: Town, size: int) -> None:
    """Load `size` reservations with a line and an event each."""
    {"sqlite": _load_sqlite, "postgresql": _load_postgres}[make_url(url).get_backend_name()](url, town, size)


def _batches(loans: Iterable[Loan], made: str) -> Iterator[Rows]:
    numbered = enumerate(loans, 1)
    while batch := list(itertools.islice(numbered, BATCH)):
        rows: Rows = {table: [] for table in COLUMNS}
        for number, loan in batch:
            ref, thing, borrower = f"B26-{number:07}", loan.thing, loan.borrower
            own = thing.house_id, borrower.id, borrower.user_id, loan.starts_at, loan.ends_at, loan.status
            rows["reservation"].append((number, ref, "loan", ref, *own, loan.purpose, number % 10 == 0, made))
            hold = loan.quantity, loan.hold_from, loan.hold_until
            rows["reservation_line"].append((number, number, thing.id, *hold, loan.holds, thing.quantity == 1))
            rows["reservation_event"].append((number, made, borrower.user_id, loan.status, ""))
        yield rows


def _load_sqlite(url: str, town: Town, size: int) -> None:
    connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    for rows in _batches(towns.loans(town, size), f"{town.now:%Y-%m-%d %H:%M:%S}"):
        for table, columns in COLUMNS.items():
            marks = ", ".join("?" for _ in columns.split(","))
            # On SQLite nothing is exclusive: that column is for PostgreSQL's constraint.
            own = [(*row[:-1], False) for row in rows[table]] if table == "reservation_line" else rows[table]
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", own)
    connection.execute(LONGEST.format(seconds="strftime('%s', l.ends_at) - strftime('%s', l.starts_at)"))
    for _, sql in guards:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _load_postgres(url: str, town: Town, size: int) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for rows in _batches(towns.loans(town, size), f"{town.now:%Y-%m-%d %H:%M:%S}"):
                for table, columns in COLUMNS.items():
                    with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                        for row in rows[table]:
                            copy.write_row(row)
            connection.execute(LONGEST.format(seconds="EXTRACT(EPOCH FROM l.ends_at - l.starts_at)"))
            for table in ("reservation", "reservation_line"):
                connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {size})")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def plain(url: str) -> str:
    """The address as psycopg reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def floor_insert(url: str) -> Callable[[], Callable[[], None]]:
    """Opens a connection; what it gives writes one row under a lock, durably: the least a booking can cost."""
    if make_url(url).get_backend_name() == "sqlite":

        def open_sqlite() -> Callable[[], None]:
            connection = sqlite3.connect(make_url(url).database or "", isolation_level=None, timeout=30)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, words TEXT)")

            def write() -> None:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO floor (words) VALUES (?)", ("as little as can be",))
                connection.execute("COMMIT")

            return write

        return open_sqlite

    def open_postgres() -> Callable[[], None]:
        connection = psycopg.connect(plain(url), autocommit=True)
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE IF NOT EXISTS floor (id serial PRIMARY KEY, words text)")

        def write() -> None:
            with connection.transaction():
                connection.execute("SELECT id FROM resource WHERE id = 1 FOR UPDATE")
                connection.execute("INSERT INTO floor (words) VALUES (%s)", ("as little as can be",))

        return write

    return open_postgres
