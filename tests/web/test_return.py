"""What a return tells: it stands on the reservation, may be charged from there, and nothing said folds away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from sharebank.catalog.models import RuleSet
from sharebank.core.db import transaction
from sharebank.reservations.handover.handover_items import ITEMS
from sharebank.reservations.handover.handover_models import Charge, HandoverLine
from tests.counter import BUS, MEMBER, ROOM, STAFF, STAFF_STN, Book, book, loan
from tests.web.test_handover import NAMES, OUT, ref, sent, stored

__all__ = ["book", "ref"]  # fixtures
Sign = Callable[[str], Any]


def found(page: str) -> list[str]:
    """What the reservation's page says of each meeting, without its links."""
    said = re.findall(r'<p class="why warning">(.*?)</p>', page, re.DOTALL)
    return [" ".join(re.sub(r"<a .*?</a>|<[^>]+>", " ", one, flags=re.DOTALL).split()) for one in said]


def links(page: str) -> list[str]:
    return re.findall(r'href="(/handover/[^"]+/charges\?line=\d+)"', page)


@pytest.fixture
def back(ref: str, signed_in: Sign) -> str:
    """Three broken, one missing, not tried: so it came back."""
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", "l0-clean": "y", "l0-complete": "y", **NAMES})
    said = {"l0-quantity": "59", "l0-missing": "1", "l0-broken": "3", "l0-note": "Ébréchées", "l0-clean": "y"}
    answer = browser.post(f"/handover/{ref}", data={**said, "notes": "Sous la pluie", **NAMES})
    assert answer.status_code == 303
    return ref


def test_what_was_found_stands_on_the_reservation_for_both(back: str, signed_in: Sign) -> None:
    for who, may in ((STAFF_STN, True), (MEMBER, False)):
        page = sent(signed_in(who).get(f"/reservations/{back}"))
        _left, told = found(page)
        for words in ("1", "3", "ne fonctionne pas", "contenu incomplet", "Ébréchées"):
            assert words in told
        assert "Non :" not in told
        assert "sale" not in told
        assert "Sous la pluie" in page
        assert bool(links(page)) == may
    record = sent(signed_in(MEMBER).get(f"/handover/{back}?record=1"))
    assert "ne fonctionne pas" in record
    assert "Non : Essayé" not in record


def test_it_is_charged_from_there_and_then_not_offered_again(back: str, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    [where] = links(sent(browser.get(f"/reservations/{back}")))
    page = sent(browser.get(where))
    assert re.search(r'name="words"[^>]* value="[^"]*3[^"]*Ébréchées"', page)
    assert browser.post(where, data={"words": "Trois assiettes", "cents": "beaucoup"}).status_code == 422
    answer = browser.post(where, data={"words": "Trois assiettes", "cents": "13,50"})
    assert answer.status_code == 303
    page = sent(signed_in(MEMBER).get(f"/reservations/{back}"))
    assert "Constaté au retour : Trois assiettes" in page
    assert "13,50 €" in page
    assert links(sent(browser.get(f"/reservations/{back}"))) == []
    [charge] = stored(Charge)
    assert charge.handover_id == stored(HandoverLine)[-1].handover_id


def test_what_each_return_tells_is_charged_by_itself(ref: str, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    for quantity, broken in (("60", "0"), ("20", "2"), ("40", "3")):
        said = {"l0-quantity": quantity, "l0-broken": broken, "l0-note": "Ébréchées" if broken != "0" else ""}
        assert browser.post(f"/handover/{ref}", data=said | NAMES).status_code == 303
    first, second = links(sent(browser.get(f"/reservations/{ref}")))
    assert browser.post(first, data={"words": "Deux assiettes", "cents": "9"}).status_code == 303
    assert links(sent(browser.get(f"/reservations/{ref}"))) == [second]
    assert browser.post(second, data={"words": "Trois assiettes", "cents": "13,50"}).status_code == 303
    assert links(sent(browser.get(f"/reservations/{ref}"))) == []


def test_what_a_charge_proposes_its_own_form_takes(ref: str, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    for said in ({"l0-quantity": "60"}, {"l0-quantity": "60", "l0-broken": "3", "l0-note": "Ébréchée " * 55}):
        assert browser.post(f"/handover/{ref}", data=said | NAMES).status_code == 303
    [where] = links(sent(browser.get(f"/reservations/{ref}")))
    tag = re.search(r'<input[^>]* name="words"[^>]*>', sent(browser.get(where)))
    words = re.search(r' value="([^"]*)"', tag[0]) if tag else None
    assert words
    assert "Ébréchée" in words[1]
    assert browser.post(where, data={"words": words[1], "cents": "13,50"}).status_code == 303


def test_only_a_line_that_came_back_with_this_loan_is_charged(back: str, book: Book, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    went, came = stored(HandoverLine)
    [other] = book(STAFF_STN, OUT, {"STN-R01": 1})
    for path in (f"{back}/charges?line={went.id}", f"{back}/charges?line=x", f"{other.ref}/charges?line={came.id}"):
        assert browser.get(f"/handover/{path}").status_code == 404
        assert browser.post(f"/handover/{path}", data={"words": "x", "cents": "5"}).status_code == 404
    assert stored(Charge) == []


@pytest.mark.parametrize(
    ("rule", "said", "offered"),
    [
        ({"loss_cents": 450}, {"l0-quantity": "57", "l0-missing": "3"}, False),
        ({"damage_cents": 450}, {"l0-quantity": "57", "l0-missing": "3"}, True),
        ({"loss_cents": 450}, {"l0-quantity": "57", "l0-missing": "3", "l0-broken": "1"}, True),
        ({"loss_cents": 450}, {"l0-quantity": "60"}, False),
    ],
)
def test_what_the_rules_charged_is_not_offered(
    rule: dict[str, int], said: dict[str, str], offered: bool, ref: str, signed_in: Sign
) -> None:
    with transaction() as session:
        session.execute(update(RuleSet).values(terms=json.dumps({"charges": rule})))
    browser = signed_in(STAFF_STN)
    fine = {f"l0-{item.key}": "y" for item in ITEMS["equipment"] if item.type == "yes"}
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", **fine, **NAMES})
    browser.post(f"/handover/{ref}", data={**said, **fine, **NAMES})
    assert loan(ref).status == "returned"
    assert bool(links(sent(browser.get(f"/reservations/{ref}")))) == offered


def test_each_box_left_empty_has_its_words(app: Flask, book: Book, signed_in: Sign) -> None:
    """Whatever is looked at: what is wrong is said by itself, not as a `no` to what should be."""
    assert all(item.wrong for row in ITEMS.values() for item in row if item.type == "yes" and item.fine)
    app.config["WTF_CSRF_ENABLED"] = False
    browser = signed_in(STAFF)
    [done] = book(STAFF, OUT, {BUS: 1, ROOM: 1})
    every = {f"l{n}-quantity": "1" for n in (0, 1)}
    for _act in ("collect", "return"):
        browser.post(f"/handover/{done.ref}", data=every | NAMES)
    told = " ".join(found(sent(browser.get(f"/reservations/{done.ref}"))))
    for words in ("papiers manquants", "mobilier non remis en place", "sale", "Minibus 9 places –"):
        assert words in told


def test_numbers_that_contradict_each_other_are_refused_beside_their_field(ref: str, signed_in: Sign) -> None:
    browser = signed_in(STAFF_STN)
    browser.post(f"/handover/{ref}", data={"l0-quantity": "60", **NAMES})
    for field, said in (
        ("quantity", {"l0-quantity": "60", "l0-missing": "1"}),
        ("broken", {"l0-quantity": "5", "l0-broken": "6"}),
        ("dirty", {"l0-quantity": "5", "l0-dirty": "6"}),
        ("gone", {"l0-quantity": "60", "l0-gone": "61", "l0-note": "Usées"}),
    ):
        answer = browser.post(f"/handover/{ref}", data={**said, **NAMES})
        assert answer.status_code == 422
        assert f'id="l0-{field}-error"' in sent(answer), field
    assert loan(ref).status == "collected"


def test_what_was_reported_stays_open_after_an_error(ref: str, signed_in: Sign) -> None:
    """The first `details` is the thing's, the second holds more photos and the word about it all."""
    browser = signed_in(STAFF_STN)
    where = f"/handover/{ref}"

    def opened(page: str) -> tuple[bool, ...]:
        form = page[page.index('name="act"') :]
        return tuple("open" in tag for tag in re.findall(r"<details([^>]*)>", form))[:2]

    fine = {f"l0-{item.key}": "y" for item in ITEMS["equipment"] if item.type == "yes"}
    nobody = {**fine, "l0-quantity": "60", "borrower_name": "", "staff_name": "Isabelle"}
    keys = {"l0-seal": "sealed", "l0-pieces": "240"}
    assert opened(sent(browser.get(where))) == (False, False)
    assert opened(sent(browser.post(where, data=nobody))) == (False, False)
    assert opened(sent(browser.post(where, data=nobody | keys))) == (True, False)
    assert browser.post(where, data=nobody | keys | NAMES).status_code == 303
    assert opened(sent(browser.get(where))) == (False, False)  # what is carried over was typed by nobody
    came = nobody | keys
    for said, which in (
        ({}, (False, False)),
        ({"l0-missing": "1", "l0-quantity": "59"}, (True, False)),
        ({"l0-note": "Une ébréchée"}, (True, False)),
        ({"l0-seal": "opened"}, (True, False)),
        ({"l0-out": "y", "l0-note": "Cassées"}, (True, False)),
        ({"notes": "Sous la pluie"}, (False, True)),
    ):
        answer = browser.post(where, data=came | said)
        assert (answer.status_code, opened(sent(answer))) == (422, which), said
    unticked = {name: value for name, value in came.items() if name != "l0-works"}
    assert opened(sent(browser.post(where, data=unticked))) == (True, False)
