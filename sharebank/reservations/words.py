"""What screens call an act, and the next step of a loan."""

from __future__ import annotations

from sharebank.core.errors import N_
from sharebank.core.texts import gettext
from sharebank.reservations.reading import LoanRow

_ACTS = {
    "approve": N_("Approve"),
    "decline": N_("Decline"),
    "accept": N_("Take it"),
    "refuse_offer": N_("No, thank you"),
    "cancel": N_("Cancel the reservation"),
    "recall": N_("Take it back"),
    "collect": N_("Hand over"),
    "return": N_("Take back"),
}
# The state an act has led to; where it stays a request, the act.
_DONE = {
    "approve": N_("Your approval is noted: a second person has to approve it too."),
    "accept": N_("Your answer is noted: the house decides now."),
    "approved": N_("The request is approved."),
    "declined": N_("The request is declined."),
    "cancelled": N_("It is cancelled."),
    "collected": N_("The hand-over is noted."),
    "returned": N_("The return is noted."),
}
# (state, does the reader lend) -> what comes next, in one sentence.
_NEXT = {
    ("offered", True): N_("The borrower says yes or no."),
    ("offered", False): N_("Say yes or no: it is held for you meanwhile."),
    ("approved once", True): N_("A second person approves it."),
    ("approved once", False): N_("One person of the house has approved it; a second one has to."),
    ("requested", True): N_("To be decided by you."),
    ("requested", False): N_("The house decides; the slot is held for you meanwhile."),
    ("approved", True): N_("Hand it over when they come."),
    ("approved", False): N_("Collect it at the agreed time."),
    ("to be signed", True): N_("Wait for the signature: it is handed over once the agreement is signed."),
    ("to be signed", False): N_("Sign the agreement: it is handed over to you after that."),
    ("collected", True): N_("Take it back when they return it."),
    ("collected", False): N_("Bring it back on time."),
}


def act_words(act: str) -> str:
    """The label of the button."""
    return str(gettext(_ACTS[act]))


def done_words(act: str, status: str) -> str:
    """What has just happened, in one sentence."""
    return str(gettext(_DONE.get(status) or _DONE[act]))


def next_step(loan: LoanRow, *, lends: bool, to_sign: bool = False) -> str | None:
    """What the reader does next, if anything; `to_sign`: it is not handed over before the agreement is signed."""
    stage = "offered" if loan.offered else "approved once" if loan.approved_once_by_id else "requested"
    stage = {"requested": stage, "approved": "to be signed" if to_sign else "approved"}.get(loan.status, loan.status)
    sentence = _NEXT.get((stage, lends))
    return gettext(sentence) if sentence and loan.kind == "loan" else None
