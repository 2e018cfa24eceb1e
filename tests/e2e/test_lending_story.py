"""The whole life of a loan on a phone: asked for, decided from the letter, signed, collected, brought back broken."""

from __future__ import annotations

import email
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from sharebank.catalog.models import RuleSet
from sharebank.core import clock
from sharebank.core.db import transaction
from sharebank.notifications.delivery import deliver
from tests.e2e.conftest import Site
from tests.e2e.test_handover import clean, photo

pytestmark = pytest.mark.e2e
MEMBER = "odile.sarrazande@example.com"  # signs for the choir
MANAGER = "herve.courbejaud@example.org"  # of MCNG, which lends
THING, RULES, PURPOSE = "MCNG-E06", "materiel_valeur", "Répétition publique"
NAME = "Système son 2 × 500 W"  # 2 900 €
LEAVES, COMES_BACK = datetime(2026, 11, 27, 13, 5, tzinfo=UTC), datetime(2026, 11, 27, 16, 50, tzinfo=UTC)


def test_from_the_request_to_the_closure(site: Site, phone: Callable[..., BrowserContext], tmp_path: Path) -> None:
    with site.app.app_context(), transaction() as session:
        rules = session.scalars(select(RuleSet).where(RuleSet.name == RULES)).one()
        more = {"agreement": {"mode": "per_loan", "firm": "signed"}, "charges": {"damage_percent": 10}}
        rules.terms = json.dumps(json.loads(rules.terms) | more)
    member, reader, staff = (phone().new_page() for _ in range(3))
    site.sign_in(member.context, MEMBER)
    site.sign_in(staff.context, MANAGER)

    # A member asks; the house decides.
    member.goto(f"/reservations/new?pick={THING}&day=2026-11-27&start=14:00&end=18:00")
    clean(member, axe=True)
    member.get_by_label("Pour quoi faire").fill(PURPOSE)
    member.get_by_label("le respect de la charte écologique").check()
    member.get_by_role("button", name="Envoyer la demande").click()
    expect(member.get_by_role("status")).to_contain_text("le créneau vous est gardé")
    clean(member, axe=True)
    reservation = member.url

    # The letter's link decides without signing in; opening it decides nothing.
    reader.goto(link_in(delivered(site, tmp_path, "À décider", MANAGER)))
    reader.reload()
    expect(reader.get_by_role("heading", level=1)).to_have_text(PURPOSE)
    clean(reader, axe=True)
    reader.get_by_role("button", name="Valider").click()
    expect(reader.get_by_role("status")).to_contain_text("Décidé par")
    clean(reader, axe=True)

    # The agreement is issued, and its letter leads whoever asked to it; until it is signed nothing is handed over.
    out = f"/handover/{reservation.rpartition('/')[2]}"
    hand_over(staff, out)
    expect(staff.get_by_role("alert")).to_contain_text("se remet une fois la convention signée")
    clean(staff, axe=True)
    member.goto(link_in(delivered(site, tmp_path, "À signer", MEMBER)))
    clean(member, axe=True)
    member.get_by_label("J’ai lu cette convention").check()
    expect(member.get_by_role("textbox").first).to_have_value("Odile Sarrazande")
    member.get_by_role("button", name="Accepter la convention").click()
    expect(member.get_by_role("status")).to_contain_text("La convention est signée")
    clean(member, axe=True)

    # The day has come: it leaves with a photo.
    clock.set_source(lambda: LEAVES)
    hand_over(staff, out)
    expect(staff.get_by_role("status")).to_contain_text("La remise est notée")
    expect(staff.get_by_text("1 photo", exact=True)).to_be_visible()
    clean(staff, axe=True)

    # It comes back broken: what is due, and until when nobody can have it.
    clock.set_source(lambda: COMES_BACK)
    staff.goto("/handover")
    clean(staff, axe=True)
    staff.get_by_role("listitem").filter(has_text=PURPOSE).get_by_role("link", name="Reprendre").click()
    clean(staff, axe=True)
    staff.get_by_text("Quelque chose à signaler").click()
    staff.get_by_label("Cassés ou abîmés").fill("1")
    staff.get_by_label("Mettre hors service").check()
    staff.get_by_label("Hors service jusqu’au").fill("2026-12-04")
    staff.get_by_label("Remarque").fill("Une enceinte crevée")
    staff.get_by_label("Prendre une photo").set_input_files(photo("maroon"))
    staff.get_by_label("Nom du représentant de l’emprunteur").fill("Odile Sarrazande")
    staff.get_by_role("button", name="Reprendre").click()

    # A tenth of what it is worth, kept back from the deposit.
    bill = staff.get_by_role("table", name="Frais après le retour")
    expect(bill).to_contain_text("casse sur 1 pièce, 10 % de la valeur de remplacement")
    expect(bill.get_by_role("row", name=re.compile("^Total"))).to_contain_text("290,00 €")
    clean(staff, axe=True)
    member.goto(reservation)
    expect(member.get_by_role("table", name="Frais après le retour")).to_contain_text("290,00 €")
    expect(member.get_by_role("link", name=re.compile("^Corriger"))).to_have_count(0)
    clean(member, axe=True)

    # And the planning has it closed, to the last day typed.
    for day, closed in (("2026-12-04", 1), ("2026-12-05", 0)):
        staff.goto(f"/planning?view=day&date={day}&house=MCNG")
        row = staff.get_by_role("row").filter(has=staff.get_by_role("link", name=NAME, exact=True))
        expect(row.locator(".bar.closure").filter(has_text="Une enceinte crevée")).to_have_count(closed)
        clean(staff, axe=True)


def delivered(site: Site, folder: Path, subject: str, reader: str) -> str:
    """The text of the one letter to this reader, once the clock has ticked."""
    deliver(site.app, clock.now() + timedelta(minutes=1))  # what could be taken back has left by then
    letters = [email.message_from_bytes(file.read_bytes(), policy=default) for file in folder.rglob("*.eml")]
    found = [one for one in letters if reader in one["To"] and one["Subject"].startswith(subject)]
    texts = [str(body.get_content()) for one in found if (body := one.get_body(("plain",)))]
    [text] = [text for text in texts if PURPOSE in text]
    return text


def link_in(text: str) -> str:
    """Where the letter leads, on this site."""
    [path] = re.findall(r"https?://[^/\s]+(/(?:decide|agreements)/\S+)", text)
    return path


def hand_over(page: Page, path: str) -> None:
    """At the counter: a photo, a name, done."""
    page.goto(path)
    clean(page, axe=True)
    page.get_by_label("Prendre une photo").set_input_files(photo("navy"))
    page.get_by_label("Nom du représentant de l’emprunteur").fill("Odile Sarrazande")
    page.get_by_role("button", name="Remettre").click()
