"""Group orders as a program meets them: made, pledged for, sent, received, settled; each with its own token."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from sqlalchemy import event, select

from sharebank.accounts.models import User
from sharebank.api import orders as api_orders
from sharebank.api.openapi import PROBLEMS, build
from sharebank.api.order_shapes import BODIES
from sharebank.api.problems import Invalid
from sharebank.api.shapes import MAX_BODY
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.exchange import import_bytes
from sharebank.orders import lifecycle
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.models import GroupOrder, Pledge, PledgeChange
from sharebank.orders.outgoing import dispatch
from tests import world
from tests.web.api_client import Program, stored

As = Callable[[str], Program]
CLOSES = "2026-12-05T18:00:00+01:00"
NEW = {"code": "hiver", "title": "Fournitures", "supplier": "PAP", "closes_at": CLOSES, "delivery_house": "MCNG"}
SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,ventes@example.org,10.00,4.90,50.00,5
MUT,Muette,school_office,,0.00,0.00,0.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,100:0.874,recycled,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,,,livres
MUT,M1,Craie,piece,1,1.00,20.0,,,
"""


@pytest.fixture
def as_(app: Flask) -> As:
    """A program acting for a person, in a town with two suppliers: `as_("staff")`."""
    with transaction() as session:
        for kind, text in (("suppliers", SUPPLIERS), ("price-list", PRICES)):
            import_bytes(session, kind, "f.csv", text.encode(), world.NOW, world.PARIS)
    known: dict[str, Program] = {}
    return lambda name: known.setdefault(name, Program(app, f"{name}@example.org"))


def ok(answer: Any, status: int = 200) -> Any:
    """What was answered, which is as the description says."""
    assert answer.status_code == status, answer.text
    return answer.json


def fields(answer: Any, status: int = 422) -> set[str]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    return {error["field"] for error in answer.json["errors"]}


def code(answer: Any, status: int) -> str:
    """The code of a problem, which has its place in the page for people."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    found = answer.json["type"].rpartition("#problem-")[2]
    assert found in {refused.code for refused in PROBLEMS}
    return found


def put(by: Program, sku: str, quantity: int, most: int | None = None, body: str = "CHORALE", **headers: str) -> Any:
    said = {"organisation": body, "quantity": quantity, **({} if most is None else {"accept_up_to": most})}
    return by.call("PUT", f"/orders/hiver/pledges/{sku}", json=said, headers=headers)


@pytest.fixture
def opened(as_: As) -> Program:
    """Staff of the delivery house, whose order is open."""
    staff = as_("staff")
    ok(staff.post("/orders", NEW), 201)
    ok(staff.post("/orders/hiver/open"))
    return staff


# -- making ------------------------------------------------------------------------------------------


def test_an_order_is_made_with_all_that_can_be_said_of_it(as_: As) -> None:
    more = {
        "campaign": "rentrée",
        "opens_at": "2026-11-23T09:00:00+01:00",
        "pickup": "Samedi, au local",
        "joins": ["association", "house:STN"],
        "first": ["ECHECS"],
        "notes": "Sans plastique",
        "sharing": "priority",
        "skus": ["C1"],
    }
    made = ok(as_("staff").post("/orders", {**NEW, **more}), 201)
    told = ("campaign", "pickup", "joins", "first", "notes", "sharing")
    assert {name: made[name] for name in told} == {name: more[name] for name in told}
    assert (made["state"], made["coordinator"]) == ("draft", "Staff Test")
    assert (made["opens_at"], made["closes_at"]) == ("2026-11-23T08:00:00Z", "2026-12-05T17:00:00Z")
    assert [item["sku"] for item in made["items"]] == ["C1"]
    assert made["items"][0]["price_breaks"] == [{"units": 100, "unit_price": "0.874"}]
    plain = ok(as_("staff").post("/orders", {**NEW, "code": "tout"}), 201)
    assert [item["sku"] for item in plain["items"]] == ["C1", "L1"], "all of the price list"
    assert (plain["sharing"], plain["campaign"]) == ("pro_rata", "tout")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"code": ""}, "code"),
    ({"code": "suppliers"}, "code"),
    ({"code": "x" * 61}, "code"),
    ({"supplier": "NOPE"}, "supplier"),
    ({"delivery_house": "CHORALE"}, "delivery_house"),
    ({"delivery_house": "NOPE"}, "delivery_house"),
    ({"joins": ["association", "house:NOPE"]}, "joins"),
    ({"first": ["NOPE"]}, "first"),
    ({"closes_at": "2026-11-20T18:00:00+01:00"}, "closes_at"),
    ({"closes_at": "2026-12-05T18:00:00"}, "closes_at"),
    ({"sharing": "lottery"}, "sharing"),
    ({"skus": ["C1", "M1"]}, "skus"),
    ({"skus": []}, "skus"),
    ({"opens_at": "2026-12-06T18:00:00+01:00"}, "closes_at"),
    ({"colour": "red"}, "colour"),
]


def test_a_bad_order_is_told_where_and_stores_nothing(as_: As, subtests: pytest.Subtests) -> None:
    staff = as_("staff")
    for change, field in BAD:
        with subtests.test(str(change)[:60]):
            assert field in fields(staff.post("/orders", {**NEW, **change}))
    assert stored(GroupOrder) == [0]


def test_who_may(as_: As) -> None:
    for name in ("member", "staff.stn"):
        assert code(as_(name).post("/orders", NEW), 403) == "not_allowed"
    ok(as_("staff").post("/orders", NEW), 201)
    assert code(as_("staff").post("/orders", NEW), 409) == "code_taken"
    for name, seen in (("member", 404), ("staff.stn", 404), ("admin", 200)):
        assert as_(name).get("/orders/hiver").status_code == seen, "a draft is for those who prepare it"
        assert as_(name).post("/orders/hiver/close").status_code == (409 if seen == 200 else 404)
        assert [one["code"] for one in ok(as_(name).get("/orders"))["items"]] == (["hiver"] if seen == 200 else [])
    ok(as_("staff").post("/orders/hiver/open"))
    for act, body in (("close", None), ("send", None), ("receive", None), ("settle", None), ("reopen", None)):
        assert code(as_("staff.stn").post(f"/orders/hiver/{act}", body), 403) == "not_allowed"
    assert stored(OrderEvent) == [2], "made and opened"


def test_a_key_makes_one_order_and_opens_it_once(as_: As) -> None:
    staff = as_("staff")
    first, again = (staff.post("/orders", NEW, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, first.data) == (again.status_code, again.data)
    other = staff.post("/orders", {**NEW, "code": "autre"}, Idempotency_Key="k1")
    assert code(other, 422) == "key_reused"
    opened = [staff.post("/orders/hiver/open", Idempotency_Key="k2") for _ in range(2)]
    assert opened[0].data == opened[1].data
    assert stored(GroupOrder, OrderEvent) == [1, 2]


# -- pledging ----------------------------------------------------------------------------------------


def test_pledges_are_put_changed_and_taken_back(as_: As, opened: Program) -> None:
    member, other = as_("member"), as_("other")
    said = ok(put(member, "C1", 7, 9))
    assert said == {"order": "hiver", "organisation": "CHORALE", "sku": "C1", "quantity": 7, "accept_up_to": 9}
    ok(put(other, "C1", 2, body="ECHECS"))
    [cahier, _] = ok(opened.get("/orders/hiver/summary"))["items"]
    assert (cahier["units"], cahier["packs"], cahier["allocations"]) == (10, 1, {"CHORALE": 8, "ECHECS": 2})
    ok(put(member, "C1", 0))
    [cahier, _] = ok(opened.get("/orders/hiver/summary"))["items"]
    assert (cahier["firm"], cahier["allocations"]) == (2, {})
    assert stored(Pledge, PledgeChange) == [1, 3]


def test_a_pledge_that_cannot_be_is_refused(as_: As, opened: Program) -> None:
    member = as_("member")
    for quantity, most, field in ((-1, 1, "quantity"), (2, 1, "quantity"), (2**31, None, "quantity"), (1, -1, "x")):
        found = fields(put(member, "C1", quantity, most))
        assert field in found or field == "x", found
    assert fields(put(member, "M1", 1)) == {"sku"}
    assert fields(put(member, "C1", 1, body="ECHECS")) == {"organisation"}
    nowhere = member.call("PUT", "/orders/nope/pledges/C1", json={"organisation": "CHORALE", "quantity": 1})
    assert code(nowhere, 404) == "not_found"
    for body in ("12", '{"quantity": 1.5, "organisation": "CHORALE"}', '{"quantity": NaN}', '{"organisation": "X"}'):
        raw = member.call("PUT", "/orders/hiver/pledges/C1", data=body, content_type="application/json")
        assert raw.status_code in (400, 422), body
    ok(opened.post("/orders/hiver/close"))
    assert code(put(member, "C1", 1), 409) == "order_closed"
    assert stored(Pledge, PledgeChange) == [0, 0]


def test_an_association_reads_its_own_part_only(as_: As, opened: Program) -> None:
    ok(put(as_("member"), "L1", 2))
    ok(put(as_("other"), "L1", 3, body="ECHECS"))
    whole = ok(as_("staff.stn").get("/orders/hiver/summary"))
    assert set(whole["shares"]) == {"CHORALE", "ECHECS"}, "staff of any house"
    own = ok(as_("member").get("/orders/hiver/summary"))
    assert own["shares"] == {"CHORALE": whole["shares"]["CHORALE"]}
    assert own["items"][1]["allocations"] == {"CHORALE": 2}
    assert own["invoice"] == whole["invoice"], "sums are everyone's"
    sees = {
        name: [(one["organisation"], one["quantity"]) for one in ok(as_(name).get("/orders/hiver"))["pledges"]]
        for name in ("member", "staff")
    }
    assert sees == {"member": [("CHORALE", 2)], "staff": [("CHORALE", 2), ("ECHECS", 3)]}


# -- lists -------------------------------------------------------------------------------------------


def test_coordinators_are_read_with_their_orders(as_: As) -> None:
    """Not one by one: each order of the list may have its own."""
    staff = as_("staff")
    for number in range(4):
        ok(staff.post("/orders", {**NEW, "code": f"o{number}"}), 201)
    with transaction() as session:
        people = session.scalars(select(User.id).order_by(User.id)).all()
        for order, coordinator in zip(session.scalars(select(GroupOrder)), people, strict=False):
            order.coordinator_id = coordinator
    asked: list[str] = []
    admin = as_("admin")
    event.listen(db.engine, "before_cursor_execute", lambda *what: asked.append(what[2]))
    assert len({order["coordinator"] for order in ok(admin.get("/orders"))["items"]}) == 4
    assert sum("FROM user_account" in statement for statement in asked) <= 1, "who asks"


def test_a_list_is_read_page_by_page(as_: As) -> None:
    staff = as_("staff")
    for number in range(5):
        # Two close at the same moment.
        closes = f"2026-12-0{5 + number // 2}T18:00:00Z"
        made = {**NEW, "code": f"o{number}", "closes_at": closes, "campaign": "a" if number else "b"}
        ok(staff.post("/orders", made), 201)
    ok(staff.post("/orders/o3/open"))
    seen, cursor = [], None
    while True:
        page = ok(staff.get("/orders", limit=2, **({"cursor": cursor} if cursor else {})))
        seen += [one["code"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        ok(staff.post("/orders", {**NEW, "code": f"n{len(seen)}", "closes_at": "2027-01-01T18:00:00Z"}), 201)
    assert seen == ["o4", "o3", "o2", "o1", "o0"], "what is made meanwhile moves nothing"
    assert [one["code"] for one in ok(staff.get("/orders", state="open"))["items"]] == ["o3"]
    assert [one["code"] for one in ok(staff.get("/orders", campaign="b"))["items"]] == ["o0"]
    for query in ({"cursor": "x"}, {"cursor": "WzFd"}, {"state": "x"}, {"limit": "0"}, {"nope": "1"}):
        assert fields(staff.get("/orders", **query)) == set(query)


# -- its life ----------------------------------------------------------------------------------------


def test_the_life_of_an_order(as_: As, opened: Program, app: Flask) -> None:
    ok(put(as_("member"), "L1", 3))
    assert code(opened.post("/orders/hiver/extend", {"closes_at": CLOSES}), 422) == "reason_missing"
    assert ok(opened.post("/orders/hiver/extend", {"closes_at": "2026-12-06T18:00:00Z", "why": "pluie"}))[
        "closes_at"
    ] == ("2026-12-06T18:00:00Z")
    assert ok(opened.post("/orders/hiver/close"))["state"] == "closed"
    assert code(opened.post("/orders/hiver/close"), 409) == "wrong_state"
    assert ok(opened.post("/orders/hiver/reopen", {"why": "oubli"}))["state"] == "open"
    ok(opened.post("/orders/hiver/close"))
    assert code(opened.post("/orders/hiver/send", {"to": "nobody"}), 422) == "bad_address"
    sent = ok(opened.post("/orders/hiver/send", {"how": "hand"}))
    assert (sent["state"], sent["sending"]["how"], sent["sending"]["state"]) == ("sent", "hand", "taken")
    assert "sending" not in ok(as_("member").get("/orders/hiver"))
    bad = {"items": [{"sku": "L1", "received": 1}, {"sku": "L1", "received": 1}]}
    assert fields(opened.post("/orders/hiver/receive", bad)) == {"items[1].sku"}
    bad = {"items": [{"sku": "L1", "received": 1, "unit_price": "1e3"}]}
    assert fields(opened.post("/orders/hiver/receive", bad)) == {"items[0].unit_price"}
    assert fields(opened.post("/orders/hiver/receive", {"note": "n" * 501})) == {"note"}
    came = {"items": [{"sku": "L1", "received": 2, "damaged": 1, "unit_price": "11.50"}], "note": "un carton mouillé"}
    received = ok(opened.post("/orders/hiver/receive", came))
    assert received["state"] == "received"
    found = ok(opened.get("/orders/hiver/summary"))
    assert (found["items"][1]["units"], found["items"][1]["unit_price"]) == (2, "11.50")
    assert found["shares"]["CHORALE"]["goods_cents"] == found["invoice"]["goods_cents"] == 2300
    assert ok(opened.post("/orders/hiver/settle"))["state"] == "settled"
    acts = [event["act"] for event in ok(opened.get("/orders/hiver"))["events"]]
    assert acts == ["make", "open", "extend", "close", "reopen", "close", "send", "receive", "settle"]


def test_everything_came_when_nothing_is_said(as_: As, opened: Program) -> None:
    ok(put(as_("member"), "L1", 3))
    for act, body in (("close", None), ("send", {"how": "hand"}), ("receive", None), ("settle", None)):
        ok(opened.post(f"/orders/hiver/{act}", body))
    assert ok(opened.get("/orders/hiver"))["items"][1]["received"] == 3


def test_it_is_sent_once_the_mail_server_took_it(as_: As, opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    ok(put(as_("member"), "L1", 3))
    ok(opened.post("/orders/hiver/close"))
    monkeypatch.setattr(dispatch, "at_once", lambda code, now: None)  # the server is away
    waits = ok(opened.post("/orders/hiver/send"))
    assert (waits["state"], waits["sending"]["state"], waits["sending"]["to"]) == (
        "closed",
        "waiting",
        "ventes@example.org",
    )
    assert code(opened.post("/orders/hiver/send"), 409) == "order_leaving"


def test_the_answer_of_a_key_is_what_became_of_it(
    as_: As, opened: Program, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered at once, by the real way out; the second call delivers nothing and answers the same."""
    from sharebank.core import press

    monkeypatch.setattr(press, "pdf", lambda *_, **__: b"%PDF-1.7 a")
    ok(put(as_("member"), "L1", 3))
    ok(opened.post("/orders/hiver/close"))
    first, again = (opened.post("/orders/hiver/send", Idempotency_Key="k") for _ in range(2))
    assert (ok(first)["state"], first.json["sending"]["state"]) == ("sent", "taken"), first.text
    ok(opened.post("/orders/hiver/receive"))
    assert again.data == first.data == opened.post("/orders/hiver/send", Idempotency_Key="k").data


def test_an_order_is_given_up_with_a_reason(as_: As, opened: Program) -> None:
    assert fields(opened.post("/orders/hiver/cancel")) == {"why"}
    assert ok(opened.post("/orders/hiver/cancel", {"why": "fournisseur fermé"}))["state"] == "cancelled"


def test_the_minute_it_closes_counts(as_: As, opened: Program) -> None:
    ok(put(as_("member"), "L1", 1))
    at = lifecycle.datetime.fromisoformat(CLOSES)
    member = as_("member")
    clock.set_source(lambda: at - timedelta(seconds=1))
    member_token_lives = put(member, "L1", 2).status_code
    clock.set_source(lambda: at)
    assert (member_token_lives, put(member, "L1", 3).status_code) == (200, 409)
    assert ok(opened.get("/orders/hiver/summary"))["items"][1]["firm"] == 2


# -- the description ---------------------------------------------------------------------------------


def test_answers_are_as_described(as_: As, opened: Program) -> None:
    document = build()
    ok(put(as_("member"), "C1", 7, 8))
    answers = {
        "Order": [opened.get("/orders/hiver"), as_("member").get("/orders/hiver"), opened.post("/orders/hiver/close")],
        "Summary": [opened.get("/orders/hiver/summary"), as_("member").get("/orders/hiver/summary")],
    }
    ok(opened.post("/orders/hiver/reopen"))
    answers["Pledge"] = [put(as_("member"), "C1", 60, 99)]
    answers["Summary"].append(opened.get("/orders/hiver/summary"))
    ok(opened.post("/orders/hiver/close"))
    answers["Order"].append(opened.post("/orders/hiver/send", {"how": "hand"}))
    kinds = {hint["kind"] for answer in answers["Summary"] for hint in answer.json["hints"]}
    assert kinds >= {"pack", "break"}
    for name, found in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        for answer in found:
            Draft202012Validator(schema).validate(ok(answer))


def test_every_step_is_done_by_somebody() -> None:
    from sharebank.api.order_shapes import STEPS

    assert set(api_orders._STEPS) == set(STEPS)
    with pytest.raises(Invalid):
        api_orders._price("x", "f")


def longest(schema: dict[str, Any]) -> Any:
    """A value as long as a shape lets it be."""
    match schema["type"]:
        case "object":
            return {name: longest(one) for name, one in schema["properties"].items()}
        case "array":
            return [longest(schema["items"])] * schema["maxItems"]
        case "integer":
            return schema["maximum"]
    return "x" * schema.get("maxLength", 35)


def test_what_the_description_allows_fits_into_a_body() -> None:
    assert len(json.dumps(longest(BODIES["Reception"]))) <= MAX_BODY
    order = BODIES["NewOrder"]
    besides = {**order, "properties": {name: one for name, one in order["properties"].items() if name != "skus"}}
    assert len(json.dumps(longest(besides))) <= MAX_BODY


def test_of_article_numbers_the_body_alone_decides_how_many(as_: As, opened: Program) -> None:
    skus = [f"{number:08}" for number in range(11_900)]
    body = json.dumps({**NEW, "code": "grand", "skus": skus}, separators=(",", ":"))
    assert MAX_BODY - 500 < len(body) <= MAX_BODY
    answer = opened.call("POST", "/orders", data=body, content_type="application/json")
    assert fields(answer) == {"skus"}
    assert answer.json["type"].endswith("#problem-unknown_sku"), "each was looked for"
    assert BODIES["NewOrder"]["properties"]["skus"]["maxItems"] == MAX_BODY // 4
