"""Pledging: the database decides whether the order is still open; nothing is lost and nothing comes after the close."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_body, may_order
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.orders.models import GroupOrder, OrderItem, Pledge, PledgeChange

MOST = 1_000_000
"""Units of one article: more is a slip of the keyboard."""


NOTHING = (0, 0)
"""No pledge, as two numbers."""


class OrderClosed(Refused):
    """Nothing is pledged, changed or taken back once the order closed."""

    status = 409
    code = "order_closed"
    sentence = N_("This group order is not open: nothing can be pledged or taken back any more.")


class UnknownArticle(Refused):
    """Not an article of this order."""

    code = "unknown_sku"
    sentence = N_("There is no article “%(value)s” in this group order.")


class MayNotJoin(Refused):
    """The order is for others, or the actor does not act for that structure."""

    code = "may_not_join"
    sentence = N_("“%(value)s” cannot join this group order, or you may not pledge for it.")


class BadPledge(Refused):
    """A whole number from 0; what one accepts is at least what one asks for."""

    code = "bad_pledge"
    sentence = N_("Write how many you want, and at least as many under “I accept up to”.")


class PledgedMeanwhile(Refused):
    """Two people of one structure change the same article; `there` holds what the other one stored, by article."""

    status = 409
    code = "pledged_meanwhile"
    sentence = N_(
        "Someone else pledged for your structure while you were typing. Nothing was stored, and nothing you typed is"
        " lost: compare the articles marked below, then store yours once more if it is to replace theirs."
    )


def change_stamp() -> int:
    """What `pledge_version` becomes with a change: never the same twice, whoever changes what where."""
    return secrets.randbits(62) | 1


def claim_open(session: Session, order_id: int, now: datetime) -> None:
    """Take the order's row until the transaction ends, if it is open still; raises OrderClosed.

    First of all: whoever closes it at the same moment waits for us, or we find it closed.
    """
    taken = (
        update(GroupOrder)
        .where(
            GroupOrder.id == order_id,
            GroupOrder.state == "open",
            GroupOrder.opens_at <= now,
            GroupOrder.closes_at > now,
        )
        .values(pledge_version=change_stamp())
        .returning(GroupOrder.id)
        .execution_options(synchronize_session=False)
    )
    if session.connection().execute(taken).first() is None:
        raise OrderClosed


def pledge(
    session: Session,
    actor: Actor,
    code: str,
    organisation: str,
    wanted: Mapping[str, tuple[int, int]],
    now: datetime,
    seen: Mapping[str, tuple[int, int]] | None = None,
) -> int:
    """Pledge, change or take back (0) what an organisation takes of some articles; how many changed.

    `wanted`: (quantity, accept_up_to) by article number, `seen`: those the page showed. All or nothing; raises
    NotFound, OrderClosed, UnknownArticle, MayNotJoin, BadPledge, and PledgedMeanwhile where a colleague changed since
    what was seen.
    """
    order = session.scalar(select(GroupOrder).where(GroupOrder.code == code))
    if order is None or not may_order(actor, "see", order):
        raise NotFound
    body = joining(session, actor, order, organisation)
    return pledge_many(session, order, body, actor.user_id, wanted, now, seen)


def joining(session: Session, actor: Actor, order: GroupOrder, organisation: str) -> Role:
    """The organisation that pledges; raises MayNotJoin."""
    own = next((role for role in actor.roles if role.organisation == organisation), None)
    body = own or directory.organisation(session, organisation)
    if body is None or not joins(order, body) or not may_body(actor, "borrow_for", body):
        raise MayNotJoin("organisation", value=organisation)
    return body


def joins(order: GroupOrder, body: Role) -> bool:
    """Is the order for this organisation?"""
    return not order.joins or bool({body.kind, f"house:{body.house}", body.organisation} & set(order.joins))


def pledge_many(
    session: Session,
    order: GroupOrder,
    body: Role,
    user_id: int,
    wanted: Mapping[str, tuple[int, int]],
    now: datetime,
    seen: Mapping[str, tuple[int, int]] | None = None,
) -> int:
    """Set several articles of one organisation at once, in one go; how many changed. Raises as `pledge`.

    Where `seen` is given, nothing is stored unless each stands as it was seen, or as it is wanted.
    """
    for quantity, most in wanted.values():
        if not 0 <= quantity <= most <= MOST:
            raise BadPledge("quantity")
    claim_open(session, order.id, now)
    connection = session.connection()
    items = {
        row.sku: row.id
        for row in connection.execute(
            select(OrderItem.id, OrderItem.sku).where(
                OrderItem.order_id == order.id, OrderItem.sku.in_(list(wanted)), OrderItem.dropped.is_(False)
            )
        )
    }
    unknown = next((sku for sku in wanted if sku not in items), None)
    if unknown is not None:
        raise UnknownArticle("sku", value=unknown)
    mine = (Pledge.order_id == order.id, Pledge.organisation_id == body.organisation_id)
    known = {
        row.item_id: (row.quantity, row.accept_up_to)
        for row in connection.execute(select(Pledge.item_id, Pledge.quantity, Pledge.accept_up_to).where(*mine))
    }
    there = {sku: known.get(items[sku], NOTHING) for sku in wanted}
    if seen is not None:
        others = {
            sku: pledged for sku, pledged in there.items() if pledged not in (seen.get(sku, NOTHING), wanted[sku])
        }
        if others:
            raise PledgedMeanwhile(there=others)
    changed = 0
    for sku, after in wanted.items():
        item_id = items[sku]
        before = known.get(item_id)
        if after == there[sku]:
            continue
        changed += 1
        own = (*mine, Pledge.item_id == item_id)
        subject = {"order_id": order.id, "item_id": item_id, "organisation_id": body.organisation_id}
        values = {"quantity": after[0], "accept_up_to": after[1]}
        if after == NOTHING:
            connection.execute(delete(Pledge).where(*own))
        elif before is None:
            connection.execute(insert(Pledge).values(**subject, **values, at=now))
        else:
            connection.execute(update(Pledge).where(*own).values(**values))
        said = {"before": list(before or ()), "after": list(after)}
        connection.execute(insert(PledgeChange).values(**subject, **said, user_id=user_id, at=now, why=""))
    return changed
