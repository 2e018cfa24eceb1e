"""Who is insured in the small town, what papers its rules want; for the tests of insurances and papers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core.db import transaction
from sharebank.core.period import Period, local_period
from sharebank.insurance.models import Coverage
from sharebank.lending.terms import write_terms
from sharebank.reservations.booking import Ask
from tests import world

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


def pdf(body: bytes = b"1 0 obj\n<<>>\nendobj\n") -> bytes:
    head = b"%PDF-1.4\n" + body
    return head + b"xref\n0 1\n0000000000 65535 f \ntrailer<<>>\nstartxref\n%d\n%%%%EOF\n" % len(head)
