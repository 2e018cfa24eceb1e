"""Reading deadlines: who may see which, what lapses during a loan, what a thing's mark says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, bindparam, exists, false, func, literal, null, or_, select, true, union_all
from sqlalchemy.orm import Session, joinedload, selectinload

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_body, require
from sharebank.catalog.service import Thing
from sharebank.core.errors import NotFound
from sharebank.core.period import Period, to_local
from sharebank.core.prepared import Prepared, one_of
from sharebank.insurance.models import Coverage, CoverageResource
from sharebank.insurance.rules import LIABILITY, MARKED, Lapse, Span, gap

CERTIFICATE = "liability_certificate"
"""What a rule set calls the certificate it asks borrowers for."""

# -- is a loan covered ----------------------------------------------------------------------------

_Other, _There = Coverage.__table__.alias("other"), CoverageResource.__table__.alias("there")
_cover, _on = Coverage.__table__.c, CoverageResource.__table__.c
_SPAN = (_cover.kind, _cover.body, _cover.contract_number, _cover.starts_on, _cover.ends_on)
# Where one contract reaches over all the days there is nothing to look at more closely: nearly everywhere.
_REACHES_OVER = exists(literal(1)).where(
    _There.c.resource_id == _on.resource_id,
    _Other.c.id == _There.c.coverage_id,
    _Other.c.kind == _cover.kind,
    or_(_Other.c.starts_on.is_(None), _Other.c.starts_on <= bindparam("first")),
    _Other.c.ends_on >= bindparam("last"),
)
_every_doubt = (
    select(_on.resource_id, *_SPAN)
    .join_from(CoverageResource.__table__, Coverage.__table__, _cover.id == _on.coverage_id)
    .where(_cover.kind != LIABILITY, _cover.ends_on.is_not(None), ~_REACHES_OVER)
)
_doubts_of = _every_doubt.where(one_of(_on.resource_id, "ids"))
_CERTIFICATES = select(null().label("resource_id"), *_SPAN).where(
    _cover.holder_id == bindparam("borrower"), _cover.kind == LIABILITY, _cover.ends_on.is_not(None)
)
_ALL_DOUBTS, _DOUBTS = Prepared(_every_doubt), Prepared(_doubts_of)
_DOUBTS_AND_CERTIFICATES = Prepared(union_all(_doubts_of, _CERTIFICATES))

Doubts = Mapping[tuple[int | None, str], list[Span]]
"""By resource id (None: the borrower) and kind, the contracts among which there may be a gap."""


def _doubts(session: Session, query: Prepared, **facts: Any) -> Doubts:
    found: dict[tuple[int | None, str], list[Span]] = defaultdict(list)
    for resource_id, kind, *span in query.all(session, facts):
        found[resource_id, kind].append(Span(*span))
    return found


def days_of_loan(period: Period, tz: ZoneInfo) -> tuple[date, date]:
    """The first and the last local day of a loan: what comes back at midnight is not out on the day that begins."""
    return to_local(period.start, tz).date(), to_local(period.end - timedelta(seconds=1), tz).date()


def lapses_within(
    session: Session, things: Sequence[Thing], borrower_id: int | None, period: Period, tz: ZoneInfo
) -> list[Lapse]:
    """What is not insured or checked on some day of the loan, in one query; a kind never recorded is not asked for.

    With a borrower also the certificate that the things' rules ask of whoever is not their own house.
    """
    first, last = days_of_loan(period, tz)
    asking = asking_for_certificate(things, borrower_id)
    facts: dict[str, Any] = {"ids": [thing.id for thing in things], "first": first, "last": last}
    if borrower_id is None or not asking:
        doubts, asking = _doubts(session, _DOUBTS, **facts), []
    else:
        doubts = _doubts(session, _DOUBTS_AND_CERTIFICATES, **facts, borrower=borrower_id)
    return lapses_among(doubts, things, asking, first, last)


def asking_for_certificate(things: Iterable[Thing], borrower_id: int | None) -> list[Thing]:
    """Those whose rules ask whoever is not their own house for a certificate."""
    return [thing for thing in things if CERTIFICATE in thing.requires and thing.house_id != borrower_id]


def lapses_among(
    doubts: Doubts, things: Sequence[Thing], asking: Sequence[Thing], first: date, last: date
) -> list[Lapse]:
    """What contracts leave open on some of these days; `asking` are things that want the borrower's certificate."""
    by_id = {thing.id: thing for thing in things}
    lapses = [
        Lapse(thing.code, thing.name, thing.house_id, kind, found)
        for (resource_id, kind), spans in doubts.items()
        if resource_id is not None and (found := gap(spans, first, last)) and (thing := by_id[resource_id])
    ]
    lapses.sort(key=lambda lapse: (lapse.thing, lapse.gap.day, lapse.kind))
    missing = gap(doubts.get((None, LIABILITY), []), first, last) if asking else None
    if missing:
        lapses += [Lapse(thing.code, thing.name, thing.house_id, LIABILITY, missing) for thing in asking]
    return lapses


_CERTIFIED = select(func.max(_cover.ends_on)).where(
    _cover.holder_id == bindparam("borrower"),
    _cover.kind == LIABILITY,
    or_(_cover.starts_on.is_(None), _cover.starts_on <= bindparam("day")),
    _cover.ends_on >= bindparam("day"),
)


def certificate_until(session: Session, borrower_id: int, day: date) -> date | None:
    """The last day of the liability certificate that is good on a day; none when there is none."""
    until: date | None = session.scalar(_CERTIFIED, {"borrower": borrower_id, "day": day})
    return until


def first_lapses(session: Session, things: Sequence[Thing], period: Period, tz: ZoneInfo) -> dict[str, Lapse]:
    """What keeps each of many things from being lent over a period, by code; the first to lapse of each."""
    found: dict[str, Lapse] = {}
    for lapse in lapses_within(session, things, None, period, tz) if things else ():
        found.setdefault(lapse.thing, lapse)
    return found


def spans_in_doubt(session: Session, resource_id: int, period: Period, tz: ZoneInfo) -> list[list[Span]]:
    """The contracts of one thing, kind by kind, where none alone reaches over a period: to look for gaps in it."""
    return spans_by_thing(session, [resource_id], period, tz)[resource_id]


def spans_by_thing(
    session: Session, ids: Collection[int], period: Period, tz: ZoneInfo
) -> Mapping[int, list[list[Span]]]:
    """The same for many things, by resource id, in one query."""
    first, last = days_of_loan(period, tz)
    found: dict[int, list[list[Span]]] = {key: [] for key in ids}
    if found:
        for (key, _kind), spans in _doubts(session, _DOUBTS, ids=list(ids), first=first, last=last).items():
            if key is not None:
                found[key].append(spans)
    return found


@dataclass(frozen=True, slots=True)
class Mark:
    """The deadline to know of before one counts on a thing: which kind, its last good day, is it over."""

    kind: str
    day: date
    lapsed: bool


def marks(session: Session, today: date, ids: Collection[int] | None = None) -> dict[int, Mark]:
    """The marks of these things, or of all there are, by resource id; the earliest gap of each."""
    facts: dict[str, Any] = {"first": today, "last": today + timedelta(days=MARKED)}
    query = _ALL_DOUBTS
    if ids is not None:
        query, facts["ids"] = _DOUBTS, list(ids)
    found: dict[int, Mark] = {}
    for (resource_id, kind), spans in _doubts(session, query, **facts).items():
        hole = gap(spans, today, today + timedelta(days=MARKED))
        if hole and hole.span and resource_id is not None and not hole.begins_late:
            mark = Mark(kind, hole.span.ends_on, hole.day <= today)
            if resource_id not in found or mark.day < found[resource_id].day:
                found[resource_id] = mark
    return found


# -- the deadlines themselves -----------------------------------------------------------------------

_WHOLE = (
    select(Coverage)
    .join(Organisation, Organisation.id == Coverage.holder_id)
    .options(
        joinedload(Coverage.holder).joinedload(Organisation.house),
        joinedload(Coverage.responsible),
        joinedload(Coverage.silenced_by),
        selectinload(Coverage.things),
    )
)


def body_of(holder: Organisation) -> Role:
    """A holder as permissions want it."""
    house = holder.house.code if holder.house else ""
    since = holder.member_since
    return Role(holder.id, holder.code, holder.name, holder.kind, "", holder.house_id, house, since)


def scope(actor: Actor) -> ColumnElement[bool]:
    """Permissions' `see_coverage`, said in SQL."""
    if actor.admin:
        return true()
    own = and_(Organisation.kind != "house", Organisation.id.in_(actor.organisation_ids))
    return or_(Organisation.house_id.in_(actor.staff_ids), own)


def deadlines(
    session: Session,
    actor: Actor,
    *,
    house: str = "",
    before: date | None = None,
    past_too: bool = False,
    after: tuple[date | None, int] | None = None,
    limit: int | None = None,
) -> list[Coverage]:
    """The coverages the actor may see, first to end first; those whose end nobody knows come last.

    `house` keeps what a house and its structures hold, `before` what ends before a day; what has been renewed only if
    `past_too`; `after` is the end and id of the last one of the page before.
    """
    query = _WHOLE.where(scope(actor))
    if house:
        houses = select(Organisation.id).where(Organisation.code == house, Organisation.kind == "house")
        query = query.where(Organisation.house_id.in_(houses))
    if before is not None:
        query = query.where(Coverage.ends_on < before)
    if not past_too:
        query = query.where(Coverage.renewed_by_id.is_(None))
    if after is not None:
        day, last = after
        ahead = or_(Coverage.ends_on > day, Coverage.ends_on.is_(None)) if day else false()
        query = query.where(or_(ahead, and_(Coverage.ends_on == day, Coverage.id > last)))
    return list(session.scalars(query.order_by(Coverage.ends_on.is_(None), Coverage.ends_on, Coverage.id).limit(limit)))


def visible(session: Session, actor: Actor, coverage_id: int) -> Coverage:
    """One coverage; raises NotFound when there is none or it is not the actor's to see."""
    found = session.scalars(_WHOLE.where(Coverage.id == coverage_id)).one_or_none()
    if found is None or not may_body(actor, "see_coverage", body_of(found.holder)):
        raise NotFound
    return found


def editable(session: Session, actor: Actor, coverage_id: int) -> Coverage:
    """One coverage the actor may change; raises NotFound, NotAllowed."""
    found = visible(session, actor, coverage_id)
    require(may_body(actor, "edit_coverage", body_of(found.holder)))
    return found


def former(session: Session, coverage: Coverage) -> Coverage | None:
    """The one it follows, if any."""
    return session.scalars(_WHOLE.where(Coverage.renewed_by_id == coverage.id).limit(1)).one_or_none()


def holders(session: Session, actor: Actor) -> list[Organisation]:
    """Whose coverages the actor may keep: houses first, then by name."""
    query = select(Organisation).options(joinedload(Organisation.house))
    if not actor.admin:
        query = query.where(Organisation.house_id.in_(actor.staff_ids))
    found = session.scalars(query.order_by(Organisation.name)).all()
    return sorted(found, key=lambda body: (body.kind != "house", body.code != actor.house))


def series(coverages: Iterable[Coverage]) -> list[tuple[Coverage, list[Span]]]:
    """Each coverage that was not renewed, with the contracts of those it came after, itself included."""
    former: dict[int | None, list[Coverage]] = defaultdict(list)
    for coverage in coverages:
        former[coverage.renewed_by_id].append(coverage)
    found = []
    for head in former[None]:
        chain, left = [], [head]
        while left:
            chain.append(one := left.pop())
            left += former.get(one.id, [])
        spans = [Span(o.body, o.contract_number, o.starts_on, o.ends_on) for o in chain if o.ends_on is not None]
        found.append((head, spans))
    return found
