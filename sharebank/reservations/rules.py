"""Availability and booking rules on plain values: no database, no clock.

One rule serves a minibus, 120 chairs and a closure: peak units in use over the period + wanted <= quantity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sharebank.core.errors import N_, Refused
from sharebank.core.overrule import Overridable
from sharebank.core.period import Period
from sharebank.lending.facts import Breach


@dataclass(frozen=True, slots=True)
class Claim:
    """`quantity` units taken over a period, buffers included."""

    period: Period
    quantity: int


@dataclass(frozen=True, slots=True)
class Use:
    """Units in use over a stretch of time during which the number does not change."""

    period: Period
    used: int


def uses(claims: Iterable[Claim]) -> list[Use]:
    """The stretches during which something is in use, merged and sorted.

    At one instant what ends goes before what starts: periods are half-open.
    """
    changes: dict[datetime, int] = {}
    for claim in claims:
        changes[claim.period.start] = changes.get(claim.period.start, 0) + claim.quantity
        changes[claim.period.end] = changes.get(claim.period.end, 0) - claim.quantity
    found: list[Use] = []
    used = 0
    since: datetime | None = None
    for at in sorted(changes):
        if changes[at] == 0:
            continue
        if used and since is not None:
            found.append(Use(Period(since, at), used))
        used += changes[at]
        since = at
    return found


def peak(claims: Iterable[Claim], over: Period) -> int:
    """The most units in use at one instant of `over`; never the sum of all that overlap it."""
    changes: list[tuple[datetime, int]] = []
    for claim in claims:
        if claim.period.overlaps(over):
            changes.append((max(claim.period.start, over.start), claim.quantity))
            changes.append((claim.period.end, -claim.quantity))
    changes.sort()
    used = highest = 0
    for _, units in changes:
        used += units
        highest = max(highest, used)
    return highest


def free_starts(
    claims: Sequence[Claim],
    quantity: int,
    wanted: int,
    hold: Period,
    *,
    reach: timedelta,
    also: Iterable[datetime] = (),
) -> Iterator[Period]:
    """Periods of `hold`'s length in which `wanted` units are free, nearest to it first, within `reach` of it.

    Only edges matter: a nearest slot starts where something ends, or ends where something starts; `also` adds
    starts that suit people for other reasons.
    """
    edges = {hold.start, *also}
    for claim in claims:
        edges.add(claim.period.end)
        edges.add(claim.period.start - hold.length)
    for start in sorted(edges, key=lambda edge: (abs(edge - hold.start), edge)):
        if abs(start - hold.start) > reach:
            return
        slot = Period(start, start + hold.length)
        if peak(claims, slot) + wanted <= quantity:
            yield slot


# -- rules of lending that are not kept --------------------------------------------------------------


class RuleBroken(Overridable):
    """Rules of lending are not kept; the message names the first of them and its rule set."""

    code = "rule_broken"
    sentence = N_("A rule of lending is not kept; the message says which, and of which rule set.")

    def __init__(self, barred: str, found: Sequence[Breach], *, overridable: bool = False) -> None:
        first = found[0]
        super().__init__(first.field, barred, overridable=overridable, **first.facts)
        self.sentence = first.sentence  # type: ignore[misc]  # the rule's own says more
        self.breaches = tuple(found)
        """All that is not kept of the thing `barred`, in the order in which people read rules."""


class TooLong(RuleBroken):
    """Longer than the rule set lets anyone keep it."""

    code = "too_long"
    sentence = N_("It is lent for some hours at most. Shorten the period, or ask for two loans.")


class TooSoon(RuleBroken):
    """Asked later than the notice the house needs."""

    code = "too_soon"
    sentence = N_("It must be asked for some days ahead; the message says from when on.")


class TooFar(RuleBroken):
    """Asked earlier than the house takes bookings."""

    code = "too_far"
    sentence = N_("It can be booked some days ahead at most; the message says until when.")


_BROKEN = {"length": TooLong, "notice": TooSoon, "advance": TooFar}


def broken(thing: str, found: Iterable[Breach], *, overridable: bool = False) -> RuleBroken | None:
    """What is said of the rules not kept of a thing (its code), or nothing when none of them refuses."""
    refusing = [breach for breach in found if breach.effect == "refuse"]
    if not refusing:
        return None
    return _BROKEN.get(refusing[0].kind, RuleBroken)(thing, refusing, overridable=overridable)


class InThePast(Refused):
    """The period has begun already."""

    code = "in_the_past"
    sentence = N_("This period has already begun. Choose a later one.")


class NotSigned(Refused):
    """By its rules a loan is firm once its agreement is signed, and not handed over before."""

    status = 409
    code = "not_signed"
    sentence = N_("%(thing)s is handed over once the agreement is signed (rules “%(rules)s”).")


class NotPromised(Refused):
    """The rules ask for a promise, and it was not given."""

    code = "not_promised"
    sentence = N_("%(thing)s is lent to those who promise: %(promises)s. Tick it (rules “%(rules)s”).")


# -- what stands in the way ------------------------------------------------------------------------


class UnknownResource(Refused):
    """No such thing in the catalogue."""

    code = "unknown_resource"
    sentence = N_("There is nothing with the code “%(value)s” in the catalogue.")


class UnknownOrganisation(Refused):
    """No such structure, or not one the actor may book for."""

    code = "unknown_organisation"
    sentence = N_("There is no structure with the code “%(value)s” for which you may book.")


class OutOfService(Refused):
    """It is not lent for now."""

    code = "inactive"
    sentence = N_("%(thing)s is out of service: it is not lent for now.")


class BadQuantity(Refused):
    """A whole number of units, at least one."""

    code = "bad_quantity"
    sentence = N_("Ask for at least one of %(thing)s.")


class NotEnough(Refused):
    """More than the house owns."""

    code = "over_quantity"
    sentence = N_("There are only %(quantity)s of these, and you ask for %(wanted)s.")


class TakenThen(Refused):
    """Somebody has it, or too many of it, at that time."""

    status = 409
    code = "taken"
    sentence = N_("Taken at that time: %(free)s free, %(wanted)s wanted.")


class NothingChosen(Refused):
    """A reservation without a thing."""

    code = "nothing_chosen"
    sentence = N_("Choose at least one thing.")


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that cannot be had: how many are free, and who has it where the actor may know."""

    resource: str
    thing: str
    wanted: int
    quantity: int
    free: int
    period: Period
    holders: tuple[str, ...] = ()
    closed: bool = False
    """Taken by a closure, not by another borrower."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """Something else that could be had instead: the same later or elsewhere."""

    resource: str
    thing: str
    house: str
    period: Period
    quantity: int
    free: int
    kind: str
    """`slot` (same thing, other time), `less` (same time, fewer), `elsewhere` (same kind, same time)."""
    instead: str = ""
    """The code of the thing that was asked for."""


class Collision(Refused):
    """Somebody has it: carries the conflicts and the ways out."""

    status = 409
    code = "overlap"
    sentence = N_("%(things)s: not free at that time. Nothing was booked.")

    def __init__(self, conflicts: Sequence[Conflict], ways_out: Sequence[WayOut] = (), **facts: Any) -> None:
        super().__init__("starts_at", things=", ".join(c.thing for c in conflicts), **facts)
        self.conflicts = tuple(conflicts)
        self.ways_out = tuple(ways_out)
