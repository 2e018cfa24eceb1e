"""Keeping deadlines: writing coverages down, renewing and silencing them, their documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.permissions import may_body
from sharebank.catalog.models import Resource
from sharebank.core.errors import NotFound
from sharebank.insurance.documents import MOST_DOCUMENTS, Paper
from sharebank.insurance.models import Coverage, CoverageDocument
from sharebank.insurance.rules import (
    LIABILITY,
    LONGEST_SILENCE,
    AlreadyRenewed,
    EndsTooEarly,
    LiabilityOnly,
    NotAhead,
    NoThings,
    NotTheirThing,
    SameTwice,
    TooManyDocuments,
)
from sharebank.insurance.service import body_of, editable, visible


@dataclass(frozen=True, slots=True)
class Terms:
    """What is written down of a coverage; `codes` name the things, none for liability."""

    kind: str
    body: str
    contract_number: str
    starts_on: date | None
    ends_on: date
    codes: Sequence[str] = ()
    responsible_id: int | None = None
    premium_cents: int | None = None
    notes: str = ""


def holder_of(session: Session, actor: Actor, code: str) -> Organisation:
    """The structure with this code, whose coverages the actor may keep; raises NotFound."""
    holder = session.scalars(select(Organisation).where(Organisation.code == code)).one_or_none()
    if holder is None or not may_body(actor, "edit_coverage", body_of(holder)):
        raise NotFound
    return holder


def things_of(session: Session, holder: Organisation) -> list[Resource]:
    """What a holder may insure: vehicles and rooms before the rest, for of those nobody forgets any."""
    query = select(Resource).where(Resource.house_id == holder.id)
    return list(session.scalars(query.order_by(Resource.kind.desc(), Resource.code)))


def staff_of(session: Session, holder: Organisation) -> list[User]:
    """Who may be responsible: the staff of the holder's house."""
    query = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == holder.house_id, Membership.role.in_(("staff", "manager", "admin")))
    )
    return list(session.scalars(query.order_by(User.last_name, User.first_name)))


def create(session: Session, actor: Actor, holder_code: str, terms: Terms, now: datetime) -> Coverage:
    """Write a coverage down; raises NotFound or what is wrong with its terms."""
    holder = _locked(session, holder_of(session, actor, holder_code).id)
    coverage = Coverage(holder_id=holder.id, created_at=now)
    _fill(session, coverage, holder, terms)
    session.add(coverage)
    session.flush()
    return coverage


def change(session: Session, actor: Actor, coverage_id: int, terms: Terms) -> Coverage:
    """Correct what is written; another end begins the reminders anew, and silence is over then."""
    coverage = editable(session, actor, coverage_id)
    moved = coverage.ends_on != terms.ends_on
    _fill(session, coverage, _locked(session, coverage.holder_id), terms)
    if moved:
        _speak(coverage)
    session.flush()
    return coverage


def renew(session: Session, actor: Actor, coverage_id: int, terms: Terms, now: datetime) -> Coverage:
    """Write the next one down; the reminders of this one are over."""
    coverage = editable(session, actor, coverage_id)
    holder = _locked(session, coverage.holder_id)
    session.refresh(coverage, ["renewed_by_id"])
    if coverage.renewed_by_id is not None:
        raise AlreadyRenewed
    if coverage.ends_on is not None and terms.ends_on <= coverage.ends_on:
        raise EndsTooEarly("ends_on", day=coverage.ends_on + timedelta(days=1))
    following = Coverage(holder_id=holder.id, created_at=now)
    _fill(session, following, holder, terms)
    session.add(following)
    session.flush()
    coverage.renewed_by_id = following.id
    session.flush()
    return following


def delete(session: Session, actor: Actor, coverage_id: int) -> None:
    """Take away what was written by mistake, its documents too; the one before it counts again."""
    session.delete(editable(session, actor, coverage_id))
    session.flush()


def acknowledge(session: Session, actor: Actor, coverage_id: int, until: date, why: str, today: date) -> Coverage:
    """Silence the reminders of one coverage before a day; who and why is shown to all."""
    coverage = editable(session, actor, coverage_id)
    if not today < until <= today + timedelta(days=LONGEST_SILENCE):
        raise NotAhead("until", days=LONGEST_SILENCE)
    coverage.silent_until, coverage.silenced_by_id, coverage.silenced_why = until, actor.user_id, why
    session.flush()
    return coverage


def resume(session: Session, actor: Actor, coverage_id: int) -> Coverage:
    """End a silence."""
    coverage = editable(session, actor, coverage_id)
    _speak(coverage)
    session.flush()
    return coverage


def next_days(starts_on: date | None, ends_on: date | None) -> tuple[date | None, date | None]:
    """The days proposed for the next one: from the morrow, for as many years, one at least."""
    if ends_on is None:
        return None, None
    years = max(1, round((ends_on - starts_on).days / 365.25)) if starts_on else 1
    try:
        return ends_on + timedelta(days=1), ends_on.replace(year=ends_on.year + years)
    except ValueError:  # a 29 February
        return ends_on + timedelta(days=1), ends_on.replace(year=ends_on.year + years, day=28)


def _speak(coverage: Coverage) -> None:
    coverage.silent_until, coverage.silenced_by_id, coverage.silenced_why = None, None, ""


def _locked(session: Session, holder_id: int) -> Organisation:
    """The holder, held until the transaction ends: of two people who write the same contract one is told."""
    query = select(Organisation).where(Organisation.id == holder_id).with_for_update(key_share=True)
    return session.scalars(query).one()


def _fill(session: Session, coverage: Coverage, holder: Organisation, terms: Terms) -> None:
    """Put terms that make sense where they belong; raises what is wrong with them."""
    if holder.kind != "house" and terms.kind != LIABILITY:
        raise LiabilityOnly("kind")
    if terms.starts_on is not None and terms.ends_on < terms.starts_on:
        raise EndsTooEarly("ends_on", day=terms.starts_on)
    things = _things(session, holder, terms)
    if terms.responsible_id not in {None, *(person.id for person in staff_of(session, holder))}:
        raise NotFound
    same = select(Coverage.id).where(
        Coverage.holder_id == holder.id,
        Coverage.kind == terms.kind,
        Coverage.contract_number == terms.contract_number,
        Coverage.ends_on == terms.ends_on,
        Coverage.id != (coverage.id or 0),
    )
    if session.scalars(same).first() is not None:
        raise SameTwice("contract_number")
    coverage.kind, coverage.body, coverage.contract_number = terms.kind, terms.body, terms.contract_number
    coverage.starts_on, coverage.ends_on = terms.starts_on, terms.ends_on
    coverage.things = things
    coverage.responsible_id, coverage.premium_cents, coverage.notes = (
        terms.responsible_id,
        terms.premium_cents,
        terms.notes,
    )


def _things(session: Session, holder: Organisation, terms: Terms) -> list[Resource]:
    if terms.kind == LIABILITY:
        return []
    own = {thing.code: thing for thing in things_of(session, holder)}
    for code in terms.codes:
        if code not in own:
            raise NotTheirThing("codes", value=code)
    if not terms.codes:
        raise NoThings("codes")
    return [own[code] for code in dict.fromkeys(terms.codes)]


# -- documents ------------------------------------------------------------------------------------


def attach(session: Session, actor: Actor, coverage_id: int, paper: Paper, now: datetime) -> CoverageDocument:
    """Keep a document with its coverage; raises TooManyDocuments."""
    coverage = editable(session, actor, coverage_id)
    if len(coverage.documents) >= MOST_DOCUMENTS:
        raise TooManyDocuments("file", most=MOST_DOCUMENTS)
    document = CoverageDocument(
        name=paper.name,
        media_type=paper.media_type,
        sha256=paper.sha256,
        content=paper.content,
        added_by_id=actor.user_id,
        created_at=now,
    )
    coverage.documents.append(document)
    session.flush()
    return document


def document(session: Session, actor: Actor, document_id: int) -> CoverageDocument:
    """A document with its content; raises NotFound unless the actor may see what it belongs to."""
    query = select(CoverageDocument).where(CoverageDocument.id == document_id)
    found = session.scalars(query.options(undefer(CoverageDocument.content))).one_or_none()
    if found is None:
        raise NotFound
    visible(session, actor, found.coverage_id)
    return found


def paper_of(session: Session, actor: Actor, document_id: int) -> int:
    """The id of the coverage a document belongs to, which the actor may change; raises NotFound, NotAllowed."""
    found = session.get(CoverageDocument, document_id)
    if found is None:
        raise NotFound
    return editable(session, actor, found.coverage_id).id


def detach(session: Session, actor: Actor, document_id: int) -> None:
    """Delete a document for good."""
    paper_of(session, actor, document_id)
    session.delete(session.get_one(CoverageDocument, document_id))
    session.flush()
