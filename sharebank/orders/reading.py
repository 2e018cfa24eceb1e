"""Group orders as people read them: which ones, how each article stands, what each organisation bears."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import String, bindparam, cast, func, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_order
from sharebank.core.db import AnyRow
from sharebank.core.errors import NotFound
from sharebank.orders.life_models import Adjustment
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.models import Pledge as PledgeRow
from sharebank.orders.recall import Recall, Shelf
from sharebank.orders.rules.advice import Filling, filling
from sharebank.orders.rules.invoices import taken_over
from sharebank.orders.rules.packs import Article, Pledge, Sharing
from sharebank.orders.rules.shares import Bill, Delivery, Line, Minimum, bill, line_of
from sharebank.orders.supply.supplier_models import Supplier

KEPT = 64
"""Standings remembered by a process: as many orders as anybody has open."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The supplier's terms as they were when the order opened."""

    minimum: Minimum
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stands: each article's pledges, line and filling, and the bill; all by article number."""

    articles: Mapping[str, Article]
    pledges: Mapping[str, Sequence[Pledge]]
    lines: Mapping[str, Line]
    fillings: Mapping[str, Filling]
    bill: Bill
    minimum_reached: bool


def order_of_code(session: Session, actor: Actor, code: str) -> GroupOrder:
    """One order; raises NotFound when there is none or it is not the actor's to see."""
    query = select(GroupOrder).where(GroupOrder.code == code)
    order = session.scalar(query.options(joinedload(GroupOrder.supplier), joinedload(GroupOrder.house)))
    if order is None or not may_order(actor, "see", order):
        raise NotFound
    return order


def visible_orders(session: Session, actor: Actor, supplier: Supplier | None = None) -> list[GroupOrder]:
    """The orders the actor may see, of one supplier or all: open ones first, the one that closes next at the top."""
    parts = (GroupOrder.supplier, GroupOrder.house, GroupOrder.coordinator)
    query = select(GroupOrder).options(*map(joinedload, parts))
    query = query.where(GroupOrder.supplier_id == supplier.id) if supplier else query
    rank = {"open": 0, "draft": 1, "closed": 2, "sent": 3, "received": 4, "settled": 5, "cancelled": 6}
    found = [order for order in session.scalars(query) if may_order(actor, "see", order)]
    return sorted(found, key=lambda order: (rank[order.state], order.closes_at, order.code))


def article_of(item: OrderItem) -> Article:
    """An article as the rules know it."""
    breaks = tuple((int(units), Decimal(price)) for units, price in item.breaks)
    return Article(item.sku, item.pack, item.price, item.vat, item.least_packs, breaks)


def terms_of(order: GroupOrder) -> Terms:
    """The frozen terms of an order; before it opens, its supplier's."""
    kept = order.terms or supplier_terms(order)
    return Terms(
        Minimum(kept["minimum_cents"], kept["minimum_gross"]),
        Delivery(kept["fee_cents"], kept["free_from_cents"], Decimal(kept["fee_vat"])),
    )


def supplier_terms(order: GroupOrder) -> dict[str, Any]:
    """What is frozen when an order opens, as plain JSON values."""
    supplier = order.supplier
    return {
        "minimum_cents": supplier.minimum_cents,
        "minimum_gross": supplier.minimum_gross,
        "fee_cents": supplier.fee_cents,
        "free_from_cents": supplier.free_from_cents,
        "fee_vat": format(supplier.fee_vat, "f"),
    }


_standings: Shelf[int, Standing] = Shelf(KEPT)
_recalls: Shelf[tuple[int, str], Recall] = Shelf(KEPT)


def standing(session: Session, order: GroupOrder) -> Standing:
    """How an order stands now.

    A pure function of what `pledge_version` stands for, and every change gives it a new random number: so it is
    reckoned once a change and process, whichever database and transaction the change was made in.
    """
    known = _standings.get(order.pledge_version)
    if known is None:
        known = reckon(session, order)
        if order.pledge_version:
            _standings.put(order.pledge_version, known)
    return known


def reckon(session: Session, order: GroupOrder) -> Standing:
    """The same from what is stored.

    Only articles about which something changed since this process looked last are reckoned anew.
    """
    rule: Sharing = order.sharing  # type: ignore[assignment]
    recall = _recalls.get((order.id, rule)) or _recalls.put((order.id, rule), Recall())
    items = {item.id: item for item in order.items if not item.dropped}
    found = pledges_of(session, order, recall)
    articles = {item.sku: article_of(item) for item in items.values()}
    pledges = {item.sku: found.get(item.id, []) for item in items.values()}
    lines, stands = {}, taken_over(order.invoice)
    for item in items.values():
        units = item.received if item.received is not None else item.ordered
        price = item.invoiced_price if item.invoiced_price is not None else item.ordered_price
        theirs = stands.goods.get(item.sku)
        if theirs and theirs.units == units:
            price = theirs.price
        lines[item.sku] = recall.ask(
            ("line", item.id),
            line_of,
            articles[item.sku],
            pledges[item.sku],
            rule,
            tuple(order.first),
            units=units,
            price=price,
            goods_cents=theirs.amount_cents if theirs else None,
            keeper=order.house.code,
        )
    # Only what a supplier asks for can have nothing of ours to follow.
    terms, bearers = terms_of(order), _bearers(pledges) if order.invoice else {}
    fee, vat = stands.delivery_cents, stands.vat
    whole = bill(lines.values(), terms.delivery, delivery_cents=fee, vat_cents=vat, bearers=bearers)
    return Standing(
        articles,
        pledges,
        lines,
        {sku: recall.ask(("filling", sku), filling, article, pledges[sku]) for sku, article in articles.items()},
        whole,
        whole.reaches(terms.minimum),
    )


def _bearers(pledges: Mapping[str, Sequence[Pledge]]) -> dict[str, int]:
    wanted: dict[str, int] = defaultdict(int)
    for own in pledges.values():
        for organisation, quantity, _most, _turn in own:
            wanted[organisation] += quantity
    return wanted


_pledge = PledgeRow.__table__.c
_PLEDGED = (_pledge.id, _pledge.organisation_id, _pledge.quantity, _pledge.accept_up_to)
# One row an article, put together in the database: what did not change is recognised without looking into it.
_PLEDGES = (
    select(_pledge.item_id, *(func.aggregate_strings(cast(column, String), ",") for column in _PLEDGED))
    .where(_pledge.order_id == bindparam("order_id"))
    .group_by(_pledge.item_id)
)
_ADJUSTED = (
    select(Adjustment.item_id, Adjustment.organisation_id, Adjustment.units)
    .where(Adjustment.order_id == bindparam("order_id"))
    .order_by(Adjustment.id)
)
_CODES = select(Organisation.id, Organisation.code)
_LAST = 2**62
"""The turn of who came after the close."""


def pledges_of(
    session: Session,
    order: GroupOrder,
    recall: Recall | None = None,
    more: Sequence[tuple[int, int, int]] = (),
) -> dict[int, list[Pledge]]:
    """Every pledge that counts, by item id: as pledged, plus what was put on an account or taken off it since.

    `more`: what would be put on or taken off besides, as `(item id, organisation id, units)`.
    """
    connection, which, recall = session.connection(), {"order_id": order.id}, recall or Recall()
    codes = recall.ask("codes", dict[int, str], {row.id: row.code for row in connection.execute(_CODES)})
    # Added up first: what is taken back again leaves the pledge as it was, with all it accepts.
    put: dict[tuple[int, int], int] = defaultdict(int)
    for item_id, organisation_id, units in (*connection.execute(_ADJUSTED, which), *more):
        put[item_id, organisation_id] += units
    adjusted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (item_id, organisation_id), units in put.items():
        if units:
            adjusted[item_id].append((organisation_id, units))
    said = {row[0]: row[1:] for row in connection.execute(_PLEDGES, which)}
    return {
        item_id: recall.ask(("pledges", item_id), _pledges, said.get(item_id), adjusted.get(item_id), codes)
        for item_id in {*said, *adjusted}
    }


def _pledges(
    said: tuple[str, ...] | None, adjusted: Sequence[tuple[int, int]] | None, codes: Mapping[int, str]
) -> list[Pledge]:
    """Those of one article; who came first has the lower id, for pledges of an order are stored one at a time."""
    rows = sorted(zip(*(map(int, column.split(",")) for column in said), strict=True)) if said else []
    found = [Pledge(codes[organisation_id], quantity, most, turn) for turn, organisation_id, quantity, most in rows]
    for organisation_id, units in adjusted or ():
        found = _adjusted(found, codes[organisation_id], units)
    return found


def pledged(session: Session, order: GroupOrder, organisation_ids: Collection[int] | None = None) -> Sequence[AnyRow]:
    """Pledges as they were made: `organisation, sku, quantity, accept_up_to, at`; of these organisations, or all."""
    whose = () if organisation_ids is None else (_pledge.organisation_id.in_(organisation_ids),)
    query = (
        select(
            Organisation.code.label("organisation"), OrderItem.sku, _pledge.quantity, _pledge.accept_up_to, _pledge.at
        )
        .join_from(PledgeRow, OrderItem, OrderItem.id == _pledge.item_id)
        .join(Organisation, Organisation.id == _pledge.organisation_id)
        .where(_pledge.order_id == order.id, *whose)
        .order_by(_pledge.item_id, Organisation.code)
    )
    return session.connection().execute(query).all()


def _adjusted(pledges: Sequence[Pledge], code: str, units: int) -> list[Pledge]:
    """Whoever is given more takes it; whoever is given less takes no more than that."""
    old = next((pledge for pledge in pledges if pledge.organisation == code), Pledge(code, 0, 0, _LAST))
    quantity = max(0, old.quantity + units)
    most = max(quantity, old.accept_up_to) if units > 0 else quantity
    return [*(pledge for pledge in pledges if pledge.organisation != code), Pledge(code, quantity, most, old.turn)]
