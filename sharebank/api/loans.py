"""Reservations for programs: book, read, move on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from sharebank.api.answers import booked_out, dumps, instant, loan_out
from sharebank.api.calls import answer, call, do, me, span
from sharebank.api.schemas import ACTS, BODIES, DETAILS, RESERVATIONS_QUERY
from sharebank.api.values import BAD_CURSOR, read_body, read_cursor, read_query, refuse, write_cursor
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import N_
from sharebank.core.period import Period
from sharebank.reservations import booking, desk, lifecycle, reading
from sharebank.reservations.asking import NO_DETAILS, Details
from sharebank.reservations.booking import Ask

TWICE = N_("This resource has a line already: one line a resource.")


@call("POST", "/reservations")
def reserve() -> Response:
    """Book everything asked for, one reservation a lender, or nothing."""
    body, actor, now = read_body(request, BODIES["NewReservation"]), me(), clock.now()
    wants: dict[str, int] = {}
    for number, line in enumerate(body["lines"]):
        if line["resource"] in wants:
            refuse(f"lines[{number}].resource", TWICE)
        wants[line["resource"]] = line["quantity"]
    period = Period(body["starts_at"], body["ends_at"])
    public, override = body.get("public", False), body.get("override", "")
    ask = Ask(body["organisation"], body["purpose"], period, wants, public, override, details_of(body))

    def book(session: Session) -> Any:
        return booked_out(booking.book(session, actor, ask, now, web.tz()), ask, actor, now)

    with desk.advised(actor, ask):
        return do(book, body, now, 201)


def details_of(body: dict[str, Any]) -> Details:
    """What only some rules ask for; a program that promises nothing is not asked to."""
    said: dict[str, Any] = {name: body[name] for name in DETAILS if name in body}
    for name, value in said.items():
        if isinstance(value, list):
            said[name] = tuple(value)
    return Details(**said) if said else NO_DETAILS


@call("GET", "/reservations")
def reservations() -> Response:
    """Those the reader may see, earliest first."""
    query = read_query(request.args, RESERVATIONS_QUERY)
    if "from" in query and "to" in query:
        span(query["from"], query["to"])
    loans = reading.visible_loans(
        db.session(),
        me(),
        resource=query.get("resource"),
        organisation=query.get("organisation"),
        status=query.get("status"),
        since=query.get("from"),
        until=query.get("to"),
        after=_after(query.get("cursor")),
        limit=query["limit"] + 1,
    )
    page = loans[: query["limit"]]
    following = write_cursor(instant(page[-1].starts_at), page[-1].id) if len(loans) > len(page) else None
    return answer(dumps({"items": [loan_out(loan) for loan in page], "next": following}))


@call("GET", "/reservations/<ref>")
def reservation(ref: str) -> Response:
    """One reservation."""
    read_query(request.args, {})
    return answer(dumps(loan_out(reading.loan_of_ref(db.session(), me(), ref))))


@call("POST", f"/reservations/<ref>/<any({', '.join(ACTS)}):act>")
def change(ref: str, act: str) -> Response:
    """Move a reservation on."""
    body, actor, now = read_body(request, BODIES["Reason"]), me(), clock.now()

    def move(session: Session) -> Any:
        lifecycle.change(session, actor, ref, act, body.get("why", ""), now, web.tz(), body.get("override", ""))
        return loan_out(reading.loan_of_ref(session, actor, ref))

    return do(move, body, now, 200)


def _after(cursor: str | None) -> tuple[datetime, int] | None:
    place = read_cursor(cursor, str, int)
    if place is None:
        return None
    try:
        at, last = datetime.fromisoformat(place[0]), place[1]
    except ValueError:
        refuse("cursor", BAD_CURSOR)
    if at.tzinfo is None or not 2000 <= at.year <= 2200 or not 0 <= last < 2**31:
        refuse("cursor", BAD_CURSOR)
    return at, last
