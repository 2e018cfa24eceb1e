"""What screens call an act, a requirement, and the next step of a loan."""

from __future__ import annotations

from flask_babel import gettext

from sharebank.core.errors import N_
from sharebank.reservations.reading import LoanRow

_ACTS = {
    "approve": N_("Approve"),
    "decline": N_("Decline"),
    "cancel": N_("Cancel the reservation"),
    "collect": N_("Hand over"),
    "return": N_("Take back"),
}
_REQUIREMENTS = {
    "driver_licence": N_("A driver with a valid licence is needed."),
    "liability_certificate": N_("A liability insurance certificate is needed."),
    "deposit": N_("A deposit is asked for."),
    "charter": N_("The charter applies."),
    "kitchen_training": N_("Somebody trained to use the kitchen must be there."),
}
# (state, does the reader lend) -> what comes next, in one sentence.
_NEXT = {
    ("requested", True): N_("To be decided by you."),
    ("requested", False): N_("The house decides; the slot is held for you meanwhile."),
    ("approved", True): N_("Hand it over when they come."),
    ("approved", False): N_("Collect it at the agreed time."),
    ("collected", True): N_("Take it back when they return it."),
    ("collected", False): N_("Bring it back on time."),
}


def act_words(act: str) -> str:
    """The label of the button."""
    return str(gettext(_ACTS[act]))


def requirement_words(requirement: str) -> str:
    """What a rule set asks for, as a sentence."""
    return str(gettext(_REQUIREMENTS.get(requirement, requirement)))


def next_step(loan: LoanRow, *, lends: bool) -> str | None:
    """What the reader does next, if anything."""
    sentence = _NEXT.get((loan.status, lends))
    return gettext(sentence) if sentence and loan.kind == "loan" else None
