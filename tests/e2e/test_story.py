"""The main job on a phone: find a room for forty next Saturday, add sixty plates of another house, see it planned."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Site

pytestmark = pytest.mark.e2e
MEMBER = "odile.sarrazande@example.com"  # of the choir, whose house is MCNG
PASSWORD = "sharebank-demo"


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_member_finds_and_books_a_room_and_sixty_cups_of_another_house(
    script: bool, site: Site, phone: Callable[..., BrowserContext]
) -> None:
    page = phone(java_script_enabled=script).new_page()

    page.goto("/")
    page.get_by_label("Adresse électronique").fill(MEMBER)
    page.get_by_label("Mot de passe", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Se connecter", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("De quoi avez-vous besoin"))

    # Next Saturday is proposed already; for forty people.
    expect(page.get_by_label("Le", exact=True)).to_have_value("2026-11-28")
    page.get_by_label("Pour combien").fill("40")
    page.get_by_role("button", name="Chercher").click()
    room = page.get_by_role("listitem").filter(has_text="Grande salle du rez-de-chaussée")
    expect(room).to_contain_text("Libre")
    room.get_by_role("button", name="Ajouter et continuer").click()

    # The same time, now cups, which the other house lends without being asked.
    page.get_by_label("J’ai besoin de").fill("gobelets")
    page.get_by_label("Pour combien").fill("60")
    page.get_by_role("button", name="Chercher").click()
    cups = page.locator(".result.house-STN").filter(has_text="Gobelet réutilisable")
    expect(cups).to_contain_text("libres sur 400")
    cups.get_by_role("button", name=re.compile("^Réserver")).click()

    # One page, one word to say, one promise the first time, one button.
    expect(page.get_by_role("heading", level=1)).to_have_text("Nouvelle réservation")
    expect(page.locator("form.form")).to_contain_text("Grande salle du rez-de-chaussée")
    expect(page.locator("form.form")).to_contain_text("Gobelet réutilisable")
    page.get_by_label("Pour quoi faire").fill("Repas de la chorale")
    promise(page)
    page.get_by_role("button", name="Envoyer la demande").click()

    # Requested of one house, booked at the other; the slot is held.
    expect(page.get_by_role("status")).to_contain_text("le créneau vous est gardé")
    expect(page.get_by_role("heading", level=1)).to_have_text("Repas de la chorale")
    expect(page.get_by_text("Demandé en même temps")).to_be_visible()

    # And it stands on the planning, of each of the two houses.
    page.get_by_role("link", name="Voir sur le planning").click()
    expect(planned(page)).to_have_count(1)
    for house, thing in (("MCNG", "Grande salle du rez-de-chaussée"), ("STN", "Gobelet réutilisable")):
        for view in ("day", "week"):
            page.goto(f"/planning?view={view}&date=2026-11-28&house={house}")
            expect(planned(page)).to_have_count(1)
            expect(page.get_by_role("row").filter(has=planned(page))).to_contain_text(thing)
    assert_fits(page)


def promise(page: Page) -> None:
    """Tick what the rules want promised; what was promised before is not asked again."""
    box = page.get_by_label("le respect de la charte écologique")
    if box.count():
        box.check()


def planned(page: Page) -> object:
    """The bars of the booking just made."""
    return page.locator(".bar").filter(has_text="Repas de la chorale")


def test_what_is_taken_is_said_with_ways_out_one_tap_away(site: Site, phone: Callable[..., BrowserContext]) -> None:
    context = phone()
    site.sign_in(context, MEMBER)
    page = context.new_page()
    # The minibus is in the snow on 13 December.
    page.goto("/reservations/new?pick=MCNG-V01&day=2026-12-13&start=10:00&end=12:00&purpose=Concert")
    promise(page)
    page.get_by_role("button", name="Envoyer la demande").click()
    expect(page.get_by_role("alert")).to_contain_text("pas libre à ce moment")
    expect(page.get_by_role("heading", name="Ce que vous pouvez faire")).to_be_visible()
    page.get_by_role("link", name=re.compile("Choisir ceci")).last.click()
    expect(page.get_by_label("Pour quoi faire")).to_have_value("Concert")
    promise(page)
    page.get_by_role("button", name="Envoyer la demande").click()
    expect(page.get_by_role("status")).to_contain_text("Votre demande est envoyée")


def test_what_is_not_insured_is_said_and_lent_by_its_house_only_with_a_reason(
    site: Site, phone: Callable[..., BrowserContext]
) -> None:
    asked = "/reservations/new?pick=ORS-R01&day=2026-12-01&start=10:00&end=12:00&purpose=Concert"
    for who, may in ((MEMBER, False), ("olivier.crozemard@example.org", True)):
        context = phone(java_script_enabled=may)
        site.sign_in(context, who)
        page = context.new_page()
        page.goto(asked)
        page.get_by_role("button", name=re.compile("^(Réserver|Envoyer la demande)$")).click()
        expect(page.get_by_role("alert")).to_contain_text(
            "Sécurité incendie (PV-ORS-2021-06), valable jusqu’au mardi 10"
        )
        expect(page.get_by_label("Prêter quand même")).to_have_count(int(may))
        assert_fits(page)
    page.get_by_label("Prêter quand même").fill("La commission passe le 30")
    page.get_by_role("button", name="Réserver").click()
    expect(page.get_by_role("status")).to_contain_text("C’est réservé")
    expect(page.locator(".timeline")).to_contain_text("La commission passe le 30 (PV-ORS-2021-06 → 2026-11-10)")


def test_staff_book_their_own_room_at_once_and_decline_a_request_with_a_word(
    site: Site, phone: Callable[..., BrowserContext]
) -> None:
    context = phone()
    site.sign_in(context, "isabelle.chantemerlin@example.org")  # staff of STN
    page = context.new_page()
    page.goto("/reservations/new?pick=STN-R03&day=2026-11-26&start=06:00&end=07:00&purpose=Inventaire")
    page.get_by_role("button", name="Réserver").click()
    expect(page.get_by_role("status")).to_contain_text("C’est réservé")

    page.goto("/reservations?scope=house")
    waiting = page.get_by_role("listitem").filter(has_text="Demandée").first
    waiting.get_by_role("link").click()
    page.get_by_role("button", name="Refuser").click()
    expect(page.get_by_role("alert")).to_contain_text("Dites pourquoi")
    page.get_by_label("Un mot d’explication").fill("La salle est en travaux ce jour-là.")
    page.get_by_role("button", name="Refuser").click()
    expect(page.get_by_role("status")).to_contain_text("La demande est refusée")
    expect(page.locator(".timeline")).to_contain_text("La salle est en travaux")


def assert_fits(page: Page) -> None:
    """Nothing sticks out of a phone's screen."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
