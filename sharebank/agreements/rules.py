"""What agreements go by, on plain values: their kinds and numbers, what a text weighs, what may be printed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sharebank.core.errors import N_, Refused

KINDS: dict[str, str] = {
    "loan": N_("Loan of equipment"),
    "weekly": N_("Regular loan: a series"),
    "room": N_("Room"),
    "cooperation": N_("Cooperation between houses"),
    "annual": N_("Annual agreement"),
    "short": N_("Short form under an annual agreement"),
    "addendum": N_("Addendum"),
}
STATUS = {
    "issued": N_("To be signed"),
    "signed": N_("Signed"),
    "void": N_("Without object"),
}
WAYS = {
    "online": N_("accepted online"),
    "scan": N_("signed copy sent in"),
    "paper": N_("signed on paper, recorded by the house"),
}
SHORT = ("short",)
"""Kinds that need no signature of their own."""


class NothingToSign(Refused):
    """It was signed already, or nothing is left to sign for."""

    status = 409
    code = "nothing_to_sign"
    sentence = N_("This agreement is not waiting for a signature any more.")


class NotTheText(Refused):
    """Somebody may only say yes to what they have read."""

    status = 409
    code = "not_the_text"
    sentence = N_("The agreement has changed since you opened it. Read it again, please.")


class NameMissing(Refused):
    """A signature is a name."""

    code = "name_missing"
    sentence = N_("Type your first and last name.")


class NotReady(Refused):
    """Nobody has decided on the loan yet, or it is over."""

    status = 409
    code = "no_agreement_now"
    sentence = N_("An agreement is made once the loan is approved, and before it is over.")


class OwnHouse(Refused):
    """Nobody makes an agreement with themselves."""

    code = "own_house"
    sentence = N_("An agreement takes two parties.")


class NotAHouse(Refused):
    """Houses cooperate; with others a year's agreement does."""

    code = "not_a_house"
    sentence = N_("A cooperation is agreed between two houses.")


# -- which kind ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What rules ask for: an agreement a loan (`per_loan`), one a year (`annual`), or none."""

    mode: str = "none"
    short_form: bool = True


def wanted(asked: Iterable[tuple[str, bool]]) -> Wanted:
    """Of several things with their own rules (mode, short form): a loan that needs one of its own has one."""
    asked = list(asked)
    modes = {mode for mode, _short in asked}
    if "per_loan" in modes:
        return Wanted("per_loan")
    if "annual" in modes:
        return Wanted("annual", any(short for mode, short in asked if mode == "annual"))
    return Wanted()


def kind_of(thing_kinds: Iterable[str], *, in_series: bool) -> str:
    """Which model fits: what comes back each week, a room, or things lent once."""
    if in_series:
        return "weekly"
    return "room" if "room" in set(thing_kinds) else "loan"


def number_of(house: str, year: int, sequence: int) -> str:
    """`C-MCNG-2026-0007`."""
    return f"C-{house}-{year}-{sequence:04d}"


def basis_of(when: Sequence[str], wants: Iterable[tuple[str, int]], price: Sequence[Any] | None = None) -> str:
    """A mark of the period (or the rhythm), the units of each thing and the price: another mark, another agreement."""
    facts = {"when": list(when), "wants": sorted(map(list, wants))}
    return weigh(facts if price is None else {**facts, "price": price})


def period_basis(
    starts_at: datetime, ends_at: datetime, wants: Iterable[tuple[str, int]], price: Sequence[Any] | None = None
) -> str:
    """The same of one loan."""
    return basis_of([starts_at.isoformat(), ends_at.isoformat()], wants, price)


def weigh(content: Any) -> str:
    """SHA-256 of plain values, in one canonical form."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


UNDER_WAY = ("approved", "collected")
"""States of a loan in which an agreement may be made."""
