"""Over HTTP, what people read of the rules of lending when they ask."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.counter import BUS, MEMBER, NOTHING, PRICES, ROOM, SMALL, STN_ROOM, register, rules, stored

WHEN = {"day": "2026-11-28", "start": "14:00", "end": "18:00"}


def page(answer: Any) -> str:
    return (
        re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text))).replace("\u202f", " ").replace("\xa0", " ")
    )


@pytest.fixture
def member(app: Flask, signed_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """A browser of the choir's."""
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_access.py is about it
    return signed_in(MEMBER)


def form(code: str, **more: Any) -> dict[str, Any]:
    return {
        "organisation": "CHORALE", "purpose": "Concert", **WHEN, "lines-0-code": code, "lines-0-quantity": "1", **more,
    }  # fmt: skip


def test_the_page_asks_only_what_the_rules_need(member: FlaskClient) -> None:
    asked = ("headcount", "distance_km", "drivers", "collect_at", "options", "accepts", "letter")

    def names() -> list[str]:
        text = member.get("/reservations/new", query_string=WHEN | {"pick": ROOM}).text
        return [name for name in asked if f'name="{name}"' in text]

    assert names() == []
    register("Samir Ancien", date(2010, 6, 1))
    deposits = {"rows": [{"cents": 30000, "letter": True}]}
    rules(
        headcount={}, radius={"km": 300}, drivers={"named": True}, collection={"days_before": 1}, prices=PRICES,
        undertakings={"which": ["charter"]}, deposits=deposits,
    )  # fmt: skip
    assert names() == list(asked)
    text = page(member.get("/reservations/new", query_string=WHEN | {"pick": ROOM, "headcount": "12"}))
    assert "Samir Ancien" in text
    assert "3 mars 2026" in text  # seen on: not asked again
    assert "20,00 €" in text
    assert "300,00 €" in text


def test_the_page_says_who_decides_and_until_when(member: FlaskClient) -> None:
    rules(approval={"mode": "own_house_free", "silence_days": 3, "silence": "expire"})
    address = "/reservations/new"
    assert "Réservé tout de suite" in page(member.get(address, query_string=WHEN | {"pick": ROOM}))
    text = page(member.get(address, query_string=WHEN | {"pick": STN_ROOM}))
    assert "mar. 24 nov." in text
    answer = member.post(address, data=form(ROOM), follow_redirects=True)
    assert "C’est réservé" in page(answer)


def test_nothing_typed_is_lost_and_each_rule_stands_beside_its_field(member: FlaskClient) -> None:
    rules(headcount={"least": 20}, radius={"km": 300}, drivers={"named": True}, undertakings={"which": ["charter"]})
    typed = {"headcount": "12", "distance_km": "301", "other_drivers": "Nora <b>Neuve</b>", "accepts": "charter"}
    answer = member.post("/reservations/new", data=form(ROOM, **typed))
    assert answer.status_code == 422
    for name in ("headcount", "distance_km"):
        assert f'id="{name}-error"' in answer.text
    assert 'value="301"' in answer.text
    assert "Nora &lt;b&gt;Neuve" in answer.text
    assert re.search(r'<input[^>]*checked[^>]*value="charter"', answer.text)
    assert stored() == NOTHING
    answer = member.post("/reservations/new", data=form(ROOM, **typed, look="1"))
    assert answer.status_code == 200
    assert stored() == NOTHING
    answer = member.post("/reservations/new", data=form(ROOM, **typed | {"headcount": "20", "distance_km": "300"}))
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "wrong",
    [{"headcount": "0"}, {"headcount": "9" * 30}, {"distance_km": "-1"}, {"drivers": "Personne"}, {"options": "?"},
     {"collect_at": "hier"}, {"collect_at": "0001-01-01T00:00"}, {"collect_at": "9999-12-31T23:59"}, {"accepts": "x"},
     {"other_drivers": "x" * 301}, {"accepts": ""}],
)  # fmt: skip
def test_a_bad_value_stores_nothing(member: FlaskClient, wrong: dict[str, str]) -> None:
    rules(
        headcount={}, radius={"km": 300}, drivers={"named": True}, collection={"days_before": 1},
        prices=PRICES, undertakings={"which": ["charter"]},
    )  # fmt: skip
    good = {"headcount": "8", "distance_km": "9", "other_drivers": "Nora", "accepts": "charter"}
    answer = member.post("/reservations/new", data=form(BUS, **good | wrong))
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert stored() == NOTHING


def test_what_was_promised_once_is_not_asked_again(member: FlaskClient) -> None:
    rules(undertakings={"which": ["charter"]})
    address, query = "/reservations/new", WHEN | {"pick": SMALL}
    assert 'name="accepts"' in member.get(address, query_string=query).text
    assert member.post(address, data=form(ROOM, accepts="charter")).status_code == 303
    again = member.get(address, query_string=query)
    assert 'name="accepts"' not in again.text
    assert "Vous vous y êtes déjà engagés" in page(again)
    assert member.post(address, data=form(SMALL)).status_code == 303


def test_the_loans_page_shows_what_was_agreed(member: FlaskClient) -> None:
    rules(prices=PRICES, headcount={}, deposits={"rows": [{"cents": 30000}]})
    answer = member.post("/reservations/new", data=form(ROOM, headcount="12"), follow_redirects=True)
    text = page(answer)
    assert "Ce que cela coûte" in text
    assert "20,00 €" in text
    assert "300,00 €" in text
