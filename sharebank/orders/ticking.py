"""What the clock does to group orders: closes them at their minute, reminds those who have not pledged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.notifications.service import post
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.lifecycle import facts_of, people_of, pledgers, step
from sharebank.orders.models import GroupOrder
from sharebank.orders.pledging import joins
from sharebank.orders.rules.states import reminder_due


def look_after_orders(session: Session, now: datetime) -> dict[str, int]:
    """Close what is due, each once, and remind those who have not pledged; late after an outage."""
    counts = {"orders_closed": 0, "order_reminders": 0}
    due = (GroupOrder.state == "open", GroupOrder.closes_at <= now)
    # By a conditional update, row by row: of several processes one closes it, and pledges under way are waited for.
    for order_id in session.scalars(select(GroupOrder.id).where(*due).order_by(GroupOrder.id)).all():
        claim = update(GroupOrder).where(GroupOrder.id == order_id, *due).values(state="closed")
        claim = claim.execution_options(synchronize_session=False)
        if session.connection().execute(claim).rowcount == 1:
            order = session.get_one(GroupOrder, order_id, populate_existing=True)
            step(session, order, "close", "closed", None, now)
            counts["orders_closed"] += 1
    # Locked one after the other, and by every process in the same order.
    begun = select(GroupOrder).where(GroupOrder.state == "open", GroupOrder.opens_at <= now).order_by(GroupOrder.id)
    for order in session.scalars(begun):
        days = reminder_due(order.closes_at, now)
        if days is not None and not _reminded(session, order, days):
            counts["order_reminders"] += _remind(session, order, days, now)
    return counts


def _stage(order: GroupOrder, days: int) -> dict[str, Any]:
    """Which reminder it is: a new closing time reminds anew."""
    return {"closes_at": order.closes_at.isoformat(), "days": days}


def _reminded(session: Session, order: GroupOrder, days: int) -> bool:
    """Was this reminder written? Asked each minute: without a look at who pledged, and without writing."""
    said = select(OrderEvent.about).where(OrderEvent.order_id == order.id, OrderEvent.act == "remind")
    return _stage(order, days) in session.scalars(said).all()


def _remind(session: Session, order: GroupOrder, days: int, now: datetime) -> int:
    """Letters to organisations that may join and have not pledged; how many."""
    # Under its lock: of two processes one finds that the other was faster.
    session.refresh(order, with_for_update=True)
    if order.state != "open" or reminder_due(order.closes_at, now) != days or _reminded(session, order, days):
        return 0
    bodies = {role.organisation_id: role for role in directory.organisations(session) if joins(order, role)}
    missing = set(bodies) - pledgers(session, order)
    key = f"order:{order.code}:remind:{order.closes_at.isoformat()}:{days}"
    written = 0
    names = {role.organisation: role.name for role in bodies.values()}
    for code, readers in people_of(session, missing).items():
        facts = {**facts_of(order), "organisation": names[code], "days": days}
        written += post(session, f"{key}:{code}", "order_reminder", readers, facts, now)
    order.events.append(OrderEvent(at=now, act="remind", state=order.state, about=_stage(order, days)))
    session.flush()
    return written
