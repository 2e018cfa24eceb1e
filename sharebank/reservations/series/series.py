"""A series before it is booked: what is asked for, and every date of it with its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, Refused
from sharebank.lending.calendar import french
from sharebank.reservations.asking import NO_DETAILS, Details
from sharebank.reservations.booking import borrower_of, things_of
from sharebank.reservations.rules import NothingChosen
from sharebank.reservations.series.series_advice import advise
from sharebank.reservations.series.series_judging import Date, Preview, Rules, judge
from sharebank.reservations.series.series_rules import Plan, expand

DEFAULT_ZONE = "A"


class OneHouse(Refused):
    """The house decides on a series as a whole: of two houses each has its own."""

    code = "one_house"
    sentence = N_("A series asks one house only. Make one series for each house.")


@dataclass(frozen=True, slots=True)
class SeriesAsk:
    """What somebody asks for again and again: things by code with how many of each, for whom, why, when."""

    organisation: str
    purpose: str
    wants: Mapping[str, int]
    plan: Plan
    public: bool = False
    override: str = ""
    """Why a thing is lent in spite of a rule or of the end of its insurance, when its house's staff says so."""
    details: Details = NO_DETAILS


def preview(session: Session, actor: Actor, ask: SeriesAsk, now: datetime, tz: ZoneInfo) -> Preview:
    """How every date stands at this moment, with ways out of those that cannot be had; raises Refused."""
    things, borrower = asked(session, actor, ask)
    found = look(session, actor, ask, things, borrower, now, tz)
    advise(session, found, ask.wants, now, tz)
    return found


def asked(session: Session, actor: Actor, ask: SeriesAsk) -> tuple[list[Thing], Role]:
    """The things and the borrower an ask names; raises Refused."""
    if not ask.wants:
        raise NothingChosen("lines")
    things = things_of(catalog.things_by_code(session, ask.wants), ask.wants)
    if len({thing.house_id for thing in things}) > 1:
        raise OneHouse("lines")
    return things, borrower_of(session, actor, ask.organisation)


def look(
    session: Session,
    actor: Actor,
    ask: SeriesAsk,
    things: Sequence[Thing],
    borrower: Role,
    now: datetime,
    tz: ZoneInfo,
) -> Preview:
    """Every date with its state, in few queries whatever their number; under the lock, what the booking goes by.

    Notice and advance are asked of the first date to come: the series is asked for as a whole. Raises RuleBroken.
    """
    dates = [
        Date(one.start, one.end, one.period, holiday=one.holiday)
        for one in expand(ask.plan, tz, french(things[0].school_zone or DEFAULT_ZONE))
    ]
    found = Preview(tuple(things), borrower, dates, may_house(actor, "book_at_once", things[0].house_id))
    judge(session, actor, found, ask.wants, now, tz, rules=Rules(ask.purpose, ask.details, ask.override))
    return found
