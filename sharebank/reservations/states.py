"""The states of a reservation and what the clock asks for, on plain values: one table, no database, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sharebank.core.errors import N_, Refused

HOLDING = ("requested", "approved", "collected")
"""States in which a reservation takes units."""
CLOCK = "clock"
"""Whoever acts when nobody does."""


@dataclass(frozen=True, slots=True)
class Act:
    """A change of state: from which states, to which, who may, and what it does to the slot.

    `who` is a row of permissions' LOAN, or the clock. `of_offer` says whether it is about what is held for somebody
    who has not said yes yet (True), about what was asked for (False), or about both (None).
    """

    sources: tuple[str, ...]
    target: str
    who: str
    slot: str = "keeps"
    """`keeps` it, `frees` it, `shrinks` it (fewer units, less time) or `moves` it."""
    needs_reason: bool = False
    of_offer: bool | None = False


_ASKED = ("requested",)

LIFECYCLE = {
    # The owner decides; where the rules want two approvals, by two people.
    "approve": Act(_ASKED, "approved", "approve"),
    "approve_first": Act(_ASKED, "requested", "approve"),
    "approve_second": Act(_ASKED, "approved", "approve_second"),
    "approve_less": Act(_ASKED, "approved", "approve_less", "shrinks"),
    "propose": Act(_ASKED, "requested", "propose", "moves"),
    "decline": Act(_ASKED, "declined", "decline", "frees", needs_reason=True),
    # The borrower answers an offer: it is theirs, or it becomes a request like any other.
    "accept": Act(_ASKED, "approved", "accept", of_offer=True),
    "take": Act(_ASKED, "requested", "accept", of_offer=True),
    "refuse_offer": Act(_ASKED, "cancelled", "refuse_offer", "frees", of_offer=True),
    # Called off: by the borrower, by the house in their name; or against them, by the owner who needs it.
    "cancel": Act(("requested", "approved"), "cancelled", "cancel", "frees", of_offer=None),
    "recall": Act(("approved",), "cancelled", "recall", "frees", needs_reason=True),
    # Handed over and back.
    "collect": Act(("approved",), "collected", "collect"),
    "return": Act(("collected",), "returned", "return", "frees"),
    # Nobody answered.
    "expire": Act(_ASKED, "expired", CLOCK, "frees"),
    "silence_approves": Act(_ASKED, "approved", CLOCK),
    "silence_declines": Act(_ASKED, "declined", CLOCK, "frees"),
    "lapse": Act(_ASKED, "expired", CLOCK, "frees", of_offer=True),
}

VARIANTS = {"approve_first": "approve", "approve_second": "approve", "take": "accept"}
"""What somebody asks for by another name: the rules say which of the two it is."""


class WrongState(Refused):
    """The reservation is no longer in a state that allows this act."""

    status = 409
    code = "wrong_state"
    sentence = N_("This reservation can no longer be changed this way: it is already “%(state)s”.")


class WaitsForBorrower(WrongState):
    """Another slot was proposed, or held for somebody of the waiting list: the next word is theirs."""

    sentence = N_("This is offered to the borrower, who has not answered yet.")


class NotOffered(WrongState):
    """There is nothing to accept or refuse."""

    sentence = N_("This is not offered any more: it is “%(state)s”.")


class ReasonMissing(Refused):
    """Declining without a word leaves the other house guessing."""

    code = "reason_missing"
    sentence = N_("Say why, in a few words: the borrower will read it.")


def fits(rule: Act, state: str, offered: bool) -> bool:
    """May this act follow that state?"""
    return state in rule.sources and rule.of_offer in (None, offered)


def transition(act: str, state: str, why: str, offered: bool = False) -> str:
    """The state an act leads to; raises WrongState, WaitsForBorrower, NotOffered or ReasonMissing."""
    rule = LIFECYCLE[act]
    if not fits(rule, state, offered):
        if state in rule.sources:
            raise WaitsForBorrower(state=state) if offered else NotOffered(state=state)
        raise WrongState(state=state)
    if rule.needs_reason and not why.strip():
        raise ReasonMissing("why")
    return rule.target


# -- what the clock asks for -----------------------------------------------------------------------

REMIND_BEFORE_START = timedelta(days=1)
REMIND_BEFORE_END = timedelta(hours=2)
WORTH_A_REMINDER = timedelta(hours=6)
"""Whoever borrows for less knows when it ends."""
LATE_AFTER = timedelta(hours=1)
"""What comes back within the hour is not late enough for a letter."""
LATE_UNTIL = timedelta(days=30)
"""After so long a letter a day helps nobody: people talk."""
ANSWER_WITHIN = timedelta(days=2)
"""A request that waits longer is brought to the managers' mind."""
PROPOSAL_STANDS = timedelta(days=3)
"""How long another slot proposed by the house is held."""
OFFER_STANDS = timedelta(days=1)
"""How long a slot that came free is held for the first in line."""

SILENCE = {"expire": "expire", "approve": "silence_approves", "decline": "silence_declines"}
"""What a rule set says of requests nobody answers, and the act that makes of it."""


def lapse_of(stands: timedelta, now: datetime, starts_at: datetime) -> datetime:
    """When an offer made now ends: never after the loan itself would begin."""
    return min(now + stands, starts_at)


def due(
    state: str, offered: bool, starts_at: datetime, lapses_at: datetime | None, silence: str | None, now: datetime
) -> str | None:
    """The act the clock does now, if any; `silence` a key of SILENCE, or nothing."""
    if state != "requested":
        return None
    lapsed = lapses_at is not None and lapses_at <= now
    if offered:
        return "lapse" if lapsed or starts_at <= now else None
    if starts_at <= now:
        return "expire"
    return SILENCE.get(silence or "") if lapsed else None


def days_late(ends_at: datetime, now: datetime) -> int:
    """Whole days since it should have been back: one letter for each."""
    return (now - ends_at) // timedelta(days=1)


def reached(state: str, states: Sequence[str]) -> str:
    """The last good step before a reservation was declined, cancelled or expired."""
    good = [past for past in states if past not in ("declined", "cancelled", "expired")]
    return good[-1] if good and state not in good else "requested"
