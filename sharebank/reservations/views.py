"""Need first: what is free, across the houses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import render_template, request, url_for

from sharebank.accounts import directory
from sharebank.accounts.actor import Role
from sharebank.accounts.forms import options
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing, Wish
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import Refused
from sharebank.core.overrule import Overridable
from sharebank.core.period import Period, local_period, to_local
from sharebank.reservations import searching
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.forms import MOST_LINES, AskForm, SearchForm, WishForm, coming_saturday
from sharebank.reservations.previewing import needs_of
from sharebank.reservations.searching import SHOWN


@bp.get("/")
def search() -> Page:
    """I need … from … to …: what is free, across the houses."""
    session, actor = db.session(), me()
    form = SearchForm(request.args)
    form.offer(directory.houses(session), catalog.categories(session))
    basket = _basket(form)
    if "day" not in request.args:
        first, last = coming_saturday(today())
        form.put(first, last)
        when = when_args(local_period(first, last, web.tz()))
        return render_template("reservations/search.html", form=form, offers=None, picks=basket, when=when)
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return render_template("reservations/search.html", form=form, offers=None, picks=basket, when={}), 422
    wish = Wish(form.q.data or "", form.kind.data or "", form.house.data or "", form.category.data or "")
    offers = searching.search(session, actor, wish, form.n.data, period, clock.now(), web.tz())
    return render_template(
        "reservations/search.html",
        form=form,
        period=period,
        offers=offers[:SHOWN],
        more=max(0, len(offers) - SHOWN),
        picks=basket,
        when=when_args(period),
        say=web.say,
    )


def when_args(period: Period) -> dict[str, Any]:
    """A period as the query of a link."""
    first, last = to_local(period.start, web.tz()), to_local(period.end, web.tz())
    found = {"day": first.date().isoformat(), "start": f"{first:%H:%M}", "end": f"{last:%H:%M}"}
    return found | ({"last_day": last.date().isoformat()} if last.date() != first.date() else {})


def picks() -> dict[str, int]:
    """What the address says was chosen: `pick=CODE` or `pick=CODE:60`, or `pick=CODE` with `quantity=60`."""
    chosen: dict[str, int] = {}
    typed = request.args.get("quantity", "")
    for pick in request.args.getlist("pick")[:MOST_LINES]:
        code, _colon, number = pick.partition(":")
        number = number or typed
        if code:
            chosen[code] = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    return chosen


def asked_form() -> AskForm:
    """A request as far as the address says it."""
    form = AskForm(request.args if "day" in request.args else None)
    form.purpose.data = request.args.get("purpose", "")[:300]
    if "day" not in request.args:
        form.put(*coming_saturday(today()))
    for code, quantity in picks().items():
        form.lines.append_entry({"code": code, "quantity": quantity})
    form.lines.errors = ()
    return form


def fit(form: WishForm) -> tuple[dict[str, Thing], Role]:
    """A form made as the chosen things and the chosen borrower need it; those things, by code, and that borrower.

    What the reader takes out of it (`drop`) is gone.
    """
    session, actor = db.session(), me()
    form.drop(request.values.get("drop", ""))
    bodies = directory.borrowable_for(session, actor)
    form.organisation.choices = options({body.organisation: body.name for body in bodies})
    borrower = next((body for body in bodies if body.organisation == form.organisation.data), bodies[0])
    things = catalog.things_by_code(session, [line["code"] for line in form.lines.data if line["code"]])
    form.fit(needs_of(session, actor, list(things.values()), borrower, clock.now()))
    return things, borrower


_CARRIED = (
    "organisation",
    "public",
    "headcount",
    "distance_km",
    "drivers",
    "other_drivers",
    "options",
    "accepts",
    "letter",
)


def carried(form: WishForm, *, hours: bool = False) -> dict[str, Any]:
    """What a link with the same wish for something else carries along; with `hours` for the same time."""
    names = (*_CARRIED, "collect_at", "return_at") if hours else _CARRIED
    said = {name: form[name].data for name in names if name in form and form[name].data}
    moments = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in said.items() if isinstance(at, datetime)}
    return {"purpose": form.purpose.data, **said, **moments}


def _basket(form: SearchForm) -> list[tuple[Thing, int, str]]:
    """What was chosen, how many of each, and the address of the same search without it."""
    chosen = picks()
    things = catalog.things_by_code(db.session(), chosen) if chosen else {}
    said: dict[str, Any] = {field.name: request.args[field.name] for field in form if field.name in request.args}
    kept = {code: f"{code}:{quantity}" for code, quantity in chosen.items() if code in things}
    without = {code: [pick for other, pick in kept.items() if other != code] for code in kept}
    return [
        (things[code], chosen[code], url_for("reservations.search", **said, pick=others))
        for code, others in without.items()
    ]


def may_override(refused: Refused | None) -> bool:
    """Is this a refusal that the reader may overrule with a reason?"""
    return isinstance(refused, Overridable) and refused.overridable
