"""Guarded migrations: a backup first, one transaction, and nothing lost without a word.

SQLite changes a table by building it anew, and two accidents hide in that: with foreign keys on, dropping the old
table deletes the rows that point at it; and its triggers and unnamed constraints vanish with it. So the runner
turns foreign keys off before the transaction, then compares what was there before with what is there after.

A revision says what it drops on purpose, as module constants:
`TABLES_MAY_GO`, `ROWS_MAY_GO` (tables that may hold fewer rows), `TRIGGERS_MAY_GO` (triggers and constraints).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from sharebank.core.backup import BackupRefused, backup, stamp
from sharebank.core.errors import Refused

BUSY_SECONDS = 60
"""How long an upgrade waits for the writers of a serving database."""

# Any number that other programs on the same PostgreSQL server do not use: "shbank" in ASCII.
ADVISORY_LOCK = 0x736862616E6B

VERSION_TABLE = "alembic_version"


class MigrationRefused(Refused):
    """The database was not migrated, and is as it was."""

    status = 503
    code = "migration_refused"
    sentence: ClassVar[str] = "%(reason)s"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=" ".join(reason.split()))


@dataclass(frozen=True, slots=True)
class Report:
    """What an upgrade did: `applied` revisions oldest first, the backup made before, things worth saying."""

    before: str | None
    after: str | None
    applied: tuple[str, ...] = ()
    backup: Path | None = None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The report as a person reads it."""
        if not self.applied:
            return [f"The database is up to date (revision {self.after})."]
        what = f"upgraded from {self.before} to {self.after}" if self.before else f"created at revision {self.after}"
        kept = [f"Backup before: {self.backup}"] if self.backup else []
        return [f"The database was {what}.", *kept, *self.notes]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a migration may not lose: rows per table, and the guards (triggers, constraints) of each table."""

    rows: dict[str, int]
    guards: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the pending revisions say may go."""

    tables: frozenset[str]
    rows: frozenset[str]
    guards: frozenset[str]

    @classmethod
    def by(cls, revisions: list[Script]) -> Allowed:
        """Everything any of the revisions declares."""

        def declared(name: str) -> frozenset[str]:
            return frozenset().union(*(getattr(revision.module, name, ()) for revision in revisions))

        return cls(declared("TABLES_MAY_GO"), declared("ROWS_MAY_GO"), declared("TRIGGERS_MAY_GO"))


def upgrade(engine: Engine, directory: Path, *, backup_dir: Path, now: datetime) -> Report:
    """Bring the database to the newest revision in `directory`, whole or not at all. Raises MigrationRefused.

    Several processes may start this at once: one does the work, the others find it done.
    """
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    try:
        head = scripts.get_current_head()
        with _locked(engine) as connection:
            before = MigrationContext.configure(connection).get_current_revision()
            pending = _pending(scripts, before)
            if not pending:
                return Report(before, before)
            inventory = _inventory(connection)
            if before is None and inventory.rows:
                raise MigrationRefused(
                    "The database holds tables that are not sharebank's: name an empty one in SHAREBANK_DATABASE_URL."
                )
            kept, notes = _back_up(engine, backup_dir, before, now) if inventory.rows else (None, [])
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _compare(inventory, _inventory(connection), Allowed.by(pending))
            _check_references(connection)
        return Report(before, head, tuple(script.revision for script in pending), kept, tuple(notes))
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise MigrationRefused(f"The migration failed and was undone: {reason}") from error
    except CommandError as error:
        raise MigrationRefused(f"The migrations cannot be followed: {error}.") from error


def is_current(engine: Engine, directory: Path) -> bool:
    """Whether the database is at the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


@contextmanager
def triggers_kept(connection: Connection) -> Iterator[None]:
    """For a revision that rebuilds a table: put SQLite's triggers away meanwhile, and back afterwards.

    Without it a rebuild drops the table's own triggers, and fails when another table's trigger names the table.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _, sql in triggers:
        connection.exec_driver_sql(sql)


def _pending(scripts: ScriptDirectory, before: str | None) -> list[Script]:
    """The revisions still to run, oldest first."""
    if before is not None and before not in {script.revision for script in scripts.walk_revisions()}:
        raise MigrationRefused(
            f"The database is at revision {before}, which this version of sharebank does not know: "
            "install the newer version, or restore a backup made with this one."
        )
    return list(scripts.iterate_revisions("heads", before))[::-1]


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction that no other upgrade shares; rolled back when anything is raised."""
    if engine.dialect.name == "sqlite":
        # An engine of our own: foreign keys must be off before the transaction begins (inside one the pragma is
        # silently ignored), the driver must not begin or end transactions by itself, and nobody else may get
        # this connection back with foreign keys off.
        engine = _sqlite_engine(engine)
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            # A lock_timeout meant for requests would give up on an upgrade that only has to wait its turn.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
        yield connection


def _sqlite_engine(engine: Engine) -> Engine:
    path = engine.url.database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    own = create_engine(engine.url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(own, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(own, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return own


def _back_up(engine: Engine, folder: Path, before: str | None, now: datetime) -> tuple[Path | None, list[str]]:
    """Copy the database as it is, from another connection; we hold the lock, so nothing changes meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    suffix = "db" if engine.dialect.name == "sqlite" else "dump"
    file = folder / f"sharebank-{stamp(now)}-{before}.{suffix}"
    try:
        backup(engine.url, file)
    except BackupRefused as refusal:
        if engine.dialect.name == "sqlite":
            raise MigrationRefused(f"No backup could be made, so nothing was migrated: {refusal}") from refusal
        # PostgreSQL undoes a failed migration by itself, tables and all; its administrator may back up otherwise.
        return None, [f"No backup was made before ({refusal}); the migration ran in one transaction."]
    return file, []


# --- the comparison


def _inventory(connection: Connection) -> Inventory:
    tables, guards = _sqlite_schema(connection) if connection.dialect.name == "sqlite" else _pg_schema(connection)
    quote = connection.dialect.identifier_preparer.quote_identifier
    rows = {table: connection.execute(text(f"SELECT count(*) FROM {quote(table)}")).scalar_one() for table in tables}
    return Inventory(rows, frozenset(guards))


def _sqlite_schema(connection: Connection) -> tuple[list[str], set[tuple[str, str]]]:
    """Tables, and (table, name) of each trigger, unique index and named constraint."""
    statement = text("SELECT type, tbl_name, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    tables: list[str] = []
    guards: set[tuple[str, str]] = set()
    for kind, table, name, sql in connection.execute(statement):
        if kind == "trigger" or (kind == "index" and re.match(r"CREATE\s+UNIQUE", sql, re.IGNORECASE)):
            guards.add((table, name))
        elif kind == "table" and name != VERSION_TABLE:
            tables.append(name)
            named = re.findall(r'\bCONSTRAINT\s+["`\[]?(\w+)["`\]]?\s+(?:CHECK|UNIQUE|FOREIGN)', sql, re.IGNORECASE)
            guards.update((name, constraint) for constraint in named)
    return tables, guards


def _pg_schema(connection: Connection) -> tuple[list[str], set[tuple[str, str]]]:
    """The same on PostgreSQL: check, unique, foreign key and exclusion constraints too; no extension's tables."""
    tables = connection.execute(
        text(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relname <> :version"
            " AND c.relnamespace = current_schema()::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
        ),
        {"version": VERSION_TABLE},
    ).scalars()
    guards = connection.execute(
        text(
            "SELECT c.relname, g.name FROM pg_class c JOIN ("
            " SELECT tgrelid AS relation, tgname AS name FROM pg_trigger WHERE NOT tgisinternal"
            " UNION SELECT conrelid, conname FROM pg_constraint WHERE contype IN ('c', 'u', 'f', 'x')"
            " UNION SELECT i.indrelid, n.relname FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid"
            "  WHERE i.indisunique AND NOT i.indisprimary"
            ") g ON g.relation = c.oid WHERE c.relnamespace = current_schema()::regnamespace"
        )
    )
    return list(tables), {(table, name) for table, name in guards}


def _compare(before: Inventory, after: Inventory, allowed: Allowed) -> None:
    """Raise MigrationRefused when anything went that no revision said may go."""
    losses = [
        f"table {table} is gone"
        for table in sorted(before.rows)
        if table not in after.rows and table not in allowed.tables
    ]
    losses += [
        f"{table} has {after.rows[table]} rows instead of {count}"
        for table, count in sorted(before.rows.items())
        if after.rows.get(table, count) < count and table not in allowed.rows
    ]
    losses += [
        f"{table} has lost {name}"
        for table, name in sorted(before.guards - after.guards)
        if table in after.rows and name not in allowed.guards
    ]
    if losses:
        raise MigrationRefused(f"The migration would lose something, so it was undone: {', '.join(losses)}.")


def _check_references(connection: Connection) -> None:
    """Raise MigrationRefused when a row points at nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        return
    orphans: list[Any] = list(connection.execute(text("PRAGMA foreign_key_check")))
    if orphans:
        table, _, parent, _ = orphans[0]
        raise MigrationRefused(
            f"The migration would leave {len(orphans)} rows that point at nothing (from {table} to {parent}), "
            "so it was undone."
        )
