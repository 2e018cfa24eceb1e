"""The facts of an order: its title, its hours, who may join; changed by several people without undoing each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, User
from sharebank.core.errors import N_, ChangedMeanwhile, Word
from sharebank.orders.desk.making import campaign_of, check_parties, delivery_house
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.lifecycle import locked
from sharebank.orders.models import GroupOrder
from sharebank.orders.pledging import change_stamp
from sharebank.orders.rules.states import WORDS, ClosesTooEarly, WrongOrderState


def coordinators(session: Session, order: GroupOrder) -> dict[int, str]:
    """Who may coordinate an order: the staff of its delivery house, and who does."""
    query = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == order.house_id, Membership.role != "member")
        .order_by(User.last_name, User.first_name)
    )
    return {order.coordinator_id: order.coordinator.name} | {user.id: user.name for user in session.scalars(query)}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said of an order; instants in UTC. What is None stays as it is: later on, only some may change."""

    title: str
    pickup: str
    notes: str
    coordinator_id: int | None = None
    house: str | None = None
    campaign: str | None = None
    """Empty: what its code says."""
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    sharing: str | None = None
    first: tuple[str, ...] | None = None
    joins: tuple[str, ...] | None = None


_SOON = ("campaign", "opens_at", "closes_at", "sharing")
"""What only a draft lets change, beside the house and the lists: later these are steps or corrections of their own."""


class FactsChanged(ChangedMeanwhile):
    """Two people change the facts of an order; by name of the fact, `stands` is what is stored, `there` of theirs."""

    sentence = N_(
        "Someone else changed this order while you were typing. Nothing was stored, and nothing you typed is lost:"
        " what is stored now stands beside what you typed. Store once more if yours is to replace it."
    )


def plain(facts: Facts) -> dict[str, Any]:
    """Facts as plain JSON values, to the minute, as a form brings them back; what is None is left out."""
    said = {name: value for name, value in asdict(facts).items() if value is not None}
    for name in {"opens_at", "closes_at"} & set(said):
        said[name] = said[name].replace(second=0, microsecond=0).isoformat()
    return said | {name: sorted(said[name]) for name in ("first", "joins") if name in said}


def stored(order: GroupOrder) -> dict[str, Any]:
    """What may be changed of an order as it stands, as `plain` has it."""
    facts = Facts(order.title, order.pickup, order.notes, order.coordinator_id)
    if order.state == "draft":
        early = {name: getattr(order, name) for name in (*_SOON, "first", "joins")}
        facts = replace(facts, house=order.house.code, **early)
    return plain(facts)


def edit(
    session: Session, actor: Actor, code: str, facts: Facts, now: datetime, seen: Mapping[str, Any] | None = None
) -> GroupOrder:
    """Change the facts of an order; where they were `seen` (`stored`), only if they still stand so or as wanted.

    Raises NotFound, NotAllowed, WrongOrderState, FactsChanged, UnknownHouse or ClosesTooEarly; what was opened while
    its draft was typed in is a WrongOrderState with the facts of FactsChanged.
    """
    order = locked(session, actor, code, leaving=True)
    if order.state in ("settled", "cancelled"):
        raise WrongOrderState(state=Word(WORDS[order.state]))
    if seen is not None:
        there, wanted = stored(order), plain(facts)
        others = {name: value for name, value in there.items() if value not in (seen.get(name), wanted.get(name))}
        if not seen.keys() <= there.keys():  # what only a draft lets change would go unstored, unsaid
            raise WrongOrderState(state=Word(WORDS[order.state]), there=others, stands=there)
        if others:
            raise FactsChanged(there=others, stands=there)
    order.title, order.pickup, order.notes = facts.title, facts.pickup, facts.notes
    if facts.coordinator_id in coordinators(session, order):
        order.coordinator_id = facts.coordinator_id
    if order.state == "draft":
        _prepare(session, actor, order, facts, now)
    order.pledge_version = change_stamp()
    order.events.append(OrderEvent(at=now, user_id=actor.user_id, act="edit", state=order.state))
    session.flush()
    return order


def _prepare(session: Session, actor: Actor, order: GroupOrder, facts: Facts, now: datetime) -> None:
    for name in _SOON:
        value = getattr(facts, name)
        if value is not None:
            setattr(order, name, value)
    order.campaign = order.campaign or campaign_of(order.code, order.supplier.code)
    if facts.house is not None and facts.house != order.house.code:
        order.house_id = delivery_house(session, actor, facts.house, "house")
    check_parties(session, facts.first or (), facts.joins or ())
    for name in ("first", "joins"):
        value = getattr(facts, name)
        if value is not None:
            setattr(order, name, list(value))
    if order.closes_at <= max(now, order.opens_at):
        raise ClosesTooEarly("closes_at")
