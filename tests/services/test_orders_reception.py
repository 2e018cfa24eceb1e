"""What came, in one go or in several, and the supplier's invoice, on both databases: shares follow to the cent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.core.errors import ChangedMeanwhile, NotAllowed, NotFound, Refused
from sharebank.exchange import import_bytes
from sharebank.notifications import delivery
from sharebank.notifications.models import Letter
from sharebank.orders import lifecycle, pledging, reading
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.incoming import invoicing, receiving
from sharebank.orders.incoming.invoicing import TakeoverReasonMissing
from sharebank.orders.incoming.receiving import BadCount, Count, NothingCounted, NotOfThisOrder
from sharebank.orders.life_models import OrderEvent, OrderVersion
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import sending
from sharebank.orders.rules.invoices import Invoice, InvoiceLine
from sharebank.orders.rules.states import WrongOrderState
from tests import world
from tests.world import NOW

CLOSES = NOW + timedelta(days=5)
SUPPLIERS = """code,name,kind,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,10.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,20:0.874,recycled,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,,,livres
PAP,S1,Stylo,piece,1,1.00,20.0,,,stylos
"""
PLEDGES = (("CHORALE", "C1", 12, 12), ("ECHECS", "C1", 6, 10), ("CHORALE", "L1", 1, 1))


@pytest.fixture
def staff(actor: Callable[[str], Actor]) -> Actor:
    return actor("staff@example.org")


@pytest.fixture
def order(app: Flask, actor: Callable[[str], Actor], staff: Actor) -> str:
    """An order that was sent: 20 notebooks at 0.874 (CHORALE 12, ECHECS 8), one book, no pen; delivery 4.90."""
    with transaction() as session:
        import_bytes(session, "suppliers", "s.csv", SUPPLIERS.encode(), NOW, world.PARIS)
        import_bytes(session, "price-list", "p.csv", PRICES.encode(), NOW, world.PARIS)
        making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", CLOSES), NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
        people = {"CHORALE": actor("member@example.org"), "ECHECS": actor("other@example.org")}
        for body, sku, quantity, most in PLEDGES:
            pledging.pledge(session, people[body], "hiver", body, {sku: (quantity, most)}, NOW)
        lifecycle.change(session, staff, "hiver", "close", NOW)
        sending.send(session, staff, "hiver", NOW, "hand")
    return "hiver"


def found() -> GroupOrder:
    db.session.rollback()
    return db.session.scalars(select(GroupOrder).execution_options(populate_existing=True)).one()


def standing() -> reading.Standing:
    return reading.standing(db.session(), found())


def receive(who: Actor, counts: dict[str, Count] | None = None, *, seen: int | None = None) -> None:
    with transaction() as session:
        receiving.receive(session, who, "hiver", counts, NOW, seen=seen)


def count(who: Actor, counts: dict[str, Count], *, seen: int | None = None) -> None:
    with transaction() as session:
        receiving.count(session, who, "hiver", counts, NOW, "", seen=seen)


def test_all_as_ordered_in_one_tap(order: str, staff: Actor) -> None:
    receive(staff)
    here = found()
    assert here.state == "received"
    assert [(item.sku, item.ordered, item.received, item.damaged) for item in here.items] == [
        ("C1", 20, 20, 0),
        ("L1", 1, 1, 0),
        ("S1", 0, 0, 0),
    ]
    assert standing().lines["C1"].allocations == {"CHORALE": 12, "ECHECS": 8}
    assert standing().bill.invoice.goods_cents == 1748 + 1200
    told = db.session.scalars(select(Letter.to_address).where(Letter.template == "order_received")).all()
    assert sorted(told) == ["member@example.org", "other@example.org"]


@pytest.mark.parametrize(
    ("why", "counts", "units", "allocations", "goods"),
    [
        ("short: shared by the rule, at the price ordered", {"C1": Count(9)}, 9, {"CHORALE": 6, "ECHECS": 3}, 787),
        ("damaged ones are not there", {"C1": Count(18, 2)}, 18, {"CHORALE": 12, "ECHECS": 6}, 1573),
        ("none came", {"C1": Count(0)}, 0, {"CHORALE": 0, "ECHECS": 0}, 0),
        (
            "above: to who accepts more, then the house",
            {"C1": Count(25)},
            25,
            {"CHORALE": 12, "ECHECS": 10, "MCNG": 3},
            2185,
        ),
        ("another price", {"C1": Count(20, 0, Decimal("0.90"))}, 20, {"CHORALE": 12, "ECHECS": 8}, 1800),
    ],
)
def test_what_came_is_shared_anew(
    order: str, staff: Actor, why: str, counts: dict[str, Count], units: int, allocations: dict[str, int], goods: int
) -> None:
    receive(staff, counts)
    line = standing().lines["C1"]
    assert (line.units, line.allocations, line.goods_cents) == (units, allocations, goods), why
    assert standing().lines["L1"].units == 1, "what is not named came as ordered"


def test_the_last_price_noted_is_the_one_that_holds(order: str, staff: Actor) -> None:
    count(staff, {"C1": Count(5, 0, Decimal("0.90"))})
    count(staff, {"C1": Count(5, 0, Decimal("0.95"))})
    receive(staff)
    assert standing().lines["C1"].goods_cents == 1900, "20 × 0.95, though the last part names no price"


def test_each_reads_what_it_gets_less_of(app: Flask, order: str, staff: Actor) -> None:
    receive(staff, {"C1": Count(18)})
    with transaction() as session:
        for letter in session.scalars(select(Letter)):
            letter.locale = "en"
    delivery.deliver(app, NOW)
    db.session.rollback()
    query = select(Letter.to_address, Letter.text, Letter.html).where(Letter.template == "order_received")
    texts = {address: (text or "", html or "") for address, text, html in db.session.execute(query)}
    for text in texts["other@example.org"]:
        assert "Cahier recyclé: 6 for you instead of 8." in " ".join(text.split())
    for text in texts["member@example.org"]:
        assert "for you instead of" not in text


def test_in_several_goes_and_one_counted_anew(order: str, staff: Actor) -> None:
    before = standing()
    count(staff, {"C1": Count(10)})
    assert found().state == "sent"
    assert standing() == before, "nothing is shared anew while the rest may come"
    count(staff, {"C1": Count(9, 1)}, seen=receiving.mark(receiving.arrivals(db.session(), found())))
    first, second = receiving.arrivals(db.session(), found())
    rows = {row.item.sku: row for row in receiving.rows(found(), [first, second])}
    assert (rows["C1"].expected, rows["C1"].short, rows["L1"].expected) == (0, 1, 1)
    (change, book) = receiving.changes(db.session(), found(), rows.values())
    assert (change.row.item.sku, change.parts) == ("C1", [("ECHECS", 8, 7)])
    assert (book.row.item.sku, book.parts) == ("L1", [("CHORALE", 1, 0)])
    with transaction() as session:
        receiving.correct(session, staff, "hiver", first.id, {"C1": Count(8)})
    receive(staff, {"L1": Count(0), "C1": Count(0), "S1": Count(2)})
    assert [(item.sku, item.received, item.damaged) for item in found().items] == [
        ("C1", 17, 1),
        ("L1", 0, 0),
        ("S1", 2, 0),
    ]
    assert standing().lines["S1"].allocations == {"MCNG": 2}, "nobody asked for it: the house of delivery keeps it"


def test_two_telephones_do_not_count_it_twice(order: str, staff: Actor) -> None:
    count(staff, {"C1": Count(10)}, seen=0)
    with pytest.raises(ChangedMeanwhile):
        count(staff, {"C1": Count(10)}, seen=0)
    with pytest.raises(ChangedMeanwhile):
        receive(staff, None, seen=0)
    assert len(receiving.arrivals(db.session(), found())) == 1


def test_a_part_counted_empty_never_came(order: str, staff: Actor) -> None:
    count(staff, {"C1": Count(10)})
    (part,) = receiving.arrivals(db.session(), found())
    with transaction() as session:
        receiving.correct(session, staff, "hiver", part.id, {"C1": Count(0)})
    assert not receiving.arrivals(db.session(), found())
    with pytest.raises(NotFound), transaction() as session:
        receiving.correct(session, staff, "hiver", part.id, {"C1": Count(1)})


BAD_COUNTS: tuple[tuple[dict[str, Count], type[Refused]], ...] = (
    ({"X9": Count(1)}, NotOfThisOrder),
    ({"C1": Count(-1)}, BadCount),
    ({"C1": Count(1, -1)}, BadCount),
    ({"C1": Count(pledging.MOST + 1)}, BadCount),
    ({"C1": Count(1, 0, Decimal(-1))}, BadCount),
    ({"C1": Count(0)}, NothingCounted),
)


def test_a_bad_count_stores_nothing(order: str, staff: Actor) -> None:
    for counts, why in BAD_COUNTS:
        with pytest.raises(why):
            count(staff, counts)
    assert not receiving.arrivals(db.session(), found())


def test_who_receives_and_when(order: str, actor: Callable[[str], Actor], staff: Actor) -> None:
    for who in ("member@example.org", "staff.stn@example.org"):
        with pytest.raises(NotAllowed):
            receive(actor(who))
    receive(staff)
    for act in (lambda: receive(staff), lambda: count(staff, {"C1": Count(1)})):
        with pytest.raises(WrongOrderState):
            act()


def test_reopened_it_is_counted_anew_and_what_it_was_is_kept(order: str, staff: Actor) -> None:
    receive(staff, {"C1": Count(9)})
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "reopen", NOW)
    (kept,) = db.session.scalars(select(OrderVersion.summary).where(OrderVersion.act == "received"))
    assert kept["items"][0]["units"] == 9
    (part,) = receiving.arrivals(db.session(), found())
    with transaction() as session:
        receiving.correct(session, staff, "hiver", part.id, {"C1": Count(19), "L1": Count(1)})
    receive(staff, {"C1": Count(0)})
    assert standing().lines["C1"].allocations == {"CHORALE": 12, "ECHECS": 7}
    letters = db.session.scalars(select(Letter.key).where(Letter.template == "order_received")).all()
    assert len(letters) == len(set(letters)) == 4, "told anew"


def test_what_came_of_another_version_does_not_count(order: str, actor: Callable[[str], Actor], staff: Actor) -> None:
    count(staff, {"C1": Count(10)})
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "reopen", NOW, "encore un livre", CLOSES)
        pledging.pledge(session, actor("member@example.org"), "hiver", "CHORALE", {"L1": (3, 3)}, NOW)
        lifecycle.change(session, staff, "hiver", "close", NOW)
        sending.send(session, staff, "hiver", NOW, "hand")
    assert found().version == 2
    assert not receiving.arrivals(db.session(), found())
    receive(staff)
    assert {item.sku: item.received for item in found().items} == {"C1": 20, "L1": 3, "S1": 0}


# -- the invoice -------------------------------------------------------------------------------------

LINES = {"C1": InvoiceLine(20, Decimal("0.874"), 1748), "L1": InvoiceLine(1, Decimal("12.00"), 1200)}
GOOD = Invoice("F26-1", date(2026, 12, 3), LINES, 490, {Decimal("5.5"): 66, Decimal(20): 448}, 3952)


def enter(who: Actor, invoice: Invoice) -> None:
    with transaction() as session:
        invoicing.enter(session, who, "hiver", invoice, NOW)


def test_an_invoice_that_agrees(order: str, staff: Actor) -> None:
    receive(staff)
    assert invoicing.reconciled(found()), "without an invoice the order as it came is the invoice"
    enter(staff, GOOD)
    assert invoicing.reconciled(found())
    assert standing().bill.invoice.total_cents == found().invoice["total_cents"] == 3952
    with transaction() as session:
        invoicing.remove(session, staff, "hiver", NOW)
    assert found().invoice is None


def test_differences_stand_until_the_supplier_s_amounts_are_taken_over(order: str, staff: Actor) -> None:
    receive(staff)
    theirs = replace(
        GOOD,
        lines=LINES | {"C1": InvoiceLine(20, Decimal("0.88"), 1761)},
        delivery_cents=500,
        vat={Decimal("5.5"): 66, Decimal(20): 453},
        total_cents=3980,
    )
    enter(staff, theirs)
    assert not invoicing.reconciled(found())
    assert {one.key: one.cents for one in invoicing.differences(found())} == {
        "line:C1": 13,
        "delivery": 10,
        "vat:20": 1,
    }
    assert standing().bill.invoice.total_cents == 3952, "nothing of it counts yet"
    taken = replace(theirs, taken=frozenset({"line:C1", "delivery", "vat:20", "line:L1", "sum"}))
    with pytest.raises(TakeoverReasonMissing):
        enter(staff, taken)
    enter(staff, replace(taken, why="prix convenu au téléphone"))
    assert found().invoice["taken"] == ["delivery", "line:C1", "vat:20"], "only what differs"
    now = standing()
    assert invoicing.reconciled(found())
    assert (now.bill.invoice.goods_cents, now.bill.invoice.delivery_cents, now.bill.invoice.vat_cents) == (
        2961,
        500,
        519,
    )
    assert sum(share.total_cents for share in now.bill.shares.values()) == 3980
    assert now.lines["C1"].price == Decimal("0.88")
    event = db.session.scalars(select(OrderEvent).order_by(OrderEvent.id.desc())).first()
    assert event is not None
    assert (event.act, event.why) == ("invoice", "prix convenu au téléphone")


def test_an_invoice_is_compared_with_what_came(order: str, staff: Actor) -> None:
    with pytest.raises(WrongOrderState):
        enter(staff, GOOD)
    receive(staff, {"C1": Count(18, 2)})
    enter(staff, GOOD)
    (line,) = invoicing.differences(found())
    assert (line.key, line.cents, line.ours) == ("line:C1", 175, (18, Decimal("0.874")))


def test_a_bad_invoice_is_refused(order: str, staff: Actor) -> None:
    receive(staff)
    unknown = LINES | {"X9": InvoiceLine(1, Decimal(1), 100)}
    for wrong in (replace(GOOD, lines=unknown), replace(GOOD, total_cents=-1)):
        with pytest.raises(invoicing.BadInvoice):
            enter(staff, wrong)
    assert found().invoice is None


def recount(who: Actor, counts: dict[str, Count]) -> None:
    """The reception is reopened, its one part counted anew, and finished."""
    with transaction() as session:
        lifecycle.change(session, who, "hiver", "reopen", NOW)
        (part,) = receiving.arrivals(session, found_in(session))
        receiving.correct(session, who, "hiver", part.id, counts)
        receiving.receive(session, who, "hiver", dict.fromkeys(("C1", "L1"), Count(0)), NOW)


def found_in(session: Session) -> GroupOrder:
    return session.scalars(select(GroupOrder)).one()


def test_a_cent_that_was_taken_over_is_not_nine_euros_after_a_recount(order: str, staff: Actor) -> None:
    receive(staff)
    vat, book = {Decimal("5.5"): 66, Decimal(20): 448}, InvoiceLine(1, Decimal("12.01"), 1201)
    rounded = {"C1": InvoiceLine(20, Decimal("0.874"), 1749), "L1": book}
    taken = frozenset({"line:C1", "line:L1"})
    enter(staff, Invoice("F26-1", date(2026, 12, 3), rounded, 490, vat, 3954, taken, "arrondi par ligne"))
    assert invoicing.reconciled(found())
    recount(staff, {"C1": Count(10), "L1": Count(1)})
    assert found().invoice["taken"] == ["line:L1"], "the book’s cent is what it was"
    assert {one.key: one.cents for one in invoicing.differences(found()) if not one.taken} == {"line:C1": 1749 - 874}
    assert standing().bill.invoice.goods_cents == 874 + 1201


def test_what_is_billed_and_did_not_come_after_all_is_shown(order: str, staff: Actor) -> None:
    receive(staff, {"S1": Count(3)})
    pens = LINES | {"S1": InvoiceLine(3, Decimal("1.00"), 300)}
    enter(staff, replace(GOOD, lines=pens, vat=GOOD.vat | {Decimal(20): 508}, total_cents=4312))
    assert invoicing.reconciled(found())
    recount(staff, {"C1": Count(20), "L1": Count(1)})
    assert {one.key: one.cents for one in invoicing.differences(found())} == {"line:S1": 300}
    assert not invoicing.reconciled(found())


def test_counted_on_a_page_that_shows_a_part_as_it_was(order: str, staff: Actor) -> None:
    count(staff, {"C1": Count(10)})
    shown = receiving.mark(receiving.arrivals(db.session(), found()))
    with transaction() as session:
        (part,) = receiving.arrivals(session, found_in(session))
        receiving.correct(session, staff, "hiver", part.id, {"C1": Count(20)})
    with pytest.raises(ChangedMeanwhile):
        count(staff, {"C1": Count(10)}, seen=shown)
    count(staff, {"L1": Count(1)}, seen=receiving.mark(receiving.arrivals(db.session(), found())))
