"""Preparing an order: from which supplier, its facts, its articles, the newest prices; until it opens."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, cast, delete, func, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.directory import House
from sharebank.accounts.models import Membership, User
from sharebank.accounts.permissions import may_house, require
from sharebank.catalog.service import fold
from sharebank.core.db import AnyRow
from sharebank.core.errors import Word
from sharebank.orders.desk.making import (
    LONGEST,
    RESERVED,
    UnknownHouse,
    campaign_of,
    check_parties,
    copy_items,
    latest_list,
    source,
)
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.lifecycle import locked
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.pledging import change_stamp
from sharebank.orders.rules.states import WORDS, ClosesTooEarly, WrongOrderState
from sharebank.orders.supply.supplier_models import PriceItem, PriceList, Supplier, fitting

PAGE = 50


def houses_of(session: Session, actor: Actor) -> list[House]:
    """Where the actor may have orders delivered, their own first."""
    able = [house for house in directory.houses(session) if may_house(actor, "run_orders", house.id)]
    return sorted(able, key=lambda house: house.id not in actor.staff_ids)


def sources(session: Session) -> Sequence[AnyRow]:
    """The suppliers whose prices are known: `code, name, kind, articles, since`."""
    newest = (
        select(PriceList.supplier_id, func.max(PriceList.id).label("id")).group_by(PriceList.supplier_id).subquery()
    )
    query = (
        select(
            Supplier.code,
            Supplier.name,
            Supplier.kind,
            func.count(PriceItem.id).label("articles"),
            func.max(PriceList.created_at).label("since"),
        )
        .join(newest, newest.c.supplier_id == Supplier.id)
        .join(PriceList, PriceList.id == newest.c.id)
        .join(PriceItem, PriceItem.price_list_id == PriceList.id)
        .group_by(Supplier.id)
        .order_by(Supplier.name)
    )
    return session.connection().execute(query).all()


def free_code(session: Session, title: str, supplier: str) -> str:
    """A code that no order has: from its title and its supplier."""
    # Room for the supplier's code and a number behind it.
    most = min(40, LONGEST - len(supplier) - len("--99"))
    stem = "-".join(re.findall(r"[a-z0-9]+", fold(title)))[:most].strip("-") or "commande"
    code = stem if stem.endswith(supplier.lower()) else f"{stem}-{supplier.lower()}"
    taken = set(session.scalars(select(GroupOrder.code).where(GroupOrder.code.startswith(code, autoescape=True))))
    numbers = (code if number == 1 else f"{code}-{number}" for number in range(1, len(taken) + 3))
    return next(one for one in numbers if one not in taken and one not in RESERVED)


def coordinators(session: Session, order: GroupOrder) -> dict[int, str]:
    """Who may coordinate an order: the staff of its delivery house, and who does."""
    query = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == order.house_id, Membership.role != "member")
        .order_by(User.last_name, User.first_name)
    )
    return {order.coordinator_id: order.coordinator.name} | {user.id: user.name for user in session.scalars(query)}


# -- its facts -------------------------------------------------------------------------------------


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


def edit(session: Session, actor: Actor, code: str, facts: Facts, now: datetime) -> GroupOrder:
    """Change the facts of an order; raises NotFound, NotAllowed, WrongOrderState, UnknownHouse, ClosesTooEarly."""
    order = locked(session, actor, code, leaving=True)
    if order.state in ("settled", "cancelled"):
        raise WrongOrderState(state=Word(WORDS[order.state]))
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
        house = directory.organisation(session, facts.house)
        if house is None or house.kind != "house":
            raise UnknownHouse("house", value=facts.house)
        require(may_house(actor, "run_orders", house.organisation_id))
        order.house_id = house.organisation_id
    check_parties(session, facts.first or (), facts.joins or ())
    for name in ("first", "joins"):
        value = getattr(facts, name)
        if value is not None:
            setattr(order, name, list(value))
    if order.closes_at <= max(now, order.opens_at):
        raise ClosesTooEarly("closes_at")


# -- its articles ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """Which articles of the price list to show."""

    q: str = ""
    category: str = ""
    label: str = ""
    only: str = ""
    """`in` the order, `out` of it, or both."""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """A page of the price list, each article with whether it is in the order; and how many there are."""

    rows: Sequence[AnyRow]
    total: int
    chosen: int
    """Articles in the order, whatever is shown."""


def articles(session: Session, order: GroupOrder, wish: Wish) -> Choice:
    """The articles of the order's price list that fit, in the supplier's order."""
    mine = select(OrderItem.sku).where(OrderItem.order_id == order.id)
    fits = [PriceItem.price_list_id == order.price_list_id, *fitting(PriceItem, wish.q, (wish.label,), wish.category)]
    if wish.only:
        fits.append(PriceItem.sku.in_(mine) if wish.only == "in" else PriceItem.sku.not_in(mine))
    total = session.scalar(select(func.count(PriceItem.id)).where(*fits)) or 0
    chosen = session.scalar(select(func.count(OrderItem.id)).where(OrderItem.order_id == order.id)) or 0
    columns = (PriceItem.sku, PriceItem.name, PriceItem.unit, PriceItem.pack, PriceItem.price, PriceItem.vat)
    page = (
        select(*columns, PriceItem.labels, PriceItem.category, PriceItem.sku.in_(mine).label("chosen"))
        .where(*fits)
        .order_by(PriceItem.id)
        .limit(PAGE)
        .offset((wish.page - 1) * PAGE)
    )
    return Choice(session.connection().execute(page).all(), total, chosen)


def kinds(session: Session, price_list_id: int) -> tuple[list[tuple[str, int]], list[str]]:
    """The categories of a price list, each with how many articles it has, and its labels."""
    count = func.count(PriceItem.id)
    query = select(PriceItem.category, cast(PriceItem.labels, Text), count).where(
        PriceItem.price_list_id == price_list_id
    )
    found, labels = dict[str, int](), set[str]()
    for category, said, many in session.connection().execute(
        query.group_by(PriceItem.category, cast(PriceItem.labels, Text))
    ):
        found[category] = found.get(category, 0) + many
        labels |= set(json.loads(said))
    return sorted(found.items()), sorted(labels)


def skus_of(session: Session, supplier: str, categories: Collection[str]) -> list[str]:
    """The articles of these categories in a supplier's newest price list."""
    known = source(session, supplier)
    if known is None:
        return []
    same = (PriceItem.price_list_id == known[1].id, PriceItem.category.in_(categories))
    return list(session.scalars(select(PriceItem.sku).where(*same)))


def choose(session: Session, actor: Actor, code: str, taken: Collection[str], shown: Collection[str]) -> None:
    """Of the articles `shown`, a draft has those `taken` and no others; raises WrongOrderState once it is open."""
    order = _draft(session, actor, code)
    _take(session, order, PriceItem.sku.in_(list(taken)))
    _leave(session, order, set(shown) - set(taken))


def choose_all(session: Session, actor: Actor, code: str, wish: Wish, *, take: bool) -> None:
    """Take all articles that fit, or leave them all out; raises as `choose`."""
    order = _draft(session, actor, code)
    if take:
        _take(session, order, *fitting(PriceItem, wish.q, (wish.label,), wish.category))
        return
    fits = (PriceItem.price_list_id == order.price_list_id, *fitting(PriceItem, wish.q, (wish.label,), wish.category))
    _leave(session, order, set(session.scalars(select(PriceItem.sku).where(*fits))))


def newer_prices(session: Session, order: GroupOrder) -> PriceList | None:
    """The supplier's newest price list, when a draft was made from another."""
    newest = latest_list(session, order.supplier_id) if order.state == "draft" else None
    return newest if newest is not None and newest.id != order.price_list_id else None


def renew(session: Session, actor: Actor, code: str) -> None:
    """Take the supplier's newest prices; articles that are gone leave the order, new ones may be chosen."""
    order = _draft(session, actor, code)
    newest = newer_prices(session, order)
    if newest is None:
        return
    mine = list(session.scalars(select(OrderItem.sku).where(OrderItem.order_id == order.id)))
    session.connection().execute(delete(OrderItem).where(OrderItem.order_id == order.id))
    order.price_list_id = newest.id
    session.flush()
    _take(session, order, PriceItem.sku.in_(mine))


def _draft(session: Session, actor: Actor, code: str) -> GroupOrder:
    order = locked(session, actor, code)
    if order.state != "draft":
        raise WrongOrderState(state=Word(WORDS[order.state]))
    order.pledge_version = change_stamp()
    session.flush()
    return order


def _take(session: Session, order: GroupOrder, *fits: ColumnElement[bool]) -> None:
    mine = select(OrderItem.sku).where(OrderItem.order_id == order.id)
    query = select(PriceItem).where(PriceItem.price_list_id == order.price_list_id, PriceItem.sku.not_in(mine), *fits)
    copy_items(session, order.id, list(session.scalars(query.order_by(PriceItem.id))))
    session.expire(order, ["items"])


def _leave(session: Session, order: GroupOrder, skus: Collection[str]) -> None:
    same = (OrderItem.order_id == order.id, OrderItem.sku.in_(list(skus)))
    session.connection().execute(delete(OrderItem).where(*same))
    session.expire(order, ["items"])
