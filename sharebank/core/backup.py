"""Backups of the whole database, taken while it serves, and the way back."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from sqlalchemy.engine import URL, Engine, make_url

from sharebank.core.errors import Refused

BUSY_SECONDS = 60
"""How long a backup or a restore waits for a writer."""


class BackupRefused(Refused):
    """A backup cannot be made, or a file cannot be restored; nothing was changed."""

    code = "backup_refused"
    sentence: ClassVar[str] = "%(reason)s"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=" ".join(reason.split()))


def backup(engine_url: str | URL, file: Path) -> None:
    """Write a consistent copy of the database into `file`, replacing it only once the copy is whole.

    A SQLite database for SQLite; an archive for pg_restore on PostgreSQL.
    """
    url, file = make_url(engine_url), file.resolve()
    if file.is_dir():
        raise BackupRefused(f"{file} is a folder: name a file in it.")
    with _draft(file) as draft:
        if url.get_backend_name() == "sqlite":
            source = _sqlite_path(url)
            if not source.exists():
                raise BackupRefused(f"There is no database {source} to back up.")
            if source == file:
                raise BackupRefused(f"{file} is the database itself: name another file.")
            _vacuum_into(source, draft)
        else:
            _run_tool("pg_dump", url, "--format=custom", "--no-owner", f"--file={draft}")
        _settle(draft, file)


def possible(engine: Engine) -> bool:
    """Can this machine back the database up: PostgreSQL wants a pg_dump not older than the server.

    The tool prints, for instance, `pg_dump (PostgreSQL) 18.1 (Debian 18.1-1)`; the server counts 180001.
    """
    if engine.dialect.name == "sqlite":
        return True
    if shutil.which("pg_dump") is None:
        return False
    printed = re.search(r"\) (\d+)", _run_tool("pg_dump", None, "--version"))
    with engine.connect() as connection:
        server = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    return printed is not None and int(printed[1]) >= server


def restore(engine_url: str | URL, file: Path, *, now: datetime) -> Path | None:
    """Put the database back as it is in `file`; the former one is kept, and its file returned.

    The file is checked first. A server may go on: it sees the restored rows at its next transaction.
    """
    url, file = make_url(engine_url), file.resolve()
    if not file.is_file():
        raise BackupRefused(f"There is no file {file} to restore.")
    if url.get_backend_name() == "sqlite":
        return _restore_sqlite(_sqlite_path(url), file, now)
    return _restore_postgres(url, file, now)


def stamp(now: datetime) -> str:
    """The instant as file names carry it: 20261121T030501Z."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


# --- SQLite


def _sqlite_path(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise BackupRefused("The database is in memory: there is no file to keep or to replace.")
    return Path(url.database).resolve()


def _vacuum_into(source: Path, target: Path) -> None:
    """A compact copy read in one transaction; writers meanwhile neither wait nor show through."""
    with closing(sqlite3.connect(source, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.OperationalError as error:
            raise BackupRefused(f"{source} could not be copied: {error}.") from error


def _restore_sqlite(target: Path, file: Path, now: datetime) -> Path | None:
    if target == file:
        raise BackupRefused(f"{file} is the database itself: name a backup of it.")
    _check_sqlite(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _draft(target) as draft:
        # Through SQLite rather than by copying: the file may come with a write-ahead log of its own.
        _vacuum_into(file, draft)
        if not target.exists():
            _drop_logs(target)  # left by a database that is gone: they would be played into this one
            _settle(draft, target)
            return None
        kept = _free_name(target, f".before-restore-{stamp(now)}")
        if _looks_alive(target):
            try:
                _replace_rows(draft, target, kept)
                return kept
            except sqlite3.OperationalError as error:
                raise BackupRefused(f"{target} is in use and could not be replaced: {error}.") from error
            except sqlite3.DatabaseError:  # told apart below: it goes aside
                pass
        # The present one is damaged, which may be why we are here: put it aside as it lies.
        _put_aside(target, kept)
        _settle(draft, target)
    return kept


def _looks_alive(target: Path) -> bool:
    """Whether a file begins as SQLite's do. One that does not is never opened: SQLite would delete its log."""
    with target.open("rb") as file:
        return file.read(16) in {b"SQLite format 3\0", b""}


def _check_sqlite(file: Path) -> None:
    """Raise BackupRefused unless `file` is a sound database of ours."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise BackupRefused(f"{file} is not a sound SQLite database: {error}.") from error
    if faults != ["ok"]:
        raise BackupRefused(f"{file} is damaged: {'; '.join(faults)}.")
    if "alembic_version" not in tables:
        raise BackupRefused(f"{file} is not a database of sharebank.")


def _replace_rows(draft: Path, target: Path, kept: Path) -> None:
    """Copy `target` to `kept`, then `draft` over `target`, inside SQLite's own locks.

    Renaming a file under a running server would leave it writing to the old one.
    """
    with closing(sqlite3.connect(target, timeout=BUSY_SECONDS, isolation_level=None)) as present:
        present.execute("BEGIN IMMEDIATE")  # nobody writes between the copy and the end of this
        try:
            with _draft(kept) as copy, closing(sqlite3.connect(target, isolation_level=None)) as reader:
                reader.execute("VACUUM INTO ?", (str(copy),))
                _settle(copy, kept)
        finally:
            present.execute("ROLLBACK")
        with closing(sqlite3.connect(draft)) as fresh:
            fresh.backup(present)


def _put_aside(target: Path, kept: Path) -> None:
    """Rename a database together with its logs, without which its last transactions are lost."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        part = target.with_name(target.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))


def _drop_logs(target: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


# --- PostgreSQL


def _restore_postgres(url: URL, file: Path, now: datetime) -> Path:
    """Empty the schema and play the archive in one transaction: all of it or nothing."""
    listing = _run_tool("pg_restore", None, "--list", str(file))
    if "alembic_version" not in listing:
        raise BackupRefused(f"{file} is not a backup of a sharebank database.")
    kept = _free_name(file, f".before-restore-{stamp(now)}")
    backup(url, kept)
    with _draft(file) as script:
        _run_tool("pg_restore", None, "--no-owner", "--no-privileges", f"--file={script}", str(file))
        _run_tool(
            "psql",
            url,
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--single-transaction",
            "--command=SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
            f"--file={script}",
        )
    return kept


def _run_tool(name: str, url: URL | None, *arguments: str) -> str:
    """Run one of PostgreSQL's own tools and return what it prints; the password goes by the environment."""
    tool = shutil.which(name)
    if tool is None:
        raise BackupRefused(f"{name} is not installed: install PostgreSQL's client tools (postgresql-client).")
    environment = dict(os.environ)
    if url is not None:
        if url.password is not None:
            environment["PGPASSWORD"] = url.password
        address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
        arguments = (f"--dbname={address}", *arguments)
    done = subprocess.run([tool, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupRefused(f"{name} failed: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


# --- files


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """A name beside `file` for what is not whole yet; whatever is left there goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    # Made here, empty, so that nobody else reads people's data in it.
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _settle(draft: Path, file: Path) -> None:
    """Give a finished draft its name, so that a power cut leaves the old file or the new one."""
    for path, rename in ((draft, True), (file.parent, False)):
        if not rename:
            draft.replace(file)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _free_name(file: Path, suffix: str) -> Path:
    """`file` with a suffix that names no file yet."""
    name, number = file.with_name(file.name + suffix), 1
    while name.exists():
        number += 1
        name = file.with_name(f"{file.name}{suffix}-{number}")
    return name
