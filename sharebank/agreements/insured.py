"""The insurances of both parties, as an agreement lists them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from sharebank.accounts.models import Organisation
from sharebank.agreements import french
from sharebank.agreements.markup import BLANK
from sharebank.insurance.models import Coverage, CoverageResource
from sharebank.insurance.rules import KINDS, LIABILITY

INSURANCES = ("vehicle", "premises", "equipment", LIABILITY)
"""Kinds of coverage that are insurances, rather than checks."""
HEAD = ("Partie", "Garantie", "Assureur", "Contrat n°", "Jusqu’au")
_DOTS = BLANK[:8]


def rows(
    session: Session, lender: Organisation, borrower: Organisation, things: Sequence[int], first: date, last: date
) -> list[list[str]]:
    """A line a contract, the lender's first; dots to write on where no liability insurance is known."""
    found = []
    for body, theirs in ((lender, things), (borrower, ())):
        good = _good(session, body.id, theirs, first, last)
        if not any(one.kind == LIABILITY for one in good):
            found.append([body.name, french.say(KINDS[LIABILITY]), _DOTS, _DOTS, _DOTS])
        for one in good:
            until = french.day_short(one.ends_on) if one.ends_on else _DOTS
            found.append([body.name, french.say(KINDS[one.kind]), one.body, one.contract_number or "–", until])
    return found


def _good(session: Session, holder_id: int, things: Sequence[int], first: date, last: date) -> Sequence[Coverage]:
    """A party's contracts good on some of these days: its liability, and what covers these things."""
    about = select(CoverageResource.coverage_id).where(CoverageResource.resource_id.in_(things))
    asked = (
        Coverage.holder_id == holder_id,
        Coverage.kind.in_(INSURANCES),
        or_(Coverage.kind == LIABILITY, Coverage.id.in_(about)),
        or_(Coverage.ends_on.is_(None), Coverage.ends_on >= first),
        or_(Coverage.starts_on.is_(None), Coverage.starts_on <= last),
    )
    order = (Coverage.kind == LIABILITY, Coverage.kind, func.coalesce(Coverage.ends_on, last), Coverage.id)
    return session.scalars(select(Coverage).where(*asked).order_by(*order)).all()
