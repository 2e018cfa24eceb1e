"""How hand-overs and charges read on screens and in letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan
from sharebank.accounts.web import me
from sharebank.catalog.models import Resource
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import N_, NotFound
from sharebank.core.texts import gettext
from sharebank.lending.charges import KINDS
from sharebank.lending.saying import unpack
from sharebank.reservations.handover import charges, handover, handover_damage, handover_day, handover_stock
from sharebank.reservations.handover.handover import Sheet
from sharebank.reservations.handover.handover_damage import Kept
from sharebank.reservations.handover.handover_hits import Repair
from sharebank.reservations.handover.handover_items import CHOICES, LOST, Item, items, sort
from sharebank.reservations.handover.handover_models import Charge, Handover, HandoverLine, HandoverPhoto
from sharebank.reservations.hooks import Panel
from sharebank.reservations.reading import LoanRow
from sharebank.reservations.words import done_words

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
        return done_words(act, sheet.loan.status)
    rest = ", ".join(f"{web.number_words(line.quantity)} × {line.name}" for line in sheet.to_fill)
    return str(gettext("Kept. Still out: %(things)s.", things=rest))


def kept_in(kept: Kept, thing: str) -> str:
    """What has just been done; of what none is left, that it is out of service."""
    if kept.fewer:
        return str(gettext("%(thing)s: %(n)s fewer from now on.", thing=thing, n=web.number_words(kept.fewer)))
    return str(gettext("%(thing)s is out of service.", thing=thing))


def repair_url(ref: str, repair: Repair) -> str:
    """The page that shows whom it hits, and asks."""
    page = "write_off" if repair.gone else "keep_in"
    return url_for(f"reservations.{page}", ref=ref, code=repair.code)


@dataclass(frozen=True, slots=True)
class Told:
    """What was wrong with a thing when it changed hands, or said of it; and whether a charge of it may follow."""

    line: HandoverLine
    words: str
    chargeable: bool


def told(meetings: Sequence[Handover], charged: Iterable[Charge], may_add: bool) -> dict[int, list[Told]]:
    """By meeting: only what is out of the ordinary. What is charged already is not offered again."""
    owed: dict[tuple[int | None, str], set[str]] = {}
    for one in charged:
        whole = one.sentence == charges.FOUND  # staff looked at all of it, as it came back then
        where = one.handover_id if whole else None, one.facts.get("thing", "")
        owed.setdefault(where, set()).update(KINDS if whole else (one.kind,))
    found: dict[int, list[Told]] = {}
    for meeting in meetings:
        for line in meeting.lines:
            if words := _told(line):
                left = _faults(line).difference(
                    *(owed.get((where, line.resource.name), ()) for where in (None, meeting.id))
                )
                found.setdefault(meeting.id, []).append(
                    Told(line, words, may_add and meeting.kind == "return" and bool(left))
                )
    return found


def _told(line: HandoverLine) -> str:
    return " – ".join(filter(None, (" · ".join(_wrong(line)), line.note)))


def _faults(line: HandoverLine) -> set[str]:
    """Kinds of charges (`lending.charges.KINDS`) that what was found may ask for; a remark alone may be of damage."""
    unticked = {item.key for item in _unticked(line)}
    kinds = {"loss": line.missing or line.facts.get(LOST), "cleaning": line.dirty or "clean" in unticked}
    found = {kind for kind, told in kinds.items() if told}
    return found | {"damage"} if line.broken or unticked - {"clean"} or not found else found


def line_back(sheet: Sheet, number: str | None) -> HandoverLine | None:
    """The line of a return that an address names, if it names one; raises NotFound."""
    if number is None:
        return None
    back = (line for meeting in sheet.meetings if meeting.kind == "return" for line in meeting.lines)
    line = next((line for line in back if str(line.id) == number), None)
    if line is None:
        raise NotFound
    return line


def noticed(sheet: Sheet, line: HandoverLine) -> str:
    """What a charge of it may say, to be written on, no longer than its form allows; of which thing, if several."""
    words = _told(line)
    words = f"{line.resource.name} – {words}" if len(sheet.lines) > 1 else words
    return words[: charges.MOST_WORDS].rstrip()


def rows(meeting: Handover) -> list[tuple[HandoverLine, list[str], list[tuple[str, str]]]]:
    """Each thing of a meeting: what was wrong, in words, and what was looked at, as label and value."""
    return [(line, _wrong(line), _looked(line, meeting.kind)) for line in meeting.lines]


def _wrong(line: HandoverLine) -> list[str]:
    counts = {name: getattr(line, name) for name in TROUBLE}
    found = [gettext(TROUBLE[name], n=web.number_words(n)) for name, n in counts.items() if n]
    found += [
        gettext("%(n)s × %(name)s missing", n=web.number_words(n), name=name)
        for name, n in line.facts.get(LOST, {}).items()
    ]
    return [str(each) for each in (*found, *(gettext(item.wrong) for item in _unticked(line)))]


def _unticked(line: HandoverLine) -> list[Item]:
    return [item for item in _items(line, "return") if item.wrong and line.facts.get(item.key) is False]


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


def stock_of(thing: Resource) -> Mapping[str, Any]:
    """What left the stock of a thing and came back, and what has not yet, for the page of the thing."""
    changes = handover_stock.trace(db.session(), me(), thing)
    return {"changes": changes, "gone": handover_stock.gone(db.session(), thing.id) if changes else 0}


def panel(session: Session, actor: Actor, loan: LoanRow, now: datetime) -> Panel | None:
    """What changed hands, what is owed, and what comes next: a section of a reservation's page."""
    if loan.kind != "loan" or loan.status not in ("approved", "collected", *OVER):
        return None
    lends = may_loan(actor, "return", loan)
    sheet = handover.sheet(session, actor, loan.ref)
    if not sheet.meetings and loan.status == "approved" and not lends:
        return None
    bill = charges.bill(session, loan) if loan.status in OVER else None
    back = loan.status == "returned" or any(meeting.kind == "return" for meeting in sheet.meetings)
    may_add = lends and loan.status == "returned" and _in_time(loan, now)
    facts = {
        "loan": loan,
        "meetings": sheet.meetings,
        "told": told(sheet.meetings, bill.charges if bill else (), may_add),
        "rest": _rest(sheet),
        "bill": bill,
        "lends": lends,
        "may_add": may_add,
        "pending": handover_damage.pending(session, loan.id) if lends else (),
        "pools": [line for line in sheet.lines if line.pool] if lends and back else (),
    }
    if not (sheet.meetings or facts["pending"] or facts["pools"] or facts["may_add"] or (bill and bill.charges)):
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
