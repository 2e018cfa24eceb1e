"""The articles of an order as those see them who pledge: found, a page at a time, with what is theirs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, func, or_, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.models import Organisation, User
from sharebank.accounts.permissions import may_body, may_order
from sharebank.core.db import AnyRow
from sharebank.core.money import cents
from sharebank.orders.models import GroupOrder, OrderItem, Pledge, PledgeChange
from sharebank.orders.pledging import joins
from sharebank.orders.reading import Standing
from sharebank.orders.rules.shares import Share
from sharebank.orders.supply.supplier_models import SOLD, PriceItem, fitting

PAGE = 40
CHANGES = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """Which articles to show."""

    q: str = ""
    labels: tuple[str, ...] = ()
    category: str = ""
    show: str = "all"
    """`all`; `mine`: what one's organisation pledged; `fill`: what lacks units to a full pack."""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """A page of articles, and how many there are in all."""

    items: Sequence[AnyRow]
    total: int
    fallbacks: Mapping[str, str]
    """Names of the articles to take instead, by article number."""


_COLUMNS = [getattr(OrderItem, name) for name in ("id", *SOLD, "dropped") if name != "search_text"]


def find(
    session: Session,
    order: GroupOrder,
    body: Role | None,
    wish: Wish,
    lacking: Collection[str] = (),
    typed: Collection[str] = (),
) -> Found:
    """The articles that fit, in the supplier's order; those dropped for who asked for them.

    `lacking` are those for `fill`; `typed`, when there are any, are shown whatever is wished.
    """
    own = select(Pledge.item_id).where(
        Pledge.order_id == order.id, Pledge.organisation_id == (body.organisation_id if body else 0)
    )
    query = select(*_COLUMNS, func.count().over().label("hits")).where(OrderItem.order_id == order.id)
    if typed:
        query = query.where(OrderItem.sku.in_(typed)).order_by(OrderItem.id)
        return _found(session, order, session.connection().execute(query).all())
    query = query.where(
        OrderItem.id.in_(own) if wish.show == "mine" else or_(~OrderItem.dropped, OrderItem.id.in_(own))
    )
    if wish.show == "fill":
        query = query.where(OrderItem.sku.in_(lacking))
    query = query.where(*fitting(OrderItem, wish.q, wish.labels, wish.category))
    query = query.order_by(OrderItem.id).limit(PAGE).offset((wish.page - 1) * PAGE)
    return _found(session, order, session.connection().execute(query).all())


def _found(session: Session, order: GroupOrder, rows: Sequence[AnyRow]) -> Found:
    instead = {row.fallback_sku for row in rows if row.fallback_sku}
    listed = select(PriceItem.sku, PriceItem.name).where(
        PriceItem.price_list_id == order.price_list_id, PriceItem.sku.in_(instead)
    )
    names = {row.sku: row.name for row in session.connection().execute(listed)} if instead else {}
    return Found(rows, rows[0].hits if rows else 0, names)


def choices(session: Session, order: GroupOrder) -> tuple[list[str], list[str]]:
    """The labels and the categories that an order's articles have."""
    kinds = select(OrderItem.category, cast(OrderItem.labels, Text)).where(OrderItem.order_id == order.id).distinct()
    rows = session.connection().execute(kinds).all()
    labels = {label for _, found in rows for label in json.loads(found)}
    return sorted(labels), sorted({category for category, _ in rows if category})


def structures(session: Session, actor: Actor, order: GroupOrder) -> list[Role]:
    """The organisations the actor may pledge for, their own first."""
    able = directory.borrowable_for(session, actor)
    return [body for body in able if joins(order, body) and may_body(actor, "borrow_for", body)]


# -- what is one's own -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Own:
    """What one organisation pledged of an article, and what it gets as things stand."""

    sku: str
    name: str
    quantity: int
    accept_up_to: int
    units: int

    @property
    def asked(self) -> tuple[int, int]:
        """As it was pledged."""
        return self.quantity, self.accept_up_to

    @property
    def missing(self) -> int:
        """Firm units it would not get."""
        return max(0, self.quantity - self.units)

    @property
    def extra(self) -> int:
        """Units on top of those it asked for."""
        return max(0, self.units - self.quantity)


@dataclass(frozen=True, slots=True)
class Account:
    """What one organisation pays as things stand, and what packs that are not full take away from what it asked."""

    own: Mapping[str, Own]
    share: Share
    missing: Sequence[tuple[Own, int]]
    """With what these units would cost; net cents."""

    @property
    def missing_cents(self) -> int:
        """All that is not in the share; net."""
        return sum(amount for _, amount in self.missing)

    @property
    def extra(self) -> list[Own]:
        """Articles of which it gets more than it asked for."""
        return [one for one in self.own.values() if one.extra]


def account(session: Session, order: GroupOrder, stands: Standing, body: Role) -> Account:
    """What is an organisation's in an order."""
    query = (
        select(OrderItem.sku, OrderItem.name, Pledge.quantity, Pledge.accept_up_to)
        .join(OrderItem, OrderItem.id == Pledge.item_id)
        .where(Pledge.order_id == order.id, Pledge.organisation_id == body.organisation_id)
        .order_by(OrderItem.id)
    )
    own = {}
    for sku, name, quantity, most in session.connection().execute(query):
        line = stands.lines.get(sku)  # none: dropped
        own[sku] = Own(sku, name, quantity, most, line.allocations.get(body.organisation, 0) if line else 0)
    missing = [
        (one, cents(one.missing * stands.lines[sku].price) if sku in stands.lines else 0)
        for sku, one in own.items()
        if one.missing
    ]
    return Account(own, stands.bill.shares.get(body.organisation, Share()), missing)


def pledged_by(session: Session, orders: Iterable[GroupOrder], actor: Actor) -> dict[int, list[tuple[str, int]]]:
    """In which orders the actor's organisations take how many articles: (name, articles), by order."""
    query = (
        select(Pledge.order_id, Organisation.name, func.count())
        .join(Organisation, Organisation.id == Pledge.organisation_id)
        .where(Pledge.order_id.in_([order.id for order in orders]), Pledge.organisation_id.in_(actor.organisation_ids))
        .group_by(Pledge.order_id, Organisation.name)
        .order_by(Organisation.name)
    )
    found: dict[int, list[tuple[str, int]]] = {}
    for order_id, name, articles in session.connection().execute(query):
        found.setdefault(order_id, []).append((name, articles))
    return found


# -- who changed what --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a pledge, as the history shows it."""

    id: int
    at: datetime
    organisation: str
    sku: str
    article: str
    who: str
    before: Sequence[int]
    after: Sequence[int]
    why: str


def changes(
    session: Session, actor: Actor, order: GroupOrder, before: int | None = None, organisation: str = ""
) -> list[Change]:
    """The newest changes first, at most CHANGES and one more; one's own organisations', to the staff everybody's."""
    wanted: list[Any] = [PledgeChange.order_id == order.id]
    if not may_order(actor, "see_all", order):
        wanted.append(PledgeChange.organisation_id.in_(actor.organisation_ids))
    if before is not None:
        wanted.append(PledgeChange.id < before)
    if organisation:
        wanted.append(Organisation.code == organisation)
    return _changes(session, wanted, CHANGES + 1)


def last_changes(session: Session, order: GroupOrder, body: Role, skus: Iterable[str]) -> dict[str, Change]:
    """Who changed these articles of an organisation last, by article number."""
    same = (
        PledgeChange.order_id == order.id,
        PledgeChange.organisation_id == body.organisation_id,
        OrderItem.sku.in_(list(skus)),
    )
    newest = select(func.max(PledgeChange.id)).join(OrderItem).where(*same).group_by(PledgeChange.item_id)
    return {one.sku: one for one in _changes(session, [PledgeChange.id.in_(newest)], None)}


def _changes(session: Session, wanted: Sequence[Any], limit: int | None) -> list[Change]:
    query = (
        select(PledgeChange, Organisation.name, OrderItem.sku, OrderItem.name, User.first_name, User.last_name)
        .join_from(PledgeChange, Organisation, Organisation.id == PledgeChange.organisation_id)
        .join(OrderItem, OrderItem.id == PledgeChange.item_id)
        .outerjoin(User, User.id == PledgeChange.user_id)
        .where(*wanted)
        .order_by(PledgeChange.id.desc())
        .limit(limit)
    )
    return [
        Change(
            one.id,
            one.at,
            organisation,
            sku,
            article,
            f"{first} {last}" if first else "",
            one.before,
            one.after,
            one.why,
        )
        for one, organisation, sku, article, first, last in session.execute(query)
    ]
