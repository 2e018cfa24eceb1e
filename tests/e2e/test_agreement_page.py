"""An agreement on a wide screen: the words of its tables stay whole; what is wider than its column scrolls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext
from sqlalchemy import select

from sharebank.accounts import directory
from sharebank.agreements import general
from sharebank.core.db import transaction
from sharebank.reservations.models import Reservation
from tests.e2e.conftest import Site
from tests.world import NOW, PARIS

pytestmark = pytest.mark.e2e
STAFF = "herve.courbejaud@example.org"
BROKEN = """
() => [...document.querySelectorAll('.convention th, .convention td')].flatMap(cell => {
  const text = cell.firstChild;
  if (!text) return [];
  return [...text.textContent.matchAll(/[\\p{L}]{2,}/gu)].filter(word => {
    const range = document.createRange();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
  }).map(word => word[0]);
})
"""


@pytest.mark.parametrize("width", [760, 1280])
def test_no_word_of_a_table_is_broken(width: int, site: Site, phone: Callable[..., BrowserContext]) -> None:
    with site.app.app_context(), transaction() as session:
        manager = directory.actor_of_email(session, STAFF)
        assert manager is not None
        loan = session.scalars(select(Reservation.id).where(Reservation.ref == "R26-0604")).one()
        number = general.of_loan(session, manager, loan, NOW, PARIS).number
    context = phone(viewport={"width": width, "height": 740})
    site.sign_in(context, STAFF)
    page = context.new_page()
    page.goto(f"/agreements/{number}")
    assert page.locator(".convention .table-scroll > table").count() == page.locator(".convention table").count() > 1
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
