"""One of each thing an address may name, for the walk over every route: all are MCNG's, the token is the member's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts import directory, service
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.agreements import issuing, signing, subjects
from sharebank.catalog.models import Photo
from sharebank.core.db import transaction
from sharebank.insurance.documents import Paper
from sharebank.insurance.models import Coverage, CoverageDocument, Driver, SeenPaper
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import OrderPhoto
from sharebank.orders.models import GroupOrder
from sharebank.orders.settlement import payments
from sharebank.orders.supply import prices
from sharebank.orders.supply.supplier_models import PriceItem, PriceList, Supplier
from sharebank.reservations import booking
from sharebank.reservations.booking import Ask
from sharebank.reservations.calendars import feeds
from sharebank.reservations.handover.handover_models import Charge, Handover, HandoverPhoto
from sharebank.reservations.models import Reservation
from sharebank.reservations.series import series_booking
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_rules import Plan, read_rule
from sharebank.reservations.waiting.waiting_models import WaitingEntry
from tests import world


@pytest.fixture
def samples(app: Flask, actor: Callable[[str], Any]) -> dict[str, Any]:
    """One of each thing an address may name: all are MCNG's, the token is the member's."""
    member = actor("member@example.org")
    ask = Ask("CHORALE", "Répétition", world.at(28, "14:00", "18:00"), {"MCNG-R01": 1})
    with transaction() as session:
        booked = booking.book(session, member, ask, world.NOW, world.PARIS)
        twice = Plan(datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10), read_rule("FREQ=DAILY;COUNT=2"))  # noqa: DTZ001
        again = SeriesAsk("CHORALE", "Répétition", {"MCNG-R03": 1}, twice)
        series = series_booking.book(session, actor("staff@example.org"), again, None, world.NOW, world.PARIS)
        photo = Photo(
            resource_id=1, width=1, height=1, sha256="ab" * 32, image=b"x", thumbnail=b"x", created_at=world.NOW
        )
        session.add(photo)
        day = world.NOW.date()
        house_id = session.scalars(select(Organisation.id).where(Organisation.code == "MCNG")).one()
        contract = Coverage(
            holder_id=house_id,
            kind="liability",
            body="Mutuelle",
            contract_number="PB-1",
            ends_on=day,
            created_at=world.NOW,
        )
        contract.documents = [
            CoverageDocument(
                name="a.pdf", media_type="application/pdf", sha256="ab" * 32, content=b"%PDF-", created_at=world.NOW
            )
        ]
        driver = Driver(organisation_id=house_id, name="Inès", licence_class="B", licence_since=day, seen_on=day)
        statutes = SeenPaper(organisation_id=member.roles[0].organisation_id, kind="statutes", seen_on=day)
        session.add_all([contract, driver, statutes])
        place = WaitingEntry(
            lender_id=house_id,
            borrower_id=member.roles[0].organisation_id,
            user_id=member.user_id,
            starts_at=world.at(28, "14:00", "18:00").start,
            ends_at=world.at(28, "14:00", "18:00").end,
            purpose="Répétition",
            created_at=world.NOW,
        )
        loan = session.scalars(select(Reservation).where(Reservation.ref == booked[0].ref)).one()
        meeting = Handover(reservation_id=loan.id, kind="collect", at=world.NOW, staff_name="a", borrower_name="b")
        shot = HandoverPhoto(width=1, height=1, sha256="ab" * 32, image=b"x", thumbnail=b"x", created_at=world.NOW)
        meeting.photos = [shot]
        charge = Charge(reservation_id=loan.id, kind="late", cents=100, sentence="Late.", facts={}, at=world.NOW)
        session.add_all([place, meeting, charge])
        session.flush()
        service.issue_api_token(session, "member@example.org", world.NOW)
        feed, _ = feeds.make(session, member, "resource", "MCNG-R01", world.NOW)
        seat = session.connection().exec_driver_sql(
            "SELECT m.id FROM membership m JOIN user_account u ON u.id = m.user_id WHERE u.email = 'member@example.org'"
        )
        token = session.connection().exec_driver_sql("SELECT id FROM token WHERE purpose = 'api'")
        letter = session.connection().exec_driver_sql(
            "UPDATE letter SET state = 'dead' WHERE to_address = 'member@example.org' RETURNING id"
        )
        staff = actor("staff@example.org")
        matter = subjects.of_loan(session, loan, world.PARIS)
        agreement = issuing.issue(session, staff, matter, world.NOW, world.PARIS)
        paper = Paper("a.pdf", "application/pdf", b"%PDF-")
        signing.record(session, staff, agreement.number, "Odile", paper, world.NOW)
        return {
            "ref": booked[0].ref,
            "series_ref": series.ref,
            "code": "MCNG-R01",
            "rules": "simple",
            "structure": "CHORALE",
            "photo_id": photo.id,
            "coverage_id": contract.id,
            "entry_id": place.id,
            "shot_id": shot.id,
            "charge_id": charge.id,
            "document_id": contract.documents[0].id,
            "driver_id": driver.id,
            "paper_id": statutes.id,
            "number": agreement.number,
            "kind": "loan",
            "mark": "abababab",
            "seat_id": seat.scalar_one(),
            "token_id": token.scalar_one(),
            "token": "no-such-token",
            "secret": "no-such-address",
            "house": "MCNG",
            "feed_id": feed.id,
            "letter_id": letter.scalars().all()[0],
            "filename": "style.css",
            "order_code": group_order(session, staff),
            "snap_id": note_photo(session),
            "sku": "C1",
            "supplier_code": "PAP",
            "draft_id": prices.put_draft(session, staff, "PAP", "p.csv", FILE_OF_PRICES, world.NOW).id,
            "form": "xlsx",
            "payment_id": payment(session, staff),
        }


FILE_OF_PRICES = b"sku,name,pack_size,unit_price_excl_vat_eur,vat_rate\nC1,Cahier,10,2,20\n"


def group_order(session: Session, staff: Actor) -> str:
    """An open order for one article."""
    paper = Supplier(code="PAP", name="Papeterie")
    first, second = (PriceList(supplier=paper, version=number, created_at=world.NOW) for number in (1, 2))
    session.add_all([first, second])
    session.flush()
    article = {"sku": "C1", "name": "Cahier", "unit": "piece", "pack": 10, "price": Decimal(1), "vat": Decimal(20)}
    session.add(PriceItem(price_list_id=second.id, **article))
    session.flush()
    making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", world.NOW + timedelta(5)), world.NOW)
    lifecycle.change(session, staff, "hiver", "open", world.NOW)
    return "hiver"


def payment(session: Session, staff: Actor) -> int:
    """The choir's payment to MCNG for an order that came."""
    draft = Draft("printemps", "Fournitures", "PAP", "MCNG", world.NOW + timedelta(5))
    order = making.make_order(session, staff, draft, world.NOW)
    lifecycle.change(session, staff, "printemps", "open", world.NOW)
    choir = directory.organisation(session, "CHORALE")
    assert choir is not None
    pledging.pledge_many(session, order, choir, staff.user_id, {"C1": (10, 10)}, world.NOW)
    session.refresh(order)
    order.state, order.items[0].ordered, order.items[0].received = "received", 10, 10
    session.flush()
    return payments.note_payment(session, staff, "printemps", "CHORALE", "MCNG", 1, world.NOW.date(), world.NOW).id


def note_photo(session: Session) -> int:
    """A photo of that order's delivery note."""
    order = session.scalars(select(GroupOrder)).one()
    photo = OrderPhoto(width=1, height=1, sha256="ab" * 32, image=b"x", thumbnail=b"x", created_at=world.NOW)
    photo.order_id = order.id
    session.add(photo)
    session.flush()
    return photo.id
