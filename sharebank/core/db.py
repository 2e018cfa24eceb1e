"""The database: typed base, instants in UTC, and the one way to write.

SQLite and PostgreSQL by the same code. Services never commit: the edge opens `with transaction():`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, MetaData, Row, Select, String, event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from sharebank.core import turns
from sharebank.core.errors import Busy, DatabaseRefused
from sharebank.core.prepared import say

BUSY_SECONDS = 30
"""How long a writer waits for the others before it is told to try again."""

# A refusal raised inside the database begins with this word (see the guards in the first migration).
GUARD_MARK = "sharebank guard:"
# lock_not_available, deadlock_detected, serialization_failure
PG_BUSY = {"55P03", "40P01", "40001"}
PG_EXCLUSION = "23P01"


AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]


class Base(DeclarativeBase):
    """Every table of every room."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(TypeDecorator[datetime]):
    """A UTC instant of whole seconds; refuses naive values.

    `timestamptz` on PostgreSQL; on SQLite the text `YYYY-MM-DD HH:MM:SS`, which sorts as time does and is
    what SQLite's own date functions read and write.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(19))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without time zone cannot be stored")
        value = value.astimezone(UTC).replace(microsecond=0)
        return value.replace(tzinfo=None).isoformat(" ") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return value.astimezone(UTC)  # type: ignore[no-any-return]


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False, "autoflush": False})


def engine_options(url: str) -> dict[str, Any]:
    """Options of the engine for a database URL."""
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    settings = f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS * 1000} -c synchronous_commit=on"
    # Pages read a few hundred rows: a month's planning took 1 ms alone and 4 to 8 ms with a parallel worker's help.
    # Compiling (jit) is for long queries too.
    settings += " -c max_parallel_workers_per_gather=0 -c jit=off"
    # Reads need no transaction, and its BEGIN and ROLLBACK are two of a page's seven trips to the server. What writes
    # outside transaction() is refused, not committed by itself.
    settings += " -c default_transaction_read_only=on"
    return {"connect_args": {"options": settings, "autocommit": True}, "pool_size": 10, "max_overflow": 30}


BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN READ WRITE"}
"""What makes a connection one that writes; the drivers begin nothing by themselves."""


def tune(engine: Engine) -> None:
    """Make SQLite durable, waiting and explicit about who writes; nothing to do on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours to say, see below
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # One state of things for all that a page reads. Nothing to wait for: SQLAlchemy need not know.
        connection.connection.cursor().execute("BEGIN")


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """One SQLite writer at a time, woken at once.

    SQLite's own wait sleeps in steps of up to 100 ms; a file lock hands over immediately. It is a courtesy
    among our processes: correctness rests on BEGIN IMMEDIATE. The kernel frees it when a process dies.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        yield
        return
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    handle, patience = os.open(f"{path}.turn", flags, 0o600), os.open(f"{path}.long", flags, 0o600)
    try:
        if not turns.held():
            # A command or the clock: it may write for seconds, and says so before it waits.
            fcntl.flock(patience, fcntl.LOCK_EX)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if turns.held():
                _wait(handle, patience)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
        os.close(patience)


_stepped_aside = 0
"""Threads of this process that wait for the file, or have it already, without their turn; read and written with it."""


def _wait(handle: int, patience: int) -> None:
    """Wait for one's turn to write: with the process, behind another page; aside, behind what may take long.

    Stepping aside each time would let the others of this process in, and the lock would then wait for the interpreter.
    But behind one that stepped aside all do: it may have the file by now and want its turn back, which we hold.
    """
    global _stepped_aside
    if not _stepped_aside and not _somebody_long(patience):
        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    _stepped_aside += 1
    try:
        with turns.aside():
            fcntl.flock(handle, fcntl.LOCK_EX)
    finally:
        _stepped_aside -= 1


def _somebody_long(patience: int) -> bool:
    """Does somebody write, or wait to, who may take long?"""
    try:
        fcntl.flock(patience, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(patience, fcntl.LOCK_UN)
    return False


@contextmanager
def transaction() -> Iterator[Session]:
    """Write, and commit once: all that happens inside is stored together or not at all.

    Whatever was read before is forgotten, so that decisions rest on rows read under the lock.
    Raises Busy when others held the rows too long, DatabaseRefused when the database's own guards refuse.
    """
    session = db.session()
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("rows were changed outside transaction()")
    if not session.is_active or session.connection().invalidated:
        session.rollback()  # after a flush that failed; after a server that went
    session.expire_all()
    try:
        connection = session.connection()  # the one that read so far
        if connection.dialect.name == "sqlite":
            # A reader that becomes a writer halfway fails at once when another wrote meanwhile: who writes says so
            # first, and lets go what was read.
            connection.connection.rollback()
        with _turn(connection.engine):
            try:
                say(session, BEGIN[connection.dialect.name])
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise
    except DBAPIError as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(error: DBAPIError) -> Busy | DatabaseRefused | None:
    """What a database error means to the person who asked, if anything."""
    text = str(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if GUARD_MARK in text or state == PG_EXCLUSION:
        return DatabaseRefused()
    if state in PG_BUSY or "database is locked" in text or "database table is locked" in text:
        return Busy()
    return None
