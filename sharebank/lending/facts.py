"""What the rules of lending look at: one thing somebody asks for, as plain values; times are the house's wall times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from sharebank.core.errors import N_, Said


class Calendar(Protocol):
    """Which days schools and offices are closed; `lending.calendar.french` makes one."""

    def is_school_holiday(self, day: date) -> bool:
        """Is it a day without school in the house's zone?"""
        ...

    def is_public_holiday(self, day: date) -> bool:
        """Is it one of the national public holidays?"""
        ...


class _NoHolidays:
    def is_school_holiday(self, _day: date) -> bool:
        return False

    def is_public_holiday(self, _day: date) -> bool:
        return False


NO_HOLIDAYS: Calendar = _NoHolidays()
"""For what is reckoned away from any school."""


@dataclass(frozen=True, slots=True)
class Borrower:
    """Who asks."""

    kind: str
    """`house`, `association` or `partner`."""
    own: bool
    """Attached to the lending house, or that house itself."""
    member_since: date | None = None
    loans_this_year: int = 0
    """Of things under this rule set, in the wish's calendar year; not those declined, cancelled or expired."""


@dataclass(frozen=True, slots=True)
class Driver:
    """Somebody named to drive."""

    name: str
    licence_class: str = ""
    licence_since: date | None = None
    member: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A document the borrower has shown; no end means that it is good for ever."""

    kind: str
    """A key of `kinds.PAPERS`."""
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing of a request, with all that a rule may want to know of it."""

    thing: str
    thing_kind: str
    rules: str
    """The rule set's name."""
    borrower: Borrower
    start: datetime
    end: datetime
    asked_at: datetime
    calendar: Calendar = NO_HOLIDAYS
    capacity: int | None = None
    seats: int | None = None
    quantity: int = 1
    together: int = 0
    """Units of everything under this rule set in the same request, when that is more than this thing's."""
    value_cents: int | None = None
    """Replacement value of one."""
    deposit_cents: int | None = None
    """The thing's own deposit, when the rules name none."""
    purpose: str = ""
    headcount: int | None = None
    distance_km: int | None = None
    collect_at: datetime | None = None
    return_at: datetime | None = None
    drivers: tuple[Driver, ...] = ()
    papers: tuple[Paper, ...] = ()
    options: tuple[str, ...] = ()
    """The names of the priced options chosen."""


EFFECTS = {
    "refuse": N_("it is refused"),
    "approve": N_("the house decides"),
    "dearer": N_("it costs more"),
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that a request does not keep: what it means, where it was typed, and the sentence that says so."""

    kind: str
    effect: str
    """A key of EFFECTS."""
    field: str
    """The field of the request form."""
    sentence: str
    facts: Mapping[str, Any]

    @property
    def said(self) -> Said:
        """For `core.web.say`, which puts it into the reader's language."""
        return Said(self.sentence, self.facts)


@dataclass(frozen=True, slots=True)
class Record:
    """One line as it came back; what is counted in pieces is for equipment, a crate or a room's crockery."""

    thing: str
    pieces_out: int = 1
    pieces_back: int = 1
    broken: int = 0
    """Came back, but damaged."""
    missing: int = 0
    dirty: int = 0
    """Pieces to be washed: in a sealed crate that was opened, all of them."""
    unclean: bool = False
    """The room or the vehicle as a whole is left dirty: the cleaning charge of the loan."""
    late: timedelta = field(default_factory=timedelta)
    km: int | None = None
    """Driven, by the odometer."""
    value_cents: int | None = None
    """Replacement value of one."""
    named_pieces: Mapping[str, int] = field(default_factory=dict)
    """Pieces missing of those that bear a name and a price of their own (`charges.pieces`), by name."""
