"""Reading agreements: whose they are, those that wait first; the PDF, printed when nobody has yet."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_agreement
from sharebank.agreements.models import Agreement, AgreementLoan
from sharebank.core.errors import NotFound

_WHOLE = select(Agreement).options(
    joinedload(Agreement.lender),
    joinedload(Agreement.borrower),
    joinedload(Agreement.amends),
    joinedload(Agreement.under),
    selectinload(Agreement.signatures),
)


def of_number(session: Session, actor: Actor, number: str) -> Agreement:
    """One agreement; raises NotFound unless the actor is of one of its parties."""
    found = session.scalars(_WHOLE.where(Agreement.number == number)).one_or_none()
    if found is None or not may_agreement(actor, "see", found):
        raise NotFound
    return found


def visible(
    session: Session, actor: Actor, *, waiting: bool | None = None, before: int | None = None, limit: int = 50
) -> Sequence[Agreement]:
    """The agreements the actor may see, the last first; only those that wait for a signature, or only the others."""
    query = _WHOLE.where(_scope(actor))
    if waiting is not None:
        query = query.where((Agreement.status == "issued") if waiting else (Agreement.status != "issued"))
    if before is not None:
        query = query.where(Agreement.id < before)
    return session.scalars(query.order_by(Agreement.id.desc()).limit(limit)).all()


def _scope(actor: Actor) -> ColumnElement[bool]:
    """Permissions' `see`, said in SQL."""
    if actor.admin:
        return true()
    return or_(
        Agreement.lender_id.in_(actor.staff_ids),
        Agreement.borrower_id.in_(actor.organisation_ids),
        Agreement.user_id == actor.user_id,
    )


def family(session: Session, agreement: Agreement) -> Sequence[Agreement]:
    """The others it belongs together with: the first and its addenda, the year's and its short forms."""
    first = agreement.amends_id or agreement.id
    under = agreement.under_id or agreement.id
    kin = or_(Agreement.id.in_((first, under)), Agreement.amends_id == first, Agreement.under_id == under)
    query = _WHOLE.where(kin, Agreement.id != agreement.id)
    return session.scalars(query.order_by(Agreement.id.desc()).limit(100)).all()


def of_loan(session: Session, reservation_id: int) -> Sequence[Agreement]:
    """All that was made for a loan, the last first."""
    query = _WHOLE.join(AgreementLoan, AgreementLoan.agreement_id == Agreement.id)
    query = query.where(AgreementLoan.reservation_id == reservation_id)
    return session.scalars(query.order_by(Agreement.id.desc())).all()


def content_of(session: Session, agreement_id: int) -> Agreement:
    """With the frozen text and the PDF."""
    query = select(Agreement).where(Agreement.id == agreement_id)
    return session.scalars(
        query.options(undefer(Agreement.content), undefer(Agreement.pdf)).execution_options(populate_existing=True)
    ).one()


def unprinted(session: Session, limit: int = 50) -> list[int]:
    """The agreements whose PDF nobody has made yet."""
    return list(
        session.scalars(select(Agreement.id).where(Agreement.pdf.is_(None)).order_by(Agreement.id).limit(limit))
    )
