"""Insurances and checks: the gate before a loan, keeping them, their documents, their files; on both databases."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import NullPool, create_engine, event, func, select, text, update
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.service import Wish
from sharebank.core import migrate
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.core.period import Period, local_period
from sharebank.exchange import ImportRefused, export_text, import_bytes
from sharebank.insurance import documents, drivers, editing, service
from sharebank.insurance.drivers import Licence
from sharebank.insurance.editing import Terms
from sharebank.insurance.models import Coverage, CoverageDocument
from sharebank.insurance.rules import (
    AlreadyRenewed,
    BadDocument,
    CertificateLapses,
    CertificateMissing,
    DocumentTooHeavy,
    DriverTwice,
    EndsTooEarly,
    InsuranceLapses,
    InsuranceNotBegun,
    LiabilityOnly,
    LicenceFromTheFuture,
    NotAhead,
    NoThings,
    NotTheirThing,
    SameTwice,
)
from sharebank.lending.terms import write_terms
from sharebank.reservations import desk, searching
from sharebank.reservations.booking import Ask
from sharebank.reservations.models import Reservation, ReservationEvent
from tests import world
from tests.databases import MIGRATIONS

MANAGER, STAFF, ADMIN = "manager@example.org", "staff@example.org", "admin@example.org"
STN, MEMBER, OTHER = "staff.stn@example.org", "member@example.org", "other@example.org"
By = Callable[[str], Actor]


def cover(code: str, *spans: tuple[str | None, str], kind: str = "vehicle") -> None:
    """Contracts for one thing, each from a day to a day."""
    with transaction() as session:
        thing = session.scalars(select(Resource).where(Resource.code == code)).one()
        for number, (first, last) in enumerate(spans):
            session.add(
                Coverage(
                    holder_id=thing.house_id,
                    kind=kind,
                    body="Mutuelle",
                    contract_number=f"PB-{kind}-{number}",
                    starts_on=date.fromisoformat(first) if first else None,
                    ends_on=date.fromisoformat(last),
                    created_at=world.NOW,
                    things=[thing],
                )
            )


def certify(code: str, *ends: str) -> None:
    with transaction() as session:
        body = session.scalars(select(Organisation).where(Organisation.code == code)).one()
        for end in ends:
            session.add(
                Coverage(
                    holder_id=body.id,
                    kind="liability",
                    body="Asso",
                    contract_number=f"RC-{end}",
                    ends_on=date.fromisoformat(end),
                    created_at=world.NOW,
                )
            )


def ask_for_papers(*papers: str) -> None:
    with transaction() as session:
        documents = {"papers": [{"paper": paper} for paper in papers]}
        session.execute(update(RuleSet).values(terms=write_terms(world.TERMS | {"documents": documents})))


def until(wall: str, start: str = "2026-11-28T14:00") -> Period:
    return local_period(datetime.fromisoformat(start), datetime.fromisoformat(wall), world.PARIS)


def ask(period: Period, code: str = "MCNG-V01", organisation: str = "CHORALE", **more: Any) -> Ask:
    return Ask(organisation, "Sortie", period, {code: 1}, **more)


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


# -- keeping them ------------------------------------------------------------------------------------

MINIBUS = Terms("vehicle", "Mutuelle", "PB-1", date(2026, 1, 1), date(2026, 12, 31), ("MCNG-V01",))
RC = Terms("liability", "Asso", "RC-1", None, date(2026, 12, 31))


def written(who: Actor, holder: str = "MCNG", terms: Terms = MINIBUS) -> Coverage:
    with transaction() as session:
        return editing.create(session, who, holder, terms, world.NOW)


def changed(terms: Terms, **facts: Any) -> Terms:
    from dataclasses import replace

    return replace(terms, **facts)


WRONG: list[tuple[str, str, Terms, type[Refused]]] = [
    ("no thing", "MCNG", changed(MINIBUS, codes=()), NoThings),
    ("another house's thing", "MCNG", changed(MINIBUS, codes=("STN-R01",)), NotTheirThing),
    ("ends before it begins", "MCNG", changed(MINIBUS, ends_on=date(2025, 12, 31)), EndsTooEarly),
    ("an association's minibus", "CHORALE", changed(MINIBUS, codes=()), LiabilityOnly),
    ("a stranger responsible", "MCNG", changed(MINIBUS, responsible_id=999_999), NotFound),
    ("the same twice", "MCNG", MINIBUS, SameTwice),
]


@pytest.mark.parametrize(("holder", "terms", "refused"), [pytest.param(*row[1:], id=row[0]) for row in WRONG])
def test_what_makes_no_sense_is_not_written_down(
    app: Flask, actor: By, holder: str, terms: Terms, refused: type[Refused]
) -> None:
    written(actor(STAFF))
    with pytest.raises(refused):
        written(actor(STAFF), holder, terms)
    assert db.session.scalar(select(func.count()).select_from(Coverage)) == 1


def test_who_sees_and_who_keeps(app: Flask, actor: By) -> None:
    minibus, choir = written(actor(STAFF)), written(actor(MANAGER), "CHORALE", RC)
    seen = {who: {one.id for one in service.deadlines(db.session(), actor(who))} for who in world.PEOPLE}
    both = {minibus.id, choir.id}
    assert seen == {
        ADMIN: both, MANAGER: both, STAFF: both, MEMBER: {choir.id},
        "manager.stn@example.org": set(), STN: set(), OTHER: set(),
    }  # fmt: skip
    for who in (STN, OTHER, MEMBER):
        with pytest.raises(NotFound):
            service.visible(db.session(), actor(who), minibus.id)
        with pytest.raises(NotFound):
            written(actor(who), "MCNG", changed(MINIBUS, contract_number="X"))
    with pytest.raises(NotAllowed):
        service.editable(db.session(), actor(MEMBER), choir.id)


def test_renewing(app: Flask, actor: By) -> None:
    old = written(actor(STAFF))
    following = changed(MINIBUS, starts_on=date(2027, 1, 1), ends_on=date(2027, 12, 31))
    assert editing.next_days(old.starts_on, old.ends_on) == (following.starts_on, following.ends_on)
    with pytest.raises(EndsTooEarly), transaction() as session:
        editing.renew(
            session, actor(STAFF), old.id, changed(following, ends_on=date(2026, 12, 31), starts_on=None), world.NOW
        )
    with transaction() as session:
        new = editing.renew(session, actor(STAFF), old.id, following, world.NOW)
    assert [one.id for one in service.deadlines(db.session(), actor(STAFF))] == [new.id]
    assert [one.id for one in service.deadlines(db.session(), actor(STAFF), past_too=True)] == [old.id, new.id]
    with pytest.raises(AlreadyRenewed), transaction() as session:
        editing.renew(session, actor(STAFF), old.id, changed(following, contract_number="PB-2"), world.NOW)
    [(head, spans)] = service.series(service.deadlines(db.session(), actor(STAFF), past_too=True))
    assert (head.id, len(spans)) == (new.id, 2)
    with transaction() as session:
        editing.delete(session, actor(STAFF), new.id)
    assert [one.id for one in service.deadlines(db.session(), actor(STAFF))] == [old.id]


def test_acknowledging(app: Flask, actor: By) -> None:
    one = written(actor(STAFF))
    today = world.NOW.date()
    for bad in (today, date(2028, 1, 1)):
        with pytest.raises(NotAhead), transaction() as session:
            editing.acknowledge(session, actor(STAFF), one.id, bad, "Devis demandé", today)
    with transaction() as session:
        editing.acknowledge(session, actor(STAFF), one.id, date(2026, 12, 1), "Devis demandé", today)
    db.session.expire_all()
    seen = service.visible(db.session(), actor(MANAGER), one.id)
    assert seen.silenced_by
    assert (seen.silent_until, seen.silenced_by.email, seen.silenced_why) == (date(2026, 12, 1), STAFF, "Devis demandé")
    with transaction() as session:
        editing.change(session, actor(STAFF), one.id, changed(MINIBUS, ends_on=date(2026, 12, 30)))
    assert service.visible(db.session(), actor(MANAGER), one.id).silent_until is None


# -- documents ---------------------------------------------------------------------------------------


def pdf(body: bytes = b"1 0 obj\n<<>>\nendobj\n") -> bytes:
    head = b"%PDF-1.4\n" + body
    return head + b"xref\n0 1\n0000000000 65535 f \ntrailer<<>>\nstartxref\n%d\n%%%%EOF\n" % len(head)


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "white").save(out, form)
    return out.getvalue()


PAPERS: list[tuple[str, bytes, str, tuple[str, str] | type[Refused]]] = [
    ("a PDF", pdf(), "Attestation 2026.pdf", ("Attestation 2026.pdf", "application/pdf")),
    ("a PDF under another name", pdf(), "contrat.html", ("contrat.pdf", "application/pdf")),
    ("a JPEG", picture("JPEG"), "photo.jpeg", ("photo.jpg", "image/jpeg")),
    ("a PNG", picture("PNG"), "scan", ("scan.png", "image/png")),
    ("a WebP", picture("WEBP"), "a.webp", ("a.webp", "image/webp")),
    ("a path", pdf(), "C:\\temp\\..\\contrat.pdf", ("contrat.pdf", "application/pdf")),
    ("a name that would break a header", pdf(), 'a"\r\nX-Evil: 1;.pdf', ("a X-Evil 1 .pdf", "application/pdf")),
    ("no name", pdf(), "", ("document.pdf", "application/pdf")),
    ("a page", b"<html><script>alert(1)</script>", "attestation.pdf", BadDocument),
    ("a page that begins as a PDF", b"%PDF-1.4\n<script>alert(1)</script>", "a.pdf", BadDocument),
    ("a PDF cut short", pdf()[:-20], "a.pdf", BadDocument),
    ("a PDF whose table is nowhere", pdf().replace(b"startxref\n", b"startxref\n9"), "a.pdf", BadDocument),
    ("half a picture", picture("PNG")[:60], "a.png", BadDocument),
    ("a GIF", picture("GIF"), "a.gif", BadDocument),
    ("an SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "a.svg", BadDocument),
    ("nothing", b"", "a.pdf", BadDocument),
    ("too much", pdf(b"x" * documents.MOST_BYTES), "a.pdf", DocumentTooHeavy),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "expected"), [pytest.param(*row[1:], id=row[0]) for row in PAPERS])
def test_the_content_says_what_a_document_is(data: bytes, name: str, expected: Any) -> None:
    if isinstance(expected, tuple):
        paper = documents.read(data, name)
        assert (paper.name, paper.media_type, paper.content) == (*expected, data)
        return
    with pytest.raises(BadDocument) as refused:
        documents.read(data, name)
    assert type(refused.value) is expected


def test_documents_are_seen_by_who_sees_their_coverage(app: Flask, actor: By) -> None:
    choir = written(actor(MANAGER), "CHORALE", RC)
    with transaction() as session:
        kept = editing.attach(session, actor(STAFF), choir.id, documents.read(pdf(), "a.pdf"), world.NOW)
    for who in (STAFF, MEMBER, ADMIN):
        assert editing.document(db.session(), actor(who), kept.id).content == pdf()
    for who in (STN, OTHER):
        with pytest.raises(NotFound):
            editing.document(db.session(), actor(who), kept.id)
    with pytest.raises(NotAllowed), transaction() as session:
        editing.detach(session, actor(MEMBER), kept.id)
    with transaction() as session:
        editing.delete(session, actor(STAFF), choir.id)
    assert db.session.scalar(select(func.count()).select_from(CoverageDocument)) == 0


# -- drivers -----------------------------------------------------------------------------------------


def test_the_register_of_drivers(app: Flask, actor: By) -> None:
    today = world.NOW.date()
    ines = Licence("Inès Chabert", "B", date(2019, 5, 2), today)
    with transaction() as session:
        line = drivers.note(session, actor(STAFF), "CHORALE", ines, today)
    assert [one.name for one in drivers.register(db.session(), actor(MANAGER))] == ["Inès Chabert"]
    assert not drivers.register(db.session(), actor(STN))
    assert not drivers.register(db.session(), actor(MEMBER))
    for who in (STN, MEMBER):
        with pytest.raises(NotFound):
            drivers.driver(db.session(), actor(who), line.id)
    with pytest.raises(DriverTwice), transaction() as session:
        drivers.note(session, actor(STAFF), "CHORALE", ines, today)
    with pytest.raises(LicenceFromTheFuture), transaction() as session:
        drivers.change(session, actor(STAFF), line.id, Licence("I", "B", date(2019, 5, 2), date(2027, 1, 1)), today)
    with transaction() as session:
        drivers.change(session, actor(MANAGER), line.id, Licence("Inès Chabert", "D1", date(2019, 5, 2), today), today)
    db.session.expire_all()
    found = drivers.driver(db.session(), actor(STAFF), line.id)
    assert found.seen_by
    assert (found.licence_class, found.seen_by.email) == ("D1", MANAGER)
    with transaction() as session:
        drivers.forget(session, actor(STAFF), line.id)
    assert not drivers.register(db.session(), actor(STAFF))


# -- files -------------------------------------------------------------------------------------------

HEADING = (
    "holder_house,kind,insurer_or_body,contract_number,covers,starts_on,ends_on,"
    "responsible_email,annual_premium_eur,notes\n"
)
FILES: list[tuple[str, str, tuple[str, str] | None]] = [
    ("a minibus", f"MCNG,vehicle,M,PB-1,MCNG-V01,2026-01-01,2026-12-31,{MANAGER},1184.00,Note", None),
    ("an unknown house", "MCN,vehicle,M,PB-1,MCNG-V01,,2026-12-31,,,", ("holder_house", "unknown_organisation")),
    ("an unknown kind", "MCNG,boat,M,PB-1,MCNG-V01,,2026-12-31,,,", ("kind", "not_a_choice")),
    ("an unknown thing", "MCNG,vehicle,M,PB-1,MCNG-V99,,2026-12-31,,,", ("covers", "unknown_resource")),
    ("another house's thing", "MCNG,vehicle,M,PB-1,STN-R01,,2026-12-31,,,", ("covers", "not_their_thing")),
    ("nothing covered", "MCNG,vehicle,M,PB-1,,,2026-12-31,,,", ("covers", "no_things")),
    ("no end", "MCNG,vehicle,M,PB-1,MCNG-V01,,,,,", ("ends_on", "missing")),
    ("ends early", "MCNG,vehicle,M,PB-1,MCNG-V01,2026-12-31,2026-01-01,,,", ("ends_on", "ends_too_early")),
    ("an association's thing", "CHORALE,vehicle,M,PB-1,MCNG-V01,,2026-12-31,,,", ("kind", "liability_only")),
    ("nobody", "MCNG,liability,M,PB-1,,,2026-12-31,no@example.org,,", ("responsible_email", "unknown_user")),
    ("a stranger", f"MCNG,liability,M,PB-1,,,2026-12-31,{STN},,", ("responsible_email", "user_not_in_organisation")),
]


@pytest.mark.parametrize(("row", "wrong"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_a_row_of_a_file(app: Flask, row: str, wrong: tuple[str, str] | None) -> None:
    raw = f"{HEADING}{row}\n".encode()
    if wrong is None:
        take("insurance", raw)
        assert give("insurance") == raw.decode()
        take("insurance", raw)
        assert give("insurance") == raw.decode()
        return
    with pytest.raises(ImportRefused) as refused:
        take("insurance", raw)
    assert wrong in [(problem.column, problem.refusal.code) for problem in refused.value.problems]
    assert db.session.scalar(select(func.count()).select_from(Coverage)) == 0


def take(kind: str, raw: bytes) -> None:
    with transaction() as session:
        import_bytes(session, kind, "f.csv", raw, world.NOW, world.PARIS)


def give(kind: str) -> str:
    return export_text(db.session(), kind, world.PARIS)


def test_the_certificate_of_a_structure_lives_in_its_file_too(app: Flask) -> None:
    def body(end: str, contract: str = "RC-1") -> bytes:
        head = "code,name,kind,house,liability_insurer,liability_contract,liability_expires_on"
        return f"{head}\nCHORALE,Chorale,association,MCNG,Asso,{contract},{end}\n".encode()

    def told() -> list[tuple[Any, ...]]:
        query = select(Coverage.contract_number, Coverage.ends_on, Coverage.renewed_by_id).order_by(Coverage.id)
        return [tuple(row) for row in db.session.execute(query)]

    take("organisations", body(""))
    take("organisations", body("2026-12-31"))
    assert told() == [("RC-1", date(2026, 12, 31), None)]
    take("organisations", body("2026-12-30"))  # a correction
    assert told() == [("RC-1", date(2026, 12, 30), None)]
    take("organisations", body("2027-12-31"))  # the next one
    [old, new] = told()
    assert (old[:2], new) == (("RC-1", date(2026, 12, 30)), ("RC-1", date(2027, 12, 31), None))
    assert old[2] is not None
    take("organisations", b"code,name,kind,house\nCHORALE,Chorale,association,MCNG\n")
    assert len(told()) == 2
    assert "CHORALE,Chorale,association,MCNG,,,,Asso,RC-1,2027-12-31\n" in give("organisations")
    assert give("insurance") == f"{HEADING}CHORALE,liability,Asso,RC-1,,,2026-12-30,,,\n"


def test_what_structures_said_of_their_insurance_becomes_coverages(empty_database_url: str, tmp_path: Path) -> None:
    first = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, first, ignore=shutil.ignore_patterns("000[2-9]*", "00[1-9]*", "__pycache__"))
    engine = create_engine(empty_database_url, poolclass=NullPool)
    migrate.upgrade(engine, first, backup_dir=tmp_path, now=world.NOW)
    with engine.begin() as connection:
        for code, insurer, contract, end in (
            ("A", "Asso", "RC-1", "'2026-12-31'"),
            ("B", "Asso", "RC-2", "NULL"),
            ("C", "", "", "NULL"),
        ):
            connection.execute(
                text(
                    "INSERT INTO organisation (code, name, kind, siret, email, phone, address, postal_code, city,"
                    " colour, opening_hours, school_zone, liability_insurer, liability_contract, liability_expires_on)"
                    f" VALUES ('{code}', 'x', 'association', '', '', '', '', '', '', '', '', '', '{insurer}',"
                    f" '{contract}', {end})"
                )
            )
    migrate.upgrade(engine, MIGRATIONS, backup_dir=tmp_path, now=world.NOW)
    with Session(engine) as session:
        query = select(Organisation.code, Coverage.kind, Coverage.body, Coverage.contract_number, Coverage.ends_on)
        rows = session.execute(query.join(Coverage.holder).order_by(Organisation.code)).all()
        assert [tuple(row) for row in rows] == [
            ("A", "liability", "Asso", "RC-1", date(2026, 12, 31)),
            ("B", "liability", "Asso", "RC-2", None),
        ]
        assert all(one.created_at.tzinfo for one in session.scalars(select(Coverage)))
    engine.dispose()
