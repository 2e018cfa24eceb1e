"""What who runs an order changes by hand once pledging is over: each with its reason, taken back by another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.models import Organisation
from sharebank.core.errors import ChangedMeanwhile, NotFound, Word
from sharebank.orders.desk.closing import what_if
from sharebank.orders.desk.making import copy_items
from sharebank.orders.life_models import Adjustment, OrderEvent
from sharebank.orders.lifecycle import locked, tell_of_correction
from sharebank.orders.models import GroupOrder, OrderItem, PledgeChange
from sharebank.orders.pledging import MOST, MayNotJoin, UnknownArticle, change_stamp, joins
from sharebank.orders.reading import Standing, pledges_of, terms_of
from sharebank.orders.rules.corrections import ACTS, UNDOABLE, NoFallback, NothingToMove, NotSoMany, TakenBack
from sharebank.orders.rules.packs import Pledge, Sharing
from sharebank.orders.rules.states import WORDS, OrderReasonMissing, WrongOrderState
from sharebank.orders.supply.supplier_models import PriceItem

Move = tuple[int, int, int]
"""Units put on an account: item id, organisation id, units; negative when they are taken off."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a correction would do: units put on accounts, articles left out."""

    moves: Sequence[Move] = ()
    without: Collection[str] = ()
    about: dict[str, Any] = field(default_factory=dict)


# -- what each would do, and doing it ----------------------------------------------------------------


def put(session: Session, order: GroupOrder, act: str, sku: str, organisation: str, units: int | None) -> Trial:
    """Top up on an account (`more`) or take off it; raises UnknownArticle, MayNotJoin, NothingToMove or NotSoMany."""
    item, body = _item(order, sku), _body(session, order, organisation)
    if units is None or not 1 <= units <= MOST:
        raise NothingToMove("units", most=MOST)
    if act == "less":
        known = pledges_of(session, order).get(item.id, ())
        has = next((pledge.quantity for pledge in known if pledge.organisation == organisation), 0)
        if units > has:
            raise NotSoMany("units", value=organisation, n=has)
    signed = units if act == "more" else -units
    return Trial(
        [(item.id, body.organisation_id, signed)], (), {"sku": sku, "organisation": organisation, "units": units}
    )


def drop(order: GroupOrder, sku: str) -> Trial:
    """Leave an article out, for everybody; raises UnknownArticle."""
    _item(order, sku)
    return Trial((), (sku,), {"sku": sku})


def replace(session: Session, order: GroupOrder, sku: str) -> Trial:
    """Leave it out, and give everybody as many of its fallback; raises UnknownArticle or NoFallback.

    The fallback may be an article of the price list that the order was made without: there is nothing to add it to yet.
    """
    item = _item(order, sku)
    instead = item.fallback_sku
    other = next((one for one in order.items if one.sku == instead), None)
    if other is None and instead and _listed(session, order, instead):
        return Trial((), (sku,), {"sku": sku, "by": instead})
    if other is None or other.dropped:
        raise NoFallback("sku")
    ids = {row.code: row.id for row in session.execute(select(Organisation.code, Organisation.id))}
    moves = [
        (other.id, ids[pledge.organisation], pledge.quantity)
        for pledge in pledges_of(session, order).get(item.id, ())
        if pledge.quantity
    ]
    return Trial(moves, (sku,), {"sku": sku, "by": other.sku})


def correct(
    session: Session,
    actor: Actor,
    code: str,
    act: str,
    now: datetime,
    why: str,
    *,
    seen: int | None = None,
    **what: Any,
) -> OrderEvent:
    """Do one of these (`put`, `drop`, `replace`) and keep why; `seen`: the `pledge_version` it was decided on.

    Raises NotFound, NotAllowed, WrongOrderState, OrderReasonMissing, ChangedMeanwhile, or what the act refuses.
    """
    order = _begin(session, actor, code, act, why, seen)
    if act == "replace":
        _add_fallback(session, order, what["sku"])
    trial = try_out(session, order, act, **what)
    for item in order.items:
        item.dropped = item.dropped or item.sku in trial.without
    return _keep(session, actor, order, act, trial.about, trial.moves, why, now)


def try_out(session: Session, order: GroupOrder, act: str, **what: Any) -> Trial:
    """What a correction would do; raises what it refuses."""
    if act == "drop":
        return drop(order, what["sku"])
    if act == "replace":
        return replace(session, order, what["sku"])
    return put(session, order, act, what["sku"], what["organisation"], what["units"])


def after(session: Session, order: GroupOrder, stands: Standing, trial: Trial) -> Standing:
    """How the order would stand with a correction."""
    skus = {item.id: item.sku for item in order.items}
    found = pledges_of(session, order, more=trial.moves)
    pledges = {skus[item]: found.get(item, []) for item, _body_id, _units in trial.moves}
    rule: Sharing = order.sharing  # type: ignore[assignment]
    return what_if(stands, terms_of(order), rule, order.first, order.house.code, pledges=pledges, without=trial.without)


def share(
    session: Session,
    actor: Actor,
    code: str,
    sharing: str,
    first: Sequence[str],
    now: datetime,
    why: str,
    seen: int | None = None,
) -> OrderEvent:
    """Share shortages by another rule from now on; raises as `correct`."""
    order = _begin(session, actor, code, "share", why, seen)
    about = {"from": order.sharing, "to": sharing, "first": list(first)}
    order.sharing, order.first = sharing, list(first)
    return _keep(session, actor, order, "share", about, (), why, now)


def take_back(session: Session, actor: Actor, code: str, event_id: int, now: datetime, why: str) -> OrderEvent:
    """Undo a correction by another one; raises as `correct`, or TakenBack."""
    order = _begin(session, actor, code, "take_back", why)
    event = next((one for one in order.events if one.id == event_id), None)
    if event is None:
        raise NotFound
    if event.act not in UNDOABLE or event.id in _undone(order):
        raise TakenBack
    moved = select(Adjustment).where(Adjustment.event_id == event.id).order_by(Adjustment.id)
    moves = [(one.item_id, one.organisation_id, -one.units) for one in session.scalars(moved)]
    if event.act in ("drop", "replace"):
        for item in order.items:
            item.dropped = item.dropped and item.sku != event.about["sku"]
    return _keep(session, actor, order, "take_back", {**event.about, "undoes": event.id}, moves, why, now)


# -- the parts of them -----------------------------------------------------------------------------


def _begin(session: Session, actor: Actor, code: str, act: str, why: str, seen: int | None = None) -> GroupOrder:
    order = locked(session, actor, code)
    if order.state not in ACTS[act]:
        raise WrongOrderState(state=Word(WORDS[order.state]))
    if not why.strip():
        raise OrderReasonMissing("why")
    # While it is open others pledge all the time; afterwards a form sent twice, or one about what no longer is, shows.
    if seen is not None and order.state == "closed" and seen != order.pledge_version:
        raise ChangedMeanwhile
    return order


def _item(order: GroupOrder, sku: str) -> OrderItem:
    item = next((one for one in order.items if one.sku == sku and not one.dropped), None)
    if item is None:
        raise UnknownArticle("sku", value=sku)
    return item


def _body(session: Session, order: GroupOrder, organisation: str) -> Role:
    body = directory.organisation(session, organisation)
    # Surplus lands at the delivery house, whoever else the order is for.
    if body is None or not (joins(order, body) or body.organisation_id == order.house_id):
        raise MayNotJoin("organisation", value=organisation)
    return body


def _add_fallback(session: Session, order: GroupOrder, sku: str) -> None:
    """Take the article to take instead into the order, where the order was made without it."""
    instead = _item(order, sku).fallback_sku
    if not instead or any(one.sku == instead for one in order.items):
        return
    copy_items(session, order.id, _listed(session, order, instead))
    session.expire(order, ["items"])


def _listed(session: Session, order: GroupOrder, sku: str) -> Sequence[PriceItem]:
    same = (PriceItem.price_list_id == order.price_list_id, PriceItem.sku == sku)
    return session.scalars(select(PriceItem).where(*same)).all()


def _keep(
    session: Session,
    actor: Actor,
    order: GroupOrder,
    act: str,
    about: dict[str, Any],
    moves: Sequence[Move],
    why: str,
    now: datetime,
) -> OrderEvent:
    """The correction, its units, and what became of each pledge; in the history as any change is."""
    event = OrderEvent(at=now, user_id=actor.user_id, act=act, state=order.state, why=why.strip(), about=about)
    order.events.append(event)
    order.pledge_version = change_stamp()
    session.flush()
    before = pledges_of(session, order)
    session.add_all(
        Adjustment(order_id=order.id, item_id=item, organisation_id=body, units=units, event_id=event.id)
        for item, body, units in moves
    )
    session.flush()
    after = pledges_of(session, order)
    codes = {row.id: row.code for row in session.execute(select(Organisation.id, Organisation.code))}
    for item, body, _units in moves:
        session.add(
            PledgeChange(
                order_id=order.id,
                item_id=item,
                organisation_id=body,
                user_id=actor.user_id,
                at=now,
                before=_amounts(before.get(item, ()), codes[body]),
                after=_amounts(after.get(item, ()), codes[body]),
                why=event.why,
            )
        )
    session.flush()
    tell_of_correction(session, order, event, {codes[body] for _item_id, body, _units in moves}, now)
    return event


def _amounts(pledges: Sequence[Pledge], organisation: str) -> list[int]:
    return next(([one.quantity, one.accept_up_to] for one in pledges if one.organisation == organisation), [])


def _undone(order: GroupOrder) -> set[int]:
    return {event.about["undoes"] for event in order.events if event.act == "take_back"}


# -- as they are listed ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Correction:
    """One of them, with who and when; `undone` once another took it back."""

    event: OrderEvent
    undone: bool
    can_go_back: bool


def kept(session: Session, order: GroupOrder) -> list[Correction]:
    """All corrections of an order, the newest first."""
    query = (
        select(OrderEvent)
        .where(OrderEvent.order_id == order.id, OrderEvent.act.in_(tuple(ACTS)))
        .order_by(OrderEvent.id.desc())
    )
    events = list(session.scalars(query))
    undone = {event.about["undoes"] for event in events if event.act == "take_back"}
    able = order.state in ACTS["take_back"] and not order.leaving
    return [
        Correction(
            event,
            event.id in undone,
            able and event.id not in undone and event.act in UNDOABLE,
        )
        for event in events
    ]
