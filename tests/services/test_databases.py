"""The test databases themselves: fresh, apart from each other, and the server's settings as the proofs assume."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, event, text

from sharebank.core import migrate
from sharebank.core.db import db, transaction
from tests import servers
from tests.databases import MIGRATIONS

HEARD: list[str] = []


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_a_fresh_migrated_database(database_url: str, turn: int) -> None:
    engine = create_engine(database_url, poolclass=NullPool)
    assert migrate.is_current(engine, MIGRATIONS)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_here (id INTEGER)"))


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_the_application_as_it_was_built(app: Flask, turn: int) -> None:
    """One application serves them all: each of the two looks, then leaves everything changed."""
    HEARD.clear()
    with transaction() as session:
        assert session.execute(text("SELECT count(*), min(name) FROM rule_set")).one() == (1, "simple")
        session.execute(text("UPDATE rule_set SET name = 'spoilt'"))
        session.execute(text("CREATE TABLE only_here (id INTEGER)"))
    assert "spoilt" not in {*app.config, *app.extensions}
    assert app.config["SHAREBANK_MAIL_FROM"] != "spoilt"
    assert HEARD == []
    event.listen(db.engine, "before_cursor_execute", lambda *facts: HEARD.append(facts[2]))
    app.config["SHAREBANK_MAIL_FROM"] = app.config["spoilt"] = app.extensions["spoilt"] = "spoilt"


def test_the_server_is_recent_private_and_roomy(postgres_url: str) -> None:
    with create_engine(postgres_url, poolclass=NullPool).connect() as connection:

        def show(name: str) -> str:
            return str(connection.execute(text(f"SHOW {name}")).scalar())

        assert int(show("server_version_num")) >= 160000
        assert show("listen_addresses") == ""
        assert (show("max_connections"), show("default_transaction_isolation")) == ("200", "read committed")


def test_a_run_that_was_killed_leaves_no_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A run of its own, whose owner is a process that has already ended."""
    import subprocess
    import sys
    import time

    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run: Path = servers.make_run_folder()
    try:
        servers.ensure_postgres(run, owner.pid)
        server = int((run / "pg" / "data" / "postmaster.pid").read_text().split()[0])
        assert Path(f"/proc/{server}").exists()
        owner.kill()
        owner.wait()
        limit = time.monotonic() + 20
        while (Path(f"/proc/{server}").exists() or run.exists()) and time.monotonic() < limit:
            time.sleep(0.1)
        assert not Path(f"/proc/{server}").exists()
        assert not run.exists()
    finally:
        owner.kill()
        servers.end_run(run)
