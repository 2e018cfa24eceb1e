"""Search, request, follow and decide."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from sharebank.accounts import directory
from sharebank.accounts.forms import options
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Wish
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import Refused
from sharebank.core.period import Period, local_period, to_local
from sharebank.insurance.rules import InsuranceLapses
from sharebank.reservations import desk, searching
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.booking import Ask
from sharebank.reservations.forms import (
    LARGEST,
    MOST_LINES,
    AskForm,
    SearchForm,
    coming_saturday,
)
from sharebank.reservations.rules import Collision
from sharebank.reservations.searching import SHOWN
from sharebank.reservations.words import requirement_words

# -- need first --------------------------------------------------------------------------------


@bp.get("/")
def search() -> Page:
    """I need … from … to …: what is free, across the houses."""
    session, actor = db.session(), me()
    form = SearchForm(request.args)
    form.offer(directory.houses(session), catalog.categories(session))
    picks = _picks()
    if "day" not in request.args:
        first, last = coming_saturday(today())
        form.put(first, last)
        when = when_args(local_period(first, last, web.tz()))
        return render_template("reservations/search.html", form=form, offers=None, picks=_basket(picks), when=when)
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return render_template("reservations/search.html", form=form, offers=None, picks=_basket(picks), when={}), 422
    wish = Wish(form.q.data or "", form.kind.data or "", form.house.data or "", form.category.data or "")
    offers = searching.search(session, actor, wish, form.n.data, period, clock.now(), web.tz())
    return render_template(
        "reservations/search.html",
        form=form,
        period=period,
        offers=offers[:SHOWN],
        more=max(0, len(offers) - SHOWN),
        picks=_basket(picks),
        when=when_args(period),
        say=web.say,
    )


def when_args(period: Period) -> dict[str, Any]:
    """A period as the query of a link."""
    first, last = to_local(period.start, web.tz()), to_local(period.end, web.tz())
    found = {"day": first.date().isoformat(), "start": f"{first:%H:%M}", "end": f"{last:%H:%M}"}
    return found | ({"last_day": last.date().isoformat()} if last.date() != first.date() else {})


def _picks() -> dict[str, int]:
    """What the address says was chosen: `pick=CODE` or `pick=CODE:60`, or `pick=CODE` with `quantity=60`."""
    chosen: dict[str, int] = {}
    typed = request.args.get("quantity", "")
    for pick in request.args.getlist("pick")[:MOST_LINES]:
        code, _colon, number = pick.partition(":")
        number = number or typed
        if code:
            chosen[code] = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    return chosen


def picked(form: AskForm) -> list[str]:
    """The lines of a form as they stand in an address."""
    return [f"{line['code']}:{line['quantity'] or 1}" for line in form.lines.data if line["code"]]


def _basket(picks: dict[str, int]) -> list[tuple[Any, int]]:
    things = catalog.things_by_code(db.session(), picks) if picks else {}
    return [(things[code], quantity) for code, quantity in picks.items() if code in things]


# -- one page a request ------------------------------------------------------------------------


@bp.get("/reservations/new")
def new() -> Page:
    """The request, filled in as far as we know."""
    form = _ask_form(AskForm(request.args if "day" in request.args else None))
    form.purpose.data = request.args.get("purpose", "")[:300]
    if "day" not in request.args:
        form.put(*coming_saturday(today()))
    for code, quantity in _picks().items():
        form.lines.append_entry({"code": code, "quantity": quantity})
    form.lines.errors = ()
    return _ask_page(form, 200)


@bp.post("/reservations/new")
def create() -> Page:
    """Book everything asked for, or say why not and what else there is."""
    form = _ask_form(AskForm())
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return _ask_page(form, 422)
    wants = form.wants()
    purpose, override = (form.purpose.data or "").strip(), (form.override.data or "").strip()
    ask = Ask(form.organisation.data, purpose, period, wants, form.public.data, override)
    try:
        booked = desk.reserve(me(), ask)
    except Refused as refused:
        return _ask_page(form, refused.status, refused)
    flash(_said(booked), "success")
    return redirect(url_for("reservations.show", ref=booked[0].ref), 303)


def _said(booked: list[Any]) -> str:
    waiting = [done.lender for done in booked if done.status == "requested"]
    if not waiting:
        return str(_("It is booked."))
    return str(
        _("Your request is sent and the slot is held for you. Waiting for: %(houses)s.", houses=", ".join(waiting))
    )


def _ask_form(form: AskForm) -> AskForm:
    bodies = directory.borrowable_for(db.session(), me())
    form.organisation.choices = options({body.organisation: body.name for body in bodies})
    return form


def _ask_page(form: AskForm, status: int, refused: Refused | None = None) -> Page:
    session, actor = db.session(), me()
    wants = {line["code"]: min(line["quantity"] or 0, LARGEST) for line in form.lines.data if line["code"]}
    things = list(catalog.things_by_code(session, wants).values())
    period = None
    if all(field.data is not None for field in (form.day, form.start, form.end)):
        errors = form.start.errors, form.end.errors
        period = form.period(web.tz())
        if status == 200 and period is None:
            status = 422
        elif status == 422:
            form.start.errors, form.end.errors = errors
    offers = {}
    if period is not None:
        wanted = {thing.code: wants[thing.code] for thing in things}
        found = searching.offer(session, actor, things, wanted, period, clock.now(), web.tz())
        offers = {offer.thing.code: offer for offer in found}
    page = render_template(
        "reservations/new.html",
        form=form,
        offers=offers,
        things={thing.code: thing for thing in things},
        refused=refused,
        sentence=web.say(refused) if refused else "",
        ways_out=_links_out(form, refused),
        may_override=may_override(refused) or bool(form.override.data),
        period=period,
        when=when_args(period) if period else {},
        say=web.say,
        picks=picked(form),
        requirement_words=requirement_words,
        at_once=bool(offers) and all(offer.at_once for offer in offers.values()),
    )
    return page, status


def may_override(refused: Refused | None) -> bool:
    """Is this a refusal that the reader may overrule with a reason?"""
    return isinstance(refused, InsuranceLapses) and refused.overridable


def _links_out(form: AskForm, refused: Refused | None) -> list[tuple[Any, str]]:
    """Each way out as a link to this page with that one thing changed; nothing is swapped silently."""
    match refused:
        case Collision():
            barred = [conflict.resource for conflict in refused.conflicts]
        case InsuranceLapses():
            barred = [refused.lapse.thing]
        case _:
            return []
    wants = form.wants()
    links = []
    for way in refused.ways_out:
        replaced = barred if way.kind == "elsewhere" else []
        kept = {code: quantity for code, quantity in wants.items() if code not in replaced[:1]}
        picks = [f"{code}:{quantity}" for code, quantity in {**kept, way.resource: way.quantity}.items()]
        args: dict[str, Any] = {"pick": picks, "purpose": form.purpose.data, "organisation": form.organisation.data}
        links.append((way, url_for("reservations.new", **args, **when_args(way.period))))
    return links
