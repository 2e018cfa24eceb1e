"""Who has to say yes, how often, until when; what an agreement is needed for; what the owner may take back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sharebank.lending.facts import Asked, Breach
from sharebank.lending.terms import Terms


@dataclass(frozen=True, slots=True)
class Approval:
    """Does somebody of the house decide, and do two have to?"""

    needed: bool
    second: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is signed: `none`, `per_loan` or `annual` (then a short form a loan), and when the loan is firm."""

    mode: str = "none"
    short_form: bool = False
    firm: str = "approval"
    """`approval`, or `signed`: only then may the thing be handed over."""


def approval(terms: Terms, asked: Asked, found: Iterable[Breach] = ()) -> Approval:
    """Decide whether the house decides: by the rule set's mode, or because a rule not kept makes it so.

    A second person decides above the hours or the headcount of the rules, whatever the mode.
    """
    rule = terms.get("approval") or {}
    mode = rule.get("mode", "none")
    needed = mode == "always" or (mode == "own_house_free" and not asked.borrower.own)
    needed = needed or any(breach.effect == "approve" for breach in found)
    hours, people = rule.get("second_above_hours"), rule.get("second_above_headcount")
    second = (hours is not None and asked.end - asked.start > timedelta(hours=hours)) or (
        people is not None and (asked.headcount or 0) > people
    )
    return Approval(needed or second, second)


def silence(terms: Terms) -> str | None:
    """What happens when nobody has decided in time: `expire`, `approve`, `decline`, `remind`, or nothing."""
    rule = terms.get("approval") or {}
    return rule.get("silence") if rule.get("silence_days") else None


def lapses_at(terms: Terms, created: datetime, start: datetime) -> datetime | None:
    """When silence takes effect, never after the loan would begin; none without such a rule."""
    if silence(terms) is None:
        return None
    return min(created + timedelta(days=terms["approval"]["silence_days"]), start)


def agreement(terms: Terms) -> Agreement:
    """What has to be signed."""
    rule = terms.get("agreement")
    return Agreement(rule["mode"], rule["short_form"], rule["firm"]) if rule else Agreement()


def recall_until(terms: Terms, start: datetime) -> datetime | None:
    """Until when the owner may take an approved loan back, giving a reason; none where the rules do not let it."""
    rule = terms.get("recall")
    return start - timedelta(days=rule["days"]) if rule else None


def undertakings(terms: Terms) -> tuple[str, ...]:
    """What the borrower has to tick: keys of `kinds.UNDERTAKINGS`."""
    return tuple((terms.get("undertakings") or {}).get("which", ()))
