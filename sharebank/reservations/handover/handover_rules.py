"""What follows from what was found when a thing changed hands: on plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sharebank.core.errors import N_, Refused
from sharebank.core.period import Period
from sharebank.lending.facts import Record
from sharebank.reservations.handover.handover_items import LOST
from sharebank.reservations.rules import Claim, peak


@dataclass(frozen=True, slots=True)
class Found:
    """What somebody wrote down about one thing at one meeting."""

    quantity: int
    missing: int = 0
    broken: int = 0
    dirty: int = 0
    note: str = ""
    facts: Mapping[str, Any] | None = None
    out: bool = False
    out_until: Any = None
    gone: int = 0
    """Units to be taken off the stock."""


class MoreThanOut(Refused):
    """More came back than went out."""

    code = "more_than_out"
    sentence = N_("Only %(out)s of %(thing)s are out.")


class MoreThanWentOut(Refused):
    """More would leave the stock than the loan ever had."""

    code = "more_than_went_out"
    sentence = N_("Only %(out)s of %(thing)s went out.")


class BackAndMissing(Refused):
    """A unit cannot have come back and be missing."""

    code = "back_and_missing"
    sentence = N_(
        "%(thing)s: %(out)s are out, but %(back)s back and %(missing)s missing make more. "
        "Of pieces missing from a set, write how many there are in “Pieces counted”."
    )


class MoreThanBack(Refused):
    """What is broken or dirty was looked at: it came back."""

    code = "more_than_back"
    sentence = N_("More than come back now: %(back)s.")


class MoreThanBooked(Refused):
    """More would go out than was booked."""

    code = "more_than_booked"
    sentence = N_("Only %(out)s of %(thing)s are booked.")


class NothingHandedOver(Refused):
    """A hand-over at which nothing changed hands."""

    code = "nothing_handed_over"
    sentence = N_("Say at least for one thing that it changes hands.")


class OdometerWentBack(Refused):
    """A dial that shows less than when it left."""

    code = "odometer_went_back"
    sentence = N_("The dial showed %(before)s km when it left: check the figure.")


class TooManyPhotos(Refused):
    """A few photos show a state; more hide it."""

    code = "too_many_photos"
    sentence = N_("%(most)s photos of one meeting at most.")


def check_collect(thing: str, where: str, booked: int, found: Found) -> None:
    """Refuse that more goes out than was booked."""
    if found.quantity > booked:
        raise MoreThanBooked(f"{where}-quantity", thing=thing, out=booked)


def check_return(thing: str, where: str, out: int, before: Found, found: Found, *, pool: bool) -> None:
    """Refuse what cannot have come back; `before` is its collection.

    Of a set one unit may be back with many of its pieces missing or broken; of a `pool` the units themselves are
    counted, unless pieces of them are. What is gone may have been missing from an earlier return.
    """
    then, now = (one.facts or {} for one in (before, found))
    if found.quantity > out:
        raise MoreThanOut(f"{where}-quantity", thing=thing, out=out)
    if pool and not pieces_counted(then, now):
        _check_units(thing, where, out, found)
    if found.gone > before.quantity:
        raise MoreThanWentOut(f"{where}-gone", thing=thing, out=before.quantity)
    _check_dial(where, then.get("odometer"), now.get("odometer"))


def pieces_counted(*facts: Mapping[str, Any]) -> bool:
    """Does what was written down, when it left or came back, count the pieces of sets?"""
    return any(one.get("pieces") is not None for one in facts)


def _check_units(thing: str, where: str, out: int, found: Found) -> None:
    """What came back and what is missing are different units; what is broken or dirty came back."""
    if found.quantity + found.missing > out:
        facts = {"thing": thing, "out": out, "back": found.quantity, "missing": found.missing}
        raise BackAndMissing(f"{where}-quantity", **facts)
    for name in ("broken", "dirty"):
        if getattr(found, name) > found.quantity:
            raise MoreThanBack(f"{where}-{name}", back=found.quantity)


def _check_dial(where: str, then: int | None, now: int | None) -> None:
    if then is not None and now is not None and now < then:
        raise OdometerWentBack(f"{where}-odometer", before=then)


def still_out(out: int, found: Found) -> int:
    """Units neither back nor given up for lost; of a set that is back, `missing` counts pieces."""
    return max(0, out - found.quantity - found.missing)


def summed(parts: Sequence[Found]) -> Found:
    """What came back in several goes, as one; the facts are those of the last."""
    facts: dict[str, Any] = {}
    lost: Counter[str] = Counter()
    for part in parts:
        facts |= part.facts or {}
        lost.update((part.facts or {}).get(LOST, {}))
    facts |= {LOST: dict(lost)} if lost else {}
    total = {name: sum(getattr(part, name) for part in parts) for name in ("quantity", "missing", "broken", "dirty")}
    return Found(**total, facts=facts)


def record(
    thing: str, kind: str, out: int, before: Mapping[str, Any], found: Found, late: timedelta, value_cents: int | None
) -> Record:
    """One line as the rules of lending want it: kilometres and pieces reckoned from the two counts."""
    facts = found.facts or {}
    pieces_out, pieces_back = before.get("pieces"), facts.get("pieces")
    missing = found.missing
    if not missing and pieces_out is not None and pieces_back is not None:
        missing = max(0, pieces_out - pieces_back)
    count = pieces_out or out
    dirty = found.dirty
    opened = before.get("seal") == "sealed" and facts.get("seal") == "opened"
    if kind == "equipment" and not dirty and (opened or facts.get("clean") is False):
        dirty = count  # an opened crate is washed whole
    then, now = before.get("odometer"), facts.get("odometer")
    return Record(
        thing,
        pieces_out=count,
        pieces_back=max(0, count - missing),
        broken=found.broken,
        missing=missing,
        dirty=dirty,
        unclean=kind != "equipment" and facts.get("clean") is False,
        late=late,
        km=now - then if then is not None and now is not None else None,
        value_cents=value_cents,
        named_pieces=facts.get(LOST, {}),
    )


# -- a thing that must stay in ------------------------------------------------------------------------


HELD, CLOSED, ASKED = range(3)
"""Who keeps first when there are too few: who has it already, what is closed, who was promised it."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Units of a thing out with a loan, kept in by a closure, or promised."""

    loan_id: int
    hold: Period
    quantity: int
    rank: int
    """HELD, CLOSED or ASKED."""
    asked_at: datetime


def squeezed(promises: Iterable[Promise], capacity: int, stays: int = CLOSED) -> dict[int, int]:
    """What is left to each that cannot keep all of its units when only `capacity` are left, by loan.

    Those up to the rank `stays` keep what they have; of the others, who asked first keeps first.
    """
    kept: list[Claim] = []
    left: dict[int, int] = {}
    for promise in sorted(promises, key=lambda one: (one.rank, one.asked_at, one.loan_id)):
        room = max(0, capacity - peak(kept, promise.hold))
        units = promise.quantity if promise.rank <= stays else min(promise.quantity, room)
        if units < promise.quantity:
            left[promise.loan_id] = units
        if units:
            kept.append(Claim(promise.hold, units))
    return left


def free_from(promises: Iterable[Promise], capacity: int, since: datetime, until: datetime) -> datetime:
    """From when the units can be kept in: at once, or when enough of what is out has come back."""
    out = [Claim(one.hold, one.quantity) for one in promises if one.rank <= CLOSED]
    edges = sorted({since, *(one.period.end for one in out if since < one.period.end < until)})
    return next((start for start in edges if peak(out, Period(start, until)) <= capacity), until)
