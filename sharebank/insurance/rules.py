"""Deadlines on plain values: when to remind whom, whether a loan is covered, what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sharebank.core.errors import N_, Refused, Word
from sharebank.core.overrule import Hindrance, Overridable

KINDS = {
    "vehicle": N_("Vehicle insurance"),
    "premises": N_("Premises insurance"),
    "liability": N_("Liability insurance"),
    "equipment": N_("Equipment insurance"),
    "inspection": N_("Inspection"),
    "fire_safety": N_("Fire safety check"),
    "extinguishers": N_("Extinguisher check"),
}
LIABILITY = "liability"
"""The house's or the borrower's own; every other kind is about things."""

# -- when to remind, and whom ---------------------------------------------------------------------

LADDER = (60, 30, 14, 7, 1, 0)
"""Days before the last good day on which people are reminded; once it is over, every seven days."""
WEEK = 7
ADMINISTRATORS_FROM = 7
"""Days before the end from which the administrators are told too."""
SOON = LADDER[0]
MARKED = 30
"""Days before the end from which a thing carries a mark in the catalogue."""


def stage(ends_on: date, today: date) -> int | None:
    """The rung of the ladder that today stands on, None before the first; negative in steps of a week once lapsed.

    Only the present rung counts: after an outage nobody is told of those in between.
    """
    left = (ends_on - today).days
    if left < 0:
        return -(-left // WEEK) * WEEK
    return min((rung for rung in LADDER if rung >= left), default=None)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who may have to be told: `member` of the holder, `manager` of its house, or `admin`."""

    user_id: int
    part: str


def readers_of(stage: int, responsible_id: int | None, holder_is_house: bool, around: Iterable[Reader]) -> list[int]:
    """Who is told at a stage, by user id: whoever is responsible and the managers, near the end the administrators.

    Of an association's certificate its own people too. A deadline that nobody looks after is the administrators'.
    """
    around = list(around)
    parts = {"manager"} if holder_is_house else {"manager", "member"}
    told = {reader.user_id for reader in around if reader.part in parts}
    if responsible_id is not None:
        told.add(responsible_id)
    if stage <= ADMINISTRATORS_FROM or not told:
        told |= {reader.user_id for reader in around if reader.part == "admin"}
    return sorted(told)


def standing(ends_on: date | None, today: date) -> str:
    """`lapsed`, `due` (soon), `fine`, or `unknown` while nobody has said until when."""
    if ends_on is None:
        return "unknown"
    if ends_on < today:
        return "lapsed"
    return "due" if (ends_on - today).days <= SOON else "fine"


def years_between(since: date, on: date) -> int:
    """Whole years, as one counts how long a licence has been held."""
    return on.year - since.year - ((on.month, on.day) < (since.month, since.day))


# -- is a loan covered ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """One contract or check with the days it is good for, both included; no start means since ever."""

    body: str
    contract: str
    starts_on: date | None
    ends_on: date

    @property
    def name(self) -> str:
        """What people call it by."""
        return self.contract or self.body


@dataclass(frozen=True, slots=True)
class Gap:
    """The first day that is not covered, and the contract that says so: it ends too early, or begins too late."""

    day: date
    span: Span | None

    @property
    def begins_late(self) -> bool:
        """Is it that nothing has begun yet?"""
        return self.span is not None and self.span.ends_on >= self.day


def gap(spans: Sequence[Span], first: date, last: date) -> Gap | None:
    """The first of these days that no contract covers, or nothing; contracts that follow each other make a chain."""
    day = first
    while day <= last:
        good = [span for span in spans if (span.starts_on is None or span.starts_on <= day) and span.ends_on >= day]
        if not good:
            past = max((span for span in spans if span.ends_on < day), key=lambda span: span.ends_on, default=None)
            future = (span for span in spans if span.ends_on >= day)
            return Gap(day, past or min(future, key=lambda span: span.starts_on or day, default=None))
        day = max(span.ends_on for span in good) + timedelta(days=1)
    return None


def month_cell(spans: Sequence[Span], first: date, last: date) -> tuple[str, date | None]:
    """How a month stands in the year's table: `covered`, `until` or `from` a day, `before` all, `over`."""
    hole = gap(spans, first, last)
    if hole is None:
        return "covered", None
    if hole.day > first:
        return "until", hole.day - timedelta(days=1)
    begins = min((span.starts_on for span in spans if span.starts_on and first < span.starts_on <= last), default=None)
    if begins:
        return "from", begins
    return ("before" if hole.begins_late else "over"), None


@dataclass(frozen=True, slots=True)
class Term:
    """A coverage as it is told from others: whose, of which kind, of what, by whom, from when until when."""

    holder_id: int
    kind: str
    things: frozenset[int]
    body: str
    starts_on: date | None
    ends_on: date | None


def successor(term: Term, others: Sequence[Term]) -> int | None:
    """Where among others the one stands that takes over when this one is over, if any.

    It begins later and covers all that this one did; of liability, which has no things, by the same insurer.
    """
    if term.ends_on is None:
        return None
    heirs = [
        (other.starts_on, at)
        for at, other in enumerate(others)
        if (other.holder_id, other.kind) == (term.holder_id, term.kind)
        and other.starts_on is not None
        and other.starts_on > term.ends_on
        and term.things <= other.things
        and (term.things or other.body == term.body)
    ]
    return min(heirs)[1] if heirs else None


@dataclass(frozen=True, slots=True)
class Lapse:
    """What keeps a thing from being lent for the whole of a loan: one kind of coverage, and where its gap is.

    Of kind `liability` it is the borrower's certificate that the thing's rules ask for.
    """

    thing: str
    name: str
    house_id: int
    kind: str
    gap: Gap


class InsuranceLapses(Overridable):
    """An insurance or a check of the thing ends before it would be back."""

    code = "insurance_lapses"
    sentence = N_("%(thing)s: %(what)s (%(contract)s), good until %(day)s. It cannot be lent beyond that day.")

    def __init__(self, lapse: Lapse, *, overridable: bool = False) -> None:
        span = lapse.gap.span
        day = None if span is None else span.starts_on if lapse.gap.begins_late else span.ends_on
        facts = {
            "thing": lapse.name,
            "what": Word(KINDS[lapse.kind]),
            "contract": span.name if span else "",
            "day": day,
        }
        super().__init__("ends_at", lapse.thing, overridable=overridable, **facts)
        self.lapse = lapse


class InsuranceNotBegun(InsuranceLapses):
    """The thing is insured or checked later only."""

    code = "insurance_not_begun"
    sentence = N_("%(thing)s: %(what)s (%(contract)s), good from %(day)s on. It cannot be lent before that day.")


class CertificateMissing(Refused):
    """The thing's rules ask for a liability certificate, and none is known of the borrower."""

    code = "certificate_missing"
    sentence = N_(
        "%(borrower)s has shown no liability certificate, and %(thing)s needs one. "
        "They may ask for it, but not have it before the certificate is here."
    )


class CertificateLapses(CertificateMissing):
    """The borrower's certificate does not reach over the whole loan."""

    code = "certificate_lapses"
    sentence = N_(
        "%(borrower)s: the liability certificate (%(contract)s) is good until %(day)s, and %(thing)s needs one for the "
        "whole loan. They may ask for it, but not have it before the next certificate is here."
    )


def thing_refusal(lapse: Lapse, *, overridable: bool = False) -> InsuranceLapses:
    """What is said of a thing's own lapse."""
    refusal = InsuranceNotBegun if lapse.gap.begins_late else InsuranceLapses
    return refusal(lapse, overridable=overridable)


def certificate_refusal(lapse: Lapse, borrower: str) -> CertificateMissing:
    """What is said of a borrower without a certificate for the whole loan."""
    span = lapse.gap.span
    if span is None or lapse.gap.begins_late:
        return CertificateMissing("organisation", borrower=borrower, thing=lapse.name)
    facts = {"borrower": borrower, "thing": lapse.name, "contract": span.name, "day": span.ends_on}
    return CertificateLapses("organisation", **facts)


def hindrances(lapses: Iterable[Lapse], borrower: str) -> Iterator[Hindrance]:
    """What stands in the way of a loan; a certificate is not the staff's to make up for."""
    for lapse in lapses:
        if lapse.kind == LIABILITY:
            yield Hindrance(lapse.house_id, certificate_refusal(lapse, borrower), "")
        else:
            span = lapse.gap.span
            note = f"{span.name} → {span.ends_on}" if span else lapse.kind
            yield Hindrance(lapse.house_id, thing_refusal(lapse), note)


# -- what is refused when deadlines are written down ------------------------------------------------


class LiabilityOnly(Refused):
    """What an association owns is its own business; what it must show is its liability certificate."""

    code = "liability_only"
    sentence = N_("Of a structure that is not a house only the liability insurance is kept.")


class NoThings(Refused):
    """A coverage of things says of which."""

    code = "no_things"
    sentence = N_("Choose what is covered.")


class NotTheirThing(Refused):
    """A house insures and checks its own things."""

    code = "not_their_thing"
    sentence = N_("“%(value)s” does not belong to this house.")


class EndsTooEarly(Refused):
    """The last day comes before the first, or not after that of the one it follows."""

    code = "ends_too_early"
    sentence = N_("The last day cannot come before %(day)s.")


class SameTwice(Refused):
    """The same contract with the same end is there already."""

    status = 409
    code = "coverage_twice"
    sentence = N_("This contract with this last day is there already.")


class AlreadyRenewed(Refused):
    """Somebody was faster."""

    status = 409
    code = "already_renewed"
    sentence = N_("It has been renewed already.")


class NotAhead(Refused):
    """Silence is for the days to come, and not for ever."""

    code = "not_ahead"
    sentence = N_("Choose a day after today, within %(days)s days.")


LONGEST_SILENCE = 180


class BadDocument(Refused):
    """What was sent is neither a PDF nor a picture."""

    code = "bad_document"
    sentence = N_("“%(name)s” is neither a PDF nor a picture we can read. Send a PDF, JPEG, PNG or WebP file.")


class DocumentTooHeavy(BadDocument):
    """The file has too many bytes."""

    code = "document_too_heavy"
    sentence = N_("“%(name)s” is larger than %(most)s MB. Send a smaller one.")


class NoDocument(Refused):
    """The form came without a file."""

    code = "no_document"
    sentence = N_("Choose a file.")


class TooManyDocuments(Refused):
    """A contract has a few pages, not an archive."""

    code = "too_many_documents"
    sentence = N_("%(most)s documents at most: delete one first.")


class DriverTwice(Refused):
    """One line a driver: when the licence was seen again, the line is changed."""

    status = 409
    code = "driver_twice"
    sentence = N_("%(name)s is in the register already: change that line instead.")


class LicenceFromTheFuture(Refused):
    """Nobody has seen a licence tomorrow, nor held it before it was given."""

    code = "licence_from_the_future"
    sentence = N_("This day has not come yet.")


class PaperElsewhere(Refused):
    """The register of documents holds those that rules ask for, but the certificate, which has an insurer too."""

    code = "paper_elsewhere"
    sentence = N_("The liability certificate is written down with the insurances.")
