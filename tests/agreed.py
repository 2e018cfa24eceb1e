"""The small town with what its agreements need, and agreements made there; for the tests of agreements."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pypdf
import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts.models import Organisation
from sharebank.agreements import issuing
from sharebank.agreements.models import Agreement
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core.db import transaction
from sharebank.insurance.models import Coverage
from sharebank.reservations import booking
from sharebank.reservations.booking import Ask
from sharebank.reservations.models import Reservation, ReservationEvent, Series, SeriesDate
from tests import world

LATER = world.NOW + timedelta(hours=1)
PER_LOAN = {"agreement": {"mode": "per_loan", "firm": "signed"}}
ANNUAL = {"agreement": {"mode": "annual", "short_form": True, "firm": "signed"}}
Find = Callable[[str], Any]


@pytest.fixture
def town(app: Flask) -> Flask:
    """The town with what its papers need: seats, who signs, insurances; its rules ask for an agreement a loan."""
    with transaction() as session:
        bodies = {body.code: body for body in session.scalars(select(Organisation))}
        for code, name, office, siret in (
            ("MCNG", "Brigitte Talancieux", "présidente", "00041237900018"),
            ("STN", "Florence d’Argentelles", "directrice", "00049156300029"),
            ("CHORALE", "Odile Sarrazande", "coprésidente", "00072913700018"),
        ):
            body = bodies[code]
            body.represented_by, body.office, body.siret = name, office, siret
            body.address, body.postal_code, body.city = f"27 rue de {code}", "26100", "Romans-sur-Isère"
        things = {thing.code: thing for thing in session.scalars(select(Resource))}
        things["MCNG-V01"].replacement_value_cents = 2_450_000
        things["MCNG-R01"].area_m2, things["MCNG-R01"].attributes = 162, {"keys": "2", "stage": "yes"}
        for holder, kind, insurer, contract, covers in (
            ("MCNG", "vehicle", "Mutuelle du Peuplier Blanc", "PB-AUTO-000417", "MCNG-V01"),
            ("MCNG", "premises", "Garantie Coopérative", "GC-LOC-77", "MCNG-R01"),
            ("MCNG", "liability", "Caisse Mutuelle du Jacquemart", "CMJ-RC-20261", None),
            ("CHORALE", "liability", "Assurance des Chœurs", "ADC-045021", None),
        ):
            cover = Coverage(
                holder_id=bodies[holder].id,
                kind=kind,
                body=insurer,
                contract_number=contract,
                ends_on=date(2027, 8, 31),
                created_at=world.NOW,
            )
            cover.things = [things[covers]] if covers else []
            session.add(cover)
        ask_for(session, PER_LOAN)
    return app


def ask_for(session: Any, terms: dict[str, Any]) -> None:
    session.scalars(select(RuleSet)).one().terms = json.dumps(terms)


def loan_of(
    actor: Any, wants: dict[str, int], *, day: int = 28, borrower: str = "CHORALE", purpose: str = "Concert"
) -> Reservation:
    """An approved loan as a decision leaves it, before any room above has heard of it."""
    with transaction() as session:
        ask = Ask(borrower, purpose, world.at(day, "14:00", "18:00"), wants)
        ref = booking.book(session, actor, ask, world.NOW, world.PARIS)[0].ref
        loan = session.scalars(select(Reservation).where(Reservation.ref == ref)).one()
        loan.status = "approved"
        loan.events.append(ReservationEvent(at=world.NOW, user_id=None, status="approved", why=""))
        session.flush()
        return loan


def series_of(actor: Any, days: Sequence[int], rule: str, until: date) -> list[Reservation]:
    """Approved loans of a room that are the dates of one series."""
    loans = [loan_of(actor, {"MCNG-R01": 1}, day=day) for day in days]
    with transaction() as session:
        first = loans[0]
        series = Series(
            ref="S26-0001",
            purpose="Répétition",
            lender_id=first.lender_id,
            borrower_id=first.borrower_id,
            user_id=first.user_id,
            wants={"MCNG-R01": 1},
            rule=rule,
            zone="Europe/Paris",
            first_start="2026-11-24T14:00",
            first_end="2026-11-24T18:00",
            until=until,
            skip="none",
            status="active",
            created_at=world.NOW,
        )
        session.add(series)
        session.flush()
        for loan in loans:
            found = session.get_one(Reservation, loan.id)
            found.series_id = series.id
            when = {"starts_at": found.starts_at, "ends_at": found.ends_at}
            session.add(SeriesDate(series_id=series.id, state="booked", reservation_id=found.id, **when))
    return loans


def issued(actor: Any, loan: Reservation, **more: Any) -> Agreement:
    """The agreement of a loan, as its house's staff has it made."""
    with transaction() as session:
        found = issuing.ensure(session, actor, session.get_one(Reservation, loan.id), LATER, world.PARIS, **more)
    assert found is not None
    return found


def words(pdf: bytes) -> str:
    """The text of a PDF, spaces of all kinds as one."""
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    return re.sub(r"\s+", " ", " ".join(pages))
