"""What the rules of lending say about a loan that stands: kept or not, what it costs, who decides, silence, recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, Refused
from sharebank.core.period import Period, to_local, to_utc
from sharebank.insurance import drivers as register
from sharebank.lending import approval
from sharebank.reservations.asking import Details, Known
from sharebank.reservations.deciding.knowing import known_of, read_details
from sharebank.reservations.gate import Weighed, lapse_of, lapses_of, quote_of, weigh
from sharebank.reservations.models import Reservation


class NoRecall(Refused):
    """An approved loan is kept unless its rules say that the owner may need it."""

    status: ClassVar[int] = 409
    code = "no_recall"
    sentence = N_("The rules of these things do not let the house take an approved loan back.")


class TooLateToRecall(Refused):
    """The borrower counts on it by now."""

    status: ClassVar[int] = 409
    code = "too_late_to_recall"
    sentence = N_("By its rules the house could take this back until %(until)s.")


def weighed(
    loan: Any, things: Sequence[Thing], wants: Mapping[str, int], known: Known, details: Details, tz: ZoneInfo
) -> list[Weighed]:
    """Each thing of a reservation against its rules, as on the day it was asked for."""
    own = {thing.house_id: False for thing in things}
    period = Period(loan.starts_at, loan.ends_at)
    # Who stood in line asked on that day: nobody could have asked for what was not free.
    since = loan.details.get("waited_since")
    asked_at = datetime.fromisoformat(since) if since else loan.created_at
    return weigh(things, wants, known, own, period, asked_at, tz, loan.purpose, details)


def details_of(session: Session, asked: Any) -> Details:
    """What was said when a reservation, or a series, was asked for, read back from what was kept."""
    ids = asked.details.get("drivers")
    return read_details(asked, register.known(session, asked.borrower_id) if ids else ())


def _things(session: Session, loan: Reservation) -> list[Thing]:
    return list(catalog.things_by_id(session, [line.resource_id for line in loan.lines]).values())


def _weighed(session: Session, loan: Reservation, tz: ZoneInfo) -> list[Weighed]:
    things = _things(session, loan)
    wanted = {line.resource_id: line.quantity for line in loan.lines}
    wants = {thing.code: wanted[thing.id] for thing in things}
    known, details = known_of(session, [(loan, things)], tz)[loan.id]
    return weighed(loan, things, wants, known, details, tz)


def free_to_take(session: Session, loan: Reservation, tz: ZoneInfo) -> bool:
    """Do the rules let the borrower have it without asking the house?"""
    found = _weighed(session, loan, tz)
    refused = any(breach.effect == "refuse" for one in found for breach in one.found)
    return not refused and not any(one.decision.needed for one in found)


def second_needed(session: Session, loan: Reservation, tz: ZoneInfo) -> bool:
    """Do two people have to approve it?"""
    return loan.kind == "loan" and any(one.decision.second for one in _weighed(session, loan, tz))


def take_up(session: Session, loan: Reservation, now: datetime, tz: ZoneInfo) -> None:
    """A slot of the waiting list becomes a loan like any other: what it costs, and until when it waits."""
    found = _weighed(session, loan, tz)
    quote = quote_of(found)
    loan.quote = quote.to_json() if quote else None
    loan.lapses_at = lapse_of(found, Period(loan.starts_at, loan.ends_at), now)


def quote_again(session: Session, loan: Reservation, tz: ZoneInfo) -> dict[str, Any] | None:
    """What it costs now that it is less than was asked for, or another time."""
    quote = quote_of(_weighed(session, loan, tz))
    return quote.to_json() if quote else None


def insured(session: Session, loan: Reservation, tz: ZoneInfo) -> bool:
    """Is nothing of it, nor the borrower's certificate, over before the loan is?"""
    return not lapses_of(session, loan, loan.starts_at, tz)


def silence_of(session: Session, loan: Reservation) -> str | None:
    """What nobody's answer means for it."""
    return silence(_things(session, loan))


def silence(things: Sequence[Thing]) -> str | None:
    """The same of things: approved only if the rules of all of them say so."""
    said = [approval.silence(thing.terms) for thing in things]
    found = next((effect for effect in ("decline", "expire") if effect in said), None)
    return found or ("approve" if said and set(said) == {"approve"} else None)


def check_recall(session: Session, loan: Reservation, now: datetime, tz: ZoneInfo) -> None:
    """May the owner take it back now? Raises NoRecall, TooLateToRecall."""
    start = to_local(loan.starts_at, tz)
    until = [approval.recall_until(thing.terms, start) for thing in _things(session, loan)]
    known = [at for at in until if at is not None]
    if not known or len(known) < len(until):
        raise NoRecall
    last = to_utc(min(known), tz)
    if now > last:
        raise TooLateToRecall("why", until=last)


def may_recall(things: Sequence[Thing], starts_at: datetime, now: datetime, tz: ZoneInfo) -> bool:
    """The same, asked for a page: is there a button?"""
    until = [approval.recall_until(thing.terms, to_local(starts_at, tz)) for thing in things]
    return all(at is not None and to_local(now, tz) <= at for at in until)
