"""The screens of rule sets and of a structure's papers over HTTP, without a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from sharebank.accounts.models import Organisation
from sharebank.catalog.models import RuleSet
from sharebank.core.db import db, transaction
from sharebank.lending.kinds import KINDS
from sharebank.lending.terms import read_terms, write_terms
from tests import world

SignIn = Callable[[str], FlaskClient]
MANAGER, OTHER_MANAGER, STAFF, MEMBER = (
    "manager@example.org",
    "manager.stn@example.org",
    "staff@example.org",
    "member@example.org",
)
SIMPLE, NEW = "/admin/rule-sets/simple", "/admin/rule-sets/new"
_FIELD = re.compile(
    r'<input[^>]*\bname="(?P<name>[^"]+)"[^>]*>|<select[^>]*\bname="(?P<list>[^"]+)".*?</select>', re.DOTALL
)


def fields(html: str) -> list[tuple[str, str]]:
    """What a browser would send of the rule set form as it stands, buttons apart."""
    found: list[tuple[str, str]] = []
    main = html[html.index('class="form rule-form"') :].partition("</form>")[0]
    for one in _FIELD.finditer(main):
        tag = one.group()
        if one["list"]:
            options = re.findall(r"<option[^>]*>", tag)
            chosen = [option for option in options if " selected" in option] or options[:1]
            found += [(one["list"], unescape(re.search(r'value="([^"]*)"', option)[1])) for option in chosen]  # type: ignore[index]
        elif 'type="checkbox"' not in tag or " checked" in tag:
            value = re.search(r'\bvalue="([^"]*)"', tag)
            found.append((one["name"], unescape(value[1]) if value else ""))
    return found


def press(browser: FlaskClient, url: str, shown: str, button: tuple[str, str] = ("act", "keep"), **typed: str) -> Any:
    """Send the form shown, some fields typed anew, by one of its buttons."""
    sent = [(name, value) for name, value in fields(shown) if name not in typed and not (name == "kind" and not value)]
    assert set(typed) <= {name for name, _ in fields(shown)} | {"kind"}, "typed into what is not there"
    together: dict[str, list[str]] = {}
    for name, value in [*sent, *typed.items(), button]:
        together.setdefault(name, []).append(value)
    return browser.post(url, data=together)


def stored(name: str = "simple") -> Any:
    db.session.rollback()
    db.session.expire_all()
    return read_terms(name, db.session().scalars(select(RuleSet.terms).where(RuleSet.name == name)).one())


@pytest.fixture
def manager(signed_in: SignIn) -> FlaskClient:
    return signed_in(MANAGER)


# -- reading ---------------------------------------------------------------------------------------


def test_managers_read_every_rule_set_and_find_it_from_people_and_things(app: Flask, manager: FlaskClient) -> None:
    text = manager.get("/admin/rule-sets").text
    assert 'href="/admin/rule-sets/simple"' in text
    assert re.search(r"3 jours au plus|3 days at most", text)
    assert "MCNG\u00a03 · STN\u00a02" in text
    for page in ("/admin/people", "/rules"):
        assert 'href="/admin/rule-sets"' in manager.get(page).text
    assert f'href="{SIMPLE}"' in manager.get("/resources/MCNG-V01").text
    assert f'href="{SIMPLE}"' not in manager.get("/resources/STN-R01").text


@pytest.mark.parametrize("email", [STAFF, MEMBER])
def test_others_read_the_rules_and_change_none(app: Flask, signed_in: SignIn, email: str) -> None:
    browser = signed_in(email)
    for url in ("/admin/rule-sets", NEW, SIMPLE):
        assert browser.get(url).status_code == 403
    assert "/admin/rule-sets" not in browser.get("/rules").text + browser.get("/resources/MCNG-V01").text
    assert re.search(r"3 jours au plus|3 days at most", browser.get("/resources/MCNG-V01").text)


def test_every_kind_of_rule_has_fields_and_comes_back_as_it_was_stored(app: Flask, manager: FlaskClient) -> None:
    rich = {
        "notice": {"days": 10, "working": True, "again_days": 2},
        "use": {"windows": [{"days": ["mon", "tue"], "first": "09:00", "last": "12:30"}, {"days": ["sat"]}]},
        "seasons": {"closed": [{"first": "08-01", "last": "08-21"}], "closed_days": ["sun"], "public_holidays": True},
        "priority": {"windows": [{"groups": ["houses", "own"], "school": "holidays", "until_days": 21}]},
        "documents": {"papers": [{"paper": "statutes", "valid": "once"}, {"paper": "liability_certificate"}]},
        "drivers": {"licence": "B", "years": 3},
        "approval": {"mode": "always", "second_above_hours": 48, "silence_days": 5, "silence": "decline"},
        "prices": {
            "grid": [
                {"audience": ["associations", "houses"], "unit": "day", "cents": 1250, "season": "Été"},
                {"audience": ["everyone"], "unit": "day", "cents": 0},
            ],
            "seasons": [{"name": "Été", "first": "06-01", "last": "09-15"}],
            "options": [{"name": "Sono « 2 × 300 W »", "cents": 500}],
            "eve": "17:00",
        },
        "deposits": {"rows": [{"cents": 50000, "waived": ["houses"], "letter": True}, {}]},
        "charges": {"loss_percent": 100, "late_cents": 500, "pieces": [{"name": "Verre", "loss_cents": 250}]},
    }
    bare = {kind: {} for kind in KINDS}
    text = write_terms(rich)
    with transaction() as session:
        session.scalars(select(RuleSet)).one().terms = text
    shown = manager.get(SIMPLE).text
    # A row without any word of its own, such as a deposit of the thing's own amount, is still a row.
    answer = press(manager, SIMPLE, shown)
    assert answer.status_code == 303, re.findall(r'field-error"[^>]*>(.*?)</p>', answer.text, re.DOTALL)
    assert write_terms(stored()) == text
    assert len(bare) == len(KINDS)


def test_every_kind_of_rule_can_be_added_and_taken_away(app: Flask, manager: FlaskClient) -> None:
    shown = manager.get(SIMPLE).text
    for kind in KINDS:
        if f'id="rule-{kind}"' not in shown:
            answer = press(manager, SIMPLE, shown, ("act", "add"), kind=kind)
            assert answer.status_code == 200, kind
            shown = answer.text
        assert f'id="rule-{kind}"' in shown
    assert set(stored()) == set(world.TERMS), "nothing is kept before it is said"
    for kind in set(KINDS) - {"notice", "length"}:
        shown = press(manager, SIMPLE, shown, ("remove", kind)).text
        assert f'id="rule-{kind}"' not in shown
    assert press(manager, SIMPLE, shown, **{"rule_notice-days": "12"}).status_code == 303
    assert {kind: stored()[kind] for kind in stored()} == dict(
        read_terms("", write_terms({"notice": {"days": 12}, "length": {"hours": 72}}))
    )


# -- writing ---------------------------------------------------------------------------------------


def test_rules_are_read_before_they_are_kept(app: Flask, manager: FlaskClient) -> None:
    shown = manager.get(SIMPLE).text
    read = press(manager, SIMPLE, shown, ("act", "preview"), **{"rule_length-hours": "120", "buffer_after_min": "45"})
    assert read.status_code == 200
    assert 'id="read-back"' in read.text
    assert re.search(r"5 (jours au plus|days at most)", read.text, re.IGNORECASE)
    assert "45 minutes" in read.text
    assert stored()["length"]["hours"] == 72
    assert press(manager, SIMPLE, read.text).status_code == 303
    assert stored()["length"]["hours"] == 120


BAD = {
    "no number": ("rule_length-hours", "trois"),
    "too large": ("rule_length-hours", "99999999999999999999"),
    "negative": ("rule_length-hours", "-1"),
    "nothing": ("rule_length-hours", ""),
    "minutes": ("buffer_before_min", "1e3"),
    "no name": ("name", ""),
    "long name": ("name", "x" * 61),
    "a path": ("name", "a/b"),
    "markup": ("name", "<b>"),
    "a choice": ("rule_approval-mode", "perhaps"),
    "a silence": ("rule_approval-silence_days", "-2"),
}


@pytest.mark.parametrize(("field", "value"), BAD.values(), ids=BAD)
def test_a_bad_value_is_told_at_its_field_and_nothing_is_lost(
    app: Flask, manager: FlaskClient, field: str, value: str
) -> None:
    shown = manager.get(SIMPLE).text
    shown = press(manager, SIMPLE, shown, ("act", "add"), kind="purpose").text
    answer = press(manager, SIMPLE, shown, **{"rule_purpose-ask": "Où allez-vous ?", field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert f'href="#{field}"' in answer.text
    assert 'value="Où allez-vous ?"' in answer.text
    assert set(stored()) == set(world.TERMS)


ROWS = {
    "a price without unit": ("prices", {"grid-0-cents": "12"}, "grid-0-unit"),
    "a price in words": ("prices", {"grid-0-cents": "douze"}, "grid-0-cents"),
    "a table left blank": ("prices", {}, ""),
    "a day that is none": ("seasons", {"closed-0-first": "31/02", "closed-0-last": "01/03"}, "closed-0-first"),
    "an hour that is none": ("use", {"windows-0-first": "25:00"}, "windows-0-first"),
    "no window": ("use", {}, "windows"),
    "no document": ("documents", {}, "papers"),
    "no tier": ("cancellation", {"tiers-0-days": "30"}, "tiers-0-percent"),
}


@pytest.mark.parametrize(("kind", "typed", "wrong"), ROWS.values(), ids=ROWS)
def test_a_bad_row_is_told_at_its_field(
    app: Flask, manager: FlaskClient, kind: str, typed: dict[str, str], wrong: str
) -> None:
    shown = press(manager, SIMPLE, manager.get(SIMPLE).text, ("act", "add"), kind=kind).text
    answer = press(manager, SIMPLE, shown, **{f"rule_{kind}-{name}": value for name, value in typed.items()})
    if not wrong:
        assert answer.status_code == 303
        return
    assert answer.status_code == 422
    assert f'id="rule_{kind}-{wrong}-error"' in answer.text
    assert f'href="#rule_{kind}-{wrong}' in answer.text or not typed, "what a whole table lacks has no field"
    assert re.search(rf'<details class="rule"\s+id="rule-{kind}"\s+open', answer.text)
    assert kind not in stored()


def test_rows_are_added_one_at_a_time_and_blank_ones_are_not_kept(app: Flask, manager: FlaskClient) -> None:
    shown = press(manager, SIMPLE, manager.get(SIMPLE).text, ("act", "add"), kind="cancellation").text
    shown = press(manager, SIMPLE, shown, ("more", "cancellation.tiers")).text
    typed = {f"rule_cancellation-tiers-1-{name}": value for name, value in (("days", "30"), ("percent", "50"))}
    assert press(manager, SIMPLE, shown, **typed).status_code == 303
    assert [row["days"] for row in stored()["cancellation"]["tiers"]] == [30]
    hostile = fields(manager.get(SIMPLE).text)
    sent = [*hostile, *((f"rule_cancellation-tiers-{n}-days", "1") for n in range(100)), ("act", "keep")]
    data: dict[str, list[str]] = {}
    for name, value in sent:
        data.setdefault(name, []).append(value)
    assert manager.post(SIMPLE, data=data).status_code == 422


def test_new_rules_and_some_like_others(app: Flask, manager: FlaskClient) -> None:
    shown = manager.get(NEW).text
    assert set(re.findall(r'name="rule" value="(\w+)"', shown)) == {"notice", "advance", "length", "approval"}
    typed = {"name": "Camps d’été", "rule_notice-days": "30", "rule_advance-days": "90", "rule_length-hours": "240"}
    made = press(manager, NEW, shown, **typed, **{"rule_approval-mode": "always"})
    assert (made.status_code, made.headers["Location"]) == (303, "/admin/rule-sets/Camps%20d%E2%80%99%C3%A9t%C3%A9")
    assert "Camps d’été" in manager.get(made.headers["Location"]).text
    like = f"{NEW}?copy=simple"
    shown = manager.get(like).text
    taken = press(manager, like, shown, name="Simple", **{"rule_length-hours": "5"})
    assert taken.status_code == 409
    assert 'id="name-error"' in taken.text
    assert press(manager, like, taken.text, name="simple, autrement").status_code == 422
    assert press(manager, like, taken.text, name="simple 2").status_code == 303
    assert stored("simple 2")["length"]["hours"] == 5
    assert manager.get(f"{NEW}?copy=nothing").status_code == 404


def test_two_at_once_lose_nothing(app: Flask, manager: FlaskClient, signed_in: SignIn) -> None:
    other = signed_in(OTHER_MANAGER)
    mine, theirs = manager.get(SIMPLE).text, other.get(SIMPLE).text
    assert press(manager, SIMPLE, mine, **{"rule_length-hours": "24"}).status_code == 303
    late = press(other, SIMPLE, theirs, **{"rule_length-hours": "48"})
    assert late.status_code == 409
    assert 'value="48"' in late.text
    assert stored()["length"]["hours"] == 24
    assert press(other, SIMPLE, late.text).status_code == 303, "once told, it may be meant"
    assert stored()["length"]["hours"] == 48


def test_unused_rules_are_deleted(app: Flask, manager: FlaskClient) -> None:
    url = f"{NEW}?copy=simple"
    press(manager, url, manager.get(url).text, name="camps")
    shown = manager.get("/admin/rule-sets/camps").text
    token = dict(fields(shown))["csrf_token"]
    assert 'action="/admin/rule-sets/camps/delete"' in shown
    assert "/delete" not in manager.get(SIMPLE).text
    assert manager.post("/admin/rule-sets/camps/delete").status_code == 400
    assert manager.post(f"{SIMPLE}/delete", data={"csrf_token": token}).status_code == 409
    assert manager.post("/admin/rule-sets/camps/delete", data={"csrf_token": token}).status_code == 303
    assert manager.get("/admin/rule-sets/camps").status_code == 404


# -- who signs for a structure ---------------------------------------------------------------------

PAPERS = "/admin/organisations/CHORALE"


def papers(browser: FlaskClient, **typed: str) -> Any:
    shown = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', browser.get(PAPERS).text))
    return browser.post(PAPERS, data={name: unescape(value) for name, value in shown.items()} | typed)


def test_a_structure_s_papers(app: Flask, manager: FlaskClient, signed_in: SignIn) -> None:
    assert PAPERS in manager.get("/admin/people?organisation=CHORALE").text
    said = {"represented_by": "Odile Sarrazande", "office": "présidente", "member_since": "2019-09-01"}
    assert papers(manager, **said, siret="000 412 379 00018").status_code == 303
    body = db.session().scalars(select(Organisation).where(Organisation.code == "CHORALE")).one()
    db.session().refresh(body)
    assert (body.represented_by, f"{body.member_since}", body.siret) == (*list(said.values())[::2], "00041237900018")
    for name, value in (("siret", "12"), ("member_since", "0001-01-01"), ("member_since", "x"), ("office", "x" * 101)):
        wrong = papers(manager, **{name: value})
        assert wrong.status_code == 422
        assert f'id="{name}-error"' in wrong.text
    for email, status in ((OTHER_MANAGER, 404), (STAFF, 404), (MEMBER, 404)):
        assert signed_in(email).get(PAPERS).status_code == status
