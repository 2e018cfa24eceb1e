"""The JSON API as a program meets it: who calls, what there is, the same key twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from sharebank.api.idempotency import KEPT, forget_old
from sharebank.api.models import IdempotentAnswer
from sharebank.core import clock
from sharebank.core.db import transaction
from sharebank.reservations.models import Reservation, ReservationLine
from tests import world
from tests.web.api_client import API, EVERYTHING, As, as_, ask, fields, fresh, problem, stored, token_of

__all__ = ["as_"]  # the fixture


# -- who calls ---------------------------------------------------------------------------------------


TOKENS = (None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic abc", "Bearer é", "Bearer " + "x" * 5000)


def test_without_a_valid_token_nothing_is_told(app: Flask, subtests: pytest.Subtests) -> None:
    for header in TOKENS:
        with subtests.test(str(header)[:20]):
            headers = {} if header is None else {"Authorization": header}
            answer = fresh(app, f"{API}/resources", headers=headers)
            problem(answer, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_ends(app: Flask, client: Any) -> None:
    token = token_of(app, "member@example.org", days=1)
    headers = {"Authorization": f"bearer {token}"}
    assert client.get(f"{API}/resources", headers=headers).status_code == 200
    clock.set_source(lambda: world.NOW + timedelta(days=1))
    problem(client.get(f"{API}/resources", headers=headers), 401)


def test_a_cookie_counts_for_nothing(signed_in: Any) -> None:
    browser = signed_in("staff@example.org")
    problem(browser.get(f"{API}/resources"), 401)
    problem(browser.post(f"{API}/reservations", json=ask(("MCNG-R01", 1))), 401)
    assert stored(Reservation) == [0]


LANGUAGES = {"": "fr", "de, fr;q=0.9, en;q=0.1": "fr", "en-GB, fr;q=0.5": "en", "de": "fr", "*": "fr", ";;=": "fr"}


def test_messages_follow_accept_language(app: Flask) -> None:
    for wanted, language in LANGUAGES.items():
        answer = fresh(app, f"{API}/resources", headers={"Accept-Language": wanted})
        assert answer.headers["Content-Language"] == language, wanted


def test_what_is_not_there_is_a_problem_too(client: Any, as_: As) -> None:
    problem(client.get(f"{API}/nowhere"), 404)
    answer = client.delete(f"{API}/reservations")
    problem(answer, 405)
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    problem(as_("member").get("/resources/NOPE"), 404)
    problem(as_("member").get("/reservations/R26-NOPE22"), 404)


# -- the catalogue -----------------------------------------------------------------------------------

PERIOD = {"starts_at": "2026-11-28T14:00:00+01:00", "ends_at": "2026-11-28T18:00:00+01:00"}


FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["MCNG-R01", "MCNG-R03", "MCNG-V01", "STN-K03", "STN-R01"]),
    ({"kind": "room"}, ["MCNG-R01", "MCNG-R03", "STN-R01"]),
    ({"house": "STN"}, ["STN-K03", "STN-R01"]),
    ({"category": "Grande salle"}, ["MCNG-R01", "STN-R01"]),
    ({"q": "assiette"}, ["STN-K03"]),
    ({"q": "ISÈRE"}, ["MCNG-R03"]),
    ({"capacity": "9"}, ["MCNG-R01", "MCNG-R03", "MCNG-V01", "STN-R01"]),
    ({"capacity": "121"}, ["MCNG-R01"]),
    ({"quantity": "2"}, ["STN-K03"]),
    ({"kind": "", "house": "MCNG", "q": ""}, ["MCNG-R01", "MCNG-R03", "MCNG-V01"]),
    ({"house": "NOWHERE"}, []),
]


def test_resources_are_found(as_: As, subtests: pytest.Subtests) -> None:
    program = as_("other")
    for query, codes in FOUND:
        with subtests.test(str(query)):
            found = program.get("/resources", **query).json
            assert [item["code"] for item in found["items"]] == codes
            assert found["next"] is None
            assert not any("free" in item for item in found["items"])


def test_resources_come_by_pages(as_: As) -> None:
    program, seen, cursor = as_("member"), [], ""
    while cursor is not None:
        page = program.get("/resources", limit=2, cursor=cursor).json
        assert len(page["items"]) <= 2
        seen += [item["code"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ["MCNG-R01", "MCNG-R03", "MCNG-V01", "STN-K03", "STN-R01"]


def test_with_a_period_resources_say_how_many_are_free_and_why_not(as_: As) -> None:
    staff = as_("staff.stn")
    assert staff.post("/reservations", ask(("STN-R01", 1), ("STN-K03", 25), organisation="STN")).status_code == 201
    found = as_("member").get("/resources", house="STN", quantity=1, **PERIOD).json["items"]
    said = {item["code"]: item for item in found}
    assert (said["STN-R01"]["free"], said["STN-K03"]["free"]) == (0, 35)
    assert said["STN-R01"]["reason"]
    assert "reason" not in said["STN-K03"]
    assert said["STN-R01"]["outside_hours"] is True  # a Saturday afternoon
    short = as_("member").get("/resources", q="assiettes", quantity=36, **PERIOD).json["items"][0]
    assert short["free"] == 35
    assert "35" in short["reason"]


def test_one_resource_and_its_busy_times(as_: As) -> None:
    staff = as_("staff.stn")
    for start, end, plates in (("14", "16", 10), ("16", "18", 10), ("15", "16", 5)):
        body = ask(
            ("STN-K03", plates),
            organisation="STN",
            start=f"2026-11-28T{start}:00:00+01:00",
            end=f"2026-11-28T{end}:00:00+01:00",
        )
        assert staff.post("/reservations", body).status_code == 201
    program = as_("member")
    assert program.get("/resources/STN-K03").json["quantity"] == 60
    busy = program.get("/resources/STN-K03/busy", from_="2026-11-28T14:30:00+01:00", to="2026-11-28T23:00:00Z")
    assert busy.json == [
        {"starts_at": f"2026-11-28T{start}Z", "ends_at": f"2026-11-28T{end}Z", "used": used, "quantity": 60}
        for start, end, used in (
            ("13:30:00", "14:00:00", 10),
            ("14:00:00", "15:00:00", 15),
            ("15:00:00", "17:00:00", 10),
        )
    ]
    assert fields(program.get("/resources/STN-K03/busy")) == {"from", "to"}
    year = {"from_": "2026-01-01T00:00:00Z", "to": "2027-02-06T00:00:00Z"}
    assert fields(program.get("/resources/STN-K03/busy", **year)) == {"to"}


# -- the same key answers the same result ------------------------------------------------------------


def test_a_key_answers_once(as_: As) -> None:
    member, body = as_("member"), ask(("STN-K03", 5))
    first = member.post("/reservations", body, Idempotency_Key="lundi-1")
    before = stored(*EVERYTHING)
    shuffled = dict(reversed(body.items())) | {"starts_at": "2026-11-28T13:00:00Z"}
    again = member.post("/reservations", shuffled, Idempotency_Key="lundi-1")
    assert (again.status_code, again.json) == (201, first.json)
    assert stored(*EVERYTHING) == before
    problem(member.post("/reservations", ask(("STN-K03", 6)), Idempotency_Key="lundi-1"), 422)
    ref = first.json[0]["ref"]
    problem(member.post(f"/reservations/{ref}/cancel", Idempotency_Key="lundi-1"), 422)
    assert stored(*EVERYTHING) == before
    assert (
        as_("other").post("/reservations", ask(("STN-K03", 5), organisation="ECHECS"), Idempotency_Key="lundi-1").json
        != first.json
    ), "a key is one person's"
    for _ in range(2):
        assert member.post(f"/reservations/{ref}/cancel", Idempotency_Key="mardi").json["status"] == "cancelled"
    problem(member.post(f"/reservations/{ref}/cancel"), 409)


def test_a_key_that_cannot_be_one(as_: As) -> None:
    program = as_("member")
    for key in ("", "x" * 201, "with space", "é"):
        answer = program.post("/reservations", ask(("STN-K03", 5)), Idempotency_Key=key)
        assert fields(answer) == {"Idempotency-Key"}
    assert stored(*EVERYTHING) == [0] * 5


def test_a_refusal_leaves_the_key_free(as_: As) -> None:
    member, staff = as_("member"), as_("staff")
    [taken] = staff.post("/reservations", ask(("MCNG-R01", 1), organisation="MCNG")).json
    problem(member.post("/reservations", ask(("MCNG-R01", 1)), Idempotency_Key="k"), 409)
    staff.post(f"/reservations/{taken['ref']}/cancel")
    assert member.post("/reservations", ask(("MCNG-R01", 1)), Idempotency_Key="k").status_code == 201


def test_keys_are_kept_a_day(as_: As) -> None:
    member, body = as_("member"), ask(("STN-K03", 5))
    first = member.post("/reservations", body, Idempotency_Key="k").json
    clock.set_source(lambda: world.NOW + KEPT - timedelta(seconds=1))
    assert member.post("/reservations", body, Idempotency_Key="k").json == first
    clock.set_source(lambda: world.NOW + KEPT)
    assert member.post("/reservations", body, Idempotency_Key="k").json != first
    clock.set_source(lambda: world.NOW + 2 * KEPT)
    with transaction() as session:
        assert forget_old(session, clock.now()) == 1
    assert stored(IdempotentAnswer) == [0]


def test_the_same_key_at_the_same_moment(as_: As) -> None:
    """Eight threads, one key: one booking, and all are told of it, though the room is single."""
    member, body = as_("member"), ask(("MCNG-R01", 1))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: member.post("/reservations", body, Idempotency_Key="k"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({json.dumps(answer.json) for answer in answers}) == 1
    assert stored(Reservation, ReservationLine, IdempotentAnswer) == [1, 1, 1]
