"""How hand-overs and charges read on screens and in letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan
from sharebank.accounts.web import me
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import N_
from sharebank.core.texts import gettext
from sharebank.lending.saying import unpack
from sharebank.reservations.handover import charges, handover, handover_damage, handover_day
from sharebank.reservations.handover.handover import Sheet
from sharebank.reservations.handover.handover_models import Handover, HandoverLine, HandoverPhoto
from sharebank.reservations.handover.handover_rules import CHOICES, Item, items, sort
from sharebank.reservations.hooks import Panel
from sharebank.reservations.reading import LoanRow

OVER = ("returned", "cancelled")
"""States after which something may be owed."""
TROUBLE = {
    "missing": N_("%(n)s missing or lost"),
    "broken": N_("%(n)s broken or damaged"),
    "dirty": N_("%(n)s left dirty"),
}


def said(charge: Any) -> str:
    """Why a charge is what it is, in the reader's language; of a row, or of `[sentence, facts, …]` in a letter."""
    sentence, facts = (charge[0], charge[1]) if isinstance(charge, list) else (charge.sentence, charge.facts)
    return web.say(unpack({"said": sentence, "facts": facts}))


def filled(actor: Actor) -> dict[str, Any]:
    """What a form says before anybody typed: who stands at the counter is known, the other signs by typing."""
    return {"staff_name": actor.name}


def done(sheet: Sheet, act: str) -> str:
    """What has just happened, and what is still out."""
    if sheet.loan.status != "collected" or act == "collect":
        return str(gettext("Done: %(state)s.", state=web.state_word(sheet.loan.status)))
    rest = ", ".join(f"{web.number_words(line.quantity)} × {line.name}" for line in sheet.to_fill)
    return str(gettext("Kept. Still out: %(things)s.", things=rest))


def rows(meeting: Handover) -> list[tuple[HandoverLine, list[str], list[tuple[str, str]]]]:
    """Each thing of a meeting: what was wrong, in words, and what was looked at, as label and value."""
    return [(line, _wrong(line), _looked(line, meeting.kind)) for line in meeting.lines]


def _wrong(line: HandoverLine) -> list[str]:
    counts = {name: getattr(line, name) for name in TROUBLE}
    found = [gettext(TROUBLE[name], n=web.number_words(n)) for name, n in counts.items() if n]
    unticked = [item for item in _items(line, "return") if item.type == "yes"]
    found += [
        gettext("Not: %(what)s", what=gettext(item.label)) for item in unticked if line.facts.get(item.key) is False
    ]
    return [str(each) for each in found]


def _items(line: HandoverLine, act: str) -> Sequence[Item]:
    return items(sort(line.resource.kind, line.resource.plate), act)


def _looked(line: HandoverLine, act: str) -> list[tuple[str, str]]:
    asked = _items(line, act)
    return [(gettext(item.label), _value(item, line.facts[item.key])) for item in asked if item.key in line.facts]


def _value(item: Item, value: Any) -> str:
    match item.type:
        case "yes":
            return str(gettext("Yes") if value else gettext("No"))
        case "count" | "km":
            return web.number_words(value)
        case "words":
            return str(value)
    return str(gettext(CHOICES[item.type].get(value, value)))


def photo_url(photo: HandoverPhoto, *, small: bool) -> str:
    """Where a photo is; its address names its content."""
    return url_for("reservations.handover_photo", shot_id=photo.id, mark=photo.sha256[:8], small=small)


def thing_now(code: str) -> Mapping[str, Any]:
    """Who has a thing and who comes for it, with what the reader may do about it, for the page of the thing."""
    actor = me()
    now = handover_day.whereabouts(db.session(), actor, code, clock.now())
    hands = {loan.ref for loan in (*now.have, *now.soon) if may_loan(actor, "collect", loan)}
    return {"have": now.have, "soon": now.soon, "out": now.out, "hands": hands, "at": clock.now()}


def panel(session: Session, actor: Actor, loan: LoanRow, now: datetime) -> Panel | None:
    """What changed hands, what is owed, and what comes next: a section of a reservation's page."""
    if loan.kind != "loan" or loan.status not in ("approved", "collected", *OVER):
        return None
    lends = may_loan(actor, "return", loan)
    sheet = handover.sheet(session, actor, loan.ref)
    if not sheet.meetings and loan.status == "approved" and not lends:
        return None
    bill = charges.bill(session, loan) if loan.status in OVER else None
    facts = {
        "loan": loan,
        "meetings": sheet.meetings,
        "rest": _rest(sheet),
        "bill": bill,
        "lends": lends,
        "may_add": lends and loan.status == "returned" and _in_time(loan, now),
        "pending": handover_damage.pending(session, loan.id) if lends else (),
    }
    if not (sheet.meetings or facts["pending"] or facts["may_add"] or (bill and bill.charges)):
        return None
    return Panel("reservations/handover_panel.html", facts)


def _rest(sheet: Sheet) -> Sequence[Any]:
    """What is still out of a loan of which some came back."""
    some = any(meeting.kind == "return" for meeting in sheet.meetings)
    return sheet.to_fill if some and sheet.loan.status == "collected" else ()


def _in_time(loan: LoanRow, now: datetime) -> bool:
    """May a fault still be charged by the longest that any rules give? The rules of the loan have the last word."""
    returned = next((event.at for event in reversed(loan.events) if event.to == "returned"), None)
    return returned is not None and now <= returned + timedelta(days=charges.MOST_FAULT_DAYS)
