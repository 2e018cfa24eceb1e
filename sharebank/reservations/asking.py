"""What somebody asks for, and what the rules of lending want known of it: looked up only where they want it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, distinct, func, select
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Role
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.service import Thing
from sharebank.core.period import Period, first_instant, to_local
from sharebank.insurance import drivers as register
from sharebank.insurance.drivers import KnownDriver
from sharebank.insurance.papers import KnownPaper, papers_of
from sharebank.lending.calendar import french
from sharebank.lending.facts import Asked, Borrower, Driver, Paper
from sharebank.reservations.models import Reservation, ReservationLine


@dataclass(frozen=True, slots=True)
class Details:
    """What only some rules ask for; times are instants."""

    headcount: int | None = None
    distance_km: int | None = None
    drivers: tuple[str, ...] = ()
    """Names: of the borrower's register, or of somebody whose licence nobody has seen yet."""
    collect_at: datetime | None = None
    return_at: datetime | None = None
    options: tuple[str, ...] = ()
    accepts: tuple[str, ...] | None = None
    """What is promised, keys of `lending.kinds.UNDERTAKINGS`; None where nobody was asked, as programs are not."""
    letter: bool = False
    """A letter of the employer comes instead of the deposit."""


NO_DETAILS = Details()


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asks for: things by code with how many of each, for whom, when, why."""

    organisation: str
    purpose: str
    period: Period
    wants: Mapping[str, int]
    public: bool = False
    override: str = ""
    """Why a thing is lent in spite of a rule or of the end of its insurance, when its house's staff says so."""
    details: Details = NO_DETAILS


@dataclass(frozen=True, slots=True)
class Known:
    """The borrower, and what had to be looked up of them."""

    body: Role
    loans: Mapping[str, int] = field(default_factory=dict)
    """Loans in the calendar year of the wish, by rule set."""
    drivers: Mapping[str, KnownDriver] = field(default_factory=dict)
    """Those of the register, by name in small letters; empty when nobody was named."""
    papers: Sequence[KnownPaper] = ()
    """What they have shown; empty where no rule asks for a document."""


COUNTED = ("requested", "approved", "collected", "returned")
"""States of a loan that counts among those of its year."""
_loan, _line = Reservation.__table__.c, ReservationLine.__table__.c
_HISTORY = (
    select(RuleSet.name, func.count(distinct(_loan.id)))
    .join_from(Reservation.__table__, ReservationLine.__table__, _line.reservation_id == _loan.id)
    .join(Resource, Resource.id == _line.resource_id)
    .join(RuleSet, RuleSet.id == Resource.rule_set_id)
    .where(
        _loan.borrower_id == bindparam("borrower"),
        _loan.starts_at >= bindparam("since"),
        _loan.starts_at < bindparam("until"),
        _loan.kind == "loan",
        _loan.status.in_(COUNTED),
    )
    .group_by(RuleSet.name)
)


def look_up(
    session: Session, body: Role, things: Iterable[Thing], start: datetime, details: Details, tz: ZoneInfo
) -> Known:
    """What the rules of these things want known of the borrower: no query unless one of them does."""
    needs: set[str] = set()
    for thing in things:
        needs |= thing.terms.needs
    loans: Mapping[str, int] = {}
    known: Mapping[str, KnownDriver] = {}
    if "history" in needs:
        loans = history(session, body.organisation_id, start, tz)
    if "drivers" in needs and details.drivers:
        known = {one.name.casefold(): one for one in register.known(session, body.organisation_id)}
    papers = papers_of(session, body.organisation_id) if "papers" in needs else ()
    return Known(body, loans, known, papers)


def history(session: Session, body_id: int, start: datetime, tz: ZoneInfo) -> dict[str, int]:
    """How many loans a borrower has in the calendar year of an instant, by rule set."""
    year = to_local(start, tz).date().replace(month=1, day=1)
    bounds = {"since": first_instant(year, tz), "until": first_instant(year.replace(year=year.year + 1), tz)}
    rows = session.connection().execute(_HISTORY, {"borrower": body_id, **bounds})
    return {row[0]: row[1] for row in rows}


_PROMISED = (
    select(_loan.details)
    .where(_loan.borrower_id == bindparam("borrower"), _loan.starts_at >= bindparam("since"), _loan.kind == "loan")
    .order_by(_loan.starts_at.desc())
    .limit(200)
)
PROMISED_FOR = timedelta(days=365)
"""A promise made for one loan is not asked again for those of a year."""


def promised(session: Session, body_id: int, now: datetime) -> frozenset[str]:
    """What a borrower has promised already: keys of `lending.kinds.UNDERTAKINGS`."""
    rows = session.connection().execute(_PROMISED, {"borrower": body_id, "since": now - PROMISED_FOR})
    return frozenset(key for (details,) in rows for key in details.get("accepts", ()))


def asked(
    things: Collection[Thing],
    wants: Mapping[str, int],
    known: Known,
    period: Period,
    now: datetime,
    tz: ZoneInfo,
    purpose: str,
    details: Details,
) -> list[Asked]:
    """Each thing as the rules look at it, times on the wall."""
    start, end, at = to_local(period.start, tz), to_local(period.end, tz), to_local(now, tz)
    collect_at, return_at = (moment and to_local(moment, tz) for moment in (details.collect_at, details.return_at))
    drivers = tuple(_driver(name, known.drivers.get(name.casefold())) for name in details.drivers)
    papers = tuple(Paper(one.kind, one.valid_until) for one in known.papers)
    together: dict[str, int] = {}
    for thing in things:
        together[thing.rules] = together.get(thing.rules, 0) + wants[thing.code]
    body, borrowers = known.body, dict[tuple[int, str], Borrower]()
    found = []
    for thing in things:
        key = thing.house_id, thing.rules
        if key not in borrowers:
            own = thing.house_id in (body.house_id, body.organisation_id)
            borrowers[key] = Borrower(body.kind, own, body.member_since, known.loans.get(thing.rules, 0))
        found.append(
            Asked(
                thing=thing.name,
                thing_kind=thing.kind,
                rules=thing.rules,
                borrower=borrowers[key],
                start=start,
                end=end,
                asked_at=at,
                calendar=french(thing.school_zone),
                capacity=thing.capacity,
                seats=thing.seats,
                quantity=wants[thing.code],
                together=together[thing.rules],
                value_cents=thing.value_cents,
                deposit_cents=thing.deposit_cents,
                purpose=purpose,
                headcount=details.headcount,
                distance_km=details.distance_km,
                collect_at=collect_at,
                return_at=return_at,
                drivers=drivers,
                papers=papers,
                options=details.options,
            )
        )
    return found


def _driver(name: str, known: KnownDriver | None) -> Driver:
    if known is None:
        return Driver(name)
    return Driver(known.name, known.licence_class, known.licence_since, member=True)


def stored(details: Details, known: Known) -> dict[str, Any]:
    """What is kept of them with the reservation, as plain JSON values; what was not said is left out."""
    ids = {name: known.drivers[name.casefold()].id for name in details.drivers if name.casefold() in known.drivers}
    found: dict[str, Any] = {
        "distance_km": details.distance_km,
        "drivers": list(ids.values()),
        "named": [name for name in details.drivers if name not in ids],
        "collect_at": details.collect_at and details.collect_at.isoformat(),
        "return_at": details.return_at and details.return_at.isoformat(),
        "options": list(details.options),
        "accepts": list(details.accepts or ()),
        "letter": details.letter or None,
    }
    return {name: value for name, value in found.items() if value not in (None, [])}
