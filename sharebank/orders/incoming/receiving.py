"""What came of an order: counted in one go or in several, finished, corrected; shortages are shared by its rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.core.errors import N_, ChangedMeanwhile, NotFound, Refused, Word
from sharebank.orders.incoming import invoicing
from sharebank.orders.life_models import OrderArrival
from sharebank.orders.lifecycle import locked, step
from sharebank.orders.models import GroupOrder, OrderItem
from sharebank.orders.pledging import MOST
from sharebank.orders.reading import Standing, standing
from sharebank.orders.rules.packs import allocate
from sharebank.orders.rules.states import WORDS, WrongOrderState, transition

MOST_PRICE, FINEST = 100_000, 4
"""Of a unit, in euros; decimals."""


class NotOfThisOrder(Refused):
    """What is counted is an article of the order."""

    code = "unknown_sku"
    sentence = N_("There is no article “%(value)s” in this group order.")


class BadCount(Refused):
    """Units are whole numbers from 0, a price is 0 or more, to the hundredth of a cent."""

    code = "bad_count"
    sentence = N_("Write whole numbers between 0 and %(most)s, and a price such as 0.874.")


class NothingCounted(Refused):
    """A part of a delivery holds something."""

    code = "nothing_counted"
    sentence = N_("You counted nothing: write how many units came, or leave the page as it is.")


@dataclass(frozen=True, slots=True)
class Count:
    """What came of one article: units in good order, damaged ones; the net unit price where it changed."""

    received: int
    damaged: int = 0
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One article of a delivery: what was ordered, what came so far."""

    item: OrderItem
    came: Count

    @property
    def ordered(self) -> int:
        """Units the supplier was asked for."""
        return self.item.ordered or 0

    @property
    def expected(self) -> int:
        """Units still to come; damaged ones came too, and are the supplier's to replace or not."""
        return max(0, self.ordered - self.came.received - self.came.damaged)

    @property
    def short(self) -> int:
        """Units missing from what can be handed out."""
        return max(0, self.ordered - self.came.received)

    @property
    def above(self) -> int:
        """Units that nobody ordered."""
        return max(0, self.came.received - self.ordered)

    @property
    def dearer(self) -> Decimal | None:
        """The new price, where it is another."""
        return self.came.price if self.came.price not in (None, self.item.ordered_price) else None

    @property
    def as_ordered(self) -> bool:
        """Did all of it come, nothing else, and at its price?"""
        return self.came.received == self.ordered and not self.came.damaged and self.dearer is None


# -- reading -----------------------------------------------------------------------------------------


def arrivals(session: Session, order: GroupOrder) -> list[OrderArrival]:
    """What came of this version of the order, part by part."""
    mine = (OrderArrival.order_id == order.id, OrderArrival.version == order.version)
    query = select(OrderArrival).where(*mine).order_by(OrderArrival.id)
    return list(session.scalars(query.options(joinedload(OrderArrival.user))))


def counts_of(arrival: OrderArrival) -> dict[str, Count]:
    """The counts of one part."""
    return {sku: Count(n, bad, Decimal(price) if price else None) for sku, (n, bad, price) in arrival.counts.items()}


def rows(order: GroupOrder, parts: Iterable[OrderArrival]) -> list[Row]:
    """Every article that was ordered or came, as the delivery note may list them."""
    came = _together(parts)
    listed = [item for item in order.items if not item.dropped and (item.ordered or item.sku in came)]
    found = [Row(item, came.get(item.sku, Count(0))) for item in listed]
    return sorted(found, key=lambda row: (row.item.category, row.item.name, row.item.sku))


def others(order: GroupOrder, known: Iterable[Row]) -> list[OrderItem]:
    """Articles of the order that were not ordered: one of them may come all the same."""
    there = {row.item.sku for row in known}
    return [item for item in order.items if not item.dropped and item.sku not in there]


def _together(parts: Iterable[OrderArrival]) -> dict[str, Count]:
    """All parts in one; the last price said is the one that holds."""
    whole: dict[str, Count] = defaultdict(lambda: Count(0))
    for part in parts:
        for sku, one in counts_of(part).items():
            old = whole[sku]
            price = old.price if one.price is None else one.price
            whole[sku] = Count(old.received + one.received, old.damaged + one.damaged, price)
    return dict(whole)


@dataclass(frozen=True, slots=True)
class Change:
    """An article that did not come as ordered, and whose part changes: organisation, units before, units now."""

    row: Row
    parts: Sequence[tuple[str, int, int]]


def changes(session: Session, order: GroupOrder, found: Iterable[Row]) -> list[Change]:
    """What is not as ordered, and who gets how many of it when all that came is handed out by the order's rule."""
    now = standing(session, order)
    return [Change(row, _moved(now, order, row)) for row in found if not row.as_ordered]


def _moved(now: Standing, order: GroupOrder, row: Row) -> list[tuple[str, int, int]]:
    before, after = (_shared(now, order, row.item.sku, units) for units in (row.ordered, row.came.received))
    bodies = sorted({*before, *after})
    moved = ((body, before.get(body, 0), after.get(body, 0)) for body in bodies)
    return [(body, old, new) for body, old, new in moved if old != new]


def _shared(now: Standing, order: GroupOrder, sku: str, units: int) -> dict[str, int]:
    given, surplus = allocate(now.pledges[sku], units, order.sharing, order.first)  # type: ignore[arg-type]
    if surplus:
        given[order.house.code] = given.get(order.house.code, 0) + surplus
    return given


# -- counting ----------------------------------------------------------------------------------------


def count(
    session: Session,
    actor: Actor,
    code: str,
    counts: Mapping[str, Count],
    now: datetime,
    note: str = "",
    *,
    seen: int | None = None,
) -> GroupOrder:
    """Note what came, the rest is to come; the order stays sent. `seen`: see `mark`.

    Raises NotFound, NotAllowed, WrongOrderState, ChangedMeanwhile, NotOfThisOrder, BadCount or NothingCounted.
    """
    order = _at_the_door(session, actor, code, seen)
    if not any(one.received or one.damaged for one in counts.values()):
        raise NothingCounted
    _note(session, order, actor, counts, now, note)
    return order


def receive(
    session: Session,
    actor: Actor,
    code: str,
    counts: Mapping[str, Count] | None,
    now: datetime,
    note: str = "",
    *,
    seen: int | None = None,
) -> GroupOrder:
    """Finish the reception: what is not there by now does not come any more, and is shared anew by the order's rule.

    `counts`: what came now, after what was noted before; an article that is not named came as far as it was expected.
    None: everything expected came. Raises as `count`, but for NothingCounted: nothing at all may have come.
    """
    order = _at_the_door(session, actor, code, seen)
    before = rows(order, arrivals(session, order))
    rest = {row.item.sku: Count(row.expected) for row in before if row.expected}
    _note(session, order, actor, rest | dict(counts or {}), now, note)
    parts = arrivals(session, order)
    came, told = _together(parts), _told(changes(session, order, rows(order, parts)))
    found = invoicing.differences(order)
    for item in order.items:
        one = came.get(item.sku, Count(0))
        item.received, item.damaged = one.received, one.damaged
        item.invoiced_price = None if one.price == item.ordered_price else one.price
    invoicing.keep_taken(order, found)
    step(session, order, "receive", transition("receive", order.state), actor.user_id, now, note, told)
    return order


def _told(found: Iterable[Change]) -> dict[str, dict[str, Any]]:
    """What each organisation gets more or less of than was ordered for it, for its letter."""
    moved: dict[str, list[Any]] = defaultdict(list)
    for one in found:
        for body, before, after in one.parts:
            moved[body].append([one.row.item.name, before, after])
    return {body: {"moved": parts} for body, parts in moved.items()}


def correct(
    session: Session,
    actor: Actor,
    code: str,
    arrival_id: int,
    counts: Mapping[str, Count],
    note: str = "",
    *,
    seen: int | None = None,
) -> GroupOrder:
    """Count one part anew; counted empty, it never came. Raises as `count`, but for NothingCounted."""
    order = _at_the_door(session, actor, code, seen)
    arrival = next((one for one in arrivals(session, order) if one.id == arrival_id), None)
    if arrival is None:
        raise NotFound
    kept = _kept(order, counts)
    if kept:
        arrival.counts, arrival.note = kept, note
    else:
        session.delete(arrival)
    session.flush()
    return order


def mark(parts: Sequence[OrderArrival]) -> int:
    """What a page knew of: counted on two telephones at once, or sent twice, an article would be there twice.

    Of what was counted, not of how often: a part that was counted anew is as good as another one.
    """
    said = [(one.id, sorted(one.counts.items())) for one in parts]
    return crc32(repr(said).encode()) if parts else 0


def _at_the_door(session: Session, actor: Actor, code: str, seen: int | None) -> GroupOrder:
    order = locked(session, actor, code)
    if order.state != "sent":
        raise WrongOrderState(state=Word(WORDS[order.state]))
    if seen is not None and seen != mark(arrivals(session, order)):
        raise ChangedMeanwhile
    return order


def _note(
    session: Session, order: GroupOrder, actor: Actor, counts: Mapping[str, Count], now: datetime, note: str
) -> None:
    kept = _kept(order, counts)
    if kept:
        facts = {"order_id": order.id, "version": order.version, "at": now, "user_id": actor.user_id}
        session.add(OrderArrival(**facts, counts=kept, note=note))
        session.flush()


def _kept(order: GroupOrder, counts: Mapping[str, Count]) -> dict[str, list[object]]:
    """Counts as they are stored, without those that say nothing; raises NotOfThisOrder, BadCount."""
    known = {item.sku for item in order.items if not item.dropped}
    for sku, one in counts.items():
        if sku not in known:
            raise NotOfThisOrder("sku", value=sku)
        if not (0 <= one.received <= MOST and 0 <= one.damaged <= MOST) or not _is_price(one.price):
            raise BadCount("received", most=MOST)
    return {
        sku: [one.received, one.damaged, None if one.price is None else format(one.price, "f")]
        for sku, one in counts.items()
        if one.received or one.damaged or one.price is not None
    }


def _is_price(price: Decimal | None) -> bool:
    return price is None or (0 <= price <= MOST_PRICE and price == round(price, FINEST))
