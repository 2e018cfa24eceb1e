"""Statements handed to the driver as they are: what SQLAlchemy would have made of them, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    text,
    union_all,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError

from sharebank.accounts import directory
from sharebank.accounts.models import User
from sharebank.core.db import Instant, db, transaction
from sharebank.core.prepared import SPELLINGS, Prepared, one_of
from tests import world

OTHER_NOW = datetime(2027, 3, 28, 1, 30, 5, tzinfo=UTC)
notes = Table(
    "note",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("word", String(20), unique=True),
    Column("at", Instant),
    Column("day", Date),
    Column("facts", JSON(none_as_null=True)),
    Column("kept", Boolean, default=True),
)
ROWS: list[dict[str, Any]] = [
    {"word": "one", "at": world.NOW, "day": date(2026, 11, 21), "facts": {"a": [1, "é"]}},
    {"word": "two", "at": OTHER_NOW, "day": None, "facts": None},
    {"word": "three", "at": None, "day": date(2030, 2, 28), "facts": {}},
]
ADD = Prepared(insert(notes).inline())
MADE = Prepared(insert(notes).returning(notes.c.id, notes.c.at))
_every = select(notes.c.word, notes.c.at, notes.c.day, notes.c.facts, notes.c.kept).order_by(notes.c.id)
EVERY = Prepared(_every)
OF_WORDS = Prepared(_every.where(one_of(notes.c.word, "words")))
OF_TIMES = Prepared(_every.where(one_of(notes.c.at, "times"), notes.c.kept))
BUT_WORDS = Prepared(_every.where(notes.c.word.not_in(bindparam("words", expanding=True))))
OF_TWO = Prepared(_every.where(notes.c.word.in_(("one", "two")), notes.c.at > bindparam("since")))
BOTH = Prepared(union_all(select(notes.c.word, notes.c.at), select(notes.c.word, notes.c.at)).order_by("word"))


@pytest.fixture
def table(app: Flask) -> None:
    with transaction() as session:
        notes.create(session.connection())
        ADD.add(session, ROWS)


@pytest.mark.usefixtures("table")
def test_values_come_back_as_they_went_in() -> None:
    found = EVERY.all(db.session(), {})
    assert [row._asdict() for row in found] == [{**row, "kept": True} for row in ROWS]
    assert found == [tuple(row) for row in db.session().execute(_every)], "as SQLAlchemy reads what was written"


@pytest.mark.usefixtures("table")
def test_lists_of_any_length_and_lists_of_the_statement_itself() -> None:
    def words(statement: Prepared, **facts: Any) -> list[str]:
        return [row.word for row in statement.all(db.session(), facts)]

    assert words(OF_WORDS, words=["three", "one"]) == ["one", "three"]
    assert words(OF_WORDS, words=["two"]) == ["two"]
    assert words(OF_WORDS, words=[]) == []
    assert words(OF_WORDS, words=["two" + " " * 20, "x"]) == []
    assert words(BUT_WORDS, words=["two", "one"]) == ["three"]
    assert words(OF_TIMES, times=[OTHER_NOW, world.NOW]) == ["one", "two"], "each value as its column stores it"
    assert words(OF_TWO, since=world.NOW) == ["two"]
    assert words(BOTH) == ["one", "one", "three", "three", "two", "two"]


@pytest.mark.usefixtures("table")
def test_an_insert_says_what_the_database_made_of_it() -> None:
    with transaction() as session:
        [made] = MADE.all(session, {"word": "four", "at": world.NOW})
    assert (made.id, made.at) == (4, world.NOW)


@pytest.mark.usefixtures("table")
def test_a_refusal_is_sqlalchemys() -> None:
    with pytest.raises(IntegrityError), transaction() as session:
        ADD.add(session, [{"word": "four"}, {"word": "one"}])
    assert len(EVERY.all(db.session(), {})) == 3


@pytest.mark.usefixtures("table")
def test_each_transaction_has_a_cursor_of_its_own() -> None:
    session = db.session()
    assert len(EVERY.all(session, {})) == 3
    with transaction() as writing:
        assert writing is session
        ADD.add(session, [{"word": "four"}])
        with pytest.raises(IntegrityError), session.begin_nested():
            ADD.add(session, [{"word": "five"}, {"word": "one"}])
        assert [row.word for row in EVERY.all(session, {})] == ["one", "two", "three", "four"]
    assert len(EVERY.all(session, {})) == 4


@pytest.mark.usefixtures("table")
def test_after_a_flush_that_failed_nothing_is_written() -> None:
    """The flush took everything back: what came after it would stand outside any transaction."""

    def go_on_regardless() -> None:
        with transaction() as session:
            ADD.add(session, [{"word": "four"}])
            session.add(User(email="member@example.org", first_name="", last_name="", locale="fr"))
            with pytest.raises(IntegrityError):
                session.flush()
            ADD.add(session, [{"word": "five"}])

    with pytest.raises(PendingRollbackError):
        go_on_regardless()
    assert len(EVERY.all(db.session(), {})) == 3


@pytest.mark.usefixtures("table")
def test_who_listens_hears_them() -> None:
    heard: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *facts: heard.append(facts[2]))
    OF_WORDS.all(db.session(), {"words": ["one"]})
    OF_WORDS.all(db.session(), {"words": ["one", "two"]})
    one, two = {
        "sqlite": ("IN (?)", "IN (?, ?)"),
        "postgresql": (
            "IN (%(words_1)s::VARCHAR)",
            "= ANY (CAST((SELECT %(words)s::VARCHAR[] AS anon_1) AS VARCHAR[]))",
        ),
    }[db.engine.dialect.name]
    assert [" ".join(statement.split()).partition(" WHERE note.word ")[2] for statement in heard] == [
        f"{one} ORDER BY note.id",
        f"{two} ORDER BY note.id",
    ], "as an index answers it"


@pytest.mark.usefixtures("table")
def test_what_is_kept_does_not_grow_for_ever() -> None:
    for many in range(SPELLINGS + 5):
        OF_WORDS.all(db.session(), {"words": ["one"] * many})
    assert len(OF_WORDS._spelt) <= SPELLINGS


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_after_the_server_went_the_next_request_finds_it_again(app: Flask, town_url: str) -> None:
    """One answer fails; not one for each connection that was waiting for work."""
    waiting = [db.engine.connect() for _ in range(3)]
    for connection in waiting:
        connection.close()
    with create_engine(town_url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as other:
        gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        other.execute(text(f"{gone} pg_backend_pid()"))
    with pytest.raises(DBAPIError):
        directory.houses(db.session())
    with transaction() as session:  # who goes on with the same session has another connection, too
        assert directory.houses(session)
    db.session.remove()
    for _ in range(3):
        assert directory.houses(db.session())
        db.session.remove()
