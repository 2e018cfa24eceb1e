"""What is looked at when a thing changes hands, and what follows from it: on plain values, one table of data a kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sharebank.core.errors import N_, Refused
from sharebank.core.period import Period
from sharebank.lending.facts import Record
from sharebank.reservations.rules import Claim, peak

MOST = 100_000
"""Units, pieces, keys, passengers."""
MOST_KM = 2_000_000

BOTH = ("collect", "return")
OUT, IN = ("collect",), ("return",)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at: `yes` (a box, ticked when all is well), `count`, `km`, `words`, or a key of CHOICES.

    `first` stands open on the screen, the others are folded; what went out is proposed again when it comes back
    if `carried`.
    """

    key: str
    label: str
    type: str
    acts: tuple[str, ...] = BOTH
    first: bool = False
    fine: bool = True
    """What a box says before anybody touches it."""
    carried: bool = False


CHOICES: Mapping[str, Mapping[str, str]] = {
    "fuel": {
        "": N_("Not read"),
        "full": N_("Full"),
        "3/4": N_("Three quarters"),
        "1/2": N_("Half"),
        "1/4": N_("A quarter"),
        "reserve": N_("On reserve"),
    },
    "seal": {"": N_("No crate"), "sealed": N_("Sealed"), "opened": N_("Opened")},
}

LOST = "lost"
"""Among the facts of a return: pieces that bear a name and a price of their own, and how many are gone."""

KEYS = Item("keys", N_("Keys"), "count", carried=True)
CLEAN = Item("clean", N_("Clean"), "yes")
ITEMS: Mapping[str, tuple[Item, ...]] = {
    "vehicle": (
        Item("odometer", N_("Kilometres on the dial"), "km", first=True),
        Item("fuel", N_("Fuel gauge"), "fuel", first=True, carried=True),
        Item("driver", N_("Driver"), "words", OUT, first=True),
        Item("licence", N_("Licence seen"), "yes", OUT, first=True, fine=False),
        Item("papers", N_("Papers aboard"), "yes"),
        Item("safety", N_("Safety kit aboard: vest, triangle"), "yes"),
        Item("bodywork", N_("Bodywork and seats without a new mark"), "yes"),
        CLEAN,
        KEYS,
        Item("parking", N_("Parked where"), "words", carried=True),
        Item("passengers", N_("Passengers carried"), "count", IN),
    ),
    "cycle": (
        Item("works", N_("Tried: it works"), "yes"),
        Item("charged", N_("Battery charged"), "yes"),
        Item("safety", N_("Lock, lights and charger there"), "yes"),
        Item("bodywork", N_("Without a new mark"), "yes"),
        CLEAN,
        KEYS,
        Item("parking", N_("Parked where"), "words", carried=True),
    ),
    "room": (
        KEYS,
        Item("furniture", N_("Furniture in its place"), "yes"),
        Item("shut", N_("Lights off, heating down, doors shut"), "yes", IN),
        Item("extinguishers", N_("Extinguishers in their place"), "yes"),
        Item("waste", N_("Waste taken away"), "yes", IN),
        CLEAN,
        Item("meters", N_("Meters"), "words"),
    ),
    "equipment": (
        Item("works", N_("Tried: it works"), "yes"),
        Item("complete", N_("Contents complete"), "yes"),
        CLEAN,
        Item("seal", N_("Crate"), "seal", carried=True),
        Item("pieces", N_("Pieces counted"), "count", carried=True),
    ),
}


def sort(kind: str, plate: str) -> str:
    """Which row of ITEMS a thing is looked at by: a vehicle without a number plate is a bicycle."""
    return "cycle" if kind == "vehicle" and not plate else kind


def items(kind: str, act: str) -> tuple[Item, ...]:
    """What is looked at for a sort of thing at one of the two meetings."""
    return tuple(item for item in ITEMS[kind] if act in item.acts)


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


class MoreThanOut(Refused):
    """More came back than went out."""

    code = "more_than_out"
    sentence = N_("Only %(out)s of %(thing)s are out.")


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


def check_return(thing: str, where: str, out: int, before: Mapping[str, Any], found: Found) -> None:
    """Refuse what cannot have come back; `before` are the facts of its collection."""
    if found.quantity > out:
        raise MoreThanOut(f"{where}-quantity", thing=thing, out=out)
    then, now = before.get("odometer"), (found.facts or {}).get("odometer")
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


@dataclass(frozen=True, slots=True)
class Promise:
    """Units of a thing promised to a loan, or out with it already."""

    loan_id: int
    hold: Period
    quantity: int
    out: bool
    asked_at: datetime


def squeezed(promises: Iterable[Promise], capacity: int) -> dict[int, int]:
    """What is left to each loan that cannot keep all of its units when only `capacity` are left, by loan.

    What is out stays out; of the others, who asked first keeps first.
    """
    kept: list[Claim] = []
    left: dict[int, int] = {}
    for promise in sorted(promises, key=lambda one: (not one.out, one.asked_at, one.loan_id)):
        room = max(0, capacity - peak(kept, promise.hold))
        units = promise.quantity if promise.out else min(promise.quantity, room)
        if units < promise.quantity:
            left[promise.loan_id] = units
        if units:
            kept.append(Claim(promise.hold, units))
    return left


def free_from(promises: Iterable[Promise], capacity: int, since: datetime, until: datetime) -> datetime:
    """From when the units can be kept in: at once, or when enough of what is out has come back."""
    out = [replace(one) for one in promises if one.out]
    edges = sorted({since, *(one.hold.end for one in out if since < one.hold.end < until)})
    for start in edges:
        if peak([Claim(one.hold, one.quantity) for one in out], Period(start, until)) <= capacity:
            return start
    return until
