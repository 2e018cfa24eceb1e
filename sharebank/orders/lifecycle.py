"""The steps of a group order: open, close, reopen, cancel; each an event, what it was a version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.permissions import may_order, require
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient, about, post, withdraw
from sharebank.orders.life_models import Adjustment, OrderEvent, OrderSending, OrderVersion, Payment
from sharebank.orders.models import GroupOrder, Pledge
from sharebank.orders.outgoing.calling_off import call_off
from sharebank.orders.pledging import change_stamp
from sharebank.orders.reading import reckon, supplier_terms
from sharebank.orders.rules.states import ClosesTooEarly, OrderLeaving, transition
from sharebank.orders.summary import money, summary


class NothingToOrder(Refused):
    """An order that opens has articles."""

    code = "no_articles"
    sentence = N_("Choose at least one article before the order opens.")


class PaymentsNoted(Refused):
    """Money that moved must not go out of sight."""

    status = 409
    code = "payments_noted"
    sentence = N_("Payments are noted for this order. Take them back first, on its accounts.")


class LetterLeaving(Refused):
    """The mail server has it at this very moment."""

    status = 409
    code = "letter_leaving"
    sentence = N_("The letter is leaving at this very moment: look again in a minute.")


def locked(session: Session, actor: Actor, code: str, *, leaving: bool = False) -> GroupOrder:
    """The order under its lock, for whoever runs it; raises NotFound, NotAllowed, or OrderLeaving unless `leaving`."""
    query = select(GroupOrder).where(GroupOrder.code == code).with_for_update()
    order = session.scalar(query.execution_options(populate_existing=True))
    if order is None or not may_order(actor, "see", order):
        raise NotFound
    require(may_order(actor, "run", order))
    if order.leaving and not leaving:
        raise OrderLeaving
    return order


def change(
    session: Session,
    actor: Actor,
    code: str,
    act: str,
    now: datetime,
    why: str = "",
    closes_at: datetime | None = None,
) -> GroupOrder:
    """Open, extend, close, reopen or cancel; raises NotFound, NotAllowed, WrongOrderState, PaymentsNoted and others."""
    order = locked(session, actor, code)
    target = transition(act, order.state, why)
    if act == "open" and not order.items:
        raise NothingToOrder
    if target == "open":
        earliest = max(now, order.opens_at)
        if act == "extend" and order.state == "open":
            earliest = max(earliest, order.closes_at)
        order.closes_at = closes_at or order.closes_at
        if order.closes_at <= earliest:
            raise ClosesTooEarly("closes_at")
    if target in ("open", "cancelled") and _paid(session, order):
        raise PaymentsNoted
    step(session, order, act, target, actor.user_id, now, why)
    return order


def _paid(session: Session, order: GroupOrder) -> bool:
    noted = select(Payment.id).where(Payment.order_id == order.id, Payment.undone_at.is_(None))
    return session.scalar(noted.limit(1)) is not None


def step(
    session: Session,
    order: GroupOrder,
    act: str,
    target: str,
    user_id: int | None,
    now: datetime,
    why: str = "",
    more: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Move an order on: the event, what it was until then when it goes back, the letters.

    `more`: what the letter to one organisation says besides, by its code.
    """
    if act == "reopen":
        keep(session, order, order.state, now)
        if target == "open":
            for item in order.items:
                item.ordered = item.ordered_price = item.received = item.invoiced_price = None
                item.damaged = 0
            order.invoice = None
    if act in ("reopen", "cancel"):
        _hold_back(session, order, now)
    if act == "open":
        order.terms = supplier_terms(order)
    order.state, order.pledge_version = target, change_stamp()
    order.events.append(OrderEvent(at=now, user_id=user_id, act=act, state=target, why=why.strip()))
    session.flush()
    tell(session, order, act, now, why.strip(), more)
    if act == "cancel":
        call_off(session, order, user_id, why.strip(), now)
    if act == "close" and user_id is None:
        _call_coordinator(session, order, now)


def _hold_back(session: Session, order: GroupOrder, now: datetime) -> None:
    """What was to be sent once more is not to leave any more; raises LetterLeaving when it can no longer be held."""
    key = f"order:{order.code}:send:"
    withdraw(session, key)
    if session.scalar(select(Letter.id).where(Letter.state == "sending", about(key)).limit(1)) is not None:
        raise LetterLeaving
    waiting = (OrderSending.order_id == order.id, OrderSending.state == "waiting")
    for one in session.scalars(select(OrderSending).where(*waiting)):
        # It may have left while nobody could act on it: then the supplier has it.
        left = session.scalar(select(Letter.id).where(Letter.state == "sent", about(f"{key}{one.id}:")).limit(1))
        one.state, one.done_at = "withdrawn" if left is None else "taken", now
    session.flush()


def keep(session: Session, order: GroupOrder, act: str, now: datetime) -> OrderVersion:
    """Keep the order as it stands, under the name of the step it had reached."""
    same = (OrderVersion.order_id == order.id, OrderVersion.act == act)
    number = (session.scalar(select(func.max(OrderVersion.number)).where(*same)) or 0) + 1
    version = OrderVersion(order_id=order.id, act=act, number=number, at=now, summary=summary(reckon(session, order)))
    session.add(version)
    session.flush()
    return version


# -- letters -----------------------------------------------------------------------------------------

# act -> template; who pledged reads of it.
_TOLD = {
    "close": "order_closed",
    "extend": "order_extended",
    "reopen": "order_extended",
    "cancel": "order_cancelled",
    "receive": "order_received",
    "settle": "order_settled",
}


def tell(
    session: Session,
    order: GroupOrder,
    act: str,
    now: datetime,
    why: str = "",
    more: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Write to those who take something what became of it."""
    template = _TOLD.get(act)
    if template is None or (act == "reopen" and order.state != "open"):
        return
    shares = {} if order.state in ("open", "cancelled") else reckon(session, order).bill.shares
    names = _names(session)
    for code, readers in people_of(session, pledgers(session, order)).items():
        share = {"share": money(shares[code])} if code in shares else {}
        facts = {**facts_of(order), "organisation": names[code], "why": why, **share, **more.get(code, {})}
        facts["pickup"] = "" if act == "cancel" else order.pickup
        post(session, f"order:{order.code}:{act}:{len(order.events)}:{code}", template, readers, facts, now)


def tell_of_correction(session: Session, order: GroupOrder, event: OrderEvent, codes: set[str], now: datetime) -> None:
    """Write to those whose part of an order was changed by hand: what, by whom, why."""
    articles = {item.sku: item for item in order.items}
    item = articles.get(event.about.get("sku", ""))
    if item is None:
        return
    other = articles.get(event.about.get("by", ""))
    said = {"article": item.name, "other": other.name if other else "", "units": event.about.get("units", 0)}
    bodies = {role.organisation: role for role in directory.organisations(session)}
    concerned = {bodies[code].organisation_id for code in codes}
    if "organisation" not in event.about:  # of an article that comes or goes everybody reads who asked for it
        wanted = select(Pledge.organisation_id).where(Pledge.item_id == item.id, Pledge.accept_up_to > 0)
        concerned |= set(session.scalars(wanted))
    by = event.user.name if event.user else ""
    for code, readers in people_of(session, concerned).items():
        facts = {**facts_of(order), **said, "organisation": bodies[code].name, "act": event.act, "by": by}
        facts["why"] = event.why
        post(session, f"order:{order.code}:correction:{event.id}:{code}", "order_changed", readers, facts, now)


def _call_coordinator(session: Session, order: GroupOrder, now: datetime) -> None:
    """The clock closed it: whoever runs it looks at what is not full."""
    stands = reckon(session, order)
    missing = {"short": sum(1 for one in stands.fillings.values() if one.lost), "reached": stands.minimum_reached}
    facts = {**facts_of(order), **missing, "share": money(stands.bill.invoice)}
    reader = directory.reader(order.coordinator)
    post(session, f"order:{order.code}:check:{len(order.events)}", "order_to_check", [reader], facts, now)


def _names(session: Session) -> dict[str, str]:
    return {role.organisation: role.name for role in directory.organisations(session)}


def facts_of(order: GroupOrder) -> dict[str, Any]:
    """What letters say of an order, as plain JSON values."""
    return {
        "code": order.code,
        "title": order.title,
        "supplier": order.supplier.name,
        "house": order.house.name,
        "closes_at": order.closes_at.isoformat(),
        "pickup": order.pickup,
    }


def pledgers(session: Session, order: GroupOrder) -> set[int]:
    """The organisations that pledged something, were it only to fill a pack, or got something put on their account."""
    wanted = select(Pledge.organisation_id).where(Pledge.order_id == order.id, Pledge.accept_up_to > 0)
    put = select(Adjustment.organisation_id).where(Adjustment.order_id == order.id)
    put = put.group_by(Adjustment.item_id, Adjustment.organisation_id).having(func.sum(Adjustment.units) > 0)
    return set(session.scalars(wanted.union(put)))


def people_of(session: Session, organisation_ids: set[int]) -> dict[str, list[Recipient]]:
    """Whom to write to in each organisation, by its code: its managers, or everyone where nobody is."""
    query = (
        select(Organisation.code, Membership.role, User)
        .join_from(Membership, Organisation, Organisation.id == Membership.organisation_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.organisation_id.in_(organisation_ids))
        .order_by(Organisation.code, User.id)
    )
    everyone: dict[str, list[tuple[str, User]]] = {}
    for code, role, user in session.execute(query):
        everyone.setdefault(code, []).append((role, user))
    found = {}
    for code, people in everyone.items():
        managers = [user for role, user in people if role in ("manager", "admin")]
        found[code] = [directory.reader(user) for user in managers or [user for _, user in people]]
    return found
