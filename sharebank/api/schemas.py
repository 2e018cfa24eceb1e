"""The shapes of the API, as JSON Schema: requests are read by them, and the OpenAPI document is made of them."""

from __future__ import annotations

from sharebank.api.shapes import (
    ANY_TEXT,
    CODE,
    COUNT,
    DAY,
    FLAG,
    INSTANT,
    LIST_QUERY,
    MAX_UNITS,
    UTC_INSTANT,
    Schema,
    choice,
    many,
    maybe,
    text,
    thing,
    whole,
)
from sharebank.core.errors import N_
from sharebank.insurance.rules import KINDS as COVERAGE_KINDS
from sharebank.lending.kinds import UNDERTAKINGS
from sharebank.notifications.outbox import STATES as LETTER_STATES
from sharebank.reservations.series.series_rules import FREQUENCIES
from sharebank.reservations.series.series_rules import MOST as MOST_DATES

MAX_LINES = 100
STATES = ["requested", "approved", "collected", "returned", "declined", "cancelled", "expired"]
KINDS = ["room", "vehicle", "equipment"]

# -- what comes in --------------------------------------------------------------------------------

DETAILS: dict[str, Schema] = {
    "headcount": whole(1, MAX_UNITS),
    "distance_km": whole(0, 20_000),
    "drivers": many(text(200), maxItems=20),
    "collect_at": INSTANT,
    "return_at": INSTANT,
    "options": many(text(60), maxItems=40),
    "accepts": many(choice(list(UNDERTAKINGS)), maxItems=len(UNDERTAKINGS)),
    "letter": FLAG,
}
"""What only the rules of some things ask for."""
SERIES_DETAILS = {name: schema for name, schema in DETAILS.items() if name not in ("collect_at", "return_at")}
"""Of a series no hours of collection: each date has its own."""

_ASKED: dict[str, Schema] = {
    "organisation": CODE,
    "purpose": text(300),
    "starts_at": INSTANT,
    "ends_at": INSTANT,
    "lines": many(thing({"resource": CODE, "quantity": whole(1, MAX_UNITS)}), minItems=1, maxItems=MAX_LINES),
}
"""Of one reservation or of many."""
BODIES: dict[str, Schema] = {
    "NewReservation": thing(
        {
            **_ASKED,
            "public": FLAG,
            "override": text(300, minimum=0),
            **DETAILS,
        },
        optional=("public", "override", *DETAILS),
    ),
    "NewSeries": thing(
        {
            **_ASKED,
            "rule": thing(
                {
                    "freq": choice(list(FREQUENCIES)),
                    "weekdays": many(text(9), maxItems=7),
                    "nth": whole(-1, 31),
                    "until": text(40),
                    "count": whole(1, MOST_DATES),
                },
                optional=("weekdays", "nth", "until", "count"),
            ),
            "skip": many(choice(["school_holidays", "public_holidays"]), maxItems=2),
            "preview": FLAG,
            "chosen": many(INSTANT, maxItems=MOST_DATES),
            "public": FLAG,
            "override": text(300, minimum=0),
            **SERIES_DETAILS,
        },
        optional=("skip", "preview", "chosen", "public", "override", *SERIES_DETAILS),
    ),
    "Reason": thing({"why": text(1000, minimum=0), "override": text(300, minimum=0)}, optional=("why", "override")),
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

DATE_STATES = ["free", "conflict", "closed", "holiday", "outside_hours", "skipped", "no_such_time"]
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
    "Series": thing(
        {
            "ref": ANY_TEXT,
            "occurrences": many(
                thing(
                    {
                        **PERIOD,
                        "state": choice(DATE_STATES),
                        "reservation": ANY_TEXT,
                        "reason": ANY_TEXT,
                        "alternatives": many({"$ref": "#/components/schemas/Alternative"}),
                    },
                    optional=("reservation", "reason", "alternatives"),
                )
            ),
            "reservations": many(ANY_TEXT),
        },
        optional=("ref",),
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
    "override": N_("Of the owner's staff: why it is lent in spite of a rule or past the end of an insurance; kept."),
    "headcount": N_("For how many people."),
    "distance_km": N_("How far it goes, one way, in kilometres."),
    "drivers": N_("Names of those who drive; those of the register are known by their name."),
    "collect_at": N_("When it is collected, the start of the use by default."),
    "return_at": N_("When it is brought back, the end of the use by default."),
    "options": N_("Names of the priced options wanted."),
    "accepts": N_("What is promised; when it is given, all that the rules ask for has to be in it."),
    "letter": N_("A letter of the employer comes instead of the deposit."),
    "rule": N_("How it repeats; weekdays and nth follow the first date; until (a day, included) or count ends it."),
    "skip": N_("Holidays that take dates away; “count” counts these dates all the same."),
    "preview": N_("Only look: nothing is booked."),
    "chosen": N_("Starts of the dates to book, all or none; when left out, all that can be had outside holidays."),
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
ACTS = ("approve", "decline", "cancel", "collect", "return")
