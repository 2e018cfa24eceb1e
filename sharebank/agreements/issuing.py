"""Issuing: an agreement when a loan is approved and its rules ask for one, an addendum when the loan changes.

All of it is done once, whoever asks how often: each agreement has a key that says what it is about, and is written
under the lender's lock, which also keeps the numbers of a house and year without gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.agreements.drafting import Place, draft, template_of
from sharebank.agreements.models import Agreement, AgreementLoan, Signature
from sharebank.agreements.rules import SHORT, UNDER_WAY, Wanted, number_of, wanted, weigh
from sharebank.agreements.subjects import Matter, of_loan, of_year
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core.period import to_local
from sharebank.lending.approval import agreement as terms_of_agreement
from sharebank.lending.terms import read_terms
from sharebank.notifications.service import Recipient, post, withdraw
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine

_OVER = ("cancelled", "declined", "expired")


def after_change(
    session: Session, actor: Actor | None, loan: Reservation, _act: str, now: datetime, *, tz: ZoneInfo
) -> None:
    """A reservation changed: what it needs is issued, what it no longer needs is without object."""
    if loan.status == "approved":
        ensure(session, actor, loan, now, tz)
    elif loan.status in _OVER:
        _drop(session, loan)


def ensure(
    session: Session, actor: Actor | None, loan: Reservation, now: datetime, tz: ZoneInfo, *, asked: bool = False
) -> Agreement | None:
    """The agreement that covers a loan as it is now: there already, or issued, or amended; none when none is needed.

    `asked`: somebody of the house wants one whatever the rules say.
    """
    if loan.kind != "loan" or loan.lender_id == loan.borrower_id or loan.status not in UNDER_WAY:
        return None
    there = covering(session, loan.id)
    if there is None:
        want = wanted_for(session, loan)
        if want.mode == "none" and asked:
            want = Wanted("per_loan")
        if want.mode == "none":
            return None
        # It may be there already, of the other dates of a series or from before: at what was the price then.
        there = _first(session, actor, loan, want, now, tz)
    if there.kind == "annual":
        return there
    matter = of_loan(session, loan, tz)
    while there.basis not in (matter.basis, matter.before):  # an addendum that counts again may be outdated too
        there = _amended(session, actor, there, matter, now, tz)
    return there


def covering(session: Session, reservation_id: int) -> Agreement | None:
    """The last agreement made for a loan that is not without object."""
    query = select(Agreement).join(AgreementLoan, AgreementLoan.agreement_id == Agreement.id)
    query = query.where(AgreementLoan.reservation_id == reservation_id, Agreement.status != "void")
    return session.scalars(query.order_by(Agreement.id.desc()).limit(1)).one_or_none()


def wanted_for(session: Session, loan: Reservation) -> Wanted:
    """What the rules of its things ask for."""
    query = select(RuleSet.name, RuleSet.terms).join(Resource, Resource.rule_set_id == RuleSet.id)
    query = query.join(ReservationLine, ReservationLine.resource_id == Resource.id)
    found = session.execute(query.where(ReservationLine.reservation_id == loan.id).distinct())
    asked = (terms_of_agreement(read_terms(name, terms)) for name, terms in found)
    return wanted((one.mode, one.short_form) for one in asked)


def mode_of(name: str, terms: str) -> str:
    """What one rule set asks for."""
    return terms_of_agreement(read_terms(name, terms)).mode


def _first(
    session: Session, actor: Actor | None, loan: Reservation, want: Wanted, now: datetime, tz: ZoneInfo
) -> Agreement:
    """The agreement of a loan that has none yet; of a series the one there is covers one date more."""
    matter = of_loan(session, loan, tz)
    if want.mode == "annual":
        first_day, today = to_local(loan.starts_at, tz).date(), to_local(now, tz).date()
        year = of_year(loan.lender, loan.borrower, first_day.year, min(first_day, today), loan.user)
        if not want.short_form:
            return issue(session, actor, replace(year, loans=[loan]), now, tz)
        under = issue(session, actor, year, now, tz)
        matter = replace(matter, subject=replace(matter.subject, kind="short"), under=under)
    return issue(session, actor, matter, now, tz)


def _amended(
    session: Session, actor: Actor | None, there: Agreement, matter: Matter, now: datetime, tz: ZoneInfo
) -> Agreement:
    """An addendum to what covers the loan; a short form is simply made anew."""
    first, rank = there.amends or there, there.amendment + 1
    kind = "short" if first.kind in SHORT else "addendum"
    changed = replace(
        matter,
        key=f"{first.key}/{rank}",
        subject=replace(matter.subject, kind=kind),
        loans=list(there.loans),
        amends=first,
        rank=rank,
        under=first.under,
    )
    if kind == "short":
        there.status = "void"
    return issue(session, actor, changed, now, tz)


def issue(session: Session, actor: Actor | None, matter: Matter, now: datetime, tz: ZoneInfo) -> Agreement:
    """Freeze a text under the next number, write to whoever signs; what has this key already is given back."""
    subject, lender = matter.subject, matter.subject.lender
    # The lender's row is the turnstile of its numbers; last of all locks, so that nobody waits crosswise.
    session.execute(select(Organisation.id).where(Organisation.id == lender.id).with_for_update(key_share=True))
    there = session.scalars(select(Agreement).where(Agreement.key == matter.key)).one_or_none()
    if there is not None:
        there = _last_of(session, there)
        _cover(session, there, matter.loans)
        return there
    day = to_local(now, tz).date()
    own = (Agreement.lender_id == lender.id, Agreement.year == day.year)
    sequence = (session.scalar(select(func.max(Agreement.sequence)).where(*own)) or 0) + 1
    number = number_of(lender.code, day.year, sequence)
    issuer = _issuer(session, actor, matter.loans, lender.id)
    related = matter.under if subject.kind in SHORT else matter.amends
    place = Place(
        number=number,
        day=day,
        issuer=issuer.name if issuer else "",
        first_number=related.number if related else "",
        first_day=to_local(related.issued_at, tz).date() if related else None,
        amendment=matter.rank,
    )
    version, body = template_of(session, subject.kind)
    content = draft(session, subject, place, body)
    made = Agreement(
        number=number,
        key=matter.key,
        lender_id=lender.id,
        borrower_id=subject.borrower.id,
        year=day.year,
        sequence=sequence,
        user_id=matter.user.id,
        kind=subject.kind,
        title=subject.purpose or content["title"].rpartition(" – ")[0],
        template_version=version,
        status="issued",
        content=content,
        text_sha256=weigh(content),
        basis=matter.basis,
        amends_id=matter.amends.id if matter.amends else None,
        amendment=matter.rank,
        under_id=matter.under.id if matter.under else None,
        issued_at=now,
        issued_by_id=issuer.id if issuer else None,
        signed_at=None,
    )
    made.lender, made.borrower, made.user = lender, subject.borrower, matter.user
    if issuer:
        yes = {"party": "lender", "way": "online", "name": issuer.name, "user_id": issuer.id, "at": now}
        made.signatures.append(Signature(**yes, text_sha256=made.text_sha256))
    if matter.under and matter.under.signed_at:
        made.status, made.signed_at = "signed", now
    session.add(made)
    session.flush()
    _cover(session, made, matter.loans)
    if subject.kind not in SHORT:
        facts = {"number": number, "kind": subject.kind, "purpose": subject.purpose, "lender": lender.name}
        post(session, f"{about(made)}to_sign", "agreement_to_sign", signatories(session, made), facts, now)
    return made


def _last_of(session: Session, first: Agreement) -> Agreement:
    """It or its last addendum; of a series all of whose dates had gone it counts again."""
    query = select(Agreement).where(Agreement.amends_id == first.id, Agreement.status != "void")
    last = session.scalars(query.order_by(Agreement.amendment.desc()).limit(1)).one_or_none() or first
    if last.status == "void":
        last.status = "signed" if last.signed_at else "issued"
    return last


def _issuer(session: Session, actor: Actor | None, loans: Sequence[Reservation], lender_id: int) -> User | None:
    """Who says yes for the lender: whoever acts, or approved it, if that is somebody of the house."""
    if actor is not None and lender_id in actor.staff_ids:
        return session.get(User, actor.user_id)
    if not loans:
        return None
    said = (ReservationEvent.reservation_id.in_([loan.id for loan in loans]), ReservationEvent.status == "approved")
    approved = select(ReservationEvent.user_id).where(*said)
    query = select(User).join(Membership, Membership.user_id == User.id)
    theirs = (Membership.organisation_id == lender_id, Membership.role.in_(("staff", "manager", "admin")))
    return session.scalars(query.where(User.id.in_(approved), *theirs).limit(1)).one_or_none()


def _cover(session: Session, agreement: Agreement, loans: Sequence[Reservation]) -> None:
    """Loans the agreement is about from now on: signed as it is, or not signed any more."""
    links = select(AgreementLoan.reservation_id).where(AgreementLoan.agreement_id == agreement.id)
    known = set(session.scalars(links)) if loans else set()
    for loan in loans:
        if loan.id not in known:
            session.add(AgreementLoan(agreement_id=agreement.id, reservation_id=loan.id))
        loan.signed_at = agreement.signed_at
    session.flush()
    session.expire(agreement, ["loans"])


def signatories(session: Session, agreement: Agreement) -> list[Recipient]:
    """Who may sign for the borrower: whoever asked if they belong to it, else its people."""
    query = select(User, Membership.role).join(Membership, Membership.user_id == User.id)
    people = session.execute(query.where(Membership.organisation_id == agreement.borrower_id).order_by(User.id)).all()
    able = [user for user, role in people if agreement.borrower.kind != "house" or role != "member"]
    asked = [user for user in able if user.id == agreement.user_id]
    return [directory.reader(user) for user in asked or able or [agreement.user]]


def about(agreement: Agreement) -> str:
    """How the keys of all letters about an agreement begin."""
    return f"agreement:{agreement.number}:"


def _drop(session: Session, loan: Reservation) -> None:
    """Without object once nothing it covers goes on; a year's agreement covers what is to come."""
    links = select(AgreementLoan.agreement_id).where(AgreementLoan.reservation_id == loan.id)
    live = (Agreement.id.in_(links), Agreement.status != "void", Agreement.kind != "annual")
    for agreement in session.scalars(select(Agreement).where(*live)):
        if all(one.status in _OVER for one in agreement.loans):
            agreement.status = "void"
            withdraw(session, about(agreement))
    session.flush()
