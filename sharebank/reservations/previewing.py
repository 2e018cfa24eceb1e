"""Before a request is sent: what it would ask, cost and wait for; and what the house knows already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house
from sharebank.catalog.service import Thing
from sharebank.core.errors import Said
from sharebank.core.period import Period
from sharebank.insurance import drivers as register
from sharebank.insurance.drivers import KnownDriver
from sharebank.insurance.papers import KnownPaper
from sharebank.insurance.rules import LIABILITY
from sharebank.insurance.service import CERTIFICATE, certificate_until, days_of_loan, lapses_within
from sharebank.lending import approval
from sharebank.lending.papers import papers_asked
from sharebank.lending.prices import Quote
from sharebank.reservations.asking import Details, look_up, promised
from sharebank.reservations.gate import Weighed, lapse_of, quote_of, weigh
from sharebank.reservations.searching import Offer, standing


@dataclass(frozen=True, slots=True)
class Needs:
    """What the request form has to ask, from the rules of what was chosen."""

    fields: frozenset[str] = frozenset()
    """Keys of `lending.kinds.FORM_FIELDS`."""
    options: Mapping[str, tuple[int, str]] | None = None
    """Cents and unit by name."""
    undertakings: tuple[str, ...] = ()
    """What is still to be promised."""
    promised: tuple[str, ...] = ()
    """What the borrower has promised before: it is said, and not asked again."""
    drivers: Sequence[KnownDriver] = ()
    letter: bool = False
    """May a letter of the employer come instead of a deposit?"""


@dataclass(frozen=True, slots=True)
class Part:
    """What one house lends of it: who decides, until when it would wait, what it costs."""

    house: str
    house_name: str
    at_once: bool
    second: bool
    lapses_at: datetime
    silence: str | None
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """The borrower's liability certificate, where the rules ask for it: good until a day, or missing."""

    until: date | None
    missing: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """All that is said before sending."""

    offers: Mapping[str, Offer]
    parts: Sequence[Part]
    certificate: Certificate | None
    shown: Sequence[KnownPaper]
    """Documents the rules ask for which the house has seen: nothing to send."""
    outlived: Sequence[KnownPaper]
    """Those of them that are over before they should."""
    notes: Sequence[Said]
    """Rules that are not kept, which make the house decide or the loan dearer."""


def needs_of(session: Session, actor: Actor, things: Sequence[Thing], borrower: Role, now: datetime) -> Needs:
    """What has to be asked; promises only of those whom the rules bind, and once."""
    fields: frozenset[str] = frozenset().union(*(thing.terms.needs for thing in things))
    options = {
        row["name"]: (row["cents"], row["unit"])
        for thing in things
        for row in (thing.terms.get("prices") or {}).get("options", ())
    }
    asked = [thing for thing in things if not may_house(actor, "book_at_once", thing.house_id)]
    promises = dict.fromkeys(key for thing in asked for key in approval.undertakings(thing.terms))
    before = promised(session, borrower.organisation_id, now) if promises else frozenset()
    known = register.known(session, borrower.organisation_id) if "drivers" in fields else ()
    letter = any(row["letter"] for thing in things for row in (thing.terms.get("deposits") or {}).get("rows", ()))
    fresh, kept = (tuple(key for key in promises if (key in before) is there) for there in (False, True))
    return Needs(fields, options or None, fresh, kept, known, letter)


def preview(
    session: Session,
    actor: Actor,
    things: Sequence[Thing],
    wants: Mapping[str, int],
    borrower: Role,
    period: Period,
    purpose: str,
    details: Details,
    now: datetime,
    tz: ZoneInfo,
) -> Preview:
    """How a request stands as it is typed now."""
    own = {thing.house_id: may_house(actor, "book_at_once", thing.house_id) for thing in things}
    known = look_up(session, borrower, things, period.start, details, tz)
    weighed = weigh(things, wants, known, own, period, now, tz, purpose, details)
    certificate = _certificate(session, things, borrower, period, tz)
    houses: dict[int, list[Weighed]] = {}
    for one in weighed:
        houses.setdefault(one.thing.house_id, []).append(one)
    return Preview(
        {offer.thing.code: offer for offer in standing(session, weighed, period, now, tz)},
        [_part(of_house, certificate, period, now) for of_house in houses.values()],
        certificate,
        *_papers(weighed, known.papers),
        [breach.said for one in weighed for breach in one.found if breach.effect != "refuse"],
    )


def _part(weighed: Sequence[Weighed], certificate: Certificate | None, period: Period, now: datetime) -> Part:
    thing = weighed[0].thing
    unshown = (
        certificate is not None and certificate.missing and any(CERTIFICATE in one.thing.requires for one in weighed)
    )
    decided = any(one.decision.needed for one in weighed) or (unshown and not weighed[0].own)
    said = {approval.silence(one.thing.terms) for one in weighed}
    return Part(
        thing.house,
        thing.house_name,
        not decided,
        any(one.decision.second for one in weighed),
        lapse_of(weighed, period, now),
        next((effect for effect in ("decline", "expire", "approve") if effect in said), None),
        quote_of(weighed),
    )


def _certificate(
    session: Session, things: Sequence[Thing], borrower: Role, period: Period, tz: ZoneInfo
) -> Certificate | None:
    asking = [one for one in things if CERTIFICATE in one.requires and one.house_id != borrower.organisation_id]
    if not asking:
        return None
    lapses = lapses_within(session, asking, borrower.organisation_id, period, tz)
    until = certificate_until(session, borrower.organisation_id, days_of_loan(period, tz)[0])
    return Certificate(until, any(lapse.kind == LIABILITY for lapse in lapses))


def _papers(weighed: Sequence[Weighed], known: Sequence[KnownPaper]) -> tuple[list[KnownPaper], list[KnownPaper]]:
    """Of the documents asked for, those on the register that will do, and those that will not for every thing."""
    will_do: dict[str, bool] = {}
    for one in weighed if known else ():
        for kind, shown in papers_asked(one.thing.terms.get("documents"), one.asked).items():
            will_do[kind] = shown and will_do.get(kind, True)
    good, over = ([one for one in known if will_do.get(one.kind) is answer] for answer in (True, False))
    return good, over
