"""The states of a reservation and what the clock asks for, on plain values: one table, no database, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sharebank.core.errors import N_, Refused

HOLDING = ("requested", "approved", "collected")
"""States in which a reservation takes units."""


@dataclass(frozen=True, slots=True)
class Act:
    """A change of state: from which states, to which, and whether a reason must be given."""

    sources: tuple[str, ...]
    target: str
    needs_reason: bool = False


LIFECYCLE = {
    "approve": Act(("requested",), "approved"),
    "decline": Act(("requested",), "declined", needs_reason=True),
    "cancel": Act(("requested", "approved"), "cancelled"),
    "collect": Act(("approved",), "collected"),
    "return": Act(("collected",), "returned"),
}


class WrongState(Refused):
    """The reservation is no longer in a state that allows this act."""

    status = 409
    code = "wrong_state"
    sentence = N_("This reservation can no longer be changed this way: it is already “%(state)s”.")


class ReasonMissing(Refused):
    """Declining without a word leaves the other house guessing."""

    code = "reason_missing"
    sentence = N_("Say why, in a few words: the borrower will read it.")


def transition(act: str, state: str, why: str) -> str:
    """The state an act leads to; raises WrongState or ReasonMissing."""
    rule = LIFECYCLE[act]
    if state not in rule.sources:
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


def days_late(ends_at: datetime, now: datetime) -> int:
    """Whole days since it should have been back: one letter for each."""
    return (now - ends_at) // timedelta(days=1)


def reached(state: str, states: Sequence[str]) -> str:
    """The last good step before a reservation was declined, cancelled or expired."""
    good = [past for past in states if past not in ("declined", "cancelled", "expired")]
    return good[-1] if good and state not in good else "requested"
