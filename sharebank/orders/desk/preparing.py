"""Preparing an order: from which supplier, its facts, its articles, the newest prices; until it opens."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.directory import House
from sharebank.accounts.permissions import may_house
from sharebank.catalog.service import fold
from sharebank.core.db import AnyRow
from sharebank.core.errors import Word
from sharebank.orders.desk.making import (
    LONGEST,
    RESERVED,
    copy_items,
    latest_list,
    source,
)
from sharebank.orders.lifecycle import locked
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.pledging import change_stamp
from sharebank.orders.rules.states import WORDS, WrongOrderState
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


# -- its articles ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """Which articles of the price list to show."""

    q: str = ""
    category: str = ""
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
    fits = [PriceItem.price_list_id == order.price_list_id, *fitting(PriceItem, wish.q, (), wish.category)]
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


def kinds(session: Session, price_list_id: int) -> list[tuple[str, int]]:
    """The categories of a price list, each with how many articles it has."""
    same = PriceItem.price_list_id == price_list_id
    query = select(PriceItem.category, func.count(PriceItem.id)).where(same).group_by(PriceItem.category)
    return sorted((category, many) for category, many in session.connection().execute(query))


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
        _take(session, order, *fitting(PriceItem, wish.q, (), wish.category))
        return
    fits = (PriceItem.price_list_id == order.price_list_id, *fitting(PriceItem, wish.q, (), wish.category))
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
