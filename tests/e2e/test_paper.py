"""What is printed: on A4, on one page, and readable on a phone when nobody prints it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from pypdf import PdfReader
from sqlalchemy import select

from sharebank.accounts import directory
from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.core.period import to_utc
from sharebank.reservations.models import Reservation, ReservationLine
from tests import world
from tests.e2e.conftest import Site

pytestmark = pytest.mark.e2e

STAFF = "herve.courbejaud@example.org"
ROOM = "MCNG-R03"
MONDAY = datetime(2027, 8, 9)  # noqa: DTZ001 - wall time
A4 = (595, 842)


def fill(site: Site, a_day: list[int], purpose: str) -> None:
    """So many bookings on each day of the week, an hour or less apart."""
    with site.app.app_context():
        with transaction() as session:
            room = session.scalars(select(Resource).where(Resource.code == ROOM)).one()
            person = directory.actor_of_email(session, STAFF)
            assert person is not None
            for day, count in enumerate(a_day):
                for number in range(count):
                    start = MONDAY + timedelta(days=day, hours=6, minutes=60 * number if count <= 16 else 30 * number)
                    session.add(booking(room, person.user_id, f"R27-W{day}{number:03}", start, purpose))
        db.session.remove()


def booking(room: Resource, user_id: int, ref: str, start: datetime, purpose: str) -> Reservation:
    first = to_utc(start, world.PARIS)
    period: dict[str, Any] = {"starts_at": first, "ends_at": first + timedelta(minutes=30)}
    return Reservation(
        ref=ref,
        request=ref,
        lender_id=room.house_id,
        borrower_id=room.house_id,
        user_id=user_id,
        status="approved",
        purpose=purpose,
        created_at=world.NOW,
        lines=[ReservationLine(resource_id=room.id, quantity=1, **period)],
        **period,
    )


def printed(page: Page, path: str) -> PdfReader:
    """The page as Chromium prints it, by the sheet's own @page."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200
    return PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))


def size(reader: PdfReader) -> tuple[int, int]:
    box = reader.pages[0].mediabox
    return round(box.width), round(box.height)


@pytest.mark.parametrize(
    ("a_day", "purpose"),
    [
        ([0] * 7, ""),
        ([1, 2, 1, 2, 1, 0, 0], "Atelier de français"),
        ([8, 0, 0, 0, 0, 0, 0], "Atelier de conversation en français pour grands débutants"),
        ([4] * 7, "Réunion du conseil d’administration et du bureau de la régie de quartier"),
        ([8] * 7, "Réunion du conseil d’administration et du bureau de la régie de quartier"),
        ([12] * 7, "Réunion " * 30),
        ([24, 12, 12, 12, 12, 12, 24], "M" * 300),
    ],
    ids=["empty", "quiet", "one full day", "four a day", "eight a day", "twelve a day", "beyond reason"],
)
def test_a_week_on_a_door_is_one_page(
    a_day: list[int], purpose: str, site: Site, phone: Callable[..., BrowserContext]
) -> None:
    fill(site, a_day, purpose)
    context = phone(viewport={"width": 1280, "height": 900})
    site.sign_in(context, STAFF)
    page = context.new_page()
    paper = printed(page, f"/resources/{ROOM}/week?date=2027-08-11&door=all")
    assert (len(paper.pages), size(paper)) == (1, A4)
    text = paper.pages[0].extract_text()
    assert "Salle" in text
    assert "lundi" in text
    assert text.count("06:00") == sum(count > 0 for count in a_day)
    assert "Imprimer" not in text, "the buttons stay on the screen"
    for said in purpose.split()[:1]:
        assert said[:12] in text


def test_the_day_is_printed_with_its_boxes(site: Site, phone: Callable[..., BrowserContext]) -> None:
    context = phone(viewport={"width": 1280, "height": 900})
    site.sign_in(context, STAFF)
    page = context.new_page()
    paper = printed(page, "/day?date=2026-12-12&house=MCNG")
    assert size(paper) == A4
    assert len(paper.pages) == 1
    text = paper.pages[0].extract_text()
    for words in ("Départs et retours", "samedi 12 décembre 2026", "En retard", "Qui", "Quoi"):
        assert words in text
    assert page.locator(".tick").count() > 1
    late = page.locator("section").first
    assert late.locator("h2").inner_text() == "En retard"


@pytest.mark.parametrize(
    "path", ["/day?date=2026-12-12&house=MCNG", f"/resources/{ROOM}/week?date=2027-08-11&door=all"]
)
def test_paper_reads_on_a_phone(path: str, site: Site, phone: Callable[..., BrowserContext]) -> None:
    fill(site, [12] * 7, "Réunion " * 10)
    context = phone()
    site.sign_in(context, STAFF)
    page = context.new_page()
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('.sheet').scrollWidth") <= 360
    for call in page.locator("a.phone").all()[:3]:
        box = call.bounding_box()
        assert box is not None
        assert box["height"] >= 44
