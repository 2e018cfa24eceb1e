"""The JSON API: the same services as the screens, for programs that carry a token and no cookie."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Response, render_template, request, url_for

from sharebank.accounts.letters import managed_letters
from sharebank.api import loans, openapi, orders, series
from sharebank.api.answers import coverage_out, dumps, letter_out, offer_out, resource_out, use_out
from sharebank.api.calls import answer, bp, call, me, period_of, span
from sharebank.api.schemas import BUSY_QUERY, COVERAGES_QUERY, LETTERS_QUERY, RESOURCES_QUERY
from sharebank.api.values import BAD_CURSOR, read_cursor, read_query, refuse, write_cursor
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing, Wish
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import N_, NotFound
from sharebank.core.period import to_local
from sharebank.insurance import service as insurance
from sharebank.reservations import availability, searching

__all__ = ["bp", "loans", "orders", "series"]  # whose calls stand in modules of their own

BUSY_DAYS = 400
TOO_WIDE = N_("At most %(days)s days.")


# -- the catalogue ---------------------------------------------------------------------------------


@call("GET", "/resources")
def resources() -> Response:
    """What the houses lend; with a period, how many are free and why not."""
    query = read_query(request.args, RESOURCES_QUERY)
    period, wanted = period_of(query, "starts_at", "ends_at"), query.get("quantity", 1)
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
    over, thing = span(query["from"], query["to"]), _thing(code)
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
