"""The sum that is shown while numbers are typed on the page of an order's articles."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from babel.numbers import format_currency
from playwright.sync_api import BrowserContext, expect

from tests.e2e.conftest import Site
from tests.e2e.test_handover import clean

pytestmark = pytest.mark.e2e
MEMBER, ORDER = "odile.sarrazande@example.com", "/orders/bureau-hiver-2026-scol"


def spaced(text: str) -> str:
    return re.sub(r"\s", " ", text)


def euros(number: float, locale: str) -> str:
    """An amount as the server writes it."""
    return spaced(format_currency(number, "EUR", locale=locale))


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_sum_follows_what_is_typed(site: Site, phone: Callable[..., BrowserContext], locale: str) -> None:
    page = phone().new_page()
    site.sign_in(page.context, MEMBER)
    page.goto(ORDER)
    if locale == "en":
        page.get_by_role("button", name="English").click()
    sum_, box = page.locator("[data-sum]"), page.locator("[data-each]").first
    expect(sum_).to_be_hidden()
    box.fill("3")  # of a pack that three do not fill: the total counts none of them
    page.locator(".basket").get_by_role("button").first.click()
    expect(page.get_by_role("status")).to_contain_text("1 article")
    total, each = int(sum_.get_attribute("data-sum") or "") / 100, float(box.get_attribute("data-each") or "")
    assert (total, box.input_value()) == (0, "3")
    for typed, units in (("1 003", 1003), ("1", 1), ("", 0)):
        box.fill(typed)
        expect(sum_).to_be_visible()
        assert euros(units * each, locale) in spaced(sum_.inner_text())
    box.fill("3")
    expect(sum_).to_be_hidden()
    clean(page, axe=True)
    box.fill("douze")
    expect(sum_).to_be_hidden()
    box.fill("4")
    page.get_by_role("button", name=re.compile("Enregistrer|Store"), exact=False).first.click()
    expect(page.get_by_role("status")).to_contain_text("1 article")
    expect(sum_).to_be_hidden()
    expect(box).to_have_value("4")


def test_without_scripts_the_page_is_as_it_was(site: Site, phone: Callable[..., BrowserContext]) -> None:
    page = phone(java_script_enabled=False).new_page()
    site.sign_in(page.context, MEMBER)
    page.goto(ORDER)
    expect(page.locator("[data-sum]")).to_be_hidden()
    page.locator("[data-each]").first.fill("1")
    page.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("1 article")
