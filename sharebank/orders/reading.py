"""Group orders as people read them: which ones, how each article stands, what each organisation bears."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_order
from sharebank.core.errors import NotFound
from sharebank.orders.models import Adjustment, GroupOrder, OrderItem
from sharebank.orders.models import Pledge as PledgeRow
from sharebank.orders.rules.advice import Filling, filling
from sharebank.orders.rules.packs import Article, Pledge, Sharing
from sharebank.orders.rules.shares import Bill, Delivery, Line, Minimum, bill, line_of

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


def visible_orders(session: Session, actor: Actor) -> list[GroupOrder]:
    """The orders the actor may see: open ones first, the one that closes next at the top."""
    query = select(GroupOrder).options(joinedload(GroupOrder.supplier), joinedload(GroupOrder.house))
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


_remembered: OrderedDict[int, Standing] = OrderedDict()
_lock = Lock()


def standing(session: Session, order: GroupOrder) -> Standing:
    """How an order stands now.

    A pure function of what `pledge_version` stands for, and every change gives it a new random number: so it is
    reckoned once a change and process, whichever database and transaction the change was made in.
    """
    with _lock:
        known = _remembered.get(order.pledge_version)
    if known is None:
        known = reckon(session, order)
        if order.pledge_version:
            with _lock:
                _remembered[order.pledge_version] = known
                while len(_remembered) > KEPT:
                    _remembered.popitem(last=False)
    return known


def reckon(session: Session, order: GroupOrder, sharing: Sharing | None = None) -> Standing:
    """The same, reckoned anew; with another sharing rule to see who would get what."""
    items = {item.id: item for item in order.items if not item.dropped}
    found = pledges_of(session, order)
    articles = {item.sku: article_of(item) for item in items.values()}
    pledges = {item.sku: found.get(item.id, []) for item in items.values()}
    rule: Sharing = sharing or order.sharing  # type: ignore[assignment]
    lines = {}
    for item in items.values():
        units = item.received if item.received is not None else item.ordered
        price = item.invoiced_price if item.invoiced_price is not None else item.ordered_price
        lines[item.sku] = line_of(
            articles[item.sku], pledges[item.sku], rule, order.first, units=units, price=price, keeper=order.house.code
        )
    terms = terms_of(order)
    fee = (order.invoice or {}).get("delivery_cents")
    whole = bill(lines.values(), terms.delivery, delivery_cents=fee, bearers=_bearers(pledges))
    return Standing(
        articles,
        pledges,
        lines,
        {sku: filling(article, pledges[sku]) for sku, article in articles.items()},
        whole,
        whole.reaches(terms.minimum),
    )


def _bearers(pledges: Mapping[str, Sequence[Pledge]]) -> dict[str, int]:
    wanted: dict[str, int] = defaultdict(int)
    for own in pledges.values():
        for pledge in own:
            wanted[pledge.organisation] += pledge.quantity
    return wanted


_pledge = PledgeRow.__table__.c
_PLEDGES = (
    select(_pledge.item_id, _pledge.organisation_id, _pledge.quantity, _pledge.accept_up_to)
    .where(_pledge.order_id == bindparam("order_id"))
    .order_by(_pledge.at, _pledge.id)
)
_ADJUSTED = select(Adjustment.item_id, Adjustment.organisation_id, Adjustment.units).where(
    Adjustment.order_id == bindparam("order_id")
)


def pledges_of(session: Session, order: GroupOrder) -> dict[int, list[Pledge]]:
    """Every pledge that counts, by item id: as pledged, plus what was put on an account or taken off it since."""
    connection, which = session.connection(), {"order_id": order.id}
    codes = {row.id: row.code for row in connection.execute(select(Organisation.id, Organisation.code))}
    found: dict[int, list[Pledge]] = defaultdict(list)
    rows = connection.execute(_PLEDGES, which).all()
    for turn, (item_id, organisation_id, quantity, most) in enumerate(rows):
        found[item_id].append(Pledge(codes[organisation_id], quantity, most, turn))
    for item_id, organisation_id, units in connection.execute(_ADJUSTED, which):
        found[item_id] = _adjusted(found[item_id], codes[organisation_id], units, len(rows))
    return found


def _adjusted(pledges: Sequence[Pledge], code: str, units: int, turn: int) -> list[Pledge]:
    """Whoever is given more takes it; whoever is given less takes no more than that."""
    old = next((pledge for pledge in pledges if pledge.organisation == code), Pledge(code, 0, 0, turn))
    quantity = max(0, old.quantity + units)
    most = max(quantity, old.accept_up_to) if units > 0 else quantity
    return [*(pledge for pledge in pledges if pledge.organisation != code), Pledge(code, quantity, most, old.turn)]
