"""What waits for a decision, what presses and then oldest first, each with the facts one decides by."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, exists, func, literal, or_, select, true
from sqlalchemy.orm import Session, joinedload, selectinload

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import User
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, Refused, Said
from sharebank.core.period import Period
from sharebank.insurance.covering import contracts
from sharebank.insurance.rules import hindrances
from sharebank.insurance.service import asking_for_certificate
from sharebank.lending.papers import papers_asked
from sharebank.reservations.deciding.judging import silence, weighed
from sharebank.reservations.deciding.knowing import known_of
from sharebank.reservations.gate import Weighed, unsaid
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.reading import LoanRow, loans_of_ids
from sharebank.reservations.series.series_reading import Waiting, waiting_series
from sharebank.reservations.states import LATE_AFTER
from sharebank.reservations.waiting.waiting_models import WaitingEntry, WaitingLine

HISTORY = timedelta(days=3 * 365)
"""What was longer ago says little about who asks today."""
PRESSING = timedelta(days=3)
"""What lapses or begins before that is decided before all else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of requests ended, and until when what lapses or begins was pressing on the first of the pages."""

    soon: datetime
    pressing: bool
    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class History:
    """How a borrower's loans of the last three years went."""

    loans: int = 0
    late: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Rival:
    """Somebody else who wants one of the same things at the same time."""

    borrower: str
    things: tuple[str, ...]
    period: Period
    ref: str | None
    """Of their request; none of those who wait."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request and what is to be known of it."""

    loan: LoanRow
    period: Period
    history: History
    rivals: tuple[Rival, ...]
    needs_certificate: bool
    certificate_until: date | None
    remarks: tuple[Refused | Said, ...]
    """Rules not kept, insurances and checks of the things, or the borrower's certificate, over before the loan is."""
    papers: tuple[tuple[str, date | None], ...]
    """Documents its rules ask for that were shown, and until when they are good."""
    drivers: tuple[str, ...]
    total_cents: int
    ends_at: datetime
    """When silence ends it."""
    silence: str | None
    """As what: `expire`, `approve` or `decline`."""
    second: bool
    """Two people have to approve it."""
    approved_once_by: str | None
    whole: Waiting | None = None
    """The series that is decided on with it; the facts are then those of its first date, rivals those of every one."""


_loan = Reservation.__table__.c
_REQUESTED = _loan.status == literal("requested", literal_execute=True)
"""Said to the database literally: it must see that its index of what stands open covers this."""


def to_decide(
    session: Session, actor: Actor, tz: ZoneInfo, now: datetime, limit: int, after: Place | None = None
) -> list[Request]:
    """A page of what waits for the actor's houses: what presses, by its end, then the oldest first.

    A series is there once, where the first of its dates that wait would be.
    """
    ours = true() if actor.admin else _loan.lender_id.in_(actor.staff_ids)
    waits = and_(_REQUESTED, _loan.kind == "loan", ~_loan.offered, ours, _loan.starts_at > now)
    first = select(func.min(_loan.id)).where(waits, _loan.series_id.is_not(None)).group_by(_loan.series_id)
    query = select(_loan.id).where(waits, or_(_loan.series_id.is_(None), _loan.id.in_(first)))
    end = case((_loan.lapses_at < _loan.starts_at, _loan.lapses_at), else_=_loan.starts_at)
    presses = end <= (after.soon if after else now + PRESSING)
    group, at = case((presses, 0), else_=1), case((presses, end), else_=_loan.created_at)
    if after:
        here = group == int(not after.pressing)
        later = or_(at > after.at, and_(at == after.at, _loan.id > after.id))
        query = query.where(or_(and_(here, later), group > int(not after.pressing)))
    places = {
        found: place for place, found in enumerate(session.scalars(query.order_by(group, at, _loan.id).limit(limit)))
    }
    loans = sorted(loans_of_ids(session, list(places)), key=lambda loan: places[loan.id])
    return facts_about(session, loans, tz, now, waiting_series(session, [loan.series_id for loan in loans], now))


def offers_to(session: Session, actor: Actor, now: datetime) -> list[LoanRow]:
    """What is held for the actor or their structures until they say yes."""
    mine = or_(_loan.user_id == actor.user_id, _loan.borrower_id.in_(actor.organisation_ids))
    ids = session.scalars(select(_loan.id).where(_REQUESTED, _loan.offered, mine, _loan.starts_at > now)).all()
    return sorted(loans_of_ids(session, ids), key=lambda loan: (loan.lapses_at or loan.starts_at, loan.id))


def facts_about(
    session: Session,
    loans: Sequence[LoanRow],
    tz: ZoneInfo,
    now: datetime,
    wholes: Mapping[int | None, Waiting] = MappingProxyType({}),
) -> list[Request]:
    """The same facts for some requests; `wholes` are the series that are decided on whole."""
    if not loans:
        return []
    borrowers = {loan.borrower_id for loan in loans}
    histories = _histories(session, borrowers, now)
    things = catalog.things_by_code(session, {line.resource for loan in loans for line in loan.lines})
    rivals = _rivals(session, loans, wholes, things)
    cover = contracts(session, {thing.id for thing in things.values()}, borrowers)
    known = known_of(session, [(loan, [things[line.resource] for line in loan.lines]) for loan in loans], tz)
    once = {loan.approved_once_by_id for loan in loans if loan.approved_once_by_id}
    names = {user.id: user.name for user in session.scalars(select(User).where(User.id.in_(once)))} if once else {}
    found = []
    for loan in loans:
        period, whole = Period(loan.starts_at, loan.ends_at), wholes.get(loan.series_id)
        insured = Period(period.start, max(period.end, whole.periods[-1].end)) if whole else period
        own = [things[line.resource] for line in loan.lines]
        wants = {line.resource: line.quantity for line in loan.lines}
        weighed_ = weighed(loan, own, wants, *known[loan.id], tz)
        lapses = cover.lapses(own, loan.borrower_id, insured, tz)
        found.append(
            Request(
                loan,
                period,
                histories.get(loan.borrower_id, History()),
                tuple(rivals[loan.id]),
                bool(asking_for_certificate(own, loan.borrower_id)),
                cover.certified_until(loan.borrower_id),
                (
                    *(breach.said for one in weighed_ for breach in one.found),
                    *_unpromised(own, loan),
                    *(one.refusal for one in hindrances(lapses, loan.borrower_name)),
                ),
                _papers(weighed_),
                known[loan.id][1].drivers,
                whole.total_cents if whole else (loan.quote or {}).get("total_cents", 0),
                min(loan.lapses_at or loan.starts_at, loan.starts_at),
                silence(own),
                any(one.decision.second for one in weighed_),
                names.get(loan.approved_once_by_id or 0),
                whole,
            )
        )
    return found


def _unpromised(things: Sequence[Thing], loan: LoanRow) -> Iterator[Said]:
    """Programs may ask without a word about promises: who decides is told that nobody gave them."""
    for thing in things:
        if promises := unsaid(thing, loan.details.get("accepts", ())):
            said = N_("%(thing)s: not promised with this request: %(promises)s.")
            yield Said(said, {"thing": thing.name, "promises": promises})


def _papers(weighed_: Sequence[Weighed]) -> tuple[tuple[str, date | None], ...]:
    found: dict[str, date | None] = {}
    for one in weighed_:
        asked = papers_asked(one.thing.terms.get("documents"), one.asked)
        found |= {paper.kind: paper.valid_until for paper in one.asked.papers if paper.kind in asked}
    return tuple(found.items())


def _histories(session: Session, borrowers: set[int], now: datetime) -> Mapping[int, History]:
    event = ReservationEvent.__table__.c
    # What was imported as returned was brought back who knows when: here nobody had handed it over.
    here = ReservationEvent.__table__.alias("here").c
    handed_over = exists(literal(1)).where(here.reservation_id == _loan.id, here.status == "collected")
    back = and_(event.reservation_id == _loan.id, event.status == "returned", handed_over)
    out = _loan.status.in_(("approved", "collected", "returned"))
    query = (
        select(
            _loan.borrower_id,
            func.sum(case((out, 1), else_=0)),
            _loan.ends_at,
            func.max(event.at),
            func.sum(case((_loan.status == "cancelled", 1), else_=0)),
        )
        .outerjoin_from(Reservation.__table__, ReservationEvent.__table__, back)
        .where(_loan.borrower_id.in_(borrowers), _loan.kind == "loan", _loan.starts_at < now)
        .where(_loan.starts_at > now - HISTORY)
        .group_by(_loan.borrower_id, _loan.id, _loan.ends_at)
    )
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for borrower, loans, ends_at, back_at, cancelled in session.execute(query):
        late = back_at is not None and back_at > ends_at + LATE_AFTER
        for place, more in enumerate((loans, late, cancelled)):
            sums[borrower][place] += int(more)
    return {borrower: History(*each) for borrower, each in sums.items()}


def _rivals(
    session: Session, loans: Sequence[LoanRow], wholes: Mapping[int | None, Waiting], known: Mapping[str, Thing]
) -> Mapping[int, list[Rival]]:
    """Other requests, and those who wait, that touch one of the same things at the same time; a series counts once."""
    line = ReservationLine.__table__.c
    ids = [thing.id for thing in known.values()]
    asked = (
        select(_loan.id)
        .join_from(Reservation.__table__, ReservationLine.__table__, line.reservation_id == _loan.id)
        .where(_REQUESTED, _loan.kind == "loan", line.resource_id.in_(ids))
        .distinct()
    )
    others = [
        (
            f"series {other.series_id}" if other.series_id else other.ref,
            other.borrower_name,
            {each.resource: each.thing for each in other.lines},
            Period(other.starts_at, other.ends_at),
            other.ref,
        )
        for other in loans_of_ids(session, session.scalars(asked).all())
    ]
    waits = (
        select(WaitingEntry)
        .where(WaitingEntry.state == "waiting")
        .where(WaitingEntry.id.in_(select(WaitingLine.entry_id).where(WaitingLine.resource_id.in_(ids))))
        .options(joinedload(WaitingEntry.borrower), selectinload(WaitingEntry.lines).joinedload(WaitingLine.resource))
        .order_by(WaitingEntry.created_at, WaitingEntry.id)
    )
    waiting = [
        (
            f"in line {entry.id}",
            entry.borrower.name,
            {each.resource.code: each.resource.name for each in entry.lines},
            Period(entry.starts_at, entry.ends_at),
            None,
        )
        for entry in session.scalars(waits)
    ]
    found: dict[int, list[Rival]] = defaultdict(list)
    for loan in loans:
        whole, own = wholes.get(loan.series_id), {each.resource for each in loan.lines}
        periods = whole.periods if whole else (Period(loan.starts_at, loan.ends_at),)
        met = {f"series {loan.series_id}", loan.ref}
        for key, borrower, things, span, ref in (*others, *waiting):
            shared = tuple(name for code, name in things.items() if code in own)
            if key not in met and shared and _overlaps(periods, span):
                met.add(key)
                found[loan.id].append(Rival(borrower, shared, span, ref))
    return found


def _overlaps(periods: Sequence[Period], span: Period) -> bool:
    """Does one of these, which are in order and apart from each other, overlap it?"""
    at = bisect_left(periods, span.end, key=attrgetter("start"))
    return at > 0 and periods[at - 1].end > span.start
