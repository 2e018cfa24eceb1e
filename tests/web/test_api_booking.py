"""Booking over the API: all or nothing, reading back, the life of a reservation."""

from __future__ import annotations

from typing import Any

import pytest

from sharebank.reservations import booking
from tests.web.api_client import EVERYTHING, As, as_, ask, fields, problem, stored

__all__ = ["as_"]  # the fixture


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
