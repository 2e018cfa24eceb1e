"""Group orders for programs: make them, pledge, read how they stand, move them on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_order
from sharebank.api import idempotency
from sharebank.api.answers import Fields, dumps, instant
from sharebank.api.calls import answer, call, do, me
from sharebank.api.order_answers import order_out, short_out, whole_out
from sharebank.api.order_shapes import BODIES, ORDERS_QUERY, STEPS
from sharebank.api.values import read_body, read_cursor, read_query, refuse, write_cursor
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_
from sharebank.core.values import parse_decimal
from sharebank.orders import lifecycle, pledging, reading
from sharebank.orders.desk import making
from sharebank.orders.incoming import receiving
from sharebank.orders.incoming.receiving import Count
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import dispatch, sending
from sharebank.orders.settlement import settling
from sharebank.orders.summary import summary

TWICE = N_("This article has a line already: one line an article.")
BAD_PRICE = N_("Write a price such as 0.874.")


@call("GET", "/orders")
def orders() -> Response:
    """Those the reader may see, the last to close first."""
    query, session, actor = read_query(request.args, ORDERS_QUERY), db.session(), me()
    place = read_cursor(query.get("cursor"), str, str)
    found = [
        order
        for order in reading.visible_orders(session, actor)
        if order.state == query.get("state", order.state) and order.campaign == query.get("campaign", order.campaign)
    ]
    found.sort(key=_shelf, reverse=True)
    if place is not None:
        found = [order for order in found if _shelf(order) < place]
    page = found[: query["limit"]]
    following = write_cursor(*_shelf(page[-1])) if len(found) > len(page) else None
    return answer(dumps({"items": [order_out(order) for order in page], "next": following}))


def _shelf(order: GroupOrder) -> tuple[str, str]:
    return instant(order.closes_at), order.code


@call("POST", "/orders")
def make_order() -> Response:
    """Make one, as a draft."""
    body, actor, now = read_body(request, BODIES["NewOrder"]), me(), clock.now()
    said: Fields = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
    draft = making.Draft(house=said.pop("delivery_house"), **said)

    def make(session: Session) -> Any:
        made = making.make_order(session, actor, draft, now)
        session.flush()
        session.expire(made)
        return whole_out(session, actor, made)

    return do(make, body, now, 201)


@call("GET", "/orders/<order_code>")
def order(order_code: str) -> Response:
    """One, with its articles."""
    read_query(request.args, {})
    session, actor = db.session(), me()
    return answer(dumps(whole_out(session, actor, reading.order_of_code(session, actor, order_code))))


@call("GET", "/orders/<order_code>/summary")
def order_summary(order_code: str) -> Response:
    """How it stands, to the cent."""
    read_query(request.args, {})
    session, actor = db.session(), me()
    found = reading.order_of_code(session, actor, order_code)
    said = summary(reading.standing(session, found))
    if not may_order(actor, "see_all", found):
        own = {role.organisation for role in actor.roles}
        said["shares"] = _only(said["shares"], own)
        for item in said["items"]:
            item["allocations"] = _only(item["allocations"], own)
    return answer(dumps(said))


def _only(found: Mapping[str, Any], codes: Collection[str]) -> Fields:
    return {code: value for code, value in found.items() if code in codes}


@call("PUT", "/orders/<order_code>/pledges/<sku>")
def pledge(order_code: str, sku: str) -> Response:
    """What an organisation takes of an article."""
    body, actor, now = read_body(request, BODIES["NewPledge"]), me(), clock.now()
    organisation, quantity = body["organisation"], body["quantity"]
    most = body.get("accept_up_to", quantity)

    def act(session: Session) -> Any:
        pledging.pledge(session, actor, order_code, organisation, {sku: (quantity, most)}, now)
        said = {"organisation": organisation, "sku": sku, "quantity": quantity, "accept_up_to": most}
        return {"order": order_code, **said}

    return do(act, body, now, 200)


# -- its steps ---------------------------------------------------------------------------------------

Step = Callable[[Session, Actor, str, Fields, datetime], Any]


def _change(act: str) -> Step:
    def step(session: Session, actor: Actor, code: str, body: Fields, now: datetime) -> None:
        lifecycle.change(session, actor, code, act, now, body.get("why", ""), body.get("closes_at"))

    return step


def _send(session: Session, actor: Actor, code: str, body: Fields, now: datetime) -> None:
    sending.send(session, actor, code, now, body.get("how"), body.get("to", ""), body.get("words", ""))


def _receive(session: Session, actor: Actor, code: str, body: Fields, now: datetime) -> None:
    receiving.receive(session, actor, code, _counts(body.get("items")), now, body.get("note", ""))


def _settle(session: Session, actor: Actor, code: str, body: Fields, now: datetime) -> None:  # noqa: ARG001  # one shape for all
    settling.settle(session, actor, code, now)


_STEPS: Mapping[str, Step] = {
    **{act: _change(act) for act in STEPS},
    "send": _send,
    "receive": _receive,
    "settle": _settle,
}


@call("POST", f"/orders/<order_code>/<any({', '.join(STEPS)}):act>")
def step(order_code: str, act: str) -> Response:
    """Move it on, or back."""
    body, actor, now = read_body(request, BODIES[STEPS[act]]), me(), clock.now()
    done: list[Fields] = []

    def move(session: Session) -> Any:
        _STEPS[act](session, actor, order_code, body, now)
        done.append(short_out(session, actor, order_code))
        return done[0]

    said = do(move, body, now, 200)
    if act != "send" or not done or done[0]["state"] == "sent":
        return said
    return _delivered(said, actor, order_code, now)


def _delivered(said: Response, actor: Actor, code: str, now: datetime) -> Response:
    """Try the letter while the program waits; what is answered then is also what its key answers from now on."""
    dispatch.at_once(code, now)
    key = request.headers.get("Idempotency-Key")
    with transaction() as session:
        body = dumps(short_out(session, actor, code))
        if key is not None:
            idempotency.keep(session, actor, key, body)
    return answer(body, said.status_code)


def _counts(items: list[Fields] | None) -> dict[str, Count] | None:
    if items is None:
        return None
    counts: dict[str, Count] = {}
    for number, one in enumerate(items):
        if one["sku"] in counts:
            refuse(f"items[{number}].sku", TWICE)
        price = _price(one["unit_price"], f"items[{number}].unit_price") if "unit_price" in one else None
        counts[one["sku"]] = Count(one["received"], one.get("damaged", 0), price)
    return counts


def _price(text: str, field: str) -> Decimal:
    try:
        return parse_decimal(text)
    except ValueError:
        refuse(field, BAD_PRICE)
