"""How each date of a series stands: few queries, whatever the number of dates."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_loan
from sharebank.catalog.service import Thing
from sharebank.core.errors import Refused
from sharebank.core.overrule import Overridable
from sharebank.core.period import Period
from sharebank.insurance.rules import Lapse, Span, gap, thing_refusal
from sharebank.insurance.service import days_of_loan, lapses_within, spans_by_thing
from sharebank.reservations.asking import NO_DETAILS, Details, look_up
from sharebank.reservations.availability import claims, open_for, shortage
from sharebank.reservations.gate import Weighed, weigh
from sharebank.reservations.models import Reservation, ReservationLine
from sharebank.reservations.rules import Claim, Conflict, InThePast, OutOfService, WayOut, broken
from sharebank.reservations.series.series_rules import holds


@dataclass(slots=True, eq=False)
class Date:
    """One date: wall times, instants, how it stands, and what could be had instead; equal to itself alone."""

    start: datetime
    end: datetime
    period: Period | None
    state: str = "free"
    holiday: str = ""
    bookable: bool = True
    why: Refused | None = None
    holders: tuple[str, ...] = ()
    """Who has it, where the reader may know."""
    conflicts: tuple[Conflict, ...] = ()
    ways_out: tuple[WayOut, ...] = ()
    holds: dict[int, Period] = field(default_factory=dict)
    """What it takes of each thing, by resource id."""
    agreed: bool = False
    """It stands already, and only its hours change: its insurance has been looked at."""
    weighed: tuple[Weighed, ...] = ()
    """What the rules of lending say of it: its price among them."""

    @property
    def key(self) -> str:
        """What a form calls it: its wall time."""
        return self.start.isoformat(timespec="minutes")[:16]

    @property
    def wall_hours(self) -> str:
        """From when to when on the wall, as people read it; also of an hour that does not exist."""
        return f"{self.start:%H:%M} – {self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Preview:
    """Every date of a series, and what its booking would be."""

    things: tuple[Thing, ...]
    borrower: Role
    dates: list[Date]
    own: bool
    """The actor is of the owner's staff: booked, not asked for."""

    @property
    def status(self) -> str:
        """What its reservations would be."""
        return "approved" if self.own else "requested"


class Taken:
    """The claims on one thing, sorted, so that a date looks at those near it alone."""

    def __init__(self, found: Iterable[Claim]) -> None:
        self.claims = sorted(found, key=attrgetter("period.start"))
        self.starts = [claim.period.start for claim in self.claims]
        self.reach = max((claim.period.length for claim in self.claims), default=timedelta(0))

    def near(self, hold: Period) -> list[Claim]:
        """What overlaps a hold."""
        first, last = bisect_left(self.starts, hold.start - self.reach), bisect_left(self.starts, hold.end)
        return [claim for claim in self.claims[first:last] if claim.period.end > hold.start]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rules of lending are told of every date alike."""

    purpose: str = ""
    details: Details = NO_DETAILS
    override: str = ""
    asked_at: datetime | None = None
    """When the series was asked for, if that is not now: notice and advance have been kept."""


def judge(
    session: Session,
    actor: Actor,
    found: Preview,
    wants: Mapping[str, int],
    now: datetime,
    tz: ZoneInfo,
    *,
    but: Collection[int] = (),
    rules: Rules = Rules(),
) -> None:
    """Say of each date how it stands; `but` leaves out reservations, which are about to move.

    Raises RuleBroken when the series as a whole comes too late or too early.
    """
    there = [(one, one.period) for one in found.dates if one.period]
    for one in found.dates:
        if one.period is None:
            one.state, one.bookable = "no_such_time", False
    if not there:
        return
    for thing in found.things:
        before, after = thing.limits.buffer_before_min, thing.limits.buffer_after_min
        for (one, _), hold in zip(there, holds([period for _, period in there], before, after), strict=True):
            one.holds[thing.id] = hold
    span = Period(
        min(hold.start for one, _ in there for hold in one.holds.values()),
        max(hold.end for one, _ in there for hold in one.holds.values()),
    )
    taken = {key: Taken(own) for key, own in claims(session, found.things, span, but=but).items()}
    nothing = Taken(())
    lapses = _Lapses(session, found, span, tz)
    lending = _Lending(session, found, wants, rules, there, now, tz)
    out = next((thing for thing in found.things if not thing.in_service), None)
    for one, period in there:
        one.conflicts = tuple(
            conflict
            for thing in found.things
            if (conflict := _short(thing, taken.get(thing.id, nothing), wants[thing.code], one.holds[thing.id]))
        )
        one.why = (
            OutOfService("lines", thing=out.name)
            if out
            else InThePast("starts_at")
            if period.start < now
            else lending.refusal(one, period) or (None if one.agreed else lapses.refusal(period))
        )
        overruled = isinstance(one.why, Overridable) and found.own and bool(rules.override.strip())
        one.bookable = not one.conflicts and (one.why is None or overruled)
        if one.holiday:
            one.state = "holiday"
        elif one.conflicts:
            one.state = "conflict"
        elif one.why and not overruled:
            one.state = "closed"
        elif any(not open_for(thing, period, tz) for thing in found.things):
            one.state = "outside_hours"
    _name_holders(session, actor, found, span)


def _short(thing: Thing, taken: Taken, wanted: int, hold: Period) -> Conflict | None:
    near = taken.near(hold)
    return shortage(thing, near, wanted, hold) if near or wanted > thing.quantity else None


class _Lending:
    """What the rules of lending say of each date; what is known of the borrower is looked up once."""

    def __init__(
        self,
        session: Session,
        found: Preview,
        wants: Mapping[str, int],
        rules: Rules,
        there: Sequence[tuple[Date, Period]],
        now: datetime,
        tz: ZoneInfo,
    ) -> None:
        self.found, self.wants, self.rules, self.now, self.tz = found, wants, rules, now, tz
        first = next((period for _, period in there if period.start >= now), there[0][1])
        self.first = None if rules.asked_at else first
        self.known = look_up(session, found.borrower, found.things, first.start, rules.details, tz)
        self.own = {found.things[0].house_id: found.own}

    def refusal(self, one: Date, period: Period) -> Refused | None:
        """The first rule a date does not keep; raises it when it speaks of when the whole series is asked for."""
        given, rules = self.found, self.rules
        weighed = weigh(
            given.things, self.wants, self.known, self.own, period, self.now, self.tz, rules.purpose, rules.details
        )
        one.weighed = tuple(weighed)
        for each in weighed:
            breaches = [breach for breach in each.found if period is self.first or breach.kind not in AHEAD]
            refusal = broken(each.thing.code, breaches, overridable=given.own)
            if refusal is not None:
                whole = period is self.first and refusal.breaches[0].kind in AHEAD
                if whole and not (given.own and rules.override.strip()):
                    raise refusal
                return refusal
        return None


AHEAD = ("notice", "advance")
"""Rules about when it is asked for."""


class _Lapses:
    """What ends too early for some date: looked up once a contract, not once a date."""

    def __init__(self, session: Session, found: Preview, span: Period, tz: ZoneInfo) -> None:
        self.session, self.found, self.tz = session, found, tz
        by_thing = spans_by_thing(session, [thing.id for thing in found.things], span, tz)
        self.doubts = [spans for doubts in by_thing.values() for spans in doubts]
        self.known: dict[Span | None, Lapse | None] = {}

    def refusal(self, period: Period) -> Refused | None:
        """The first lapse on the days of a date, if any."""
        for spans in self.doubts:
            hole = gap(spans, *days_of_loan(period, self.tz))
            if hole is None:
                continue
            if hole.span not in self.known:
                lapses = lapses_within(self.session, self.found.things, None, period, self.tz)
                self.known[hole.span] = lapses[0] if lapses else None
            if lapse := self.known[hole.span]:
                return thing_refusal(lapse, overridable=self.found.own)
        return None


_HOLDERS = (
    select(
        ReservationLine.resource_id,
        ReservationLine.starts_at,
        ReservationLine.ends_at,
        Reservation.kind,
        Reservation.purpose,
        Reservation.public,
        Reservation.lender_id,
        Reservation.borrower_id,
        Reservation.user_id,
    )
    .join(Reservation, Reservation.id == ReservationLine.reservation_id)
    .where(
        ReservationLine.resource_id.in_(bindparam("ids", expanding=True)),
        ReservationLine.starts_at < bindparam("until"),
        ReservationLine.starts_at > bindparam("look_back"),
        ReservationLine.ends_at > bindparam("since"),
        ReservationLine.holds,
    )
    .order_by(ReservationLine.starts_at)
)


def _name_holders(session: Session, actor: Actor, found: Preview, span: Period) -> None:
    """Who is in the way of the dates that cannot be had, where the actor may know; a closure makes them closed."""
    barred = [one for one in found.dates if one.conflicts]
    if not barred:
        return
    reach = timedelta(seconds=max(thing.longest_hold for thing in found.things) + 1)
    ids = {thing.id for thing in found.things}
    facts = {"ids": list(ids), "until": span.end, "since": span.start, "look_back": span.start - reach}
    by_thing: dict[int, list[Any]] = defaultdict(list)
    for row in session.connection().execute(_HOLDERS, facts):
        by_thing[row.resource_id].append(row)
    starts = {key: [row.starts_at for row in rows] for key, rows in by_thing.items()}
    for one in barred:
        names: dict[str, None] = {}
        for thing in found.things:
            hold = one.holds[thing.id]
            until = bisect_left(starts.get(thing.id, []), hold.end)
            since = bisect_left(starts.get(thing.id, []), hold.start - reach)
            for row in by_thing[thing.id][since:until]:
                if row.ends_at > hold.start and any(thing.code == conflict.resource for conflict in one.conflicts):
                    if row.kind == "closure" and not one.holiday:
                        one.state = "closed"
                    if row.public or may_loan(actor, "see", row):
                        names[row.purpose] = None
        one.holders = tuple(names)
