"""Pledges for group orders in files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.core.errors import N_, Refused
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Row, Write
from sharebank.exchange.refusals import OutOfBounds, UnknownStructure
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


_PLEDGE = (
    Column("campaign", cells.code(60)),
    Column("organisation", cells.code()),
    Column("sku", cells.code(40)),
    Column("quantity", cells.QUANTITY),
    Column("accept_up_to", cells.whole(0, pledging.MOST)),
)


def _check_pledges(desk: Desk, rows: Sequence[Row]) -> Write:
    session = desk.session
    bodies = {body.organisation: body for body in directory.organisations(session)}
    orders: dict[str, list[GroupOrder]] = defaultdict(list)
    for order in session.scalars(select(GroupOrder).order_by(GroupOrder.id)):
        for name in {order.campaign, order.code}:
            orders[name].append(order)
    own = OrderItem.__table__.c
    items = {(row.order_id, row.sku): row.id for row in session.execute(select(own.order_id, own.sku, own.id))}
    taken = {
        (row.item_id, row.organisation_id) for row in session.execute(select(Pledge.item_id, Pledge.organisation_id))
    }
    found: list[tuple[Row, GroupOrder, int, int]] = []
    for row in rows:
        if row["quantity"] > pledging.MOST:
            desk.refuse(row, "quantity", OutOfBounds(value=str(row["quantity"]), low=1, high=pledging.MOST))
        if row["accept_up_to"] < row["quantity"]:
            desk.refuse(row, "accept_up_to", AcceptsLess(value=row["accept_up_to"], quantity=row["quantity"]))
        body = bodies.get(row["organisation"])
        if body is None:
            desk.refuse(row, "organisation", UnknownStructure(value=row["organisation"]))
        named = orders.get(row["campaign"], [])
        target = next((one for one in named if (one.id, row["sku"]) in items), None)
        if not named:
            desk.refuse(row, "campaign", UnknownCampaign(value=row["campaign"]))
        elif target is None:
            desk.refuse(row, "sku", NotInOrder(value=row["sku"], order=row["campaign"]))
        elif target.state != "open" or not target.opens_at <= desk.now < target.closes_at:
            desk.refuse(row, "campaign", NotOpen(value=row["campaign"]))
        elif body is not None:
            item_id = items[target.id, row["sku"]]
            if (item_id, body.organisation_id) in taken:
                desk.refuse(row, "organisation", PledgedAlready(value=row["organisation"]))
            elif not pledging.joins(target, body):
                desk.refuse(row, "organisation", pledging.MayNotJoin(value=row["organisation"]))
            found.append((row, target, item_id, body.organisation_id))

    def write() -> None:
        for order_id in sorted({order.id for _row, order, _item, _body in found}):
            pledging.claim_open(session, order_id, desk.now)
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


def _fetch_pledges(session: Session, _tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    codes = {body.organisation_id: body.organisation for body in directory.organisations(session)}
    query = (
        select(GroupOrder.campaign, Pledge.organisation_id, OrderItem.sku, Pledge.quantity, Pledge.accept_up_to)
        .join_from(Pledge, GroupOrder, GroupOrder.id == Pledge.order_id)
        .join(OrderItem, OrderItem.id == Pledge.item_id)
        .order_by(Pledge.id)
    )
    for row in session.execute(query):
        yield {**row._mapping, "organisation": codes[row.organisation_id]}


PLEDGES = Kind(_PLEDGE, ("campaign", "organisation", "sku"), _check_pledges, _fetch_pledges)
