"""Drafting: what is known of a loan, its parties and their insurances, put into the places of a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.accounts.models import Organisation
from sharebank.agreements import french, insured, priced
from sharebank.agreements.markup import BLANK, Json, fill, parse
from sharebank.agreements.models import AgreementTemplate
from sharebank.agreements.priced import Price, table
from sharebank.catalog import attributes
from sharebank.catalog.models import Resource
from sharebank.core.period import Period, to_local, wall_length
from sharebank.insurance.models import Driver

_TEXTS = Path(__file__).with_name("texts")


@dataclass(frozen=True, slots=True)
class Subject:
    """What an agreement is about; times are wall times."""

    kind: str
    lender: Organisation
    borrower: Organisation
    start: datetime
    end: datetime
    length: str
    purpose: str = ""
    things: Sequence[tuple[Resource, int]] = ()
    headcount: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    prices: Sequence[Price] = ()
    """Each price there is: of a series some dates may have their own."""
    rhythm: str = ""
    dates: Sequence[date] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when it is issued, by whom, under which number, and what it belongs to."""

    number: str
    day: date
    issuer: str = ""
    first_number: str = ""
    first_day: date | None = None
    amendment: int = 0


def wall_period(period: Period, tz: ZoneInfo) -> tuple[datetime, datetime, str]:
    """Both ends on the wall, and how long that is in words."""
    return to_local(period.start, tz), to_local(period.end, tz), french.duration(wall_length(period, tz))


# -- templates -------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def shipped(kind: str) -> str:
    """The text that comes with the application: version 0."""
    return (_TEXTS / f"{kind}.txt").read_text("utf-8")


def template_of(session: Session, kind: str) -> tuple[int, str]:
    """The version in force and its text."""
    query = select(AgreementTemplate.version, AgreementTemplate.body).where(AgreementTemplate.kind == kind)
    found = session.execute(query.order_by(AgreementTemplate.version.desc()).limit(1)).one_or_none()
    return (found[0], found[1]) if found else (0, shipped(kind))


# -- the draft -------------------------------------------------------------------------------------


def draft(session: Session, subject: Subject, place: Place, body: str) -> Json:
    """The whole text as plain values, ready to be frozen: what the press prints but for its foot."""
    parts = parse(body, short=subject.kind == "short")
    blocks = fill(parts, _texts(session, subject, place), _blocks(session, subject, place))
    title = "".join(text for text, _bold in blocks[0]["runs"])
    return {
        "title": f"{title} – {place.number}",
        "author": subject.lender.name,
        "number": place.number,
        "blocks": [blocks[0], {"t": "p", "runs": [[f"N°\u00a0{place.number}", True]]}, *blocks[1:]],
    }


def document(content: Json, text_sha256: str, *, draft: str = "") -> Json:
    """A frozen text with its foot, or the word that says it is no more than a draft."""
    foot = f"{content['number']} – empreinte du texte (SHA-256)\u00a0: {text_sha256}"
    return {**content, "foot": foot, "draft": draft}


def _texts(session: Session, subject: Subject, place: Place) -> dict[str, str]:
    rooms = [thing for thing, _count in subject.things if thing.kind == "room"]
    capacity = sum(room.capacity or 0 for room in rooms)
    keys = sum(
        int(found) for room in rooms if (found := room.attributes.get("keys", "")).isdecimal() and len(found) < 4
    )
    people = ("personne", "personnes")
    return {
        "number": place.number,
        "lender": subject.lender.name,
        "borrower": subject.borrower.name,
        "purpose": subject.purpose,
        "start": french.day(subject.start.date())
        if subject.dates or not subject.things
        else french.moment(subject.start),
        "end": french.day(subject.end.date()) if subject.dates or not subject.things else french.moment(subject.end),
        "duration": subject.length,
        "rhythm": subject.rhythm,
        "year": str(subject.start.year),
        "headcount": french.counted(subject.headcount, *people) if subject.headcount else "",
        "drivers": _drivers(session, subject.details),
        "pickup": _pickup(subject.details),
        "deposit": _deposits(subject),
        "total": priced.total(subject.prices),
        "free": priced.free(subject.prices),
        "capacity": french.counted(capacity, *people) if capacity else "",
        "keys": french.number(keys) if keys else "",
        "first_number": place.first_number,
        "first_day": french.day_short(place.first_day) if place.first_day else "",
        "rank": str(place.amendment or 1),
        "place": subject.lender.city,
        "day": french.day_short(place.day),
    }


def _drivers(session: Session, details: Mapping[str, Any]) -> str:
    """From the register with the class of their licence, and those whose names were typed."""
    ids = [one for one in details.get("drivers", ()) if isinstance(one, int)]
    query = select(Driver.name, Driver.licence_class).where(Driver.id.in_(ids)).order_by(Driver.name)
    known = [f"{name} (permis {licence})" for name, licence in session.execute(query)] if ids else []
    return french.listed([*known, *map(str, details.get("named", ()))])


def _pickup(details: Mapping[str, Any]) -> str:
    said = []
    for name, word in (("collect_at", "retrait"), ("return_at", "restitution")):
        try:
            said.append(f"{word} {french.moment(datetime.fromisoformat(str(details[name])))}")
        except (KeyError, ValueError):
            continue
    return ", ".join(said)


def _deposits(subject: Subject) -> str:
    quoted = [price.deposits for price in subject.prices if price.deposits is not None]
    if quoted:
        asked = max(quoted, key=lambda some: sum(one.cents for one in some))
        said = priced.deposits(asked)
    else:
        cents = sum((thing.deposit_cents or 0) * count for thing, count in subject.things)
        said = french.euros(cents) if cents else ""
    # What an addendum leaves out stays as it was.
    return said or "aucune" * (subject.kind == "addendum")


def _blocks(session: Session, subject: Subject, place: Place) -> dict[str, list[Json]]:
    sides = (
        ("le prêteur", "l’emprunteur") if subject.kind != "cooperation" else ("la première maison", "la seconde maison")
    )
    parties = (subject.lender, subject.borrower)
    return {
        "parties": [
            _party("Entre\u202f: ", subject.lender, sides[0], ","),
            _party("et\u202f: ", subject.borrower, sides[1], "."),
        ],
        "things": _things(subject),
        "rooms": [_room(thing) for thing, _count in subject.things if thing.kind == "room"],
        "dates": _dates(subject.dates),
        "prices": priced.tables(subject.prices),
        "insurances": [table(insured.HEAD, _insurances(session, subject), (3, 2.4, 3, 2.4, 2))],
        "signatures": [
            {
                "t": "sign",
                "boxes": [
                    _box(
                        side,
                        body,
                        subject.lender.city,
                        f"Validé en ligne par {place.issuer}" * (bool(place.issuer) and not at),
                    )
                    for at, (side, body) in enumerate(zip(sides, parties, strict=True))
                ],
            }
        ],
    }


def seat(body: Organisation) -> str:
    """Where it has its seat, on one line; empty when nobody said."""
    return ", ".join(filter(None, (body.address, f"{body.postal_code} {body.city}".strip())))


def _party(word: str, body: Organisation, side: str, end: str) -> Json:
    described = (
        f", dont le siège est situé {seat(body) or BLANK}, SIRET {french.siret(body.siret) or BLANK}, représentée par "
    )
    office = f", {body.office}" if body.office else f", en qualité de {BLANK}"
    runs = [[word, False], [body.name, True], [described, False], [body.represented_by or BLANK, True]]
    return {"t": "p", "runs": [*runs, [f"{office}, ci-après «\u202f{side}\u202f»{end}", False]]}


def _box(side: str, body: Organisation, city: str, note: str) -> list[str]:
    office = f", {body.office}" if body.office else ""
    lines = [f"Pour {side}", body.name, f"{body.represented_by or BLANK}{office}"]
    return [*lines, f"À {city or BLANK}, le {BLANK[:12]}", *([note] if note else []), "Signature\u202f:"]


def _things(subject: Subject) -> list[Json]:
    rows = [
        [
            thing.code,
            thing.name + (f", immatriculé {thing.plate}" if thing.plate else ""),
            french.number(count),
            french.euros(thing.replacement_value_cents) if thing.replacement_value_cents else "–",
        ]
        for thing, count in subject.things
        if thing.kind != "room"
    ]
    head = ("Référence", "Désignation", "Quantité", "Valeur de remplacement (l’unité)")
    return [table(head, rows, (2, 5, 1.4, 2.6), (2, 3))] if rows else []


def _room(room: Resource) -> Json:
    shown = attributes.shown(room.attributes, french.say, french.number)
    keys = french.say(attributes.LABELS["keys"][0])
    equipment = (f"{label}\u202f: {value}" for label, value in shown if label != keys)
    pairs = (
        ("Référence", room.code),
        ("Description", room.description),
        ("Situation", room.location),
        ("Surface", f"{french.number(room.area_m2)}\u00a0m²" if room.area_m2 else ""),
        ("Capacité", french.counted(room.capacity, "personne", "personnes") if room.capacity else ""),
        ("Équipement", " ; ".join(equipment).replace(" ;", "\u202f;")),
        ("Clés remises", room.attributes.get("keys", "")),
    )
    return {"t": "facts", "name": room.name, "pairs": [list(pair) for pair in pairs if pair[1]]}


def _dates(days: Sequence[date]) -> list[Json]:
    if not days:
        return []
    count = french.counted(len(set(days)), "date prévue", "dates prévues")
    return [
        {"t": "p", "runs": [[f"{count}\u202f:", False]]},
        table(("Mois", "Jours"), french.months(days), (1, 4)),
    ]


def _insurances(session: Session, subject: Subject) -> list[list[str]]:
    things = [thing.id for thing, _count in subject.things]
    days = subject.start.date(), subject.end.date()
    return insured.rows(session, subject.lender, subject.borrower, things, *days)
