"""What the API says of group orders; prices are decimals as text, sums are cents."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_order
from sharebank.api.answers import Fields, instant
from sharebank.orders import reading
from sharebank.orders.life_models import OrderSending
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.outgoing import sending


def order_out(order: GroupOrder) -> Fields:
    """Its terms and where it stands."""
    terms = reading.terms_of(order)
    return {
        "code": order.code,
        "campaign": order.campaign,
        "title": order.title,
        "supplier": order.supplier.code,
        "delivery_house": order.house.code,
        "coordinator": order.coordinator.name,
        "state": order.state,
        "sharing": order.sharing,
        "first": order.first,
        "joins": order.joins,
        "opens_at": instant(order.opens_at),
        "closes_at": instant(order.closes_at),
        "pickup": order.pickup,
        "notes": order.notes,
        "version": order.version,
        "minimum_cents": terms.minimum.cents,
        "minimum_gross": terms.minimum.gross,
        "delivery": {
            "fee_cents": terms.delivery.fee_cents,
            "free_from_cents": terms.delivery.free_from_cents,
            "vat_rate": format(terms.delivery.vat, "f"),
        },
    }


def short_out(session: Session, actor: Actor, code: str) -> Fields:
    """Without its articles and pledges; to those who run it also how it went to the supplier."""
    order = reading.order_of_code(session, actor, code)
    events = [
        {
            "at": instant(event.at),
            "by": event.user and event.user.name,
            "act": event.act,
            "to": event.state,
            "why": event.why,
        }
        for event in order.events
    ]
    tries = sending.sendings(session, order) if may_order(actor, "run", order) else []
    sent = {"sending": _sending_out(tries[0])} if tries else {}
    return {**order_out(order), "events": events, **sent}


def _sending_out(last: OrderSending) -> Fields:
    return {
        "version": last.paper.version,
        "how": last.how,
        "to": last.address,
        "state": last.state,
        "at": instant(last.at),
        "error": last.error,
    }


def whole_out(session: Session, actor: Actor, order: GroupOrder) -> Fields:
    """With its articles, and the pledges the reader may see."""
    sees = None if may_order(actor, "see_all", order) else actor.organisation_ids
    pledges = [
        {
            "organisation": one.organisation,
            "sku": one.sku,
            "quantity": one.quantity,
            "accept_up_to": one.accept_up_to,
            "at": instant(one.at),
        }
        for one in reading.pledged(session, order, sees)
    ]
    items = [_item_out(item) for item in order.items]
    return {**short_out(session, actor, order.code), "items": items, "pledges": pledges}


def _item_out(item: OrderItem) -> Fields:
    return {
        "sku": item.sku,
        "name": item.name,
        "unit": item.unit,
        "pack": item.pack,
        "unit_price": format(item.price, "f"),
        "vat_rate": format(item.vat, "f"),
        "min_order_packs": item.least_packs,
        "price_breaks": [{"units": units, "unit_price": price} for units, price in item.breaks],
        "labels": item.labels,
        "category": item.category,
        "fallback_sku": item.fallback_sku,
        "dropped": item.dropped,
        "ordered": item.ordered,
        "received": item.received,
        "damaged": item.damaged,
    }
