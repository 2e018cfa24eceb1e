"""Guarded migrations, with the accidents they guard against planted in small migrations of their own."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import Engine

from sharebank.core import migrate
from sharebank.core.migrate import MigrationRefused, Report, upgrade
from tests.databases import MIGRATIONS

NOW = datetime(2026, 11, 21, 3, 5, 1, tzinfo=UTC)

FIRST = """
op.create_table(
    "house",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("note", sa.String(80)),
    sa.CheckConstraint("name <> ''", name="ck_house_name"),
)
op.create_table(
    "room",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("house_id", sa.Integer, sa.ForeignKey("house.id", ondelete="CASCADE", name="fk_room_house")),
)
op.execute("INSERT INTO house (id, name) VALUES (1, 'Lilas'), (2, 'Tilleuls')")
op.execute("INSERT INTO room (id, house_id) VALUES (1, 1), (2, 1), (3, 2)")
if op.get_bind().dialect.name == "sqlite":
    op.execute(
        "CREATE TRIGGER house_kept BEFORE DELETE ON house WHEN old.id = 1 BEGIN SELECT raise(ABORT, 'kept'); END"
    )
else:
    op.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
    op.execute("CREATE TRIGGER house_kept BEFORE DELETE ON house FOR EACH ROW WHEN (old.id = 1)"
               " EXECUTE FUNCTION keep()")
"""

# A rebuild that says all that batch mode cannot see for itself: the trigger, the check.
REBUILD = """
with triggers_kept(op.get_bind()), op.batch_alter_table(
    "house", recreate="auto", table_args=[sa.CheckConstraint("name <> ''", name="ck_house_name")]
) as batch:
    batch.alter_column("name", type_=sa.String(120), existing_type=sa.String(80))
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Callable[..., Path]:
    """Makes a migrations folder: revisions `r1`, `r2`… from the bodies of their upgrade()."""

    def make(*bodies: str, **declared: set[str]) -> Path:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        shutil.copy(MIGRATIONS / "env.py", folder)
        shutil.copy(MIGRATIONS / "script.py.mako", folder)
        for number, body in enumerate(bodies, 1):
            says = "\n".join(f"{name} = {value!r}" for name, value in declared.items()) if number == len(bodies) else ""
            source = dedent("""\
                import sqlalchemy as sa
                from alembic import op
                from sharebank.core.migrate import triggers_kept
                revision = "r{number}"
                down_revision = {down}
                {says}
                def upgrade():
                {body}
                """).format(
                number=number,
                down=repr(f"r{number - 1}") if number > 1 else None,
                says=says,
                body=indent(dedent(body).strip(), "    "),
            )
            (folder / "versions" / f"r{number}.py").write_text(source)
        return folder

    return make


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """A database without tables, on each of the two."""
    engine = create_engine(empty_database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(empty_sqlite_url: str) -> Engine:
    """A SQLite database without tables."""
    return create_engine(empty_sqlite_url, poolclass=NullPool)


@pytest.fixture
def run(tmp_path: Path, postgres_tools: Path) -> Callable[[Engine, Path], Report]:
    """Upgrades a database with the backups in `backups`."""
    return lambda engine, folder: upgrade(engine, folder, backup_dir=tmp_path / "backups", now=NOW)


def scalar(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def state(engine: Engine) -> tuple[object, ...]:
    """Revision, houses, rooms, triggers: what a refused migration must leave as it was."""
    triggers = (
        "sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "pg_trigger WHERE NOT tgisinternal"
    )
    return (
        scalar(engine, "SELECT version_num FROM alembic_version"),
        scalar(engine, "SELECT count(*) FROM house"),
        scalar(engine, "SELECT count(*) FROM room"),
        scalar(engine, f"SELECT count(*) FROM {triggers}"),
    )


def test_new_database_needs_no_backup(
    engine: Engine, migrations: Callable[..., Path], run: Callable, tmp_path: Path
) -> None:
    report = run(engine, migrations(FIRST))
    assert report == Report(None, "r1", ("r1",))
    assert report.lines() == ["The database was created at revision r1."]
    assert not (tmp_path / "backups").exists()
    assert state(engine) == ("r1", 2, 3, 1)


def test_up_to_date_does_nothing(
    engine: Engine, migrations: Callable[..., Path], run: Callable, tmp_path: Path
) -> None:
    run(engine, migrations(FIRST))
    assert run(engine, migrations(FIRST)) == Report("r1", "r1")
    assert not (tmp_path / "backups").exists()
    assert migrate.is_current(engine, tmp_path / "migrations")
    assert not migrate.is_current(engine, migrations(FIRST, "pass"))


def test_backup_holds_the_state_before(
    engine: Engine, migrations: Callable[..., Path], run: Callable, tmp_path: Path
) -> None:
    run(engine, migrations(FIRST))
    report = run(engine, migrations(FIRST, "op.execute(\"INSERT INTO house (id, name) VALUES (3, 'Ormes')\")"))
    assert (report.before, report.after, report.applied) == ("r1", "r2", ("r2",))
    assert report.backup is not None
    assert report.notes == ()
    suffix = "db" if engine.dialect.name == "sqlite" else "dump"
    assert report.backup == tmp_path / "backups" / f"sharebank-20261121T030501Z-r1.{suffix}"
    assert report.backup.stat().st_mode & 0o077 == 0, "people's data is for its owner alone"
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(report.backup)) as copy:
            assert copy.execute("SELECT version_num, (SELECT count(*) FROM house) FROM alembic_version").fetchall() == [
                ("r1", 2)
            ]


def test_postgresql_without_pg_dump_says_so(
    empty_postgres_url: str, migrations: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = create_engine(empty_postgres_url, poolclass=NullPool)
    upgrade(engine, migrations(FIRST), backup_dir=tmp_path / "backups", now=NOW)
    report = upgrade(engine, migrations(FIRST, "pass"), backup_dir=tmp_path / "backups", now=NOW)
    assert report.backup is None
    assert "pg_dump is not installed" in report.lines()[-1]


def test_foreign_keys_on_would_delete_children(
    sqlite_engine: Engine, migrations: Callable[..., Path], run: Callable
) -> None:
    """The accident itself, so that the next test is known to prove something."""
    run(sqlite_engine, migrations(FIRST))
    with closing(sqlite3.connect(sqlite_engine.url.database or "", isolation_level=None)) as naive:
        naive.execute("PRAGMA foreign_keys = ON")
        naive.execute("DROP TRIGGER house_kept")
        naive.execute("BEGIN")
        naive.execute("PRAGMA foreign_keys = OFF")  # too late: ignored inside a transaction
        naive.execute("CREATE TABLE new AS SELECT * FROM house")
        naive.execute("DROP TABLE house")
        naive.execute("ALTER TABLE new RENAME TO house")
        naive.execute("COMMIT")
        assert naive.execute("SELECT count(*) FROM room").fetchone() == (0,)


def test_rebuilding_a_parent_keeps_its_children(engine: Engine, migrations: Callable[..., Path], run: Callable) -> None:
    run(engine, migrations(FIRST))
    run(engine, migrations(FIRST, REBUILD))
    assert state(engine) == ("r2", 2, 3, 1)


PLANTED = {
    "trigger dropped by a rebuild": (
        REBUILD.replace("triggers_kept(op.get_bind()), ", "").replace('"auto"', '"always"'),
        "TRIGGERS_MAY_GO",
        {"house_kept"},
        "house has lost house_kept",
    ),
    "check dropped": (
        """
        with triggers_kept(op.get_bind()), op.batch_alter_table("house") as batch:
            batch.drop_constraint("ck_house_name", type_="check")
        """,
        "TRIGGERS_MAY_GO",
        {"ck_house_name"},
        "house has lost ck_house_name",
    ),
    "rows deleted": (
        'op.execute("DELETE FROM room WHERE id = 3")',
        "ROWS_MAY_GO",
        {"room"},
        "room has 2 rows instead of 3",
    ),
    "table dropped": ('op.drop_table("room")', "TABLES_MAY_GO", {"room"}, "table room is gone"),
    "trigger dropped": (
        'op.execute("DROP TRIGGER house_kept" + (" ON house" if op.get_bind().dialect.name == "postgresql" else ""))',
        "TRIGGERS_MAY_GO",
        {"house_kept"},
        "house has lost house_kept",
    ),
}
REBUILDS = ["trigger dropped by a rebuild"]  # PostgreSQL has no need to rebuild


@pytest.mark.parametrize("name", [name for name in PLANTED if name not in REBUILDS])
def test_loss_is_refused_unless_declared(
    engine: Engine, migrations: Callable[..., Path], run: Callable, name: str
) -> None:
    refused_then_declared(engine, migrations, run, name)


@pytest.mark.parametrize("name", REBUILDS)
def test_loss_by_rebuild_is_refused_unless_declared(
    sqlite_engine: Engine, migrations: Callable[..., Path], run: Callable, name: str
) -> None:
    refused_then_declared(sqlite_engine, migrations, run, name)


def refused_then_declared(engine: Engine, migrations: Callable[..., Path], run: Callable, name: str) -> None:
    body, variable, value, says = PLANTED[name]
    run(engine, migrations(FIRST))
    before = state(engine)
    with pytest.raises(MigrationRefused) as refusal:
        run(engine, migrations(FIRST, "op.execute(\"INSERT INTO house (id, name) VALUES (9, 'x')\")", body))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert state(engine) == before, "all of it is undone, the revision before it too"
    assert run(engine, migrations(FIRST, "pass", body, **{variable: value})).after == "r3"


def test_a_row_that_points_at_nothing_is_refused(
    sqlite_engine: Engine, migrations: Callable[..., Path], run: Callable
) -> None:
    run(sqlite_engine, migrations(FIRST))
    with pytest.raises(MigrationRefused, match="1 rows that point at nothing"):
        run(sqlite_engine, migrations(FIRST, "op.execute('UPDATE room SET house_id = 7 WHERE id = 3')"))
    assert state(sqlite_engine) == ("r1", 2, 3, 1)


def test_a_failing_statement_undoes_everything(engine: Engine, migrations: Callable[..., Path], run: Callable) -> None:
    run(engine, migrations(FIRST))
    broken = 'op.drop_table("room")\nop.execute("INSERT INTO nowhere VALUES (1)")'
    with pytest.raises(MigrationRefused, match="failed and was undone") as refusal:
        run(engine, migrations(FIRST, broken))
    assert "\n" not in str(refusal.value)
    assert state(engine) == ("r1", 2, 3, 1)


def test_somebody_elses_database_is_refused(engine: Engine, migrations: Callable[..., Path], run: Callable) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    with pytest.raises(MigrationRefused, match="not sharebank's"):
        run(engine, migrations(FIRST))


def test_a_newer_database_is_refused(engine: Engine, migrations: Callable[..., Path], run: Callable) -> None:
    folder = migrations(FIRST, "pass")
    run(engine, folder)
    (folder / "versions" / "r2.py").unlink()
    with pytest.raises(MigrationRefused, match="revision r2, which this version of sharebank does not know"):
        run(engine, folder)


def test_two_processes_at_once(engine: Engine, migrations: Callable[..., Path], run: Callable, tmp_path: Path) -> None:
    run(engine, migrations(FIRST))
    folder = migrations(
        FIRST, "import time\ntime.sleep(0.5)\nop.execute(\"INSERT INTO house (id, name) VALUES (3, 'Ormes')\")"
    )
    program = dedent("""\
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from sqlalchemy import create_engine
        from sharebank.core.migrate import upgrade
        url, folder, backups = sys.argv[1:]
        print(upgrade(create_engine(url), Path(folder), backup_dir=Path(backups), now=datetime.now(UTC)).applied)
        """)
    arguments = [engine.url.render_as_string(hide_password=False), str(folder), str(tmp_path / "backups")]
    started = [
        subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in started)
    assert [process.returncode for process in started] == [0, 0, 0]
    assert said == ["('r2',)", "()", "()"]
    assert state(engine) == ("r2", 3, 3, 1)


def test_the_projects_own_migrations(empty_database_url: str, run: Callable) -> None:
    engine = create_engine(empty_database_url, poolclass=NullPool)
    run(engine, MIGRATIONS)
    assert migrate.is_current(engine, MIGRATIONS)
    assert run(engine, MIGRATIONS).applied == ()
