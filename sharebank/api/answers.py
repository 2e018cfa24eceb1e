"""What the API says of things, loans and conflicts; instants are UTC, written `2026-11-28T13:00:00Z`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sharebank.accounts.actor import Actor
from sharebank.catalog.service import Thing
from sharebank.core import web
from sharebank.insurance.models import Coverage
from sharebank.insurance.rules import standing
from sharebank.notifications.outbox import LetterRow
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.reading import LoanRow
from sharebank.reservations.rules import Conflict, Use, WayOut
from sharebank.reservations.searching import Offer

Fields = dict[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8; half a character that came in does not go out."""
    return _encode(value).encode("utf-8", "replace")


def instant(at: datetime) -> str:
    """A UTC instant as RFC 3339."""
    return f"{at.isoformat()[:19]}Z"


def resource_out(thing: Thing) -> Fields:
    """One resource of the catalogue."""
    return {
        "code": thing.code,
        "house": thing.house,
        "kind": thing.kind,
        "category": thing.category,
        "name": thing.name,
        "quantity": thing.quantity,
        "location": thing.location,
        "capacity": thing.capacity,
        "seats": thing.seats,
        "in_service": thing.in_service,
        "out_of_service_reason": thing.out_of_service_reason,
        "deposit_cents": thing.deposit_cents,
        "rules": {
            "name": thing.rules,
            "approval": thing.approval,
            "requires": list(thing.requires),
            "min_notice_days": thing.limits.min_notice_days,
            "max_advance_days": thing.limits.max_advance_days,
            "max_duration_hours": thing.limits.max_duration_hours,
            "buffer_before_min": thing.limits.buffer_before_min,
            "buffer_after_min": thing.limits.buffer_after_min,
        },
    }


def offer_out(offer: Offer) -> Fields:
    """One resource, with how it stands for a period."""
    said: Fields = {**resource_out(offer.thing), "free": offer.free, "outside_hours": offer.outside_hours}
    if offer.why_not:
        said["reason"] = web.say(offer.why_not)
    return said


def use_out(use: Use, quantity: int) -> Fields:
    """A stretch of time during which something is in use."""
    return {
        "starts_at": instant(use.period.start),
        "ends_at": instant(use.period.end),
        "used": use.used,
        "quantity": quantity,
    }


def loan_out(loan: LoanRow) -> Fields:
    """A reservation as it is stored."""
    return {
        "ref": loan.ref,
        "kind": loan.kind,
        "lender": loan.lender,
        "borrower": loan.borrower,
        "status": loan.status,
        "purpose": loan.purpose,
        "public": loan.public,
        "starts_at": instant(loan.starts_at),
        "ends_at": instant(loan.ends_at),
        "lines": [{"resource": line.resource, "quantity": line.quantity} for line in loan.lines],
        "events": [{"at": instant(e.at), "by": e.by, "to": e.to, "why": e.why} for e in loan.events],
    }


def booked_out(booked: Sequence[Booked], ask: Ask, actor: Actor, now: datetime) -> list[Fields]:
    """Reservations just made: the same as reading them back, without reading them back."""
    starts_at, ends_at, at = instant(ask.period.start), instant(ask.period.end), instant(now)
    return [
        {
            "ref": one.ref,
            "kind": "loan",
            "lender": one.lender,
            "borrower": ask.organisation,
            "status": one.status,
            "purpose": ask.purpose,
            "public": ask.public,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "lines": [{"resource": thing.code, "quantity": quantity} for thing, quantity in one.things],
            "events": [{"at": at, "by": actor.name, "to": one.status, "why": one.why}],
        }
        for one in booked
    ]


def letter_out(letter: LetterRow) -> Fields:
    """A letter of the outbox; what it says stays with its reader."""
    return {
        "id": letter.id,
        "template": letter.template,
        "state": letter.state,
        "to": letter.to_address,
        "subject": letter.subject,
        "created_at": instant(letter.created_at),
        "due_at": instant(letter.due_at),
        "sent_at": instant(letter.sent_at) if letter.sent_at else None,
        "attempts": letter.attempts,
        "error": letter.error,
    }


def coverage_out(one: Coverage, today: date) -> Fields:
    """An insurance, an inspection or a check, and how it stands today."""
    return {
        "id": one.id,
        "holder": one.holder.code,
        "kind": one.kind,
        "body": one.body,
        "contract_number": one.contract_number,
        "covers": [thing.code for thing in one.things],
        "starts_on": one.starts_on and one.starts_on.isoformat(),
        "ends_on": one.ends_on and one.ends_on.isoformat(),
        "state": standing(one.ends_on, today),
        "responsible": one.responsible and one.responsible.name,
        "acknowledged_until": one.silent_until and one.silent_until.isoformat(),
    }


def conflict_out(conflict: Conflict) -> Fields:
    """What cannot be had, and how many are free; who is in the way only where the reader may know."""
    return {
        "resource": conflict.resource,
        "starts_at": instant(conflict.period.start),
        "ends_at": instant(conflict.period.end),
        "free": conflict.free,
        "wanted": conflict.wanted,
        "quantity": conflict.quantity,
        "closed": conflict.closed,
        "purposes": list(conflict.holders),
    }


def way_out(way: WayOut) -> Fields:
    """What could be had instead."""
    return {
        "resource": way.resource,
        "starts_at": instant(way.period.start),
        "ends_at": instant(way.period.end),
        "kind": way.kind,
        "house": way.house,
        "quantity": way.quantity,
        "free": way.free,
    }
