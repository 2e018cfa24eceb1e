"""The order on its way to the supplier: frozen, sent only once the server took it, the same files each time."""

from __future__ import annotations

import csv
import email
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import openpyxl
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select, text

from sharebank.accounts.actor import Actor
from sharebank.core import press
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, Refused
from sharebank.core.press import NotPrinted
from sharebank.exchange import import_bytes
from sharebank.notifications import delivery
from sharebank.notifications.models import Letter
from sharebank.notifications.outbox import CannotGoAgain, send_again
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import OrderFile, OrderPaper, OrderSending
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import calling_off, dispatch, papers, sending
from sharebank.orders.rules.states import OrderLeaving, WrongOrderState
from sharebank.orders.supply.supplier_models import Supplier
from tests import world
from tests.world import NOW

CLOSES = NOW + timedelta(days=5)
SUPPLIERS = """code,name,kind,email,phone,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,ventes@example.org,04 75 00 00 00,10.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,20:0.874,recycled,cahiers
PAP,L1,=HYPERLINK("http://x"),piece,1,12.00,5.5,,,livres
PAP,Z9,Ciseaux,piece,10,3.00,20.0,,,ciseaux
"""


class Post:
    """A mail server on loopback: what it took, and what it answers next."""

    def __init__(self) -> None:
        self.answer = "250 taken"
        self.taken: list[EmailMessage] = []
        self.controller = _OnAnyPort(self, hostname="127.0.0.1", port=0)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            found = email.message_from_bytes(bytes(envelope.content or b""), policy=default)
            assert isinstance(found, EmailMessage)
            self.taken.append(found)
        return self.answer


class _OnAnyPort(Controller):
    """aiosmtpd asks the port it was given whether it answers: of port 0 it must learn which one it became."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def post(app: Flask) -> Iterator[Post]:
    one = Post()
    one.controller.start()
    app.config["SHAREBANK_MAIL_URL"] = f"smtp://127.0.0.1:{one.controller.port}?tls=none"
    yield one
    one.controller.stop()


@pytest.fixture
def staff(app: Flask, actor: Callable[[str], Actor]) -> Actor:
    return actor("staff@example.org")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The press takes its time; what is about letters does without."""
    monkeypatch.setattr(press, "pdf", lambda document, _at: b"%PDF " + document["foot"].encode())


@pytest.fixture
def order(app: Flask, staff: Actor, actor: Callable[[str], Actor]) -> str:
    """A closed order: 20 exercise books and 2 books; scissors nobody fills a pack of."""
    with transaction() as session:
        for kind, rows in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
            import_bytes(session, kind, "f.csv", rows.encode(), NOW, world.PARIS)
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures d’hiver", "PAP", "MCNG", CLOSES), NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
    for who, organisation, sku, quantity in (
        ("member@example.org", "CHORALE", "C1", 17),
        ("other@example.org", "ECHECS", "C1", 3),
        ("other@example.org", "ECHECS", "L1", 2),
        ("other@example.org", "ECHECS", "Z9", 2),
    ):
        with transaction() as session:
            pledging.pledge(session, actor(who), "hiver", organisation, {sku: (quantity, quantity)}, NOW)
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "close", NOW)
    return "hiver"


def found() -> GroupOrder:
    db.session.rollback()
    return db.session.scalars(select(GroupOrder).execution_options(populate_existing=True)).one()


def send(staff: Actor, **how: Any) -> None:
    with transaction() as session:
        sending.send(session, staff, "hiver", NOW, **how)


def states() -> list[tuple[str, str]]:
    db.session.rollback()
    tries = db.session.execute(select(OrderSending.how, OrderSending.state).order_by(OrderSending.id)).all()
    return [(how, state) for how, state in tries]


def files(message: EmailMessage) -> dict[str, bytes]:
    return {str(part.get_filename()): part.get_payload(decode=True) for part in message.iter_attachments()}  # type: ignore[misc]


def plain(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_sent_only_once_the_server_took_it(app: Flask, order: str, staff: Actor, post: Post, quick: None) -> None:
    send(staff, words="Livrez après 14 h.\nSonnez deux fois.")
    order_now = found()
    assert (order_now.state, order_now.leaving) == ("closed", True)
    assert [(item.ordered, str(item.ordered_price)) for item in order_now.items] == [
        (20, "0.874"),
        (2, "12.00"),
        (0, "3.00"),
    ], "frozen while it leaves"
    post.answer = "451 not now"
    dispatch.at_once("hiver", NOW)
    assert (found().state, states()) == ("closed", [("email", "waiting")])
    post.answer = "250 taken"
    assert delivery.deliver(app, NOW + timedelta(hours=1))["letters_sent"] > 0, "the clock goes on trying"
    order_now = found()
    assert (order_now.state, order_now.leaving, states()) == ("sent", False, [("email", "taken")])
    assert [event.act for event in order_now.events] == ["make", "open", "close", "send"]
    (letter,) = [one for one in post.taken if one["To"].addresses[0].addr_spec == "ventes@example.org"]
    assert letter["Subject"] == "Commande hiver, version 1 – Maison citoyenne Noël Guichard"
    assert letter["Reply-To"] == "staff@example.org"
    assert list(files(letter)) == [f"commande-hiver-v1.{form}" for form in ("pdf", "xlsx", "csv")]
    said = plain(letter)
    assert "Livrez après 14 h." in said
    assert "Sonnez deux fois." in said
    assert "52,18\xa0€" in said, "17.48 + 24.00 goods, 4.90 delivery, 4.48 + 1.32 VAT"
    whole = letter.as_string() + "".join(file.decode("utf-8", "replace") for file in files(letter).values())
    assert "Chorale" not in whole
    assert "CHORALE" not in whole


def test_at_once_it_is_sent_when_the_server_answers(
    app: Flask, order: str, staff: Actor, post: Post, quick: None
) -> None:
    send(staff)
    dispatch.at_once("hiver", NOW)
    assert found().state == "sent"
    assert len(post.taken) == 1, "its letter alone: those to who pledged wait for the clock"
    dispatch.at_once("hiver", NOW)
    assert delivery.deliver(app, NOW)["letters_dead"] == 0
    supplier = [one for one in post.taken if one["To"].addresses[0].addr_spec == "ventes@example.org"]
    assert len(supplier) == 1, "once"


def test_what_leaves_is_not_changed_until_it_is_taken_back(
    app: Flask, order: str, staff: Actor, actor: Callable[[str], Actor]
) -> None:
    send(staff)
    for act in ("reopen", "cancel", "extend"):
        with pytest.raises(OrderLeaving), transaction() as session:
            lifecycle.change(session, staff, "hiver", act, NOW, "parce que")
    with pytest.raises(OrderLeaving), transaction() as session:
        sending.send(session, staff, "hiver", NOW)
    with pytest.raises(NotAllowed), transaction() as session:
        sending.take_back(session, actor("member@example.org"), "hiver", NOW)
    with transaction() as session:
        sending.take_back(session, staff, "hiver", NOW)
    order_now = found()
    assert (order_now.state, order_now.leaving, order_now.items[0].ordered) == ("closed", False, None)
    assert db.session.scalars(select(Letter.state).where(Letter.template == "order_to_supplier")).all() == ["withdrawn"]
    with pytest.raises(sending.NotLeaving), transaction() as session:
        sending.take_back(session, staff, "hiver", NOW)


def test_a_letter_under_way_cannot_be_taken_back(app: Flask, order: str, staff: Actor) -> None:
    send(staff)
    with transaction() as session:
        session.scalars(select(Letter).where(Letter.template == "order_to_supplier")).one().state = "sending"
    with pytest.raises(sending.LetterLeaving), transaction() as session:
        sending.take_back(session, staff, "hiver", NOW)
    assert found().leaving


def test_a_dead_letter_gives_the_order_back_and_says_so(
    app: Flask, order: str, staff: Actor, post: Post, quick: None
) -> None:
    send(staff)
    first = dispatch.kept(papers.latest_paper(db.session(), found()).id, "pdf")  # type: ignore[union-attr]
    post.answer = "550 no such reader"
    dispatch.at_once("hiver", NOW)
    order_now = found()
    assert (order_now.state, order_now.leaving, order_now.items[0].ordered) == ("closed", False, None)
    tried = db.session.scalars(select(OrderSending)).one()
    assert (tried.state, tried.error) == ("dead", "550 no such reader")
    told = db.session.scalars(select(Letter).where(Letter.template == "order_not_sent")).one()
    assert told.to_address == "staff@example.org"
    dead = db.session.scalars(select(Letter.id).where(Letter.template == "order_to_supplier")).one()
    with pytest.raises(CannotGoAgain), transaction() as session:
        send_again(session, dead, NOW)
    post.answer = "250 taken"
    send(staff, to="autre@example.org")
    dispatch.at_once("hiver", NOW)
    assert (found().state, states()) == ("sent", [("email", "dead"), ("email", "taken")])
    assert post.taken[-1]["To"].addresses[0].addr_spec == "autre@example.org"
    assert files(post.taken[-1])["commande-hiver-v1.pdf"] == first, "nothing changed: the same version, the same file"
    delivery.deliver(app, NOW)
    (warned,) = [one for one in post.taken if one["Subject"].startswith("Pas partie")]
    assert "n’a pas pu être remis à ventes@example.org" in plain(warned)
    assert "http://127.0.0.1:5000/orders/hiver/sending" in plain(warned)


def test_sent_again_it_is_the_same_and_changed_it_is_the_next_version(
    app: Flask, order: str, staff: Actor, actor: Callable[[str], Actor], post: Post, quick: None
) -> None:
    send(staff)
    dispatch.at_once("hiver", NOW)
    with pytest.raises(WrongOrderState), transaction() as session:
        sending.send(session, staff, "hiver", NOW)
    later = NOW + timedelta(hours=2)
    with transaction() as session:
        sending.resend(session, staff, "hiver", later)
    dispatch.at_once("hiver", later)
    one, two = post.taken
    assert files(one) == files(two)
    assert one["Message-ID"] != two["Message-ID"]
    assert "la même commande" not in plain(one)
    assert "la même commande" in plain(two)
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "reopen", later)
    with transaction() as session:
        pledging.pledge(session, actor("other@example.org"), "hiver", "ECHECS", {"L1": (3, 3)}, later)
        lifecycle.change(session, staff, "hiver", "close", later)
    with transaction() as session:
        sending.send(session, staff, "hiver", later)
    dispatch.at_once("hiver", later)
    assert found().version == 2
    three = post.taken[-1]
    assert "commande-hiver-v2.csv" in files(three)
    assert "version 2" in three["Subject"]
    assert "Version 2\N{NARROW NO-BREAK SPACE}: elle annule et remplace la version 1" in plain(three)
    kept = db.session.scalars(select(OrderPaper).order_by(OrderPaper.version)).all()
    assert [paper.content["lines"][1]["units"] for paper in kept] == [2, 3], "every version is kept"


def test_reopened_what_was_to_go_once_more_is_held_back(app: Flask, order: str, staff: Actor) -> None:
    send(staff, how="hand")
    with transaction() as session:
        sending.resend(session, staff, "hiver", NOW, "email")
    with pytest.raises(sending.LetterLeaving), transaction() as session:
        sending.resend(session, staff, "hiver", NOW, "email")
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "reopen", NOW)
    assert states() == [("hand", "taken"), ("email", "withdrawn")]
    assert db.session.scalars(select(Letter.state).where(Letter.template == "order_to_supplier")).all() == ["withdrawn"]


def test_by_hand_it_is_sent_at_once(app: Flask, order: str, staff: Actor) -> None:
    with transaction() as session:
        session.scalars(select(Supplier)).one().email = ""
    send(staff)
    assert (found().state, states()) == ("sent", [("hand", "taken")])
    assert not db.session.scalars(select(Letter).where(Letter.template == "order_to_supplier")).all()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"how": "email", "to": "no address"}, sending.BadSupplierAddress),
        ({"how": "email", "to": "a@example.org, b@example.org"}, sending.BadSupplierAddress),
    ],
)
def test_a_bad_address_sends_nothing(
    app: Flask, order: str, staff: Actor, how: dict[str, str], why: type[Refused]
) -> None:
    with pytest.raises(why):
        send(staff, **how)
    assert (found().leaving, states()) == (False, [])


def test_nothing_to_order_is_not_sent(app: Flask, order: str, staff: Actor) -> None:
    with transaction() as session:
        for item in session.scalars(select(GroupOrder)).one().items:
            item.dropped = True
    with pytest.raises(sending.NothingOrdered):
        send(staff)


def test_a_press_that_is_down_keeps_the_letter(
    app: Flask, order: str, staff: Actor, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> bytes:
        raise NotPrinted(trouble="down")

    monkeypatch.setattr(press, "pdf", down)
    send(staff)
    dispatch.at_once("hiver", NOW)
    assert (found().state, states(), post.taken) == ("closed", [("email", "waiting")], [])
    monkeypatch.setattr(press, "pdf", lambda *_: b"%PDF")
    delivery.deliver(app, NOW + timedelta(hours=1))
    assert found().state == "sent"


def broken_room(*_: object) -> None:
    """What is to act on the end of a letter, and cannot."""
    db.session.execute(text("SELECT nothing FROM nowhere"))


def test_a_letter_that_left_does_not_leave_again_whatever_its_room_does(
    app: Flask, order: str, staff: Actor, post: Post, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setitem(app.extensions["letter_ended"], "order_to_supplier", broken_room)
        send(staff)
        dispatch.at_once("hiver", NOW)
    delivery.deliver(app, NOW + timedelta(days=1))
    assert [one["To"].addresses[0].addr_spec for one in post.taken].count("ventes@example.org") == 1
    assert found().state == "closed"
    with transaction() as session:
        sending.hurry(session, staff, "hiver", NOW)
    assert found().state == "sent", "tried again, it learns that it had left"


def test_its_files_say_what_is_ordered(app: Flask, order: str, staff: Actor) -> None:
    send(staff)
    paper = papers.latest_paper(db.session(), found())
    assert paper is not None
    assert "CHORALE" not in json.dumps(paper.content)
    assert "Chorale" not in json.dumps(paper.content)
    pdf, xlsx, table = (dispatch.kept(paper.id, form) for form in ("pdf", "xlsx", "csv"))
    assert [dispatch.kept(paper.id, form) for form in ("pdf", "xlsx", "csv")] == [pdf, xlsx, table]
    assert len(db.session.scalars(select(OrderFile.sha256)).all()) == 3
    words = " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())
    for said in ("Bon de commande", "hiver", "Papeterie", "Cahier recyclé", "2 × 10", "0,874", "17,48", "52,18"):
        assert said in words
    page = openpyxl.load_workbook(io.BytesIO(xlsx)).active
    assert page is not None
    rows = [list(row) for row in page.iter_rows(values_only=True)]
    top = next(number for number, row in enumerate(rows) if row[0] == "Référence")
    assert rows[top + 1] == ["C1", "Cahier recyclé", 2, 10, 20, "pièces", 0.874, 20, 17.48]
    assert rows[top + 2] == ["L1", '\'=HYPERLINK("http://x")', 2, 1, 2, "pièces", 12, 5.5, 24]
    assert [cell.data_type for row in page.iter_rows() for cell in row if cell.data_type == "f"] == [], "no formula"
    assert {row[6]: row[8] for row in rows[top + 3 :] if row[6]}["Total TTC"] == 52.18
    parsed = list(csv.reader(io.StringIO(table.decode("utf-8-sig")), delimiter=";"))
    assert parsed[1][:12] == [
        *("hiver", "1", "21/11/2026", "C1", "Cahier recyclé", "2", "10", "20", "pièces", "0,874", "20,0", "17,48")
    ]
    assert parsed[2][4] == '\'=HYPERLINK("http://x")'
    assert parsed[3][4] == "Livraison"
    assert len(parsed) == 4


# -- cancelled once the supplier has it ------------------------------------------------------------------


def cancel(staff: Actor, why: str = "Trop cher\ncette année") -> None:
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "cancel", NOW, why)


def called_off() -> list[tuple[str, str]]:
    db.session.rollback()
    rows = db.session.execute(
        select(Letter.to_address, Letter.state).where(Letter.template == "order_called_off").order_by(Letter.to_address)
    )
    return [(address, state) for address, state in rows]


def test_a_supplier_who_has_the_order_is_told_that_it_is_cancelled(
    app: Flask, order: str, staff: Actor, post: Post, quick: None
) -> None:
    send(staff)
    dispatch.at_once("hiver", NOW)
    cancel(staff)
    assert [event.act for event in found().events][-2:] == ["cancel", "call_off"], "in its history"
    post.taken.clear()
    assert delivery.deliver_now(app, "order:hiver:call_off", NOW) == "sent"
    (told,) = post.taken
    assert told["To"].addresses[0].addr_spec == "ventes@example.org"
    assert told["Reply-To"].addresses[0].addr_spec == "staff@example.org"
    for words in ("hiver", "version 1", "Trop cher", "Maison citoyenne Noël Guichard"):
        assert words in plain(told) + told["Subject"], words
    assert not any(name in plain(told) for name in ("Chorale", "Échiquier")), "nobody who pledged is named"
    assert called_off() == [("ventes@example.org", "sent")]


def test_every_address_that_had_it_is_told_also_after_it_was_reopened(
    app: Flask, order: str, staff: Actor, post: Post, quick: None
) -> None:
    send(staff)
    dispatch.at_once("hiver", NOW)
    with transaction() as session:
        sending.resend(session, staff, "hiver", NOW, to="depot@example.org")
    dispatch.at_once("hiver", NOW)
    with transaction() as session:
        sending.resend(session, staff, "hiver", NOW, to="jamais@example.org")
        lifecycle.change(session, staff, "hiver", "reopen", NOW, "Encore", CLOSES)
    cancel(staff)
    assert called_off() == [("depot@example.org", "queued"), ("ventes@example.org", "queued")]


def test_a_supplier_who_has_nothing_is_told_nothing(app: Flask, order: str, staff: Actor, post: Post) -> None:
    send(staff)
    with transaction() as session:
        sending.take_back(session, staff, "hiver", NOW)
    cancel(staff)
    assert called_off() == []
    assert [event.act for event in found().events][-1] == "cancel"


def test_what_was_ordered_by_hand_is_called_off_by_hand(app: Flask, order: str, staff: Actor) -> None:
    send(staff, how="hand")
    cancel(staff)
    assert called_off() == []
    known = calling_off.known(db.session(), found())
    assert known == calling_off.Known(1, [], by_hand=True)


def test_who_cancelled_learns_that_the_supplier_could_not_be_told(
    app: Flask, order: str, staff: Actor, post: Post, quick: None
) -> None:
    send(staff)
    dispatch.at_once("hiver", NOW)
    cancel(staff)
    post.answer = "550 no such reader"
    assert delivery.deliver_now(app, "order:hiver:call_off", NOW) == "dead"
    assert called_off() == [("ventes@example.org", "dead")]
    assert [event.act for event in found().events][-1] == "not_called_off"
    warning = db.session.scalars(select(Letter).where(Letter.template == "order_not_called_off")).one()
    assert warning.to_address == "staff@example.org"
    post.answer = "250 taken"
    delivery.deliver(app, NOW)
    assert "04 75 00 00 00" in next(plain(one) for one in post.taken if "550 no such reader" in plain(one))


def test_a_letter_that_left_while_nobody_could_act_on_it_reached_the_supplier(
    app: Flask, order: str, staff: Actor, post: Post, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(staff, how="hand")
    with monkeypatch.context() as broken:
        broken.setitem(app.extensions["letter_ended"], "order_to_supplier", broken_room)
        with transaction() as session:
            sending.resend(session, staff, "hiver", NOW, "email", to="depot@example.org")
        dispatch.at_once("hiver", NOW)
    assert (len(post.taken), states()[-1]) == (1, ("email", "waiting"))
    cancel(staff)
    assert states() == [("hand", "taken"), ("email", "taken")]
    assert called_off() == [("depot@example.org", "queued")]


def test_an_order_whose_letter_leaves_at_this_moment_is_not_cancelled(
    app: Flask, order: str, staff: Actor, post: Post, quick: None
) -> None:
    """Tried again a minute later, the letter would order what was called off."""
    send(staff)
    dispatch.at_once("hiver", NOW)
    with transaction() as session:
        sending.resend(session, staff, "hiver", NOW)
        queued = (Letter.template == "order_to_supplier", Letter.state == "queued")
        session.scalars(select(Letter).where(*queued)).one().state = "sending"
    with pytest.raises(lifecycle.LetterLeaving):
        cancel(staff)
    assert (found().state, called_off()) == ("sent", [])
