"""What is owed after the return: reckoned, explained, told, corrected with a reason; on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from sharebank.catalog.models import Resource, RuleSet
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.core.period import Period
from sharebank.notifications.models import Letter
from sharebank.notifications.writing import write_out
from sharebank.reservations import desk
from sharebank.reservations.handover import charges, handover, handover_words
from sharebank.reservations.handover.charges import Bill, TooLateToCharge
from sharebank.reservations.handover.handover import Meeting
from sharebank.reservations.handover.handover_models import Charge
from sharebank.reservations.handover.handover_rules import Found
from sharebank.reservations.models import Reservation
from sharebank.reservations.states import ReasonMissing, WrongState
from tests import world
from tests.counter import BUS, MEMBER, OTHER, PLATES, ROOM, STAFF, STAFF_STN, Book, Who, book, loan
from tests.world import at

__all__ = ["book"]  # the fixture
pytestmark = pytest.mark.usefixtures("app")

WEEK = at(23, "10:00", "18:00", until=25)
RULE = {
    "late_cents": 200,
    "late_per": "hour",
    "late_most_cents": 1000,
    "loss_cents": 450,
    "damage_percent": 10,
    "cleaning_cents": 3000,
    "washing_cents": 15,
    "km_included": 50,
    "km_cents": 32,
    "report_days": 5,
    "pieces": [{"name": "Fourchette", "loss_cents": 120}],
}


@pytest.fixture(autouse=True)
def rule(app: Flask) -> None:
    with transaction() as session:
        session.execute(update(RuleSet).values(terms=json.dumps({"charges": RULE})))
        session.execute(update(Resource).values(replacement_value_cents=2000))


@pytest.fixture
def lent(book: Book, actor: Who) -> Callable[..., str]:
    """`lent({PLATES: 60}, STAFF_STN)`: out, with a record."""

    def act(wants: dict[str, int], staff: str, period: Period = WEEK, **out: Found) -> str:
        [done] = book(MEMBER, period, wants)
        if done.status == "requested":
            desk.change(actor(staff), done.ref, "approve")
        lines = {code.replace("_", "-"): found for code, found in out.items()}
        with transaction() as session:
            meeting = Meeting("Odile", "Hervé", "", lines)
            handover.collect(session, actor(staff), done.ref, meeting, (), clock.now(), world.PARIS)
        return done.ref

    return act


@pytest.fixture
def back(actor: Who) -> Callable[..., None]:
    def act(ref: str, staff: str, late: timedelta = timedelta(), **lines: Found) -> None:
        found = {code.replace("_", "-"): one for code, one in lines.items()}
        with transaction() as session:
            meeting = Meeting("Odile", "Hervé", "", found)
            handover.take_back(session, actor(staff), ref, meeting, (), WEEK.end + late, world.PARIS)

    return act


def bill(ref: str) -> Bill:
    return charges.bill(db.session(), loan(ref))


def owed(ref: str) -> list[tuple[str, int]]:
    return [(charge.kind, charge.due_cents) for charge in bill(ref).charges]


def told(ref: str, state: str = "queued") -> list[Letter]:
    query = select(Letter).where(Letter.template == "loan_charges", Letter.state == state)
    return [letter for letter in db.session().scalars(query) if letter.facts["ref"] == ref]


def said(app: Flask, ref: str) -> list[str]:
    with app.test_request_context():
        return [handover_words.said(charge) for charge in bill(ref).charges]


PARTS: dict[str, tuple[Found, timedelta, list[tuple[str, int]]]] = {
    "all fine": (Found(60), timedelta(), []),
    "lost for good": (Found(57, missing=3), timedelta(), [("loss", 1350)]),
    "broken": (Found(60, broken=2), timedelta(), [("damage", 400)]),
    "some to be washed": (Found(60, dirty=10), timedelta(), [("cleaning", 150)]),
    "not clean at all": (Found(60, facts={"clean": False}), timedelta(), [("cleaning", 900)]),
    "late, an hour begun": (Found(60), timedelta(minutes=61), [("late", 400)]),
    "late, up to the ceiling": (Found(60), timedelta(days=2), [("late", 1000)]),
    "early": (Found(60), -timedelta(hours=5), []),
    "pieces of their own price": (Found(60, facts={"lost": {"Fourchette": 4}}), timedelta(), [("loss", 480)]),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_is_found_is_charged(name: str, lent: Callable[..., str], back: Callable[..., None]) -> None:
    found, late, expected = PARTS[name]
    ref = lent({PLATES: 60}, STAFF_STN)
    back(ref, STAFF_STN, late, STN_K03=found)
    assert owed(ref) == expected
    assert len(told(ref)) == bool(expected)


def test_an_opened_crate_is_washed_whole_and_pieces_are_counted(
    lent: Callable[..., str], back: Callable[..., None]
) -> None:
    ref = lent({PLATES: 1}, STAFF_STN, STN_K03=Found(1, facts={"seal": "sealed", "pieces": 48}))
    back(ref, STAFF_STN, STN_K03=Found(1, facts={"seal": "opened", "pieces": 46}))
    assert owed(ref) == [("loss", 900), ("cleaning", 48 * 15)]


def test_kilometres_are_those_of_the_dial(lent: Callable[..., str], back: Callable[..., None]) -> None:
    ref = lent({BUS: 1}, STAFF, MCNG_V01=Found(1, facts={"odometer": 81_250}))
    back(ref, STAFF, MCNG_V01=Found(1, facts={"odometer": 81_420, "clean": False}))
    assert owed(ref) == [("cleaning", 3000), ("km", (170 - 50) * 32)]


def test_a_loan_is_late_and_cleaned_once(lent: Callable[..., str], back: Callable[..., None]) -> None:
    ref = lent({BUS: 1, ROOM: 1}, STAFF)
    dirty = Found(1, facts={"clean": False})
    back(ref, STAFF, timedelta(hours=1), MCNG_V01=dirty, MCNG_R01=dirty)
    assert sorted(owed(ref)) == [("cleaning", 3000), ("late", 200)]


def test_what_came_back_in_two_goes_is_charged_once_at_the_end(
    lent: Callable[..., str], back: Callable[..., None]
) -> None:
    ref = lent({PLATES: 60}, STAFF_STN)
    back(ref, STAFF_STN, STN_K03=Found(30, broken=1))
    assert owed(ref) == []
    back(ref, STAFF_STN, timedelta(hours=2), STN_K03=Found(28, broken=1, missing=2))
    assert sorted(owed(ref)) == [("damage", 400), ("late", 400), ("loss", 900)]


def test_without_a_record_only_lateness_is_known(book: Book, actor: Who, monkeypatch: pytest.MonkeyPatch) -> None:
    [done] = book(MEMBER, at(21, "10:00", "12:00"), {PLATES: 60})
    for act in ("approve", "collect")[done.status == "approved" :]:
        desk.change(actor(STAFF_STN), done.ref, act)
    monkeypatch.setattr(desk.clock, "now", lambda: at(21, "12:00", "14:30").end)
    desk.change(actor(STAFF_STN), done.ref, "return")
    assert owed(done.ref) == [("late", 600)]


def test_each_is_explained_in_the_reader_s_language(
    app: Flask, lent: Callable[..., str], back: Callable[..., None]
) -> None:
    ref = lent({PLATES: 60}, STAFF_STN)
    back(ref, STAFF_STN, STN_K03=Found(57, missing=3))
    [sentence] = said(app, ref)
    assert "Assiettes plates" in sentence
    assert "3" in sentence
    assert "4,50" in sentence
    [letter] = told(ref)
    assert letter.to_address == MEMBER
    text = write_out(app, letter).text
    assert "4,50" in text
    assert "13,50" in text


def test_staff_correct_and_waive_with_a_reason_that_is_kept(
    lent: Callable[..., str], back: Callable[..., None], actor: Who
) -> None:
    ref = lent({PLATES: 60}, STAFF_STN)
    back(ref, STAFF_STN, timedelta(hours=1), STN_K03=Found(57, missing=3))
    late, loss = sorted(bill(ref).charges, key=lambda charge: charge.kind)
    late, loss = (late, loss) if late.kind == "late" else (loss, late)
    for who, cents, why, refusal in (
        (MEMBER, 0, "Non", NotAllowed),
        (OTHER, 0, "Non", NotFound),
        (STAFF, 0, "Non", NotFound),
        (STAFF_STN, 0, "  ", ReasonMissing),
    ):
        with pytest.raises(refusal), transaction() as session:
            charges.correct(session, actor(who), loss.id, cents, why, clock.now())
    for charge, cents, why in ((loss, 900, "Deux seulement"), (late, 0, "Le pont était fermé")):
        with transaction() as session:
            charges.correct(session, actor(STAFF_STN), charge.id, cents, why, clock.now())
    assert sorted(owed(ref)) == [("late", 0), ("loss", 900)]
    kept = {charge.kind: (charge.cents, charge.why, charge.corrected_by_id) for charge in bill(ref).charges}
    staff = actor(STAFF_STN).user_id
    assert kept == {"loss": (1350, "Deux seulement", staff), "late": (200, "Le pont était fermé", staff)}
    assert [letter.facts["total_cents"] for letter in told(ref)] == [900]  # the older lists have not left


def test_a_fault_noticed_late_is_charged_within_the_days_of_the_rules(
    lent: Callable[..., str], back: Callable[..., None], actor: Who
) -> None:
    ref = lent({PLATES: 60}, STAFF_STN)

    def add(who: str, after: timedelta, words: str = "Fêlures") -> Charge:
        with transaction() as session:
            return charges.add(session, actor(who), ref, 1200, words, WEEK.end + after)

    with pytest.raises(WrongState):
        add(STAFF_STN, timedelta(days=1))
    back(ref, STAFF_STN)
    for who, after, words, refusal in (
        (MEMBER, timedelta(days=1), "Fêlures", NotAllowed),
        (STAFF, timedelta(days=1), "Fêlures", NotFound),
        (STAFF_STN, timedelta(days=1), " ", ReasonMissing),
        (STAFF_STN, timedelta(days=5, seconds=1), "Fêlures", TooLateToCharge),
    ):
        with pytest.raises(refusal):
            add(who, after, words)
    add(STAFF_STN, timedelta(days=5))
    assert owed(ref) == [("damage", 1200)]
    assert len(told(ref)) == 1


def test_what_is_owed_is_taken_from_the_deposit(lent: Callable[..., str], back: Callable[..., None]) -> None:
    ref = lent({PLATES: 60}, STAFF_STN)
    deposits = [["Caution", 1000, "money"], ["Caution ménage", 500, "waived"]]
    with transaction() as session:
        session.execute(update(Reservation).values(quote={"lines": [], "deposits": deposits}))
    back(ref, STAFF_STN, STN_K03=Found(57, missing=3))
    found = bill(ref)
    assert (found.total_cents, found.deposit_cents, found.from_deposit_cents, found.to_pay_cents) == (
        1350,
        1000,
        1000,
        350,
    )


def test_an_amount_only_people_can_tell_is_asked_for_and_told_once_it_is_said(
    app: Flask, lent: Callable[..., str], back: Callable[..., None], actor: Who
) -> None:
    with transaction() as session:
        session.execute(update(Resource).values(replacement_value_cents=None))
    ref = lent({PLATES: 60}, STAFF_STN)
    back(ref, STAFF_STN, timedelta(hours=1), STN_K03=Found(60, broken=2))
    damage = next(charge for charge in bill(ref).charges if charge.kind == "damage")
    assert (damage.unsaid, bill(ref).unsaid, bill(ref).total_cents) == (True, True, 200)
    [letter] = told(ref)
    text = write_out(app, letter).text
    assert "à fixer" in text
    assert "0,00" not in text.replace("200,00", "")
    for cents in (0, 700):
        with transaction() as session:
            charges.correct(session, actor(STAFF_STN), damage.id, cents, "Devis reçu", clock.now())
        assert (bill(ref).unsaid, bill(ref).total_cents) == (False, 200 + cents)
    assert "à fixer" not in write_out(app, told(ref)[-1]).text
