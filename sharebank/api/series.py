"""Series for programs: see every date, then book those that can be had, or those named, in one go."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from sharebank.api.answers import dumps, instant, way_out
from sharebank.api.calls import answer, call, do, me
from sharebank.api.loans import TWICE, details_of
from sharebank.api.schemas import BODIES
from sharebank.api.values import read_body, refuse
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import N_
from sharebank.core.period import EndsBeforeStart, to_local
from sharebank.reservations.series import series as service
from sharebank.reservations.series import series_booking
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_judging import Date, Preview
from sharebank.reservations.series.series_rows import missing_hour
from sharebank.reservations.series.series_rules import Plan, chosen_skip, simple_rule

NOT_AN_END = N_("Write the last day, such as 2027-06-29, or an instant with its offset.")


@call("POST", "/series")
def series() -> Response:
    """Preview or book a reservation that repeats."""
    body, actor, now = read_body(request, BODIES["NewSeries"]), me(), clock.now()
    ask = _ask(body)
    if body.get("preview", False):
        return answer(dumps(_said(service.preview(db.session(), actor, ask, now, web.tz()), {})))
    named = body.get("chosen")
    chosen = None if named is None else [f"{to_local(at, web.tz()):%Y-%m-%dT%H:%M}" for at in named]

    def book(session: Session) -> Any:
        made = series_booking.book(session, actor, ask, chosen, now, web.tz())
        return {"ref": made.ref, **_said(made.preview, dict(made.refs))}

    return do(book, body, now, 201)


def _ask(body: dict[str, Any]) -> SeriesAsk:
    wants: dict[str, int] = {}
    for number, line in enumerate(body["lines"]):
        if line["resource"] in wants:
            refuse(f"lines[{number}].resource", TWICE)
        wants[line["resource"]] = line["quantity"]
    if body["ends_at"] <= body["starts_at"]:
        raise EndsBeforeStart("ends_at")
    first, last = (to_local(body[name], web.tz()) for name in ("starts_at", "ends_at"))
    said = body["rule"]
    rule = simple_rule(
        said["freq"], first.date(), weekdays=said.get("weekdays", ()), nth=said.get("nth"), count=said.get("count")
    )
    skip = chosen_skip(dict.fromkeys(body.get("skip", ()), True))
    plan = Plan(first, last, rule, _until(said.get("until")), skip)
    public, override = body.get("public", False), body.get("override", "")
    return SeriesAsk(body["organisation"], body["purpose"], wants, plan, public, override, details_of(body))


def _until(text: str | None) -> date | None:
    """The last local day, included; an instant stands for the day it is on."""
    if text is None:
        return None
    try:
        if len(text) == len("2027-06-29"):
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        refuse("rule.until", NOT_AN_END)
    if found.tzinfo is None:
        refuse("rule.until", NOT_AN_END)
    return to_local(found, web.tz()).date()


def _said(found: Preview, refs: dict[str, str]) -> dict[str, Any]:
    return {"occurrences": [_occurrence(one, refs) for one in found.dates], "reservations": list(refs.values())}


def _occurrence(one: Date, refs: dict[str, str]) -> dict[str, Any]:
    """One date; of an hour that does not exist, the instant RFC 5545 gives it."""
    period = one.period or missing_hour(one, str(web.tz()))
    said: dict[str, Any] = {
        "starts_at": instant(period.start),
        "ends_at": instant(period.end),
        "state": one.state,
    }
    if one.key in refs:
        said["reservation"] = refs[one.key]
    if one.why:
        said["reason"] = web.say(one.why)
    if one.ways_out:
        said["alternatives"] = [way_out(way) for way in one.ways_out]
    return said
