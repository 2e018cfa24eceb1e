"""Finding resources, and locking their calendars."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.hours import Week, parse_opening_hours
from sharebank.accounts.models import Organisation
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.rules import Limits
from sharebank.core.db import AnySelect
from sharebank.core.prepared import Prepared, one_of
from sharebank.lending.legacy import to_columns
from sharebank.lending.terms import Terms, read_terms


class Thing(NamedTuple):
    """What lending needs to know of a resource, its rule set and its house."""

    id: int
    code: str
    name: str
    kind: str
    category: str
    location: str
    house_id: int
    house: str
    house_name: str
    hours: Week
    quantity: int
    capacity: int | None
    seats: int | None
    in_service: bool
    out_of_service_reason: str
    longest_hold: int
    rules: str
    deposit_cents: int | None
    value_cents: int | None
    """Replacement value of one."""
    school_zone: str
    """The house's."""
    terms: Terms
    limits: Limits
    requires: tuple[str, ...]
    """What must be shown, promised or left, in the words of `rule_sets.csv`."""
    approval: str


_THINGS = (
    select(
        Resource.id,
        Resource.code,
        Resource.name,
        Resource.kind,
        Resource.category,
        Resource.location,
        Resource.house_id,
        Organisation.code.label("house"),
        Organisation.name.label("house_name"),
        Organisation.opening_hours,
        Resource.quantity,
        Resource.capacity,
        Resource.seats,
        Resource.in_service,
        Resource.out_of_service_reason,
        Resource.longest_hold,
        RuleSet.name.label("rules"),
        Resource.deposit_cents,
        Resource.replacement_value_cents,
        Organisation.school_zone,
        RuleSet.terms,
        RuleSet.buffer_before_min,
        RuleSet.buffer_after_min,
    )
    .join(Organisation, Organisation.id == Resource.house_id)
    .join(RuleSet, RuleSet.id == Resource.rule_set_id)
)
_sought = (
    _THINGS.where(one_of(Resource.__table__.c.code, "codes")),
    _THINGS.where(one_of(Resource.__table__.c.id, "ids")),
)
_BY_CODE, _BY_ID = map(Prepared, _sought)
# SQLite has one writer, and leaves FOR NO KEY UPDATE out.
_LOCKED_BY_CODE, _LOCKED_BY_ID = (
    Prepared(query.order_by(Resource.id).with_for_update(of=Resource, key_share=True)) for query in _sought
)


def _thing(row: Any) -> Thing:
    """By position, in the order of the query: this runs for every thing of every search."""
    return Thing._make((*row[:9], parse_opening_hours(row[9]), *row[10:20], *_rules(row[16], *row[20:])))


@lru_cache(maxsize=1024)
def _rules(name: str, text: str, before: int, after: int) -> tuple[Terms, Limits, tuple[str, ...], str]:
    """A rule set as things carry it, once for all the things that share it."""
    terms = read_terms(name, text)
    said = to_columns(terms)
    notice, advance, length = (
        int(said[column]) for column in ("min_notice_days", "max_advance_days", "max_duration_hours")
    )
    required = tuple(filter(None, said["requires"].split(";")))
    return terms, Limits(notice, advance, length, before, after), required, said["approval"]


def things_by_code(session: Session, codes: Collection[str]) -> dict[str, Thing]:
    """The resources with these codes, by code; unknown codes are absent."""
    return {row.code: _thing(row) for row in _BY_CODE.all(session, {"codes": list(codes)})}


def locked_by_code(session: Session, codes: Collection[str]) -> dict[str, Thing]:
    """The same, and their calendars taken as `lock_calendars` does, in one statement: this is the hot path."""
    return {row.code: _thing(row) for row in _LOCKED_BY_CODE.all(session, {"codes": list(codes)})}


def things_by_id(session: Session, ids: Collection[int]) -> dict[int, Thing]:
    """The resources with these ids, by id."""
    return {row.id: _thing(row) for row in _BY_ID.all(session, {"ids": list(ids)})}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody looks for in the catalogue; empty means any."""

    words: str = ""
    kind: str = ""
    house: str = ""
    category: str = ""
    capacity: int | None = None
    in_service_only: bool = False


def _narrowed(query: AnySelect, wish: Wish) -> AnySelect:
    for word in words(wish.words):
        query = query.where(Resource.search_text.contains(word, autoescape=True))
    if wish.kind:
        query = query.where(Resource.kind == wish.kind)
    if wish.house:
        query = query.where(Organisation.code == wish.house)
    if wish.category:
        query = query.where(Resource.category == wish.category)
    if wish.capacity is not None:
        # A minibus answers "for how many" with its seats.
        query = query.where((Resource.capacity >= wish.capacity) | (Resource.seats >= wish.capacity))
    if wish.in_service_only:
        query = query.where(Resource.in_service)
    return query


def find_things(session: Session, wish: Wish) -> list[Thing]:
    """The resources that fit a wish, by house and code."""
    query = _narrowed(_THINGS, wish).order_by(Organisation.code, Resource.code)
    return [_thing(row) for row in session.execute(query)]


def categories(session: Session) -> list[str]:
    """Every category in use, sorted."""
    return list(session.scalars(select(Resource.category).distinct().order_by(Resource.category)))


def lock_calendars(session: Session, things: Iterable[Thing]) -> list[Thing]:
    """Take the calendars of these things until the transaction ends; returns them as they are under the lock.

    Before any look at the calendar: whoever comes second waits here, then reads what the first one wrote. In the order
    of ids, so that two requests for the same things cannot hold one each.
    """
    return [_thing(row) for row in _LOCKED_BY_ID.all(session, {"ids": [thing.id for thing in things]})]


# What Unicode does not take apart by itself; and a zero-width space separates nothing.
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "’": "'", "\u200b": None, "\ufeff": None})


def fold(text: str) -> str:
    """Plain lower-case letters: `Œuvre d’Été` is found by `oeuvre` and by `ete`, `11 m³` by `m3`."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    return "".join(character for character in plain if not unicodedata.combining(character))


def search_text(parts: Sequence[str]) -> str:
    """What a word search looks in."""
    return fold(" ".join(filter(None, parts)))


def words(text: str) -> list[str]:
    """The words to look for; a plural finds the singular, `chaises` the row `Chaise pliante`."""
    return [word[:-1] if len(word) > 3 and word[-1] in "sx" else word for word in fold(text).split()]
