"""The pages on which pieces leave the stock and come back, and the driver chosen at the counter."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.insurance.models import Driver
from sharebank.reservations import desk
from sharebank.reservations.asking import Details
from sharebank.reservations.handover.handover_models import Handover, StockChange
from sharebank.reservations.models import Reservation
from tests import world
from tests.counter import BUS, MEMBER, PLATES, STAFF, STAFF_STN, Book, Who, book, loan, rules
from tests.web.test_handover import NAMES, sent, stored
from tests.world import at

__all__ = ["book"]  # the fixture
OUT = at(21, "10:00", "18:00")
Sign = Callable[[str], Any]


@pytest.fixture
def ref(app: Flask, book: Book, actor: Who) -> str:
    """Sixty plates out with the choir."""
    app.config["WTF_CSRF_ENABLED"] = False
    [done] = book(MEMBER, OUT, {PLATES: 60}, purpose="Fête des voisins")
    for act in ("approve", "collect"):
        desk.change(actor(STAFF_STN), done.ref, act)
    return done.ref


def quantity() -> int:
    return next(one.quantity for one in stored(Resource) if one.code == PLATES)


BACK = {"l0-quantity": "57", "l0-missing": "3", "l0-gone": "3", **NAMES}


def test_said_at_the_return_with_a_remark(ref: str, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    for wrong, complaint in (({}, "ce qui ne va pas"), ({"l0-note": "x", "l0-gone": "-1"}, "nombre entier")):
        answer = browser.post(f"/handover/{ref}", data=BACK | wrong)
        assert (answer.status_code, complaint in sent(answer), 'name="l0-gone"' in sent(answer)) == (422, True, True)
    assert browser.post(f"/handover/{ref}", data=BACK | {"l0-note": "Perdues"}).location == f"/reservations/{ref}"
    assert quantity() == 57
    page = sent(browser.get(f"/resources/{PLATES}"))
    for words in ("−3 (retirés du stock)", "Perdues", ref, f"/resources/{PLATES}/found"):
        assert words in page
    assert "−3 (retirés du stock)" not in sent(signed_in(MEMBER).get(f"/resources/{PLATES}"))


def test_loans_in_the_way_are_listed_and_confirmed(ref: str, book: Book, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    [later] = book(MEMBER, at(28, "10:00", "12:00"), {PLATES: 60}, purpose="Concert à Valence")
    where = f"/handover/{ref}/gone/{PLATES}"
    assert browser.post(f"/handover/{ref}", data=BACK | {"l0-note": "Perdues"}).location == where
    assert "3 × Assiettes plates à retirer du stock" in sent(browser.get(f"/reservations/{ref}"))
    page = sent(browser.get(where))
    for words in ("Concert à Valence", 'value="3"', 'value="Perdues"', f'name="confirmed" value="{later.ref}"'):
        assert words in page
    asked = {"units": "3", "why": "Perdues"}
    for changed, status in (({}, 409), ({"units": "0"}, 422), ({"units": "9" * 12}, 422), ({"why": " "}, 422)):
        answer = browser.post(where, data=asked | changed)
        assert answer.status_code == status, changed
        assert quantity() == 60
    answer = browser.post(where, data=asked | {"confirmed": later.ref}, follow_redirects=True)
    assert "Assiettes plates : 3 de moins désormais" in sent(answer)
    assert "à retirer du stock :" not in sent(answer)
    assert (quantity(), loan(later.ref).lines[0].quantity) == (57, 57)


def test_later_from_the_loan_and_found_again_from_the_thing(ref: str, signed_in: Sign) -> None:
    browser, member = signed_in(STAFF_STN), signed_in(MEMBER)
    where, found = f"/handover/{ref}/gone/{PLATES}", f"/resources/{PLATES}/found"
    assert browser.post(where, data={"units": "5", "why": "x"}).status_code == 422  # all are with the choir still
    browser.post(f"/handover/{ref}", data={"l0-quantity": "55", "l0-missing": "5", **NAMES})
    assert where in sent(browser.get(f"/reservations/{ref}"))
    assert where not in sent(member.get(f"/reservations/{ref}"))
    assert 'value="5"' in sent(browser.get(where))
    assert browser.post(where, data={"units": "5", "why": "Jamais revenues"}).status_code == 303
    assert quantity() == 55
    for data, status in (
        ({"units": "6", "why": "Retrouvées"}, 422),
        ({"units": "2", "why": ""}, 422),
        ({"units": "2", "why": "Retrouvées"}, 303),
    ):
        answer = browser.post(found, data=data)
        assert answer.status_code == status
        assert status == 303 or f'value="{data["units"]}"' in sent(answer)
    assert quantity() == 57
    assert [one.units for one in stored(StockChange)] == [-5, 2]
    for path, who, status in (
        (found, MEMBER, 403),
        (found, STAFF, 403),
        (where, MEMBER, 403),
        (where, STAFF, 404),
        ("/resources/STN-K99/found", STAFF_STN, 404),
        (f"/handover/{ref}/gone/STN-R01", STAFF_STN, 404),
    ):
        assert signed_in(who).get(path).status_code == status, path
        assert signed_in(who).post(path, data={"units": "1", "why": "x"}).status_code == status, path
    assert quantity() == 57


def test_the_same_press_twice_counts_once(ref: str, book: Book, signed_in: Sign) -> None:
    """Until who pressed has been told, and presses once more."""
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "20", "l0-missing": "40", **NAMES})
    [later] = book(MEMBER, at(28, "10:00", "12:00"), {PLATES: 50}, purpose="Concert à Valence")

    def closures() -> int:
        return sum(one.kind == "closure" for one in stored(Reservation))

    gone, out = f"/handover/{ref}/gone/{PLATES}", f"/handover/{ref}/out/{PLATES}"
    for path, data, counted, after in (
        (gone, {"units": "15"}, quantity, (45, 30)),
        (f"/resources/{PLATES}/found", {"units": "10"}, quantity, (40, 50)),
        (out, {"units": "3", "until": "2026-11-26"}, closures, (1, 2)),
        (out, {"units": "50"}, closures, (2, 2)),
    ):
        [seen] = re.findall(r'name="seen"[^>]* value="([^"]+)"', sent(browser.get(path)))
        said = {**data, "why": "Comptées", "seen": seen, "confirmed": later.ref}
        assert browser.post(path, data=said).status_code == 303, path
        again = browser.post(path, data=said)
        assert (again.status_code, "peut-être déjà" in sent(again)) == (409, True), path
        assert counted() == after[0], path
        [seen] = re.findall(r'name="seen"[^>]* value="([^"]+)"', sent(again))
        assert browser.post(path, data={**said, "seen": seen}).status_code == 303, path
        assert counted() == after[1], path


def test_a_single_thing_that_is_gone_goes_out_of_service(app: Flask, book: Book, signed_in: Sign) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    [done] = book(STAFF, OUT, {BUS: 1})
    browser = signed_in(STAFF)
    browser.post(f"/handover/{done.ref}", data={"l0-quantity": "1", **NAMES})
    page = sent(browser.get(f"/handover/{done.ref}"))
    assert "l0-gone" not in page
    browser.post(f"/handover/{done.ref}", data={"l0-quantity": "1", **NAMES})
    where = f"/handover/{done.ref}/gone/{BUS}"
    answer = browser.post(where, data={"units": "1", "why": "Brûlé"}, follow_redirects=True)
    assert "Minibus 9 places : mis hors service" in sent(answer)
    bus = db.session().scalars(select(Resource).where(Resource.code == BUS)).one()
    assert (bus.in_service, bus.out_of_service_reason, bus.quantity) == (False, "Brûlé", 1)


def test_what_was_done_is_said_of_what_is_out_of_service_too(ref: str, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", **NAMES})
    with transaction() as session:
        session.execute(update(Resource).where(Resource.code == PLATES).values(in_service=False))
    where, why = f"/handover/{ref}/gone/{PLATES}", {"why": "Cassées"}
    answer = browser.post(where, data={"units": "5", **why}, follow_redirects=True)
    assert "Assiettes plates : 5 de moins désormais" in sent(answer)
    answer = browser.post(where, data={"units": "56", **why})
    assert (answer.status_code, quantity()) == (422, 55)
    answer = browser.post(where, data={"units": "55", **why}, follow_redirects=True)
    assert "Assiettes plates : mis hors service" in sent(answer)


def test_sets_are_not_offered_as_pieces(ref: str, signed_in: Sign) -> None:
    rules(charges={"pieces": [{"name": "Fourchette", "loss_cents": 120}]})
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", "l0-missing": "13", **NAMES})
    where = f"/handover/{ref}/gone/{PLATES}"
    assert where not in sent(browser.get(f"/reservations/{ref}"))
    assert re.search(r'<input[^>]* name="units"[^>]* value="1"', sent(browser.get(where)))


# -- the driver ------------------------------------------------------------------------------------------


@pytest.fixture
def drive(app: Flask, book: Book) -> Callable[..., str]:
    """The minibus for the house, with these drivers; Inès stands in the register."""
    app.config["WTF_CSRF_ENABLED"] = False
    rules(drivers={"licence": "B", "years": 2, "named": True})
    with transaction() as session:
        bus = session.scalars(select(Resource).where(Resource.code == BUS)).one()
        seen = {"licence_class": "B", "licence_since": world.NOW.date().replace(year=2010), "seen_on": world.NOW.date()}
        session.add(Driver(organisation_id=bus.house_id, name="Inès Arnaud", **seen))

    def act(*names: str) -> str:
        [done] = book(STAFF, OUT, {BUS: 1}, details=Details(drivers=names), override="Permis vu au guichet")
        return done.ref

    return act


def options(page: str) -> list[tuple[bool, str]]:
    select_of = page[page.index('name="l0-driver"') :].partition("</select>")[0]
    return [(bool(chosen), value) for chosen, value in re.findall(r'<option (selected )?value="([^"]*)"', select_of)]


def test_the_driver_is_chosen_among_those_named(drive: Callable[..., str], signed_in: Sign) -> None:
    browser = signed_in(STAFF)
    ref = drive("Inès Arnaud")
    assert options(sent(browser.get(f"/handover/{ref}"))) == [(True, "Inès Arnaud"), (False, "")]
    data = {"l0-quantity": "1", **NAMES}
    answer = browser.post(f"/handover/{ref}", data=data | {"l0-driver": "Personne de connu"})
    assert answer.status_code == 422
    assert browser.post(f"/handover/{ref}", data=data | {"l0-driver": "Inès Arnaud"}).status_code == 303
    assert "Inès Arnaud" in sent(browser.get(f"/handover/{ref}?record=1"))
    assert stored(Handover)[0].lines[0].facts["driver"] == "Inès Arnaud"
    assert 'name="l0-driver"' not in sent(browser.get(f"/handover/{ref}"))  # only who leaves is asked


def test_of_several_none_is_chosen_beforehand_and_another_may_be_typed(
    drive: Callable[..., str], signed_in: Sign
) -> None:
    browser = signed_in(STAFF)
    ref = drive("Zoé Petit", "Inès Arnaud")
    assert options(sent(browser.get(f"/handover/{ref}"))) == [
        (False, "Inès Arnaud"),  # whose licence was seen comes first
        (False, "Zoé Petit"),
        (True, ""),
    ]
    data = {"l0-quantity": "1", "l0-driver": "Inès Arnaud", "l0-driver_other": "Paul Roche"}
    answer = browser.post(f"/handover/{ref}", data=data)  # the names that sign are missing
    assert answer.status_code == 422
    assert 'value="Paul Roche"' in sent(answer)
    assert (True, "Inès Arnaud") in options(sent(answer))
    assert browser.post(f"/handover/{ref}", data=data | NAMES).status_code == 303
    facts = stored(Handover)[0].lines[0].facts
    assert (facts["driver"], "driver_other" in facts) == ("Paul Roche", False)


def test_where_nobody_was_named_the_name_is_typed(app: Flask, book: Book, signed_in: Sign) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    [done] = book(STAFF, OUT, {BUS: 1})
    page = sent(signed_in(STAFF).get(f"/handover/{done.ref}"))
    assert re.search(r'<input[^>]* name="l0-driver"', page)
    assert "driver_other" not in page
