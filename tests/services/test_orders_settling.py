"""Settling on both databases: who owes whom, payments, what is kept, the houses' balances, savings, papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import select

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.core import press
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.exchange import import_bytes
from sharebank.notifications.models import Letter
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.incoming import receiving
from sharebank.orders.incoming.receiving import Count
from sharebank.orders.life_models import OrderVersion
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import sending
from sharebank.orders.rules.states import WrongOrderState
from sharebank.orders.rules.transfers import Transfer
from sharebank.orders.settlement import matrix, payments, savings, settling, statements
from sharebank.orders.settlement.payments import NothingOwed, PaidTooMuch, PaymentReasonMissing, TakenBack
from tests.world import NOW, PARIS

DAY = date(2026, 11, 21)
SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,,10.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,=Cahier recyclé,piece,10,0.92,20.0,100:0.874,recycled,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,,,livres
"""
PLEDGES = {("CHORALE", "C1"): 7, ("ECHECS", "C1"): 12, ("STN", "L1"): 2, ("MCNG", "C1"): 1}
# Goods 18.40 at 20 %, 24.00 at 5.5 %, delivery 4.90 at 20 %: 2 × 10 notebooks, 2 books.
TOTAL = 1840 + 2400 + 490 + 466 + 132


def sent(app: Flask, staff: Actor, code: str = "hiver") -> None:
    """An order for the people of both houses, as the supplier has it."""
    with transaction() as session:
        making.make_order(session, staff, Draft(code, "Fournitures", "PAP", "MCNG", NOW + timedelta(days=5)), NOW)
        lifecycle.change(session, staff, code, "open", NOW)
        order = session.scalars(select(GroupOrder).where(GroupOrder.code == code)).one()
        for (body, sku), units in PLEDGES.items():
            role = settling.bodies_of(session)[body]
            pledging.pledge_many(session, order, role, staff.user_id, {sku: (units, units)}, NOW)
    with transaction() as session:
        lifecycle.change(session, staff, code, "close", NOW)
        sending.send(session, staff, code, NOW, how="hand")


def received(app: Flask, staff: Actor, code: str = "hiver") -> str:
    """An order that came: half of it for each house's people."""
    sent(app, staff, code)
    with transaction() as session:
        receiving.receive(session, staff, code, None, NOW)
    return code


@pytest.fixture
def staff(app: Flask, actor: Callable[[str], Actor]) -> Actor:
    for kind, text in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
        with transaction() as session:
            import_bytes(session, kind, "f.csv", text.encode(), NOW, PARIS)
    return actor("staff@example.org")


@pytest.fixture
def order(app: Flask, staff: Actor) -> str:
    return received(app, staff)


def settle(actor: Actor, code: str = "hiver") -> None:
    with transaction() as session:
        settling.settle(session, actor, code, NOW)


def note(actor: Actor, payer: str, payee: str, cents: int, code: str = "hiver", day: date = DAY) -> int:
    with transaction() as session:
        return payments.note_payment(session, actor, code, payer, payee, cents, day, NOW).id


def books(actor: Actor, code: str = "hiver") -> settling.Books:
    db.session.rollback()
    db.session.expire_all()
    return settling.books(db.session(), actor, code)


def test_associations_owe_their_house_and_houses_each_other(app: Flask, order: str, staff: Actor) -> None:
    found = books(staff)
    shares = {code: share.total_cents for code, share in found.standing.bill.shares.items()}
    assert sum(shares.values()) == found.standing.bill.invoice.total_cents == TOTAL
    assert found.accounts.owed == {"CHORALE": shares["CHORALE"], "ECHECS": shares["ECHECS"]}
    assert found.accounts.transfers == [Transfer("STN", "MCNG", shares["STN"] + shares["ECHECS"])]


def test_settled_it_is_kept_and_everyone_is_told(app: Flask, order: str, staff: Actor) -> None:
    settle(staff)
    kept = db.session.scalars(select(OrderVersion).where(OrderVersion.act == "settled")).one()
    assert kept.summary["homes"] == {"CHORALE": "MCNG", "ECHECS": "STN", "MCNG": "MCNG", "STN": "STN"}
    assert kept.summary["invoice"]["total_cents"] == TOTAL
    told = db.session.scalars(select(Letter.to_address).where(Letter.template == "order_settled")).all()
    assert {"member@example.org", "other@example.org"} <= set(told)
    with pytest.raises(WrongOrderState):
        settle(staff)


def test_who_moves_house_later_still_settles_with_the_old_one(app: Flask, order: str, staff: Actor) -> None:
    settle(staff)
    before = books(staff).accounts.transfers
    with transaction() as session:
        home = session.scalars(select(Organisation.id).where(Organisation.code == "MCNG")).one()
        session.scalars(select(Organisation).where(Organisation.code == "ECHECS")).one().house_id = home
    assert books(staff).accounts.homes["ECHECS"] == "STN"
    assert books(staff).accounts.transfers == before
    assert list(settling.balances(db.session(), staff).transfers) == before


def never_came(app: Flask, staff: Actor) -> None:
    """ECHECS paid in advance for what did not come, the order is settled."""
    sent(app, staff)
    note(staff, "ECHECS", "STN", 100)
    with transaction() as session:
        receiving.receive(session, staff, "hiver", {"C1": Count(0)}, NOW)
    settle(staff)


def test_who_paid_for_what_never_came_is_paid_back(
    app: Flask, staff: Actor, actor: Callable[[str], Actor], signed_in: Callable[[str], FlaskClient]
) -> None:
    never_came(app, staff)
    assert books(actor("other@example.org")).mine == ["ECHECS"]
    for who in ("other@example.org", "staff@example.org"):
        page = signed_in(who).get("/orders/hiver/accounts")
        assert (page.status_code, "/orders/hiver/statements/ECHECS.pdf" in page.text) == (200, True), who
    read = str(statements.statements(books(staff), ["ECHECS"], PARIS))
    assert "Maison de quartier Saint-Nicolas (STN) vous doit : 1,00" in read
    note(staff, "STN", "ECHECS", 100)
    assert books(staff).accounts.owed["ECHECS"] == 0


def test_who_paid_for_what_never_came_and_moves_house_changes_no_old_account(app: Flask, staff: Actor) -> None:
    never_came(app, staff)
    before = books(staff).accounts
    assert before.owed["ECHECS"] == -100
    with transaction() as session:
        home = session.scalars(select(Organisation.id).where(Organisation.code == "MCNG")).one()
        session.scalars(select(Organisation).where(Organisation.code == "ECHECS")).one().house_id = home
    assert books(staff).accounts.homes["ECHECS"] == "STN"
    assert settling.balances(db.session(), staff).totals == before.balances


@pytest.mark.parametrize("off", [{"total_cents": TOTAL + 1}, {"vat_cents": 597, "goods_cents": 4241}])
def test_an_invoice_that_differs_by_a_cent_is_not_settled(
    app: Flask, order: str, staff: Actor, off: dict[str, int]
) -> None:
    with transaction() as session:
        found = session.scalars(select(GroupOrder)).one()
        lines = {"C1": [20, "0.92", 1840], "L1": [2, "12.00", 2400]}
        sums = {"goods_cents": 4240, "delivery_cents": 490, "vat_cents": 598, "total_cents": TOTAL}
        vat = {"20": 466, "5.5": 132}
        words = {"number": "F1", "day": "2026-11-20", "taken": [], "why": ""}
        found.invoice = {**words, "lines": lines, "vat": vat, **sums, **off}
        right = {**found.invoice, **sums}
    with pytest.raises(settling.NotReconciled):
        settle(staff)
    with transaction() as session:
        session.scalars(select(GroupOrder)).one().invoice = right
    settle(staff)


def test_nothing_that_came_is_settled_too(app: Flask, staff: Actor) -> None:
    received(app, staff)
    with transaction() as session:
        for item in session.scalars(select(GroupOrder)).one().items:
            item.received = 0
        session.scalars(select(GroupOrder)).one().pledge_version = 5
    settle(staff)
    assert (books(staff).accounts.unnoted, set(books(staff).accounts.owed.values())) in ((0, set()), (0, {0}))


# -- payments --------------------------------------------------------------------------------------


def test_payments_are_noted_and_taken_back(app: Flask, order: str, staff: Actor) -> None:
    owed = books(staff).accounts.owed["CHORALE"]
    first = note(staff, "CHORALE", "MCNG", owed - 100)
    assert books(staff).accounts.owed["CHORALE"] == 100
    with pytest.raises(PaidTooMuch):
        note(staff, "CHORALE", "MCNG", 101)
    note(staff, "CHORALE", "MCNG", 100)
    with pytest.raises(NothingOwed):
        note(staff, "CHORALE", "MCNG", 100)
    with pytest.raises(PaymentReasonMissing), transaction() as session:
        payments.take_back(session, staff, first, "  ", NOW)
    with transaction() as session:
        payments.take_back(session, staff, first, "Chèque refusé", NOW)
    with pytest.raises(TakenBack), transaction() as session:
        payments.take_back(session, staff, first, "encore", NOW)
    assert books(staff).accounts.owed["CHORALE"] == owed - 100
    kept = [(one.cents, one.undone_why) for one in books(staff).payments]
    assert kept == [(owed - 100, "Chèque refusé"), (100, "")]


def test_money_that_moved_never_goes_out_of_sight(app: Flask, order: str, staff: Actor) -> None:
    paid = note(staff, "CHORALE", "MCNG", 100)
    with transaction() as session:
        lifecycle.change(session, staff, order, "reopen", NOW)
    for act in ("reopen", "cancel"):
        with pytest.raises(lifecycle.PaymentsNoted), transaction() as session:
            lifecycle.change(session, staff, order, act, NOW, "fini", NOW + timedelta(days=9))
    with transaction() as session:
        payments.take_back(session, staff, paid, "rendu", NOW)
    with transaction() as session:
        lifecycle.change(session, staff, order, "cancel", NOW, "fini")


def test_who_paid_the_supplier_is_owed_it(app: Flask, order: str, staff: Actor) -> None:
    note(staff, "STN", "", 5000)
    found = books(staff).accounts
    assert found.paid == {"MCNG": TOTAL - 5000, "STN": 5000}
    assert found.unnoted == TOTAL - 5000
    with pytest.raises(PaidTooMuch):
        note(staff, "MCNG", "", TOTAL)


@pytest.mark.parametrize(
    ("who", "payer", "payee", "cents", "day", "why"),
    [
        ("staff@example.org", "NOBODY", "MCNG", 1, DAY, payments.UnknownParty),
        ("staff@example.org", "CHORALE", "NOBODY", 1, DAY, payments.UnknownParty),
        ("staff@example.org", "CHORALE", "MCNG", 0, DAY, PaidTooMuch),
        ("staff@example.org", "CHORALE", "MCNG", -5, DAY, PaidTooMuch),
        ("staff@example.org", "MCNG", "MCNG", 1, DAY, NothingOwed),
        ("staff@example.org", "STN", "MCNG", 1, DAY, NothingOwed),
        ("staff@example.org", "CHORALE", "MCNG", 1, DAY + timedelta(days=2), payments.BadDay),
        ("staff@example.org", "CHORALE", "MCNG", 1, date(1999, 1, 1), payments.BadDay),
        ("staff.stn@example.org", "CHORALE", "MCNG", 1, DAY, NotAllowed),
        ("member@example.org", "CHORALE", "MCNG", 1, DAY, NotAllowed),
    ],
)
def test_a_wrong_payment_stores_nothing(
    app: Flask,
    order: str,
    actor: Callable[[str], Actor],
    who: str,
    payer: str,
    payee: str,
    cents: int,
    day: date,
    why: type[Refused],
) -> None:
    with pytest.raises(why):
        note(actor(who), payer, payee, cents, day=day)
    assert not books(actor("admin@example.org")).payments


def test_the_house_that_is_paid_notes_it_wherever_the_order_was_delivered(
    app: Flask, order: str, actor: Callable[[str], Actor]
) -> None:
    neighbour = actor("staff.stn@example.org")
    note(neighbour, "ECHECS", "STN", 10)
    with pytest.raises(NotAllowed):
        note(neighbour, "CHORALE", "MCNG", 10)


# -- over all orders -------------------------------------------------------------------------------


def test_houses_settle_all_their_orders_together(
    app: Flask, order: str, staff: Actor, actor: Callable[[str], Actor]
) -> None:
    owed = -books(staff).accounts.balances["STN"]
    assert settling.balances(db.session(), staff).transfers == [], "not settled yet"
    settle(staff)
    received(app, staff, "printemps")
    settle(staff, "printemps")
    found = settling.balances(db.session(), staff)
    assert found.transfers == [Transfer("STN", "MCNG", 2 * owed)]
    assert [order.code for order, _ in found.orders] == ["hiver", "printemps"]
    with transaction() as session:
        payment = payments.note_between(session, staff, "STN", "MCNG", 2 * owed, DAY, NOW).id
    assert settling.balances(db.session(), staff).transfers == []
    with pytest.raises(NothingOwed), transaction() as session:
        payments.note_between(session, staff, "STN", "MCNG", 1, DAY, NOW)
    with transaction() as session:
        payments.take_back(session, actor("staff.stn@example.org"), payment, "Virement rejeté", NOW)
    assert settling.balances(db.session(), staff).totals == {"MCNG": 2 * owed, "STN": -2 * owed}
    with pytest.raises(NotFound):
        settling.balances(db.session(), actor("member@example.org"))


def test_what_is_reopened_and_settled_anew_counts_as_it_is_now(app: Flask, order: str, staff: Actor) -> None:
    settle(staff)
    before = settling.balances(db.session(), staff).totals
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "reopen", NOW, "Un livre manque")
    assert not any(settling.balances(db.session(), staff).totals.values())
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "reopen", NOW, "Un livre manque")
        receiving.receive(session, staff, "hiver", {"L1": Count(1)}, NOW)
    settle(staff)
    after = settling.balances(db.session(), staff).totals
    assert abs(after["STN"]) < abs(before["STN"])


def test_savings_are_against_whole_packs_alone(
    app: Flask, order: str, staff: Actor, actor: Callable[[str], Actor]
) -> None:
    assert savings.savings(db.session(), staff, PARIS) == []
    settle(staff)
    rows = {row.code: row for row in savings.savings(db.session(), staff, PARIS)}
    # 7 notebooks alone: a pack of 10 at 0.92, 4.90 of delivery, VAT 2.82.
    assert rows["CHORALE"].alone_cents == 920 + 490 + 282
    assert (rows["CHORALE"].year, rows["CHORALE"].refused, rows["ECHECS"].refused) == (2026, 1, 0)
    assert rows["CHORALE"].paid_cents == books(staff).standing.bill.shares["CHORALE"].total_cents
    mine = savings.savings(db.session(), actor("member@example.org"), PARIS)
    assert [row.code for row in mine] == ["CHORALE"]
    whole = savings.whole(list(rows.values()))
    assert whole.paid_cents == TOTAL
    assert whole.saved_cents == sum(row.saved_cents for row in rows.values()) > 0
    table = read(savings.as_csv(list(rows.values())))
    assert {row["Structure"]: row["Seule TTC (€)"] for row in table}["CHORALE"] == "16,92"


# -- papers ----------------------------------------------------------------------------------------


def read(raw: bytes) -> list[dict[str, str]]:
    assert raw.startswith(b"\xef\xbb\xbf"), "a spreadsheet must know it is UTF-8"
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))


def cents(text: str) -> int:
    return int(text.replace(",", "")) if "," in text else int(text) * 100


def test_the_accountants_rows_add_up_to_the_invoice(app: Flask, order: str, staff: Actor) -> None:
    rows, whole = read(statements.accounts_csv(books(staff))), books(staff).standing.bill
    columns = {"Marchandises HT (€)": "goods_cents", "Livraison HT (€)": "delivery_cents", "TVA (€)": "vat_cents"}
    for column, name in {**columns, "Total TTC (€)": "total_cents"}.items():
        assert sum(cents(row[column]) for row in rows) == getattr(whole.invoice, name), column
        for code, share in whole.shares.items():
            own = sum(cents(row[column]) for row in rows if row["Structure"] == code)
            assert own == getattr(share, name), (column, code)
    assert {(row["Structure"], row["Taux de TVA (%)"]) for row in rows if row["Maison"] == "STN"} == {
        ("ECHECS", "20"),
        ("STN", "5,5"),
        ("STN", "20"),
    }


def test_what_one_takes_adds_up_to_its_share_even_of_what_never_came(app: Flask, order: str, staff: Actor) -> None:
    with transaction() as session:
        found = session.scalars(select(GroupOrder)).one()
        book = next(item for item in found.items if item.sku == "L1")
        book.received, found.pledge_version = 0, 77
        found.invoice = {
            "number": "F1",
            "day": "2026-11-20",
            "taken": ["line:L1"],
            "why": "Facturé",
            "vat": {},
            "lines": {"L1": [2, "12.00", 2400]},
            "delivery_cents": 490,
            "total_cents": 1,
        }
    now = books(staff)
    for code, share in now.standing.bill.shares.items():
        assert sum(one.goods_cents for one in statements.taken(now)[code]) == share.goods_cents, code


def test_payments_are_written_for_the_accountant(app: Flask, order: str, staff: Actor) -> None:
    note(staff, "MCNG", "", 1000)
    gone = note(staff, "CHORALE", "MCNG", 100)
    with transaction() as session:
        payments.take_back(session, staff, gone, "Erreur", NOW)
    (row,) = csv.reader(
        io.StringIO(statements.payments_csv(books(staff)).decode("utf-8-sig").partition("\n")[2]), delimiter=";"
    )
    assert row[:7] == ["hiver", "21/11/2026", "MCNG", "Maison citoyenne Noël Guichard", "", "Papeterie", "10,00"]


def test_the_matrix_has_everybodys_units_and_opens_again(app: Flask, order: str, staff: Actor) -> None:
    found = books(staff)
    sheet: Any = openpyxl.load_workbook(io.BytesIO(matrix.workbook(found))).active
    table = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert table[0] == ["Référence", "Désignation", "Total", "MCNG", "CHORALE", "STN", "ECHECS"]
    assert table[2:] == [["C1", "'=Cahier recyclé", 20, 1, 7, None, 12], ["L1", "Livre", 2, None, None, 2, None]]
    assert matrix.workbook(found) == matrix.workbook(found), "the same bytes"


def test_papers_say_each_share_and_come_on_pages_of_their_own(app: Flask, order: str, staff: Actor) -> None:
    note(staff, "CHORALE", "MCNG", 100)
    found = books(staff)
    made = press.pdf(statements.statements(found, ["CHORALE", "STN"], PARIS), found.last_change)
    pages = [
        page.extract_text().replace("\u00a0", " ").replace("\u202f", " ") for page in PdfReader(io.BytesIO(made)).pages
    ]
    assert len(pages) == 2
    for words in ("Chorale du Vieux-Lavoir (CHORALE)", "PROVISOIRE", "=Cahier recyclé", "TVA 20 %", "1,00 €"):
        assert words in pages[0], words
    left = found.accounts.owed["CHORALE"]
    assert f"Reste dû à Maison citoyenne Noël Guichard (MCNG) : {left // 100},{left % 100:02} €" in pages[0]
    assert "ECHECS" not in "".join(pages), "nobody else's"


def test_slips_and_the_sheet_are_printed(app: Flask, order: str, staff: Actor) -> None:
    found = books(staff)
    slips = PdfReader(io.BytesIO(press.pdf(statements.slips(found, PARIS), found.last_change)))
    assert len(slips.pages) == len(PLEDGES)
    assert "Échiquier romanais" in slips.pages[1].extract_text()
    sheet = PdfReader(io.BytesIO(press.pdf(matrix.document(found, PARIS), found.last_change))).pages[0]
    assert sheet.mediabox.width > sheet.mediabox.height
    assert "CHORALE" in sheet.extract_text()


def test_an_association_sees_its_own_part_only(app: Flask, order: str, actor: Callable[[str], Actor]) -> None:
    found = books(actor("member@example.org"))
    assert (found.whole, found.mine, found.runs) == (False, ["CHORALE"], False)
    with pytest.raises(NotAllowed):
        settling.books(db.session(), actor("member@example.org"), "hiver", whole=True)
    assert books(actor("staff.stn@example.org")).whole, "staff of every house see everything"
