"""Settling an order: its shares become what everyone owes; who owes whom, and the houses over all their orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_order, require
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.orders.incoming.invoicing import reconciled
from sharebank.orders.life_models import OrderVersion, Payment
from sharebank.orders.lifecycle import keep, locked, step
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import Standing, order_of_code, reckon, standing, terms_of
from sharebank.orders.rules.accounts import SUPPLIER, Accounts, Moved, alone_share, reckon_accounts, together
from sharebank.orders.rules.shares import Bill, Share
from sharebank.orders.rules.states import transition
from sharebank.orders.rules.transfers import Transfer
from sharebank.orders.rules.transfers import settle as fewest
from sharebank.orders.summary import money

SHARED = ("sent", "received", "settled")
"""The states in which an order has shares: until it came, those of what was ordered."""


class NotReconciled(Refused):
    """What is shared out must be what the supplier asks for, to the cent."""

    status = 409
    code = "not_reconciled"
    sentence = N_("The supplier’s invoice and the shares differ: clear the differences under Invoice first.")


class NothingToShare(Refused):
    """Something is to be paid, and nobody took anything."""

    status = 409
    code = "nothing_to_share"
    sentence = N_("There is something to pay, but nobody to share it with.")


@dataclass(frozen=True, slots=True)
class Books:
    """The accounts of an order as far as the actor may see them."""

    order: GroupOrder
    standing: Standing
    accounts: Accounts
    payments: Sequence[Payment]
    """Also those taken back; oldest first."""
    bodies: Mapping[str, Role]
    whole: bool
    """May the actor see everyone's?"""
    mine: Sequence[str]
    """Codes of the actor's own organisations that bear a share."""
    runs: bool

    @property
    def final(self) -> bool:
        """Are the shares those that are paid?"""
        return self.order.state == "settled"

    @property
    def last_change(self) -> datetime:
        """When something last happened to it."""
        moments = [event.at for event in self.order.events]
        moments += [at for one in self.payments for at in (one.at, one.undone_at) if at is not None]
        return max(moments)


def books(session: Session, actor: Actor, code: str, *, whole: bool = False) -> Books:
    """An order's accounts; raises NotFound where there are none yet, NotAllowed when `whole` is not the actor's."""
    order = order_of_code(session, actor, code)
    if order.state not in SHARED:
        raise NotFound
    sees = may_order(actor, "see_all", order)
    require(sees or not whole)
    found, bodies = standing(session, order), bodies_of(session)
    payments = payments_of(session, order)
    own, accounts = {role.organisation for role in actor.roles}, accounts_of(session, order, found, bodies, payments)
    # Who paid a part and has none left is owed it back: a part of nothing, in every list.
    shares = dict.fromkeys(accounts.owed, Share()) | dict(found.bill.shares)
    found = replace(found, bill=replace(found.bill, shares=dict(sorted(shares.items()))))
    return Books(
        order,
        found,
        accounts,
        payments,
        bodies,
        sees,
        sorted(own & set(found.bill.shares)),
        may_order(actor, "run", order),
    )


def bodies_of(session: Session) -> dict[str, Role]:
    """Every organisation, by code."""
    return {body.organisation: body for body in directory.organisations(session)}


def payments_of(session: Session, order: GroupOrder | None) -> list[Payment]:
    """Payments noted for an order, or between houses for all of them; also those taken back."""
    query = select(Payment).where(Payment.order_id == (order.id if order else None)).order_by(Payment.id)
    who = (
        joinedload(Payment.payer),
        joinedload(Payment.payee),
        joinedload(Payment.user),
        joinedload(Payment.undone_by),
    )
    return list(session.scalars(query.options(*who)))


def moved(payments: Sequence[Payment]) -> list[Moved]:
    """The payments that count."""
    return [
        Moved(one.payer.code, one.payee.code if one.payee else SUPPLIER, one.cents)
        for one in payments
        if one.undone_at is None
    ]


def accounts_of(
    session: Session, order: GroupOrder, found: Standing, bodies: Mapping[str, Role], payments: Sequence[Payment]
) -> Accounts:
    """Who owes whom; whose house is whose stays as it was when the order was settled."""
    homes = homes_of(order, bodies)
    if order.state == "settled":
        kept = session.scalar(_latest_settled(OrderVersion.summary["homes"]).where(GroupOrder.id == order.id))
        homes |= kept or {}
    shares = {code: share.total_cents for code, share in found.bill.shares.items()}
    return reckon_accounts(found.bill.invoice.total_cents, shares, homes, order.house.code, moved(payments))


def homes_of(order: GroupOrder, bodies: Mapping[str, Role]) -> dict[str, str]:
    """Whom each settles with: a house with itself, others with theirs or, without one, with the delivery house."""
    return {code: code if body.kind == "house" else body.house or order.house.code for code, body in bodies.items()}


# -- settling ----------------------------------------------------------------------------------------


def settle(session: Session, actor: Actor, code: str, now: datetime) -> GroupOrder:
    """Make the shares final; raises NotFound, NotAllowed, WrongOrderState, NotReconciled or NothingToShare.

    Kept with it: the shares, whom each settles with, and what each would have paid alone. An order without an invoice
    is settled as it was received.
    """
    order = locked(session, actor, code)
    target = transition("settle", order.state)
    try:
        found = reckon(session, order)
    except ValueError as nobody:
        raise NothingToShare from nobody
    if not reconciled(order) or not adds_up(order, found):
        raise NotReconciled
    step(session, order, "settle", target, actor.user_id, now)
    version = keep(session, order, target, now)
    own = {"homes": _homes(session, order, found), "alone": _alone(order, found)}
    version.summary = {**version.summary, **own}
    session.flush()
    return order


def adds_up(order: GroupOrder, found: Standing) -> bool:
    """Are the four sums of the invoice that was entered those of the shares?"""
    asked, ours = order.invoice or {}, money(found.bill.invoice)
    return all(asked.get(name, cents) == cents for name, cents in ours.items())


def _homes(session: Session, order: GroupOrder, found: Standing) -> dict[str, str]:
    """Whom everyone settles with who bears a part, or paid one before there was none left for them."""
    homes, paid = homes_of(order, bodies_of(session)), moved(payments_of(session, order))
    parties = {*found.bill.shares, *(party for one in paid for party in one[:2] if party != SUPPLIER)}
    return {one: homes[one] for one in sorted(parties)}


def _alone(order: GroupOrder, found: Standing) -> dict[str, Any]:
    """What each would have paid alone for what it took, and whether the supplier would have taken such an order."""
    terms, taken = terms_of(order), dict[str, list[Any]]()
    for sku, line in found.lines.items():
        for code, units in line.allocations.items():
            if units:
                taken.setdefault(code, []).append((found.articles[sku], units))
    alone = {code: alone_share(lines, terms.delivery) for code, lines in taken.items()}
    return {
        code: {**money(share), "taken": Bill((), share, {}).reaches(terms.minimum)}
        for code, share in sorted(alone.items())
    }


# -- over all orders ---------------------------------------------------------------------------------


def _latest_settled(*columns: Any) -> Any:
    """Columns of each settled order and of what was kept when it was last settled."""
    last = select(func.max(OrderVersion.id)).where(
        OrderVersion.order_id == GroupOrder.id, OrderVersion.act == "settled"
    )
    join = OrderVersion.id == last.correlate(GroupOrder).scalar_subquery()
    return select(*columns).select_from(GroupOrder).join(OrderVersion, join).where(GroupOrder.state == "settled")


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled order as it was kept, without its articles."""

    order: GroupOrder
    shares: Mapping[str, Mapping[str, int]]
    homes: Mapping[str, str]
    alone: Mapping[str, Mapping[str, Any]]
    total_cents: int


def settled_orders(session: Session) -> list[Settled]:
    """Every settled order, the one that closed last first."""
    kept = [OrderVersion.summary[name] for name in ("shares", "homes", "alone", "invoice")]
    query = _latest_settled(GroupOrder, *kept).order_by(GroupOrder.closes_at.desc(), GroupOrder.code)
    rows = session.execute(query.options(joinedload(GroupOrder.supplier), joinedload(GroupOrder.house)))
    return [
        Settled(order, shares, homes or {}, alone or {}, invoice["total_cents"])
        for order, shares, homes, alone, invoice in rows
    ]


@dataclass(frozen=True, slots=True)
class Balances:
    """How the houses stand with each other over all settled orders."""

    houses: Sequence[directory.House]
    orders: Sequence[tuple[GroupOrder, Mapping[str, int]]]
    payments: Sequence[Payment]
    """From house to house, also those taken back."""
    totals: Mapping[str, int]
    transfers: Sequence[Transfer]
    bodies: Mapping[str, Role]


def balances(session: Session, actor: Actor) -> Balances:
    """How the houses stand; raises NotFound for whom it does not concern."""
    if not actor.staff_ids and not actor.admin:
        raise NotFound
    found = settled_orders(session)
    by_order: dict[int, list[Payment]] = {}
    who = (joinedload(Payment.payer), joinedload(Payment.payee))
    for one in session.scalars(select(Payment).where(Payment.order_id.is_not(None)).options(*who)):
        by_order.setdefault(one.order_id or 0, []).append(one)
    bodies = bodies_of(session)
    each = [
        reckon_accounts(
            kept.total_cents,
            {code: share["total_cents"] for code, share in kept.shares.items()},
            {**homes_of(kept.order, bodies), **kept.homes},
            kept.order.house.code,
            moved(by_order.get(kept.order.id, [])),
        ).balances
        for kept in found
    ]
    payments = payments_of(session, None)
    totals = together(each, moved(payments))
    rows = list(zip([kept.order for kept in found], each, strict=True))
    return Balances(directory.houses(session), rows, payments, totals, fewest(totals), bodies)
