"""Rule sets as they are kept: who may change one, and what is still lent by it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_rules, require
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.rules import RulesInUse, RulesNameTaken
from sharebank.core.errors import ChangedMeanwhile, NotFound
from sharebank.lending.terms import Terms, read_terms

_WRITTEN = ("name", "buffer_before_min", "buffer_after_min", "terms")


class Use(NamedTuple):
    """A rule set, and how many things of which house are lent by it."""

    rule_set: RuleSet
    things: dict[str, int]
    """By house code."""
    houses: frozenset[int]

    @property
    def total(self) -> int:
        """How many things in all."""
        return sum(self.things.values())

    @property
    def spread(self) -> str:
        """The same by house, as pages write it: `MCNG 3 · STN 2`."""
        return " · ".join(f"{house}\u00a0{things}" for house, things in self.things.items())


_USES = (
    select(Resource.rule_set_id, Organisation.id, Organisation.code, func.count())
    .join(Organisation, Organisation.id == Resource.house_id)
    .group_by(Resource.rule_set_id, Organisation.id, Organisation.code)
    .order_by(Organisation.code)
)


def _uses(session: Session, rule_sets: Sequence[RuleSet]) -> list[Use]:
    ids = [found.id for found in rule_sets]
    rows = session.execute(_USES.where(Resource.rule_set_id.in_(ids))).all()
    return [
        Use(
            found,
            {row[2]: row[3] for row in rows if row[0] == found.id},
            frozenset(row[1] for row in rows if row[0] == found.id),
        )
        for found in rule_sets
    ]


def uses(session: Session) -> list[Use]:
    """Every rule set by name, with what is lent by it."""
    return _uses(session, session.scalars(select(RuleSet).order_by(RuleSet.name)).all())


def use(session: Session, name: str) -> Use:
    """One of them; raises NotFound."""
    found = session.scalar(select(RuleSet).where(RuleSet.name == name))
    if found is None:
        raise NotFound
    return _uses(session, [found])[0]


def editable(session: Session, actor: Actor, name: str) -> Use:
    """One of them, to be changed; raises NotFound, NotAllowed."""
    found = use(session, name)
    require(may_rules(actor, "edit_rules", found.houses))
    return found


def terms_of(rule_set: RuleSet) -> Terms:
    """Its rules, parsed once for all who ask."""
    return read_terms(rule_set.name, rule_set.terms)


def mark(rule_set: RuleSet) -> str:
    """What tells one state of a rule set from another: two people may edit it at once."""
    said = repr([getattr(rule_set, name) for name in _WRITTEN])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> RuleSet:
    """A new rule set, by nobody's things used yet; raises NotAllowed, RulesNameTaken."""
    require(may_rules(actor, "edit_rules", frozenset()))
    return _keep(session, RuleSet(), values)


def change(session: Session, actor: Actor, name: str, seen: str, values: Mapping[str, Any]) -> RuleSet:
    """Other rules, from now on: what is booked stays booked.

    Raises NotFound, NotAllowed, RulesNameTaken; ChangedMeanwhile when these are no longer the rules that were seen.
    """
    found = editable(session, actor, name).rule_set
    session.refresh(found, with_for_update=True)  # whoever comes second waits here, then sees what the first wrote
    if seen != mark(found):
        raise ChangedMeanwhile
    return _keep(session, found, values)


def _keep(session: Session, rule_set: RuleSet, values: Mapping[str, Any]) -> RuleSet:
    wanted = values["name"]
    taken = select(RuleSet.id).where(func.lower(RuleSet.name) == wanted.lower(), RuleSet.id != (rule_set.id or 0))
    if session.scalar(taken):
        raise RulesNameTaken("name", value=wanted)
    for name in _WRITTEN:
        setattr(rule_set, name, values[name])
    session.add(rule_set)
    try:
        session.flush()
    except IntegrityError as error:  # another took the name between our look and our writing
        raise RulesNameTaken("name", value=wanted) from error
    return rule_set


def delete(session: Session, actor: Actor, name: str) -> None:
    """Forget a rule set that nothing is lent by; raises NotFound, NotAllowed, RulesInUse."""
    found = editable(session, actor, name)
    if found.total:
        raise RulesInUse(count=found.total)
    session.delete(found.rule_set)
    try:
        session.flush()
    except IntegrityError as error:  # a thing was put under it at this moment
        raise RulesInUse(count=1) from error
