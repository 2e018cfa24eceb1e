"""The JSON API as a program meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from sharebank.api.idempotency import KEPT, forget_old
from sharebank.api.models import IdempotentAnswer
from sharebank.core import clock
from sharebank.core.db import transaction
from sharebank.notifications.models import Letter
from sharebank.reservations import booking
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from tests import world
from tests.web.api_client import API, Program, ask, fresh, stored, token_of

EVERYTHING = (Reservation, ReservationLine, ReservationEvent, Letter, IdempotentAnswer)
As = Callable[[str], Program]


@pytest.fixture
def as_(app: Flask) -> As:
    """A program acting for a person: `as_("member")`."""
    return lambda name: Program(app, f"{name}@example.org")


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert answer.json["status"] == status
    assert answer.json["detail"]
    return answer.json


def fields(answer: Any) -> set[str]:
    return {error["field"] for error in problem(answer, 422)["errors"]}


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


# -- booking -----------------------------------------------------------------------------------------


def test_two_lenders_in_one_go(as_: As) -> None:
    program = as_("staff")
    answer = program.post("/reservations", ask(("MCNG-R01", 1), ("STN-K03", 60), organisation="CHORALE"))
    assert answer.status_code == 201
    mine, theirs = answer.json
    assert (mine["lender"], mine["status"]) == ("MCNG", "approved")
    assert (theirs["lender"], theirs["status"]) == ("STN", "requested")
    assert theirs["lines"] == [{"resource": "STN-K03", "quantity": 60}]
    assert (theirs["starts_at"], theirs["ends_at"]) == ("2026-11-28T13:00:00Z", "2026-11-28T17:00:00Z")
    assert theirs["events"] == [{"at": "2026-11-21T08:00:00Z", "by": "Staff Test", "to": "requested", "why": ""}]
    for made in answer.json:
        assert program.get(f"/reservations/{made['ref']}").json == made, "what was answered is what was stored"


def test_all_or_nothing_and_the_ways_out(as_: As) -> None:
    assert as_("staff.stn").post("/reservations", ask(("STN-K03", 50), organisation="STN")).status_code == 201
    before = stored(*EVERYTHING)
    answer = as_("member").post("/reservations", ask(("MCNG-R01", 1), ("STN-K03", 20)))
    said = problem(answer, 409)
    assert said["type"].endswith("#problem-overlap")
    [conflict] = said["conflicts"]
    assert {key: conflict[key] for key in ("resource", "free", "wanted", "quantity", "purposes", "closed")} == {
        "resource": "STN-K03",
        "free": 10,
        "wanted": 20,
        "quantity": 60,
        "purposes": [],  # a member does not learn what another house does
        "closed": False,
    }
    assert (conflict["starts_at"], conflict["ends_at"]) == ("2026-11-28T13:00:00Z", "2026-11-28T17:00:00Z")
    kinds = {way["kind"] for way in said["alternatives"]}
    assert {"less", "slot"} <= kinds
    assert all({"resource", "starts_at", "ends_at"} <= way.keys() for way in said["alternatives"])
    assert stored(*EVERYTHING) == before
    slot = next(way for way in said["alternatives"] if way["kind"] == "slot")
    again = ask(("STN-K03", 20), start=slot["starts_at"], end=slot["ends_at"])
    assert as_("member").post("/reservations", again).status_code == 201, "a way out leads out"


BAD_VALUES: list[tuple[dict[str, Any], set[str]]] = [
    ({"organisation": None}, {"organisation"}),
    ({"organisation": "ECHECS"}, {"organisation"}),
    ({"organisation": "NOWHERE"}, {"organisation"}),
    ({"purpose": "  "}, {"purpose"}),
    ({"purpose": "x" * 301}, {"purpose"}),
    ({"purpose": 7}, {"purpose"}),
    ({"public": "yes"}, {"public"}),
    ({"public": 1}, {"public"}),
    ({"starts_at": "2026-11-28T14:00:00"}, {"starts_at"}),
    ({"starts_at": "2026-11-28"}, {"starts_at"}),
    ({"starts_at": 1795870800}, {"starts_at"}),
    ({"ends_at": "2026-11-28T14:00:00+01:00"}, {"ends_at"}),
    ({"ends_at": "2026-11-28T24:30:00+01:00"}, {"ends_at"}),
    ({"starts_at": "2026-11-20T14:00:00Z", "ends_at": "2026-11-20T15:00:00Z"}, {"starts_at"}),
    ({"lines": []}, {"lines"}),
    ({"lines": "MCNG-R01"}, {"lines"}),
    ({"lines": [{"resource": "NOPE", "quantity": 1}]}, {"lines"}),
    ({"lines": [{"resource": "MCNG-R01"}]}, {"lines[0].quantity"}),
    ({"lines": [{"resource": "MCNG-R01", "quantity": 0}]}, {"lines[0].quantity"}),
    ({"lines": [{"resource": "MCNG-R01", "quantity": True}]}, {"lines[0].quantity"}),
    ({"lines": [{"resource": "MCNG-R01", "quantity": 1.0}]}, {"lines[0].quantity"}),
    ({"lines": [{"resource": "MCNG-R01", "quantity": 1}] * 2}, {"lines[1].resource"}),
    ({"lines": [{"resource": "MCNG-R01", "quantity": 1, "colour": "red"}]}, {"lines[0].colour"}),
    ({"colour": "red", "purpose": ""}, {"colour", "purpose"}),
]


def test_a_bad_value_is_named_and_nothing_stored(as_: As, subtests: pytest.Subtests) -> None:
    program = as_("member")
    for change, where in BAD_VALUES:
        body = {name: value for name, value in {**ask(("MCNG-R01", 1)), **change}.items() if value is not None}
        with subtests.test(str(change)):
            assert fields(program.post("/reservations", body)) == where
            assert stored(*EVERYTHING) == [0] * 5


def test_a_reference_that_is_taken_is_drawn_again(as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = iter(["R26-BBBBBB", "R26-BBBBBB", "R26-CCCCCC", "R26-CCCCCC", "R26-DDDDDD"])
    monkeypatch.setattr(booking, "new_ref", lambda now, tz: next(refs))
    program = as_("staff")
    assert [one["ref"] for one in program.post("/reservations", ask(("MCNG-R01", 1))).json] == ["R26-BBBBBB"]
    both = program.post("/reservations", ask(("MCNG-R03", 1), ("STN-K03", 1))).json
    assert [one["ref"] for one in both] == ["R26-CCCCCC", "R26-DDDDDD"]


# -- reading reservations ----------------------------------------------------------------------------


def test_everybody_sees_their_own_and_what_their_house_lends(as_: As) -> None:
    for name, organisation, code in (("member", "CHORALE", "MCNG-R01"), ("other", "ECHECS", "STN-R01")):
        assert as_(name).post("/reservations", ask((code, 1), organisation=organisation)).status_code == 201
    assert as_("member").post("/reservations", ask(("STN-K03", 5))).status_code == 201

    def seen(name: str) -> list[tuple[str, str]]:
        items = as_(name).get("/reservations").json["items"]
        return sorted((item["borrower"], item["lender"]) for item in items)

    chorale_here, chorale_there, chess = ("CHORALE", "MCNG"), ("CHORALE", "STN"), ("ECHECS", "STN")
    assert seen("admin") == sorted([chorale_here, chorale_there, chess])
    assert seen("staff") == seen("manager") == [chorale_here]
    assert seen("staff.stn") == sorted([chorale_there, chess])
    assert seen("member") == sorted([chorale_here, chorale_there])
    assert seen("other") == [chess]
    for query in (
        {"organisation": "ECHECS"},
        {"resource": "STN-R01"},
        {"organisation": "ECHECS", "resource": "STN-R01"},
    ):
        for name, found in {"member": 0, "staff": 0, "staff.stn": 1, "other": 1, "admin": 1}.items():
            assert len(as_(name).get("/reservations", **query).json["items"]) == found, (name, query)
    ref = as_("other").get("/reservations").json["items"][0]["ref"]
    for name, status in {"admin": 200, "staff.stn": 200, "other": 200, "member": 404, "staff": 404}.items():
        assert as_(name).get(f"/reservations/{ref}").status_code == status
        if status == 404:
            problem(as_(name).post(f"/reservations/{ref}/cancel"), 404)


def test_reservations_are_filtered_and_come_by_pages(as_: As) -> None:
    staff, made = as_("staff"), []
    for day in (25, 24, 26, 24, 30):
        body = ask(
            ("MCNG-V01" if len(made) == 3 else "MCNG-R01", 1),
            organisation="MCNG" if day == 26 else "CHORALE",
            start=f"2026-11-{day}T10:00:00+01:00",
            end=f"2026-11-{day}T12:00:00+01:00",
        )
        made.append(staff.post("/reservations", body).json[0]["ref"])
    by_time = [made[1], made[3], made[0], made[2], made[4]]

    def refs(**query: Any) -> list[str]:
        return [item["ref"] for item in staff.get("/reservations", **query).json["items"]]

    assert refs() == by_time
    assert refs(resource="MCNG-V01") == [made[3]]
    assert refs(organisation="MCNG") == [made[2]]
    assert refs(organisation="CHORALE", resource="MCNG-R01") == [made[1], made[0], made[4]]
    assert staff.post(f"/reservations/{made[0]}/cancel").status_code == 200
    assert refs(status="cancelled") == [made[0]]
    assert refs(from_="2026-11-26T11:59:59+01:00") == [made[2], made[4]]
    assert refs(from_="2026-11-26T12:00:00+01:00") == [made[4]]
    assert refs(to="2026-11-25T10:00:00+01:00") == [made[1], made[3]]
    assert refs(from_="2026-11-25T11:00:00+01:00", to="2026-11-26T10:00:01+01:00") == [made[0], made[2]]
    seen, cursor = [], ""
    while cursor is not None:
        page = staff.get("/reservations", limit=2, cursor=cursor).json
        seen += [item["ref"] for item in page["items"]]
        cursor = page["next"]
    assert seen == by_time


# -- the life of a reservation -----------------------------------------------------------------------

LEADS = {
    "requested": {"approve": "approved", "decline": "declined", "cancel": "cancelled"},
    "approved": {"cancel": "cancelled", "collect": "collected"},
    "collected": {"return": "returned"},
    "returned": {},
    "declined": {},
    "cancelled": {},
    "expired": {},
}
WAYS = {
    "requested": [],
    "approved": ["approve"],
    "collected": ["approve", "collect"],
    "returned": ["approve", "collect", "return"],
    "declined": ["decline"],
    "cancelled": ["cancel"],
}


def test_every_act_in_every_state(as_: As) -> None:
    member, staff = as_("member"), as_("staff")
    for day, (state, way) in enumerate(WAYS.items(), start=10):
        for act in ("approve", "decline", "cancel", "collect", "return"):
            start, end = f"2026-12-{day}T10:00:00+01:00", f"2026-12-{day}T12:00:00+01:00"
            [made] = member.post("/reservations", ask(("MCNG-R01", 1), start=start, end=end)).json
            for step in way:
                assert staff.post(f"/reservations/{made['ref']}/{step}", {"why": "voilà"}).status_code == 200
            answer = staff.post(f"/reservations/{made['ref']}/{act}", {"why": "voilà"})
            if act in LEADS[state]:
                assert (answer.status_code, answer.json["status"]) == (200, LEADS[state][act])
                assert answer.json["events"][-1] == {
                    "at": "2026-11-21T08:00:00Z",
                    "by": "Staff Test",
                    "to": LEADS[state][act],
                    "why": "voilà",
                }
            else:
                assert problem(answer, 409)["conflicts"] == []
            stood = LEADS[state].get(act, state)
            assert member.get(f"/reservations/{made['ref']}").json["status"] == stood
            if stood in ("requested", "approved"):
                staff.post(f"/reservations/{made['ref']}/cancel")
            elif stood == "collected":
                staff.post(f"/reservations/{made['ref']}/return")


def test_who_may_do_what(as_: As) -> None:
    member = as_("member")
    [made] = member.post("/reservations", ask(("MCNG-R01", 1))).json
    for act in ("approve", "decline", "collect", "return"):
        problem(member.post(f"/reservations/{made['ref']}/{act}", {"why": "moi"}), 403)
    for stranger in ("other", "staff.stn"):
        problem(as_(stranger).post(f"/reservations/{made['ref']}/cancel"), 404)
    assert fields(as_("staff").post(f"/reservations/{made['ref']}/decline")) == {"why"}
    assert fields(as_("staff").post(f"/reservations/{made['ref']}/approve", {"because": "x"})) == {"because"}
    assert member.post(f"/reservations/{made['ref']}/cancel").json["status"] == "cancelled"


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


# -- what nobody should send -------------------------------------------------------------------------

GOOD = json.dumps(ask(("MCNG-R01", 1)))
DEEP = 100_000
JSON = "application/json"
HOSTILE_BODIES: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", JSON),
    "no json": ("organisation=CHORALE", JSON),
    "half": (GOOD[:-5], JSON),
    "two": (GOOD + GOOD, JSON),
    "null": ("null", JSON),
    "number": ("17", JSON),
    "text": ('"text"', JSON),
    "list": (f"[{GOOD}]", JSON),
    "true": ("true", JSON),
    "a form": ("organisation=CHORALE", "application/x-www-form-urlencoded"),
    "a file": ("--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    "a broken file": ("--x", "multipart/form-data"),
    "plain text": (GOOD, "text/plain"),
    "no type": (GOOD, ""),
    "odd type": (GOOD, "application/json/x; charset=\x7f"),
    "deep lists": ("[" * DEEP, JSON),
    "deep closed lists": ("[" * DEEP + "]" * DEEP, JSON),
    "deep objects": ('{"a":' * 20_000 + "1" + "}" * 20_000, JSON),
    "deep in a field": (GOOD[:-1] + ', "x": ' + "[" * 60_000 + "]" * 60_000 + "}", JSON),
    "a megabyte": ('"' + "x" * 1_000_000 + '"', JSON),
    "a megabyte of spaces": (" " * 1_000_000 + GOOD, JSON),
    "a thousand fields": (json.dumps({f"f{n}": n for n in range(5000)}), JSON),
    "a thousand lines": (json.dumps(ask(*[("MCNG-R01", 1)] * 1500)), JSON),
    "bytes": (bytes(range(256)), JSON),
    "latin-1": (GOOD.replace("R\\u00e9p", "Rép").encode("latin-1"), JSON),
    "utf-16 halves": (b"\xff\xfe{", JSON),
    "nul": ("\0", JSON),
    "NaN": (GOOD.replace('"quantity": 1', '"quantity": NaN'), JSON),
    "Infinity": (GOOD.replace('"quantity": 1', '"quantity": -Infinity'), JSON),
    "float": (GOOD.replace('"quantity": 1', '"quantity": 1e400'), JSON),
    "minus": (GOOD.replace('"quantity": 1', '"quantity": -1'), JSON),
    "2**31": (GOOD.replace('"quantity": 1', '"quantity": 2147483648'), JSON),
    "2**63": (GOOD.replace('"quantity": 1', '"quantity": 9223372036854775808'), JSON),
    "5000 digits": (GOOD.replace('"quantity": 1', '"quantity": ' + "9" * 5000), JSON),
    "null quantity": (GOOD.replace('"quantity": 1', '"quantity": null'), JSON),
    "text quantity": (GOOD.replace('"quantity": 1', '"quantity": "1"'), JSON),
    "object quantity": (GOOD.replace('"quantity": 1', '"quantity": {"$gt": 0}'), JSON),
    "nul in the purpose": (GOOD.replace("R\\u00e9p", "\\u0000"), JSON),
    "half a character": (GOOD.replace("R\\u00e9p", "\\ud800"), JSON),
    "half a character in a name": (GOOD[:-1] + ', "\\udfff": 1}', JSON),
    "an escape in the purpose": (GOOD.replace("R\\u00e9p", "\\u001b[2J"), JSON),
    "nul in a code": (GOOD.replace("MCNG-R01", "MCNG\\u0000"), JSON),
    "sql in a code": (GOOD.replace("MCNG-R01", "' OR 1=1 --"), JSON),
    "year 9999": (GOOD.replace("2026-11-28T18", "9999-12-31T23"), JSON),
    "year 1": (GOOD.replace("2026-11-28T14:00:00+01:00", "0001-01-01T00:00:00+23:59"), JSON),
    "year 0": (GOOD.replace("2026-11-28T14", "0000-01-01T00"), JSON),
    "the 31st of November": (GOOD.replace("2026-11-28T14", "2026-11-31T14"), JSON),
    "offset of a day": (GOOD.replace("14:00:00+01:00", "14:00:00+24:00"), JSON),
    "offset in letters": (GOOD.replace("14:00:00+01:00", "14:00:00 Europe/Paris"), JSON),
    "other digits": (GOOD.replace("2026-11-28T14", "\u0662\u0660\u0662\u0666-11-28T14"), JSON),
    "many decimals": (GOOD.replace("18:00:00+", "14:00:00." + "9" * 50 + "+"), JSON),
    "backwards": (GOOD.replace("T18", "T08"), JSON),
    "five years": (GOOD.replace("2026-11-28T18", "2031-11-28T18"), JSON),
}


def test_a_hostile_body_is_refused_and_nothing_stored(as_: As, subtests: pytest.Subtests) -> None:
    program = as_("member")
    for name, (body, kind) in HOSTILE_BODIES.items():
        with subtests.test(name):
            answer = program.call("POST", "/reservations", data=body, headers={"Content-Type": kind})
            assert 400 <= answer.status_code < 500, answer.text
            problem(answer, answer.status_code)
            answer.get_data().decode("utf-8")
            assert len(answer.get_data()) < 20_000
            assert stored(*EVERYTHING) == [0] * 5


HOSTILE_QUERIES = [
    "/resources?limit=0",
    "/resources?limit=201",
    "/resources?limit=-1",
    "/resources?limit=1e3",
    "/resources?limit=%D9%A1",
    "/resources?limit=99999999999999999999999",
    "/resources?limit=1&limit=2",
    "/resources?colour=red",
    "/resources?kind=castle",
    "/resources?capacity=many",
    "/resources?quantity=0",
    "/resources?q=" + "x" * 101,
    "/resources?q=%00",
    "/resources?q=%1b",
    "/resources?house=%ED%A0%80%00",
    "/resources?cursor=%F0%9F%90%88",
    "/resources?cursor=abc",
    "/resources?cursor=WzFd",
    "/resources?cursor=WyJhIl0",
    "/resources?cursor=" + "W" * 200,
    "/resources?starts_at=2026-11-28T14:00:00Z",
    "/resources?ends_at=2026-11-28T14:00:00Z",
    "/resources?starts_at=2026-11-28T14:00:00&ends_at=2026-11-28T15:00:00",
    "/resources?starts_at=2026-11-28T14:00:00Z&ends_at=2026-11-28T14:00:00Z",
    "/resources/%00",
    "/resources/%F0%9F%90%88",
    "/resources/MCNG-R01?colour=red",
    "/resources/MCNG-R01/busy?from=now&to=then",
    "/resources/MCNG-R01/busy?from=2026-11-28T14:00:00Z&to=2026-11-28T13:00:00Z",
    "/resources/MCNG-R01/busy?from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z",
    "/reservations?status=lost",
    "/reservations?from=2026-11-28",
    "/reservations?from=2026-11-28T14:00:00Z&to=2026-11-28T14:00:00Z",
    "/reservations?cursor=WyJ4IiwxXQ",
    "/reservations?cursor=WyIyMDI2LTExLTI4VDE0OjAwOjAwWiIsOTIyMzM3MjAzNjg1NDc3NTgwOF0",
    "/reservations?cursor=WyIyMDI2LTExLTI4VDE0OjAwOjAwIiwxXQ",
    "/reservations?cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiIsMV0",
    "/reservations?cursor=WyJhIiwiYiJd",
    "/reservations/%00",
    "/reservations/" + "R" * 3000,
]


def test_a_hostile_query_is_refused(as_: As, subtests: pytest.Subtests) -> None:
    program = as_("member")
    for path in HOSTILE_QUERIES:
        with subtests.test(path[:60]):
            answer = program.call("GET", path)
            assert 400 <= answer.status_code < 500, answer.text
            problem(answer, answer.status_code)


def test_a_plus_that_was_not_escaped_is_understood(as_: As) -> None:
    path = "/resources/MCNG-R01/busy?from=2026-11-28T14:00:00+01:00&to=2026-11-29T14:00:00+01:00"
    assert as_("member").call("GET", path).json == []


def test_fractions_of_a_second_are_dropped(as_: As) -> None:
    body = ask(("MCNG-R01", 1), start="2026-11-28T13:00:00.750Z", end="2026-11-28t14:00:00.000z")
    [made] = as_("member").post("/reservations", body).json
    assert (made["starts_at"], made["ends_at"]) == ("2026-11-28T13:00:00Z", "2026-11-28T14:00:00Z")
