"""Pledges for group orders in files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.core.errors import N_, Refused
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Names, Row, Write
from sharebank.exchange.naming import STRUCTURES
from sharebank.exchange.refusals import NegativeQuantity, OutOfBounds, UnknownStructure, ZeroQuantity, short
from sharebank.orders import pledging
from sharebank.orders.models import GroupOrder, OrderItem, Pledge, PledgeChange


class UnknownCampaign(Refused):
    """No such group order."""

    code = "unknown_campaign"
    sentence = N_("There is no group order “%(value)s”.")


class NotInOrder(Refused):
    """Not an article of that order."""

    code = "unknown_sku"
    sentence = N_("There is no article “%(value)s” in the group order “%(order)s”.")


class NotOpen(Refused):
    """Pledges go to an order that is open."""

    code = "order_closed"
    sentence = N_("The group order “%(value)s” is not open.")


class PledgedAlready(Refused):
    """One pledge an organisation and article: it is changed on its page."""

    code = "pledged_already"
    sentence = N_("“%(value)s” has pledged for this article already.")


class AcceptsLess(Refused):
    """What one accepts is at least what one asks for."""

    code = "accepts_less"
    sentence = N_("Accepts %(value)s, which is less than the %(quantity)s asked for.")


def _read_firm(cell: str) -> int:
    """From 0: who accepts some to fill a pack need not ask for any."""
    number: int = cells.whole(-cells.MOST).read(cell)
    if number < 0:
        raise NegativeQuantity(value=short(cell))
    return number


_PLEDGE = (
    Column("campaign", cells.code(60)),
    Column("organisation", cells.code()),
    Column("sku", cells.code(40)),
    Column("quantity", cells.Cell(_read_firm)),
    Column("accept_up_to", cells.whole(0, pledging.MOST)),
)


def _check_pledges(desk: Desk, rows: Sequence[Row]) -> Write:
    session = desk.session
    bodies = {body.organisation_id: body for body in directory.organisations(session)}
    by_code = {body.organisation: body for body in bodies.values()}
    orders = _named(session, {row["campaign"] for row in rows}, desk.now)
    ids = {order.id for named in orders.values() for order in named}
    own = OrderItem.__table__.c
    listed = select(own.order_id, own.sku, own.id).where(own.order_id.in_(ids), own.dropped.is_(False))
    items = {(row.order_id, row.sku): row.id for row in session.execute(listed)}
    taken = _taken(session, ids)
    found: list[tuple[Row, GroupOrder, int, int]] = []
    for row in rows:
        if not row["accept_up_to"]:
            desk.refuse(row, "quantity", ZeroQuantity())
        if row["quantity"] > pledging.MOST:
            desk.refuse(row, "quantity", OutOfBounds(value=str(row["quantity"]), low=0, high=pledging.MOST))
        if row["accept_up_to"] < row["quantity"]:
            desk.refuse(row, "accept_up_to", AcceptsLess(value=row["accept_up_to"], quantity=row["quantity"]))
        body = by_code.get(row["organisation"])
        if body is None:
            desk.refuse(row, "organisation", UnknownStructure(value=row["organisation"]))
        named = orders.get(row["campaign"], [])
        target = next((one for one in named if (one.id, row["sku"]) in items), None)
        if not named:
            desk.refuse(row, "campaign", UnknownCampaign(value=row["campaign"]))
        elif target is None:
            desk.refuse(row, "sku", NotInOrder(value=row["sku"], order=row["campaign"]))
        elif not _is_open(target, desk.now):
            desk.refuse(row, "campaign", NotOpen(value=row["campaign"]))
        elif body is not None:
            item_id = items[target.id, row["sku"]]
            if (item_id, body.organisation_id) in taken:
                desk.refuse(row, "organisation", PledgedAlready(value=row["organisation"]))
            elif not pledging.joins(target, body):
                desk.refuse(row, "organisation", pledging.MayNotJoin(value=row["organisation"]))
            found.append((row, target, item_id, body.organisation_id))

    def write() -> None:
        ours = sorted({order.id for _row, order, _item, _body in found})
        for order_id in ours:
            pledging.claim_open(session, order_id, desk.now)
        # Before the orders were ours, others may have pledged.
        if late := _taken(session, ours) & {(item_id, body_id) for _row, _order, item_id, body_id in found}:
            raise PledgedAlready(value=min(bodies[body_id].organisation for _item_id, body_id in late))
        pledges, changes = [], []
        for row, order, item_id, body_id in found:
            subject = {"order_id": order.id, "item_id": item_id, "organisation_id": body_id, "at": desk.now}
            amounts = [row["quantity"], row["accept_up_to"]]
            pledges.append(subject | dict(zip(("quantity", "accept_up_to"), amounts, strict=True)))
            by_id = desk.actor.user_id if desk.actor else None
            changes.append(subject | {"user_id": by_id, "before": [], "after": amounts, "why": ""})
        if pledges:
            session.connection().execute(insert(Pledge.__table__), pledges)  # type: ignore[arg-type]
            session.connection().execute(insert(PledgeChange.__table__), changes)  # type: ignore[arg-type]

    return write


def _named(session: Session, names: Collection[str], now: datetime) -> dict[str, list[GroupOrder]]:
    """The orders each name may mean: first the one whose code it is, then those of the campaign, open ones first."""
    orders: dict[str, list[GroupOrder]] = defaultdict(list)
    for order in session.scalars(select(GroupOrder).order_by(GroupOrder.id)):
        for name in {order.campaign, order.code} & set(names):
            orders[name].append(order)
    for name, named in orders.items():
        named.sort(key=lambda order: (order.code != name, not _is_open(order, now)))
    return orders


def _is_open(order: GroupOrder, now: datetime) -> bool:
    return order.state == "open" and order.opens_at <= now < order.closes_at


def _taken(session: Session, order_ids: Collection[int]) -> set[tuple[int, int]]:
    """What is pledged already in these orders: article and organisation."""
    query = select(Pledge.item_id, Pledge.organisation_id).where(Pledge.order_id.in_(order_ids))
    return {(row.item_id, row.organisation_id) for row in session.execute(query)}


def _fetch_pledges(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    codes = {body.organisation_id: body.organisation for body in directory.organisations(session)}
    sold = select(GroupOrder.campaign, OrderItem.sku).join(OrderItem).group_by(GroupOrder.campaign, OrderItem.sku)
    twice = {(row.campaign, row.sku) for row in session.execute(sold.having(func.count() > 1))}
    query = (
        select(
            *(GroupOrder.campaign, GroupOrder.code, Pledge.organisation_id),
            *(OrderItem.sku, Pledge.quantity, Pledge.accept_up_to),
        )
        .join_from(Pledge, GroupOrder, GroupOrder.id == Pledge.order_id)
        .join(OrderItem, OrderItem.id == Pledge.item_id)
        .order_by(Pledge.id)
    )
    for row in session.execute(query):
        # Where two orders of a campaign have the article, only its code says which one is meant.
        name = row.code if (row.campaign, row.sku) in twice else row.campaign
        yield {**row._mapping, "campaign": name, "organisation": codes[row.organisation_id]}


def _campaigns(desk: Desk, rows: Sequence[Row]) -> Collection[str]:
    return _named(desk.session, {row.get("campaign") for row in rows}, desk.now)


PLEDGES = Kind(
    _PLEDGE,
    ("campaign", "organisation", "sku"),
    _check_pledges,
    _fetch_pledges,
    {"campaign": Names(_campaigns, UnknownCampaign), "organisation": STRUCTURES},
)
