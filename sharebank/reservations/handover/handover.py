"""Handing over and taking back: what changed hands is written down, in the transaction that moves the loan on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource
from sharebank.catalog.photos import Picture
from sharebank.core.errors import NotFound
from sharebank.insurance import drivers as register
from sharebank.lending.terms import read_terms
from sharebank.notifications.service import post
from sharebank.reservations import lifecycle
from sharebank.reservations.handover.handover_items import sort
from sharebank.reservations.handover.handover_models import Handover, HandoverLine
from sharebank.reservations.handover.handover_photos import keep_photos
from sharebank.reservations.handover.handover_rules import (
    Found,
    NothingHandedOver,
    check_collect,
    check_return,
    still_out,
    summed,
)
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.reading import LoanRow, loan_of_ref
from sharebank.reservations.states import WrongState

SAID = ("quantity", "missing", "broken", "dirty", "note", "out", "out_until", "gone")
ACTS = {"approved": "collect", "collected": "return"}
"""What comes next in a state."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """What was typed at the counter: both names as signatures, and what was found by the code of each thing.

    A thing that nothing was said about changes hands whole.
    """

    borrower_name: str
    staff_name: str
    notes: str = ""
    lines: Mapping[str, Found] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One thing on the page of a hand-over."""

    resource_id: int
    code: str
    name: str
    kind: str
    """A key of `handover_items.ITEMS`."""
    quantity: int
    """Booked, or still out."""
    back: bool
    before: Mapping[str, Any]
    """What was written down when it went out."""
    pool: bool
    pieces: tuple[str, ...] = ()
    """Those that its rules price by name."""
    drivers: tuple[str, ...] = ()
    """Who was named to drive it, where it is about to leave."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A loan as the counter sees it; `act` is what comes next, if the actor may do it."""

    loan: LoanRow
    act: str | None
    lines: tuple[SheetLine, ...]
    meetings: tuple[Handover, ...]

    @property
    def to_fill(self) -> tuple[SheetLine, ...]:
        """What may change hands now."""
        return tuple(line for line in self.lines if not line.back)


def sheet(session: Session, actor: Actor, ref: str) -> Sheet:
    """One loan with what was written down so far; raises NotFound."""
    loan = loan_of_ref(session, actor, ref)
    if loan.kind != "loan":
        raise NotFound
    act = ACTS.get(loan.status)
    done = meetings(session, loan.id)
    before = went_out(done)
    drivers = _drivers(session, loan) if act == "collect" else ()
    query = select(ReservationLine).where(ReservationLine.reservation_id == loan.id).order_by(ReservationLine.id)
    lines = [
        SheetLine(
            line.resource_id,
            line.resource.code,
            line.resource.name,
            sort(line.resource.kind, line.resource.plate),
            line.quantity,
            line.back,
            before[line.resource_id].facts if line.resource_id in before else {},
            is_pool(line.resource),
            named_pieces(line.resource),
            drivers if line.resource.kind == "vehicle" and line.resource.plate else (),
        )
        for line in session.scalars(query.options(joinedload(ReservationLine.resource).joinedload(Resource.rule_set)))
    ]
    return Sheet(loan, act if act and may_loan(actor, act, loan) else None, tuple(lines), done)


def _drivers(session: Session, loan: LoanRow) -> tuple[str, ...]:
    """Whom the loan names to drive: those of the register first."""
    ids = loan.details.get("drivers", ())
    seen = [one.name for one in register.known(session, loan.borrower_id) if one.id in ids] if ids else []
    return tuple(dict.fromkeys([*seen, *loan.details.get("named", ())]))


def named_pieces(thing: Resource) -> tuple[str, ...]:
    """The pieces that the rules of a thing price by name."""
    rule = read_terms(thing.rule_set.name, thing.rule_set.terms).get("charges") or {}
    return tuple(row["name"] for row in rule.get("pieces", ()))


def is_pool(thing: Resource) -> bool:
    """Are there several, one like the other? Of one thing, or of things priced by the piece, pieces are counted."""
    return thing.kind == "equipment" and thing.quantity > 1 and not named_pieces(thing)


def meetings(session: Session, loan_id: int) -> tuple[Handover, ...]:
    """Every hand-over of a loan with its lines and photos, oldest first."""
    query = select(Handover).where(Handover.reservation_id == loan_id).order_by(Handover.at, Handover.id)
    whole = selectinload(Handover.lines).joinedload(HandoverLine.resource)
    return tuple(session.scalars(query.options(whole, selectinload(Handover.photos))))


def went_out(done: Sequence[Handover]) -> dict[int, HandoverLine]:
    """What was collected, by resource; empty when nothing was written down."""
    return {line.resource_id: line for meeting in done if meeting.kind == "collect" for line in meeting.lines}


def came_back(done: Sequence[Handover]) -> dict[int, Found]:
    """What has come back so far, in one go or several, by resource."""
    parts: dict[int, list[Found]] = {}
    for meeting in done:
        for line in meeting.lines if meeting.kind == "return" else ():
            parts.setdefault(line.resource_id, []).append(_as_found(line))
    return {resource_id: summed(found) for resource_id, found in parts.items()}


def _as_found(line: HandoverLine) -> Found:
    return Found(line.quantity, line.missing, line.broken, line.dirty, line.note, line.facts)


# -- the two acts -------------------------------------------------------------------------------------


def collect(
    session: Session,
    actor: Actor,
    ref: str,
    meeting: Meeting,
    pictures: Sequence[Picture],
    now: datetime,
    tz: ZoneInfo,
    override: str = "",
) -> Handover:
    """Hand things over; what stays behind is free for others. Raises what lifecycle.change does, MoreThanBooked."""
    loan = _held(session, actor, ref, "collect")
    found = {line: _found(meeting, line) for line in loan.lines}
    for line, one in found.items():
        check_collect(line.resource.name, line.resource.code, line.quantity, one)
    if not any(one.quantity for one in found.values()):
        raise NothingHandedOver("borrower_name")
    record = _write(session, actor, loan, "collect", meeting, found, pictures, now)
    _hold_only(session, {line: one.quantity for line, one in found.items()})
    lifecycle.change(session, actor, ref, "collect", "", now, tz, override)
    return record


def take_back(
    session: Session, actor: Actor, ref: str, meeting: Meeting, pictures: Sequence[Picture], now: datetime, tz: ZoneInfo
) -> Handover:
    """Take things back, all or some: what came back is free for others at once, the rest stays out.

    The loan ends when nothing is out any more. Raises what lifecycle.change does, and what check_return does.
    """
    loan = _held(session, actor, ref, "return")
    before = went_out(meetings(session, loan.id))
    found = {line: _found(meeting, line) for line in loan.lines if not line.back}
    for line, one in found.items():
        went = _as_found(before[line.resource_id]) if line.resource_id in before else Found(line.quantity)
        thing = line.resource
        check_return(thing.name, thing.code, line.quantity, went, one, pool=is_pool(thing))
    if not any(one.quantity or one.missing for one in found.values()):
        raise NothingHandedOver("borrower_name")
    record = _write(session, actor, loan, "return", meeting, found, pictures, now)
    rest = {line: still_out(line.quantity, one) for line, one in found.items()}
    if any(rest.values()):
        if not before:
            _remember(session, loan)
        _hold_only(session, rest)
        _tell_of_part(session, actor, loan, found, rest, record, now)
    else:
        lifecycle.change(session, actor, ref, "return", "", now, tz)
    return record


def _held(session: Session, actor: Actor, ref: str, act: str) -> Reservation:
    """The loan under its lock, in the state the act begins from; raises NotFound, NotAllowed, WrongState."""
    loan = lifecycle.held(session, actor, ref, act)
    if loan.kind != "loan":
        raise NotFound
    if ACTS.get(loan.status) != act:
        raise WrongState(state=loan.status)
    return loan


def _found(meeting: Meeting, line: ReservationLine) -> Found:
    return meeting.lines.get(line.resource.code, Found(line.quantity))


def _write(
    session: Session,
    actor: Actor,
    loan: Reservation,
    kind: str,
    meeting: Meeting,
    found: Mapping[ReservationLine, Found],
    pictures: Sequence[Picture],
    now: datetime,
) -> Handover:
    record = Handover(reservation_id=loan.id, kind=kind, at=now, user_id=actor.user_id, notes=meeting.notes)
    record.staff_name, record.borrower_name = meeting.staff_name, meeting.borrower_name
    for line, one in found.items():
        said = {name: getattr(one, name) for name in SAID}
        kept = {name: value for name, value in (one.facts or {}).items() if value not in (None, "")}
        record.lines.append(HandoverLine(resource_id=line.resource_id, facts=kept, **said))
    keep_photos(record, pictures, now)
    session.add(record)
    session.flush()
    return record


def _remember(session: Session, loan: Reservation) -> None:
    """Of what went out without a record, write down how much it was: the lines are about to say less."""
    at = next((event.at for event in reversed(loan.events) if event.status == "collected"), loan.starts_at)
    record = Handover(reservation_id=loan.id, kind="collect", at=at, staff_name="", borrower_name="")
    record.lines = [HandoverLine(resource_id=line.resource_id, quantity=line.quantity) for line in loan.lines]
    session.add(record)
    session.flush()


def _hold_only(session: Session, units: Mapping[ReservationLine, int]) -> None:
    """Let each line hold so many units and no more; none: it is back."""
    things = catalog.things_by_id(session, [line.resource_id for line in units])
    catalog.lock_calendars(session, things.values())  # in the order bookings take them
    for line, number in units.items():
        line.back = number == 0
        line.quantity = number or line.quantity
    session.flush()


def _tell_of_part(
    session: Session,
    actor: Actor,
    loan: Reservation,
    found: Mapping[ReservationLine, Found],
    rest: Mapping[ReservationLine, int],
    record: Handover,
    now: datetime,
) -> None:
    """Whoever asked reads what came back and what did not yet."""
    reader = directory.reader(loan.user)
    if reader.user_id == actor.user_id:
        return
    facts = lifecycle.facts_of(loan) | {
        "came": [[line.resource.name, one.quantity] for line, one in found.items() if one.quantity],
        "things": [[line.resource.name, number] for line, number in rest.items() if number],
    }
    post(session, f"{lifecycle.about(loan)}part:{record.id}", "handover_part", [reader], facts, now)


# -- after the last of it is back ---------------------------------------------------------------------


def whole_again(session: Session, loan: Reservation) -> None:
    """Let the lines of a loan that has ended say what it was: they hold nothing any more, so nothing can collide."""
    out = went_out(meetings(session, loan.id))
    for line in loan.lines:
        if line.resource_id in out:
            line.quantity = out[line.resource_id].quantity or line.quantity
    session.flush()
