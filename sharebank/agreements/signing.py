"""Signing: the borrower accepts online or sends the signed copy in; the house records what was signed on paper."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_agreement, require
from sharebank.agreements.issuing import about
from sharebank.agreements.models import Agreement, Signature
from sharebank.agreements.reading import of_number
from sharebank.agreements.rules import NameMissing, NothingToSign, NotTheText
from sharebank.core.errors import NotFound
from sharebank.insurance.documents import Paper
from sharebank.notifications.service import post, withdraw


def accept(session: Session, actor: Actor, number: str, name: str, read: str, now: datetime) -> Agreement:
    """The borrower's yes on screen: `read` is the hash of the text they had before them.

    Raises NotFound, NotAllowed, NothingToSign, NotTheText, NameMissing.
    """
    agreement = _locked(session, actor, number, "sign")
    if read != agreement.text_sha256:
        raise NotTheText("agreed")
    return _sign(session, actor, agreement, "online", name, None, now)


def send_in(session: Session, actor: Actor, number: str, name: str, paper: Paper, now: datetime) -> Agreement:
    """The signed copy, as PDF or picture, from the borrower. Raises as `accept`."""
    return _sign(session, actor, _locked(session, actor, number, "sign"), "scan", name, paper, now)


def record(session: Session, actor: Actor, number: str, name: str, paper: Paper | None, now: datetime) -> Agreement:
    """The house holds the signed paper; its copy may be kept too. Raises as `accept`."""
    return _sign(session, actor, _locked(session, actor, number, "record"), "paper", name, paper, now)


def document(session: Session, actor: Actor, number: str) -> Signature:
    """The signed copy that was sent in; raises NotFound."""
    agreement = of_number(session, actor, number)
    query = select(Signature).where(Signature.agreement_id == agreement.id, Signature.media_type != "")
    found = session.scalars(query.options(undefer(Signature.document)).limit(1)).one_or_none()
    if found is None:
        raise NotFound
    return found


def _locked(session: Session, actor: Actor, number: str, act: str) -> Agreement:
    of_number(session, actor, number)
    query = select(Agreement).where(Agreement.number == number).with_for_update()
    agreement = session.scalars(query.execution_options(populate_existing=True)).one()
    require(may_agreement(actor, act, agreement))
    if agreement.status != "issued":
        raise NothingToSign
    return agreement


def _sign(
    session: Session, actor: Actor, agreement: Agreement, way: str, name: str, paper: Paper | None, now: datetime
) -> Agreement:
    """Whoever signs an addendum signs what it changes; a year's agreement makes the loans under it firm."""
    name = " ".join(name.split())
    if not name:
        raise NameMissing("name")
    last = not _later(session, agreement)
    for each in (agreement, *_earlier(session, agreement)):
        each.status, each.signed_at = "signed", now
        each.signatures.append(
            Signature(
                party="borrower",
                way=way,
                name=name,
                user_id=actor.user_id,
                at=now,
                text_sha256=each.text_sha256,
                pdf_sha256=each.pdf_sha256,
                document_name=paper.name if paper else "",
                media_type=paper.media_type if paper else "",
                document=paper.content if paper else None,
            )
        )
        withdraw(session, about(each))
    if last:
        for loan in agreement.loans:
            loan.signed_at = now
    for short in session.scalars(select(Agreement).where(Agreement.under_id == agreement.id)):
        if short.status == "issued":
            short.status, short.signed_at = "signed", now
            for loan in short.loans:
                loan.signed_at = now
    session.flush()
    readers = [one for one in directory.managers(session, agreement.lender_id) if one.user_id != actor.user_id]
    facts = {"number": agreement.number, "purpose": agreement.title, "borrower": agreement.borrower.name, "by": name}
    post(session, f"{about(agreement)}signed", "agreement_signed", readers, facts, now)
    return agreement


def _earlier(session: Session, agreement: Agreement) -> list[Agreement]:
    """What an addendum changes and nobody has signed yet."""
    if agreement.amends_id is None:
        return []
    chain = (Agreement.id == agreement.amends_id) | (Agreement.amends_id == agreement.amends_id)
    query = select(Agreement).where(chain, Agreement.amendment < agreement.amendment, Agreement.status == "issued")
    return list(session.scalars(query))


def _later(session: Session, agreement: Agreement) -> bool:
    """Has it been changed since by an addendum that still waits?"""
    first = agreement.amends_id or agreement.id
    query = select(Agreement.id).where(Agreement.amends_id == first, Agreement.amendment > agreement.amendment)
    return session.scalars(query.where(Agreement.status != "void").limit(1)).one_or_none() is not None
