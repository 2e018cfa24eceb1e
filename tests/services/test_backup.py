"""Backups taken while the database serves, and the way back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from sharebank.core.backup import BackupRefused, backup, restore

NOW = datetime(2026, 11, 21, 3, 5, 1, tzinfo=UTC)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A database with a write-ahead log, one row and a revision."""
    file = tmp_path / "live.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE alembic_version (version_num TEXT);"
            "INSERT INTO alembic_version VALUES ('r1'); CREATE TABLE house (name TEXT);"
            "INSERT INTO house VALUES ('Lilas')"
        )
    return file


def houses(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM house")]


def test_backup_while_somebody_writes(live: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(live, isolation_level=None)) as writer:
        writer.execute("INSERT INTO house VALUES ('Tilleuls')")  # still in the log, not in the file
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO house VALUES ('Ormes')")  # not committed
        backup(f"sqlite:///{live}", tmp_path / "copy.db")
    assert houses(tmp_path / "copy.db") == ["Lilas", "Tilleuls"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob(".*.part")), "no draft stays behind"


def test_backup_replaces_yesterdays(live: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("yesterday's")
    backup(f"sqlite:///{live}", tmp_path / "copy.db")
    assert houses(tmp_path / "copy.db") == ["Lilas"]


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("nowhere.db", "copy.db", "no database"),
        ("live.db", "live.db", "the database itself"),
        ("live.db", ".", "folder"),
    ],
)
def test_backup_refused(live: Path, tmp_path: Path, source: str, target: str, says: str) -> None:
    with pytest.raises(BackupRefused, match=says):
        backup(f"sqlite:///{tmp_path}/{source}", tmp_path / target)
    assert houses(live) == ["Lilas"]


def test_restore_under_a_serving_process(live: Path, tmp_path: Path) -> None:
    backup(f"sqlite:///{live}", tmp_path / "copy.db")
    with closing(sqlite3.connect(live, isolation_level=None)) as server:
        server.execute("INSERT INTO house VALUES ('Tilleuls')")
        kept = restore(f"sqlite:///{live}", tmp_path / "copy.db", now=NOW)
        assert server.execute("SELECT name FROM house").fetchall() == [("Lilas",)], "it sees the restored rows"
        server.execute("INSERT INTO house VALUES ('Ormes')")
        assert server.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert houses(live) == ["Lilas", "Ormes"], "and what it writes afterwards is in the restored database"
    assert kept == tmp_path / "live.db.before-restore-20261121T030501Z"
    assert houses(kept) == ["Lilas", "Tilleuls"]
    assert restore(f"sqlite:///{live}", kept, now=NOW) == tmp_path / "live.db.before-restore-20261121T030501Z-2"
    assert houses(live) == ["Lilas", "Tilleuls"]
    assert not list(tmp_path.glob(".*.part"))


def test_restore_where_there_is_none_ignores_logs_of_a_lost_one(live: Path, tmp_path: Path) -> None:
    backup(f"sqlite:///{live}", tmp_path / "copy.db")
    (tmp_path / "new.db-wal").write_bytes(b"left behind")
    assert restore(f"sqlite:///{tmp_path}/new.db", tmp_path / "copy.db", now=NOW) is None
    assert houses(tmp_path / "new.db") == ["Lilas"]


def test_restore_over_a_damaged_database_keeps_it_as_it_lies(live: Path, tmp_path: Path) -> None:
    backup(f"sqlite:///{live}", tmp_path / "copy.db")
    live.write_bytes(b"no longer a database" * 100)
    live.with_name("live.db-wal").write_bytes(b"its log")
    kept = restore(f"sqlite:///{live}", tmp_path / "copy.db", now=NOW)
    assert kept is not None
    assert kept.read_bytes().startswith(b"no longer")
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"its log"
    assert houses(live) == ["Lilas"]


def not_a_database(file: Path) -> None:
    file.write_text("a letter to the mayor " * 200)


def cut_short(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE house (name TEXT)")
        connection.executemany("INSERT INTO house VALUES (?)", [("x" * 500,)] * 200)
    file.write_bytes(file.read_bytes()[:40_000])


def somebody_elses(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda file: None, "no file", id="missing"),
        pytest.param(not_a_database, "not a sound SQLite database", id="not a database"),
        pytest.param(cut_short, "malformed|damaged", id="cut short"),
        pytest.param(somebody_elses, "not a database of sharebank", id="somebody else's"),
    ],
)
def test_restore_refused_leaves_everything(live: Path, tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / "given.db")
    with pytest.raises(BackupRefused, match=says):
        restore(f"sqlite:///{live}", tmp_path / "given.db", now=NOW)
    assert houses(live) == ["Lilas"]
    assert not list(tmp_path.glob("*before-restore*"))


def test_postgresql_there_and_back(empty_postgres_url: str, postgres_tools: Path, tmp_path: Path) -> None:
    engine = create_engine(empty_postgres_url, poolclass=NullPool)

    def do(*statements: str) -> list[str]:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
            return list(connection.execute(text("SELECT name FROM house ORDER BY name")).scalars())

    do(
        "CREATE TABLE alembic_version (version_num TEXT)",
        "CREATE TABLE house (name TEXT)",
        "INSERT INTO house VALUES ('Lilas')",
    )
    backup(engine.url, tmp_path / "copy.dump")
    do("CREATE TABLE newer (id INTEGER)", "INSERT INTO house VALUES ('Tilleuls')")
    kept = restore(engine.url, tmp_path / "copy.dump", now=NOW)
    assert do() == ["Lilas"]
    assert do("CREATE TABLE newer (id INTEGER)") == ["Lilas"], "what came after the backup is gone"
    assert kept is not None
    restore(engine.url, kept, now=NOW)
    assert do() == ["Lilas", "Tilleuls"]


def test_postgresql_refuses_what_is_no_archive(empty_postgres_url: str, postgres_tools: Path, tmp_path: Path) -> None:
    not_a_database(tmp_path / "given.dump")
    with pytest.raises(BackupRefused, match="pg_restore failed"):
        restore(empty_postgres_url, tmp_path / "given.dump", now=NOW)


def test_postgresql_without_its_tools(empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupRefused, match="pg_dump is not installed"):
        backup(empty_postgres_url, tmp_path / "copy.dump")
