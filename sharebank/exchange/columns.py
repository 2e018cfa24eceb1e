"""What a kind of file is made of: its columns, its rows once read, and how they are stored and fetched."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Executable
from sqlalchemy import Row as Record
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.errors import Refused
from sharebank.exchange.cells import Cell
from sharebank.exchange.refusals import Missing, Problem

NEEDED: Any = object()
"""The value of an empty cell in a column that suffers none."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how its cells are read and written, and what an empty one means."""

    name: str
    cell: Cell
    empty: Any = NEEDED
    field: str = ""
    """The attribute of the row's model that holds it, where it is that simple."""
    header: bool = False
    """Must be in the heading though its cells may be empty."""
    extra: bool = False
    """Written only when some row has something in it."""

    @property
    def needed(self) -> bool:
        """Must the heading name it?"""
        return self.header or self.empty is NEEDED

    def value(self, cell: str) -> Any:
        """What a clean cell says; raises Refused."""
        if cell:
            return self.cell.read(cell)
        if self.empty is NEEDED:
            raise Missing
        return self.empty


@dataclass(slots=True)
class Row:
    """One row with what its cells say; a column that the file lacks, or whose cell is bad, is absent."""

    line: int
    values: dict[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def get(self, column: str, otherwise: Any = None) -> Any:
        """A value, or what to do without."""
        return self.values.get(column, otherwise)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an import is worked on: the session, the time, who acts, and the list of what is wrong."""

    session: Session
    now: datetime
    tz: ZoneInfo
    actor: Actor | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse(self, row: Row, column: str, refusal: Refused) -> None:
        """Note what is wrong; the import goes on to find the rest, and stores nothing."""
        self.problems.append(Problem(row.line, column, refusal))

    def warn(self, row: Row, column: str, warning: Refused) -> None:
        """Note what may be a mistake; it keeps nothing from being stored."""
        self.warnings.append(Problem(row.line, column, warning))

    def find(self, query: Executable, name: str, values: Iterable[Any]) -> Iterator[Record[Any]]:
        """The records of a query with an expanding parameter, asked for some hundreds at a time."""
        left = iter(dict.fromkeys(values))
        while some := list(islice(left, 500)):
            yield from self.session.connection().execute(query, {name: some})


Write = Callable[[], None]
"""Stores what was checked."""


@dataclass(frozen=True, slots=True)
class Names:
    """A column whose cells name something that must be there."""

    known: Callable[[Desk, Sequence[Row]], Container[str]]
    """What is there, given all rows: a file may name what it brings itself."""
    unknown: type[Refused]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file, both ways."""

    columns: Sequence[Column]
    key: Sequence[str]
    """Columns that name a row: two rows of one file may not have them alike."""
    check: Callable[[Desk, Sequence[Row]], Write]
    """Looks at good rows among what is stored, notes problems, and returns what would store them."""
    fetch: Callable[[Session, ZoneInfo], Iterable[Mapping[str, Any]]]
    """Every row as it is stored, by column."""
    names: Mapping[str, Names] = field(default_factory=dict)
    """What `check` refuses when it is unknown, so that rows with another fault, which it never sees, are told too."""


def fill(target: Any, columns: Sequence[Column], row: Row) -> None:
    """Put a row's values where they belong; what the file does not say stays as it is."""
    for column in columns:
        if column.field and column.name in row.values:
            setattr(target, column.field, row[column.name])


def facts(source: Any, columns: Sequence[Column]) -> dict[str, Any]:
    """A stored row's values by column."""
    return {column.name: getattr(source, column.field) for column in columns if column.field}
