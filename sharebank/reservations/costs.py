"""What a loan costs, in the reader's words: before it is asked for, and on its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core import web
from sharebank.core.texts import gettext, ngettext
from sharebank.lending.prices import Deposit, Line, Quote
from sharebank.reservations.hooks import Panel
from sharebank.reservations.reading import LoanRow


class Cost(NamedTuple):
    """One line: what, how many of which unit, how much."""

    what: str
    how: str
    amount: str


_COUNTED: Mapping[str, Callable[[int], str]] = {
    "hour": lambda n: ngettext("%(n)s hour", "%(n)s hours", n, n=web.number_words(n)),
    "half_day": lambda n: ngettext("%(n)s half-day", "%(n)s half-days", n, n=web.number_words(n)),
    "day": lambda n: ngettext("%(n)s day", "%(n)s days", n, n=web.number_words(n)),
    "week_end": lambda n: ngettext("%(n)s week-end", "%(n)s week-ends", n, n=web.number_words(n)),
    "piece": lambda n: ngettext("%(n)s piece", "%(n)s pieces", n, n=web.number_words(n)),
    "person": lambda n: ngettext("%(n)s person", "%(n)s people", n, n=web.number_words(n)),
}


def _line(line: Line) -> Cost:
    counted = _COUNTED.get(line.unit)
    return Cost(
        gettext("%(thing)s: %(what)s", thing=line.thing, what=gettext(line.label))
        if line.thing
        else gettext(line.label),
        counted(line.units) if counted else "",
        web.euros_words(line.cents),
    )


def _deposit(one: Deposit, by_letter: bool) -> Cost:
    if one.kind == "waived":
        how = gettext("not asked of you")
    elif one.kind == "letter":
        how = gettext("a letter of the employer comes instead") if by_letter else gettext("or a letter of the employer")
    else:
        how = gettext("given back afterwards")
    return Cost(gettext(one.label), how, web.euros_words(one.cents))


class Costs(NamedTuple):
    """A quote in words."""

    lines: list[Cost]
    travel: list[Cost]
    deposits: list[Cost]
    total: str
    """Without kilometres and deposits."""
    estimate: str
    """With the kilometres expected; empty when none are."""
    advance: str
    dearer: bool


def words(quote: Quote, by_letter: bool = False) -> Costs:
    """A quote in the reader's words."""
    travel = [
        Cost(
            gettext("%(thing)s: kilometres", thing=one.thing),
            gettext("%(amount)s a kilometre, by the odometer", amount=web.euros_words(one.cents)),
            gettext("about %(amount)s", amount=web.euros_words(one.km * one.cents)) if one.km else "",
        )
        for one in quote.travel
    ]
    estimate = quote.total_cents + quote.estimate_cents if quote.estimate_cents else 0
    return Costs(
        [_line(line) for line in quote.lines],
        travel,
        [_deposit(one, by_letter) for one in quote.deposits],
        web.euros_words(quote.total_cents) if quote.total_cents else "",
        web.euros_words(estimate) if estimate else "",
        web.euros_words(quote.advance_cents) if quote.advance_cents else "",
        quote.dearer,
    )


def panel(_session: Session, _actor: Actor, loan: LoanRow, _now: datetime) -> Panel | None:
    """The section of a reservation's page: what it costs, as it was said when it was asked for."""
    if loan.kind != "loan":
        return None
    facts: dict[str, Any] = {"details": list(_said(loan)), "costs": None}
    if loan.quote:
        facts["costs"] = words(Quote.from_json(loan.quote), bool(loan.details.get("letter")))
    return Panel("reservations/_costs.html", facts) if facts["costs"] or facts["details"] else None


def _said(loan: LoanRow) -> Any:
    """What was said when it was asked for, label and value."""
    details = loan.details
    if loan.headcount:
        yield gettext("People"), web.number_words(loan.headcount)
    if details.get("distance_km") is not None:
        yield gettext("Distance, one way"), gettext("%(km)s km", km=web.number_words(details["distance_km"]))
    if details.get("named"):
        yield gettext("Drivers whose licence is still to be seen"), gettext(", ").join(details["named"])
    for name, label in (("collect_at", gettext("Collected on")), ("return_at", gettext("Brought back on"))):
        if details.get(name):
            at = datetime.fromisoformat(details[name])
            yield label, gettext("%(day)s at %(time)s", day=web.day_words(at), time=web.clock_words(at))
    if details.get("options"):
        yield gettext("Options"), gettext(", ").join(details["options"])
