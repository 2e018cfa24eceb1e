"""The gate: what is lent keeps to the rules of lending, within its insurances, and with the certificate asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import Word
from sharebank.core.overrule import Hindrance, overrule
from sharebank.core.period import Period, to_local
from sharebank.core.texts import name_words
from sharebank.insurance.rules import LIABILITY, Lapse, hindrances
from sharebank.insurance.service import lapses_within
from sharebank.lending import approval, prices
from sharebank.lending.facts import Asked, Breach
from sharebank.lending.kinds import FORM_FIELDS, UNDERTAKINGS, breaches
from sharebank.lending.prices import Quote
from sharebank.reservations.asking import NO_DETAILS, Ask, Details, Known, asked, look_up
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import NotPromised, NotSigned, RuleBroken, broken

GATED = ("approve", "collect")
"""Acts that let a loan go on; whoever declines or takes back is not asked for papers."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One thing of an ask, held against its rules."""

    thing: Thing
    asked: Asked
    own: bool
    """Asked by staff of the house that owns it."""
    found: tuple[Breach, ...]

    @property
    def decision(self) -> approval.Approval:
        """Does the house decide? Its own staff has, unless two have to."""
        said = approval.approval(self.thing.terms, self.asked, self.found)
        return approval.Approval(said.second, said.second) if self.own else said


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules make of the part of an ask that one house lends."""

    status: str
    first_approval: bool = False
    """Two have to approve, and the staff who asked is the first."""
    lapses_at: datetime | None = None
    quote: Quote | None = None
    why: str = ""
    """What was overruled, with the reason."""


def weigh(
    things: Sequence[Thing],
    wants: Mapping[str, int],
    known: Known,
    own: Mapping[int, bool],
    period: Period,
    now: datetime,
    tz: ZoneInfo,
    purpose: str = "",
    details: Details = NO_DETAILS,
) -> list[Weighed]:
    """Each thing against its rules; the owner's staff, `own` by house, only against those that bind them too."""
    facts = asked(things, wants, known, period, now, tz, purpose, details)
    return [
        Weighed(thing, fact, own[thing.house_id], tuple(breaches(thing.terms, fact, own[thing.house_id])))
        for thing, fact in zip(things, facts, strict=True)
    ]


def judge(
    session: Session,
    things: Sequence[Thing],
    own: Mapping[int, bool],
    borrower: Role,
    ask: Ask,
    known: Known,
    now: datetime,
    tz: ZoneInfo,
) -> dict[int, Verdict]:
    """Before booking, by house: is it booked at once, until when may it wait, what does it cost, what was overruled.

    Without a certificate one may ask, and the house decides; its own staff, who book at once, need it at once.
    Raises RuleBroken, NotPromised, InsuranceLapses, CertificateMissing.
    """
    weighed = weigh(things, ask.wants, known, own, ask.period, now, tz, ask.purpose, ask.details)
    undecided = {one.thing.house_id for one in weighed if one.decision.needed}
    at_once = {one.thing.house_id for one in weighed} - undecided
    asks_papers = any(one.thing.house_id in at_once for one in weighed)
    lapses = lapses_within(session, things, borrower.organisation_id if asks_papers else None, ask.period, tz)
    undecided |= {lapse.house_id for lapse in lapses if lapse.kind == LIABILITY and not own[lapse.house_id]}
    in_the_way = [lapse for lapse in lapses if lapse.kind != LIABILITY or lapse.house_id not in undecided]
    found = [*_rules_in_the_way(weighed), *hindrances(in_the_way, borrower.name), *unpromised(weighed, ask)]
    staff_of = {house_id for house_id, ours in own.items() if ours} if found else ()
    whys = overrule(found, staff_of, ask.override) if found else {}
    return {
        house_id: _verdict(
            [one for one in weighed if one.thing.house_id == house_id], house_id in undecided, whys, ask, now
        )
        for house_id in own
    }


def _rules_in_the_way(weighed: Sequence[Weighed]) -> Iterator[Hindrance]:
    for one in weighed:
        if refusal := broken(one.thing.code, one.found):
            yield Hindrance(one.thing.house_id, refusal, name_words(one.thing.rules))


def unsaid(thing: Thing, accepts: Collection[str]) -> tuple[Word, ...]:
    """What the rules of a thing want promised and is not among what was; programs may leave it to the house."""
    return tuple(Word(UNDERTAKINGS[key]) for key in approval.undertakings(thing.terms) if key not in accepts)


def unpromised(weighed: Sequence[Weighed], ask: Ask) -> Iterator[Hindrance]:
    """Last of all: there is no use in a promise for what cannot be had."""
    accepts = ask.details.accepts
    for thing in (one.thing for one in weighed if accepts is not None and not one.own):
        if said := unsaid(thing, accepts or ()):
            refusal = NotPromised("accepts", thing=thing.name, promises=said, rules=thing.rules)
            yield Hindrance(thing.house_id, refusal, "")


def _verdict(weighed: Sequence[Weighed], undecided: bool, whys: Mapping[int, str], ask: Ask, now: datetime) -> Verdict:
    first = weighed[0]
    quote = quote_of(weighed)
    why = whys.get(first.thing.house_id, "")
    if not undecided:
        return Verdict("approved", quote=quote, why=why)
    return Verdict("requested", first.own, lapse_of(weighed, ask.period, now), quote, why)


def lapse_of(weighed: Sequence[Weighed], period: Period, now: datetime) -> datetime:
    """When a request nobody answered lets its slot go: by the first rule that says so, at the latest at its start."""
    said = (approval.lapses_at(one.thing.terms, now, period.start) for one in weighed)
    return min((at for at in said if at is not None), default=period.start)


def quote_of(weighed: Sequence[Weighed]) -> Quote | None:
    """What all that a house lends in one go costs; none when it is free and no deposit is asked."""
    dearer = {one.thing.rules for one in weighed if any(breach.effect == "dearer" for breach in one.found)}
    quote = prices.quote_loan([(one.thing.terms, one.asked) for one in weighed], dearer)
    return quote if quote.lines or quote.deposits or quote.travel else None


def too_long(thing: Thing, period: Period, now: datetime, tz: ZoneInfo) -> RuleBroken | None:
    """Only that: for what was agreed long ago, and is written down today."""
    house = Role(thing.house_id, thing.house, thing.house_name, "house", "", thing.house_id, thing.house)
    [one] = weigh([thing], {thing.code: 1}, Known(house), {thing.house_id: True}, period, now, tz)
    return broken(thing.code, [breach for breach in one.found if breach.kind == "length"])


def check_act(
    session: Session, actor: Actor, loan: Reservation, act: str, now: datetime, tz: ZoneInfo, reason: str
) -> str:
    """Before a loan goes on: what was overruled, empty when nothing.

    Raises NotSigned, InsuranceLapses, CertificateMissing.
    """
    if act not in GATED or loan.kind != "loan":
        return ""
    if act == "collect":
        check_signed(session, loan)
    lapses = lapses_of(session, loan, now if act == "collect" else loan.starts_at, tz)
    houses = {lapse.house_id for lapse in lapses}
    staff_of = {house_id for house_id in houses if may_house(actor, "overrule", house_id)}
    return overrule(hindrances(lapses, loan.borrower.name), staff_of, reason).get(loan.lender_id, "")


def check_signed(session: Session, loan: Reservation) -> None:
    """Is it firm: signed, where the rules of its things want that? Raises NotSigned."""
    if loan.signed_at is not None:
        return
    things = catalog.things_by_id(session, [line.resource_id for line in loan.lines]).values()
    if thing := to_sign_for(loan, things):
        raise NotSigned(thing=thing.name, rules=thing.rules)


def to_sign_for(loan: Any, things: Iterable[Thing]) -> Thing | None:
    """The first thing that is not handed over before the agreement is signed, as long as it is not."""
    if loan.signed_at is not None or loan.lender_id == loan.borrower_id:
        return None
    return next((thing for thing in things if approval.agreement(thing.terms).firm == "signed"), None)


def lapses_of(session: Session, loan: Reservation, since: datetime, tz: ZoneInfo) -> list[Lapse]:
    """What is not insured during a loan, or not certified; handed over before its time it is out from then on."""
    period = Period(min(since, loan.starts_at), loan.ends_at)
    things = list(catalog.things_by_id(session, [line.resource_id for line in loan.lines]).values())
    return lapses_within(session, things, loan.borrower_id, period, tz)


class Permits:
    """Would the rules let this borrower have another thing, or another slot? What has to be looked up is, once.

    Only what the request form asks beside is left out. `given_up` is a loan of theirs that is taken from them: it
    counts no more.
    """

    def __init__(
        self,
        session: Session,
        actor: Actor,
        borrower: Role,
        now: datetime,
        tz: ZoneInfo,
        details: Details = NO_DETAILS,
        given_up: Reservation | None = None,
    ) -> None:
        self.session, self.actor, self.borrower, self.now, self.tz = session, actor, borrower, now, tz
        self.details = replace(details, collect_at=None, return_at=None)
        self.given_up = given_up
        self._known: dict[tuple[str, int], Known] = {}

    def __call__(self, thing: Thing, period: Period, wanted: int) -> bool:
        """Of what was said besides, only the hours of collection are those of the slot first wished for."""
        own = {thing.house_id: may_house(self.actor, "book_at_once", thing.house_id)}
        if not own[thing.house_id] and period.start < self.now:
            return False
        key = thing.rules, to_local(period.start, self.tz).year
        if key not in self._known:
            known = look_up(self.session, self.borrower, [thing], period.start, self.details, self.tz)
            self._known[key] = replace(known, loans=self._still(known.loans, key[1]))
        wants = {thing.code: wanted}
        [one] = weigh([thing], wants, self._known[key], own, period, self.now, self.tz, "", self.details)
        return not any(breach.effect == "refuse" and breach.field not in FORM_FIELDS for breach in one.found)

    def _still(self, loans: Mapping[str, int], year: int) -> Mapping[str, int]:
        """How many loans of a year count once the one that is given up is gone."""
        gone = self.given_up
        if gone is None or to_local(gone.starts_at, self.tz).year != year:
            return loans
        things = catalog.things_by_id(self.session, [line.resource_id for line in gone.lines])
        own = {thing.rules for thing in things.values()}
        return {rules: many - (rules in own) for rules, many in loans.items()}
