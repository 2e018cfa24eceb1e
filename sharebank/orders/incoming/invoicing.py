"""The supplier's invoice: entered, compared line by line, what is his to say taken over with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.errors import N_, Refused, Word
from sharebank.core.money import cents
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.lifecycle import locked
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.pledging import change_stamp
from sharebank.orders.reading import reckon, terms_of
from sharebank.orders.rules import invoices
from sharebank.orders.rules.invoices import Difference, Invoice, from_json, open_ones, to_json
from sharebank.orders.rules.shares import Line
from sharebank.orders.rules.states import WORDS, WrongOrderState

MOST_CENTS = 100_000_000
"""A million euros: more is a slip of the keyboard."""


class TakeoverReasonMissing(Refused):
    """Those who bear it may read why."""

    code = "reason_missing"
    sentence = N_("Say why the supplier’s amount is taken over: “rounded by line”, for instance.")


class BadInvoice(Refused):
    """Amounts are from 0, lines are of the order."""

    code = "bad_invoice"
    sentence = N_("An amount of this invoice cannot be right: “%(value)s”.")


class NobodyBears(Refused):
    """Nothing came and nobody pledged: there is nobody to share with."""

    status = 409
    code = "nobody_bears"
    sentence = N_("Nobody has a part in this order: its invoice cannot be shared.")


def of(order: GroupOrder) -> Invoice | None:
    """The invoice as it was entered, if it was."""
    return from_json(order.invoice) if order.invoice else None


def expected(order: GroupOrder) -> list[Line]:
    """What the supplier may ask for: what came in good order, at the price ordered or noted when it came."""
    return [line_of_item(item) for item in billed(order)]


def billed(order: GroupOrder) -> list[OrderItem]:
    """The articles that were ordered, came, or are billed all the same, as the invoice may list them."""
    asked = order.invoice["lines"] if order.invoice else {}
    listed = (item for item in order.items if not item.dropped and (item.ordered or item.received or item.sku in asked))
    return sorted(listed, key=lambda item: (item.category, item.name, item.sku))


def fee_cents(order: GroupOrder) -> int:
    """What he may ask for bringing that."""
    lines = expected(order)
    goods, units = sum(line.goods_cents for line in lines), sum(line.units for line in lines)
    return terms_of(order).delivery.cents(goods, units)


def delivery_vat(order: GroupOrder) -> Decimal:
    """The rate delivery is taxed at."""
    return terms_of(order).delivery.vat


def rates(order: GroupOrder) -> list[Decimal]:
    """Every rate this invoice may bear, lowest first."""
    return sorted({line.vat for line in expected(order)} | {delivery_vat(order)})


def line_of_item(item: OrderItem) -> Line:
    """What the supplier may ask for one article."""
    units = (item.received if item.received is not None else item.ordered) or 0
    price = item.invoiced_price if item.invoiced_price is not None else item.ordered_price
    price = item.price if price is None else price
    return Line(item.sku, units, price, cents(units * price), item.vat, {})


def differences(order: GroupOrder, invoice: Invoice | None = None) -> tuple[Difference, ...]:
    """Every difference between the invoice entered, or this one, and what we reckon; none without an invoice."""
    invoice = invoice or of(order)
    return invoices.differences(expected(order), terms_of(order).delivery, invoice) if invoice else ()


def reconciled(order: GroupOrder) -> bool:
    """May it be settled? Without an invoice, the order as it came is the invoice."""
    return not open_ones(differences(order))


def keep_taken(order: GroupOrder, before: Iterable[Difference]) -> None:
    """After a reception that was counted anew: what was taken over stands where the difference is what it was."""
    if order.invoice is None:
        return
    same = set(before) & set(differences(order))
    order.invoice = {**order.invoice, "taken": sorted(one.key for one in same if one.taken)}


def enter(session: Session, actor: Actor, code: str, invoice: Invoice, now: datetime) -> GroupOrder:
    """Keep an invoice, reconciled or not; of the differences named in `taken` the supplier's amounts stand.

    The shares then add up to what the invoice says of them. Raises NotFound, NotAllowed, WrongOrderState, BadInvoice,
    TakeoverReasonMissing or NobodyBears.
    """
    order = _received(session, actor, code)
    _check(order, invoice)
    takeable = {one.key for one in differences(order, invoice) if one.takeable}
    invoice = replace(invoice, taken=invoice.taken & takeable)
    if invoice.taken and not invoice.why.strip():
        raise TakeoverReasonMissing("why")
    _keep(session, order, actor, invoice, now, "invoice", invoice.why if invoice.taken else "")
    return order


def remove(session: Session, actor: Actor, code: str, now: datetime) -> GroupOrder:
    """Forget the invoice: the order as it came stands for it. Raises NotFound, NotAllowed or WrongOrderState."""
    order = _received(session, actor, code)
    if order.invoice is not None:
        _keep(session, order, actor, None, now, "no_invoice", "")
    return order


def _received(session: Session, actor: Actor, code: str) -> GroupOrder:
    order = locked(session, actor, code)
    if order.state != "received":
        raise WrongOrderState(state=Word(WORDS[order.state]))
    return order


def _check(order: GroupOrder, invoice: Invoice) -> None:
    known = {item.sku for item in order.items if not item.dropped}
    strange = next((sku for sku in invoice.lines if sku not in known), None)
    if strange is not None:
        raise BadInvoice(value=strange)
    amounts = [
        invoice.delivery_cents,
        invoice.total_cents,
        *invoice.vat.values(),
        *(line.amount_cents for line in invoice.lines.values()),
    ]
    wrong = next((amount for amount in amounts if not 0 <= amount <= MOST_CENTS), None)
    if wrong is not None:
        raise BadInvoice(value=wrong)


def _keep(
    session: Session, order: GroupOrder, actor: Actor, invoice: Invoice | None, now: datetime, act: str, why: str
) -> None:
    order.invoice = to_json(invoice) if invoice else None
    order.pledge_version = change_stamp()
    order.events.append(OrderEvent(at=now, user_id=actor.user_id, act=act, state=order.state, why=why.strip()))
    session.flush()
    try:
        reckon(session, order)
    except ValueError as nobody:
        raise NobodyBears from nobody
