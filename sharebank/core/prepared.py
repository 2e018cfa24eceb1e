"""Statements that every page or booking runs: compiled once a database, then handed to the driver as they are.

SQLAlchemy calls a hundred functions to run a known statement again; a booking's eight were a third of its time. Its
spelling of a statement stays, and what its types make of values.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, ScalarSelect, String, any_, bindparam, cast, event, select
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.types import TypeEngine

Facts = Mapping[str, Any]
MANY = 1000
"""So many rows are not left with the cursor as well."""
SPELLINGS = 300
"""How many of one statement are kept: one for each number of values in its lists."""


def unseen(name: str, kind: TypeEngine[Any]) -> ScalarSelect[Any]:
    """A fact that PostgreSQL cannot look at while it plans, so that one plan serves all values.

    Where most rows are past, a bound in the future seemed to be worth a plan of its own: a page's query was planned
    anew each time, for longer than it ran.
    """
    return select(bindparam(name, type_=kind)).scalar_subquery()


class one_of(ColumnElement[bool]):  # noqa: N801  # reads as SQLAlchemy's own any_ and not_ do
    """Is a column one of a fact that is a list?

    On PostgreSQL an array: one plan for all lengths, and another for a single value, which it would plan for ten.
    It has no type: a Boolean is spelt `IN (...) = 1` for SQLite, which no index answers.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.name = name
        self.within = column.in_(bindparam(name, expanding=True))
        # Without a length, to which a cast would cut what is longer.
        kind = String() if isinstance(column.type, String) else column.type
        self.among = column == any_(cast(unseen(name, ARRAY(kind)), ARRAY(kind)))  # uncast it would be a set of rows


@compiles(one_of)
def _in_list(element: one_of, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.within, **how))


@compiles(one_of, "postgresql")
def _in_array(element: one_of, compiler: Any, alone: Collection[str] = (), **how: Any) -> str:
    return str(compiler.process(element.within if element.name in alone else element.among, **how))


class Prepared:
    """A select, or an insert of single rows.

    One statement for every database, or one by the name of each. Raises DBAPIError as SQLAlchemy does.
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._spelt: dict[Any, _Spelt] = {}

    def all(self, session: Session, facts: Facts) -> list[Any]:
        """The rows that are found, or come back from an insert: named tuples."""
        dialect, connection, cursor = _driver(session)
        spelt = self._as(dialect, facts)
        _run(dialect, connection, cursor, spelt.text, spelt.values(facts))
        found = cursor.fetchall()
        if len(found) >= MANY:
            session.info.pop("driver")  # psycopg's cursor would keep them once more
        return spelt.rows(found)

    def add(self, session: Session, rows: Iterable[Facts]) -> None:
        """Insert rows that give the same columns; the others keep their constant default."""
        given = list(rows)
        if given:
            dialect, connection, cursor = _driver(session)
            spelt = self._as(dialect, given[0])
            values = [spelt.values(row) for row in given]
            many = len(values) > 1  # of several the driver makes one trip
            _run(dialect, connection, cursor, spelt.text, values if many else values[0], many)

    def _as(self, dialect: Dialect, facts: Facts) -> _Spelt:
        key = dialect.name, *facts, *[len(fact) for fact in facts.values() if type(fact) is list]
        spelt = self._spelt.get(key)
        if spelt is None:
            if len(self._spelt) >= SPELLINGS:
                self._spelt.clear()
            one = self._statement[dialect.name] if isinstance(self._statement, dict) else self._statement
            spelt = self._spelt[key] = _Spelt(one, dialect, facts)
        return spelt


class _Spelt:
    """A statement as one database reads it, with so many values in each `IN`."""

    def __init__(self, statement: Any, dialect: Dialect, facts: Facts) -> None:
        columns = list(facts) if statement.is_insert else None
        alone = {name for name, fact in facts.items() if type(fact) is list and len(fact) == 1}
        compiled = statement.compile(dialect=dialect, column_keys=columns, compile_kwargs={"alone": alone})
        defaults = {column.key: column.default.arg for column in compiled.insert_prefetch} if columns else {}
        assert not any(map(callable, defaults.values())), "what a function would make has to be given"
        whole = compiled.construct_expanded_state({**defaults, **facts})
        self.text: str = whole.statement
        self._order: Sequence[str] | None = whole.positiontup
        self._lists = [(name, places) for name, places in whole.parameter_expansion.items() if name in facts]
        self._constants: dict[str, Any] = {}
        self._makers: list[tuple[str, Any]] = []
        for bind, name in compiled.bind_names.items():
            maker = bind.type.dialect_impl(dialect).bind_processor(dialect)
            for place in whole.parameter_expansion.get(name, [name]):
                if name not in facts:
                    value = whole.parameters[place]
                    self._constants[place] = maker(value) if maker else value
                elif maker:
                    self._makers.append((place, maker))
        found = compiled.effective_returning if columns else statement.selected_columns
        readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in found or ()]
        self._readers = [(place, reader) for place, reader in enumerate(readers) if reader]
        row = namedtuple("row", [column.key for column in found or ()], rename=True)  # type: ignore[misc]
        self._row = partial(tuple.__new__, row)

    def values(self, facts: Facts) -> Any:
        """The facts as the driver takes them."""
        values = {**self._constants, **facts}
        for name, places in self._lists:
            values.update(zip(places, values[name], strict=True))
        for name, maker in self._makers:
            values[name] = maker(values[name])
        return values if self._order is None else [values[name] for name in self._order]

    def rows(self, found: list[Any]) -> list[Any]:
        """The driver's rows with their names, values as the columns' types read them; in their place, for memory."""
        for number, row in enumerate(found):
            values = list(row)
            for place, reader in self._readers:
                values[place] = reader(values[place])
            found[number] = self._row(values)
        return found


@event.listens_for(Session, "after_transaction_create")
@event.listens_for(Session, "after_transaction_end")
def _let_go(session: Session, _: SessionTransaction) -> None:
    """A cursor is kept as long as its transaction or its savepoint, and until a flush, which may fail."""
    session.info.pop("driver", None)


def _driver(session: Session) -> tuple[Dialect, Connection, Any]:
    """The cursor of the session's connection."""
    driver: tuple[Dialect, Connection, Any] | None = session.info.get("driver")
    if driver is None:
        # This is what says SAVEPOINT, and what refuses to go on after a flush that failed and took all back.
        connection = session.connection()
        driver = session.info["driver"] = connection.dialect, connection, connection.connection.cursor()
    return driver


def say(session: Session, text: str) -> None:
    """A statement without facts or rows, such as BEGIN; raises DBAPIError as SQLAlchemy does."""
    _run(*_driver(session), text, ())


def _run(dialect: Dialect, connection: Connection, cursor: Any, text: str, values: Any, many: bool = False) -> None:
    if hear := connection.engine.dispatch.before_cursor_execute:
        hear(connection, cursor, text, values, None, many)  # as SQLAlchemy tells its listeners
    try:
        (cursor.executemany if many else cursor.execute)(text, values)
    except dialect.loaded_dbapi.Error as error:
        if dialect.is_disconnect(error, cursor.connection, cursor):
            # The others of the pool are as dead as this one: the next request opens its own.
            connection.invalidate(error)
            connection.engine.dispose()
        raise DBAPIError.instance(text, values, error, dialect.loaded_dbapi.Error, dialect=dialect) from error
