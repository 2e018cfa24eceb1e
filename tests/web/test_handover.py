"""The counter's pages: from the label to the record, what is typed survives an error, and a photo must be one."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select, update

from sharebank.catalog.models import RuleSet
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.reservations import desk
from sharebank.reservations.handover.handover_models import Charge, Handover, HandoverPhoto
from sharebank.reservations.models import Reservation
from tests import world
from tests.counter import BUS, MEMBER, PLATES, STAFF, STAFF_STN, Book, Who, book, loan
from tests.world import at

__all__ = ["book"]  # the fixture
OUT = at(21, "10:00", "18:00")


@pytest.fixture
def ref(app: Flask, book: Book, actor: Who) -> str:
    """The choir's plates of today, approved."""
    app.config["WTF_CSRF_ENABLED"] = False
    [done] = book(MEMBER, OUT, {PLATES: 60}, purpose="Fête des voisins")
    if done.status == "requested":
        desk.change(actor(STAFF_STN), done.ref, "approve")
    return done.ref


def photo(name: str = "IMG_1.jpg", data: bytes | None = None) -> tuple[io.BytesIO, str]:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(out, "JPEG")
    return io.BytesIO(data or out.getvalue()), name


NAMES = {"borrower_name": "Odile Sarrazande", "staff_name": "Isabelle"}


def stored(table: Any) -> list[Any]:
    """Every row of a table as it is now."""
    db.session().rollback()
    return list(db.session().scalars(select(table).order_by(table.id)))


def sent(page: Any) -> str:
    """The text of a page, entities resolved enough for reading."""
    return page.get_data(as_text=True).replace("&#39;", "’").replace("\u202f", " ").replace("\xa0", " ")


def test_the_ordinary_case_is_two_names_and_a_tap(ref: str, signed_in: Callable[[str], Any]) -> None:
    """A form sent as it comes, with one name typed, hands everything over; and again, takes everything back."""
    browser = signed_in(STAFF_STN)
    for state in ("collected", "returned"):
        page = sent(browser.get(f"/handover/{ref}"))
        filled = {
            name: value
            for name, value in re.findall(r'<input(?! id="l0-out)[^>]* name="([^"]+)"[^>]* value="([^"]*)"', page)
            if name not in ("csrf_token", "next", "locale")
        }
        boxes = re.findall(r'<input checked[^>]* name="([^"]+)"', page)
        filled |= dict.fromkeys(boxes, "y")
        assert filled["staff_name"] == "Staff Stn"
        answer = browser.post(f"/handover/{ref}", data=filled | {"borrower_name": "Odile"})
        assert (answer.status_code, answer.location) == (303, f"/reservations/{ref}")
        assert loan(ref).status == state
    records = stored(Handover)
    assert [[line.quantity for line in record.lines] for record in records] == [[60], [60]]
    assert records[1].lines[0].facts["clean"] is True


def test_what_is_typed_survives_an_error(ref: str, signed_in: Callable[[str], Any]) -> None:
    browser = signed_in(STAFF_STN)
    typed = {"l0-quantity": "61", "l0-note": "Une ébréchée", "notes": "Sous la pluie", **NAMES}
    for changed, complaint in (
        ({}, "seulement 60"),
        ({"l0-quantity": "beaucoup"}, "nombre entier"),
        ({"l0-quantity": "99999999999999999999"}, "nombre entier"),
        ({"l0-quantity": "60", "borrower_name": " "}, "vaut signature"),
        ({"l0-quantity": "60", "l0-pieces": "-3"}, "nombre entier"),
        ({"l0-quantity": "60", "l0-seal": "glued"}, "Caisse"),
        ({"l0-quantity": "60", "l0-note": "x" * 501}, "500"),
        ({"l0-quantity": "0"}, "au moins une chose"),
    ):
        answer = browser.post(f"/handover/{ref}", data=typed | changed)
        page = sent(answer)
        assert answer.status_code == 422, changed
        assert complaint in page, changed
        assert "Sous la pluie" in page
        if "l0-note" not in changed:
            assert "Une ébréchée" in page
        assert "Photos" in page or "photos" in page
    assert loan(ref).status == "approved"


def test_a_photo_that_is_none_gets_its_message_and_nothing_is_kept(ref: str, signed_in: Callable[[str], Any]) -> None:
    browser = signed_in(STAFF_STN)
    typed = {"l0-quantity": "60", "notes": "Sous la pluie", **NAMES}
    answer = browser.post(f"/handover/{ref}", data=typed | {"photo": photo("photo.jpg", b"GIF89a not at all")})
    assert answer.status_code == 422
    assert "photo.jpg" in sent(answer)
    assert "Sous la pluie" in sent(answer)
    assert loan(ref).status == "approved"
    answer = browser.post(
        f"/handover/{ref}", data=typed | {"photo": photo(), "photos": [photo("b.jpg"), photo("c.jpg")]}
    )
    assert answer.status_code == 303
    assert len(stored(HandoverPhoto)) == 3
    answer = browser.post(f"/handover/{ref}/photos", data={"photos": [photo("x.pdf", b"%PDF-1.4")]})
    assert answer.status_code == 422
    answer = browser.post(f"/handover/{ref}/photos", data={"photos": [photo("d.jpg")]})
    assert answer.status_code == 303
    page = sent(browser.get(f"/handover/{ref}?record=1"))
    pictures = re.findall(r'src="(/handover/photos/[^"]+)"', page)
    assert len(pictures) == 4
    shot = browser.get(pictures[0])
    assert (shot.status_code, shot.mimetype) == (200, "image/jpeg")
    assert "immutable" in shot.headers["Cache-Control"]


def test_the_same_page_sent_twice_is_told_what_happened(ref: str, signed_in: Callable[[str], Any]) -> None:
    browser = signed_in(STAFF_STN)
    typed = {"act": "collect", "l0-quantity": "60", **NAMES}
    assert browser.post(f"/handover/{ref}", data=typed).status_code == 303
    assert browser.post(f"/handover/{ref}", data=typed).status_code == 409
    assert loan(ref).status == "collected"


def test_the_label_says_who_has_it_and_leads_to_the_counter(ref: str, signed_in: Callable[[str], Any]) -> None:
    def page(who: str) -> str:
        return sent(signed_in(who).get(f"/r/{PLATES.lower()}", follow_redirects=True))

    assert f"/handover/{ref}" in page(STAFF_STN)
    assert "Remettre" in page(STAFF_STN)
    assert "Chorale" in page(MEMBER)
    assert f"/handover/{ref}" not in page(MEMBER)
    assert "Chorale" not in page("other@example.org")
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", **NAMES})
    assert "Chez : Chorale" in page(STAFF_STN)
    assert "Reprendre" in page(STAFF_STN)
    assert "Sorti en ce moment" in page("other@example.org")
    assert "Chorale" not in page("other@example.org")


def test_the_day_s_list_puts_what_is_late_first(
    ref: str, book: Book, actor: Who, signed_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.change(actor(STAFF_STN), ref, "collect")
    [today] = book(STAFF_STN, at(24, "14:00", "16:00"), {PLATES: 5}, purpose="Goûter")
    [later] = book(STAFF_STN, at(25, "14:00", "16:00"), {PLATES: 5}, purpose="Demain")
    clock.set_source(lambda: at(24, "09:00", "10:00").start)
    page = sent(signed_in(STAFF_STN).get("/handover"))
    assert page.index("Fête des voisins") < page.index("Goûter")
    assert "Demain" not in page
    assert "En retard" in page
    other = sent(signed_in(STAFF).get("/handover"))
    assert "Goûter" not in other
    assert "Personne n’est attendu" in other
    assert later.ref != today.ref


def test_both_parties_read_the_record_and_only_staff_write(ref: str, signed_in: Callable[[str], Any]) -> None:
    member = signed_in(MEMBER)
    assert "Rien n’a été noté" in sent(member.get(f"/handover/{ref}"))
    assert member.post(f"/handover/{ref}", data=NAMES).status_code == 403
    assert signed_in("other@example.org").get(f"/handover/{ref}").status_code == 404
    staff = signed_in(STAFF_STN)
    staff.post(f"/handover/{ref}", data={"l0-quantity": "55", "l0-note": "Cinq restent là", **NAMES})
    page = sent(member.get(f"/handover/{ref}"))
    for words in ("55 ×", "Cinq restent là", "Odile Sarrazande", "Isabelle"):
        assert words in page


def test_a_partial_return_says_what_is_still_out(ref: str, signed_in: Callable[[str], Any]) -> None:
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", **NAMES})
    answer = browser.post(f"/handover/{ref}", data={"l0-quantity": "40", **NAMES}, follow_redirects=True)
    page = sent(answer)
    assert "Encore sortis : 20 × Assiettes plates" in page
    assert 'value="20"' in sent(browser.get(f"/handover/{ref}"))


@pytest.fixture
def charged(app: Flask) -> None:
    with transaction() as session:
        session.execute(update(RuleSet).values(terms=json.dumps({"charges": {"loss_cents": 450}})))


@pytest.mark.usefixtures("charged")
def test_charges_are_shown_corrected_and_added(ref: str, signed_in: Callable[[str], Any]) -> None:
    browser, member = signed_in(STAFF_STN), signed_in(MEMBER)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", **NAMES})
    browser.post(f"/handover/{ref}", data={"l0-quantity": "57", "l0-missing": "3", **NAMES})
    [charge] = stored(Charge)
    for page in (sent(browser.get(f"/reservations/{ref}")), sent(member.get(f"/reservations/{ref}"))):
        assert "13,50 €" in page
    assert "Corriger" not in sent(member.get(f"/reservations/{ref}"))
    where = f"/handover/charges/{charge.id}"
    for data, status in (
        ({"cents": "9,00", "why": ""}, 422),
        ({"cents": "beaucoup", "why": "x"}, 422),
        ({"cents": "999999999999", "why": "x"}, 422),
        ({"cents": "9,00", "why": "Deux seulement"}, 303),
    ):
        answer = browser.post(where, data=data)
        assert answer.status_code == status, data
        if status == 422 and data["why"]:
            assert f'value="{data["cents"]}"' in sent(answer)
    page = sent(member.get(f"/reservations/{ref}"))
    assert "Deux seulement" in page
    assert "9,00 €" in page
    add = f"/handover/{ref}/charges"
    assert browser.post(add, data={"words": "", "cents": "5"}).status_code == 422
    assert browser.post(add, data={"words": "Fêlures", "cents": "5"}).status_code == 303
    assert "Constaté après coup : Fêlures" in sent(member.get(f"/reservations/{ref}"))


def test_a_damaged_thing_is_kept_in_and_who_loses_it_is_listed_first(
    app: Flask, book: Book, actor: Who, signed_in: Callable[[str], Any]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    browser = signed_in(STAFF)
    [done] = book(STAFF, OUT, {BUS: 1})
    [next_one] = book(MEMBER, at(28, "10:00", "12:00"), {BUS: 1}, purpose="Concert à Valence")
    browser.post(f"/handover/{done.ref}", data={"l0-quantity": "1", **NAMES})
    back = {"l0-quantity": "1", "l0-broken": "1", "l0-out": "y", "l0-out_until": "2026-12-05", **NAMES}
    answer = browser.post(f"/handover/{done.ref}", data=back)
    assert answer.status_code == 422
    assert "ce qui ne va pas" in sent(answer)
    answer = browser.post(f"/handover/{done.ref}", data=back | {"l0-note": "Embrayage"})
    assert answer.location == f"/handover/{done.ref}/out/{BUS}"
    assert loan(done.ref).status == "returned"
    page = sent(browser.get(answer.location))
    for words in ("Concert à Valence", "Embrayage", "2026-12-05", f'name="confirmed" value="{next_one.ref}"'):
        assert words in page
    pending = sent(browser.get(f"/reservations/{done.ref}"))
    assert "devait être mis hors service" in pending
    asked = {"units": "1", "until": "2026-12-05", "why": "Embrayage"}
    assert browser.post(answer.location, data=asked).status_code == 409
    assert browser.post(answer.location, data=asked | {"until": "2026-11-01"}).status_code == 422
    assert loan(next_one.ref).status in ("requested", "approved")
    answer = browser.post(answer.location, data=asked | {"confirmed": next_one.ref})
    assert answer.status_code == 303
    assert loan(next_one.ref).status in ("declined", "cancelled")
    [closure] = [one for one in stored(Reservation) if one.kind == "closure"]
    assert closure.ends_at.astimezone(world.PARIS).date() == date(2026, 12, 6)
    assert "devait être mis hors service" not in sent(browser.get(f"/reservations/{done.ref}"))


def test_a_dial_that_went_back_is_said_beside_its_field(
    app: Flask, book: Book, signed_in: Callable[[str], Any]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    browser = signed_in(STAFF)
    [done] = book(STAFF, OUT, {BUS: 1})
    out = {"l0-quantity": "1", "l0-odometer": "81250", "l0-fuel": "3/4", "l0-driver": "Inès", **NAMES}
    browser.post(f"/handover/{done.ref}", data=out)
    page = sent(browser.get(f"/handover/{done.ref}"))
    assert "81 250 km au départ" in page
    assert re.search(r'<option selected value="3/4"', page)
    answer = browser.post(f"/handover/{done.ref}", data={"l0-quantity": "1", "l0-odometer": "81249", **NAMES})
    assert answer.status_code == 422
    assert 'id="l0-odometer-error"' in sent(answer)
