"""The shapes of the API, as JSON Schema: requests are read by them, and the OpenAPI document is made of them."""

from __future__ import annotations

from typing import Any

from sharebank.core.errors import N_
from sharebank.insurance.rules import KINDS as COVERAGE_KINDS
from sharebank.notifications.outbox import STATES as LETTER_STATES
from sharebank.reservations.states import LIFECYCLE

Schema = dict[str, Any]

MAX_UNITS = 1_000_000
MAX_LINES = 100
MAX_LIMIT = 200
LIMIT = 50
MAX_BODY = 128 * 1024
"""Bytes; a hundred lines with every field as long as it may be take a fifth of it."""
STATES = ["requested", "approved", "collected", "returned", "declined", "cancelled", "expired"]
KINDS = ["room", "vehicle", "equipment"]

# What comes in may carry any offset, what goes out is UTC.
INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    "examples": ["2026-11-28T14:00:00+01:00"],
}
UTC_INSTANT: Schema = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


DAY: Schema = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d\d-\d\d$", "examples": ["2026-12-31"]}


def text(maximum: int, minimum: int = 1, **more: Any) -> Schema:
    """A bounded text."""
    return {"type": "string", "minLength": minimum, "maxLength": maximum, **more}


def whole(minimum: int, maximum: int, **more: Any) -> Schema:
    """A bounded whole number."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def choice(options: list[str]) -> Schema:
    """One word of a few."""
    return {"type": "string", "enum": options}


def thing(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object that has these properties and no other."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def many(items: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **more}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def page_of(items: Schema) -> Schema:
    """A page of a list."""
    return thing({"items": many(items), "next": {"type": ["string", "null"]}})


CODE = text(20)
ANY_TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}

# -- what comes in --------------------------------------------------------------------------------

BODIES: dict[str, Schema] = {
    "NewReservation": thing(
        {
            "organisation": CODE,
            "purpose": text(300),
            "starts_at": INSTANT,
            "ends_at": INSTANT,
            "lines": many(thing({"resource": CODE, "quantity": whole(1, MAX_UNITS)}), minItems=1, maxItems=MAX_LINES),
            "public": FLAG,
            "override": text(300, minimum=0),
        },
        optional=("public", "override"),
    ),
    "Reason": thing({"why": text(1000, minimum=0), "override": text(300, minimum=0)}, optional=("why", "override")),
}

LIST_QUERY: dict[str, Schema] = {
    "limit": whole(1, MAX_LIMIT, default=LIMIT),
    "cursor": text(200),
}
RESOURCES_QUERY: dict[str, Schema] = {
    "kind": choice(KINDS),
    "house": CODE,
    "category": text(60),
    "q": text(100),
    "capacity": whole(1, MAX_UNITS),
    "starts_at": INSTANT,
    "ends_at": INSTANT,
    "quantity": whole(1, MAX_UNITS),
    **LIST_QUERY,
}
BUSY_QUERY: dict[str, Schema] = {"from": INSTANT, "to": INSTANT}
RESERVATIONS_QUERY: dict[str, Schema] = {
    "resource": CODE,
    "organisation": CODE,
    "status": choice(STATES),
    "from": INSTANT,
    "to": INSTANT,
    **LIST_QUERY,
}

LETTERS_QUERY: dict[str, Schema] = {"state": choice(list(LETTER_STATES)), **LIST_QUERY}

COVERAGES_QUERY: dict[str, Schema] = {"expiring_before": DAY, **LIST_QUERY}

# -- what goes out --------------------------------------------------------------------------------

PERIOD: dict[str, Schema] = {"starts_at": UTC_INSTANT, "ends_at": UTC_INSTANT}

ANSWERS: dict[str, Schema] = {
    "Resource": thing(
        {
            "code": CODE,
            "house": CODE,
            "kind": choice(KINDS),
            "category": ANY_TEXT,
            "name": ANY_TEXT,
            "quantity": COUNT,
            "location": ANY_TEXT,
            "capacity": maybe(COUNT),
            "seats": maybe(COUNT),
            "in_service": FLAG,
            "out_of_service_reason": ANY_TEXT,
            "deposit_cents": maybe(COUNT),
            "rules": thing(
                {
                    "name": ANY_TEXT,
                    "approval": choice(["none", "own_house_free", "always"]),
                    "requires": many(ANY_TEXT),
                    "min_notice_days": COUNT,
                    "max_advance_days": COUNT,
                    "max_duration_hours": COUNT,
                    "buffer_before_min": COUNT,
                    "buffer_after_min": COUNT,
                }
            ),
            "free": COUNT,
            "outside_hours": FLAG,
            "reason": ANY_TEXT,
        },
        optional=("free", "outside_hours", "reason"),
    ),
    "Use": thing({**PERIOD, "used": COUNT, "quantity": COUNT}),
    "Reservation": thing(
        {
            "ref": ANY_TEXT,
            "kind": choice(["loan", "closure"]),
            "lender": CODE,
            "borrower": CODE,
            "status": choice(STATES),
            "purpose": ANY_TEXT,
            "public": FLAG,
            **PERIOD,
            "lines": many(thing({"resource": CODE, "quantity": COUNT})),
            "events": many(
                thing(
                    {
                        "at": UTC_INSTANT,
                        "by": {"type": ["string", "null"]},
                        "to": choice(STATES),
                        "why": ANY_TEXT,
                    }
                )
            ),
        }
    ),
    "Letter": thing(
        {
            "id": {"type": "integer"},
            "template": ANY_TEXT,
            "state": choice(list(LETTER_STATES)),
            "to": ANY_TEXT,
            "subject": {"type": ["string", "null"]},
            "created_at": UTC_INSTANT,
            "due_at": UTC_INSTANT,
            "sent_at": maybe(UTC_INSTANT),
            "attempts": COUNT,
            "error": {"type": ["string", "null"]},
        }
    ),
    "Coverage": thing(
        {
            "id": COUNT,
            "holder": CODE,
            "kind": choice(list(COVERAGE_KINDS)),
            "body": ANY_TEXT,
            "contract_number": ANY_TEXT,
            "covers": many(CODE),
            "starts_on": maybe(DAY),
            "ends_on": maybe(DAY),
            "state": choice(["lapsed", "due", "unknown", "fine"]),
            "responsible": maybe(ANY_TEXT),
            "acknowledged_until": maybe(DAY),
        }
    ),
    "Conflict": thing(
        {
            "resource": CODE,
            **PERIOD,
            "free": COUNT,
            "wanted": COUNT,
            "quantity": COUNT,
            "closed": FLAG,
            "purposes": many(ANY_TEXT),
        }
    ),
    "Alternative": thing(
        {
            "resource": CODE,
            **PERIOD,
            "kind": choice(["slot", "less", "elsewhere"]),
            "house": CODE,
            "quantity": COUNT,
            "free": COUNT,
        }
    ),
    "Error": thing({"field": ANY_TEXT, "message": ANY_TEXT}),
    "Problem": thing(
        {
            "type": ANY_TEXT,
            "title": ANY_TEXT,
            "status": {"type": "integer"},
            "detail": ANY_TEXT,
            "errors": many({"$ref": "#/components/schemas/Error"}),
            "conflicts": many({"$ref": "#/components/schemas/Conflict"}),
            "alternatives": many({"$ref": "#/components/schemas/Alternative"}),
        },
        optional=("errors", "conflicts", "alternatives"),
    ),
}

# -- what the words mean, for the reader of the documentation -------------------------------------

MEANINGS = {
    "organisation": N_("Code of the organisation that borrows."),
    "purpose": N_("What it is for, in a few words."),
    "starts_at": N_("Start, with its offset from UTC."),
    "ends_at": N_("End, with its offset from UTC; the period does not include it."),
    "lines": N_("What is borrowed, one line a resource."),
    "public": N_("May the purpose be shown to everybody?"),
    "why": N_("A reason, for the borrower to read; needed to decline."),
    "override": N_("Of the owner's staff: why it is lent past the end of an insurance; kept."),
    "limit": N_("How many on a page."),
    "cursor": N_("Where the page begins: “next” of the page before."),
    "kind": N_("Room, vehicle or equipment."),
    "house": N_("Code of the house that owns it."),
    "category": N_("Category, written as in the catalogue."),
    "q": N_("Words to look for, with or without accents."),
    "capacity": N_("For at least so many people; a vehicle answers with its seats."),
    "quantity": N_("Units wanted, 1 by default; without a period, only what has as many."),
    "resource": N_("Code of a resource."),
    "status": N_("State of the reservation."),
    "state": N_("State of the letter."),
    "expiring_before": N_("Only what ends before this day."),
    "from": N_("From this instant on."),
    "to": N_("Before this instant."),
}
ACTS = tuple(LIFECYCLE)
