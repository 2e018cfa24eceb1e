"""The catalogue on both databases: who may change it, what it finds, what the database guards."""

from __future__ import annotations

import csv
import io
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from flask_babel import force_locale, gettext
from PIL import Image
from sqlalchemy import event, select

from sharebank.accounts.actor import Actor
from sharebank.app import ROOT
from sharebank.catalog import attributes, browsing, editing, photos
from sharebank.catalog.models import Photo, Resource, RuleSet
from sharebank.catalog.rules import (
    BadCode,
    BadPhoto,
    CodeTaken,
    NoReason,
    PhotoTooHeavy,
    PhotoTooLarge,
    StillBooked,
    TooManyPhotos,
)
from sharebank.catalog.service import Wish, find_things
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.reservations.models import Reservation, ReservationLine
from tests import world

Find = Callable[[str], Actor]
STAFF, OTHER_STAFF, ADMIN, MEMBER = (
    "staff@example.org",
    "staff.stn@example.org",
    "admin@example.org",
    "member@example.org",
)
LATER = datetime(2090, 1, 1, 10, tzinfo=UTC)
"""After the database's own clock, whenever this runs: the guard looks at what is to come."""


def details(**more: object) -> dict[str, object]:
    rule_set = db.session().scalars(select(RuleSet.id)).first()
    return {"name": "Étuve", "category": "Cuisson", "quantity": 2, "rule_set_id": rule_set, **more}


def book(session: object, code: str, quantity: int) -> None:
    thing = browsing.resource(session, code)  # type: ignore[arg-type]
    loan = Reservation(
        ref="R90-1",
        kind="loan",
        request="R90-1",
        lender_id=thing.house_id,
        borrower_id=thing.house_id,
        user_id=1,
        starts_at=LATER,
        ends_at=LATER.replace(hour=12),
        status="approved",
        purpose="Fête",
        created_at=world.NOW,
    )
    line = ReservationLine(resource_id=thing.id, quantity=quantity, starts_at=LATER, ends_at=LATER.replace(hour=12))
    loan.lines = [line]
    session.add(loan)  # type: ignore[attr-defined]


def picture(width: int = 40, height: int = 20, form: str = "JPEG", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, form, **more)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A small file whose header promises that many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(500)))


# -- finding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["assiettes", "ASSIETTE plate", "vaisselles", "stn-k03"])
def test_a_word_finds_whatever_its_accents_case_and_number(app: Flask, typed: str) -> None:
    assert [thing.code for thing in find_things(db.session(), Wish(words=typed))] == ["STN-K03"]


def test_a_wildcard_is_only_a_letter(app: Flask) -> None:
    assert find_things(db.session(), Wish(words="%")) == []


def test_the_nearest_house_comes_first(app: Flask) -> None:
    session = db.session()
    assert [shelf.house for shelf in browsing.shelves(session, Wish(), "STN")] == ["STN", "MCNG"]
    assert [shelf.house for shelf in browsing.shelves(session, Wish(), "MCNG")] == ["MCNG", "STN"]


def test_the_list_asks_the_database_twice_however_long_it_is(app: Flask) -> None:
    asked = []
    session = db.session()
    session.connection()
    event.listen(db.engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    browsing.shelves(session, Wish(), "")
    assert len(asked) == 2
    asked.clear()
    found = browsing.resource(session, "MCNG-R01")
    assert (found.house.code, found.rule_set.name, found.photos) == ("MCNG", "simple", [])
    assert len(asked) == 1


# -- who may change --------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [STAFF, "manager@example.org", ADMIN])
def test_the_house_s_own_staff_edit(app: Flask, actor: Find, email: str) -> None:
    with transaction() as session:
        editing.change(session, actor(email), "MCNG-R03", {"name": "Salle Œuvrière"})
    assert [thing.code for thing in find_things(db.session(), Wish(words="oeuvriere"))] == ["MCNG-R03"]


@pytest.mark.parametrize("email", [OTHER_STAFF, "manager.stn@example.org", MEMBER])
def test_nobody_else_edits(app: Flask, actor: Find, email: str) -> None:
    who, session = actor(email), db.session()
    acts: list[Callable[[], object]] = [
        lambda: editing.change(session, who, "MCNG-R03", {"name": "À moi"}),
        lambda: editing.put_in_service(session, who, "MCNG-R03"),
        lambda: editing.take_out_of_service(session, who, "MCNG-R03", "non", date(2026, 1, 1)),
        lambda: editing.create(session, who, "MCNG", "K", "MCNG-K01", details()),
        lambda: photos.add(session, who, "MCNG-R03", [], world.NOW),
        lambda: browsing.to_label(session, who, Wish(), ["MCNG-R03"]),
    ]
    for act in acts:
        with pytest.raises(NotAllowed):
            act()
    assert not session.dirty
    assert not session.new


def test_what_does_not_exist_is_not_found(app: Flask, actor: Find) -> None:
    session, who = db.session(), actor(ADMIN)
    acts: list[Callable[[], object]] = [
        lambda: editing.change(session, who, "MCNG-R99", {}),
        lambda: editing.create(session, who, "CHORALE", "K", "CHORALE-K01", details()),
        lambda: photos.remove(session, who, 99),
        lambda: browsing.picture(session, 99, "00000000", small=True),
        lambda: browsing.to_label(session, who, Wish(), ["MCNG-R99"]),
        lambda: browsing.canonical_code(session, "mcng-r99"),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            act()


# -- changing --------------------------------------------------------------------------------------


def test_a_new_thing_is_found_and_its_number_is_not_proposed_again(app: Flask, actor: Find) -> None:
    with transaction() as session:
        code = editing.propose_code(session, "MCNG", "K")
        editing.create(session, actor(STAFF), "MCNG", "K", code, details())
    assert code == "MCNG-K01"
    assert [thing.code for thing in find_things(db.session(), Wish(words="etuves"))] == [code]
    assert editing.propose_code(db.session(), "MCNG", "K") == "MCNG-K02"


def test_a_code_is_unique_and_says_its_house(app: Flask, actor: Find) -> None:
    with pytest.raises(CodeTaken) as refused, transaction() as session:
        editing.create(session, actor(STAFF), "MCNG", "R", "MCNG-R03", details())
    assert refused.value.facts["free"] == "MCNG-R04"
    with pytest.raises(BadCode), transaction() as session:
        editing.create(session, actor(STAFF), "MCNG", "K", "STN-K77", details())


def test_a_pool_cannot_fall_below_what_is_booked(app: Flask, actor: Find) -> None:
    with transaction() as session:
        book(session, "STN-K03", 50)
    with pytest.raises(StillBooked) as refused, transaction() as session:
        editing.change(session, actor(OTHER_STAFF), "STN-K03", {"quantity": 49, "name": "Perdu"})
    assert (refused.value.status, refused.value.field) == (409, "quantity")
    db.session().expire_all()
    kept = browsing.resource(db.session(), "STN-K03")
    assert (kept.quantity, kept.name) == (60, "Assiettes plates")
    with transaction() as session:
        editing.change(session, actor(OTHER_STAFF), "STN-K03", {"quantity": 50})
    assert browsing.resource(db.session(), "STN-K03").quantity == 50


def test_out_of_service_with_a_reason_and_back(app: Flask, actor: Find) -> None:
    who = actor(STAFF)
    with pytest.raises(NoReason), transaction() as session:
        editing.take_out_of_service(session, who, "MCNG-R03", "", date(2026, 11, 21))
    with transaction() as session:
        editing.take_out_of_service(session, who, "MCNG-R03", "Dégât des eaux", date(2026, 11, 21))
    found = browsing.resource(db.session(), "MCNG-R03")
    assert (found.in_service, found.out_of_service_reason) == (False, "Dégât des eaux")
    assert found.attributes == {"inactive_since": "2026-11-21"}
    with transaction() as session:
        editing.put_in_service(session, who, "MCNG-R03")
    found = browsing.resource(db.session(), "MCNG-R03")
    assert (found.in_service, found.out_of_service_reason, found.attributes) == (True, "", {})


def test_every_fact_of_the_demonstration_survives_being_edited(app: Flask) -> None:
    with (ROOT / "sharebank/demo/resources.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["attributes"] for row in csv.DictReader(file)]
    pairs = [dict(part.strip().split("=", 1) for part in cell.split(";")) for cell in cells if cell]
    for locale in ("fr", "en"):
        with force_locale(locale):
            labels = [attributes._label(key, gettext) for key in attributes.LABELS]
            assert len(labels) == len(set(labels))
            for facts in pairs:
                edited = {key: value for key, value in facts.items() if key not in attributes.APART}
                assert attributes.from_text(attributes.to_text(facts, gettext), gettext) == edited


# -- photos ----------------------------------------------------------------------------------------


def test_a_photo_is_turned_upright_brought_to_size_and_says_nothing_of_its_maker() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9286] = 6, "Secret maker", "Secret comment"
    made = photos.read(picture(3000, 1000, exif=exif, comment=b"Secret words"), "IMG.JPG")
    assert (made.width, made.height) == (533, 1600)
    for data, size in ((made.image, (533, 1600)), (made.thumbnail, (107, 320))):
        assert b"Secret" not in data
        with Image.open(io.BytesIO(data)) as again:
            assert (again.format, again.size, dict(again.getexif()), "comment" in again.info) == (
                "JPEG",
                size,
                {},
                False,
            )


def test_what_is_transparent_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(photos.read(out.getvalue(), "x.png").image)) as again:
        assert again.getpixel((5, 5)) == (255, 255, 255)


BAD_PHOTOS = {
    "empty": (b"", BadPhoto),
    "text": (b"GIF is not the word", BadPhoto),
    "gif in disguise": (picture(form="GIF"), BadPhoto),
    "cut short": (picture(400, 400)[:-300], BadPhoto),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', BadPhoto),
    "heavy": (picture() + b"\0" * photos.MOST_BYTES, PhotoTooHeavy),
    "bomb": (png_of(7000, 7000), PhotoTooLarge),
    "larger bomb": (png_of(60_000, 60_000), PhotoTooLarge),
}


@pytest.mark.parametrize(("data", "refusal"), BAD_PHOTOS.values(), ids=BAD_PHOTOS)
def test_what_is_not_a_photo_is_refused(data: bytes, refusal: type[BadPhoto]) -> None:
    with pytest.raises(refusal) as refused:
        photos.read(data, "photo.jpg")
    assert refused.value.field == "photos"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_content_decides_not_the_name(form: str) -> None:
    assert photos.read(picture(form=form), "whatever.txt").width == 40


def test_photos_are_ordered_captioned_and_at_most_eight(app: Flask, actor: Find) -> None:
    who, one = actor(STAFF), photos.read(picture(), "a.jpg")
    with transaction() as session:
        photos.add(session, who, "MCNG-R03", [one] * 3, world.NOW)
    first, second, third = (photo.id for photo in browsing.resource(db.session(), "MCNG-R03").photos)
    with transaction() as session:
        photos.move(session, who, third, earlier=True)
        photos.caption(session, who, third, "La fenêtre")
        photos.move(session, who, first, earlier=True)
    with transaction() as session:
        photos.remove(session, who, second)
    with pytest.raises(TooManyPhotos), transaction() as session:
        photos.add(session, who, "MCNG-R03", [one] * 7, world.NOW)
    db.session().expire_all()
    left = browsing.resource(db.session(), "MCNG-R03").photos
    assert [(photo.id, photo.caption) for photo in left] == [(first, ""), (third, "La fenêtre")]
    card = next(card for shelf in browsing.shelves(db.session(), Wish(words="isere"), "") for card in shelf.cards)
    assert card.photo is not None
    assert card.photo.id == first
    with pytest.raises(NotAllowed):
        photos.remove(db.session(), actor(OTHER_STAFF), first)


def test_a_thing_that_goes_takes_its_photos_along(app: Flask, actor: Find) -> None:
    with transaction() as session:
        photos.add(session, actor(STAFF), "MCNG-R03", [photos.read(picture(), "a.jpg")], world.NOW)
    with transaction() as session:
        session.delete(session.scalars(select(Resource).where(Resource.code == "MCNG-R03")).one())
    assert db.session().scalars(select(Photo.id)).all() == []
