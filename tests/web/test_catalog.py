"""The catalogue's pages over HTTP: what each person sees and does, and what a bad value answers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from sharebank.catalog import browsing, editing, labels
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core.db import db, transaction
from tests.services.test_catalog import book, picture

SignIn = Callable[[str], FlaskClient]
STAFF, OTHER_STAFF, MEMBER = "staff@example.org", "staff.stn@example.org", "member@example.org"
NEW = "/resources/new?house=MCNG&family=K"


def post(browser: FlaskClient, url: str, page: str, **data: Any) -> Any:
    """Send a form with the token of the page it stands on, and the mark of what its writer saw there."""
    shown = browser.get(page).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
    assert token
    seen = re.search(r'name="seen" type="hidden" value="(\w+)"', shown)
    return browser.post(url, data={"csrf_token": token[1], **({"seen": seen[1]} if seen else {}), **data})


def room(**more: object) -> dict[str, Any]:
    """What the edit form of a room sends."""
    sent = {
        "name": "Salle Isère",
        "category": "Salle de réunion",
        "capacity": "20",
        "area_m2": "38,5",
        "quantity": "1",
        "rule_set_id": str(db.session().scalars(select(RuleSet.id)).first()),
        "replacement_value_cents": "1 250,00 €",
        "attributes": "wifi: yes",
    }
    return sent | more


@pytest.fixture
def staff(signed_in: SignIn) -> FlaskClient:
    return signed_in(STAFF)


def kept(code: str) -> Resource:
    """The resource as stored, whatever this test's session read before."""
    db.session.rollback()
    db.session.expire_all()
    return browsing.resource(db.session(), code)


# -- looking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [STAFF, OTHER_STAFF, MEMBER])
def test_everybody_sees_what_every_house_lends(app: Flask, signed_in: SignIn, email: str) -> None:
    with transaction() as session:
        thing = browsing.resource(session, "STN-R01")
        thing.in_service, thing.out_of_service_reason = False, "Dégât des eaux"
    text = signed_in(email).get("/resources").text
    assert set(re.findall(r'href="/resources/([A-Z]+-[A-Z]\d\d)"', text)) == {
        "MCNG-R01",
        "MCNG-R03",
        "MCNG-V01",
        "STN-R01",
        "STN-K03",
    }
    assert "Dégât des eaux" in text


def test_the_list_is_narrowed_and_says_when_nothing_is_left(app: Flask, staff: FlaskClient) -> None:
    text = staff.get("/resources?q=SALLES&kind=room&house=STN&capacity=100").text
    assert re.findall(r'href="/resources/([A-Z]+-R\d\d)"', text) == ["STN-R01"]
    assert 'class="empty"' in staff.get("/resources?q=zeppelin").text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("capacity=beaucoup", "capacity"),
        ("capacity=0", "capacity"),
        ("capacity=99999999999999999999", "capacity"),
        ("capacity=1e3", "capacity"),
        ("kind=boat", "kind"),
        ("house=XXX", "house"),
        ("category=none", "category"),
        ("q=" + "x" * 101, "q"),
    ],
)
def test_a_bad_filter_is_told_at_its_field(app: Flask, staff: FlaskClient, query: str, field: str) -> None:
    answer = staff.get(f"/resources?{query}")
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert f'href="#{field}"' in answer.text


def test_a_thing_s_page_says_what_it_is_and_leads_to_booking(app: Flask, signed_in: SignIn) -> None:
    answer = signed_in(MEMBER).get("/resources/MCNG-V01")
    assert answer.status_code == 200
    for part in ("OZ-117-IU", 'href="/?pick=MCNG-V01"', "/planning?view=week&amp;house=MCNG"):
        assert part in answer.text
    assert "/edit" not in answer.text
    assert "<style" not in answer.text
    assert ' style="' not in answer.text
    assert signed_in(MEMBER).get("/rules").status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "/resources/MCNG-R99",
        "/resources/mcng-r01",
        "/r/nothing",
        "/labels/nothing.svg",
        "/photos/99999999999-00000000.jpg",
    ],
)
def test_what_is_unknown_is_not_found(app: Flask, staff: FlaskClient, url: str) -> None:
    assert staff.get(url).status_code == 404


def test_a_label_leads_to_its_thing_after_signing_in(app: Flask, client: FlaskClient, staff: FlaskClient) -> None:
    assert client.get("/r/mcng-r01").headers["Location"] == "/sign-in?next=/r/mcng-r01"
    assert staff.get("/r/mcng-r01").headers["Location"] == "/resources/MCNG-R01"


def test_house_colours_are_public_and_cached(app: Flask, client: FlaskClient) -> None:
    first = client.get("/houses.css")
    assert ".house-STN{--house:#C8502B}" in first.text
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert client.get("/houses.css", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


# -- who may change --------------------------------------------------------------------------------

FORMS = ["/resources/MCNG-R03/edit", "/resources/MCNG-R03/service", "/resources/MCNG-R03/photos", NEW]


@pytest.mark.parametrize("email", [OTHER_STAFF, MEMBER])
@pytest.mark.parametrize("url", FORMS)
def test_another_house_s_things_are_seen_not_changed(app: Flask, signed_in: SignIn, url: str, email: str) -> None:
    browser = signed_in(email)
    assert post(browser, url, "/resources", act="back", **room()).status_code == 403
    assert post(browser, url.replace("MCNG", "XX"), "/resources", **room()).status_code in (403, 404)
    if url in (FORMS[0], NEW):
        assert browser.get(url).status_code == 403


@pytest.mark.parametrize("url", FORMS)
def test_no_change_without_the_form_s_token(app: Flask, staff: FlaskClient, url: str) -> None:
    assert staff.post(url, data=room()).status_code == 400


# -- keeping ---------------------------------------------------------------------------------------


def test_a_room_is_edited(app: Flask, staff: FlaskClient) -> None:
    url = "/resources/MCNG-R03/edit"
    answer = post(staff, url, url, **room(description="Une ligne\r\n\r\nUne autre"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/resources/MCNG-R03")
    found = kept("MCNG-R03")
    assert (str(found.area_m2), found.replacement_value_cents) == ("38.50", 125_000)
    assert (found.description, found.attributes) == ("Une ligne\n\nUne autre", {"wifi": "yes"})
    # What the form shows is what it stores: sent again unchanged, nothing changes, in each language.
    for locale in ("fr", "en"):
        post(staff, "/locale", url, locale=locale)
        shown = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', staff.get(url).text))
        assert (
            post(staff, url, url, **room(**{name: shown[name] for name in shown if "cents" in name})).status_code == 303
        )
        assert kept("MCNG-R03").replacement_value_cents == 125_000


def test_the_second_of_two_editors_loses_nothing(app: Flask, staff: FlaskClient, signed_in: SignIn) -> None:
    url, seen = "/resources/MCNG-R03/edit", editing.mark(kept("MCNG-R03"))
    other = signed_in("manager@example.org")
    assert post(staff, url, url, seen=seen, **room(name="Salle bleue")).status_code == 303
    late = post(other, url, url, seen=seen, **room(name="Salle verte", location="Au fond"))
    assert late.status_code == 409
    assert 'value="Salle verte"' in late.text
    assert 'value="Au fond"' in late.text
    assert kept("MCNG-R03").name == "Salle bleue"
    again = re.search(r'name="seen" type="hidden" value="(\w+)"', late.text)
    assert again
    assert post(other, url, url, seen=again[1], **room(name="Salle verte")).status_code == 303
    assert post(other, url, url, seen="", **room(name="Salle rouge")).status_code == 409
    assert kept("MCNG-R03").name == "Salle verte"


BAD_VALUES = {
    "no name": ("name", ""),
    "blank name": ("name", "   "),
    "long name": ("name", "x" * 201),
    "no capacity": ("capacity", ""),
    "capacity in words": ("capacity", "vingt"),
    "huge capacity": ("capacity", "99999999999"),
    "area": ("area_m2", "38,555"),
    "no quantity": ("quantity", "0"),
    "negative": ("replacement_value_cents", "-5"),
    "not a number": ("deposit_cents", "nan"),
    "huge amount": ("deposit_cents", "99999999999999"),
    "exponent": ("rental_value_cents", "1e3"),
    "unknown rules": ("rule_set_id", "99999999999"),
    "date": ("purchased_on", "31/02/2024"),
    "facts": ("attributes", "wifi"),
}


@pytest.mark.parametrize(("field", "value"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_bad_value_is_told_at_its_field_and_nothing_is_lost(
    app: Flask, staff: FlaskClient, field: str, value: str
) -> None:
    url = "/resources/MCNG-R03/edit"
    answer = post(staff, url, url, **room(location="Au bout du couloir", **{field: value}))
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "Au bout du couloir" in answer.text
    if field != "rule_set_id":
        assert value in answer.text
    assert kept("MCNG-R03").location == ""


def test_a_quantity_below_what_is_booked_is_told_at_its_field(app: Flask, signed_in: SignIn) -> None:
    browser, url = signed_in(OTHER_STAFF), "/resources/STN-K03/edit"
    with transaction() as session:
        book(session, "STN-K03", 50)
    sent = room(name="Assiettes creuses", quantity="49")
    answer = post(browser, url, url, **sent)
    assert answer.status_code == 409
    assert 'id="quantity-error"' in answer.text
    assert 'value="Assiettes creuses"' in answer.text
    assert post(browser, url, url, **{**sent, "quantity": "50"}).status_code == 303


def test_a_thing_is_added_with_the_code_that_is_proposed(app: Flask, staff: FlaskClient) -> None:
    assert staff.get("/resources/new").status_code == 200
    assert staff.get("/resources/new?house=MCNG&family=Q").status_code == 422
    assert 'value="MCNG-K01"' in staff.get(NEW).text
    sent = {name: value for name, value in room().items() if name not in ("capacity", "area_m2")}
    assert post(staff, NEW, NEW, code="STN-K01", **sent).status_code == 422
    assert post(staff, NEW, NEW, code="MCNG-K01", **sent).status_code == 303
    taken = post(staff, NEW, NEW, code="MCNG-K01", **sent)
    assert taken.status_code == 409
    assert "MCNG-K02" in taken.text


def test_out_of_service_wants_a_reason(app: Flask, staff: FlaskClient) -> None:
    url, page = "/resources/MCNG-R03/service", "/resources/MCNG-R03/edit"
    refused = post(staff, url, page, reason=" ")
    assert refused.status_code == 422
    assert 'id="reason-error"' in refused.text
    assert post(staff, url, page, reason="Fuite").status_code == 303
    text = staff.get("/resources/MCNG-R03").text
    assert "Fuite" in text
    assert "/?pick=" not in text
    assert post(staff, url, page, act="back").status_code == 303
    assert kept("MCNG-R03").in_service


# -- photos ----------------------------------------------------------------------------------------


def send(browser: FlaskClient, *files: tuple[bytes, str]) -> Any:
    sent = [(io.BytesIO(data), name) for data, name in files]
    return post(browser, "/resources/MCNG-R03/photos", "/resources/MCNG-R03/edit", photos=sent)


def test_photos_are_shown_kept_and_served_for_ever(app: Flask, client: FlaskClient, staff: FlaskClient) -> None:
    assert send(staff, (picture(800, 600), "a.jpg"), (picture(form="PNG"), "b.png")).status_code == 303
    text = staff.get("/resources/MCNG-R03").text
    large, small = re.findall(r'(?:href|src)="(/photos/[^"]+)"', text)[:2]
    for url, size in ((large, (800, 600)), (small, (320, 240))):
        answer = staff.get(url)
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert answer.mimetype == "image/jpeg"
        with Image.open(io.BytesIO(answer.data)) as image:
            assert image.size == size
        assert client.get(url).status_code == 302
    assert staff.get(re.sub("-[0-9a-f]{8}", "-00000000", large)).status_code == 404
    assert small in staff.get("/resources").text
    first = kept("MCNG-R03").photos[0].id
    page = "/resources/MCNG-R03/edit"
    words = {f"p{first}-caption": "La fenêtre"}
    assert post(staff, f"/photos/{first}", page, **words).status_code == 303
    assert 'alt="La fenêtre"' in staff.get("/resources/MCNG-R03").text
    assert post(staff, f"/photos/{first}", page, **{f"p{first}-caption": "x" * 201}).status_code == 422
    assert post(staff, f"/photos/{first}/later", page).status_code == 303
    assert post(staff, f"/photos/{first}/delete", page).status_code == 303
    assert staff.get(large).status_code == 404


def test_a_bad_photo_is_told_and_none_is_kept(app: Flask, staff: FlaskClient) -> None:
    for files in (
        [(b"no", "a.jpg")],
        [(picture(), "a.jpg"), (b"no", "b.jpg")],
        [(b"", "")],
        [(picture(), "a.jpg")] * 9,
    ):
        answer = send(staff, *files)
        assert answer.status_code == 422
        assert 'id="photos-error"' in answer.text
    assert kept("MCNG-R03").photos == []


def test_several_photos_of_a_phone_fit_in_one_go(app: Flask, staff: FlaskClient) -> None:
    heavy = picture() + bytes(9_000_000)
    assert send(staff, (heavy, "a.jpg"), (heavy, "b.jpg"), (heavy, "c.jpg")).status_code == 303
    assert send(staff, *[(heavy, "a.jpg")] * 6).status_code == 413


# -- labels ----------------------------------------------------------------------------------------


def test_labels_are_printed_for_one_s_own_house(app: Flask, signed_in: SignIn, staff: FlaskClient) -> None:
    text = staff.get("/labels?house=MCNG&start=3").text
    assert re.findall(r'class="code">([^<]+)<', text) == ["MCNG-R01", "MCNG-R03", "MCNG-V01"]
    # Each label's picture is its own thing's, whatever is printed beside it.
    pictures = [labels.qr_data(f"http://127.0.0.1:5000/r/{code}") for code in ("MCNG-R01", "MCNG-R03", "MCNG-V01")]
    assert re.findall(r'src="(data:[^"]+)"', text) == pictures
    assert text.count('<li class="label"') == 5
    assert re.findall(r'class="code">([^<]+)<', staff.get("/labels?code=MCNG-V01").text) == ["MCNG-V01"]
    assert staff.get("/labels?code=STN-R01").status_code == 403
    assert staff.get("/labels?house=STN").status_code == 403
    assert staff.get("/labels?code=XX").status_code == 404
    assert signed_in(MEMBER).get("/labels").status_code == 403
    for start in ("0", "25", "x"):
        assert staff.get(f"/labels?start={start}").status_code == 422


def test_a_label_carries_the_site_s_own_address(app: Flask, staff: FlaskClient) -> None:
    import segno

    answer = staff.get("/labels/mcng-r01.svg")
    assert answer.mimetype == "image/svg+xml"
    out = io.BytesIO()
    qr = segno.make(app.config["SHAREBANK_BASE_URL"].rstrip("/") + "/r/MCNG-R01", error="m", micro=False)
    qr.save(out, kind="svg", border=2, light="#fff", omitsize=True, svgclass=None, lineclass=None)
    assert answer.data == out.getvalue()
