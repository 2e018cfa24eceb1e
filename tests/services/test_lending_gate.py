"""Each kind of rule asked once at the moment of asking, through the database."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, update

from sharebank.accounts.models import Organisation
from sharebank.catalog.service import Wish
from sharebank.core.db import db, transaction
from sharebank.core.period import local_period, to_utc
from sharebank.insurance.models import Driver
from sharebank.lending.prices import Quote
from sharebank.reservations import desk, searching
from sharebank.reservations.asking import Details
from sharebank.reservations.rules import NotPromised, RuleBroken, TooFar, TooLong, TooSoon
from tests import world
from tests.counter import (
    BUS,
    MEMBER,
    NOTHING,
    OTHER,
    PLATES,
    PRICES,
    ROOM,
    SMALL,
    STAFF,
    STAFF_STN,
    STN_ROOM,
    Book,
    Who,
    book,
    loan,
    register,
    rules,
    stored,
)
from tests.web.api_client import Program, ask
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")


FREE: dict[str, Any] = {"approval": None}
"""The house accepts whatever keeps to the rules."""


def wall(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return to_utc(datetime(2026, month, day, hour, minute), world.PARIS)  # noqa: DTZ001


def body(code: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(update(Organisation).where(Organisation.code == code).values(**values))


AFTERNOON = at(28, "14:00", "18:00")
"""A week ahead, a Saturday."""

# The kind, its settings, who asks for what else and when, and the refusal; each has a sibling that passes.
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str, type[RuleBroken]]] = [
    ("notice", {"days": 8}, {}, "starts_at", TooSoon),
    ("notice", {"days": 6, "working": True}, {}, "starts_at", TooSoon),
    ("notice", {"days": 20, "again_days": 8}, {}, "starts_at", TooSoon),
    ("advance", {"days": 6}, {}, "starts_at", TooFar),
    ("length", {"hours": 3}, {}, "ends_at", TooLong),
    ("use", {"windows": [{"days": ["mon"]}]}, {}, "starts_at", RuleBroken),
    ("use", {"windows": [{"first": "15:00", "last": "20:00"}]}, {}, "starts_at", RuleBroken),
    ("collection", {"collect": [{"days": ["fri"]}], "days_before": 1}, {}, "collect_at", RuleBroken),
    ("collection", {"give_back": [{"first": "08:00", "last": "12:00"}], "days_after": 1}, {}, "return_at", RuleBroken),
    ("seasons", {"closed_days": ["sat"]}, {}, "starts_at", RuleBroken),
    ("seasons", {"closed": [{"first": "11-15", "last": "12-15"}]}, {}, "starts_at", RuleBroken),
    ("priority", {"windows": [{"days": ["sat"], "groups": ["houses"], "until_days": 6}]}, {}, "starts_at", RuleBroken),
    ("borrowers", {"allowed": ["houses"]}, {}, "organisation", RuleBroken),
    ("borrowers", {"member_years": 2}, {}, "organisation", RuleBroken),
    ("purpose", {"least": 40}, {}, "purpose", RuleBroken),
    ("headcount", {}, {}, "headcount", RuleBroken),
    ("headcount", {"within": True}, {"headcount": 151}, "headcount", RuleBroken),
    ("headcount", {"least": 20}, {"headcount": 19}, "headcount", RuleBroken),
    ("radius", {"km": 300}, {"distance_km": 301}, "distance_km", RuleBroken),
    ("drivers", {"named": True}, {}, "drivers", RuleBroken),
    ("drivers", {"licence": "B", "years": 3}, {"drivers": ("Paule Neuve",)}, "drivers", RuleBroken),
]


@pytest.mark.parametrize(("kind", "settings", "details", "field", "refusal"), REFUSED)
def test_each_kind_of_rule_refuses_and_names_its_rule_set(
    book: Book, kind: str, settings: dict[str, Any], details: dict[str, Any], field: str, refusal: type[RuleBroken]
) -> None:
    register("Paule Neuve", date(2024, 6, 1))
    rules(**{kind: settings})
    with pytest.raises(refusal) as caught:
        book(MEMBER, AFTERNOON, {ROOM: 1}, details=Details(**details))
    assert type(caught.value) is refusal
    assert (caught.value.status, caught.value.field, caught.value.barred) == (422, field, ROOM)
    assert not caught.value.overridable
    assert caught.value.facts["rules"] == "simple"
    assert "%(rules)s" in caught.value.sentence
    assert stored() == NOTHING


KEPT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("notice", {"days": 7}, {}),
    ("notice", {"days": 5, "working": True}, {}),
    ("collection", {"collect": [{"days": ["fri"]}], "days_before": 1}, {"collect_at": wall(27, 17)}),
    ("priority", {"windows": [{"days": ["sat"], "groups": ["houses"], "until_days": 7}]}, {}),
    ("priority", {"windows": [{"days": ["sat"], "groups": ["own"], "until_days": 1}]}, {}),
    ("borrowers", {"own_only": True}, {}),
    ("headcount", {"least": 20}, {"headcount": 20}),
    ("drivers", {"licence": "B", "years": 3}, {"drivers": ("samir ancien",)}),  # however it is typed
    ("quota", {"loans": 1}, {}),
]


@pytest.mark.parametrize(("kind", "settings", "details"), KEPT)
def test_a_rule_that_is_kept_lets_it_pass(
    book: Book, kind: str, settings: dict[str, Any], details: dict[str, Any]
) -> None:
    register("Samir Ancien", date(2010, 6, 1))
    rules(**{kind: settings, **FREE})
    [done] = book(MEMBER, AFTERNOON, {ROOM: 1}, details=Details(**details))
    assert done.status == "approved"


def test_seniority_is_counted_from_what_the_house_wrote_down(book: Book) -> None:
    rules(borrowers={"member_years": 2}, **FREE)
    body("CHORALE", member_since=date(2024, 11, 29))
    with pytest.raises(RuleBroken):
        book(MEMBER, AFTERNOON, {ROOM: 1})
    body("CHORALE", member_since=date(2024, 11, 28))
    assert book(MEMBER, AFTERNOON, {ROOM: 1})[0].status == "approved"


def test_school_holidays_are_those_of_the_houses_zone(book: Book) -> None:
    """Winter 2027: zone A from 13 February, zone C from 6 February."""
    rules(priority={"windows": [{"school": "holidays", "groups": ["houses"], "until_days": 45}]}, **FREE)
    winter = local_period(datetime(2027, 2, 8, 14), datetime(2027, 2, 8, 18), world.PARIS)  # noqa: DTZ001
    body("MCNG", school_zone="C")
    with pytest.raises(RuleBroken, match="kept for"):
        book(MEMBER, winter, {ROOM: 1})
    body("MCNG", school_zone="A")
    assert book(MEMBER, winter, {ROOM: 1})[0].status == "approved"


def test_history_counts_the_loans_of_the_year_under_the_same_rules(book: Book, actor: Who) -> None:
    rules(notice={"days": 20, "again_days": 2}, quota={"loans": 2}, **FREE)
    far = at(19, "14:00", "18:00", month=12)
    with pytest.raises(TooSoon):
        book(MEMBER, AFTERNOON, {ROOM: 1})
    [first] = book(MEMBER, far, {ROOM: 1, SMALL: 1})  # two things, one loan
    assert book(MEMBER, AFTERNOON, {ROOM: 1})[0].status == "approved"  # known to the house by now
    with pytest.raises(RuleBroken, match="this year"):
        book(MEMBER, at(29, "14:00", "18:00"), {ROOM: 1})
    rules(notice={"days": 50, "again_days": 2}, **FREE)
    with pytest.raises(TooSoon):  # another year, and nobody has borrowed in it yet
        book(MEMBER, local_period(datetime(2027, 1, 2, 9), datetime(2027, 1, 2, 10), world.PARIS), {ROOM: 1})  # noqa: DTZ001
    rules(quota={"loans": 2}, **FREE)
    desk.change(actor(STAFF), first.ref, "cancel", "Annulé")
    assert book(MEMBER, at(29, "14:00", "18:00"), {ROOM: 1})[0].status == "approved"  # what was cancelled is none


# -- the owner's staff ------------------------------------------------------------------------------


def test_staff_are_bound_by_some_rules_and_may_say_why_not(book: Book) -> None:
    rules(length={"hours": 3}, notice={"days": 30}, borrowers={"allowed": ["partners"]})
    with pytest.raises(TooLong) as caught:
        book(STAFF, AFTERNOON, {ROOM: 1}, organisation="CHORALE")
    assert caught.value.overridable
    for who in (MEMBER, STAFF_STN):
        with pytest.raises(RuleBroken) as caught:
            book(who, AFTERNOON, {ROOM: 1}, override="Je veux")
        assert not caught.value.overridable
    [done] = book(STAFF, AFTERNOON, {ROOM: 1}, organisation="CHORALE", override=" Fête du quartier ")
    assert [(one.status, one.why) for one in loan(done.ref).events] == [("approved", "Fête du quartier (Simple)")]


def test_of_two_owners_one_reason_is_not_enough(book: Book) -> None:
    rules(length={"hours": 3})
    with pytest.raises(TooLong) as caught:
        book(STAFF, AFTERNOON, {ROOM: 1, STN_ROOM: 1}, override="Fête")
    assert (caught.value.barred, caught.value.overridable) == (STN_ROOM, False)
    assert stored() == NOTHING


# -- who decides ------------------------------------------------------------------------------------

DECIDED: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "no approval: at once for all",
        {"approval": None},
        {MEMBER: "approved", OTHER: "approved", STAFF_STN: "approved"},
    ),
    (
        "the house's own are free",
        {"approval": {"mode": "own_house_free"}},
        {MEMBER: "approved", OTHER: "requested", STAFF_STN: "requested"},
    ),
    ("always", {"approval": {"mode": "always"}}, {MEMBER: "requested", OTHER: "requested", STAFF_STN: "requested"}),
    (
        "too soon, and then the house decides",
        {"approval": None, "notice": {"days": 8, "effect": "approve"}},
        {MEMBER: "requested"},
    ),
    (
        "papers that nobody has seen",
        {"approval": None, "documents": {"papers": [{"paper": "statutes", "valid": "once"}]}},
        {MEMBER: "requested"},
    ),
    (
        "a certificate that is missing",
        {"approval": None, "documents": {"papers": [{"paper": "liability_certificate"}]}},
        {MEMBER: "requested"},
    ),
]


@pytest.mark.parametrize(("changes", "expected"), [pytest.param(*row[1:], id=row[0]) for row in DECIDED])
def test_who_is_booked_at_once(book: Book, changes: dict[str, Any], expected: dict[str, str]) -> None:
    rules(**changes)
    for number, (who, status) in enumerate(expected.items()):
        [done] = book(who, at(28, f"{9 + number}:00", f"{10 + number}:00"), {ROOM: 1})
        assert (who, done.status) == (who, status)
    [done] = book(STAFF, at(28, "20:00", "21:00"), {ROOM: 1})
    assert done.status == "approved"


def test_a_driver_whose_licence_nobody_has_seen_is_the_houses_to_decide(book: Book) -> None:
    rules(drivers={"licence": "B", "years": 3}, **FREE)
    [done] = book(MEMBER, AFTERNOON, {BUS: 1}, details=Details(drivers=("Nora Neuve",)))
    assert done.status == "requested"


def test_beyond_a_quota_the_house_may_decide(book: Book) -> None:
    rules(approval=None, quota={"loans": 1, "effect": "approve"})
    assert [book(MEMBER, at(day, "14:00", "18:00"), {ROOM: 1})[0].status for day in (28, 29)] == [
        "approved",
        "requested",
    ]


def test_two_lenders_may_decide_each_their_own_way(book: Book) -> None:
    rules(approval={"mode": "own_house_free"})
    done = book(MEMBER, AFTERNOON, {ROOM: 1, PLATES: 10})
    assert [(one.lender, one.status) for one in done] == [("MCNG", "approved"), ("STN", "requested")]


def test_a_second_approval_is_needed_even_of_the_houses_own_staff(book: Book) -> None:
    rules(approval={"mode": "none", "second_above_hours": 3, "second_above_headcount": 100})
    [short] = book(STAFF, at(28, "09:00", "12:00"), {ROOM: 1})
    [long] = book(STAFF, AFTERNOON, {ROOM: 1})
    [many] = book(MEMBER, at(29, "09:00", "12:00"), {ROOM: 1}, details=Details(headcount=101))
    assert [one.status for one in (short, long, many)] == ["approved", "requested", "requested"]
    staff_id = loan(short.ref).user_id
    assert [loan(one.ref).approved_once_by_id for one in (short, long, many)] == [None, staff_id, None]


def test_when_it_lapses_is_kept(book: Book) -> None:
    rules(approval={"mode": "always", "silence_days": 3, "silence": "decline"})
    [one] = book(MEMBER, AFTERNOON, {ROOM: 1})
    assert loan(one.ref).lapses_at == world.NOW + timedelta(days=3)
    [soon] = book(MEMBER, at(22, "14:00", "15:00"), {ROOM: 1})
    assert loan(soon.ref).lapses_at == at(22, "14:00", "15:00").start  # never after it would begin
    rules()
    [other] = book(OTHER, at(30, "14:00", "15:00"), {ROOM: 1})
    assert loan(other.ref).lapses_at == at(30, "14:00", "15:00").start
    [own] = book(STAFF, at(30, "16:00", "17:00"), {ROOM: 1})
    assert loan(own.ref).lapses_at is None


# -- what it costs ----------------------------------------------------------------------------------


def test_the_quote_is_frozen(book: Book) -> None:
    deposits = {"rows": [{"cents": 30000, "letter": True}, {"label": "Ménage", "cents": 5000, "waived": ["own"]}]}
    rules(prices=PRICES, deposits=deposits)
    [done] = book(MEMBER, AFTERNOON, {ROOM: 1}, details=Details(options=("Vidéoprojecteur",), letter=True))
    rules(prices=PRICES | {"grid": [{"audience": ["everyone"], "unit": "day", "cents": 99900}]})
    kept = loan(done.ref)
    quote = Quote.from_json(kept.quote)
    assert (quote.total_cents, quote.dearer) == (2500, False)
    assert [(one.cents, one.kind) for one in quote.deposits] == [(30000, "letter"), (5000, "waived")]
    assert kept.details["options"] == ["Vidéoprojecteur"]
    assert kept.details["letter"] is True


def test_a_quota_may_make_it_dearer(book: Book) -> None:
    rules(prices=PRICES, quota={"loans": 1, "effect": "dearer"})
    found = [loan(book(MEMBER, at(day, "14:00", "18:00"), {ROOM: 1})[0].ref).quote for day in (28, 29)]
    assert [(quote["total_cents"], quote["dearer"]) for quote in found if quote] == [(2000, False), (3000, True)]


def test_what_is_free_has_no_quote(book: Book) -> None:
    rules(prices=PRICES)
    [done] = book(STAFF, AFTERNOON, {ROOM: 1})
    assert loan(done.ref).quote is None


# -- what was said besides --------------------------------------------------------------------------


def test_what_the_rules_ask_is_kept_with_the_loan(book: Book) -> None:
    register("Samir Ancien", date(2010, 6, 1))
    rules(drivers={"named": True}, headcount={}, radius={"km": 300}, collection={"days_before": 1, "days_after": 1})
    details = Details(8, 120, ("samir ancien", "Nora Neuve"), wall(27, 18), wall(29, 10))
    made = loan(book(MEMBER, AFTERNOON, {BUS: 1}, details=details)[0].ref)
    known = db.session().query(Driver.id).scalar()
    assert made.headcount == 8
    assert made.details == {
        "distance_km": 120,
        "drivers": [known],
        "named": ["Nora Neuve"],
        "collect_at": "2026-11-27T17:00:00+00:00",
        "return_at": "2026-11-29T09:00:00+00:00",
    }


def test_promises_are_asked_of_people_and_not_of_programs(book: Book) -> None:
    rules(undertakings={"which": ["charter", "kitchen_training"]})
    with pytest.raises(NotPromised):
        book(MEMBER, AFTERNOON, {ROOM: 1}, details=Details(accepts=("charter",)))
    book(MEMBER, AFTERNOON, {ROOM: 1}, details=Details(accepts=("kitchen_training", "charter")))
    book(MEMBER, AFTERNOON, {SMALL: 1})
    book(STAFF, AFTERNOON, {BUS: 1}, details=Details(accepts=()))


# -- ways out, search --------------------------------------------------------------------------------


def test_ways_out_keep_to_the_rules(book: Book) -> None:
    """Mondays to Fridays only, and the like is not lent to associations elsewhere."""
    rules(use={"windows": [{"days": ["mon", "tue", "wed", "thu", "fri"]}]})
    with pytest.raises(RuleBroken) as caught:
        book(MEMBER, AFTERNOON, {ROOM: 1})
    slots = [way.period for way in caught.value.ways_out if way.kind == "slot"]
    assert slots
    assert all(slot.start.astimezone(world.PARIS).weekday() < 5 for slot in slots)
    assert not [way for way in caught.value.ways_out if way.kind == "elsewhere"]  # not on a Saturday either
    for slot in slots:
        book(MEMBER, slot, {ROOM: 1})


def test_a_search_says_why_not_by_the_same_rules(actor: Who) -> None:
    rules(priority={"windows": [{"days": ["sat"], "groups": ["houses"], "until_days": 5}]}, headcount={"least": 2})
    session = db.session()

    def why(who: str) -> set[str]:
        found = searching.search(session, actor(who), Wish(), None, AFTERNOON, world.NOW, world.PARIS)
        return {f"{type(one.why_not).__name__}:{one.thing.house}" for one in found}

    assert why(MEMBER) == {"RuleBroken:MCNG", "RuleBroken:STN"}
    assert why(STAFF) == {"NoneType:MCNG", "NoneType:STN"}  # a house; how many people is asked later


# -- no query more than the rules want ---------------------------------------------------------------

COUNTED: list[tuple[str, dict[str, Any], Details, int]] = [
    ("nothing wanted", {}, Details(), 0),
    ("a price, papers, hours", {"prices": PRICES, "use": {"windows": [{"first": "08:00"}]}}, Details(), 0),
    ("drivers, nobody named", {"drivers": {"named": False}}, Details(), 0),
    ("a quota", {"quota": {"loans": 9}}, Details(), 1),
    ("drivers named", {"drivers": {"named": True}}, Details(drivers=("Nora",)), 1),
]


@pytest.mark.parametrize(("changes", "details", "more"), [pytest.param(*row[1:], id=row[0]) for row in COUNTED])
def test_a_rule_costs_a_query_only_where_it_needs_one(
    book: Book, changes: dict[str, Any], details: Details, more: int
) -> None:
    counts = []
    for number, kept in enumerate(({}, changes)):
        rules(**kept)
        seen: list[str] = []

        def note(*facts: Any, seen: list[str] = seen) -> None:
            seen.append(facts[2])

        event.listen(db.engine, "before_cursor_execute", note)
        book(MEMBER, at(28, f"{9 + number}:00", f"{10 + number}:00"), {ROOM: 1}, details=details)
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[1] - counts[0] == more


# -- programs ----------------------------------------------------------------------------------------


def test_a_program_is_told_every_rule_it_did_not_keep(app: Flask) -> None:
    rules(headcount={"least": 5}, radius={"km": 300}, notice={"days": 9})
    member = Program(app, MEMBER)
    answer = member.post("/reservations", ask((BUS, 1)) | {"headcount": 3, "distance_km": 400})
    assert answer.status_code == 422
    assert answer.json["type"].endswith("#problem-too_soon")
    assert [error["field"] for error in answer.json["errors"]] == ["starts_at", "headcount", "distance_km"]
    assert all("Simple" in error["message"] for error in answer.json["errors"])
    rules(headcount={"least": 5}, radius={"km": 300}, drivers={"named": True})
    details = {
        "headcount": 8,
        "distance_km": 100,
        "drivers": ["Nora Neuve"],
        "collect_at": "2026-11-28T13:00:00+01:00",
        "return_at": "2026-11-28T19:00:00+01:00",
        "options": [],
        "accepts": [],
    }
    made = member.post("/reservations", ask((BUS, 1)) | details)
    assert made.status_code == 201, made.text
    assert loan(made.json[0]["ref"]).details["named"] == ["Nora Neuve"]
    for wrong in ({"headcount": 0}, {"drivers": [""]}, {"accepts": ["nonsense"]}, {"collect_at": "demain"}):
        assert member.post("/reservations", ask((BUS, 1)) | wrong).status_code == 422
