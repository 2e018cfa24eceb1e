"""The JSON API: the same services as the screens, for programs that carry a token and no cookie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, render_template, request, url_for
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.letters import managed_letters
from sharebank.accounts.web import hash_token
from sharebank.api import idempotency, openapi
from sharebank.api.answers import (
    booked_out,
    coverage_out,
    dumps,
    instant,
    letter_out,
    loan_out,
    offer_out,
    resource_out,
    use_out,
)
from sharebank.api.problems import NoToken
from sharebank.api.schemas import (
    ACTS,
    BODIES,
    BUSY_QUERY,
    COVERAGES_QUERY,
    LETTERS_QUERY,
    RESERVATIONS_QUERY,
    RESOURCES_QUERY,
)
from sharebank.api.values import BAD_CURSOR, MISSING, read_body, read_cursor, read_query, refuse, write_cursor
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing, Wish
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_, NotFound
from sharebank.core.period import EndsBeforeStart, Period, to_local
from sharebank.core.web import public
from sharebank.insurance import service as insurance
from sharebank.reservations import availability, booking, desk, lifecycle, reading, searching
from sharebank.reservations.booking import Ask

bp = Blueprint("api", __name__, url_prefix="/api/v1")

BUSY_DAYS = 400
TWICE = N_("This resource has a line already: one line a resource.")
TOO_WIDE = N_("At most %(days)s days.")

WITHOUT_TOKEN = {"api.document", "api.docs"}
View = Callable[..., Any]


def call(method: str, rule: str) -> Callable[[View], View]:
    """One call of the API; the gate lets it through, the token is asked for below."""

    def register(view: View) -> View:
        bp.add_url_rule(rule, view.__name__, public(view), methods=[method])
        return view

    return register


@bp.before_request
def authenticate() -> None:
    """Find who the program acts for; a cookie counts for nothing here."""
    if request.endpoint in WITHOUT_TOKEN:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    g.token_was_given = bool(token)
    actor = None
    if scheme.lower() == "bearer" and token:
        actor = directory.actor_of_api_token(db.session(), hash_token(token.strip()), clock.now())
    if actor is None:
        raise NoToken
    g.actor = actor


def me() -> Actor:
    """The person the program acts for."""
    actor: Actor = g.actor
    return actor


def answer(body: bytes, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    said = Response(body, status, mimetype="application/json")
    said.headers["Cache-Control"] = "no-store"
    return said


# -- the catalogue ---------------------------------------------------------------------------------


@call("GET", "/resources")
def resources() -> Response:
    """What the houses lend; with a period, how many are free and why not."""
    query = read_query(request.args, RESOURCES_QUERY)
    period, wanted = _period(query, "starts_at", "ends_at"), query.get("quantity", 1)
    wish = Wish(
        words=query.get("q", ""),
        kind=query.get("kind", ""),
        house=query.get("house", ""),
        category=query.get("category", ""),
        capacity=query.get("capacity"),
    )
    after = read_cursor(query.get("cursor"), str, str) or ("", "")
    found = sorted(catalog.find_things(db.session(), wish), key=_shelf)
    found = [thing for thing in found if _shelf(thing) > after and (period or thing.quantity >= wanted)]
    page = found[: query["limit"]]
    if period is None:
        items = [resource_out(thing) for thing in page]
    else:
        wants = {thing.code: wanted for thing in page}
        offers = searching.offer(db.session(), me(), page, wants, period, clock.now(), web.tz())
        items = [offer_out(offer) for offer in offers]
    following = write_cursor(*_shelf(page[-1])) if len(found) > len(page) else None
    return answer(dumps({"items": items, "next": following}))


@call("GET", "/resources/<code>")
def resource(code: str) -> Response:
    """One resource."""
    read_query(request.args, {})
    return answer(dumps(resource_out(_thing(code))))


@call("GET", "/resources/<code>/busy")
def busy(code: str) -> Response:
    """When it is in use, whoever has it."""
    query = read_query(request.args, BUSY_QUERY, required=BUSY_QUERY)
    over, thing = _span(query["from"], query["to"]), _thing(code)
    if over.length > timedelta(days=BUSY_DAYS):
        refuse("to", TOO_WIDE, days=BUSY_DAYS)
    return answer(dumps([use_out(use, thing.quantity) for use in availability.busy(db.session(), thing, over)]))


def _thing(code: str) -> Thing:
    found = catalog.things_by_code(db.session(), [code])
    if code not in found:
        raise NotFound
    return found[code]


def _shelf(thing: Thing) -> tuple[str, str]:
    """Where a thing stands in the list; sorted here, for databases sort letters each its own way."""
    return thing.house, thing.code


# -- reservations ----------------------------------------------------------------------------------


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
    ask = Ask(body["organisation"], body["purpose"], period, wants, body.get("public", False), body.get("override", ""))

    def book(session: Session) -> Any:
        return booked_out(booking.book(session, actor, ask, now, web.tz()), ask, actor, now)

    with desk.advised(actor, ask):
        return _do(book, body, now, 201)


@call("GET", "/reservations")
def reservations() -> Response:
    """Those the reader may see, earliest first."""
    query = read_query(request.args, RESERVATIONS_QUERY)
    if "from" in query and "to" in query:
        _span(query["from"], query["to"])
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

    return _do(move, body, now, 200)


def _do(act: Callable[[Session], Any], body: dict[str, Any], now: datetime, status: int) -> Response:
    """Act in one transaction; with an Idempotency-Key, once."""
    key = idempotency.checked_key(request.headers.get("Idempotency-Key"))
    with transaction() as session:
        if key is None:
            said = dumps(act(session))
        else:
            same = idempotency.hash_request(request.path, body)
            status, said = idempotency.once(session, me(), key, same, status, act, now)
    return answer(said, status)


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


def _period(query: dict[str, Any], first: str, last: str) -> Period | None:
    """The period of a query, when it has one; half of one is an oversight."""
    given = [name for name in (first, last) if name in query]
    if len(given) == 1:
        refuse(last if given == [first] else first, MISSING)
    return Period(query[first], query[last]) if given else None


def _span(since: datetime, until: datetime) -> Period:
    if until <= since:
        refuse("to", EndsBeforeStart.sentence)
    return Period(since, until)


# -- deadlines -------------------------------------------------------------------------------------


@call("GET", "/coverages")
def coverages() -> Response:
    """The insurances, checks and certificates the reader may see, first to end first; renewed ones are left out."""
    query = read_query(request.args, COVERAGES_QUERY)
    today = to_local(clock.now(), web.tz()).date()
    found = insurance.deadlines(
        db.session(),
        me(),
        before=query.get("expiring_before"),
        after=_after_day(query.get("cursor")),
        limit=query["limit"] + 1,
    )
    page = found[: query["limit"]]
    last = page[-1] if len(found) > len(page) else None
    following = write_cursor(last.ends_on.isoformat() if last.ends_on else "", last.id) if last else None
    return answer(dumps({"items": [coverage_out(one, today) for one in page], "next": following}))


def _after_day(cursor: str | None) -> tuple[date | None, int] | None:
    place = read_cursor(cursor, str, int)
    if place is None:
        return None
    try:
        day, last = date.fromisoformat(place[0]) if place[0] else None, place[1]
    except ValueError:
        refuse("cursor", BAD_CURSOR)
    if not 0 <= last < 2**31:
        refuse("cursor", BAD_CURSOR)
    return day, last


# -- letters ---------------------------------------------------------------------------------------


@call("GET", "/letters")
def letters() -> Response:
    """The outbox of those one manages, newest first."""
    query = read_query(request.args, LETTERS_QUERY)
    place = read_cursor(query.get("cursor"), int)
    if place is not None and not 0 <= place[0] < 2**31:
        refuse("cursor", BAD_CURSOR)
    before = place[0] if place else None
    state, limit = query.get("state", ""), query["limit"]
    found = managed_letters(db.session(), me(), state=state, before=before, limit=limit + 1)
    following = write_cursor(found[limit - 1].id) if len(found) > limit else None
    return answer(dumps({"items": [letter_out(letter) for letter in found[:limit]], "next": following}))


# -- what the API says of itself -------------------------------------------------------------------


@call("GET", "/openapi.json")
def document() -> Response:
    """The description that programs read."""
    said = Response(openapi.as_json(), mimetype="application/json")
    said.headers["Cache-Control"] = "no-cache"
    return said


@call("GET", "/docs")
def docs() -> str:
    """The description that people read."""
    return render_template(
        "api/docs.html",
        groups=openapi.for_people(),
        problems=openapi.problems_for_people(),
        document_url=url_for("api.document"),
    )
