"""The edge screens and the timetable share: texts are frozen in a transaction, printed after it."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sharebank.agreements import french, issuing, reading
from sharebank.agreements.drafting import document
from sharebank.agreements.markup import Json
from sharebank.agreements.models import Agreement, AgreementLoan
from sharebank.agreements.rules import WAYS
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core import press, web
from sharebank.core.db import db, transaction
from sharebank.core.period import to_local
from sharebank.core.press import NotPrinted
from sharebank.reservations.models import Reservation, ReservationLine

log = logging.getLogger(__name__)
MOST = 100
"""Loans looked after in one run; the next run goes on."""


def printed(agreement_id: int) -> bytes:
    """The PDF of an agreement, made and kept now if it was not yet. Raises NotPrinted."""
    agreement = reading.content_of(db.session(), agreement_id)
    if agreement.pdf is not None:
        return agreement.pdf
    # Outside any transaction: the press takes its time, and nobody waits for a lock meanwhile.
    made = press.pdf(document(agreement.content, agreement.text_sha256), agreement.issued_at)
    with transaction() as session:
        first = (Agreement.id == agreement_id, Agreement.pdf.is_(None))
        values = {"pdf": made, "pdf_sha256": hashlib.sha256(made).hexdigest()}
        session.execute(update(Agreement).where(*first).values(**values).execution_options(synchronize_session=False))
    kept = reading.content_of(db.session(), agreement_id).pdf
    return kept if kept is not None else made


def certificate(agreement: Agreement, tz: ZoneInfo) -> Json:
    """The page that says who signed what, when and how."""
    blocks: list[Json] = [
        {"t": "h", "level": 1, "runs": [["Attestation d’acceptation", False]]},
        {"t": "p", "runs": [["Convention ", False], [agreement.number, True], [f", {agreement.title}", False]]},
    ]
    sides = {"lender": ("le prêteur", agreement.lender), "borrower": ("l’emprunteur", agreement.borrower)}
    for one in agreement.signatures:
        side, body = sides[one.party]
        at = to_local(one.at, tz)
        pairs = [
            ["Nom saisi", one.name],
            ["Structure", body.name],
            ["Date et heure", f"{french.moment(at)} ({tz.key})"],
            ["Mode", french.say(WAYS[one.way])],
            ["Compte", one.user.email if one.user else "–"],
            ["Empreinte du texte (SHA-256)", one.text_sha256],
            ["Empreinte du PDF (SHA-256)", one.pdf_sha256 or agreement.pdf_sha256 or "–"],
        ]
        blocks.append({"t": "facts", "name": f"Pour {side}", "pairs": pairs})
    content = {"title": f"Attestation {agreement.number}", "author": agreement.lender.name, "number": agreement.number}
    return document({**content, "blocks": blocks}, agreement.text_sha256)


def look_after(app: Flask, now: datetime) -> dict[str, int]:
    """Issue what approved loans still lack, print what is not printed; one at a time, so that none holds up others."""
    counts = {"agreements": 0, "agreements_printed": 0, "agreements_failed": 0}
    with app.app_context():
        for loan_id in lacking(db.session(), now):
            with transaction() as session:
                query = select(Reservation).where(Reservation.id == loan_id).with_for_update()
                loan = session.scalars(query).one()
                counts["agreements"] += issuing.ensure(session, None, loan, now, web.tz()) is not None
        for agreement_id in reading.unprinted(db.session()):
            try:
                printed(agreement_id)
                counts["agreements_printed"] += 1
            except NotPrinted as trouble:
                log.error("agreement %s could not be printed: %s", agreement_id, trouble.facts.get("trouble"))
                counts["agreements_failed"] += 1
    return counts


def lacking(session: Session, now: datetime) -> list[int]:
    """Approved loans to come without the agreement their rules ask for."""
    asking = [
        rules_id
        for rules_id, name, terms in session.execute(select(RuleSet.id, RuleSet.name, RuleSet.terms))
        if '"agreement"' in terms and issuing.mode_of(name, terms) != "none"
    ]
    if not asking:
        return []
    needs = (
        select(ReservationLine.reservation_id)
        .join(Resource, Resource.id == ReservationLine.resource_id)
        .where(Resource.rule_set_id.in_(asking), ReservationLine.ends_at > now)
    )
    query = select(Reservation.id).where(
        Reservation.status == "approved",
        Reservation.kind == "loan",
        Reservation.ends_at > now,
        Reservation.lender_id != Reservation.borrower_id,
        Reservation.id.in_(needs),
        Reservation.id.not_in(select(AgreementLoan.reservation_id)),
    )
    return list(session.scalars(query.order_by(Reservation.starts_at, Reservation.id).limit(MOST)))
