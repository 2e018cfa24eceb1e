"""Insurances and checks: keeping them, their documents, the register of drivers; on both databases."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.insurance import documents, drivers, editing, service
from sharebank.insurance.drivers import Licence
from sharebank.insurance.editing import Terms
from sharebank.insurance.models import Coverage, CoverageDocument
from sharebank.insurance.rules import (
    AlreadyRenewed,
    BadDocument,
    DocumentTooHeavy,
    DriverTwice,
    EndsTooEarly,
    LiabilityOnly,
    LicenceFromTheFuture,
    NotAhead,
    NoThings,
    NotTheirThing,
    SameTwice,
)
from tests import world
from tests.insured import ADMIN, MANAGER, MEMBER, OTHER, STAFF, STN, By, pdf

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
