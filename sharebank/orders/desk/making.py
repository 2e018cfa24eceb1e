"""Making a group order: a supplier's price list, the articles chosen from it, frozen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, require
from sharebank.core.errors import N_, Refused
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.rules.states import ClosesTooEarly
from sharebank.orders.supply.supplier_models import SOLD, PriceItem, PriceList, Supplier


class UnknownSupplier(Refused):
    """No such supplier, or none of its prices are known."""

    code = "unknown_supplier"
    sentence = N_("There is no supplier “%(value)s” with a price list.")


class UnknownHouse(Refused):
    """An order is delivered to a house."""

    code = "unknown_house"
    sentence = N_("There is no house with the code “%(value)s”.")


class UnknownListed(Refused):
    """Not an article of the price list."""

    code = "unknown_sku"
    sentence = N_("“%(value)s” is not in the supplier’s price list.")


class BadOrderCode(Refused):
    """A code is part of an address, and some words are addresses already."""

    code = "bad_code"
    sentence = N_("“%(value)s” cannot be the code: letters without accents, digits and hyphens, such as rentree-2027.")


class OrderCodeTaken(Refused):
    """Two orders cannot bear the same code."""

    status = 409
    code = "code_taken"
    sentence = N_("There is a group order with the code “%(value)s” already.")


RESERVED = frozenset({"new", "suppliers", "savings", "balances"})
"""Words that are addresses below `/orders`."""
LONGEST = 60
_CODE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is asked for when an order is made; codes, and instants in UTC."""

    code: str
    title: str
    supplier: str
    house: str
    closes_at: datetime
    sharing: str = "pro_rata"
    skus: Sequence[str] | None = None
    """None: all of the price list."""
    first: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    opens_at: datetime | None = None
    pickup: str = ""
    notes: str = ""
    campaign: str = ""


class UnknownParty(Refused):
    """Who may join, and who is served first, are structures there are."""

    code = "unknown_organisation"
    sentence = N_("There is no structure “%(value)s”.")


KINDS_JOINING = ("house", "association", "partner")


def check_parties(session: Session, first: Sequence[str], joins: Sequence[str]) -> None:
    """Are all of these known? Raises UnknownParty."""
    if not first and not joins:
        return
    bodies = directory.organisations(session)
    codes = {body.organisation for body in bodies}
    near = {f"house:{body.organisation}" for body in bodies if body.kind == "house"}
    for field, named, known in (("first", first, codes), ("joins", joins, codes | near | set(KINDS_JOINING))):
        if unknown := sorted(set(named) - known):
            raise UnknownParty(field, value=unknown[0])


def delivery_house(session: Session, actor: Actor, code: str, field: str) -> int:
    """The id of a house the actor may have orders delivered to; raises UnknownHouse or NotAllowed."""
    house = directory.organisation(session, code)
    if house is None or house.kind != "house":
        raise UnknownHouse(field, value=code)
    require(may_house(actor, "run_orders", house.organisation_id))
    return house.organisation_id


def latest_list(session: Session, supplier_id: int) -> PriceList | None:
    """The newest prices of a supplier."""
    query = select(PriceList).where(PriceList.supplier_id == supplier_id).order_by(PriceList.version.desc())
    return session.scalar(query.limit(1))


def campaign_of(code: str, supplier: str) -> str:
    """What an order belongs to when nobody says: its code without the supplier’s, so that several go together."""
    tail = f"-{supplier}".lower()
    return code[: -len(tail)] if code.lower().endswith(tail) and len(code) > len(tail) else code


def make_order(session: Session, actor: Actor, draft: Draft, now: datetime) -> GroupOrder:
    """Make an order as a draft; raises NotAllowed, or what is wrong with the draft."""
    house_id = delivery_house(session, actor, draft.house, "delivery_house")
    known = source(session, draft.supplier)
    if known is None:
        raise UnknownSupplier("supplier", value=draft.supplier)
    supplier, prices = known
    if not _CODE.fullmatch(draft.code) or draft.code.lower() in RESERVED:
        raise BadOrderCode("code", value=draft.code)
    if session.scalar(select(GroupOrder.id).where(GroupOrder.code == draft.code)) is not None:
        raise OrderCodeTaken("code", value=draft.code)
    if draft.closes_at <= max(now, draft.opens_at or now):
        raise ClosesTooEarly("closes_at")
    check_parties(session, draft.first, draft.joins)
    chosen = _chosen(session, prices, draft.skus)
    order = GroupOrder(
        code=draft.code,
        campaign=draft.campaign or campaign_of(draft.code, draft.supplier),
        title=draft.title,
        supplier_id=supplier.id,
        price_list_id=prices.id,
        house_id=house_id,
        coordinator_id=actor.user_id,
        sharing=draft.sharing,
        first=list(draft.first),
        joins=list(draft.joins),
        opens_at=draft.opens_at or now,
        closes_at=draft.closes_at,
        pickup=draft.pickup,
        notes=draft.notes,
        created_at=now,
    )
    order.events.append(OrderEvent(at=now, user_id=actor.user_id, act="make", state="draft"))
    session.add(order)
    try:
        session.flush()
    except IntegrityError as clash:  # two make it at once
        raise OrderCodeTaken("code", value=draft.code) from clash
    copy_items(session, order.id, chosen)
    return order


def _chosen(session: Session, prices: PriceList, skus: Sequence[str] | None) -> list[PriceItem]:
    query = select(PriceItem).where(PriceItem.price_list_id == prices.id).order_by(PriceItem.id)
    items = list(session.scalars(query))
    if skus is None:
        return items
    wanted = set(skus)
    unknown = next(iter(wanted - {item.sku for item in items}), None)
    if unknown is not None:
        raise UnknownListed("skus", value=unknown)
    return [item for item in items if item.sku in wanted]


def copy_items(session: Session, order_id: int, chosen: Sequence[PriceItem]) -> None:
    """Frozen: what the supplier changes later is for the next order."""
    rows = [{"order_id": order_id, **{name: getattr(item, name) for name in SOLD}} for item in chosen]
    if rows:
        session.execute(insert(OrderItem), rows)


def source(session: Session, supplier: str) -> tuple[Supplier, PriceList] | None:
    """A supplier with its newest prices, when there are any."""
    found = session.scalar(select(Supplier).where(Supplier.code == supplier))
    prices = latest_list(session, found.id) if found else None
    return (found, prices) if found and prices else None
