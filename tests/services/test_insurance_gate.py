"""What an insurance or a certificate stops: asking, approving, handing over; on both databases."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update

from sharebank.catalog import service as catalog
from sharebank.catalog.service import Wish
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.insurance import service
from sharebank.insurance.models import Coverage
from sharebank.insurance.rules import CertificateLapses, CertificateMissing, InsuranceLapses, InsuranceNotBegun
from sharebank.reservations import desk, searching
from sharebank.reservations.booking import Ask
from sharebank.reservations.models import Reservation, ReservationEvent
from tests import world
from tests.insured import MEMBER, OTHER, STAFF, STN, By, ask, ask_for_papers, certify, cover, until

# -- the gate --------------------------------------------------------------------------------------

ENDS_28 = [("2026-01-01", "2026-11-28")]
CHAIN = [("2026-01-01", "2026-11-28"), ("2026-11-29", "2027-11-28")]
GATE: list[tuple[str, list[tuple[str | None, str]], str, type[Refused] | None]] = [
    ("nothing recorded, nothing asked", [], "2026-11-29T01:00", None),
    ("back before it ends", ENDS_28, "2026-11-28T18:00", None),
    ("back at the very end of its last day", ENDS_28, "2026-11-29T00:00", None),
    ("it ends an hour before the return", ENDS_28, "2026-11-29T01:00", InsuranceLapses),
    ("it ends in the middle", ENDS_28, "2026-11-30T18:00", InsuranceLapses),
    ("over long ago", [(None, "2020-01-01")], "2026-11-28T18:00", InsuranceLapses),
    ("the next contract follows", CHAIN, "2026-11-30T18:00", None),
    ("the next contract leaves a day", [CHAIN[0], ("2026-11-30", "2027-11-28")], "2026-11-30T18:00", InsuranceLapses),
    ("insured from the morrow only", [("2026-11-29", "2027-11-28")], "2026-11-29T18:00", InsuranceNotBegun),
]


@pytest.mark.parametrize(("spans", "back", "refused"), [pytest.param(*row[1:], id=row[0]) for row in GATE])
def test_a_thing_is_not_lent_past_its_insurance(
    app: Flask, actor: By, spans: list[tuple[str | None, str]], back: str, refused: type[Refused] | None
) -> None:
    cover("MCNG-V01", *spans)
    things = list(catalog.things_by_code(db.session(), ["MCNG-V01"]).values())
    found = service.lapses_within(db.session(), things, None, until(back), world.PARIS)
    assert bool(found) == bool(refused)
    for who in (MEMBER, OTHER, STAFF):
        wanted = ask(until(back), organisation={MEMBER: "CHORALE", OTHER: "ECHECS", STAFF: "MCNG"}[who])
        if refused is None:
            done = desk.reserve(actor(who), wanted)
            desk.change(actor(STAFF), done[0].ref, "cancel")
            continue
        with pytest.raises(InsuranceLapses) as told:
            desk.reserve(actor(who), wanted)
        assert type(told.value) is refused
        assert told.value.overridable is (who == STAFF)
        assert (told.value.status, told.value.facts["thing"]) == (422, "Minibus 9 places")
        assert told.value.facts["contract"].startswith("PB-vehicle-")


@pytest.mark.parametrize("kind", ["premises", "fire_safety", "extinguishers", "inspection"])
def test_each_kind_that_was_recorded_counts(app: Flask, actor: By, kind: str) -> None:
    cover("MCNG-R01", ("2026-01-01", "2027-12-31"), kind="equipment")
    cover("MCNG-R01", *ENDS_28, kind=kind)
    with pytest.raises(InsuranceLapses) as refused:
        desk.reserve(actor(MEMBER), ask(until("2026-11-29T10:00"), "MCNG-R01"))
    assert refused.value.lapse.kind == kind
    assert refused.value.facts["day"] == date(2026, 11, 28)
    elsewhere = {way.resource for way in refused.value.ways_out if way.kind == "elsewhere"}
    assert elsewhere == {"STN-R01"}
    for way in refused.value.ways_out:
        if way.kind == "slot":
            desk.reserve(actor(MEMBER), ask(way.period, way.resource))
            break
    else:
        pytest.fail("no slot before it lapses")


def test_the_owners_staff_may_say_why_and_it_is_kept(app: Flask, actor: By) -> None:
    cover("MCNG-V01", *ENDS_28)
    over = until("2026-11-29T10:00")
    for who, organisation in ((MEMBER, "CHORALE"), (STN, "STN")):
        with pytest.raises(InsuranceLapses):
            desk.reserve(actor(who), ask(over, organisation=organisation, override="C’est urgent"))
    [done] = desk.reserve(actor(STAFF), ask(over, organisation="CHORALE", override=" Avenant reçu "))
    events = db.session.scalars(select(ReservationEvent).join(Reservation).where(Reservation.ref == done.ref)).all()
    assert [(one.status, one.why) for one in events] == [("approved", "Avenant reçu (PB-vehicle-0 → 2026-11-28)")]


def test_one_house_cannot_answer_for_another(app: Flask, actor: By) -> None:
    cover("MCNG-V01", *ENDS_28)
    cover("STN-R01", *ENDS_28, kind="premises")
    both = Ask("MCNG", "Fête", until("2026-11-29T10:00"), {"MCNG-V01": 1, "STN-R01": 1}, override="Bon")
    with pytest.raises(InsuranceLapses) as refused:
        desk.reserve(actor(STAFF), both)
    assert refused.value.facts["thing"] == "Salle Jacquemart"
    assert not refused.value.overridable
    assert db.session.scalar(select(func.count()).select_from(Reservation)) == 0


def test_what_lapses_after_it_was_asked_stops_approval_and_hand_over(app: Flask, actor: By) -> None:
    [done] = desk.reserve(actor(MEMBER), ask(until("2026-11-29T10:00")))
    cover("MCNG-V01", *ENDS_28)
    with pytest.raises(InsuranceLapses) as refused:
        desk.change(actor(STAFF), done.ref, "approve")
    assert refused.value.overridable
    with transaction() as session:
        session.execute(update(Coverage).values(ends_on=date(2026, 11, 29)))
    desk.change(actor(STAFF), done.ref, "approve", "Bonne route")
    with transaction() as session:
        session.execute(update(Coverage).values(ends_on=date(2026, 11, 28)))
    with pytest.raises(InsuranceLapses):
        desk.change(actor(STAFF), done.ref, "collect")
    loan = desk.change(actor(STAFF), done.ref, "collect", "", "Avenant reçu")
    assert [one.why for one in loan.events] == ["", "Bonne route", "Avenant reçu (PB-vehicle-0 → 2026-11-28)"]
    desk.change(actor(STAFF), done.ref, "return")


def test_handed_over_before_its_time_it_is_out_from_now_on(app: Flask, actor: By) -> None:
    [done] = desk.reserve(actor(STAFF), ask(until("2026-11-28T18:00")))
    cover("MCNG-V01", ("2026-11-28", "2027-01-01"))
    with pytest.raises(InsuranceNotBegun):
        desk.change(actor(STAFF), done.ref, "collect")


CERTIFICATES: list[tuple[str, list[str], type[Refused] | None]] = [
    ("none", [], CertificateMissing),
    ("over", ["2026-11-20"], CertificateLapses),
    ("it expires in the middle", ["2026-11-28"], CertificateLapses),
    ("good on the last day", ["2026-11-29"], None),
    ("two, the later counts", ["2026-11-28", "2027-06-30"], None),
]


@pytest.mark.parametrize(("ends", "refused"), [pytest.param(*row[1:], id=row[0]) for row in CERTIFICATES])
def test_without_a_certificate_one_may_ask_and_no_more(
    app: Flask, actor: By, ends: list[str], refused: type[Refused] | None
) -> None:
    ask_for_papers("liability_certificate")
    certify("CHORALE", *ends)
    over = until("2026-11-29T10:00")
    [asked] = desk.reserve(actor(MEMBER), ask(over, override="rien"))
    assert asked.status == "requested"
    if refused is None:
        assert desk.change(actor(STAFF), asked.ref, "approve").status == "approved"
        assert desk.change(actor(STAFF), asked.ref, "collect").status == "collected"
        return
    with pytest.raises(CertificateMissing) as told:
        desk.change(actor(STAFF), asked.ref, "approve", "Je réponds d’eux", "Je réponds d’eux")
    assert type(told.value) is refused
    assert told.value.status == 422
    assert told.value.facts["borrower"] == "Chorale du Vieux-Lavoir"
    if ends:
        assert (told.value.facts["contract"], told.value.facts["day"]) == (f"RC-{ends[0]}", date.fromisoformat(ends[0]))
    desk.change(actor(STAFF), asked.ref, "decline", "Pas d’attestation")
    with pytest.raises(refused):  # nor booked at once for them
        desk.reserve(actor(STAFF), ask(over, override="Je réponds d’eux"))


def test_a_certificate_that_expired_since_stops_the_hand_over(app: Flask, actor: By) -> None:
    ask_for_papers("liability_certificate")
    certify("CHORALE", "2027-01-01")
    [done] = desk.reserve(actor(STAFF), ask(until("2026-11-29T10:00")))
    with transaction() as session:
        session.execute(update(Coverage).values(ends_on=date(2026, 11, 28)))
    with pytest.raises(CertificateLapses):
        desk.change(actor(STAFF), done.ref, "collect")
    assert db.session.scalar(select(Reservation.status)) == "approved"


def test_a_house_shows_itself_no_certificate(app: Flask, actor: By) -> None:
    ask_for_papers("liability_certificate")
    [own] = desk.reserve(actor(STAFF), ask(until("2026-11-28T18:00"), organisation="MCNG"))
    assert own.status == "approved"
    [asked] = desk.reserve(actor(STN), ask(until("2026-11-29T18:00", "2026-11-29T10:00"), organisation="STN"))
    with pytest.raises(CertificateMissing):
        desk.change(actor(STAFF), asked.ref, "approve")


def test_a_closure_needs_no_insurance(app: Flask, actor: By) -> None:
    cover("MCNG-V01", *ENDS_28)
    assert desk.close(actor(STAFF), ask(until("2026-12-05T18:00"), organisation=""))


def test_the_search_says_so_in_one_query(app: Flask, actor: By) -> None:
    cover("MCNG-V01", *ENDS_28)
    cover("MCNG-R01", ("2026-01-01", "2027-12-31"), kind="premises")
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    offers = searching.search(
        db.session(), actor(MEMBER), Wish(), None, until("2026-11-29T10:00"), world.NOW, world.PARIS
    )
    assert sum("coverage" in statement for statement in asked) == 1
    why = {offer.thing.code: offer.why_not and offer.why_not.code for offer in offers}
    assert why == {"MCNG-V01": "insurance_lapses"} | dict.fromkeys(["MCNG-R01", "MCNG-R03", "STN-K03", "STN-R01"])


def test_booking_asks_one_question_more(app: Flask, actor: By) -> None:
    ask_for_papers("liability_certificate")
    certify("CHORALE", "2027-12-31")
    cover("MCNG-V01", ("2026-01-01", "2027-12-31"))
    who, asked = actor(STAFF), list[str]()
    event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    desk.reserve(who, ask(until("2026-11-29T10:00")))
    assert sum("coverage" in statement for statement in asked) == 1


def test_the_mark_of_a_thing(app: Flask) -> None:
    cover("MCNG-V01", (None, "2026-11-20"))
    cover("MCNG-V01", (None, "2026-12-01"), kind="inspection")
    cover("MCNG-R01", (None, "2026-12-21"), kind="premises")
    cover("MCNG-R03", ("2026-01-01", "2026-11-30"), ("2026-12-01", "2027-11-30"), kind="premises")
    cover("STN-R01", (None, "2026-12-20"), kind="premises")
    marks = service.marks(db.session(), date(2026, 11, 21))
    things = catalog.things_by_code(db.session(), ["MCNG-V01", "STN-R01"])
    assert {key: (mark.kind, mark.day, mark.lapsed) for key, mark in marks.items()} == {
        things["MCNG-V01"].id: ("vehicle", date(2026, 11, 20), True),
        things["STN-R01"].id: ("premises", date(2026, 12, 20), False),
    }
    assert service.marks(db.session(), date(2026, 11, 21), [things["STN-R01"].id]).keys() == {things["STN-R01"].id}
