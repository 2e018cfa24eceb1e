"""Databases for tests, as a pytest plugin: fresh ones in milliseconds, on SQLite and on PostgreSQL.

Fixtures, all per test and already migrated unless called empty; each is a SQLAlchemy URL as text:

- `database_url`: the test runs once on each database (ids `sqlite`, `postgresql`)
- `sqlite_url`, `postgres_url`: on that one only
- `town_url`: of the worker's one database on SQLite or PostgreSQL, with the town of tests/world.py in it anew
- `empty_database_url`, `empty_sqlite_url`, `empty_postgres_url`: without any table
- `postgres_tools`: PostgreSQL's own client programs, of the server's version, come first on PATH
- `chromium`: the path of a browser; the test is skipped, with the reason, where there is none
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from sharebank.core import migrate
from tests import servers, world

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DATABASES = ("sqlite", "postgresql")

_RUN = "SHAREBANK_TEST_RUN"
_OWNER = "SHAREBANK_TEST_OWNER"
_numbers = itertools.count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The process that leads the run makes its folder; xdist's workers inherit where it is."""
    if hasattr(config, "workerinput"):
        return
    run = servers.make_run_folder()
    os.environ[_RUN] = str(run)
    os.environ[_OWNER] = str(os.getpid())
    config.option.basetemp = config.option.basetemp or run / "tmp"  # before pytest's own plugin reads it


def pytest_unconfigure(config: pytest.Config) -> None:
    """However the run ended, its server and files go."""
    if not hasattr(config, "workerinput") and (run := os.environ.pop(_RUN, None)):
        servers.end_run(Path(run))


@pytest.fixture(scope="session")
def test_run() -> Path:
    """The folder of this run, shared by all workers."""
    return Path(os.environ[_RUN])


@pytest.fixture(scope="session")
def postgres_server(test_run: Path) -> Engine:
    """An engine on the server's own database, to create and drop others; started by whoever asks first."""
    servers.ensure_postgres(test_run, int(os.environ[_OWNER]))
    return create_engine(servers.postgres_url(test_run), poolclass=NullPool, isolation_level="AUTOCOMMIT")


@pytest.fixture(scope="session")
def sqlite_template(test_run: Path) -> Path:
    """A migrated SQLite file to copy."""
    file = test_run / "template.db"
    with servers.locked(test_run / "template.lock"):
        if not file.exists():
            draft = test_run / "template.part.db"
            _migrate(f"sqlite:///{draft}", test_run)
            draft.rename(file)
    return file


@pytest.fixture(scope="session")
def postgres_template(test_run: Path, postgres_server: Engine) -> str:
    """The name of a migrated PostgreSQL database to create others from."""
    done = test_run / "pg.template"
    with servers.locked(test_run / "pg.template.lock"):
        if not done.exists():
            _sql(postgres_server, "DROP DATABASE IF EXISTS migrated_template")
            _sql(postgres_server, "CREATE DATABASE migrated_template")
            _migrate(servers.postgres_url(test_run, "migrated_template"), test_run)
            done.touch()
    return "migrated_template"


@pytest.fixture(scope="session")
def sqlite_town(sqlite_template: Path, test_run: Path) -> Path:
    """A SQLite file with the small town, to copy."""
    file = test_run / f"town.{os.getpid()}.template.db"
    shutil.copyfile(sqlite_template, file)
    _build_town(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_town(test_run: Path, postgres_server: Engine, postgres_template: str) -> str:
    """The name of a PostgreSQL database with the small town, to create others from."""
    name = f"town_template_{os.getpid()}"
    _sql(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    _build_town(servers.postgres_url(test_run, name))
    return name


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/sharebank.db"


@pytest.fixture
def sqlite_url(sqlite_template: Path, empty_sqlite_url: str) -> str:
    """A fresh migrated SQLite database."""
    shutil.copyfile(sqlite_template, empty_sqlite_url.removeprefix("sqlite:///"))
    return empty_sqlite_url


@pytest.fixture
def empty_postgres_url(test_run: Path, postgres_server: Engine) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    yield from _postgres_database(test_run, postgres_server, "template0")


@pytest.fixture
def postgres_url(test_run: Path, postgres_server: Engine, postgres_template: str) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    yield from _postgres_database(test_run, postgres_server, postgres_template)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database, on each of the two."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture(params=DATABASES)
def town_url(request: pytest.FixtureRequest, test_run: Path) -> str:
    """The worker's own database of this kind, as if only the town had ever been in it.

    Always under the same name, so that one application can serve all tests.
    """
    if request.param == "sqlite":
        file = test_run / f"town.{os.getpid()}.db"
        for leftover in test_run.glob(f"{file.name}*"):
            leftover.unlink()
        shutil.copyfile(request.getfixturevalue("sqlite_town"), file)
        return f"sqlite:///{file}"
    name, server = f"town_{os.getpid()}", request.getfixturevalue("postgres_server")
    _sql(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _sql(server, f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('postgres_town')}")
    return servers.postgres_url(test_run, name)


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """A database without tables, on each of the two."""
    name = {"sqlite": "empty_sqlite_url", "postgresql": "empty_postgres_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def postgres_tools(monkeypatch: pytest.MonkeyPatch) -> Path:
    """pg_dump, pg_restore and psql of the server's own version first on PATH."""
    folder = servers.binaries()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that starts."""
    for name in CHROMIUM_NAMES:
        path = shutil.which(name)
        # Debian's `chromium` may be there without its libraries, Ubuntu's only points at a snap.
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"no Chromium on PATH ({', '.join(CHROMIUM_NAMES)}): apt-get install chromium")


def _migrate(url: str, run: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    migrate.upgrade(engine, MIGRATIONS, backup_dir=run / "backups", now=datetime.now(UTC))
    engine.dispose()


def _build_town(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with Session(engine) as session, session.begin():
        world.build(session)
    engine.dispose()


def _postgres_database(run: Path, server: Engine, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield servers.postgres_url(run, name)
    # FORCE: a test that failed may have left connections open.
    _sql(server, f"DROP DATABASE {name} WITH (FORCE)")


def _sql(server: Engine, statement: str) -> None:
    with server.connect() as connection:
        connection.execute(text(statement))
