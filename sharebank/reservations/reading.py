"""Reservations as somebody may read them: scoped, a page at a time, in three queries whatever their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, false, func, or_, select, true, union
from sqlalchemy.orm import Session, aliased

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation, User
from sharebank.accounts.permissions import may_loan
from sharebank.catalog.models import Resource
from sharebank.core.errors import NotFound
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine


@dataclass(slots=True)
class LineRow:
    """So many units of one thing."""

    resource: str
    thing: str
    quantity: int


@dataclass(slots=True)
class EventRow:
    """A change of state: when, by whom (nobody when the clock did it), to what, why."""

    at: datetime
    by: str | None
    to: str
    why: str


@dataclass(slots=True)
class LoanRow:
    """A whole reservation on plain values; permissions may be asked about it as about the stored one."""

    id: int
    ref: str
    kind: str
    request: str
    status: str
    purpose: str
    public: bool
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    lender_id: int
    lender: str
    lender_name: str
    borrower_id: int
    borrower: str
    borrower_name: str
    user_id: int
    asked_by: str
    headcount: int | None
    details: dict[str, Any]
    quote: dict[str, Any] | None
    lapses_at: datetime | None
    offered: bool
    approved_once_by_id: int | None
    signed_at: datetime | None
    series_id: int | None
    lines: tuple[LineRow, ...] = ()
    events: tuple[EventRow, ...] = ()

    @property
    def place(self) -> tuple[datetime, int]:
        """Where it stands in a list; the next page begins after it."""
        return self.starts_at, self.id


_loan = Reservation.__table__.c
_line = ReservationLine.__table__.c
_event = ReservationEvent.__table__.c
_Borrower = aliased(Organisation)
_NAME = User.first_name + " " + User.last_name

_LOANS = (
    select(
        _loan.id,
        _loan.ref,
        _loan.kind,
        _loan.request,
        _loan.status,
        _loan.purpose,
        _loan.public,
        _loan.starts_at,
        _loan.ends_at,
        _loan.created_at,
        _loan.lender_id,
        Organisation.code,
        Organisation.name,
        _loan.borrower_id,
        _Borrower.code,
        _Borrower.name,
        _loan.user_id,
        _NAME,
        _loan.headcount,
        _loan.details,
        _loan.quote,
        _loan.lapses_at,
        _loan.offered,
        _loan.approved_once_by_id,
        _loan.signed_at,
        _loan.series_id,
    )
    .join_from(Reservation.__table__, Organisation, Organisation.id == _loan.lender_id)
    .join(_Borrower, _Borrower.id == _loan.borrower_id)
    .join(User, User.id == _loan.user_id)
    .order_by(_loan.starts_at, _loan.id)
)
_BY_ID = _LOANS.where(_loan.id.in_(bindparam("ids", expanding=True)))
_BY_REF = _LOANS.where(_loan.ref == bindparam("ref"))
_LINES = (
    select(_line.reservation_id, Resource.code, Resource.name, _line.quantity)
    .join_from(ReservationLine.__table__, Resource, Resource.id == _line.resource_id)
    .where(_line.reservation_id.in_(bindparam("ids", expanding=True)))
    .order_by(_line.id)
)
_EVENTS = (
    select(_event.reservation_id, _event.at, _NAME, _event.status, _event.why)
    .outerjoin_from(ReservationEvent.__table__, User, User.id == _event.user_id)
    .where(_event.reservation_id.in_(bindparam("ids", expanding=True)))
    .order_by(_event.id)
)
_HOUSE_IDS = select(Organisation.id).where(Organisation.kind == "house")
_LONGEST = select(func.max(Resource.longest_hold))


def visible_loans(
    session: Session,
    actor: Actor,
    *,
    resource: str | None = None,
    organisation: str | None = None,
    status: str | Sequence[str] | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int = 50,
    mine: bool = False,
    houses: bool = False,
) -> list[LoanRow]:
    """The reservations the actor may see, earliest first: those of permissions' `see`, said in SQL.

    `resource` and `organisation` (the borrower) are codes; `since` and `until` bound the time they touch; `mine`
    keeps what the actor or their organisations asked for, `houses` what their houses lend; `kind` is `loan` or
    `closure`; `after` is the `place` of the last one of the page before.
    """
    scope = _scope(session, actor, mine=mine, houses=houses)
    wanted = _filters(session, status, kind, since, until, after)
    anchors = scope
    if resource is not None:
        lines = select(_line.reservation_id).join_from(ReservationLine.__table__, Resource)
        anchors = [_loan.id.in_(lines.where(Resource.code == resource))]
    if organisation is not None:
        anchors = [_loan.borrower_id == _id_of(organisation), *(anchors if resource is not None else ())]
    if anchors is not scope:
        # A filter that is narrower than the scope leads, the scope follows.
        wanted = [*wanted, *anchors, or_(false(), *scope)]
        anchors = [true()]
    # One branch an index: of an OR over three columns a database would sort all there is.
    branches = [_page(anchor, wanted, limit) for anchor in anchors]
    if not branches:
        return []
    found = union(*(select(branch) for branch in branches)).subquery()
    ids = list(session.scalars(select(found.c.id).order_by(found.c.starts_at, found.c.id).limit(limit)))
    return _whole(session, session.connection().execute(_BY_ID, {"ids": ids}).all()) if ids else []


def loan_of_ref(session: Session, actor: Actor, ref: str) -> LoanRow:
    """One reservation; raises NotFound when there is none or it is not the actor's to see."""
    found = _whole(session, session.connection().execute(_BY_REF, {"ref": ref}).all())
    if not found or not may_loan(actor, "see", found[0]):
        raise NotFound
    return found[0]


def loans_of_ids(session: Session, ids: Sequence[int]) -> list[LoanRow]:
    """These reservations, earliest first; who may see them was asked before."""
    return _whole(session, session.connection().execute(_BY_ID, {"ids": ids}).all()) if ids else []


def loans_together(session: Session, actor: Actor, loan: LoanRow) -> list[LoanRow]:
    """The other reservations asked for in the same go, as far as the actor may see them."""
    together = or_(_loan.ref == loan.request, and_(_loan.request == loan.request, _loan.request != _loan.ref))
    ids = list(session.scalars(select(_loan.id).where(together, _loan.id != loan.id)))
    rows = session.connection().execute(_BY_ID, {"ids": ids}).all() if ids else []
    return [other for other in _whole(session, rows) if may_loan(actor, "see", other)]


def _scope(session: Session, actor: Actor, *, mine: bool, houses: bool) -> list[ColumnElement[bool]]:
    """One condition for each reason to see a reservation; only houses lend, so an administrator sees all theirs."""
    lends = sorted(session.scalars(_HOUSE_IDS) if actor.admin else actor.staff_ids)
    borrows = [_loan.user_id == actor.user_id]
    borrows += [_loan.borrower_id == body for body in sorted(actor.organisation_ids)]
    return [*([] if mine else [_loan.lender_id == house for house in lends]), *([] if houses else borrows)]


def _filters(
    session: Session,
    status: str | Sequence[str] | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    after: tuple[datetime, int] | None,
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if status is not None:
        found.append(_loan.status.in_([status] if isinstance(status, str) else status))
    if kind is not None:
        found.append(_loan.kind == kind)
    if until is not None:
        found.append(_loan.starts_at < until)
    if since is not None:
        # No reservation is longer than the longest of its lines: a bounded start spares the index all of history.
        longest = session.scalar(_LONGEST) or 0
        found += [_loan.ends_at > since, _loan.starts_at > since - timedelta(seconds=longest + 1)]
    if after is not None:
        at, last = after
        found += [_loan.starts_at >= at, or_(_loan.starts_at > at, and_(_loan.starts_at == at, _loan.id > last))]
    return found


def _id_of(code: str) -> Any:
    return select(Organisation.id).where(Organisation.code == code).scalar_subquery()


def _page(anchor: ColumnElement[bool], wanted: Sequence[ColumnElement[bool]], limit: int) -> Any:
    page: Select[Any] = select(_loan.id, _loan.starts_at).where(anchor, *wanted)
    return page.order_by(_loan.starts_at, _loan.id).limit(limit).subquery()


def _whole(session: Session, rows: Sequence[Any]) -> list[LoanRow]:
    """Rows with their lines and events: one query for all the lines, one for all the events."""
    loans = [LoanRow(*row) for row in rows]
    ids = {"ids": [loan.id for loan in loans]}
    if not loans:
        return []
    connection = session.connection()
    lines: dict[int, list[LineRow]] = defaultdict(list)
    events: dict[int, list[EventRow]] = defaultdict(list)
    for owner, *line in connection.execute(_LINES, ids):
        lines[owner].append(LineRow(*line))
    for owner, *event in connection.execute(_EVENTS, ids):
        events[owner].append(EventRow(*event))
    for loan in loans:
        loan.lines, loan.events = tuple(lines[loan.id]), tuple(events[loan.id])
    return loans
