"""The order on its way to the supplier: what is sent is frozen, and “sent” only once the mail server took it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.core.errors import N_, Refused, Word
from sharebank.notifications import service as letters
from sharebank.notifications.models import Letter
from sharebank.notifications.rules import is_address
from sharebank.notifications.service import Ended, Recipient, post, withdraw
from sharebank.orders.life_models import OrderPaper, OrderSending
from sharebank.orders.lifecycle import LetterLeaving, facts_of, locked, step
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing.papers import frozen_paper, latest_paper
from sharebank.orders.pledging import change_stamp
from sharebank.orders.reading import Standing, reckon
from sharebank.orders.rules.states import WORDS, WrongOrderState, transition

WAYS = {"email": N_("By e-mail"), "hand": N_("By hand: I order myself, by telephone, on their site or on paper")}
MOST_WORDS = 1000


class NothingOrdered(Refused):
    """No article fills a pack."""

    status = 409
    code = "nothing_ordered"
    sentence = N_("There is nothing to order: no article reaches a whole pack.")


class BadSupplierAddress(Refused):
    """An e-mail needs one plain address."""

    code = "bad_address"
    sentence = N_("Write the supplier’s e-mail address, such as name@example.org, or send the order by hand.")


class NotLeaving(Refused):
    """The letter left, or came back, in the meantime."""

    status = 409
    code = "not_leaving"
    sentence = N_("This order no longer waits to leave: look at what became of it.")


# -- sending -----------------------------------------------------------------------------------------


def send(
    session: Session, actor: Actor, code: str, now: datetime, how: str | None = None, to: str = "", words: str = ""
) -> GroupOrder:
    """Send a closed order: by hand it is sent at once, by e-mail once the mail server took the letter.

    Without `how`: by e-mail where the supplier has an address. Until then the order is `leaving` and frozen. Raises
    NotFound, NotAllowed, OrderLeaving, WrongOrderState, NothingOrdered or BadSupplierAddress.
    """
    order = locked(session, actor, code)
    transition("send", order.state)
    how, address = _way(order, how, to)
    standing = reckon(session, order)
    if not standing.bill.invoice.goods_cents and not any(line.units for line in standing.lines.values()):
        raise NothingOrdered
    _freeze(order, standing)
    paper = frozen_paper(session, order, standing, now)
    order.version = paper.version
    _bring(session, order, paper, actor, now, how, address, words)
    order.leaving = how == "email"
    order.pledge_version = change_stamp()
    session.flush()
    if how == "hand":
        step(session, order, "send", "sent", actor.user_id, now)
    return order


def resend(
    session: Session, actor: Actor, code: str, now: datetime, how: str | None = None, to: str = "", words: str = ""
) -> GroupOrder:
    """Send once more what was sent, the same to the byte; the order stays as it is.

    Raises NotFound, NotAllowed, WrongOrderState, LetterLeaving or BadSupplierAddress.
    """
    order = locked(session, actor, code)
    if order.state != "sent":
        raise WrongOrderState(state=Word(WORDS[order.state]))
    how, address = _way(order, how, to)
    if waiting_try(session, order) is not None:
        raise LetterLeaving
    paper = latest_paper(session, order)
    assert paper is not None, "it was sent"
    _bring(session, order, paper, actor, now, how, address, words)
    session.flush()
    return order


def take_back(session: Session, actor: Actor, code: str, now: datetime) -> GroupOrder:
    """Take back the letter that has not left: the order is closed as before and may be changed.

    Raises NotFound, NotAllowed, NotLeaving or LetterLeaving.
    """
    order = locked(session, actor, code, leaving=True)
    waiting = waiting_try(session, order)
    if waiting is None:
        raise NotLeaving
    if not withdraw(session, letter_key(order.code, waiting.id)):
        raise LetterLeaving
    waiting.state, waiting.done_at = "withdrawn", now
    _thaw(order)
    session.flush()
    return order


def hurry(session: Session, actor: Actor, code: str, now: datetime) -> None:
    """Have the letter that waits tried at once. Raises NotFound, NotAllowed or NotLeaving."""
    order = locked(session, actor, code, leaving=True)
    waiting = waiting_try(session, order)
    if waiting is None:
        raise NotLeaving
    letter = letter_of(session, order, waiting)
    if letter is not None and letter.state in ("sent", "dead"):
        # It ended while nobody could act on it.
        letter_ended(session, letter.facts, Ended(letter.state == "sent", letter.error or "", now))
    else:
        letters.hurry(session, letter_key(order.code, waiting.id), now)


def _way(order: GroupOrder, how: str | None, to: str) -> tuple[str, str]:
    """How and to which address; raises BadSupplierAddress."""
    address = to.strip() or order.supplier.email
    how = how or ("email" if address else "hand")
    if how == "email" and not is_address(address):
        raise BadSupplierAddress("to")
    return how, address if how == "email" else ""


def _freeze(order: GroupOrder, standing: Standing) -> None:
    """What the supplier is asked for is what is delivered and invoiced against, whatever the pledges do."""
    for item in order.items:
        line = standing.lines.get(item.sku)
        if line is not None:
            item.ordered, item.ordered_price = line.units, line.price


def _thaw(order: GroupOrder) -> None:
    if order.leaving:
        order.leaving, order.pledge_version = False, change_stamp()
        for item in order.items:
            item.ordered = item.ordered_price = None


def _bring(
    session: Session,
    order: GroupOrder,
    paper: OrderPaper,
    actor: Actor,
    now: datetime,
    how: str,
    address: str,
    words: str,
) -> None:
    """Note the try, and post its letter."""
    again = any(one.state == "taken" and one.paper_id == paper.id for one in sendings(session, order))
    by_hand = how == "hand"
    one = OrderSending(
        order_id=order.id,
        paper_id=paper.id,
        user_id=actor.user_id,
        at=now,
        how=how,
        address=address,
        words=words.strip()[:MOST_WORDS],
        state="taken" if by_hand else "waiting",
        done_at=now if by_hand else None,
    )
    session.add(one)
    session.flush()
    if by_hand:
        return
    content = paper.content
    facts = {
        "order": order.code,
        "sending": one.id,
        "paper": paper.id,
        "title": order.title,
        "version": paper.version,
        "again": again,
        "words": [line.strip() for line in one.words.splitlines() if line.strip()],
        "articles": len(content["lines"]),
        "goods_cents": content["goods_cents"],
        "total_cents": content["total_cents"],
        "house": content["house"],
        "contact": content["contact"],
        "answers_to": content["contact"]["email"],
    }
    # A supplier reads French, and has no account here.
    reader = Recipient(address, order.supplier.name, "fr")
    post(session, letter_key(order.code, one.id), "order_to_supplier", [reader], facts, now)


def letter_key(code: str, sending_id: int) -> str:
    """What the key of its letter begins with."""
    return f"order:{code}:send:{sending_id}:"


# -- what became of it -------------------------------------------------------------------------------


def letter_ended(session: Session, facts: Mapping[str, Any], ended: Ended) -> None:
    """The mail server took the letter: the order is sent. It was given up: the order is closed as before."""
    query = select(GroupOrder).where(GroupOrder.code == facts["order"]).with_for_update()
    order = session.scalar(query.execution_options(populate_existing=True))
    one = session.get(OrderSending, facts["sending"], populate_existing=True)
    if order is None or one is None or one.state != "waiting":
        return
    one.state, one.done_at, one.error = "taken" if ended.taken else "dead", ended.at, ended.error
    if not ended.taken:
        _thaw(order)
        _tell_of_failure(session, order, one, ended.at)
    elif order.leaving:
        order.leaving = False
        step(session, order, "send", "sent", one.user_id, ended.at)
    session.flush()


def _tell_of_failure(session: Session, order: GroupOrder, one: OrderSending, now: datetime) -> None:
    """Hours may have gone by: who sent it, or who coordinates, does not look at the page any more."""
    about = {**facts_of(order), "address": one.address, "error": one.error[:300]}
    readers = [directory.reader(one.user or order.coordinator)]
    post(session, f"order:{order.code}:not_sent:{one.id}", "order_not_sent", readers, about, now)


# -- reading -----------------------------------------------------------------------------------------


def sendings(session: Session, order: GroupOrder) -> list[OrderSending]:
    """Every try to bring it to the supplier, the newest first."""
    query = select(OrderSending).where(OrderSending.order_id == order.id).order_by(OrderSending.id.desc())
    return list(session.scalars(query.options(joinedload(OrderSending.paper), joinedload(OrderSending.user))))


def waiting_try(session: Session, order: GroupOrder) -> OrderSending | None:
    """The try whose letter waits to leave; there is one at most."""
    waits = (OrderSending.order_id == order.id, OrderSending.state == "waiting")
    return session.scalar(select(OrderSending).where(*waits))


def letter_of(session: Session, order: GroupOrder, one: OrderSending) -> Letter | None:
    """The letter of a try, while the outbox keeps it."""
    key = letter_key(order.code, one.id)
    return session.scalar(select(Letter).where(Letter.template == "order_to_supplier", letters.about(key)))
