"""At the counter with a phone: collect with a photo, return with damage, the charge, the closure; axe finds nothing."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import BrowserContext, FilePayload, Page, expect
from sqlalchemy import update

from sharebank.catalog.models import RuleSet
from sharebank.core.db import transaction
from tests.e2e.conftest import Site

pytestmark = pytest.mark.e2e
STAFF = "isabelle.chantemerlin@example.org"  # of STN
REF, BIKE = "R26-0539", "STN-V02"  # leaves today at noon; it is lent again on 5 and 19 December


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_collect_with_a_photo_return_with_damage_charge_and_closure(
    script: bool, site: Site, phone: Callable[..., BrowserContext]
) -> None:
    with site.app.app_context(), transaction() as session:
        session.execute(update(RuleSet).values(terms=json.dumps({"charges": {"damage_cents": 4500}})))
    context = phone(java_script_enabled=script, color_scheme="light" if script else "dark")
    site.sign_in(context, STAFF)
    page = context.new_page()

    # The label on the bicycle leads to its page, which leads to the counter.
    page.goto(f"/r/{BIKE}")
    expect(page.get_by_role("heading", name="Pour : Récup'Pain")).to_be_visible()
    page.get_by_role("link", name="Remettre").click()
    clean(page, script)
    page.get_by_label("Prendre une photo").set_input_files(photo("navy"))
    page.get_by_label("Nom du représentant de l’emprunteur").fill("Ludovic Croutérel")
    page.get_by_role("button", name="Remettre").click()
    expect(page.get_by_role("status")).to_contain_text("La remise est notée")

    # It comes back broken: the day's list, the photo of before, what is wrong.
    page.goto("/handover")
    clean(page, script)
    page.get_by_role("listitem").filter(has_text="Récup'Pain").get_by_role("link", name="Reprendre").click()
    expect(page.get_by_role("img", name="Au départ, photo 1")).to_be_visible()
    page.get_by_text("Quelque chose à signaler").click()
    page.get_by_label("Cassés ou abîmés").fill("1")
    page.get_by_label("Mettre hors service").check()
    page.get_by_label("Hors service jusqu’au").fill("2026-12-06")
    page.get_by_label("Prendre une photo").set_input_files(
        FilePayload(name="photo.jpg", mimeType="image/jpeg", buffer=b"no photo at all")
    )
    page.get_by_label("Nom du représentant de l’emprunteur").fill("Ludovic Croutérel")
    page.get_by_role("button", name="Reprendre").click()
    expect(page.get_by_role("alert")).to_contain_text("Précisez dans la remarque ce qui ne va pas")
    clean(page, script)
    page.get_by_label("Remarque").fill("Roue voilée")
    page.get_by_label("Prendre une photo").set_input_files(
        FilePayload(name="photo.jpg", mimeType="image/jpeg", buffer=b"no photo at all")
    )
    page.get_by_role("button", name="Reprendre").click()
    expect(page.get_by_role("alert")).to_contain_text("n’est pas une photo")
    page.get_by_label("Prendre une photo").set_input_files(photo("maroon"))
    page.get_by_role("button", name="Reprendre").click()

    # A loan counts on it: who it is stands there before anybody is told.
    expect(page.get_by_role("heading", level=1)).to_have_text("Mettre hors service")
    expect(page.get_by_label("Pourquoi")).to_have_value("Roue voilée")
    expect(page.get_by_role("listitem").filter(has_text="sam. 5 déc.")).to_contain_text("Il prend fin")
    clean(page, script)
    page.get_by_role("button", name="Mettre hors service et les prévenir").click()
    expect(page.get_by_role("status")).to_contain_text("hors service")

    # The charge, corrected with a reason; and before and after side by side.
    table = page.get_by_role("table", name="Frais après le retour")
    expect(table).to_contain_text("45,00 €")
    clean(page, script)
    table.get_by_role("link", name=re.compile("Corriger")).click()
    page.get_by_label("Finalement dû").fill("20")
    page.get_by_label("Pourquoi").fill("Le rayon était déjà tordu")
    clean(page, script)
    page.get_by_role("button", name="Enregistrer").click()
    expect(table).to_contain_text("Le rayon était déjà tordu")
    expect(table.get_by_role("row", name=re.compile("^Total"))).to_contain_text("20,00 €")
    page.get_by_role("link", name="L’état des lieux, avant et après").click()
    expect(page.get_by_role("img")).to_have_count(2)
    clean(page, script)

    # Nobody can have it before the seventh.
    page.goto(f"/reservations/new?pick={BIKE}&day=2026-12-03&start=10:00&end=11:00&purpose=Essai")
    page.get_by_role("button", name=re.compile("^(Réserver|Envoyer la demande)$")).click()
    expect(page.get_by_role("alert")).to_contain_text("pas libre à ce moment")


def photo(colour: str) -> FilePayload:
    """A photo as a phone sends it."""
    out = io.BytesIO()
    Image.new("RGB", (1200, 900), colour).save(out, "JPEG")
    return FilePayload(name="IMG_0001.jpg", mimeType="image/jpeg", buffer=out.getvalue())


def clean(page: Page, axe: bool) -> None:
    """Axe, which is a script, finds nothing; and nothing sticks out of a phone's screen."""
    violations = Axe().run(page).response["violations"] if axe else []
    assert [(one["id"], one["nodes"][0]["target"]) for one in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
