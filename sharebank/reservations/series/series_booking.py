"""Booking a series: the dates chosen in one go, all or none; the others stay with it and can be tried again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_house, may_loan, require
from sharebank.catalog import service as catalog
from sharebank.core.errors import N_, Refused
from sharebank.core.period import to_local
from sharebank.reservations import gate
from sharebank.reservations.asking import Ask, look_up, stored
from sharebank.reservations.booking import new_ref
from sharebank.reservations.deciding.judging import details_of
from sharebank.reservations.models import Series
from sharebank.reservations.rules import Collision
from sharebank.reservations.series.series import SeriesAsk, asked, look
from sharebank.reservations.series.series_judging import Date, Preview, Rules, judge
from sharebank.reservations.series.series_letters import tell_booked
from sharebank.reservations.series.series_reading import locked_series
from sharebank.reservations.series.series_rows import Terms, keep, store
from sharebank.reservations.series.series_rules import dates_of


class UnknownDates(Refused):
    """Dates were chosen that the rule does not give."""

    code = "unknown_dates"
    sentence = N_("The rule gives no date on %(days)s. Look at the dates again, then choose.")


class NothingToBook(Refused):
    """A series without one date that can be had."""

    status = 409
    code = "nothing_to_book"
    sentence = N_("None of these dates can be had. Nothing was booked.")


@dataclass(frozen=True, slots=True)
class Made:
    """A series just booked: its reference, and each date as it was judged, with its reservation's reference."""

    ref: str
    status: str
    preview: Preview
    refs: Mapping[str, str]
    """By the date's key."""


def book(
    session: Session, actor: Actor, ask: SeriesAsk, chosen: Collection[str] | None, now: datetime, tz: ZoneInfo
) -> Made:
    """Book the dates chosen (by their keys), or all that can be had without holidays when none are named.

    What is named is booked whole or not at all: a Collision says which dates are gone. Raises Refused.
    """
    things, borrower = asked(session, actor, ask)
    things = catalog.lock_calendars(session, things)
    found = look(session, actor, ask, things, borrower, now, tz)
    if chosen is None:
        taken = [one for one in found.dates if one.bookable and one.state in ("free", "outside_hours")]
    else:
        taken = pick(found.dates, chosen)
    if not taken:
        raise NothingToBook
    terms = terms_of(session, actor, ask, found, taken, now, tz)
    for one in set(found.dates).difference(taken):
        if one.bookable and one.state != "holiday":
            one.state = "skipped"
    series = Series(
        ref="S" + new_ref(now, tz)[1:],
        purpose=ask.purpose,
        lender_id=things[0].house_id,
        borrower_id=borrower.organisation_id,
        user_id=actor.user_id,
        wants=dict(ask.wants),
        rule=ask.plan.rule.text,
        zone=str(tz),
        first_start=f"{ask.plan.first:%Y-%m-%dT%H:%M}",
        first_end=f"{ask.plan.last:%Y-%m-%dT%H:%M}",
        until=ask.plan.until,
        skip=ask.plan.skip,
        status="active",
        created_at=now,
        public=ask.public,
        headcount=ask.details.headcount,
        details=dict(terms.details),
    )
    session.add(series)
    session.flush()
    refs = store(session, series, taken, found.things, terms, now, tz)
    keep(session, series, found.dates, refs)
    tell_booked(session, actor, series, terms.status, taken, now)
    return Made(series.ref, terms.status, found, {key: ref for key, (_, ref) in refs.items()})


def pick(dates: Sequence[Date], chosen: Collection[str]) -> list[Date]:
    """The dates of these keys; raises UnknownDates, or a Collision with every one that cannot be had."""
    keys = set(chosen)
    unknown = sorted(keys.difference(one.key for one in dates))
    if unknown:
        raise UnknownDates("chosen", days=", ".join(key[:10] for key in unknown[:5]))
    taken = [one for one in dates if one.key in keys]
    refuse_barred(taken)
    return taken


def refuse_barred(taken: Sequence[Date]) -> None:
    """All or none: raise a Collision with what stands in the way of each date, or its own reason."""
    conflicts = [conflict for one in taken for conflict in one.conflicts]
    if conflicts:
        raise Collision(conflicts)
    for one in taken:
        if not one.bookable:
            raise one.why or NothingToBook()


def terms_of(
    session: Session,
    actor: Actor,
    ask: SeriesAsk,
    found: Preview,
    taken: Sequence[Date],
    now: datetime,
    tz: ZoneInfo,
) -> Terms:
    """What the house's rules make of the series, by its first date; papers of later ones are seen at each hand-over.

    Whoever is not of the house asks for a series, whatever its rules grant at once: the house sees the whole of it.
    Raises RuleBroken, NotPromised, InsuranceLapses, CertificateMissing.
    """
    first = next(one.period for one in taken if one.period)
    single = Ask(ask.organisation, ask.purpose, first, ask.wants, ask.public, ask.override, ask.details)
    known = look_up(session, found.borrower, found.things, first.start, ask.details, tz)
    house_id = found.things[0].house_id
    own = {house_id: found.own}
    said = gate.judge(session, found.things, own, found.borrower, single, known, now, tz)[house_id]
    overruled = ask.override.strip() if any(one.why for one in taken) else ""
    status = said.status if found.own else "requested"
    first_id = actor.user_id if said.first_approval else None
    return Terms(status, actor.user_id, said.why or overruled, first_id, stored(ask.details, known))


# -- trying again ----------------------------------------------------------------------------------


def retry(
    session: Session, actor: Actor, ref: str, chosen: Collection[int], now: datetime, tz: ZoneInfo, override: str = ""
) -> list[str]:
    """Book dates of a series that were left out, all or none; returns their references.

    Raises NotFound, NotAllowed, Collision and what keeps a date from being had.
    """
    series = locked_series(session, actor, ref)
    require(may_loan(actor, "cancel", series))
    things = catalog.lock_calendars(session, catalog.things_by_code(session, series.wants).values())
    keys = set(chosen)
    rows = [row for row in series.dates if row.id in keys and row.state not in ("booked", "no_such_time")]
    if not rows:
        raise NothingToBook
    walls = [(to_local(row.starts_at, tz), to_local(row.ends_at, tz)) for row in rows]
    dates = [Date(one.start, one.end, one.period) for one in dates_of(walls, tz)]
    borrower = directory.organisation(session, series.borrower.code)
    assert borrower is not None
    own = may_house(actor, "book_at_once", series.lender_id)
    found = Preview(tuple(things), borrower, dates, own)
    rules = Rules(series.purpose, details_of(session, series), override, asked_at=series.created_at)
    judge(session, actor, found, series.wants, now, tz, rules=rules)
    refuse_barred(dates)
    overruled = override.strip() if any(one.why for one in dates) else ""
    terms = Terms("approved" if own else "requested", actor.user_id, overruled)
    made = store(session, series, dates, things, terms, now, tz)
    for row, one in zip(rows, dates, strict=True):
        row.state, row.reservation_id = "booked", made[one.key][0]
    series.status = "active"
    session.flush()
    tell_booked(session, actor, series, terms.status, dates, now)
    return [ref for _, ref in made.values()]
