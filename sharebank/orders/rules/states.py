"""The life of a group order, as one table; and what the clock asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sharebank.core.errors import N_, Refused, Word

WORDS = {
    "draft": N_("Being prepared"),
    "open": N_("Open for pledges"),
    "closed": N_("Pledging closed"),
    "sent": N_("Sent to the supplier"),
    "received": N_("Delivered"),
    "settled": N_("Shared out"),
    "cancelled": N_("Cancelled"),
}
"""The states, as screens name them."""
STATES = tuple(WORDS)


@dataclass(frozen=True, slots=True)
class Act:
    """From which states, to which; whether a reason must be given."""

    sources: tuple[str, ...]
    target: str
    needs_reason: bool = False


ACTS = {
    "open": Act(("draft",), "open"),
    "extend": Act(("open", "closed"), "open", needs_reason=True),
    "close": Act(("open",), "closed"),
    "send": Act(("closed",), "sent"),
    "receive": Act(("sent",), "received"),
    "settle": Act(("received",), "settled"),
    "cancel": Act(("draft", "open", "closed", "sent"), "cancelled", needs_reason=True),
}

REOPENED = {"closed": "open", "sent": "open", "received": "sent", "settled": "received"}
"""Where "reopen" leads back to: what was pledged, sent, received and settled before is kept as a version."""


class WrongOrderState(Refused):
    """The order is no longer in a state that allows this act."""

    status = 409
    code = "wrong_state"
    sentence = N_("This group order can no longer be changed this way: it is already “%(state)s”.")


class OrderLeaving(Refused):
    """What is on its way to the supplier stays as it is."""

    status = 409
    code = "order_leaving"
    sentence = N_(
        "This group order is on its way to the supplier: hold its letter back first, or wait until it is sent."
    )


class OrderReasonMissing(Refused):
    """Those who pledged read why."""

    code = "reason_missing"
    sentence = N_("Say why, in a few words: those who pledged will read it.")


class ClosesTooEarly(Refused):
    """An order that is open closes later than now, and than it opens."""

    code = "closes_too_early"
    sentence = N_("Choose a closing time to come.")


def transition(act: str, state: str, why: str = "") -> str:
    """The state an act leads to; raises WrongOrderState or OrderReasonMissing."""
    if act == "reopen":
        if state not in REOPENED:
            raise WrongOrderState(state=Word(WORDS[state]))
        return REOPENED[state]
    rule = ACTS[act]
    if state not in rule.sources:
        raise WrongOrderState(state=Word(WORDS[state]))
    if rule.needs_reason and not why.strip():
        raise OrderReasonMissing("why")
    return rule.target


REMIND_BEFORE = (timedelta(days=3), timedelta(days=1))
"""Those who have not pledged are written to so long before the close."""


def reminder_due(closes_at: datetime, now: datetime) -> int | None:
    """Days of the reminder that is due: the nearest one only, after an outage too; none once it closed."""
    due = [before.days for before in REMIND_BEFORE if closes_at - before <= now < closes_at]
    return min(due, default=None)
