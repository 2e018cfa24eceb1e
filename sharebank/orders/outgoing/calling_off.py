"""A cancelled order that its supplier has: who is written to, and whom somebody must call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Ended, Recipient, about, post
from sharebank.orders.life_models import OrderEvent, OrderPaper, OrderSending
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing.papers import contact_of, house_of


@dataclass(frozen=True, slots=True)
class Known:
    """What a supplier has of an order: up to which version, at which addresses; or by word of mouth."""

    version: int
    addresses: Sequence[str]
    by_hand: bool
    """Its last version was ordered by hand: a letter would go to nobody who knows of it."""


def known(session: Session, order: GroupOrder) -> Known | None:
    """What the supplier has, also where the order was reopened since; None: nothing ever reached them."""
    query = (
        select(OrderPaper.version, OrderSending.how, OrderSending.address)
        .join(OrderPaper, OrderPaper.id == OrderSending.paper_id)
        .where(OrderSending.order_id == order.id, OrderSending.state == "taken")
        .order_by(OrderSending.id.desc())
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    addresses = {row.address for row in rows if row.how == "email"}
    latest = max(row.version for row in rows)
    return Known(latest, sorted(addresses), any(row.how == "hand" and row.version == latest for row in rows))


def call_off(session: Session, order: GroupOrder, user_id: int | None, why: str, now: datetime) -> None:
    """Tell a supplier who has the order that it no longer holds; who cancels reads whether somebody must call."""
    found = known(session, order)
    if found is None or not found.addresses:
        return
    about = {"version": found.version}
    event = OrderEvent(at=now, user_id=user_id, act="call_off", state=order.state, about=about)
    order.events.append(event)
    session.flush()
    facts = {
        "order": order.code,
        "title": order.title,
        **about,
        "event": event.id,
        "why": why,
        "house": house_of(order),
        "contact": contact_of(order),
        "answers_to": order.coordinator.email,
    }
    # A supplier reads French, and has no account here.
    readers = [Recipient(address, order.supplier.name, "fr") for address in found.addresses]
    post(session, _key(order), "order_called_off", readers, facts, now)


def _key(order: GroupOrder) -> str:
    return f"order:{order.code}:call_off"


def letters(session: Session, order: GroupOrder) -> list[Letter]:
    """The letters that call it off, while the outbox keeps them."""
    mine = (Letter.template == "order_called_off", about(f"{_key(order)}:"))
    return list(session.scalars(select(Letter).where(*mine).order_by(Letter.to_address)))


def of_cancelled(session: Session, order: GroupOrder) -> dict[str, Any]:
    """For the pages of an order: once it is cancelled, what its supplier has of it and the letters that call it off."""
    if order.state != "cancelled":
        return {"known": None, "called_off": []}
    return {"known": known(session, order), "called_off": letters(session, order)}


def letter_ended(session: Session, facts: Mapping[str, Any], ended: Ended) -> None:
    """Given up, the supplier still counts on the order: whoever cancelled it must call."""
    if ended.taken:
        return
    order = session.scalar(select(GroupOrder).where(GroupOrder.code == facts["order"]))
    event = session.get(OrderEvent, facts["event"])
    if order is None or event is None:
        return
    failed = OrderEvent(at=ended.at, act="not_called_off", state=order.state, about=event.about)
    order.events.append(failed)
    session.flush()
    about = {
        "code": order.code,
        "title": order.title,
        "version": facts["version"],
        "supplier": order.supplier.name,
        "phone": order.supplier.phone,
        "error": ended.error[:300],
    }
    reader = directory.reader(event.user or order.coordinator)
    post(session, f"order:{order.code}:not_called_off:{failed.id}", "order_not_called_off", [reader], about, ended.at)
