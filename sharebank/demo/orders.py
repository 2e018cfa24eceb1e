"""The demonstration's group orders: one settled, one to prepare, others to pledge in."""

from __future__ import annotations

import csv
from datetime import datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership
from sharebank.core.period import to_local, to_utc
from sharebank.demo.calendar import moved_period
from sharebank.demo.price_lists import load_price_lists
from sharebank.exchange import import_bytes
from sharebank.notifications.models import Letter
from sharebank.orders import lifecycle
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.incoming import invoicing, receiving
from sharebank.orders.incoming.receiving import Count
from sharebank.orders.models import GroupOrder, Pledge, PledgeChange
from sharebank.orders.outgoing import sending
from sharebank.orders.rules.accounts import SUPPLIER
from sharebank.orders.rules.invoices import Invoice, InvoiceLine, vat_of
from sharebank.orders.settlement import payments, settling

FOLDER = Path(__file__).parent
OPEN_DAYS = 7
"""What closed long ago is open for so long where all are to be open."""


def load_orders(session: Session, now: datetime, weeks: int, tz: ZoneInfo, *, all_open: bool = False) -> None:
    """Suppliers, prices, orders and pledges, each order brought to where it stands; or all of them still open."""
    load_price_lists(session, _instant("2026-05-11T08:00", weeks, tz), tz)
    rows = _rows("orders.csv")
    for row in rows:
        _make(session, row, now, weeks, tz, all_open=all_open)
    for campaign, text in _campaigns().items():
        _pledge(session, campaign, text, now, tz)
    if not all_open:
        for row in rows:
            _live(session, row["code"], _person(session, row["coordinator"]), row["life"])
    # Everybody has read them long ago.
    session.execute(delete(Letter).where(Letter.template.startswith("order_")))


def _rows(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def _instant(wall: str, weeks: int, tz: ZoneInfo) -> datetime:
    return to_utc(datetime.fromisoformat(moved_period(wall, wall, weeks, tz)[0]), tz)


def _make(session: Session, row: dict[str, str], now: datetime, weeks: int, tz: ZoneInfo, *, all_open: bool) -> None:
    opens_at, closes_at = (_instant(row[column], weeks, tz) for column in ("opens_at", "closes_at"))
    if all_open and closes_at <= now:
        closes_at = now + timedelta(days=OPEN_DAYS)
    coordinator = _person(session, row["coordinator"])
    draft = Draft(
        row["code"],
        row["title"],
        row["supplier"],
        row["house"],
        closes_at,
        row["sharing"],
        first=tuple(row["first"].split(";")) if row["first"] else (),
        opens_at=opens_at,
        pickup=row["pickup"],
        notes=row["notes"],
        campaign=row["campaign"],
    )
    making.make_order(session, coordinator, draft, opens_at - timedelta(days=2))
    lifecycle.change(session, coordinator, draft.code, "open", opens_at)


# -- pledges -----------------------------------------------------------------------------------------


def _campaigns() -> dict[str, str]:
    """The file of pledges cut in one file a campaign: each is open at a time of its own."""
    heading, *lines = (FOLDER / "order_pledges.csv").read_text(encoding="utf-8").splitlines()
    cut = groupby(lines, key=lambda line: line.partition(",")[0])
    return {campaign: "\n".join((heading, *own, "")) for campaign, own in cut}


def _pledge(session: Session, campaign: str, text: str, now: datetime, tz: ZoneInfo) -> None:
    orders = session.scalars(select(GroupOrder).where(GroupOrder.campaign == campaign)).all()
    opens_at = max(order.opens_at for order in orders)
    last = min(now, *(order.closes_at for order in orders)) - timedelta(hours=1)
    import_bytes(session, "pledges", "order_pledges.csv", text.encode(), opens_at + timedelta(hours=1), tz)
    _spread(session, [order.id for order in orders], opens_at, last, tz)


def _spread(session: Session, order_ids: list[int], start: datetime, end: datetime, tz: ZoneInfo) -> None:
    """One organisation after the other pledged, by day, each by its own hand."""
    hands = select(Membership.organisation_id, func.min(Membership.user_id)).group_by(Membership.organisation_id)
    people = {row[0]: row[1] for row in session.execute(hands)}
    query = select(Pledge.order_id, Pledge.organisation_id).where(Pledge.order_id.in_(order_ids)).distinct()
    pairs = sorted(map(tuple, session.execute(query)), key=lambda pair: pair[1] * 37 % 101)  # in no order one notices
    days = max((end - start).days, 1)
    rows = []
    for turn, (order_id, body) in enumerate(pairs):
        day = to_local(start + timedelta(days=days * turn // len(pairs)), tz).date()
        wall = datetime.combine(day, time(10 + turn * 7 % 10, turn * 13 % 60))
        moment = min(to_utc(wall, tz), end)
        rows.append({"order": order_id, "body": body, "moment": moment, "hand": people.get(body)})
    for model, more in ((Pledge, {}), (PledgeChange, {"user_id": bindparam("hand")})):
        own = model.__table__.c
        change = update(model.__table__).where(  # type: ignore[arg-type]
            own.order_id == bindparam("order"), own.organisation_id == bindparam("body")
        )
        session.connection().execute(change.values(at=bindparam("moment"), **more), rows)


# -- what became of them -----------------------------------------------------------------------------


def _live(session: Session, code: str, actor: Actor, life: str) -> None:
    """Take an order to where it stands."""
    if life == "open":
        return
    order = session.scalars(select(GroupOrder).where(GroupOrder.code == code)).one()
    day, closed = timedelta(days=1), order.closes_at
    lifecycle.change(session, actor, code, "close", closed)
    if life == "closed":
        return
    sending.send(session, actor, code, closed + 3 * day, how="hand")
    receiving.receive(session, actor, code, _counts(order), closed + 18 * day, NOTES.get(code, ""))
    invoicing.enter(session, actor, code, _invoice(order, closed + 20 * day), closed + 24 * day)
    settling.settle(session, actor, code, closed + 26 * day)
    _pay(session, actor, code, closed + 30 * day)


NOTES = {"rentree-2026-jacq": "Un carton de crayons manque, deux cahiers sont mouillés. Le livreur a signé."}


def _counts(order: GroupOrder) -> dict[str, Count] | None:
    """Of one order a pack is missing and something is damaged; of the others all came."""
    if order.code not in NOTES:
        return None
    most = sorted(order.items, key=lambda item: (-(item.ordered or 0), item.sku))
    short, damaged = ((item, item.ordered or 0) for item in most[:2])
    return {
        short[0].sku: Count(short[1] - short[0].pack),
        damaged[0].sku: Count(damaged[1] - 2, damaged=2),
    }


def _invoice(order: GroupOrder, at: datetime) -> Invoice:
    """The supplier's, which agrees with what came."""
    lines, fee = invoicing.expected(order), invoicing.fee_cents(order)
    goods = sum(line.goods_cents for line in lines)
    vat = vat_of([*((line.vat, line.goods_cents) for line in lines), (invoicing.delivery_vat(order), fee)])
    asked = {line.sku: InvoiceLine(line.units, line.price, line.goods_cents) for line in lines if line.units}
    return Invoice(f"F{at:%y}-{1000 + order.id}", at.date(), asked, fee, vat, goods + fee + sum(vat.values()))


def _pay(session: Session, actor: Actor, code: str, at: datetime) -> None:
    """The supplier is paid, most associations have paid their house; a few have not yet."""
    book = settling.books(session, actor, code)
    house, day = book.order.house.code, at.date()
    payments.note_payment(session, actor, code, house, SUPPLIER, book.accounts.unnoted, day, at, "Virement")
    owing = [body for body, cents in book.accounts.owed.items() if cents > 0]
    for turn, body in enumerate(owing):
        later = at + timedelta(days=3 * turn)
        if turn % 5 != 4:
            home, cents = book.accounts.homes[body], book.accounts.owed[body]
            payments.note_payment(session, actor, code, body, home, cents, later.date(), later, WAYS[turn % 3])


WAYS = ("Virement", "Chèque", "Espèces")


def _person(session: Session, email: str) -> Actor:
    actor = directory.actor_of_email(session, email)
    assert actor is not None
    return actor
